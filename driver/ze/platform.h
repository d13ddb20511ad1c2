/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which NPU is simulated and how: the device's identity as Level Zero shows it, and the driver's settings.
 *
 * Settings come from tarn_ze_configure (zexTarnConfigure, before zeInit) or else from the environment:
 *   TARN_NPU_CLOCK=10..100 (100: percent of the nominal clock)
 *   TARN_NPU_PLATFORM=3720|4000 (4000)   TARN_NPU_MODE=exact|paced (exact)   TARN_NPU_THREADS=n (0: one per processor)
 *   TARN_NPU_IDENTITY=simulated|hardware (simulated): the name of the device as hardware has it, for conformance suites only.
 */
#ifndef TARN_DRIVER_ZE_PLATFORM_H
#define TARN_DRIVER_ZE_PLATFORM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* What Level Zero shows and driver/arch does not describe. */
typedef struct tarn_ze_platform {
	int number;
	uint32_t pci_device;
	uint32_t simd_width, eus_per_subslice;
} tarn_ze_platform;

typedef struct tarn_ze_config {
	int platform;
	bool paced, hardware_name;
	int threads;
	double clock; /* of the DPU, as a part of its nominal one: a device that is held back; 0: not */
} tarn_ze_config;

/* NULL: not simulated. */
const tarn_ze_platform *tarn_ze_platform_find(int number);
/* One setting by name, without TARN_NPU_, in lower case: "platform", "mode", "threads", "clock", "identity". TARN_USAGE with
 * what is allowed. */
TARN_MUST tarn_err tarn_ze_configure(const char *key, const char *value);
/* What was configured, and the environment for the rest. */
TARN_MUST tarn_err tarn_ze_config_get(tarn_ze_config *config);

#endif
