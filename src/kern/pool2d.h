/* SPDX-License-Identifier: Apache-2.0 */
/*
 * f32 max and average pooling, channels-last: input [n][ih][iw][c], output [n][oh][ow][c]. The caller has resolved padding and
 * ceil mode into oh, ow and the four pads. Thread-safe; a task is one row of the output. For global pooling see reduce.h (a
 * mean or maximum over the pixels).
 */
#ifndef TARN_KERN_POOL2D_H
#define TARN_KERN_POOL2D_H

#include <stdbool.h>
#include <stddef.h>

typedef struct tarn_pool2d {
	bool average;           /* else maximum */
	bool count_include_pad; /* average: padding counts in the divisor, but not what ceil mode adds beyond the padding */
	int n, ih, iw, c, oh, ow;
	int kh, kw, stride_h, stride_w, dilation_h, dilation_w;
	int pad_top, pad_left, pad_bottom, pad_right;
	size_t in_stride, out_stride; /* floats between pixels; 0 = c */
} tarn_pool2d;

int tarn_pool2d_f32_tasks(const tarn_pool2d *p);
/* Runs tasks [begin, end). A window without any pixel gives 0 (average) or -infinity (maximum). */
void tarn_pool2d_f32_run(const tarn_pool2d *p, const float *in, float *out, int begin, int end);

#endif
