/* SPDX-License-Identifier: Apache-2.0 */
/*
 * f32 transposed convolution, channels-last: input [n][ih][iw][ic], output [n][oh][ow][oc], weights given as
 * [ic][oc / groups][kh][kw]. Output pixel y receives input pixel i through tap k where y = i * stride - pad + k * dilation.
 *
 * Gather form: the outputs of a row that meet the same taps (every stride-th pixel) are one product, taps that do not meet them
 * are skipped, and nothing is added up in memory. The packed object is immutable and may be used by many threads; tasks write
 * disjoint parts of the output.
 */
#ifndef TARN_KERN_CONV_TRANSPOSE_H
#define TARN_KERN_CONV_TRANSPOSE_H

#include "kern/conv.h"
#include "kern/store.h"

typedef struct tarn_conv_transpose_f32 tarn_conv_transpose_f32;

/* spec.ic and oc are those of the input and output; stride and dilation as in the formula. bias is [oc] or NULL.
 * TARN_SHAPE, TARN_NOMEM; TARN_UNSUPPORTED for kernels of more than 512 taps. */
TARN_MUST tarn_err tarn_conv_transpose_f32_pack(const tarn_conv_spec *spec, const float *weights, const float *bias,
						tarn_conv_transpose_f32 **conv);
void tarn_conv_transpose_f32_free(tarn_conv_transpose_f32 *conv);
/* From what _save appended, at the same level (kern/store.h). */
TARN_MUST tarn_err tarn_conv_transpose_f32_open(const tarn_conv_spec *spec, tarn_store *from, tarn_conv_transpose_f32 **conv);
void tarn_conv_transpose_f32_save(const tarn_conv_transpose_f32 *conv, tarn_str *out);

typedef struct tarn_conv_transpose_f32_args {
	tarn_conv_shape shape; /* oh and ow as the caller resolved them (output padding included) */
	tarn_epilogue epilogue;
	const float *in;
	float *out;            /* must not overlap in */
	const float *residual; /* as in tarn_conv_f32_run */
} tarn_conv_transpose_f32_args;

int tarn_conv_transpose_f32_tasks(const tarn_conv_transpose_f32 *conv, const tarn_conv_shape *shape);
/* Runs tasks [begin, end). */
void tarn_conv_transpose_f32_run(const tarn_conv_transpose_f32 *conv, const tarn_conv_transpose_f32_args *args, int begin,
				 int end);

#endif
