/* SPDX-License-Identifier: Apache-2.0 */
/* Running the model over the samples: ranges of the marked values, and the error of the quantized model's outputs. */
#include <math.h>

#include "base/mem.h"
#include "quant/plan.h"
#include "rt/program.h"
#include "rt/request.h"

static void range_of(const tarn_tensor *t, double *lo, double *hi)
{
	const float *x = t->data;
	float a = INFINITY, b = -INFINITY;
	for (int64_t i = 0, n = tarn_tensor_count(t); i < n; i++) {
		a = x[i] < a ? x[i] : a;
		b = x[i] > b ? x[i] : b;
	}
	*lo = a;
	*hi = b;
}

/* A copy of the model whose outputs are the marked values (that are no inputs); which[i]: their id in the original. */
static tarn_err observed_model(quant_plan *p, tarn_model **out, int *which, int *n)
{
	tarn_graph *g = p->m->main;
	size_t kept = g->output.len;
	*n = 0;
	TRY(VEC_RESERVE(&g->output, g->value.len));
	for (size_t i = 0; i < g->value.len; i++) {
		const tarn_value *v = g->value.at[i];
		if (!p->marked[i] || !v->def)
			continue;
		which[(*n)++] = (int)i;
		g->output.at[g->output.len++] = g->value.at[i];
	}
	tarn_err err = tarn_model_clone(p->m, out);
	g->output.len = kept;
	if (err != TARN_OK)
		return err;
	tarn_graph *c = (*out)->main; /* the model's own outputs are not needed, and would only shadow the names */
	if (!*n)
		return TARN_OK; /* only inputs are marked */
	for (int i = 0; i < *n; i++)
		c->output.at[i] = c->output.at[kept + (size_t)i];
	c->output.len = (size_t)*n;
	tarn_graph_sweep(c);
	return TARN_OK;
}

/* Adds each channel's mean over the positions of this sample. Channels stand second. */
static void note_mean(quant_plan *p, int v, const tarn_tensor *t)
{
	int64_t c = p->channels[v], inner = 1, count = tarn_tensor_count(t);
	if (t->rank < 2 || t->dim[1] != c)
		return;
	for (int i = 2; i < t->rank; i++)
		inner *= t->dim[i];
	const float *x = t->data;
	for (int64_t row = 0; row < count / inner; row++) {
		double sum = 0;
		for (int64_t i = 0; i < inner; i++)
			sum += x[row * inner + i];
		p->mean[v][row % c] += sum * (double)c / (double)count;
	}
}

static tarn_err note_range(quant_plan *p, int v, const tarn_tensor *t)
{
	double lo, hi;
	if (!tarn_tensor_count(t))
		return TARN_OK;
	range_of(t, &lo, &hi);
	CHECK(isfinite(lo) && isfinite(hi), TARN_BAD_FILE,
	      "value '%s' becomes infinite or undefined for a sample; check the data's range", p->m->main->value.at[v]->name);
	if (p->mean[v])
		note_mean(p, v, t);
	p->sum_lo[v] += lo;
	p->sum_hi[v] += hi;
	p->seen[v] = true;
	return TARN_OK;
}

/* Inputs of one sample, run through a request. The tensors stay until the next call or tensors_fini. */
static tarn_err run_sample(tarn_request *r, const tarn_quant_options *o, size_t i)
{
	TRY(tarn_request_begin(r));
	for (int k = 0; k < r->n_in; k++)
		tarn_tensor_fini(&r->in[k]);
	for (int k = 0; k < r->n_out; k++)
		tarn_tensor_fini(&r->out[k]);
	tarn_err err = o->sample(o->ctx, i, r->in);
	for (int k = 0; err == TARN_OK && k < r->n_in; k++)
		err = tarn_port_fits(&r->program->in[k], &r->in[k]);
	if (err != TARN_OK) {
		tarn_request_abort(r);
		return err;
	}
	return tarn_request_infer(r);
}

static bool stopped(const tarn_quant_options *o)
{
	return o->stop && o->stop(o->ctx);
}

tarn_err tarn_quant_observe(quant_plan *p, const tarn_quant_options *o)
{
	tarn_graph *g = p->m->main;
	tarn_model *watched = NULL;
	tarn_program *program = NULL;
	tarn_request *r = NULL;
	int n = 0, *which = tarn_arena_zalloc(&p->arena, g->value.len + 1, sizeof *which);
	if (!which)
		return tarn_err_nomem(g->value.len * sizeof *which);
	tarn_err err;
	CHECK(o->n_sample, TARN_BAD_FILE, "there are no samples to calibrate on");
	TRY_GOTO(out, observed_model(p, &watched, which, &n));
	TRY_GOTO(out, tarn_program_compile(o->device, watched, NULL, &program));
	TRY_GOTO(out, tarn_request_new(program, &r));
	for (size_t i = 0; i < o->n_sample; i++) {
		CHECK_GOTO(out, !stopped(o), TARN_CANCELLED, "calibration was interrupted");
		TRY_GOTO(out, run_sample(r, o, i));
		for (size_t k = 0; k < g->input.len; k++)
			if (p->marked[g->input.at[k]->id])
				TRY_GOTO(out, note_range(p, (int)g->input.at[k]->id, &r->in[k]));
		for (int k = 0; k < n; k++)
			TRY_GOTO(out, note_range(p, which[k], &r->out[k]));
		if (o->progress)
			o->progress(o->ctx, "calibrating", i + 1, o->n_sample);
	}
	for (size_t v = 0; v < g->value.len; v++) {
		if (!p->seen[v])
			continue;
		for (int64_t c = 0; c < p->channels[v]; c++)
			p->mean[v][c] /= (double)o->n_sample;
		int root = tarn_quant_root(p, (int)v);
		double lo = p->sum_lo[v] / (double)o->n_sample, hi = p->sum_hi[v] / (double)o->n_sample;
		bool first = p->lo[root] == 0 && p->hi[root] == 0;
		p->lo[root] = first || lo < p->lo[root] ? lo : p->lo[root];
		p->hi[root] = first || hi > p->hi[root] ? hi : p->hi[root];
	}
out:
	tarn_request_free(r);
	tarn_program_unref(program);
	tarn_model_unref(watched);
	return err;
}

tarn_err tarn_quant_compare(const tarn_model *f, const tarn_model *q, const tarn_quant_options *o, tarn_quant_report *rep)
{
	const tarn_model *models[2] = {f, q};
	tarn_program *program[2] = {NULL, NULL};
	tarn_request *r[2] = {NULL, NULL};
	size_t n = f->main->output.len, samples = o->n_sample < 16 ? o->n_sample : 16;
	double *power = tarn_arena_zalloc(&rep->arena, n, sizeof *power),
	       *noise = tarn_arena_zalloc(&rep->arena, n, sizeof *noise);
	rep->sqnr_db = tarn_arena_zalloc(&rep->arena, n, sizeof *rep->sqnr_db);
	if (!power || !noise || !rep->sqnr_db)
		return tarn_err_nomem(n * sizeof *power);
	tarn_err err = TARN_OK;
	for (int m = 0; m < 2; m++) {
		TRY_GOTO(out, tarn_program_compile(o->device, models[m], NULL, &program[m]));
		TRY_GOTO(out, tarn_request_new(program[m], &r[m]));
	}
	for (size_t i = 0; i < samples; i++) {
		CHECK_GOTO(out, !stopped(o), TARN_CANCELLED, "comparing was interrupted");
		for (int m = 0; m < 2; m++)
			TRY_GOTO(out, run_sample(r[m], o, i));
		for (size_t k = 0; k < n; k++) {
			const tarn_tensor *a = &r[0]->out[k], *b = &r[1]->out[k];
			CHECK_GOTO(out, tarn_tensor_count(a) == tarn_tensor_count(b), TARN_INTERNAL,
				   "output %zu changed its size", k);
			for (int64_t e = 0, count = tarn_tensor_count(a); tarn_dtype_is_float(a->type) && e < count; e++) {
				double x = tarn_tensor_f64(a, e), d = x - tarn_tensor_f64(b, e);
				power[k] += x * x;
				noise[k] += d * d;
			}
		}
		if (o->progress)
			o->progress(o->ctx, "comparing", i + 1, samples);
	}
	for (size_t k = 0; k < n; k++)
		rep->sqnr_db[k] = power[k] > 0 ? 10 * log10(power[k] / (noise[k] > 0 ? noise[k] : power[k] * 1e-20)) : NAN;
	rep->n_output = (int)n;
out:
	for (int m = 0; m < 2; m++) {
		tarn_request_free(r[m]);
		tarn_program_unref(program[m]);
	}
	return err;
}
