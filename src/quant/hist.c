/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/hist.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

/* Twice the range: two bins become one. */
static void fold(quant_hist *h)
{
	uint32_t *b = h->bin;
	const int quarter = QUANT_BINS / 4, half = QUANT_BINS / 2;
	/* From the middle outwards, so that nothing is overwritten before it is read. */
	for (int i = 0; i < quarter; i++) {
		b[half + i] = b[half + 2 * i] + b[half + 2 * i + 1];
		b[half - 1 - i] = b[half - 1 - 2 * i] + b[half - 2 - 2 * i];
	}
	memset(b, 0, (size_t)quarter * sizeof *b);
	memset(b + half + quarter, 0, (size_t)quarter * sizeof *b);
	h->limit *= 2;
}

static void reach(quant_hist *h, double most)
{
	if (h->limit == 0)
		h->limit = most > 0 ? exp2(floor(log2(most)) + 1) : ldexp(1, -126);
	while (h->limit <= most)
		fold(h);
}

void tarn_quant_hist_add(quant_hist *h, const float *x, int64_t n, int64_t step, double most)
{
	reach(h, most);
	float per_bin = (float)(QUANT_BINS / 2 / h->limit);
	for (int64_t i = 0; i < n; i += step) {
		int k = (int)floorf(x[i] * per_bin) + QUANT_BINS / 2;
		h->bin[k < 0 ? 0 : k >= QUANT_BINS ? QUANT_BINS - 1 : k]++;
	}
}

void tarn_quant_hist_merge(quant_hist *to, const quant_hist *from)
{
	if (from->limit == 0)
		return;
	if (to->limit == 0)
		to->limit = from->limit;
	while (to->limit < from->limit)
		fold(to);
	/* A narrower histogram lies in the middle of the wider one; limits are powers of two, so that their ratio is exact. */
	int ratio = (int)fmin(to->limit / from->limit, QUANT_BINS), half = QUANT_BINS / 2;
	for (int i = 0; i < QUANT_BINS; i++) {
		int d = i - half;
		to->bin[half + (d >= 0 ? d / ratio : -((-d - 1) / ratio) - 1)] += from->bin[i];
	}
}

static double centre(const quant_hist *h, int bin)
{
	return ((double)(bin - QUANT_BINS / 2) + 0.5) * h->limit / (QUANT_BINS / 2);
}

double tarn_quant_hist_sqnr(const quant_hist *h, const quant_grid *g)
{
	double signal = 0, noise = 0;
	for (int i = 0; i < QUANT_BINS; i++) {
		if (!h->bin[i])
			continue;
		double x = centre(h, i), off = x - tarn_quant_value(g, tarn_quant_code(g, x));
		signal += h->bin[i] * x * x;
		noise += h->bin[i] * off * off;
	}
	if (signal == 0)
		return 0;
	return fmin(200, 10 * log10(signal / fmax(noise, 1e-300)));
}

static bool inside(const quant_hist *h, const quant_grid *g, int bin, int *code)
{
	double x = centre(h, bin);
	*code = tarn_quant_code(g, x);
	return fabs(x - tarn_quant_value(g, *code)) <= 0.5 * (double)g->scale;
}

void tarn_quant_hist_percentile(const quant_hist *h, double tail, double *lo, double *hi)
{
	double all = 0, width = h->limit / (QUANT_BINS / 2), sum = 0;
	for (int i = 0; i < QUANT_BINS; i++)
		all += h->bin[i];
	int a = 0, b = QUANT_BINS - 1;
	while (a < b && (sum += h->bin[a]) <= tail * all)
		a++;
	sum = 0;
	while (b > a && (sum += h->bin[b]) <= tail * all)
		b--;
	*lo = (double)(a - QUANT_BINS / 2) * width;
	*hi = (double)(b + 1 - QUANT_BINS / 2) * width;
}

double tarn_quant_hist_divergence(const quant_hist *h, const quant_grid *g)
{
	/* Q: the mass of each code, spread evenly over those of its bins that are not empty. P: the values; what lies outside
	 * the grid counts in the outermost bin inside it. (The calibration that TensorRT made known.) Several bins are taken
	 * together: eight for a code of the whole range tell as much as thirty-two. The code of zero does not count: what a
	 * ReLU cuts off would outweigh everything else. */
	enum { TOGETHER = 4, N = QUANT_BINS / TOGETHER };
	double mass[256] = {0}, all = 0, outside[2] = {0}, kept = 0, kl = 0, count[N];
	int bins[256] = {0}, first = -1, last = -1, code[N];
	for (int i = 0; i < N; i++) {
		const uint32_t *b = h->bin + (ptrdiff_t)i * TOGETHER;
		count[i] = (double)b[0] + (double)b[1] + (double)b[2] + (double)b[3];
		bool in = inside(h, g, i * TOGETHER + TOGETHER / 2, &code[i]);
		if (count[i] == 0 || (in && code[i] == g->zero)) {
			count[i] = 0;
			continue;
		}
		all += count[i];
		if (!in) {
			outside[i >= N / 2] += count[i];
			count[i] = 0;
			continue;
		}
		first = first < 0 ? i : first;
		last = i;
		code[i] -= tarn_quant_code_min(g);
		kept += count[i];
		mass[code[i]] += count[i];
		bins[code[i]]++;
	}
	for (int i = first; i >= 0 && i <= last; i++) {
		if (count[i] == 0)
			continue;
		double p = (count[i] + (i == first ? outside[0] : 0) + (i == last ? outside[1] : 0)) / all;
		kl += p * log(p / (mass[code[i]] / bins[code[i]] / kept));
	}
	return first < 0 && all > 0 ? INFINITY : kl;
}
