/* SPDX-License-Identifier: Apache-2.0 */
/* Inside quant: what makes an estimated plan better before it is written, and what is said of it afterwards. */
#ifndef TARN_QUANT_REPAIR_H
#define TARN_QUANT_REPAIR_H

#include "quant/run.h"

/* Adds to each product's shift what its output is off on average, in order; runs the model once for (nearly) each of them. */
TARN_MUST tarn_err tarn_quant_correct_biases(quant_plan *p, const tarn_quant_options *o);
/* How often that runs the model. */
int tarn_quant_correction_runs(const quant_plan *p);
/* Chooses the weights' codes by what they do to the outputs, and finds the shifts anew. */
TARN_MUST tarn_err tarn_quant_round(quant_plan *p, const tarn_quant_options *o);
/* About how many multiply-accumulates that takes. */
double tarn_quant_rounding_work(const quant_plan *p);

/* data.c: the samples of each input. */
TARN_MUST tarn_err tarn_quant_describe_data(const quant_plan *p, const tarn_quant_options *o, tarn_quant_report *r);

#endif
