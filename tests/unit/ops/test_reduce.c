/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "op_case.h"

static void reduce_of(const char *op, tarn_dtype type, const double *x, const double *y, double tol)
{
	case_new(op, 1, 1);
	attr_i("keepdims", 0);
	attr_ints("axes", 1, D(-1));
	input(0, type, 2, D(2, 2), x);
	run();
	expect(0, type, 1, D(2), y, tol);
}

static void values(void **state)
{
	(void)state;
	const double *x = V(1, -2, 3, 4);
	reduce_of("ReduceMean", TARN_F32, x, V(-0.5, 3.5), 0);
	reduce_of("ReduceMax", TARN_F32, x, V(1, 4), 0);
	reduce_of("ReduceMin", TARN_I8, x, V(-2, 3), 0);
	reduce_of("ReduceProd", TARN_I32, x, V(-2, 12), 0);
	reduce_of("ReduceL1", TARN_F32, x, V(3, 7), 0);
	reduce_of("ReduceL2", TARN_F32, x, V(2.2360679775, 5), 1e-6);
	reduce_of("ReduceSumSquare", TARN_I32, x, V(5, 25), 0);
	reduce_of("ReduceLogSum", TARN_F32, V(1, 2, 3, 4), V(1.0986122887, 1.9459101491), 1e-6);
	reduce_of("ReduceLogSumExp", TARN_F32, V(1000, 1000, -1000, -1000), V(1000.6931471806, -999.3068528194), 1e-4);
	reduce_of("ReduceMax", TARN_F32, V(1, NAN, 3, 4), V(NAN, 4), 0);
	case_end();
}

static void sum_takes_axes_as_input(void **state)
{
	(void)state;
	case_new("ReduceSum", 2, 1);
	input(0, TARN_F32, 3, D(2, 2, 2), V(1, 2, 3, 4, 5, 6, 7, 8));
	input(1, TARN_I64, 1, D(2), V(0, -1));
	run();
	expect(0, TARN_F32, 3, D(1, 2, 1), V(14, 22), 0);
	case_new("ReduceSum", 1, 1);
	attr_i("keepdims", 0);
	input(0, TARN_F32, 2, D(2, 2), V(1, 2, 3, 4));
	run();
	expect(0, TARN_F32, 0, NULL, V(10), 0);
	case_new("ReduceSum", 1, 1);
	attr_i("noop_with_empty_axes", 1);
	input(0, TARN_F32, 2, D(1, 2), V(1, 2));
	run();
	expect(0, TARN_F32, 2, D(1, 2), V(1, 2), 0);
	case_new("ReduceSum", 1, 1);
	input(0, TARN_F32, 2, D(0, 2), V(0));
	run();
	expect(0, TARN_F32, 2, D(1, 1), V(0), 0);
	case_end();
}

/* Adding ones to 2^24 is lost in float; the sum is made in double and rounded once. */
static void sums_do_not_drift(void **state)
{
	(void)state;
	enum { N = 70000 };
	static double x[N];
	for (int i = 0; i < N; i++)
		x[i] = i == 0 ? 16777216 : 1;
	case_new("ReduceMean", 1, 1);
	attr_i("keepdims", 0);
	input(0, TARN_F32, 1, D(N), x);
	run();
	expect(0, TARN_F32, 0, NULL, V((16777216.0 + N - 1) / N), 2e-5);
	case_end();
}

static void arg_and_top(void **state)
{
	(void)state;
	case_new("ArgMax", 1, 1);
	attr_i("axis", 1);
	attr_i("select_last_index", 1);
	input(0, TARN_F32, 2, D(2, 3), V(2, 2, 1, -1, -3, -2));
	run();
	expect(0, TARN_I64, 2, D(2, 1), V(1, 0), 0);
	case_new("ArgMin", 1, 1);
	attr_i("keepdims", 0);
	input(0, TARN_I8, 2, D(2, 2), V(-5, 3, 2, 3));
	run();
	expect(0, TARN_I64, 1, D(2), V(0, 0), 0);
	case_new("TopK", 2, 2);
	input(0, TARN_F32, 2, D(2, 4), V(1, 4, 4, 2, -1, -0.5, 0, 9));
	input(1, TARN_I64, 1, D(1), V(3));
	run();
	expect(0, TARN_F32, 2, D(2, 3), V(4, 4, 2, 9, 0, -0.5), 0);
	expect(1, TARN_I64, 2, D(2, 3), V(1, 2, 3, 3, 2, 1), 0);
	case_new("TopK", 2, 2);
	attr_i("largest", 0);
	attr_i("axis", 0);
	input(0, TARN_U8, 2, D(3, 1), V(200, 3, 100));
	input(1, TARN_I64, 1, D(1), V(2));
	run();
	expect(0, TARN_U8, 2, D(2, 1), V(3, 100), 0);
	case_new("TopK", 2, 2);
	input(0, TARN_F32, 1, D(2), V(1, 2));
	input(1, TARN_I64, 1, D(1), V(3));
	expect_error(run_err(), TARN_SHAPE, "k is 3, the axis has 2");
	case_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),
		cmocka_unit_test(sum_takes_axes_as_input),
		cmocka_unit_test(sums_do_not_drift),
		cmocka_unit_test(arg_and_top),
	};
	return cmocka_run_group_tests_name("ops.reduce", tests, NULL, NULL);
}
