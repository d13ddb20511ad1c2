/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes that the model computes: what exporters write for padding to a multiple, for tables cut or resized to fit, for
 * positions counted in floating point. */
#include "devices/fixture.h"
#include "unit/dyn/padded.h"

#include "dyn/dims.h"

enum { HEIGHT, WIDTH, DIMS };

static tarn_value *x; /* f32 [2,height,width] */
static const tarn_bound_spec spec[] = {{"height", 12}, {"width", 10}};

static int setup(void **state)
{
	(void)state;
	fixture_start(99);
	tarn_shape s = dims(3, 2, 0, 0);
	assert_ok(tarn_symtab_named(&model->syms, "height", &s.dim[1]));
	assert_ok(tarn_symtab_named(&model->syms, "width", &s.dim[2]));
	x = input(g, s);
	return 0;
}

static tarn_value *op2(const char *op, tarn_value *a, tarn_value *b)
{
	return node(g, op, a, b, NULL);
}

static tarn_value *cast(tarn_value *v, tarn_dtype to)
{
	v = node(g, "Cast", v, NULL, NULL);
	set_int(v, "to", to);
	return v;
}

/* int64 [1] */
static tarn_value *size_of(tarn_value *v, int axis)
{
	return op2("Gather", op2("Shape", v, NULL), ints(g, 1, axis));
}

static tarn_value *lone(tarn_value *v)
{
	return op2("Squeeze", v, ints(g, 1, 0));
}

static tarn_value *joined(tarn_value *a, tarn_value *b, tarn_value *c)
{
	tarn_value *v = node(g, "Concat", a, b, c);
	set_int(v, "axis", 0);
	return v;
}

static tarn_value *cut(tarn_value *v, tarn_value *start, tarn_value *end, int axis)
{
	tarn_node *n;
	assert_ok(tarn_node_new(g, tarn_op_find(NULL, "Slice"), NULL, 4, 1, -1, &n));
	n->in[0] = v;
	n->in[1] = start;
	n->in[2] = end;
	n->in[3] = ints(g, 1, axis);
	return n->out[0];
}

static void equal(int least)
{
	tarn_model *b = tarn_model_ref(model);
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_model_bound_all(&b, spec, DIMS, NULL));
	for (int64_t h = least; h <= 12; h++) {
		int64_t len[DIMS] = {h, between(least, 10)};
		double e = padded_error(model, b, spec, len, DIMS);
		if (!(e >= 0 && e <= 1e-5))
			print_error("%lld x %lld: %g\n", (long long)len[0], (long long)len[1], e);
		assert_true(e >= 0 && e <= 1e-5);
	}
	tarn_model_unref(b);
}

/* Pads as exporters list them: (front, back) of the last axis first, turned around by way of a matrix. */
static tarn_value *turned_pads(tarn_value *front, tarn_value *back)
{
	tarn_value *list = joined(front, back, ints(g, 4, 0, 0, 0, 0)), *all = op2("Reshape", list, ints(g, 2, -1, 2));
	tarn_node *n;
	assert_ok(tarn_node_new(g, tarn_op_find(NULL, "Slice"), NULL, 5, 1, -1, &n));
	n->in[0] = all;
	n->in[1] = ints(g, 1, -1);
	n->in[2] = ints(g, 1, -9);
	n->in[3] = ints(g, 1, 0);
	n->in[4] = ints(g, 1, -1);
	return op2("Reshape", op2("Transpose", n->out[0], NULL), ints(g, 1, -1));
}

/* Half the size and twice that again is short of an odd size; the difference is padded on both sides. */
static void padded_to_the_size_of_another(void **state)
{
	(void)state;
	tarn_value *half = node(g, "MaxPool", x, NULL, NULL);
	set_ints(g, half, "kernel_shape", 1, 2);
	set_ints(g, half, "strides", 1, 2);
	tarn_value *twice = op2("Concat", half, half);
	set_int(twice, "axis", 2);
	tarn_value *gap = op2("Sub", size_of(x, 2), size_of(twice, 2)), *front = op2("Div", gap, ints(g, 1, 2));
	tarn_value *back = op2("Sub", gap, front);
	output(g, op2("Add", x, op2("Pad", twice, turned_pads(front, back))));
	equal(2);
}

/* Negated, divided, negated again: rounding up. Then no less than zero. */
static void padded_to_a_multiple(void **state)
{
	(void)state;
	tarn_value *w = size_of(x, 2), *four = ints(g, 1, 4), *zero = ints(g, 1, 0);
	tarn_value *rest = op2("Mod", op2("Sub", four, op2("Mod", w, four)), four);
	output(g, op2("Pad", x, turned_pads(zero, rest)));
	tarn_value *less = op2("Mod", op2("Neg", w, NULL), four);
	output(g, op2("Pad", x, turned_pads(less, zero)));
	tarn_value *up = op2("Neg", op2("Div", op2("Neg", w, NULL), four), NULL);
	tarn_value *more = node(g, "Clip", op2("Sub", ints(g, 1, 7), w), ints(g, 1, 0), NULL);
	output(g, op2("Pad", x, turned_pads(up, zero)));
	output(g, op2("Pad", x, turned_pads(zero, more)));
	equal(1);
}

/* A table of fixed size, of which a part is used that begins at a length, or that is resized to one. */
static void tables_cut_and_resized(void **state)
{
	(void)state;
	tarn_value *table = weights(g, dims(2, 30, 4)), *h = size_of(x, 1), *w = size_of(x, 2);
	output(g, cut(table, h, op2("Add", h, w), 0));
	output(g, cut(table, op2("Neg", w, NULL), ints(g, 1, 1000000), 0));
	tarn_value *to = joined(ints(g, 1, 1), ints(g, 1, 3), w);
	tarn_node *n;
	assert_ok(tarn_node_new(g, tarn_op_find(NULL, "Resize"), NULL, 4, 1, -1, &n));
	n->in[0] = weights(g, dims(3, 1, 3, 5));
	n->in[3] = to;
	set_int(n->out[0], "mode", 1);
	output(g, op2("Add", cut(x, ints(g, 1, 0), ints(g, 1, 1), 1), n->out[0]));
	equal(1);
}

/* An axis that keeps its size is not left alone by kernels that weigh neighbours with 0. */
static void nothing_weighs_padding(void **state)
{
	(void)state;
	tarn_node *n;
	float scales[] = {1, 1, 2};
	tarn_bound_cost cost;
	tarn_model *b = tarn_model_ref(model);
	assert_ok(tarn_node_new(g, tarn_op_find(NULL, "Resize"), NULL, 3, 1, -1, &n));
	n->in[0] = x;
	assert_ok(tarn_value_const_f32(g, NULL, scales, 3, &n->in[2]));
	set_int(n->out[0], "mode", 1);
	output(g, n->out[0]);
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_model_bound_all(&b, spec, DIMS, &cost));
	assert_int_equal(cost.gathers, 2); /* the last row and column, repeated */
	tarn_model_unref(b);
	equal(1);
}

/* Distances counted in floating point, up and down, as relative positions are. */
static void counted_in_floats(void **state)
{
	(void)state;
	tarn_value *w = size_of(x, 2), *one = scalar(g, 1), *zero = scalar(g, 0);
	tarn_value *up = node(g, "Range", zero, cast(lone(w), TARN_F32), one);
	output(g, op2("Mul", x, up));
	tarn_value *first = cast(op2("Sub", lone(w), lone(ints(g, 1, 1))), TARN_F32);
	tarn_value *end = cast(op2("Neg", lone(w), NULL), TARN_F32);
	output(g, node(g, "Range", first, end, scalar(g, -1)));
	equal(1);
}

/* Frames stacked by fours run at multiples of four only. */
static void frames_stacked(void **state)
{
	(void)state;
	tarn_value *t = op2("Transpose", x, NULL);
	set_ints(g, t, "perm", 3, 2, 1, 0);
	tarn_value *w = size_of(x, 2), *h = size_of(x, 1), *four = ints(g, 1, 4);
	output(g, op2("Reshape", x, joined(joined(ints(g, 1, 2), op2("Div", h, four), four), w, NULL)));
	output(g, op2("Reshape", t, joined(w, op2("Div", h, four), ints(g, 1, 8))));
	tarn_model *b = tarn_model_ref(model);
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_model_bound_all(&b, spec, DIMS, NULL));
	for (int64_t h4 = 4; h4 <= 12; h4 += 4)
		for (int64_t width = 1; width <= 10; width += 3) {
			double e = padded_error(model, b, spec, (int64_t[]){h4, width}, DIMS);
			assert_true(e >= 0 && e <= 1e-6);
		}
	tarn_model_unref(b);
}

/* Positions along two axes are the same numbers while their maxima are equal, but not as many. */
static void positions_of_equal_maxima(void **state)
{
	(void)state;
	static const tarn_bound_spec square[] = {{"height", 10}, {"width", 10}};
	tarn_value *zero = lone(ints(g, 1, 0)), *one = lone(ints(g, 1, 1));
	for (int axis = 1; axis < 3; axis++) {
		tarn_value *r = cast(node(g, "Range", zero, lone(size_of(x, axis)), one), TARN_F32);
		output(g, r);
		output(g, node(g, "ReduceSum", r, NULL, NULL));
	}
	tarn_model *b = tarn_model_ref(model);
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_model_bound_all(&b, square, DIMS, NULL));
	for (int64_t h = 1; h <= 10; h += 3)
		for (int64_t w = 1; w <= 10; w += 3)
			assert_true(padded_error(model, b, square, (int64_t[]){h, w}, DIMS) == 0);
	tarn_model_unref(b);
}

/* What a convolution leaves, added to as much of the end of its input. */
static void ends_of_what_a_window_leaves(void **state)
{
	(void)state;
	tarn_value *v = op2("Transpose", x, NULL);
	set_ints(g, v, "perm", 3, 1, 0, 2);
	tarn_value *all =
		op2("Unsqueeze", op2("Squeeze", cut(v, ints(g, 1, 0), ints(g, 1, 1), 0), ints(g, 1, 0)), ints(g, 1, 0));
	for (int i = 0; i < 2; i++) {
		tarn_value *y = node(g, "Conv", all, weights(g, dims(3, 2, 2, 2)), weights(g, dims(1, 2)));
		set_ints(g, y, "dilations", 1, 1 + i);
		all = op2("Add", y, cut(all, op2("Neg", size_of(y, 2), NULL), ints(g, 1, 1000000), 2));
	}
	output(g, all);
	equal(4);
}

/* A branch for a lone row: the same one while the maximum leaves one row only, else refused with the length up to which it is.
 */
static void branches_that_a_length_decides(void **state)
{
	(void)state;
	tarn_value *v = op2("ReduceSum", x, ints(g, 1, 1));
	tarn_value *y = node(g, "Conv", v, weights(g, dims(3, 3, 1, 3)), weights(g, dims(1, 3)));
	set_ints(g, y, "strides", 1, 2);
	tarn_node *n;
	tarn_value *one = op2("Equal", lone(size_of(y, 2)), lone(ints(g, 1, 1)));
	assert_ok(tarn_node_new(g, tarn_op_find(NULL, "If"), "branch", 2, 1, -1, &n));
	n->in[0] = one;
	n->in[1] = y;
	n->n_capture = 1;
	for (int b = 0; b < 2; b++) {
		tarn_node *inner;
		tarn_graph *body;
		assert_ok(tarn_node_add_body(g, n, &body));
		tarn_value *in = input(body, (tarn_shape){.rank = -1});
		assert_ok(tarn_node_new(body, tarn_op_find(NULL, b ? "Identity" : "Squeeze"), NULL, b ? 1 : 2, 1, -1, &inner));
		inner->in[0] = in;
		if (!b)
			inner->in[1] = ints(body, 1, 2);
		output(body, inner->out[0]);
	}
	output(g, n->out[0]);
	tarn_model *b = tarn_model_ref(model);
	assert_ok(tarn_graph_infer(g));
	assert_err(TARN_UNSUPPORTED, tarn_model_bound_all(&b, spec, DIMS, NULL));
	assert_non_null(strstr(tarn_err_text(), "up to 4 it is the same one"));
	static const tarn_bound_spec narrow[] = {{"height", 12}, {"width", 4}};
	assert_ok(tarn_model_bound_all(&b, narrow, DIMS, NULL));
	for (int64_t w = 3; w <= 4; w++) {
		double e = padded_error(model, b, narrow, (int64_t[]){5, w}, DIMS);
		assert_true(e >= 0 && e <= 1e-6);
	}
	tarn_model_unref(b);
}

/* What is found by trying: sizes that need one another, a window wider than usual sizes, a table shorter than those. */
static void needs_are_tried_at_sizes_that_fit(void **state)
{
	(void)state;
	tarn_dim_needs needs;
	tarn_value *v = op2("Add", x, weights(g, dims(3, 2, 1, 1)));
	output(g, op2("Reshape", v, ints(g, 2, 2, -1)));
	tarn_value *y = node(g, "Conv", op2("ReduceSum", x, ints(g, 1, 1)), weights(g, dims(3, 1, 1, 400)), NULL);
	output(g, y);
	output(g, op2("Add", op2("ReduceSum", x, ints(g, 1, 2)),
		      op2("Unsqueeze", cut(weights(g, dims(1, 40)), ints(g, 1, 0), size_of(x, 1), 0), ints(g, 1, 1))));
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_dim_needs_find(model, &needs));
	assert_int_equal(needs.list.len, 2);
	assert_int_equal(needs.list.at[0].max, 40); /* a table of 40, and a window of 400 */
	assert_int_equal(needs.list.at[1].max, 512);
	assert_true(needs.list.at[0].together && needs.list.at[1].together);
	tarn_dim_needs_fini(&needs);
	g->output.len = 2;
	tarn_graph_sweep(g);
	assert_ok(tarn_dim_needs_find(model, &needs));
	for (int i = 0; i < 2; i++) {
		assert_null(needs.list.at[i].why);
		assert_true(needs.list.at[i].together);
		assert_int_equal(needs.list.at[i].max, 512);
		assert_true(needs.list.at[i].repairs > 0);
	}
	tarn_dim_needs_fini(&needs);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(padded_to_the_size_of_another),
		T(padded_to_a_multiple),
		T(tables_cut_and_resized),
		T(nothing_weighs_padding),
		T(counted_in_floats),
		T(frames_stacked),
		T(positions_of_equal_maxima),
		T(ends_of_what_a_window_leaves),
		T(branches_that_a_length_decides),
		T(needs_are_tried_at_sizes_that_fit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
