/* SPDX-License-Identifier: Apache-2.0 */
/* How far the truth may lie from the modelled time of a layer and of a plan. */
#include "driver/compile/plan.h"

float tarn_npu_job_band(const tarn_arch *arch, const npu_job *job)
{
	if (job->engine == NPU_NONE)
		return 0;
	double compute = job->dpu_us + job->shave_us + job->copy_us;
	double ddr = tarn_npu_ddr_us(arch, TARN_DMA_DDR2CMX, job->weight_bytes + job->load_bytes) +
		     tarn_npu_ddr_us(arch, TARN_DMA_CMX2DDR, job->store_bytes);
	tarn_timing_class cls = ddr > compute ? TARN_TIMING_DMA : job->cls;
	return (float)tarn_timing_band_get(arch, cls)->p90;
}

float tarn_npu_plan_band(const tarn_arch *arch, const npu_plan *plan)
{
	const npu_timeline *t = &plan->time[0];
	double sum = arch->inference_us * 1000 * tarn_timing_band_get(arch, TARN_TIMING_INFERENCE)->p90;
	for (int i = 0; i < plan->layers.n; i++)
		sum += (double)t->row[i].on_path_ns * (double)tarn_npu_job_band(arch, &plan->job[i]);
	return t->total_ns ? (float)(sum / (double)t->total_ns) : 0;
}
