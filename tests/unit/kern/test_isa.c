/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "kern/isa.h"

static void names_parse_back(void **state)
{
	(void)state;
	for (int i = 0; i < TARN_ISA_COUNT; i++) {
		tarn_isa isa;
		assert_true(tarn_isa_parse(tarn_isa_name((tarn_isa)i), &isa));
		assert_int_equal(isa, i);
	}
	tarn_isa isa;
	assert_false(tarn_isa_parse("sse9", &isa));
	assert_false(tarn_isa_parse("", &isa));
}

static void setting_changes_only_to_supported_levels(void **state)
{
	(void)state;
	tarn_isa before = tarn_isa_get();
	assert_true(tarn_isa_supported(before));
	assert_true(tarn_isa_supported(TARN_ISA_PORTABLE));
	for (int i = 0; i < TARN_ISA_COUNT; i++) {
		tarn_isa old = tarn_isa_get();
		assert_int_equal(tarn_isa_set((tarn_isa)i), tarn_isa_supported((tarn_isa)i));
		assert_int_equal(tarn_isa_get(), tarn_isa_supported((tarn_isa)i) ? (tarn_isa)i : old);
		assert_true(tarn_isa_supported(tarn_isa_base()));
	}
	assert_false(tarn_isa_set(TARN_ISA_COUNT));
	assert_true(tarn_isa_set(before));
}

/* The compiler's own CPUID reading agrees. */
static void agrees_with_the_compiler(void **state)
{
	(void)state;
#if defined(__x86_64__)
	__builtin_cpu_init();
	assert_int_equal(tarn_isa_supported(TARN_ISA_AVX2),
			 !!(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")));
	assert_int_equal(tarn_isa_supported(TARN_ISA_AVX512),
			 !!(__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
			    __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")));
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(names_parse_back),
					   cmocka_unit_test(setting_changes_only_to_supported_levels),
					   cmocka_unit_test(agrees_with_the_compiler)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
