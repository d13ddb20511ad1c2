/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an instruction-set level gives to the INT8 kernels: register tiles, depthwise rows, elementwise loops. Private to kern.
 * A level that is missing (NULL set) uses the plain C of int8_plain.c.
 *
 * Activations are taken as unsigned bytes; `flip` says that they are s8 codes, and 128 is added by turning the top bit. Weights
 * are s8 where the level multiplies bytes (VNNI), else 16 bits wide. Both come in steps of four codes: a vector of `lanes`
 * columns has 4 * lanes bytes, or first the even and then the odd codes as 16-bit pairs. Accumulators start at a constant for
 * each column that takes the zero point's part away, and wrap modulo 2^32: the true sum fits, so the result is exact.
 */
#ifndef TARN_KERN_INT8_SET_H
#define TARN_KERN_INT8_SET_H

#include <math.h>

#include "kern/int8.h"
#include "kern/isa.h"

#define TARN_QTILE_ROWS 14
#define TARN_QTILE_NV 2  /* vectors of a panel at most */
#define TARN_QDW_TAPS 16 /* rows and columns of a depthwise kernel at most */

typedef struct tarn_qtile {
	const uint8_t *const *a; /* [taps][rows] pointers, each to `depth` codes */
	size_t taps, depth;
	const uint8_t *skip; /* taps whose rows all point here add nothing; NULL: look for none */
	const int8_t *w;     /* [taps][depth / 4, rounded up][nv] vectors */
	const char *ahead;   /* memory to bring near meanwhile, ahead_step bytes further at each step; 0: none */
	size_t ahead_step;
	const int32_t *start;      /* [nv * lanes] */
	const float *scale, *bias; /* [nv * lanes] */
	const tarn_qepilogue *e;
	bool codes; /* the results are codes, and small enough before they are rounded */
	char *c;    /* [rows][cols] */
	size_t ldc; /* bytes between rows */
	int cols;   /* valid columns, (nv - 1) * lanes < cols <= nv * lanes */
} tarn_qtile;

typedef void tarn_qtile_fn(const tarn_qtile *t);

/* One row of a depthwise convolution's output. Channels come in blocks of 4 * lanes; inside a block, arrays by channel are in
 * the order of tarn_qdw_channel. */
typedef struct tarn_qdw_row {
	const uint8_t *const *in; /* [kh] first pixel of the row each kernel row reads, or pad */
	const size_t *step;       /* [kh] bytes between pixels; 0: the row is padding */
	const uint8_t *pad;       /* channels rounded up to 64, zero points */
	int kh, kw, stride, dilation, pad_left, iw, ow, channels;
	int outputs, groups; /* neighbours made together, and groups of four pixels they read */
	bool flip;
	const int8_t *w;           /* [blocks][kh][outputs][groups][4] vectors */
	const int32_t *start;      /* [blocks * 4 * lanes] */
	const float *scale, *bias; /* the same */
	const tarn_qepilogue *e;
	bool codes; /* the results are codes, and small enough before they are rounded */
	char *out;
	size_t out_step; /* bytes between pixels */
} tarn_qdw_row;

/* Channel of element i of a block's arrays: bytes of four pixels are interleaved inside 128-bit lanes. */
static inline int tarn_qdw_channel(int i, int lanes)
{
	int v = i / lanes, lane = i % lanes / 4;
	return 16 * lane + 4 * v + i % 4;
}

/* A result as a code, whatever its size. */
static inline uint8_t tarn_qconv_code(float r, const tarn_qepilogue *e)
{
	float lo = (float)(e->lo - e->zero), hi = (float)(e->hi - e->zero);
	r = rintf(r);
	r = r > lo ? r : lo;
	r = r > hi ? hi : r;
	return (uint8_t)((int)r + e->zero);
}

/* A last block of so few channels holds them twice. */
static inline bool tarn_qdw_half(int channels, int lanes)
{
	return lanes == 16 && channels <= 32;
}

typedef struct tarn_int8_set {
	tarn_isa isa;
	int lanes;
	bool wide; /* 16-bit weights */
	int max_rows;
	tarn_qtile_fn *tile[2][TARN_QTILE_NV][TARN_QTILE_ROWS]; /* by flip, nv - 1, rows - 1 */
	void (*dw_row)(const tarn_qdw_row *r);
	void (*quantize)(const float *x, uint8_t *code, float scale, int zero, int lo, int hi, size_t n);
	void (*dequantize)(const uint8_t *code, float *x, bool is_signed, float scale, int zero, size_t n);
	void (*lut)(const uint8_t *table, const uint8_t *x, uint8_t *y, size_t n);
	void (*binary)(const tarn_qbinary *q, const uint8_t *a, const uint8_t *b, uint8_t *y, size_t n);
	void (*max)(const uint8_t *const *x, int count, uint8_t *y, bool is_signed, size_t n); /* of count >= 1 rows */
	void (*interleave_3)(const uint8_t *const *x, uint8_t *y, size_t n);
	void (*sum)(const uint8_t *x, int32_t *y, bool is_signed, size_t n); /* y += x */
	/* code = clamp(rint((x[i] - bias) * scale / count) + zero) */
	void (*mean)(const int32_t *x, int32_t bias, float count, const tarn_qpool *q, uint8_t *code, size_t n);
} tarn_int8_set;

/* Of the level in force; NULL: plain C. narrow: weights fit in s8. */
const tarn_int8_set *tarn_int8_set_get(bool narrow);

extern const tarn_int8_set tarn_int8_avx2, tarn_int8_avxvnni, tarn_int8_avx512, tarn_int8_avx512vnni;

/* The plain level: int8_plain.c. w: [oc][kh][kw][ic / groups], less the zero point. A task is one output pixel. */
void tarn_qconv_plain_run(const tarn_conv_spec *s, const tarn_conv_shape *sh, tarn_qconv_input input, const int16_t *w,
			  const tarn_qepilogue *e, const void *in, void *out, int begin, int end);

#endif
