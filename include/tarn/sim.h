/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated NPU. It is never used unless asked for: by tarn_use_simulated_npu, or by TARN_NPU=sim:3720 or sim:4000 in the
 * environment (which this library reads and never writes). Rules as in <tarn/model.h>.
 */
#ifndef TARN_SIM_H
#define TARN_SIM_H

#include "openvino/c/openvino.h"

#ifdef __cplusplus
extern "C" {
#endif
#define TARN_API __attribute__((visibility("default")))

/* From now on device NPU of this process is a simulated one: "3720" (Meteor Lake, Arrow Lake) or "4000" (Lunar Lake). To be
 * called before the first use of device NPU, listing the devices included; later it fails, unless the same is in use. One line
 * on stderr says at the first use that the device is simulated. */
TARN_API ov_status_e tarn_use_simulated_npu(const char *platform);

/* What the simulated device did in this process. */
typedef struct tarn_simulation {
	int platform; /* 3720, 4000 */
	int tiles;
	bool paced;            /* takes the modelled time and computes no results; else computes results in any time */
	double clock_ms;       /* modelled: its clock */
	double busy_ms;        /* modelled: time with work */
	int64_t submitted;     /* command lists */
	int64_t compiled;      /* models compiled by its driver */
	int64_t cache_hits;    /* models taken from its driver's cache */
	int64_t cache_stored;  /* models put there */
	int64_t cache_damaged; /* entries found damaged there, dropped, and compiled again */
	int64_t cache_evicted;
} tarn_simulation;
/* GENERAL_ERROR with exit code 4 when device NPU is not simulated. */
TARN_API ov_status_e tarn_get_simulation(const ov_core_t *core, tarn_simulation *simulation);

#ifdef __cplusplus
}
#endif
#endif
