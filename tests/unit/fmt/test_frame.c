/* SPDX-License-Identifier: Apache-2.0 */
/* Raw frames against BT.601 written out in double precision. */
#include "unit/test.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "fmt/image/image.h"

enum { W = 6, H = 4 };

static double limit(double v)
{
	return v < 0 ? 0 : v > 255 ? 255 : v;
}

/* Kr = 0.299, Kb = 0.114; Y spans 219 codes from 16, U and V 224 around 128. */
static void expect_rgb(int y, int u, int v, const uint8_t *rgb)
{
	const double kr = 0.299, kb = 0.114, kg = 1 - kr - kb;
	double l = (y - 16) * 255.0 / 219, cb = (u - 128) / 224.0 * 255, cr = (v - 128) / 224.0 * 255;
	double r = l + 2 * (1 - kr) * cr, b = l + 2 * (1 - kb) * cb;
	double g = l - (2 * kb * (1 - kb) * cb + 2 * kr * (1 - kr) * cr) / kg;
	/* Fixed point rounds halves its own way. */
	assert_true(fabs(rgb[0] - limit(r)) < 0.51);
	assert_true(fabs(rgb[1] - limit(g)) < 0.51);
	assert_true(fabs(rgb[2] - limit(b)) < 0.51);
}

static void random_planes(unsigned seed, uint8_t y[H][W], uint8_t u[H / 2][W / 2], uint8_t v[H / 2][W / 2])
{
	srand(seed);
	for (int r = 0; r < H; r++)
		for (int c = 0; c < W; c++)
			y[r][c] = (uint8_t)rand();
	for (int r = 0; r < H / 2; r++)
		for (int c = 0; c < W / 2; c++) {
			u[r][c] = (uint8_t)rand();
			v[r][c] = (uint8_t)rand();
		}
}

static void test_420(void **state)
{
	(void)state;
	uint8_t y[H][W], u[H / 2][W / 2], v[H / 2][W / 2], frame[W * H * 3 / 2];
	tarn_image img = {0};
	for (unsigned seed = 1; seed < 20; seed++)
		for (int planar = 0; planar < 2; planar++) {
			random_planes(seed, y, u, v);
			memcpy(frame, y, sizeof y);
			for (int i = 0; i < W * H / 4; i++) {
				frame[W * H + (planar ? i : 2 * i)] = (&u[0][0])[i];
				frame[W * H + (planar ? W * H / 4 + i : 2 * i + 1)] = (&v[0][0])[i];
			}
			assert_ok(tarn_frame_read(planar ? TARN_FRAME_I420 : TARN_FRAME_NV12, W, H, frame, sizeof frame, 3,
						  &img));
			assert_int_equal(img.channels, 3);
			for (int r = 0; r < H; r++)
				for (int c = 0; c < W; c++)
					expect_rgb(y[r][c], u[r / 2][c / 2], v[r / 2][c / 2], img.at + (r * W + c) * 3);
		}
	tarn_image_fini(&img);
}

static void test_yuyv(void **state)
{
	(void)state;
	const uint8_t frame[] = {16, 90, 235, 240, 81, 240, 41, 110};
	tarn_image img = {0};
	assert_ok(tarn_frame_read(TARN_FRAME_YUYV, 2, 2, frame, sizeof frame, 3, &img));
	expect_rgb(16, 90, 240, img.at);
	expect_rgb(235, 90, 240, img.at + 3);
	expect_rgb(81, 240, 110, img.at + 6);
	expect_rgb(41, 240, 110, img.at + 9);
	/* Black and white of the video range. */
	assert_ok(tarn_frame_read(TARN_FRAME_YUYV, 2, 2, frame, sizeof frame, 1, &img));
	assert_int_equal(img.at[0], 0);
	assert_int_equal(img.at[1], 255);
	tarn_image_fini(&img);
}

static void test_rgb(void **state)
{
	(void)state;
	const uint8_t frame[] = {1, 2, 3, 200, 100, 50};
	tarn_image img = {0};
	assert_ok(tarn_frame_read(TARN_FRAME_RGB, 2, 1, frame, 6, 3, &img));
	assert_memory_equal(img.at, frame, 6);
	assert_ok(tarn_frame_read(TARN_FRAME_BGR, 2, 1, frame, 6, 3, &img));
	assert_memory_equal(img.at, ((uint8_t[]){3, 2, 1, 50, 100, 200}), 6);
	assert_ok(tarn_frame_read(TARN_FRAME_RGB, 2, 1, frame, 6, 1, &img));
	assert_int_equal(img.channels, 1);
	assert_int_equal(img.at[1], lround(0.299 * 200 + 0.587 * 100 + 0.114 * 50));
	assert_ok(tarn_frame_read(TARN_FRAME_GRAY, 3, 2, frame, 6, 3, &img));
	assert_int_equal(img.at[9], 200);
	assert_int_equal(img.at[11], 200);
	tarn_image_fini(&img);
}

static void test_bad(void **state)
{
	(void)state;
	uint8_t frame[64] = {0};
	tarn_image img = {0};
	tarn_frame_format f;
	size_t n;
	assert_err(TARN_USAGE, tarn_frame_parse("nv21", &f));
	assert_ok(tarn_frame_parse("yuv420p", &f));
	assert_int_equal(f, TARN_FRAME_I420);
	assert_err(TARN_SHAPE, tarn_frame_bytes(TARN_FRAME_NV12, 5, 4, &n));
	assert_err(TARN_SHAPE, tarn_frame_bytes(TARN_FRAME_NV12, 4, 5, &n));
	assert_err(TARN_SHAPE, tarn_frame_bytes(TARN_FRAME_YUYV, 5, 5, &n));
	assert_err(TARN_SHAPE, tarn_frame_bytes(TARN_FRAME_RGB, 0, 5, &n));
	assert_err(TARN_SHAPE, tarn_frame_bytes(TARN_FRAME_RGB, 65536, 65536, &n));
	assert_err(TARN_SHAPE, tarn_frame_read(TARN_FRAME_NV12, 4, 4, frame, 23, 3, &img));
	assert_err(TARN_SHAPE, tarn_frame_read(TARN_FRAME_NV12, 4, 4, frame, 25, 3, &img));
	tarn_image_fini(&img);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_420), cmocka_unit_test(test_yuyv), cmocka_unit_test(test_rgb),
					   cmocka_unit_test(test_bad)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
