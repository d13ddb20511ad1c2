/* SPDX-License-Identifier: Apache-2.0 */
/* Body of wgemm_<level>.c: products with integer weights that become floats in registers. */
#include "kern/simd.h"
#include "kern/wgemm_set.h"

/* Code i of each word, as floats. */
INLINE vf code_of(vi w, const int i, const int bits)
{
#if defined(__AVX512F__)
	if (bits == 4) {
		/* the permutation looks at the lowest four bits alone */
		const __m512 value = _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1);
		return _mm512_permutexvar_ps(_mm512_srli_epi32((__m512i)w, (unsigned)(4 * i)), value);
	}
#endif
	return __builtin_convertvector((w << (32 - bits - bits * i)) >> (32 - bits), vf);
}

INLINE vi load_words(const int32_t *p)
{
	vi w;
	memcpy(&w, p, sizeof w);
	return w;
}

/* One row of B: its code i of nv words times element k of each row of A. */
INLINE void step(vf sum[TARN_WGEMM_ROWS][TARN_WGEMM_NV], const vi w[TARN_WGEMM_NV], const float *a, size_t lda, const int i,
		 const int bits, const int rows, const int nv)
{
	vf x[TARN_WGEMM_ROWS];
	UNROLL for (int r = 0; r < rows; r++) x[r] = v_set1(a[(size_t)r * lda]);
	UNROLL for (int j = 0; j < nv; j++)
	{
		vf b = code_of(w[j], i, bits);
		UNROLL for (int r = 0; r < rows; r++) sum[r][j] = v_fma(x[r], b, sum[r][j]);
	}
}

INLINE float row_sum(const float *a, size_t n)
{
	vf s = v_zero();
	size_t i = 0;
	for (; i + VL <= n; i += VL)
		s += v_load(a + i);
	return v_sum(s + v_load_n(a + i, (int)(n - i)));
}

/* One group: its codes' products, times the scale, onto acc. Returns the words behind it. */
INLINE const int32_t *group_add(vf acc[TARN_WGEMM_ROWS][TARN_WGEMM_NV], const tarn_wtile *t, const int32_t *code, size_t k0,
				size_t n, size_t g, const int bits, const int rows, const int nv)
{
	const int per = 32 / bits;
	const float *a = t->a + k0;
	vf sum[TARN_WGEMM_ROWS][TARN_WGEMM_NV];
	vi w[TARN_WGEMM_NV];
	UNROLL for (int r = 0; r < rows; r++)
	{
		UNROLL for (int j = 0; j < nv; j++) sum[r][j] = v_zero();
	}
	size_t k = 0;
	for (; k + (size_t)per <= n; k += (size_t)per, code += nv * VL) {
		__builtin_prefetch((const char *)code + 2048);
		UNROLL for (int j = 0; j < nv; j++) w[j] = load_words(code + j * VL);
		UNROLL for (int i = 0; i < per; i++) step(sum, w, a + k + i, t->lda, i, bits, rows, nv);
	}
	if (k < n) {
		UNROLL for (int j = 0; j < nv; j++) w[j] = load_words(code + j * VL);
		for (size_t i = k; i < n; i++) {
			step(sum, w, a + i, t->lda, 0, bits, rows, nv);
			UNROLL for (int j = 0; j < nv; j++) w[j] = w[j] >> bits;
		}
		code += nv * VL;
	}
	for (int r = 0; t->zero && r < rows; r++) {
		vf s = v_set1(row_sum(a + (size_t)r * t->lda, n));
		for (int j = 0; j < nv; j++)
			sum[r][j] -= s * v_load(t->zero + (g * (size_t)nv + (size_t)j) * VL);
	}
	UNROLL for (int j = 0; j < nv; j++)
	{
		vf s = v_load(t->scale + (g * (size_t)nv + (size_t)j) * VL);
		UNROLL for (int r = 0; r < rows; r++) acc[r][j] = v_fma(sum[r][j], s, acc[r][j]);
	}
	return code;
}

INLINE void multiply(const tarn_wtile *t, const int bits, const int rows, const int nv)
{
	vf acc[TARN_WGEMM_ROWS][TARN_WGEMM_NV];
	const int32_t *code = t->code;
	UNROLL for (int r = 0; r < rows; r++)
	{
		UNROLL for (int j = 0; j < nv; j++) acc[r][j] = v_load(t->bias + j * VL);
	}
	for (size_t g = 0, k = 0; k < t->k; g++, k += t->group)
		code = group_add(acc, t, code, k, t->k - k < t->group ? t->k - k : t->group, g, bits, rows, nv);
	int tail = t->cols - (nv - 1) * VL;
	UNROLL for (int r = 0; r < rows; r++)
	{
		float *c = t->c + (size_t)r * t->ldc;
		UNROLL for (int j = 0; j < nv - 1; j++) v_store(c + j * VL, acc[r][j]);
		v_store_n(c + (nv - 1) * VL, acc[r][nv - 1], tail);
	}
}

INLINE void unpack(const tarn_wtile *t, size_t b0, size_t b1, size_t depth, int piece_nv, float *out, const int bits)
{
	const size_t per = 32 / bits, nv = (size_t)t->nv;
	size_t row = 0;
	tarn_wblock at = tarn_wblock_at(t->k, t->group, per, b0);
	for (size_t b = b0; b < b1; b++, tarn_wblock_next(&at)) {
		size_t n = tarn_wblock_rows(&at);
		for (size_t first = 0; first < nv; first += (size_t)piece_nv) {
			size_t width = nv - first < (size_t)piece_nv ? nv - first : (size_t)piece_nv;
			for (size_t j = first; j < first + width; j++) {
				float *to = out + (first * depth + row * width + (j - first)) * VL;
				vi w = load_words(t->code + (b * nv + j) * VL);
				vf s = v_load(t->scale + (at.g * nv + j) * VL);
				vf z = v_zero(); /* what the zero adds to the product */
				if (t->zero)
					z -= v_load(t->zero + (at.g * nv + j) * VL) * s;
				if (n == per) {
					UNROLL for (size_t i = 0; i < per; i++)
						v_store(to + i * width * VL, v_fma(code_of(w, (int)i, bits), s, z));
					continue;
				}
				for (size_t i = 0; i < n; i++, w = w >> bits)
					v_store(to + i * width * VL, v_fma(code_of(w, 0, bits), s, z));
			}
		}
		row += n;
	}
}

static void unpack_4(const tarn_wtile *t, size_t b0, size_t b1, size_t depth, int piece_nv, float *out)
{
	unpack(t, b0, b1, depth, piece_nv, out, 4);
}
static void unpack_8(const tarn_wtile *t, size_t b0, size_t b1, size_t depth, int piece_nv, float *out)
{
	unpack(t, b0, b1, depth, piece_nv, out, 8);
}

#define WROWS(bits, rows, nv) \
	static void rows_##bits##_##rows##_##nv(const tarn_wtile *t) \
	{ \
		multiply(t, bits, rows, nv); \
	}
#define WROWS_NV(bits, rows) WROWS(bits, rows, 1) WROWS(bits, rows, 2) WROWS(bits, rows, 3) WROWS(bits, rows, 4)
#define WROW(bits, rows) \
	{ \
		rows_##bits##_##rows##_1, rows_##bits##_##rows##_2, rows_##bits##_##rows##_3, rows_##bits##_##rows##_4 \
	}
