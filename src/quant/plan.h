/* SPDX-License-Identifier: Apache-2.0 */
/* Inside quant: what is quantized where, between placing, observing and writing. Values are of one float model, by id. */
#ifndef TARN_QUANT_PLAN_H
#define TARN_QUANT_PLAN_H

#include "quant/quant.h"

typedef struct quant_plan {
	tarn_model *m;           /* the float model, after the standard passes; edited by tarn_quant_write */
	const tarn_model *sized; /* the same nodes at the sizes of the first sample, for costs; NULL: sizes cannot be had */
	tarn_arena arena;
	bool *int8;      /* by node index: runs on codes */
	bool *moves;     /* by node index: passes codes through */
	bool *marked;    /* by value id: gets a quantizer */
	int *group;      /* by value id: union-find; one grid for each group */
	double *lo, *hi; /* by value id: observed range; for a group at its root */
	bool *seen;
	double *sum_lo, *sum_hi; /* by value id: sums over samples */
	/* by value id: inputs of products, mean of each channel over samples and positions; NULL: not wanted */
	double **mean;
	int64_t *channels;
} quant_plan;

TARN_MUST tarn_err tarn_quant_place(quant_plan *p, const tarn_quant_options *o, tarn_quant_report *r);
int tarn_quant_root(const quant_plan *p, int value);
/* place.c: does the model look like a transformer; does it have activations of uneven sign? */
bool tarn_quant_is_transformer(const tarn_graph *g);
TARN_MUST tarn_err tarn_quant_observe(quant_plan *p, const tarn_quant_options *o);
TARN_MUST tarn_err tarn_quant_write(quant_plan *p, tarn_quant_preset preset);
/* observe.c: output error of q against p->m over at most 16 samples. */
TARN_MUST tarn_err tarn_quant_compare(const tarn_model *f, const tarn_model *q, const tarn_quant_options *o,
				      tarn_quant_report *r);

/* The grid of a range (quantization.md's sources: NNCF's formulas). */
typedef struct quant_grid {
	tarn_dtype type; /* U8 or I8 */
	float scale;
	int zero;
} quant_grid;
/* Symmetric: h = max(|lo|, |hi|); values all >= 0: u8, scale h/255, zero 0; else s8, scale h/127, zero 0.
 * Asymmetric: u8 over [min(lo,0), max(hi,0)], widened so that 0 lies on the grid. */
quant_grid tarn_quant_grid(double lo, double hi, bool symmetric);

#endif
