/* SPDX-License-Identifier: Apache-2.0 */
/* From what was seen of a value to its grid. Values that share a grid are seen as one. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "quant/plan.h"

/* What a group of values was seen to be. */
typedef struct seen {
	quant_hist hist;
	double lo, hi;           /* over everything */
	double mean_lo, mean_hi; /* the widest of its values' means over samples */
	bool symmetric;
} seen;

static quant_grid from_mean_min_max(const seen *s)
{
	return tarn_quant_grid(s->mean_lo, s->mean_hi, s->symmetric);
}

static quant_grid from_min_max(const seen *s)
{
	return tarn_quant_grid(s->lo, s->hi, s->symmetric);
}

static quant_grid from_percentile(const seen *s)
{
	double lo, hi;
	tarn_quant_hist_percentile(&s->hist, 5e-5, &lo, &hi);
	return tarn_quant_grid(fmax(lo, s->lo), fmin(hi, s->hi), s->symmetric);
}

static double gain_sqnr(const seen *s, const quant_grid *g)
{
	return tarn_quant_hist_sqnr(&s->hist, g);
}

static double gain_entropy(const seen *s, const quant_grid *g)
{
	return -tarn_quant_hist_divergence(&s->hist, g);
}

/* The best range inside the observed one: each end is drawn in by itself while that gains. */
static quant_grid search(const seen *s, double (*gain)(const seen *, const quant_grid *))
{
	double lo = s->lo, hi = s->hi;
	quant_grid best = from_min_max(s);
	double most = gain(s, &best);
	for (int end = 0; end < 2; end++) {
		double whole = end ? hi : lo;
		for (int k = 49; k >= 15 && whole != 0; k--) {
			double part = whole * k / 50;
			quant_grid g = tarn_quant_grid(end ? lo : part, end ? part : hi, s->symmetric);
			double got = gain(s, &g);
			if (got <= most)
				continue;
			most = got;
			best = g;
			*(end ? &hi : &lo) = part;
		}
	}
	return best;
}

static quant_grid from_mse(const seen *s)
{
	return search(s, gain_sqnr);
}

static quant_grid from_entropy(const seen *s)
{
	return search(s, gain_entropy);
}

/* By tarn_quant_estimator. */
static quant_grid (*const estimators[])(const seen *) = {
	NULL, NULL, from_mean_min_max, from_min_max, from_percentile, from_mse, from_entropy,
};

static quant_grid choose(const seen *s, tarn_quant_estimator *which)
{
	if (*which != TARN_QUANT_BY_SQNR)
		return estimators[*which](s);
	quant_grid best = {0};
	double most = -INFINITY;
	for (int e = TARN_QUANT_BY_SQNR + 1; e < TARN_QUANT_ESTIMATORS; e++) {
		quant_grid g = estimators[e](s);
		double db = gain_sqnr(s, &g);
		if (db > most) {
			most = db;
			best = g;
			*which = (tarn_quant_estimator)e;
		}
	}
	return best;
}

static void see(const quant_plan *p, size_t root, seen *s)
{
	memset(s->hist.bin, 0, QUANT_BINS * sizeof *s->hist.bin);
	*s = (seen){.hist = {0, s->hist.bin},
		    .lo = INFINITY,
		    .hi = -INFINITY,
		    .mean_lo = INFINITY,
		    .mean_hi = -INFINITY,
		    .symmetric = p->preset == TARN_QUANT_PERFORMANCE};
	for (size_t v = root; v < p->m->main->value.len; v++) {
		const quant_stat *t = &p->stat[v];
		if (!p->marked[v] || !t->samples || tarn_quant_root(p, (int)v) != tarn_quant_root(p, (int)root))
			continue;
		s->lo = fmin(s->lo, t->lo);
		s->hi = fmax(s->hi, t->hi);
		s->mean_lo = fmin(s->mean_lo, t->sum_lo / (double)t->samples);
		s->mean_hi = fmax(s->mean_hi, t->sum_hi / (double)t->samples);
		tarn_quant_hist_merge(&s->hist, &t->hist);
	}
}

tarn_err tarn_quant_estimate(quant_plan *p)
{
	size_t n = p->m->main->value.len;
	uint32_t *bins = tarn_mem_zalloc(QUANT_BINS, sizeof *bins);
	if (!bins)
		return tarn_err_nomem(QUANT_BINS * sizeof *bins);
	seen s = {.hist.bin = bins};
	memset(p->grid, 0, n * sizeof *p->grid);
	for (size_t v = 0; v < n; v++) {
		if (!p->marked[v] || !p->stat[v].samples || p->grid[v].type != TARN_DTYPE_NONE)
			continue;
		see(p, v, &s); /* v is the first of its group: the others have their grid from it */
		tarn_quant_estimator which = p->estimator;
		quant_grid g = choose(&s, &which);
		for (size_t k = v; k < n; k++)
			if (p->marked[k] && p->stat[k].samples && tarn_quant_root(p, (int)k) == tarn_quant_root(p, (int)v)) {
				p->grid[k] = g;
				p->estimated[k] = which;
			}
	}
	tarn_mem_free(bins);
	return TARN_OK;
}
