/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one level has for products with packed integer weights. Private to kern.
 *
 * Layout: a panel is up to TARN_WGEMM_NV vectors of columns. Its codes are 32-bit words [block][column], each the codes of one
 * column in 32 / bits consecutive rows, lowest bits first. Blocks do not cross groups: the last one of a group may be filled
 * partly. Scales and zeros of a panel are [group][column].
 */
#ifndef TARN_KERN_WGEMM_SET_H
#define TARN_KERN_WGEMM_SET_H

#include <stddef.h>
#include <stdint.h>

#include "kern/isa.h"

enum { TARN_WGEMM_NV = 4, TARN_WGEMM_ROWS = 4 };

/* A panel, and some rows of A that are multiplied with it. */
typedef struct tarn_wtile {
	const int32_t *code;
	const float *scale, *zero; /* zero NULL: none */
	size_t k, group;
	int nv;
	const float *bias; /* nv * lanes of them */
	const float *a;
	size_t lda;
	float *c;
	size_t ldc;
	int cols; /* valid columns */
} tarn_wtile;

typedef struct tarn_wgemm_set {
	tarn_isa isa;
	int lanes, max_rows;
	/* c = a * B + bias; [bits is 8][rows - 1][nv - 1] */
	void (*rows[2][TARN_WGEMM_ROWS][TARN_WGEMM_NV])(const tarn_wtile *t);
	/* Blocks [b0, b1) as floats, [row][width] in one piece after the other of `width` columns (the last one may be
	 * narrower).
	 */
	void (*unpack[2])(const tarn_wtile *t, size_t b0, size_t b1, int piece_nv, float *out);
} tarn_wgemm_set;

extern const tarn_wgemm_set tarn_wgemm_portable, tarn_wgemm_avx2, tarn_wgemm_avx512;

/* Rows of B in block b. */
static inline size_t tarn_wgemm_block_rows(size_t k, size_t group, size_t per_word, size_t b)
{
	size_t blocks = (group + per_word - 1) / per_word, g = b / blocks, at = b % blocks * per_word;
	size_t rows = k - g * group < group ? k - g * group : group;
	return at >= rows ? 0 : rows - at < per_word ? rows - at : per_word;
}

#endif
