/* SPDX-License-Identifier: Apache-2.0 */
/* What may vary and shall not: y = x + k for x of [a, b] and one number k; sizes and values fixed by name. */
#include "unit/dyn/padded.h"

#include "dyn/dims.h"
#include "dyn/fix.h"

static tarn_model *model;
static tarn_graph *g;
static tarn_dim a;

static int setup(void **state)
{
	(void)state;
	assert_ok(tarn_model_new(&model));
	g = model->main;
	tarn_dim b;
	assert_ok(tarn_symtab_named(&model->syms, "a", &a));
	assert_ok(tarn_symtab_named(&model->syms, "b", &b));
	tarn_shape s = {.rank = 2, .dim = {a, b}};
	tarn_value *x, *k;
	assert_ok(tarn_value_input(g, "x", TARN_F32, &s, &x));
	assert_ok(tarn_value_input(g, "k", TARN_I64, &(tarn_shape){.rank = 0}, &k));
	tarn_value *c = node(g, "Cast", k, NULL, NULL);
	set_int(c, "to", TARN_F32);
	output(g, node(g, "Add", x, c, NULL));
	assert_ok(tarn_graph_infer(g));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tarn_model_unref(model);
	return 0;
}

static void sizes_by_either_name(void **state)
{
	(void)state;
	assert_ok(tarn_model_fix_named(&model, "a", 3));
	assert_ok(tarn_model_fix_named(&model, "x[1]", 5));
	assert_ok(tarn_model_fix_named(&model, "x[1]", 5)); /* as it is */
	const tarn_shape *y = &model->main->output.at[0]->shape;
	assert_int_equal(y->dim[0], 3);
	assert_int_equal(y->dim[1], 5);
}

static void values_stand_in_the_graph(void **state)
{
	(void)state;
	float in[2] = {1, -4};
	tarn_tensor x = {.type = TARN_F32, .rank = 2, .dim = {1, 2}, .data = in}, y = {0};
	const tarn_tensor *at[] = {&x};
	assert_ok(tarn_model_fix_named(&model, "k", -7));
	assert_int_equal(model->main->input.len, 1);
	assert_ok(tarn_graph_eval(model->main, at, &y, NULL, NULL));
	assert_true(((float *)y.data)[0] == -6 && ((float *)y.data)[1] == -11);
	tarn_tensor_fini(&y);
}

static void refused(const char *name, double value, tarn_err code, const char *why)
{
	assert_int_equal(tarn_model_fix_named(&model, name, value), code);
	if (!strstr(tarn_err_text(), why))
		print_error("%s\n", tarn_err_text());
	assert_non_null(strstr(tarn_err_text(), why));
	assert_int_equal(model->main->input.len, 2);
}

static void what_contradicts_is_refused(void **state)
{
	(void)state;
	tarn_symtab_limit(&model->syms, a, 2, 8);
	refused("c", 3, TARN_NOT_FOUND, "x[0] (a), x[1] (b)");
	refused("x[2]", 3, TARN_NOT_FOUND, "x[2]");
	refused("a", 9, TARN_SHAPE, "at most 8");
	refused("a", 1, TARN_SHAPE, "at least 2");
	refused("a", 2.5, TARN_USAGE, "whole number");
	refused("a", 0, TARN_USAGE, "whole number");
	refused("a", NAN, TARN_USAGE, "whole number");
	refused("k", 1.5, TARN_USAGE, "i64");
	refused("x", 1, TARN_SHAPE, "fix these first");
	assert_true(model->main->input.at[0]->shape.dim[0] == a);
	assert_ok(tarn_model_fix_named(&model, "a", 8));
	refused("x[0]", 7, TARN_SHAPE, "is 8 already");
}

/* Sizes of a result depend on data, so that nothing can be bounded; the size that is named can be fixed. */
static void needs_name_a_size_that_fits(void **state)
{
	(void)state;
	tarn_dim_needs needs;
	tarn_value *table;
	float at[16] = {0};
	tarn_tensor t = {.type = TARN_F32, .rank = 1, .dim = {16}, .data = at};
	assert_ok(tarn_value_const(g, "table", &t, &table));
	output(g, node(g, "Add", g->input.at[0], table, NULL)); /* b is 16 or 1 */
	output(g, node(g, "NonZero", g->input.at[0], NULL, NULL));
	assert_ok(tarn_dim_needs_find(model, &needs));
	assert_int_equal(needs.list.len, 2);
	assert_non_null(needs.list.at[1].why);
	double size = (double)needs.list.at[1].max;
	tarn_dim_needs_fini(&needs);
	assert_ok(tarn_model_fix_named(&model, "b", size));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(sizes_by_either_name),
		T(values_stand_in_the_graph),
		T(what_contradicts_is_refused),
		T(needs_name_a_size_that_fits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
