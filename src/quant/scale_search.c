/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scale of a group of weights by weighted least squares. For given codes the best scale is sum h w q / sum h q^2; for a
 * given scale the best codes are the nearest ones. Both steps lower the error; several starts find the better valley.
 */
#include <math.h>
#include <string.h>

#include "quant/weight_only.h"

enum { N = QUANT_LANES, PASSES = 2 };

typedef struct lanes {
	float at[N];
} lanes;

/* Nearest integer, ties to even, for |x| < 2^22: as a sum that drops the fraction, which compilers turn into vectors. */
static inline float nearest(float x)
{
	const float big = 0x1.8p23f;
	return (x + big) - big;
}

static inline float code_of(float w, float inverse, float lo, float hi)
{
	float x = w * inverse;
	x = x < lo ? lo : x;
	x = x > hi ? hi : x;
	return nearest(x);
}

static lanes inverse_of(const lanes *s)
{
	lanes r;
	for (int j = 0; j < N; j++)
		r.at[j] = s->at[j] != 0 ? 1 / s->at[j] : 0;
	return r;
}

/* Error with scales s, and the scales that fit the codes best. */
static void try_scales(const float *w, const float *h, int64_t rows, float lo, float hi, const lanes *s, lanes *error,
		       lanes *fitted)
{
	lanes inverse = inverse_of(s), e = {{0}}, wq = {{0}}, qq = {{0}};
	for (int64_t k = 0; k < rows; k++)
		for (int j = 0; j < N; j++) {
			float x = w[k * N + j], q = code_of(x, inverse.at[j], lo, hi), d = x - q * s->at[j];
			e.at[j] += h[k] * d * d;
			wq.at[j] += h[k] * x * q;
			qq.at[j] += h[k] * q * q;
		}
	*error = e;
	for (int j = 0; j < N; j++)
		fitted->at[j] = qq.at[j] > 0 ? wq.at[j] / qq.at[j] : s->at[j];
}

static void search_from(const float *w, const float *h, int64_t rows, float lo, float hi, lanes s, lanes *best, lanes *least)
{
	for (int pass = 0; pass < PASSES; pass++) {
		lanes error, fitted;
		try_scales(w, h, rows, lo, hi, &s, &error, &fitted);
		for (int j = 0; j < N; j++)
			if (error.at[j] < least->at[j]) {
				least->at[j] = error.at[j];
				best->at[j] = s.at[j];
			}
		s = fitted;
	}
}

/* Ranges of the columns over the rows. */
static void ranges(const float *w, int64_t rows, lanes *lowest, lanes *highest)
{
	memset(lowest, 0, sizeof *lowest);
	memset(highest, 0, sizeof *highest);
	for (int64_t k = 0; k < rows; k++)
		for (int j = 0; j < N; j++) {
			float x = w[k * N + j];
			lowest->at[j] = x < lowest->at[j] ? x : lowest->at[j];
			highest->at[j] = x > highest->at[j] ? x : highest->at[j];
		}
}

void tarn_quant_scale_search(const float *w, const float *importance, int64_t rows, int lo, int hi, float scale[QUANT_LANES],
			     int8_t *code, double *error, double *power)
{
	const float *h = importance;
	bool even = -lo == hi;
	lanes lowest, highest, best, least;
	ranges(w, rows, &lowest, &highest);
	for (int j = 0; j < N; j++)
		least.at[j] = INFINITY;
	memset(&best, 0, sizeof best);
	for (int i = 0; i < 6; i++) {
		float part = 1 - (even ? 0.02f : 0.08f) * (float)i;
		lanes fit, signed_fit; /* nothing cut off; the longer side on the longer side of the codes */
		for (int j = 0; j < N; j++) {
			float down = -lowest.at[j] / (float)-lo, up = highest.at[j] / (float)hi;
			fit.at[j] = part * (down > up ? down : up);
			signed_fit.at[j] = part * (-lowest.at[j] >= highest.at[j] ? down : highest.at[j] / (float)lo);
		}
		search_from(w, h, rows, (float)lo, (float)hi, fit, &best, &least);
		if (!even)
			search_from(w, h, rows, (float)lo, (float)hi, signed_fit, &best, &least);
	}
	lanes inverse = inverse_of(&best);
	for (int64_t k = 0; k < rows; k++)
		for (int j = 0; j < N; j++) {
			float x = w[k * N + j], q = code_of(x, inverse.at[j], (float)lo, (float)hi), d = x - q * best.at[j];
			code[k * N + j] = (int8_t)q;
			*error += (double)h[k] * d * d;
			*power += (double)h[k] * x * x;
		}
	for (int j = 0; j < N; j++)
		scale[j] = best.at[j] != 0 ? best.at[j] : 1; /* a column of zeros */
}
