/* SPDX-License-Identifier: Apache-2.0 */
/* What the operators of one input and a scalar function share. */
#ifndef TARN_OPS_UNARY_H
#define TARN_OPS_UNARY_H

#include "ops/elem.h"

/* p: the operator's parameters, in its own order. */
typedef double (*tarn_unary_f64)(double x, const double *p);
typedef int64_t (*tarn_unary_i64)(int64_t x);

/* Output 0 has shape and type of input 0, whose class must be in `set`. */
TARN_MUST tarn_err tarn_unary_infer(tarn_infer *c, unsigned set);
/* Applies f, or i (may be NULL) to integers and BOOL. */
TARN_MUST tarn_err tarn_unary_run(tarn_eval *e, tarn_unary_f64 f, tarn_unary_i64 i, const double *p);

#endif
