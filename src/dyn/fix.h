/* SPDX-License-Identifier: Apache-2.0 */
/* A free dimension that has one size only: static in all inputs, nothing padded. */
#ifndef TARN_DYN_FIX_H
#define TARN_DYN_FIX_H

#include "ir/graph.h"

/* `name` as for tarn_model_bound. TARN_NOT_FOUND when there is no such free dimension. */
TARN_MUST tarn_err tarn_model_fix(tarn_model *m, const char *name, int64_t size);
/* All free dimensions in one go: those with a maximum of 1 are fixed, the others bounded. length[i]: the input that takes the
 * valid length of dimension i; -1 where none was needed. */
TARN_MUST tarn_err tarn_model_bound_sizes(tarn_model **m, const char *const *name, const int64_t *max, int n, int *length);

#endif
