/* SPDX-License-Identifier: Apache-2.0 */
/* Scalar mathematics without parameters: one row of the list per operator. */
#include "ops/unary.h"

#include <math.h>

#include "ops/bounds.h"
#include "ops/grad.h"
#include "ops/ops.h"

tarn_err tarn_unary_infer(tarn_infer *c, unsigned set)
{
	TRY(tarn_infer_rank(c, 0, 0, -1));
	TRY(tarn_infer_class(c, 0, set));
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), tarn_infer_shape(c, 0));
	return TARN_OK;
}

static tarn_err infer_bool(tarn_infer *c, unsigned set)
{
	TRY(tarn_infer_rank(c, 0, 0, -1));
	TRY(tarn_infer_class(c, 0, set));
	tarn_infer_out(c, 0, TARN_BOOL, tarn_infer_shape(c, 0));
	return TARN_OK;
}

tarn_err tarn_unary_run(tarn_eval *e, tarn_unary_f64 f, tarn_unary_i64 i, const double *p)
{
	const tarn_tensor *x = e->in[0];
	tarn_tensor *y = &e->out[0];
	bool whole = i != NULL && !tarn_dtype_is_float(x->type);
	int64_t total = tarn_tensor_count(x);
	for (int64_t at = 0; at < total; at += TARN_RUN) {
		int n = (int)(total - at < TARN_RUN ? total - at : TARN_RUN);
		double v[TARN_RUN];
		int64_t w[TARN_RUN];
		if (whole) {
			tarn_elem_load_i64(x, at, 1, n, w);
			for (int j = 0; j < n; j++)
				w[j] = i(w[j]);
			tarn_elem_store_i64(y, at, n, w);
			continue;
		}
		tarn_elem_load_f64(x, at, 1, n, v);
		for (int j = 0; j < n; j++)
			v[j] = f(v[j], p);
		tarn_elem_store_f64(y, at, n, v);
	}
	return TARN_OK;
}

static int64_t i_abs(int64_t x)
{
	return x < 0 ? (int64_t)(0 - (uint64_t)x) : x;
}

static int64_t i_neg(int64_t x)
{
	return (int64_t)(0 - (uint64_t)x);
}

static int64_t i_sign(int64_t x)
{
	return (x > 0) - (x < 0);
}

static int64_t i_sign_u(int64_t x)
{
	return x != 0;
}

static int64_t i_same(int64_t x)
{
	return x;
}

static int64_t i_bitwise_not(int64_t x)
{
	return ~x;
}

static int64_t i_not(int64_t x)
{
	return x == 0;
}

/* FLOAT(word, Name, since, spelling, y of x, dy/dx of x and y). */
#define FLOAT_LIST(FLOAT) \
	FLOAT(ceil, Ceil, 1, "Ceiling", ceil(x), 0) \
	FLOAT(floor, Floor, 1, "Floor", floor(x), 0) \
	FLOAT(round, Round, 11, NULL, rint(x), 0) \
	FLOAT(reciprocal, Reciprocal, 1, NULL, 1 / x, -y * y) \
	FLOAT(sqrt, Sqrt, 1, "Sqrt", sqrt(x), 0.5 / y) \
	FLOAT(exp, Exp, 1, "Exp", exp(x), y) \
	FLOAT(log, Log, 1, "Log", log(x), 1 / x) \
	FLOAT(sin, Sin, 7, "Sin", sin(x), cos(x)) \
	FLOAT(cos, Cos, 7, "Cos", cos(x), -sin(x)) \
	FLOAT(tan, Tan, 7, "Tan", tan(x), 1 + y * y) \
	FLOAT(asin, Asin, 7, "Asin", asin(x), 1 / sqrt(1 - x * x)) \
	FLOAT(acos, Acos, 7, "Acos", acos(x), -1 / sqrt(1 - x * x)) \
	FLOAT(atan, Atan, 7, "Atan", atan(x), 1 / (1 + x * x)) \
	FLOAT(sinh, Sinh, 9, "Sinh", sinh(x), cosh(x)) \
	FLOAT(cosh, Cosh, 9, "Cosh", cosh(x), sinh(x)) \
	FLOAT(asinh, Asinh, 9, "Asinh", asinh(x), 1 / sqrt(x * x + 1)) \
	FLOAT(acosh, Acosh, 9, "Acosh", acosh(x), 1 / sqrt(x * x - 1)) \
	FLOAT(atanh, Atanh, 9, "Atanh", atanh(x), 1 / (1 - x * x)) \
	FLOAT(sigmoid, Sigmoid, 1, "Sigmoid", 1 / (1 + exp(-x)), y * (1 - y)) \
	FLOAT(tanh, Tanh, 1, "Tanh", tanh(x), 1 - y * y) \
	FLOAT(softplus, Softplus, 1, "SoftPlus", fmax(x, 0) + log1p(exp(-fabs(x))), 1 / (1 + exp(-x))) \
	FLOAT(softsign, Softsign, 1, "SoftSign", x / (1 + fabs(x)), 1 / ((1 + fabs(x)) * (1 + fabs(x)))) \
	FLOAT(hard_swish, HardSwish, 14, "HSwish", x *fmax(0, fmin(1, x / 6 + 0.5)), fabs(x) >= 3 ? x > 0 : x / 3 + 0.5)

static tarn_err infer_float(tarn_infer *c)
{
	return tarn_unary_infer(c, TARN_CLS_F);
}

#define ROW(word, Name, since, spelling, set_infer, set_bounds, slope, more) \
	const tarn_op_def tarn_op_##word = { \
		.name = #Name, \
		.onnx_since = since, \
		.ir = spelling, \
		.min_in = 1, \
		.max_in = 1, \
		.min_out = 1, \
		.max_out = 1, \
		.flags = TARN_OP_ELEMENTWISE | (more), \
		.infer = set_infer, \
		.bounds = set_bounds, \
		.eval = eval_##word, \
		.grad = slope, \
		.cost = tarn_cost_out, \
		.quant = {.weight = -1, .bias = -1}, \
	};

#define FLOAT(word, Name, since, spelling, result, derivative) \
	static double f_##word(double x, const double *p) \
	{ \
		(void)p; \
		return result; \
	} \
	static tarn_err eval_##word(tarn_eval *e) \
	{ \
		return tarn_unary_run(e, f_##word, NULL, NULL); \
	} \
	static double d_##word(double x, double y, const double *p) \
	{ \
		(void)x, (void)y, (void)p; \
		return derivative; \
	} \
	static tarn_err grad_##word(tarn_grad *g) \
	{ \
		return tarn_grad_unary(g, d_##word, NULL); \
	} \
	ROW(word, Name, since, spelling, infer_float, NULL, grad_##word, 0)
FLOAT_LIST(FLOAT)

/* ---- operators that also take integers, or give BOOL ---- */

static tarn_err infer_number(tarn_infer *c)
{
	return tarn_unary_infer(c, TARN_CLS_NUM);
}

static tarn_err infer_signed(tarn_infer *c)
{
	return tarn_unary_infer(c, TARN_CLS_F | TARN_CLS_S);
}

static tarn_err infer_whole(tarn_infer *c)
{
	return tarn_unary_infer(c, TARN_CLS_INT);
}

static tarn_err infer_logic(tarn_infer *c)
{
	return tarn_unary_infer(c, TARN_CLS_B);
}

static tarn_err infer_test(tarn_infer *c)
{
	return infer_bool(c, TARN_CLS_F);
}

static double f_abs(double x, const double *p)
{
	(void)p;
	return fabs(x);
}

static double f_neg(double x, const double *p)
{
	(void)p;
	return -x;
}

static double f_sign(double x, const double *p)
{
	(void)p;
	return isnan(x) ? x : (x > 0) - (x < 0);
}

static double f_erf(double x, const double *p)
{
	(void)p;
	return erf(x);
}

static double f_is_nan(double x, const double *p)
{
	(void)p;
	return isnan(x);
}

static double f_is_inf(double x, const double *p)
{
	return (isinf(x) && x < 0 && p[0] != 0) || (isinf(x) && x > 0 && p[1] != 0);
}

static tarn_err eval_abs(tarn_eval *e)
{
	return tarn_unary_run(e, f_abs, tarn_dtype_is_signed(e->in[0]->type) ? i_abs : i_same, NULL);
}

static tarn_err eval_neg(tarn_eval *e)
{
	return tarn_unary_run(e, f_neg, i_neg, NULL);
}

static tarn_err eval_sign(tarn_eval *e)
{
	return tarn_unary_run(e, f_sign, tarn_dtype_is_signed(e->in[0]->type) ? i_sign : i_sign_u, NULL);
}

static tarn_err eval_erf(tarn_eval *e)
{
	return tarn_unary_run(e, f_erf, NULL, NULL);
}

static tarn_err eval_is_nan(tarn_eval *e)
{
	return tarn_unary_run(e, f_is_nan, NULL, NULL);
}

static tarn_err eval_not(tarn_eval *e)
{
	return tarn_unary_run(e, f_abs, i_not, NULL);
}

static tarn_err eval_bitwise_not(tarn_eval *e)
{
	return tarn_unary_run(e, f_abs, i_bitwise_not, NULL);
}

static double d_abs(double x, double y, const double *p)
{
	(void)y, (void)p;
	return (x > 0) - (x < 0);
}

static double d_neg(double x, double y, const double *p)
{
	(void)x, (void)y, (void)p;
	return -1;
}

static double d_erf(double x, double y, const double *p)
{
	(void)y, (void)p;
	return M_2_SQRTPI * exp(-x * x);
}

static tarn_err grad_abs(tarn_grad *g)
{
	return tarn_grad_unary(g, d_abs, NULL);
}

static tarn_err grad_neg(tarn_grad *g)
{
	return tarn_grad_unary(g, d_neg, NULL);
}

static tarn_err grad_erf(tarn_grad *g)
{
	return tarn_grad_unary(g, d_erf, NULL);
}

static tarn_err grad_none(tarn_grad *g)
{
	return tarn_grad_unary(g, NULL, NULL);
}

static tarn_err bounds_neg(tarn_infer *c)
{
	tarn_dim at[TARN_KNOWN_MAX];
	int n = 0;
	int64_t v = 0;
	if (!tarn_bounds_read(c, 0, at, &n))
		return TARN_OK;
	for (int i = 0; i < n; i++)
		if (tarn_dim_is_int(at[i], &v))
			at[i] = tarn_dim_of_int(-v);
		else if (!tarn_bounds_op(c->syms, TARN_SYM_SUB, 0, at[i], &at[i]))
			return TARN_OK;
	return tarn_bounds_set(c, 0, at, n);
}

ROW(abs, Abs, 1, "Abs", infer_number, NULL, grad_abs, 0)
ROW(neg, Neg, 1, "Negative", infer_signed, bounds_neg, grad_neg, 0)
ROW(sign, Sign, 9, "Sign", infer_number, NULL, grad_none, 0)
ROW(erf, Erf, 9, "Erf", infer_number, NULL, grad_erf, 0)
ROW(is_nan, IsNaN, 9, "IsNaN", infer_test, NULL, NULL, TARN_OP_FLAT)
ROW(bitwise_not, BitwiseNot, 18, "BitwiseNot", infer_whole, NULL, NULL, TARN_OP_FLAT)

enum { DETECT_NEGATIVE, DETECT_POSITIVE };
static const tarn_attr_def is_inf_attr[] = {
	{"detect_negative", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 1, NULL},
	{"detect_positive", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 1, NULL},
};

static tarn_err eval_is_inf(tarn_eval *e)
{
	double p[2] = {(double)tarn_attr_i(e->node, DETECT_NEGATIVE), (double)tarn_attr_i(e->node, DETECT_POSITIVE)};
	return tarn_unary_run(e, f_is_inf, NULL, p);
}

const tarn_op_def tarn_op_is_inf = {
	.name = "IsInf",
	.onnx_since = 10,
	.min_in = 1,
	.max_in = 1,
	.min_out = 1,
	.max_out = 1,
	.attr = is_inf_attr,
	.n_attr = 2,
	.flags = TARN_OP_ELEMENTWISE | TARN_OP_FLAT,
	.infer = infer_test,
	.eval = eval_is_inf,
	.cost = tarn_cost_out,
	.quant = {.weight = -1, .bias = -1},
};

/* ---- Not, which conditions of If are made of ---- */

static tarn_err bounds_not(tarn_infer *c)
{
	int64_t at[TARN_KNOWN_MAX];
	tarn_dim out[TARN_KNOWN_MAX];
	int n = 0;
	if (!tarn_infer_ints(c, 0, at, TARN_KNOWN_MAX, &n))
		return TARN_OK;
	for (int i = 0; i < n; i++)
		out[i] = !at[i];
	return tarn_bounds_set(c, 0, out, n);
}

const tarn_op_def tarn_op_not = {
	.name = "Not",
	.onnx_since = 1,
	.ir = "LogicalNot",
	.min_in = 1,
	.max_in = 1,
	.min_out = 1,
	.max_out = 1,
	.flags = TARN_OP_ELEMENTWISE | TARN_OP_FLAT,
	.infer = infer_logic,
	.bounds = bounds_not,
	.eval = eval_not,
	.cost = tarn_cost_out,
	.quant = {.weight = -1, .bias = -1},
};
