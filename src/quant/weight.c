/* SPDX-License-Identifier: Apache-2.0 */
/* Constant weights: their scales and codes, and what rounding them does to the average output. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "ops/ops.h"
#include "quant/plan.h"
#include "quant/precise.h"

const tarn_tensor *tarn_quant_weights_of(const tarn_node *n, int *axis)
{
	if (n->n_in < 2 || n->op->quant.weight < 0)
		return NULL;
	bool rows = tarn_quant_is(n, "Conv") || (tarn_quant_is(n, "Gemm") && tarn_attr_i(n, tarn_attr_index(n->op, "transB")));
	const tarn_tensor *w = n->in[1]->konst;
	*axis = !rows;
	return w && w->type == TARN_F32 ? w : NULL;
}

bool tarn_quant_bias_of(const tarn_graph *g, tarn_node *n, tarn_node **at, int *slot)
{
	*at = n;
	*slot = 2;
	if (!tarn_quant_is(n, "MatMul"))
		return n->n_in < 3 || !n->in[2] || (n->in[2]->konst && n->in[2]->konst->type == TARN_F32);
	int axis;
	const tarn_tensor *w = tarn_quant_weights_of(n, &axis);
	*at = tarn_graph_only_user(g, n->out[0]);
	if (!w || !tarn_quant_is(*at, "Add"))
		return false;
	*slot = (*at)->in[0] == n->out[0];
	const tarn_tensor *b = (*at)->in[*slot]->konst;
	return b && b->type == TARN_F32 && b->rank >= 1 && tarn_tensor_count(b) == w->dim[axis] &&
	       b->dim[b->rank - 1] == w->dim[axis];
}

bool tarn_quant_takes_shift(const tarn_graph *g, tarn_node *n)
{
	tarn_node *at;
	int slot;
	return tarn_quant_bias_of(g, n, &at, &slot);
}

/* Output channel `channel` of the weights, gathered: elements with channel = i / inner % channels. Returns how many. */
static int64_t gather(const tarn_tensor *w, const quant_weight *q, int64_t channel, float *to)
{
	int64_t inner = 1, count = tarn_tensor_count(w), n = 0;
	for (int i = q->axis + 1; i < w->rank; i++)
		inner *= w->dim[i];
	for (int64_t at = channel * inner; at < count; at += q->channels * inner, n += inner)
		memcpy(to + n, (const float *)w->data + at, (size_t)inner * sizeof *to);
	return n;
}

static void scatter(const tarn_tensor *w, const quant_weight *q, int64_t channel, const int8_t *from)
{
	int64_t inner = 1, count = tarn_tensor_count(w), n = 0;
	for (int i = q->axis + 1; i < w->rank; i++)
		inner *= w->dim[i];
	for (int64_t at = channel * inner; at < count; at += q->channels * inner, n += inner)
		memcpy(q->code + at, from + n, (size_t)inner);
}

/* Adding and taking off 1.5 * 2^23 rounds to the nearest even integer: the same as rintf below 2^22, and vectors can do it. */
static inline float weight_code(float x, float per_step, float top)
{
	const float magic = 12582912.0f;
	float r = x * per_step;
	r = r < -top ? -top : r > top ? top : r;
	return (r + magic) - magic;
}

static double noise_of(const float *x, int64_t n, float scale, float top)
{
	enum { LANES = 16 };
	float sum[LANES] = {0}, per_step = 1 / scale;
	double total = 0;
	int64_t i = 0;
	for (; i + LANES <= n; i += LANES)
		for (int k = 0; k < LANES; k++) {
			float off = x[i + k] - weight_code(x[i + k], per_step, top) * scale;
			sum[k] += off * off;
		}
	for (; i < n; i++) {
		float off = x[i] - weight_code(x[i], per_step, top) * scale;
		sum[0] += off * off;
	}
	for (int k = 0; k < LANES; k++)
		total += (double)sum[k];
	return total;
}

/* The scale with the least squared error: the largest weight gets one of the upper codes (which also finds the grid of weights
 * that lie on one already), or a little is cut off. */
static float best_scale(const float *x, int64_t n, int top)
{
	float most = 0;
	for (int64_t i = 0; i < n; i++)
		most = fmaxf(most, fabsf(x[i]));
	float best = most / (float)top;
	double least = most > 0 ? noise_of(x, n, best, (float)top) : 0;
	for (int k = 1; k < top / 2 + 20 && most > 0; k++) {
		float s = k < top / 2 ? most / (float)(top - k) : most * (1 - 0.02f * (float)(k - top / 2 + 1)) / (float)top;
		double noise = noise_of(x, n, s, (float)top);
		if (noise < least) {
			least = noise;
			best = s;
		}
	}
	return best;
}

static tarn_err find_scales(const tarn_node *n, const tarn_tensor *w, int top, quant_weight *q)
{
	int64_t count = tarn_tensor_count(w), each = count / q->channels;
	float most = 0, *row = tarn_mem_alloc((size_t)each * (sizeof(float) + 1));
	if (!row)
		return tarn_err_nomem((size_t)each * sizeof *row);
	int8_t *code = (int8_t *)(row + each);
	tarn_err err = TARN_OK;
	for (int64_t i = 0; i < count; i++) {
		float a = fabsf(((const float *)w->data)[i]);
		CHECK_GOTO(out, isfinite(a), TARN_BAD_FILE, "weights of node '%s' are not finite", n->name);
		most = a > most ? a : most;
	}
	/* a channel of (nearly) zeros must not get a scale of zero */
	float least = fmaxf(most * 1e-6f, 1e-30f) / (float)top;
	for (int64_t c = 0; c < q->channels; c++) {
		gather(w, q, c, row);
		q->scale[c] = fmaxf(best_scale(row, each, top), least);
		for (int64_t i = 0; i < each; i++)
			code[i] = (int8_t)weight_code(row[i], 1 / q->scale[c], (float)top);
		scatter(w, q, c, code);
	}
out:
	tarn_mem_free(row);
	return err;
}

/* What rounding the weights adds to each output channel for the average input: shift[o] = sum of (rounded - exact) * mean.
 * Zeros of a convolution's border are not counted. (Bias correction: Nagel et al., arXiv 1906.04721.) */
static void find_shift(const tarn_node *n, const tarn_tensor *w, const double *mean, quant_weight *q)
{
	int axis = q->axis;
	int64_t outputs = w->dim[axis], inputs = w->dim[!axis], area = tarn_tensor_count(w) / (w->dim[0] * w->dim[1]);
	int group = tarn_quant_is(n, "Conv") ? tarn_attr_index(n->op, "group") : -1;
	int64_t per_group = outputs / (group >= 0 ? tarn_attr_i(n, group) : 1);
	for (int64_t o = 0; o < outputs; o++)
		for (int64_t i = 0; i < inputs; i++)
			for (int64_t k = 0; k < area; k++) {
				int64_t at = (axis ? i * outputs + o : o * inputs + i) * area + k;
				double off = (double)q->code[at] * q->scale[o] - ((const float *)w->data)[at];
				q->shift[o] += off * mean[o / per_group * inputs + i];
			}
}

static tarn_err weights_of_node(quant_plan *p, const tarn_node *n)
{
	quant_weight q = {0};
	const tarn_tensor *w = tarn_quant_weights_of(n, &q.axis);
	if (!w || !tarn_tensor_count(w))
		return TARN_OK;
	q.channels = w->dim[q.axis];
	q.scale = tarn_arena_zalloc(&p->arena, (size_t)q.channels, sizeof *q.scale);
	q.shift = tarn_arena_zalloc(&p->arena, (size_t)q.channels, sizeof *q.shift);
	q.code = tarn_arena_zalloc(&p->arena, (size_t)tarn_tensor_count(w), 1);
	if (!q.scale || !q.shift || !q.code)
		return tarn_err_nomem((size_t)tarn_tensor_count(w));
	TRY(find_scales(n, w, p->weight_top, &q));
	p->weight[n->index] = q;
	return TARN_OK;
}

void tarn_quant_shift_weights(quant_plan *p)
{
	const tarn_graph *g = p->m->main;
	for (size_t i = 0; i < g->node.len; i++) {
		quant_weight *q = &p->weight[i];
		int axis;
		const tarn_tensor *w = q->scale ? tarn_quant_weights_of(g->node.at[i], &axis) : NULL;
		if (!w)
			continue;
		memset(q->shift, 0, (size_t)q->channels * sizeof *q->shift);
		const double *mean = p->stat[g->node.at[i]->in[0]->id].mean;
		bool whole = p->precise[i] & TARN_QUANT_REST_OF_WEIGHTS; /* nothing to make up for */
		if (mean && !whole && p->correct_means && tarn_quant_takes_shift(g, g->node.at[i]))
			find_shift(g->node.at[i], w, mean, q);
	}
}

tarn_err tarn_quant_weights(quant_plan *p)
{
	const tarn_graph *g = p->m->main;
	bool any = false;
	for (size_t i = 0; i < g->node.len; i++)
		if (p->int8[i] && !p->weight[i].scale) {
			TRY(weights_of_node(p, g->node.at[i]));
			any = true;
		}
	if (any)
		tarn_quant_shift_weights(p);
	return TARN_OK;
}
