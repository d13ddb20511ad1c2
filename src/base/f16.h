/* SPDX-License-Identifier: Apache-2.0 */
/* IEEE binary16 and bfloat16 <-> float, round to nearest even, NaN kept quiet. */
#ifndef TARN_BASE_F16_H
#define TARN_BASE_F16_H

#include <stdint.h>
#include <string.h>

static inline uint32_t tarn_f32_bits(float f)
{
	uint32_t u;
	memcpy(&u, &f, 4);
	return u;
}

static inline float tarn_f32_of_bits(uint32_t u)
{
	float f;
	memcpy(&f, &u, 4);
	return f;
}

static inline float tarn_f16_to_f32(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exp = (h >> 10) & 31, man = h & 0x3ffu;
	if (exp == 31)
		return tarn_f32_of_bits(sign | 0x7f800000u | man << 13 | (man ? 0x400000u : 0));
	if (exp == 0) /* zero and subnormals: man * 2^-24, exact in float */
		return tarn_f32_of_bits(sign | tarn_f32_bits((float)man * 0x1p-24f));
	return tarn_f32_of_bits(sign | (exp + 112) << 23 | man << 13);
}

static inline uint16_t tarn_f32_to_f16(float f)
{
	uint32_t u = tarn_f32_bits(f), sign = u >> 16 & 0x8000u, a = u & 0x7fffffffu;
	if (a > 0x7f800000u)
		return (uint16_t)(sign | 0x7e00u | (a >> 13 & 0x3ffu));
	if (a >= 0x477ff000u) /* 65520 and above round to infinity */
		return (uint16_t)(sign | 0x7c00u);
	if (a < 0x38800000u) { /* below 2^-14: subnormal; the addition rounds to a multiple of 2^-24 */
		float r = tarn_f32_of_bits(a) + 0.5f;
		return (uint16_t)(sign | (tarn_f32_bits(r) - 0x3f000000u));
	}
	a += 0xfffu + (a >> 13 & 1);
	return (uint16_t)(sign | (a - 0x38000000u) >> 13);
}

static inline float tarn_bf16_to_f32(uint16_t b)
{
	return tarn_f32_of_bits((uint32_t)b << 16);
}

static inline uint16_t tarn_f32_to_bf16(float f)
{
	uint32_t u = tarn_f32_bits(f);
	if ((u & 0x7fffffffu) > 0x7f800000u)
		return (uint16_t)(u >> 16 | 0x40u);
	return (uint16_t)((u + 0x7fffu + (u >> 16 & 1)) >> 16);
}

#endif
