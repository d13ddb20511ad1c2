/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside quant: what a model loses against another one on the same samples. Differences are taken sample by sample, so that
 * what both find easy or hard does not count. Pure functions.
 */
#ifndef TARN_QUANT_DROP_H
#define TARN_QUANT_DROP_H

#include <stddef.h>

typedef struct quant_drop {
	double points;       /* hundred times the mean of reference minus score */
	double low, high;    /* its 95 % interval, in points */
	size_t lost, gained; /* samples that score lower, and higher, than with the reference */
	double chance;       /* of a split so uneven, or more, if neither were better: exact test of McNemar (1947) */
} quant_drop;

/*
 * Scores of n samples from 0 to 1. The interval is that of Bonett and Price (2012, Statistics in Medicine 31) for the
 * difference of paired proportions: the normal one with two samples added, one lost and one gained, which keeps its level also
 * where no or few samples differ. n 0: all is 0, and the chance 1.
 */
quant_drop tarn_quant_drop(const double *reference, const double *score, size_t n);

#endif
