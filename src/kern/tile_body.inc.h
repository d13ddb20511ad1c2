/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Body of tile_<level>.c: every tile is this one function with constant rows and vectors, fully unrolled.
 *
 * A sum of RUN products goes to a sum of such sums: rounding errors grow with the number of terms that one accumulator sees,
 * and a convolution over many channels would see thousands. The bias stays out of the runs for the same reason: where a
 * normalisation was folded in it may be larger than the result.
 */
#include "kern/simd.h"
#include "kern/tile.h"

enum { RUN = 128 };

/* One step of depth: nv loads, rows broadcasts, rows * nv FMAs. */
INLINE void step(vf acc[TARN_TILE_ROWS][4], const float *const p[TARN_TILE_ROWS], size_t k, const float *w, const int rows,
		 const int nv)
{
	vf b[4];
	UNROLL for (int j = 0; j < nv; j++) b[j] = v_load(w + j * VL);
	UNROLL for (int i = 0; i < rows; i++)
	{
		vf x = v_set1(p[i][k]);
		UNROLL for (int j = 0; j < nv; j++) acc[i][j] = v_fma(x, b[j], acc[i][j]);
	}
}

/* Two steps with sums of their own (acc and odd): a small tile alone has too few chains of additions to fill the latency. */
INLINE void step_pair(vf acc[TARN_TILE_ROWS][4], vf odd[TARN_TILE_ROWS][4], const float *const p[TARN_TILE_ROWS], size_t k,
		      const float *w, const int rows, const int nv)
{
	step(acc, p, k, w, rows, nv);
	step(odd, p, k + 1, w + nv * VL, rows, nv);
}

INLINE bool all_zero(const float *const *a, const float *zero, const int rows)
{
	for (int i = 0; i < rows; i++)
		if (a[i] != zero)
			return false;
	return true;
}

INLINE void finish(const tarn_tile *t, vf acc[TARN_TILE_ROWS][4], const int rows, const int nv)
{
	int tail = t->cols - (nv - 1) * VL;
	if (t->res) {
		UNROLL for (int i = 0; i < rows; i++)
		{
			UNROLL for (int j = 0; j < nv; j++)
			{
				const float *r = t->res + (size_t)i * t->ldr + j * VL;
				acc[i][j] += v_load_n(r, j < nv - 1 ? VL : tail);
			}
		}
	}
	if (t->clamp) {
		vf lo = v_set1(t->lo), hi = v_set1(t->hi);
		UNROLL for (int i = 0; i < rows; i++)
		{
			UNROLL for (int j = 0; j < nv; j++) acc[i][j] = v_min(hi, v_max(lo, acc[i][j]));
		}
	}
	UNROLL for (int i = 0; i < rows; i++)
	{
		float *c = t->c + (size_t)i * t->ldc;
		UNROLL for (int j = 0; j < nv - 1; j++) v_store(c + j * VL, acc[i][j]);
		if (tail == VL)
			v_store(c + (nv - 1) * VL, acc[i][nv - 1]);
		else
			v_store_n(c + (nv - 1) * VL, acc[i][nv - 1], tail);
	}
}

/* The sum begins with the bias, or with what c holds. */
INLINE void begin(const tarn_tile *t, vf sum[TARN_TILE_ROWS][4], const int rows, const int nv)
{
	int tail = t->cols - (nv - 1) * VL;
	UNROLL for (int i = 0; i < rows; i++)
	{
		UNROLL for (int j = 0; j < nv; j++)
		{
			float *c = t->c + (size_t)i * t->ldc + j * VL;
			if (t->start) { /* the lines that will be written arrive while the sums are made */
				sum[i][j] = v_load(t->start + j * VL);
				__builtin_prefetch(c, 1);
			} else {
				sum[i][j] = v_load_n(c, j < nv - 1 ? VL : tail);
			}
		}
	}
}

INLINE void clear(vf acc[TARN_TILE_ROWS][4], const int rows, const int nv)
{
	UNROLL for (int i = 0; i < rows; i++)
	{
		UNROLL for (int j = 0; j < nv; j++) acc[i][j] = v_zero();
	}
}

INLINE void join(vf sum[TARN_TILE_ROWS][4], vf acc[TARN_TILE_ROWS][4], const int rows, const int nv)
{
	UNROLL for (int i = 0; i < rows; i++)
	{
		UNROLL for (int j = 0; j < nv; j++) sum[i][j] += acc[i][j];
	}
	clear(acc, rows, nv);
}

INLINE void tile(const tarn_tile *t, const int rows, const int nv)
{
	const bool pairs = rows * nv <= 8;
	vf sum[TARN_TILE_ROWS][4], acc[TARN_TILE_ROWS][4], odd[TARN_TILE_ROWS][4];
	begin(t, sum, rows, nv);
	clear(acc, rows, nv);
	clear(odd, pairs ? rows : 0, nv);
	const float *w = t->w, *zero = t->zero, *const *a = t->a;
	const size_t depth = t->depth, ahead_step = t->ahead_step;
	const char *ahead = ahead_step ? t->ahead : (const char *)w;
	size_t run = 0; /* products so far, those that are skipped included: where a run ends must not depend on them */
	for (size_t tap = 0; tap < t->taps; tap++, a += rows) {
		const float *p[TARN_TILE_ROWS];
		UNROLL for (int i = 0; i < rows; i++) p[i] = a[i];
		const bool skip = p[0] == zero && all_zero(a, zero, rows);
		for (size_t k = 0; k < depth;) {
			size_t end = depth - k < RUN - run ? depth : k + RUN - run;
			run += end - k;
			if (skip) {
				w += (end - k) * nv * VL;
				ahead += (end - k) * ahead_step;
				k = end;
			}
			for (; pairs && k + 2 <= end; k += 2, w += 2 * nv * VL, ahead += 2 * ahead_step) {
				if (nv > 1) { /* a panel of one vector is small, and its loop short of loads */
					__builtin_prefetch(ahead, 0, 2);
					__builtin_prefetch(ahead + ahead_step, 0, 2);
				}
				step_pair(acc, odd, p, k, w, rows, nv);
			}
			for (; k < end; k++, w += nv * VL, ahead += ahead_step) {
				__builtin_prefetch(ahead, 0, 2);
				step(acc, p, k, w, rows, nv);
			}
			if (run == RUN) {
				join(sum, acc, rows, nv);
				join(sum, odd, pairs ? rows : 0, nv);
				run = 0;
			}
		}
	}
	join(sum, acc, rows, nv);
	join(sum, odd, pairs ? rows : 0, nv);
	finish(t, sum, rows, nv);
}

#define TILE(rows, nv) \
	static void tile_##nv##_##rows(const tarn_tile *t) \
	{ \
		tile(t, rows, nv); \
	}
#define TILES_4(nv) TILE(1, nv) TILE(2, nv) TILE(3, nv) TILE(4, nv)
#define TILES_6(nv) TILES_4(nv) TILE(5, nv) TILE(6, nv)
#define TILES_8(nv) TILES_6(nv) TILE(7, nv) TILE(8, nv)
#define ROW_4(nv) tile_##nv##_1, tile_##nv##_2, tile_##nv##_3, tile_##nv##_4
#define ROW_6(nv) ROW_4(nv), tile_##nv##_5, tile_##nv##_6
#define ROW_8(nv) ROW_6(nv), tile_##nv##_7, tile_##nv##_8
