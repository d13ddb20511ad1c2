/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include "kern/conv_transpose.h"

/* Scatters every input pixel, the other way round than the kernel: acc [n][oh][ow][oc]. */
static double *reference(const tarn_conv_spec *s, const tarn_conv_shape *h, const float *in, const float *w)
{
	int icg = s->ic / s->groups, ocg = s->oc / s->groups;
	double *acc = calloc((size_t)(h->n * h->oh * h->ow * s->oc) + 1, sizeof *acc);
	for (int p = 0; p < h->n * h->ih * h->iw; p++) {
		int x = p % h->iw, y = p / h->iw % h->ih, n = p / h->iw / h->ih;
		for (int t = 0; t < s->kh * s->kw; t++) {
			int oy = y * s->stride_h - h->pad_top + t / s->kw * s->dilation_h;
			int ox = x * s->stride_w - h->pad_left + t % s->kw * s->dilation_w;
			if (oy < 0 || ox < 0 || oy >= h->oh || ox >= h->ow)
				continue;
			for (int i = 0; i < s->ic; i++)
				for (int o = 0; o < ocg; o++)
					acc[((n * h->oh + oy) * h->ow + ox) * s->oc + i / icg * ocg + o] +=
						(double)in[(size_t)p * h->in_stride + (size_t)i] *
						(double)w[(i * ocg + o) * s->kh * s->kw + t];
		}
	}
	return acc;
}

static void run_case(const tarn_conv_spec *s, tarn_conv_shape h, bool bias_on, bool residual_on)
{
	size_t taps = (size_t)(s->kh * s->kw), pixels = (size_t)(h.n * h.oh * h.ow);
	float *in = random_floats((size_t)(h.n * h.ih * h.iw) * h.in_stride),
	      *w = random_floats((size_t)(s->ic * (s->oc / s->groups)) * taps);
	float *bias = random_floats((size_t)s->oc), *res = random_floats(pixels * (size_t)s->oc),
	      *out = marked_floats(pixels * h.out_stride);
	double *acc = reference(s, &h, in, w);
	tarn_conv_transpose_f32 *conv;
	assert_ok(tarn_conv_transpose_f32_pack(s, w, bias_on ? bias : NULL, &conv));
	tarn_conv_transpose_f32_args args = {h, {TARN_UNARY_RELU, 0, 0, false}, in, out, residual_on ? res : NULL};
	int tasks = tarn_conv_transpose_f32_tasks(conv, &h), cut = rng_int(0, tasks);
	tarn_conv_transpose_f32_run(conv, &args, cut, tasks);
	tarn_conv_transpose_f32_run(conv, &args, 0, cut);
	for (size_t i = 0; i < pixels * h.out_stride; i++) {
		size_t p = i / h.out_stride, o = i % h.out_stride, at = p * (size_t)s->oc + o;
		if (o >= (size_t)s->oc) {
			assert_near(out[i], (double)UNTOUCHED, 0, "transposed conv gap", i);
			continue;
		}
		double v = fmax(acc[at] + (bias_on ? (double)bias[o] : 0) + (residual_on ? (double)res[at] : 0), 0);
		assert_near(out[i], v, 1e-6 * (double)(taps * (size_t)s->ic + 4), "transposed conv", i);
	}
	tarn_conv_transpose_f32_free(conv);
	free(in), free(w), free(bias), free(res), free(out), free(acc);
}

static void transposed_convolutions_of_any_shape(void **state)
{
	(void)state;
	AT_EVERY_LEVEL({
		for (int i = 0; i < 80; i++) {
			int g = i % 3 ? 1 : 2;
			tarn_conv_spec s = {g * rng_int(1, 12), g * rng_int(1, 30), g,
					    rng_int(1, 4),      rng_int(1, 4),      rng_int(1, 3),
					    rng_int(1, 3),      rng_int(1, 2),      rng_int(1, 2)};
			tarn_conv_shape h = {.n = rng_int(1, 2),
					     .ih = rng_int(1, 6),
					     .iw = rng_int(1, 9),
					     .pad_top = rng_int(0, 2),
					     .pad_left = rng_int(0, 2)};
			h.oh = (h.ih - 1) * s.stride_h + (s.kh - 1) * s.dilation_h + 1 - h.pad_top - rng_int(-1, 1);
			h.ow = (h.iw - 1) * s.stride_w + (s.kw - 1) * s.dilation_w + 1 - h.pad_left - rng_int(-1, 1);
			h.in_stride = (size_t)(s.ic + rng_int(0, 2)), h.out_stride = (size_t)(s.oc + rng_int(0, 2));
			if (h.oh > 0 && h.ow > 0)
				run_case(&s, h, rng() & 1, rng() & 1);
		}
		/* more outputs in a row than one table of pointers holds */
		tarn_conv_spec s = {1, 1, 1, 1, 500, 1, 1, 1, 1};
		run_case(&s, (tarn_conv_shape){.n = 1, .ih = 1, .iw = 3, .oh = 1, .ow = 502, .in_stride = 1, .out_stride = 1},
			 true, false);
	});
}

static void bad_shapes_are_refused(void **state)
{
	(void)state;
	float w[8] = {0};
	tarn_conv_transpose_f32 *conv = NULL;
	tarn_conv_spec s = {3, 4, 2, 1, 1, 1, 1, 1, 1};
	assert_int_equal(tarn_conv_transpose_f32_pack(&s, w, NULL, &conv), TARN_SHAPE);
	s = (tarn_conv_spec){1, 1, 1, 30, 30, 1, 1, 1, 1};
	assert_int_equal(tarn_conv_transpose_f32_pack(&s, w, NULL, &conv), TARN_UNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(transposed_convolutions_of_any_shape),
					   cmocka_unit_test(bad_shapes_are_refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
