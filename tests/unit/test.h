/* SPDX-License-Identifier: Apache-2.0 */
/* What every unit test includes: cmocka and the few words on top of it. */
#ifndef TARN_TESTS_UNIT_TEST_H
#define TARN_TESTS_UNIT_TEST_H

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include <stdio.h>

#include "base/err.h"

/* The call succeeds; otherwise its sentence is printed. */
#define assert_ok(expr) \
	do { \
		tarn_err assert_err_ = (expr); \
		if (assert_err_ != TARN_OK) \
			print_error("%s\n", tarn_err_text()); \
		assert_int_equal(assert_err_, TARN_OK); \
	} while (0)
/* The call fails with this code. */
#define assert_err(code, expr) assert_int_equal((expr), (code))

#endif
