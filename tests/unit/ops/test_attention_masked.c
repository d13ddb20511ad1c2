/* SPDX-License-Identifier: Apache-2.0 */
/* ScaledDotProductAttention where a row is masked everywhere: what a Softmax of minus infinities gives, NaN, and in no other
 * row. */
#include "probe.h"

#include <math.h>

static void test_masked_everywhere(void **state)
{
	(void)state;
	const double q[] = {0, 0}, v[] = {2, 6}, mask[] = {-INFINITY, -INFINITY, -INFINITY, 0};
	probe p = probe_open(NULL, "ScaledDotProductAttention", 4, 1);
	probe_in(&p, 0, TARN_F32, DIMS(2, 1), q);
	probe_in(&p, 1, TARN_F32, DIMS(2, 1), v);
	probe_in(&p, 2, TARN_F32, DIMS(2, 1), v);
	probe_in(&p, 3, TARN_F32, DIMS(2, 2), mask);
	assert_ok(probe_eval(&p));
	assert_true(isnan(tarn_tensor_f64(&p.out[0], 0)));
	assert_true(tarn_tensor_f64(&p.out[0], 1) == 6);
	probe_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_masked_everywhere)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
