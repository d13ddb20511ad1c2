/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept in FP32 between layers because FP16 cannot hold it: squares and sums of many elements leave its range, and their
 * differences its precision, long before the numbers they are made of do. SHAVEs compute in FP32 and can store it; the array
 * cannot read it. So an operator keeps FP32 when it squares or sums up, or when all it reads has been kept, and when everything
 * that reads its result can: normalisations that are written out stay in FP32 from the squares to the factor that scales the
 * FP16 values again. In the wide form the array reads pairs, and everything that only SHAVEs read is FP32.
 */
#include <string.h>

#include "driver/compile/plan.h"
#include "ir/op.h"

static bool any_of(const tarn_node *n, const char *const *ops)
{
	for (; *ops; ops++)
		if (tarn_npu_is(n, *ops))
			return true;
	return false;
}

static const char *const sums[] = {"ReduceSum", "ReduceMean", "ReduceSumSquare", "SquaredDifference", NULL};
static const char *const moves[] = {"Expand", "Identity", NULL};
static const char *const reductions[] = {"ReduceMax", "ReduceMin", NULL};

/* Does it make numbers of another magnitude than it reads? */
static bool leaves_range(const tarn_node *n)
{
	if (tarn_npu_is(n, "Mul"))
		return n->in[0] == n->in[1];
	if (tarn_npu_is(n, "Pow"))
		return n->in[1]->konst && tarn_tensor_count(n->in[1]->konst) == 1 && tarn_tensor_f64(n->in[1]->konst, 0) > 1;
	return any_of(n, sums);
}

/* One result of SHAVEs, or bytes that move as they are. */
static bool can_keep(const tarn_node *n)
{
	if (n->n_out != 1 || !n->out[0] || n->out[0]->type != TARN_F32 || tarn_npu_is(n, "QuantizeLinear") ||
	    tarn_npu_is(n, "DequantizeLinear") || tarn_npu_is(n, "FakeQuantize"))
		return false;
	return n->op->flags & (TARN_OP_ELEMENTWISE | TARN_OP_VIEW) || any_of(n, sums) || any_of(n, moves) ||
	       any_of(n, reductions);
}

/* Keeps what all of its computed operands have kept, one at least. */
static bool follows(const tarn_node *n, const bool *kept)
{
	int floats = 0;
	for (int i = 0; i < n->n_in; i++) {
		const tarn_value *v = n->in[i];
		if (!v || v->konst || v->type != TARN_F32)
			continue;
		floats++;
		if (!kept[v->id])
			return false;
	}
	return floats > 0;
}

/* In the wide form SHAVEs do all but products. */
static bool by_shaves(const tarn_node *n)
{
	static const char *const products[] = {"Conv", "ConvTranspose", "MatMul", "Gemm", NULL};
	return n->n_out && n->out[0] && n->out[0]->type == TARN_F32 && !any_of(n, products);
}

static bool reads_fp32(const tarn_node *n, const bool *kept)
{
	if (n->n_out && n->out[0] && kept[n->out[0]->id])
		return true;
	return tarn_npu_rule(n)->engine == NPU_SHAVE && !tarn_npu_is(n, "LSTM") && !tarn_npu_is(n, "GRU") &&
	       !tarn_npu_is(n, "RNN");
}

void tarn_npu_mark_pairs(const npu_layers *all, npu_layer *l)
{
	const tarn_node *n = l->main;
	const tarn_value *y = tarn_npu_layer_out(l, 0);
	l->wide_out = l->fp32 || npu_is_pair(all, y);
	l->wide = l->wide_out;
	l->pairs = 0;
	for (int i = 0; i < n->n_in; i++) {
		bool pair = npu_is_pair(all, n->in[i]);
		l->wide |= pair;
		l->pairs |= pair && i < 2 ? 1 << i : 0;
	}
}

static void mark_layer(const npu_layers *all, npu_layer *l, const bool *kept)
{
	const tarn_value *y = tarn_npu_layer_out(l, 0), *x = l->main->n_in ? l->main->in[0] : NULL;
	l->fp32 = y && kept[y->id];
	l->narrow_in = l->fp32 && x && !kept[x->id] && !npu_is_pair(all, x);
	tarn_npu_mark_pairs(all, l);
}

/* Which engine makes what a layer writes, when it is wide; what is moved was made where it comes from. */
static npu_engine maker_of(const npu_layer *l, const npu_engine *maker)
{
	const tarn_node *n = l->main;
	if (l->engine == NPU_DMA)
		return n->n_in && n->in[0] ? maker[n->in[0]->id] : NPU_NONE;
	return by_shaves(n) ? NPU_SHAVE : NPU_DPU;
}

static tarn_err mark_makers(const tarn_graph *g, npu_layers *layers, tarn_arena *a)
{
	npu_engine *maker = tarn_arena_zalloc(a, g->value.len + 1, sizeof *maker);
	if (!maker)
		return tarn_err_nomem(g->value.len);
	for (int i = 0; i < layers->n; i++) {
		npu_layer *l = &layers->at[i];
		const tarn_node *n = l->main;
		l->by_array = l->by_shave = 0;
		for (int k = 0; k < n->n_in && k < 2; k++) {
			npu_engine e = n->in[k] ? maker[n->in[k]->id] : NPU_NONE;
			l->by_array |= e == NPU_DPU ? 1 << k : 0;
			l->by_shave |= e == NPU_SHAVE ? 1 << k : 0;
		}
		for (int k = 0; k < n->n_out; k++)
			if (n->out[k])
				maker[tarn_npu_layer_out(l, k)->id] = maker_of(l, maker);
	}
	return TARN_OK;
}

static tarn_err mark(const tarn_graph *g, npu_layers *layers, tarn_arena *a)
{
	bool *kept = tarn_arena_zalloc(a, g->value.len + 1, sizeof *kept);
	if (!kept)
		return tarn_err_nomem(g->value.len);
	for (size_t i = 0; i < g->node.len; i++) {
		const tarn_node *n = g->node.at[i];
		bool pair = n->n_out && npu_is_pair(layers, n->out[0]);
		if (pair ? by_shaves(n) : can_keep(n) && (leaves_range(n) || follows(n, kept)))
			kept[n->out[0]->id] = true;
	}
	for (size_t i = g->node.len; i-- > 0;) {
		const tarn_node *n = g->node.at[i];
		for (int k = 0; k < n->n_in; k++)
			if (n->in[k] && !reads_fp32(n, kept))
				kept[n->in[k]->id] = false;
	}
	for (int i = 0; i < layers->n; i++)
		mark_layer(layers, &layers->at[i], kept);
	return mark_makers(g, layers, a);
}

tarn_err tarn_npu_keep_range(const tarn_graph *g, npu_layers *layers, tarn_arena *a)
{
	layers->pair = NULL;
	return mark(g, layers, a);
}

static tarn_err all_pairs(const tarn_graph *g, tarn_arena *a, bool **pair)
{
	bool *exact, *p = *pair = tarn_arena_zalloc(a, g->value.len + 1, sizeof *p);
	if (!p)
		return tarn_err_nomem(g->value.len);
	TRY(tarn_npu_find_exact(g, a, &exact));
	for (size_t i = 0; i < g->value.len; i++)
		p[i] = g->value.at[i]->type == TARN_F32 && !exact[i];
	return TARN_OK;
}

tarn_err tarn_npu_widen(const tarn_graph *g, npu_layers *layers, bool *pair, tarn_arena *a)
{
	if (!pair)
		TRY(all_pairs(g, a, &pair));
	layers->pair = pair;
	layers->n_pair = g->value.len;
	return mark(g, layers, a);
}
