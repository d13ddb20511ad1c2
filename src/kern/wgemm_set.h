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
	/* Blocks [b0, b1), `depth` rows, as floats: [row][width] in one piece after the other of `width` columns (the last one
	 * may be narrower).
	 */
	void (*unpack[2])(const tarn_wtile *t, size_t b0, size_t b1, size_t depth, int piece_nv, float *out);
} tarn_wgemm_set;

extern const tarn_wgemm_set tarn_wgemm_portable, tarn_wgemm_avx2, tarn_wgemm_avx512;

/* Walks over blocks: which group, which of its blocks. Only the beginning divides. */
typedef struct tarn_wblock {
	size_t k, group, per_word, blocks, g, at;
} tarn_wblock;

static inline tarn_wblock tarn_wblock_at(size_t k, size_t group, size_t per_word, size_t b)
{
	size_t blocks = (group + per_word - 1) / per_word;
	return (tarn_wblock){k, group, per_word, blocks, b / blocks, b % blocks};
}

/* Rows of B in this block. */
static inline size_t tarn_wblock_rows(const tarn_wblock *w)
{
	size_t left = w->k - w->g * w->group, rows = left < w->group ? left : w->group, first = w->at * w->per_word;
	return first >= rows ? 0 : rows - first < w->per_word ? rows - first : w->per_word;
}

static inline void tarn_wblock_next(tarn_wblock *w)
{
	if (++w->at == w->blocks) {
		w->at = 0;
		w->g++;
	}
}

/* Rows of B in blocks [b0, b1). */
static inline size_t tarn_wblock_depth(size_t k, size_t group, size_t per_word, size_t b0, size_t b1)
{
	size_t depth = 0;
	tarn_wblock w = tarn_wblock_at(k, group, per_word, b0);
	for (size_t b = b0; b < b1; b++, tarn_wblock_next(&w))
		depth += tarn_wblock_rows(&w);
	return depth;
}

#endif
