/* SPDX-License-Identifier: Apache-2.0 */
#include "tarn/sim.h"

#include "api/handles.h"
#include "dev/npu/device.h"

ov_status_e tarn_use_simulated_npu(const char *platform)
{
	NEED(platform);
	return tarn_status(tarn_npu_simulate(platform, NULL));
}

static tarn_err get_simulation(struct ov_core *core, tarn_simulation *out)
{
	tarn_npu_simulation s;
	tarn_device *d;
	bool is_auto;
	tarn_str why = {0};
	tarn_err err = tarn_devices_find(core, "NPU", &d, &is_auto, &why);
	tarn_str_fini(&why);
	TRY(err);
	TRY(tarn_npu_state(d, &s));
	*out = (tarn_simulation){
		.platform = s.platform,
		.tiles = s.tiles,
		.paced = s.paced,
		.clock_ms = (double)s.clock_ns * 1e-6,
		.busy_ms = (double)s.busy_us * 1e-3,
		.submitted = s.submitted,
		.compiled = s.compiled,
		.cache_hits = s.cache_hits,
		.cache_stored = s.cache_stored,
		.cache_damaged = s.cache_damaged,
		.cache_evicted = s.cache_evicted,
	};
	return TARN_OK;
}

ov_status_e tarn_get_simulation(const ov_core_t *core, tarn_simulation *simulation)
{
	NEED(core && simulation);
	return tarn_status(get_simulation((struct ov_core *)(uintptr_t)core, simulation));
}
