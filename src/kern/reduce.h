/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reductions in f32 over the middle axis of [outer][axis][inner] to [outer][inner]. Thread-safe; the caller splits `outer`.
 * Sums run in two levels (short runs in f32, their totals in double or in a second f32 sum), so that long axes keep their
 * digits.
 */
#ifndef TARN_KERN_REDUCE_H
#define TARN_KERN_REDUCE_H

#include <stddef.h>

typedef enum tarn_reduce {
	TARN_REDUCE_SUM,
	TARN_REDUCE_MEAN,
	TARN_REDUCE_MAX, /* a NaN is the result */
	TARN_REDUCE_MIN,
	TARN_REDUCE_PROD,
	TARN_REDUCE_SUM_SQUARE,
	TARN_REDUCE_L1,
	TARN_REDUCE_L2,
	TARN_REDUCE_COUNT
} tarn_reduce;

/* An empty axis gives the operation's neutral element (0, NaN for the mean, -inf, inf, 1, 0, 0, 0). y must not overlap x. */
void tarn_reduce_f32(tarn_reduce op, const float *x, float *y, size_t outer, size_t axis, size_t inner);

#endif
