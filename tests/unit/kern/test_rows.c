/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax, normalisations and reductions. */
#include "check.h"

#include "kern/norm.h"
#include "kern/reduce.h"
#include "kern/softmax.h"

static void check_softmax(size_t outer, size_t axis, size_t inner, float scale, bool log_form)
{
	size_t n = outer * axis * inner;
	float *x = random_floats(n), *y = marked_floats(n + 1);
	for (size_t i = 0; i < n; i++)
		x[i] *= 30;
	tarn_softmax_f32(x, y, outer, axis, inner, scale, log_form);
	for (size_t o = 0; o < outer; o++) {
		for (size_t j = 0; j < inner; j++) {
			const float *p = x + o * axis * inner + j;
			double max = -INFINITY, sum = 0;
			for (size_t k = 0; k < axis; k++)
				max = fmax(max, (double)scale * (double)p[k * inner]);
			for (size_t k = 0; k < axis; k++)
				sum += exp((double)scale * (double)p[k * inner] - max);
			for (size_t k = 0; k < axis; k++) {
				double v = (double)scale * (double)p[k * inner] - max,
				       want = log_form ? v - log(sum) : exp(v) / sum;
				/* the argument is rounded to 24 bits: its error is |v| 2^-24 */
				assert_near(y[(o * axis + k) * inner + j], want, log_form ? 1e-5 : 6e-6 * want + 1e-44,
					    "softmax", k);
			}
		}
	}
	assert_true(y[n] == UNTOUCHED);
	tarn_softmax_f32(x, x, outer, axis, inner, scale, log_form);
	assert_memory_equal(x, y, n * sizeof *x);
	free(x), free(y);
}

static void softmax_over_any_axis(void **state)
{
	(void)state;
	AT_EVERY_LEVEL({
		for (int i = 0; i < 30; i++)
			check_softmax((size_t)rng_int(1, 3), (size_t)rng_int(1, 80), i % 2 ? 1 : (size_t)rng_int(1, 40),
				      i % 3 ? 1 : 0.125f, i % 5 == 0);
		check_softmax(1, 5000, 1, 1, false);
		float x[3] = {-INFINITY, 0, 0}, y[3];
		tarn_softmax_f32(x, y, 1, 3, 1, 1, false);
		assert_true(y[0] == 0 && y[1] == 0.5f && y[2] == 0.5f);
		float nan[40] = {0};
		nan[7] = NAN;
		tarn_softmax_f32(nan, nan, 1, 40, 1, 1, false);
		for (size_t i = 0; i < 40; i++)
			assert_true(isnan(nan[i]));
	});
}

static void check_norm(size_t rows, size_t cols, bool affine, float offset)
{
	float *x = random_floats(rows * cols), *g = random_floats(cols), *b = random_floats(cols),
	      *y = marked_floats(rows * cols + 1);
	for (size_t i = 0; i < rows * cols; i++)
		x[i] += offset;
	tarn_layernorm_f32(x, y, rows, cols, affine ? g : NULL, affine ? b : NULL, 1e-5f);
	for (size_t r = 0; r < rows; r++) {
		double mean = 0, var = 0;
		for (size_t j = 0; j < cols; j++)
			mean += (double)x[r * cols + j] / (double)cols;
		for (size_t j = 0; j < cols; j++)
			var += ((double)x[r * cols + j] - mean) * ((double)x[r * cols + j] - mean) / (double)cols;
		for (size_t j = 0; j < cols; j++) {
			double v = ((double)x[r * cols + j] - mean) / sqrt(var + (double)1e-5f);
			v = affine ? v * (double)g[j] + (double)b[j] : v;
			assert_near(y[r * cols + j], v, 1e-5 * (1 + fabs((double)offset) / 8), "norm", j);
		}
	}
	assert_true(y[rows * cols] == UNTOUCHED);
	free(x), free(g), free(b), free(y);
}

static void norms_of_rows(void **state)
{
	(void)state;
	AT_EVERY_LEVEL({
		for (int i = 0; i < 20; i++)
			check_norm((size_t)rng_int(1, 4), (size_t)rng_int(2, 100), i & 1, 0);
		check_norm(2, 3000, true, 10); /* a large mean must not eat the variance */
	});
}

static double step(tarn_reduce op, double acc, double v)
{
	switch (op) {
	case TARN_REDUCE_MAX:
		return v > acc ? v : acc;
	case TARN_REDUCE_MIN:
		return v < acc ? v : acc;
	case TARN_REDUCE_PROD:
		return acc * v;
	case TARN_REDUCE_SUM_SQUARE:
	case TARN_REDUCE_L2:
		return acc + v * v;
	case TARN_REDUCE_L1:
		return acc + fabs(v);
	default:
		return acc + v;
	}
}

static void check_reduce(tarn_reduce op, size_t outer, size_t axis, size_t inner)
{
	float *x = random_floats(outer * axis * inner), *y = marked_floats(outer * inner + 1);
	for (size_t i = 0; op == TARN_REDUCE_PROD && i < outer * axis * inner; i++)
		x[i] = 1 + x[i] / 16;
	tarn_reduce_f32(op, x, y, outer, axis, inner);
	for (size_t i = 0; i < outer * inner; i++) {
		double acc = op == TARN_REDUCE_MAX   ? -INFINITY
			     : op == TARN_REDUCE_MIN ? INFINITY
						     : op == TARN_REDUCE_PROD,
		       size = 0;
		for (size_t k = 0; k < axis; k++) {
			double v = (double)x[(i / inner * axis + k) * inner + i % inner];
			acc = step(op, acc, v);
			size += fabs(v);
		}
		acc = op == TARN_REDUCE_MEAN ? acc / (double)axis : op == TARN_REDUCE_L2 ? sqrt(acc) : acc;
		size = op == TARN_REDUCE_MEAN ? size / (double)axis : op == TARN_REDUCE_PROD ? 20 * fabs(acc) : size;
		bool exact = op == TARN_REDUCE_MAX || op == TARN_REDUCE_MIN;
		assert_near(y[i], acc, exact ? 0 : 1e-6 * size, "reduce", i);
	}
	assert_true(y[outer * inner] == UNTOUCHED);
	free(x), free(y);
}

static void reductions_over_any_axis(void **state)
{
	(void)state;
	AT_EVERY_LEVEL({
		for (int op = 0; op < TARN_REDUCE_COUNT; op++) {
			for (int i = 0; i < 12; i++)
				check_reduce((tarn_reduce)op, (size_t)rng_int(1, 3), (size_t)rng_int(1, 90),
					     i % 2 ? 1 : (size_t)rng_int(1, 40));
			check_reduce((tarn_reduce)op, 1, op == TARN_REDUCE_PROD ? 300 : 20000, 1);
			check_reduce((tarn_reduce)op, 1, op == TARN_REDUCE_PROD ? 300 : 5000, 3);
		}
		float x[40], y[2];
		for (size_t i = 0; i < 40; i++)
			x[i] = (float)i;
		x[3] = NAN;
		tarn_reduce_f32(TARN_REDUCE_MAX, x, y, 1, 40, 1);
		assert_true(isnan(y[0]));
		tarn_reduce_f32(TARN_REDUCE_MIN, x, y, 1, 20, 2);
		assert_true(y[0] == 0 && isnan(y[1]));
	});
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(softmax_over_any_axis), cmocka_unit_test(norms_of_rows),
					   cmocka_unit_test(reductions_over_any_axis)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
