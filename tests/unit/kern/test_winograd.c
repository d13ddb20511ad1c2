/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include "kern/winograd.h"

static double activation(const tarn_epilogue *e, double v)
{
	return e->act == TARN_UNARY_RELU    ? fmax(v, 0)
	       : e->act == TARN_UNARY_CLAMP ? fmin(fmax(v, (double)e->alpha), (double)e->beta)
	       : e->act == TARN_UNARY_SILU  ? v / (1 + exp(-v))
					    : v;
}

static void run_case(int ic, int oc, tarn_conv_shape h, tarn_epilogue e, bool bias_on, bool residual_on)
{
	tarn_conv_spec s = {ic, oc, 1, 3, 3, 1, 1, 1, 1};
	h.in_stride = (size_t)(ic + rng_int(0, 2)), h.out_stride = (size_t)(oc + rng_int(0, 2)),
	h.residual_stride = (size_t)(oc + 1);
	size_t pixels = (size_t)(h.n * h.oh * h.ow);
	float *in = random_floats((size_t)(h.n * h.ih * h.iw) * h.in_stride), *w = random_floats((size_t)(oc * ic * 9));
	float *bias = random_floats((size_t)oc), *res = random_floats(pixels * h.residual_stride),
	      *out = marked_floats(pixels * h.out_stride);
	tarn_winograd_f32 *conv;
	assert_ok(tarn_winograd_f32_pack(&s, w, bias_on ? bias : NULL, &conv));
	tarn_winograd_f32_args args = {h, e, in, out, residual_on ? res : NULL};
	void *scratch = aligned_alloc(64, (tarn_winograd_f32_scratch(conv, &h) + 63) / 64 * 64);
	int tasks = tarn_winograd_f32_tasks(conv, &h), cut = rng_int(0, tasks);
	tarn_winograd_f32_run(conv, &args, cut, tasks, scratch);
	tarn_winograd_f32_run(conv, &args, 0, cut, scratch);
	double error = 0, max = 0;
	for (size_t i = 0; i < pixels * h.out_stride; i++) {
		size_t p = i / h.out_stride, o = i % h.out_stride;
		int ox = (int)(p % (size_t)h.ow), oy = (int)(p / (size_t)h.ow % (size_t)h.oh),
		    n = (int)(p / (size_t)h.ow / (size_t)h.oh);
		if (o >= (size_t)oc) {
			assert_near(out[i], (double)UNTOUCHED, 0, "winograd gap", i);
			continue;
		}
		double v = bias_on ? (double)bias[o] : 0, r = residual_on ? (double)res[p * h.residual_stride + o] : 0;
		for (int t = 0; t < 9; t++) {
			int y = oy - h.pad_top + t / 3, x = ox - h.pad_left + t % 3;
			const float *px = in + ((size_t)(n * h.ih + y) * (size_t)h.iw + (size_t)x) * h.in_stride;
			for (int c = 0; c < ic && y >= 0 && x >= 0 && y < h.ih && x < h.iw; c++)
				v += (double)px[c] * (double)w[((int)o * ic + c) * 9 + t];
		}
		v = e.residual_after ? activation(&e, v) + r : activation(&e, v + r);
		error = fmax(error, fabs((double)out[i] - v));
		max = fmax(max, fabs(v));
	}
	assert_near((float)(error / max), 0, 1e-5, "winograd: relative error", 0);
	tarn_winograd_f32_free(conv);
	free(in), free(w), free(bias), free(res), free(out), free(scratch);
}

static void any_size_and_epilogue(void **state)
{
	(void)state;
	static const tarn_unary acts[] = {TARN_UNARY_IDENTITY, TARN_UNARY_RELU, TARN_UNARY_CLAMP, TARN_UNARY_SILU};
	AT_EVERY_LEVEL({
		for (int i = 0; i < 40; i++) {
			tarn_conv_shape h = {.n = rng_int(1, 2),
					     .ih = rng_int(2, 11),
					     .iw = rng_int(2, 11),
					     .pad_top = rng_int(0, 2),
					     .pad_left = rng_int(0, 2)};
			h.oh = h.ih + h.pad_top + rng_int(0, 1) - 2, h.ow = h.iw + h.pad_left + rng_int(0, 1) - 2;
			tarn_epilogue e = {acts[i % 4], i % 4 == 2 ? -2.0f : 1.0f, 3, rng() & 1};
			if (h.oh > 0 && h.ow > 0)
				run_case(rng_int(1, 40), rng_int(1, 80), h, e, rng() & 1, rng() & 1);
		}
		/* several blocks and panels; many channels, where rounding adds up */
		run_case(8, 20, (tarn_conv_shape){.n = 1, .ih = 33, .iw = 30, .oh = 33, .ow = 30, .pad_top = 1, .pad_left = 1},
			 (tarn_epilogue){0}, true, false);
		run_case(512, 70, (tarn_conv_shape){.n = 1, .ih = 6, .iw = 6, .oh = 4, .ow = 4}, (tarn_epilogue){0}, false,
			 false);
	});
}

static void only_for_plain_3x3(void **state)
{
	(void)state;
	float w[64] = {0};
	tarn_winograd_f32 *conv = NULL;
	tarn_conv_spec s = {1, 1, 1, 3, 3, 2, 1, 1, 1};
	assert_false(tarn_winograd_f32_supports(&s));
	assert_int_equal(tarn_winograd_f32_pack(&s, w, NULL, &conv), TARN_UNSUPPORTED);
	s = (tarn_conv_spec){64, 64, 1, 3, 3, 1, 1, 1, 1};
	tarn_conv_shape large = {.n = 1, .ih = 56, .iw = 56, .oh = 56, .ow = 56},
			small = {.n = 1, .ih = 7, .iw = 7, .oh = 7, .ow = 7};
	assert_true(tarn_winograd_f32_worth(&s, &large));
	assert_false(tarn_winograd_f32_worth(&s, &small));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(any_size_and_epilogue), cmocka_unit_test(only_for_plain_3x3)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
