/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "fmt/image/decode.h"
#include "fmt/image/resample.h"
#include "ir/tensor.h"

struct tarn_prep {
	tarn_prep_options o;
	tarn_prep_target t;
	int channels;      /* of the decoded image */
	size_t width;      /* bytes of one element */
	tarn_tensor table; /* [channels][256]: the element for each 8-bit value */
	tarn_resample x, y;
	uint8_t *ring; /* y.taps rows, resized horizontally; source row r stands at r % taps */
	size_t ring_cap;
	const uint8_t **rows; /* y.taps pointers into the ring */
	int rows_cap;
	int32_t *acc;
	uint8_t *line;
	size_t line_cap;
	tarn_image img; /* of tarn_prep_file */
};

static tarn_err table_fill(tarn_prep *p)
{
	const int64_t dim[2] = {p->channels, 256};
	TRY(tarn_tensor_new(p->t.type, 2, dim, &p->table));
	for (int c = 0; c < p->channels; c++)
		for (int v = 0; v < 256; v++) {
			double x = (v - p->o.mean[c]) / (p->o.scale[c] == 0 ? 1 : p->o.scale[c]);
			tarn_tensor_set_f64(&p->table, c * 256 + v, tarn_dtype_is_float(p->t.type) ? x : rint(x));
		}
	return TARN_OK;
}

tarn_err tarn_prep_new(const tarn_prep_options *o, const tarn_prep_target *t, tarn_prep **out)
{
	CHECK(tarn_dtype_is_float(t->type) || (tarn_dtype_is_int(t->type) && tarn_dtype_info(t->type)->bits >= 8), TARN_TYPE,
	      "images cannot become %s", tarn_dtype_info(t->type)->word);
	CHECK(t->channels == 1 || t->channels == 3, TARN_SHAPE, "images have 1 or 3 channels, the input wants %d; see -layout",
	      t->channels);
	CHECK(t->width > 0 && t->height > 0 && t->width <= IMAGE_MAX_SIDE && t->height <= IMAGE_MAX_SIDE, TARN_SHAPE,
	      "the input wants images of %d x %d pixels", t->width, t->height);
	CHECK(o->resize >= 0 && o->resize <= IMAGE_MAX_SIDE && o->crop_width >= 0 && o->crop_height >= 0, TARN_USAGE,
	      "resize and crop take sizes from 1 to %d", IMAGE_MAX_SIDE);
	CHECK(!o->crop_width == !o->crop_height, TARN_USAGE, "crop needs a width and a height");
	CHECK(o->color == TARN_COLOR_AUTO || (o->color == TARN_COLOR_GRAY) == (t->channels == 1), TARN_SHAPE,
	      "colour %s does not fit an input of %d channels", o->color == TARN_COLOR_GRAY ? "GRAY" : "RGB or BGR",
	      t->channels);
	for (int c = 0; c < 3; c++)
		CHECK(isfinite(o->mean[c]) && isfinite(o->scale[c]), TARN_USAGE, "mean and scale must be finite numbers");
	tarn_prep *p = tarn_mem_zalloc(1, sizeof *p);
	if (!p)
		return tarn_err_nomem(sizeof *p);
	p->o = *o;
	p->t = *t;
	p->channels = t->channels;
	p->width = (size_t)tarn_dtype_info(t->type)->bits / 8;
	tarn_err err = table_fill(p);
	if (err != TARN_OK) {
		tarn_prep_free(p);
		return err;
	}
	*out = p;
	return TARN_OK;
}

void tarn_prep_free(tarn_prep *p)
{
	if (!p)
		return;
	tarn_tensor_fini(&p->table);
	tarn_resample_fini(&p->x);
	tarn_resample_fini(&p->y);
	tarn_mem_free(p->ring);
	tarn_mem_free(p->rows);
	tarn_mem_free(p->acc);
	tarn_mem_free(p->line);
	tarn_image_fini(&p->img);
	tarn_mem_free(p);
}

static int cut(long length)
{
	return length < 1 ? 1 : length > IMAGE_MAX_SIDE ? IMAGE_MAX_SIDE : (int)length;
}

/* Sizes on the way: of the resized image, then what is cut from it. */
static tarn_err plan(tarn_prep *p, const tarn_image *img)
{
	int w = img->width, h = img->height, want_w = p->t.width, want_h = p->t.height;
	if (p->o.resize) {
		long side = p->o.resize;
		int long_side = cut(w < h ? side * h / w : side * w / h);
		CHECK((long)side * long_side <= IMAGE_MAX_PIXELS, TARN_BAD_FILE,
		      "an image of %d x %d pixels is too long to be resized to %ld", w, h, side);
		w = img->width < img->height ? (int)side : long_side;
		h = img->width < img->height ? long_side : (int)side;
	} else if (!p->o.crop_width) {
		w = want_w;
		h = want_h;
	}
	int cw = p->o.crop_width ? p->o.crop_width : w, ch = p->o.crop_height ? p->o.crop_height : h;
	CHECK(cw <= w && ch <= h, TARN_SHAPE, "an image of %d x %d pixels is smaller than the crop %d,%d; resize it first", w,
	      h, cw, ch);
	CHECK(cw == want_w && ch == want_h, TARN_SHAPE,
	      "the prepared image has %d x %d pixels, the input wants %d x %d; crop to %d,%d", cw, ch, want_w, want_h, want_w,
	      want_h);
	TRY(tarn_resample_plan(&p->x, img->width, w, (w - cw) / 2, cw));
	return tarn_resample_plan(&p->y, img->height, h, (h - ch) / 2, ch);
}

static tarn_err scratch(tarn_prep *p)
{
	size_t line = (size_t)p->t.width * (size_t)p->channels, ring = line * (size_t)p->y.taps;
	if (line > p->line_cap) {
		tarn_mem_free(p->line);
		tarn_mem_free(p->acc);
		p->line_cap = 0;
		p->line = tarn_mem_alloc(line);
		p->acc = tarn_mem_alloc(line * sizeof *p->acc);
		if (!p->line || !p->acc)
			return tarn_err_nomem(line * 5);
		p->line_cap = line;
	}
	if (ring > p->ring_cap) {
		tarn_mem_free(p->ring);
		p->ring_cap = 0;
		p->ring = tarn_mem_alloc(ring);
		if (!p->ring)
			return tarn_err_nomem(ring);
		p->ring_cap = ring;
	}
	if (p->y.taps > p->rows_cap) {
		tarn_mem_free(p->rows);
		p->rows_cap = 0;
		p->rows = tarn_mem_zalloc((size_t)p->y.taps, sizeof *p->rows);
		if (!p->rows)
			return tarn_err_nomem((size_t)p->y.taps * sizeof *p->rows);
		p->rows_cap = p->y.taps;
	}
	return TARN_OK;
}

/* Elements of one size, looked up and spread: every `step`-th source byte, every `stride`-th element. */
#define SPREAD(name, T) \
	static void name(const T *table, const uint8_t *from, int n, int step, T *to, long stride) \
	{ \
		for (int i = 0; i < n; i++) \
			to[i * stride] = table[from[i * step]]; \
	}
SPREAD(spread8, uint8_t)
SPREAD(spread16, uint16_t)
SPREAD(spread32, uint32_t)
SPREAD(spread64, uint64_t)

static void store_line(const tarn_prep *p, int y, const uint8_t *line, void *dst)
{
	int n = p->t.width, ch = p->channels;
	for (int c = 0; c < ch; c++) {
		const uint8_t *from = line + (p->o.color == TARN_COLOR_BGR ? 2 - c : c);
		const uint8_t *table = (const uint8_t *)p->table.data + (size_t)c * 256 * p->width;
		size_t first = p->t.nhwc ? (size_t)y * (size_t)n * (size_t)ch + (size_t)c
					 : ((size_t)c * (size_t)p->t.height + (size_t)y) * (size_t)n;
		long stride = p->t.nhwc ? ch : 1;
		void *to = (uint8_t *)dst + first * p->width;
		switch (p->width) {
		case 1:
			spread8(table, from, n, ch, to, stride);
			break;
		case 2:
			spread16((const void *)table, from, n, ch, to, stride);
			break;
		case 4:
			spread32((const void *)table, from, n, ch, to, stride);
			break;
		default:
			spread64((const void *)table, from, n, ch, to, stride);
		}
	}
}

tarn_err tarn_prep_run(tarn_prep *p, const tarn_image *img, void *dst)
{
	CHECK(img->channels == p->channels, TARN_SHAPE, "the image has %d channels, the input %d", img->channels, p->channels);
	TRY(plan(p, img));
	TRY(scratch(p));
	size_t line = (size_t)p->t.width * (size_t)p->channels, stride = (size_t)img->width * (size_t)img->channels;
	const tarn_resample *y = &p->y;
	int done = 0; /* source rows before this one are in the ring, or are not needed any more */
	for (int i = 0; i < y->n; i++) {
		if (y->copy && p->x.copy) {
			store_line(p, i, img->at + (size_t)(y->first + i) * stride + (size_t)p->x.first * (size_t)p->channels,
				   dst);
			continue;
		}
		int lo = y->start[i], count = y->count[i];
		for (done = done < lo ? lo : done; done < lo + count; done++)
			tarn_resample_row(&p->x, p->channels, img->at + (size_t)done * stride,
					  p->ring + line * (size_t)(done % y->taps));
		for (int k = 0; k < count; k++)
			p->rows[k] = p->ring + line * (size_t)((lo + k) % y->taps);
		const int32_t *w = y->weight + (long)i * y->taps;
		if (count == 1)
			store_line(p, i, p->rows[0], dst);
		else {
			tarn_resample_blend(p->rows, w, count, (int)line, p->acc, p->line);
			store_line(p, i, p->line, dst);
		}
	}
	return TARN_OK;
}

/* With scaled decoding: how short the shorter side of a decoded JPEG may be. 0: as it is. */
static int least_side(const tarn_prep *p)
{
	if (p->o.scaled_decode && p->o.resize)
		return p->o.resize;
	if (p->o.scaled_decode && !p->o.crop_width)
		return p->t.width > p->t.height ? p->t.width : p->t.height;
	return 0;
}

tarn_err tarn_prep_bytes(tarn_prep *p, const uint8_t *at, size_t n, void *dst)
{
	TRY(tarn_image_decode(at, n, p->channels, least_side(p), &p->img));
	return tarn_prep_run(p, &p->img, dst);
}

tarn_err tarn_prep_frame(tarn_prep *p, tarn_frame_format format, int width, int height, const uint8_t *at, size_t n, void *dst)
{
	TRY(tarn_frame_read(format, width, height, at, n, p->channels, &p->img));
	return tarn_prep_run(p, &p->img, dst);
}

tarn_err tarn_prep_file(tarn_prep *p, const char *path, void *dst)
{
	TRY(tarn_image_read(path, p->channels, least_side(p), &p->img));
	return tarn_err_note(tarn_prep_run(p, &p->img, dst), "in '%s'", path);
}
