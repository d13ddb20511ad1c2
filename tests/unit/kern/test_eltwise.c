/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include "kern/eltwise.h"

static double exact(tarn_unary fn, double a, double b, double x)
{
	switch (fn) {
	case TARN_UNARY_IDENTITY:
		return x;
	case TARN_UNARY_RELU:
		return x > 0 ? x : 0;
	case TARN_UNARY_CLAMP:
		return fmin(fmax(x, a), b);
	case TARN_UNARY_LEAKY:
		return x < 0 ? a * x : x;
	case TARN_UNARY_SIGMOID:
		return 1 / (1 + exp(-x));
	case TARN_UNARY_SILU:
		return x / (1 + exp(-a * x));
	case TARN_UNARY_HARDSIGMOID:
		return fmin(fmax(a * x + b, 0), 1);
	case TARN_UNARY_HARDSWISH:
		return x * fmin(fmax(x / 6 + 0.5, 0), 1);
	case TARN_UNARY_GELU:
		return x * erfc(-x * sqrt(0.5)) / 2;
	case TARN_UNARY_GELU_TANH:
		return x / (1 + exp(-2 * sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
	case TARN_UNARY_TANH:
		return tanh(x);
	case TARN_UNARY_ELU:
		return x < 0 ? a * expm1(x) : x;
	case TARN_UNARY_SELU:
		return b * (x < 0 ? a * expm1(x) : x);
	case TARN_UNARY_SOFTPLUS:
		return fmax(x, 0) + log1p(exp(-fabs(x)));
	case TARN_UNARY_SOFTSIGN:
		return x / (1 + fabs(x));
	case TARN_UNARY_MISH:
		return x * tanh(fmax(x, 0) + log1p(exp(-fabs(x))));
	case TARN_UNARY_ERF:
		return erf(x);
	case TARN_UNARY_EXP:
		return exp(x);
	case TARN_UNARY_LOG:
		return log(x);
	case TARN_UNARY_SQRT:
		return sqrt(x);
	case TARN_UNARY_RECIPROCAL:
		return 1 / x;
	case TARN_UNARY_ABS:
		return fabs(x);
	case TARN_UNARY_NEG:
		return -x;
	case TARN_UNARY_SQUARE:
		return x * x;
	case TARN_UNARY_SIGN:
		return x < 0 ? -1 : x > 0;
	case TARN_UNARY_FLOOR:
		return floor(x);
	case TARN_UNARY_CEIL:
		return ceil(x);
	case TARN_UNARY_ROUND:
		return nearbyint(x);
	case TARN_UNARY_AFFINE:
		return a * x + b;
	case TARN_UNARY_SIN:
		return sin(x);
	case TARN_UNARY_COS:
		return cos(x);
	default:
		return NAN;
	}
}

/* Where the formula loses digits by itself (a difference of near equals), the error is measured against this scale. */
static double scale_of(tarn_unary fn, double a, double b, double x, double y)
{
	switch (fn) {
	case TARN_UNARY_AFFINE:
	case TARN_UNARY_HARDSIGMOID:
		return fabs(a * x) + fabs(b);
	case TARN_UNARY_HARDSWISH:
		return fabs(x);
	/* exp(-z) of a large z multiplies the rounding of z by z itself */
	case TARN_UNARY_GELU:
	case TARN_UNARY_GELU_TANH:
		return x < -1 ? fabs(y) * x * x * x * x : fabs(y);
	case TARN_UNARY_SILU:
	case TARN_UNARY_MISH:
		return x < -2 ? fabs(y) * fabs(x) : fabs(y);
	case TARN_UNARY_SIGMOID:
		return x < -2 ? fabs(y) * fabs(x) : fabs(y);
	case TARN_UNARY_EXP:
		return fabs(x) > 8 ? fabs(y) * fabs(x) / 8 : fabs(y);
	case TARN_UNARY_SOFTPLUS:
		return x < -8 ? fabs(y) * fabs(x) / 8 : fabs(y);
	default:
		return fabs(y);
	}
}

static void check_unary(tarn_unary fn, float a, float b, float limit)
{
	enum { N = 4003 };
	float *x = random_floats(N), *y = marked_floats(N + 1);
	for (size_t i = 0; i < N; i++)
		x[i] *= i % 3 == 0 ? limit : i % 3 == 1 ? 1.0f : 0.01f;
	x[0] = 0;
	if (fn == TARN_UNARY_LOG || fn == TARN_UNARY_SQRT)
		for (size_t i = 0; i < N; i++)
			x[i] = i % 5 ? fabsf(x[i]) : fabsf(x[i]) * 1e-37f;
	tarn_unary_f32(fn, a, b, x, y, N);
	for (size_t i = 0; i < N; i++) {
		double want = exact(fn, (double)a, (double)b, (double)x[i]);
		double tolerance = 1e-6 * scale_of(fn, (double)a, (double)b, (double)x[i], want) + 2e-45;
		char what[64];
		snprintf(what, sizeof what, "unary %d of %.9g", (int)fn, (double)x[i]);
		assert_near(y[i], want, tolerance, what, i);
	}
	assert_true(y[N] == UNTOUCHED);
	memcpy(y, x, N * sizeof *y); /* in place, the same bits */
	float *z = marked_floats(N);
	tarn_unary_f32(fn, a, b, x, z, N);
	tarn_unary_f32(fn, a, b, y, y, N);
	assert_memory_equal(y, z, N * sizeof *y);
	free(x), free(y), free(z);
}

static void unary_functions_are_accurate(void **state)
{
	(void)state;
	AT_EVERY_LEVEL({
		for (int fn = 0; fn < TARN_UNARY_COUNT; fn++) {
			float a = 1, b = 0, limit = fn == TARN_UNARY_EXP ? 87 : 20;
			if (fn == TARN_UNARY_CLAMP)
				a = -0.5f, b = 6;
			if (fn == TARN_UNARY_LEAKY || fn == TARN_UNARY_ELU)
				a = 0.1f;
			if (fn == TARN_UNARY_SELU || fn == TARN_UNARY_HARDSIGMOID || fn == TARN_UNARY_AFFINE)
				a = 0.3f, b = 1.05f;
			if (fn == TARN_UNARY_GELU || fn == TARN_UNARY_GELU_TANH)
				limit = 8;
			check_unary((tarn_unary)fn, a, b, limit);
		}
		check_unary(TARN_UNARY_SILU, 1.702f, 0, 20);
	});
}

/* Infinities, zeros, NaN, the ends of the range, and every length of tail. */
static void unary_special_values(void **state)
{
	(void)state;
	static const struct {
		tarn_unary fn;
		float x, want;
	} rows[] = {
		{TARN_UNARY_EXP, INFINITY, INFINITY},
		{TARN_UNARY_EXP, -INFINITY, 0},
		{TARN_UNARY_EXP, 89, INFINITY},
		{TARN_UNARY_EXP, -200, 0},
		{TARN_UNARY_EXP, -103, 1.40129846e-45f},
		{TARN_UNARY_LOG, 0, -INFINITY},
		{TARN_UNARY_LOG, -1, NAN},
		{TARN_UNARY_LOG, INFINITY, INFINITY},
		{TARN_UNARY_LOG, 1, 0},
		{TARN_UNARY_TANH, INFINITY, 1},
		{TARN_UNARY_TANH, -INFINITY, -1},
		{TARN_UNARY_ERF, INFINITY, 1},
		{TARN_UNARY_ERF, -INFINITY, -1},
		{TARN_UNARY_SIGMOID, -INFINITY, 0},
		{TARN_UNARY_SIGMOID, INFINITY, 1},
		{TARN_UNARY_SOFTPLUS, INFINITY, INFINITY},
		{TARN_UNARY_ELU, -INFINITY, -1},
		{TARN_UNARY_GELU, INFINITY, INFINITY},
		{TARN_UNARY_MISH, 100, 100},
		{TARN_UNARY_ROUND, 0.5f, 0},
		{TARN_UNARY_ROUND, 1.5f, 2},
		{TARN_UNARY_ROUND, -2.5f, -2},
		{TARN_UNARY_ROUND, 1e10f, 1e10f},
		{TARN_UNARY_ROUND, INFINITY, INFINITY},
		{TARN_UNARY_FLOOR, -0.5f, -1},
		{TARN_UNARY_RELU, -INFINITY, 0},
		{TARN_UNARY_RECIPROCAL, 0, INFINITY},
		{TARN_UNARY_SQRT, -1, NAN},
	};
	AT_EVERY_LEVEL({
		for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
			float y;
			tarn_unary_f32(rows[i].fn, 1, 0, &rows[i].x, &y, 1);
			assert_near(y, (double)rows[i].want, 0, "special value", i);
		}
		for (int fn = 0; fn < TARN_UNARY_COUNT; fn++) {
			float x = NAN, y = 0;
			tarn_unary_f32((tarn_unary)fn, 1, 2, &x, &y, 1);
			assert_true(isnan(y));
		}
		for (size_t n = 0; n < 40; n++) {
			float x[40], y[41];
			for (size_t i = 0; i < 40; i++)
				x[i] = (float)i, y[i] = UNTOUCHED;
			tarn_unary_f32(TARN_UNARY_NEG, 0, 0, x, y, n);
			for (size_t i = 0; i < 40; i++)
				assert_true(y[i] == (i < n ? -(float)i : UNTOUCHED));
		}
	});
}

static double exact2(int op, double a, double b)
{
	switch (op) {
	case TARN_BINARY_ADD:
		return a + b;
	case TARN_BINARY_SUB:
		return a - b;
	case TARN_BINARY_MUL:
		return a * b;
	case TARN_BINARY_DIV:
		return a / b;
	case TARN_BINARY_MAX:
		return isnan(a) || isnan(b) ? NAN : fmax(a, b);
	case TARN_BINARY_MIN:
		return isnan(a) || isnan(b) ? NAN : fmin(a, b);
	case TARN_BINARY_PRELU:
		return a < 0 ? a * b : a;
	default:
		return pow(a, b);
	}
}

static void check2(int op, float a, float b, float got, const char *what, size_t at)
{
	double want = exact2(op, (double)a, (double)b);
	assert_near(got, want, 2e-7 * fabs(want), what, at);
}

static void binary_functions_in_every_form(void **state)
{
	(void)state;
	AT_EVERY_LEVEL({
		for (int op = 0; op < TARN_BINARY_COUNT; op++) {
			for (int round = 0; round < 12; round++) {
				size_t rows = (size_t)rng_int(1, 30), cols = (size_t)rng_int(1, round % 2 ? 9 : 90),
				       n = rows * cols;
				bool rev = round & 2;
				float *a = random_floats(n), *b = random_floats(n), *y = marked_floats(n);
				if (n > 3 && op != TARN_BINARY_POW)
					a[1] = NAN, b[2] = NAN;
				tarn_binary_f32((tarn_binary)op, a, b, y, n);
				for (size_t i = 0; i < n; i++)
					check2(op, a[i], b[i], y[i], "binary", i);
				tarn_binary_scalar_f32((tarn_binary)op, a, b[0], rev, y, n);
				for (size_t i = 0; i < n; i++)
					check2(op, rev ? b[0] : a[i], rev ? a[i] : b[0], y[i], "binary scalar", i);
				tarn_binary_row_f32((tarn_binary)op, a, b, rev, y, rows, cols);
				for (size_t i = 0; i < n; i++)
					check2(op, rev ? b[i % cols] : a[i], rev ? a[i] : b[i % cols], y[i], "binary row", i);
				tarn_binary_col_f32((tarn_binary)op, a, b, rev, y, rows, cols);
				for (size_t i = 0; i < n; i++)
					check2(op, rev ? b[i / cols] : a[i], rev ? a[i] : b[i / cols], y[i], "binary column",
					       i);
				free(a), free(b), free(y);
			}
		}
		static const float exponents[] = {2, 1, 0.5f, -1, 3, -0.5f, 0};
		for (size_t e = 0; e < 7; e++) {
			float x[6] = {0.25f, 2, -3, -INFINITY, -0.0f, 1e-3f}, y[6];
			tarn_binary_scalar_f32(TARN_BINARY_POW, x, exponents[e], false, y, 6);
			for (size_t i = 0; i < 6; i++)
				check2(TARN_BINARY_POW, x[i], exponents[e], y[i], "power", e);
		}
	});
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(unary_functions_are_accurate),
					   cmocka_unit_test(unary_special_values),
					   cmocka_unit_test(binary_functions_in_every_form)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
