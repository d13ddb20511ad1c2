/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include "kern/conv.h"

typedef struct conv_case {
	tarn_conv_spec s;
	tarn_conv_shape h;
	tarn_epilogue e;
	bool bias, residual;
	int pad_bottom, pad_right;
} conv_case;

static void out_size(conv_case *t)
{
	int eh = (t->s.kh - 1) * t->s.dilation_h + 1, ew = (t->s.kw - 1) * t->s.dilation_w + 1;
	t->h.oh = (t->h.ih + t->h.pad_top + t->pad_bottom - eh) / t->s.stride_h + 1;
	t->h.ow = (t->h.iw + t->h.pad_left + t->pad_right - ew) / t->s.stride_w + 1;
	if (t->h.ih + t->h.pad_top + t->pad_bottom < eh || t->h.iw + t->h.pad_left + t->pad_right < ew)
		t->h.oh = 0;
}

static double reference(const conv_case *t, const float *in, const float *w, int n, int oy, int ox, int o)
{
	const tarn_conv_spec *s = &t->s;
	int icg = s->ic / s->groups, g = o / (s->oc / s->groups);
	double v = 0;
	for (int ky = 0; ky < s->kh; ky++) {
		for (int kx = 0; kx < s->kw; kx++) {
			int y = oy * s->stride_h - t->h.pad_top + ky * s->dilation_h;
			int x = ox * s->stride_w - t->h.pad_left + kx * s->dilation_w;
			if (y < 0 || x < 0 || y >= t->h.ih || x >= t->h.iw)
				continue;
			const float *px =
				in + ((size_t)(n * t->h.ih + y) * (size_t)t->h.iw + (size_t)x) * t->h.in_stride + g * icg;
			for (int c = 0; c < icg; c++)
				v += (double)px[c] * (double)w[((o * icg + c) * s->kh + ky) * s->kw + kx];
		}
	}
	return v;
}

static double activation(const tarn_epilogue *e, double v)
{
	return e->act == TARN_UNARY_RELU ? fmax(v, 0) : e->act == TARN_UNARY_HARDSWISH ? v * fmin(fmax(v / 6 + 0.5, 0), 1) : v;
}

static void run_conv(conv_case *t)
{
	const tarn_conv_spec *s = &t->s;
	out_size(t);
	if (t->h.oh <= 0 || t->h.ow <= 0)
		return;
	size_t taps = (size_t)(s->ic / s->groups * s->kh * s->kw), pixels = (size_t)(t->h.n * t->h.oh * t->h.ow);
	size_t in_size = (size_t)(t->h.n * t->h.ih * t->h.iw) * t->h.in_stride;
	float *in = random_floats(in_size), *w = random_floats((size_t)s->oc * taps), *bias = random_floats((size_t)s->oc);
	float *res = random_floats(pixels * t->h.residual_stride), *out = marked_floats(pixels * t->h.out_stride);
	tarn_conv_f32 *conv;
	tarn_conv_f32_plan *plan;
	assert_ok(tarn_conv_f32_pack(s, w, t->bias ? bias : NULL, &conv));
	assert_ok(tarn_conv_f32_plan_new(conv, &t->h, &t->e, &plan));
	int tasks = tarn_conv_f32_tasks(plan), cut = rng_int(0, tasks);
	tarn_conv_f32_run(plan, in, out, t->residual ? res : NULL, cut, tasks);
	tarn_conv_f32_run(plan, in, out, t->residual ? res : NULL, 0, cut);
	for (size_t p = 0; p < pixels; p++) {
		int ox = (int)(p % (size_t)t->h.ow), oy = (int)(p / (size_t)t->h.ow % (size_t)t->h.oh);
		int n = (int)(p / (size_t)t->h.ow / (size_t)t->h.oh);
		for (size_t o = 0; o < t->h.out_stride; o++) {
			float got = out[p * t->h.out_stride + o];
			if (o >= (size_t)s->oc) {
				assert_near(got, (double)UNTOUCHED, 0, "conv gap", p * t->h.out_stride + o);
				continue;
			}
			double v = reference(t, in, w, n, oy, ox, (int)o) + (t->bias ? (double)bias[o] : 0);
			double r = t->residual ? (double)res[p * t->h.residual_stride + o] : 0;
			v = t->e.residual_after ? activation(&t->e, v) + r : activation(&t->e, v + r);
			assert_near(got, v, 1e-6 * (double)(taps + 4), "conv", p * t->h.out_stride + o);
		}
	}
	tarn_conv_f32_plan_free(plan);
	tarn_conv_f32_free(conv);
	free(in), free(w), free(bias), free(res), free(out);
}

static conv_case random_case(void)
{
	conv_case t = {0};
	int g = rng() % 3 ? 1 : rng_int(2, 4);
	t.s = (tarn_conv_spec){g * rng_int(1, 20), g * rng_int(1, 40), g,
			       rng_int(1, 4),      rng_int(1, 4),      rng_int(1, 2),
			       rng_int(1, 2),      rng_int(1, 2),      rng_int(1, 2)};
	t.h = (tarn_conv_shape){.n = rng_int(1, 2), .ih = rng_int(1, 9), .iw = rng_int(1, 12)};
	t.h.pad_top = rng_int(0, 2), t.h.pad_left = rng_int(0, 2), t.pad_bottom = rng_int(0, 2), t.pad_right = rng_int(0, 2);
	t.h.in_stride = (size_t)(t.s.ic + (rng() & 1 ? rng_int(0, 3) : 0));
	t.h.out_stride = (size_t)(t.s.oc + rng_int(0, 3)), t.h.residual_stride = (size_t)(t.s.oc + rng_int(0, 3));
	t.e.act = rng() % 3 == 0 ? TARN_UNARY_RELU : rng() & 1 ? TARN_UNARY_HARDSWISH : TARN_UNARY_IDENTITY;
	t.bias = rng() & 1, t.residual = rng() & 1, t.e.residual_after = rng() & 1;
	return t;
}

static void convolutions_of_any_shape(void **state)
{
	(void)state;
	AT_EVERY_LEVEL({
		for (int i = 0; i < 100; i++) {
			conv_case t = random_case();
			run_conv(&t);
		}
	});
}

#define DENSE(ic_, oc_, k_, stride_) \
	{ \
		.ic = ic_, .oc = oc_, .groups = 1, .kh = k_, .kw = k_, .stride_h = stride_, .stride_w = stride_, \
		.dilation_h = 1, .dilation_w = 1 \
	}

/* The shapes that take the special paths: image input, pointwise, wide panels, weights too large for the cache, a kernel with
 * more taps than one round holds. */
static void special_paths(void **state)
{
	(void)state;
	conv_case cases[] = {
		{.s = DENSE(3, 64, 7, 2),
		 .h = {.n = 1, .ih = 20, .iw = 30, .pad_top = 3, .pad_left = 3},
		 .pad_bottom = 3,
		 .pad_right = 3},
		{.s = DENSE(3, 16, 3, 2),
		 .h = {.n = 2, .ih = 9, .iw = 9, .pad_top = 0, .pad_left = 0},
		 .pad_bottom = 1,
		 .pad_right = 1},
		{.s = DENSE(1, 8, 5, 1),
		 .h = {.n = 1, .ih = 12, .iw = 3, .pad_top = 2, .pad_left = 2},
		 .pad_bottom = 2,
		 .pad_right = 2},
		{.s = DENSE(40, 144, 1, 1), .h = {.n = 2, .ih = 7, .iw = 7}},
		{.s = DENSE(16, 130, 3, 1),
		 .h = {.n = 1, .ih = 14, .iw = 14, .pad_top = 1, .pad_left = 1},
		 .pad_bottom = 1,
		 .pad_right = 1},
		{.s = DENSE(300, 80, 3, 1),
		 .h = {.n = 1, .ih = 5, .iw = 4, .pad_top = 1, .pad_left = 1},
		 .pad_bottom = 1,
		 .pad_right = 1},
		{.s = DENSE(2, 5, 27, 1),
		 .h = {.n = 1, .ih = 20, .iw = 20, .pad_top = 13, .pad_left = 13},
		 .pad_bottom = 13,
		 .pad_right = 13},
		{.s = DENSE(4, 20, 3, 1), .h = {.n = 1, .ih = 6, .iw = 6, .pad_top = -1, .pad_left = -2}},
		{.s = DENSE(4, 20, 1, 1),
		 .h = {.n = 1, .ih = 3, .iw = 3, .pad_top = 2, .pad_left = 2},
		 .pad_bottom = 2,
		 .pad_right = 2},
	};
	AT_EVERY_LEVEL({
		for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
			conv_case t = cases[i];
			t.h.in_stride = (size_t)t.s.ic, t.h.out_stride = (size_t)t.s.oc, t.h.residual_stride = (size_t)t.s.oc;
			t.bias = true, t.residual = i & 1, t.e.act = TARN_UNARY_RELU;
			run_conv(&t);
		}
	});
}

static void bad_shapes_are_refused(void **state)
{
	(void)state;
	float w[64] = {0};
	tarn_conv_f32 *conv = NULL;
	tarn_conv_f32_plan *plan = NULL;
	tarn_conv_spec s = DENSE(4, 4, 1, 1);
	s.groups = 3;
	assert_int_equal(tarn_conv_f32_pack(&s, w, NULL, &conv), TARN_SHAPE);
	s = (tarn_conv_spec)DENSE(4, 4, 1, 0);
	assert_int_equal(tarn_conv_f32_pack(&s, w, NULL, &conv), TARN_SHAPE);
	s = (tarn_conv_spec)DENSE(4, 4, 1, 1);
	assert_ok(tarn_conv_f32_pack(&s, w, NULL, &conv));
	tarn_conv_shape h = {.n = 1, .ih = 0, .iw = 1, .oh = 1, .ow = 1};
	assert_int_equal(tarn_conv_f32_plan_new(conv, &h, NULL, &plan), TARN_SHAPE);
	h = (tarn_conv_shape){.n = 1, .ih = 1, .iw = 1, .oh = 1, .ow = 1, .out_stride = 3};
	assert_int_equal(tarn_conv_f32_plan_new(conv, &h, NULL, &plan), TARN_SHAPE);
	h = (tarn_conv_shape){.n = 0, .ih = 1, .iw = 1, .oh = 1, .ow = 1};
	assert_ok(tarn_conv_f32_plan_new(conv, &h, NULL, &plan));
	assert_int_equal(tarn_conv_f32_tasks(plan), 0);
	tarn_conv_f32_plan_free(plan);
	tarn_conv_f32_free(conv);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(convolutions_of_any_shape), cmocka_unit_test(special_paths),
					   cmocka_unit_test(bad_shapes_are_refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
