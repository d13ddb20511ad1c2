/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kernels are told of a node: sizes, strides and padding in a kernel's terms, packed INT8 weights. The one place that
 * knows both operators and kernels, for every device that runs them. Pure functions.
 *
 * One or two spatial axes; a missing row axis becomes a row of one. `w`: the weights' sizes [..][..][kernel...].
 */
#ifndef TARN_SPEC_SPEC_H
#define TARN_SPEC_SPEC_H

#include "ir/op.h"
#include "kern/conv.h"
#include "kern/int8.h"
#include "kern/pool2d.h"
#include "kern/share.h"

/* Conv or ConvTranspose. */
TARN_MUST tarn_err tarn_spec_conv(const tarn_node *n, const int64_t *w, int rank, tarn_conv_spec *spec);
/* Sizes of its input and output, all static; automatic padding is resolved as Conv does it. */
TARN_MUST tarn_err tarn_spec_conv_shape(const tarn_node *n, const int64_t *w, const tarn_shape *x, const tarn_shape *y,
					tarn_conv_shape *shape);

/* MaxPool, AveragePool and the global ones. */
TARN_MUST tarn_err tarn_spec_pool(const tarn_node *n, const tarn_shape *x, const tarn_shape *y, tarn_pool2d *pool);

/* ---- INT8 products: Conv, Gemm or MatMul whose weights are constants behind a DequantizeLinear ---- */

/* A matrix product is a convolution of one tap; its sizes are the caller's. */
TARN_MUST tarn_err tarn_spec_qconv(const tarn_node *n, tarn_conv_spec *spec);
TARN_MUST tarn_err tarn_spec_qconv_pack(tarn_packs *packs, const tarn_node *n, const tarn_conv_spec *spec,
					tarn_qconv_input input, tarn_qconv **packed);
/* Of output channel c: scale of the weights, and the bias as a real number. */
double tarn_spec_qconv_scale(const tarn_node *n, int64_t c);
double tarn_spec_qconv_bias(const tarn_node *n, int64_t c);

#endif
