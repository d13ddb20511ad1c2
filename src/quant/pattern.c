/* SPDX-License-Identifier: Apache-2.0 */
/* What a node and its neighbourhood look like, and whether 8 bits serve it. */
#include "ops/ops.h"
#include "quant/plan.h"

bool tarn_quant_is(const tarn_node *n, const char *op)
{
	return n && n->op == tarn_op_find(NULL, op);
}

bool tarn_quant_any_of(const tarn_node *n, const char *const *ops)
{
	for (; *ops; ops++)
		if (tarn_quant_is(n, *ops))
			return true;
	return false;
}

bool tarn_quant_is_transformer(const tarn_graph *g)
{
	bool softmax = false, product = false;
	for (size_t i = 0; i < g->node.len; i++) {
		const tarn_node *n = g->node.at[i];
		softmax |= tarn_quant_is(n, "Softmax");
		product |= tarn_quant_is(n, "ScaledDotProductAttention") ||
			   (tarn_quant_is(n, "MatMul") && !n->in[0]->konst && !n->in[1]->konst);
	}
	return softmax && product;
}

/* Does v come out of a softmax through operators that only move it? */
static bool after_softmax(const tarn_value *v)
{
	static const char *const movers[] = {"Reshape", "Transpose", "Squeeze", "Unsqueeze",
					     "Dropout", "Identity",  "Cast",    NULL};
	for (int depth = 0; depth < 8 && v->def; depth++) {
		if (tarn_quant_is(v->def, "Softmax"))
			return true;
		if (!tarn_quant_any_of(v->def, movers))
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
	for (; depth < 8 && v->def && !tarn_quant_is(v->def, "GlobalAveragePool") && !tarn_quant_is(v->def, "ReduceMean") &&
	       tarn_quant_any_of(v->def, between);
	     depth++)
		v = v->def->in[0];
	if (!v->def || (!tarn_quant_is(v->def, "GlobalAveragePool") && !tarn_quant_is(v->def, "ReduceMean")))
		return false;
	v = n->out[0];
	for (depth = 0; depth < 8; depth++) {
		const tarn_node *user = tarn_graph_only_user(g, v);
		if (!user)
			return false;
		if (tarn_quant_any_of(user, ends))
			return true;
		if (!tarn_quant_any_of(user, between))
			return false;
		v = user->out[0];
	}
	return false;
}

/* x of n = x * sigmoid(x); NULL: it is none. */
static const tarn_value *swish_of(const tarn_node *n)
{
	if (!tarn_quant_is(n, "Mul"))
		return NULL;
	for (int k = 0; k < 2; k++) {
		const tarn_node *s = n->in[k]->def;
		if ((tarn_quant_is(s, "Sigmoid") || tarn_quant_is(s, "HardSigmoid")) && s->in[0] == n->in[!k])
			return n->in[!k];
	}
	return NULL;
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
	const tarn_value *gated = swish_of(d);
	if (gated)
		return depth > 0 && from_product(gated, depth - 1);
	if (tarn_quant_any_of(d, products))
		return true;
	return depth > 0 &&
	       (tarn_quant_any_of(d, between) || d->op->quant.kind == TARN_QUANT_PASS ||
		d->op->quant.kind == TARN_QUANT_CONCAT) &&
	       from_product(d->in[0], depth - 1);
}

/* Why a node whose operator could run in INT8 does not; NULL: it does. */
const char *tarn_quant_float_reason(const tarn_graph *g, const tarn_node *n, bool transformer)
{
	static const char *const products[] = {"Conv", "Gemm", "MatMul", NULL};
	static const char *const sums[] = {"Add", "Sub", "Mul", NULL};
	static const char *const pools[] = {"AveragePool", "GlobalAveragePool", NULL};
	if (n->in[0]->type != TARN_F32)
		return "its data is not f32";
	if (tarn_quant_any_of(n, products)) {
		if (after_softmax(n->in[0]) && n->in[1]->konst)
			return "an expectation over a softmax (decoding of boxes): 8 bits are too few for a softmax's small "
			       "values";
		if (n->in[0]->konst)
			return "its left operand is constant";
		if (!n->in[1]->konst)
			return after_softmax(n->in[0])
				       ? "probabilities times values: 8 bits are too few for a softmax's small values"
				       : "both operands are computed; only constant weights are quantized";
		if (tarn_quant_is(n, "Gemm") &&
		    (tarn_attr_i(n, tarn_attr_index(n->op, "transA")) || tarn_attr_f(n, tarn_attr_index(n->op, "alpha")) != 1 ||
		     tarn_attr_f(n, tarn_attr_index(n->op, "beta")) != 1))
			return "Gemm with transA, alpha or beta";
		if (!tarn_quant_is(n, "Conv") && n->in[1]->konst->rank != 2)
			return "its weights are no matrix";
		if (n->n_in > 2 && n->in[2] && (!n->in[2]->konst || n->in[2]->konst->rank != 1))
			return "its bias is not one constant for each channel";
		return in_gate(g, n) ? "a gate (squeeze and excite) decides over whole channels; it is small and stays float"
				     : NULL;
	}
	if (tarn_quant_any_of(n, sums)) {
		if (transformer)
			return "additions and scalings of transformers lose too much in 8 bits";
		if (n->in[0]->konst || n->in[1]->konst)
			return "an operation with a constant";
		if (swish_of(n))
			return "an activation (SiLU), one with what comes before it";
		if (!from_product(n->in[0], 64) || !from_product(n->in[1], 64))
			return "an operand is no result of a convolution or matrix product";
		return tarn_shape_same(&n->in[0]->shape, &n->in[1]->shape) ? NULL : "its operands have different shapes";
	}
	if (tarn_quant_any_of(n, pools))
		return transformer ? "averages of transformers stay float" : NULL;
	return "no INT8 form";
}

bool tarn_quant_is_uneven(const tarn_graph *g)
{
	static const char *const ops[] = {"Swish", "HardSwish", "Gelu",     "LeakyRelu", "Elu",
					  "Mish",  "Selu",      "Softplus", "PRelu",     NULL};
	for (size_t i = 0; i < g->node.len; i++)
		for (int k = 0; ops[k]; k++)
			if (g->node.at[i]->op == tarn_op_find(NULL, ops[k]))
				return true;
	for (size_t i = 0; i < g->node.len; i++)
		if (swish_of(g->node.at[i]))
			return true;
	return false;
}
