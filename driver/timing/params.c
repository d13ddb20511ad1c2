/* SPDX-License-Identifier: Apache-2.0 */
#include "timing/params.h"

#define FIT TARN_ARCH_FIT
#define ASSUMED TARN_ARCH_ASSUMED

/* clang-format off */
static const tarn_timing_params params[] = {
	{
		.platform = 3720,
		/* read_bpc: published, 8 ports of 16 bytes per CMX clock. per_pass: 4000's, rounded. Writes: from the elementwise rows.
		 * Convolution rows never reach these three limits here, so for convolutions they are assumed. */
		.conv = {.fixed = 231.8, .per_pass = 25.0, .read_bpc = 96.0, .least_blocks = 13.17, .write_bpc = 42.0, .share_bpc = 21.0},
		/* narrow: 4000's; no pooling was measured here. */
		.dw = {.fixed = 288.4, .lane_bpc = 87.98, .small_gain = 1.0, .pad_skip = 0.911, .narrow = 1.435},
		/* FP16: published line through the cost model's network, not a measurement. */
		.eltwise = {.int8_epc = 40.7, .fp16_epc = 11.8},
		.dma = {
			[TARN_DMA_DDR2CMX] = {0.568, 28.75},
			[TARN_DMA_CMX2DDR] = {0.201, 29.82},
			[TARN_DMA_CMX2CMX] = {0.102, 15.70},
			[TARN_DMA_DDR2DDR] = {0.527, 26.62},
		},
		.band = {
			[TARN_TIMING_CONV]        = {0.021, 0.167,  12, FIT},
			[TARN_TIMING_CONV_SPARSE] = {0.012, 0.167,  15, FIT},
			[TARN_TIMING_DEPTHWISE]   = {0.019, 0.085, 122, FIT},
			[TARN_TIMING_POOL]        = {0.050, 0.150,   0, ASSUMED},
			[TARN_TIMING_ELTWISE]     = {0.035, 0.100,   3, FIT},
			[TARN_TIMING_DMA]         = {0.020, 0.090,  17, FIT},
			[TARN_TIMING_DMA_SMALL]   = {0.030, 0.120,  27, FIT},
			[TARN_TIMING_SHAVE]       = {0.200, 0.600,   0, ASSUMED},
			[TARN_TIMING_INFERENCE]   = {0.200, 0.400,   0, ASSUMED},
		},
	},
	{
		.platform = 4000,
		.conv = {.fixed = 190.9, .per_pass = 26.98, .read_bpc = 95.97, .least_blocks = 1.938, .write_bpc = 64.01, .share_bpc = 28.13},
		.dw = {.fixed = 259.5, .lane_bpc = 121.7, .small_gain = 1.672, .pad_skip = 0.0, .narrow = 1.435},
		.eltwise = {.int8_epc = 54.98, .fp16_epc = 12.0},
		.dma = {
			[TARN_DMA_DDR2CMX] = {0.441, 55.76},
			[TARN_DMA_CMX2DDR] = {0.202, 51.01},
			[TARN_DMA_CMX2CMX] = {0.167, 60.63},
			[TARN_DMA_DDR2DDR] = {0.421, 37.34},
		},
		/* ASSUMED with rows: 3720's band is the wider one in a figure and stands here too. */
		.band = {
			[TARN_TIMING_CONV]        = {0.021, 0.167,  92, ASSUMED},
			[TARN_TIMING_CONV_SPARSE] = {0.014, 0.167,  17, ASSUMED},
			[TARN_TIMING_DEPTHWISE]   = {0.019, 0.085, 160, ASSUMED},
			[TARN_TIMING_POOL]        = {0.050, 0.150,  17, ASSUMED},
			[TARN_TIMING_ELTWISE]     = {0.059, 0.100,   2, ASSUMED},
			[TARN_TIMING_DMA]         = {0.050, 0.170,  37, FIT},
			[TARN_TIMING_DMA_SMALL]   = {0.070, 0.300,  51, FIT},
			[TARN_TIMING_SHAVE]       = {0.200, 0.600,   0, ASSUMED},
			[TARN_TIMING_INFERENCE]   = {0.200, 0.600,   0, ASSUMED},
		},
	},
};
/* clang-format on */

const tarn_timing_params *tarn_timing_params_get(const tarn_arch *arch)
{
	for (size_t i = 1; i < sizeof params / sizeof *params; i++)
		if (params[i].platform == arch->platform)
			return &params[i];
	return &params[0];
}

const tarn_timing_band *tarn_timing_band_get(const tarn_arch *arch, tarn_timing_class cls)
{
	return &tarn_timing_params_get(arch)->band[cls];
}

const char *tarn_timing_class_name(tarn_timing_class cls)
{
	static const char *const name[] = {
		[TARN_TIMING_CONV] = "convolution",
		[TARN_TIMING_CONV_SPARSE] = "sparse convolution",
		[TARN_TIMING_DEPTHWISE] = "depthwise",
		[TARN_TIMING_POOL] = "pooling",
		[TARN_TIMING_ELTWISE] = "elementwise",
		[TARN_TIMING_DMA] = "DMA from 4096 bytes on",
		[TARN_TIMING_DMA_SMALL] = "DMA of fewer bytes",
		[TARN_TIMING_SHAVE] = "SHAVE kernels",
		[TARN_TIMING_INFERENCE] = "fixed cost per inference",
	};
	return name[cls];
}
