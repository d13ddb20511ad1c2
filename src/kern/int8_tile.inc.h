/* SPDX-License-Identifier: Apache-2.0 */
/* Register tiles of one level: every tile is this one function with constant rows and vectors, fully unrolled. */
#include "kern/int8_simd.h"

/* Results that are not codes, or may be huge, from accumulators in memory. */
static __attribute__((noinline)) void tile_wide(const tarn_qtile *t, const int32_t *acc, int rows, int nv)
{
	vf lo = v_set1(t->e->f_lo), hi = v_set1(t->e->f_hi);
	for (int i = 0; i < rows; i++, acc += nv * VL) {
		char *c = t->c + (size_t)i * t->ldc;
		if (t->e->type == TARN_CODE_I32) {
			memcpy(c, acc, (size_t)t->cols * 4);
			continue;
		}
		for (int j = 0; j < nv; j++) {
			vf v = q_float(q_load(acc + j * VL)) * v_load(t->scale + j * VL) + v_load(t->bias + j * VL);
			int n = t->cols - j * VL;
			n = n < VL ? n : VL;
			if (t->e->type != TARN_CODE_F32) {
				float code[VL];
				v_store(code, v);
				for (int k = 0; k < n; k++)
					c[j * VL + k] = (char)tarn_qconv_code(code[k], t->e);
				continue;
			}
			v_store_n((float *)(void *)c + j * VL, v_min(hi, v_max(lo, v)), n);
		}
	}
}

INLINE qv tile_code(qv acc, const vf *scale, const vf *bias)
{
	return (qv)q_cvt(q_float(acc) * *scale + *bias);
}

/* Codes of `count` rows, 4 / nv of them packed together. */
INLINE void tile_store(const tarn_qtile *t, qv acc[TARN_QTILE_ROWS][TARN_QTILE_NV], const vf *scale, const vf *bias,
		       const q_out *o, int row, const int rows, const int nv)
{
	const int together = 4 / nv;
	qv p[4];
	UNROLL for (int i = 0; i < 4; i++)
	{
		int r = i / nv, j = i % nv;
		p[i] = row + r < rows ? tile_code(acc[row + r][j], &scale[j], &bias[j]) : QSI(setzero)();
	}
	qv v = q_pack(p[0], p[1], p[2], p[3], o);
	char *c = t->c + (size_t)row * t->ldc;
	const int cols = t->cols;
#if VL == 16
	v = _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), v);
	/* now 16 columns of p[0], of p[1], ... */
	if (nv == 2) {
		if (cols == 2 * VL) {
			_mm256_storeu_si256((__m256i *)(void *)c, _mm512_castsi512_si256(v));
			if (row + 1 < rows)
				_mm256_storeu_si256((__m256i *)(void *)(c + t->ldc), _mm512_extracti64x4_epi64(v, 1));
		} else {
			__mmask32 m = (1u << cols) - 1;
			_mm256_mask_storeu_epi8(c, m, _mm512_castsi512_si256(v));
			if (row + 1 < rows)
				_mm256_mask_storeu_epi8(c + t->ldc, m, _mm512_extracti64x4_epi64(v, 1));
		}
		return;
	}
	__mmask16 m = (__mmask16)((1u << cols) - 1);
	_mm_mask_storeu_epi8(c, m, _mm512_castsi512_si128(v));
	if (row + 1 < rows)
		_mm_mask_storeu_epi8(c + t->ldc, m, _mm512_extracti32x4_epi32(v, 1));
	if (row + 2 < rows)
		_mm_mask_storeu_epi8(c + 2 * t->ldc, m, _mm512_extracti32x4_epi32(v, 2));
	if (row + 3 < rows)
		_mm_mask_storeu_epi8(c + 3 * t->ldc, m, _mm512_extracti32x4_epi32(v, 3));
	(void)together;
#else
	v = _mm256_permutevar8x32_epi32(v, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
	if (nv == 2 && cols == 2 * VL) {
		_mm_storeu_si128((__m128i *)(void *)c, _mm256_castsi256_si128(v));
		if (row + 1 < rows)
			_mm_storeu_si128((__m128i *)(void *)(c + t->ldc), _mm256_extracti128_si256(v, 1));
		return;
	}
	char b[32];
	q_store(b, v);
	for (int r = 0; r < together && row + r < rows; r++)
		memcpy(c + (size_t)r * t->ldc, b + r * nv * VL, (size_t)cols);
#endif
}

/* One step of four codes. */
INLINE void tile_step(qv acc[TARN_QTILE_ROWS][TARN_QTILE_NV], const qv x[TARN_QTILE_ROWS], const int8_t *w, const int rows,
		      const int nv)
{
	qw b[TARN_QTILE_NV];
	UNROLL for (int j = 0; j < nv; j++) b[j] = q_weights(w, (size_t)j);
	UNROLL for (int i = 0; i < rows; i++)
	{
		UNROLL for (int j = 0; j < nv; j++) q_dot(&acc[i][j], x[i], b[j]);
	}
}

/* The last 1 to 3 codes of a tap, without reading beyond them. */
INLINE qv tile_last(const uint8_t *p, size_t depth)
{
	size_t n = depth & 3;
	uint32_t v = 0;
	if (depth > 4) {
		memcpy(&v, p + depth - 4, 4);
		v >>= 8 * (4 - n);
	} else {
		v = p[0];
		v |= n > 1 ? (uint32_t)p[1] << 8 : 0;
		v |= n > 2 ? (uint32_t)p[2] << 16 : 0;
	}
	return Q(set1_epi32)((int)v);
}

INLINE void tile(const tarn_qtile *t, const int rows, const int nv, const bool flip)
{
	qv acc[TARN_QTILE_ROWS][TARN_QTILE_NV];
	const qv turn = Q(set1_epi8)((char)0x80);
	UNROLL for (int j = 0; j < nv; j++)
	{
		qv s = q_load(t->start + j * VL);
		UNROLL for (int i = 0; i < rows; i++) acc[i][j] = s;
	}
	const int8_t *w = t->w;
	const uint8_t *const *a = t->a;
	const size_t depth = t->depth, whole = depth / 4, ahead_step = t->ahead_step;
	const char *ahead = ahead_step ? t->ahead : (const char *)w;
	for (size_t tap = 0; tap < t->taps; tap++, a += rows) {
		const uint8_t *p[TARN_QTILE_ROWS];
		bool used = !t->skip;
		UNROLL for (int i = 0; i < rows; i++)
		{
			p[i] = a[i];
			used |= p[i] != t->skip;
		}
		if (!used) {
			w += (depth + 3) / 4 * (size_t)(nv * QW * QBYTES);
			ahead += (depth + 3) / 4 * ahead_step;
			continue;
		}
		for (size_t k = 0; k < whole; k++, w += nv * QW * QBYTES, ahead += ahead_step) {
			__builtin_prefetch(ahead, 0, 2);
			qw b[TARN_QTILE_NV];
			UNROLL for (int j = 0; j < nv; j++) b[j] = q_weights(w, (size_t)j);
			UNROLL for (int i = 0; i < rows; i++)
			{
				qv x = q_four(p[i] + 4 * k);
				if (flip)
					x = QSI(xor)(x, turn);
				UNROLL for (int j = 0; j < nv; j++) q_dot(&acc[i][j], x, b[j]);
			}
		}
		if (depth & 3) {
			qv x[TARN_QTILE_ROWS];
			UNROLL for (int i = 0; i < rows; i++)
			{
				x[i] = tile_last(p[i], depth);
				if (flip)
					x[i] = QSI(xor)(x[i], turn);
			}
			tile_step(acc, x, w, rows, nv);
			w += nv * QW * QBYTES;
			ahead += ahead_step;
		}
	}
	if (!t->codes) {
		int32_t wide[TARN_QTILE_ROWS * TARN_QTILE_NV * VL];
		UNROLL for (int i = 0; i < rows; i++)
		{
			UNROLL for (int j = 0; j < nv; j++) q_store(wide + (i * nv + j) * VL, acc[i][j]);
		}
		tile_wide(t, wide, rows, nv);
		return;
	}
	vf scale[TARN_QTILE_NV], bias[TARN_QTILE_NV];
	UNROLL for (int j = 0; j < nv; j++)
	{
		scale[j] = v_load(t->scale + j * VL);
		bias[j] = v_load(t->bias + j * VL);
	}
	const q_out o = q_out_of(t->e->type == TARN_CODE_S8, t->e->zero, t->e->lo, t->e->hi);
	UNROLL for (int row = 0; row < rows; row += 4 / nv) tile_store(t, acc, scale, bias, &o, row, rows, nv);
}

#define QTILE(rows, nv) \
	static void tile_##nv##_##rows(const tarn_qtile *t) \
	{ \
		tile(t, rows, nv, false); \
	} \
	static void flip_##nv##_##rows(const tarn_qtile *t) \
	{ \
		tile(t, rows, nv, true); \
	}
#define QTILES_6(nv) QTILE(1, nv) QTILE(2, nv) QTILE(3, nv) QTILE(4, nv) QTILE(5, nv) QTILE(6, nv)
#define QTILES_10(nv) QTILES_6(nv) QTILE(7, nv) QTILE(8, nv) QTILE(9, nv) QTILE(10, nv)
#define QTILES_14(nv) QTILES_10(nv) QTILE(11, nv) QTILE(12, nv) QTILE(13, nv) QTILE(14, nv)
#define QROW_6(f, nv) f##_##nv##_1, f##_##nv##_2, f##_##nv##_3, f##_##nv##_4, f##_##nv##_5, f##_##nv##_6
#define QROW_10(f, nv) QROW_6(f, nv), f##_##nv##_7, f##_##nv##_8, f##_##nv##_9, f##_##nv##_10
#define QROW_14(f, nv) QROW_10(f, nv), f##_##nv##_11, f##_##nv##_12, f##_##nv##_13, f##_##nv##_14
#define QTILE_TABLE(n) \
	{ \
		{{QROW_##n(tile, 1)}, {QROW_##n(tile, 2)}}, \
		{ \
			{QROW_##n(flip, 1)}, \
			{ \
				QROW_##n(flip, 2) \
			} \
		} \
	}
