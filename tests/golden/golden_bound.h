/* SPDX-License-Identifier: Apache-2.0 */
/* The same models with their free dimensions bounded above the golden's sizes, padded with NaN, on the CPU's kernels. */
#ifndef TARN_TESTS_GOLDEN_BOUND_H
#define TARN_TESTS_GOLDEN_BOUND_H

#include "ir/graph.h"

/* Outputs are at their maximum sizes, valid in front. *bounded false, and nothing done, when the model has no free dimension.
 * Dimensions that cannot be larger than the golden's (their sizes must fit each other) become static; the batch never does. */
TARN_MUST tarn_err golden_bound(const tarn_model *m, const tarn_tensor *in, tarn_tensor *out, bool *bounded);

#endif
