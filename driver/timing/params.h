/* SPDX-License-Identifier: Apache-2.0 */
/* The fitted parameters behind timing.h, one static set per platform. Reproduced by scripts/fit-timing. Read-only. */
#ifndef TARN_DRIVER_TIMING_PARAMS_H
#define TARN_DRIVER_TIMING_PARAMS_H

#include "timing/timing.h"

/* bpc = bytes per DPU clock cycle. */
typedef struct tarn_timing_params {
	int platform;
	struct {
		double fixed;        /* cycles per workload */
		double per_pass;     /* cycles per resident set of pixels and channels */
		double read_bpc;     /* activations and weights */
		double least_blocks; /* a resident set of fewer 4x4x16 blocks takes as long as this many */
		double write_bpc;    /* outputs to the own tile */
		double share_bpc;    /* outputs broadcast to several tiles */
	} conv;
	struct {
		double fixed;
		double lane_bpc;   /* taps x channel bytes (rounded up to 32) per cycle */
		double small_gain; /* kernel width 3, stride 1, at most 32 channels */
		double pad_skip;   /* share of the taps in the padding above and below that cost nothing */
		double narrow;     /* modes other than 16x16 */
	} dw;
	struct {
		double int8_epc, fp16_epc; /* elements per cycle */
	} eltwise;
	struct {
		double latency_us, gbps;
	} dma[TARN_DMA_DIRECTION_COUNT];
	tarn_timing_band band[TARN_TIMING_CLASS_COUNT];
} tarn_timing_params;

const tarn_timing_params *tarn_timing_params_get(const tarn_arch *arch);

#endif
