/* SPDX-License-Identifier: Apache-2.0 */
/* BMP: 24 and 32 bits per pixel, uncompressed, either row order. Other kinds are refused. */
#include <string.h>

#include "fmt/image/decode.h"

static uint32_t le(const uint8_t *p, int bytes)
{
	uint32_t v = 0;
	for (int i = bytes - 1; i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

tarn_err tarn_bmp_decode(const uint8_t *at, size_t n, int channels, tarn_image *img)
{
	CHECK(n >= 54 && le(at + 14, 4) >= 40, TARN_BAD_FILE, "the BMP file has an unknown or incomplete header");
	size_t start = le(at + 10, 4);
	int32_t width = (int32_t)le(at + 18, 4), height = (int32_t)le(at + 22, 4);
	int bits = (int)le(at + 28, 2);
	CHECK((bits == 24 || bits == 32) && le(at + 30, 4) == 0, TARN_UNSUPPORTED,
	      "a BMP of %d bits or with compression; 24 and 32 bits without compression are read", bits);
	bool down = height < 0;
	TRY(tarn_image_reserve(img, width, down ? -(long)height : height, 3));
	size_t pixel = (size_t)bits / 8, stride = ((size_t)img->width * pixel + 3) / 4 * 4;
	CHECK(start <= n && stride * (size_t)img->height <= n - start, TARN_BAD_FILE, "the BMP file is cut short");
	for (int y = 0; y < img->height; y++) {
		const uint8_t *from = at + start + stride * (size_t)(down ? y : img->height - 1 - y);
		uint8_t *to = img->at + (size_t)y * (size_t)img->width * 3;
		for (int x = 0; x < img->width; x++, from += pixel, to += 3) {
			to[0] = from[2];
			to[1] = from[1];
			to[2] = from[0];
		}
	}
	if (channels == 1)
		tarn_image_to_gray(img);
	return TARN_OK;
}
