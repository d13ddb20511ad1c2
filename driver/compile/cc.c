/* SPDX-License-Identifier: Apache-2.0 */
/* The compiler's three questions: compile, query, estimate; each from the bytes of an IR. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "driver/compile/plan.h"
#include "fmt/ovir/ovir.h"
#include "ir/op.h"
#include "pass/pass.h"

static tarn_err copy_buffer(const uint8_t *at, size_t size, tarn_buffer **b)
{
	TRY(tarn_buffer_new(size, b));
	if (size)
		memcpy((*b)->at, at, size);
	return TARN_OK;
}

/* The model has its own bytes: the caller's go when the call ends. */
static tarn_err read_ir(const tarn_cc_ir *ir, tarn_model **m)
{
	tarn_buffer *xml = NULL, *bin = NULL;
	tarn_err err;
	TRY_GOTO(out, tarn_buffer_wrap((void *)(uintptr_t)ir->xml, ir->xml_size, NULL, NULL, &xml));
	TRY_GOTO(out, copy_buffer(ir->bin, ir->bin_size, &bin));
	err = tarn_ovir_read_memory(xml, bin, m);
out:
	tarn_buffer_unref(xml);
	tarn_buffer_unref(bin);
	return err;
}

static tarn_err arch_of(int platform, const tarn_arch **arch)
{
	*arch = tarn_arch_find(platform);
	CHECK(*arch, TARN_USAGE, "there is no NPU %d; 3720 and 4000 are described", platform);
	return TARN_OK;
}

tarn_err tarn_cc_compile(const tarn_cc_ir *ir, const tarn_cc_flags *flags, int platform, tarn_cc_blob *blob)
{
	const tarn_arch *arch;
	tarn_model *m;
	TRY(arch_of(platform, &arch));
	TRY(read_ir(ir, &m));
	tarn_err err = tarn_npu_compile(m, flags, arch, blob);
	tarn_model_unref(m);
	return err;
}

tarn_err tarn_cc_query(const tarn_cc_ir *ir, const tarn_cc_flags *flags, int platform, tarn_str *names)
{
	const tarn_arch *arch;
	tarn_model *m;
	(void)flags;
	TRY(arch_of(platform, &arch));
	TRY(read_ir(ir, &m));
	/* By the nodes as they came: names of the model, not of what passes make of it. When the whole compiles, arithmetic on
	 * shapes that folds away is taken too. */
	const tarn_graph *g = m->main;
	tarn_str why = {0};
	tarn_model *c;
	bool whole = false;
	if (tarn_model_clone(m, &c) == TARN_OK) {
		whole = tarn_npu_lower(c) == TARN_OK;
		tarn_model_unref(c);
	}
	for (size_t i = 0; i < g->input.len; i++)
		if (tarn_shape_is_static(&g->input.at[i]->shape))
			tarn_str_addf(names, "<%s>", g->input.at[i]->name);
	for (size_t i = 0; i < g->node.len; i++)
		if (whole || tarn_npu_takes(g->node.at[i], &why))
			tarn_str_addf(names, "<%s>", g->node.at[i]->name);
	tarn_str_fini(&why);
	tarn_model_unref(m);
	return tarn_str_done(names);
}

static void put_text(char *to, size_t room, const char *from)
{
	snprintf(to, room, "%s", from);
}

static void row(const tarn_arch *arch, const npu_plan *plan, int i, bool turbo, ze_tarn_layer_estimate_t *e)
{
	const npu_layer *l = &plan->layers.at[i];
	const npu_job *j = &plan->job[i];
	const npu_row *r = &plan->time[turbo].row[i];
	memset(e, 0, sizeof *e);
	put_text(e->name, sizeof e->name, l->main->name);
	tarn_npu_layer_type(arch, &plan->layers, l, plan->tiles, e->type, sizeof e->type);
	e->total_ns = r->on_path_ns;
	e->dpu_ns = r->dpu_ns;
	e->shave_ns = r->shave_ns;
	e->dma_ns = r->dma_ns;
	e->macs = (uint64_t)j->macs;
	e->ddr_bytes = j->weight_bytes + j->load_bytes + j->store_bytes;
	e->band_high = tarn_npu_job_band(arch, j);
	e->band_low = fminf(e->band_high, 0.95f);
}

static tarn_err estimate(tarn_model *m, const tarn_cc_flags *flags, const tarn_arch *arch, tarn_arena *a,
			 ze_tarn_graph_estimate_t *graph, ze_tarn_layer_estimate_t **layers, uint32_t *n)
{
	npu_plan plan;
	TRY(tarn_npu_lower(m));
	TRY(tarn_npu_plan_make(arch, m->main, flags, a, &plan));
	int count = plan.layers.n;
	ze_tarn_layer_estimate_t *rows = tarn_mem_zalloc((size_t)count + 1, sizeof *rows);
	if (!rows)
		return tarn_err_nomem((size_t)count * sizeof *rows);
	uint64_t macs = 0;
	for (int i = 0; i < count; i++) {
		row(arch, &plan, i, flags->turbo, &rows[i]);
		macs += rows[i].macs;
	}
	float band = tarn_npu_plan_band(arch, &plan);
	/* A multiply-accumulate is two operations. */
	double tera = 2e-6 * arch->tiles * (flags->turbo ? arch->dpu_mhz_turbo : arch->dpu_mhz);
	*graph = (ze_tarn_graph_estimate_t){.size = sizeof *graph,
					    .total_ns = plan.time[flags->turbo].total_ns,
					    .macs = macs,
					    .ddr_bytes = plan.ddr_bytes,
					    .band_low = fminf(band, 0.95f),
					    .band_high = band,
					    .peak_tops_int8 = (float)(tera * (double)arch->mac_int8),
					    .peak_tops_fp16 = (float)(tera * (double)arch->mac_fp16),
					    .peak_gbps = (float)arch->ddr_total_gbps,
					    .ddr_arena_bytes = plan.ddr_arena,
					    .spill_bytes = plan.spill_bytes};
	*layers = rows;
	*n = (uint32_t)count;
	return TARN_OK;
}

tarn_err tarn_cc_estimate(const tarn_cc_ir *ir, const tarn_cc_flags *flags, int platform, ze_tarn_graph_estimate_t *graph,
			  ze_tarn_layer_estimate_t **layers, uint32_t *n)
{
	const tarn_arch *arch;
	tarn_model *m;
	tarn_arena a = {0};
	TRY(arch_of(platform, &arch));
	TRY(read_ir(ir, &m));
	tarn_err err = estimate(m, flags, arch, &a, graph, layers, n);
	tarn_arena_fini(&a);
	tarn_model_unref(m);
	return err;
}
