/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requantization as the PPE does it, per output channel:
 *   y = clamp(((acc + bias) * mult + half) >> shift) + zero, lo, hi)      mult < 2^15, shift <= 63, half = 2^(shift-1)
 * with mult * 2^-shift the nearest to s_x * s_w / s_y that has 15 bits (relative error at most 2^-15) and bias = rint(b / (s_x
 * s_w)). Ties round up, where the float formula rounds them to even. Where a step of the sum is worth more than one code, or
 * the bias would leave 31 bits, the bias is added after the multiplication instead, in units of 2^-shift. Against
 * clamp(rint(acc * s_x * s_w / s_y + b / s_y) + zero) the result differs by at most one code: an error of 255 * 2^-15 from
 * the multiplier and half a step of the sum from the bias.
 */
#include <math.h>

#include "driver/exec/exec.h"

npu_requant tarn_npu_requant_make(double scale, double bias)
{
	npu_requant q = {0};
	int exp = 0;
	double m = frexp(scale, &exp); /* scale = m * 2^exp, m in [0.5, 1) */
	int64_t mult = llrint(m * 32768);
	int shift = 15 - exp;
	if (mult == 32768) {
		mult /= 2;
		shift--;
	}
	if (!(scale > 0) || !isfinite(scale) || shift > 62) {
		mult = 0;
		shift = 30;
	}
	if (shift < 1) { /* beyond the multiplier: everything but 0 saturates */
		mult = 32767;
		shift = 1;
	}
	q.mult = (int16_t)mult;
	q.shift = (uint8_t)shift;
	double in_sum = scale > 0 ? bias / scale : INFINITY;
	if (scale <= 1 && fabs(in_sum) < 0x1p30 && mult)
		q.bias = (int32_t)lrint(in_sum);
	else {
		double late = ldexp(bias, shift);
		q.late = fabs(late) < 0x1p61 ? llrint(late) : late > 0 ? (int64_t)1 << 61 : -((int64_t)1 << 61);
	}
	return q;
}

int tarn_npu_requant(const npu_requant *q, int32_t acc, int zero, int lo, int hi)
{
	int64_t sum = (int64_t)acc + q->bias;
	sum = sum > INT32_MAX ? INT32_MAX : sum < INT32_MIN ? INT32_MIN : sum;
	int64_t product = sum * q->mult + q->late + ((int64_t)1 << (q->shift - 1));
	int64_t y = product >> q->shift;
	y = y > 65536 ? 65536 : y < -65536 ? -65536 : y;
	y += zero;
	return y < lo ? lo : y > hi ? hi : (int)y;
}

bool tarn_npu_requant_lay(const npu_requant *q, int n, double *k)
{
	for (int c = 0; c < n; c++) {
		if (q[c].late || q[c].shift > 36) /* finer than the 36 bits behind the point that the offset leaves */
			return false;
		k[c] = q[c].bias;
		k[n + c] = ldexp(q[c].mult, -q[c].shift);
	}
	return true;
}

/* floor((sum * mult + half) >> shift) as (sum * (mult * 2^-shift) + 0.5) rounded down: sum and mult have 46 bits together, and
 * scaling by a power of two changes none of them. What is far outside the range of codes is cut first, so that the offset
 * that makes truncation round down holds. */
void tarn_npu_requant_rows(const double *k, int n, const int32_t *acc, uint8_t *codes, int64_t rows, int zero, int lo, int hi)
{
	const double *bias = k, *mult = k + n;
	for (int64_t r = 0; r < rows; r++, acc += n, codes += n)
		for (int c = 0; c < n; c++) {
			double s = (double)acc[c] + bias[c];
			s = s > INT32_MAX ? INT32_MAX : s;
			s = s < INT32_MIN ? INT32_MIN : s;
			double y = s * mult[c] + 0.5;
			y = y > 65536 ? 65536 : y;
			y = y < -65536 ? -65536 : y;
			int v = (int)(y + 131072) - 131072 + zero;
			v = v < lo ? lo : v;
			v = v > hi ? hi : v;
			codes[c] = (uint8_t)v;
		}
}
