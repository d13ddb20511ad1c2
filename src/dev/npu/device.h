/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device NPU, as the composition root sees it. Without a call of tarn_npu_simulate and without TARN_NPU=sim:PLATFORM in the
 * environment it is hardware; which of the two is decided once per process, when a device NPU is opened for the first time.
 */
#ifndef TARN_DEV_NPU_DEVICE_H
#define TARN_DEV_NPU_DEVICE_H

#include "rt/device.h"

extern const tarn_device_api tarn_dev_npu;

/* The simulator instead of hardware: "3720" or "4000". TARN_USAGE for another word, and once the NPU was used (unless the same
 * is in use already). `path` NULL: libze_tarn_npu.so beside this library. Any thread. */
TARN_MUST tarn_err tarn_npu_simulate(const char *platform, const char *path);

/* What the simulated device did in this process. */
typedef struct tarn_npu_simulation {
	int platform, tiles;
	bool paced;
	int64_t clock_ns, busy_us; /* modelled */
	int64_t submitted, compiled, cache_hits, cache_stored, cache_damaged, cache_evicted;
} tarn_npu_simulation;
/* TARN_DEVICE when the device is hardware, or absent. */
TARN_MUST tarn_err tarn_npu_state(tarn_device *d, tarn_npu_simulation *state);

#endif
