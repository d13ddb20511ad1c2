/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes of inputs that follow from others: masks over past and new tokens. */
#include "devices/fixture.h"
#include "unit/dyn/padded.h"

#include "dyn/dims.h"

enum { PAST, NEW, ALL, DIMS };

static int setup(void **state)
{
	(void)state;
	return fixture_start(5);
}

static tarn_value *named_input(int rank, int axis, const char *name, int64_t first, int64_t last)
{
	tarn_shape s = dims(rank, first, last, last);
	assert_ok(tarn_symtab_named(&model->syms, name, &s.dim[axis]));
	return input(g, s);
}

static tarn_value *op(const char *name, tarn_value *a, tarn_value *b)
{
	return node(g, name, a, b, NULL);
}

/* What of v, [2,n], lies behind as many as there are past ones. */
static tarn_value *behind(tarn_value *v, tarn_value *past)
{
	tarn_value *from = op("Gather", op("Shape", past, NULL), ints(g, 1, 1));
	tarn_node *n;
	assert_ok(tarn_node_new(g, tarn_op_find(NULL, "Slice"), NULL, 4, 1, -1, &n));
	n->in[0] = v;
	n->in[1] = from;
	n->in[2] = ints(g, 1, 1 << 30);
	n->in[3] = ints(g, 1, 1);
	return n->out[0];
}

/* Positions are a running count of the mask, from the past on; scores over all tokens get the mask. */
static void decoder(void)
{
	tarn_value *past = named_input(3, 1, "past", 2, 4), *x = named_input(3, 1, "new", 2, 4);
	tarn_value *mask = named_input(2, 1, "all", 2, 0);
	x = op("Add", x, op("Unsqueeze", behind(op("CumSum", mask, ints(g, 1, 1)), past), ints(g, 1, 2)));
	tarn_value *k = op("Concat", past, x), *t = op("Transpose", k, NULL);
	set_int(k, "axis", 1);
	set_ints(g, t, "perm", 3, 0, 2, 1);
	tarn_value *scores = op("Add", op("MatMul", x, t), op("Unsqueeze", mask, ints(g, 1, 1)));
	output(g, op("MatMul", op("Softmax", scores, NULL), k));
	output(g, k);
	assert_ok(tarn_graph_infer(g));
}

static void decoder_equals(int64_t all)
{
	const tarn_bound_spec spec[] = {{.name = "past", .max = 7}, {.name = "new", .max = 5}, {.name = "all", .max = all}};
	tarn_model *b = tarn_model_ref(model);
	assert_ok(tarn_model_bound_all(&b, spec, DIMS, NULL));
	assert_int_equal(b->main->input.at[ALL]->shape.dim[1], all);
	assert_string_equal(b->main->input.at[ALL]->name, g->input.at[ALL]->name);
	for (int i = 0; i < 12; i++) {
		int64_t len[DIMS] = {between(1, 7), between(1, 5), 0};
		len[ALL] = len[PAST] + len[NEW];
		double e = len[ALL] <= all ? padded_error(model, b, spec, len, DIMS) : 0;
		assert_true(e >= 0 && e <= 1e-5);
	}
	tarn_model_unref(b);
}

/* Maxima that are proposed fit each other. */
static void maxima_are_proposed(void **state)
{
	(void)state;
	decoder();
	tarn_dim_needs needs;
	assert_ok(tarn_dim_needs_find(model, &needs));
	assert_int_equal(needs.list.len, DIMS);
	for (int i = 0; i < DIMS; i++)
		assert_true(!needs.list.at[i].why && needs.list.at[i].together);
	assert_int_equal(needs.list.at[ALL].max, needs.list.at[PAST].max + needs.list.at[NEW].max);
	tarn_dim_needs_fini(&needs);
}

static void a_mask_over_past_and_new(void **state)
{
	(void)state;
	decoder();
	decoder_equals(12);
	decoder_equals(20); /* more than there can be */
	decoder_equals(9);  /* a context that both share */
}

/* One new token, and a dimension whose name says what it is; by another name it might be 1 and repeated. */
static void a_name_that_says_it(void **state)
{
	(void)state;
	for (int k = 0; k < 2; k++) {
		const char *name = k ? "past + 1" : "any";
		tarn_value *past = named_input(3, 1, "past", 2, 4), *x = input(g, dims(3, 2, 1, 4));
		tarn_value *mask = named_input(2, 1, name, 2, 0), *all = op("Concat", past, x);
		set_int(all, "axis", 1);
		tarn_value *last = behind(op("CumSum", mask, ints(g, 1, 1)), past);
		output(g, op("Add", all, op("Unsqueeze", mask, ints(g, 1, 2))));
		output(g, op("Add", x, op("Unsqueeze", last, ints(g, 1, 2))));
		const tarn_bound_spec spec[] = {{.name = "past", .max = 7}, {.name = name, .max = 8}};
		assert_ok(tarn_graph_infer(g));
		tarn_model *b = tarn_model_ref(model);
		tarn_err err = tarn_model_bound_all(&b, spec, 2, NULL);
		assert_int_equal(err, k ? TARN_OK : TARN_UNSUPPORTED);
		for (int64_t n = 1; k && n <= 7; n++) {
			double e = padded_error(model, b, spec, (int64_t[]){n, n + 1}, 2);
			assert_true(e >= 0 && e <= 1e-5);
		}
		tarn_model_unref(b);
		(void)fixture_teardown(NULL), (void)setup(NULL);
	}
}

/* What is wrong for another reason is said as it was. */
static void the_first_reason_is_told(void **state)
{
	(void)state;
	decoder();
	output(g, op("NonZero", g->output.at[1], NULL));
	assert_ok(tarn_graph_infer(g));
	const tarn_bound_spec spec[] = {{.name = "past", .max = 7}, {.name = "new", .max = 5}};
	tarn_model *b = tarn_model_ref(model);
	assert_err(TARN_UNSUPPORTED, tarn_model_bound_all(&b, spec, 2, NULL));
	assert_non_null(strstr(tarn_err_text(), "'past' cannot be padded"));
	tarn_model_unref(b);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(a_mask_over_past_and_new),
		T(maxima_are_proposed),
		T(a_name_that_says_it),
		T(the_first_reason_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
