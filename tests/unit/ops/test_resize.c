/* SPDX-License-Identifier: Apache-2.0 */
/* Resize: hand-computed interpolations of each coordinate rule, sizes with free dimensions. */
#include "probe.h"

static probe line(const char *mode, const char *coordinates, double scale, int n, const double *v)
{
	probe p = probe_open(NULL, "Resize", 3, 1);
	probe_in(&p, 0, TARN_F32, DIMS(n), v);
	probe_in(&p, 2, TARN_F32, DIMS(1), &scale);
	probe_word(&p, "mode", mode);
	probe_word(&p, "coordinate_transformation_mode", coordinates);
	return p;
}

static void test_linear(void **state)
{
	(void)state;
	/* half_pixel, doubled: quarter points, edges repeated. */
	probe p = line("linear", "half_pixel", 2, REAL_LIST(0, 4, 8));
	probe_gives(&p, 1e-6, REAL_LIST(0, 1, 3, 5, 7, 8));
	p = line("linear", "asymmetric", 2, REAL_LIST(0, 4, 8));
	probe_gives(&p, 1e-6, REAL_LIST(0, 2, 4, 6, 8, 8));
	p = line("linear", "align_corners", 2, REAL_LIST(0, 5, 10));
	probe_gives(&p, 1e-6, REAL_LIST(0, 2, 4, 6, 8, 10));
	/* Shrinking to one element: pytorch's rule takes the first, half_pixel the middle. */
	p = line("linear", "pytorch_half_pixel", 0.25, REAL_LIST(1, 2, 3, 4));
	probe_gives(&p, 1e-6, REAL_LIST(1));
	p = line("linear", "half_pixel", 0.25, REAL_LIST(1, 2, 3, 4));
	probe_gives(&p, 1e-6, REAL_LIST(2.5));
	/* Antialiased halving: weights 1, 3, 3, 1 of eight. */
	p = line("linear", "half_pixel", 0.5, REAL_LIST(0, 8, 16, 8, 0, 8));
	probe_int(&p, "antialias", 1);
	assert_ok(probe_eval(&p));
	assert_true(tarn_tensor_f64(&p.out[0], 1) == (8 + 3 * 16 + 3 * 8 + 0) / 8.0);
	probe_close(&p);
}

static void test_nearest(void **state)
{
	(void)state;
	/* Coordinates 0.5, 2.5, 4.5: every rounding differs. */
	const double v[] = {0, 1, 2, 3, 4, 5};
	const char *rules[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
	const double want[][3] = {{0, 2, 4}, {1, 3, 5}, {0, 2, 4}, {1, 3, 5}};
	for (int i = 0; i < 4; i++) {
		probe p = line("nearest", "half_pixel", 0.5, 6, v);
		probe_word(&p, "nearest_mode", rules[i]);
		probe_gives(&p, 0, 3, want[i]);
	}
	probe p = line("nearest", "asymmetric", 2, 3, v);
	probe_word(&p, "nearest_mode", "simple");
	probe_gives(&p, 0, REAL_LIST(0, 0, 1, 1, 2, 2));
}

/* By sizes: places are counted in the arithmetic of float, as runtimes do. 8 * 45 / 24 is 15, but 8 / (24 / 45) just less; that
 * 1 / (2 / 7) is half-way between 3 and 4 is seen all the same. */
static void test_nearest_in_floats(void **state)
{
	(void)state;
	double v[45], want[24], size = 24;
	volatile float scale = 24.0f / 45.0f;
	for (int i = 0; i < 45; i++)
		v[i] = i;
	for (int i = 0; i < 24; i++)
		want[i] = (int)((float)i / scale);
	assert_true(want[8] == 14);
	probe p = probe_open(NULL, "Resize", 4, 1);
	probe_in(&p, 0, TARN_F32, DIMS(45), v);
	probe_in(&p, 3, TARN_I64, DIMS(1), &size);
	probe_word(&p, "coordinate_transformation_mode", "asymmetric");
	probe_word(&p, "nearest_mode", "floor");
	probe_gives(&p, 0, 24, want);
	size = 2;
	p = probe_open(NULL, "Resize", 4, 1);
	probe_in(&p, 0, TARN_F32, DIMS(7), v);
	probe_in(&p, 3, TARN_I64, DIMS(1), &size);
	probe_word(&p, "coordinate_transformation_mode", "asymmetric");
	probe_word(&p, "nearest_mode", "round_prefer_ceil");
	probe_gives(&p, 0, REAL_LIST(0, 4));
}

static double cubic(double d)
{
	d = d < 0 ? -d : d;
	return d <= 1 ? 1.25 * d * d * d - 2.25 * d * d + 1 : -0.75 * d * d * d + 3.75 * d * d - 6 * d + 3;
}

/* In the middle of a line of 0, 1, 8, 27: the four weights at distances 1.5, 0.5, 0.5, 1.5 with a = -0.75. */
static void test_cubic(void **state)
{
	(void)state;
	probe p = line("cubic", "asymmetric", 2, REAL_LIST(0, 1, 8, 27));
	assert_ok(probe_eval(&p));
	double want = 0 * cubic(1.5) + 1 * cubic(0.5) + 8 * cubic(0.5) + 27 * cubic(1.5);
	double got = tarn_tensor_f64(&p.out[0], 3);
	assert_true(got - want < 1e-6 && want - got < 1e-6);
	probe_close(&p);
	/* exclude_outside at coordinate 0.5: the tap at -1 is dropped and the rest rescaled. */
	p = line("cubic", "asymmetric", 2, REAL_LIST(0, 1, 8, 27));
	probe_int(&p, "exclude_outside", 1);
	assert_ok(probe_eval(&p));
	want = (0 * cubic(0.5) + 1 * cubic(0.5) + 8 * cubic(1.5)) / (2 * cubic(0.5) + cubic(1.5));
	got = tarn_tensor_f64(&p.out[0], 1);
	assert_true(got - want < 1e-6 && want - got < 1e-6);
	probe_close(&p);
}

/* A crop reaching beyond the end: the part outside has the given value. */
static void test_crop(void **state)
{
	(void)state;
	probe p = probe_open(NULL, "Resize", 4, 1);
	probe_in(&p, 0, TARN_F32, DIMS(5), NULL);
	probe_in(&p, 1, TARN_F32, DIMS(2), REALS(0.5, 1.5));
	probe_in(&p, 3, TARN_I64, DIMS(1), REALS(5));
	probe_word(&p, "mode", "linear");
	probe_word(&p, "coordinate_transformation_mode", "tf_crop_and_resize");
	probe_float(&p, "extrapolation_value", -7);
	probe_gives(&p, 1e-6, REAL_LIST(2, 3, 4, -7, -7));
}

static void test_shapes(void **state)
{
	(void)state;
	probe p = probe_open(NULL, "Resize", 3, 1);
	probe_free(&p, 0, TARN_F32, DIMS(0, 3, 0, 15), (const char *[]){"n", NULL, "h", NULL});
	const float scales[] = {1, 1, 2, 1.5f};
	assert_ok(tarn_value_const_f32(p.m->main, NULL, scales, 4, &p.n->in[2]));
	probe_infers(&p, 0, "[n,3,h*2,22]");
	probe_close(&p);
	p = probe_open(NULL, "Resize", 4, 1);
	probe_free(&p, 0, TARN_F32, DIMS(1, 3, 20, 10), NULL);
	assert_ok(tarn_value_const_i64(p.m->main, NULL, (const int64_t[]){50, 50}, 2, &p.n->in[3]));
	probe_ints(&p, "axes", DIMS(-2, -1));
	probe_word(&p, "keep_aspect_ratio_policy", "not_larger");
	probe_infers(&p, 0, "[1,3,50,25]");
	probe_close(&p);
	p = probe_open(NULL, "Resize", 4, 1);
	probe_free(&p, 0, TARN_F32, DIMS(1, 3, 20, 10), NULL);
	assert_ok(tarn_value_const_i64(p.m->main, NULL, (const int64_t[]){50, 50}, 2, &p.n->in[3]));
	assert_err(TARN_SHAPE, probe_infer(&p)); /* two sizes for four axes */
	probe_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_linear), cmocka_unit_test(test_nearest), cmocka_unit_test(test_nearest_in_floats),
		cmocka_unit_test(test_cubic),  cmocka_unit_test(test_crop),    cmocka_unit_test(test_shapes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
