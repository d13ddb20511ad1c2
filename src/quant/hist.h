/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Histograms of activations: QUANT_BINS equal bins over [-limit, limit), where the limit is a power of two that doubles, bins
 * merging in pairs, when a larger value comes. One pass over the data is enough, and the same data gives the same histogram in
 * any order of samples. At least 1024 bins lie within each half of the largest magnitude. Bins live in the caller's arena.
 */
#ifndef TARN_QUANT_HIST_H
#define TARN_QUANT_HIST_H

#include "quant/grid.h"
#include "quant/quant.h"

enum { QUANT_BINS = 8192 };

typedef struct quant_hist {
	double limit;  /* 0: empty */
	uint32_t *bin; /* QUANT_BINS of them, or NULL */
} quant_hist;

/* Finite values whose magnitude is at most `most`; every `step`-th of x. */
void tarn_quant_hist_add(quant_hist *h, const float *x, int64_t n, int64_t step, double most);
/* to += from; from stays. */
void tarn_quant_hist_merge(quant_hist *to, const quant_hist *from);

/* 10 log10 (signal / noise) of the values on a grid, in dB; no noise counts as 200 dB, no signal as 0. */
double tarn_quant_hist_sqnr(const quant_hist *h, const quant_grid *g);
/* Range that leaves out `tail` of the values at each end. */
void tarn_quant_hist_percentile(const quant_hist *h, double tail, double *lo, double *hi);
/* Kullback-Leibler divergence of the values on a grid from the values (nats), in the histogram's bins. */
double tarn_quant_hist_divergence(const quant_hist *h, const quant_grid *g);

#endif
