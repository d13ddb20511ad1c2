/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of Resize share, and devices with a Resize of their own: attribute and input indices, the index rules. */
#ifndef TARN_OPS_RESIZE_H
#define TARN_OPS_RESIZE_H

#include "ops/grad.h"

enum {
	TARN_RESIZE_ANTIALIAS,
	TARN_RESIZE_AXES,
	TARN_RESIZE_COORDINATES,
	TARN_RESIZE_CUBIC_A,
	TARN_RESIZE_EXCLUDE,
	TARN_RESIZE_EXTRAPOLATION,
	TARN_RESIZE_POLICY,
	TARN_RESIZE_MODE,
	TARN_RESIZE_NEAREST,
	TARN_RESIZE_ATTRS
};
enum { TARN_RESIZE_ROI = 1, TARN_RESIZE_SCALES, TARN_RESIZE_SIZES };
enum { TARN_MODE_NEAREST, TARN_MODE_LINEAR, TARN_MODE_CUBIC };
enum {
	TARN_COORD_HALF_PIXEL,
	TARN_COORD_PYTORCH_HALF_PIXEL,
	TARN_COORD_ALIGN_CORNERS,
	TARN_COORD_ASYMMETRIC,
	TARN_COORD_TF_HALF_PIXEL_FOR_NN,
	TARN_COORD_TF_CROP_AND_RESIZE,
	TARN_COORD_HALF_PIXEL_SYMMETRIC
};
enum { TARN_NEAREST_PREFER_FLOOR, TARN_NEAREST_PREFER_CEIL, TARN_NEAREST_FLOOR, TARN_NEAREST_CEIL, TARN_NEAREST_SIMPLE };
extern const tarn_attr_def tarn_resize_attr[TARN_RESIZE_ATTRS];

/* One axis: sizes, scale, and the part of the input shown (tf_crop_and_resize). */
typedef struct tarn_resize_axis {
	const tarn_node *n;
	int64_t in, out;
	double scale, start, end;
} tarn_resize_axis;

/* The weighted inputs of one output index; at and w have room for TARN_RESIZE_MAX_TAPS. */
enum { TARN_RESIZE_MAX_TAPS = 4096 };
typedef struct tarn_resize_taps {
	int n;
	bool outside; /* beyond the input, by the rule of tf_crop_and_resize */
	int64_t *at;
	double *w;
} tarn_resize_taps;

/* Fills p[rank]: scales are given, or follow from the sizes. scales, roi: the inputs' data, NULL when absent. */
TARN_MUST tarn_err tarn_resize_plan(const tarn_node *n, int rank, const int64_t *in, const int64_t *out,
				    const tarn_tensor *scales, const tarn_tensor *roi, tarn_resize_axis *p);
/* Of output index i: one tap with weight 1 in mode nearest, two in mode linear (unless antialias or exclude_outside is set). */
void tarn_resize_taps_of(const tarn_resize_axis *p, int64_t i, tarn_resize_taps *t);

/* The axes that scales and sizes speak of. */
TARN_MUST tarn_err tarn_resize_axes(const tarn_node *n, int rank, int *axis, int *count);
/* True when the sizes input decides (else the scales do). */
bool tarn_resize_by_sizes(const tarn_node *n);
TARN_MUST tarn_err tarn_resize_eval(tarn_eval *e);
TARN_MUST tarn_err tarn_resize_grad(tarn_grad *g);

#endif
