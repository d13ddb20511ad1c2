/* SPDX-License-Identifier: Apache-2.0 */
/* Elementwise loops of one level. Ends are done by a whole vector over copied elements. */
#include "kern/int8_simd.h"

/* x / s for a positive s and its reciprocal, rounded correctly: the quotient's error, exact by FMA, corrects it. */
INLINE vf elem_quotient(vf x, vf s, vf inverse)
{
	vf q = x * inverse;
	return v_fma(v_fma(-q, s, x), inverse, q);
}

/* Beyond this many steps every code saturates; the quotient needs finite numbers. */
#define ELEM_STEPS 1024.0f

INLINE void quantize_by(const float *x, uint8_t *code, float scale, int zero, int lo, int hi, size_t n, const bool divide)
{
	const q_out o = q_out_of(lo < 0, zero, lo, hi);
	const vf s = v_set1(scale), inverse = v_set1(1 / scale), most = v_set1(scale * ELEM_STEPS);
	float ends[4 * VL];
	uint8_t bytes[QBYTES];
	for (size_t i = 0; i < n; i += QBYTES) {
		bool whole = n - i >= QBYTES;
		const float *from = x + i;
		if (!whole) {
			memset(ends, 0, sizeof ends);
			memcpy(ends, from, (n - i) * sizeof *x);
			from = ends;
		}
		qv p[4];
		UNROLL for (int v = 0; v < 4; v++)
		{
			vf f = v_load(from + v * VL);
			if (divide)
				f = f / s;
			else
				f = elem_quotient(v_min(most, v_max(-most, f)), s, inverse);
			f = (vf)((vi)f & (vi)(f == f)); /* NaN becomes 0 */
			p[v] = divide ? q_round(f, &o) : (qv)q_cvt(f);
		}
		qv r = q_pack(p[0], p[1], p[2], p[3], &o);
#if VL == 16
		r = _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), r);
#else
		r = _mm256_permutevar8x32_epi32(r, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
#endif
		q_store(whole ? code + i : bytes, r);
		if (!whole)
			memcpy(code + i, bytes, n - i);
	}
}

static void quantize(const float *x, uint8_t *code, float scale, int zero, int lo, int hi, size_t n)
{
	if (scale > 1e-30f && scale < 1e30f)
		quantize_by(x, code, scale, zero, lo, hi, n, false);
	else
		quantize_by(x, code, scale, zero, lo, hi, n, true);
}

static void dequantize(const uint8_t *code, float *x, bool is_signed, float scale, int zero, size_t n)
{
	const vf s = v_set1(scale);
	const qv z = Q(set1_epi32)(zero);
	size_t i = 0;
	for (; i + 16 <= n; i += VL)
		v_store(x + i, q_float(Q(sub_epi32)(q_widen(code + i, is_signed), z)) * s);
	for (; i < n; i++)
		x[i] = (float)((is_signed ? (int8_t)code[i] : code[i]) - zero) * scale;
}

#if defined(__AVX512VBMI__)
static void lut(const uint8_t *table, const uint8_t *x, uint8_t *y, size_t n)
{
	const qv a = q_load(table), b = q_load(table + 64), c = q_load(table + 128), d = q_load(table + 192);
	for (size_t i = 0; i < n; i += QBYTES) {
		int m = n - i < QBYTES ? (int)(n - i) : QBYTES;
		qv v = q_load_n(x + i, m);
		qv lo = _mm512_permutex2var_epi8(a, v, b), hi = _mm512_permutex2var_epi8(c, v, d);
		q_store_n(y + i, _mm512_mask_blend_epi8(_mm512_movepi8_mask(v), lo, hi), m);
	}
}
#else
/* Sixteen tables of sixteen: an index outside a table has its top bit set and gives 0. */
static void lut(const uint8_t *table, const uint8_t *x, uint8_t *y, size_t n)
{
	for (size_t i = 0; i < n; i += QBYTES) {
		int m = n - i < QBYTES ? (int)(n - i) : QBYTES;
		qv v = q_load_n(x + i, m), r = QSI(setzero)();
		for (int k = 0; k < 16; k++) {
			__m128i one = _mm_loadu_si128((const __m128i *)(const void *)(table + 16 * k));
#if VL == 16
			qv t = _mm512_broadcast_i32x4(one);
#else
			qv t = _mm256_broadcastsi128_si256(one);
#endif
			qv at = Q(adds_epu8)(QSI(xor)(v, Q(set1_epi8)((char)(16 * k))), Q(set1_epi8)(0x70));
			r = QSI(or)(r, Q(shuffle_epi8)(t, at));
		}
		q_store_n(y + i, r, m);
	}
}
#endif

INLINE qv elem_binary(const tarn_qbinary *q, const int op, const uint8_t *a, const uint8_t *b, const q_out *o)
{
	const bool as = q->a_type == TARN_CODE_S8, bs = q->b_type == TARN_CODE_S8;
	vf u = q_float(Q(sub_epi32)(q_widen(a, as), Q(set1_epi32)(q->a_zero))) * v_set1(q->a_scale);
	vf v = q_float(Q(sub_epi32)(q_widen(b, bs), Q(set1_epi32)(q->b_zero))) * v_set1(q->b_scale);
	vf r = op == TARN_QBINARY_ADD ? u + v : op == TARN_QBINARY_SUB ? u - v : u * v;
	return q_round(elem_quotient(r, v_set1(q->y_scale), v_set1(1 / q->y_scale)), o);
}

INLINE void elem_binary_loop(const tarn_qbinary *q, const int op, const uint8_t *a, const uint8_t *b, uint8_t *y, size_t n)
{
	const q_out o = q_out_of(q->y_type == TARN_CODE_S8, q->y_zero, q->lo, q->hi);
	uint8_t ea[QBYTES], eb[QBYTES], ey[QBYTES];
	for (size_t i = 0; i < n; i += QBYTES) {
		bool whole = n - i >= QBYTES;
		const uint8_t *pa = a + i, *pb = b + i;
		if (!whole) {
			memset(ea, 0, sizeof ea);
			memset(eb, 0, sizeof eb);
			memcpy(ea, pa, n - i);
			memcpy(eb, pb, n - i);
			pa = ea;
			pb = eb;
		}
		qv p[4];
		UNROLL for (int v = 0; v < 4; v++) p[v] = elem_binary(q, op, pa + v * VL, pb + v * VL, &o);
		qv r = q_pack(p[0], p[1], p[2], p[3], &o);
#if VL == 16
		r = _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), r);
#else
		r = _mm256_permutevar8x32_epi32(r, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
#endif
		q_store(whole ? y + i : ey, r);
		if (!whole)
			memcpy(y + i, ey, n - i);
	}
}

static void binary(const tarn_qbinary *q, const uint8_t *a, const uint8_t *b, uint8_t *y, size_t n)
{
	if (q->op == TARN_QBINARY_ADD)
		elem_binary_loop(q, TARN_QBINARY_ADD, a, b, y, n);
	else if (q->op == TARN_QBINARY_SUB)
		elem_binary_loop(q, TARN_QBINARY_SUB, a, b, y, n);
	else
		elem_binary_loop(q, TARN_QBINARY_MUL, a, b, y, n);
}

static void max(const uint8_t *const *x, int count, uint8_t *y, bool is_signed, size_t n)
{
	for (size_t i = 0; i < n; i += QBYTES) {
		int m = n - i < QBYTES ? (int)(n - i) : QBYTES;
		qv v = q_load_n(x[0] + i, m);
		for (int k = 1; k < count; k++) {
			qv w = q_load_n(x[k] + i, m);
			v = is_signed ? Q(max_epi8)(v, w) : Q(max_epu8)(v, w);
		}
		q_store_n(y + i, v, m);
	}
}

/* y = x[0][0], x[1][0], x[2][0], x[0][1], ...: three planes to pixels. */
static void interleave_3(const uint8_t *const *x, uint8_t *y, size_t n)
{
	const uint8_t *a = x[0], *b = x[1], *c = x[2];
	size_t i = 0;
#if defined(__AVX512VBMI__)
	/* byte k of an output vector is plane k % 3 of pixel k / 3: first from the planes a and b, then the third put between
	 */
	uint8_t two[3][64];
	uint64_t mask[3];
	for (int v = 0; v < 3; v++) {
		mask[v] = 0;
		for (int k = 0; k < 64; k++) {
			int at = 64 * v + k;
			two[v][k] = (uint8_t)(at / 3 | (at % 3 == 1 ? 64 : 0));
			mask[v] |= (uint64_t)(at % 3 == 2) << k;
		}
	}
	for (; i + 64 <= n; i += 64, y += 192) {
		qv p = q_load(a + i), q = q_load(b + i), r = q_load(c + i);
		for (int v = 0; v < 3; v++) {
			qv at = q_load(two[v]);
			q_store(y + 64 * v, _mm512_mask_permutexvar_epi8(_mm512_permutex2var_epi8(p, at, q), mask[v], at, r));
		}
	}
#endif
	for (; i < n; i++, y += 3) {
		y[0] = a[i];
		y[1] = b[i];
		y[2] = c[i];
	}
}

static void sum(const uint8_t *x, int32_t *y, bool is_signed, size_t n)
{
	size_t i = 0;
	for (; i + 16 <= n; i += VL)
		q_store(y + i, Q(add_epi32)(q_load(y + i), q_widen(x + i, is_signed)));
	for (; i < n; i++)
		y[i] += is_signed ? (int8_t)x[i] : x[i];
}

static void mean(const int32_t *x, int32_t bias, float count, const tarn_qpool *q, uint8_t *code, size_t n)
{
	const q_out o = q_out_of(q->y_type == TARN_CODE_S8, q->zero, q->lo, q->hi);
	uint8_t b[QBYTES];
	for (size_t i = 0; i < n; i += VL) {
		int32_t part[VL] = {0};
		size_t m = n - i < VL ? n - i : VL;
		memcpy(part, x + i, m * sizeof *x);
		qv v = Q(sub_epi32)(q_load(part), Q(set1_epi32)(bias));
		v = q_round(q_float(v) * v_set1(q->scale) / v_set1(count), &o);
		q_store(b, q_pack(v, v, v, v, &o));
		for (size_t k = 0; k < m; k++)
			code[i + k] = b[k / 4 * 16 + k % 4];
	}
}

/* clang-format off */
/* What a level's table holds besides its tiles. */
#define QSET_ROWS \
	.dw_row = dw_row, \
	.quantize = quantize, \
	.dequantize = dequantize, \
	.lut = lut, \
	.binary = binary, \
	.max = max, \
	.interleave_3 = interleave_3, \
	.sum = sum, \
	.mean = mean,
/* clang-format on */
