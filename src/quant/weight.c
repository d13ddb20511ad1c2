/* SPDX-License-Identifier: Apache-2.0 */
/* Constant weights: their scales and codes, and what rounding them does to the average output. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "ops/ops.h"
#include "quant/plan.h"

const tarn_tensor *tarn_quant_weights_of(const tarn_node *n, int *axis)
{
	if (n->n_in < 2 || n->op->quant.weight < 0)
		return NULL;
	bool rows = tarn_quant_is(n, "Conv") || (tarn_quant_is(n, "Gemm") && tarn_attr_i(n, tarn_attr_index(n->op, "transB")));
	const tarn_tensor *w = n->in[1]->konst;
	*axis = !rows;
	return w && w->type == TARN_F32 ? w : NULL;
}

/* One output channel of the weights: the elements with o = i / inner % channels. */
typedef struct row {
	const float *x;
	int64_t first, inner, stride, count; /* runs of `inner` elements, `stride` apart, below count */
	float most;
} row;

static row row_of(const tarn_tensor *w, const quant_weight *q, int64_t channel)
{
	row r = {.x = w->data, .inner = 1, .count = tarn_tensor_count(w)};
	for (int i = q->axis + 1; i < w->rank; i++)
		r.inner *= w->dim[i];
	r.first = channel * r.inner;
	r.stride = q->channels * r.inner;
	for (int64_t at = r.first; at < r.count; at += r.stride)
		for (int64_t i = at; i < at + r.inner; i++)
			r.most = fmaxf(r.most, fabsf(r.x[i]));
	return r;
}

static float weight_code(float x, float scale, int top)
{
	return fmaxf((float)-top, fminf((float)top, rintf(x / scale)));
}

static double noise_of(const row *r, float scale, int top)
{
	double sum = 0;
	for (int64_t at = r->first; at < r->count; at += r->stride)
		for (int64_t i = at; i < at + r->inner; i++) {
			float off = r->x[i] - weight_code(r->x[i], scale, top) * scale;
			sum += (double)off * off;
		}
	return sum;
}

/* The scale with the least squared error: the largest weight gets one of the upper codes (which also finds the grid of weights
 * that lie on one already), or a little is cut off. */
static float best_scale(const row *r, int top)
{
	float best = r->most / (float)top;
	double least = noise_of(r, best, top);
	for (int code = top - 1; code > top / 2; code--) {
		float s = r->most / (float)code;
		double noise = noise_of(r, s, top);
		if (noise < least) {
			least = noise;
			best = s;
		}
	}
	for (int cut = 1; cut <= 20; cut++) {
		float s = r->most * (1 - 0.02f * (float)cut) / (float)top;
		double noise = noise_of(r, s, top);
		if (noise < least) {
			least = noise;
			best = s;
		}
	}
	return best;
}

static tarn_err find_scales(const tarn_node *n, const tarn_tensor *w, quant_weight *q)
{
	const int top = 127;
	float most = 0;
	for (int64_t i = 0, count = tarn_tensor_count(w); i < count; i++) {
		float a = fabsf(((const float *)w->data)[i]);
		CHECK(isfinite(a), TARN_BAD_FILE, "weights of node '%s' are not finite", n->name);
		most = a > most ? a : most;
	}
	/* a channel of (nearly) zeros must not get a scale of zero */
	float least = fmaxf(most * 1e-6f, 1e-30f) / (float)top;
	for (int64_t c = 0; c < q->channels; c++) {
		row r = row_of(w, q, c);
		q->scale[c] = fmaxf(best_scale(&r, top), least);
		for (int64_t at = r.first; at < r.count; at += r.stride)
			for (int64_t i = at; i < at + r.inner; i++)
				q->code[i] = (int8_t)weight_code(r.x[i], q->scale[c], top);
	}
	return TARN_OK;
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
	TRY(find_scales(n, w, &q));
	if (p->stat[n->in[0]->id].mean)
		find_shift(n, w, p->stat[n->in[0]->id].mean, &q);
	p->weight[n->index] = q;
	return TARN_OK;
}

tarn_err tarn_quant_weights(quant_plan *p)
{
	const tarn_graph *g = p->m->main;
	for (size_t i = 0; i < g->node.len; i++)
		if (p->int8[i] && !p->weight[i].scale)
			TRY(weights_of_node(p, g->node.at[i]));
	return TARN_OK;
}
