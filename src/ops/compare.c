/* SPDX-License-Identifier: Apache-2.0 */
/* Comparisons, logic and bit operations of two inputs. */
#include "ops/binary.h"

#include "ops/bounds.h"
#include "ops/ops.h"

/* clang-format off */
#define COMPARE(name, op) \
	static double f_##name(double a, double b) { return a op b; } \
	static int64_t i_##name(int64_t a, int64_t b) { return a op b; } \
	static uint64_t u_##name(uint64_t a, uint64_t b) { return a op b; }
#define BITS(name, op) \
	static int64_t i_##name(int64_t a, int64_t b) { return a op b; }
/* clang-format on */
COMPARE(equal, ==)
COMPARE(less, <)
COMPARE(less_or_equal, <=)
COMPARE(greater, >)
COMPARE(greater_or_equal, >=)
BITS(and, &&)
BITS(or, ||)
BITS(xor, !=)
BITS(bitwise_and, &)
BITS(bitwise_or, |)
BITS(bitwise_xor, ^)

static tarn_err infer_order(tarn_infer *c)
{
	return tarn_binary_infer_bool(c, TARN_CLS_NUM);
}

static tarn_err infer_equal(tarn_infer *c)
{
	return tarn_binary_infer_bool(c, TARN_CLS_NUM | TARN_CLS_B);
}

static tarn_err infer_logic(tarn_infer *c)
{
	return tarn_binary_infer(c, TARN_CLS_B);
}

static tarn_err infer_whole(tarn_infer *c)
{
	return tarn_binary_infer(c, TARN_CLS_INT);
}

/* Equality of two dimensions: 1, 0, or -1 when it depends on sizes not known yet. */
static int decide(const tarn_symtab *t, tarn_dim a, tarn_dim b)
{
	int64_t x = 0, y = 0;
	bool nx = tarn_dim_is_int(a, &x), ny = tarn_dim_is_int(b, &y);
	if (nx && ny)
		return x == y;
	if (a == b)
		return 1;
	int64_t alo = nx ? x : tarn_dim_least(t, a), ahi = nx ? x : tarn_dim_hi(t, a);
	int64_t blo = ny ? y : tarn_dim_least(t, b), bhi = ny ? y : tarn_dim_hi(t, b);
	if (alo == ahi && blo == bhi && alo == blo)
		return 1;
	return ahi < blo || bhi < alo ? 0 : -1;
}

static tarn_err bounds_equal(tarn_infer *c)
{
	tarn_dim a[TARN_KNOWN_MAX], b[TARN_KNOWN_MAX];
	int na = 0, nb = 0;
	if (!tarn_bounds_read(c, 0, a, &na) || !tarn_bounds_read(c, 1, b, &nb) || (na != nb && na != 1 && nb != 1))
		return TARN_OK;
	int n = na == 1 ? nb : na;
	tarn_dim out[TARN_KNOWN_MAX];
	for (int i = 0; i < n; i++) {
		int same = decide(c->syms, a[na == 1 ? 0 : i], b[nb == 1 ? 0 : i]);
		if (same < 0)
			return TARN_OK;
		out[i] = same;
	}
	return tarn_bounds_set(c, 0, out, n);
}

#define ROW(word, Name, since, spelling, infer_slot, bounds_slot, ...) \
	static tarn_err eval_##word(tarn_eval *e) \
	{ \
		static const tarn_binary_fn fn = __VA_ARGS__; \
		return tarn_binary_run(e->in[0], e->in[1], &e->out[0], &fn); \
	} \
	const tarn_op_def tarn_op_##word = { \
		.name = #Name, \
		.onnx_since = since, \
		.ir = spelling, \
		.min_in = 2, \
		.max_in = 2, \
		.min_out = 1, \
		.max_out = 1, \
		.flags = TARN_OP_ELEMENTWISE | TARN_OP_FLAT, \
		.infer = infer_slot, \
		.bounds = bounds_slot, \
		.eval = eval_##word, \
		.cost = tarn_cost_out, \
		.quant = {.weight = -1, .bias = -1}, \
	};

ROW(equal, Equal, 1, "Equal", infer_equal, bounds_equal, {f_equal, i_equal, u_equal, false})
ROW(less, Less, 1, "Less", infer_order, NULL, {f_less, i_less, u_less, false})
ROW(less_or_equal, LessOrEqual, 12, "LessEqual", infer_order, NULL, {f_less_or_equal, i_less_or_equal, u_less_or_equal, false})
ROW(greater, Greater, 1, "Greater", infer_order, NULL, {f_greater, i_greater, u_greater, false})
ROW(greater_or_equal, GreaterOrEqual, 12, "GreaterEqual", infer_order, NULL,
    {f_greater_or_equal, i_greater_or_equal, u_greater_or_equal, false})
ROW(and, And, 1, "LogicalAnd", infer_logic, NULL, {NULL, i_and, NULL, false})
ROW(or, Or, 1, "LogicalOr", infer_logic, NULL, {NULL, i_or, NULL, false})
ROW(xor, Xor, 1, "LogicalXor", infer_logic, NULL,
    {
	    NULL, i_xor, NULL, false})
ROW(bitwise_and, BitwiseAnd, 18, "BitwiseAnd", infer_whole, NULL, {NULL, i_bitwise_and, NULL, false})
ROW(bitwise_or, BitwiseOr, 18, "BitwiseOr", infer_whole, NULL, {NULL, i_bitwise_or, NULL, false})
ROW(bitwise_xor, BitwiseXor, 18, "BitwiseXor", infer_whole, NULL, {NULL, i_bitwise_xor, NULL, false})

/* ---- BitShift ---- */

/* Elements arrive zero-extended to 64 bits; storing them back cuts to the width. */
static int64_t i_left(int64_t a, int64_t b)
{
	return (uint64_t)b < 64 ? (int64_t)((uint64_t)a << b) : 0;
}

static int64_t i_right(int64_t a, int64_t b)
{
	return (uint64_t)b < 64 ? (int64_t)((uint64_t)a >> b) : 0;
}

static tarn_err infer_shift(tarn_infer *c)
{
	return tarn_binary_infer(c, TARN_CLS_U);
}

static const tarn_attr_def shift_attr[] = {{"direction", TARN_ATTR_ENUM, TARN_ATTR_REQUIRED, 0, "LEFT|RIGHT"}};

static tarn_err eval_bit_shift(tarn_eval *e)
{
	static const tarn_binary_fn left = {NULL, i_left, NULL, false}, right = {NULL, i_right, NULL, false};
	return tarn_binary_run(e->in[0], e->in[1], &e->out[0], tarn_attr_word_is(e->node, 0, "LEFT") ? &left : &right);
}

const tarn_op_def tarn_op_bit_shift = {
	.name = "BitShift",
	.onnx_since = 11,
	.min_in = 2,
	.max_in = 2,
	.min_out = 1,
	.max_out = 1,
	.attr = shift_attr,
	.n_attr = 1,
	.flags = TARN_OP_ELEMENTWISE | TARN_OP_FLAT,
	.infer = infer_shift,
	.eval = eval_bit_shift,
	.cost = tarn_cost_out,
	.quant = {.weight = -1, .bias = -1},
};
