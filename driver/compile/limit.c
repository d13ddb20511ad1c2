/* SPDX-License-Identifier: Apache-2.0 */
/* What a plan's time consists of, in words and with its error band. */
#include <math.h>

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

/* Shares of the time beyond the fixed cost, by what each layer mostly waits for or does. */
void tarn_npu_limit(const tarn_arch *arch, const npu_plan *plan, tarn_str *s)
{
	const npu_timeline *t = &plan->time[0];
	double fixed = arch->inference_us * 1000, work = (double)t->total_ns - fixed, part[4] = {0};
	for (int i = 0; i < plan->layers.n; i++) {
		const npu_row *r = &t->row[i];
		double wait = (double)r->stall_ns, busy = (double)r->on_path_ns - wait;
		part[0] += wait;
		double all = (double)r->dpu_ns + (double)r->shave_ns + plan->job[i].copy_us * 1000;
		if (all <= 0)
			continue;
		part[1] += busy * (double)r->dpu_ns / all;
		part[2] += busy * (double)r->shave_ns / all;
		part[3] += busy * plan->job[i].copy_us * 1000 / all;
	}
	int most = 0;
	for (int i = 1; i < 4; i++)
		most = part[i] > part[most] ? i : most;
	if (work < fixed) {
		tarn_str_addf(
			s,
			"limited by the fixed cost of an inference (%.0f us of %.0f, modelled): neither 8-bit layers nor a "
			"faster clock change it",
			fixed / 1000, (double)t->total_ns / 1000);
		return;
	}
	static const char *const words[] = {
		"limited by DDR: %.0f %% of the device's time is waiting for transfers (modelled); 8-bit weights halve the "
		"bytes, "
		"a faster clock does not help",
		"limited by the DPU: %.0f %% of the device's time (modelled); 8-bit layers double its rate, a faster clock "
		"helps",
		"limited by the SHAVEs: %.0f %% of the device's time (modelled); their rate is the same for 8 and 16 bits, so "
		"8-bit layers do not make it faster",
		"limited by copies between on-chip buffers: %.0f %% of the device's time (modelled); fewer transposes and "
		"concats "
		"would help",
	};
	double percent = work > 0 ? 100 * part[most] / work : 0;
	if (most == 0)
		tarn_str_addf(s, words[0], percent);
	else if (most == 1)
		tarn_str_addf(s, words[1], percent);
	else if (most == 2)
		tarn_str_addf(s, words[2], percent);
	else
		tarn_str_addf(s, words[3], percent);
}
