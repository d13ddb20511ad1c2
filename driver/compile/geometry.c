/* SPDX-License-Identifier: Apache-2.0 */
/* What a layer looks like to the array: convolutions as they are, products as 1x1 convolutions, elementwise as blocks. */
#include <string.h>

#include "driver/compile/plan.h"
#include "ir/op.h"
#include "ops/window.h"

static int64_t count(const tarn_value *v)
{
	int64_t n = 1;
	for (int i = 0; i < v->shape.rank; i++)
		n *= v->shape.dim[i];
	return n;
}

uint64_t tarn_npu_value_bytes(const tarn_value *v, bool wide)
{
	uint64_t bits = (uint64_t)tarn_dtype_info(v->type)->bits;
	if (tarn_dtype_is_float(v->type))
		bits = wide ? 32 : 16;
	return ((uint64_t)count(v) * bits + 7) / 8;
}

static bool is_codes(const tarn_value *v)
{
	return v && (v->type == TARN_U8 || v->type == TARN_I8);
}

/* Element types: 8 bits where the layer computes with codes. */
static void types(const npu_layer *l, npu_geometry *g)
{
	tarn_dpu_workload *w = &g->whole;
	bool eltwise = w->op == TARN_DPU_ELTWISE || w->op == TARN_DPU_MAXPOOL || w->op == TARN_DPU_AVEPOOL;
	bool codes = l->integer;
	if (eltwise) {
		codes = is_codes(tarn_npu_layer_in(l, 0));
		for (int i = 1; i < l->main->n_in && i < 2 && w->op == TARN_DPU_ELTWISE; i++)
			codes &= !l->main->in[i] || l->main->in[i]->konst || is_codes(tarn_npu_layer_in(l, i));
	}
	w->in = w->wt = codes ? TARN_DPU_I8 : TARN_DPU_F16;
	w->out = is_codes(tarn_npu_layer_out(l, 0)) ? TARN_DPU_I8 : TARN_DPU_F16;
}

/* Pixels of a product's rows: blocks of four rows keep the array's grid full. */
static void pixels(int64_t m, tarn_dpu_workload *w)
{
	int32_t across = m >= 64 ? 16 : m >= 4 ? 4 : (int32_t)m;
	w->in_w = w->out_w = across < 1 ? 1 : across;
	w->in_h = w->out_h = (int32_t)((m + w->out_w - 1) / w->out_w);
	if (w->in_h < 1)
		w->in_h = w->out_h = 1;
}

static void window_sizes(const tarn_shape *x, const tarn_shape *y, const tarn_window *win, tarn_dpu_workload *w)
{
	int last = x->rank - 3;
	bool two = x->rank == 4;
	w->in_w = (int32_t)x->dim[2 + last];
	w->in_h = two ? (int32_t)x->dim[2] : 1;
	w->out_w = (int32_t)y->dim[2 + last];
	w->out_h = two ? (int32_t)y->dim[2] : 1;
	w->in_c = (int32_t)x->dim[1];
	w->out_c = (int32_t)y->dim[1];
	w->kernel_w = (int32_t)win->kernel[last];
	w->kernel_h = two ? (int32_t)win->kernel[0] : 1;
	w->stride_w = (int32_t)win->stride[last];
	w->stride_h = two ? (int32_t)win->stride[0] : 1;
	w->pad_left = (int32_t)win->begin[last];
	w->pad_right = (int32_t)win->end[last];
	w->pad_top = two ? (int32_t)win->begin[0] : 0;
	w->pad_bottom = two ? (int32_t)win->end[0] : 0;
	/* Negative padding crops: the array then reads a window of the input. */
	int32_t *pad[] = {&w->pad_left, &w->pad_right, &w->pad_top, &w->pad_bottom};
	for (int i = 0; i < 4; i++)
		*pad[i] = *pad[i] < 0 ? 0 : *pad[i];
}

/* Kernels and strides the array does not slide: DMA lays the taps out as channels, and a 1x1 convolution remains. */
static void spread_taps(const tarn_arch *arch, npu_geometry *g)
{
	tarn_dpu_workload *w = &g->whole;
	if (w->kernel_w <= arch->kernel_max && w->kernel_h <= arch->kernel_max && w->stride_w <= arch->stride_max &&
	    w->stride_h <= arch->stride_max && w->pad_top <= arch->kernel_max && w->pad_left <= arch->kernel_max &&
	    w->pad_bottom <= arch->kernel_max && w->pad_right <= arch->kernel_max)
		return;
	if (w->op != TARN_DPU_CONV && w->op != TARN_DPU_CM_CONV) {
		g->on_dpu = false;
		return;
	}
	int64_t depth = (int64_t)w->in_c * w->kernel_h * w->kernel_w;
	if (depth > 1 << 20) {
		g->on_dpu = false;
		return;
	}
	w->op = TARN_DPU_CONV;
	w->in_c = (int32_t)depth;
	w->in_w = w->out_w;
	w->in_h = w->out_h;
	w->kernel_w = w->kernel_h = w->stride_w = w->stride_h = 1;
	w->pad_top = w->pad_bottom = w->pad_left = w->pad_right = 0;
	g->copy_bytes = (uint64_t)w->out_w * (uint64_t)w->out_h * (uint64_t)depth * (w->in == TARN_DPU_I8 ? 1 : 2) *
			(uint64_t)g->repeat;
}

static void convolution(const tarn_arch *arch, const npu_layer *l, npu_geometry *g)
{
	const tarn_node *n = l->main;
	const tarn_shape *x = &n->in[0]->shape, *y = &n->out[0]->shape, *k = &n->in[1]->shape;
	tarn_window win;
	g->on_dpu = (x->rank == 3 || x->rank == 4) && tarn_window_read(n, x->rank - 2, k->dim + 2, &win) == TARN_OK;
	if (!g->on_dpu)
		return;
	tarn_window_resolve(&win, x->dim + 2, y->dim + 2);
	tarn_dpu_workload *w = &g->whole;
	int64_t groups = tarn_attr_i(n, tarn_attr_index(n->op, "group"));
	bool transposed = tarn_npu_is(n, "ConvTranspose");
	*w = tarn_dpu_workload_init(TARN_DPU_CONV);
	window_sizes(x, y, &win, w);
	g->repeat = (int)x->dim[0];
	if (transposed) { /* zeros between the input's pixels are addressed, not stored; the array steps over them */
		w->in_w = w->out_w;
		w->in_h = w->out_h;
		w->stride_w = w->stride_h = 1;
		w->pad_left = w->pad_right = (w->kernel_w - 1) / 2;
		w->pad_top = w->pad_bottom = (w->kernel_h - 1) / 2;
	}
	if (groups > 1 && groups == w->in_c && groups == w->out_c && !transposed) {
		w->op = TARN_DPU_DW_CONV;
	} else if (groups > 1) {
		g->repeat *= (int)groups;
		w->in_c /= (int32_t)groups;
		w->out_c /= (int32_t)groups;
	}
	if (w->op == TARN_DPU_CONV && w->in_c < 16)
		w->op = TARN_DPU_CM_CONV;
	types(l, g);
	spread_taps(arch, g);
}

static void product(const npu_layer *l, npu_geometry *g)
{
	const tarn_node *n = l->main;
	const tarn_shape *a = &n->in[0]->shape, *y = &n->out[0]->shape;
	bool gemm = tarn_npu_is(n, "Gemm");
	int64_t k = a->rank ? a->dim[gemm && tarn_attr_i(n, tarn_attr_index(n->op, "transA")) ? 0 : a->rank - 1] : 1;
	bool constant = n->in[1]->konst || l->integer;
	int64_t cols = n->in[1]->shape.rank >= 2 && y->rank ? y->dim[y->rank - 1] : 1;
	int64_t total = count(n->out[0]), rows = cols ? total / cols : 0, repeat = 1;
	if (!constant && y->rank > 2 && y->dim[y->rank - 2] > 0) {
		repeat = rows / y->dim[y->rank - 2];
		rows = y->dim[y->rank - 2];
	}
	g->on_dpu = k >= 1 && k <= 1 << 20 && cols >= 1 && cols <= 1 << 20 && rows >= 1 && rows <= 1 << 24 && repeat < 1 << 20;
	if (!g->on_dpu)
		return;
	g->whole = tarn_dpu_workload_init(TARN_DPU_CONV);
	pixels(rows, &g->whole);
	g->whole.in_c = (int32_t)k;
	g->whole.out_c = (int32_t)cols;
	g->repeat = (int)repeat;
	types(l, g);
}

static void pooling(const tarn_arch *arch, const npu_layer *l, npu_geometry *g)
{
	const tarn_node *n = l->main;
	const tarn_shape *x = &n->in[0]->shape, *y = &n->out[0]->shape;
	tarn_window win = {.kernel = {1, 1, 1}, .stride = {1, 1, 1}, .dilation = {1, 1, 1}};
	g->on_dpu = x->rank == 3 || x->rank == 4;
	if (!g->on_dpu)
		return;
	if (!strncmp(n->op->name, "Global", 6)) {
		memcpy(win.kernel, x->dim + 2, (size_t)(x->rank - 2) * sizeof *win.kernel);
	} else {
		g->on_dpu = tarn_window_read(n, x->rank - 2, NULL, &win) == TARN_OK;
		if (!g->on_dpu)
			return;
		tarn_window_resolve(&win, x->dim + 2, y->dim + 2);
	}
	g->whole = tarn_dpu_workload_init(strstr(n->op->name, "Average") ? TARN_DPU_AVEPOOL : TARN_DPU_MAXPOOL);
	window_sizes(x, y, &win, &g->whole);
	g->repeat = (int)x->dim[0];
	types(l, g);
	spread_taps(arch, g);
}

static void elementwise(const npu_layer *l, npu_geometry *g)
{
	const tarn_node *n = l->main;
	const tarn_value *y = n->out[0];
	bool binary = tarn_npu_is(n, "Add") || tarn_npu_is(n, "Sub");
	/* Broadcast operands and constants go to the SHAVEs. */
	for (int i = 0; binary && i < 2; i++)
		if (n->in[i]->konst || !tarn_shape_same(&n->in[i]->shape, &y->shape))
			return;
	const tarn_shape *s = &y->shape;
	int64_t channels = s->rank >= 3 ? s->dim[1] : s->rank ? s->dim[s->rank - 1] : 1, all = count(y);
	if (channels < 1 || channels > 1 << 20 || all < 1 || all > (int64_t)1 << 32)
		return;
	g->on_dpu = true;
	g->repeat = 1;
	g->whole = tarn_dpu_workload_init(TARN_DPU_ELTWISE);
	if (s->rank == 4) {
		g->whole.in_w = g->whole.out_w = (int32_t)s->dim[3];
		g->whole.in_h = g->whole.out_h = (int32_t)(s->dim[2] * s->dim[0]);
	} else {
		pixels(all / channels, &g->whole);
	}
	g->whole.in_c = g->whole.out_c = (int32_t)channels;
	types(l, g);
}

/* A product of pairs (h + l)(u + v) is h u + l u + h v: an array three times as deep, or three passes where channels stay apart
 * and SHAVEs add up; two where one operand is FP16. What l v would add lies below 2^-22. SHAVEs write pairs; what the array
 * writes in FP32, or the caller, they make into pairs first. Where the array cannot write FP32, a second pass whose sum begins
 * at minus the rounded result gives the low half. */
static void widen(const tarn_arch *arch, const npu_layer *l, npu_geometry *g)
{
	tarn_dpu_workload *w = &g->whole;
	if (w->op == TARN_DPU_ELTWISE || w->op == TARN_DPU_MAXPOOL || w->op == TARN_DPU_AVEPOOL) {
		g->on_dpu = !l->pairs && arch->fp32_output;
		w->out = TARN_DPU_F32;
		return;
	}
	int split = l->pairs & ~l->by_shave & ~(arch->fp32_output ? 0 : l->by_array);
	int passes = 1 + (l->pairs & 1) + (l->pairs >> 1);
	if (w->op == TARN_DPU_DW_CONV) {
		g->repeat *= passes;
		g->added = (uint64_t)(passes - 1) * (uint64_t)count(l->main->out[0]);
	} else {
		w->in_c *= passes;
		if (w->op == TARN_DPU_CM_CONV && w->in_c >= 16)
			w->op = TARN_DPU_CONV;
	}
	g->copy_bytes *= l->pairs & 1 ? 2 : 1;
	if (!l->wide_out) {
		w->out = TARN_DPU_F16;
	} else if (arch->fp32_output) {
		w->out = TARN_DPU_F32;
	} else {
		if (w->op != TARN_DPU_DW_CONV)
			w->in_c += (w->out_c + 1) / 2; /* only the second pass has the result as input, too */
		g->repeat *= 2;
	}
	for (int i = 0; i < l->main->n_in && i < 2; i++)
		if (split >> i & 1 && !l->main->in[i]->konst)
			g->halved += (uint64_t)count(l->main->in[i]);
}

static uint64_t constants(const npu_layer *l, const npu_geometry *g)
{
	uint64_t bytes = 0;
	for (int i = 1; i < l->main->n_in; i++) {
		const tarn_value *v = l->main->in[i];
		if (!v)
			continue;
		if (v->konst)
			bytes += tarn_npu_value_bytes(v, i == 1 && l->engine == NPU_DPU ? l->pairs >> 1 : l->wide);
		else if (l->integer && tarn_npu_is(v->def, "DequantizeLinear") && v->def->in[0]->konst)
			bytes += tarn_npu_value_bytes(v->def->in[0], false);
	}
	/* The weights table: four words for each output channel. */
	if (bytes && g->on_dpu && g->whole.op != TARN_DPU_ELTWISE)
		bytes += (uint64_t)g->whole.out_c * 16;
	return bytes;
}

void tarn_npu_geometry(const tarn_arch *arch, const npu_layer *l, npu_geometry *g)
{
	const tarn_node *n = l->main;
	*g = (npu_geometry){.repeat = 1};
	if (l->engine == NPU_DPU) {
		if (tarn_npu_is(n, "Conv") || tarn_npu_is(n, "ConvTranspose"))
			convolution(arch, l, g);
		else if (tarn_npu_is(n, "MatMul") || tarn_npu_is(n, "Gemm"))
			product(l, g);
		else if (strstr(n->op->name, "Pool"))
			pooling(arch, l, g);
		else
			elementwise(l, g);
	}
	if (g->on_dpu && l->wide)
		widen(arch, l, g);
	if (g->on_dpu && tarn_timing_dpu_check(arch, &g->whole) != TARN_OK)
		g->on_dpu = false;
	tarn_cost c;
	if (n->op->cost && n->op->cost(n, &c) == TARN_OK)
		g->macs = c.macs;
	g->weight_bytes = constants(l, g);
	for (int i = 0; i < n->n_in; i++) {
		const tarn_value *v = n->in[i] ? tarn_npu_layer_in(l, i) : NULL;
		if (v && !v->konst && !(l->integer && i > 0))
			g->in_bytes += tarn_npu_value_bytes(v, i == 1 && l->engine == NPU_DPU ? l->pairs >> 1 : l->wide);
	}
	for (int i = 0; i < n->n_out; i++)
		if (n->out[i])
			g->out_bytes += tarn_npu_value_bytes(tarn_npu_layer_out(l, i), l->wide_out);
}
