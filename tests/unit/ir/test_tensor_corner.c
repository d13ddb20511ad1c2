/* SPDX-License-Identifier: Apache-2.0 */
/* Padding and cutting tensors against a loop over indices. */
#include "unit/test.h"

#include "ir/tensor.h"

static int64_t at(const tarn_tensor *t, const int64_t *index)
{
	int64_t i = 0;
	for (int k = 0; k < t->rank; k++)
		i = i * t->dim[k] + index[k];
	return i;
}

static void both_ways(void **state)
{
	(void)state;
	static const int64_t sizes[][2][3] = {{{2, 3, 4}, {2, 5, 4}}, {{2, 3, 4}, {2, 3, 6}}, {{2, 3, 4}, {3, 5, 6}},
					      {{4, 3, 4}, {2, 3, 4}}, {{2, 3, 4}, {2, 3, 4}}, {{3, 1, 5}, {2, 4, 2}},
					      {{2, 0, 4}, {2, 3, 4}}};
	static const tarn_dtype types[] = {TARN_F32, TARN_U8, TARN_I64};
	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
		for (size_t k = 0; k < 3; k++) {
			tarn_tensor a, b;
			assert_ok(tarn_tensor_new(types[k], 3, sizes[s][0], &a));
			assert_ok(tarn_tensor_new(types[k], 3, sizes[s][1], &b));
			for (int64_t i = 0; i < tarn_tensor_count(&a); i++)
				tarn_tensor_set_i64(&a, i, 1 + i);
			assert_ok(tarn_tensor_copy_corner(&a, &b));
			for (int64_t x = 0; x < b.dim[0]; x++)
				for (int64_t y = 0; y < b.dim[1]; y++)
					for (int64_t z = 0; z < b.dim[2]; z++) {
						const int64_t index[] = {x, y, z};
						bool in = x < a.dim[0] && y < a.dim[1] && z < a.dim[2];
						assert_int_equal(tarn_tensor_i64(&b, at(&b, index)),
								 in ? 1 + at(&a, index) : 0);
					}
			tarn_tensor_fini(&a);
			tarn_tensor_fini(&b);
		}
}

static void refused(void **state)
{
	(void)state;
	const int64_t two[] = {2, 2};
	tarn_tensor a, b, c;
	assert_ok(tarn_tensor_new(TARN_F32, 2, two, &a));
	assert_ok(tarn_tensor_new(TARN_I32, 2, two, &b));
	assert_ok(tarn_tensor_new(TARN_F32, 1, two, &c));
	assert_int_equal(tarn_tensor_copy_corner(&a, &b), TARN_TYPE);
	assert_int_equal(tarn_tensor_copy_corner(&a, &c), TARN_TYPE);
	tarn_tensor_fini(&a);
	tarn_tensor_fini(&b);
	tarn_tensor_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(both_ways), cmocka_unit_test(refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
