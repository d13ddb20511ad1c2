/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Elementwise functions over contiguous f32 arrays. Outputs may be the same array as an input (in place), not a shifted
 * overlap. Thread-safe; a caller splits work by splitting ranges. NaN goes through every function unless noted.
 */
#ifndef TARN_KERN_ELTWISE_H
#define TARN_KERN_ELTWISE_H

#include <stdbool.h>
#include <stddef.h>

/* Relative error against the exact value: at most 1e-6 (see tests; results below 1e-37 may keep fewer digits); alpha and beta
 * as the rows say. */
typedef enum tarn_unary {
	TARN_UNARY_IDENTITY,
	TARN_UNARY_RELU,        /* max(x, 0) */
	TARN_UNARY_CLAMP,       /* min(max(x, alpha), beta) */
	TARN_UNARY_LEAKY,       /* x < 0 ? alpha * x : x */
	TARN_UNARY_SIGMOID,     /* 1 / (1 + exp(-x)) */
	TARN_UNARY_SILU,        /* x * sigmoid(alpha * x); alpha 0 means 1 */
	TARN_UNARY_HARDSIGMOID, /* min(max(alpha * x + beta, 0), 1) */
	TARN_UNARY_HARDSWISH,   /* x * min(max(x / 6 + 0.5, 0), 1) */
	TARN_UNARY_GELU,        /* x * (1 + erf(x / sqrt 2)) / 2 */
	TARN_UNARY_GELU_TANH,   /* x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2 */
	TARN_UNARY_TANH,
	TARN_UNARY_ELU,      /* x < 0 ? alpha * (exp(x) - 1) : x */
	TARN_UNARY_SELU,     /* beta * elu(x; alpha) */
	TARN_UNARY_SOFTPLUS, /* log(1 + exp(x)) */
	TARN_UNARY_SOFTSIGN, /* x / (1 + |x|) */
	TARN_UNARY_MISH,     /* x * tanh(softplus(x)) */
	TARN_UNARY_ERF,
	TARN_UNARY_EXP,
	TARN_UNARY_LOG,
	TARN_UNARY_SQRT,
	TARN_UNARY_RECIPROCAL,
	TARN_UNARY_ABS,
	TARN_UNARY_NEG,
	TARN_UNARY_SQUARE,
	TARN_UNARY_SIGN, /* -1, 0, 1 */
	TARN_UNARY_FLOOR,
	TARN_UNARY_CEIL,
	TARN_UNARY_ROUND,  /* to nearest, ties to even */
	TARN_UNARY_AFFINE, /* alpha * x + beta */
	TARN_UNARY_SIN,    /* libm, one element at a time */
	TARN_UNARY_COS,    /* libm, one element at a time */
	TARN_UNARY_COUNT
} tarn_unary;

/* y[i] = fn(x[i]) for i < n. */
void tarn_unary_f32(tarn_unary fn, float alpha, float beta, const float *x, float *y, size_t n);

typedef enum tarn_binary {
	TARN_BINARY_ADD,
	TARN_BINARY_SUB,
	TARN_BINARY_MUL,
	TARN_BINARY_DIV,
	TARN_BINARY_MAX,
	TARN_BINARY_MIN,
	TARN_BINARY_PRELU, /* a < 0 ? a * b : a */
	TARN_BINARY_POW,   /* libm powf; exponents 2, 1, 0.5, -1 given as a scalar are computed directly */
	TARN_BINARY_COUNT
} tarn_binary;

/* y[i] = a[i] op b[i] for i < n. */
void tarn_binary_f32(tarn_binary op, const float *a, const float *b, float *y, size_t n);
/* y[i] = a[i] op b, or b op a[i] with `reversed`. */
void tarn_binary_scalar_f32(tarn_binary op, const float *a, float b, bool reversed, float *y, size_t n);
/* Rows: a and y are [rows][cols], b is [cols] and is used for every row (a channels-last bias, say). reversed as above. */
void tarn_binary_row_f32(tarn_binary op, const float *a, const float *b, bool reversed, float *y, size_t rows, size_t cols);
/* Columns: a and y are [rows][cols], b is [rows], one value for each row. reversed as above. */
void tarn_binary_col_f32(tarn_binary op, const float *a, const float *b, bool reversed, float *y, size_t rows, size_t cols);

#endif
