/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sliding windows over 1 to 3 spatial axes: what convolutions and poolings share. Their schemas start with the same five
 * attributes, in the order of the enum below. Pure functions.
 */
#ifndef TARN_OPS_WINDOW_H
#define TARN_OPS_WINDOW_H

#include "ir/op.h"

enum {
	TARN_WINDOW_AUTO_PAD,
	TARN_WINDOW_DILATIONS,
	TARN_WINDOW_KERNEL,
	TARN_WINDOW_PADS,
	TARN_WINDOW_STRIDES,
	TARN_WINDOW_ATTRS
};
/* clang-format off */
#define TARN_WINDOW_SCHEMA \
	{"auto_pad", TARN_ATTR_ENUM, TARN_ATTR_DEFAULT, 0, "NOTSET|SAME_UPPER|SAME_LOWER|VALID"}, \
	{"dilations", TARN_ATTR_INTS}, {"kernel_shape", TARN_ATTR_INTS}, {"pads", TARN_ATTR_INTS}, {"strides", TARN_ATTR_INTS}
/* clang-format on */

enum { TARN_PAD_NOTSET, TARN_PAD_SAME_UPPER, TARN_PAD_SAME_LOWER, TARN_PAD_VALID };
/* How the number of windows is rounded. CEIL drops a last window that would start in the end padding (ONNX, PyTorch); CEIL_ALL
 * keeps it (OpenVINO's "ceil"). */
enum { TARN_ROUND_FLOOR, TARN_ROUND_CEIL, TARN_ROUND_CEIL_ALL };

enum { TARN_WINDOW_MAX = 3 };
typedef struct tarn_window {
	int nd;
	int auto_pad;
	int64_t kernel[TARN_WINDOW_MAX], stride[TARN_WINDOW_MAX], dilation[TARN_WINDOW_MAX];
	int64_t begin[TARN_WINDOW_MAX], end[TARN_WINDOW_MAX]; /* zero while auto_pad has not been resolved */
} tarn_window;

/* From the node's attributes, for nd spatial axes. `kernel` (may be NULL: the attribute is needed) are the weights' sizes; an
 * attribute that says otherwise is an error. */
TARN_MUST tarn_err tarn_window_read(const tarn_node *n, int nd, const int64_t *kernel, tarn_window *w);
/* Number of windows along a spatial axis of size `in`. */
TARN_MUST tarn_err tarn_window_out(tarn_symtab *t, const tarn_window *w, int axis, tarn_dim in, int round, tarn_dim *out);
/* Fills begin and end for SAME_* from the concrete sizes. */
void tarn_window_resolve(tarn_window *w, const int64_t *in, const int64_t *out);
/* The same for three axes: leading axes of size 1 are added. in and out have room for three and are widened too. */
void tarn_window_widen(tarn_window *w, int64_t *in, int64_t *out);
/* Size covered by the kernel along an axis. */
static inline int64_t tarn_window_extent(const tarn_window *w, int axis)
{
	return (w->kernel[axis] - 1) * w->dilation[axis] + 1;
}
/* Import hook: OpenVINO IR's spelling of these attributes (pads_begin, pads_end, kernel, auto_pad in lower case). */
TARN_MUST tarn_err tarn_window_import(const tarn_import *src);

#endif
