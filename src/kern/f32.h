/* SPDX-License-Identifier: Apache-2.0 */
/* The f32 kernels of one level other than the tiles: a row of function pointers. Private to kern; the public headers wrap it.
 */
#ifndef TARN_KERN_F32_H
#define TARN_KERN_F32_H

#include <stdbool.h>
#include <stddef.h>

#include "kern/depthwise.h"
#include "kern/eltwise.h"
#include "kern/pool2d.h"
#include "kern/reduce.h"
#include "kern/winograd.h"

typedef struct tarn_f32_set {
	void (*unary)(tarn_unary fn, float alpha, float beta, const float *x, float *y, size_t n);
	void (*binary_vv)(tarn_binary op, const float *a, const float *b, float *y, size_t n);
	void (*binary_vs)(tarn_binary op, const float *a, float b, bool reversed, float *y, size_t n);
	void (*softmax_row)(const float *x, float *y, size_t n, float scale, bool log);
	void (*softmax_cols)(const float *x, float *y, size_t axis, size_t inner, float scale, bool log);
	void (*layernorm_row)(const float *x, float *y, size_t n, const float *gamma, const float *beta, float eps);
	float (*reduce_row)(tarn_reduce op, const float *x, size_t n);
	void (*reduce_cols)(tarn_reduce op, const float *x, float *y, size_t axis, size_t inner);
	void (*pool_row)(const tarn_pool2d *p, const float *in, float *out, int n, int oy);
	void (*depthwise_row)(const tarn_depthwise_row *r);
	void (*winograd_in)(const tarn_winograd_in *t);
	void (*winograd_out)(const tarn_winograd_out *t);
} tarn_f32_set;

const tarn_f32_set *tarn_f32_set_get(void); /* of the level in force */

extern const tarn_f32_set tarn_f32_portable, tarn_f32_avx2, tarn_f32_avx512;

#endif
