/* SPDX-License-Identifier: Apache-2.0 */
#include "accuracy.h"

#include <math.h>
#include <stdbool.h>

void verdicts_add(verdicts *v, size_t i, const float *score, int64_t label)
{
	int64_t best = -1, beaten = 0;
	bool broken = false;
	float own = label >= 0 && label < (int64_t)v->classes ? score[label] : NAN;
	for (size_t c = 0; c < v->classes; c++) {
		broken |= isnan(score[c]);
		if (!isnan(score[c]) && (best < 0 || score[c] > score[best]))
			best = (int64_t)c;
		beaten += score[c] > own || (score[c] == own && (int64_t)c < label);
	}
	v->best[i] = best;
	/* A label whose own score is no number is never right. */
	if (v->rank)
		v->rank[i] = isnan(own) ? (int64_t)v->classes + 5 : beaten;
	v->broken += broken;
}

void wilson95(size_t k, size_t n, double *lo, double *hi)
{
	const double z = 1.959963984540054;
	double p = (double)k / (double)n, m = (double)n, d = 1 + z * z / m;
	double centre = p + z * z / (2 * m), half = z * sqrt(p * (1 - p) / m + z * z / (4 * m * m));
	*lo = k == 0 ? 0 : (centre - half) / d;
	*hi = k == n ? 1 : (centre + half) / d;
}
