/* SPDX-License-Identifier: Apache-2.0 */
/*
 * f32 depthwise convolution, channels-last: input [n][ih][iw][c], output [n][oh][ow][c * multiplier], weights given as
 * [c * multiplier][1][kh][kw]; output channel o reads input channel o / multiplier. The border is handled in the kernel, no
 * halo is needed. Fast with multiplier 1, most so for 3- and 5-wide kernels of stride 1 and 2; other multipliers run in plain
 * C. With `width` above 1 it is a convolution of small groups instead: output o reads the `width` inputs of its group, weights
 * are [c][width][kh][kw], and lanes of a vector that belong to one group are filled from one another.
 *
 * The packed object is immutable and may be used by many threads. A task is one row of the output; tasks write disjoint rows.
 */
#ifndef TARN_KERN_DEPTHWISE_H
#define TARN_KERN_DEPTHWISE_H

#include <stdbool.h>
#include <stddef.h>

#include "kern/conv.h"
#include "kern/epilogue.h"
#include "kern/store.h"

typedef struct tarn_depthwise_f32 tarn_depthwise_f32;

typedef struct tarn_depthwise_spec {
	int channels, multiplier; /* of the input; outputs per input channel */
	int kh, kw;
	int stride_h, stride_w;
	int dilation_h, dilation_w;
	int width; /* channels of a group, 2, 4 or 8, with multiplier 1; 0 or 1: depthwise */
} tarn_depthwise_spec;

/* Are groups of this width faster here than as dense convolutions, at the level in force? */
bool tarn_depthwise_f32_suits(int width);

/* bias is [c * multiplier] or NULL. Both are copied. TARN_SHAPE, TARN_NOMEM. */
TARN_MUST tarn_err tarn_depthwise_f32_pack(const tarn_depthwise_spec *spec, const float *weights, const float *bias,
					   tarn_depthwise_f32 **dw);
void tarn_depthwise_f32_free(tarn_depthwise_f32 *dw);
/* From what _save appended, at the same level (kern/store.h). */
TARN_MUST tarn_err tarn_depthwise_f32_open(const tarn_depthwise_spec *spec, tarn_store *from, tarn_depthwise_f32 **dw);
void tarn_depthwise_f32_save(const tarn_depthwise_f32 *dw, tarn_str *out);

typedef struct tarn_depthwise_f32_args {
	tarn_conv_shape shape;
	tarn_epilogue epilogue;
	const float *in;
	float *out;            /* must not overlap in */
	const float *residual; /* the output's shape, or NULL; may be out, but for residual_after with an activation */
} tarn_depthwise_f32_args;

int tarn_depthwise_f32_tasks(const tarn_conv_shape *shape);
/* Runs tasks [begin, end). */
void tarn_depthwise_f32_run(const tarn_depthwise_f32 *dw, const tarn_depthwise_f32_args *args, int begin, int end);

/* Private to kern: one row of the output, multiplier 1, as the level's kernel sees it. */
typedef struct tarn_depthwise_row {
	const tarn_depthwise_spec *spec;
	int iw, ow, pad_left;
	int ky0, ky1;    /* kernel rows inside the image */
	const float *in; /* pixel 0 of the input row that kernel row ky0 reads */
	size_t row_step; /* floats from there to the row that the next kernel row reads */
	size_t in_stride;
	const float *w;    /* [kh][kw][width][w_stride] */
	size_t w_stride;   /* channels rounded up to 16 */
	const float *bias; /* [w_stride] */
	float *out;
	size_t out_stride;
	const float *res; /* NULL = none */
	size_t res_stride;
	float lo, hi; /* clamp */
} tarn_depthwise_row;

#endif
