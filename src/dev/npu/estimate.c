/* SPDX-License-Identifier: Apache-2.0 */
/* Predictions of the simulated driver's timing model; unknown on hardware. */
#include <stdio.h>

#include "base/mem.h"
#include "dev/npu/npu.h"
#include "pass/pass.h"

static tarn_err take_layers(const ze_tarn_layer_estimate_t *from, uint32_t n, tarn_estimate *e)
{
	e->layer = tarn_mem_zalloc((size_t)n + 1, sizeof *e->layer);
	if (!e->layer)
		return tarn_err_nomem((size_t)n * sizeof *e->layer);
	for (; e->n_layer < n; e->n_layer++, from++) {
		tarn_layer_estimate *l = &e->layer[e->n_layer];
		*l = (tarn_layer_estimate){.ms = (double)from->total_ns * 1e-6,
					   .dpu_ms = (double)from->dpu_ns * 1e-6,
					   .shave_ms = (double)from->shave_ns * 1e-6,
					   .dma_ms = (double)from->dma_ns * 1e-6,
					   .macs = (int64_t)from->macs,
					   .ddr_bytes = (int64_t)from->ddr_bytes};
		snprintf(l->name, sizeof l->name, "%.255s", from->name);
		snprintf(l->type, sizeof l->type, "%.47s", from->type);
	}
	return TARN_OK;
}

/* Asked once for the number of layers, and again for the layers. */
static tarn_err ask(const npu_device *d, const tarn_str *ir, const char *flags, tarn_estimate *e)
{
	ze_tarn_graph_estimate_t graph = {.size = sizeof graph};
	ze_tarn_layer_estimate_t *layers = NULL;
	uint32_t n = 0;
	const uint8_t *at = (const uint8_t *)ir->at;
	TRY(tarn_npu_build_error(d, d->sys->estimate->pfnGraphEstimate(d->device, ir->len, at, flags, &graph, &n, NULL),
				 "estimating the time"));
	*e = (tarn_estimate){
		.want_layers = e->want_layers,
		.ms = (double)graph.total_ns * 1e-6,
		.band_low = (double)graph.band_low,
		.band_high = (double)graph.band_high,
		.macs = (int64_t)graph.macs,
		.ddr_bytes = (int64_t)graph.ddr_bytes,
		.peak_tops_int8 = (double)graph.peak_tops_int8,
		.peak_tops_fp16 = (double)graph.peak_tops_fp16,
		.peak_gbps = (double)graph.peak_gbps,
		.ddr_arena_bytes = (int64_t)graph.ddr_arena_bytes,
		.spill_bytes = (int64_t)graph.spill_bytes,
	};
	if (!e->want_layers)
		return TARN_OK;
	layers = tarn_mem_zalloc((size_t)n + 1, sizeof *layers);
	if (!layers)
		return tarn_err_nomem((size_t)n * sizeof *layers);
	ze_result_t r = d->sys->estimate->pfnGraphEstimate(d->device, ir->len, at, flags, &graph, &n, layers);
	tarn_err err = tarn_npu_build_error(d, r, "estimating the time");
	if (!err)
		err = take_layers(layers, n, e);
	tarn_mem_free(layers);
	return err;
}

tarn_err tarn_npu_estimate(tarn_program *p, tarn_estimate *e)
{
	const npu_device *d = p->device->impl;
	tarn_str ir = {0}, flags = {0};
	tarn_err err;
	CHECK(d->sys->estimate, TARN_UNSUPPORTED, "there is no model of this NPU's time; measure it with tarn bench");
	TRY(tarn_npu_check_inputs(p));
	TRY_GOTO(done, tarn_npu_build_flags(d, p, &flags));
	TRY_GOTO(done, tarn_pass_standard(p->model));
	TRY_GOTO(done, tarn_npu_model_bytes(d, p->model, &ir));
	err = ask(d, &ir, flags.at ? flags.at : "", e);
done:
	tarn_str_fini(&ir);
	tarn_str_fini(&flags);
	return err;
}
