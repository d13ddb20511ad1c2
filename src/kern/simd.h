/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One vocabulary of float vectors for the kernel bodies (*.inc.h), decided by the flags of the including file: 16 lanes with
 * AVX-512, 8 with AVX2, 4 in portable C (compiler vector types). Included by kernel sources only.
 *
 *   vf, vi     VL floats, VL int32; + - * / and casts between the two (bit patterns) are the compiler's
 *   vc         result of a comparison, for v_sel(c, a, b) = c ? a : b
 *   v_max(a,b), v_min(a,b) return b when either is NaN, so v_max(lo, x) keeps a NaN in x
 *   v_load_n, v_store_n    the first n lanes (0..VL); the others read as 0 and are not touched
 *   v_fma(a,b,c) a*b+c, one rounding with AVX2 and AVX-512, two in portable C
 */
#ifndef TARN_KERN_SIMD_H
#define TARN_KERN_SIMD_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#include <immintrin.h>
#define VL 16
#define ISA(name) name##_avx512
#elif defined(__AVX2__)
#include <immintrin.h>
#define VL 8
#define ISA(name) name##_avx2
#else
#define VL 4
#define ISA(name) name##_portable
#endif

#define INLINE static inline __attribute__((always_inline, unused))
#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

typedef int32_t vi __attribute__((vector_size(VL * 4), may_alias));

#if defined(__AVX512F__)
typedef __m512 vf;
typedef __mmask16 vc;
INLINE vf v_set1(float x)
{
	return _mm512_set1_ps(x);
}
INLINE vf v_load(const float *p)
{
	return _mm512_loadu_ps(p);
}
INLINE void v_store(float *p, vf v)
{
	_mm512_storeu_ps(p, v);
}
INLINE __mmask16 v_mask(int n)
{
	return (__mmask16)((1u << n) - 1);
}
INLINE vf v_load_n(const float *p, int n)
{
	return _mm512_maskz_loadu_ps(v_mask(n), p);
}
INLINE void v_store_n(float *p, vf v, int n)
{
	_mm512_mask_storeu_ps(p, v_mask(n), v);
}
INLINE vf v_fma(vf a, vf b, vf c)
{
	return _mm512_fmadd_ps(a, b, c);
}
INLINE vf v_max(vf a, vf b)
{
	return _mm512_max_ps(a, b);
}
INLINE vf v_min(vf a, vf b)
{
	return _mm512_min_ps(a, b);
}
INLINE vf v_sqrt(vf a)
{
	return _mm512_sqrt_ps(a);
}
INLINE vf v_rint(vf a)
{
	return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
INLINE vf v_floor(vf a)
{
	return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
}
INLINE vf v_ceil(vf a)
{
	return _mm512_roundscale_ps(a, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC);
}
INLINE vc v_lt(vf a, vf b)
{
	return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
}
INLINE vc v_le(vf a, vf b)
{
	return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ);
}
INLINE vc v_eq(vf a, vf b)
{
	return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ);
}
INLINE vf v_sel(vc c, vf a, vf b)
{
	return _mm512_mask_blend_ps(c, b, a);
}
INLINE float v_sum(vf a)
{
	return _mm512_reduce_add_ps(a);
}
#elif defined(__AVX2__)
typedef __m256 vf;
typedef __m256 vc;
INLINE vf v_set1(float x)
{
	return _mm256_set1_ps(x);
}
INLINE vf v_load(const float *p)
{
	return _mm256_loadu_ps(p);
}
INLINE void v_store(float *p, vf v)
{
	_mm256_storeu_ps(p, v);
}
INLINE __m256i v_mask(int n)
{
	return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
INLINE vf v_load_n(const float *p, int n)
{
	return n == VL ? v_load(p) : _mm256_maskload_ps(p, v_mask(n));
}
INLINE void v_store_n(float *p, vf v, int n)
{
	_mm256_maskstore_ps(p, v_mask(n), v);
}
INLINE vf v_fma(vf a, vf b, vf c)
{
	return _mm256_fmadd_ps(a, b, c);
}
INLINE vf v_max(vf a, vf b)
{
	return _mm256_max_ps(a, b);
}
INLINE vf v_min(vf a, vf b)
{
	return _mm256_min_ps(a, b);
}
INLINE vf v_sqrt(vf a)
{
	return _mm256_sqrt_ps(a);
}
INLINE vf v_rint(vf a)
{
	return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
INLINE vf v_floor(vf a)
{
	return _mm256_round_ps(a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
}
INLINE vf v_ceil(vf a)
{
	return _mm256_round_ps(a, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC);
}
INLINE vc v_lt(vf a, vf b)
{
	return _mm256_cmp_ps(a, b, _CMP_LT_OQ);
}
INLINE vc v_le(vf a, vf b)
{
	return _mm256_cmp_ps(a, b, _CMP_LE_OQ);
}
INLINE vc v_eq(vf a, vf b)
{
	return _mm256_cmp_ps(a, b, _CMP_EQ_OQ);
}
INLINE vf v_sel(vc c, vf a, vf b)
{
	return _mm256_blendv_ps(b, a, c);
}
#else
typedef float vf __attribute__((vector_size(16), may_alias));
typedef vi vc;
INLINE vf v_set1(float x)
{
	return (vf){x, x, x, x};
}
INLINE vf v_load(const float *p)
{
	vf v;
	memcpy(&v, p, sizeof v);
	return v;
}
INLINE void v_store(float *p, vf v)
{
	memcpy(p, &v, sizeof v);
}
INLINE vf v_load_n(const float *p, int n)
{
	if (n == VL)
		return v_load(p);
	vf v = {0, 0, 0, 0};
	for (int i = 0; i < n && i < VL; i++)
		v[i] = p[i];
	return v;
}
INLINE void v_store_n(float *p, vf v, int n)
{
	for (int i = 0; i < n && i < VL; i++)
		p[i] = v[i];
}
INLINE vf v_fma(vf a, vf b, vf c)
{
	return a * b + c;
}
INLINE vc v_lt(vf a, vf b)
{
	return a < b;
}
INLINE vc v_le(vf a, vf b)
{
	return a <= b;
}
INLINE vc v_eq(vf a, vf b)
{
	return a == b;
}
INLINE vf v_sel(vc c, vf a, vf b)
{
	return (vf)((c & (vi)a) | (~c & (vi)b));
}
INLINE vf v_max(vf a, vf b)
{
	return v_sel(a > b, a, b);
}
INLINE vf v_min(vf a, vf b)
{
	return v_sel(a < b, a, b);
}
INLINE vf v_sqrt(vf a)
{
	return (vf){sqrtf(a[0]), sqrtf(a[1]), sqrtf(a[2]), sqrtf(a[3])};
}
/* From 2^23 on every float is an integer; below, adding and taking away 1.5 * 2^23 rounds to nearest even. */
INLINE vf v_rint(vf a)
{
	vf big = v_set1(0x1.8p23f), r = (a + big) - big;
	vi mag = (vi)a & 0x7fffffff, sign = (vi)a & ~0x7fffffff;
	r = (vf)(((vi)r & 0x7fffffff) | sign);
	return v_sel((vf)mag < v_set1(0x1p22f), r, a);
}
INLINE vf v_floor(vf a)
{
	return (vf){floorf(a[0]), floorf(a[1]), floorf(a[2]), floorf(a[3])};
}
INLINE vf v_ceil(vf a)
{
	return (vf){ceilf(a[0]), ceilf(a[1]), ceilf(a[2]), ceilf(a[3])};
}
#endif

#if !defined(__AVX512F__)
INLINE float v_sum(vf a)
{
	float t[VL];
	memcpy(t, &a, sizeof t);
	for (int w = VL / 2; w >= 1; w /= 2)
		for (int i = 0; i < w; i++)
			t[i] += t[i + w];
	return t[0];
}
#endif

/* A conditional on a scalar; ?: does not mix the compilers' vector types. */
INLINE vf v_pick(int c, vf a, vf b)
{
	if (c)
		return a;
	return b;
}
/* Keeps a loaded value in its register, where the compiler would rather load it once for each use. */
#if defined(__AVX512F__)
#define V_KEEP(v) __asm__("" : "+v"(v))
#elif defined(__x86_64__)
#define V_KEEP(v) __asm__("" : "+x"(v))
#else
#define V_KEEP(v) (void)(v)
#endif
INLINE vf v_zero(void)
{
	return v_set1(0.0f);
}
INLINE vf v_abs(vf a)
{
	return (vf)((vi)a & 0x7fffffff);
}
INLINE vi vi_set1(int32_t x)
{
	return (vi){0} + x;
}

#endif
