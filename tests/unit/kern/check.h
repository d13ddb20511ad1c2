/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel tests share: random data, the levels this machine has, comparison, allocation that marks what is not written.
 */
#ifndef TARN_TEST_KERN_CHECK_H
#define TARN_TEST_KERN_CHECK_H

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "kern/isa.h"

static uint64_t rng_state = 1;

static inline uint32_t rng(void)
{
	rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(rng_state >> 33);
}

/* lo..hi, both included. */
static inline int rng_int(int lo, int hi)
{
	return lo + (int)(rng() % (uint32_t)(hi - lo + 1));
}

static inline float rng_float(void)
{
	return (float)rng() / (float)(1u << 30) - 1.0f;
}

static inline float *random_floats(size_t n)
{
	float *p = malloc((n + 1) * sizeof *p);
	assert_non_null(p);
	for (size_t i = 0; i < n; i++)
		p[i] = rng_float();
	return p;
}

#define UNTOUCHED 12345.0f

static inline float *marked_floats(size_t n)
{
	float *p = malloc((n + 1) * sizeof *p);
	assert_non_null(p);
	for (size_t i = 0; i < n; i++)
		p[i] = UNTOUCHED;
	return p;
}

static inline void assert_near(float got, double want, double tolerance, const char *what, size_t at)
{
	if (isnan(want) ? isnan(got) : (double)got == want || fabs((double)got - want) <= tolerance)
		return;
	print_error("%s [%s] element %zu: got %.9g, want %.9g\n", what, tarn_isa_name(tarn_isa_get()), at, (double)got, want);
	fail();
}

/* Runs a block at portable, AVX2 and AVX-512 level, as far as this machine has them. */
#define AT_EVERY_LEVEL(...) \
	do { \
		tarn_isa before_ = tarn_isa_get(); \
		static const tarn_isa levels_[] = {TARN_ISA_PORTABLE, TARN_ISA_AVX2, TARN_ISA_AVX512}; \
		for (size_t l_ = 0; l_ < 3; l_++) \
			if (tarn_isa_set(levels_[l_])) { \
				__VA_ARGS__; \
			} \
		tarn_isa_set(before_); \
	} while (0)

#define assert_ok(expr) \
	do { \
		if ((expr) != TARN_OK) { \
			print_error("%s\n", tarn_err_text()); \
			fail(); \
		} \
	} while (0)

#endif
