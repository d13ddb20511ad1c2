/* SPDX-License-Identifier: Apache-2.0 */
/* DMA engines and SHAVEs. */
#include <math.h>

#include "timing/params.h"

static const struct {
	const char *name;
	struct {
		double overhead, per_element;
		tarn_arch_source source;
	} on[2]; /* 3720, 4000 */
} shave[TARN_SHAVE_KERNEL_COUNT] = {
#define SHAVE(sym, name, b27, a27, s27, b40, a40, s40) {name, {{b27, a27, TARN_ARCH_##s27}, {b40, a40, TARN_ARCH_##s40}}},
#include "timing/shave.def"
#undef SHAVE
};

static int column(const tarn_arch *arch)
{
	return arch->platform == 4000;
}

double tarn_timing_dma_us(const tarn_arch *arch, tarn_dma_direction direction, uint64_t bytes)
{
	const tarn_timing_params *p = tarn_timing_params_get(arch);
	uint64_t most = (uint64_t)arch->dma_max_bytes;
	double starts = (double)(bytes / most + (bytes % most != 0));
	return starts * p->dma[direction].latency_us + (double)bytes / (p->dma[direction].gbps * 1e3);
}

int64_t tarn_timing_dma_cycles(const tarn_arch *arch, tarn_dma_direction direction, uint64_t bytes)
{
	return llround(ceil(tarn_timing_dma_us(arch, direction, bytes) * arch->vpu_mhz));
}

int64_t tarn_timing_shave_cycles(const tarn_arch *arch, tarn_shave_kernel kernel, uint64_t elements, tarn_dpu_type type)
{
	double width = type == TARN_DPU_F32 ? 2 : 1;
	int c = column(arch);
	return llround(ceil(shave[kernel].on[c].overhead + shave[kernel].on[c].per_element * width * (double)elements));
}

double tarn_timing_shave_us(const tarn_arch *arch, tarn_shave_kernel kernel, uint64_t elements, tarn_dpu_type type, int shaves)
{
	uint64_t n = shaves > 1 ? (uint64_t)shaves : 1;
	uint64_t part = elements / n + (elements % n != 0);
	return (double)tarn_timing_shave_cycles(arch, kernel, part, type) / arch->dpu_mhz;
}

const char *tarn_timing_shave_name(tarn_shave_kernel kernel)
{
	return shave[kernel].name;
}

tarn_arch_source tarn_timing_shave_source(const tarn_arch *arch, tarn_shave_kernel kernel)
{
	return shave[kernel].on[column(arch)].source;
}
