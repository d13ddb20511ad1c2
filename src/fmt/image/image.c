/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/image/image.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "fmt/image/decode.h"

void tarn_image_fini(tarn_image *img)
{
	tarn_mem_free(img->at);
	*img = (tarn_image){0};
}

tarn_err tarn_image_reserve(tarn_image *img, long width, long height, int channels)
{
	CHECK(width > 0 && height > 0 && width <= IMAGE_MAX_SIDE && height <= IMAGE_MAX_SIDE, TARN_BAD_FILE,
	      "an image of %ld x %ld pixels; sides from 1 to %d are read", width, height, IMAGE_MAX_SIDE);
	CHECK(width * height <= IMAGE_MAX_PIXELS, TARN_BAD_FILE, "an image of %ld x %ld pixels; at most %d in all are read",
	      width, height, IMAGE_MAX_PIXELS);
	size_t need = (size_t)width * (size_t)height * (size_t)channels;
	if (need > img->cap) {
		uint8_t *at = tarn_mem_alloc(need);
		if (!at)
			return tarn_err_nomem(need);
		tarn_mem_free(img->at);
		img->at = at;
		img->cap = need;
	}
	img->width = (int)width;
	img->height = (int)height;
	img->channels = channels;
	return TARN_OK;
}

void tarn_image_to_gray(tarn_image *img)
{
	size_t n = (size_t)img->width * (size_t)img->height;
	const uint8_t *p = img->at;
	/* The weights of ITU-R BT.601 in 1/65536. */
	for (size_t i = 0; i < n; i++, p += 3)
		img->at[i] = (uint8_t)((p[0] * 19595u + p[1] * 38470u + p[2] * 7471u + 32768u) >> 16);
	img->channels = 1;
}

enum format { NEITHER, JPEG, PNG, BMP };

static enum format format_of(const uint8_t *at, size_t n)
{
	if (n >= 3 && at[0] == 0xff && at[1] == 0xd8 && at[2] == 0xff)
		return JPEG;
	if (n >= 8 && !memcmp(at, "\x89PNG\r\n\x1a\n", 8))
		return PNG;
	if (n >= 26 && at[0] == 'B' && at[1] == 'M')
		return BMP;
	return NEITHER;
}

bool tarn_image_probe(const uint8_t *at, size_t n)
{
	return format_of(at, n) != NEITHER;
}

tarn_err tarn_image_decode(const uint8_t *at, size_t n, int channels, int short_side, tarn_image *img)
{
	CHECK(channels == 1 || channels == 3, TARN_USAGE, "images have 1 or 3 channels, not %d", channels);
	switch (format_of(at, n)) {
	case JPEG:
		return tarn_jpeg_decode(at, n, channels, short_side, img);
	case PNG:
		return tarn_png_decode(at, n, channels, img);
	case BMP:
		return tarn_bmp_decode(at, n, channels, img);
	default:
		return tarn_err_set(TARN_BAD_FILE, "not an image; JPEG, PNG and BMP are read");
	}
}

tarn_err tarn_image_read(const char *path, int channels, int short_side, tarn_image *img)
{
	tarn_file_map map;
	TRY(tarn_file_map_open(path, &map));
	tarn_err err = tarn_err_note(tarn_image_decode(map.at, map.size, channels, short_side, img), "in '%s'", path);
	tarn_file_map_close(&map);
	return err;
}
