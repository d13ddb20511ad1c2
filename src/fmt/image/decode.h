/* SPDX-License-Identifier: Apache-2.0 */
/* Between the decoders: each fills an image whose size it has checked. */
#ifndef TARN_FMT_IMAGE_DECODE_H
#define TARN_FMT_IMAGE_DECODE_H

#include "fmt/image/image.h"

/* Room for that size; TARN_BAD_FILE when it is beyond the limits. Sets width, height and channels. */
TARN_MUST tarn_err tarn_image_reserve(tarn_image *img, long width, long height, int channels);
/* Turns red, green, blue into grey, in place. */
void tarn_image_to_gray(tarn_image *img);

TARN_MUST tarn_err tarn_jpeg_decode(const uint8_t *at, size_t n, int channels, int short_side, tarn_image *img);
TARN_MUST tarn_err tarn_png_decode(const uint8_t *at, size_t n, int channels, tarn_image *img);
TARN_MUST tarn_err tarn_bmp_decode(const uint8_t *at, size_t n, int channels, tarn_image *img);

#endif
