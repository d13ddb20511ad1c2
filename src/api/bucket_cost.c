/* SPDX-License-Identifier: Apache-2.0 */
#include "api/bucket_cost.h"

#include <math.h>

#include "base/clock.h"
#include "base/mem.h"
#include "dyn/fix.h"
#include "rt/facts.h"

enum { WARM = 2, IN_A_ROW = 3, LEAST_ROUNDS = 8, MOST_ROUNDS = 200, ENOUGH_NS = 600000000 };

static tarn_err at_size(const tarn_cost_question *q, int64_t size, tarn_model **out)
{
	tarn_model *m;
	int length;
	TRY(tarn_model_clone(q->model, &m));
	tarn_err err = tarn_model_bound_sizes(&m, &q->dimension, &size, 1, &length);
	if (err)
		tarn_model_unref(m);
	else
		*out = m;
	return err;
}

static double io_bytes(const tarn_graph *g)
{
	double sum = 0;
	for (size_t i = 0; i < g->input.len + g->output.len; i++) {
		const tarn_value *v = i < g->input.len ? g->input.at[i] : g->output.at[i - g->input.len];
		int64_t n;
		size_t size = 0;
		if (tarn_shape_is_static(&v->shape) && !tarn_shape_count(&v->shape, &n) &&
		    tarn_dtype_bytes(v->type, (size_t)n, &size))
			sum += (double)size;
	}
	return sum;
}

/* Inputs, outputs and intermediate results; weights by themselves, as sizes share them. */
static tarn_err plan_memory(const tarn_model *m, double *bytes, double *weights)
{
	tarn_facts f;
	TRY(tarn_facts_find(m->main, &f));
	*weights = (double)f.weight_bytes;
	*bytes = (f.activation_bytes > 0 ? (double)f.activation_bytes : 0) + io_bytes(m->main);
	return TARN_OK;
}

/* A program that the device holds as a whole: what it was compiled to, weights included, and its room for activations. */
static tarn_err find_memory(tarn_program *p, const tarn_model *m, double *bytes)
{
	tarn_str blob = {0};
	tarn_err err = tarn_program_export(p, &blob);
	*bytes = (double)blob.len + (p->account ? (double)p->account->ddr_arena_bytes : 0) + io_bytes(m->main);
	tarn_str_fini(&blob);
	return err;
}

/* Values that are harmless as indices and as numbers: 0 and 1, floats between; the last input is the valid length. */
static void fill_inputs(tarn_request *r, int n_given, int64_t length)
{
	uint64_t seed = 1;
	for (int i = 0; i < r->n_in; i++) {
		tarn_tensor *t = &r->in[i];
		for (int64_t k = 0, n = tarn_tensor_count(t); k < n && t->type != TARN_STRING; k++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			double v = (double)(seed >> 40) * 0x1p-24;
			tarn_tensor_set_f64(t, k, i >= n_given ? (double)length : tarn_dtype_is_float(t->type) ? v : v >= 0.5);
		}
	}
}

/* One size, compiled and ready to run. */
typedef struct candidate {
	ov_compiled_model_t *c;
	tarn_request *r;
} candidate;

/* The fastest of a few runs: what else goes on in this machine only ever adds. */
static tarn_err run_some(tarn_request *r, int runs, double *ms)
{
	for (int i = 0; i < runs; i++) {
		TRY(tarn_request_begin(r));
		TRY(tarn_request_infer(r));
		*ms = fmin(*ms, (double)(r->t_end - r->t_start) * 1e-6);
	}
	return TARN_OK;
}

/* All sizes in turn, again and again, so that a busy moment does not fall on one of them alone. */
static tarn_err measure(const candidate *list, tarn_bucket_size *size, int n)
{
	int64_t begin = tarn_clock_ns();
	for (int i = 0; i < n; i++) {
		double warm = INFINITY;
		TRY(run_some(list[i].r, WARM, &warm));
		size[i].ms = INFINITY;
	}
	for (int round = 0; round < MOST_ROUNDS; round++) {
		if (round >= LEAST_ROUNDS && tarn_clock_ns() - begin > ENOUGH_NS)
			break;
		for (int i = 0; i < n; i++)
			TRY(run_some(list[i].r, IN_A_ROW, &size[i].ms));
	}
	return TARN_OK;
}

tarn_err tarn_cost_is_modelled(const tarn_cost_question *q, int64_t size, bool *modelled)
{
	tarn_model *m;
	tarn_estimate e = {.want_layers = false};
	TRY(at_size(q, size, &m));
	tarn_err err = tarn_core_estimate(q->core, m, q->device, &q->props, &e);
	tarn_model_unref(m);
	*modelled = !err;
	return err == TARN_UNSUPPORTED ? TARN_OK : err;
}

static tarn_err compile(const tarn_cost_question *q, const tarn_model *m, tarn_bucket_size *s, candidate *c)
{
	int64_t begin = tarn_clock_ns();
	TRY(tarn_core_compile(q->core, m, q->device, &q->props, &c->c));
	s->compile_ms = (double)(tarn_clock_ns() - begin) * 1e-6;
	TRY(tarn_request_new(c->c->p, &c->r));
	fill_inputs(c->r, (int)q->model->main->input.len, s->size);
	return q->whole ? find_memory(c->c->p, m, &s->bytes) : TARN_OK;
}

static void release(candidate *c)
{
	tarn_request_free(c->r);
	ov_compiled_model_free(c->c);
}

tarn_err tarn_cost_compile(const tarn_cost_question *q, tarn_bucket_size *size)
{
	tarn_model *m;
	candidate c = {0};
	TRY(at_size(q, size->size, &m));
	tarn_err err = compile(q, m, size, &c);
	release(&c);
	tarn_model_unref(m);
	return tarn_err_note(err, "with '%s' at %lld", q->dimension, (long long)size->size);
}

static tarn_err prepare(const tarn_cost_question *q, bool modelled, tarn_bucket_size *s, candidate *c, double *band,
			double *weights)
{
	tarn_model *m;
	tarn_estimate e = {.want_layers = false};
	TRY(at_size(q, s->size, &m));
	tarn_err err = TARN_OK;
	if (!q->whole)
		TRY_GOTO(done, plan_memory(m, &s->bytes, weights));
	if (modelled) {
		TRY_GOTO(done, tarn_core_estimate(q->core, m, q->device, &q->props, &e));
		s->ms = e.ms;
		*band = fmax(*band, fmax(e.band_low, e.band_high));
	}
	if (!modelled || q->compile)
		err = compile(q, m, s, c);
done:
	tarn_model_unref(m);
	return tarn_err_note(err, "with '%s' at %lld", q->dimension, (long long)s->size);
}

tarn_err tarn_cost_find(const tarn_cost_question *q, bool modelled, tarn_bucket_size *size, int n, double *band,
			double *weights)
{
	candidate list[TARN_BUCKET_CANDIDATES] = {0};
	tarn_err err = TARN_OK;
	*band = *weights = 0;
	for (int i = 0; i < n && !err; i++)
		err = prepare(q, modelled, &size[i], &list[i], band, weights);
	if (!err && !modelled)
		err = measure(list, size, n);
	/* What takes longer than a larger size was measured at bad moments, or is no use: the larger serves it as well. */
	for (int i = n - 1; i-- > 0 && !err && !modelled;)
		size[i].ms = fmin(size[i].ms, size[i + 1].ms);
	for (int i = 0; i < n; i++)
		release(&list[i]);
	return err;
}
