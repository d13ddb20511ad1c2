/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions and matrix products: hand-computed values, a gather loop over output positions, free dimensions. */
#include <math.h>
#include <string.h>

#include "probe.h"

static double pattern(int64_t i)
{
	return (double)(i * 7 % 11) - 5 + (double)(i % 3) * 0.5;
}

/* The 3x3 ones kernel over 0..24 in a 5x5 image: sums of neighbourhoods, the corner being 0+1+5+6. */
static void test_conv_sums(void **state)
{
	(void)state;
	probe p = probe_open(NULL, "Conv", 2, 1);
	double ones[9];
	for (int i = 0; i < 9; i++)
		ones[i] = 1;
	probe_in(&p, 0, TARN_F32, DIMS(1, 1, 5, 5), NULL);
	probe_in(&p, 1, TARN_F32, DIMS(1, 1, 3, 3), ones);
	probe_ints(&p, "pads", DIMS(1, 1, 1, 1));
	assert_ok(probe_eval(&p));
	probe_shape(&p, 0, DIMS(1, 1, 5, 5));
	assert_true(tarn_tensor_f64(&p.out[0], 0) == 12);
	assert_true(tarn_tensor_f64(&p.out[0], 6) == 9 * 6);
	assert_true(tarn_tensor_f64(&p.out[0], 24) == 18 + 19 + 23 + 24);
	probe_close(&p);
}

/* Two groups, strides, dilation, uneven pads, bias: each output gathered from its inputs by index arithmetic. */
static void test_conv_gather(void **state)
{
	(void)state;
	probe p = probe_open(NULL, "Conv", 3, 1);
	double x[2 * 4 * 7 * 6], w[6 * 2 * 3 * 2], b[6] = {1, -2, 3, 0.5, 0, 7};
	for (int i = 0; i < 336; i++)
		x[i] = pattern(i);
	for (int i = 0; i < 72; i++)
		w[i] = pattern(i + 3);
	probe_in(&p, 0, TARN_F64, DIMS(2, 4, 7, 6), x);
	probe_in(&p, 1, TARN_F64, DIMS(6, 2, 3, 2), w);
	probe_in(&p, 2, TARN_F64, DIMS(6), b);
	probe_ints(&p, "pads", DIMS(1, 0, 2, 1));
	probe_ints(&p, "strides", DIMS(2, 1));
	probe_ints(&p, "dilations", DIMS(1, 2));
	probe_int(&p, "group", 2);
	assert_ok(probe_eval(&p));
	probe_shape(&p, 0, DIMS(2, 6, 4, 5));
	int at = 0;
	for (int n = 0; n < 2; n++)
		for (int o = 0; o < 6; o++)
			for (int y = 0; y < 4; y++)
				for (int z = 0; z < 5; z++) {
					double sum = b[o];
					for (int k = 0; k < 12; k++) {
						int c = o / 3 * 2 + k / 6, h = y * 2 - 1 + k / 2 % 3, v = z + 2 * (k % 2);
						if (h >= 0 && h < 7 && v < 6)
							sum += x[((n * 4 + c) * 7 + h) * 6 + v] * w[o * 12 + k];
					}
					assert_true(fabs(tarn_tensor_f64(&p.out[0], at++) - sum) < 1e-12);
				}
	probe_close(&p);
}

/* SAME_UPPER puts the odd padding at the end, SAME_LOWER at the beginning. */
static void test_conv_same(void **state)
{
	(void)state;
	for (int lower = 0; lower < 2; lower++) {
		probe p = probe_open(NULL, "Conv", 2, 1);
		probe_in(&p, 0, TARN_F32, DIMS(1, 1, 4), REALS(1, 2, 3, 4));
		probe_in(&p, 1, TARN_F32, DIMS(1, 1, 2), REALS(1, 10));
		probe_word(&p, "auto_pad", lower ? "SAME_LOWER" : "SAME_UPPER");
		if (lower)
			probe_gives(&p, 0, REAL_LIST(10, 21, 32, 43));
		else
			probe_gives(&p, 0, REAL_LIST(21, 32, 43, 4));
	}
}

static void test_conv_shapes(void **state)
{
	(void)state;
	probe p = probe_open(NULL, "Conv", 2, 1);
	probe_free(&p, 0, TARN_F32, DIMS(0, 3, 0, 32), (const char *[]){"n", NULL, "h", NULL});
	probe_free(&p, 1, TARN_F32, DIMS(8, 3, 3, 3), NULL);
	probe_ints(&p, "pads", DIMS(1, 1, 1, 1));
	probe_infers(&p, 0, "[n,8,h,32]");
	probe_close(&p);
	p = probe_open(NULL, "Conv", 2, 1);
	probe_free(&p, 0, TARN_F32, DIMS(1, 4, 8, 8), NULL);
	probe_free(&p, 1, TARN_F32, DIMS(8, 3, 3, 3), NULL);
	assert_err(TARN_SHAPE, probe_infer(&p));
	assert_non_null(strstr(tarn_err_text(), "4 channels, the weights need 3"));
	probe_close(&p);
	p = probe_open(NULL, "Conv", 2, 1);
	probe_free(&p, 0, TARN_F32, DIMS(1, 3, 2, 8), NULL);
	probe_free(&p, 1, TARN_F32, DIMS(8, 3, 3, 3), NULL);
	assert_err(TARN_SHAPE, probe_infer(&p));
	probe_close(&p);
}

static void test_cost(void **state)
{
	(void)state;
	probe p = probe_open(NULL, "Conv", 2, 1);
	probe_free(&p, 0, TARN_F32, DIMS(2, 6, 9, 9), NULL);
	probe_free(&p, 1, TARN_F32, DIMS(4, 3, 3, 3), NULL);
	probe_int(&p, "group", 2);
	assert_ok(probe_infer(&p));
	tarn_cost cost;
	assert_ok(p.n->op->cost(p.n, &cost));
	assert_int_equal(cost.macs, 2 * 4 * 7 * 7 * 27);
	probe_close(&p);
	p = probe_open(NULL, "MatMul", 2, 1);
	probe_free(&p, 0, TARN_F32, DIMS(5, 3, 4), NULL);
	probe_free(&p, 1, TARN_F32, DIMS(4, 7), NULL);
	assert_ok(probe_infer(&p));
	assert_ok(p.n->op->cost(p.n, &cost));
	assert_int_equal(cost.macs, 5 * 3 * 4 * 7);
	probe_close(&p);
}

/* [G=2, 1, 1, 1]: each channel times its own weight; the same through the decomposition. */
static void test_group(void **state)
{
	(void)state;
	probe p = probe_open(NULL, "GroupConvolution", 2, 1);
	probe_in(&p, 0, TARN_F32, DIMS(1, 2, 3), REALS(1, 2, 3, 4, 5, 6));
	probe_in(&p, 1, TARN_F32, DIMS(2, 1, 1, 2), REALS(1, 2, -1, 1));
	probe_gives(&p, 0, REAL_LIST(5, 8, 1, 1));
}

/* Transposed: stride 2 of [1, 2] with kernel [1, 10, 100] is the sum of two shifted copies. */
static void test_transposed(void **state)
{
	(void)state;
	probe p = probe_open(NULL, "ConvTranspose", 2, 1);
	probe_in(&p, 0, TARN_F32, DIMS(1, 1, 2), REALS(1, 2));
	probe_in(&p, 1, TARN_F32, DIMS(1, 1, 3), REALS(1, 10, 100));
	probe_ints(&p, "strides", DIMS(2));
	probe_gives(&p, 0, REAL_LIST(1, 10, 102, 20, 200));
	p = probe_open(NULL, "ConvTranspose", 3, 1);
	probe_in(&p, 0, TARN_F32, DIMS(1, 1, 2), REALS(1, 2));
	probe_in(&p, 1, TARN_F32, DIMS(1, 1, 3), REALS(1, 10, 100));
	probe_in(&p, 2, TARN_F32, DIMS(1), REALS(1000));
	probe_ints(&p, "strides", DIMS(2));
	probe_ints(&p, "pads", DIMS(1, 0));
	probe_ints(&p, "output_padding", DIMS(1));
	probe_gives(&p, 0, REAL_LIST(1010, 1102, 1020, 1200, 1000));
}

/* Zero points are taken off before the sums: (x - 2) * (w - 1), padding counting as 2. */
static void test_integer(void **state)
{
	(void)state;
	probe p = probe_open(NULL, "ConvInteger", 4, 1);
	probe_in(&p, 0, TARN_U8, DIMS(1, 1, 3), REALS(2, 4, 255));
	probe_in(&p, 1, TARN_I8, DIMS(1, 1, 2), REALS(-128, 3));
	probe_scalar(&p, 2, TARN_U8, 2);
	probe_scalar(&p, 3, TARN_I8, 1);
	probe_ints(&p, "pads", DIMS(1, 0));
	probe_gives(&p, 0, REAL_LIST(0, 4, 2 * -129 + 253 * 2));
	p = probe_open(NULL, "MatMulInteger", 4, 1);
	probe_in(&p, 0, TARN_U8, DIMS(2, 2), REALS(1, 2, 255, 0));
	probe_in(&p, 1, TARN_I8, DIMS(2, 2), REALS(-128, 127, 1, 2));
	probe_in(&p, 2, TARN_U8, DIMS(2), REALS(1, 0));
	probe_in(&p, 3, TARN_I8, DIMS(2), REALS(0, 1));
	probe_gives(&p, 0, REAL_LIST(1, 1, 255 * -128, 255 * 126));
}

/* 3 * 0.5 * 0.25 / 0.125 = 3; ties go to even: 2.5 -> 2, 3.5 -> 4; saturation at 255. */
static void test_qlinear(void **state)
{
	(void)state;
	probe p = probe_open(NULL, "QLinearMatMul", 8, 1);
	probe_in(&p, 0, TARN_U8, DIMS(4, 1), REALS(11, 15, 17, 255));
	probe_scalar(&p, 1, TARN_F32, 0.5);
	probe_scalar(&p, 2, TARN_U8, 10);
	probe_in(&p, 3, TARN_I8, DIMS(1, 1), REALS(2));
	probe_scalar(&p, 4, TARN_F32, 0.25);
	probe_scalar(&p, 5, TARN_I8, 1);
	probe_scalar(&p, 6, TARN_F32, 0.25);
	probe_scalar(&p, 7, TARN_U8, 200);
	probe_gives(&p, 0, REAL_LIST(200, 202, 204, 255));
}

static void test_matmul(void **state)
{
	(void)state;
	/* Batches broadcast: [2,1,1,2] x [1,3,2,1] is every dot product of two vectors with three. */
	probe p = probe_open(NULL, "MatMul", 2, 1);
	probe_in(&p, 0, TARN_F32, DIMS(2, 1, 1, 2), REALS(1, 2, 3, 4));
	probe_in(&p, 1, TARN_F32, DIMS(1, 3, 2, 1), REALS(1, 0, 0, 1, 1, 1));
	assert_ok(probe_eval(&p));
	probe_shape(&p, 0, DIMS(2, 3, 1, 1));
	probe_expect(&p, 0, 0, REAL_LIST(1, 2, 3, 3, 4, 7));
	probe_close(&p);
	/* Vectors lose their axis. */
	p = probe_open(NULL, "MatMul", 2, 1);
	probe_in(&p, 0, TARN_F32, DIMS(2), REALS(1, 2));
	probe_in(&p, 1, TARN_F32, DIMS(2, 3), REALS(1, 2, 3, 10, 20, 30));
	probe_gives(&p, 0, REAL_LIST(21, 42, 63));
	/* 64-bit integers beyond 2^53 keep every bit. */
	p = probe_open(NULL, "MatMul", 2, 1);
	probe_in(&p, 0, TARN_I64, DIMS(1, 2), REALS(1, 1));
	probe_in(&p, 1, TARN_I64, DIMS(2, 1), REALS(0, 1));
	tarn_tensor_set_i64(&p.in[1], 0, (INT64_C(1) << 62) + 1);
	assert_ok(probe_eval(&p));
	assert_true(tarn_tensor_i64(&p.out[0], 0) == (INT64_C(1) << 62) + 2);
	probe_close(&p);
	p = probe_open(NULL, "MatMul", 2, 1);
	probe_free(&p, 0, TARN_F32, DIMS(0, 0, 64), (const char *[]){"b", "s", NULL});
	probe_free(&p, 1, TARN_F32, DIMS(64, 10), NULL);
	probe_infers(&p, 0, "[b,s,10]");
	probe_close(&p);
	p = probe_open(NULL, "MatMul", 2, 1);
	probe_free(&p, 0, TARN_F32, DIMS(2, 5), NULL);
	probe_free(&p, 1, TARN_F32, DIMS(4, 3), NULL);
	assert_err(TARN_SHAPE, probe_infer(&p));
	probe_close(&p);
}

/* 2 * A^T B^T + 0.5 * C with a row of C. */
static void test_gemm(void **state)
{
	(void)state;
	probe p = probe_open(NULL, "Gemm", 3, 1);
	probe_in(&p, 0, TARN_F32, DIMS(2, 2), REALS(1, 2, 3, 4));
	probe_in(&p, 1, TARN_F32, DIMS(3, 2), REALS(1, 0, 0, 1, 1, 1));
	probe_in(&p, 2, TARN_F32, DIMS(3), REALS(2, 4, 6));
	probe_float(&p, "alpha", 2);
	probe_float(&p, "beta", 0.5);
	probe_int(&p, "transA", 1);
	probe_int(&p, "transB", 1);
	probe_gives(&p, 0, REAL_LIST(3, 8, 11, 5, 10, 15));
	p = probe_open("com.microsoft", "FusedMatMul", 2, 1);
	probe_in(&p, 0, TARN_F32, DIMS(1, 2), REALS(1, 2));
	probe_in(&p, 1, TARN_F32, DIMS(3, 2), REALS(1, 0, 0, 1, 1, 1));
	probe_int(&p, "transB", 1);
	probe_float(&p, "alpha", -1);
	probe_gives(&p, 0, REAL_LIST(-1, -2, -3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conv_sums),   cmocka_unit_test(test_conv_gather), cmocka_unit_test(test_conv_same),
		cmocka_unit_test(test_conv_shapes), cmocka_unit_test(test_cost),        cmocka_unit_test(test_group),
		cmocka_unit_test(test_transposed),  cmocka_unit_test(test_integer),     cmocka_unit_test(test_qlinear),
		cmocka_unit_test(test_matmul),      cmocka_unit_test(test_gemm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
