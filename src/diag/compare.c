/* SPDX-License-Identifier: Apache-2.0 */
#include "diag/compare.h"

#include <math.h>

/* 97.5 % quantile of Student's t. */
static double student(size_t freedom)
{
	static const double t[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
				   2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
				   2.080,  2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042};
	enum { N = sizeof t / sizeof *t };
	/* Beyond the table, its first terms in 1/freedom. */
	return freedom <= N ? t[freedom - 1] : 1.95996 + 2.3723 / (double)freedom;
}

tarn_comparison tarn_compare(const double *a, const double *b, size_t n)
{
	double sum = 0, squares = 0;
	size_t used = 0;
	for (size_t i = 0; i < n; i++)
		if (a[i] > 0 && b[i] > 0) {
			double d = log(b[i] / a[i]);
			sum += d;
			squares += d * d;
			used++;
		}
	tarn_comparison c = {NAN, 0, INFINITY, false, used};
	if (!used)
		return c;
	double mean = sum / (double)used;
	c.gain = exp(mean);
	if (used < 2)
		return c;
	double variance = (squares - sum * mean) / (double)(used - 1);
	double half = student(used - 1) * sqrt(variance > 0 ? variance / (double)used : 0);
	c.low = exp(mean - half);
	c.high = exp(mean + half);
	c.shown = c.low > 1 || c.high < 1;
	return c;
}
