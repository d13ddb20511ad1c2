/* SPDX-License-Identifier: Apache-2.0 */
/* Predictions of the simulated driver's timing model; unknown on hardware. */
#include "dev/npu/npu.h"
#include "pass/pass.h"

static tarn_err ask(const npu_device *d, const tarn_str *ir, const char *flags, tarn_estimate *e)
{
	ze_tarn_graph_estimate_t graph = {.size = sizeof graph};
	uint32_t layers = 0;
	ze_result_t r =
		d->sys->estimate->pfnGraphEstimate(d->device, ir->len, (const uint8_t *)ir->at, flags, &graph, &layers, NULL);
	TRY(tarn_npu_build_error(d, r, "estimating the time"));
	*e = (tarn_estimate){
		.ms = (double)graph.total_ns * 1e-6,
		.band_low = (double)graph.band_low,
		.band_high = (double)graph.band_high,
		.macs = (int64_t)graph.macs,
		.ddr_bytes = (int64_t)graph.ddr_bytes,
	};
	return TARN_OK;
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
