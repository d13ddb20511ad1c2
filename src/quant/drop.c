/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/drop.h"

#include <math.h>

/* Of at most k among n tosses of a fair coin, or at most k of the other side. */
static double chance_of(size_t k, size_t n)
{
	double sum = 0, m = (double)n;
	for (size_t i = 0; i <= k; i++)
		sum += exp(lgamma(m + 1) - lgamma((double)i + 1) - lgamma(m - (double)i + 1) - m * log(2));
	return fmin(2 * sum, 1);
}

quant_drop tarn_quant_drop(const double *reference, const double *score, size_t n)
{
	const double z = 1.959963984540054;
	quant_drop d = {.chance = 1};
	double sum = 0, squares = 0, m = (double)n + 2;
	if (!n)
		return d;
	for (size_t i = 0; i < n; i++) {
		double lost = reference[i] - score[i];
		sum += lost;
		squares += lost * lost;
		d.lost += lost > 0;
		d.gained += lost < 0;
	}
	double half = z * sqrt(fmax((squares + 2) / m - (sum / m) * (sum / m), 0) / m);
	d.points = 100 * sum / (double)n;
	d.low = fmax(100 * (sum / m - half), -100);
	d.high = fmin(100 * (sum / m + half), 100);
	d.chance = chance_of(d.lost < d.gained ? d.lost : d.gained, d.lost + d.gained);
	return d;
}
