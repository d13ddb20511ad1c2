/* SPDX-License-Identifier: Apache-2.0 */
/* PNG through libpng. Its errors arrive by longjmp; everything that must survive one lives in the state struct. */
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "fmt/image/decode.h"

/* Text and profiles, which nobody looks at, may not take more than this. */
enum { MAX_CHUNK = 8 << 20, MAX_CHUNKS = 1000 };

typedef struct state {
	png_structp png;
	png_infop info;
	const uint8_t *at;
	size_t size, pos;
	jmp_buf jump;
	char message[120];
	tarn_err err;
} state;

static void on_error(png_structp png, png_const_charp message)
{
	state *s = png_get_error_ptr(png);
	snprintf(s->message, sizeof s->message, "%s", message);
	longjmp(s->jump, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
	(void)png;
	(void)message;
}

static void on_read(png_structp png, png_bytep to, size_t n)
{
	state *s = png_get_io_ptr(png);
	if (n > s->size - s->pos)
		png_error(png, "the file is cut short");
	memcpy(to, s->at + s->pos, n);
	s->pos += n;
}

static png_voidp on_alloc(png_structp png, png_alloc_size_t n)
{
	(void)png;
	return tarn_mem_alloc(n);
}

static void on_free(png_structp png, png_voidp p)
{
	(void)png;
	tarn_mem_free(p);
}

static tarn_err decode(state *s, int channels, tarn_image *img)
{
	png_set_read_fn(s->png, s, on_read);
	png_set_user_limits(s->png, IMAGE_MAX_SIDE, IMAGE_MAX_SIDE);
	png_set_chunk_malloc_max(s->png, MAX_CHUNK);
	png_set_chunk_cache_max(s->png, MAX_CHUNKS);
	png_read_info(s->png, s->info);
	int color = png_get_color_type(s->png, s->info), depth = png_get_bit_depth(s->png, s->info);
	bool gray = channels == 1 && !(color & PNG_COLOR_MASK_COLOR);
	TRY(tarn_image_reserve(img, (long)png_get_image_width(s->png, s->info), (long)png_get_image_height(s->png, s->info),
			       gray ? 1 : 3));
	if (color == PNG_COLOR_TYPE_PALETTE)
		png_set_palette_to_rgb(s->png);
	else if (depth < 8)
		png_set_expand_gray_1_2_4_to_8(s->png);
	if (depth == 16)
		png_set_strip_16(s->png);
	png_set_strip_alpha(s->png);
	if (!gray && !(color & PNG_COLOR_MASK_COLOR))
		png_set_gray_to_rgb(s->png);
	int passes = png_set_interlace_handling(s->png);
	png_read_update_info(s->png, s->info);
	size_t stride = (size_t)img->width * (size_t)img->channels;
	CHECK(png_get_rowbytes(s->png, s->info) == stride, TARN_BAD_FILE, "a PNG of an unknown kind");
	/* Passes of an interlaced image fill in the pixels of earlier ones. */
	for (int pass = 0; pass < passes; pass++)
		for (int y = 0; y < img->height; y++)
			png_read_row(s->png, img->at + stride * (size_t)y, NULL);
	png_read_end(s->png, NULL);
	if (channels == 1 && !gray)
		tarn_image_to_gray(img);
	return TARN_OK;
}

tarn_err tarn_png_decode(const uint8_t *at, size_t n, int channels, tarn_image *img)
{
	state *s = tarn_mem_zalloc(1, sizeof *s);
	if (!s)
		return tarn_err_nomem(sizeof *s);
	s->at = at;
	s->size = n;
	if (setjmp(s->jump)) {
		s->err = tarn_err_set(TARN_BAD_FILE, "damaged PNG: %s", s->message);
	} else {
		s->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, s, on_error, on_warning, NULL, on_alloc, on_free);
		s->info = s->png ? png_create_info_struct(s->png) : NULL;
		s->err = s->info ? decode(s, channels, img) : tarn_err_nomem(sizeof *s);
	}
	tarn_err err = s->err;
	png_destroy_read_struct(&s->png, &s->info, NULL);
	tarn_mem_free(s);
	return err;
}
