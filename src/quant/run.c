/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/run.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "ops/ops.h"
#include "rt/program.h"

enum { KEPT_BYTES = 256 << 20 };

static tarn_err cached_sample(void *ctx, size_t i, tarn_tensor *in)
{
	quant_cache *c = ctx;
	tarn_tensor *kept = &c->kept[i * c->n_in];
	if (kept->type != TARN_DTYPE_NONE) {
		for (size_t k = 0; k < c->n_in; k++)
			in[k] = tarn_tensor_share(&kept[k]);
		return TARN_OK;
	}
	TRY(c->from->sample(c->from->ctx, c->order ? c->order[i] : i, in));
	size_t bytes = 0;
	for (size_t k = 0; k < c->n_in; k++)
		bytes += in[k].buf && in[k].type != TARN_DTYPE_NONE ? tarn_tensor_bytes(&in[k]) : c->left;
	if (bytes >= c->left)
		return TARN_OK;
	c->left -= bytes;
	for (size_t k = 0; k < c->n_in; k++)
		kept[k] = tarn_tensor_share(&in[k]);
	return TARN_OK;
}

static void cached_progress(void *ctx, const char *what, size_t done, size_t total)
{
	const quant_cache *c = ctx;
	if (c->from->progress)
		c->from->progress(c->from->ctx, what, done, total);
}

static bool cached_stop(void *ctx)
{
	const quant_cache *c = ctx;
	return c->from->stop && c->from->stop(c->from->ctx);
}

static int by_number(const void *a, const void *b)
{
	const size_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

/* The subset: the same for the same seed and number of samples, wherever it runs; in ascending order. */
static tarn_err draw(quant_cache *c)
{
	uint64_t state = c->from->seed * 2862933555777941757u + 3037000493u;
	size_t n = c->from->n_sample;
	c->order = tarn_mem_zalloc(n, sizeof *c->order);
	if (!c->order)
		return tarn_err_nomem(n * sizeof *c->order);
	for (size_t i = 0; i < n; i++)
		c->order[i] = i;
	for (size_t i = 0; i < c->from->subset; i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		size_t k = i + (size_t)((state >> 33) % (n - i)), was = c->order[i];
		c->order[i] = c->order[k];
		c->order[k] = was;
	}
	qsort(c->order, c->from->subset, sizeof *c->order, by_number);
	c->o.n_sample = c->from->subset;
	return TARN_OK;
}

tarn_err tarn_quant_cache_init(quant_cache *c, const tarn_quant_options *o, size_t n_in)
{
	*c = (quant_cache){.o = *o, .from = o, .n_in = n_in, .left = KEPT_BYTES};
	c->o.ctx = c;
	c->o.sample = cached_sample;
	c->o.progress = cached_progress;
	c->o.stop = cached_stop;
	if (o->subset && o->subset < o->n_sample)
		TRY(draw(c));
	c->kept = tarn_mem_zalloc(o->n_sample * n_in + 1, sizeof *c->kept);
	return c->kept ? TARN_OK : tarn_err_nomem(o->n_sample * n_in * sizeof *c->kept);
}

void tarn_quant_cache_fini(quant_cache *c)
{
	for (size_t i = 0; c->kept && i < c->o.n_sample * c->n_in; i++)
		tarn_tensor_fini(&c->kept[i]);
	tarn_mem_free(c->kept);
	tarn_mem_free(c->order);
	*c = (quant_cache){0};
}

quant_slice tarn_quant_slice(const tarn_quant_options *o, size_t most, int part)
{
	quant_slice s = {.n = o->n_sample < most ? o->n_sample : most};
	s.step = s.n ? o->n_sample / s.n : 1;
	s.first = part && s.step > 1 ? s.step / 2 : 0;
	return s;
}

size_t tarn_quant_samples_for(const quant_plan *p, double macs, size_t most)
{
	const double fewest = 16;
	double each = 0;
	for (size_t i = 0; p->sized && i < p->sized->main->node.len; i++) {
		tarn_cost c = {0};
		const tarn_node *n = p->sized->main->node.at[i];
		if (n->op->cost && n->op->cost(n, &c) == TARN_OK)
			each += (double)c.macs;
	}
	return each > 0 ? (size_t)fmin(fmax(macs / each, fewest), (double)most) : (size_t)fewest;
}

/* A copy of the model whose outputs are the n values `which`; its own would only shadow their names. */
static tarn_err watched_copy(const tarn_model *m, const int *which, int n, tarn_model **out)
{
	tarn_model *copy;
	TRY(tarn_model_clone(m, &copy));
	tarn_graph *c = copy->main;
	tarn_err err = TARN_OK;
	if (!n)
		goto out;
	TRY_GOTO(out, VEC_RESERVE(&c->output, (size_t)n));
	for (int i = 0; i < n; i++) {
		/* A copy may number its values anew. */
		const char *name = m->main->value.at[which[i]]->name;
		c->output.at[i] = tarn_graph_find(c, name);
		CHECK_GOTO(out, c->output.at[i], TARN_INTERNAL, "a copy of the model lacks value '%s'", name);
	}
	c->output.len = (size_t)n;
	tarn_graph_sweep(c);
out:
	if (err == TARN_OK)
		*out = copy;
	else
		tarn_model_unref(copy);
	return err;
}

tarn_err tarn_quant_runner_init(quant_runner *x, const tarn_model *m, const int *which, int n, const tarn_quant_options *o)
{
	tarn_model *watched = NULL;
	*x = (quant_runner){.o = o};
	TRY(watched_copy(m, which, n, &watched));
	tarn_err err = tarn_program_compile(o->device, watched, NULL, &x->program);
	tarn_model_unref(watched);
	return err == TARN_OK ? tarn_request_new(x->program, &x->request) : err;
}

void tarn_quant_runner_fini(quant_runner *x)
{
	tarn_request_free(x->request);
	tarn_program_unref(x->program);
	*x = (quant_runner){0};
}

tarn_err tarn_quant_runner_run(quant_runner *x, size_t i)
{
	tarn_request *r = x->request;
	TRY(tarn_request_begin(r));
	for (int k = 0; k < r->n_in; k++)
		tarn_tensor_fini(&r->in[k]);
	for (int k = 0; k < r->n_out; k++)
		tarn_tensor_fini(&r->out[k]);
	tarn_err err = x->o->sample(x->o->ctx, i, r->in);
	for (int k = 0; err == TARN_OK && k < r->n_in; k++)
		err = tarn_port_fits(&r->program->in[k], &r->in[k]);
	if (err != TARN_OK) {
		tarn_request_abort(r);
		return err;
	}
	return tarn_request_infer(r);
}

tarn_err tarn_quant_run(const tarn_model *m, const int *which, int n, const tarn_quant_options *o, quant_slice slice,
			const char *what, quant_see *see, void *ctx)
{
	quant_runner x;
	tarn_err err;
	TRY_GOTO(out, tarn_quant_runner_init(&x, m, which, n, o));
	for (size_t i = 0; i < slice.n; i++) {
		CHECK_GOTO(out, !(o->stop && o->stop(o->ctx)), TARN_CANCELLED, "%s was interrupted", what);
		TRY_GOTO(out, tarn_quant_runner_run(&x, slice.first + i * slice.step));
		TRY_GOTO(out, see(ctx, i, x.request));
		if (o->progress)
			o->progress(o->ctx, what, i + 1, slice.n);
	}
out:
	tarn_quant_runner_fini(&x);
	return err;
}

tarn_err tarn_quant_same_values(const tarn_model *m, const int *which, int n, const tarn_model *q, int *same)
{
	for (int i = 0; i < n; i++) {
		const char *name = m->main->value.at[which[i]]->name;
		const tarn_value *v = tarn_graph_find(q->main, name);
		CHECK(v && v->def, TARN_INTERNAL, "the quantized model has no value '%s'", name);
		same[i] = (int)v->id;
	}
	return TARN_OK;
}
