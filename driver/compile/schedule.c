/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The timeline. Layers run one after the other; each in pieces. One DDR channel serves weights, activations read and stores, in
 * the order of the pieces (a second DMA engine is taken to add no bandwidth). Weights of a piece are fetched while the piece
 * before computes: there are always two buffers, so the fetch may start when the piece two back has ended. It may start
 * earlier, up to AHEAD pieces back, where the weights of all pieces in between fit into what activations leave of CMX.
 * Activations stay there while they fit; what does not is written to DDR and read again.
 */
#include <math.h>
#include <string.h>

#include "driver/compile/plan.h"
#include "ir/op.h"

enum { MAX_PIECES = 64 }; /* of a layer in the timeline: finer cuts count together */
/* Pieces whose weights are in CMX at once: those two that there is always room for, and as many more as Intel's compiler
 * fetches ahead at most. */
enum { AHEAD = 2 + 3 };

/* ---- jobs: one layer each ---- */

static uint64_t elements_of(const npu_layer *l, tarn_shave_kernel k)
{
	bool by_input = k == TARN_SHAVE_REDUCE || k == TARN_SHAVE_SORT || k == TARN_SHAVE_NORM || k == TARN_SHAVE_SOFTMAX;
	uint64_t most = 0;
	for (int i = 0; i < l->main->n_out; i++)
		most += l->main->out[i] ? tarn_npu_value_bytes(l->main->out[i], false) * 8 /
						  (uint64_t)(tarn_dtype_is_float(l->main->out[i]->type)
								     ? 16
								     : tarn_dtype_info(l->main->out[i]->type)->bits)
					: 0;
	for (int i = 0; by_input && i < l->main->n_in && i < 1; i++)
		if (l->main->in[i]) {
			uint64_t n = 1;
			for (int d = 0; d < l->main->in[i]->shape.rank; d++)
				n *= (uint64_t)l->main->in[i]->shape.dim[d];
			most = n > most ? n : most;
		}
	return most;
}

static tarn_err shave_job(const tarn_arch *arch, const npu_layer *l, const npu_geometry *g, int tiles, npu_job *j)
{
	j->engine = NPU_SHAVE;
	j->cls = TARN_TIMING_SHAVE;
	j->shave = tarn_npu_rule(l->main)->shave;
	uint64_t n = elements_of(l, j->shave);
	/* Sums of products that the array does not take: assumed at one product per cycle. */
	if (j->shave == TARN_SHAVE_GENERIC && g->macs > (int64_t)n)
		n = (uint64_t)g->macs;
	const tarn_value *out = l->main->n_out ? l->main->out[0] : NULL;
	bool half = j->shave == TARN_SHAVE_REDUCE && l->narrow_in; /* the few results do not count */
	bool wide = (l->wide && !half) || (out && !tarn_dtype_is_float(out->type) && tarn_dtype_info(out->type)->bits > 16);
	j->shave_us =
		tarn_timing_shave_us(arch, j->shave, n, wide ? TARN_DPU_F32 : TARN_DPU_F16, tiles * arch->shaves_per_tile);
	if (j->shave == TARN_SHAVE_RECURRENT && g->macs > 0) {
		/* Products of one row: one pixel in sixteen of the array is in use. */
		j->dpu_cycles = (int64_t)ceil((double)g->macs * (l->wide ? 3 : 1) * 16 / arch->mac_fp16 / tiles);
		j->dpu_us = tarn_timing_dpu_us(arch, (double)j->dpu_cycles, 0);
	}
	j->weight_bytes = g->weight_bytes;
	return TARN_OK;
}

static tarn_err job_of(const tarn_arch *arch, const npu_layer *l, int tiles, npu_job *j)
{
	npu_geometry g;
	tarn_npu_geometry(arch, l, &g);
	*j = (npu_job){.engine = l->engine, .macs = g.macs, .tiling = {.tiles = 1, .cuts_h = 1, .cuts_k = 1}};
	if (l->view) {
		j->engine = NPU_NONE;
		return TARN_OK;
	}
	if (l->engine == NPU_DMA) {
		j->cls = TARN_TIMING_DMA;
		j->copy_us = tarn_timing_dma_us(arch, TARN_DMA_CMX2CMX, g.out_bytes);
		j->weight_bytes = g.weight_bytes;
		return TARN_OK;
	}
	if (l->engine != NPU_DPU || !g.on_dpu)
		return shave_job(arch, l, &g, tiles, j);
	tarn_err err = tarn_npu_tile(arch, &g, tiles, &j->tiling);
	if (err != TARN_OK)
		return tarn_err_note(err, "in node '%s' (%s)", l->main->name, l->main->op->name);
	j->cls = tarn_timing_dpu_class(&g.whole);
	j->dpu_cycles = j->tiling.cycles;
	j->dpu_ideal = (int64_t)(tarn_timing_dpu_ideal(arch, &g.whole) * g.repeat);
	j->dpu_us = tarn_timing_dpu_us(arch, (double)j->tiling.cycles, 0);
	j->copy_us = tarn_timing_dma_us(arch, TARN_DMA_CMX2CMX, g.copy_bytes);
	int shaves = tiles * arch->shaves_per_tile;
	if (g.halved)
		j->shave_us += tarn_timing_shave_us(arch, TARN_SHAVE_CONVERT, g.halved, TARN_DPU_F32, shaves);
	if (g.added)
		j->shave_us += tarn_timing_shave_us(arch, TARN_SHAVE_ADD, g.added, TARN_DPU_F32, shaves);
	j->weight_bytes = j->tiling.weight_bytes;
	return TARN_OK;
}

tarn_err tarn_npu_layer_us(const tarn_arch *arch, const npu_layer *l, int tiles, double *us)
{
	npu_job j;
	TRY(job_of(arch, l, tiles, &j));
	double weights = j.weight_bytes ? tarn_npu_ddr_us(arch, TARN_DMA_DDR2CMX, j.weight_bytes) : 0;
	*us = fmax(j.dpu_us + j.shave_us + j.copy_us, weights);
	return TARN_OK;
}

/* ---- the timeline ---- */

typedef struct clock {
	const tarn_arch *arch;
	double dma_free;
	struct {
		double end;             /* of its computation */
		uint64_t weights, room; /* its own; CMX for weights while it computes */
	} last[AHEAD];                  /* pieces, the newest first */
	npu_timeline *t;
	double base;  /* us before the first piece */
	double speed; /* DPU clock over nominal */
} clock;

static uint64_t ns(double us)
{
	return (uint64_t)llround(us * 1000);
}

static void task(clock *c, uint32_t layer, npu_engine e, double start, double us, double stall_us, double mhz)
{
	if (us <= 0)
		return;
	npu_task *t = &c->t->task[c->t->n_tasks++];
	double active = us * mhz, stall = stall_us * mhz;
	*t = (npu_task){layer, e, ns(c->base + start), ns(us), 0, 0};
	t->active_cycles = active < UINT32_MAX ? (uint32_t)active : UINT32_MAX;
	t->stall_cycles = stall < UINT32_MAX ? (uint32_t)stall : UINT32_MAX;
}

/* A transfer that may start at `from`; returns its end. */
static double transfer(clock *c, uint32_t layer, tarn_dma_direction d, uint64_t bytes, double from, double *sum)
{
	if (!bytes)
		return 0;
	double us = tarn_npu_ddr_us(c->arch, d, bytes), start = fmax(c->dma_free, from);
	task(c, layer, NPU_DMA, start, us, 0, c->arch->vpu_mhz);
	c->dma_free = start + us;
	*sum += us;
	return c->dma_free;
}

static uint64_t share(uint64_t bytes, int n, int i)
{
	return bytes / (uint64_t)n + (i == 0 ? bytes % (uint64_t)n : 0);
}

/* When the weights of the next piece may come in: as soon as one of the last pieces is done after which there is room. */
static double room_at(const clock *c, uint64_t weights, uint64_t room)
{
	int back = 1;
	uint64_t held = weights;
	for (int i = 0; i + 1 < AHEAD; i++) { /* beside pieces 0..i */
		held += c->last[i].weights;
		room = room < c->last[i].room ? room : c->last[i].room;
		if (held > room)
			break;
		back = i + 1 > back ? i + 1 : back;
	}
	return c->last[back].end;
}

static void computed(clock *c, double end, uint64_t weights, uint64_t room)
{
	memmove(c->last + 1, c->last, (AHEAD - 1) * sizeof *c->last);
	c->last[0].end = end;
	c->last[0].weights = weights;
	c->last[0].room = room;
}

static void run_layer(clock *c, uint32_t i, const npu_job *j)
{
	npu_row *row = &c->t->row[i];
	double begin = c->last[0].end, dma = 0, stall[2] = {0}, end = begin;
	int pieces = j->tiling.cuts_h * j->tiling.cuts_k;
	pieces = pieces < 1 ? 1 : pieces > MAX_PIECES ? MAX_PIECES : pieces;
	double dpu = j->dpu_us / c->speed, compute = (dpu + j->shave_us + j->copy_us) / pieces;
	uint64_t stored = 0;
	for (int p = 0; p < pieces; p++) {
		uint64_t own = share(j->weight_bytes, pieces, p);
		double weights = transfer(c, i, TARN_DMA_DDR2CMX, own, room_at(c, own, j->weight_room), &dma);
		if (p > 0) {
			uint64_t part = share(j->store_bytes, pieces, p);
			stored += part;
			transfer(c, i, TARN_DMA_CMX2DDR, part, c->last[0].end, &dma);
		}
		double inputs = transfer(c, i, TARN_DMA_DDR2CMX, share(j->load_bytes, pieces, p),
					 fmax(c->last[1].end, p ? 0 : begin), &dma);
		double start = fmax(c->last[0].end, fmax(weights, inputs)), wait = start - c->last[0].end;
		/* Inputs queue behind the weights: only what they take beyond those is waiting for them. */
		double for_weights = fmin(fmax(weights - c->last[0].end, 0), wait);
		stall[0] += for_weights;
		stall[1] += wait - for_weights;
		double at = start;
		task(c, i, NPU_DMA, at, j->copy_us / pieces, 0, c->arch->vpu_mhz);
		at += j->copy_us / pieces;
		task(c, i, NPU_DPU, at, dpu / pieces, wait, c->arch->dpu_mhz * c->speed);
		at += dpu / pieces;
		task(c, i, NPU_SHAVE, at, j->shave_us / pieces, wait, c->arch->vpu_mhz);
		end = start + compute;
		computed(c, end, own, j->weight_room);
	}
	double store = transfer(c, i, TARN_DMA_CMX2DDR, j->store_bytes - stored, end, &dma);
	(void)store; /* the next layer waits for it only where it reads it back: transfers keep their order */
	*row = (npu_row){.start_ns = ns(c->base + begin),
			 .end_ns = ns(c->base + end),
			 .dpu_ns = ns(dpu),
			 .shave_ns = ns(j->shave_us),
			 .dma_ns = ns(dma + j->copy_us),
			 .stall_ns = ns(stall[0] + stall[1])};
	row->on_path_ns = row->end_ns - row->start_ns;
	row->stall = stall[0] + stall[1] <= 0 ? NPU_STALL_NONE : stall[0] >= stall[1] ? NPU_STALL_WEIGHTS : NPU_STALL_INPUTS;
	c->t->dpu_ns += row->dpu_ns;
	c->t->shave_ns += row->shave_ns;
	c->t->dma_ns += row->dma_ns;
}

tarn_err tarn_npu_time_jobs(const tarn_arch *arch, const npu_plan *plan, double speed, tarn_arena *a, npu_timeline *t)
{
	*t = (npu_timeline){0};
	size_t tasks = 1;
	int n = plan->layers.n;
	for (int i = 0; i < n; i++) {
		int pieces = plan->job[i].tiling.cuts_h * plan->job[i].tiling.cuts_k;
		tasks += 6 * (size_t)(pieces < 1 ? 1 : pieces > MAX_PIECES ? MAX_PIECES : pieces) + 1;
	}
	t->row = tarn_arena_zalloc(a, (size_t)n + 1, sizeof *t->row);
	t->task = tarn_arena_zalloc(a, tasks, sizeof *t->task);
	if (!t->row || !t->task)
		return tarn_err_nomem(tasks * sizeof *t->task);
	clock c = {.arch = arch, .t = t, .base = arch->inference_us, .speed = speed};
	for (int i = 0; i < n; i++)
		run_layer(&c, (uint32_t)i, &plan->job[i]);
	double end = fmax(c.last[0].end, c.dma_free);
	t->total_ns = ns(c.base + end);
	if (n) {
		npu_row *last = &t->row[n - 1];
		uint64_t wait = t->total_ns - last->end_ns;
		if (wait) {
			last->end_ns = t->total_ns;
			last->on_path_ns += wait;
			last->stall_ns += wait;
			last->stall = NPU_STALL_STORES;
		}
	}
	return TARN_OK;
}

static tarn_err plan_for(const tarn_arch *arch, const tarn_graph *g, const npu_layers *layers, int tiles, tarn_arena *a,
			 npu_plan *plan)
{
	*plan = (npu_plan){.tiles = tiles, .layers = *layers};
	plan->job = tarn_arena_zalloc(a, (size_t)layers->n + 1, sizeof *plan->job);
	if (!plan->job)
		return tarn_err_nomem((size_t)layers->n * sizeof *plan->job);
	for (int i = 0; i < layers->n; i++)
		TRY(job_of(arch, &layers->at[i], tiles, &plan->job[i]));
	TRY(tarn_npu_reside(g, tarn_npu_tile_room(arch) * (uint64_t)tiles, a, plan));
	for (int i = 0; i < layers->n; i++) {
		plan->weight_bytes += plan->job[i].weight_bytes;
		plan->ddr_bytes += plan->job[i].weight_bytes + plan->job[i].load_bytes + plan->job[i].store_bytes;
	}
	TRY(tarn_npu_time_jobs(arch, plan, 1, a, &plan->time[0]));
	return tarn_npu_time_jobs(arch, plan, arch->dpu_mhz_turbo / arch->dpu_mhz, a, &plan->time[1]);
}

tarn_err tarn_npu_schedule(const tarn_arch *arch, const tarn_graph *g, const npu_layers *layers, int tiles, tarn_arena *a,
			   npu_plan *plan)
{
	npu_plan best = {0};
	for (int n = 1; n <= tiles; n++) {
		npu_plan p;
		TRY(plan_for(arch, g, layers, n, a, &p));
		if (n == 1 || p.time[0].total_ns < best.time[0].total_ns)
			best = p;
	}
	*plan = best;
	return TARN_OK;
}
