/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JPEG, PNG and BMP as 8-bit pixels, and their preparation for a model's input.
 *
 * Files are untrusted: sizes are limited before anything is allocated, and a damaged or cut file is an error. Objects here
 * belong to one thread at a time; they keep their memory for the next image.
 *
 * What is not looked at: EXIF orientation (pixels come as stored), colour profiles and gamma, transparency (alpha is dropped,
 * as PIL's convert("RGB") does; nothing is composited). 16-bit PNG keeps the upper eight bits. CMYK JPEG becomes
 * RGB by (1-C)(1-K).
 */
#ifndef TARN_FMT_IMAGE_IMAGE_H
#define TARN_FMT_IMAGE_IMAGE_H

#include <stdint.h>

#include "base/err.h"
#include "ir/dtype.h"

enum { IMAGE_MAX_SIDE = 1 << 16, IMAGE_MAX_PIXELS = 1 << 26 };

typedef enum tarn_color { TARN_COLOR_AUTO, TARN_COLOR_RGB, TARN_COLOR_BGR, TARN_COLOR_GRAY } tarn_color;

/* Pixels row by row without padding; 1 (grey) or 3 (red, green, blue) bytes each. A zeroed one is empty. */
typedef struct tarn_image {
	int width, height, channels;
	uint8_t *at;
	size_t cap;
} tarn_image;
void tarn_image_fini(tarn_image *img);

/* Do the bytes begin like a format read here? */
bool tarn_image_probe(const uint8_t *at, size_t n);
/* Decodes to `channels` (1 or 3) per pixel. Grey from colour: 0.299 R + 0.587 G + 0.114 B, for JPEG its own luma. When
 * short_side > 0, a JPEG may come smaller (by eighths), its shorter side at least that long: faster, and less exact. */
TARN_MUST tarn_err tarn_image_decode(const uint8_t *at, size_t n, int channels, int short_side, tarn_image *img);
/* The same for a file; errors name it. */
TARN_MUST tarn_err tarn_image_read(const char *path, int channels, int short_side, tarn_image *img);

/* Raw frames, as cameras and ffmpeg -f rawvideo give them: rows without padding. NV12: a plane of Y, then one of U and V in
 * turns at half the size. I420: three planes. YUYV: two pixels share U and V. Colours of YUV are BT.601 in video range
 * (16..235), as OpenVINO's preprocessing reads them; sides of 4:2:0 frames must be even, YUYV's width. */
typedef enum tarn_frame_format {
	TARN_FRAME_NV12,
	TARN_FRAME_I420,
	TARN_FRAME_YUYV,
	TARN_FRAME_RGB,
	TARN_FRAME_BGR,
	TARN_FRAME_GRAY,
} tarn_frame_format;
/* "nv12", "i420" or "yuv420p", "yuyv" or "yuyv422", "rgb24", "bgr24", "gray". TARN_USAGE lists them. */
TARN_MUST tarn_err tarn_frame_parse(const char *word, tarn_frame_format *format);
/* TARN_SHAPE when there is no such frame. */
TARN_MUST tarn_err tarn_frame_bytes(tarn_frame_format format, int width, int height, size_t *bytes);
/* n bytes to 1 or 3 channels. TARN_SHAPE unless n is what the frame has. */
TARN_MUST tarn_err tarn_frame_read(tarn_frame_format format, int width, int height, const uint8_t *at, size_t n, int channels,
				   tarn_image *img);

/* From image to input: resize, crop, colour order, (v - mean) / scale, layout, element type, in one pass over rows. */
typedef struct tarn_prep_options {
	tarn_color color; /* AUTO: GRAY for one channel, RGB for three */
	int resize;       /* length of the shorter side; the longer one keeps the proportions, rounded down. 0: no resizing */
	int crop_width, crop_height; /* from the middle, the odd pixel to the right and below; 0: none */
	double mean[3], scale[3];    /* in the input's channel order; a scale of 0 stands for 1 */
	bool scaled_decode;          /* let JPEGs be decoded smaller (see above) */
} tarn_prep_options;

typedef struct tarn_prep_target {
	tarn_dtype type; /* any number type; integers are rounded and clamped */
	int width, height, channels;
	bool nhwc; /* channels last */
} tarn_prep_target;

/* Without resize and crop, an image of another size is stretched to the target. Resizing is bilinear with half-pixel centres,
 * widened to cover the source when it shrinks (antialias), horizontally and then vertically, each pass rounded to 8 bits: what
 * PIL's Image.resize(BILINEAR) computes. */
typedef struct tarn_prep tarn_prep;
TARN_MUST tarn_err tarn_prep_new(const tarn_prep_options *o, const tarn_prep_target *t, tarn_prep **p);
void tarn_prep_free(tarn_prep *p);
/* One sample of the target's shape into dst. `img` must have its channels. */
TARN_MUST tarn_err tarn_prep_run(tarn_prep *p, const tarn_image *img, void *dst);
/* Decodes the bytes of a JPEG, PNG or BMP and prepares. */
TARN_MUST tarn_err tarn_prep_bytes(tarn_prep *p, const uint8_t *at, size_t n, void *dst);
/* The same for a raw frame. */
TARN_MUST tarn_err tarn_prep_frame(tarn_prep *p, tarn_frame_format format, int width, int height, const uint8_t *at, size_t n,
				   void *dst);
/* Reads, decodes and prepares; errors name the file. */
TARN_MUST tarn_err tarn_prep_file(tarn_prep *p, const char *path, void *dst);

#endif
