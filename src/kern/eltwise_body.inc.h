/* SPDX-License-Identifier: Apache-2.0 */
/* Elementwise kernels of one level. */
#include <stdbool.h>

#include "kern/f32.h"
#include "kern/vmath.inc.h"

/* y[i] = expr of v, whole vectors and a masked tail. */
#define MAP(expr) \
	do { \
		size_t i_ = 0; \
		for (; i_ + VL <= n; i_ += VL) { \
			vf v = v_load(x + i_); \
			v_store(y + i_, (expr)); \
		} \
		if (i_ < n) { \
			vf v = v_load_n(x + i_, (int)(n - i_)); \
			v_store_n(y + i_, (expr), (int)(n - i_)); \
		} \
	} while (0)

/* Functions of a few arithmetic instructions. */
static void unary_simple(tarn_unary fn, float alpha, float beta, const float *x, float *y, size_t n)
{
	const vf zero = v_zero(), one = v_set1(1.0f), half = v_set1(0.5f), al = v_set1(alpha), be = v_set1(beta);
	switch (fn) {
	case TARN_UNARY_RELU:
		MAP(v_max(zero, v));
		break;
	case TARN_UNARY_CLAMP:
		MAP(v_min(be, v_max(al, v)));
		break;
	case TARN_UNARY_LEAKY:
		MAP(v_sel(v_lt(v, zero), v * al, v));
		break;
	case TARN_UNARY_HARDSIGMOID:
		MAP(v_min(one, v_max(zero, v_fma(v, al, be))));
		break;
	case TARN_UNARY_HARDSWISH:
		MAP(v * v_min(one, v_max(zero, v_fma(v, v_set1(1.0f / 6), half))));
		break;
	case TARN_UNARY_SQRT:
		MAP(v_sqrt(v));
		break;
	case TARN_UNARY_RECIPROCAL:
		MAP(one / v);
		break;
	case TARN_UNARY_ABS:
		MAP(v_abs(v));
		break;
	case TARN_UNARY_NEG:
		MAP((vf)((vi)v ^ ~0x7fffffff));
		break;
	case TARN_UNARY_SQUARE:
		MAP(v * v);
		break;
	case TARN_UNARY_SIGN:
		MAP(v_sel(v_lt(v, zero), v_set1(-1.0f), v_sel(v_lt(zero, v), one, v)));
		break;
	case TARN_UNARY_FLOOR:
		MAP(v_floor(v));
		break;
	case TARN_UNARY_CEIL:
		MAP(v_ceil(v));
		break;
	case TARN_UNARY_ROUND:
		MAP(v_rint(v));
		break;
	case TARN_UNARY_AFFINE:
		MAP(v_fma(v, al, be));
		break;
	case TARN_UNARY_SIN:
		for (size_t i = 0; i < n; i++)
			y[i] = sinf(x[i]);
		break;
	case TARN_UNARY_COS:
		for (size_t i = 0; i < n; i++)
			y[i] = cosf(x[i]);
		break;
	default:
		if (x != y)
			memmove(y, x, n * sizeof *y);
	}
}

/* Functions with an exponential or a logarithm, and all others through unary_simple. */
static void unary(tarn_unary fn, float alpha, float beta, const float *x, float *y, size_t n)
{
	const vf zero = v_zero(), one = v_set1(1.0f), al = v_set1(alpha), be = v_set1(beta);
	switch (fn) {
	case TARN_UNARY_SIGMOID:
		MAP(v_sigmoid(v));
		break;
	case TARN_UNARY_SILU:
		if (alpha == 0 || alpha == 1)
			MAP(v * v_sigmoid(v));
		else
			MAP(v * v_sigmoid(al * v));
		break;
	case TARN_UNARY_GELU:
		MAP(v_gelu(v));
		break;
	case TARN_UNARY_GELU_TANH: /* (1 + tanh z) / 2 = sigmoid(2 z) */
		MAP(v * v_sigmoid(v_set1(1.5957691216f) * v_fma(v_set1(0.044715f) * v * v, v, v)));
		break;
	case TARN_UNARY_TANH:
		MAP(v_tanh(v));
		break;
	case TARN_UNARY_ELU:
		MAP(v_sel(v_lt(v, zero), al * v_expm1(v), v));
		break;
	case TARN_UNARY_SELU:
		MAP(be * v_sel(v_lt(v, zero), al * v_expm1(v), v));
		break;
	case TARN_UNARY_SOFTPLUS:
		MAP(v_max(zero, v) + v_log1p(v_exp(zero - v_abs(v))));
		break;
	case TARN_UNARY_SOFTSIGN:
		MAP(v / (one + v_abs(v)));
		break;
	case TARN_UNARY_MISH: { /* tanh(log(1 + e)) = (e^2 + 2e) / (e^2 + 2e + 2); from x = 20 on it is 1 */
		const vf two = v_set1(2.0f), twenty = v_set1(20.0f);
#define MISH(e) (v * ((e) * ((e) + two)) * v_recip(v_fma((e), (e) + two, two)))
		MAP(v_sel(v_lt(v, twenty), MISH(v_exp(v_min(twenty, v))), v));
		break;
	}
	case TARN_UNARY_ERF:
		MAP(v_erf(v));
		break;
	case TARN_UNARY_EXP:
		MAP(v_exp(v));
		break;
	case TARN_UNARY_LOG:
		MAP(v_log(v));
		break;
	default:
		unary_simple(fn, alpha, beta, x, y, n);
	}
}

/* A NaN in either operand is the result, as numpy and ONNX have it; v_max and v_min look at b only. */
INLINE vf max_nan(vf a, vf b)
{
	return v_sel(v_eq(a, a), v_max(a, b), a);
}
INLINE vf min_nan(vf a, vf b)
{
	return v_sel(v_eq(a, a), v_min(a, b), a);
}

#define MAP2(second, second_tail, expr) \
	do { \
		size_t i_ = 0; \
		for (; i_ + VL <= n; i_ += VL) { \
			vf u = v_load(a + i_), w = (second); \
			v_store(y + i_, (expr)); \
		} \
		if (i_ < n) { \
			vf u = v_load_n(a + i_, (int)(n - i_)), w = (second_tail); \
			v_store_n(y + i_, (expr), (int)(n - i_)); \
		} \
	} while (0)

/* The switch over operations, around either kind of second operand. */
#define SWITCH(SECOND) \
	switch (op) { \
	case TARN_BINARY_ADD: \
		SECOND(u + w); \
		return; \
	case TARN_BINARY_SUB: \
		SECOND(u - w); \
		return; \
	case TARN_BINARY_MUL: \
		SECOND(u *w); \
		return; \
	case TARN_BINARY_DIV: \
		SECOND(u / w); \
		return; \
	case TARN_BINARY_MAX: \
		SECOND(max_nan(u, w)); \
		return; \
	case TARN_BINARY_MIN: \
		SECOND(min_nan(u, w)); \
		return; \
	case TARN_BINARY_PRELU: \
		SECOND(v_sel(v_lt(u, v_zero()), u *w, u)); \
		return; \
	default: \
		break; \
	}

static void binary_vv(tarn_binary op, const float *a, const float *b, float *y, size_t n)
{
#define SECOND_V(expr) MAP2(v_load(b + i_), v_load_n(b + i_, (int)(n - i_)), expr)
	SWITCH(SECOND_V)
	for (size_t i = 0; i < n; i++)
		y[i] = powf(a[i], b[i]);
}

static void binary_vs(tarn_binary op, const float *a, float b, bool reversed, float *y, size_t n)
{
	const vf s = v_set1(b), one = v_set1(1.0f);
#define SECOND_S(...) MAP2(s, s, (__VA_ARGS__))
	if (reversed && op == TARN_BINARY_SUB) {
		SECOND_S(w - u);
		return;
	}
	if (reversed && op == TARN_BINARY_DIV) {
		SECOND_S(w / u);
		return;
	}
	if (reversed && op == TARN_BINARY_PRELU) {
		SECOND_S(v_sel(v_lt(w, v_zero()), u * w, w));
		return;
	}
	SWITCH(SECOND_S)
	if (reversed) {
		for (size_t i = 0; i < n; i++)
			y[i] = powf(b, a[i]);
	} else if (b == 2.0f) {
		SECOND_S((void)w, u * u);
	} else if (b == 1.0f) {
		SECOND_S((void)w, u);
	} else if (b == 0.5f) { /* powf(-0, 0.5) = +0, powf(-inf, 0.5) = +inf */
		SECOND_S((void)w, v_sel(v_eq(u, v_set1(-INFINITY)), v_set1(INFINITY), v_sqrt(u + v_zero())));
	} else if (b == -1.0f) {
		SECOND_S((void)w, one / u);
	} else {
		for (size_t i = 0; i < n; i++)
			y[i] = powf(a[i], b);
	}
}
