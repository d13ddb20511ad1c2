/* SPDX-License-Identifier: Apache-2.0 */
#include "kern/conv.h"

#include <string.h>

#include "base/mem.h"
#include "kern/conv_panels.h"

#define TABLE 4096        /* tap pointers of a block of rows, on the stack */
#define WINDOWS 8192      /* floats of copied border windows, on the stack */
#define FOLD_MAX_DEPTH 96 /* kw * ic up to which a row of taps is read as one run */

struct tarn_conv_f32 {
	tarn_conv_spec spec;
	tarn_panels *group; /* [groups] */
};

struct tarn_conv_f32_plan {
	const tarn_conv_f32 *conv;
	tarn_conv_spec spec;
	tarn_conv_shape shape;
	tarn_epilogue epilogue;
	tarn_grid grid;
	bool pointwise;     /* 1x1, stride 1, no padding: pixel i of the output reads pixel i of the input */
	bool fold;          /* taps of a kernel row are contiguous in the input: one tap of kw * ic floats */
	size_t taps, depth; /* as the tiles see them */
	ptrdiff_t *row;     /* [oh][kh] offset of the input row a tap reads, or -1 */
	ptrdiff_t
		*col; /* [kw][ow] offset of the pixel in its row, or -1; with fold [ow] offset of the first, or -1 at borders */
	int inside;   /* with fold: columns from here on may leave the image to the right */
	float *zero;  /* [depth] */
};

static tarn_err check_spec(const tarn_conv_spec *s)
{
	CHECK(s->ic > 0 && s->oc > 0 && s->groups > 0 && s->ic % s->groups == 0 && s->oc % s->groups == 0, TARN_SHAPE,
	      "convolution with %d input and %d output channels cannot have %d groups", s->ic, s->oc, s->groups);
	CHECK(s->kh > 0 && s->kw > 0 && s->stride_h > 0 && s->stride_w > 0 && s->dilation_h > 0 && s->dilation_w > 0,
	      TARN_SHAPE, "kernel size, stride and dilation of a convolution must be positive");
	CHECK((long long)s->kh * s->kw <= 1 << 20, TARN_SHAPE, "a %d x %d kernel is too large", s->kh, s->kw);
	return TARN_OK;
}

tarn_err tarn_conv_f32_open(const tarn_conv_spec *spec, tarn_store *from, tarn_conv_f32 **conv)
{
	TRY(check_spec(spec));
	tarn_conv_f32 *c = tarn_mem_zalloc(1, sizeof *c);
	if (!c)
		return tarn_err_nomem(sizeof *c);
	c->spec = *spec;
	tarn_err err = tarn_conv_panels_new(spec, from, &c->group);
	if (err != TARN_OK) {
		tarn_conv_f32_free(c);
		return err;
	}
	*conv = c;
	return TARN_OK;
}

tarn_err tarn_conv_f32_pack(const tarn_conv_spec *spec, const float *weights, const float *bias, tarn_conv_f32 **conv)
{
	tarn_conv_f32 *c = NULL;
	TRY(tarn_conv_f32_open(spec, NULL, &c));
	size_t taps = (size_t)spec->kh * (size_t)spec->kw, icg = (size_t)(spec->ic / spec->groups);
	tarn_err err = tarn_conv_panels_fill(spec, weights, icg * taps, taps, bias, c->group);
	if (err != TARN_OK) {
		tarn_conv_f32_free(c);
		return err;
	}
	*conv = c;
	return TARN_OK;
}

void tarn_conv_f32_save(const tarn_conv_f32 *conv, tarn_str *out)
{
	tarn_conv_panels_save(&conv->spec, conv->group, out);
}

void tarn_conv_f32_free(tarn_conv_f32 *conv)
{
	if (!conv)
		return;
	tarn_conv_panels_free(&conv->spec, conv->group);
	tarn_mem_free(conv);
}

static void fill_axes(tarn_conv_f32_plan *p)
{
	const tarn_conv_spec *s = &p->spec;
	const tarn_conv_shape *h = &p->shape;
	ptrdiff_t pixel = (ptrdiff_t)h->in_stride;
	for (int o = 0; o < h->oh; o++)
		for (int k = 0; k < s->kh; k++) {
			long long y = (long long)o * s->stride_h - h->pad_top + (long long)k * s->dilation_h;
			p->row[(size_t)o * (size_t)s->kh + (size_t)k] = y < 0 || y >= h->ih ? -1 : (ptrdiff_t)y * h->iw * pixel;
		}
	for (int o = 0; o < h->ow; o++) {
		long long first = (long long)o * s->stride_w - h->pad_left;
		if (p->fold) {
			p->col[o] = first < 0 || first + s->kw > h->iw ? -1 : (ptrdiff_t)first * pixel;
			p->inside = p->col[o] < 0 ? p->inside : o + 1;
			continue;
		}
		for (int k = 0; k < s->kw; k++) {
			long long x = first + (long long)k * s->dilation_w;
			p->col[(size_t)k * (size_t)h->ow + (size_t)o] = x < 0 || x >= h->iw ? -1 : (ptrdiff_t)x * pixel;
		}
	}
}

tarn_err tarn_conv_f32_plan_new(const tarn_conv_f32 *conv, const tarn_conv_shape *shape, const tarn_epilogue *epilogue,
				tarn_conv_f32_plan **plan)
{
	const tarn_conv_spec *s = &conv->spec;
	tarn_conv_shape h = *shape;
	CHECK(h.n >= 0 && h.ih > 0 && h.iw > 0 && h.oh >= 0 && h.ow >= 0, TARN_SHAPE,
	      "convolution of [%d, %d, %d] to [%d, %d] pixels is not possible", h.n, h.ih, h.iw, h.oh, h.ow);
	h.in_stride = h.in_stride ? h.in_stride : (size_t)s->ic;
	h.out_stride = h.out_stride ? h.out_stride : (size_t)s->oc;
	h.residual_stride = h.residual_stride ? h.residual_stride : (size_t)s->oc;
	CHECK(h.in_stride >= (size_t)s->ic && h.out_stride >= (size_t)s->oc && h.residual_stride >= (size_t)s->oc, TARN_SHAPE,
	      "a pixel stride is smaller than the number of channels");
	tarn_conv_f32_plan *p = tarn_mem_zalloc(1, sizeof *p);
	if (!p)
		return tarn_err_nomem(sizeof *p);
	p->conv = conv;
	p->spec = *s;
	p->shape = h;
	p->epilogue = epilogue ? *epilogue : (tarn_epilogue){0};
	size_t icg = (size_t)(s->ic / s->groups), kh = (size_t)s->kh, kw = (size_t)s->kw;
	p->pointwise = s->kh == 1 && s->kw == 1 && s->stride_h == 1 && s->stride_w == 1 && !h.pad_top && !h.pad_left &&
		       h.oh == h.ih && h.ow == h.iw;
	p->fold = s->kw > 1 && s->groups == 1 && s->dilation_w == 1 && icg < 16 && kw * icg <= FOLD_MAX_DEPTH &&
		  h.in_stride == icg && kh * kw * icg * TARN_TILE_ROWS <= WINDOWS;
	p->taps = p->fold ? kh : kh * kw;
	p->depth = p->fold ? kw * icg : icg;
	p->row = tarn_mem_zalloc((size_t)h.oh * kh + 1, sizeof *p->row);
	p->col = tarn_mem_zalloc((size_t)h.ow * kw + 1, sizeof *p->col);
	p->zero = tarn_mem_zalloc(p->depth, sizeof(float));
	if (!p->row || !p->col || !p->zero) {
		tarn_conv_f32_plan_free(p);
		return tarn_err_nomem(((size_t)h.oh * kh + (size_t)h.ow * kw) * sizeof *p->row);
	}
	fill_axes(p);
	size_t m = (size_t)h.n * (size_t)h.oh * (size_t)h.ow, row_bytes = h.in_stride * sizeof(float), rows = TABLE / p->taps;
	row_bytes *= (size_t)(s->kh < s->stride_h ? s->kh : s->stride_h) * (size_t)(s->kw < s->stride_w ? s->kw : s->stride_w);
	if (p->fold && rows > WINDOWS / (p->taps * p->depth))
		rows = WINDOWS / (p->taps * p->depth);
	tarn_grid_init(conv->group, m, row_bytes, rows, conv->group->count * s->groups, &p->grid);
	*plan = p;
	return TARN_OK;
}

void tarn_conv_f32_plan_free(tarn_conv_f32_plan *plan)
{
	if (!plan)
		return;
	tarn_mem_free(plan->row);
	tarn_mem_free(plan->col);
	tarn_mem_free(plan->zero);
	tarn_mem_free(plan);
}

int tarn_conv_f32_tasks(const tarn_conv_f32_plan *plan)
{
	return plan->grid.m ? plan->grid.blocks * plan->grid.panels : 0;
}

/* Copies the window of kernel row `ky` of a border pixel, zeros where it leaves the image. A pixel's channels are all there is
 * of it (fold), so what lies inside is one run. */
static void copy_window(const tarn_conv_f32_plan *p, const float *row, size_t ox, float *restrict window)
{
	const tarn_conv_spec *s = &p->spec;
	ptrdiff_t x = (ptrdiff_t)ox * s->stride_w - p->shape.pad_left, ic = s->ic, size = s->kw * ic;
	ptrdiff_t first = x < 0 ? -x : 0, last = p->shape.iw - x;
	first = (first < s->kw ? first : s->kw) * ic;
	last = (last < 0 ? 0 : last < s->kw ? last : s->kw) * ic;
	for (ptrdiff_t i = 0; i < first; i++)
		window[i] = 0;
	for (ptrdiff_t i = first; i < last; i++)
		window[i] = row[x * ic + i];
	for (ptrdiff_t i = last > first ? last : first; i < size; i++)
		window[i] = 0;
}

typedef struct cursor {
	size_t n, y, x;
} cursor;

/* `n` neighbouring outputs of one row from column x on: out[t * rows + i] is where output i reads tap tap0 + t. */
static void fill_run(const tarn_conv_f32_plan *p, const float *image, size_t tap0, size_t taps, size_t rows, size_t y, size_t x,
		     size_t n, const float **out)
{
	size_t kw = (size_t)p->spec.kw, ow = (size_t)p->shape.ow, ky = tap0 / kw, kx = tap0 % kw;
	const ptrdiff_t *row = p->row + y * (size_t)p->spec.kh;
	for (size_t t = 0; t < taps; t++, out += rows) {
		const ptrdiff_t *col = p->col + kx * ow + x;
		const float *base = image + (row[ky] < 0 ? 0 : row[ky]);
		for (size_t i = 0; i < n; i++)
			out[i] = (row[ky] | col[i]) < 0 ? p->zero : base + col[i];
		if (++kx == kw)
			kx = 0, ky++;
	}
}

/* The same with a whole kernel row as one tap; windows that leave the image are copied. */
static void fill_folded(const tarn_conv_f32_plan *p, const float *image, size_t rows, size_t y, size_t x, size_t n,
			const float **out, float **window)
{
	const ptrdiff_t *row = p->row + y * (size_t)p->spec.kh, *col = p->col + x;
	for (size_t ky = 0; ky < p->taps; ky++, out += rows) {
		if (row[ky] < 0) {
			for (size_t i = 0; i < n; i++)
				out[i] = p->zero;
			continue;
		}
		const float *base = image + row[ky];
		for (size_t i = 0; i < n; i++)
			out[i] = base + col[i];
		for (size_t i = 0; i < n; i++) { /* from the left border to where windows are inside, then the right border */
			if (col[i] >= 0) {
				i += (size_t)p->inside > x + i ? (size_t)p->inside - x - i - 1 : 0;
				continue;
			}
			copy_window(p, base, x + i, *window);
			out[i] = *window;
			*window += p->depth;
		}
	}
}

/* The pointers of taps [tap0, tap0 + taps) for `rows` output pixels from *at on, as the tile wants them: [taps][rows]. */
static void fill_tile(const tarn_conv_f32_plan *p, const float *in, size_t tap0, size_t taps, size_t rows, cursor *at,
		      const float **table, float **window)
{
	const tarn_conv_shape *h = &p->shape;
	for (size_t r = 0; r < rows;) {
		const float *image = in + at->n * (size_t)h->ih * (size_t)h->iw * h->in_stride;
		size_t n = rows - r < (size_t)h->ow - at->x ? rows - r : (size_t)h->ow - at->x;
		if (p->fold)
			fill_folded(p, image, rows, at->y, at->x, n, table + r, window);
		else
			fill_run(p, image, tap0, taps, rows, at->y, at->x, n, table + r);
		r += n;
		at->x += n;
		if (at->x == (size_t)h->ow) {
			at->x = 0;
			if (++at->y == (size_t)h->oh)
				at->y = 0, at->n++;
		}
	}
}

/* Pointers of all tiles [t0, t1). */
static void fill_block(const tarn_conv_f32_plan *p, const float *in, size_t tap0, size_t taps, size_t t0, size_t t1,
		       const float **table, float *window)
{
	size_t row = tarn_tile_row(&p->grid, t0), plane = (size_t)p->shape.oh * (size_t)p->shape.ow, ow = (size_t)p->shape.ow;
	if (p->pointwise) {
		for (size_t end = tarn_tile_row(&p->grid, t1); row < end; row++)
			*table++ = in + row * p->shape.in_stride;
		return;
	}
	cursor at = {row / plane, row % plane / ow, row % ow};
	for (size_t t = t0; t < t1; t++) {
		size_t next = tarn_tile_row(&p->grid, t + 1);
		fill_tile(p, in, tap0, taps, next - row, &at, table, &window);
		table += taps * (next - row);
		row = next;
	}
}

void tarn_conv_f32_run(const tarn_conv_f32_plan *p, const float *in, float *out, const float *residual, int begin, int end)
{
	const float *table[TABLE];
	float window[WINDOWS];
	int per_group = p->conv->group->count, filled_group = -1;
	size_t filled = SIZE_MAX, icg = (size_t)(p->spec.ic / p->spec.groups), ocg = (size_t)(p->spec.oc / p->spec.groups);
	tarn_panel_job job = {.epilogue = &p->epilogue,
			      .a = table,
			      .depth = p->depth,
			      .zero = p->zero,
			      .ldc = p->shape.out_stride,
			      .ldr = p->shape.residual_stride};
	for (int task = begin; task < end; task++) {
		size_t t0, t1;
		int panel;
		tarn_grid_task(&p->grid, task, &t0, &t1, &panel);
		int group = panel / per_group;
		job.b = &p->conv->group[group];
		job.c = out + (size_t)group * ocg;
		job.res = residual ? residual + (size_t)group * ocg : NULL;
		/* Large weights and very large kernels go in several rounds. */
		size_t rows = tarn_tile_row(&p->grid, t1) - tarn_tile_row(&p->grid, t0), most = TABLE / rows;
		size_t near = tarn_panel_taps(job.b, &p->grid, p->taps, p->depth);
		most = p->fold || near > most ? most : near;
		for (size_t tap = 0; tap < p->taps; tap += job.taps) {
			job.first_tap = tap;
			job.taps = p->taps - tap < most ? p->taps - tap : most;
			if (job.taps != p->taps || filled != t0 || filled_group != group)
				fill_block(p, in + (size_t)group * icg, tap, job.taps, t0, t1, table, window);
			tarn_panel_run(&job, &p->grid, t0, t1, panel % per_group);
		}
		filled = t0;
		filled_group = group;
	}
}
