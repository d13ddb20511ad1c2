/* SPDX-License-Identifier: Apache-2.0 */
/* What may vary and shall not: a free dimension that has one size only (static in all inputs, nothing padded), an input that
 * has one value only. */
#ifndef TARN_DYN_FIX_H
#define TARN_DYN_FIX_H

#include "ir/graph.h"

/* `name` as for tarn_model_bound. TARN_NOT_FOUND, listing what there is, when there is no such free dimension; TARN_SHAPE when
 * it cannot have that size. */
TARN_MUST tarn_err tarn_model_fix(tarn_model *m, const char *name, int64_t size);
/* The same, or, where `name` is that of an input, all its elements get that value and it is no input any more. An axis that is
 * static already must have that size. On failure *m is as before. */
TARN_MUST tarn_err tarn_model_fix_named(tarn_model **m, const char *name, double value);
/* All free dimensions in one go: those with a maximum of 1 are fixed, the others bounded. length[i]: the input that takes the
 * valid length of dimension i; -1 where none was needed. */
TARN_MUST tarn_err tarn_model_bound_sizes(tarn_model **m, const char *const *name, const int64_t *max, int n, int *length);

#endif
