/* SPDX-License-Identifier: Apache-2.0 */
/* Images are encoded here with libpng and libjpeg; resizing is compared with the formula in double precision. */
#include "unit/test.h"

#include <jpeglib.h>
#include <math.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>

#include "fmt/image/decode.h"
#include "fmt/image/image.h"

typedef struct bytes {
	uint8_t *at;
	unsigned long n;
} bytes;

static void collect(png_structp png, png_bytep from, size_t n)
{
	bytes *b = png_get_io_ptr(png);
	b->at = realloc(b->at, b->n + n);
	assert_non_null(b->at);
	memcpy(b->at + b->n, from, n);
	b->n += n;
}

static void flush(png_structp png)
{
	(void)png;
}

/* Rows are packed as PNG stores them. */
static bytes make_png(int w, int h, int depth, int color, bool interlaced, const uint8_t *pixels, size_t stride)
{
	bytes b = {0};
	png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
	png_infop info = png_create_info_struct(png);
	png_set_write_fn(png, &b, collect, flush);
	png_set_IHDR(png, info, (png_uint_32)w, (png_uint_32)h, depth, color,
		     interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
		     PNG_FILTER_TYPE_DEFAULT);
	const png_color palette[4] = {{10, 20, 30}, {40, 50, 60}, {70, 80, 90}, {200, 0, 255}};
	if (color == PNG_COLOR_TYPE_PALETTE) {
		png_set_PLTE(png, info, palette, 4);
		png_set_tRNS(png, info, (png_const_bytep) "\0", 1, NULL);
	}
	png_write_info(png, info);
	int passes = interlaced ? png_set_interlace_handling(png) : 1;
	for (int p = 0; p < passes; p++)
		for (int y = 0; y < h; y++)
			png_write_row(png, pixels + (size_t)y * stride);
	png_write_end(png, info);
	png_destroy_write_struct(&png, &info);
	return b;
}

static bytes make_jpeg(int w, int h, J_COLOR_SPACE space, int components, const uint8_t *pixels)
{
	struct jpeg_compress_struct c;
	struct jpeg_error_mgr errors;
	bytes b = {0};
	c.err = jpeg_std_error(&errors);
	jpeg_create_compress(&c);
	jpeg_mem_dest(&c, &b.at, &b.n);
	c.image_width = (JDIMENSION)w;
	c.image_height = (JDIMENSION)h;
	c.input_components = components;
	c.in_color_space = space;
	jpeg_set_defaults(&c);
	jpeg_set_quality(&c, 100, TRUE);
	jpeg_start_compress(&c, TRUE);
	while (c.next_scanline < c.image_height) {
		JSAMPROW row = (JSAMPROW)(uintptr_t)(pixels + (size_t)c.next_scanline * (size_t)w * (size_t)components);
		jpeg_write_scanlines(&c, &row, 1);
	}
	jpeg_finish_compress(&c);
	jpeg_destroy_compress(&c);
	return b;
}

static void decode_ok(const bytes *b, int channels, int short_side, tarn_image *img)
{
	assert_ok(tarn_image_decode(b->at, b->n, channels, short_side, img));
	assert_int_equal(img->channels, channels);
}

static void png_kinds(void **state)
{
	(void)state;
	enum { W = 9, H = 5 };
	uint8_t rgb[W * H * 3], rgba[W * H * 4], deep[W * H * 6], bits[2 * H], index[3 * H];
	for (int i = 0; i < W * H; i++)
		for (int c = 0; c < 3; c++) {
			uint8_t v = (uint8_t)(i * 5 + c * 31);
			rgb[i * 3 + c] = rgba[i * 4 + c] = deep[i * 6 + c * 2] = v;
			deep[i * 6 + c * 2 + 1] = (uint8_t)~v;
		}
	for (int i = 0; i < W * H; i++)
		rgba[i * 4 + 3] = (uint8_t)(i * 7);
	for (size_t i = 0; i < sizeof bits; i++)
		bits[i] = (uint8_t)(i * 77 + 3);
	for (size_t i = 0; i < sizeof index; i++)
		index[i] = (uint8_t)(i * 57 + 27);
	tarn_image img = {0};
	for (int interlaced = 0; interlaced < 2; interlaced++) {
		bytes b = make_png(W, H, 8, PNG_COLOR_TYPE_RGB, interlaced, rgb, W * 3);
		decode_ok(&b, 3, 0, &img);
		assert_int_equal(img.width, W);
		assert_int_equal(img.height, H);
		assert_memory_equal(img.at, rgb, sizeof rgb);
		decode_ok(&b, 1, 0, &img);
		for (int i = 0; i < W * H; i++)
			assert_int_equal(img.at[i],
					 lround(0.299 * rgb[i * 3] + 0.587 * rgb[i * 3 + 1] + 0.114 * rgb[i * 3 + 2] + 1e-4));
		free(b.at);
		b = make_png(W, H, 8, PNG_COLOR_TYPE_RGB_ALPHA, interlaced, rgba, W * 4);
		decode_ok(&b, 3, 0, &img);
		assert_memory_equal(img.at, rgb, sizeof rgb); /* alpha is dropped, not applied */
		free(b.at);
		b = make_png(W, H, 16, PNG_COLOR_TYPE_RGB, interlaced, deep, W * 6);
		decode_ok(&b, 3, 0, &img);
		assert_memory_equal(img.at, rgb, sizeof rgb);
		free(b.at);
		b = make_png(W, H, 1, PNG_COLOR_TYPE_GRAY, interlaced, bits, 2);
		for (int channels = 1; channels <= 3; channels += 2) {
			decode_ok(&b, channels, 0, &img);
			for (int i = 0; i < W * H * channels; i++) {
				int x = i / channels % W, y = i / channels / W;
				assert_int_equal(img.at[i], bits[y * 2 + x / 8] >> (7 - x % 8) & 1 ? 255 : 0);
			}
		}
		free(b.at);
		static const uint8_t palette[4][3] = {{10, 20, 30}, {40, 50, 60}, {70, 80, 90}, {200, 0, 255}};
		b = make_png(W, H, 2, PNG_COLOR_TYPE_PALETTE, interlaced, index, 3);
		decode_ok(&b, 3, 0, &img);
		for (int i = 0; i < W * H; i++)
			assert_memory_equal(img.at + i * 3, palette[index[i / W * 3 + i % W / 4] >> (6 - i % W % 4 * 2) & 3],
					    3);
		for (size_t cut = 0; cut < b.n; cut++)
			assert_int_not_equal(tarn_image_decode(b.at, cut, 3, 0, &img), TARN_OK);
		free(b.at);
	}
	tarn_image_fini(&img);
}

/* A constant image survives quality 100 within rounding. */
static void jpeg_kinds(void **state)
{
	(void)state;
	enum { W = 33, H = 18 };
	uint8_t rgb[W * H * 3], cmyk[W * H * 4], gray[W * H];
	for (int i = 0; i < W * H; i++) {
		memcpy(rgb + i * 3, ((const uint8_t[]){200, 100, 50}), 3);
		memcpy(cmyk + i * 4, ((const uint8_t[]){200, 100, 50, 128}), 4);
		gray[i] = 77;
	}
	const int luma = (int)lround(0.299 * 200 + 0.587 * 100 + 0.114 * 50);
	tarn_image img = {0};
	bytes b = make_jpeg(W, H, JCS_RGB, 3, rgb);
	for (int side = 0; side <= 18; side += 9) {
		decode_ok(&b, 3, side, &img);
		assert_int_equal(img.width, side == 9 ? 17 : W); /* half, rounded up */
		assert_int_equal(img.height, side == 9 ? 9 : H);
		for (int i = 0; i < img.width * img.height * 3; i++)
			assert_in_range(img.at[i] + 2, rgb[i % 3], rgb[i % 3] + 4);
	}
	decode_ok(&b, 1, 0, &img);
	for (int i = 0; i < W * H; i++)
		assert_in_range(img.at[i] + 2, luma, luma + 4);
	for (unsigned long cut = 0; cut < b.n - 2; cut += 7)
		assert_err(TARN_BAD_FILE, tarn_image_decode(b.at, cut, 3, 0, &img));
	free(b.at);

	b = make_jpeg(W, H, JCS_GRAYSCALE, 1, gray);
	for (int channels = 1; channels <= 3; channels += 2) {
		decode_ok(&b, channels, 0, &img);
		for (int i = 0; i < W * H * channels; i++)
			assert_in_range(img.at[i] + 2, 77, 81);
	}
	free(b.at);

	/* libjpeg marks CMYK as Adobe's, whose files hold complements: 200 means 55 of cyan. */
	b = make_jpeg(W, H, JCS_CMYK, 4, cmyk);
	decode_ok(&b, 3, 0, &img);
	for (int i = 0; i < W * H * 3; i++)
		assert_in_range(img.at[i] + 2, cmyk[i % 3] * 128 / 255, cmyk[i % 3] * 128 / 255 + 4);
	free(b.at);
	tarn_image_fini(&img);
}

static void bmp_kinds(void **state)
{
	(void)state;
	/* 2 x 2, 24 bits: rows bottom up, blue first, padded to 4 bytes */
	uint8_t f[54 + 16] = {'B', 'M', 70, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 24};
	const uint8_t rows[16] = {3, 2, 1, 6, 5, 4, 0, 0, 9, 8, 7, 12, 11, 10, 0, 0};
	memcpy(f + 54, rows, 16);
	tarn_image img = {0};
	assert_ok(tarn_image_decode(f, sizeof f, 3, 0, &img));
	assert_memory_equal(img.at, ((const uint8_t[]){7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5, 6}), 12);
	assert_err(TARN_BAD_FILE, tarn_image_decode(f, sizeof f - 1, 3, 0, &img));
	f[28] = 8;
	assert_err(TARN_UNSUPPORTED, tarn_image_decode(f, sizeof f, 3, 0, &img));
	tarn_image_fini(&img);
}

static void huge_images_are_refused(void **state)
{
	(void)state;
	/* The header of a PNG of 60000 x 60000 pixels, checksum included. */
	const uint8_t head[] = {0x89, 'P', 'N', 'G',  13,   10, 26, 10,   0,    0, 0, 13, 'I', 'H', 'D',
				'R',  0,   0,   0xea, 0x60, 0,  0,  0xea, 0x60, 8, 2, 0,  0,   0};
	uint8_t file[64] = {0};
	memcpy(file, head, sizeof head);
	uint32_t crc = 0xffffffff; /* PNG, annex D */
	for (size_t i = 12; i < sizeof head; i++) {
		crc ^= head[i];
		for (int k = 0; k < 8; k++)
			crc = crc & 1 ? 0xedb88320u ^ crc >> 1 : crc >> 1;
	}
	crc = ~crc;
	for (int i = 0; i < 4; i++)
		file[sizeof head + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
	memcpy(file + sizeof head + 4, "\0\0\0\0IDAT\x35\xaf\x06\x1e", 12); /* an empty IDAT ends the header part */
	tarn_image img = {0};
	assert_err(TARN_BAD_FILE, tarn_image_decode(file, sizeof head + 16, 3, 0, &img));
	assert_non_null(strstr(tarn_err_text(), "60000 x 60000"));
	assert_null(img.at);
	assert_err(TARN_BAD_FILE, tarn_image_decode((const uint8_t *)"hello", 5, 3, 0, &img));
	/* and sizes whose sides would do */
	assert_err(TARN_BAD_FILE, tarn_image_reserve(&img, 1 << 14, (1 << 12) + 1, 1));
	assert_err(TARN_BAD_FILE, tarn_image_reserve(&img, 0, 4, 1));
	assert_err(TARN_BAD_FILE, tarn_image_reserve(&img, 1, IMAGE_MAX_SIDE + 1, 1));
	assert_null(img.at);
}

/* The value of one output sample: the triangle-weighted mean of the source along both axes. */
static double reference(const tarn_image *img, int full_w, int full_h, int ox, int oy, int c)
{
	double sx = (double)img->width / full_w, sy = (double)img->height / full_h, rx = fmax(sx, 1), ry = fmax(sy, 1);
	double cx = (ox + 0.5) * sx - 0.5, cy = (oy + 0.5) * sy - 0.5, sum = 0, weight = 0;
	for (int y = 0; y < img->height; y++)
		for (int x = 0; x < img->width; x++) {
			double w = fmax(0, 1 - fabs(x - cx) / rx) * fmax(0, 1 - fabs(y - cy) / ry);
			sum += w * img->at[(y * img->width + x) * img->channels + c];
			weight += w;
		}
	return sum / weight;
}

static tarn_image noise(int w, int h, int channels)
{
	tarn_image img = {.width = w, .height = h, .channels = channels};
	img.at = malloc((size_t)(w * h * channels));
	assert_non_null(img.at);
	uint32_t seed = 12345;
	for (int i = 0; i < w * h * channels; i++)
		img.at[i] = (uint8_t)((seed = seed * 1664525u + 1013904223u) >> 24);
	return img;
}

static void resizing_follows_the_formula(void **state)
{
	(void)state;
	static const int sizes[][2] = {{7, 5}, {31, 40}, {40, 31}, {80, 3}, {1, 1}, {41, 30}, {23, 90}};
	for (int channels = 1; channels <= 3; channels += 2) {
		tarn_image img = noise(40, 31, channels);
		for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
			int w = sizes[s][0], h = sizes[s][1];
			float *dst = malloc(sizeof *dst * (size_t)(w * h * channels));
			tarn_prep *p;
			const tarn_prep_target t = {
				.type = TARN_F32, .width = w, .height = h, .channels = channels, .nhwc = true};
			assert_ok(tarn_prep_new(&(tarn_prep_options){0}, &t, &p));
			assert_ok(tarn_prep_run(p, &img, dst));
			/* Two roundings to 8 bits: at most one half each. */
			for (int i = 0; i < w * h * channels; i++) {
				double want = reference(&img, w, h, i / channels % w, i / channels / w, i % channels);
				if (fabs(dst[i] - want) > 1.001)
					print_error("%d x %d at %d: %g, not %g\n", w, h, i, dst[i], want);
				assert_true(fabs(dst[i] - want) <= 1.001);
			}
			tarn_prep_free(p);
			free(dst);
		}
		free(img.at);
	}
}

/* Resize to a shorter side of 20, cut 17 x 16 from the middle, BGR planes, mean and scale; the same scratch for two images. */
static void the_whole_way(void **state)
{
	(void)state;
	enum { W = 17, H = 16 };
	const tarn_prep_options o = {.color = TARN_COLOR_BGR,
				     .resize = 20,
				     .crop_width = W,
				     .crop_height = H,
				     .mean = {10, 20, 30},
				     .scale = {2, 4, 0}};
	const double scale[3] = {2, 4, 1};
	const tarn_prep_target t = {.type = TARN_F32, .width = W, .height = H, .channels = 3};
	tarn_prep *p;
	assert_ok(tarn_prep_new(&o, &t, &p));
	static const int sizes[][4] = {{40, 31, 25, 20}, {29, 58, 20, 40}, {20, 20, 20, 20}};
	for (size_t s = 0; s < 3; s++) {
		tarn_image img = noise(sizes[s][0], sizes[s][1], 3);
		int fw = sizes[s][2], fh = sizes[s][3];
		float dst[3 * W * H];
		assert_ok(tarn_prep_run(p, &img, dst));
		for (int c = 0; c < 3; c++)
			for (int y = 0; y < H; y++)
				for (int x = 0; x < W; x++) {
					double v = reference(&img, fw, fh, x + (fw - W) / 2, y + (fh - H) / 2, 2 - c);
					double want = (v - o.mean[c]) / scale[c];
					assert_true(fabs(dst[(c * H + y) * W + x] - want) <= 1.001 / scale[c]);
				}
		free(img.at);
	}
	tarn_image small = noise(5, 5, 1);
	float dst[1];
	assert_err(TARN_SHAPE, tarn_prep_run(p, &small, dst)); /* channels */
	free(small.at);
	tarn_prep_free(p);
}

static void types_and_refusals(void **state)
{
	(void)state;
	tarn_image img = noise(3, 2, 1);
	img.at[0] = 0;
	img.at[1] = 255;
	uint8_t u8[6];
	int8_t i8[6];
	int64_t i64[6];
	const tarn_prep_options half = {.scale = {2}}, shift = {.mean = {128}};
	tarn_prep_target t = {.type = TARN_U8, .width = 3, .height = 2, .channels = 1};
	tarn_prep *p;
	assert_ok(tarn_prep_new(&half, &t, &p));
	assert_ok(tarn_prep_run(p, &img, u8));
	assert_int_equal(u8[1], 128); /* 127.5 to even */
	tarn_prep_free(p);
	t.type = TARN_I8;
	assert_ok(tarn_prep_new(&shift, &t, &p));
	assert_ok(tarn_prep_run(p, &img, i8));
	assert_int_equal(i8[0], -128);
	assert_int_equal(i8[1], 127);
	tarn_prep_free(p);
	t.type = TARN_I64;
	assert_ok(tarn_prep_new(&shift, &t, &p));
	assert_ok(tarn_prep_run(p, &img, i64));
	assert_int_equal(i64[0], -128);
	tarn_prep_free(p);
	assert_err(TARN_SHAPE, tarn_prep_new(&(tarn_prep_options){.color = TARN_COLOR_RGB}, &t, &p));
	assert_err(TARN_USAGE, tarn_prep_new(&(tarn_prep_options){.crop_width = 3}, &t, &p));
	assert_err(TARN_USAGE, tarn_prep_new(&(tarn_prep_options){.mean = {NAN}}, &t, &p));
	assert_ok(tarn_prep_new(&(tarn_prep_options){.crop_width = 3, .crop_height = 4}, &t, &p));
	assert_err(TARN_SHAPE, tarn_prep_run(p, &img, i64));
	tarn_prep_free(p);
	t.channels = 4;
	assert_err(TARN_SHAPE, tarn_prep_new(&half, &t, &p));
	t.channels = 1;
	t.type = TARN_STRING;
	assert_err(TARN_TYPE, tarn_prep_new(&half, &t, &p));
	free(img.at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(png_kinds),          cmocka_unit_test(jpeg_kinds),
		cmocka_unit_test(bmp_kinds),          cmocka_unit_test(huge_images_are_refused),
		cmocka_unit_test(the_whole_way),      cmocka_unit_test(resizing_follows_the_formula),
		cmocka_unit_test(types_and_refusals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
