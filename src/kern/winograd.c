/* SPDX-License-Identifier: Apache-2.0 */
#include "kern/winograd.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "kern/f32.h"
#include "kern/panel.h"

#define POINTS 36
#define V_NEAR ((size_t)640 << 10) /* transformed inputs of a block should stay in the second-level cache */
#define MAX_TILES 48
#define PAD 16 /* floats between the planes of a scratch array, so that they do not fall on the same cache sets */

struct tarn_winograd_f32 {
	tarn_conv_spec spec;
	tarn_panels b; /* [36 * ic][oc], the point being the outer part of k */
	const tarn_f32_set *set;
	float *zero; /* [ic] */
};

/* One row of 3 weights at the six points: G, whose rows are (1, p, p^2) / N'(p). */
static void transform_weights_1d(const double *g, size_t step, double out[6])
{
	static const double point[4] = {0.70710678118654752440, -0.70710678118654752440, 1.41421356237309504880,
					-1.41421356237309504880};
	static const double norm[4] = {-1.5, -1.5, 6, 6}; /* 2 a^2 (a^2 - b^2) and 2 b^2 (b^2 - a^2) with a^2 = 1/2, b^2 = 2 */
	out[0] = g[0];
	for (int i = 0; i < 4; i++)
		out[1 + i] = (g[0] + point[i] * (g[step] + point[i] * g[2 * step])) / norm[i];
	out[5] = g[2 * step];
}

static void transform_weights(const float *w, double u[POINTS])
{
	double g[9], mid[3][6], row[18];
	for (int i = 0; i < 9; i++)
		g[i] = (double)w[i];
	for (int i = 0; i < 3; i++)
		transform_weights_1d(g + 3 * i, 1, mid[i]);
	memcpy(row, mid, sizeof row);
	for (int j = 0; j < 6; j++) {
		double col[6];
		transform_weights_1d(row + j, 6, col);
		for (int i = 0; i < 6; i++)
			u[6 * i + j] = col[i];
	}
}

bool tarn_winograd_f32_supports(const tarn_conv_spec *s)
{
	return s->kh == 3 && s->kw == 3 && s->stride_h == 1 && s->stride_w == 1 && s->dilation_h == 1 && s->dilation_w == 1 &&
	       s->groups == 1;
}

static size_t count_tiles(const tarn_conv_shape *h)
{
	return (size_t)h->n * (size_t)((h->oh + 3) / 4) * (size_t)((h->ow + 3) / 4);
}

bool tarn_winograd_f32_worth(const tarn_conv_spec *s, const tarn_conv_shape *h)
{
	size_t tiles = count_tiles(h), used = (size_t)h->n * (size_t)h->oh * (size_t)h->ow;
	return tarn_winograd_f32_supports(s) && s->ic >= 12 && tiles >= 12 && used * 2 >= tiles * 16;
}

tarn_err tarn_winograd_f32_open(const tarn_conv_spec *s, tarn_store *from, tarn_winograd_f32 **conv)
{
	CHECK(tarn_winograd_f32_supports(s), TARN_UNSUPPORTED,
	      "Winograd convolution is for 3x3 kernels of stride 1 without dilation or groups; use the direct form");
	CHECK(s->ic > 0 && s->oc > 0 && s->ic < 1 << 24, TARN_SHAPE, "a convolution needs channels");
	tarn_err err = TARN_OK;
	tarn_winograd_f32 *c = tarn_mem_zalloc(1, sizeof *c);
	if (!c)
		return tarn_err_nomem(sizeof *c);
	c->spec = *s;
	c->set = tarn_f32_set_get();
	TRY_GOTO(fail, tarn_panels_init(POINTS * (size_t)s->ic, (size_t)s->oc, from, &c->b));
	c->zero = tarn_mem_zalloc((size_t)s->ic, sizeof(float));
	CHECK_GOTO(fail, c->zero, TARN_NOMEM, "out of memory packing a convolution");
	*conv = c;
	return TARN_OK;
fail:
	tarn_winograd_f32_free(c);
	return err;
}

tarn_err tarn_winograd_f32_pack(const tarn_conv_spec *s, const float *weights, const float *bias, tarn_winograd_f32 **conv)
{
	tarn_winograd_f32 *c;
	TRY(tarn_winograd_f32_open(s, NULL, &c));
	size_t ic = (size_t)s->ic, oc = (size_t)s->oc;
	float *columns = tarn_mem_zalloc(POINTS * ic, TARN_TILE_COLS * sizeof(float));
	if (!columns) {
		tarn_winograd_f32_free(c);
		return tarn_err_nomem(POINTS * ic * TARN_TILE_COLS * sizeof(float));
	}
	for (int p = 0; p < c->b.count; p++) {
		float *at;
		size_t col, cols = tarn_panel_cols(&c->b, p, &col, &at);
		for (size_t i = 0; i < cols * ic; i++) {
			double u[POINTS];
			transform_weights(weights + (col * ic + i) * 9, u);
			float *dst = columns + i / ic * POINTS * ic + i % ic;
			for (size_t k = 0; k < POINTS; k++)
				dst[k * ic] = (float)u[k];
		}
		tarn_panels_set_columns(&c->b, p, columns, POINTS * ic);
	}
	if (bias)
		memcpy(c->b.bias, bias, oc * sizeof(float));
	tarn_mem_free(columns);
	*conv = c;
	return TARN_OK;
}

void tarn_winograd_f32_save(const tarn_winograd_f32 *conv, tarn_str *out)
{
	tarn_panels_save(&conv->b, out);
}

void tarn_winograd_f32_free(tarn_winograd_f32 *conv)
{
	if (!conv)
		return;
	tarn_panels_fini(&conv->b);
	tarn_mem_free(conv->zero);
	tarn_mem_free(conv);
}

/* How the tiles of a shape are cut into blocks, and where the scratch arrays are. */
typedef struct blocks {
	size_t tiles, count, most;     /* most: tiles of the largest block */
	size_t v_step, m_step, m_cols; /* floats between points; columns of a product */
	int across, down;              /* tiles in a row, rows of tiles in an image */
} blocks;

static blocks cut(const tarn_winograd_f32 *conv, const tarn_conv_shape *h)
{
	blocks b = {.tiles = count_tiles(h), .across = (h->ow + 3) / 4, .down = (h->oh + 3) / 4};
	size_t ic = (size_t)conv->spec.ic, fit = V_NEAR / (POINTS * ic * sizeof(float));
	fit = fit < (size_t)conv->b.max_rows ? (size_t)conv->b.max_rows : fit > MAX_TILES ? MAX_TILES : fit;
	b.count = (b.tiles + fit - 1) / fit;
	b.most = b.count ? (b.tiles + b.count - 1) / b.count : 0;
	b.v_step = b.most * ic + PAD;
	b.m_cols = (size_t)conv->b.set->lanes * (size_t)conv->b.set->max_nv;
	b.m_step = b.most * b.m_cols + PAD;
	return b;
}

int tarn_winograd_f32_tasks(const tarn_winograd_f32 *conv, const tarn_conv_shape *shape)
{
	return (int)cut(conv, shape).count * conv->b.count;
}

size_t tarn_winograd_f32_scratch(const tarn_winograd_f32 *conv, const tarn_conv_shape *shape)
{
	blocks b = cut(conv, shape);
	return POINTS * (b.v_step + b.m_step) * sizeof(float);
}

/* Transformed inputs of tiles [t0, t1): v [36][tile][ic]. */
static void transform_inputs(const tarn_winograd_f32 *conv, const tarn_winograd_f32_args *args, const blocks *b,
			     size_t in_stride, size_t t0, size_t t1, float *v)
{
	const tarn_conv_shape *h = &args->shape;
	tarn_winograd_in t = {.channels = (size_t)conv->spec.ic, .v = v, .v_step = b->v_step};
	for (size_t i = t0; i < t1; i++, t.v += conv->spec.ic) {
		int x0 = (int)(i % (size_t)b->across) * 4 - h->pad_left,
		    y0 = (int)(i / (size_t)b->across % (size_t)b->down) * 4 - h->pad_top;
		const float *image =
			args->in + i / (size_t)b->across / (size_t)b->down * (size_t)h->ih * (size_t)h->iw * in_stride;
		for (int p = 0; p < POINTS; p++) {
			int y = y0 + p / 6, x = x0 + p % 6;
			t.pixel[p] = y < 0 || x < 0 || y >= h->ih || x >= h->iw
					     ? conv->zero
					     : image + ((size_t)y * (size_t)h->iw + (size_t)x) * in_stride;
		}
		conv->set->winograd_in(&t);
	}
}

/* The 36 products of `tiles` tiles with panel p: m [36][tile][m_cols]. */
static void multiply(const tarn_winograd_f32 *conv, const blocks *b, int p, size_t tiles, const float *v, float *m)
{
	static const float zeros[TARN_TILE_COLS];
	const tarn_tile_set *set = conv->b.set;
	int first, nv = tarn_panel_nv(&conv->b, p, &first);
	size_t ic = (size_t)conv->spec.ic, width = (size_t)nv * (size_t)set->lanes, max_rows = (size_t)set->max_rows[nv - 1];
	tarn_grid g = {.m = tiles, .tiles = (tiles + max_rows - 1) / max_rows};
	tarn_tile t = {.taps = 1, .depth = ic, .start = zeros, .ldc = b->m_cols, .cols = (int)width};
	t.w = conv->b.w + (size_t)first * (size_t)set->lanes * conv->b.k;
	for (size_t point = 0; point < POINTS; point++, t.w += ic * width, v += b->v_step, m += b->m_step) {
		for (size_t i = 0; i < g.tiles; i++) {
			const float *row[TARN_TILE_ROWS];
			size_t r0 = tarn_tile_row(&g, i), rows = tarn_tile_row(&g, i + 1) - r0;
			for (size_t r = 0; r < rows; r++)
				row[r] = v + (r0 + r) * ic;
			t.a = row;
			t.c = m + r0 * b->m_cols;
			set->fn[nv - 1][rows - 1](&t);
		}
	}
}

/* The activation that the transform does not do itself. */
static void second_pass(const tarn_winograd_f32 *conv, const tarn_epilogue *e, const tarn_winograd_out *t, const float *res)
{
	for (int y = 0; y < t->rows; y++) {
		for (int x = 0; x < t->cols; x++) {
			float *out = t->out + (size_t)y * t->row_step + (size_t)x * t->pixel_step;
			conv->set->unary(e->act, e->alpha, e->beta, out, out, (size_t)t->channels);
			if (res)
				conv->set->binary_vv(TARN_BINARY_ADD, out,
						     res + (size_t)y * t->res_row_step + (size_t)x * t->res_pixel_step, out,
						     (size_t)t->channels);
		}
	}
}

/* Outputs of tiles [t0, t1), channels of panel p. */
static void transform_outputs(const tarn_winograd_f32 *conv, const tarn_winograd_f32_args *args, const blocks *b, int p,
			      size_t t0, size_t t1, const float *m)
{
	const tarn_conv_shape *h = &args->shape;
	const tarn_epilogue *e = &args->epilogue;
	size_t oc = (size_t)conv->spec.oc, pixel = h->out_stride ? h->out_stride : oc,
	       res_pixel = h->residual_stride ? h->residual_stride : oc;
	int first, nv = tarn_panel_nv(&conv->b, p, &first), lanes = conv->b.set->lanes, col = first * lanes;
	bool after = args->residual && e->residual_after && e->act != TARN_UNARY_IDENTITY, relu = e->act == TARN_UNARY_RELU;
	bool simple = (e->act == TARN_UNARY_IDENTITY || relu || e->act == TARN_UNARY_CLAMP) && !after;
	tarn_winograd_out t = {.m = m,
			       .m_step = b->m_step,
			       .bias = conv->b.bias + col,
			       .row_step = pixel * (size_t)h->ow,
			       .pixel_step = pixel,
			       .res_row_step = res_pixel * (size_t)h->ow,
			       .res_pixel_step = res_pixel,
			       .lo = -INFINITY,
			       .hi = INFINITY};
	t.channels = conv->spec.oc - col < nv * lanes ? conv->spec.oc - col : nv * lanes;
	if (simple && e->act != TARN_UNARY_IDENTITY) {
		t.lo = relu ? 0.0f : e->alpha;
		t.hi = relu ? INFINITY : e->beta;
	}
	for (size_t i = t0; i < t1; i++, t.m += b->m_cols) {
		int x = (int)(i % (size_t)b->across) * 4, y = (int)(i / (size_t)b->across % (size_t)b->down) * 4;
		size_t n = i / (size_t)b->across / (size_t)b->down,
		       at = (n * (size_t)h->oh + (size_t)y) * (size_t)h->ow + (size_t)x;
		const float *res = args->residual ? args->residual + at * res_pixel + col : NULL;
		t.rows = h->oh - y < 4 ? h->oh - y : 4;
		t.cols = h->ow - x < 4 ? h->ow - x : 4;
		t.out = args->out + at * pixel + col;
		t.res = after ? NULL : res;
		conv->set->winograd_out(&t);
		if (!simple)
			second_pass(conv, e, &t, after ? res : NULL);
	}
}

void tarn_winograd_f32_run(const tarn_winograd_f32 *conv, const tarn_winograd_f32_args *args, int begin, int end, void *scratch)
{
	blocks b = cut(conv, &args->shape);
	float *v = scratch, *m = v + POINTS * b.v_step;
	size_t in_stride = args->shape.in_stride ? args->shape.in_stride : (size_t)conv->spec.ic;
	int ready = -1; /* the block whose inputs are transformed */
	for (int task = begin; task < end; task++) {
		int block = task / conv->b.count, panel = task % conv->b.count;
		size_t t0 = b.tiles * (size_t)block / b.count, t1 = b.tiles * (size_t)(block + 1) / b.count;
		if (ready != block)
			transform_inputs(conv, args, &b, in_stride, t0, t1, v);
		ready = block;
		multiply(conv, &b, panel, t1 - t0, v, m);
		transform_outputs(conv, args, &b, panel, t0, t1, m);
	}
}
