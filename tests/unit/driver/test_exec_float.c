/* SPDX-License-Identifier: Apache-2.0 */
/* Float layers of the executor against the operators' reference. FP16 between layers: 1e-2 of the largest output. */
#include "base/log.h"
#include "driver/exec/exec.h"
#include "unit/driver/npu_graphs.h"

static tarn_model *new_model(tarn_graph **g)
{
	tarn_model *m;
	assert_ok(tarn_model_new(&m));
	*g = m->main;
	return m;
}

static void finish(tarn_model *m, double most)
{
	assert_ok(tarn_graph_infer(m->main));
	double err = against_reference(m);
	if (!(err <= most))
		fail_msg("relative error %g, at most %g", err, most);
	/* Outputs that are all the same would agree with anything. */
	assert_true(err > 0 || most == 0);
	tarn_model_unref(m);
}

static void convolutions(void **state)
{
	(void)state;
	static const int cases[][7] = {/* ic oc k stride pad groups size */
				       {3, 16, 3, 2, 1, 1, 17},   {16, 24, 1, 1, 0, 1, 9}, {24, 24, 3, 1, 1, 24, 9},
				       {16, 32, 5, 2, 2, 16, 11}, {8, 12, 3, 1, 1, 4, 8},  {33, 7, 3, 1, 0, 1, 7}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const int *c = cases[i];
		tarn_graph *g;
		tarn_model *m = new_model(&g);
		tarn_value *x = input(g, dims(4, 1, c[0], c[6], c[6] + 2));
		tarn_value *y = conv(g, x, c[0], c[1], c[2], c[3], c[4], c[5]);
		output(g, node(g, "Relu", y, NULL, NULL));
		finish(m, 2e-3);
	}
}

/* What the array, the SHAVEs and DMA do to floats, all in one. */
static tarn_model *small_network(void)
{
	tarn_graph *g;
	tarn_model *m = new_model(&g);
	tarn_value *x = input(g, dims(4, 1, 3, 32, 32));
	tarn_value *a = clip(g, conv(g, x, 3, 16, 3, 2, 1, 1), 0, 6);
	tarn_value *b = clip(g, conv(g, a, 16, 16, 3, 1, 1, 16), 0, 6);
	tarn_value *c = conv(g, b, 16, 16, 1, 1, 0, 1);
	tarn_value *sum = node(g, "Add", a, c, NULL);
	tarn_value *p = node(g, "MaxPool", sum, NULL, NULL);
	set_ints(g, p, "kernel_shape", 2, 3, 3);
	set_ints(g, p, "strides", 2, 2, 2);
	set_ints(g, p, "pads", 4, 1, 1, 1, 1);
	tarn_value *gate = node(g, "Sigmoid", node(g, "GlobalAveragePool", p, NULL, NULL), NULL, NULL);
	tarn_value *scaled = node(g, "Mul", p, gate, NULL);
	tarn_value *parts[2] = {scaled, node(g, "HardSwish", p, NULL, NULL)};
	tarn_value *cat = node(g, "Concat", parts[0], parts[1], NULL);
	set_int(cat, "axis", 1);
	tarn_value *flat = node(g, "Flatten", cat, NULL, NULL);
	tarn_value *fc = node(g, "Gemm", flat, weights(g, dims(2, 32 * 8 * 8, 10)), weights(g, dims(1, 10)));
	tarn_value *soft = node(g, "Softmax", node(g, "Mul", fc, scalar(g, 0.05f), NULL), NULL, NULL);
	output(g, soft);
	output(g, cat);
	return m;
}

static void a_small_network(void **state)
{
	(void)state;
	finish(small_network(), 1e-2);
}

/* The same with floats of 22 bits: their step is 2^-22, or 2.4e-7. */
static void in_the_wide_form(void **state)
{
	(void)state;
	tarn_model *m = small_network();
	assert_ok(tarn_graph_infer(m->main));
	double fp16 = against_reference(m), wide = against_reference_with(m, "--config EXECUTION_MODE_HINT=\"ACCURACY\"");
	if (!(wide > 0 && wide < 5e-6 && fp16 > 50 * wide))
		fail_msg("relative error %g, of FP16 %g", wide, fp16);
	tarn_model_unref(m);
}

static void rounding_to_pairs(void **state)
{
	(void)state;
	float x[] = {1.0f, 1.0f + 0x1p-22f, 1.0f + 0x1p-23f, 3 + 0x1p-20f, 65504 + 8, 65520, 0x1p-24f, -0.0f, 0x1p-25f};
	/* The low half of 1 + 2^-23 would be 2^-23, which FP16 has as a subnormal; of 2^-25, a tie, nothing. */
	float want[] = {1.0f, 1.0f + 0x1p-22f, 1.0f + 0x1p-23f, 3 + 0x1p-20f, 65504 + 8, INFINITY, 0x1p-24f, -0.0f, 0};
	size_t n = sizeof x / sizeof *x;
	tarn_npu_round(NULL, true, x, n);
	for (size_t i = 0; i < n; i++)
		assert_memory_equal(&x[i], &want[i], sizeof x[i]);
}

static void products_and_rows(void **state)
{
	(void)state;
	tarn_graph *g;
	tarn_model *m = new_model(&g);
	tarn_value *x = input(g, dims(3, 1, 12, 32));
	tarn_value *q = node(g, "MatMul", x, weights(g, dims(2, 32, 32)), NULL);
	tarn_value *t = node(g, "Transpose", x, NULL, NULL);
	set_ints(g, t, "perm", 3, 0, 2, 1);
	tarn_value *s = node(g, "Softmax", node(g, "MatMul", q, t, NULL), NULL, NULL);
	tarn_value *v = node(g, "MatMul", s, x, NULL);
	tarn_value *heads = input(g, dims(4, 2, 3, 7, 5)), *other = input(g, dims(4, 2, 3, 5, 9));
	output(g, node(g, "MatMul", heads, other, NULL));
	tarn_value *n = node(g, "LayerNormalization", v, weights(g, dims(1, 32)), weights(g, dims(1, 32)));
	output(g, node(g, "Tanh", n, NULL, NULL));
	/* GELU in its parts is one function of the SHAVEs; so is swish. */
	tarn_value *e = node(g, "Erf", node(g, "Div", q, scalar(g, 1.41421356f), NULL), NULL, NULL);
	tarn_value *one = node(g, "Add", e, scalar(g, 1), NULL);
	output(g, node(g, "Mul", node(g, "Mul", q, one, NULL), scalar(g, 0.5f), NULL));
	output(g, node(g, "Mul", q, node(g, "Sigmoid", q, NULL, NULL), NULL));
	tarn_model *c = copy_of(m);
	assert_ok(tarn_graph_infer(c->main));
	assert_ok(tarn_npu_lower(c));
	int gelu = 0, swish = 0;
	for (size_t i = 0; i < c->main->node.len; i++) {
		gelu += tarn_npu_is(c->main->node.at[i], "Gelu");
		swish += tarn_npu_is(c->main->node.at[i], "Swish");
	}
	assert_int_equal(gelu, 1);
	assert_int_equal(swish, 1);
	tarn_model_unref(c);
	finish(m, 1e-2);
}

static tarn_value *mean_over(tarn_graph *g, const char *op, tarn_value *x, int axis)
{
	return node(g, op, x, ints(g, 1, axis), NULL);
}

/* Numbers around 500, whose squares FP16 does not have: root mean square, and the variance as the mean of squares less the
 * square of the mean, along an axis that no layer normalisation has. */
static void written_out_norms_keep_their_range(void **state)
{
	(void)state;
	tarn_graph *g;
	tarn_model *m = new_model(&g);
	tarn_value *x = node(g, "Mul", input(g, dims(3, 2, 24, 10)), scalar(g, 1000), NULL);
	tarn_value *square = node(g, "Pow", x, scalar(g, 2), NULL);
	tarn_value *rms =
		node(g, "Sqrt", node(g, "Add", mean_over(g, "ReduceMean", square, -1), scalar(g, 1e-5f), NULL), NULL, NULL);
	output(g, node(g, "Div", x, rms, NULL));
	tarn_value *mean = node(g, "Mul", mean_over(g, "ReduceSum", x, 1), scalar(g, 1.0f / 24), NULL);
	tarn_value *squares =
		node(g, "Mul", mean_over(g, "ReduceSum", node(g, "Mul", x, x, NULL), 1), scalar(g, 1.0f / 24), NULL);
	tarn_value *var = node(g, "Max", node(g, "Sub", squares, node(g, "Mul", mean, mean, NULL), NULL), scalar(g, 0), NULL);
	tarn_value *scale = node(g, "Reciprocal", node(g, "Sqrt", var, NULL, NULL), NULL, NULL);
	output(g, node(g, "Mul", node(g, "Sub", x, mean, NULL), scale, NULL));
	finish(m, 2e-3);
}

/* What passes a float on unchanged is exact on the FP16 grid: a reshape of numbers that FP16 has. */
static void rounding_is_to_fp16(void **state)
{
	(void)state;
	float x[] = {1.0f,  1.0f + 0x1p-11f, 1.0f + 0x3p-11f, 65504,    65519.9f, 65520,
		     -1e9f, 0x1p-24f,        0x1.8p-25f,      0x1p-26f, -0.0f,    3e-6f};
	float want[] = {1.0f,      1.0f,     1.0f + 0x1p-9f, 65504, 65504, INFINITY,
			-INFINITY, 0x1p-24f, 0x1p-24f,       0,     -0.0f, 0x1.9p-19f};
	size_t n = sizeof x / sizeof *x;
	tarn_npu_round(NULL, false, x, n);
	for (size_t i = 0; i + 1 < n; i++)
		assert_memory_equal(&x[i], &want[i], sizeof *x);
	assert_true(fabsf(x[n - 1] - 3e-6f) <= 0x1p-25f);
}

/* Weights of a model in halves stay what they are through all passes. */
static void weights_in_halves(void **state)
{
	(void)state;
	static const float exact[8] = {1, -2, 0.5f, 3, -0.25f, 4, 7, -1.5f};
	tarn_graph *g;
	tarn_model *m = new_model(&g);
	tarn_tensor half, f = {.type = TARN_F32, .rank = 2, .dim = {4, 2}, .data = (void *)(uintptr_t)exact};
	assert_ok(tarn_tensor_convert(&f, TARN_F16, &half));
	tarn_value *w, *x = node(g, "Cast", input(g, dims(2, 3, 4)), NULL, NULL), *y;
	assert_ok(tarn_value_const(g, NULL, &half, &w));
	tarn_tensor_fini(&half);
	set_int(x, "to", TARN_F16);
	y = node(g, "Cast", node(g, "MatMul", x, w, NULL), NULL, NULL);
	set_int(y, "to", TARN_F32);
	output(g, y);
	assert_ok(tarn_graph_infer(g));
	finish(m, 0); /* halves in, halves out: the same numbers */
}

static int warnings;

static void count_warning(const char *line)
{
	warnings += strstr(line, "beyond 65504") != NULL;
}

/* e^x * 1000 stays inside FP16 for |x| < 1, a million does not. Said once for many elements. */
static void overflow_is_said(void **state)
{
	(void)state;
	for (int twice = 0; twice < 2; twice++) {
		tarn_graph *g;
		tarn_model *m = new_model(&g);
		tarn_value *y = node(g, "Mul", node(g, "Exp", input(g, dims(2, 4, 8)), NULL, NULL), scalar(g, 1000), NULL);
		output(g, twice ? node(g, "Mul", node(g, "Sigmoid", y, NULL, NULL), scalar(g, 1e6f), NULL) : y);
		assert_ok(tarn_graph_infer(g));
		warnings = 0;
		tarn_log_set_sink(count_warning);
		(void)against_reference(m);
		tarn_log_set_sink(NULL);
		assert_int_equal(warnings, twice);
		tarn_model_unref(m);
	}
}

/* Attention masks are far below FP16 on purpose: added or chosen, they weigh nothing, and nothing is said. */
static void masks_are_no_overflow(void **state)
{
	(void)state;
	tarn_graph *g;
	tarn_model *m = new_model(&g);
	tarn_value *x = node(g, "Mul", input(g, dims(2, 4, 8)), scalar(g, 40), NULL), *mask;
	float at[8] = {0, 0, -1e9f, 0, -3.4e38f, 0, -1e9f, 0};
	assert_ok(tarn_value_const_f32(g, NULL, at, 8, &mask));
	output(g, node(g, "Softmax", node(g, "Add", x, mask, NULL), NULL, NULL));
	tarn_value *seen = node(g, "Greater", mask, scalar(g, -1), NULL);
	output(g, node(g, "Softmax", node(g, "Where", seen, x, scalar(g, -1e9f)), NULL, NULL));
	assert_ok(tarn_graph_infer(g));
	warnings = 0;
	tarn_log_set_sink(count_warning);
	finish(m, 2e-2);
	tarn_log_set_sink(NULL);
	assert_int_equal(warnings, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(convolutions),      cmocka_unit_test(a_small_network),
		cmocka_unit_test(in_the_wide_form),  cmocka_unit_test(rounding_to_pairs),
		cmocka_unit_test(products_and_rows), cmocka_unit_test(rounding_is_to_fp16),
		cmocka_unit_test(weights_in_halves), cmocka_unit_test(masks_are_no_overflow),
		cmocka_unit_test(overflow_is_said),  cmocka_unit_test(written_out_norms_keep_their_range),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
