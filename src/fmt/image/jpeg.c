/* SPDX-License-Identifier: Apache-2.0 */
/* JPEG through libjpeg(-turbo). Its errors arrive by longjmp; everything that must survive one lives in the state struct. */
/* clang-format off */
#include <stdio.h>
#include <jpeglib.h>
#include <jerror.h>
/* clang-format on */
#include <setjmp.h>
#include <string.h>

#include "base/mem.h"
#include "fmt/image/decode.h"

/* A progressive file may hold any number of scans over the whole image; honest ones have about ten. */
enum { MAX_SCANS = 100 };

typedef struct state {
	struct jpeg_decompress_struct cinfo;
	struct jpeg_error_mgr errors;
	struct jpeg_progress_mgr progress;
	jmp_buf jump;
	char message[JMSG_LENGTH_MAX];
	uint8_t *row; /* one row of four-channel pixels */
	tarn_err err; /* of our own; OK when the library failed */
} state;

static void on_error(j_common_ptr c)
{
	state *s = c->client_data;
	c->err->format_message(c, s->message);
	longjmp(s->jump, 1);
}

/* Warnings mean damage that libjpeg papers over. A file that ends early is an error here; stray bytes are let pass. */
static void on_message(j_common_ptr c, int level)
{
	if (level < 0 && (c->err->msg_code == JWRN_JPEG_EOF || c->err->msg_code == JWRN_HIT_MARKER))
		on_error(c);
}

static void on_progress(j_common_ptr c)
{
	state *s = c->client_data;
	if (s->cinfo.input_scan_number > MAX_SCANS) {
		snprintf(s->message, sizeof s->message, "more than %d scans", MAX_SCANS);
		longjmp(s->jump, 1);
	}
}

/* The smallest eighth that keeps the shorter side at least `want` long. */
static unsigned eighths(unsigned width, unsigned height, int want)
{
	unsigned side = width < height ? width : height;
	for (unsigned n = 1; want > 0 && n < 8; n++)
		if ((side * n + 7) / 8 >= (unsigned)want)
			return n;
	return 8;
}

/* (1 - C)(1 - K); Adobe's files hold the complements already. */
static void row_from_cmyk(const state *s, int channels, uint8_t *to)
{
	const uint8_t *p = s->row;
	bool inverted = s->cinfo.saw_Adobe_marker;
	for (unsigned x = 0; x < s->cinfo.output_width; x++, p += 4) {
		unsigned rgb[3];
		for (int c = 0; c < 3; c++) {
			unsigned a = inverted ? p[c] : 255u - p[c], k = inverted ? p[3] : 255u - p[3];
			rgb[c] = (a * k + 127) / 255;
		}
		if (channels == 1)
			*to++ = (uint8_t)((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 32768u) >> 16);
		else
			for (int c = 0; c < 3; c++)
				*to++ = (uint8_t)rgb[c];
	}
}

static tarn_err decode(state *s, int channels, int short_side, tarn_image *img)
{
	struct jpeg_decompress_struct *c = &s->cinfo;
	jpeg_read_header(c, TRUE);
	/* The size before scaling decides, so that a scaled read cannot hide a huge image. */
	CHECK((size_t)c->image_width * c->image_height <= IMAGE_MAX_PIXELS, TARN_BAD_FILE,
	      "an image of %u x %u pixels; at most %d in all are read", c->image_width, c->image_height, IMAGE_MAX_PIXELS);
	bool cmyk = c->jpeg_color_space == JCS_CMYK || c->jpeg_color_space == JCS_YCCK;
	bool luma = channels == 1 && c->jpeg_color_space == JCS_YCbCr;
	c->out_color_space = cmyk ? JCS_CMYK : luma || c->jpeg_color_space == JCS_GRAYSCALE ? JCS_GRAYSCALE : JCS_RGB;
	if (c->jpeg_color_space == JCS_GRAYSCALE && channels == 3)
		c->out_color_space = JCS_RGB;
	c->scale_num = eighths(c->image_width, c->image_height, short_side);
	c->scale_denom = 8;
	jpeg_start_decompress(c);
	int got = c->output_components;
	CHECK(got == (cmyk                                  ? 4
		      : c->out_color_space == JCS_GRAYSCALE ? 1
							    : 3),
	      TARN_BAD_FILE, "a JPEG of %d components is not read", got);
	TRY(tarn_image_reserve(img, (long)c->output_width, (long)c->output_height, cmyk ? channels : got));
	if (cmyk && !(s->row = tarn_mem_alloc((size_t)c->output_width * 4)))
		return tarn_err_nomem((size_t)c->output_width * 4);
	size_t stride = (size_t)img->width * (size_t)img->channels;
	while (c->output_scanline < c->output_height) {
		uint8_t *to = img->at + stride * c->output_scanline;
		JSAMPROW row = cmyk ? s->row : to;
		if (jpeg_read_scanlines(c, &row, 1) != 1)
			return tarn_err_set(TARN_BAD_FILE, "the JPEG file is cut short");
		if (cmyk)
			row_from_cmyk(s, channels, to);
	}
	jpeg_finish_decompress(c);
	if (channels == 1 && img->channels == 3)
		tarn_image_to_gray(img);
	return TARN_OK;
}

tarn_err tarn_jpeg_decode(const uint8_t *at, size_t n, int channels, int short_side, tarn_image *img)
{
	state *s = tarn_mem_zalloc(1, sizeof *s);
	if (!s)
		return tarn_err_nomem(sizeof *s);
	s->cinfo.err = jpeg_std_error(&s->errors);
	s->errors.error_exit = on_error;
	s->errors.emit_message = on_message;
	s->cinfo.client_data = s;
	s->progress.progress_monitor = on_progress;
	if (setjmp(s->jump)) {
		s->err = tarn_err_set(s->errors.msg_code == JERR_OUT_OF_MEMORY ? TARN_NOMEM : TARN_BAD_FILE, "damaged JPEG: %s",
				      s->message);
	} else {
		jpeg_create_decompress(&s->cinfo);
		s->cinfo.progress = &s->progress;
		jpeg_mem_src(&s->cinfo, at, (unsigned long)n);
		s->err = decode(s, channels, short_side, img);
	}
	tarn_err err = s->err;
	jpeg_destroy_decompress(&s->cinfo);
	tarn_mem_free(s->row);
	tarn_mem_free(s);
	return err;
}
