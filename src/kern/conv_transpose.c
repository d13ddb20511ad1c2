/* SPDX-License-Identifier: Apache-2.0 */
#include "kern/conv_transpose.h"

#include "base/mem.h"
#include "kern/conv_panels.h"

#define TABLE 4096 /* tap pointers, on the stack */
#define MAX_TAPS (TABLE / TARN_TILE_ROWS)

struct tarn_conv_transpose_f32 {
	tarn_conv_spec spec;
	tarn_panels *group; /* [groups] */
	float *zero;        /* [ic / groups] */
};

tarn_err tarn_conv_transpose_f32_open(const tarn_conv_spec *s, tarn_store *from, tarn_conv_transpose_f32 **conv)
{
	CHECK(s->ic > 0 && s->oc > 0 && s->groups > 0 && s->ic % s->groups == 0 && s->oc % s->groups == 0, TARN_SHAPE,
	      "transposed convolution with %d input and %d output channels cannot have %d groups", s->ic, s->oc, s->groups);
	CHECK(s->kh > 0 && s->kw > 0 && s->stride_h > 0 && s->stride_w > 0 && s->dilation_h > 0 && s->dilation_w > 0,
	      TARN_SHAPE, "kernel size, stride and dilation of a transposed convolution must be positive");
	CHECK((long long)s->kh * s->kw <= MAX_TAPS, TARN_UNSUPPORTED,
	      "transposed convolution with a %d x %d kernel: at most %d taps are supported", s->kh, s->kw, MAX_TAPS);
	tarn_err err = TARN_OK;
	tarn_conv_transpose_f32 *c = tarn_mem_zalloc(1, sizeof *c);
	if (!c)
		return tarn_err_nomem(sizeof *c);
	c->spec = *s;
	TRY_GOTO(fail, tarn_conv_panels_new(s, from, &c->group));
	c->zero = tarn_mem_zalloc((size_t)(s->ic / s->groups), sizeof(float));
	CHECK_GOTO(fail, c->zero, TARN_NOMEM, "out of memory packing a transposed convolution");
	*conv = c;
	return TARN_OK;
fail:
	tarn_conv_transpose_f32_free(c);
	return err;
}

tarn_err tarn_conv_transpose_f32_pack(const tarn_conv_spec *s, const float *weights, const float *bias,
				      tarn_conv_transpose_f32 **conv)
{
	tarn_conv_transpose_f32 *c = NULL;
	TRY(tarn_conv_transpose_f32_open(s, NULL, &c));
	size_t taps = (size_t)s->kh * (size_t)s->kw, ocg = (size_t)(s->oc / s->groups);
	tarn_err err = tarn_conv_panels_fill(s, weights, taps, ocg * taps, bias, c->group);
	if (err != TARN_OK) {
		tarn_conv_transpose_f32_free(c);
		return err;
	}
	*conv = c;
	return TARN_OK;
}

void tarn_conv_transpose_f32_save(const tarn_conv_transpose_f32 *conv, tarn_str *out)
{
	tarn_conv_panels_save(&conv->spec, conv->group, out);
}

void tarn_conv_transpose_f32_free(tarn_conv_transpose_f32 *conv)
{
	if (!conv)
		return;
	tarn_conv_panels_free(&conv->spec, conv->group);
	tarn_mem_free(conv->zero);
	tarn_mem_free(conv);
}

int tarn_conv_transpose_f32_tasks(const tarn_conv_transpose_f32 *conv, const tarn_conv_shape *shape)
{
	return shape->ow ? shape->n * shape->oh * conv->spec.groups * conv->group->count : 0;
}

/* The input position that tap k brings to output o, or -1. */
static long long source(int o, int pad, int k, int stride, int dilation, int size)
{
	long long at = (long long)o + pad - (long long)k * dilation;
	return at < 0 || at % stride || at / stride >= size ? -1 : at / stride;
}

/* Pointers for the outputs ox, ox + stride, ... of the grid's rows: [tile][tap][row of the tile]. */
static void fill(const tarn_conv_transpose_f32 *conv, const tarn_conv_shape *h, const float *image, int oy, int ox,
		 const tarn_grid *g, const float **table)
{
	const tarn_conv_spec *s = &conv->spec;
	for (size_t t = 0; t < g->tiles; t++) {
		int rows = (int)(tarn_tile_row(g, t + 1) - tarn_tile_row(g, t));
		for (int ky = 0; ky < s->kh; ky++) {
			long long y = source(oy, h->pad_top, ky, s->stride_h, s->dilation_h, h->ih);
			for (int kx = 0; kx < s->kw; kx++, table += rows) {
				for (int r = 0; r < rows; r++) {
					long long x = source(ox + r * s->stride_w, h->pad_left, kx, s->stride_w, s->dilation_w,
							     h->iw);
					table[r] = x < 0 || y < 0
							   ? conv->zero
							   : image + ((size_t)y * (size_t)h->iw + (size_t)x) * h->in_stride;
				}
			}
		}
		ox += rows * s->stride_w;
	}
}

void tarn_conv_transpose_f32_run(const tarn_conv_transpose_f32 *conv, const tarn_conv_transpose_f32_args *args, int begin,
				 int end)
{
	const float *table[TABLE];
	const tarn_conv_spec *s = &conv->spec;
	tarn_conv_shape h = args->shape;
	h.in_stride = h.in_stride ? h.in_stride : (size_t)s->ic;
	h.out_stride = h.out_stride ? h.out_stride : (size_t)s->oc;
	h.residual_stride = h.residual_stride ? h.residual_stride : (size_t)s->oc;
	int per_group = conv->group->count, panels = per_group * s->groups, rows = h.n * h.oh;
	size_t icg = (size_t)(s->ic / s->groups), ocg = (size_t)(s->oc / s->groups), taps = (size_t)s->kh * (size_t)s->kw;
	size_t stride = (size_t)s->stride_w, most = TABLE / taps;
	tarn_panel_job job = {.epilogue = &args->epilogue,
			      .a = table,
			      .taps = taps,
			      .depth = icg,
			      .zero = conv->zero,
			      .ldc = stride * h.out_stride,
			      .ldr = stride * h.residual_stride};
	for (int task = begin; task < end; task++) {
		int panel = task / rows, row = task % rows, group = panel / per_group,
		    oy = row % h.oh; /* panels outside: weights stay near */
		const float *image =
			args->in + (size_t)(row / h.oh) * (size_t)h.ih * (size_t)h.iw * h.in_stride + (size_t)group * icg;
		job.b = &conv->group[group];
		for (int phase = 0; phase < s->stride_w && phase < h.ow; phase++) {
			size_t count = ((size_t)(h.ow - phase) + stride - 1) / stride;
			for (size_t first = 0; first < count; first += most) {
				size_t m = count - first < most ? count - first : most, max_rows = (size_t)job.b->max_rows;
				tarn_grid g = {.m = m, .tiles = (m + max_rows - 1) / max_rows, .blocks = 1, .panels = panels};
				size_t ox = (size_t)phase + first * stride, pixel = (size_t)row * (size_t)h.ow + ox;
				fill(conv, &h, image, oy, (int)ox, &g, table);
				job.c = args->out + pixel * h.out_stride + (size_t)group * ocg;
				job.res = args->residual ? args->residual + pixel * h.residual_stride + (size_t)group * ocg
							 : NULL;
				tarn_panel_run(&job, &g, 0, g.tiles, panel % per_group);
			}
		}
	}
}
