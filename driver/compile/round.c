/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weights of float products as the FP16 numbers that the array multiplies, on the scale of their channel (scale.c). What
 * rounding takes from the response to the inputs' expected means (moments.c) goes into the bias, which is FP32; what remains is
 * the response to deviations from the means. In MobileNets that is a third of the error, for nothing. Where means or a bias are
 * missing, what rounding takes from a weight goes to the next one of its output channel, which keeps their sum.
 */
#include <math.h>
#include <string.h>

#include "base/f16.h"
#include "driver/compile/moments.h"
#include "ir/op.h"

static npu_lane lane_of(const tarn_node *n, const tarn_value *v)
{
	npu_lane lane = {.run = 1};
	const tarn_shape *s = &v->shape;
	bool turned = tarn_npu_is(n, "Gemm") && tarn_attr_i(n, tarn_attr_index(n->op, "transB"));
	if (s->rank < 1 || s->dim[0] <= 0 || tarn_npu_is(n, "ConvTranspose") || (!tarn_npu_is(n, "Conv") && s->rank != 2))
		return lane;
	if (tarn_npu_is(n, "Conv"))
		lane.run = tarn_tensor_bytes(v->konst) / sizeof(float) / (size_t)s->dim[0];
	bool first = turned || tarn_npu_is(n, "Conv"); /* axis of the channels */
	lane.n = (size_t)s->dim[first ? 0 : 1];
	lane.each = first ? tarn_tensor_bytes(v->konst) / sizeof(float) / lane.n : 1;
	return lane;
}

static bool same_lane(const npu_lane *x, const npu_lane *y)
{
	return x->run == y->run && x->each == y->each && x->n == y->n;
}

tarn_err tarn_npu_find_weights(const tarn_graph *g, tarn_arena *a, npu_lane **lane)
{
	static const char *const products[] = {"Conv", "ConvTranspose", "MatMul", "Gemm"};
	npu_lane *r = tarn_arena_zalloc(a, g->value.len + 1, sizeof *r);
	bool *other = tarn_arena_zalloc(a, g->value.len + 1, sizeof *other);
	if (!r || !other)
		return tarn_err_nomem(g->value.len * sizeof *r);
	for (size_t i = 0; i < g->node.len; i++) {
		const tarn_node *n = g->node.at[i];
		bool product = false;
		for (size_t p = 0; p < 4; p++)
			product |= tarn_npu_is(n, products[p]);
		for (int k = 0; k < n->n_in; k++) {
			const tarn_value *v = n->in[k];
			if (!v || !v->konst)
				continue;
			other[v->id] |= k != 1 || !product || v->type != TARN_F32;
			npu_lane own = product ? lane_of(n, v) : (npu_lane){.run = 1};
			if (r[v->id].run && !same_lane(&r[v->id], &own))
				own = (npu_lane){.run = 1}; /* read in two ways */
			r[v->id] = own;
		}
	}
	for (size_t i = 0; i < g->value.len; i++)
		r[i] = other[i] ? (npu_lane){0} : r[i];
	*lane = r;
	return TARN_OK;
}

/* The sum of a run of weights stays, and with it the response to the mean of the input. */
static float to_half(float f, float *carry)
{
	float half = tarn_f16_to_f32(tarn_f32_to_f16(f + *carry));
	float lost = f + *carry - half;
	*carry = lost == lost && lost < 1 && lost > -1 ? lost : 0; /* nothing to pass on from infinities */
	return half;
}

static tarn_err round_constant(tarn_graph *g, const tarn_value *v, const npu_lane *lane, bool keep_sums, tarn_arena *a,
			       tarn_value **rounded)
{
	tarn_tensor t;
	float *scale, carry = 0;
	bool all;
	size_t count = (size_t)tarn_tensor_count(v->konst);
	TRY(tarn_npu_find_scales(v->konst->data, count, lane, a, &scale, &all));
	TRY(tarn_tensor_copy(v->konst, &t));
	float *f = t.data;
	for (size_t i = 0; i < count; i++) {
		float s = scale ? scale[i / lane->each % lane->n] : 1;
		if (!keep_sums || i % lane->run == 0)
			carry = 0;
		f[i] = to_half(f[i] / s, &carry) * s;
	}
	tarn_err err = tarn_value_const(g, v->name, &t, rounded);
	tarn_tensor_fini(&t);
	return err;
}

/* ---- biases ---- */

static bool takes_bias(const tarn_node *n, int64_t out)
{
	const tarn_value *b = n->n_in > 2 ? n->in[2] : NULL;
	if (tarn_npu_is(n, "Gemm") &&
	    (tarn_attr_f(n, tarn_attr_index(n->op, "alpha")) != 1 || tarn_attr_f(n, tarn_attr_index(n->op, "beta")) != 1 ||
	     tarn_attr_i(n, tarn_attr_index(n->op, "transA"))))
		return false;
	return !tarn_npu_is(n, "MatMul") && (!b || (b->konst && b->type == TARN_F32 && tarn_tensor_count(b->konst) == out));
}

/* What an output channel loses of its mean. */
static double lost(const npu_weights *was, const float *now, const npu_moments *x, int64_t out)
{
	const float *f = was->t->data;
	double sum = 0;
	for (int64_t i = 0; i < was->in; i++) {
		int64_t channel, at = tarn_npu_weight_at(was, out, i, &channel);
		double d = 0;
		for (int64_t k = at; k < at + was->taps; k++)
			d += (double)f[k] - now[k];
		sum += d * was->share * tarn_npu_mean_at(x, channel);
	}
	return isfinite(sum) ? sum : 0;
}

static tarn_err correct(tarn_graph *g, tarn_node *n, const npu_weights *was, const float *now, const npu_moments *x)
{
	const tarn_value *old = n->n_in > 2 ? n->in[2] : NULL;
	tarn_tensor bias;
	tarn_value *v;
	if (old)
		TRY(tarn_tensor_copy(old->konst, &bias));
	else
		TRY(tarn_tensor_new(TARN_F32, 1, &was->out, &bias));
	for (int64_t o = 0; o < was->out; o++)
		((float *)bias.data)[o] += (float)lost(was, now, x, o);
	tarn_err err = tarn_value_const(g, old ? old->name : "bias", &bias, &v);
	tarn_tensor_fini(&bias);
	TRY(err);
	if (n->n_in < 3)
		TRY(tarn_node_resize_inputs(g, n, 3));
	n->in[2] = v;
	return TARN_OK;
}

/* ---- the graph ---- */

static tarn_err round_node(tarn_graph *g, tarn_node *n, const npu_moments *of, const npu_lane *lane, tarn_arena *a,
			   tarn_value **rounded)
{
	npu_weights was;
	const npu_moments *x = &of[n->in[0]->id];
	bool known = tarn_npu_read_weights(n, &was) && takes_bias(n, was.out) && !n->in[0]->konst && x->known &&
		     (x->n == 1 || x->n == was.in * was.groups);
	if (!*rounded)
		TRY(round_constant(g, n->in[1], lane, !known, a, rounded));
	n->in[1] = *rounded;
	return known ? correct(g, n, &was, (*rounded)->konst->data, x) : TARN_OK;
}

tarn_err tarn_npu_round_weights(tarn_graph *g, const npu_plan *plan, tarn_arena *a)
{
	npu_moments *made = NULL;
	const npu_moments *of = plan->moments;
	npu_lane *lane;
	size_t n_values = g->value.len;
	tarn_value **rounded = tarn_arena_zalloc(a, n_values + 1, sizeof *rounded);
	if (!rounded)
		return tarn_err_nomem(n_values * sizeof *rounded);
	TRY(tarn_npu_find_weights(g, a, &lane));
	if (!of)
		TRY(tarn_npu_moments(g, a, &made));
	of = of ? of : made;
	for (size_t i = 0; i < g->node.len; i++) {
		tarn_node *n = g->node.at[i];
		const tarn_value *w = n->n_in > 1 ? n->in[1] : NULL;
		if (w && w->konst && w->id < n_values && lane[w->id].run && !npu_is_pair(&plan->layers, w))
			TRY(round_node(g, n, of, &lane[w->id], a, &rounded[w->id]));
	}
	return TARN_OK;
}
