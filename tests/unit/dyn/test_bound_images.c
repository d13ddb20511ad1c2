/* SPDX-License-Identifier: Apache-2.0 */
/* Images of free height, width and number, and tensors that hang on two lengths at once. */
#include "devices/fixture.h"
#include "unit/dyn/padded.h"

enum { NUMBER, HEIGHT, WIDTH, DIMS };

static tarn_value *x; /* f32 [number,3,height,width] */
static const tarn_bound_spec spec[] = {{"number", 3}, {"height", 9}, {"width", 11}};

static int setup(void **state)
{
	(void)state;
	fixture_start(99);
	tarn_shape s = dims(4, 0, 3, 0, 0);
	assert_ok(tarn_symtab_named(&model->syms, "number", &s.dim[0]));
	assert_ok(tarn_symtab_named(&model->syms, "height", &s.dim[2]));
	assert_ok(tarn_symtab_named(&model->syms, "width", &s.dim[3]));
	x = input(g, s);
	return 0;
}

static void equal_from(int64_t least, double tolerance, int repairs)
{
	tarn_model *b = tarn_model_ref(model);
	tarn_bound_cost cost;
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_model_bound_all(&b, spec, DIMS, &cost));
	assert_int_equal(cost.repairs, repairs);
	assert_true(cost.elements > 0 || !repairs);
	for (int i = 0; i < DIMS; i++) {
		char name[64];
		snprintf(name, sizeof name, "valid_length.%s", spec[i].name);
		assert_string_equal(b->main->input.at[1 + i]->name, name);
	}
	for (int i = 0; i < 25; i++) {
		int64_t len[DIMS] = {between(1, 3), between((int)least, 9), between((int)least, 11)};
		double e = padded_error(model, b, spec, len, DIMS);
		if (!(e >= 0 && e <= tolerance))
			print_error("%lld of %lldx%lld: %g\n", (long long)len[0], (long long)len[1], (long long)len[2], e);
		assert_true(e >= 0 && e <= tolerance);
	}
	tarn_model_unref(b);
}

static tarn_value *conv(tarn_value *v, int in, int out, int stride)
{
	v = node(g, "Conv", v, weights(g, dims(4, out, in, 3, 3)), weights(g, dims(1, out)));
	set_ints(g, v, "pads", 4, 1, 1, 1, 1);
	set_ints(g, v, "strides", 2, stride, stride);
	return v;
}

static void pooled_classifier(void **state)
{
	(void)state;
	tarn_value *v = node(g, "Relu", conv(conv(x, 3, 4, 2), 4, 5, 1), NULL, NULL);
	v = node(g, "GlobalAveragePool", v, NULL, NULL);
	v = node(g, "Flatten", v, NULL, NULL);
	output(g, node(g, "Softmax", node(g, "MatMul", v, weights(g, dims(2, 5, 4)), NULL), NULL, NULL));
	equal_from(1, 1e-6, 4); /* two borders, the pooled zeros and their count */
}

/* Gates made of means, as in squeeze-and-excitation, and a path of half the size enlarged again. */
static void gates_and_pyramid(void **state)
{
	(void)state;
	tarn_value *a = conv(x, 3, 4, 1), *m = node(g, "GlobalAveragePool", a, NULL, NULL);
	a = node(g, "Mul", a, node(g, "Sigmoid", m, NULL, NULL), NULL);
	tarn_value *p = node(g, "MaxPool", a, NULL, NULL);
	set_ints(g, p, "kernel_shape", 2, 2, 2);
	set_ints(g, p, "strides", 2, 2, 2);
	set_int(p, "ceil_mode", 1);
	float scales[] = {1, 1, 2, 2};
	tarn_node *up;
	assert_ok(tarn_node_new(g, tarn_op_find(NULL, "Resize"), NULL, 3, 1, -1, &up));
	up->in[0] = p;
	assert_ok(tarn_value_const_f32(g, NULL, scales, 4, &up->in[2]));
	set_int(up->out[0], "mode", 1);
	output(g, up->out[0]);
	output(g, a);
	equal_from(2, 1e-6, 6); /* border, zeros and count of the mean, -inf of the pool, edges along both axes */
}

static void averages_at_the_border(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		tarn_value *v = node(g, "AveragePool", x, NULL, NULL);
		set_ints(g, v, "kernel_shape", 2, 3, 2);
		set_ints(g, v, "strides", 2, 2, 1);
		set_int(v, "ceil_mode", i == 1);
		if (i < 2)
			set_ints(g, v, "pads", 4, 1, 0, 1, 1);
		else
			set_int(v, "auto_pad", 1);
		output(g, v);
	}
	tarn_model *b = tarn_model_ref(model);
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_model_bound_all(&b, spec, DIMS, NULL));
	for (int64_t h = 2; h <= 9; h++)
		for (int64_t w = 2; w <= 11; w += 3) {
			double e = padded_error(model, b, spec, (int64_t[]){2, h, w}, DIMS);
			assert_true(e >= 0 && e <= 1e-6);
		}
	tarn_model_unref(b);
}

static void instance_normalisation(void **state)
{
	(void)state;
	output(g, node(g, "InstanceNormalization", x, weights(g, dims(1, 3)), weights(g, dims(1, 3))));
	equal_from(2, 1e-5, 4); /* zeros for the mean, its count, zeros about the mean for the variance, its count */
}

/* Pixels as a sequence: two padded axes become one, in which the valid elements come first. */
static void pixels_as_a_sequence(void **state)
{
	(void)state;
	tarn_value *s = node(g, "Transpose", node(g, "Reshape", x, ints(g, 3, 0, 3, -1), NULL), NULL, NULL);
	set_ints(g, s, "perm", 3, 0, 2, 1);
	tarn_value *t = node(g, "Transpose", s, NULL, NULL);
	set_ints(g, t, "perm", 3, 0, 2, 1);
	output(g, node(g, "MatMul", node(g, "Softmax", node(g, "MatMul", s, t, NULL), NULL, NULL), s, NULL));
	tarn_value *back = node(g, "Reshape", t, node(g, "Shape", x, NULL, NULL), NULL);
	output(g, back);
	equal_from(1, 1e-6, 4); /* folded, scores, values, unfolded */
}

static tarn_value *scale_of(float scale)
{
	return scalar(g, scale);
}

static tarn_value *zero_of(tarn_dtype type, int64_t zero)
{
	tarn_tensor t;
	tarn_value *v;
	assert_ok(tarn_tensor_new(type, 0, NULL, &t));
	tarn_tensor_set_i64(&t, 0, zero);
	assert_ok(tarn_value_const(g, NULL, &t, &v));
	tarn_tensor_fini(&t);
	return v;
}

static tarn_value *quantized(tarn_value *v, float scale, int64_t zero)
{
	v = node(g, "QuantizeLinear", v, scale_of(scale), zero_of(TARN_U8, zero));
	return node(g, "DequantizeLinear", v, scale_of(scale), zero_of(TARN_U8, zero));
}

/* Between quantized convolutions the padding is replaced while it is integers: every convolution still reads a
 * DequantizeLinear. */
static void quantized_convolutions(void **state)
{
	(void)state;
	tarn_value *v = quantized(x, 0.01f, 100);
	v = quantized(conv(v, 3, 4, 1), 0.05f, 128);
	output(g, conv(v, 4, 4, 2));
	tarn_model *b = tarn_model_ref(model);
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_model_bound_all(&b, spec, DIMS, NULL));
	int convs = 0;
	for (size_t i = 0; i < b->main->node.len; i++)
		if (!strcmp(b->main->node.at[i]->op->name, "Conv")) {
			assert_string_equal(b->main->node.at[i]->in[0]->def->op->name, "DequantizeLinear");
			convs++;
		}
	assert_int_equal(convs, 2);
	tarn_model_unref(b);
	equal_from(2, 1e-6, 2);
}

static void batch_alone(void **state)
{
	(void)state;
	output(g, node(g, "Relu", conv(x, 3, 4, 2), NULL, NULL));
	tarn_model *b = tarn_model_ref(model);
	tarn_bound_cost cost;
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_model_bound_all(&b, spec, 1, &cost));
	assert_int_equal(cost.repairs, 0);
	assert_string_equal(b->main->input.at[1]->name, "valid_length");
	tarn_model_unref(b);
}

static void maxima_that_do_not_fit_are_refused(void **state)
{
	(void)state;
	tarn_value *t = node(g, "Transpose", x, NULL, NULL);
	set_ints(g, t, "perm", 4, 0, 1, 3, 2);
	output(g, node(g, "Add", x, t, NULL)); /* square images only */
	tarn_model *b = tarn_model_ref(model);
	assert_ok(tarn_graph_infer(g));
	assert_err(TARN_SHAPE, tarn_model_bound_all(&b, spec, DIMS, NULL));
	assert_non_null(strstr(tarn_err_text(), "at the maximum sizes"));
	tarn_model_unref(b);
}

/* The batch has a size here, as the grid's has. */
static void sampled_points(void **state)
{
	(void)state;
	tarn_value *grid = weights(g, dims(4, 1, 4, 5, 2));
	tarn_value *one = node(g, "Slice", x, ints(g, 1, 0), ints(g, 1, 1));
	for (int border = 0; border < 2; border++)
		for (int corners = 0; corners < 2; corners++) {
			tarn_value *y = node(g, "GridSample", one, grid, NULL);
			set_int(y, "padding_mode", border);
			set_int(y, "align_corners", corners);
			output(g, y);
			y = node(g, "GridSample", one, grid, NULL);
			set_int(y, "mode", 2);
			set_int(y, "padding_mode", border);
			set_int(y, "align_corners", corners);
			output(g, y);
		}
	equal_from(1, 1e-5, 11);
}

/* Weights of a Softmax are 0 in the padding without another mask. */
static void sampled_weights(void **state)
{
	(void)state;
	tarn_value *one = node(g, "Slice", x, ints(g, 1, 0), ints(g, 1, 1)), *line = node(g, "ReduceMax", one, NULL, NULL), *p;
	set_ints(g, line, "axes", 1, 2);
	p = node(g, "Softmax", line, NULL, NULL);
	set_int(p, "axis", 3);
	tarn_value *y = node(g, "GridSample", p, weights(g, dims(4, 1, 4, 5, 2)), NULL);
	set_int(y, "mode", 2);
	output(g, y);
	equal_from(1, 1e-5, 3);
}

static void points_that_cannot_be_said_anew_are_refused(void **state)
{
	(void)state;
	static const struct {
		int mode, border;
		const char *why;
	} cases[] = {{1, 0, "nearest"}, {0, 2, "reflects"}};
	tarn_value *one = node(g, "Slice", x, ints(g, 1, 0), ints(g, 1, 1));
	tarn_value *y = node(g, "GridSample", one, weights(g, dims(4, 1, 4, 5, 2)), NULL);
	output(g, y);
	assert_ok(tarn_graph_infer(g));
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		set_int(y, "mode", cases[i].mode);
		set_int(y, "padding_mode", cases[i].border);
		assert_err(TARN_UNSUPPORTED, tarn_model_bound_all(&model, spec, DIMS, NULL));
		assert_non_null(strstr(tarn_err_text(), cases[i].why));
		tarn_err_clear();
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(pooled_classifier),
		T(gates_and_pyramid),
		T(averages_at_the_border),
		T(instance_normalisation),
		T(pixels_as_a_sequence),
		T(quantized_convolutions),
		T(batch_alone),
		T(maxima_that_do_not_fit_are_refused),
		T(sampled_points),
		T(sampled_weights),
		T(points_that_cannot_be_said_anew_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
