/* SPDX-License-Identifier: Apache-2.0 */
/*
 * f32 convolution, channels-last: input [n][ih][iw][ic], output [n][oh][ow][oc], weights given as [oc][ic / groups][kh][kw].
 *
 * Three objects by lifetime: tarn_conv_f32 holds the packed weights (made once at compile; immutable; belongs to the level in
 * force when packed); tarn_conv_f32_plan holds what the sizes decide (small tables; made anew when an input is reshaped;
 * borrows the weights); a run binds pointers. A plan is immutable and may run in many threads; its tasks write disjoint parts
 * of the output: run every task once, in any order, on any thread.
 *
 * No im2col and no halo: taps outside the image read a row of zeros. 1x1 convolutions with stride 1 are plain GEMM. Depthwise
 * convolution works here (as groups of one channel) but slowly: use depthwise.h.
 */
#ifndef TARN_KERN_CONV_H
#define TARN_KERN_CONV_H

#include <stddef.h>

#include "base/err.h"
#include "kern/epilogue.h"
#include "kern/store.h"

typedef struct tarn_conv_f32 tarn_conv_f32;
typedef struct tarn_conv_f32_plan tarn_conv_f32_plan;

/* What the weights decide. */
typedef struct tarn_conv_spec {
	int ic, oc, groups; /* both channel counts are multiples of groups */
	int kh, kw;
	int stride_h, stride_w;
	int dilation_h, dilation_w;
} tarn_conv_spec;

/* What the sizes decide. Rows and columns of padding below and to the right follow from oh and ow. */
typedef struct tarn_conv_shape {
	int n, ih, iw, oh, ow;
	int pad_top, pad_left;                         /* may be negative (cropping) */
	size_t in_stride, out_stride, residual_stride; /* floats between pixels; 0 = dense (ic, oc, oc) */
} tarn_conv_shape;

/* bias is [oc] or NULL. Both are copied. TARN_SHAPE, TARN_NOMEM. */
TARN_MUST tarn_err tarn_conv_f32_pack(const tarn_conv_spec *spec, const float *weights, const float *bias,
				      tarn_conv_f32 **conv);
void tarn_conv_f32_free(tarn_conv_f32 *conv);
/* From what _save appended, at the same level (kern/store.h). */
TARN_MUST tarn_err tarn_conv_f32_open(const tarn_conv_spec *spec, tarn_store *from, tarn_conv_f32 **conv);
void tarn_conv_f32_save(const tarn_conv_f32 *conv, tarn_str *out);

/* Taps that lie wholly in the padding are allowed. TARN_SHAPE, TARN_NOMEM. */
TARN_MUST tarn_err tarn_conv_f32_plan_new(const tarn_conv_f32 *conv, const tarn_conv_shape *shape,
					  const tarn_epilogue *epilogue, tarn_conv_f32_plan **plan);
void tarn_conv_f32_plan_free(tarn_conv_f32_plan *plan);
int tarn_conv_f32_tasks(const tarn_conv_f32_plan *plan);
/* Runs tasks [begin, end). residual: the output's shape, or NULL; it may be `out` itself, but for
 * residual_after with an activation. in must not overlap out. */
void tarn_conv_f32_run(const tarn_conv_f32_plan *plan, const float *in, float *out, const float *residual, int begin, int end);

#endif
