/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packed weights, once for all programs of this process: programs of one model for several sizes, or the same model loaded
 * twice, hold the same objects. They are told by their content, so it does not matter how a program came to its weights. The
 * functions pack as those of kern/ do, or hand out what is there already; packed objects are immutable and counted. Any thread.
 */
#ifndef TARN_KERN_SHARE_H
#define TARN_KERN_SHARE_H

#include "kern/conv.h"
#include "kern/conv_transpose.h"
#include "kern/depthwise.h"
#include "kern/gemm.h"
#include "kern/int8.h"
#include "kern/wgemm.h"
#include "kern/winograd.h"

TARN_MUST tarn_err tarn_share_gemm(size_t k, size_t n, const float *b, size_t ldb, bool transposed, const float *bias,
				   tarn_gemm_f32 **gemm);
TARN_MUST tarn_err tarn_share_wgemm(const tarn_wgemm_weights *w, tarn_wgemm **gemm);
TARN_MUST tarn_err tarn_share_conv(const tarn_conv_spec *spec, const float *weights, const float *bias, tarn_conv_f32 **conv);
TARN_MUST tarn_err tarn_share_depthwise(const tarn_depthwise_spec *spec, const float *weights, const float *bias,
					tarn_depthwise_f32 **dw);
TARN_MUST tarn_err tarn_share_winograd(const tarn_conv_spec *spec, const float *weights, const float *bias,
				       tarn_winograd_f32 **conv);
TARN_MUST tarn_err tarn_share_conv_transpose(const tarn_conv_spec *spec, const float *weights, const float *bias,
					     tarn_conv_transpose_f32 **conv);
TARN_MUST tarn_err tarn_share_qconv(const tarn_conv_spec *spec, const void *w, tarn_code w_type, const int32_t *w_zero,
				    tarn_qconv_input input, tarn_qconv **conv);
/* FP16 numbers as f32. */
TARN_MUST tarn_err tarn_share_floats(const void *half, size_t count, float **floats);
/* Gives back what one of the above handed out; NULL is nothing. */
void tarn_share_drop(void *packed);

/* For tests: objects there are, and how often they are held in all. */
void tarn_share_count(int *objects, int *holders);

#endif
