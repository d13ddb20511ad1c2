/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of 24 rows that are looked up by position: the longest input is what counting from `first` leaves of them. */
#include "devices/fixture.h"
#include "unit/dyn/padded.h"

#include "dyn/dims.h"
#include "dyn/reach.h"

enum { ROWS = 24 };

static tarn_value *x; /* f32 [2,length] */

static int setup(void **state)
{
	(void)state;
	fixture_start(7);
	tarn_shape s = dims(2, 2, 0);
	assert_ok(tarn_symtab_named(&model->syms, "length", &s.dim[1]));
	x = input(g, s);
	return 0;
}

static tarn_value *op2(const char *op, tarn_value *a, tarn_value *b)
{
	return node(g, op, a, b, NULL);
}

static tarn_value *whole(int64_t at)
{
	return op2("Squeeze", ints(g, 1, at), ints(g, 1, 0));
}

/* first, first + 1, ... for each element of x */
static tarn_value *counted(int64_t first)
{
	tarn_value *size = op2("Gather", op2("Shape", x, NULL), ints(g, 1, 1));
	tarn_value *end = op2("Squeeze", size, ints(g, 1, 0));
	return op2("Add", node(g, "Range", whole(0), end, whole(1)), ints(g, 1, first));
}

/* The same, of elements that are above 0. */
static tarn_value *counted_unmasked(int64_t first)
{
	tarn_value *mask = node(g, "Cast", op2("Greater", x, scalar(g, 0)), NULL, NULL);
	set_int(mask, "to", TARN_I64);
	tarn_value *sum = op2("CumSum", mask, whole(1));
	return op2("Add", op2("Mul", sum, mask), ints(g, 1, first - 1));
}

static void look_up(tarn_value *at)
{
	output(g, op2("Gather", weights(g, dims(2, ROWS, 4)), at));
	assert_ok(tarn_graph_infer(g));
}

static int64_t limit_from(int64_t max)
{
	int64_t most;
	const tarn_bound_spec spec = {.name = "length", .max = max};
	assert_ok(tarn_model_reach_limit(model, &spec, 1, 0, &most));
	return most;
}

static int64_t proposed(void)
{
	tarn_dim_needs needs;
	assert_ok(tarn_dim_needs_find(model, &needs));
	assert_int_equal(needs.list.len, 1);
	assert_null(needs.list.at[0].why);
	int64_t max = needs.list.at[0].max;
	tarn_dim_needs_fini(&needs);
	return max;
}

static void positions(void **state)
{
	(void)state;
	look_up(counted(2));
	assert_int_equal(limit_from(128), ROWS - 2);
	assert_int_equal(limit_from(5), 5);
	assert_int_equal(proposed(), ROWS - 2);
	tarn_model *b = tarn_model_ref(model);
	assert_err(TARN_SHAPE, tarn_model_bound(&b, "length", ROWS - 1, NULL));
	assert_non_null(strstr(tarn_err_text(), "looks up row 24 of a table of 24; the largest 'length' that works is 22"));
	assert_ok(tarn_model_bound(&b, "length", ROWS - 2, NULL));
	const tarn_bound_spec spec = {.name = "length", .max = ROWS - 2};
	for (int64_t n = 1; n <= spec.max; n += 7) {
		double e = padded_error(model, b, &spec, &n, 1);
		assert_true(e >= 0 && e <= 1e-6);
	}
	tarn_model_unref(b);
}

/* Masked positions are not counted, so that a longer input may do; what is proposed does in any case. */
static void positions_that_are_not_masked(void **state)
{
	(void)state;
	tarn_reach r;
	const tarn_bound_spec spec = {.name = "length", .max = 40};
	look_up(counted_unmasked(2));
	assert_ok(tarn_model_reach(model, &spec, 1, &r));
	assert_true(r.found && !r.sure);
	assert_int_equal(r.rows, ROWS);
	assert_int_equal(r.index, 40 + 1);
	assert_int_equal(proposed(), ROWS - 2);
	tarn_model *b = tarn_model_ref(model);
	assert_ok(tarn_model_bound(&b, "length", 40, NULL));
	tarn_model_unref(b);
}

static void positions_kept_within(void **state)
{
	(void)state;
	look_up(op2("Min", counted(2), whole(ROWS - 1)));
	look_up(op2("Min", counted_unmasked(2), whole(ROWS - 1)));
	assert_int_equal(limit_from(1000), 1000);
	assert_int_equal(proposed(), 128);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(positions),
		T(positions_that_are_not_masked),
		T(positions_kept_within),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
