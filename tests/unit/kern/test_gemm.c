/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include "kern/gemm.h"

typedef struct gemm_case {
	size_t m, n, k;
	bool transposed, bias, residual, in_place;
	tarn_epilogue epilogue;
} gemm_case;

static double activation(const tarn_epilogue *e, double v)
{
	switch (e->act) {
	case TARN_UNARY_RELU:
		return v > 0 ? v : 0;
	case TARN_UNARY_CLAMP:
		return fmin(fmax(v, (double)e->alpha), (double)e->beta);
	case TARN_UNARY_SILU:
		return v / (1 + exp(-v));
	default:
		return v;
	}
}

static void run_gemm(const gemm_case *t)
{
	size_t lda = t->k + (size_t)rng_int(0, 3), ldb = (t->transposed ? t->k : t->n) + (size_t)rng_int(0, 3);
	size_t ldc = t->n + (size_t)rng_int(0, 3);
	float *a = random_floats(t->m * lda), *b = random_floats((t->transposed ? t->n : t->k) * ldb),
	      *bias = random_floats(t->n);
	float *res = random_floats(t->m * ldc), *c = marked_floats(t->m * ldc), *sum = t->in_place ? c : res;
	if (t->in_place)
		memcpy(c, res, t->m * ldc * sizeof *c);
	tarn_gemm_f32 *g;
	assert_ok(tarn_gemm_f32_pack(t->k, t->n, b, ldb, t->transposed, t->bias ? bias : NULL, &g));
	tarn_gemm_f32_args args = {.m = t->m,
				   .a = a,
				   .lda = lda,
				   .c = c,
				   .ldc = ldc,
				   .residual = t->residual ? sum : NULL,
				   .ldr = ldc,
				   .epilogue = t->epilogue};
	int tasks = tarn_gemm_f32_tasks(g, t->m), cut = rng_int(0, tasks);
	tarn_gemm_f32_run(g, &args, cut, tasks); /* any order */
	tarn_gemm_f32_run(g, &args, 0, cut);
	for (size_t i = 0; i < t->m; i++) {
		for (size_t j = 0; j < ldc; j++) {
			double v = t->bias && j < t->n ? (double)bias[j] : 0, r = t->residual ? (double)res[i * ldc + j] : 0;
			if (j >= t->n) {
				assert_near(c[i * ldc + j], t->in_place ? (double)res[i * ldc + j] : (double)UNTOUCHED, 0,
					    "gemm padding", i * ldc + j);
				continue;
			}
			for (size_t k = 0; k < t->k; k++)
				v += (double)a[i * lda + k] * (double)(t->transposed ? b[j * ldb + k] : b[k * ldb + j]);
			v = t->epilogue.residual_after ? activation(&t->epilogue, v) + r : activation(&t->epilogue, v + r);
			assert_near(c[i * ldc + j], v, 1e-6 * (double)(t->k + 4), "gemm", i * ldc + j);
		}
	}
	tarn_gemm_f32_free(g);
	free(a), free(b), free(bias), free(res), free(c);
}

static void packed_products_of_any_shape(void **state)
{
	(void)state;
	static const tarn_unary acts[] = {TARN_UNARY_IDENTITY, TARN_UNARY_RELU, TARN_UNARY_CLAMP, TARN_UNARY_SILU};
	AT_EVERY_LEVEL({
		for (int i = 0; i < 60; i++) {
			gemm_case t = {.m = (size_t)rng_int(1, i % 4 ? 30 : 130),
				       .n = (size_t)rng_int(1, i % 3 ? 70 : 200),
				       .k = (size_t)rng_int(1, 90)};
			t.transposed = rng() & 1, t.bias = rng() & 1, t.residual = rng() & 1;
			t.epilogue = (tarn_epilogue){acts[rng() % 4], -0.5f, 0.75f, false};
			t.epilogue.residual_after = t.residual && (rng() & 1);
			if (t.epilogue.act != TARN_UNARY_CLAMP)
				t.epilogue.alpha = 0;
			t.in_place = t.residual && !t.epilogue.residual_after && (rng() & 1);
			run_gemm(&t);
		}
	});
}

/* Every width of panel and every number of rows up to two tiles. */
static void every_tile(void **state)
{
	(void)state;
	AT_EVERY_LEVEL({
		for (size_t n = 1; n <= 68; n += n < 6 ? 1 : 7)
			for (size_t m = 1; m <= 17; m++)
				run_gemm(&(gemm_case){.m = m, .n = n, .k = 5, .bias = true});
	});
}

/* Weights too large for the cache are read panel by panel. */
static void large_weights(void **state)
{
	(void)state;
	AT_EVERY_LEVEL({
		run_gemm(&(gemm_case){.m = 20, .n = 75, .k = 3000, .bias = true, .residual = true});
		run_gemm(&(gemm_case){.m = 1, .n = 100, .k = 2500, .transposed = true});
	});
}

static void not_a_number_goes_through(void **state)
{
	(void)state;
	AT_EVERY_LEVEL({
		float a[2] = {NAN, 1}, b[2] = {1, 1}, c[2];
		tarn_gemm_f32 *g;
		assert_ok(tarn_gemm_f32_pack(1, 1, b, 1, false, NULL, &g));
		tarn_gemm_f32_args args = {
			.m = 2, .a = a, .lda = 1, .c = c, .ldc = 1, .epilogue = {TARN_UNARY_RELU, 0, 0, false}};
		tarn_gemm_f32_run(g, &args, 0, tarn_gemm_f32_tasks(g, 2));
		assert_true(isnan(c[0]));
		assert_true(c[1] == 1.0f);
		tarn_gemm_f32_free(g);
	});
}

static void impossible_shapes_are_refused(void **state)
{
	(void)state;
	tarn_gemm_f32 *g = NULL;
	float x = 0;
	assert_int_equal(tarn_gemm_f32_pack(0, 4, &x, 4, false, NULL, &g), TARN_SHAPE);
	assert_int_equal(tarn_gemm_f32_pack((size_t)1 << 62, 4, &x, 4, false, NULL, &g), TARN_SHAPE);
	assert_null(g);
}

static void run_matmul(size_t b0, size_t b1, size_t m, size_t n, size_t k, bool transposed, bool shared_b)
{
	tarn_matmul_f32_args t = {.batch = {b0, b1}, .m = m, .n = n, .k = k, .alpha = 0.5f, .b_transposed = transposed};
	t.lda = k + 1, t.ldb = (transposed ? k : n) + 2, t.ldc = n + 1;
	t.a_stride[1] = m * t.lda, t.a_stride[0] = b1 * t.a_stride[1];
	t.c_stride[1] = m * t.ldc, t.c_stride[0] = b1 * t.c_stride[1];
	size_t plane = (transposed ? n : k) * t.ldb;
	t.b_stride[1] = plane, t.b_stride[0] = shared_b ? 0 : b1 * plane;
	float *a = random_floats(b0 * t.a_stride[0]), *b = random_floats(b0 * b1 * plane),
	      *c = marked_floats(b0 * t.c_stride[0]);
	t.a = a, t.b = b, t.c = c;
	int tasks = tarn_matmul_f32_tasks(&t);
	for (int i = tasks; i-- > 0;)
		tarn_matmul_f32_run(&t, i, i + 1);
	for (size_t i = 0; i < b0 * b1 * m; i++) {
		const float *ai = a + i * t.lda, *bi = b + i / m / b1 * t.b_stride[0] + i / m % b1 * plane;
		for (size_t j = 0; j < t.ldc; j++) {
			double v = 0;
			for (size_t x = 0; x < k && j < n; x++)
				v += (double)ai[x] * (double)(transposed ? bi[j * t.ldb + x] : bi[x * t.ldb + j]);
			assert_near(c[i * t.ldc + j], j < n ? v / 2 : (double)UNTOUCHED, 1e-6 * (double)(k + 1), "matmul",
				    i * t.ldc + j);
		}
	}
	free(a), free(b), free(c);
}

static void products_of_two_values(void **state)
{
	(void)state;
	AT_EVERY_LEVEL({
		run_matmul(1, 1, 1, 1, 1, false, false);
		run_matmul(1, 1, 130, 20, 400, true, false); /* several row blocks, several pieces of k */
		run_matmul(2, 3, 9, 70, 33, false, true);
		for (int i = 0; i < 12; i++)
			run_matmul((size_t)rng_int(1, 2), (size_t)rng_int(1, 3), (size_t)rng_int(1, 40), (size_t)rng_int(1, 80),
				   (size_t)rng_int(1, 60), rng() & 1, rng() & 1);
		run_matmul(1, 1, 3, 5, 0, false, false); /* an empty sum is zero */
	});
}

/* 8192 products of one third with 1, which one accumulator gets wrong by 2e-5, and as many that take back a bias
 * of 1e5. */
static void long_sums_lose_little(void **state)
{
	(void)state;
	enum { K = 8192, N = 3 };
	float *a = malloc(K * sizeof *a), *b = malloc(K * N * sizeof *b), c[N], bias[N] = {0, 0, 1e5f};
	assert_true(a && b);
	for (int k = 0; k < K; k++) {
		a[k] = 1.0f / 3;
		b[k * N] = b[k * N + 1] = 1;
		b[k * N + 2] = -1e5f * 3 / K;
	}
	AT_EVERY_LEVEL({
		tarn_gemm_f32 *g;
		assert_ok(tarn_gemm_f32_pack(K, N, b, N, false, bias, &g));
		tarn_gemm_f32_args args = {.m = 1, .a = a, .lda = K, .c = c, .ldc = N};
		tarn_gemm_f32_run(g, &args, 0, tarn_gemm_f32_tasks(g, 1));
		double exact = K * (double)a[0], third = 1e5 + K * (double)a[0] * (double)b[2];
		assert_near(c[0], exact, exact * 1e-6, "a long sum", 0);
		assert_near(c[2], third, 1e5 * 1e-6, "a bias taken back", 2);
		tarn_gemm_f32_free(g);
	});
	free(a), free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packed_products_of_any_shape),
		cmocka_unit_test(every_tile),
		cmocka_unit_test(large_weights),
		cmocka_unit_test(not_a_number_goes_through),
		cmocka_unit_test(impossible_shapes_are_refused),
		cmocka_unit_test(products_of_two_values),
		cmocka_unit_test(long_sums_lose_little),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
