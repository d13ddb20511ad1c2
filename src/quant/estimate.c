/* SPDX-License-Identifier: Apache-2.0 */
/* From what was seen of a value to its grid. */
#include <math.h>

#include "quant/plan.h"

quant_grid tarn_quant_grid(double lo, double hi, bool symmetric)
{
	const double floor_h = 8e-4;
	if (symmetric) {
		double h = fmax(fmax(fabs(lo), fabs(hi)), floor_h);
		if (lo >= 0)
			return (quant_grid){TARN_U8, (float)(h / 255), 0};
		return (quant_grid){TARN_I8, (float)(h / 127), 0};
	}
	if (hi - lo <= floor_h) {
		lo -= floor_h;
		hi += floor_h;
	}
	double l = fmin(lo, 0), h = fmax(hi, 0), z = nearbyint(-l * 255 / (h - l));
	/* Moving one end puts zero on the grid; the choice that cuts nothing off is the wider one. */
	double h2 = z > 0 ? (z - 255) / z * l : h, l2 = z < 255 ? z / (z - 255) * h : l;
	double wide = z > 0 && z < 255 ? fmax(h2 - l, h - l2) : h - l;
	return (quant_grid){TARN_U8, (float)(wide / 255), (int)z};
}

/* One range for each group: the widest of its values' mean ranges. */
tarn_err tarn_quant_estimate(quant_plan *p)
{
	size_t n = p->m->main->value.len;
	double *lo = tarn_arena_zalloc(&p->arena, n + 1, sizeof *lo), *hi = tarn_arena_zalloc(&p->arena, n + 1, sizeof *hi);
	if (!lo || !hi)
		return tarn_err_nomem(n * sizeof *lo);
	for (size_t v = 0; v < n; v++) {
		lo[v] = INFINITY;
		hi[v] = -INFINITY;
	}
	for (size_t v = 0; v < n; v++) {
		const quant_stat *s = &p->stat[v];
		int root = tarn_quant_root(p, (int)v);
		if (!p->marked[v] || !s->samples)
			continue;
		lo[root] = fmin(lo[root], s->sum_lo / (double)s->samples);
		hi[root] = fmax(hi[root], s->sum_hi / (double)s->samples);
	}
	for (size_t v = 0; v < n; v++) {
		int root = tarn_quant_root(p, (int)v);
		p->grid[v] = (quant_grid){0};
		if (p->marked[v] && p->stat[v].samples)
			p->grid[v] = tarn_quant_grid(lo[root], hi[root], p->preset == TARN_QUANT_PERFORMANCE);
	}
	return TARN_OK;
}
