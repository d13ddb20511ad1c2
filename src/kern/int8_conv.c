/* SPDX-License-Identifier: Apache-2.0 */
/* INT8 convolution over register tiles: which pixels a tile reads, and how the work is cut into tasks. */
#include "kern/int8_conv.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

#define BLOCK_NEAR ((size_t)96 << 10) /* activations of a block of rows */
#define WEIGHTS_NEAR ((size_t)768 << 10)
#define TASKS_WANTED 32

struct tarn_qconv_plan {
	const tarn_qconv *q;
	tarn_conv_shape sh;
	tarn_qepilogue e;
	float *scale, *bias; /* by column; plain: by channel */
	uint8_t *pad;        /* codes of a pixel of padding */
	size_t out_size;     /* bytes of an output */
	bool codes;          /* see tarn_qtile */
	bool pointwise;      /* pixel i of the output reads pixel i of the input */
	ptrdiff_t *row;      /* [oh][kh] offset of the input row a tap reads, or -1 */
	ptrdiff_t *col;      /* [kw][ow] offset of the pixel in its row, or -1; gathered [ow] of the first, or -1 at borders */
	size_t m, tiles;
	int blocks;
	bool panel_major;
};

static void fill_axes(tarn_qconv_plan *p)
{
	const tarn_conv_spec *s = &p->q->s;
	const tarn_conv_shape *h = &p->sh;
	ptrdiff_t pixel = (ptrdiff_t)h->in_stride;
	for (int o = 0; o < h->oh; o++)
		for (int k = 0; k < s->kh; k++) {
			long long y = (long long)o * s->stride_h - h->pad_top + (long long)k * s->dilation_h;
			p->row[(size_t)o * (size_t)s->kh + (size_t)k] = y < 0 || y >= h->ih ? -1 : (ptrdiff_t)y * h->iw * pixel;
		}
	for (int o = 0; o < h->ow; o++) {
		long long first = (long long)o * s->stride_w - h->pad_left;
		if (p->q->gather) {
			p->col[o] = h->in_stride != (size_t)s->ic || first < 0 || first + s->kw > h->iw
					    ? -1
					    : (ptrdiff_t)first * pixel;
			continue;
		}
		for (int k = 0; k < s->kw; k++) {
			long long x = first + (long long)k * s->dilation_w;
			p->col[(size_t)k * (size_t)h->ow + (size_t)o] = x < 0 || x >= h->iw ? -1 : (ptrdiff_t)x * pixel;
		}
	}
}

static size_t tile_rows(const tarn_qconv *q)
{
	size_t most = TARN_QCONV_TABLE / q->taps;
	return most < (size_t)q->set->max_rows ? most : (size_t)q->set->max_rows;
}

/* Tiles, blocks of tiles, and the order of tasks. */
static void cut(tarn_qconv_plan *p)
{
	const tarn_qconv *q = p->q;
	size_t max_rows = tile_rows(q), row_bytes = p->sh.in_stride;
	int sh = q->s.kh < q->s.stride_h ? q->s.kh : q->s.stride_h, sw = q->s.kw < q->s.stride_w ? q->s.kw : q->s.stride_w;
	row_bytes *= (size_t)sh * (size_t)sw;
	p->tiles = (p->m + max_rows - 1) / max_rows;
	p->panel_major = q->w_bytes > WEIGHTS_NEAR;
	size_t most = TARN_QCONV_TABLE / (q->taps * max_rows), near = BLOCK_NEAR / (row_bytes * max_rows);
	if (q->gather && most > TARN_QCONV_WINDOWS / (q->taps * q->depth * max_rows))
		most = TARN_QCONV_WINDOWS / (q->taps * q->depth * max_rows);
	if (!p->panel_major && most > near)
		most = near < 4 && most > 4 ? 4 : near;
	most = most ? most : 1;
	size_t panels = (size_t)q->panels * (size_t)q->s.groups;
	while (most > 2 && (p->tiles + most - 1) / most * panels < TASKS_WANTED)
		most = (most + 1) / 2;
	p->blocks = (int)((p->tiles + most - 1) / most);
}

static tarn_err plan_level(tarn_qconv_plan *p)
{
	const tarn_qconv *q = p->q;
	const tarn_conv_spec *s = &q->s;
	size_t kh = (size_t)s->kh, kw = (size_t)s->kw, padded = ((size_t)s->ic + 63) / 64 * 64;
	padded = padded < q->depth ? q->depth : padded;
	p->pad = tarn_mem_alloc_aligned(padded + 64);
	p->row = tarn_mem_zalloc((size_t)p->sh.oh * kh + 1, sizeof *p->row);
	p->col = tarn_mem_zalloc((size_t)p->sh.ow * kw + 1, sizeof *p->col);
	if (!p->pad || !p->row || !p->col)
		return tarn_err_nomem(((size_t)p->sh.oh * kh + (size_t)p->sh.ow * kw) * sizeof *p->row);
	memset(p->pad, (uint8_t)q->in.zero, padded + 64);
	p->pointwise = kh == 1 && kw == 1 && s->stride_h == 1 && s->stride_w == 1 && !p->sh.pad_top && !p->sh.pad_left &&
		       p->sh.oh == p->sh.ih && p->sh.ow == p->sh.iw;
	fill_axes(p);
	if (q->kind == TARN_QCONV_TILES)
		cut(p);
	return TARN_OK;
}

/* Can no result reach 2^31 before it is rounded? Then the conversion to int32 needs no care. */
static bool bounded(const tarn_qconv_plan *p, size_t columns)
{
	const tarn_conv_spec *s = &p->q->s;
	double most = 255.0 * 255.0 * (s->ic / s->groups) * s->kh * s->kw;
	for (size_t i = 0; i < columns; i++)
		if (!(fabs(p->scale[i]) * most + fabs(p->bias[i]) < 2e9))
			return false;
	return true;
}

tarn_err tarn_qconv_plan_new(const tarn_qconv *q, const tarn_conv_shape *shape, const tarn_qepilogue *e, tarn_qconv_plan **out)
{
	size_t columns = q->set ? q->columns : (size_t)q->s.oc;
	tarn_qconv_plan *p = tarn_mem_zalloc(1, sizeof *p);
	if (!p)
		return tarn_err_nomem(sizeof *p);
	p->q = q;
	p->sh = *shape;
	p->sh.in_stride = shape->in_stride ? shape->in_stride : (size_t)q->s.ic;
	p->sh.out_stride = shape->out_stride ? shape->out_stride : (size_t)q->s.oc;
	p->e = *e;
	p->m = (size_t)shape->n * (size_t)shape->oh * (size_t)shape->ow;
	p->out_size = e->type == TARN_CODE_F32 || e->type == TARN_CODE_I32 ? 4 : 1;
	p->scale = tarn_mem_zalloc(columns * 2 + 1, sizeof *p->scale);
	tarn_err err = p->scale ? TARN_OK : tarn_err_nomem(columns * 2 * sizeof *p->scale);
	if (err == TARN_OK && q->set)
		err = plan_level(p);
	if (err != TARN_OK) {
		tarn_qconv_plan_free(p);
		return err;
	}
	p->bias = p->scale + columns;
	for (size_t i = 0; i < columns; i++) {
		int o = q->set ? tarn_qconv_channel(q, i) : (int)i;
		if (o >= 0 && e->scale)
			p->scale[i] = e->scale[o];
		if (o >= 0 && e->bias)
			p->bias[i] = e->bias[o];
	}
	p->codes = p->out_size == 1 && bounded(p, columns);
	p->e.scale = p->scale;
	p->e.bias = p->bias;
	*out = p;
	return TARN_OK;
}

void tarn_qconv_plan_free(tarn_qconv_plan *p)
{
	if (!p)
		return;
	tarn_mem_free(p->scale);
	tarn_mem_free(p->row);
	tarn_mem_free(p->col);
	tarn_mem_free_aligned(p->pad);
	tarn_mem_free(p);
}

int tarn_qconv_tasks(const tarn_qconv_plan *p)
{
	if (p->q->kind == TARN_QCONV_DEPTHWISE)
		return p->sh.ow ? p->sh.n * p->sh.oh : 0;
	return p->q->kind == TARN_QCONV_TILES && p->m ? p->blocks * p->q->panels * p->q->s.groups : (int)p->m;
}

static size_t tile_row(const tarn_qconv_plan *p, size_t t)
{
	size_t q = p->m / p->tiles, r = p->m % p->tiles;
	return t * q + (t < r ? t : r);
}

typedef struct cursor {
	size_t n, y, x;
} cursor;

/* `n` neighbouring outputs of one row from column x on: out[t * rows + i] is where output i reads tap t. */
static void fill_run(const tarn_qconv_plan *p, const uint8_t *image, size_t rows, const cursor *at, size_t n,
		     const uint8_t **out)
{
	size_t kw = (size_t)p->q->s.kw, ow = (size_t)p->sh.ow;
	const ptrdiff_t *row = p->row + at->y * (size_t)p->q->s.kh;
	for (int ky = 0; ky < p->q->s.kh; ky++)
		for (size_t kx = 0; kx < kw; kx++, out += rows) {
			const ptrdiff_t *col = p->col + kx * ow + at->x;
			const uint8_t *base = image + (row[ky] < 0 ? 0 : row[ky]);
			for (size_t i = 0; i < n; i++)
				out[i] = (row[ky] | col[i]) < 0 ? p->pad : base + col[i];
		}
}

/* One kernel row of a window at the border (or of a strided input), with padding. */
static void copy_border(const tarn_qconv_plan *p, const uint8_t *row, size_t ox, uint8_t *to)
{
	const tarn_conv_spec *s = &p->q->s;
	long long x = (long long)ox * s->stride_w - p->sh.pad_left;
	size_t ic = (size_t)s->ic;
	for (int k = 0; k < s->kw; k++, x++, to += ic) {
		if (x >= 0 && x < p->sh.iw)
			memcpy(to, row + (size_t)x * p->sh.in_stride, ic);
		else
			memset(to, p->pad[0], ic);
	}
}

/* A window inside the image. Runs are copied in pieces of 16 bytes: what is too much is overwritten by the next run. */
static inline __attribute__((always_inline)) void copy_inside(const uint8_t *base, const ptrdiff_t *row, int kh, size_t run,
							      const int pieces, uint8_t *to)
{
	for (int ky = 0; ky < kh; ky++, to += run) {
		const uint8_t *from = base + row[ky];
		for (int k = 0; k < pieces; k++)
			memcpy(to + 16 * k, from + 16 * k, 16);
	}
}

/* Windows of `n` neighbouring outputs; reading does not pass `end`. */
static void gather(const tarn_qconv_plan *p, const uint8_t *image, const uint8_t *end, const cursor *at, size_t n,
		   uint8_t *window)
{
	const int kh = p->q->s.kh;
	const ptrdiff_t *col = p->col + at->x;
	const size_t run = (size_t)p->q->s.kw * (size_t)p->q->s.ic, depth = p->q->depth;
	const int pieces = (int)(run + 15) / 16;
	ptrdiff_t row[TARN_QCONV_GATHER_ROWS], most = 0;
	bool inside = true;
	for (int ky = 0; ky < kh; ky++) {
		row[ky] = p->row[at->y * (size_t)kh + (size_t)ky];
		inside &= row[ky] >= 0;
		most = row[ky] > most ? row[ky] : most;
	}
	for (size_t i = 0; i < n; i++, window += depth) {
		const uint8_t *base = image + col[i];
		bool room = col[i] >= 0 && end - base - most >= (ptrdiff_t)run + 16;
		if (inside && room) {
			if (pieces == 1)
				copy_inside(base, row, kh, run, 1, window);
			else if (pieces == 2)
				copy_inside(base, row, kh, run, 2, window);
			else if (pieces == 3)
				copy_inside(base, row, kh, run, 3, window);
			else
				copy_inside(base, row, kh, run, pieces, window);
			continue;
		}
		for (int ky = 0; ky < kh; ky++) {
			uint8_t *to = window + (size_t)ky * run;
			if (row[ky] < 0)
				memset(to, p->pad[0], run);
			else if (col[i] < 0)
				copy_border(p, image + row[ky], at->x + i, to);
			else
				memcpy(to, base + row[ky], run);
		}
		memset(window + (size_t)kh * run, 0, depth - (size_t)kh * run); /* meets weights of zero */
	}
}

/* Pointers of the tiles [t0, t1): for each tile [taps][rows]. */
static void fill_block(const tarn_qconv_plan *p, const uint8_t *in, size_t t0, size_t t1, const uint8_t **table,
		       uint8_t *window)
{
	const tarn_conv_shape *h = &p->sh;
	size_t row = tile_row(p, t0), plane = (size_t)h->oh * (size_t)h->ow, ow = (size_t)h->ow;
	if (p->pointwise) {
		for (size_t end = tile_row(p, t1); row < end; row++)
			*table++ = in + row * h->in_stride;
		return;
	}
	const uint8_t *input_end = in + ((size_t)h->n * (size_t)h->ih * (size_t)h->iw - 1) * h->in_stride + (size_t)p->q->s.ic;
	cursor at = {row / plane, row % plane / ow, row % ow};
	for (size_t t = t0; t < t1; t++) {
		size_t rows = tile_row(p, t + 1) - tile_row(p, t);
		for (size_t r = 0; r < rows;) {
			const uint8_t *image = in + at.n * (size_t)h->ih * (size_t)h->iw * h->in_stride;
			size_t n = rows - r < ow - at.x ? rows - r : ow - at.x;
			if (p->q->gather) {
				gather(p, image, input_end, &at, n, window);
				for (size_t i = 0; i < n; i++, window += p->q->depth)
					table[r + i] = window;
			} else {
				fill_run(p, image, rows, &at, n, table + r);
			}
			r += n;
			at.x += n;
			if (at.x == ow) {
				at.x = 0;
				if (++at.y == (size_t)h->oh)
					at.y = 0, at.n++;
			}
		}
		table += p->q->taps * rows;
	}
}

/* Tiles [t0, t1) against one panel of a group. */
static void run_panel(const tarn_qconv_plan *p, int group, int panel, size_t t0, size_t t1, const uint8_t *const *table,
		      char *out)
{
	const tarn_qconv *q = p->q;
	const tarn_int8_set *set = q->set;
	int first, nv = tarn_qconv_panel(q, panel, &first);
	size_t lanes = (size_t)set->lanes, steps = q->taps * ((q->depth + 3) / 4), vb = lanes * (set->wide ? 8 : 4);
	size_t vector = (size_t)group * (size_t)q->vectors + (size_t)first, ocg = (size_t)(q->s.oc / q->s.groups);
	size_t col = (size_t)first * lanes, width = (size_t)nv * lanes;
	bool flip = q->in.type == TARN_CODE_S8;
	tarn_qtile t = {.a = table, .taps = q->taps, .depth = q->depth, .e = &p->e, .codes = p->codes};
	t.skip = q->in.zero == (flip ? -128 : 0) && q->taps > 1 ? p->pad : NULL;
	t.w = q->w + vector * steps * vb;
	t.start = q->start + vector * lanes;
	t.scale = p->scale + vector * lanes;
	t.bias = p->bias + vector * lanes;
	t.ldc = p->sh.out_stride * p->out_size;
	t.cols = (int)(ocg - col < width ? ocg - col : width);
	/* Weights too large to stay: while all tiles use this panel, the next (it follows in memory) is brought in, a share for
	 * each tile. */
	bool last = group == q->s.groups - 1 && panel == q->panels - 1;
	if (p->panel_major && !last)
		t.ahead_step = (size_t)nv * vb / p->tiles;
	char *c = out + ((size_t)group * ocg + col) * p->out_size;
	for (size_t i = t0; i < t1; i++) {
		size_t row = tile_row(p, i), rows = tile_row(p, i + 1) - row;
		t.ahead = (const char *)t.w + steps * (size_t)nv * vb + i * t.ahead_step * steps;
		t.c = c + row * t.ldc;
		set->tile[flip][nv - 1][rows - 1](&t);
		t.a += q->taps * rows;
	}
}

static void run_tiles(const tarn_qconv_plan *p, const uint8_t *in, char *out, int begin, int end)
{
	const uint8_t *table[TARN_QCONV_TABLE];
	uint8_t window[TARN_QCONV_WINDOWS + 64];
	const tarn_qconv *q = p->q;
	int panels = q->panels * q->s.groups, filled_group = -1;
	size_t filled = SIZE_MAX;
	for (int task = begin; task < end; task++) {
		int block = p->panel_major ? task % p->blocks : task / panels;
		int panel = p->panel_major ? task / p->blocks : task % panels, group = panel / q->panels;
		size_t t0 = p->tiles * (size_t)block / (size_t)p->blocks,
		       t1 = p->tiles * (size_t)(block + 1) / (size_t)p->blocks;
		if (filled != t0 || filled_group != group)
			fill_block(p, in + (size_t)group * (size_t)(q->s.ic / q->s.groups), t0, t1, table, window);
		filled = t0;
		filled_group = group;
		run_panel(p, group, panel % q->panels, t0, t1, table, out);
	}
}

static void run_depthwise(const tarn_qconv_plan *p, const uint8_t *in, char *out, int begin, int end)
{
	const tarn_qconv *q = p->q;
	const tarn_conv_shape *h = &p->sh;
	const uint8_t *rows[TARN_QDW_TAPS];
	size_t steps[TARN_QDW_TAPS];
	tarn_qdw_row r = {.in = rows,
			  .step = steps,
			  .pad = p->pad,
			  .kh = q->s.kh,
			  .kw = q->s.kw,
			  .stride = q->s.stride_w,
			  .dilation = q->s.dilation_w,
			  .pad_left = h->pad_left,
			  .iw = h->iw,
			  .ow = h->ow,
			  .channels = q->s.oc,
			  .outputs = q->outputs,
			  .groups = q->groups4,
			  .flip = q->in.type == TARN_CODE_S8,
			  .w = q->w,
			  .start = q->start,
			  .scale = p->scale,
			  .bias = p->bias,
			  .e = &p->e,
			  .codes = p->codes,
			  .out_step = h->out_stride * p->out_size};
	for (int task = begin; task < end; task++) {
		const uint8_t *image = in + (size_t)(task / h->oh) * (size_t)h->ih * (size_t)h->iw * h->in_stride;
		const ptrdiff_t *at = p->row + (size_t)(task % h->oh) * (size_t)q->s.kh;
		for (int k = 0; k < q->s.kh; k++) {
			rows[k] = at[k] < 0 ? p->pad : image + at[k];
			steps[k] = at[k] < 0 ? 0 : h->in_stride;
		}
		r.out = out + (size_t)task * (size_t)h->ow * r.out_step;
		q->set->dw_row(&r);
	}
}

void tarn_qconv_run(const tarn_qconv_plan *p, const void *in, void *out, int begin, int end)
{
	switch (p->q->kind) {
	case TARN_QCONV_TILES:
		run_tiles(p, in, out, begin, end);
		break;
	case TARN_QCONV_DEPTHWISE:
		run_depthwise(p, in, out, begin, end);
		break;
	default:
		tarn_qconv_plain_run(&p->q->s, &p->sh, p->q->in, p->q->plain, &p->e, in, out, begin, end);
	}
}

/* ---- zero point and scale that come late ---- */

/* Signed codes are shifted to unsigned ones inside; where that leaves a zero point of 1, `start` is minus the sum of a column's
 * weights, and for any other a multiple of it. */
tarn_qconv_input tarn_qconv_late_input(tarn_code type)
{
	return (tarn_qconv_input){type, type == TARN_CODE_S8 ? -127 : 1};
}

tarn_err tarn_qconv_late_init(const tarn_qconv_plan *p, int zero, float factor, tarn_qconv_late *late)
{
	const tarn_qconv *q = p->q;
	size_t columns = q->set ? q->columns : (size_t)q->s.oc;
	uint32_t times = (uint32_t)(zero + (q->in.type == TARN_CODE_S8 ? 128 : 0));
	*late = (tarn_qconv_late){.zero = zero, .start = tarn_mem_alloc_aligned(columns * (sizeof(int32_t) + sizeof(float)))};
	if (!late->start)
		return tarn_err_nomem(columns * 8);
	late->scale = (float *)(void *)(late->start + columns);
	for (size_t i = 0; i < columns; i++) {
		late->start[i] = q->set ? (int32_t)((uint32_t)q->start[i] * times) : 0;
		late->scale[i] = p->scale[i] * factor;
	}
	return TARN_OK;
}

void tarn_qconv_late_fini(tarn_qconv_late *late)
{
	tarn_mem_free_aligned(late->start);
	late->start = NULL;
}

void tarn_qconv_run_late(const tarn_qconv_plan *plan, const tarn_qconv_late *late, const void *in, void *out, int begin,
			 int end)
{
	tarn_qconv q = *plan->q;
	tarn_qconv_plan p = *plan;
	q.in.zero = late->zero;
	q.start = late->start;
	p.q = &q;
	p.scale = late->scale;
	p.e.scale = late->scale;
	tarn_qconv_run(&p, in, out, begin, end);
}
