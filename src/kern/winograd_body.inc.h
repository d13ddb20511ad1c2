/* SPDX-License-Identifier: Apache-2.0 */
/* The transforms of F(4x4, 3x3) with points 0, +-1/sqrt 2, +-sqrt 2, infinity, for all channels of one tile. */
#include "kern/f32.h"
#include "kern/simd.h"

#define ROOT_HALF 0.70710678118654752f
#define ROOT_TWO 1.41421356237309505f

/* Values of the polynomial's basis at the six points: the rows of B^T. */
INLINE void wino_in_1d(const vf x[6], vf y[6])
{
	const vf two = v_set1(-2.0f), half = v_set1(-0.5f), q = v_set1(-2.5f), a = v_set1(ROOT_HALF), b = v_set1(ROOT_TWO);
	vf e = v_fma(two, x[2], x[4]), o = a * v_fma(two, x[1], x[3]);
	vf f = v_fma(half, x[2], x[4]), p = b * v_fma(half, x[1], x[3]);
	y[0] = v_fma(q, x[2], x[0] + x[4]);
	y[1] = e + o;
	y[2] = e - o;
	y[3] = f + p;
	y[4] = f - p;
	y[5] = v_fma(q, x[3], x[1] + x[5]);
}

/* The rows of A^T: powers of the points. */
INLINE void wino_out_1d(const vf m[6], vf y[4])
{
	const vf a = v_set1(ROOT_HALF), b = v_set1(ROOT_TWO), half = v_set1(0.5f), two = v_set1(2.0f);
	vf s = m[1] + m[2], d = a * (m[1] - m[2]), t = m[3] + m[4], e = b * (m[3] - m[4]);
	y[0] = m[0] + (s + t);
	y[1] = d + e;
	y[2] = v_fma(half, s, two * t);
	y[3] = v_fma(half, d, v_fma(two, e, m[5]));
}

static void winograd_in(const tarn_winograd_in *t)
{
	for (size_t c = 0; c < t->channels; c += VL) {
		int tail = t->channels - c < VL ? (int)(t->channels - c) : VL;
		vf mid[6][6], x[6], y[6];
		UNROLL for (int j = 0; j < 6; j++)
		{
			UNROLL for (int i = 0; i < 6; i++) x[i] = v_load_n(t->pixel[6 * i + j] + c, tail);
			wino_in_1d(x, y);
			UNROLL for (int i = 0; i < 6; i++) mid[i][j] = y[i];
		}
		UNROLL for (int i = 0; i < 6; i++)
		{
			wino_in_1d(mid[i], y);
			UNROLL for (int j = 0; j < 6; j++) v_store_n(t->v + (size_t)(6 * i + j) * t->v_step + c, y[j], tail);
		}
	}
}

static void winograd_out(const tarn_winograd_out *t)
{
	vf lo = v_set1(t->lo), hi = v_set1(t->hi);
	for (int c = 0; c < t->channels; c += VL) {
		int tail = t->channels - c < VL ? t->channels - c : VL;
		vf mid[4][6], x[6], y[4], bias = v_load_n(t->bias + c, tail);
		UNROLL for (int j = 0; j < 6; j++)
		{
			UNROLL for (int i = 0; i < 6; i++) x[i] = v_load_n(t->m + (size_t)(6 * i + j) * t->m_step + c, tail);
			wino_out_1d(x, y);
			UNROLL for (int i = 0; i < 4; i++) mid[i][j] = y[i];
		}
		for (int i = 0; i < t->rows; i++) {
			wino_out_1d(mid[i], y);
			for (int j = 0; j < t->cols; j++) {
				vf v = y[j] + bias;
				if (t->res)
					v += v_load_n(t->res + (size_t)i * t->res_row_step + (size_t)j * t->res_pixel_step + c,
						      tail);
				v_store_n(t->out + (size_t)i * t->row_step + (size_t)j * t->pixel_step + c,
					  v_min(hi, v_max(lo, v)), tail);
			}
		}
	}
}
