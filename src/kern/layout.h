/* SPDX-License-Identifier: Apache-2.0 */
/* Moving elements of 1, 2, 4 or 8 bytes: NCHW <-> NHWC and any permutation of axes. Source and target must not overlap. */
#ifndef TARN_KERN_LAYOUT_H
#define TARN_KERN_LAYOUT_H

#include <stddef.h>

#include "base/err.h"

#define TARN_LAYOUT_MAX_RANK 16

/* dst [cols][rows] = transpose of src [rows][cols]; strides in elements between rows of each. */
void tarn_transpose_2d(size_t elem_size, const void *src, size_t src_stride, void *dst, size_t dst_stride, size_t rows,
		       size_t cols);

/* NCHW -> NHWC for pixels [begin, end), counted through all images, each of `pixels`; nhwc_stride: elements between pixels
 * (0 = channels). */
void tarn_layout_to_nhwc(size_t elem_size, const void *nchw, void *nhwc, size_t channels, size_t pixels, size_t nhwc_stride,
			 size_t begin, size_t end);
void tarn_layout_to_nchw(size_t elem_size, const void *nhwc, void *nchw, size_t channels, size_t pixels, size_t nhwc_stride,
			 size_t begin, size_t end);

/*
 * dst axis i is src axis perm[i]; dims are the source's, both arrays dense. TARN_SHAPE when perm is no permutation or the rank
 * is above TARN_LAYOUT_MAX_RANK, TARN_TYPE for another element size.
 */
TARN_MUST tarn_err tarn_transpose(size_t elem_size, const void *src, void *dst, int rank, const size_t *dims, const int *perm);

#endif
