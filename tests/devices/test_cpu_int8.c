/* SPDX-License-Identifier: Apache-2.0 */
/* Quantized graphs on the CPU device against reference evaluation: at most one code apart for each layer. */
#include "ops/resize.h"
#include "pass/pass.h"

#include "devices/levels.h" /* last: its names are short */

static int setup(void **state)
{
	(void)state;
	return fixture_start(4711);
}

static tarn_value *code_const(const void *data, tarn_dtype type, tarn_shape s)
{
	tarn_tensor t;
	tarn_value *v;
	assert_ok(tarn_tensor_new(type, s.rank, s.dim, &t));
	memcpy(t.data, data, tarn_tensor_bytes(&t));
	assert_ok(tarn_value_const(g, NULL, &t, &v));
	tarn_tensor_fini(&t);
	return v;
}

static tarn_value *zero_point(tarn_dtype type, int zero)
{
	uint8_t byte = (uint8_t)zero;
	return code_const(&byte, type, (tarn_shape){.rank = 0});
}

/* Through codes: quantized and back. */
static tarn_value *through(tarn_value *x, float scale, int zero, tarn_dtype type)
{
	tarn_value *q = node(g, "QuantizeLinear", x, scalar(g, scale), zero_point(type, zero));
	return node(g, "DequantizeLinear", q, scalar(g, scale), zero_point(type, zero));
}

/* Weights of s8 or u8 codes with a scale and zero point for each output channel (axis 0). */
static tarn_value *coded_weights(tarn_shape s, tarn_dtype type, int axis, float size)
{
	uint8_t w[4096], zero[64] = {0};
	float scale[64];
	int64_t n = 1, channels = s.dim[axis];
	for (int i = 0; i < s.rank; i++)
		n *= s.dim[i];
	assert_true(n <= 4096 && channels <= 64);
	for (int64_t i = 0; i < n; i++)
		w[i] = (uint8_t)between(0, 255);
	for (int64_t c = 0; c < channels; c++) {
		scale[c] = size * (1 + (float)between(0, 100) / 100);
		zero[c] = type == TARN_U8 ? (uint8_t)between(100, 150) : 0;
	}
	tarn_shape per = {.rank = 1, .dim = {channels}};
	tarn_value *scales;
	tarn_tensor t;
	assert_ok(tarn_tensor_new(TARN_F32, 1, per.dim, &t));
	memcpy(t.data, scale, (size_t)channels * sizeof *scale);
	assert_ok(tarn_value_const(g, NULL, &t, &scales));
	tarn_tensor_fini(&t);
	tarn_value *v = node(g, "DequantizeLinear", code_const(w, type, s), scales, code_const(zero, type, per));
	set_int(v, "axis", axis);
	return v;
}

static tarn_value *coded_conv(tarn_value *x, int ic, int oc, int k, int stride, int group, tarn_dtype type)
{
	tarn_value *w = coded_weights(dims(4, oc, ic / group, k, k), type, 0, 0.01f / (float)(k * k * ic / group));
	tarn_value *y = node(g, "Conv", x, w, weights(g, dims(1, oc)));
	set_ints(g, y, "pads", 4, k / 2, k / 2, k / 2, k / 2);
	set_ints(g, y, "strides", 2, stride, stride);
	set_int(y, "group", group);
	return y;
}

static double allowed;             /* difference of outputs */
static const cpu_kernel *expected; /* must be among the steps */

static void prepare(tarn_model *copy)
{
	assert_ok(tarn_pass_standard(copy));
	assert_ok(tarn_cpu_fold_weights(copy));
}

static void look(const cpu_program *p)
{
	bool used = false;
	for (size_t i = 0; i < p->step.len; i++)
		used |= p->step.at[i].k == expected;
	assert_true(used);
}

static void compare(const tarn_tensor *got, const tarn_tensor *want, size_t i)
{
	assert_int_equal(tarn_tensor_count(got), tarn_tensor_count(want));
	for (int64_t k = 0; k < tarn_tensor_count(want); k++) {
		double a = tarn_tensor_f64(got, k), b = tarn_tensor_f64(want, k);
		if (!(fabs(a - b) <= allowed))
			print_error("[%s] output %zu element %lld: %g, want %g\n", tarn_isa_name(tarn_isa_get()), i,
				    (long long)k, a, b);
		assert_true(fabs(a - b) <= allowed);
	}
}

/* At every level; the outputs may be `step` apart. kernel: one that must be among the steps. */
static void same(double step, const cpu_kernel *kernel)
{
	allowed = step * 1.001;
	expected = kernel;
	run_levels(&(level_test){prepare, look, compare});
}

static void first_layer(void **state)
{
	(void)state;
	tarn_value *x = through(input(g, dims(4, 2, 3, 21, 17)), 1 / 127.0f, 119, TARN_U8);
	tarn_value *y = node(g, "Relu", coded_conv(x, 3, 20, 3, 2, 1, TARN_I8), NULL, NULL);
	output(g, through(y, 0.02f, 0, TARN_U8));
	same(0.02, &tarn_cpu_k_qconv);
}

static void layer_with_u8_weights_and_s8_codes(void **state)
{
	(void)state;
	tarn_value *x = through(input(g, dims(4, 1, 24, 9, 11)), 1 / 120.0f, -9, TARN_I8);
	output(g, through(coded_conv(x, 24, 17, 3, 1, 1, TARN_U8), 0.02f, 4, TARN_I8));
	same(0.02, &tarn_cpu_k_qconv);
}

static void depthwise_layer(void **state)
{
	(void)state;
	tarn_value *x = through(input(g, dims(4, 1, 40, 13, 10)), 1 / 127.0f, 128, TARN_U8);
	output(g, through(coded_conv(x, 40, 40, 3, 1, 40, TARN_I8), 0.02f, 100, TARN_U8));
	same(0.02, &tarn_cpu_k_qconv);
}

static void residual_addition(void **state)
{
	(void)state;
	tarn_value *x = through(input(g, dims(4, 1, 16, 9, 9)), 1 / 127.0f, 128, TARN_U8);
	tarn_value *y = through(coded_conv(x, 16, 16, 3, 1, 1, TARN_I8), 0.02f, 110, TARN_U8);
	tarn_value *sum = node(g, "Relu", node(g, "Add", x, y, NULL), NULL, NULL);
	output(g, through(sum, 0.015f, 0, TARN_U8));
	same(2 * 0.02, &tarn_cpu_k_qbinary);
}

/* Parts of other grids are moved through tables. */
static void concat_of_several_grids(void **state)
{
	(void)state;
	tarn_value *x = input(g, dims(4, 1, 12, 7, 6));
	tarn_value *a = through(coded_conv(through(x, 1 / 127.0f, 128, TARN_U8), 12, 9, 1, 1, 1, TARN_I8), 0.02f, 110, TARN_U8);
	tarn_value *b = through(x, 0.009f, 120, TARN_U8), *c = through(x, 0.011f, 3, TARN_I8);
	tarn_value *y = node(g, "Concat", a, b, c);
	set_int(y, "axis", 1);
	output(g, through(y, 0.012f, 125, TARN_U8));
	same(2 * 0.02, &tarn_cpu_k_qconcat);
}

static void concat_of_rows(void **state)
{
	(void)state;
	tarn_value *x = input(g, dims(2, 5, 33));
	tarn_value *y = node(g, "Concat", through(x, 0.009f, 120, TARN_U8), through(x, 0.011f, 3, TARN_I8), NULL);
	set_int(y, "axis", 0);
	output(g, through(y, 0.012f, -5, TARN_I8));
	same(0, &tarn_cpu_k_qconcat);
}

static tarn_value *resized(tarn_value *x, int coordinates, int nearest, float sy, float sx)
{
	float s[4] = {1, 1, sy, sx};
	tarn_tensor t;
	tarn_value *scales;
	int64_t four = 4;
	assert_ok(tarn_tensor_new(TARN_F32, 1, &four, &t));
	memcpy(t.data, s, sizeof s);
	assert_ok(tarn_value_const(g, NULL, &t, &scales));
	tarn_tensor_fini(&t);
	tarn_node *n = node_with(g, "Resize", 1, x, scales, scales);
	n->in[1] = NULL;
	assert_ok(tarn_attr_set_i(n, TARN_RESIZE_MODE, TARN_MODE_NEAREST));
	assert_ok(tarn_attr_set_i(n, TARN_RESIZE_COORDINATES, coordinates));
	assert_ok(tarn_attr_set_i(n, TARN_RESIZE_NEAREST, nearest));
	return n->out[0];
}

static void resize_of_codes(void **state)
{
	(void)state;
	tarn_value *x = through(input(g, dims(4, 2, 5, 7, 6)), 1 / 127.0f, 128, TARN_U8);
	output(g, through(resized(x, TARN_COORD_ASYMMETRIC, TARN_NEAREST_FLOOR, 2, 2), 0.009f, 120, TARN_U8));
	same(0, &tarn_cpu_k_resize);
}

static void resize_of_floats(void **state)
{
	(void)state;
	tarn_value *x = input(g, dims(4, 2, 5, 7, 9));
	output(g, resized(x, TARN_COORD_HALF_PIXEL, TARN_NEAREST_PREFER_CEIL, 1.5f, 0.6f));
	same(0, &tarn_cpu_k_resize);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(first_layer, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(layer_with_u8_weights_and_s8_codes, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(depthwise_layer, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(residual_addition, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(concat_of_several_grids, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(concat_of_rows, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(resize_of_codes, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(resize_of_floats, setup, fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
