/* SPDX-License-Identifier: Apache-2.0 */
/* An 8-bit grid: value = (code - zero) * scale. */
#ifndef TARN_QUANT_GRID_H
#define TARN_QUANT_GRID_H

#include "ir/dtype.h"

typedef struct quant_grid {
	tarn_dtype type; /* U8 or I8; NONE: no grid */
	float scale;
	int zero;
} quant_grid;

/* Symmetric: h = max(|lo|, |hi|); values all >= 0: u8, scale h/255, zero 0; else s8, scale h/127, zero 0.
 * Asymmetric: u8 over [min(lo,0), max(hi,0)], widened so that 0 lies on the grid. */
quant_grid tarn_quant_grid(double lo, double hi, bool symmetric);
/* The value of a code, and the code of a value. */
static inline double tarn_quant_value(const quant_grid *g, int code)
{
	return (double)(code - g->zero) * (double)g->scale;
}
static inline int tarn_quant_code_min(const quant_grid *g)
{
	return g->type == TARN_I8 ? -128 : 0;
}
static inline int tarn_quant_code_max(const quant_grid *g)
{
	return g->type == TARN_I8 ? 127 : 255;
}
static inline int tarn_quant_code(const quant_grid *g, double x)
{
	/* Adding and taking off 1.5 * 2^52 rounds to the nearest even integer, without a call. */
	const double magic = 6755399441055744.0, lo = tarn_quant_code_min(g) - g->zero, hi = tarn_quant_code_max(g) - g->zero;
	double r = x / (double)g->scale;
	r = r < lo ? lo : r > hi ? hi : r;
	return (int)((r + magic) - magic) + g->zero;
}

#endif
