/* SPDX-License-Identifier: Apache-2.0 */
/* Quantizing, tables, arithmetic on codes and pooling at every level against the formulas of int8.h, written out in f32. */
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

enum { N = 333 };

static int value_of(const uint8_t *p, tarn_code type, size_t i)
{
	return type == TARN_CODE_S8 ? (int8_t)p[i] : p[i];
}

static int code_of(float x, int zero, int lo, int hi)
{
	if (isnan(x))
		return zero;
	double r = (double)rintf(x) + zero;
	return (int)(r < lo ? lo : r > hi ? hi : r);
}

static void check_code(const uint8_t *got, tarn_code type, size_t i, int want, const char *what)
{
	if (value_of(got, type, i) != want)
		print_error("%s [%s] element %zu: code %d, want %d\n", what, tarn_isa_name(tarn_isa_get()), i,
			    value_of(got, type, i), want);
	assert_int_equal(value_of(got, type, i), want);
}

static void test_quantize(void **state)
{
	(void)state;
	static const float special[] = {NAN, INFINITY, -INFINITY, 1e30f, -1e30f, 2.5f, 3.5f, -2.5f, 0.5f, -0.0f, 3e9f, -3e9f};
	float x[N];
	uint8_t code[N + 1];
	for (int type = TARN_CODE_U8; type <= TARN_CODE_S8; type++) {
		int lo = type == TARN_CODE_S8 ? -128 : 0, hi = lo + 255, zero = type == TARN_CODE_S8 ? -7 : 121;
		for (int i = 0; i < N; i++)
			x[i] = i < 12 ? special[i] : i < 60 ? (float)i - 36.5f : rng_float() * 150;
		for (int k = 0; k < 2; k++) {
			float scale = k ? 0.7123f : 1;
			for (size_t n = 1; n <= N; n += n < 70 ? 1 : 131)
				AT_INT8_LEVELS({
					memset(code, 0x5a, sizeof code);
					tarn_quantize_f32(x, code, (tarn_code)type, scale, zero, n);
					for (size_t i = 0; i < n; i++)
						check_code(code, (tarn_code)type, i, code_of(x[i] / scale, zero, lo, hi),
							   "quantize");
					assert_int_equal(code[n], 0x5a);
				});
		}
	}
}

/* The quotient is rounded like a division, ties included, for scales of any size. */
static void test_quotients(void **state)
{
	(void)state;
	enum { M = 20000 };
	static const float scales[] = {0.0123f, 1 / 3.0f, 0.1f, 3e-20f, 7e19f, 1e-38f, 1.9f};
	static float x[M];
	static uint8_t code[M];
	for (size_t k = 0; k < sizeof scales / sizeof *scales; k++) {
		for (int i = 0; i < M; i++) {
			x[i] = (i & 1 ? (float)rng_int(-300, 300) + 0.5f : rng_float() * 200) * scales[k];
			if (i % 7 == 0) /* next to a tie */
				x[i] = nextafterf(x[i], i % 3 ? INFINITY : -INFINITY);
		}
		AT_INT8_LEVELS({
			tarn_quantize_f32(x, code, TARN_CODE_U8, scales[k], 128, M);
			for (size_t i = 0; i < M; i++)
				check_code(code, TARN_CODE_U8, i, code_of(x[i] / scales[k], 128, 0, 255), "quotient");
		});
	}
}

static void test_dequantize(void **state)
{
	(void)state;
	uint8_t code[N];
	float x[N + 1];
	for (int i = 0; i < N; i++)
		code[i] = (uint8_t)i;
	for (int type = TARN_CODE_U8; type <= TARN_CODE_S8; type++)
		for (size_t n = 1; n <= N; n += n < 40 ? 1 : 97)
			AT_INT8_LEVELS({
				x[n] = UNTOUCHED;
				tarn_dequantize_f32(code, x, (tarn_code)type, 0.037f, 19, n);
				for (size_t i = 0; i < n; i++)
					assert_true(x[i] == (float)(value_of(code, (tarn_code)type, i) - 19) * 0.037f);
				assert_true(x[n] == UNTOUCHED);
			});
}

/* Planes to pixels, in two parts. */
static void test_nhwc(void **state)
{
	(void)state;
	enum { P = 1200 };
	static float x[8 * P];
	static uint8_t code[8 * P + 1];
	for (int i = 0; i < 8 * P; i++)
		x[i] = rng_float() * 3;
	for (size_t c = 1; c <= 8; c++)
		AT_INT8_LEVELS({
			size_t cut = (size_t)rng_int(0, P);
			code[c * P] = 0x5a;
			tarn_quantize_nhwc_f32(x, code, TARN_CODE_U8, 0.02f, 111, c, P, cut, P);
			tarn_quantize_nhwc_f32(x, code, TARN_CODE_U8, 0.02f, 111, c, P, 0, cut);
			for (size_t i = 0; i < c * P; i++)
				check_code(code, TARN_CODE_U8, i, code_of(x[i % c * P + i / c] / 0.02f, 111, 0, 255), "nhwc");
			assert_int_equal(code[c * P], 0x5a);
		});
}

static void test_lut(void **state)
{
	(void)state;
	uint8_t table[256], x[N], y[N + 1];
	for (int i = 0; i < 256; i++)
		table[i] = (uint8_t)rng();
	for (int i = 0; i < N; i++)
		x[i] = (uint8_t)(i < 256 ? i : (int)rng());
	for (size_t n = 0; n <= N; n += n < 70 ? 1 : 131)
		AT_INT8_LEVELS({
			y[n] = 0x5a;
			tarn_lut_u8(table, x, y, n);
			for (size_t i = 0; i < n; i++)
				assert_int_equal(y[i], table[x[i]]);
			assert_int_equal(y[n], 0x5a);
			memcpy(y, x, n);
			tarn_lut_u8(table, y, y, n);
			for (size_t i = 0; i < n; i++)
				assert_int_equal(y[i], table[x[i]]);
		});
}

static int binary_code(const tarn_qbinary *q, const uint8_t *a, size_t ia, const uint8_t *b, size_t ib)
{
	float u = (float)(value_of(a, q->a_type, ia) - q->a_zero) * q->a_scale;
	float v = (float)(value_of(b, q->b_type, ib) - q->b_zero) * q->b_scale;
	float r = q->op == TARN_QBINARY_ADD ? u + v : q->op == TARN_QBINARY_SUB ? u - v : u * v;
	return code_of(r / q->y_scale, q->y_zero, q->lo, q->hi);
}

static tarn_qbinary random_binary(int op)
{
	tarn_qbinary q = {.op = op, .a_type = rng() & 1, .b_type = rng() & 1, .y_type = rng() & 1};
	q.a_zero = q.a_type == TARN_CODE_S8 ? rng_int(-128, 127) : rng_int(0, 255);
	q.b_zero = q.b_type == TARN_CODE_S8 ? rng_int(-128, 127) : rng_int(0, 255);
	q.y_zero = q.y_type == TARN_CODE_S8 ? rng_int(-128, 127) : rng_int(0, 255);
	q.a_scale = 0.001f + fabsf(rng_float()) / 20;
	q.b_scale = rng() % 3 ? 0.001f + fabsf(rng_float()) / 20 : q.a_scale;
	q.y_scale =
		rng() % 3 ? (op == TARN_QBINARY_MUL ? 0.02f : 1.5f) * q.a_scale : 2 * q.a_scale; /* the last gives many ties */
	q.lo = (q.y_type == TARN_CODE_S8 ? -128 : 0) + (rng() & 1 ? 9 : 0);
	q.hi = (q.y_type == TARN_CODE_S8 ? 127 : 255) - (rng() & 1 ? 9 : 0);
	return q;
}

static void test_binary(void **state)
{
	(void)state;
	static uint8_t a[65536], b[65536], y[65536];
	for (int i = 0; i < 65536; i++) { /* every pair of codes */
		a[i] = (uint8_t)(i & 255);
		b[i] = (uint8_t)(i >> 8);
	}
	for (int k = 0; k < 9; k++) {
		tarn_qbinary q = random_binary(k % 3);
		AT_INT8_LEVELS({
			tarn_qbinary_run(&q, a, b, y, 65536);
			for (size_t i = 0; i < 65536; i++)
				check_code(y, q.y_type, i, binary_code(&q, a, i, b, i), "binary");
		});
	}
}

static int pooled(const tarn_pool2d *p, const tarn_qpool *q, const uint8_t *x, int n, int oy, int ox, int c)
{
	int64_t sum = 0;
	int count = 0, padded = 0, most = -1000;
	for (int ky = 0; ky < p->kh; ky++)
		for (int kx = 0; kx < p->kw; kx++) {
			int iy = oy * p->stride_h - p->pad_top + ky * p->dilation_h;
			int ix = ox * p->stride_w - p->pad_left + kx * p->dilation_w;
			padded += iy < p->ih + p->pad_bottom && ix < p->iw + p->pad_right;
			if (iy < 0 || ix < 0 || iy >= p->ih || ix >= p->iw)
				continue;
			int v = value_of(x, q->type,
					 ((size_t)(n * p->ih + iy) * (size_t)p->iw + (size_t)ix) * p->in_stride + (size_t)c);
			sum += v - q->x_zero;
			most = v > most ? v : most;
			count++;
		}
	if (!p->average)
		return most;
	float divisor = (float)(p->count_include_pad ? padded : count);
	return code_of((float)sum * q->scale / divisor, q->zero, q->lo, q->hi);
}

static void test_pool(void **state)
{
	(void)state;
	for (int k = 0; k < 24; k++) {
		tarn_pool2d p = {.average = k & 1, .n = 2, .ih = rng_int(4, 9), .iw = rng_int(4, 9), .c = rng_int(1, 150)};
		p.kh = rng_int(1, 3), p.kw = rng_int(1, 3), p.stride_h = rng_int(1, 2), p.stride_w = rng_int(1, 2);
		p.dilation_h = p.dilation_w = 1, p.count_include_pad = k & 2;
		p.pad_top = rng_int(0, p.kh - 1), p.pad_left = rng_int(0, p.kw - 1);
		if (k % 6 == 1) /* global */
			p.kh = p.ih, p.kw = p.iw, p.pad_top = p.pad_left = 0, p.c = 700;
		p.oh = (p.ih + p.pad_top - p.kh) / p.stride_h + 1, p.ow = (p.iw + p.pad_left - p.kw) / p.stride_w + 1;
		p.in_stride = (size_t)(p.c + 3), p.out_stride = (size_t)(p.c + 2);
		tarn_qpool q = {.type = rng() & 1,
				.lo = -128,
				.hi = 255,
				.x_zero = rng_int(0, 90),
				.scale = 0.83f,
				.zero = rng_int(0, 90)};
		q.y_type = p.average ? rng() & 1 : q.type;
		q.lo = q.y_type == TARN_CODE_S8 ? -120 : 3;
		q.hi = q.lo + 240;
		size_t xn = (size_t)(p.n * p.ih * p.iw) * p.in_stride, yn = (size_t)(p.n * p.oh * p.ow) * p.out_stride;
		uint8_t *x = malloc(xn), *y = malloc(yn);
		assert_true(x && y);
		for (size_t i = 0; i < xn; i++)
			x[i] = (uint8_t)rng();
		AT_INT8_LEVELS({
			memset(y, 0x5a, yn);
			tarn_qpool_run(&p, &q, x, y, 1, tarn_qpool_tasks(&p));
			tarn_qpool_run(&p, &q, x, y, 0, 1);
			for (size_t i = 0; i < yn; i++) {
				int pixel = (int)(i / p.out_stride), c = (int)(i % p.out_stride);
				if (c >= p.c)
					assert_int_equal(y[i], 0x5a);
				else
					check_code(y, q.y_type, i,
						   pooled(&p, &q, x, pixel / p.ow / p.oh, pixel / p.ow % p.oh, pixel % p.ow, c),
						   "pool");
			}
		});
		free(x), free(y);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quantize), cmocka_unit_test(test_quotients), cmocka_unit_test(test_dequantize),
		cmocka_unit_test(test_lut),      cmocka_unit_test(test_nhwc),      cmocka_unit_test(test_binary),
		cmocka_unit_test(test_pool),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
