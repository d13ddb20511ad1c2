/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The register tile under GEMM and convolution: `rows` output rows (pixels) by up to 4 vectors of columns (channels). Private
 * to kern. The operand A is a list of row pointers for each tap (a kernel position; GEMM has one tap), so that convolution
 * needs no im2col: a tap outside the image points to a row of zeros. B is packed in panels, see panel.h.
 */
#ifndef TARN_KERN_TILE_H
#define TARN_KERN_TILE_H

#include <stdbool.h>
#include <stddef.h>

#include "kern/epilogue.h"
#include "kern/isa.h"

#define TARN_TILE_ROWS 8 /* no level's tile has more rows */
#define TARN_TILE_COLS 64

typedef struct tarn_tile {
	const float *const *a; /* [taps][rows] pointers, each to `depth` floats */
	size_t taps, depth;
	const float *zero;  /* taps whose rows all point here are skipped; NULL = look for none */
	const float *w;     /* [taps * depth][nv * lanes] */
	const char *ahead;  /* memory to bring near meanwhile, ahead_step bytes further at each of the taps * depth steps */
	size_t ahead_step;  /* 0 = nothing to bring */
	const float *start; /* nv * lanes values every row starts from (the bias); NULL = the values in c */
	float *c;           /* [rows][cols], stride ldc */
	size_t ldc;
	int cols;         /* valid columns, (nv - 1) * lanes < cols <= nv * lanes */
	const float *res; /* added before lo and hi; NULL = none */
	size_t ldr;
	bool clamp;
	float lo, hi;
} tarn_tile;

typedef void tarn_tile_fn(const tarn_tile *t);

/* The tiles of one level. fn[nv - 1][rows - 1] exists for rows <= max_rows[nv - 1]. */
typedef struct tarn_tile_set {
	tarn_isa isa;
	int lanes;  /* floats of a vector */
	int max_nv; /* vectors of a panel */
	int max_rows[4];
	tarn_tile_fn *fn[4][TARN_TILE_ROWS];
} tarn_tile_set;

const tarn_tile_set *tarn_tile_set_get(void); /* of the level in force */

extern const tarn_tile_set tarn_tiles_portable, tarn_tiles_avx2, tarn_tiles_avx512;

#endif
