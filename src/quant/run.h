/* SPDX-License-Identifier: Apache-2.0 */
/* Inside quant: running a model over the samples. */
#ifndef TARN_QUANT_RUN_H
#define TARN_QUANT_RUN_H

#include "quant/plan.h"
#include "rt/request.h"

/* Inputs of sample i, run through a request. The tensors stay in it until the next call. */
TARN_MUST tarn_err tarn_quant_run_sample(tarn_request *r, const tarn_quant_options *o, size_t i);
bool tarn_quant_stopped(const tarn_quant_options *o);
/* A copy of the model whose outputs are the n values `which` (ids of values that nodes make; at least one). */
TARN_MUST tarn_err tarn_quant_watched(const tarn_model *m, const int *which, int n, tarn_model **out);

#endif
