/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packed weights and the split of a product into tasks, shared by GEMM and convolution. Private to kern.
 *
 * A matrix B [k][n] is cut into panels of up to max_nv vectors of columns, as equal in width as can be; a panel is stored
 * [k][nv * lanes], its last columns filled with zeros. The rows of A are cut into tiles as equal in height as can be, and tiles
 * are gathered into blocks; a task is one block of rows times one panel.
 */
#ifndef TARN_KERN_PANEL_H
#define TARN_KERN_PANEL_H

#include "base/err.h"
#include "kern/store.h"
#include "kern/tile.h"

typedef struct tarn_panels {
	const tarn_tile_set *set;
	size_t k, n;
	int vectors, count; /* vectors of columns, panels */
	int max_rows;       /* rows of a tile, the same for every panel */
	float *w;           /* aligned */
	float *bias;        /* [vectors * lanes]; zeros when there is none */
	bool lent;          /* both are in a store; else owned */
} tarn_panels;

/* Where panel p begins (column, a multiple of lanes) and how many vectors it has. */
static inline int tarn_panel_nv(const tarn_panels *b, int p, int *first_vector)
{
	int q = b->vectors / b->count, r = b->vectors % b->count;
	*first_vector = p * q + (p < r ? p : r);
	return q + (p < r);
}

/* For a k x n matrix at the level in force: as tarn_panels_save wrote it, or (`from` NULL) fresh with zeros for bias and for
 * columns that nobody fills. TARN_NOMEM. */
TARN_MUST tarn_err tarn_panels_init(size_t k, size_t n, tarn_store *from, tarn_panels *b);
void tarn_panels_save(const tarn_panels *b, tarn_str *out);
void tarn_panels_fini(tarn_panels *b);
/* The columns of panel p, and where they go. */
static inline size_t tarn_panel_cols(const tarn_panels *b, int p, size_t *first_col, float **w)
{
	int first, nv = tarn_panel_nv(b, p, &first);
	size_t width = (size_t)nv * (size_t)b->set->lanes;
	*first_col = (size_t)first * (size_t)b->set->lanes;
	*w = b->w + *first_col * b->k;
	return b->n - *first_col < width ? b->n - *first_col : width;
}

/* Fills everything from a matrix [k][n], row stride ldb. */
void tarn_panels_set_rows(tarn_panels *b, const float *src, size_t ldb);
/* Fills panel p from its columns, src [columns of the panel][k], row stride ld. */
void tarn_panels_set_columns(tarn_panels *b, int p, const float *src, size_t ld);

/* Rows 0..m in `tiles` tiles; tile t begins at tarn_tile_row(g, t). Tasks are numbered row-block-major, or panel-major when the
 * weights are too large to stay in the second-level cache. */
typedef struct tarn_grid {
	size_t m, tiles;
	int blocks, panels;
	bool panel_major;
} tarn_grid;

/* row_bytes: bytes of A that one more row brings into the cache. max_block_rows: upper limit of a block (at least max_rows). */
void tarn_grid_init(const tarn_panels *b, size_t m, size_t row_bytes, size_t max_block_rows, int panels, tarn_grid *g);

/* How many of the taps a job should take at once, so that its part of a panel stays near while all tiles use it. */
size_t tarn_panel_taps(const tarn_panels *b, const tarn_grid *g, size_t taps, size_t depth);

static inline size_t tarn_tile_row(const tarn_grid *g, size_t t)
{
	size_t q = g->m / g->tiles, r = g->m % g->tiles;
	return t * q + (t < r ? t : r);
}

/* The tiles [*t0, *t1) and the panel of a task. */
static inline void tarn_grid_task(const tarn_grid *g, int task, size_t *t0, size_t *t1, int *panel)
{
	int block = g->panel_major ? task % g->blocks : task / g->panels;
	*panel = g->panel_major ? task / g->blocks : task % g->panels;
	*t0 = g->tiles * (size_t)block / (size_t)g->blocks;
	*t1 = g->tiles * (size_t)(block + 1) / (size_t)g->blocks;
}

/* The part of a product that one panel contributes to a run of tiles. */
typedef struct tarn_panel_job {
	const tarn_panels *b;
	const tarn_epilogue *epilogue;
	const float *const *a; /* for each tile [taps][rows of the tile] */
	size_t taps, depth;    /* taps of this job; b->k = all taps * depth */
	size_t first_tap;
	const float *zero;
	float *c; /* row 0, column 0 of the product */
	size_t ldc;
	const float *res; /* NULL = none */
	size_t ldr;
} tarn_panel_job;

/* Tiles [t0, t1) of the grid against panel p. A job that does not begin at tap 0 adds to c; the epilogue comes with the last
 * tap. */
void tarn_panel_run(const tarn_panel_job *job, const tarn_grid *g, size_t t0, size_t t1, int p);

#endif
