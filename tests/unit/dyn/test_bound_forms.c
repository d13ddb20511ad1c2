/* SPDX-License-Identifier: Apache-2.0 */
/* Ways in which models cut, fold and resize a sequence whose sizes hang on the length in more than one place. */
#include "unit/dyn/padded.h"

enum { MOST = 24 };

static tarn_model *model;
static tarn_graph *g;
static tarn_value *x; /* f32 [2,length,3] */
static const tarn_bound_spec spec[] = {{"length", MOST}};

static int setup(void **state)
{
	(void)state;
	seed = 7;
	assert_ok(tarn_model_new(&model));
	g = model->main;
	tarn_shape s = dims(3, 2, 0, 3);
	assert_ok(tarn_symtab_named(&model->syms, "length", &s.dim[1]));
	x = input(g, s);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tarn_model_unref(model);
	return 0;
}

static tarn_value *op2(const char *op, tarn_value *a, tarn_value *b)
{
	return node(g, op, a, b, NULL);
}

/* int64 [1] */
static tarn_value *length(void)
{
	return op2("Gather", op2("Shape", x, NULL), ints(g, 1, 1));
}

static tarn_value *joined(tarn_value *a, tarn_value *b, tarn_value *c)
{
	tarn_value *v = node(g, "Concat", a, b, c);
	set_int(v, "axis", 0);
	return v;
}

/* Along the axis of length. */
static tarn_value *cut(tarn_value *v, tarn_value *start, tarn_value *end)
{
	tarn_node *n;
	assert_ok(tarn_node_new(g, tarn_op_find(NULL, "Slice"), NULL, 4, 1, -1, &n));
	n->in[0] = v;
	n->in[1] = start;
	n->in[2] = end;
	n->in[3] = ints(g, 1, 1);
	return n->out[0];
}

/* Every length from `least` in steps: those at which the original runs. */
static void equal(int least, int step)
{
	tarn_model *b = tarn_model_ref(model);
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_model_bound_all(&b, spec, 1, NULL));
	for (int64_t n = least; n <= MOST; n += step) {
		double e = padded_error(model, b, spec, &n, 1);
		if (!(e >= 0 && e <= 1e-5))
			print_error("%lld: %g\n", (long long)n, e);
		assert_true(e >= 0 && e <= 1e-5);
	}
	tarn_model_unref(b);
}

static void refused(const char *why)
{
	tarn_model *b = tarn_model_ref(model);
	assert_ok(tarn_graph_infer(g));
	assert_err(TARN_UNSUPPORTED, tarn_model_bound_all(&b, spec, 1, NULL));
	if (!strstr(tarn_err_text(), why))
		print_error("%s\n", tarn_err_text());
	assert_non_null(strstr(tarn_err_text(), why));
	tarn_model_unref(b);
}

/* [2, length / steps, -1] */
static tarn_value *folded(int steps)
{
	return op2("Reshape", x, joined(ints(g, 1, 2), op2("Div", length(), ints(g, 1, steps)), ints(g, 1, -1)));
}

/* ---- steps folded into channels: -1 is what the weights behind it take ---- */

static void folded_for_a_product(void **state)
{
	(void)state;
	output(g, op2("MatMul", folded(4), weights(g, dims(2, 12, 5))));
	equal(4, 4);
}

static void folded_for_a_sum_and_a_convolution(void **state)
{
	(void)state;
	tarn_value *y = node(g, "Relu", folded(3), NULL, NULL);
	y = op2("Mul", y, weights(g, dims(1, 9)));
	output(g, op2("ReduceMean", y, NULL));
	tarn_value *turned = op2("Transpose", folded(2), NULL);
	set_ints(g, turned, "perm", 3, 0, 2, 1);
	output(g, op2("Conv", turned, weights(g, dims(3, 4, 6, 1))));
	equal(6, 6);
}

static void folded_after_the_rest_is_cut_off(void **state)
{
	(void)state;
	tarn_value *four = ints(g, 1, 4), *whole = op2("Mul", op2("Div", length(), four), four);
	tarn_value *shape = joined(ints(g, 1, 2), op2("Div", whole, four), ints(g, 1, -1));
	output(g, op2("Reshape", cut(x, ints(g, 1, 0), whole), shape));
	equal(4, 1);
}

/* Nothing says how wide it is: at 21 it is 12 and at 24, too, but at 5 it is 15. */
static void folded_for_nothing(void **state)
{
	(void)state;
	output(g, folded(4));
	refused("its result");
}

static void folded_at_a_maximum_that_does_not_fit(void **state)
{
	(void)state;
	output(g, op2("MatMul", folded(5), weights(g, dims(2, 15, 5))));
	refused("its -1 is 18 at the maximum");
}

/* ---- parts of a size that varies ---- */

/* What torch makes of chunk(2): the first half is the longer one. */
static void halves(tarn_value **a, tarn_value **b)
{
	tarn_value *half = op2("Div", op2("Add", length(), ints(g, 1, 1)), ints(g, 1, 2));
	*a = cut(x, ints(g, 1, 0), half);
	*b = cut(x, half, length());
}

/* Of an even size; of three, where the lone element of the second half meets two; of one, where it is empty. */
static void halves_that_meet(void **state)
{
	(void)state;
	tarn_value *a, *b;
	halves(&a, &b);
	tarn_value *y = op2("Mul", a, op2("Sigmoid", b, NULL));
	output(g, y);
	output(g, op2("ReduceSum", y, ints(g, 1, 1)));
	equal(2, 2);
	equal(1, MOST);
	equal(3, MOST);
}

/* The last of three parts shrinks when the others grow. */
static void thirds(void **state)
{
	(void)state;
	tarn_value *third = op2("Div", op2("Add", length(), ints(g, 1, 2)), ints(g, 1, 3)), *two = op2("Add", third, third);
	tarn_value *a = cut(x, ints(g, 1, 0), third), *b = cut(x, third, two), *c = cut(x, two, length());
	output(g, c);
	output(g, node(g, "Concat", c, a, b));
	set_int(g->output.at[1], "axis", 1);
	equal(3, 1);
	static const tarn_bound_spec less[] = {{"length", 22}}; /* 6 are left of it, and 7 of 21 */
	tarn_model *bounded = tarn_model_ref(model);
	assert_err(TARN_UNSUPPORTED, tarn_model_bound_all(&bounded, less, 1, NULL));
	assert_non_null(strstr(tarn_err_text(), "it is longer at 21 than at the maximum"));
	tarn_model_unref(bounded);
}

/* ---- Resize ---- */

/* The sequence to a size (a list of three), by the rules of that number in the attributes' words. */
static tarn_value *resized(tarn_value *v, tarn_value *sizes, int mode, int coordinates, int rounding)
{
	tarn_node *n;
	assert_ok(tarn_node_new(g, tarn_op_find(NULL, "Resize"), NULL, 4, 1, -1, &n));
	n->in[0] = v;
	n->in[3] = sizes;
	set_int(n->out[0], "mode", mode);
	set_int(n->out[0], "coordinate_transformation_mode", coordinates);
	set_int(n->out[0], "nearest_mode", rounding);
	return n->out[0];
}

enum { NEAREST, LINEAR, CUBIC };
enum { HALF_PIXEL, ALIGNED = 2, ASYMMETRIC, FOR_NN };

/* The reference computes places as runtimes do; unit.ops.resize says so. */
static void nearest_of_a_varying_size(void **state)
{
	(void)state;
	for (int how = HALF_PIXEL; how <= FOR_NN; how++)
		for (int rounding = 0; rounding < 4; rounding++)
			output(g, resized(x, ints(g, 3, 2, 7, 3), NEAREST, how, rounding));
	output(g, resized(cut(weights(g, dims(3, 2, 9, 3)), ints(g, 1, 0), ints(g, 1, 9)),
			  joined(ints(g, 1, 2), length(), ints(g, 1, 3)), NEAREST, HALF_PIXEL, 1));
	tarn_value *scaled = node(g, "Resize", x, NULL, NULL);
	tarn_node *n = scaled->def;
	assert_ok(tarn_node_resize_inputs(g, n, 3));
	tarn_tensor s = filled(dims(1, 3));
	((float *)s.data)[0] = ((float *)s.data)[2] = 1;
	((float *)s.data)[1] = 0.7f;
	assert_ok(tarn_value_const(g, NULL, &s, &n->in[2]));
	tarn_tensor_fini(&s);
	set_int(scaled, "coordinate_transformation_mode", 1);
	output(g, scaled);
	equal(2, 1);
}

/* As many elements are weighed as the size shrinks by; or those there are. */
static void antialiased(void **state)
{
	(void)state;
	for (int mode = LINEAR; mode <= CUBIC; mode++)
		for (int k = 0; k < 2; k++) {
			tarn_value *y = resized(x, ints(g, 3, 2, 5, 3), mode, k ? ASYMMETRIC : HALF_PIXEL, 0);
			set_int(y, "antialias", mode == LINEAR || k);
			set_int(y, "exclude_outside", mode == CUBIC && !k);
			output(g, y);
		}
	equal(1, 1);
}

/* Logarithms of 0 beside other numbers; an axis that is resized to the size it has is left alone. */
static void infinities_are_resized(void **state)
{
	(void)state;
	tarn_value *log = node(g, "Log", node(g, "Relu", x, NULL, NULL), NULL, NULL), *none = node(g, "Sub", x, x, NULL);
	none = node(g, "Log", none, NULL, NULL);
	for (int k = 0; k < 6; k++) {
		tarn_value *y = resized(k & 1 ? none : log, ints(g, 3, 2, 5, 3), k < 4 ? LINEAR : CUBIC, k & 2, 0);
		set_int(y, "antialias", k == 3);
		output(g, y);
	}
	equal(1, 1);
}

/* Not at length 1: then the divisor is 0, and there is nothing to divide. */
static void nothing_is_divided(void **state)
{
	(void)state;
	static const char *const ops[] = {"Div", "Mod"};
	tarn_value *some = node(g, "Cast", cut(op2("Mul", x, scalar(g, 50)), ints(g, 1, 1), ints(g, 1, MOST)), NULL, NULL);
	set_int(some, "to", TARN_I64);
	tarn_value *less = op2("Sub", length(), ints(g, 1, 1)), *one = op2("Squeeze", less, ints(g, 1, 0));
	for (int i = 0; i < 2; i++) {
		output(g, op2(ops[i], some, less));
		output(g, op2(ops[i], some, one));
	}
	equal(1, 1);
}

/* Sizes about to be divided by nearly nothing: the last bits of the mean would be seen. */
static void almost_equal_numbers_are_normalised(void **state)
{
	(void)state;
	tarn_value *close = op2("Add", op2("Mul", x, scalar(g, 1e-3f)), scalar(g, 1));
	tarn_value *y = node(g, "MeanVarianceNormalization", close, NULL, NULL);
	set_ints(g, y, "axes", 1, 1);
	output(g, y);
	equal(2, 1);
}

/* [n-1, 3, n-1], where a 0 copies the size it had: [0, 3, 3] at length 1. */
static void sizes_of_0_are_copied(void **state)
{
	(void)state;
	tarn_value *less = op2("Sub", length(), ints(g, 1, 1)), *size = joined(less, ints(g, 1, 1), ints(g, 1, 3));
	size = joined(size, less, NULL);
	tarn_value *v = op2("Expand", scalar(g, 2), size);
	output(g, op2("Reshape", v, joined(less, ints(g, 1, 3), less)));
	equal(1, 1);
	assert_int_equal(g->output.at[0]->shape.rank, 3);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(folded_for_a_product),
		T(folded_for_a_sum_and_a_convolution),
		T(folded_after_the_rest_is_cut_off),
		T(folded_for_nothing),
		T(folded_at_a_maximum_that_does_not_fit),
		T(halves_that_meet),
		T(thirds),
		T(nearest_of_a_varying_size),
		T(antialiased),
		T(infinities_are_resized),
		T(nothing_is_divided),
		T(almost_equal_numbers_are_normalised),
		T(sizes_of_0_are_copied),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
