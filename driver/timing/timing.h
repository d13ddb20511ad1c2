/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long work takes on an NPU: DPU workloads, DMA transfers, SHAVE kernels. Pure functions of their arguments, without
 * state or allocation, usable from any thread and equal on every host. Formulas, fits and residuals:
 * docs/design/002-timing-model.md. Every figure is modelled; tarn_timing_band_get says how far to trust it.
 *
 * A workload is what one DPU of one tile computes: the caller splits a layer over tiles (and over memory) first and asks
 * for each part; the layer takes as long as its slowest tile.
 */
#ifndef TARN_DRIVER_TIMING_H
#define TARN_DRIVER_TIMING_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"
#include "base/err.h"

typedef enum tarn_dpu_op {
	TARN_DPU_CONV,
	TARN_DPU_DW_CONV,
	TARN_DPU_CM_CONV, /* first layers, fewer than 16 input channels: the array still works on 16 */
	TARN_DPU_MAXPOOL,
	TARN_DPU_AVEPOOL,
	TARN_DPU_ELTWISE,
	TARN_DPU_OP_COUNT
} tarn_dpu_op;

/* Signedness does not change time: I8 stands for U8, F16 for BF16, I4 for U4. */
typedef enum tarn_dpu_type { TARN_DPU_I4, TARN_DPU_I8, TARN_DPU_F16, TARN_DPU_F32, TARN_DPU_TYPE_COUNT } tarn_dpu_type;

/* Pixels x channels kept resident: 16x16 px x 64, 16x8 px x 128, 8x8 px x 256. BEST: whichever is fastest. */
typedef enum tarn_dpu_mode {
	TARN_DPU_16X16,
	TARN_DPU_8X16,
	TARN_DPU_4X16,
	TARN_DPU_MODE_COUNT,
	TARN_DPU_BEST = TARN_DPU_MODE_COUNT
} tarn_dpu_mode;

/* How the layer is split over tiles. Time follows from the workload's own shape and output_write_tiles; this is for the record.
 */
typedef enum tarn_dpu_isi { TARN_DPU_CLUSTERING, TARN_DPU_SPLIT_H, TARN_DPU_SPLIT_K } tarn_dpu_isi;

typedef struct tarn_dpu_workload {
	tarn_dpu_op op;
	tarn_dpu_type in, wt, out; /* wt is ignored where there are no weights */
	int32_t in_w, in_h, in_c;
	int32_t out_w, out_h, out_c;
	int32_t kernel_w, kernel_h, stride_w, stride_h;
	int32_t pad_top, pad_bottom, pad_left, pad_right;
	tarn_dpu_mode mode;
	tarn_dpu_isi isi;
	int32_t output_write_tiles; /* 1 = own tile only, n = broadcast to n */
	bool act_sparse, wt_sparse; /* bitmap in use */
	double act_zeros, wt_zeros; /* fraction of zeros, 0..1 */
} tarn_dpu_workload;

/* A 1x1 stride-1 INT8 workload in the best mode, sizes zero: fill in the rest. */
tarn_dpu_workload tarn_dpu_workload_init(tarn_dpu_op op);

/* TARN_USAGE or TARN_UNSUPPORTED naming the field at fault. The functions below may be called only with what this accepts. */
TARN_MUST tarn_err tarn_timing_dpu_check(const tarn_arch *arch, const tarn_dpu_workload *w);
/* DPU clock cycles. */
int64_t tarn_timing_dpu_cycles(const tarn_arch *arch, const tarn_dpu_workload *w);
/* The least over the modes the operation may use, whatever w->mode is; *mode (may be NULL) says which. */
int64_t tarn_timing_dpu_best(const tarn_arch *arch, const tarn_dpu_workload *w, tarn_dpu_mode *mode);
/* The multiplications that matter (none with padding, sparsity counted as far as it pays) at the full MAC rate: what
 * utilization is measured against. Never above tarn_timing_dpu_cycles. */
double tarn_timing_dpu_ideal(const tarn_arch *arch, const tarn_dpu_workload *w);
/* Cycles to microseconds at `mhz` (0 = the nominal clock). */
double tarn_timing_dpu_us(const tarn_arch *arch, double cycles, double mhz);

typedef enum tarn_dma_direction {
	TARN_DMA_DDR2CMX,
	TARN_DMA_CMX2DDR,
	TARN_DMA_CMX2CMX,
	TARN_DMA_DDR2DDR,
	TARN_DMA_DIRECTION_COUNT
} tarn_dma_direction;
/* One engine, contiguous bytes; transfers beyond dma_max_bytes pay one start each. 0 bytes take 0. */
double tarn_timing_dma_us(const tarn_arch *arch, tarn_dma_direction direction, uint64_t bytes);
/* The same in VPU (CMX) clock cycles, rounded up. */
int64_t tarn_timing_dma_cycles(const tarn_arch *arch, tarn_dma_direction direction, uint64_t bytes);

typedef enum tarn_shave_kernel {
#define SHAVE(sym, name, b27, a27, s27, b40, a40, s40) TARN_SHAVE_##sym,
#include "timing/shave.def"
#undef SHAVE
	TARN_SHAVE_KERNEL_COUNT
} tarn_shave_kernel;
/* One SHAVE over `elements`, in DPU clock cycles at the nominal DPU clock (turbo does not speed SHAVEs up). Rates are of FP16;
 * 8-bit elements are taken at the same rate, 32-bit at half (both assumed). */
int64_t tarn_timing_shave_cycles(const tarn_arch *arch, tarn_shave_kernel kernel, uint64_t elements, tarn_dpu_type type);
/* The elements spread evenly over `shaves`. */
double tarn_timing_shave_us(const tarn_arch *arch, tarn_shave_kernel kernel, uint64_t elements, tarn_dpu_type type, int shaves);
const char *tarn_timing_shave_name(tarn_shave_kernel kernel);
tarn_arch_source tarn_timing_shave_source(const tarn_arch *arch, tarn_shave_kernel kernel);

typedef enum tarn_timing_class {
	TARN_TIMING_CONV,
	TARN_TIMING_CONV_SPARSE,
	TARN_TIMING_DEPTHWISE,
	TARN_TIMING_POOL,
	TARN_TIMING_ELTWISE,
	TARN_TIMING_DMA, /* 4096 bytes and more */
	TARN_TIMING_DMA_SMALL,
	TARN_TIMING_SHAVE,
	TARN_TIMING_INFERENCE, /* the fixed cost per inference */
	TARN_TIMING_CLASS_COUNT
} tarn_timing_class;
/* How far predictions of a class lay from the measured rows: median and 90th percentile of |predicted / measured - 1|, the
 * larger of both cross-validations of scripts/fit-timing. */
typedef struct tarn_timing_band {
	double median, p90;
	int rows;                /* measured rows behind it; 0 = none */
	tarn_arch_source source; /* ASSUMED where there are none, or where 3720's wider band stands in for 4000's own */
} tarn_timing_band;
/* The band of 4000 is never narrower than that of 3720. */
const tarn_timing_band *tarn_timing_band_get(const tarn_arch *arch, tarn_timing_class cls);
tarn_timing_class tarn_timing_dpu_class(const tarn_dpu_workload *w);
const char *tarn_timing_class_name(tarn_timing_class cls);

#endif
