/* SPDX-License-Identifier: Apache-2.0 */
/* Shape arithmetic on lists of known elements: sizes, symbols, and literals for negative numbers (ir/shape.h). */
#ifndef TARN_OPS_BOUNDS_H
#define TARN_OPS_BOUNDS_H

#include "ir/op.h"

enum { TARN_KNOWN_MAX = 64 /* longest list worth knowing */ };

/* Elements of input i (rank at most 1). False: unknown, absent, not integer, too long, or a number too large to be told. */
bool tarn_bounds_read(tarn_infer *c, int i, tarn_dim *at, int *n);
/* The same at any rank, in the order of elements. */
bool tarn_bounds_read_all(tarn_infer *c, int i, tarn_dim *at, int *n);
/* Arithmetic; false when the result cannot be said as a known element. */
bool tarn_bounds_op(tarn_symtab *t, tarn_sym_op op, tarn_dim a, tarn_dim b, tarn_dim *out);
/* dim[from] * ... * dim[to-1]. */
TARN_MUST tarn_err tarn_bounds_product(tarn_symtab *t, const tarn_dim *dim, int from, int to, tarn_dim *out);
/* The axes that input i lists (normalised for `rank`, as a bit mask); all axes of rank when it is absent or empty. *known:
 * false when its elements are not known yet. */
TARN_MUST tarn_err tarn_bounds_axes(tarn_infer *c, int i, int rank, uint32_t *mask, bool *known);
/* Sets `known` of output i when its shape agrees that it has n elements. */
TARN_MUST tarn_err tarn_bounds_set(tarn_infer *c, int i, const tarn_dim *at, int n);
/* The bounds slot of operators that pass the elements of input 0 through in order. */
TARN_MUST tarn_err tarn_bounds_same(tarn_infer *c);
/* A size known only after running: 0..hi. */
TARN_MUST tarn_err tarn_bounds_fresh(tarn_infer *c, int64_t hi, tarn_dim *d);

#endif
