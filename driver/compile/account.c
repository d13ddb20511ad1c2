/* SPDX-License-Identifier: Apache-2.0 */
/* Where a plan's time goes, and what it would be if a part of the machine took none. */
#include <math.h>

#include "driver/compile/plan.h"

static void free_of(tarn_cc_what_if what_if, npu_job *j)
{
	if (what_if == TARN_CC_FREE_BANDWIDTH)
		j->weight_bytes = j->load_bytes = j->store_bytes = 0;
	if (what_if == TARN_CC_FREE_COMPUTE)
		j->dpu_us = j->shave_us = j->copy_us = 0;
}

tarn_err tarn_npu_suppose(const tarn_arch *arch, tarn_cc_what_if what_if, tarn_arena *a, npu_plan *plan)
{
	if (what_if == TARN_CC_AS_IS)
		return TARN_OK;
	for (int i = 0; i < plan->layers.n; i++)
		free_of(what_if, &plan->job[i]);
	TRY(tarn_npu_time_jobs(arch, plan, 1, a, &plan->time[0]));
	return tarn_npu_time_jobs(arch, plan, arch->dpu_mhz_turbo / arch->dpu_mhz, a, &plan->time[1]);
}

/* The total at that clock, the plan left as it is. */
static tarn_err total_if(const tarn_arch *arch, const npu_plan *plan, tarn_cc_what_if what_if, double speed, uint64_t *ns)
{
	tarn_arena a = {0};
	npu_timeline t;
	npu_plan other = *plan;
	size_t n = (size_t)plan->layers.n;
	tarn_err err = TARN_OK;
	other.job = tarn_arena_zalloc(&a, n + 1, sizeof *other.job);
	if (!other.job)
		err = tarn_err_nomem(n * sizeof *other.job);
	for (size_t i = 0; i < n && !err; i++) {
		other.job[i] = plan->job[i];
		free_of(what_if, &other.job[i]);
	}
	if (!err)
		err = tarn_npu_time_jobs(arch, &other, speed, &a, &t);
	if (!err)
		*ns = t.total_ns;
	tarn_arena_fini(&a);
	return err;
}

static double padded(int32_t n, int32_t align)
{
	return n > 0 ? (double)((n + align - 1) / align * align) / n : 1;
}

/* Cycles of the whole array that the products of a layer need: all on 8 bits, in their precision, with channels padded. */
static void add_products(const tarn_arch *arch, const npu_layer *l, const npu_job *j, tarn_npu_account *t, double cycles[3])
{
	npu_geometry g;
	tarn_npu_geometry(arch, l, &g);
	const tarn_dpu_workload *w = &g.whole;
	bool dense = w->op == TARN_DPU_CONV || w->op == TARN_DPU_CM_CONV, has_weights = dense || w->op == TARN_DPU_DW_CONV;
	bool int8 = g.on_dpu && w->in <= TARN_DPU_I8 && (!has_weights || w->wt <= TARN_DPU_I8);
	double at8 = (double)j->macs / arch->mac_int8, at = int8 ? at8 : (double)j->macs / arch->mac_fp16;
	double more = !g.on_dpu ? 1 : padded(w->in_c, arch->channel_align);
	if (g.on_dpu && dense)
		more *= padded(w->out_c, arch->channel_align);
	cycles[0] += at8;
	cycles[1] += at;
	cycles[2] += at * more;
	t->macs += (uint64_t)j->macs;
	t->macs_int8 += int8 ? (uint64_t)j->macs : 0;
}

tarn_err tarn_npu_account_of(const tarn_arch *arch, const npu_plan *plan, bool turbo, tarn_npu_account *out)
{
	const npu_timeline *t = &plan->time[turbo];
	double mhz = turbo ? arch->dpu_mhz_turbo : arch->dpu_mhz, speed = mhz / arch->dpu_mhz, cycles[3] = {0}, copy_us = 0;
	tarn_npu_account a = {.total_ns = t->total_ns,
			      .fixed_ns = (uint64_t)llround(arch->inference_us * 1e3),
			      .tiles = (uint64_t)plan->tiles,
			      .ddr_arena_bytes = plan->ddr_arena,
			      .spill_bytes = plan->spill_bytes};
	for (int i = 0; i < plan->layers.n; i++) {
		const npu_job *j = &plan->job[i];
		const npu_row *r = &t->row[i];
		a.dpu_ns += r->dpu_ns;
		a.shave_ns += r->shave_ns;
		copy_us += j->copy_us;
		a.stall_inputs_ns += r->stall == NPU_STALL_INPUTS ? r->stall_ns : 0;
		a.stall_stores_ns += r->stall == NPU_STALL_STORES ? r->stall_ns : 0;
		a.recurrent_ns += j->engine == NPU_SHAVE && j->shave == TARN_SHAVE_RECURRENT ? r->shave_ns + r->dpu_ns : 0;
		a.weight_bytes += j->weight_bytes;
		a.load_bytes += j->load_bytes;
		a.store_bytes += j->store_bytes;
		add_products(arch, &plan->layers.at[i], j, &a, cycles);
	}
	a.copy_ns = (uint64_t)llround(copy_us * 1e3);
	uint64_t told = a.fixed_ns + a.dpu_ns + a.shave_ns + a.copy_ns + a.stall_inputs_ns + a.stall_stores_ns;
	/* What is left was waiting for weights. Rows are rounded: the largest part gives back what they are too much. */
	uint64_t *largest = a.dpu_ns > a.shave_ns ? &a.dpu_ns : &a.shave_ns;
	largest = a.copy_ns > *largest ? &a.copy_ns : largest;
	if (told > a.total_ns)
		*largest -= told - a.total_ns;
	else
		a.stall_weights_ns = a.total_ns - told;
	double array = (double)plan->tiles * arch->dpus_per_tile * mhz * 1e-3;
	a.int8_ns = (uint64_t)llround(cycles[0] / array);
	a.mixed_ns = (uint64_t)llround(cycles[1] / array);
	a.padded_ns = (uint64_t)llround(cycles[2] / array);
	TRY(total_if(arch, plan, TARN_CC_FREE_BANDWIDTH, speed, &a.free_bandwidth_ns));
	TRY(total_if(arch, plan, TARN_CC_FREE_COMPUTE, speed, &a.free_compute_ns));
	*out = a;
	return TARN_OK;
}
