/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weight-only quantization: constant weights of matrix products become 8- or 4-bit integers, symmetric, with one scale for each
 * output channel or for each group of rows; activations stay float. No data is needed; with samples, the error of each weight
 * counts as much as the activations that it is multiplied with are large.
 */
#ifndef TARN_QUANT_WEIGHT_ONLY_H
#define TARN_QUANT_WEIGHT_ONLY_H

#include "quant/quant.h"

/* One matrix product. Texts live as long as the report. */
typedef struct tarn_weight_row {
	const char *node, *op;
	int64_t rows, cols; /* of its weights: summed over, and outputs */
	int bits, group;    /* bits 0: stays float; group 0: one scale for each output channel */
	double sqnr_db;     /* of the weights, weighted as the search was */
	const char *why;    /* of staying float, or of other bits or groups than asked for; NULL: as asked */
} tarn_weight_row;

typedef struct tarn_weight_report {
	tarn_arena arena;
	VEC(tarn_weight_row) row;
	int64_t bytes_before, bytes_after; /* of all constants */
	double *sqnr_db;                   /* by graph output, over at most 16 samples; NULL without samples */
	int n_output;
} tarn_weight_report;
void tarn_weight_report_fini(tarn_weight_report *r);

/* bits 8 or 4; group 0: one scale for each output channel. o: samples (0 of them: none), ignore, progress, stop, device as for
 * PTQ; its preset is not looked at. *out is a new model, as after the standard passes. TARN_UNSUPPORTED when there is no such
 * product. */
TARN_MUST tarn_err tarn_quant_weight_only(const tarn_model *m, const tarn_quant_options *o, int bits, int group,
					  tarn_model **out, tarn_weight_report *report);

/* ---- scale_search.c ---- */

enum { QUANT_LANES = 16 }; /* columns searched at once */

/* Scales and codes of one group of rows. w, code: [rows][QUANT_LANES]; importance: [rows]. Codes lie in lo..hi. The scale of a
 * column minimises sum importance * (w - scale * code)^2 among the candidates: starting points between the range and 0.6 of it
 * (of either sign when lo..hi is uneven), each refined by fitting the scale to its codes. error and power (sums of importance *
 * ...^2) are added to. */
void tarn_quant_scale_search(const float *w, const float *importance, int64_t rows, int lo, int hi, float scale[QUANT_LANES],
			     int8_t *code, double *error, double *power);

#endif
