/* SPDX-License-Identifier: Apache-2.0 */
/* A free dimension that has one size only: static in all inputs, nothing padded. */
#ifndef TARN_DYN_FIX_H
#define TARN_DYN_FIX_H

#include "ir/graph.h"

/* `name` as for tarn_model_bound. TARN_NOT_FOUND when there is no such free dimension. */
TARN_MUST tarn_err tarn_model_fix(tarn_model *m, const char *name, int64_t size);
/* tarn_model_bound, or tarn_model_fix where the size leaves no room for padding: then no input is added. */
TARN_MUST tarn_err tarn_model_bound_or_fix(tarn_model **m, const char *name, int64_t max, int *repairs);

#endif
