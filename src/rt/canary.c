/* SPDX-License-Identifier: Apache-2.0 */
#include "rt/canary.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ir/op.h"
#include "rt/program.h"
#include "rt/request.h"

enum { WATCHED = 48 }; /* layers looked at in one go */

/* What one model gives for all samples: outputs of sample s at out[s * n_out ..]. */
typedef struct results {
	tarn_tensor *out;
	size_t samples, n_out;
} results;

static void results_fini(results *r)
{
	for (size_t i = 0; r->out && i < r->samples * r->n_out; i++)
		tarn_tensor_fini(&r->out[i]);
	tarn_mem_free(r->out);
	*r = (results){0};
}

static tarn_err run_sample(tarn_request *r, const tarn_tensor *in, tarn_tensor *out)
{
	TRY(tarn_request_begin(r));
	tarn_err err = TARN_OK;
	for (int i = 0; i < r->n_in && err == TARN_OK; i++) {
		tarn_tensor *t = &r->in[i];
		if (t->data && t->type == in[i].type && t->rank == in[i].rank &&
		    !memcmp(t->dim, in[i].dim, (size_t)t->rank * sizeof *t->dim)) {
			memcpy(t->data, in[i].data, tarn_tensor_bytes(t));
			continue;
		}
		tarn_tensor_fini(t);
		r->in_foreign[i] = true;
		err = tarn_tensor_copy(&in[i], t);
	}
	if (err != TARN_OK) {
		tarn_request_abort(r);
		return err;
	}
	TRY(tarn_request_infer(r));
	for (int i = 0; i < r->n_out; i++)
		TRY(tarn_tensor_copy(&r->out[i], &out[i]));
	return TARN_OK;
}

static tarn_err run_all(tarn_program *p, const tarn_tensor *in, size_t samples, results *out)
{
	tarn_request *r;
	*out = (results){.samples = samples, .n_out = (size_t)p->n_out};
	out->out = tarn_mem_zalloc(samples * out->n_out + 1, sizeof *out->out);
	if (!out->out)
		return tarn_err_nomem(samples * out->n_out * sizeof *out->out);
	TRY(tarn_request_new(p, &r));
	tarn_err err = TARN_OK;
	for (size_t s = 0; s < samples && err == TARN_OK; s++)
		err = run_sample(r, in + s * (size_t)p->n_in, out->out + s * out->n_out);
	tarn_request_free(r);
	return err;
}

/* Signal to difference of output i over the samples, in dB; infinite when nothing differs. */
static double agreement(const results *a, const results *b, size_t i)
{
	double power = 0, noise = 0;
	for (size_t s = 0; s < a->samples; s++) {
		const tarn_tensor *x = &a->out[s * a->n_out + i], *y = &b->out[s * b->n_out + i];
		int64_t n = tarn_tensor_count(x);
		if (n != tarn_tensor_count(y))
			return -INFINITY;
		if (x->type == TARN_STRING)
			continue;
		for (int64_t e = 0; e < n; e++) {
			double v = tarn_tensor_f64(x, e), d = v - tarn_tensor_f64(y, e);
			if (!isfinite(v)) /* what the CPU cannot compute either says nothing */
				continue;
			power += v * v;
			noise += isfinite(d) ? d * d : fmax(v * v, 1) * 1e6;
		}
	}
	return noise == 0 ? INFINITY : power == 0 ? -INFINITY : 10 * log10(power / noise);
}

/* ---- which layer ---- */

/* A copy of m whose outputs are the named values. */
static tarn_err watching(const tarn_model *m, tarn_value *const *value, size_t n, tarn_model **out)
{
	tarn_model *copy;
	TRY(tarn_model_clone(m, &copy));
	tarn_graph *g = copy->main;
	tarn_err err;
	TRY_GOTO(out, VEC_RESERVE(&g->output, n));
	for (size_t i = 0; i < n; i++) {
		g->output.at[i] = tarn_graph_find(g, value[i]->name);
		CHECK_GOTO(out, g->output.at[i], TARN_INTERNAL, "a copy of the model lacks value '%s'", value[i]->name);
	}
	g->output.len = n;
	tarn_graph_sweep(g);
	*out = copy;
	return TARN_OK;
out:
	tarn_model_unref(copy);
	return err;
}

/* Runs the samples on both devices with these values as outputs. */
static tarn_err both(const tarn_model *m, const tarn_program *p, tarn_device *reference, tarn_value *const *value, size_t n,
		     const tarn_tensor *in, size_t samples, results r[2])
{
	tarn_model *w = NULL;
	TRY(watching(m, value, n, &w));
	tarn_err err = TARN_OK;
	for (int k = 0; k < 2 && err == TARN_OK; k++) {
		tarn_program *x = NULL;
		tarn_props plain = {0};
		tarn_model *own = NULL; /* compiling changes it */
		err = tarn_model_clone(w, &own);
		if (err == TARN_OK)
			err = tarn_program_build(k ? p->device : reference, own, k ? &p->props : &plain, &x);
		if (err == TARN_OK)
			err = run_all(x, in, samples, &r[k]);
		tarn_program_unref(x);
	}
	tarn_model_unref(w);
	return err;
}

static bool is_op(const tarn_node *n, const char *name)
{
	return !strcmp(n->op->name, name);
}

/* Float results of layers that depend on the inputs, in execution order; `codes`: of those that come back from codes. */
static size_t layers_of(const tarn_graph *g, tarn_value **value, bool *varies, bool codes)
{
	size_t n = 0;
	for (size_t i = 0; i < g->input.len; i++)
		varies[g->input.at[i]->id] = true;
	for (size_t i = 0; i < g->node.len; i++) {
		const tarn_node *d = g->node.at[i];
		bool any = false;
		for (int k = 0; k < d->n_in; k++)
			any |= d->in[k] && varies[d->in[k]->id];
		for (int k = 0; k < d->n_out; k++)
			if (d->out[k] && any) {
				varies[d->out[k]->id] = true;
				if (k == 0 && tarn_dtype_is_float(d->out[k]->type) && (!codes || is_op(d, "DequantizeLinear")))
					value[n++] = d->out[k];
			}
	}
	return n;
}

/* The first of n values that differs; NULL when none does, or it cannot be found. */
static const tarn_node *first_of(const tarn_model *m, const tarn_program *p, tarn_device *reference, tarn_value *const *value,
				 size_t n, const tarn_tensor *in, size_t samples, double *db)
{
	const tarn_node *found = NULL;
	for (size_t at = 0; at < n && !found; at += WATCHED) {
		results r[2] = {{0}, {0}};
		size_t few = n - at < WATCHED ? n - at : WATCHED;
		bool ran = both(m, p, reference, value + at, few, in, samples, r) == TARN_OK;
		for (size_t i = 0; ran && i < few && !found; i++) {
			double now = agreement(&r[0], &r[1], i);
			if (now < TARN_CANARY_DB) {
				found = value[at + i]->def;
				*db = now;
			}
		}
		results_fini(&r[0]);
		results_fini(&r[1]);
		if (!ran)
			break;
	}
	return found;
}

/* The layer whose result a pair of quantizers rounds; an activation belongs to what it follows. */
static const tarn_node *rounded_by(const tarn_node *n)
{
	static const char *const inside[] = {"DequantizeLinear", "QuantizeLinear", "Relu", "Clip"};
	if (!is_op(n, inside[0]))
		return n;
	for (const tarn_node *up = n; up; up = up->in[0]->def) {
		bool passes = false;
		for (size_t i = 0; i < sizeof inside / sizeof *inside; i++)
			passes |= is_op(up, inside[i]);
		n = up;
		if (!passes)
			break;
	}
	return n;
}

/* The first layer whose result differs; NULL when it cannot be found. Watching a result in floats takes a layer out of INT8, so
 * that what is wrong there would be gone: results are looked at behind their quantizers, too. */
static const tarn_node *first_layer(const tarn_model *m, const tarn_program *p, tarn_device *reference, const tarn_tensor *in,
				    size_t samples, double *db)
{
	tarn_arena scratch = {0};
	const tarn_graph *g = m->main;
	const tarn_node *found = NULL;
	tarn_value **value = tarn_arena_zalloc(&scratch, g->node.len + 1, sizeof *value);
	bool *varies = tarn_arena_zalloc(&scratch, g->value.len + 1, sizeof *varies);
	for (int codes = 1; codes >= 0 && value && varies; codes--) {
		double now = 0;
		size_t n = layers_of(g, value, varies, codes);
		const tarn_node *x = first_of(m, p, reference, value, n, in, samples, &now);
		if (!x || (found && found->index <= x->index))
			continue;
		found = x;
		*db = now;
	}
	tarn_arena_fini(&scratch);
	return found ? rounded_by(found) : NULL;
}

/* ---- the check ---- */

/* How often the samples fill the first axis of port `i`, all else being the same; 1: once, or they do not. */
static int64_t times_of(const tarn_program *p, int i, const tarn_tensor *in, size_t samples)
{
	const tarn_port *port = &p->in[i];
	const tarn_tensor *first = &in[i];
	if (!samples || first->rank < 1 || port->rank != first->rank || port->lo[0] != port->hi[0] || first->dim[0] < 1 ||
	    port->lo[0] % first->dim[0] || first->type == TARN_STRING)
		return 1;
	for (size_t s = 1; s < samples; s++) {
		const tarn_tensor *t = &in[s * (size_t)p->n_in + (size_t)i];
		if (t->type != first->type || t->rank != first->rank ||
		    memcmp(t->dim, first->dim, (size_t)t->rank * sizeof *t->dim) != 0)
			return 1;
	}
	return port->lo[0] / first->dim[0];
}

/* A program for a larger batch gets the samples one after the other, each batch beginning with another one. */
static tarn_err fill_batches(const tarn_program *p, tarn_tensor *in, size_t samples)
{
	const tarn_tensor *first = in;
	tarn_tensor whole[TARN_CANARIES_MOST];
	tarn_err err = TARN_OK;
	for (int i = 0; i < p->n_in && err == TARN_OK; i++, first++) {
		int64_t times = times_of(p, i, in, samples), dim[TARN_MAX_RANK];
		if (times <= 1)
			continue;
		memcpy(dim, first->dim, sizeof dim);
		dim[0] *= times;
		size_t bytes = tarn_tensor_bytes(first), made = 0;
		for (; made < samples && err == TARN_OK; made += err == TARN_OK) {
			err = tarn_tensor_new(first->type, first->rank, dim, &whole[made]);
			for (size_t k = 0; k < (size_t)times && err == TARN_OK; k++)
				memcpy((char *)whole[made].data + k * bytes,
				       in[(made + k) % samples * (size_t)p->n_in + (size_t)i].data, bytes);
		}
		for (size_t s = 0; s < made; s++) {
			tarn_tensor *t = err == TARN_OK ? &in[s * (size_t)p->n_in + (size_t)i] : &whole[s];
			tarn_tensor_fini(t);
			if (err == TARN_OK)
				*t = whole[s];
		}
	}
	return err;
}

static bool fits(const tarn_program *p, const tarn_tensor *in, size_t samples)
{
	for (size_t s = 0; s < samples; s++)
		for (int i = 0; i < p->n_in; i++)
			if (tarn_port_fits(&p->in[i], &in[s * (size_t)p->n_in + (size_t)i]) != TARN_OK)
				return false;
	return true;
}

static tarn_err say(const tarn_model *m, tarn_program *p, tarn_device *reference, const tarn_tensor *in, size_t samples,
		    int output)
{
	double db = NAN;
	const tarn_node *n = first_layer(m, p, reference, in, samples, &db);
	const char *name = p->out[output].name, *device = p->device->api->name,
		   *other = p->device == reference ? "compiled anew" : reference->api->name;
	if (n)
		return tarn_program_note(
			p,
			"the samples stored in the model give another '%s' on %s than on %s (difference %.1f dB below it); the "
			"first layer that differs is '%s' (%s), by %.1f dB",
			name, device, other, p->canary.db, n->name, n->op->name, db);
	return tarn_program_note(
		p,
		"the samples stored in the model give another '%s' on %s than %s%s (difference %.1f dB below it); "
		"which layer is the first cannot be told",
		name, device, p->device == reference ? "" : "on ", other, p->canary.db);
}

static tarn_err check(const tarn_model *m, tarn_program *p, tarn_device *reference, const tarn_tensor *in, size_t samples)
{
	results want = {0}, got = {0};
	tarn_program *c = NULL;
	tarn_model *copy = NULL;
	tarn_props plain = {0};
	int worst = 0;
	tarn_err err;
	TRY_GOTO(out, tarn_model_clone(m, &copy));
	TRY_GOTO(out, tarn_program_build(reference, copy, &plain, &c));
	TRY_GOTO(out, run_all(c, in, samples, &want));
	TRY_GOTO(out, run_all(p, in, samples, &got));
	p->canary.samples = (int)samples;
	p->canary.db = INFINITY;
	for (int i = 0; i < p->n_out; i++) {
		double db = agreement(&want, &got, (size_t)i);
		if (db < p->canary.db) {
			p->canary.db = db;
			worst = i;
		}
	}
	p->canary.differs = p->canary.db < TARN_CANARY_DB;
	if (p->canary.differs)
		err = say(m, p, reference, in, samples, worst);
out:
	tarn_program_unref(c);
	results_fini(&want);
	results_fini(&got);
	return err;
}

tarn_err tarn_canary_check(const tarn_model *m, tarn_program *p, tarn_device *reference)
{
	tarn_tensor *in;
	size_t samples;
	if (tarn_canary_get(m, &in, &samples) != TARN_OK)
		return tarn_program_note(p, "%s", tarn_err_text());
	int64_t begin = tarn_clock_ns();
	tarn_err err = fill_batches(p, in, samples);
	if (err == TARN_OK && samples && fits(p, in, samples))
		err = check(m, p, reference, in, samples);
	p->canary.ms = (double)(tarn_clock_ns() - begin) * 1e-6;
	if (err != TARN_OK)
		err = tarn_program_note(p, "the samples stored in the model could not be run: %s", tarn_err_text());
	tarn_canary_free(m, in, samples);
	return err;
}
