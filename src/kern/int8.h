/* SPDX-License-Identifier: Apache-2.0 */
/*
 * INT8 kernels, channels-last. Codes are u8 or s8 with a scale and a zero point: real = (code - zero) * scale.
 *
 * Every product is exact: int32 accumulators, the same on every instruction-set level and for any number of threads (no 16-bit
 * saturation anywhere). Rounding is to nearest, ties to even, in f32: code = clamp(rint(x / scale) + zero).
 * Objects live like those of conv.h: packed once (belongs to the level in force), planned per sizes, run by tasks that write
 * disjoint parts of the output. Outputs must not overlap inputs unless noted.
 */
#ifndef TARN_KERN_INT8_H
#define TARN_KERN_INT8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "kern/conv.h"
#include "kern/store.h"
#include "kern/pool2d.h"

typedef enum tarn_code { TARN_CODE_U8, TARN_CODE_S8, TARN_CODE_F32, TARN_CODE_I32 } tarn_code;

/* ---- convolution and matrix products ---- */

/* Dense, grouped and depthwise convolution. A matrix product [m][k] x [k][n] is a 1x1 convolution with ic = k, oc = n, iw = ow
 * = m. */
typedef struct tarn_qconv tarn_qconv;
typedef struct tarn_qconv_plan tarn_qconv_plan;

typedef struct tarn_qconv_input {
	tarn_code type; /* U8 or S8 */
	int zero;       /* padding has this code */
} tarn_qconv_input;

/* w: [oc][ic / groups][kh][kw] codes, u8 or s8 (w_type); w_zero: [oc] zero points, NULL: all 0. Copied. TARN_SHAPE when an
 * accumulator could overflow int32, TARN_NOMEM. */
TARN_MUST tarn_err tarn_qconv_pack(const tarn_conv_spec *spec, const void *w, tarn_code w_type, const int32_t *w_zero,
				   tarn_qconv_input input, tarn_qconv **conv);
void tarn_qconv_free(tarn_qconv *conv);
/* From what _save appended, at the same level (kern/store.h). */
TARN_MUST tarn_err tarn_qconv_open(const tarn_conv_spec *spec, tarn_qconv_input input, tarn_store *from, tarn_qconv **conv);
void tarn_qconv_save(const tarn_qconv *conv, tarn_str *out);
size_t tarn_qconv_bytes(const tarn_qconv *conv);

/*
 * From accumulators to outputs, acc = sum of (x - x_zero) * (w - w_zero[c]):
 *   U8, S8: clamp(rint(acc * scale[c] + bias[c]) + zero, lo, hi), scale[c] = s_x * s_w[c] / s_y, bias[c] = b[c] / s_y
 *   F32:    acc * scale[c] + bias[c], clamped to [f_lo, f_hi]; scale[c] = s_x * s_w[c], bias[c] = b[c]
 *   I32:    acc
 * ReLU and Clip before a quantizer are lo and hi.
 */
typedef struct tarn_qepilogue {
	tarn_code type;
	const float *scale, *bias; /* [oc]; copied by the plan; bias NULL: 0 */
	int zero, lo, hi;
	float f_lo, f_hi;
} tarn_qepilogue;

/* shape's strides count elements of the respective type; residual_stride is unused. */
TARN_MUST tarn_err tarn_qconv_plan_new(const tarn_qconv *conv, const tarn_conv_shape *shape, const tarn_qepilogue *epilogue,
				       tarn_qconv_plan **plan);
void tarn_qconv_plan_free(tarn_qconv_plan *plan);
int tarn_qconv_tasks(const tarn_qconv_plan *plan);
void tarn_qconv_run(const tarn_qconv_plan *plan, const void *in, void *out, int begin, int end);

/* Scale and zero point of the data known only when a product runs. It is packed for tarn_qconv_late_input of its type; F32
 * outputs get scale[c] * factor, I32 the sums. One-pixel kernels only: there is no padding whose code would change. */
typedef struct tarn_qconv_late {
	int zero;
	int32_t *start; /* by column; private */
	float *scale;
} tarn_qconv_late;
tarn_qconv_input tarn_qconv_late_input(tarn_code type);
TARN_MUST tarn_err tarn_qconv_late_init(const tarn_qconv_plan *plan, int zero, float factor, tarn_qconv_late *late);
void tarn_qconv_late_fini(tarn_qconv_late *late);
void tarn_qconv_run_late(const tarn_qconv_plan *plan, const tarn_qconv_late *late, const void *in, void *out, int begin,
			 int end);

/* ---- elementwise ---- */

/* code[i] = clamp(rint(x[i] / scale) + zero) to the type's range; NaN gives zero. */
void tarn_quantize_f32(const float *x, void *code, tarn_code type, float scale, int zero, size_t n);
/* The same from one image of planes [channels][pixels] to channels-last codes, for its pixels [begin, end); at most
 * TARN_QUANTIZE_NHWC_CHANNELS channels. */
#define TARN_QUANTIZE_NHWC_CHANNELS 8
void tarn_quantize_nhwc_f32(const float *x, void *code, tarn_code type, float scale, int zero, size_t channels, size_t pixels,
			    size_t begin, size_t end);
/* x[i] = (code[i] - zero) * scale. */
void tarn_dequantize_f32(const void *code, float *x, tarn_code type, float scale, int zero, size_t n);
/* y[i] = table[x[i]] with x read as an unsigned byte (so the table of an s8 function is indexed by the byte's bits). In place
 * is allowed. */
void tarn_lut_u8(const uint8_t table[256], const uint8_t *x, uint8_t *y, size_t n);

typedef struct tarn_qbinary {
	enum { TARN_QBINARY_ADD, TARN_QBINARY_SUB, TARN_QBINARY_MUL } op;
	tarn_code a_type, b_type, y_type; /* U8 or S8 */
	float a_scale, b_scale, y_scale;
	int a_zero, b_zero, y_zero;
	int lo, hi; /* clamp of the result's codes: a fused ReLU or Clip; else the type's range */
} tarn_qbinary;
/* y = quantize(dequantize(a) op dequantize(b)), n elements; exact f32 arithmetic in that order. In place is allowed. */
void tarn_qbinary_run(const tarn_qbinary *q, const void *a, const void *b, void *y, size_t n);

/* ---- pooling ---- */

/* Maximum of codes (same scale and zero point in and out), or average: clamp(rint((sum - count * x_zero) * scale / count) +
 * zero) with scale = s_x / s_y. Strides in the tarn_pool2d count bytes. */
typedef struct tarn_qpool {
	tarn_code type, y_type; /* U8 or S8; maximum: y_type = type */
	int x_zero, zero, lo, hi;
	float scale;
} tarn_qpool;

int tarn_qpool_tasks(const tarn_pool2d *p);
void tarn_qpool_run(const tarn_pool2d *p, const tarn_qpool *q, const void *in, void *out, int begin, int end);

#endif
