/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Integer vectors for the INT8 bodies, 512 or 256 bits by the flags of the including file, on top of simd.h. qv is a vector of
 * any integers; qw one vector of weights for a step of four codes; q_dot(acc, x, w) adds the four products of each 32-bit lane
 * (x unsigned bytes), exactly.
 */
#ifndef TARN_KERN_INT8_SIMD_H
#define TARN_KERN_INT8_SIMD_H

#include "kern/int8_set.h"
#include "kern/simd.h"

/* Checked accesses in unrolled and optimised tiles make compiling them take minutes. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(undefined_behavior_sanitizer)
#undef UNROLL
#define UNROLL
#pragma clang optimize off
#endif
#endif

#if defined(__AVX512F__)
#define QBYTES 64
#define Q(op) _mm512_##op
#define QSI(op) _mm512_##op##_si512
typedef __m512i qv;
INLINE qv q_load_n(const void *p, int n) /* n bytes, the others 0 */
{
	return _mm512_maskz_loadu_epi8(n >= 64 ? ~0ull : (1ull << n) - 1, p);
}
INLINE void q_store_n(void *p, qv v, int n)
{
	_mm512_mask_storeu_epi8(p, n >= 64 ? ~0ull : (1ull << n) - 1, v);
}
INLINE vi q_cvt(vf v)
{
	return (vi)_mm512_cvtps_epi32(v);
}
INLINE vf q_float(qv v)
{
	return _mm512_cvtepi32_ps(v);
}
/* VL bytes as 32-bit integers */
INLINE qv q_widen(const void *p, bool is_signed)
{
	__m128i b = _mm_loadu_si128(p);
	return is_signed ? _mm512_cvtepi8_epi32(b) : _mm512_cvtepu8_epi32(b);
}
#else
#define QBYTES 32
#define Q(op) _mm256_##op
#define QSI(op) _mm256_##op##_si256
typedef __m256i qv;
INLINE qv q_load_n(const void *p, int n)
{
	if (n >= 32)
		return _mm256_loadu_si256(p);
	char b[32] = {0};
	memcpy(b, p, (size_t)n);
	return _mm256_loadu_si256((const __m256i *)(const void *)b);
}
INLINE void q_store_n(void *p, qv v, int n)
{
	if (n >= 32) {
		_mm256_storeu_si256(p, v);
		return;
	}
	char b[32];
	_mm256_storeu_si256((__m256i *)(void *)b, v);
	memcpy(p, b, (size_t)n);
}
INLINE vi q_cvt(vf v)
{
	return (vi)_mm256_cvtps_epi32(v);
}
INLINE vf q_float(qv v)
{
	return _mm256_cvtepi32_ps(v);
}
INLINE qv q_widen(const void *p, bool is_signed)
{
	__m128i b = _mm_loadl_epi64(p);
	return is_signed ? _mm256_cvtepi8_epi32(b) : _mm256_cvtepu8_epi32(b);
}
#endif

INLINE qv q_load(const void *p)
{
	return QSI(loadu)(p);
}

INLINE void q_store(void *p, qv v)
{
	QSI(storeu)(p, v);
}

/* Four codes to every lane. */
INLINE qv q_four(const uint8_t *p)
{
	int32_t v;
	memcpy(&v, p, 4);
	return Q(set1_epi32)(v);
}

#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
#define QWIDE false
#define QW 1 /* vectors of memory for a vector of weights */
typedef struct qw {
	qv v;
} qw;
INLINE qw q_weights(const int8_t *w, size_t i)
{
	return (qw){q_load(w + i * QBYTES)};
}
/* As assembly: compilers move the accumulators of the intrinsic through memory when there are many. */
INLINE void q_dot(qv *acc, qv x, qw w)
{
#if defined(__AVX512VNNI__)
	__asm__("vpdpbusd %2,%1,%0" : "+v"(*acc) : "v"(x), "v"(w.v));
#else
	__asm__("%{vex%} vpdpbusd %2,%1,%0" : "+x"(*acc) : "x"(x), "x"(w.v));
#endif
}
#else
#define QWIDE true
#define QW 2
typedef struct qw {
	qv even, odd;
} qw;
INLINE qw q_weights(const int8_t *w, size_t i)
{
	return (qw){q_load(w + 2 * i * QBYTES), q_load(w + (2 * i + 1) * QBYTES)};
}
INLINE void q_dot(qv *acc, qv x, qw w)
{
	qv even = QSI(and)(x, Q(set1_epi16)(255)), odd = Q(srli_epi16)(x, 8);
	*acc = Q(add_epi32)(*acc, Q(madd_epi16)(even, w.even));
	*acc = Q(add_epi32)(*acc, Q(madd_epi16)(odd, w.odd));
}
#endif

/* How f32 results become bytes. Codes are made as if unsigned (zero and lower limit 128 higher for s8); the last step turns the
 * top bit back. */
typedef struct q_out {
	vf hi;                   /* upper limit less the zero point */
	qv zero, lo, most, turn; /* 16-bit, bytes, bytes, bytes */
} q_out;

INLINE q_out q_out_of(bool is_signed, int zero, int lo, int hi)
{
	int up = is_signed ? 128 : 0, least = lo + up < 0 ? 0 : lo + up, most = hi + up > 255 ? 255 : hi + up;
	return (q_out){v_set1((float)(hi - zero)), Q(set1_epi16)((short)(zero + up)), Q(set1_epi8)((char)least),
		       Q(set1_epi8)((char)most), Q(set1_epi8)((char)up)};
}

/* Rounded, not yet moved by the zero point; of any size, where a plain conversion would not do beyond 2^31. Too small values
 * (and NaN) become very negative: packing saturates them. */
INLINE qv q_round(vf v, const q_out *o)
{
	return (qv)q_cvt(v_min(v, o->hi));
}

/* Four vectors of rounded results to bytes: in each 128-bit lane four of a, four of b, of c, of d. */
INLINE qv q_pack(qv a, qv b, qv c, qv d, const q_out *o)
{
	qv x = Q(adds_epi16)(Q(packs_epi32)(a, b), o->zero), y = Q(adds_epi16)(Q(packs_epi32)(c, d), o->zero);
	return QSI(xor)(Q(min_epu8)(Q(max_epu8)(Q(packus_epi16)(x, y), o->lo), o->most), o->turn);
}

#endif
