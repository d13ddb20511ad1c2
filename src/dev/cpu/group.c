/* SPDX-License-Identifier: Apache-2.0 */
/* Which neighbours a node absorbs: product -> (+ residual) -> activation -> (+ residual), as kern/epilogue.h can compute. */
#include <string.h>

#include "base/err.h"
#include "dev/cpu/cpu.h"
#include "ops/ops.h"

/* Operators that are one tarn_unary; attribute and input words are the operators' own. */
static const struct {
	const char *op;
	tarn_unary fn;
	const char *alpha, *beta; /* attribute names, NULL: fixed */
	float fixed_alpha, fixed_beta;
} unaries[] = {
	{"Relu", TARN_UNARY_RELU, NULL, NULL, 0, 0},
	{"LeakyRelu", TARN_UNARY_LEAKY, "alpha", NULL, 0, 0},
	{"Sigmoid", TARN_UNARY_SIGMOID, NULL, NULL, 0, 0},
	{"HardSigmoid", TARN_UNARY_HARDSIGMOID, "alpha", "beta", 0, 0},
	{"HardSwish", TARN_UNARY_HARDSWISH, NULL, NULL, 0, 0},
	{"Tanh", TARN_UNARY_TANH, NULL, NULL, 0, 0},
	{"Elu", TARN_UNARY_ELU, "alpha", NULL, 0, 0},
	{"Selu", TARN_UNARY_SELU, "alpha", "gamma", 0, 0},
	{"Softplus", TARN_UNARY_SOFTPLUS, NULL, NULL, 0, 0},
	{"Softsign", TARN_UNARY_SOFTSIGN, NULL, NULL, 0, 0},
	{"Mish", TARN_UNARY_MISH, NULL, NULL, 0, 0},
	{"Erf", TARN_UNARY_ERF, NULL, NULL, 0, 0},
	{"Exp", TARN_UNARY_EXP, NULL, NULL, 0, 0},
	{"Log", TARN_UNARY_LOG, NULL, NULL, 0, 0},
	{"Sqrt", TARN_UNARY_SQRT, NULL, NULL, 0, 0},
	{"Reciprocal", TARN_UNARY_RECIPROCAL, NULL, NULL, 0, 0},
	{"Abs", TARN_UNARY_ABS, NULL, NULL, 0, 0},
	{"Neg", TARN_UNARY_NEG, NULL, NULL, 0, 0},
	{"Sign", TARN_UNARY_SIGN, NULL, NULL, 0, 0},
	{"Floor", TARN_UNARY_FLOOR, NULL, NULL, 0, 0},
	{"Ceil", TARN_UNARY_CEIL, NULL, NULL, 0, 0},
	{"Round", TARN_UNARY_ROUND, NULL, NULL, 0, 0},
	{"Sin", TARN_UNARY_SIN, NULL, NULL, 0, 0},
	{"Cos", TARN_UNARY_COS, NULL, NULL, 0, 0},
};

static float attr_f(const tarn_node *n, const char *name, float otherwise)
{
	int i = name ? tarn_attr_index(n->op, name) : -1;
	return i >= 0 && n->attr[i].set ? (float)n->attr[i].f : otherwise;
}

/* A constant of one element as a number. */
static bool scalar(const tarn_node *n, int i, float *v)
{
	if (i >= n->n_in || !n->in[i] || !n->in[i]->konst || tarn_tensor_count(n->in[i]->konst) != 1)
		return false;
	*v = (float)tarn_tensor_f64(n->in[i]->konst, 0);
	return true;
}

bool tarn_cpu_activation(const tarn_node *n, tarn_epilogue *e)
{
	const char *op = n->op->name;
	if (n->op->domain && *n->op->domain)
		return false;
	for (size_t i = 0; i < sizeof unaries / sizeof *unaries; i++)
		if (!strcmp(op, unaries[i].op)) {
			*e = (tarn_epilogue){.act = unaries[i].fn};
			e->alpha = attr_f(n, unaries[i].alpha, unaries[i].fixed_alpha);
			e->beta = attr_f(n, unaries[i].beta, unaries[i].fixed_beta);
			return true;
		}
	if (!strcmp(op, "Clip")) {
		float lo = -__FLT_MAX__, hi = __FLT_MAX__;
		bool has_lo = n->n_in > 1 && n->in[1], has_hi = n->n_in > 2 && n->in[2];
		if ((has_lo && !scalar(n, 1, &lo)) || (has_hi && !scalar(n, 2, &hi)))
			return false;
		*e = (tarn_epilogue){.act = TARN_UNARY_CLAMP,
				     .alpha = has_lo ? lo : -__builtin_inff(),
				     .beta = has_hi ? hi : __builtin_inff()};
		if (has_lo && lo == 0 && !has_hi)
			e->act = TARN_UNARY_RELU;
		return true;
	}
	if (!strcmp(op, "Gelu")) {
		int i = tarn_attr_index(n->op, "approximate");
		*e = (tarn_epilogue){.act = i >= 0 && tarn_attr_word_is(n, i, "tanh") ? TARN_UNARY_GELU_TANH : TARN_UNARY_GELU};
		return true;
	}
	if (!strcmp(op, "Swish")) {
		float beta = 1;
		if (n->n_in > 1 && n->in[1] && !scalar(n, 1, &beta))
			return false;
		beta = attr_f(n, "beta", beta);
		*e = (tarn_epilogue){.act = TARN_UNARY_SILU, .alpha = beta};
		return beta != 0;
	}
	return false;
}

/* Products whose kernels have an epilogue; with f32 data. */
static bool is_product(const tarn_node *n)
{
	static const char *const ops[] = {"Conv", "Gemm", "MatMul", "ConvTranspose"};
	if ((n->op->domain && *n->op->domain) || !n->out[0] || n->out[0]->type != TARN_F32 || n->n_in < 2 || !n->in[1] ||
	    !(n->in[1]->konst || tarn_cpu_suits_weights(n)) || n->in[1]->shape.rank > 4)
		return false; /* kernels have two spatial axes at most */
	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
		if (!strcmp(n->op->name, ops[i]))
			return true;
	return false;
}

/* A constant row that is added to a product of two matrices: its columns' bias. */
static const tarn_tensor *bias_row(const tarn_node *product, const tarn_node *add)
{
	const tarn_value *v = product->out[0], *w = product->in[1];
	if (product->op != tarn_op_find(NULL, "MatMul") || w->shape.rank != 2 || product->in[0]->shape.rank < 2 ||
	    add->op != tarn_op_find(NULL, "Add") || add->n_in != 2 || !tarn_shape_same(&add->out[0]->shape, &v->shape))
		return NULL;
	const tarn_tensor *t = add->in[add->in[0] == v]->konst;
	int64_t count = t && t->type == TARN_F32 ? tarn_tensor_count(t) : 0;
	return count == 1 || (count && count == w->shape.dim[1] && t->dim[t->rank - 1] == count) ? t : NULL;
}

/* Beyond ReLU and clamp a kernel calls the function pixel by pixel, for its channels: with a few of them a step of its own,
 * which calls it once, is faster. */
static bool worth_absorbing(const tarn_node *product, const tarn_epilogue *act)
{
	enum { FEW = 8 };
	const tarn_shape *s = &product->out[0]->shape;
	bool conv = product->op == tarn_op_find(NULL, "Conv") || product->op == tarn_op_find(NULL, "ConvTranspose");
	return act->act == TARN_UNARY_RELU || act->act == TARN_UNARY_CLAMP || !conv || s->rank < 3 || s->dim[1] < 0 ||
	       s->dim[1] >= FEW;
}

static tarn_err absorb(cpu_build *b, const tarn_node *n)
{
	cpu_group g = {.main = n, .last = n};
	for (bool more = true; more;) {
		more = false;
		const tarn_value *v = g.last->out[0];
		const tarn_node *user = b->user[v->id];
		if (!user || !user->out[0] || user->out[0]->type != TARN_F32 || b->group[user->index] ||
		    b->absorbed[user->index])
			break;
		tarn_epilogue act;
		if (g.epilogue.act == TARN_UNARY_IDENTITY && user->in[0] == v && tarn_cpu_activation(user, &act) &&
		    worth_absorbing(n, &act)) {
			act.residual_after = g.epilogue.residual_after;
			g.epilogue = act;
			more = !g.residual;
		} else if (g.last == n && bias_row(n, user)) {
			g.bias = bias_row(n, user);
			more = true;
		} else if (!g.residual && !strcmp(user->op->name, "Add") && user->n_in == 2) {
			const tarn_value *other = user->in[user->in[0] == v];
			if (other == v || other->konst || other->type != TARN_F32 ||
			    !tarn_shape_same(&other->shape, &v->shape) || !tarn_shape_same(&user->out[0]->shape, &v->shape))
				break;
			g.residual = other;
			g.epilogue.residual_after = g.epilogue.act != TARN_UNARY_IDENTITY;
			more = !g.epilogue.residual_after;
		} else {
			break;
		}
		b->absorbed[g.last->index] = true;
		g.last = user;
	}
	if (g.last == n)
		return TARN_OK;
	b->group[g.last->index] = tarn_arena_memdup(&b->p->arena, &g, sizeof g);
	return b->group[g.last->index] ? TARN_OK : tarn_err_nomem(sizeof g);
}

/* An INT8 product takes ReLU or Clip along, and the quantizer behind it. */
static tarn_err absorb_codes(cpu_build *b, const tarn_node *n)
{
	cpu_group g = {.main = n, .last = n};
	for (int i = 0; i < 2; i++) {
		const tarn_value *v = g.last->out[0];
		const tarn_node *user = b->user[v->id];
		tarn_epilogue act;
		cpu_code code;
		if (!user || user->in[0] != v || b->group[user->index] || b->absorbed[user->index])
			break;
		bool quantizer = user->op == tarn_op_find(NULL, "QuantizeLinear") && tarn_cpu_code_params(user, &code);
		bool clamp = i == 0 && tarn_cpu_activation(user, &act) &&
			     (act.act == TARN_UNARY_RELU || act.act == TARN_UNARY_CLAMP);
		if (!quantizer && !clamp)
			break;
		if (clamp)
			g.epilogue = act;
		b->absorbed[g.last->index] = true;
		g.last = user;
		if (quantizer)
			break;
	}
	if (g.last == n)
		return TARN_OK;
	b->group[g.last->index] = tarn_arena_memdup(&b->p->arena, &g, sizeof g);
	return b->group[g.last->index] ? TARN_OK : tarn_err_nomem(sizeof g);
}

tarn_err tarn_cpu_group_all(cpu_build *b)
{
	for (size_t i = 0; i < b->g->node.len; i++) {
		const tarn_node *n = b->g->node.at[i];
		if (b->absorbed[i] || b->group[i])
			continue;
		if (tarn_cpu_suits_int8(n))
			TRY(absorb_codes(b, n));
		else if (is_product(n))
			TRY(absorb(b, n));
	}
	return TARN_OK;
}
