/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include "kern/depthwise.h"

typedef struct dw_case {
	tarn_depthwise_spec s;
	tarn_conv_shape h;
	tarn_epilogue e;
	bool bias, residual, in_place;
	int pad_bottom, pad_right;
} dw_case;

static double activation(const tarn_epilogue *e, double v)
{
	return e->act == TARN_UNARY_RELU      ? fmax(v, 0)
	       : e->act == TARN_UNARY_CLAMP   ? fmin(fmax(v, (double)e->alpha), (double)e->beta)
	       : e->act == TARN_UNARY_SIGMOID ? 1 / (1 + exp(-v))
					      : v;
}

static double reference(const dw_case *t, const float *in, const float *w, size_t pixel, int o)
{
	const tarn_depthwise_spec *s = &t->s;
	int ox = (int)(pixel % (size_t)t->h.ow), oy = (int)(pixel / (size_t)t->h.ow % (size_t)t->h.oh);
	int n = (int)(pixel / (size_t)t->h.ow / (size_t)t->h.oh);
	int width = s->width > 1 ? s->width : 1, first = width > 1 ? o / width * width : o / s->multiplier;
	double v = 0;
	for (int ky = 0; ky < s->kh; ky++) {
		for (int kx = 0; kx < s->kw; kx++) {
			int y = oy * s->stride_h - t->h.pad_top + ky * s->dilation_h;
			int x = ox * s->stride_w - t->h.pad_left + kx * s->dilation_w;
			for (int j = 0; j < width && y >= 0 && x >= 0 && y < t->h.ih && x < t->h.iw; j++)
				v += (double)in[((size_t)(n * t->h.ih + y) * (size_t)t->h.iw + (size_t)x) * t->h.in_stride +
						(size_t)(first + j)] *
				     (double)w[((o * width + j) * s->kh + ky) * s->kw + kx];
		}
	}
	return v;
}

static void run_depthwise(dw_case *t)
{
	const tarn_depthwise_spec *s = &t->s;
	int eh = (s->kh - 1) * s->dilation_h + 1, ew = (s->kw - 1) * s->dilation_w + 1;
	int room_h = t->h.ih + t->h.pad_top + t->pad_bottom - eh, room_w = t->h.iw + t->h.pad_left + t->pad_right - ew;
	if (room_h < 0 || room_w < 0)
		return;
	t->h.oh = room_h / s->stride_h + 1, t->h.ow = room_w / s->stride_w + 1;
	int oc = s->channels * s->multiplier;
	size_t pixels = (size_t)(t->h.n * t->h.oh * t->h.ow), out_size = pixels * t->h.out_stride;
	float *in = random_floats((size_t)(t->h.n * t->h.ih * t->h.iw) * t->h.in_stride),
	      *w = random_floats((size_t)(oc * (s->width > 1 ? s->width : 1) * s->kh * s->kw));
	float *bias = random_floats((size_t)oc), *res = random_floats(out_size), *out = marked_floats(out_size);
	if (t->in_place)
		memcpy(out, res, out_size * sizeof *out);
	tarn_depthwise_f32 *dw;
	assert_ok(tarn_depthwise_f32_pack(s, w, t->bias ? bias : NULL, &dw));
	tarn_depthwise_f32_args args = {t->h, t->e, in, out, t->in_place ? out : t->residual ? res : NULL};
	int tasks = tarn_depthwise_f32_tasks(&t->h), cut = rng_int(0, tasks);
	tarn_depthwise_f32_run(dw, &args, cut, tasks);
	tarn_depthwise_f32_run(dw, &args, 0, cut);
	for (size_t i = 0; i < out_size; i++) {
		size_t p = i / t->h.out_stride, o = i % t->h.out_stride;
		if (o >= (size_t)oc) {
			assert_near(out[i], t->in_place ? (double)res[i] : (double)UNTOUCHED, 0, "depthwise gap", i);
			continue;
		}
		double v = reference(t, in, w, p, (int)o) + (t->bias ? (double)bias[o] : 0);
		double r = t->residual ? (double)res[p * t->h.residual_stride + o] : 0;
		v = t->e.residual_after ? activation(&t->e, v) + r : activation(&t->e, v + r);
		assert_near(out[i], v, 1e-6 * (4 + s->kh * s->kw * (s->width > 1 ? s->width : 1)), "depthwise", i);
	}
	tarn_depthwise_f32_free(dw);
	free(in), free(w), free(bias), free(res), free(out);
}

static dw_case random_case(int i)
{
	static const tarn_unary acts[] = {TARN_UNARY_IDENTITY, TARN_UNARY_RELU, TARN_UNARY_CLAMP, TARN_UNARY_SIGMOID};
	dw_case t = {0};
	int k = i % 3 == 0 ? rng_int(1, 7) : i % 3 == 1 ? 3 : 5;
	t.s = (tarn_depthwise_spec){
		rng_int(1, 40), i % 7 ? 1 : rng_int(2, 3), rng_int(1, 5), k, rng_int(1, 3), rng_int(1, 3), rng_int(1, 2),
		i % 4 ? 1 : 2};
	if (t.s.multiplier == 1 && i % 5 == 0) {
		t.s.width = 2 << rng_int(0, 2);
		t.s.channels = t.s.width * rng_int(1, 6);
	}
	t.h = (tarn_conv_shape){.n = rng_int(1, 2), .ih = rng_int(1, 9), .iw = rng_int(1, 30)};
	t.h.pad_top = rng_int(0, 2), t.h.pad_left = rng_int(0, 3), t.pad_bottom = rng_int(0, 2), t.pad_right = rng_int(0, 3);
	int oc = t.s.channels * t.s.multiplier;
	t.h.in_stride = (size_t)(t.s.channels + rng_int(0, 2)), t.h.out_stride = (size_t)(oc + rng_int(0, 2));
	t.bias = rng() & 1, t.residual = rng() & 1;
	t.e = (tarn_epilogue){acts[rng() % 4], -0.5f, 0.75f, t.residual && (rng() & 1)};
	t.in_place = t.residual && !t.e.residual_after && (rng() & 1);
	t.h.residual_stride = t.in_place ? t.h.out_stride : (size_t)(oc + rng_int(0, 2));
	t.h.residual_stride = t.h.residual_stride > t.h.out_stride ? t.h.out_stride : t.h.residual_stride;
	return t;
}

static void depthwise_of_any_shape(void **state)
{
	(void)state;
	AT_EVERY_LEVEL({
		for (int i = 0; i < 150; i++) {
			dw_case t = random_case(i);
			run_depthwise(&t);
		}
	});
}

static void bad_shapes_are_refused(void **state)
{
	(void)state;
	float w[64] = {0};
	tarn_depthwise_f32 *dw = NULL;
	tarn_depthwise_spec s = {4, 1, 3, 3, 0, 1, 1, 1};
	assert_int_equal(tarn_depthwise_f32_pack(&s, w, NULL, &dw), TARN_SHAPE);
	s = (tarn_depthwise_spec){6, 1, 3, 3, 1, 1, 1, 1, 4};
	assert_int_equal(tarn_depthwise_f32_pack(&s, w, NULL, &dw), TARN_SHAPE);
	s = (tarn_depthwise_spec){0, 1, 3, 3, 1, 1, 1, 1};
	assert_int_equal(tarn_depthwise_f32_pack(&s, w, NULL, &dw), TARN_SHAPE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(depthwise_of_any_shape), cmocka_unit_test(bad_shapes_are_refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
