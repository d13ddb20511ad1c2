/* SPDX-License-Identifier: Apache-2.0 */
/* tarn check: what the timing model says of each platform, as a whole and layer by layer. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"

enum { SLOWEST = 5 };

/* What keeps a layer busy longest; engines work side by side. */
static const char *engine_of(const tarn_estimated_layer *l)
{
	if (l->dpu_ms <= 0 && l->shave_ms <= 0 && l->dma_ms <= 0)
		return "none";
	if (l->dma_ms >= l->dpu_ms && l->dma_ms >= l->shave_ms)
		return "DMA";
	return l->dpu_ms >= l->shave_ms ? "DPU" : "SHAVE";
}

static int slowest_first(const void *a, const void *b)
{
	const tarn_estimated_layer *const *x = a, *const *y = b;
	return ((*x)->ms < (*y)->ms) - ((*x)->ms > (*y)->ms);
}

/* What the layers do not account for. */
static double fixed_ms(const tarn_estimated_layers *e)
{
	double sum = 0;
	for (size_t i = 0; i < e->size; i++)
		sum += e->at[i].ms;
	return fmax(0, e->ms - sum);
}

static void print_slowest(const tarn_estimated_layers *e)
{
	const tarn_estimated_layer **by = calloc(e->size + 1, sizeof *by);
	if (!by)
		return;
	for (size_t i = 0; i < e->size; i++)
		by[i] = &e->at[i];
	qsort(by, e->size, sizeof *by, slowest_first);
	for (size_t i = 0; i < e->size && i < SLOWEST && by[i]->ms > 0; i++)
		printf("  %8.4f ms %4.1f %%  %-5s %s (%s), %.3g MMAC, %.3g MB\n", by[i]->ms, 100 * by[i]->ms / e->ms,
		       engine_of(by[i]), by[i]->name, by[i]->type, (double)by[i]->macs * 1e-6, (double)by[i]->ddr_bytes * 1e-6);
	printf("  %8.4f ms %4.1f %%  fixed cost of an inference, between layers\n", fixed_ms(e), 100 * fixed_ms(e) / e->ms);
	free(by);
}

double check_int8_bound(const check *c)
{
	double most = NAN;
	for (int i = 0; i < 2; i++) {
		const tarn_estimated_layers *e = &c->estimate[i].e;
		if (c->estimate[i].known && e->ms > 0)
			most = fmax(most, 2 * e->ms / (e->ms + fixed_ms(e)));
	}
	return most;
}

static int64_t sum_macs(const tarn_estimated_layers *e)
{
	int64_t n = 0;
	for (size_t i = 0; i < e->size; i++)
		n += e->at[i].macs;
	return n;
}

static int64_t sum_bytes(const tarn_estimated_layers *e)
{
	int64_t n = 0;
	for (size_t i = 0; i < e->size; i++)
		n += e->at[i].ddr_bytes;
	return n;
}

/* Operations and bytes over the modelled time, against what the platform can at most. */
static double compute_share(const tarn_estimated_layers *e)
{
	return 2e-12 * (double)sum_macs(e) / (e->ms * 1e-3) / e->tops_int8;
}

static double memory_share(const tarn_estimated_layers *e)
{
	return 1e-9 * (double)sum_bytes(e) / (e->ms * 1e-3) / e->gbps;
}

void check_predict_print(const check *c)
{
	for (int i = 0; i < 2; i++) {
		const check_estimate *e = &c->estimate[i];
		if (!e->known) {
			printf("NPU %s: latency unknown: %s\n", e->platform, e->why ? e->why : "no reason given");
			continue;
		}
		printf("NPU %s: %.3f ms (modelled, between %.3f and %.3f), %.2f MB of DDR traffic: %.1f %% of %.1f TOPS, %.1f "
		       "%% of %.1f "
		       "GB/s\n",
		       e->platform, e->e.ms, e->e.ms * (1 - e->e.band_low), e->e.ms * (1 + e->e.band_high),
		       (double)sum_bytes(&e->e) * 1e-6, 100 * compute_share(&e->e), e->e.tops_int8, 100 * memory_share(&e->e),
		       e->e.gbps);
		print_slowest(&e->e);
	}
}

static void json_layers(const tarn_estimated_layers *e, json *j)
{
	json_begin(j, "layers", '[');
	for (size_t i = 0; i < e->size; i++) {
		const tarn_estimated_layer *l = &e->at[i];
		json_begin(j, NULL, '{');
		json_text(j, "name", l->name);
		json_text(j, "type", l->type);
		json_text(j, "engine", engine_of(l));
		json_figure(j, "time", l->ms, "ms", "modelled", -1);
		json_int(j, "macs", l->macs);
		json_int(j, "ddr_bytes", l->ddr_bytes);
		json_end(j, '}');
	}
	json_end(j, ']');
}

void check_predict_json(const check *c, json *j)
{
	json_begin(j, "predicted", '[');
	for (int i = 0; i < 2; i++) {
		const check_estimate *e = &c->estimate[i];
		json_begin(j, NULL, '{');
		json_text(j, "platform", e->platform);
		json_figure(j, "latency_ms", e->known ? e->e.ms : NAN, "ms", "modelled", fmax(e->e.band_low, e->e.band_high));
		json_figure(j, "fixed_ms", e->known ? fixed_ms(&e->e) : NAN, "ms", "modelled", -1);
		json_figure(j, "ddr_bytes", e->known ? (double)sum_bytes(&e->e) : NAN, "B", "modelled", -1);
		json_figure(j, "ddr_arena_bytes", e->known ? (double)e->e.ddr_arena_bytes : NAN, "B", "modelled", -1);
		json_figure(j, "spill_bytes", e->known ? (double)e->e.spill_bytes : NAN, "B", "modelled", -1);
		json_figure(j, "mac_share", e->known ? compute_share(&e->e) : NAN, "share", "modelled", -1);
		json_figure(j, "ddr_share", e->known ? memory_share(&e->e) : NAN, "share", "modelled", -1);
		json_figure(j, "peak_int8", e->known ? e->e.tops_int8 : NAN, "TOPS", "modelled", -1);
		json_figure(j, "peak_fp16", e->known ? e->e.tops_fp16 : NAN, "TOPS", "modelled", -1);
		json_figure(j, "peak_ddr", e->known ? e->e.gbps : NAN, "GB/s", "assumed", -1);
		json_text(j, "why", e->why);
		json_layers(&e->e, j);
		json_end(j, '}');
	}
	json_end(j, ']');
}
