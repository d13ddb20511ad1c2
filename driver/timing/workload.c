/* SPDX-License-Identifier: Apache-2.0 */
#include "timing/timing.h"

/* Spatial sizes and channels beyond the hardware's are for the caller to cut; the formulas are good for more. */
#define SIZE_MAX_ANY (1 << 20)

tarn_dpu_workload tarn_dpu_workload_init(tarn_dpu_op op)
{
	return (tarn_dpu_workload){
		.op = op,
		.in = TARN_DPU_I8,
		.wt = TARN_DPU_I8,
		.out = TARN_DPU_I8,
		.kernel_w = 1,
		.kernel_h = 1,
		.stride_w = 1,
		.stride_h = 1,
		.mode = TARN_DPU_BEST,
		.output_write_tiles = 1,
	};
}

static tarn_err check_types(const tarn_arch *arch, const tarn_dpu_workload *w)
{
	const unsigned n = TARN_DPU_TYPE_COUNT;
	CHECK((unsigned)w->in < n && (unsigned)w->wt < n && (unsigned)w->out < n, TARN_USAGE,
	      "unknown element type; use a value of tarn_dpu_type");
	CHECK(w->in == TARN_DPU_I8 || w->in == TARN_DPU_F16, TARN_UNSUPPORTED,
	      "the DPU cannot read inputs of this type; use 8-bit integers, FP16 or BF16");
	CHECK(w->wt != TARN_DPU_F32, TARN_UNSUPPORTED,
	      "the DPU cannot read FP32 weights; use 4 or 8-bit integers, FP16 or BF16");
	CHECK(w->out != TARN_DPU_I4, TARN_UNSUPPORTED,
	      "the DPU cannot write 4-bit outputs; use 8-bit integers or a float type");
	CHECK(w->out != TARN_DPU_F32 || arch->fp32_output, TARN_UNSUPPORTED, "%s cannot write FP32; use FP16", arch->name);
	return TARN_OK;
}

tarn_err tarn_timing_dpu_check(const tarn_arch *arch, const tarn_dpu_workload *w)
{
	CHECK((unsigned)w->op < TARN_DPU_OP_COUNT, TARN_USAGE, "unknown DPU operation; use a value of tarn_dpu_op");
	CHECK((unsigned)w->mode <= TARN_DPU_BEST, TARN_USAGE, "unknown MPE mode; use a value of tarn_dpu_mode");
	TRY(check_types(arch, w));
	const struct {
		const char *name;
		int32_t v, lo, hi;
	} field[] = {
		{"in_w", w->in_w, 1, SIZE_MAX_ANY},
		{"in_h", w->in_h, 1, SIZE_MAX_ANY},
		{"in_c", w->in_c, 1, SIZE_MAX_ANY},
		{"out_w", w->out_w, 1, SIZE_MAX_ANY},
		{"out_h", w->out_h, 1, SIZE_MAX_ANY},
		{"out_c", w->out_c, 1, SIZE_MAX_ANY},
		{"kernel width", w->kernel_w, 1, arch->kernel_max},
		{"kernel height", w->kernel_h, 1, arch->kernel_max},
		{"stride width", w->stride_w, 1, arch->stride_max},
		{"stride height", w->stride_h, 1, arch->stride_max},
		{"top padding", w->pad_top, 0, arch->kernel_max},
		{"bottom padding", w->pad_bottom, 0, arch->kernel_max},
		{"left padding", w->pad_left, 0, arch->kernel_max},
		{"right padding", w->pad_right, 0, arch->kernel_max},
		{"output_write_tiles", w->output_write_tiles, 1, 64},
	};
	for (size_t i = 0; i < sizeof field / sizeof *field; i++)
		CHECK(field[i].v >= field[i].lo && field[i].v <= field[i].hi, TARN_USAGE,
		      "%s is %d; it must lie between %d and %d", field[i].name, (int)field[i].v, (int)field[i].lo,
		      (int)field[i].hi);
	CHECK(w->act_zeros >= 0 && w->act_zeros <= 1 && w->wt_zeros >= 0 && w->wt_zeros <= 1, TARN_USAGE,
	      "a fraction of zeros is out of range; it must lie between 0 and 1");
	return TARN_OK;
}
