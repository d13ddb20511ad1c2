/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include <string.h>

#include "rt/props.h"

static void every_default_is_a_value_its_row_takes(void **state)
{
	(void)state;
	const char *const device[] = {"CPU", "NPU", "AUTO", "REF", ""};
	for (size_t d = 0; d < 5; d++) {
		const tarn_prop_def *row;
		size_t n = 0;
		for (; (row = tarn_prop_at(device[d], n)); n++) {
			assert_ptr_equal(tarn_prop_find(device[d], row->key), row); /* one row a key and device */
			assert_true(strlen(row->access) == 2 && *row->doc);
			if (tarn_prop_is_mutable(row))
				assert_int_equal(tarn_props_check(device[d], row->key, row->def), TARN_OK);
		}
		assert_true(n > (*device[d] ? 10 : 1));
	}
}

static void wrong_keys_and_values_say_what_is_allowed(void **state)
{
	(void)state;
	assert_int_equal(tarn_props_check("CPU", "PERFORMANCE_HIN", "LATENCY"), TARN_USAGE);
	assert_non_null(strstr(tarn_err_text(), "did you mean PERFORMANCE_HINT?"));
	assert_int_equal(tarn_props_check("CPU", "NPU_TURBO", "YES"), TARN_USAGE);
	assert_non_null(strstr(tarn_err_text(), "INFERENCE_NUM_THREADS"));
	assert_int_equal(tarn_props_check("CPU", "PERFORMANCE_HINT", "FAST"), TARN_USAGE);
	assert_non_null(strstr(tarn_err_text(), "THROUGHPUT"));
	assert_int_equal(tarn_props_check("NPU", "NPU_TURBO", "maybe"), TARN_USAGE);
	assert_non_null(strstr(tarn_err_text(), "YES or NO"));
	assert_int_equal(tarn_props_check("CPU", "FULL_DEVICE_NAME", "x"), TARN_USAGE);
	assert_non_null(strstr(tarn_err_text(), "only be read"));
}

static void ranges_and_words_are_checked(void **state)
{
	(void)state;
	assert_int_equal(tarn_props_check("CPU", "NUM_STREAMS", "4"), TARN_OK);
	assert_int_equal(tarn_props_check("CPU", "NUM_STREAMS", "AUTO"), TARN_OK);
	assert_int_equal(tarn_props_check("CPU", "NUM_STREAMS", "-3"), TARN_USAGE);
	assert_int_equal(tarn_props_check("CPU", "NUM_STREAMS", "4x"), TARN_USAGE);
	assert_int_equal(tarn_props_check("CPU", "NUM_STREAMS", ""), TARN_USAGE);
	assert_int_equal(tarn_props_check("NPU", "NPU_PLATFORM", "3720"), TARN_OK);
	assert_int_equal(tarn_props_check("NPU", "NPU_PLATFORM", "3721"), TARN_USAGE);
	assert_int_equal(tarn_props_check("NPU", "INFERENCE_PRECISION_HINT", "f16"), TARN_OK);
	assert_int_equal(tarn_props_check("CPU", "INFERENCE_PRECISION_HINT", "f16"), TARN_USAGE);
	assert_int_equal(tarn_props_check("", "CACHE_DIR", "anything"), TARN_OK);
	assert_int_equal(tarn_props_check("", "NUM_STREAMS", "1"), TARN_USAGE);
}

static void values_read_back_in_one_spelling(void **state)
{
	(void)state;
	const char *const given[][3] = {{"PERF_COUNT", "true", "YES"},
					{"PERF_COUNT", "0", "NO"},
					{"PERFORMANCE_HINT", "latency", "LATENCY"},
					{"CACHE_DIR", "a b", "a b"}};
	for (size_t i = 0; i < 4; i++) {
		tarn_str s = {0};
		tarn_prop_canon(tarn_prop_find("CPU", given[i][0]), given[i][1], &s);
		assert_int_equal(tarn_str_done(&s), TARN_OK);
		assert_string_equal(s.at, given[i][2]);
		tarn_str_fini(&s);
	}
}

static void lists_replace_and_overlay(void **state)
{
	(void)state;
	tarn_props a = {0}, b = {0};
	assert_int_equal(tarn_props_set(&a, "K", "1"), TARN_OK);
	assert_int_equal(tarn_props_set(&a, "K", "2"), TARN_OK);
	assert_int_equal(a.list.len, 1);
	assert_int_equal(tarn_props_set(&b, "K", "3"), TARN_OK);
	assert_int_equal(tarn_props_set(&b, "L", "4"), TARN_OK);
	assert_int_equal(tarn_props_overlay(&a, &b), TARN_OK);
	assert_string_equal(tarn_props_find(&a, "K"), "3");
	assert_string_equal(tarn_props_find(&a, "L"), "4");
	assert_null(tarn_props_find(&a, "M"));
	assert_string_equal(tarn_props_value(&a, "CPU", "PERF_COUNT"), "NO");
	assert_false(tarn_props_bool(&a, "CPU", "PERF_COUNT"));
	tarn_props_fini(&a);
	tarn_props_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_default_is_a_value_its_row_takes),
		cmocka_unit_test(wrong_keys_and_values_say_what_is_allowed),
		cmocka_unit_test(ranges_and_words_are_checked),
		cmocka_unit_test(values_read_back_in_one_spelling),
		cmocka_unit_test(lists_replace_and_overlay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
