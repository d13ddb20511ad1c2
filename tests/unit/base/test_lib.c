/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/lib.h"

static void a_function_of_a_library_can_be_called(void **state)
{
	(void)state;
	tarn_lib *lib = NULL;
	assert_int_equal(tarn_lib_open("libm.so.6", &lib), TARN_OK);
	tarn_lib_fn fn = NULL;
	assert_int_equal(tarn_lib_sym(lib, "floor", &fn), TARN_OK);
	double (*floor_of)(double) = (double (*)(double))fn;
	assert_true(floor_of(-1.5) == -2.0);
	assert_null(tarn_lib_find(lib, "tarn_surely_not_in_there"));
	assert_int_equal(tarn_lib_sym(lib, "tarn_surely_not_in_there", &fn), TARN_NOT_FOUND);
	assert_non_null(strstr(tarn_err_text(), "libm.so.6"));
	assert_non_null(strstr(tarn_err_text(), "tarn_surely_not_in_there"));
	tarn_lib_close(lib);
	tarn_lib_close(NULL);
}

static void a_missing_or_broken_library_is_named(void **state)
{
	(void)state;
	tarn_lib *lib = NULL;
	assert_int_equal(tarn_lib_open("/nowhere/libabsent.so", &lib), TARN_NOT_FOUND);
	assert_non_null(strstr(tarn_err_text(), "/nowhere/libabsent.so"));
	assert_null(lib);
	/* A file that is no library. */
	assert_int_equal(tarn_lib_open("/etc/passwd", &lib), TARN_NOT_FOUND);
	assert_non_null(strstr(tarn_err_text(), "/etc/passwd"));
	assert_null(lib);
}

static void the_folder_of_this_program_is_known(void **state)
{
	(void)state;
	char folder[4096], self[4200];
	assert_int_equal(tarn_lib_folder_of((tarn_lib_fn)the_folder_of_this_program_is_known, folder, sizeof folder), TARN_OK);
	char *exe = realpath("/proc/self/exe", NULL);
	assert_non_null(exe);
	snprintf(self, sizeof self, "%s%s", folder, strrchr(exe, '/'));
	assert_string_equal(self, exe);
	free(exe);
	assert_int_equal(tarn_lib_folder_of((tarn_lib_fn)the_folder_of_this_program_is_known, folder, 2), TARN_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_function_of_a_library_can_be_called),
		cmocka_unit_test(a_missing_or_broken_library_is_named),
		cmocka_unit_test(the_folder_of_this_program_is_known),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
