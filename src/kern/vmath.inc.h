/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vector exp, log, erf, tanh. The polynomials are Chebyshev fits computed with 40 digits for the interval named beside each;
 * errors of the fits are below 1e-8, so that the rounding of f32 dominates.
 */
#ifndef TARN_KERN_VMATH_INC_H
#define TARN_KERN_VMATH_INC_H

#include "kern/simd.h"

/* x = n ln 2 + r, |r| <= ln(2)/2; *q such that exp(r) = 1 + r + r^2 q. Beyond the range of f32 n is clamped. */
INLINE vf exp_parts(vf x, vf *n, vf *q)
{
	x = v_min(v_set1(89.0f), v_max(v_set1(-104.0f), x));
	vf k = v_rint(x * v_set1(0x1.715476p0f)); /* 1 / ln 2 */
	/* ln 2 in two parts; the first has trailing zeros, so that k * part is exact. */
	vf r = v_fma(k, v_set1(-0.693359375f), x);
	r = v_fma(k, v_set1(2.12194440e-4f), r);
	*n = k;
	vf p = v_set1(0.0001989099082f);
	p = v_fma(p, r, v_set1(0.001393365f));
	p = v_fma(p, r, v_set1(0.008333310925f));
	p = v_fma(p, r, v_set1(0.04166646493f));
	p = v_fma(p, r, v_set1(0.1666666668f));
	*q = v_fma(p, r, v_set1(0.5000000013f));
	return r;
}

/* p * 2^n, right down to the smallest subnormal and up to infinity. */
INLINE vf scale_pow2(vf p, vf n)
{
#if defined(__AVX512F__)
	return _mm512_scalef_ps(p, n);
#else /* in two steps, since 2^n itself may be out of range */
	vi k = __builtin_convertvector(n, vi), half = k >> 1, rest = k - half;
	return p * (vf)((half + 127) << 23) * (vf)((rest + 127) << 23);
#endif
}

/* 1 / d for d >= 1 or NaN. Results below 2^-125 keep only about 14 bits where it is not a division. */
INLINE vf v_recip(vf d)
{
#if defined(__AVX512F__)
	/* One Newton step on the 14-bit estimate, with the correction in full precision: about 1 ulp. */
	vf r = _mm512_rcp14_ps(d), e = _mm512_fnmadd_ps(d, r, v_set1(1.0f));
	return v_sel(v_lt(d, v_set1(0x1p125f)), v_fma(v_fma(e, e, e), r, r), r);
#else
	return v_set1(1.0f) / d;
#endif
}

INLINE vf v_exp(vf x)
{
	vf n, q, r = exp_parts(x, &n, &q);
	return scale_pow2(v_set1(1.0f) + v_fma(r * r, q, r), n);
}

/* exp(x) - 1, without cancellation near 0. */
INLINE vf v_expm1(vf x)
{
	vf n, q, r = exp_parts(x, &n, &q), m = v_fma(r * r, q, r), one = v_set1(1.0f);
	vf s = scale_pow2(one, n);
	/* 2^n (1 + m) - 1 = 2^n m + (2^n - 1); the second part is exact where it matters */
	return v_sel(v_lt(x, v_set1(88.0f)), v_fma(s, m, s - one), scale_pow2(one + m, n));
}

INLINE vf v_log(vf x)
{
	vf zero = v_zero(), inf = v_set1(INFINITY), tiny = v_set1(0x1p-126f);
	vc sub = v_lt(x, tiny);
	vf y = v_sel(sub, x * v_set1(0x1p24f), x);
	/* y = 2^e m with m in [sqrt(1/2), sqrt(2)) */
	vi bits = (vi)y - 0x3f3504f3, e = bits >> 23;
	vf m = (vf)((bits & 0x7fffff) + 0x3f3504f3), k = __builtin_convertvector(e, vf);
	k = k - v_sel(sub, v_set1(24.0f), zero);
	/* log(1 + f) = f - s (f - s^2 R), s = f / (2 + f): f is exact, the rest is small */
	vf f = m - v_set1(1.0f), s = f / (f + v_set1(2.0f)), z = s * s;
	vf p = v_set1(0.2333681101f);
	p = v_fma(p, z, v_set1(0.2855058704f));
	p = v_fma(p, z, v_set1(0.4000012391f));
	p = v_fma(p, z, v_set1(0.6666666655f));
	vf r = v_fma(k, v_set1(0.693359375f), f - (s * (f - z * p) - k * v_set1(-2.12194440e-4f)));
	r = v_sel(v_lt(x, inf), r, x); /* infinity and NaN */
	r = v_sel(v_eq(x, zero), v_set1(-INFINITY), r);
	return v_sel(v_lt(x, zero), v_set1(NAN), r);
}

/* log(1 + u) for 0 <= u: log(w) with the rounding error of w = 1 + u given back. */
INLINE vf v_log1p(vf u)
{
	vf one = v_set1(1.0f), w = one + u;
	return v_log(w) + (u - (w - one)) / w;
}

INLINE vf v_tanh(vf x)
{
	vf a = v_abs(x), u = x * x, one = v_set1(1.0f);
	vf p = v_set1(0.002214902743f); /* |x| <= 0.65 */
	p = v_fma(p, u, v_set1(-0.008272456733f));
	p = v_fma(p, u, v_set1(0.02174618709f));
	p = v_fma(p, u, v_set1(-0.0539563494f));
	p = v_fma(p, u, v_set1(0.1333329075f));
	p = v_fma(p, u, v_set1(-0.3333333308f));
	vf small = v_fma(x * u, p, x);
	vf large = v_fma(v_set1(-2.0f), v_recip(v_exp(a + a) + one), one);
	large = (vf)((vi)large | ((vi)x & ~0x7fffffff));
	return v_sel(v_lt(a, v_set1(0.65f)), small, v_sel(v_eq(x, x), large, x));
}

INLINE vf v_sigmoid(vf x)
{
	vf one = v_set1(1.0f);
	return v_recip(one + v_exp(v_zero() - x));
}

/* erfc(a) for a >= 0: exp(-a^2) times a polynomial of t = 1 / (1 + 0.4 a). */
INLINE vf erfc_positive(vf a)
{
	vf t = v_recip(v_fma(v_set1(0.4f), a, v_set1(1.0f)));
	vf p = v_set1(-0.02986862849f);
	p = v_fma(p, t, v_set1(0.1438410693f));
	p = v_fma(p, t, v_set1(-0.2430417318f));
	p = v_fma(p, t, v_set1(0.1468032457f));
	p = v_fma(p, t, v_set1(-0.05379316632f));
	p = v_fma(p, t, v_set1(0.08712064164f));
	p = v_fma(p, t, v_set1(0.118095123f));
	p = v_fma(p, t, v_set1(0.1718905719f));
	p = v_fma(p, t, v_set1(0.2076007204f));
	p = v_fma(p, t, v_set1(0.2256763169f));
	p = v_fma(p, t, v_set1(0.2256758315f));
	return p * t * v_exp(v_zero() - a * a);
}

INLINE vf v_erf(vf x)
{
	vf a = v_abs(x), u = x * x, one = v_set1(1.0f);
	vf p = v_set1(-9.667044571e-6f); /* |x| <= 1 */
	p = v_fma(p, u, v_set1(0.0001126595903f));
	p = v_fma(p, u, v_set1(-0.0008484080406f));
	p = v_fma(p, u, v_set1(0.005221031808f));
	p = v_fma(p, u, v_set1(-0.02686543073f));
	p = v_fma(p, u, v_set1(0.112837825f));
	p = v_fma(p, u, v_set1(-0.3761263847f));
	p = v_fma(p, u, v_set1(1.128379167f));
	vf large = one - erfc_positive(a);
	large = (vf)((vi)large | ((vi)x & ~0x7fffffff));
	return v_sel(v_lt(a, one), x * p, v_sel(v_eq(x, x), large, x));
}

/* x times the normal distribution function of x; the tail is taken from erfc, so that small results keep their digits. */
INLINE vf v_gelu(vf x)
{
	vf half = v_set1(0.5f), a = v_abs(x) * v_set1(0.70710678f);
	vf tail = half * erfc_positive(a);
	vf phi = v_sel(v_lt(x, v_zero()), tail, v_set1(1.0f) - tail);
	return x * phi;
}

#endif
