/* SPDX-License-Identifier: Apache-2.0 */
/* One axis of a bilinear resize in fixed point: which source pixels make each output pixel, and with which weights. */
#ifndef TARN_FMT_IMAGE_RESAMPLE_H
#define TARN_FMT_IMAGE_RESAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Weights count 1/2^22; sums of 8-bit samples times them stay below 2^31. */
enum { RESAMPLE_BITS = 22 };

typedef struct tarn_resample {
	int in, full;    /* source length, and length of the whole resized axis */
	int first, n;    /* the part of it that is wanted */
	int taps;        /* the most source pixels any output pixel uses */
	bool copy;       /* in == full: nothing to compute */
	int *start;      /* [n] first source pixel */
	int *count;      /* [n] how many, 1..taps */
	int32_t *weight; /* [n][taps] */
	int cap;         /* of start and count */
	long weight_cap;
} tarn_resample;

/* Reuses r's memory, and r itself when nothing changed. A zeroed r is empty. */
TARN_MUST tarn_err tarn_resample_plan(tarn_resample *r, int in, int full, int first, int n);
void tarn_resample_fini(tarn_resample *r);

/* One row of pixels of 1 or 3 channels: n output pixels. */
void tarn_resample_row(const tarn_resample *r, int channels, const uint8_t *from, uint8_t *to);
/* Sum of `count` rows, weighted, rounded and clamped. acc has room for len sums. */
void tarn_resample_blend(const uint8_t *const *row, const int32_t *weight, int count, int len, int32_t *acc, uint8_t *to);

#endif
