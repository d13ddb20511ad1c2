/* SPDX-License-Identifier: Apache-2.0 */
/* Products with integer weights against the formula in double. */
#include "check.h"

#include "kern/wgemm.h"

typedef struct wgemm_case {
	size_t m, n, k, group;
	int bits;
	bool transposed, bias, zero, residual;
	tarn_epilogue epilogue;
} wgemm_case;

static double activation(const tarn_epilogue *e, double v)
{
	return e->act == TARN_UNARY_RELU ? (v > 0 ? v : 0) : e->act == TARN_UNARY_SILU ? v / (1 + exp(-v)) : v;
}

static double want(const wgemm_case *t, const tarn_wgemm_weights *w, const float *a, const float *res, size_t j, double *size)
{
	double v = w->bias ? (double)w->bias[j] : 0, r = t->residual ? (double)res[j] : 0;
	*size = fabs(v) + 1;
	for (size_t k = 0; k < t->k; k++) {
		size_t g = k / t->group * t->n + j;
		double code = w->code[t->transposed ? j * t->k + k : k * t->n + j] - (w->zero ? (double)w->zero[g] : 0);
		v += (double)a[k] * code * (double)w->scale[g];
		*size += fabs((double)a[k] * code * (double)w->scale[g]);
		if (w->zero) /* the zero point is taken off the sum */
			*size += fabs((double)a[k] * (double)w->zero[g] * (double)w->scale[g]);
	}
	return t->epilogue.residual_after ? activation(&t->epilogue, v) + r : activation(&t->epilogue, v + r);
}

static void run_case(const wgemm_case *t)
{
	size_t groups = (t->k + t->group - 1) / t->group, lda = t->k + (size_t)rng_int(0, 3),
	       ldc = t->n + (size_t)rng_int(0, 3);
	float *a = random_floats(t->m * lda), *scale = random_floats(groups * t->n), *zero = random_floats(groups * t->n);
	float *bias = random_floats(t->n), *res = random_floats(t->m * ldc), *c = marked_floats(t->m * ldc);
	int8_t *code = malloc(t->k * t->n);
	assert_non_null(code);
	for (size_t i = 0; i < t->k * t->n; i++)
		code[i] = (int8_t)(t->bits == 4 ? rng_int(-8, 7) : rng_int(-128, 127));
	for (size_t i = 0; i < groups * t->n; i++)
		zero[i] = rintf(4 * zero[i]);
	tarn_wgemm_weights w = {.k = t->k,
				.n = t->n,
				.bits = t->bits,
				.code = code,
				.transposed = t->transposed,
				.group = t->group,
				.scale = scale,
				.zero = t->zero ? zero : NULL,
				.bias = t->bias ? bias : NULL};
	tarn_wgemm *g;
	assert_ok(tarn_wgemm_pack(&w, &g));
	tarn_gemm_f32_args args = {.m = t->m,
				   .a = a,
				   .lda = lda,
				   .c = c,
				   .ldc = ldc,
				   .residual = t->residual ? res : NULL,
				   .ldr = ldc,
				   .epilogue = t->epilogue};
	int tasks = tarn_wgemm_tasks(g, t->m), cut = rng_int(0, tasks);
	tarn_wgemm_run(g, &args, cut, tasks); /* any order */
	tarn_wgemm_run(g, &args, 0, cut);
	for (size_t i = 0; i < t->m; i++)
		for (size_t j = 0; j < ldc; j++) {
			double size, v = j < t->n ? want(t, &w, a + i * lda, res + i * ldc, j, &size) : (double)UNTOUCHED;
			assert_near(c[i * ldc + j], v, j < t->n ? 4e-7 * size : 0, "wgemm", i * ldc + j);
		}
	tarn_wgemm_free(g);
	free(a), free(scale), free(zero), free(bias), free(res), free(c), free(code);
}

static void products_of_any_shape(void **state)
{
	(void)state;
	static const tarn_unary acts[] = {TARN_UNARY_IDENTITY, TARN_UNARY_RELU, TARN_UNARY_SILU};
	AT_EVERY_LEVEL({
		for (int i = 0; i < 120; i++) {
			wgemm_case t = {.m = (size_t)rng_int(1, i % 4 ? 6 : 90),
					.n = (size_t)rng_int(1, i % 3 ? 70 : 200),
					.k = (size_t)rng_int(1, i % 5 ? 80 : 500)};
			t.group = i % 3 == 0 ? t.k : (size_t)rng_int(1, (int)t.k);
			t.bits = i & 1 ? 4 : 8;
			t.transposed = rng() & 1, t.bias = rng() & 1, t.zero = rng() & 1, t.residual = rng() & 1;
			t.epilogue.act = acts[rng() % 3];
			t.epilogue.alpha = t.epilogue.act == TARN_UNARY_SILU;
			t.epilogue.residual_after = t.residual && (rng() & 1);
			run_case(&t);
		}
	});
}

/* Every width of panel, every number of rows a level multiplies at once, groups of whole and of partly filled words. */
static void every_tile(void **state)
{
	(void)state;
	static const size_t group[] = {3, 4, 8, 16};
	AT_EVERY_LEVEL({
		for (size_t n = 1; n <= 68; n += n < 6 ? 1 : 7)
			for (size_t m = 1; m <= 10; m++)
				run_case(&(wgemm_case){.m = m,
						       .n = n,
						       .k = 21,
						       .group = group[(n + m) % 4],
						       .bits = m & 1 ? 4 : 8,
						       .bias = true});
	});
}

/* Each code as it is, alone: 1 * code * 1. */
static void every_code(void **state)
{
	(void)state;
	AT_EVERY_LEVEL({
		for (int bits = 4; bits <= 8; bits += 4) {
			int8_t code[256];
			float scale[256], c[256], one = 1;
			size_t n = (size_t)1 << bits;
			for (size_t i = 0; i < n; i++) {
				code[i] = (int8_t)((int)i - (int)n / 2);
				scale[i] = 1;
			}
			tarn_wgemm_weights w = {.k = 1, .n = n, .bits = bits, .code = code, .group = 1, .scale = scale};
			tarn_wgemm *g;
			assert_ok(tarn_wgemm_pack(&w, &g));
			tarn_gemm_f32_args args = {.m = 1, .a = &one, .lda = 1, .c = c, .ldc = n};
			tarn_wgemm_run(g, &args, 0, tarn_wgemm_tasks(g, 1));
			for (size_t i = 0; i < n; i++)
				assert_near(c[i], (double)i - (double)(n / 2), 0, "code", i);
			tarn_wgemm_free(g);
		}
	});
}

static void four_bits_take_an_eighth(void **state)
{
	(void)state;
	size_t k = 1024, n = 256;
	int8_t *code = calloc(k * n, 1);
	float *scale = random_floats(k / 128 * n);
	tarn_wgemm_weights w = {.k = k, .n = n, .bits = 4, .code = code, .group = 128, .scale = scale};
	tarn_wgemm *g;
	assert_ok(tarn_wgemm_pack(&w, &g));
	assert_true(tarn_wgemm_bytes(g) < k * n / 2 + (k / 128 + 2) * n * sizeof(float));
	tarn_wgemm_free(g);
	w.group = k + 1;
	g = NULL;
	assert_int_equal(tarn_wgemm_pack(&w, &g), TARN_SHAPE);
	assert_null(g);
	free(code), free(scale);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(products_of_any_shape),
		cmocka_unit_test(every_tile),
		cmocka_unit_test(every_code),
		cmocka_unit_test(four_bits_take_an_eighth),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
