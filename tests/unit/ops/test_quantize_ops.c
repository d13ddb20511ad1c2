/* SPDX-License-Identifier: Apache-2.0 */
/* Quantize, Dequantize, FakeQuantize: every code of every small type against the formulas, ties, saturation, axes, blocks. */
#include <math.h>

#include "probe.h"

/* Nearest, ties to even, by comparing distances instead of rounding. */
static double nearest_even(double v)
{
	double lo = floor(v), d = v - lo;
	if (d < 0.5 || (d == 0.5 && fmod(lo, 2) == 0))
		return lo;
	return lo + 1;
}

typedef struct range {
	tarn_dtype type;
	double lo, hi;
} range;
static const range ranges[] = {{TARN_U8, 0, 255}, {TARN_I8, -128, 127}, {TARN_U4, 0, 15},
			       {TARN_I4, -8, 7},  {TARN_U16, 0, 65535}, {TARN_I16, -32768, 32767}};

/* x in steps of a quarter scale over more than the range: the scale is a power of two, so that x / s is exact and ties are
 * ties. */
static void test_quantize_all(void **state)
{
	(void)state;
	for (size_t r = 0; r < sizeof ranges / sizeof *ranges; r++)
		for (double z = ranges[r].lo; z <= ranges[r].hi; z += ranges[r].hi > 1000 ? 9999 : 5) {
			enum { N = 2400 };
			double x[N], s = 0.125;
			for (int i = 0; i < N; i++)
				x[i] = (i - N / 2) * s / 4;
			probe p = probe_open(NULL, "QuantizeLinear", 3, 1);
			probe_in(&p, 0, TARN_F32, DIMS(N), x);
			probe_scalar(&p, 1, TARN_F32, s);
			probe_scalar(&p, 2, ranges[r].type, z);
			assert_ok(probe_eval(&p));
			assert_int_equal(p.out[0].type, ranges[r].type);
			for (int i = 0; i < N; i++) {
				double want = nearest_even((i - N / 2) / 4.0) + z;
				want = want < ranges[r].lo ? ranges[r].lo : want > ranges[r].hi ? ranges[r].hi : want;
				assert_true(tarn_tensor_f64(&p.out[0], i) == want);
			}
			probe_close(&p);
		}
}

static void test_dequantize_all(void **state)
{
	(void)state;
	for (size_t r = 0; r < 4; r++) {
		int n = (int)(ranges[r].hi - ranges[r].lo) + 1;
		double q[256];
		for (int i = 0; i < n; i++)
			q[i] = ranges[r].lo + i;
		for (double z = ranges[r].lo; z <= ranges[r].hi; z += 3) {
			probe p = probe_open(NULL, "DequantizeLinear", 3, 1);
			probe_in(&p, 0, ranges[r].type, DIMS(n), q);
			probe_scalar(&p, 1, TARN_F32, 0.1);
			probe_scalar(&p, 2, ranges[r].type, z);
			assert_ok(probe_eval(&p));
			for (int i = 0; i < n; i++) /* one rounding of the exact product */
				assert_true(tarn_tensor_f64(&p.out[0], i) == (double)(float)((q[i] - z) * (double)0.1f));
			probe_close(&p);
		}
	}
}

/* 32-bit biases: no zero point, scale per channel. */
static void test_dequantize_bias(void **state)
{
	(void)state;
	probe p = probe_open(NULL, "DequantizeLinear", 2, 1);
	probe_in(&p, 0, TARN_I32, DIMS(2), REALS(-100000, 16777216));
	probe_in(&p, 1, TARN_F32, DIMS(2), REALS(0.5, 0.25));
	probe_int(&p, "axis", 0);
	probe_gives(&p, 0, REAL_LIST(-50000, 4194304));
}

static void test_axis_and_blocks(void **state)
{
	(void)state;
	probe p = probe_open(NULL, "QuantizeLinear", 3, 1);
	probe_in(&p, 0, TARN_F32, DIMS(2, 2, 2), REALS(1, 2, 3, 4, -1, -2, -3, -400));
	probe_in(&p, 1, TARN_F32, DIMS(2), REALS(1, 0.5));
	probe_in(&p, 2, TARN_I8, DIMS(2), REALS(0, 10));
	probe_int(&p, "axis", -2);
	probe_gives(&p, 0, REAL_LIST(1, 2, 16, 18, -1, -2, 4, -128));
	/* Blocks of two along axis 1 of [1, 5]: scales for 0-1, 2-3, 4. */
	p = probe_open(NULL, "DequantizeLinear", 3, 1);
	probe_in(&p, 0, TARN_U4, DIMS(1, 5), REALS(1, 2, 3, 4, 15));
	probe_in(&p, 1, TARN_F32, DIMS(1, 3), REALS(1, 10, 100));
	probe_in(&p, 2, TARN_U4, DIMS(1, 3), REALS(0, 3, 8));
	probe_int(&p, "block_size", 2);
	probe_gives(&p, 0, REAL_LIST(1, 2, 0, 10, 700));
	p = probe_open(NULL, "QuantizeLinear", 2, 1);
	probe_in(&p, 0, TARN_F32, DIMS(1, 3), REALS(1, 2, 3));
	probe_in(&p, 1, TARN_F32, DIMS(2), REALS(1, 1));
	assert_err(TARN_SHAPE, probe_eval(&p));
	probe_close(&p);
}

/* The division is a float one: 4.5 * 0.1f as float over 0.1f is a tie in float and not in double. */
static void test_float_division(void **state)
{
	(void)state;
	for (int k = 0; k < 200; k++) {
		float s = 0.1f, x = ((float)k + 0.5f) * s;
		probe p = probe_open(NULL, "QuantizeLinear", 2, 1);
		probe_scalar(&p, 0, TARN_F32, x);
		probe_scalar(&p, 1, TARN_F32, s);
		volatile float q = x / s;
		probe_gives(&p, 0, REAL_LIST(nearest_even(q)));
	}
}

static void test_dynamic(void **state)
{
	(void)state;
	/* Range [-1, 4] -> scale 5/255, zero point 51. */
	probe p = probe_open(NULL, "DynamicQuantizeLinear", 1, 3);
	probe_in(&p, 0, TARN_F32, DIMS(4), REALS(-1, 0, 2, 4));
	assert_ok(probe_eval(&p));
	probe_expect(&p, 0, 0, REAL_LIST(0, 51, 153, 255));
	probe_expect(&p, 1, 1e-9, REAL_LIST(5.0 / 255));
	probe_expect(&p, 2, 0, REAL_LIST(51));
	probe_close(&p);
}

static tarn_value *limits(probe *p, int i, int n, const float *v)
{
	tarn_value *c;
	assert_ok(tarn_value_const_f32(p->m->main, NULL, v, n, &c));
	p->n->in[i] = c;
	return c;
}

/* The formula, and through the decomposition: equal codes wherever x is not within 1e-3 steps of a tie. */
static void compare_decomposed(float lo, float hi, int levels, const char *expect_op)
{
	enum { N = 997 };
	double x[N], span = hi - lo;
	for (int i = 0; i < N; i++)
		x[i] = (float)(lo - 0.1 * span + 1.2 * span * i / (N - 1));
	probe p = probe_open(NULL, "FakeQuantize", 5, 1);
	probe_in(&p, 0, TARN_F32, DIMS(N), x);
	for (int i = 1; i < 5; i++)
		limits(&p, i, -1, i % 2 ? &lo : &hi);
	probe_int(&p, "levels", levels);
	tarn_graph *g = p.m->main;
	assert_ok(VEC_GROW(&g->output));
	g->output.at[g->output.len++] = p.n->out[0];
	const tarn_tensor *in[] = {&p.in[0]};
	tarn_tensor a = {0}, b = {0};
	assert_ok(tarn_graph_eval(g, in, &a, NULL, NULL));
	assert_ok(tarn_graph_infer(g));
	assert_ok(p.n->op->decompose(g, p.n));
	tarn_graph_sweep(g);
	assert_ok(tarn_graph_sort(g));
	bool found = false;
	for (size_t i = 0; i < g->node.len; i++)
		found = found || g->node.at[i]->op == tarn_op_find(NULL, expect_op);
	assert_true(found);
	assert_ok(tarn_graph_eval(g, in, &b, NULL, NULL));
	double step = span / (levels - 1);
	for (int i = 0; i < N; i++) {
		double v = (x[i] - lo) / span * (levels - 1), clipped = v < 0 ? 0 : v > levels - 1 ? levels - 1 : v;
		double want = nearest_even(clipped) * step + lo, da = tarn_tensor_f64(&a, i) - want,
		       db = tarn_tensor_f64(&b, i) - want;
		assert_true(fabs(da) < 1e-5 * span);
		if (fabs(clipped - floor(clipped) - 0.5) > 1e-3)
			assert_true(fabs(db) < 1e-5 * span);
	}
	tarn_tensor_fini(&a);
	tarn_tensor_fini(&b);
	probe_close(&p);
}

static void test_fake_quantize(void **state)
{
	(void)state;
	compare_decomposed(0, 2.55f, 256, "QuantizeLinear");
	compare_decomposed(-1.28f, 1.27f, 256, "QuantizeLinear");
	compare_decomposed(-1.27f, 1.27f, 255, "QuantizeLinear");
	compare_decomposed(-1, 2.37f, 256, "Round"); /* zero is not on the grid */
	compare_decomposed(0, 1, 16, "Round");
}

/* Per channel limits and other output limits: 2 levels are a threshold in the middle. */
static void test_fake_quantize_limits(void **state)
{
	(void)state;
	probe p = probe_open(NULL, "FakeQuantize", 5, 1);
	probe_in(&p, 0, TARN_F32, DIMS(1, 2, 3), REALS(0.2, 0.7, 9, 0.2, 0.7, 9));
	probe_in(&p, 1, TARN_F32, DIMS(1, 2, 1), REALS(0, 0));
	probe_in(&p, 2, TARN_F32, DIMS(1, 2, 1), REALS(1, 10));
	probe_in(&p, 3, TARN_F32, DIMS(1, 1, 1), REALS(-5));
	probe_in(&p, 4, TARN_F32, DIMS(1, 2, 1), REALS(5, 50));
	probe_int(&p, "levels", 2);
	probe_gives(&p, 0, REAL_LIST(-5, 5, 5, -5, -5, 50));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quantize_all),    cmocka_unit_test(test_dequantize_all),
		cmocka_unit_test(test_dequantize_bias), cmocka_unit_test(test_axis_and_blocks),
		cmocka_unit_test(test_float_division),  cmocka_unit_test(test_dynamic),
		cmocka_unit_test(test_fake_quantize),   cmocka_unit_test(test_fake_quantize_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
