/* SPDX-License-Identifier: Apache-2.0 */
#include "kern/wgemm.h"

#include <string.h>

#include "base/mem.h"
#include "kern/tile.h"
#include "kern/wgemm_set.h"

enum {
	PIECE_K = 384,   /* rows of B unpacked at once: 96 KiB with the widest panel; each piece reads and writes C once more */
	DIRECT_ROWS = 8, /* up to so many rows of A, unpacking would cost more than it saves */
	ROWS_SPLIT = 64,
};

struct tarn_wgemm {
	const tarn_wgemm_set *set;
	const tarn_tile_set *tiles;         /* of the same level */
	size_t k, n, group, groups, blocks; /* blocks: words that a column has */
	int bits, vectors, panels;
	int32_t *code;
	float *scale, *zero, *bias;
	bool lent; /* all are in a store */
};

static const tarn_wgemm_set *set_get(void)
{
#if defined(__x86_64__)
	switch (tarn_isa_base()) {
	case TARN_ISA_AVX512:
		return &tarn_wgemm_avx512;
	case TARN_ISA_AVX2:
		return &tarn_wgemm_avx2;
	default:
		break;
	}
#endif
	return &tarn_wgemm_portable;
}

static size_t width_of(const tarn_wgemm *g, int panel, size_t *first)
{
	int nv = g->vectors - panel * TARN_WGEMM_NV;
	*first = (size_t)panel * TARN_WGEMM_NV * (size_t)g->set->lanes;
	return (size_t)(nv < TARN_WGEMM_NV ? nv : TARN_WGEMM_NV) * (size_t)g->set->lanes;
}

void tarn_wgemm_free(tarn_wgemm *g)
{
	if (!g)
		return;
	for (int i = 0; i < 4 && !g->lent; i++)
		tarn_mem_free_aligned((void *[]){g->code, g->scale, g->zero, g->bias}[i]);
	tarn_mem_free(g);
}

/* The codes of one panel: word by word, column by column. */
static void pack_codes(const tarn_wgemm *g, const tarn_wgemm_weights *w, int panel)
{
	size_t first, width = width_of(g, panel, &first), per = 32u / (unsigned)g->bits;
	size_t cols = g->n - first < width ? g->n - first : width;
	size_t sk = w->transposed ? 1 : w->n, sn = w->transposed ? w->k : 1;
	uint32_t mask = g->bits == 4 ? 15 : 255, *words = (uint32_t *)g->code + first * g->blocks;
	tarn_wblock at = tarn_wblock_at(g->k, g->group, per, 0);
	for (size_t b = 0; b < g->blocks; b++, tarn_wblock_next(&at)) {
		size_t k = at.g * g->group + at.at * per, rows = tarn_wblock_rows(&at);
		for (size_t j = 0; j < cols; j++) {
			uint32_t word = 0;
			for (size_t i = 0; i < rows; i++)
				word |= ((uint32_t)w->code[(k + i) * sk + (first + j) * sn] & mask) << (i * (size_t)g->bits);
			words[b * width + j] = word;
		}
	}
}

static void pack_rows(const tarn_wgemm *g, const float *from, float *to)
{
	for (int p = 0; p < g->panels; p++) {
		size_t first, width = width_of(g, p, &first), cols = g->n - first < width ? g->n - first : width;
		for (size_t i = 0; i < g->groups; i++)
			memcpy(to + first * g->groups + i * width, from + i * g->n + first, cols * sizeof *to);
	}
}

/* Zeros, or what the store has. */
static tarn_err block(tarn_store *from, size_t count, void *out)
{
	void **at = out;
	TRY(tarn_store_get(from, count * sizeof(float), at));
	if (!from)
		memset(*at, 0, count * sizeof(float));
	return TARN_OK;
}

tarn_err tarn_wgemm_open(const tarn_wgemm_weights *w, tarn_store *from, tarn_wgemm **out)
{
	CHECK(w->k && w->n && w->group && w->group <= w->k && (w->bits == 4 || w->bits == 8) && w->n <= (size_t)1 << 30 &&
		      w->k <= SIZE_MAX / 64 / (w->n + 64),
	      TARN_SHAPE, "a product with %zu x %zu weights in groups of %zu cannot be packed", w->k, w->n, w->group);
	tarn_wgemm *g = tarn_mem_zalloc(1, sizeof *g);
	if (!g)
		return tarn_err_nomem(sizeof *g);
	*g = (tarn_wgemm){
		.set = set_get(), .tiles = tarn_tile_set_get(), .k = w->k, .n = w->n, .group = w->group, .bits = w->bits};
	size_t lanes = (size_t)g->set->lanes, per = 32u / (unsigned)w->bits;
	g->groups = (w->k + w->group - 1) / w->group;
	g->vectors = (int)((w->n + lanes - 1) / lanes);
	g->panels = (g->vectors + TARN_WGEMM_NV - 1) / TARN_WGEMM_NV;
	size_t whole = (w->group + per - 1) / per, rest = w->k - (g->groups - 1) * w->group;
	g->blocks = (g->groups - 1) * whole + (rest + per - 1) / per;
	g->lent = from;
	size_t cols = (size_t)g->vectors * lanes;
	tarn_err err;
	TRY_GOTO(fail, block(from, cols * g->blocks, &g->code));
	TRY_GOTO(fail, block(from, cols * g->groups, &g->scale));
	if (w->zero)
		TRY_GOTO(fail, block(from, cols * g->groups, &g->zero));
	TRY_GOTO(fail, block(from, cols, &g->bias));
	*out = g;
	return TARN_OK;
fail:
	tarn_wgemm_free(g);
	return err;
}

tarn_err tarn_wgemm_pack(const tarn_wgemm_weights *w, tarn_wgemm **out)
{
	tarn_wgemm *g;
	TRY(tarn_wgemm_open(w, NULL, &g));
	for (int p = 0; p < g->panels; p++)
		pack_codes(g, w, p);
	pack_rows(g, w->scale, g->scale);
	if (w->zero)
		pack_rows(g, w->zero, g->zero);
	if (w->bias)
		memcpy(g->bias, w->bias, w->n * sizeof *g->bias);
	*out = g;
	return TARN_OK;
}

void tarn_wgemm_save(const tarn_wgemm *g, tarn_str *out)
{
	size_t cols = (size_t)g->vectors * (size_t)g->set->lanes;
	tarn_store_put(out, g->code, cols * g->blocks * sizeof *g->code);
	tarn_store_put(out, g->scale, cols * g->groups * sizeof *g->scale);
	if (g->zero)
		tarn_store_put(out, g->zero, cols * g->groups * sizeof *g->zero);
	tarn_store_put(out, g->bias, cols * sizeof *g->bias);
}

size_t tarn_wgemm_bytes(const tarn_wgemm *g)
{
	size_t cols = (size_t)g->vectors * (size_t)g->set->lanes;
	return sizeof *g + cols * (g->blocks + g->groups * (g->zero ? 2 : 1) + 1) * sizeof(float);
}

/* Each block of rows unpacks B again: as few as give enough tasks. */
static size_t row_blocks(const tarn_wgemm *g, size_t m)
{
	size_t most = (m + ROWS_SPLIT - 1) / ROWS_SPLIT, wanted = g->panels >= 8 ? 1 : 8 / (size_t)g->panels;
	return most < wanted ? (most ? most : 1) : wanted;
}

int tarn_wgemm_tasks(const tarn_wgemm *g, size_t m)
{
	return m ? g->panels * (int)row_blocks(g, m) : 0;
}

/* Rows [r0, r1) of one panel with the weights as floats, piece by piece. */
static void by_pieces(const tarn_wgemm *g, const tarn_wtile *t, size_t r0, size_t r1)
{
	const tarn_tile_set *set = g->tiles;
	_Alignas(64) float buffer[PIECE_K * TARN_TILE_COLS];
	size_t per = 32u / (unsigned)g->bits, lanes = (size_t)g->set->lanes, step = PIECE_K / per, k = 0;
	for (size_t b = 0; b < g->blocks; b += step) {
		size_t end = b + step < g->blocks ? b + step : g->blocks;
		size_t depth = tarn_wblock_depth(g->k, g->group, per, b, end);
		g->set->unpack[g->bits == 8](t, b, end, depth, set->max_nv, buffer);
		for (int v = 0; v < t->nv; v += set->max_nv) {
			int nv = t->nv - v < set->max_nv ? t->nv - v : set->max_nv, left = t->cols - v * (int)lanes;
			size_t max_rows = (size_t)set->max_rows[nv - 1];
			for (size_t r = r0; r < r1;) {
				const float *row[TARN_TILE_ROWS];
				size_t tiles = (r1 - r + max_rows - 1) / max_rows, rows = (r1 - r + tiles - 1) / tiles;
				for (size_t i = 0; i < rows; i++)
					row[i] = t->a + (r + i) * t->lda + k;
				tarn_tile x = {.a = row,
					       .taps = 1,
					       .depth = depth,
					       .w = buffer + (size_t)v * lanes * depth,
					       .start = b ? NULL : t->bias + (size_t)v * lanes,
					       .c = t->c + r * t->ldc + (size_t)v * lanes,
					       .ldc = t->ldc,
					       .cols = left < nv * (int)lanes ? left : nv * (int)lanes};
				set->fn[nv - 1][rows - 1](&x);
				r += rows;
			}
		}
		k += depth;
	}
}

static void finish_row(const tarn_gemm_f32_args *args, size_t row, size_t col, size_t cols)
{
	const tarn_epilogue *e = &args->epilogue;
	float *c = args->c + row * args->ldc + col;
	const float *res = args->residual ? args->residual + row * args->ldr + col : NULL;
	if (res && !e->residual_after)
		tarn_binary_f32(TARN_BINARY_ADD, c, res, c, cols);
	if (e->act != TARN_UNARY_IDENTITY)
		tarn_unary_f32(e->act, e->alpha, e->beta, c, c, cols);
	if (res && e->residual_after)
		tarn_binary_f32(TARN_BINARY_ADD, c, res, c, cols);
}

/* The rows of a task against its panel, into c. */
static void product(const tarn_wgemm *g, const tarn_wtile *panel, size_t r0, size_t r1)
{
	if (r1 - r0 > DIRECT_ROWS) {
		by_pieces(g, panel, r0, r1);
		return;
	}
	for (size_t r = r0; r < r1;) {
		size_t rows = r1 - r < (size_t)g->set->max_rows ? r1 - r : (size_t)g->set->max_rows;
		tarn_wtile t = *panel;
		t.a += r * t.lda;
		t.c += r * t.ldc;
		g->set->rows[g->bits == 8][rows - 1][t.nv - 1](&t);
		r += rows;
	}
}

void tarn_wgemm_run(const tarn_wgemm *g, const tarn_gemm_f32_args *args, int begin, int end)
{
	size_t blocks = row_blocks(g, args->m);
	for (int task = begin; task < end; task++) {
		int p = task / (int)blocks;
		size_t block = (size_t)task % blocks, r0 = args->m * block / blocks, r1 = args->m * (block + 1) / blocks;
		size_t first, width = width_of(g, p, &first), cols = g->n - first < width ? g->n - first : width;
		tarn_wtile t = {.code = g->code + first * g->blocks,
				.scale = g->scale + first * g->groups,
				.zero = g->zero ? g->zero + first * g->groups : NULL,
				.k = g->k,
				.group = g->group,
				.nv = (int)(width / (size_t)g->set->lanes),
				.bias = g->bias + first,
				.a = args->a,
				.lda = args->lda,
				.c = args->c + first,
				.ldc = args->ldc,
				.cols = (int)cols};
		product(g, &t, r0, r1);
		for (size_t r = r0; r < r1; r++)
			finish_row(args, r, first, cols);
	}
}
