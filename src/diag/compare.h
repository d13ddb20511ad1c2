/* SPDX-License-Identifier: Apache-2.0 */
/* Two variants measured in turns: how many times faster is the second, and can it be told from noise? Pure. */
#ifndef TARN_DIAG_COMPARE_H
#define TARN_DIAG_COMPARE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct tarn_comparison {
	double gain, low, high; /* rate of b over rate of a, and its 95 % confidence interval */
	bool shown;             /* the interval leaves 1 out */
	size_t rounds;
} tarn_comparison;

/* Rates of n rounds, a[i] and b[i] measured one after the other. The mean of log(b/a), with Student's t; n < 2 leaves the
 * interval open. */
tarn_comparison tarn_compare(const double *a, const double *b, size_t n);

#endif
