/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "timing/params.h"

/* From which fraction of zeros on bitmaps start to pay; Intel's compiler switches at the same figure. */
#define SPARSE_PAYS_FROM 0.125

/* What a mode keeps resident: blocks of 4 pixels across and down, blocks of 16 channels. */
static const struct {
	int32_t across, down, channels;
} resident[TARN_DPU_MODE_COUNT] = {{4, 4, 4}, {4, 2, 8}, {2, 2, 16}};

static const double type_bytes[TARN_DPU_TYPE_COUNT] = {0.5, 1, 2, 4};

static double blocks_of(int32_t x, int32_t n)
{
	return (double)((x + n - 1) / n);
}

/* Kernel taps that fall inside the input, summed over one output axis. */
static double taps_inside(int32_t in, int32_t out, int32_t kernel, int32_t stride, int32_t pad)
{
	int64_t sum = 0;
	for (int32_t o = 0; o < out; o++) {
		int64_t first = (int64_t)o * stride - pad, end = first + kernel;
		int64_t from = first < 0 ? 0 : first, to = end > in ? in : end;
		if (to > from)
			sum += to - from;
	}
	return (double)sum;
}

/* Blocks of 4x4 pixels x 16 channels that the array steps through, in a grid of `n` blocks across, down and of channels; a
 * resident set of fewer than `least` counts as `least`. */
static double blocks_in_grid(const int32_t n[3], tarn_dpu_mode mode, double least)
{
	const int32_t size[3] = {resident[mode].across, resident[mode].down, resident[mode].channels};
	double total = 0;
	/* Bit i of `edge`: along axis i the set is the rest, not a full one. */
	for (unsigned edge = 0; edge < 8; edge++) {
		double sets = 1, blocks = 1;
		for (int i = 0; i < 3; i++) {
			int32_t rest = n[i] % size[i];
			sets *= edge >> i & 1 ? rest != 0 : n[i] / size[i];
			blocks *= edge >> i & 1 ? rest : size[i];
		}
		total += sets * fmax(blocks, least);
	}
	return total;
}

static double blocks_stepped(const tarn_dpu_workload *w, tarn_dpu_mode mode, double least)
{
	const int32_t n[3] = {(w->out_w + 3) / 4, (w->out_h + 3) / 4, (w->out_c + 15) / 16};
	double all = blocks_in_grid(n, mode, least);
	/* Rows of the last blocks whose taps all lie below the input are not computed. */
	double h4 = 4.0 * n[1], rows = fmax(w->out_h, fmin(h4, w->in_h + 1.0));
	if (w->kernel_h == 1 || rows == h4)
		return all;
	const int32_t above[3] = {n[0], n[1] - 1, n[2]};
	double without = blocks_in_grid(above, mode, least);
	return without + (all - without) * (rows - (h4 - 4)) / 4;
}

static double sparse_gain(const tarn_dpu_workload *w)
{
	double zeros = 0;
	if (w->act_sparse)
		zeros = fmax(zeros, w->act_zeros);
	if (w->wt_sparse)
		zeros = fmax(zeros, w->wt_zeros);
	return fmin(1, (1 - zeros) / (1 - SPARSE_PAYS_FROM));
}

static bool has_weights(const tarn_dpu_workload *w)
{
	return w->op == TARN_DPU_CONV || w->op == TARN_DPU_CM_CONV || w->op == TARN_DPU_DW_CONV;
}

static double mac_rate(const tarn_arch *arch, const tarn_dpu_workload *w)
{
	bool half = type_bytes[w->in] > 1 || (has_weights(w) && type_bytes[w->wt] > 1);
	return half ? arch->mac_fp16 : arch->mac_int8;
}

static double write_cycles(const tarn_timing_params *p, const tarn_dpu_workload *w)
{
	double bytes = 16 * blocks_of(w->out_w, 4) * blocks_of(w->out_h, 4) * 32 * blocks_of(w->out_c, 32) * type_bytes[w->out];
	return bytes / (w->output_write_tiles > 1 ? p->conv.share_bpc : p->conv.write_bpc);
}

static double conv_cycles(const tarn_arch *arch, const tarn_timing_params *p, const tarn_dpu_workload *w, tarn_dpu_mode mode)
{
	double taps = (double)w->kernel_w * w->kernel_h;
	double c16 = 16 * blocks_of(w->in_c, 16), k16 = 16 * blocks_of(w->out_c, 16);
	double mac = blocks_stepped(w, mode, p->conv.least_blocks) * 256 * c16 * taps / mac_rate(arch, w);

	double pixel_sets =
		fmax(1, blocks_of(w->out_w, 4) * blocks_of(w->out_h, 4) / (resident[mode].across * resident[mode].down));
	double channel_sets = blocks_of((int32_t)(k16 / 16), resident[mode].channels);
	double act = taps_inside(w->in_h, w->out_h, w->kernel_h, w->stride_h, w->pad_top);
	act *= taps_inside(w->in_w, w->out_w, w->kernel_w, w->stride_w, w->pad_left) * c16 * type_bytes[w->in];
	/* Activations are read once per set of channels, weights once per set of pixels. */
	double reads = act * channel_sets + k16 * c16 * taps * type_bytes[w->wt] * pixel_sets;

	double compute = mac * sparse_gain(w) + p->conv.per_pass * pixel_sets * channel_sets;
	return p->conv.fixed + fmax(compute, fmax(reads / p->conv.read_bpc, write_cycles(p, w)));
}

/* Depthwise convolution and both poolings: every channel on its own, 32 bytes of channels side by side. */
static double depthwise_cycles(const tarn_timing_params *p, const tarn_dpu_workload *w, tarn_dpu_mode mode)
{
	double work = 16 * blocks_of(w->out_w, 4) * blocks_of(w->out_h, 4);
	work *= 32 * ceil(w->out_c * type_bytes[w->in] / 32) * w->kernel_w * w->kernel_h;
	double inside = taps_inside(w->in_h, w->out_h, w->kernel_h, w->stride_h, w->pad_top) / ((double)w->out_h * w->kernel_h);
	work *= 1 - p->dw.pad_skip * (1 - inside);
	if (w->op == TARN_DPU_DW_CONV && w->kernel_w == 3 && w->stride_w == 1 && w->out_c <= 32)
		work /= p->dw.small_gain;
	if (mode != TARN_DPU_16X16)
		work *= p->dw.narrow;
	return p->dw.fixed + work / p->dw.lane_bpc;
}

static double eltwise_cycles(const tarn_timing_params *p, const tarn_dpu_workload *w)
{
	double elements = 16 * blocks_of(w->out_w, 4) * blocks_of(w->out_h, 4) * w->out_c;
	double rate = type_bytes[w->in] > 1 ? p->eltwise.fp16_epc : p->eltwise.int8_epc;
	/* The write limit of the own tile is already in the rate. */
	double write = w->output_write_tiles > 1 ? write_cycles(p, w) : 0;
	return p->conv.fixed + fmax(elements / rate, write);
}

static double cycles_in_mode(const tarn_arch *arch, const tarn_dpu_workload *w, tarn_dpu_mode mode)
{
	const tarn_timing_params *p = tarn_timing_params_get(arch);
	switch (w->op) {
	case TARN_DPU_DW_CONV:
	case TARN_DPU_MAXPOOL:
	case TARN_DPU_AVEPOOL:
		return depthwise_cycles(p, w, mode);
	case TARN_DPU_ELTWISE:
		return eltwise_cycles(p, w);
	default:
		return conv_cycles(arch, p, w, mode);
	}
}

int64_t tarn_timing_dpu_best(const tarn_arch *arch, const tarn_dpu_workload *w, tarn_dpu_mode *mode)
{
	/* Intel's compiler lets only plain convolutions choose: elementwise runs in 8x16, everything else in 16x16. */
	tarn_dpu_mode first = w->op == TARN_DPU_ELTWISE ? TARN_DPU_8X16 : TARN_DPU_16X16;
	tarn_dpu_mode last = w->op == TARN_DPU_CONV ? TARN_DPU_4X16 : first, best = first;
	double least = INFINITY;
	for (int m = (int)first; m <= (int)last; m++) {
		double c = cycles_in_mode(arch, w, (tarn_dpu_mode)m);
		if (c < least) {
			least = c;
			best = (tarn_dpu_mode)m;
		}
	}
	if (mode != NULL)
		*mode = best;
	return llround(ceil(least));
}

int64_t tarn_timing_dpu_cycles(const tarn_arch *arch, const tarn_dpu_workload *w)
{
	if (w->mode == TARN_DPU_BEST)
		return tarn_timing_dpu_best(arch, w, NULL);
	return llround(ceil(cycles_in_mode(arch, w, w->mode)));
}

double tarn_timing_dpu_ideal(const tarn_arch *arch, const tarn_dpu_workload *w)
{
	double outputs = (double)w->out_w * w->out_h * w->out_c;
	if (w->op == TARN_DPU_ELTWISE)
		return outputs / mac_rate(arch, w);
	double macs = taps_inside(w->in_h, w->out_h, w->kernel_h, w->stride_h, w->pad_top);
	macs *= taps_inside(w->in_w, w->out_w, w->kernel_w, w->stride_w, w->pad_left) * w->out_c;
	if (w->op == TARN_DPU_CONV || w->op == TARN_DPU_CM_CONV)
		macs *= w->in_c * sparse_gain(w);
	return macs / mac_rate(arch, w);
}

tarn_timing_class tarn_timing_dpu_class(const tarn_dpu_workload *w)
{
	switch (w->op) {
	case TARN_DPU_DW_CONV:
		return TARN_TIMING_DEPTHWISE;
	case TARN_DPU_MAXPOOL:
	case TARN_DPU_AVEPOOL:
		return TARN_TIMING_POOL;
	case TARN_DPU_ELTWISE:
		return TARN_TIMING_ELTWISE;
	default:
		return w->act_sparse || w->wt_sparse ? TARN_TIMING_CONV_SPARSE : TARN_TIMING_CONV;
	}
}

double tarn_timing_dpu_us(const tarn_arch *arch, double cycles, double mhz)
{
	return cycles / (mhz > 0 ? mhz : arch->dpu_mhz);
}
