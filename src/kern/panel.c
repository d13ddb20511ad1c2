/* SPDX-License-Identifier: Apache-2.0 */
#include "kern/panel.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "kern/layout.h"

/* What a core keeps close: blocks of A should fit here beside a panel, and weights beyond WEIGHTS_NEAR are read panel by panel.
 */
#define BLOCK_NEAR ((size_t)128 << 10)
#define WEIGHTS_NEAR ((size_t)768 << 10)
#define CHUNK_NEAR ((size_t)512 << 10) /* of a panel, used by all tiles while the next is on its way */
#define TASKS_WANTED 32

const tarn_tile_set *tarn_tile_set_get(void)
{
#if defined(__x86_64__)
	switch (tarn_isa_base()) {
	case TARN_ISA_AVX512:
		return &tarn_tiles_avx512;
	case TARN_ISA_AVX2:
		return &tarn_tiles_avx2;
	default:
		break;
	}
#endif
	return &tarn_tiles_portable;
}

tarn_err tarn_panels_init(size_t k, size_t n, tarn_store *from, tarn_panels *b)
{
	const tarn_tile_set *set = tarn_tile_set_get();
	CHECK(k > 0 && n > 0 && n <= (size_t)1 << 30 && k <= SIZE_MAX / 8 / (n + (size_t)set->lanes), TARN_SHAPE,
	      "a product with %zu x %zu weights cannot be packed", k, n);
	tarn_panels p = {.set = set, .k = k, .n = n, .lent = from};
	p.vectors = (int)((n + (size_t)set->lanes - 1) / (size_t)set->lanes);
	p.count = (p.vectors + set->max_nv - 1) / set->max_nv;
	p.max_rows = set->max_rows[(p.vectors + p.count - 1) / p.count - 1];
	size_t cols = (size_t)p.vectors * (size_t)set->lanes;
	tarn_err err = tarn_store_get(from, cols * k * sizeof(float), &p.w);
	if (err == TARN_OK)
		err = tarn_store_get(from, cols * sizeof(float), &p.bias);
	if (err != TARN_OK || from) {
		if (err != TARN_OK)
			tarn_panels_fini(&p);
		*b = p;
		return err;
	}
	memset(p.bias, 0, cols * sizeof(float));
	if (cols != n) /* only the last panel has columns that nobody fills */ {
		int first, nv = tarn_panel_nv(&p, p.count - 1, &first);
		memset(p.w + (size_t)first * (size_t)set->lanes * k, 0, (size_t)nv * (size_t)set->lanes * k * sizeof(float));
	}
	*b = p;
	return TARN_OK;
}

void tarn_panels_fini(tarn_panels *b)
{
	if (!b->lent) {
		tarn_mem_free_aligned(b->w);
		tarn_mem_free_aligned(b->bias);
	}
	b->w = b->bias = NULL;
}

void tarn_panels_save(const tarn_panels *b, tarn_str *out)
{
	size_t cols = (size_t)b->vectors * (size_t)b->set->lanes;
	tarn_store_put(out, b->w, cols * b->k * sizeof *b->w);
	tarn_store_put(out, b->bias, cols * sizeof *b->bias);
}

static size_t panel_width(const tarn_panels *b, int p)
{
	int first;
	return (size_t)tarn_panel_nv(b, p, &first) * (size_t)b->set->lanes;
}

void tarn_panels_set_rows(tarn_panels *b, const float *src, size_t ldb)
{
	for (int p = 0; p < b->count; p++) {
		float *w;
		size_t col, cols = tarn_panel_cols(b, p, &col, &w), width = panel_width(b, p);
		for (size_t k = 0; k < b->k; k++)
			memcpy(w + k * width, src + k * ldb + col, cols * sizeof(float));
	}
}

void tarn_panels_set_columns(tarn_panels *b, int p, const float *src, size_t ld)
{
	float *w;
	size_t col, cols = tarn_panel_cols(b, p, &col, &w);
	tarn_transpose_2d(sizeof(float), src, ld, w, panel_width(b, p), cols, b->k);
}

void tarn_grid_init(const tarn_panels *b, size_t m, size_t row_bytes, size_t max_block_rows, int panels, tarn_grid *g)
{
	size_t max_rows = (size_t)b->max_rows, tiles = (m + max_rows - 1) / max_rows, rows = max_block_rows;
	bool panel_major = b->k * b->n * sizeof(float) > WEIGHTS_NEAR;
	size_t wanted = panel_major ? TASKS_WANTED / 4 : TASKS_WANTED;
	if (!panel_major && rows > BLOCK_NEAR / (row_bytes ? row_bytes : 1)) {
		rows = BLOCK_NEAR / (row_bytes ? row_bytes : 1);
		rows = rows < 4 * max_rows ? 4 * max_rows : rows;
		rows = rows > max_block_rows ? max_block_rows : rows;
	}
	size_t per_block = rows < max_rows ? 1 : rows / max_rows;
	while (per_block > 2 && (tiles + per_block - 1) / per_block * (size_t)panels < wanted)
		per_block = (per_block + 1) / 2;
	*g = (tarn_grid){.m = m, .tiles = tiles ? tiles : 1, .panels = panels, .panel_major = panel_major};
	g->blocks = (int)((tiles + per_block - 1) / per_block);
}

size_t tarn_panel_taps(const tarn_panels *b, const tarn_grid *g, size_t taps, size_t depth)
{
	if (!g->panel_major)
		return taps;
	size_t width = (size_t)(b->vectors + b->count - 1) / (size_t)b->count * (size_t)b->set->lanes;
	size_t most = CHUNK_NEAR / (depth * width * sizeof(float)), rounds = most ? (taps + most - 1) / most : taps;
	return (taps + rounds - 1) / rounds;
}

/* The activation that the tile does not do itself, over rows that are still in the first-level cache. */
static void second_pass(const tarn_panel_job *job, const tarn_tile *t, size_t row, size_t col, int rows)
{
	const tarn_epilogue *e = job->epilogue;
	for (int i = 0; i < rows; i++) {
		float *c = t->c + (size_t)i * t->ldc;
		tarn_unary_f32(e->act, e->alpha, e->beta, c, c, (size_t)t->cols);
		if (job->res && e->residual_after)
			tarn_binary_f32(TARN_BINARY_ADD, c, job->res + (row + (size_t)i) * job->ldr + col, c, (size_t)t->cols);
	}
}

void tarn_panel_run(const tarn_panel_job *job, const tarn_grid *g, size_t t0, size_t t1, int p)
{
	const tarn_panels *b = job->b;
	const tarn_epilogue *e = job->epilogue;
	int first, nv = tarn_panel_nv(b, p, &first);
	size_t lanes = (size_t)b->set->lanes, col = (size_t)first * lanes, width = (size_t)nv * lanes;
	bool begins = job->first_tap == 0, ends = (job->first_tap + job->taps) * job->depth == b->k;
	bool after = job->res && e->residual_after && e->act != TARN_UNARY_IDENTITY;
	bool simple = (e->act == TARN_UNARY_IDENTITY || e->act == TARN_UNARY_RELU || e->act == TARN_UNARY_CLAMP) && !after;
	tarn_tile t = {.taps = job->taps, .depth = job->depth, .zero = job->zero, .ldc = job->ldc, .ldr = job->ldr};
	t.w = b->w + col * b->k + job->first_tap * job->depth * width;
	t.start = begins ? b->bias + col : NULL;
	t.cols = (int)(b->n - col < width ? b->n - col : width);
	if (ends && simple && e->act != TARN_UNARY_IDENTITY) {
		t.clamp = true;
		t.lo = e->act == TARN_UNARY_RELU ? 0.0f : e->alpha;
		t.hi = e->act == TARN_UNARY_RELU ? INFINITY : e->beta;
	}
	/* Weights too large to stay: while all tiles use this piece, the next (it follows in memory) is brought in, a share for
	 * each tile.
	 */
	size_t share = 0;
	if (g->panel_major && (!ends || p + 1 < b->count)) {
		t.ahead_step = width * sizeof(float) / g->tiles;
		share = t.ahead_step * job->taps * job->depth;
	}
	t.a = job->a; /* the residual joins with the first taps, before c is overwritten: it may be c */
	for (size_t i = t0, row = tarn_tile_row(g, t0); i < t1; i++) {
		size_t next = tarn_tile_row(g, i + 1);
		int rows = (int)(next - row);
		t.c = job->c + row * job->ldc + col;
		t.ahead = (const char *)(t.w + job->taps * job->depth * width) + i * share;
		t.res = begins && job->res && !after ? job->res + row * job->ldr + col : NULL;
		b->set->fn[nv - 1][rows - 1](&t);
		if (ends && !simple)
			second_pass(job, &t, row, col, rows);
		t.a += job->taps * (size_t)rows;
		row = next;
	}
}
