/* SPDX-License-Identifier: Apache-2.0 */
/* Where the time of one inference goes, as far as the device tells: hardware its peaks, the simulated driver all of it. */
#include <math.h>

#include "dev/npu/npu.h"

static double ms(uint64_t ns)
{
	return (double)ns * 1e-6;
}

static void fill_known(const ze_tarn_graph_account_t *from, double band, tarn_account *a)
{
	a->modelled = true;
	a->band = band;
	a->mhz = (double)from->mhz;
	a->mhz_highest = (double)from->mhz_highest;
	a->tiles = (int)from->tiles;
	a->device_tiles = (int)from->device_tiles;
	a->layers = (int)from->layers;
	a->total = ms(from->total_ns);
	a->fixed = ms(from->fixed_ns);
	a->dpu = ms(from->dpu_ns);
	a->shave = ms(from->shave_ns);
	a->copy = ms(from->copy_ns);
	a->stall_weights = ms(from->stall_weights_ns);
	a->stall_inputs = ms(from->stall_inputs_ns);
	a->stall_stores = ms(from->stall_stores_ns);
	a->int8 = ms(from->int8_ns);
	a->mixed = ms(from->mixed_ns);
	a->padded = ms(from->padded_ns);
	a->recurrent = ms(from->recurrent_ns);
	a->macs = (int64_t)from->macs;
	a->macs_int8 = (int64_t)from->macs_int8;
	a->weight_bytes = (int64_t)from->weight_bytes;
	a->load_bytes = (int64_t)from->load_bytes;
	a->store_bytes = (int64_t)from->store_bytes;
	a->ddr_arena_bytes = (int64_t)from->ddr_arena_bytes;
	a->spill_bytes = (int64_t)from->spill_bytes;
	a->free_bandwidth = ms(from->free_bandwidth_ns);
	a->free_compute = ms(from->free_compute_ns);
}

tarn_err tarn_npu_take_account(tarn_program *p, npu_program *x, bool turbo)
{
	const npu_system *s = x->d->sys;
	const ze_device_properties_t *d = &x->d->props;
	tarn_account *a = &x->account;
	*a = (tarn_account){.band = NAN,
			    .tops = (double)d->coreClockRate * 1e-12 * d->numSlices * d->physicalEUSimdWidth,
			    .mhz = NAN,
			    .mhz_highest = (double)d->coreClockRate * 1e-6,
			    .device_tiles = (int)d->numSlices};
	a->total = a->fixed = a->dpu = a->shave = a->copy = a->stall_weights = a->stall_inputs = a->stall_stores = NAN;
	a->int8 = a->mixed = a->padded = a->recurrent = a->free_bandwidth = a->free_compute = a->turbo = NAN;
	p->account = a;
	if (!s->simulated || s->simulated_version < ZE_TARN_EXT_VERSION_1_2)
		return TARN_OK;
	ze_tarn_graph_account_t from = {.size = sizeof from};
	ze_tarn_graph_shares_t shares = {.size = sizeof shares};
	ZE_DO(s->simulated->pfnGraphGetAccount(x->graph, turbo, &from), "asking where the model's time goes");
	ZE_DO(s->simulated->pfnGraphGetShares(x->graph, turbo, &shares), "asking for the model's shares");
	if (!from.total_ns)
		return TARN_OK;
	fill_known(&from, (double)shares.band_high, a);
	ZE_DO(s->simulated->pfnGraphGetShares(x->graph, true, &shares), "asking for the model's shares");
	a->turbo = ms(shares.total_ns);
	return TARN_OK;
}
