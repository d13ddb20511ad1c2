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

static tarn_err find_scales(const tarn_node *n, const tarn_tensor *w, quant_weight *q)
{
	int64_t inner = 1, count = tarn_tensor_count(w);
	for (int i = q->axis + 1; i < w->rank; i++)
		inner *= w->dim[i];
	const float *x = w->data;
	float most = 0;
	memset(q->scale, 0, (size_t)q->channels * sizeof *q->scale);
	for (int64_t i = 0; i < count; i++) {
		float a = fabsf(x[i]), *s = &q->scale[i / inner % q->channels];
		CHECK(isfinite(a), TARN_BAD_FILE, "weights of node '%s' are not finite", n->name);
		*s = a > *s ? a : *s;
		most = a > most ? a : most;
	}
	/* a channel of (nearly) zeros must not get a scale of zero */
	for (int64_t c = 0; c < q->channels; c++)
		q->scale[c] = fmaxf(q->scale[c], fmaxf(0.01f * most, 8e-5f)) / 127;
	for (int64_t i = 0; i < count; i++)
		q->code[i] = (int8_t)fmaxf(-127, fminf(127, rintf(x[i] / q->scale[i / inner % q->channels])));
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
