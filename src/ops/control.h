/* SPDX-License-Identifier: Apache-2.0 */
/* What If, Loop and Scan share: shapes of bodies, slices and stacks of tensors. Single-threaded like the graph they look at. */
#ifndef TARN_OPS_CONTROL_H
#define TARN_OPS_CONTROL_H

#include "ops/real.h"

/* Checks that the body takes `own` inputs and the captures, and gives the captures their types and shapes. */
TARN_MUST tarn_err tarn_control_inputs(const tarn_infer *c, const tarn_graph *body, size_t own);
/* What both shapes satisfy: differing dimensions become free, differing ranks unknown. */
TARN_MUST tarn_err tarn_control_merge(tarn_infer *c, const tarn_shape *a, const tarn_shape *b, tarn_shape *out);
/* Infers the body until its `states` inputs (from first_in) and outputs (from first_out) agree. */
TARN_MUST tarn_err tarn_control_fixpoint(tarn_infer *c, tarn_graph *body, size_t first_in, size_t first_out, size_t states);

/* n empty tensors, and their release (NULL is nothing). */
TARN_MUST tarn_err tarn_control_new(size_t n, tarn_tensor **t);
void tarn_control_fini(tarn_tensor *t, size_t n);
/* Element `at` of an axis, the axis left out. */
TARN_MUST tarn_err tarn_control_slice(const tarn_tensor *t, int axis, int64_t at, tarn_tensor *out);
/* t[0], t[step], ... (n of them, of one shape) along a new axis, last first when `reverse`. */
TARN_MUST tarn_err tarn_control_stack(const tarn_tensor *t, size_t n, size_t step, int axis, bool reverse, tarn_tensor *out);
/* The stack of no tensors shaped like v. */
TARN_MUST tarn_err tarn_control_empty(const tarn_value *v, int axis, tarn_tensor *out);

#endif
