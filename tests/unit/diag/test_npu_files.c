/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/test.h"

#include <math.h>

#include "diag/npu_files.h"

/* Microseconds of work over nanoseconds of time: the first published monitors were wrong by a factor of a thousand. */
static void test_busy_share(void **state)
{
	(void)state;
	const tarn_npu_reading from = {.t_ns = 5000000000, .busy_us = 700};
	tarn_npu_reading to = {.t_ns = 6000000000, .busy_us = 700 + 249000};
	assert_float_equal(tarn_npu_files_busy(&from, &to), 0.249, 1e-12);
	to.busy_us = 700;
	assert_float_equal(tarn_npu_files_busy(&from, &to), 0, 0);
	to.busy_us = 700 + 1000400; /* the clocks were not read at the same moment */
	assert_float_equal(tarn_npu_files_busy(&from, &to), 1, 0);
}

static void test_no_share(void **state)
{
	(void)state;
	const tarn_npu_reading a = {.t_ns = 10, .busy_us = 50}, none = {.t_ns = 20, .busy_us = -1},
			       reset = {.t_ns = 20, .busy_us = 5}, same = {.t_ns = 10, .busy_us = 60};
	assert_true(isnan(tarn_npu_files_busy(&a, &none)));
	assert_true(isnan(tarn_npu_files_busy(&none, &a)));
	assert_true(isnan(tarn_npu_files_busy(&a, &reset)));
	assert_true(isnan(tarn_npu_files_busy(&a, &same)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_busy_share), cmocka_unit_test(test_no_share)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
