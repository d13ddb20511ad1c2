/* SPDX-License-Identifier: Apache-2.0 */
/* INT8 convolutions at every level against int64 loops: accumulators bit-equal, codes by the documented formula in f32. */
#include "check.h"

#include "kern/int8.h"

#define AT_INT8_LEVELS(...) \
	do { \
		tarn_isa before_ = tarn_isa_get(); \
		for (int l_ = 0; l_ < TARN_ISA_COUNT; l_++) \
			if (tarn_isa_set((tarn_isa)l_)) { \
				__VA_ARGS__; \
			} \
		tarn_isa_set(before_); \
	} while (0)

typedef struct qcase {
	tarn_conv_spec s;
	tarn_conv_shape h;
	int pad_bottom, pad_right;
	tarn_code x_type, w_type;
	int x_zero, w_zero; /* w_zero: largest; channels differ */
	bool extreme;       /* only the largest and smallest codes */
	bool huge;          /* results far beyond 2^31 */
} qcase;

static uint8_t random_code(tarn_code type, bool extreme)
{
	int lo = type == TARN_CODE_S8 ? -128 : 0;
	return (uint8_t)(extreme ? (rng() & 1 ? lo : lo + 255) : rng_int(lo, lo + 255));
}

static int value_of(const uint8_t *p, tarn_code type, size_t i)
{
	return type == TARN_CODE_S8 ? (int8_t)p[i] : p[i];
}

static int64_t accumulate(const qcase *t, const uint8_t *x, const uint8_t *w, const int32_t *wz, size_t pixel, int o)
{
	const tarn_conv_spec *s = &t->s;
	int ox = (int)(pixel % (size_t)t->h.ow), oy = (int)(pixel / (size_t)t->h.ow % (size_t)t->h.oh);
	int n = (int)(pixel / (size_t)t->h.ow / (size_t)t->h.oh), ic = s->ic / s->groups, g = o / (s->oc / s->groups);
	int64_t acc = 0;
	for (int ky = 0; ky < s->kh; ky++)
		for (int kx = 0; kx < s->kw; kx++)
			for (int c = 0; c < ic; c++) {
				int y = oy * s->stride_h - t->h.pad_top + ky * s->dilation_h;
				int xx = ox * s->stride_w - t->h.pad_left + kx * s->dilation_w;
				int64_t v = t->x_zero; /* padding has this code */
				if (y >= 0 && xx >= 0 && y < t->h.ih && xx < t->h.iw)
					v = value_of(x, t->x_type,
						     ((size_t)(n * t->h.ih + y) * (size_t)t->h.iw + (size_t)xx) *
								     t->h.in_stride +
							     (size_t)(g * ic + c));
				size_t at = (size_t)(((o * ic + c) * s->kh + ky) * s->kw + kx);
				acc += (v - t->x_zero) * (value_of(w, t->w_type, at) - wz[o]);
			}
	return acc;
}

/* One output as the header says. */
static void check_value(const qcase *t, const tarn_qepilogue *e, const char *out, size_t at, int o, int64_t acc)
{
	if (e->type == TARN_CODE_I32) {
		int32_t got;
		memcpy(&got, out + at * 4, 4);
		if (got != acc)
			print_error("[%s] ic %d oc %d k %dx%d s %d groups %d: channel %d is %d, want %lld\n",
				    tarn_isa_name(tarn_isa_get()), t->s.ic, t->s.oc, t->s.kh, t->s.kw, t->s.stride_w,
				    t->s.groups, o, got, (long long)acc);
		assert_true(got == acc);
		return;
	}
	float v = (float)(int32_t)acc * e->scale[o];
	v += e->bias ? e->bias[o] : 0;
	if (e->type == TARN_CODE_F32) {
		float got;
		memcpy(&got, out + at * 4, 4);
		assert_true(got == fminf(fmaxf(v, e->f_lo), e->f_hi));
		return;
	}
	double code = fmin(fmax((double)rintf(v) + e->zero, e->lo), e->hi);
	int got = e->type == TARN_CODE_S8 ? ((const int8_t *)out)[at] : ((const uint8_t *)out)[at];
	if (got != (int)code)
		print_error("[%s] channel %d: code %d, want %g\n", tarn_isa_name(tarn_isa_get()), o, got, code);
	assert_int_equal(got, (int)code);
}

static void run_case(qcase *t, tarn_code out_type)
{
	const tarn_conv_spec *s = &t->s;
	int eh = (s->kh - 1) * s->dilation_h + 1, ew = (s->kw - 1) * s->dilation_w + 1;
	t->h.oh = (t->h.ih + t->h.pad_top + t->pad_bottom - eh) / s->stride_h + 1;
	t->h.ow = (t->h.iw + t->h.pad_left + t->pad_right - ew) / s->stride_w + 1;
	size_t is = t->h.in_stride ? t->h.in_stride : (size_t)s->ic, os = t->h.out_stride ? t->h.out_stride : (size_t)s->oc;
	t->h.in_stride = is;
	size_t pixels = (size_t)(t->h.n * t->h.oh * t->h.ow), wn = (size_t)(s->oc * (s->ic / s->groups) * s->kh * s->kw);
	/* exactly as long as needed: reading beyond is seen by a sanitizer */
	size_t xn = (size_t)(t->h.n * t->h.ih * t->h.iw - 1) * is + (size_t)s->ic;
	uint8_t *x = malloc(xn), *w = malloc(wn);
	int32_t *wz = malloc((size_t)s->oc * sizeof *wz);
	float *scale = random_floats((size_t)s->oc), *bias = random_floats((size_t)s->oc);
	size_t size = out_type == TARN_CODE_F32 || out_type == TARN_CODE_I32 ? 4 : 1, bytes = pixels * os * size;
	char *out = malloc(bytes + 1);
	assert_true(x && w && wz && out);
	for (size_t i = 0; i < xn; i++)
		x[i] = random_code(t->x_type, t->extreme);
	for (size_t i = 0; i < wn; i++)
		w[i] = random_code(t->w_type, t->extreme);
	for (int o = 0; o < s->oc; o++) {
		wz[o] = t->w_zero ? rng_int(t->w_type == TARN_CODE_S8 ? -t->w_zero : 0, t->w_zero) : 0;
		scale[o] = fabsf(scale[o]) * 200 / (float)(10000.0 * sqrt((double)wn / s->oc));
		bias[o] *= 30;
		if (t->huge)
			scale[o] *= 1e9f, bias[o] *= 1e8f;
	}
	memset(out, 0x5a, bytes + 1);
	bool is_s8 = out_type == TARN_CODE_S8;
	tarn_qepilogue e = {.type = out_type, .scale = scale, .bias = bias, .zero = is_s8 ? -5 : 110, .f_lo = -20, .f_hi = 25};
	e.lo = is_s8 ? -120 : 3;
	e.hi = is_s8 ? 119 : 250;
	tarn_qconv *q;
	tarn_qconv_plan *p;
	assert_ok(tarn_qconv_pack(s, w, t->w_type, t->w_zero ? wz : NULL, (tarn_qconv_input){t->x_type, t->x_zero}, &q));
	assert_true(tarn_qconv_bytes(q) >= wn);
	assert_ok(tarn_qconv_plan_new(q, &t->h, &e, &p));
	int tasks = tarn_qconv_tasks(p), middle = rng_int(0, tasks);
	tarn_qconv_run(p, x, out, middle, tasks);
	tarn_qconv_run(p, x, out, 0, middle);
	size_t stride = pixels > 60 ? 7 : 1; /* of the pixels that are checked */
	for (size_t i = 0; i < pixels; i += stride)
		for (int o = 0; o < s->oc; o++)
			check_value(t, &e, out, i * os + (size_t)o, o, accumulate(t, x, w, wz, i, o));
	for (size_t i = 0; i < pixels; i++) /* between the channels nothing is written */
		for (size_t b = (i * os + (size_t)s->oc) * size; b < (i + 1) * os * size; b++)
			assert_int_equal(out[b], 0x5a);
	assert_int_equal(out[bytes], 0x5a);
	tarn_qconv_plan_free(p);
	tarn_qconv_free(q);
	free(x), free(w), free(wz), free(scale), free(bias), free(out);
}

static qcase random_case(void)
{
	qcase t = {.s = {.ic = rng_int(1, 70), .oc = rng_int(1, 70), .groups = 1, .kh = rng_int(1, 3), .kw = rng_int(1, 3)}};
	t.s.stride_h = rng_int(1, 2), t.s.stride_w = rng_int(1, 2);
	t.s.dilation_h = rng_int(1, 2), t.s.dilation_w = rng_int(0, 3) ? 1 : 2;
	t.h.n = rng_int(1, 2), t.h.ih = rng_int(5, 9), t.h.iw = rng_int(5, 9);
	t.h.pad_top = rng_int(0, 2), t.h.pad_left = rng_int(0, 2), t.pad_bottom = rng_int(0, 2), t.pad_right = rng_int(0, 2);
	t.x_type = rng() & 1 ? TARN_CODE_U8 : TARN_CODE_S8;
	t.w_type = rng() & 1 ? TARN_CODE_U8 : TARN_CODE_S8;
	t.x_zero = t.x_type == TARN_CODE_S8 ? rng_int(-128, 127) : rng_int(0, 255);
	if (rng() % 3 == 0)
		t.x_zero = t.x_type == TARN_CODE_S8 ? -128 : 0;
	t.w_zero = t.w_type == TARN_CODE_U8 ? 255 : rng() & 1 ? 0 : 127;
	t.extreme = rng() % 3 == 0;
	return t;
}

static void test_dense(void **state)
{
	(void)state;
	for (int i = 0; i < 36; i++) {
		qcase t = random_case();
		if (i % 4 == 0)
			t.s.kh = t.s.kw = t.s.stride_h = t.s.stride_w = 1, t.h.pad_top = t.h.pad_left = 0;
		if (i % 5 == 0) /* first layers */
			t.s.ic = rng_int(1, 6), t.s.dilation_w = 1;
		if (i % 3 == 0) {
			t.h.in_stride = (size_t)(t.s.ic + rng_int(1, 9));
			t.h.out_stride = (size_t)(t.s.oc + rng_int(1, 9));
		}
		AT_INT8_LEVELS({
			t.h.in_stride = i % 3 ? 0 : t.h.in_stride;
			run_case(&t, TARN_CODE_I32);
		});
	}
}

static void test_codes(void **state)
{
	(void)state;
	for (int i = 0; i < 24; i++) {
		qcase t = random_case();
		AT_INT8_LEVELS(run_case(&t, i % 3 == 0 ? TARN_CODE_U8 : i % 3 == 1 ? TARN_CODE_S8 : TARN_CODE_F32));
	}
}

static void test_grouped(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++) {
		qcase t = random_case();
		t.s.groups = rng_int(2, 5);
		t.s.ic = t.s.groups * rng_int(1, 9);
		t.s.oc = t.s.groups * rng_int(1, 9);
		AT_INT8_LEVELS(run_case(&t, i & 1 ? TARN_CODE_I32 : TARN_CODE_U8));
	}
}

static void test_depthwise(void **state)
{
	(void)state;
	for (int i = 0; i < 40; i++) {
		qcase t = random_case();
		t.s.groups = t.s.ic = t.s.oc = rng_int(2, 140);
		t.s.kh = t.s.kw = i % 4 == 0 ? 5 : i % 4 == 3 ? rng_int(1, 7) : 3;
		t.s.dilation_h = t.s.dilation_w = i % 7 == 6 ? 2 : 1;
		t.s.stride_w = t.s.stride_h = rng_int(1, 3);
		t.h.ih = rng_int(13, 17), t.h.iw = rng_int(13, 19);
		AT_INT8_LEVELS(run_case(&t, i % 5 < 2    ? TARN_CODE_I32
					    : i % 5 == 2 ? TARN_CODE_U8
					    : i % 5 == 3 ? TARN_CODE_S8
							 : TARN_CODE_F32));
	}
}

/* The largest sums there are: every product 255 * -128 or 255 * 127. */
static void test_saturating(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		qcase t = {.s = {300, 33, 1, 3, 1, 1, 1, 1, 1}, .h = {.n = 1, .ih = 4, .iw = 5}, .extreme = true};
		t.x_type = i & 1 ? TARN_CODE_S8 : TARN_CODE_U8;
		t.w_type = i & 2 ? TARN_CODE_U8 : TARN_CODE_S8;
		t.x_zero = i & 1 ? -128 : 0;
		t.w_zero = i & 2 ? 255 : 0;
		AT_INT8_LEVELS(run_case(&t, TARN_CODE_I32));
	}
}

/* A matrix product is a 1x1 convolution: one row, and numbers of rows around the tiles'. */
static void test_products(void **state)
{
	(void)state;
	for (int m = 1; m <= 31; m += m < 16 ? 1 : 5) {
		qcase t = {.s = {129 + m % 4, 75, 1, 1, 1, 1, 1, 1, 1}, .h = {.n = 1, .ih = 1, .iw = m}, .x_zero = 7 + m};
		t.w_type = TARN_CODE_S8;
		AT_INT8_LEVELS(run_case(&t, m % 3 ? TARN_CODE_I32 : TARN_CODE_U8));
	}
	qcase large = {.s = {1030, 810, 1, 1, 1, 1, 1, 1, 1}, .h = {.n = 1, .ih = 1, .iw = 17}, .x_zero = 7};
	large.w_type = TARN_CODE_S8; /* weights beyond the second-level cache: another order of tasks */
	AT_INT8_LEVELS(run_case(&large, TARN_CODE_I32));
}

static void test_huge_results(void **state)
{
	(void)state;
	for (int i = 0; i < 6; i++) {
		qcase t = random_case();
		t.huge = true;
		if (i & 1)
			t.s.groups = t.s.ic = t.s.oc = rng_int(2, 100);
		AT_INT8_LEVELS(run_case(&t, i % 3 ? TARN_CODE_U8 : TARN_CODE_S8));
	}
}

static void test_refuses(void **state)
{
	(void)state;
	tarn_qconv *q = NULL;
	tarn_conv_spec s = {40000, 1, 1, 1, 1, 1, 1, 1, 1};
	int8_t *w = calloc(40000, 1);
	assert_non_null(w);
	assert_int_equal(tarn_qconv_pack(&s, w, TARN_CODE_S8, NULL, (tarn_qconv_input){TARN_CODE_U8, 0}, &q), TARN_SHAPE);
	s.ic = 10, s.groups = 3;
	assert_int_equal(tarn_qconv_pack(&s, w, TARN_CODE_S8, NULL, (tarn_qconv_input){TARN_CODE_U8, 0}, &q), TARN_SHAPE);
	assert_null(q);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dense),        cmocka_unit_test(test_codes),      cmocka_unit_test(test_grouped),
		cmocka_unit_test(test_depthwise),    cmocka_unit_test(test_saturating), cmocka_unit_test(test_products),
		cmocka_unit_test(test_huge_results), cmocka_unit_test(test_refuses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
