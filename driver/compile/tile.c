/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One DPU layer on the machine: rows or channels over tiles, then pieces that fit CMX. A tile holds the input of its piece, the
 * output, and the weights twice: those in use and those on their way.
 */
#include "driver/compile/plan.h"

#include <math.h>

enum { ALIGN = 16, MAX_CUTS = 8192 };

static int32_t up(int32_t x, int32_t n)
{
	return (x + n - 1) / n * n;
}

static int32_t least(int32_t a, int32_t b)
{
	return a < b ? a : b;
}

static uint64_t type_bytes(tarn_dpu_type t)
{
	return t == TARN_DPU_I8 || t == TARN_DPU_I4 ? 1 : t == TARN_DPU_F32 ? 4 : 2;
}

static bool per_channel(tarn_dpu_op op)
{
	return op == TARN_DPU_DW_CONV || op == TARN_DPU_MAXPOOL || op == TARN_DPU_AVEPOOL || op == TARN_DPU_ELTWISE;
}

uint64_t tarn_npu_tile_room(const tarn_arch *arch)
{
	return (uint64_t)(arch->cmx_workspace_bytes * 0.9);
}

double tarn_npu_ddr_us(const tarn_arch *arch, tarn_dma_direction d, uint64_t bytes)
{
	if (!bytes)
		return 0;
	const tarn_arch *fitted = tarn_arch_find(arch->platform);
	double t = tarn_timing_dma_us(arch, d, bytes), start = tarn_timing_dma_us(arch, d, 1);
	double ratio = fitted && arch->ddr_total_gbps > 0 ? fitted->ddr_total_gbps / arch->ddr_total_gbps : 1;
	return start + (t - start) * ratio;
}

/* Piece k of n of `total`, in multiples of `align`. */
static void piece(int32_t total, int n, int k, int32_t align, int32_t *at, int32_t *count)
{
	int32_t units = (total + align - 1) / align;
	int32_t from = (int32_t)((int64_t)units * k / n) * align, to = (int32_t)((int64_t)units * (k + 1) / n) * align;
	*at = least(from, total);
	*count = least(to, total) - *at;
}

npu_part tarn_npu_part(const npu_geometry *g, const npu_tiling *t, int cut, int tile)
{
	const tarn_dpu_workload *w = &g->whole;
	npu_part p = {0, w->out_h, 0, w->out_c}, q;
	if (t->split == NPU_SPLIT_H)
		piece(w->out_h, t->tiles, tile, 1, &p.row, &p.rows);
	else if (t->split == NPU_SPLIT_K)
		piece(w->out_c, t->tiles, tile, ALIGN, &p.channel, &p.channels);
	else if (tile > 0)
		return (npu_part){0};
	piece(p.rows, t->cuts_h, cut / t->cuts_k, 1, &q.row, &q.rows);
	piece(p.channels, t->cuts_k, cut % t->cuts_k, ALIGN, &q.channel, &q.channels);
	return (npu_part){p.row + q.row, q.rows, p.channel + q.channel, q.channels};
}

void tarn_npu_part_rows(const tarn_dpu_workload *w, npu_part p, int32_t *first, int32_t *end)
{
	int32_t from = p.row * w->stride_h - w->pad_top, to = (p.row + p.rows - 1) * w->stride_h - w->pad_top + w->kernel_h;
	*first = from < 0 ? 0 : least(from, w->in_h);
	*end = to < *first ? *first : least(to, w->in_h);
}

static uint64_t part_weights(const npu_geometry *g, int32_t channels)
{
	const tarn_dpu_workload *w = &g->whole;
	if (w->op == TARN_DPU_MAXPOOL || w->op == TARN_DPU_AVEPOOL || w->op == TARN_DPU_ELTWISE)
		return 0;
	uint64_t taps = (uint64_t)w->kernel_h * (uint64_t)w->kernel_w;
	uint64_t depth = w->op == TARN_DPU_DW_CONV ? 1 : (uint64_t)up(w->in_c, ALIGN);
	/* and four words of the weights table per channel */
	return (uint64_t)up(channels, ALIGN) * (depth * taps * type_bytes(w->wt) + 16);
}

static uint64_t part_bytes(const npu_geometry *g, npu_part p)
{
	const tarn_dpu_workload *w = &g->whole;
	int32_t first, end;
	tarn_npu_part_rows(w, p, &first, &end);
	/* Compressed convolution keeps four channels of the input. */
	uint64_t depth = (uint64_t)up(per_channel(w->op) ? p.channels : w->in_c, w->op == TARN_DPU_CM_CONV ? 4 : ALIGN);
	uint64_t in = (uint64_t)(end - first) * (uint64_t)w->in_w * depth * type_bytes(w->in);
	uint64_t out = (uint64_t)p.rows * (uint64_t)w->out_w * (uint64_t)up(p.channels, ALIGN) * type_bytes(w->out);
	if (w->op == TARN_DPU_ELTWISE) /* two operands; the result takes the place of one */
		return in + (in > out ? in : out);
	return in + out + 2 * part_weights(g, p.channels);
}

/* Cycles of one part, all repeats. */
static int64_t part_cycles(const tarn_arch *arch, const npu_geometry *g, const npu_tiling *t, npu_part p)
{
	if (p.rows <= 0 || p.channels <= 0)
		return 0;
	tarn_dpu_workload w = g->whole;
	int32_t first, end;
	tarn_npu_part_rows(&w, p, &first, &end);
	int32_t need_top = w.pad_top - p.row * w.stride_h;
	w.pad_top = need_top > 0 ? need_top : 0;
	w.in_h = end > first ? end - first : 1;
	w.out_h = p.rows;
	w.isi = t->split == NPU_SPLIT_K ? TARN_DPU_SPLIT_K : t->split == NPU_SPLIT_H ? TARN_DPU_SPLIT_H : TARN_DPU_CLUSTERING;
	w.output_write_tiles = t->split == NPU_SPLIT_K ? t->tiles : 1;
	w.mode = TARN_DPU_BEST;
	if (!per_channel(w.op) || w.op == TARN_DPU_ELTWISE) {
		w.out_c = p.channels;
		return tarn_timing_dpu_cycles(arch, &w) * g->repeat;
	}
	/* The array takes a few channels at a time. */
	bool narrow = w.op == TARN_DPU_DW_CONV && w.kernel_w == 3 && w.stride_w == 1;
	int32_t most = narrow ? arch->dw_channels_best : arch->dw_channels_max, rest = p.channels % most;
	int64_t cycles = 0;
	if (p.channels >= most) {
		w.in_c = w.out_c = most;
		cycles += tarn_timing_dpu_cycles(arch, &w) * (p.channels / most);
	}
	if (rest) {
		w.in_c = w.out_c = rest;
		cycles += tarn_timing_dpu_cycles(arch, &w);
	}
	return cycles * g->repeat;
}

/* The most CMX any tile needs for any piece. */
static uint64_t needs(const npu_geometry *g, const npu_tiling *t)
{
	uint64_t most = 0;
	/* Pieces differ by a row or a block of channels: the first and last of each tile stand for all. */
	int cuts = t->cuts_h * t->cuts_k, step = cuts > 64 ? cuts / 64 : 1;
	for (int tile = 0; tile < t->tiles; tile++)
		for (int c = 0; c < cuts; c += step) {
			uint64_t b = part_bytes(g, tarn_npu_part(g, t, c, tile));
			most = b > most ? b : most;
		}
	return most;
}

static int64_t cycles_of(const tarn_arch *arch, const npu_geometry *g, const npu_tiling *t)
{
	int64_t sum = 0;
	for (int c = 0; c < t->cuts_h * t->cuts_k; c++) {
		int64_t slowest = 0;
		for (int tile = 0; tile < t->tiles; tile++) {
			int64_t n = part_cycles(arch, g, t, tarn_npu_part(g, t, c, tile));
			slowest = n > slowest ? n : slowest;
		}
		sum += slowest;
	}
	return sum;
}

/* The fewest rows' cuts that fit with so many cuts of channels; 0: none do. */
static int cuts_that_fit(const npu_geometry *g, npu_tiling *t, uint64_t room, int rows)
{
	for (int h = 1; h <= rows && h <= MAX_CUTS; h += h < 16 ? 1 : h / 8) {
		t->cuts_h = h;
		t->tile_bytes = needs(g, t);
		if (t->tile_bytes <= room)
			return h;
	}
	t->cuts_h = rows < MAX_CUTS ? rows : MAX_CUTS;
	t->tile_bytes = needs(g, t);
	return t->tile_bytes <= room ? t->cuts_h : 0;
}

static double cost(const tarn_arch *arch, const npu_tiling *t)
{
	double dpu = tarn_timing_dpu_us(arch, (double)t->cycles, 0);
	return fmax(dpu, tarn_npu_ddr_us(arch, TARN_DMA_DDR2CMX, t->weight_bytes)) + 1e-3 * dpu;
}

static void try_split(const tarn_arch *arch, const npu_geometry *g, npu_split split, int tiles, npu_tiling *best,
		      double *least_us)
{
	const tarn_dpu_workload *w = &g->whole;
	int32_t rows = split == NPU_SPLIT_H ? (w->out_h + tiles - 1) / tiles : w->out_h;
	int32_t blocks = ((split == NPU_SPLIT_K ? (w->out_c + tiles - 1) / tiles : w->out_c) + ALIGN - 1) / ALIGN;
	for (int k = 1; k <= blocks; k = k < blocks && 2 * k > blocks ? blocks : 2 * k) {
		npu_tiling t = {.split = split, .tiles = tiles, .cuts_h = 1, .cuts_k = k};
		if (!cuts_that_fit(g, &t, tarn_npu_tile_room(arch), rows))
			continue;
		t.cycles = cycles_of(arch, g, &t);
		t.weight_bytes = g->weight_bytes * (uint64_t)(t.cuts_k > 1 ? t.cuts_h : 1);
		double us = cost(arch, &t);
		if (us < *least_us) {
			*least_us = us;
			*best = t;
		}
		if (t.cuts_h == 1 && k > 1)
			return; /* finer pieces only cost more */
	}
}

/* Rows too wide for CMX: the layer as two narrower ones, one after the other. Filters too large: as two of half the input
 * channels each, whose sums the second one adds up. False when there is nothing left to halve. */
static bool halve(const tarn_arch *arch, npu_geometry *g, int *cuts_w)
{
	tarn_dpu_workload *w = &g->whole;
	bool deep = !per_channel(w->op) && w->in_c > ALIGN && part_weights(g, ALIGN) * 4 > tarn_npu_tile_room(arch);
	if (deep) {
		w->in_c = up((w->in_c + 1) / 2, ALIGN);
	} else if (w->out_w > 1) {
		w->out_w = (w->out_w + 1) / 2;
		w->in_w = least(w->in_w, (w->out_w - 1) * w->stride_w + w->kernel_w);
		*cuts_w *= 2;
	} else {
		return false;
	}
	g->repeat *= 2;
	return g->repeat < 1 << 24;
}

tarn_err tarn_npu_tile(const tarn_arch *arch, const npu_geometry *whole, int tiles, npu_tiling *t)
{
	double us = INFINITY;
	int cuts_w = 1;
	npu_geometry g = *whole;
	*t = (npu_tiling){0};
	for (;;) {
		try_split(arch, &g, NPU_SPLIT_NONE, 1, t, &us);
		for (int n = 2; n <= tiles; n++) {
			if (g.whole.out_h >= n)
				try_split(arch, &g, NPU_SPLIT_H, n, t, &us);
			if ((g.whole.out_c + ALIGN - 1) / ALIGN >= n)
				try_split(arch, &g, NPU_SPLIT_K, n, t, &us);
		}
		if (us < INFINITY || !halve(arch, &g, &cuts_w))
			break;
	}
	t->cuts_w = cuts_w;
	if (t->cuts_k > 1)
		t->weight_bytes *= (uint64_t)cuts_w;
	CHECK(us < INFINITY, TARN_UNSUPPORTED,
	      "sixteen channels of one output need more than the %llu KiB of on-chip memory of a tile",
	      (unsigned long long)tarn_npu_tile_room(arch) / 1024);
	return TARN_OK;
}
