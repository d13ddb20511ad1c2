/* SPDX-License-Identifier: Apache-2.0 */
/* Raw frames as red, green, blue or grey. */
#include <string.h>

#include "base/str.h"
#include "fmt/image/decode.h"

static const struct {
	const char *word;
	tarn_frame_format format;
} words[] = {
	{"nv12", TARN_FRAME_NV12},    {"i420", TARN_FRAME_I420}, {"yuv420p", TARN_FRAME_I420}, {"yuyv", TARN_FRAME_YUYV},
	{"yuyv422", TARN_FRAME_YUYV}, {"rgb24", TARN_FRAME_RGB}, {"bgr24", TARN_FRAME_BGR},    {"gray", TARN_FRAME_GRAY},
};
enum { N_WORDS = sizeof words / sizeof *words };

tarn_err tarn_frame_parse(const char *word, tarn_frame_format *format)
{
	for (int i = 0; i < N_WORDS; i++)
		if (!strcmp(word, words[i].word)) {
			*format = words[i].format;
			return TARN_OK;
		}
	return tarn_err_set(TARN_USAGE, "there is no frame format '%s'; use nv12, i420, yuyv, rgb24, bgr24 or gray", word);
}

tarn_err tarn_frame_bytes(tarn_frame_format format, int width, int height, size_t *bytes)
{
	bool halves = format == TARN_FRAME_NV12 || format == TARN_FRAME_I420;
	CHECK(width > 0 && height > 0 && width <= IMAGE_MAX_SIDE && height <= IMAGE_MAX_SIDE &&
		      (int64_t)width * height <= IMAGE_MAX_PIXELS,
	      TARN_SHAPE, "a frame of %d x %d pixels; sides go from 1 to %d", width, height, IMAGE_MAX_SIDE);
	CHECK(width % 2 == 0 || !(halves || format == TARN_FRAME_YUYV), TARN_SHAPE,
	      "a frame %d pixels wide; two neighbours share their colour, so the width must be even", width);
	CHECK(height % 2 == 0 || !halves, TARN_SHAPE,
	      "a frame %d pixels high; two rows share their colour, so the height must be even", height);
	size_t pixels = (size_t)width * (size_t)height;
	switch (format) {
	case TARN_FRAME_NV12:
	case TARN_FRAME_I420:
		*bytes = pixels / 2 * 3;
		break;
	case TARN_FRAME_YUYV:
		*bytes = pixels * 2;
		break;
	case TARN_FRAME_RGB:
	case TARN_FRAME_BGR:
		*bytes = pixels * 3;
		break;
	case TARN_FRAME_GRAY:
		*bytes = pixels;
		break;
	}
	return TARN_OK;
}

static uint8_t clamp(int32_t v)
{
	return v < 0 ? 0 : v > 255 ? 255 : (uint8_t)v;
}

/* BT.601, video range: Y from 16 to 235, U and V from 16 to 240 around 128. 1/2^16 fixed point of 255/219 = 1.16438,
 * 1.402 * 255/224 = 1.59603, 0.344136 * 255/224 = 0.39176, 0.714136 * 255/224 = 0.81297, 1.772 * 255/224 = 2.01723. */
static void yuv_pixel(int y, int u, int v, uint8_t *rgb)
{
	int32_t c = 76309 * (y - 16) + 32768, d = u - 128, e = v - 128;
	rgb[0] = clamp((c + 104597 * e) >> 16);
	rgb[1] = clamp((c - 25675 * d - 53279 * e) >> 16);
	rgb[2] = clamp((c + 132201 * d) >> 16);
}

/* One row: where Y, U and V of pixel 0 stand, and how far the next ones are (U and V: of the next pair). */
typedef struct yuv_row {
	const uint8_t *y, *u, *v;
	int y_step, uv_step;
} yuv_row;

static yuv_row row_of(tarn_frame_format format, const uint8_t *at, int width, int height, int row)
{
	size_t w = (size_t)width, plane = w * (size_t)height, r = (size_t)row;
	const uint8_t *half;
	switch (format) {
	case TARN_FRAME_NV12:
		half = at + plane + r / 2 * w;
		return (yuv_row){at + r * w, half, half + 1, 1, 2};
	case TARN_FRAME_I420:
		half = at + plane + r / 2 * (w / 2);
		return (yuv_row){at + r * w, half, half + plane / 4, 1, 1};
	default: /* YUYV */
		half = at + r * w * 2;
		return (yuv_row){half, half + 1, half + 3, 2, 4};
	}
}

static void yuv_frame(tarn_frame_format format, const uint8_t *at, tarn_image *img)
{
	uint8_t *to = img->at;
	for (int r = 0; r < img->height; r++) {
		yuv_row s = row_of(format, at, img->width, img->height, r);
		for (int x = 0; x < img->width; x++, to += 3)
			yuv_pixel(s.y[x * s.y_step], s.u[x / 2 * s.uv_step], s.v[x / 2 * s.uv_step], to);
	}
}

/* Grey is Y alone, stretched to the full range. */
static void luma_frame(tarn_frame_format format, const uint8_t *at, tarn_image *img)
{
	uint8_t *to = img->at;
	for (int r = 0; r < img->height; r++) {
		yuv_row s = row_of(format, at, img->width, img->height, r);
		for (int x = 0; x < img->width; x++)
			*to++ = clamp((76309 * (s.y[x * s.y_step] - 16) + 32768) >> 16);
	}
}

static void spread_gray(const uint8_t *at, size_t pixels, uint8_t *to)
{
	for (size_t i = 0; i < pixels; i++)
		to[3 * i] = to[3 * i + 1] = to[3 * i + 2] = at[i];
}

static void swap_ends(const uint8_t *at, size_t pixels, uint8_t *to)
{
	for (size_t i = 0; i < pixels; i++) {
		to[3 * i] = at[3 * i + 2];
		to[3 * i + 1] = at[3 * i + 1];
		to[3 * i + 2] = at[3 * i];
	}
}

tarn_err tarn_frame_read(tarn_frame_format format, int width, int height, const uint8_t *at, size_t n, int channels,
			 tarn_image *img)
{
	size_t need;
	CHECK(channels == 1 || channels == 3, TARN_USAGE, "images have 1 or 3 channels, not %d", channels);
	TRY(tarn_frame_bytes(format, width, height, &need));
	CHECK(n == need, TARN_SHAPE, "a frame of %zu bytes; %d x %d pixels of this format have %zu", n, width, height, need);
	size_t pixels = (size_t)width * (size_t)height;
	bool yuv = format <= TARN_FRAME_YUYV, colour = format == TARN_FRAME_RGB || format == TARN_FRAME_BGR;
	TRY(tarn_image_reserve(img, width, height, colour ? 3 : channels));
	if (yuv && channels == 1)
		luma_frame(format, at, img);
	else if (yuv)
		yuv_frame(format, at, img);
	else if (format == TARN_FRAME_BGR)
		swap_ends(at, pixels, img->at);
	else if (format == TARN_FRAME_GRAY && channels == 3)
		spread_gray(at, pixels, img->at);
	else
		memcpy(img->at, at, n);
	if (colour && channels == 1)
		tarn_image_to_gray(img);
	return TARN_OK;
}
