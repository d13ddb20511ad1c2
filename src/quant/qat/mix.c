/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/qat/mix.h"

#include "base/mem.h"
#include "quant/qat/score.h"

enum {
	ENOUGH = 1000, /* samples, real ones and mixtures */
	LEAST = 100    /* real ones: mixtures of fewer say little that is new */
};
#define MOST_BYTES 1.6e9 /* of the values of all samples once: on large networks mixtures would take too long */

size_t qat_mix_count(const qat_net *net, bool taught, bool few_bits, const tarn_qat_options *o)
{
	const tarn_graph *g = net->m->main;
	size_t n = o->data->n_sample;
	double bytes = 1;
	for (size_t i = 0; i < g->input.len; i++)
		if (g->input.at[i]->type != TARN_F32)
			return 0;
	if (!taught || n < 4 || o->mix < 0)
		return 0;
	if (o->mix > 0)
		return (size_t)o->mix;
	for (size_t i = 0; i < g->value.len; i++) {
		double count = g->value.at[i]->konst ? 0 : sizeof(float);
		for (int k = 0; k < g->value.at[i]->shape.rank; k++)
			count *= g->value.at[i]->shape.dim[k] > 0 ? (double)g->value.at[i]->shape.dim[k] : 1;
		bytes += count;
	}
	double room = MOST_BYTES / bytes, most = room < ENOUGH ? room : ENOUGH;
	return few_bits && n >= LEAST && most > (double)n ? (size_t)most - n : 0;
}

static size_t pick(const qat_mix *x, uint64_t *state)
{
	return x->train[qat_random(state) % x->n_train];
}

/* t = share t + (1 - share) u, where both have one shape. */
static void blend(tarn_tensor *t, const tarn_tensor *u, float share)
{
	int64_t n = tarn_tensor_count(t);
	float *to = t->data;
	const float *from = u->data;
	tarn_shape a = tarn_tensor_shape(t), b = tarn_tensor_shape(u);
	if (!tarn_shape_same(&a, &b) || t->type != TARN_F32 || u->type != TARN_F32)
		return;
	for (int64_t i = 0; i < n; i++)
		to[i] = share * to[i] + (1 - share) * from[i];
}

static tarn_err sample(void *ctx, size_t i, tarn_tensor *in)
{
	const qat_mix *x = ctx;
	size_t real = x->from->n_sample;
	if (i < real)
		return x->from->sample(x->from->ctx, i, in);
	uint64_t state = x->seed ^ ((uint64_t)(i - real) * 0x9e3779b97f4a7c15u + 0x6d6978u);
	size_t first = pick(x, &state), second = pick(x, &state);
	float share = (float)(qat_random(&state) >> 40) / (float)(1 << 24);
	tarn_tensor *other = tarn_mem_zalloc((size_t)x->n_in + 1, sizeof *other);
	if (!other)
		return tarn_err_nomem((size_t)x->n_in * sizeof *other);
	tarn_err err = x->from->sample(x->from->ctx, first, in);
	if (err == TARN_OK)
		err = x->from->sample(x->from->ctx, second, other);
	for (int k = 0; k < x->n_in; k++) {
		tarn_tensor own = {0};
		if (err == TARN_OK)
			err = tarn_tensor_copy(&in[k], &own); /* what a sample gives may be shared */
		if (err == TARN_OK) {
			blend(&own, &other[k], share);
			tarn_tensor_fini(&in[k]);
			in[k] = own;
		}
		tarn_tensor_fini(&other[k]);
	}
	tarn_mem_free(other);
	return err;
}

static void progress(void *ctx, const char *what, size_t done, size_t total)
{
	const qat_mix *x = ctx;
	if (x->from->progress)
		x->from->progress(x->from->ctx, what, done, total);
}

static bool stop(void *ctx)
{
	const qat_mix *x = ctx;
	return x->from->stop && x->from->stop(x->from->ctx);
}

void qat_mix_init(qat_mix *x, const tarn_graph *g, const tarn_qat_options *o, size_t mixed)
{
	*x = (qat_mix){.data = *o->data, .from = o->data, .mixed = mixed, .n_in = (int)g->input.len, .seed = o->seed};
	x->data.n_sample += mixed;
	x->data.sample = sample;
	x->data.progress = o->data->progress ? progress : NULL;
	x->data.stop = o->data->stop ? stop : NULL;
	x->data.ctx = x;
}
