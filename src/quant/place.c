/* SPDX-License-Identifier: Apache-2.0 */
/* Which nodes run in INT8, which only move codes, which values get a quantizer, and which of them share one grid. */
#include <string.h>

#include "ops/ops.h"
#include "quant/plan.h"

static bool is(const tarn_node *n, const char *op)
{
	return n && n->op == tarn_op_find(NULL, op);
}

static bool any_of(const tarn_node *n, const char *const *ops)
{
	for (; *ops; ops++)
		if (is(n, *ops))
			return true;
	return false;
}

int tarn_quant_root(const quant_plan *p, int v)
{
	while (p->group[v] != v)
		v = p->group[v];
	return v;
}

static void join(quant_plan *p, const tarn_value *a, const tarn_value *b)
{
	p->group[tarn_quant_root(p, (int)b->id)] = tarn_quant_root(p, (int)a->id);
}

bool tarn_quant_is_transformer(const tarn_graph *g)
{
	bool softmax = false, product = false;
	for (size_t i = 0; i < g->node.len; i++) {
		const tarn_node *n = g->node.at[i];
		softmax |= is(n, "Softmax");
		product |= is(n, "ScaledDotProductAttention") || (is(n, "MatMul") && !n->in[0]->konst && !n->in[1]->konst);
	}
	return softmax && product;
}

/* Does v come out of a softmax through operators that only move it? */
static bool after_softmax(const tarn_value *v)
{
	static const char *const movers[] = {"Reshape", "Transpose", "Squeeze", "Unsqueeze",
					     "Dropout", "Identity",  "Cast",    NULL};
	for (int depth = 0; depth < 8 && v->def; depth++) {
		if (is(v->def, "Softmax"))
			return true;
		if (!any_of(v->def, movers))
			return false;
		v = v->def->in[0];
	}
	return false;
}

/* A squeeze-and-excite gate: small products between a global average and a sigmoid. They cost nothing and decide everything. */
static bool in_gate(const tarn_graph *g, const tarn_node *n)
{
	static const char *const between[] = {"Conv", "Gemm",  "MatMul", "Relu",    "Clip", "HardSwish",
					      "Add",  "Swish", "Mul",    "Reshape", NULL};
	static const char *const ends[] = {"Sigmoid", "HardSigmoid", NULL};
	const tarn_value *v = n->in[0];
	int depth = 0;
	for (; depth < 8 && v->def && !is(v->def, "GlobalAveragePool") && !is(v->def, "ReduceMean") && any_of(v->def, between);
	     depth++)
		v = v->def->in[0];
	if (!v->def || (!is(v->def, "GlobalAveragePool") && !is(v->def, "ReduceMean")))
		return false;
	v = n->out[0];
	for (depth = 0; depth < 8; depth++) {
		const tarn_node *user = tarn_graph_only_user(g, v);
		if (!user)
			return false;
		if (any_of(user, ends))
			return true;
		if (!any_of(user, between))
			return false;
		v = user->out[0];
	}
	return false;
}

/* Does v come out of a product, through activations, sums and what moves codes? Sums and scalings elsewhere (normalisations and
 * activations written out, gates) have ranges that 8 bits do not serve. */
static bool from_product(const tarn_value *v, int depth)
{
	static const char *const products[] = {"Conv", "Gemm", "MatMul", "ConvTranspose", NULL};
	static const char *const between[] = {"Relu",      "Clip", "HardSwish",   "Swish", "Gelu",
					      "LeakyRelu", "Add",  "AveragePool", NULL};
	const tarn_node *d = v->def;
	if (!d)
		return true; /* the model's input */
	if (any_of(d, products))
		return true;
	return depth > 0 &&
	       (any_of(d, between) || d->op->quant.kind == TARN_QUANT_PASS || d->op->quant.kind == TARN_QUANT_CONCAT) &&
	       from_product(d->in[0], depth - 1);
}

/* Why a node whose operator could run in INT8 does not; NULL: it does. */
static const char *float_reason(const tarn_graph *g, const tarn_node *n, bool transformer, const tarn_quant_options *o)
{
	static const char *const products[] = {"Conv", "Gemm", "MatMul", NULL};
	static const char *const sums[] = {"Add", "Sub", "Mul", NULL};
	static const char *const pools[] = {"AveragePool", "GlobalAveragePool", NULL};
	for (int i = 0; i < o->n_ignore; i++)
		if (!strcmp(n->name, o->ignore[i]))
			return "the user asked for it";
	if (n->in[0]->type != TARN_F32)
		return "its data is not f32";
	if (any_of(n, products)) {
		if (n->in[0]->konst)
			return "its left operand is constant";
		if (!n->in[1]->konst)
			return after_softmax(n->in[0])
				       ? "probabilities times values: 8 bits are too few for a softmax's small values"
				       : "both operands are computed; only constant weights are quantized";
		if (is(n, "Gemm") &&
		    (tarn_attr_i(n, tarn_attr_index(n->op, "transA")) || tarn_attr_f(n, tarn_attr_index(n->op, "alpha")) != 1 ||
		     tarn_attr_f(n, tarn_attr_index(n->op, "beta")) != 1))
			return "Gemm with transA, alpha or beta";
		if (!is(n, "Conv") && n->in[1]->konst->rank != 2)
			return "its weights are no matrix";
		if (n->n_in > 2 && n->in[2] && (!n->in[2]->konst || n->in[2]->konst->rank != 1))
			return "its bias is not one constant for each channel";
		return in_gate(g, n) ? "a gate (squeeze and excite) decides over whole channels; it is small and stays float"
				     : NULL;
	}
	if (any_of(n, sums)) {
		if (transformer)
			return "additions and scalings of transformers lose too much in 8 bits";
		if (n->in[0]->konst || n->in[1]->konst)
			return "an operation with a constant";
		if (!from_product(n->in[0], 64) || !from_product(n->in[1], 64))
			return "an operand is no result of a convolution or matrix product";
		return tarn_shape_same(&n->in[0]->shape, &n->in[1]->shape) ? NULL : "its operands have different shapes";
	}
	if (any_of(n, pools))
		return transformer ? "averages of transformers stay float" : NULL;
	return "no INT8 form";
}

/* Marks v for a quantizer, and what its codes pass through on the way to it. */
static void mark(quant_plan *p, tarn_value *v)
{
	if (p->marked[v->id] || v->konst || v->type != TARN_F32)
		return;
	p->marked[v->id] = true;
	tarn_node *d = v->def;
	if (!d || d->op->quant.kind == TARN_QUANT_FLOAT || d->op->quant.kind == TARN_QUANT_INPUTS)
		return;
	if (d->op->quant.kind == TARN_QUANT_CONCAT)
		for (int i = 0; i < d->n_in; i++)
			if (d->in[i]->konst)
				return; /* a constant part would need codes of its own */
	p->moves[d->index] = true;
	for (int i = 0; i < d->n_in; i++)
		if (d->in[i] && (d->op->quant.act >> (i < 31 ? i : 31) & 1 || d->op->quant.kind == TARN_QUANT_CONCAT)) {
			mark(p, d->in[i]);
			if (p->marked[d->in[i]->id])
				join(p, v, d->in[i]);
		}
	/* Split: the parts not asked for have the same codes */
	for (int i = 0; i < d->n_out; i++)
		if (d->out[i] && d->out[i] != v && d->out[i]->type == TARN_F32) {
			p->marked[d->out[i]->id] = true;
			join(p, v, d->out[i]);
		}
}

static tarn_err remember(tarn_quant_report *r, const tarn_node *n, const char *why)
{
	TRY(VEC_GROW(&r->reason));
	tarn_quant_reason x = {tarn_arena_strdup(&r->arena, n->name), n->op->name, why};
	if (!x.node)
		return tarn_err_nomem(strlen(n->name));
	r->reason.at[r->reason.len++] = x;
	return TARN_OK;
}

/* Nodes that compute, as opposed to moving bytes and working out shapes. */
static bool computes(const tarn_node *n)
{
	tarn_cost c = {0};
	return n->out[0] && tarn_dtype_is_float(n->out[0]->type) && n->op->quant.kind != TARN_QUANT_PASS &&
	       n->op->quant.kind != TARN_QUANT_CONCAT && !(n->op->flags & TARN_OP_VIEW) &&
	       (!n->op->cost || n->op->cost(n, &c) != TARN_OK || c.macs || c.ops);
}

/* An activation that INT8 devices apply while they requantize: it is part of the node before it. */
static bool fused(const quant_plan *p, const tarn_node *n)
{
	static const char *const activations[] = {"Relu", "Clip", NULL};
	const tarn_node *d = n->in[0] ? n->in[0]->def : NULL;
	return any_of(n, activations) && d && p->int8[d->index] && tarn_graph_only_user(p->m->main, n->in[0]) == n;
}

static tarn_err check_ignored(const tarn_graph *g, const tarn_quant_options *o)
{
	for (int i = 0; i < o->n_ignore; i++) {
		bool found = false;
		for (size_t k = 0; k < g->node.len && !found; k++)
			found = !strcmp(g->node.at[k]->name, o->ignore[i]);
		CHECK(found, TARN_USAGE, "no node is called '%s'; 'tarn check' lists the names", o->ignore[i]);
	}
	return TARN_OK;
}

/* Where the bias can make up for what rounding the weights does on average, the average input is wanted. */
static tarn_err want_mean(quant_plan *p, const tarn_node *n)
{
	static const char *const products[] = {"Conv", "Gemm", NULL};
	if (!any_of(n, products) || n->n_in < 3 || !n->in[2] || p->mean[n->in[0]->id])
		return TARN_OK;
	const tarn_tensor *w = n->in[1]->konst;
	bool conv = is(n, "Conv"), turned = !conv && !tarn_attr_i(n, tarn_attr_index(n->op, "transB"));
	int64_t c = w->dim[!turned] * (conv ? tarn_attr_i(n, tarn_attr_index(n->op, "group")) : 1);
	p->channels[n->in[0]->id] = c;
	p->mean[n->in[0]->id] = tarn_arena_zalloc(&p->arena, (size_t)c, sizeof(double));
	return p->mean[n->in[0]->id] ? TARN_OK : tarn_err_nomem((size_t)c * sizeof(double));
}

static tarn_err allocate(quant_plan *p)
{
	tarn_arena *a = &p->arena;
	size_t n = p->m->main->node.len + 1, v = p->m->main->value.len + 1;
	p->int8 = tarn_arena_zalloc(a, n, 1);
	p->moves = tarn_arena_zalloc(a, n, 1);
	p->marked = tarn_arena_zalloc(a, v, 1);
	p->seen = tarn_arena_zalloc(a, v, 1);
	p->group = tarn_arena_zalloc(a, v, sizeof *p->group);
	p->lo = tarn_arena_zalloc(a, v, sizeof *p->lo);
	p->hi = tarn_arena_zalloc(a, v, sizeof *p->hi);
	p->sum_lo = tarn_arena_zalloc(a, v, sizeof *p->lo);
	p->sum_hi = tarn_arena_zalloc(a, v, sizeof *p->hi);
	p->mean = tarn_arena_zalloc(a, v, sizeof *p->mean);
	p->channels = tarn_arena_zalloc(a, v, sizeof *p->channels);
	if (!p->mean || !p->channels || !p->int8 || !p->moves || !p->marked || !p->seen || !p->group || !p->lo || !p->hi ||
	    !p->sum_lo || !p->sum_hi)
		return tarn_err_nomem(v * sizeof *p->lo);
	for (size_t i = 0; i < v; i++)
		p->group[i] = (int)i;
	return TARN_OK;
}

tarn_err tarn_quant_place(quant_plan *p, const tarn_quant_options *o, tarn_quant_report *r)
{
	tarn_graph *g = p->m->main;
	TRY(allocate(p));
	TRY(check_ignored(g, o));
	bool transformer = tarn_quant_is_transformer(g);
	double macs = 0, int8 = 0;
	bool known = true;
	for (size_t i = 0; i < g->node.len; i++) {
		tarn_node *n = g->node.at[i];
		tarn_cost c = {0};
		const tarn_node *sized = p->sized ? p->sized->main->node.at[i] : n;
		if (n->op->cost && n->op->cost(sized, &c) != TARN_OK)
			known = known && n->op->quant.kind != TARN_QUANT_INPUTS;
		macs += (double)c.macs;
		if (!computes(n) || fused(p, n))
			continue;
		const char *why = n->op->quant.kind == TARN_QUANT_INPUTS ? float_reason(g, n, transformer, o) : "no INT8 form";
		if (why) {
			r->nodes_float++;
			TRY(remember(r, n, why));
			continue;
		}
		p->int8[i] = true;
		r->nodes_int8++;
		int8 += (double)c.macs;
		TRY(want_mean(p, n));
		for (int k = 0; k < n->n_in; k++)
			if (n->in[k] && n->op->quant.act >> k & 1)
				mark(p, n->in[k]);
	}
	r->mac_share_int8 = known && macs > 0 ? int8 / macs : __builtin_nan("");
	return TARN_OK;
}
