/* SPDX-License-Identifier: Apache-2.0 */
/* What shape inference says with free dimensions. Node 0 of each case is a placeholder, removed before inference. */
#include <stdio.h>

#include "op_case.h"

static void graph_new(void)
{
	case_new("Identity", 1, 1);
	tarn_graph_remove(the.m->main, the.n);
}

static tarn_value *infer(tarn_node *n)
{
	OK(tarn_graph_infer(the.m->main));
	return n->out[0];
}

/* x[batch,seq,768] -> Reshape(x, Concat(Shape(x)[0:1], -1, 12, 64)), as exporters write attention. */
static void reshape_by_concat(void **state)
{
	(void)state;
	graph_new();
	tarn_value *x = graph_input(TARN_F32, "batch,seq,768");
	tarn_node *shape = add_node("Shape", 1, x, NULL, NULL);
	tarn_node *pick = add_node("Gather", 2, shape->out[0], ints(-1, D(0)), NULL);
	tarn_node *up = add_node("Unsqueeze", 2, pick->out[0], ints(1, D(0)), NULL);
	tarn_node *cat = add_node("Concat", 3, up->out[0], ints(1, D(-1)), ints(2, D(12, 64)));
	OK(tarn_attr_set_i(cat, 0, 0));
	tarn_node *r = add_node("Reshape", 2, x, cat->out[0], NULL);
	expect_shape(infer(r), "[batch,seq,12,64]");
	tarn_node *back = add_node("Reshape", 2, r->out[0], ints(3, D(0, 0, -1)), NULL);
	expect_shape(infer(back), "[batch,seq,768]");
	tarn_node *flat = add_node("Flatten", 1, r->out[0], NULL, NULL);
	OK(tarn_attr_set_i(flat, 0, 2));
	expect_shape(infer(flat), "[batch*seq,768]");
	case_end();
}

/* Expand to Where(Equal(s, -1), ones, s): the comparison of sizes with -1 is decided. */
static void expand_by_where(void **state)
{
	(void)state;
	graph_new();
	tarn_value *x = graph_input(TARN_F32, "1,1,seq");
	tarn_value *y = graph_input(TARN_F32, "batch,seq");
	tarn_node *s = add_node("Shape", 1, y, NULL, NULL);
	tarn_node *cat = add_node("Concat", 2, s->out[0], ints(1, D(-1)), NULL);
	OK(tarn_attr_set_i(cat, 0, 0));
	tarn_node *ones = add_node("ConstantOfShape", 1, ints(1, D(3)), NULL, NULL);
	tarn_tensor one = {0};
	OK(tarn_tensor_new(TARN_I64, 1, D(1), &one));
	tarn_tensor_set_i64(&one, 0, 1);
	ones->attr[0].set = true;
	ones->attr[0].t = &one;
	tarn_node *minus = add_node("Mul", 2, ones->out[0], ints(-1, D(-1)), NULL);
	tarn_node *eq = add_node("Equal", 2, cat->out[0], minus->out[0], NULL);
	tarn_node *w = add_node("Where", 3, eq->out[0], ones->out[0], cat->out[0]);
	tarn_node *e = add_node("Expand", 2, x, w->out[0], NULL);
	expect_shape(infer(e), "[batch,seq,seq]");
	tarn_tensor_fini(&one);
	case_end();
}

static void arithmetic_on_sizes(void **state)
{
	(void)state;
	graph_new();
	tarn_value *x = graph_input(TARN_F32, "n,h");
	tarn_node *s = add_node("Shape", 1, x, NULL, NULL);
	tarn_node *h = add_node("Slice", 3, s->out[0], ints(1, D(1)), ints(1, D(INT64_MAX)));
	tarn_node *twice = add_node("Mul", 2, h->out[0], ints(1, D(2)), NULL);
	tarn_node *half = add_node("Div", 2, twice->out[0], ints(1, D(2)), NULL);
	tarn_node *more = add_node("Add", 2, half->out[0], ints(1, D(1)), NULL);
	tarn_node *zeros = add_node("ConstantOfShape", 1, more->out[0], NULL, NULL);
	expect_shape(infer(zeros), "[(h+1)]");
	tarn_node *less = add_node("Add", 2, more->out[0], ints(1, D(-1)), NULL);
	tarn_node *again = add_node("ConstantOfShape", 1, less->out[0], NULL, NULL);
	expect_shape(infer(again), "[h]");
	tarn_node *size = add_node("Size", 1, x, NULL, NULL);
	tarn_node *range = add_node("Range", 3, ints(-1, D(0)), size->out[0], ints(-1, D(1)));
	expect_shape(infer(range), "[n*h]");
	case_end();
}

static void slices_of_free_axes(void **state)
{
	(void)state;
	graph_new();
	tarn_value *x = graph_input(TARN_F32, "n,s,8");
	tarn_node *a = add_node("Slice", 3, x, ints(3, D(0, 1, 2)), ints(3, D(INT64_MAX, INT64_MAX, -1)));
	expect_shape(infer(a), "[n,(s-1),5]");
	/* s >= 1 is all that is known: x[:, -1:] has one column. */
	tarn_node *b = add_node("Slice", 3, x, ints(2, D(0, -1)), ints(2, D(INT64_MAX, INT64_MAX)));
	expect_shape(infer(b), "[n,1,8]");
	tarn_node *c = add_node("Concat", 2, a->out[0], x, NULL);
	OK(tarn_attr_set_i(c, 0, 2));
	expect_shape(infer(c), "[n,(s-1),13]");
	case_end();
}

static void unknown_rank_passes(void **state)
{
	static const char *const one[] = {"Relu", "Flatten", "Transpose", "Squeeze", "Shape", "Softplus", "Size", "Cast"};
	static const char *const two[] = {"Add", "Equal", "Reshape", "Gather", "Unsqueeze", "Expand", "Tile", "Pad"};
	(void)state;
	for (size_t i = 0; i < sizeof one / sizeof *one; i++) {
		graph_new();
		tarn_value *x = graph_input(TARN_F32, "1");
		x->shape.rank = -1;
		add_node(one[i], 1, x, NULL, NULL);
		OK(tarn_graph_infer(the.m->main));
	}
	for (size_t i = 0; i < sizeof two / sizeof *two; i++) {
		graph_new();
		tarn_value *x = graph_input(i < 2 ? TARN_I64 : TARN_F32, "1"), *k = graph_input(TARN_I64, "n");
		x->shape.rank = -1;
		add_node(two[i], 2, x, k, NULL);
		OK(tarn_graph_infer(the.m->main));
	}
	case_end();
}

static void errors_are_sentences(void **state)
{
	(void)state;
	graph_new();
	tarn_value *x = graph_input(TARN_F32, "2,3");
	add_node("Reshape", 2, x, ints(2, D(4, -1)), NULL);
	expect_error(tarn_graph_infer(the.m->main), TARN_SHAPE, "6 elements do not divide into groups of 4");
	graph_new();
	x = graph_input(TARN_F32, "2,3");
	add_node("Reshape", 2, x, ints(2, D(4, 2)), NULL);
	expect_error(tarn_graph_infer(the.m->main), TARN_SHAPE, "[2,3] cannot become [4,2]");
	graph_new();
	x = graph_input(TARN_F32, "2,3");
	add_node("Squeeze", 2, x, ints(1, D(1)), NULL);
	expect_error(tarn_graph_infer(the.m->main), TARN_SHAPE, "axis 1 has size 3");
	case_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reshape_by_concat),   cmocka_unit_test(expand_by_where),
		cmocka_unit_test(arithmetic_on_sizes), cmocka_unit_test(slices_of_free_axes),
		cmocka_unit_test(unknown_rank_passes), cmocka_unit_test(errors_are_sentences),
	};
	return cmocka_run_group_tests_name("ops.shape_arithmetic", tests, NULL, NULL);
}
