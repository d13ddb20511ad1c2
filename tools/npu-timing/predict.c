/* SPDX-License-Identifier: Apache-2.0 */
#include "predict.h"

#include <math.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "timing/timing.h"

typedef struct word {
	const char *text;
	int value;
} word;

static const word devices[] = {{"VPU_2_7", 3720}, {"NPU_2_7", 3720}, {"VPU_4_0", 4000}, {"NPU_4_0", 4000}, {"3720", 3720},
			       {"4000", 4000},    {"NPU3720", 3720}, {"NPU4000", 4000}, {NULL, 0}};
static const word ops[] = {{"CONVOLUTION", TARN_DPU_CONV},
			   {"DW_CONVOLUTION", TARN_DPU_DW_CONV},
			   {"CM_CONVOLUTION", TARN_DPU_CM_CONV},
			   {"MAXPOOL", TARN_DPU_MAXPOOL},
			   {"AVEPOOL", TARN_DPU_AVEPOOL},
			   {"ELTWISE", TARN_DPU_ELTWISE},
			   {NULL, 0}};
static const word types[] = {
	{"UINT8", TARN_DPU_I8},    {"INT8", TARN_DPU_I8},      {"UINT4", TARN_DPU_I4},    {"INT4", TARN_DPU_I4},
	{"FLOAT16", TARN_DPU_F16}, {"BFLOAT16", TARN_DPU_F16}, {"FLOAT32", TARN_DPU_F32}, {NULL, 0}};
static const word modes[] = {
	{"CUBOID_16x16", TARN_DPU_16X16}, {"CUBOID_8x16", TARN_DPU_8X16}, {"CUBOID_4x16", TARN_DPU_4X16}, {NULL, 0}};
static const word directions[] = {{"DDR2CMX", TARN_DMA_DDR2CMX},
				  {"CMX2DDR", TARN_DMA_CMX2DDR},
				  {"CMX2CMX", TARN_DMA_CMX2CMX},
				  {"DDR2DDR", TARN_DMA_DDR2DDR},
				  {NULL, 0}};

/* One row being read: the first fault is kept, later reads do nothing. */
typedef struct reader {
	const csv *c;
	size_t row;
	tarn_err err;
} reader;

static const char *cell_of(reader *r, const char *column, bool needed)
{
	const char *text = csv_cell(r->c, r->row, csv_find(r->c, column));
	if (r->err == TARN_OK && needed && !*text)
		r->err = tarn_err_set(TARN_BAD_FILE, "%s:%zu: column '%s': no value; it is needed to predict this row",
				      r->c->path, r->c->line[r->row + 1], column);
	return text;
}

/* A cell as an error line may show it: cut, without control characters. */
static const char *shown(const char *text, char buf[41])
{
	size_t i = 0;
	for (; i < 40 && text[i]; i++)
		buf[i] = (unsigned char)text[i] < ' ' || text[i] == 127 ? '?' : text[i];
	buf[i] = 0;
	return buf;
}

static int read_word(reader *r, const char *column, const word *list, bool needed, int otherwise)
{
	char buf[41];
	const char *text = cell_of(r, column, needed);
	if (r->err != TARN_OK || !*text)
		return otherwise;
	for (const word *w = list; w->text != NULL; w++)
		if (strcasecmp(w->text, text) == 0)
			return w->value;
	tarn_str known = {0};
	for (const word *w = list; w->text != NULL; w++)
		tarn_str_addf(&known, "%s%s", w == list ? "" : " ", w->text);
	r->err = tarn_str_done(&known);
	if (r->err == TARN_OK)
		r->err = tarn_err_set(TARN_BAD_FILE, "%s:%zu: column '%s': unknown value '%s'; use one of: %s", r->c->path,
				      r->c->line[r->row + 1], column, shown(text, buf), known.at);
	tarn_str_fini(&known);
	return otherwise;
}

static int64_t read_int(reader *r, const char *column, bool needed, int64_t otherwise, int64_t most)
{
	char buf[41];
	const char *text = cell_of(r, column, needed);
	if (r->err != TARN_OK || !*text)
		return otherwise;
	int64_t v;
	if (tarn_str_to_i64(text, &v) && v >= 0 && v <= most)
		return v;
	r->err = tarn_err_set(TARN_BAD_FILE, "%s:%zu: column '%s': '%s' is not a whole number from 0 to %lld; correct it",
			      r->c->path, r->c->line[r->row + 1], column, shown(text, buf), (long long)most);
	return otherwise;
}

static bool read_bool(reader *r, const char *column)
{
	char buf[41];
	const char *text = cell_of(r, column, false);
	bool v = false;
	if (r->err == TARN_OK && *text && !tarn_str_to_bool(text, &v))
		r->err = tarn_err_set(TARN_BAD_FILE, "%s:%zu: column '%s': '%s' is neither true nor false; give 1 or 0",
				      r->c->path, r->c->line[r->row + 1], column, shown(text, buf));
	return v;
}

static double read_fraction(reader *r, const char *column)
{
	char buf[41];
	const char *text = cell_of(r, column, false);
	if (r->err != TARN_OK || !*text)
		return 0;
	double v;
	if (tarn_str_to_f64(text, &v) && v >= 0 && v <= 1)
		return v;
	r->err = tarn_err_set(TARN_BAD_FILE, "%s:%zu: column '%s': '%s' is not a fraction; give a number from 0 to 1",
			      r->c->path, r->c->line[r->row + 1], column, shown(text, buf));
	return 0;
}

static int32_t read_size(reader *r, const char *column, bool needed, int32_t otherwise)
{
	return (int32_t)read_int(r, column, needed, otherwise, 1 << 20);
}

static tarn_err read_workload(reader *r, tarn_dpu_workload *w)
{
	*w = tarn_dpu_workload_init((tarn_dpu_op)read_word(r, "op", ops, true, TARN_DPU_CONV));
	w->in = (tarn_dpu_type)read_word(r, "dtype_in", types, true, TARN_DPU_I8);
	w->wt = (tarn_dpu_type)read_word(r, "dtype_wt", types, false, w->in);
	w->out = (tarn_dpu_type)read_word(r, "dtype_out", types, false, w->in);
	w->in_w = read_size(r, "in_w", true, 1);
	w->in_h = read_size(r, "in_h", true, 1);
	w->in_c = read_size(r, "in_c", true, 1);
	w->out_w = read_size(r, "out_w", true, 1);
	w->out_h = read_size(r, "out_h", true, 1);
	w->out_c = read_size(r, "out_c", true, 1);
	w->kernel_w = read_size(r, "kw", true, 1);
	w->kernel_h = read_size(r, "kh", true, 1);
	w->stride_w = read_size(r, "sw", true, 1);
	w->stride_h = read_size(r, "sh", true, 1);
	w->pad_top = read_size(r, "pad_t", false, 0);
	w->pad_bottom = read_size(r, "pad_b", false, 0);
	w->pad_left = read_size(r, "pad_l", false, 0);
	w->pad_right = read_size(r, "pad_r", false, 0);
	w->mode = (tarn_dpu_mode)read_word(r, "mpe_mode", modes, false, TARN_DPU_BEST);
	w->output_write_tiles = read_size(r, "output_write_tiles", false, 1);
	w->act_sparse = read_bool(r, "act_sparsity_enabled");
	w->wt_sparse = read_bool(r, "wt_sparsity_enabled");
	w->act_zeros = read_fraction(r, "act_sparsity");
	w->wt_zeros = read_fraction(r, "wt_sparsity");
	return r->err;
}

static tarn_err predict_dpu(reader *r, tarn_str *out)
{
	const tarn_arch *arch = tarn_arch_find(read_word(r, "device", devices, true, 4000));
	tarn_dpu_workload w;
	TRY(read_workload(r, &w));
	tarn_err err = tarn_timing_dpu_check(arch, &w);
	if (err != TARN_OK) {
		tarn_str why = {0};
		tarn_str_add(&why, tarn_err_text());
		err = tarn_str_done(&why);
		if (err == TARN_OK)
			err = tarn_err_set(TARN_BAD_FILE, "%s:%zu: %s", r->c->path, r->c->line[r->row + 1], why.at);
		tarn_str_fini(&why);
		return err;
	}
	tarn_str_addf(out, "%lld\n", (long long)tarn_timing_dpu_cycles(arch, &w));
	return TARN_OK;
}

static tarn_err predict_dma(reader *r, tarn_str *out)
{
	const tarn_arch *arch = tarn_arch_find(read_word(r, "device", devices, true, 4000));
	tarn_dma_direction direction = (tarn_dma_direction)read_word(r, "direction", directions, true, TARN_DMA_DDR2CMX);
	int64_t bytes = read_int(r, "bytes", true, 0, (int64_t)1 << 40);
	if (r->err == TARN_OK)
		tarn_str_addf(out, "%.4f\n", tarn_timing_dma_us(arch, direction, (uint64_t)bytes));
	return r->err;
}

tarn_err predict(const csv *c, tarn_str *out)
{
	bool dpu = csv_find(c, "op") >= 0, dma = csv_find(c, "direction") >= 0;
	CHECK(dpu != dma, TARN_BAD_FILE,
	      "%s:1: neither a DPU nor a DMA file; give it a column 'op' or a column 'direction' (npu-timing help lists all)",
	      c->path);
	static const char *const needed[2][13] = {
		{"device", "direction", "bytes"},
		{"device", "op", "dtype_in", "in_w", "in_h", "in_c", "out_w", "out_h", "out_c", "kw", "kh", "sw", "sh"},
	};
	for (size_t i = 0; i < 13 && needed[dpu][i] != NULL; i++)
		CHECK(csv_find(c, needed[dpu][i]) >= 0, TARN_BAD_FILE, "%s:1: no column '%s'; it is needed to predict", c->path,
		      needed[dpu][i]);
	for (size_t row = 0; row < c->n_rows; row++) {
		reader r = {c, row, TARN_OK};
		TRY(dpu ? predict_dpu(&r, out) : predict_dma(&r, out));
	}
	return tarn_str_done(out);
}
