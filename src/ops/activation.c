/* SPDX-License-Identifier: Apache-2.0 */
/* Activations with parameters from attributes, Relu, and the two that newer opsets or OpenVINO have (decomposed for opset 17).
 */
#include "ops/unary.h"

#include <math.h>

#include "ops/build.h"
#include "ops/grad.h"
#include "ops/ops.h"

enum { ALPHA, BETA };

static tarn_err infer_float(tarn_infer *c)
{
	return tarn_unary_infer(c, TARN_CLS_F);
}

static tarn_err infer_signed(tarn_infer *c)
{
	return tarn_unary_infer(c, TARN_CLS_F | TARN_CLS_S);
}

static tarn_err run(tarn_eval *e, tarn_unary_f64 f)
{
	double p[2] = {0};
	for (int i = 0; i < e->node->op->n_attr && i < 2; i++)
		p[i] = tarn_attr_f(e->node, i);
	return tarn_unary_run(e, f, NULL, p);
}

static tarn_err back(tarn_grad *g, tarn_grad_slope slope)
{
	double p[2] = {0};
	for (int i = 0; i < g->node->op->n_attr && i < 2; i++)
		p[i] = tarn_attr_f(g->node, i);
	return tarn_grad_unary(g, slope, p);
}

/* SLOPE(word, dy/dx of x, y and the parameters) */
#define SLOPE(word, derivative) \
	static double d_##word(double x, double y, const double *p) \
	{ \
		(void)x, (void)y, (void)p; \
		return derivative; \
	} \
	static tarn_err grad_##word(tarn_grad *g) \
	{ \
		return back(g, d_##word); \
	}

SLOPE(leaky_relu, x < 0 ? p[ALPHA] : 1)
SLOPE(elu, x < 0 ? p[ALPHA] * exp(x) : 1)
SLOPE(celu, x < 0 ? exp(x / p[ALPHA]) : 1)
SLOPE(selu, p[BETA] * (x > 0 ? 1 : p[ALPHA] * exp(x)))
SLOPE(thresholded_relu, x > p[ALPHA])
SLOPE(hard_sigmoid, y > 0 && y < 1 ? p[ALPHA] : 0)
SLOPE(shrink, fabs(x) > p[1])
SLOPE(relu, x > 0)

static double f_leaky_relu(double x, const double *p)
{
	return x < 0 ? p[ALPHA] * x : x;
}

static double f_elu(double x, const double *p)
{
	return x < 0 ? p[ALPHA] * expm1(x) : x;
}

static double f_celu(double x, const double *p)
{
	return x < 0 ? p[ALPHA] * expm1(x / p[ALPHA]) : x;
}

static double f_selu(double x, const double *p)
{
	return p[BETA] * (x > 0 ? x : p[ALPHA] * expm1(x));
}

static double f_thresholded_relu(double x, const double *p)
{
	return x > p[ALPHA] || isnan(x) ? x : 0;
}

static double f_hard_sigmoid(double x, const double *p)
{
	double v = p[ALPHA] * x + p[BETA];
	return v < 0 ? 0 : v > 1 ? 1 : v;
}

/* Shrink's attributes stand as (bias, lambd). */
static double f_shrink(double x, const double *p)
{
	return x < -p[1] ? x + p[0] : x > p[1] ? x - p[0] : isnan(x) ? x : 0;
}

#define ATTR_F(name, def) \
	{ \
		name, TARN_ATTR_FLOAT, TARN_ATTR_DEFAULT, def, NULL \
	}
/* ONNX states the defaults of Selu as floats; these are the floats' exact values. */
#define SELU_ALPHA 1.67326319217681884765625
#define SELU_GAMMA 1.05070102214813232421875

static const tarn_attr_def leaky_relu_attr[] = {ATTR_F("alpha", 0.01f)};
static const tarn_attr_def elu_attr[] = {ATTR_F("alpha", 1)};
static const tarn_attr_def selu_attr[] = {ATTR_F("alpha", SELU_ALPHA), ATTR_F("gamma", SELU_GAMMA)};
static const tarn_attr_def hard_sigmoid_attr[] = {ATTR_F("alpha", 0.2f), ATTR_F("beta", 0.5)};
static const tarn_attr_def shrink_attr[] = {ATTR_F("bias", 0), ATTR_F("lambd", 0.5)};
static const tarn_attr_def swish_attr[] = {ATTR_F("beta", 1)};

#define ROW(word, Name, since, spelling, attrs, count) \
	static tarn_err eval_##word(tarn_eval *e) \
	{ \
		return run(e, f_##word); \
	} \
	const tarn_op_def tarn_op_##word = { \
		.name = #Name, \
		.onnx_since = since, \
		.ir = spelling, \
		.min_in = 1, \
		.max_in = 1, \
		.min_out = 1, \
		.max_out = 1, \
		.attr = attrs, \
		.n_attr = count, \
		.flags = TARN_OP_ELEMENTWISE, \
		.infer = infer_float, \
		.eval = eval_##word, \
		.grad = grad_##word, \
		.cost = tarn_cost_out, \
		.quant = {.weight = -1, .bias = -1}, \
	};

ROW(leaky_relu, LeakyRelu, 1, NULL, leaky_relu_attr, 1)
ROW(elu, Elu, 1, "Elu", elu_attr, 1)
ROW(celu, Celu, 12, NULL, elu_attr, 1)
ROW(selu, Selu, 1, NULL, selu_attr, 2)
ROW(thresholded_relu, ThresholdedRelu, 10, NULL, elu_attr, 1)
ROW(hard_sigmoid, HardSigmoid, 1, NULL, hard_sigmoid_attr, 2)
ROW(shrink, Shrink, 9, NULL, shrink_attr, 2)

static double f_relu(double x, const double *p)
{
	(void)p;
	return x < 0 ? 0 : x;
}

static int64_t i_relu(int64_t x)
{
	return x < 0 ? 0 : x;
}

static tarn_err eval_relu(tarn_eval *e)
{
	return tarn_unary_run(e, f_relu, i_relu, NULL);
}

const tarn_op_def tarn_op_relu = {
	.name = "Relu",
	.onnx_since = 1,
	.ir = "ReLU",
	.min_in = 1,
	.max_in = 1,
	.min_out = 1,
	.max_out = 1,
	.flags = TARN_OP_ELEMENTWISE,
	.infer = infer_signed,
	.eval = eval_relu,
	.grad = grad_relu,
	.cost = tarn_cost_out,
	.quant = {.weight = -1, .bias = -1},
};

/* ---- Mish, Swish, Gelu: not in opset 17 ---- */

static double f_mish(double x, const double *p)
{
	(void)p;
	return x * tanh(fmax(x, 0) + log1p(exp(-fabs(x))));
}

static double f_swish(double x, const double *p)
{
	return isinf(x) && x < 0 ? 0 : x / (1 + exp(-p[0] * x));
}

static double f_gelu(double x, const double *p)
{
	(void)p;
	return isinf(x) && x < 0 ? 0 : 0.5 * x * (1 + erf(x * M_SQRT1_2));
}

static double f_gelu_tanh(double x, const double *p)
{
	(void)p;
	return isinf(x) && x < 0 ? 0 : 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

static double sigmoid(double x)
{
	return 1 / (1 + exp(-x));
}

static double t_softplus(double x)
{
	return tanh(fmax(x, 0) + log1p(exp(-fabs(x))));
}

SLOPE(mish, t_softplus(x) + x * (1 - t_softplus(x) * t_softplus(x)) * sigmoid(x))
SLOPE(swish, sigmoid(p[0] * x) * (1 + p[0] * x * (1 - sigmoid(p[0] * x))))

static double d_gelu(double x, double y, const double *p)
{
	(void)y, (void)p;
	return 0.5 * (1 + erf(x * M_SQRT1_2)) + x * exp(-x * x / 2) / sqrt(2 * M_PI);
}

static double d_gelu_tanh(double x, double y, const double *p)
{
	(void)y, (void)p;
	double k = sqrt(2 / M_PI), t = tanh(k * (x + 0.044715 * x * x * x));
	return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * k * (1 + 3 * 0.044715 * x * x);
}

static tarn_err grad_gelu(tarn_grad *g)
{
	return tarn_grad_unary(g, tarn_attr_word_is(g->node, 0, "tanh") ? d_gelu_tanh : d_gelu, NULL);
}

static tarn_err eval_mish(tarn_eval *e)
{
	return tarn_unary_run(e, f_mish, NULL, NULL);
}

static tarn_err eval_swish(tarn_eval *e)
{
	return run(e, f_swish);
}

static tarn_err eval_gelu(tarn_eval *e)
{
	return tarn_unary_run(e, tarn_attr_word_is(e->node, 0, "tanh") ? f_gelu_tanh : f_gelu, NULL, NULL);
}

/* x * tanh(softplus(x)) */
static tarn_err decompose_mish(tarn_graph *g, tarn_node *n)
{
	tarn_build b = {.g = g, .at = n};
	tarn_value *x = n->in[0];
	tarn_value *y =
		tarn_build_2(&b, &tarn_op_mul, x, tarn_build_1(&b, &tarn_op_tanh, tarn_build_1(&b, &tarn_op_softplus, x)));
	return tarn_build_done(&b, y);
}

/* x * sigmoid(beta * x) */
static tarn_err decompose_swish(tarn_graph *g, tarn_node *n)
{
	tarn_build b = {.g = g, .at = n};
	tarn_value *x = n->in[0], *s = x;
	double beta = tarn_attr_f(n, 0);
	if (beta != 1)
		s = tarn_build_2(&b, &tarn_op_mul, x, tarn_build_scalar(&b, x->type, beta));
	return tarn_build_done(&b, tarn_build_2(&b, &tarn_op_mul, x, tarn_build_1(&b, &tarn_op_sigmoid, s)));
}

/* 0.5 x (1 + erf(x / sqrt 2)), or with tanh(sqrt(2 / pi) (x + 0.044715 x^3)) in place of erf. */
static tarn_err decompose_gelu(tarn_graph *g, tarn_node *n)
{
	tarn_build b = {.g = g, .at = n};
	tarn_value *x = n->in[0], *t;
	tarn_dtype type = x->type;
	if (tarn_attr_word_is(n, 0, "tanh")) {
		t = tarn_build_2(&b, &tarn_op_mul, x, tarn_build_2(&b, &tarn_op_mul, x, x));
		t = tarn_build_2(&b, &tarn_op_mul, t, tarn_build_scalar(&b, type, 0.044715));
		t = tarn_build_2(&b, &tarn_op_add, x, t);
		t = tarn_build_2(&b, &tarn_op_mul, t, tarn_build_scalar(&b, type, sqrt(2 / M_PI)));
		t = tarn_build_1(&b, &tarn_op_tanh, t);
	} else {
		t = tarn_build_2(&b, &tarn_op_mul, x, tarn_build_scalar(&b, type, M_SQRT1_2));
		t = tarn_build_1(&b, &tarn_op_erf, t);
	}
	t = tarn_build_2(&b, &tarn_op_add, t, tarn_build_scalar(&b, type, 1));
	t = tarn_build_2(&b, &tarn_op_mul, t, x);
	t = tarn_build_2(&b, &tarn_op_mul, t, tarn_build_scalar(&b, type, 0.5));
	return tarn_build_done(&b, t);
}

static const tarn_attr_def gelu_attr[] = {{"approximate", TARN_ATTR_ENUM, TARN_ATTR_DEFAULT, 0, "none|tanh"}};

#define NEWER(word, Name, since, spelling, attrs, count) \
	const tarn_op_def tarn_op_##word = { \
		.name = #Name, \
		.onnx_since = since, \
		.ir = spelling, \
		.min_in = 1, \
		.max_in = 1, \
		.min_out = 1, \
		.max_out = 1, \
		.attr = attrs, \
		.n_attr = count, \
		.flags = TARN_OP_ELEMENTWISE, \
		.infer = infer_float, \
		.eval = eval_##word, \
		.decompose = decompose_##word, \
		.grad = grad_##word, \
		.cost = tarn_cost_out, \
		.quant = {.weight = -1, .bias = -1}, \
	};

NEWER(mish, Mish, 18, "Mish", NULL, 0)
NEWER(swish, Swish, 0, NULL, swish_attr, 1)
NEWER(gelu, Gelu, 20, NULL, gelu_attr, 1)
