/* SPDX-License-Identifier: Apache-2.0 */
/*
 * f32 convolution of 3x3 kernels with stride 1 by Winograd's minimal filtering, F(4x4, 3x3): 36 products for 16 outputs instead
 * of 144. Channels-last as in conv.h. Only for callers that accept its rounding: with the interpolation points 0, +-1/sqrt 2,
 * +-sqrt 2 and infinity the error is about twice that of direct summation (max|a-b| / max|b| below 1e-5 in the tests).
 *
 * The packed object is immutable and may be used by many threads. A run needs scratch memory of its own, which the caller
 * provides for each concurrent call. Tasks write disjoint parts of the output.
 */
#ifndef TARN_KERN_WINOGRAD_H
#define TARN_KERN_WINOGRAD_H

#include <stdbool.h>

#include "kern/conv.h"
#include "kern/store.h"

typedef struct tarn_winograd_f32 tarn_winograd_f32;

/* Whether this form exists for the convolution: 3x3, stride 1, no dilation, one group. */
bool tarn_winograd_f32_supports(const tarn_conv_spec *spec);
/* Whether it is likely to be faster than direct convolution: enough channels, and enough pixels to reuse the larger weights. */
bool tarn_winograd_f32_worth(const tarn_conv_spec *spec, const tarn_conv_shape *shape);

/* weights [oc][ic][3][3], bias [oc] or NULL; copied. TARN_UNSUPPORTED, TARN_SHAPE, TARN_NOMEM. */
TARN_MUST tarn_err tarn_winograd_f32_pack(const tarn_conv_spec *spec, const float *weights, const float *bias,
					  tarn_winograd_f32 **conv);
void tarn_winograd_f32_free(tarn_winograd_f32 *conv);
/* From what _save appended, at the same level (kern/store.h). */
TARN_MUST tarn_err tarn_winograd_f32_open(const tarn_conv_spec *spec, tarn_store *from, tarn_winograd_f32 **conv);
void tarn_winograd_f32_save(const tarn_winograd_f32 *conv, tarn_str *out);

typedef struct tarn_winograd_f32_args {
	tarn_conv_shape shape;
	tarn_epilogue epilogue;
	const float *in;
	float *out;            /* must not overlap in */
	const float *residual; /* as in tarn_conv_f32_run */
} tarn_winograd_f32_args;

int tarn_winograd_f32_tasks(const tarn_winograd_f32 *conv, const tarn_conv_shape *shape);
/* Bytes of scratch that one call of tarn_winograd_f32_run needs. */
size_t tarn_winograd_f32_scratch(const tarn_winograd_f32 *conv, const tarn_conv_shape *shape);
/* Runs tasks [begin, end); scratch is aligned to 64 bytes. Tasks in a row share work: give each thread one range. */
void tarn_winograd_f32_run(const tarn_winograd_f32 *conv, const tarn_winograd_f32_args *args, int begin, int end,
			   void *scratch);

/* Private to kern: one tile as the level's kernels see it. */
typedef struct tarn_winograd_in {
	const float *pixel[36]; /* the 6 x 6 input pixels */
	size_t channels;
	float *v; /* [36][...][channels] */
	size_t v_step;
} tarn_winograd_in;

typedef struct tarn_winograd_out {
	const float *m; /* [36][...][channels] */
	size_t m_step;
	const float *bias;
	float *out; /* first pixel, first channel */
	size_t row_step, pixel_step;
	const float *res; /* NULL = none */
	size_t res_row_step, res_pixel_step;
	int rows, cols, channels; /* valid part of the 4 x 4 pixels */
	float lo, hi;
} tarn_winograd_out;

#endif
