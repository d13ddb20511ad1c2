/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include "kern/pool2d.h"

static void run_pool(tarn_pool2d p, bool ceil_mode)
{
	int eh = (p.kh - 1) * p.dilation_h + 1, ew = (p.kw - 1) * p.dilation_w + 1;
	int rh = p.ih + p.pad_top + p.pad_bottom - eh, rw = p.iw + p.pad_left + p.pad_right - ew;
	if (rh < 0 || rw < 0)
		return;
	p.oh = (rh + (ceil_mode ? p.stride_h - 1 : 0)) / p.stride_h + 1,
	p.ow = (rw + (ceil_mode ? p.stride_w - 1 : 0)) / p.stride_w + 1;
	size_t is = p.in_stride ? p.in_stride : (size_t)p.c, os = p.out_stride ? p.out_stride : (size_t)p.c;
	size_t out_size = (size_t)(p.n * p.oh * p.ow) * os;
	float *in = random_floats((size_t)(p.n * p.ih * p.iw) * is), *out = marked_floats(out_size);
	int tasks = tarn_pool2d_f32_tasks(&p), cut = rng_int(0, tasks);
	tarn_pool2d_f32_run(&p, in, out, cut, tasks);
	tarn_pool2d_f32_run(&p, in, out, 0, cut);
	for (size_t i = 0; i < out_size; i++) {
		int c = (int)(i % os), ox = (int)(i / os % (size_t)p.ow), oy = (int)(i / os / (size_t)p.ow % (size_t)p.oh);
		int n = (int)(i / os / (size_t)p.ow / (size_t)p.oh), inside = 0, padded = 0;
		double sum = 0, max = -INFINITY;
		for (int ky = 0; c < p.c && ky < p.kh; ky++) {
			for (int kx = 0; kx < p.kw; kx++) {
				int y = oy * p.stride_h - p.pad_top + ky * p.dilation_h,
				    x = ox * p.stride_w - p.pad_left + kx * p.dilation_w;
				padded += y < p.ih + p.pad_bottom && x < p.iw + p.pad_right;
				if (y < 0 || x < 0 || y >= p.ih || x >= p.iw)
					continue;
				double v = (double)in[((size_t)(n * p.ih + y) * (size_t)p.iw + (size_t)x) * is + (size_t)c];
				sum += v, inside++;
				max = fmax(max, v);
			}
		}
		int count = p.count_include_pad ? padded : inside;
		double want = c >= p.c ? (double)UNTOUCHED : p.average ? (count ? sum / count : 0) : max;
		assert_near(out[i], want, p.average && c < p.c ? 2e-6 : 0, "pool", i);
	}
	free(in), free(out);
}

static void pools_of_any_shape(void **state)
{
	(void)state;
	AT_EVERY_LEVEL({
		for (int i = 0; i < 120; i++) {
			tarn_pool2d p = {.average = i & 1,
					 .count_include_pad = i & 2,
					 .n = rng_int(1, 2),
					 .ih = rng_int(1, 9),
					 .iw = rng_int(1, 9),
					 .c = rng_int(1, 80),
					 .kh = rng_int(1, 4),
					 .kw = rng_int(1, 4),
					 .stride_h = rng_int(1, 3),
					 .stride_w = rng_int(1, 3),
					 .dilation_h = rng_int(1, 2),
					 .dilation_w = rng_int(1, 2),
					 .pad_top = rng_int(0, 2),
					 .pad_left = rng_int(0, 2),
					 .pad_bottom = rng_int(0, 2),
					 .pad_right = rng_int(0, 2)};
			if (rng() & 1)
				p.in_stride = (size_t)(p.c + 1), p.out_stride = (size_t)(p.c + 2);
			run_pool(p, i & 4);
		}
		/* a window wholly in the padding */
		run_pool((tarn_pool2d){.average = true,
				       .n = 1,
				       .ih = 1,
				       .iw = 1,
				       .c = 3,
				       .kh = 1,
				       .kw = 1,
				       .stride_h = 1,
				       .stride_w = 1,
				       .dilation_h = 1,
				       .dilation_w = 1,
				       .pad_left = 1,
				       .pad_top = 1},
			 false);
	});
}

static void not_a_number_is_the_maximum(void **state)
{
	(void)state;
	AT_EVERY_LEVEL({
		float in[4] = {1, NAN, 3, 4}, out[1];
		tarn_pool2d p = {.n = 1,
				 .ih = 2,
				 .iw = 2,
				 .c = 1,
				 .oh = 1,
				 .ow = 1,
				 .kh = 2,
				 .kw = 2,
				 .stride_h = 1,
				 .stride_w = 1,
				 .dilation_h = 1,
				 .dilation_w = 1};
		tarn_pool2d_f32_run(&p, in, out, 0, 1);
		assert_true(isnan(out[0]));
	});
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(pools_of_any_shape), cmocka_unit_test(not_a_number_is_the_maximum)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
