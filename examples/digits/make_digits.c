/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes labelled images of printed digits from glyphs.png: shifted, scaled, turned, blurred, noisy. Deterministic for a seed.
 *
 * usage: make-digits GLYPHS.png train|test COUNT SEED IMAGES.npy LABELS.npy
 *        make-digits GLYPHS.png jpeg COUNT SEED FOLDER
 *
 * Images are u8 [COUNT,1,24,24], labels i64 [COUNT]. `test` uses fonts that `train` never shows. `jpeg` writes photographs of a
 * kind (640x480, colour, a digit in front of a texture) for live pipelines; the digit of image N is its file name's second
 * number.
 */
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jpeglib.h>

#include "openvino/c/openvino.h"
#include "tarn/data.h"

enum { CELL = 24, TEST_FONTS = 4, WIDTH = 640, HEIGHT = 480 };

typedef struct sheet {
	uint8_t *at;
	int width, height, fonts;
} sheet;

static uint64_t state;

/* splitmix64 */
static uint64_t next(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static double uniform(double lo, double hi)
{
	return lo + (hi - lo) * (double)(next() >> 11) / 9007199254740992.0;
}

static double normal(void)
{
	double u = uniform(1e-12, 1), v = uniform(0, 6.283185307179586);
	return sqrt(-2 * log(u)) * cos(v);
}

static int fail(const char *what)
{
	const char *text = ov_get_last_err_msg();
	fprintf(stderr, "make-digits: %s%s%s\n", what, text ? ": " : "", text ? text : "");
	ov_free(text);
	return 3;
}

static int load(const char *path, sheet *s)
{
	ov_dimension_t dims[4] = {{1, 1}, {1, 1}, {-1, -1}, {-1, -1}};
	ov_partial_shape_t shape;
	ov_shape_t got;
	ov_tensor_t *t = NULL;
	void *data;
	if (ov_partial_shape_create(4, dims, &shape) != OK)
		return fail("shape");
	ov_status_e st = tarn_read_input(path, U8, shape, NULL, &t);
	ov_partial_shape_free(&shape);
	if (st != OK || ov_tensor_get_shape(t, &got) != OK || ov_tensor_data(t, &data) != OK)
		return fail(path);
	s->height = (int)got.dims[2];
	s->width = (int)got.dims[3];
	s->fonts = s->height / CELL;
	size_t bytes = (size_t)s->width * (size_t)s->height;
	s->at = malloc(bytes);
	if (s->at)
		memcpy(s->at, data, bytes);
	ov_shape_free(&got);
	ov_tensor_free(t);
	return s->at && s->width == CELL * 10 && s->fonts > TEST_FONTS ? 0 : fail("the sheet of glyphs has another size");
}

/* Brightness of a glyph at a point of its cell, 0 outside. */
static double glyph(const sheet *s, int font, int digit, double x, double y)
{
	int x0 = (int)floor(x), y0 = (int)floor(y);
	double fx = x - x0, fy = y - y0, v = 0;
	for (int k = 0; k < 4; k++) {
		int px = x0 + (k & 1), py = y0 + (k >> 1);
		if (px < 0 || py < 0 || px >= CELL || py >= CELL)
			continue;
		v += s->at[(font * CELL + py) * s->width + digit * CELL + px] / 255.0 * (k & 1 ? fx : 1 - fx) *
		     (k >> 1 ? fy : 1 - fy);
	}
	return v;
}

static void blur(double *a)
{
	double t[CELL * CELL];
	for (int pass = 0; pass < 2; pass++) {
		memcpy(t, a, sizeof t);
		for (int y = 0; y < CELL; y++)
			for (int x = 0; x < CELL; x++) {
				int p = pass ? (y ? y - 1 : y) * CELL + x : y * CELL + (x ? x - 1 : x);
				int q = pass ? (y < CELL - 1 ? y + 1 : y) * CELL + x : y * CELL + (x < CELL - 1 ? x + 1 : x);
				a[y * CELL + x] = (t[p] + 2 * t[y * CELL + x] + t[q]) / 4;
			}
	}
}

static int draw(const sheet *s, int test, uint8_t *out)
{
	int digit = (int)(next() % 10);
	int font = test ? s->fonts - 1 - (int)(next() % TEST_FONTS) : (int)(next() % (unsigned)(s->fonts - TEST_FONTS));
	double angle = uniform(-0.17, 0.17), size = uniform(0.8, 1.15), dx = uniform(-2.5, 2.5), dy = uniform(-2.5, 2.5);
	double back = uniform(0, 0.35), gain = uniform(0.4, 1 - back), noise = uniform(0, 0.12), a[CELL * CELL];
	double c = cos(angle) / size, d = sin(angle) / size, half = (CELL - 1) / 2.0;
	for (int y = 0; y < CELL; y++)
		for (int x = 0; x < CELL; x++) {
			double u = x - half - dx, v = y - half - dy;
			a[y * CELL + x] = glyph(s, font, digit, c * u + d * v + half, c * v - d * u + half);
		}
	for (int n = (int)(next() % 3); n > 0; n--)
		blur(a);
	for (int i = 0; i < CELL * CELL; i++) {
		double v = 255 * (back + gain * a[i] + noise * normal());
		out[i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5);
	}
	return digit;
}

static int write_npy(const char *path, ov_element_type_e type, int64_t rank, const int64_t *dims, void *data)
{
	ov_shape_t shape;
	ov_tensor_t *t = NULL;
	if (ov_shape_create(rank, dims, &shape) != OK)
		return fail("shape");
	int bad = ov_tensor_create_from_host_ptr(type, shape, data, &t) != OK || tarn_write_npy(path, t) != OK;
	ov_tensor_free(t);
	ov_shape_free(&shape);
	return bad ? fail(path) : 0;
}

static int make_set(const sheet *s, int test, long count, const char *images, const char *labels)
{
	uint8_t *x = malloc((size_t)count * CELL * CELL);
	int64_t *y = malloc((size_t)count * sizeof *y);
	if (!x || !y)
		return fail("out of memory");
	for (long i = 0; i < count; i++)
		y[i] = draw(s, test, x + i * CELL * CELL);
	int rc = write_npy(images, U8, 4, (int64_t[]){count, 1, CELL, CELL}, x);
	if (!rc)
		rc = write_npy(labels, I64, 1, (int64_t[]){count}, y);
	free(x);
	free(y);
	return rc;
}

static void paint(const sheet *s, int digit, uint8_t *rgb)
{
	double f[3][3], cx = uniform(220, 420), cy = uniform(180, 300), size = uniform(6, 12);
	int font = (int)(next() % (unsigned)s->fonts);
	for (int c = 0; c < 3; c++)
		for (int k = 0; k < 3; k++)
			f[c][k] = uniform(0.005, 0.05);
	for (int y = 0; y < HEIGHT; y++)
		for (int x = 0; x < WIDTH; x++) {
			double g = glyph(s, font, digit, (x - cx) / size + CELL / 2.0, (y - cy) / size + CELL / 2.0);
			for (int c = 0; c < 3; c++) {
				double v = 110 + 60 * sin(f[c][0] * x) * cos(f[c][1] * y) + 20 * sin(f[c][2] * (x + y)) +
					   8 * normal();
				v = v * (1 - g) + 235 * g;
				rgb[(y * WIDTH + x) * 3 + c] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
			}
		}
}

static int write_jpeg(const char *path, uint8_t *rgb)
{
	FILE *f = fopen(path, "wb");
	if (!f) {
		fprintf(stderr, "make-digits: %s: %s\n", path, strerror(errno));
		return 1;
	}
	struct jpeg_compress_struct j;
	struct jpeg_error_mgr e;
	j.err = jpeg_std_error(&e);
	jpeg_create_compress(&j);
	jpeg_stdio_dest(&j, f);
	j.image_width = WIDTH;
	j.image_height = HEIGHT;
	j.input_components = 3;
	j.in_color_space = JCS_RGB;
	jpeg_set_defaults(&j);
	jpeg_set_quality(&j, 90, TRUE);
	jpeg_start_compress(&j, TRUE);
	while (j.next_scanline < j.image_height) {
		JSAMPROW row = rgb + (size_t)j.next_scanline * WIDTH * 3;
		jpeg_write_scanlines(&j, &row, 1);
	}
	jpeg_finish_compress(&j);
	jpeg_destroy_compress(&j);
	return fclose(f) ? 1 : 0;
}

static int make_photos(const sheet *s, long count, const char *folder)
{
	uint8_t *rgb = malloc((size_t)WIDTH * HEIGHT * 3);
	char path[4096];
	if (!rgb)
		return fail("out of memory");
	mkdir(folder, 0777);
	int rc = 0;
	for (long i = 0; i < count && !rc; i++) {
		int digit = (int)(next() % 10);
		paint(s, digit, rgb);
		snprintf(path, sizeof path, "%s/%03ld_%d.jpg", folder, i, digit);
		rc = write_jpeg(path, rgb);
	}
	free(rgb);
	return rc;
}

int main(int argc, char **argv)
{
	sheet s = {0};
	char *end = NULL;
	bool photos = argc == 6 && !strcmp(argv[2], "jpeg");
	bool set = argc == 7 && (!strcmp(argv[2], "train") || !strcmp(argv[2], "test"));
	long count = photos || set ? strtol(argv[3], &end, 10) : 0;
	if (count < 1 || count > 10000000 || *end) {
		fprintf(stderr, "usage: make-digits GLYPHS.png train|test COUNT SEED IMAGES.npy LABELS.npy\n"
				"       make-digits GLYPHS.png jpeg COUNT SEED FOLDER\n");
		return 2;
	}
	state = strtoull(argv[4], NULL, 10) * 0x2545f4914f6cdd1du + (set && !strcmp(argv[2], "test"));
	int rc = load(argv[1], &s);
	if (!rc)
		rc = photos ? make_photos(&s, count, argv[5]) : make_set(&s, !strcmp(argv[2], "test"), count, argv[5], argv[6]);
	free(s.at);
	return rc;
}
