/* SPDX-License-Identifier: Apache-2.0 */
/* Whole tensors as arrays of double, for the reference code of operators that accumulate. Arrays belong to the caller
 * (tarn_mem_free). No state; callable from any thread on tensors that nobody writes. */
#ifndef TARN_OPS_REAL_H
#define TARN_OPS_REAL_H

#include "ops/elem.h"

/* Elements [at, at+n), and back (rounded to the element type; integers are clamped). */
void tarn_real_fetch(const tarn_tensor *t, int64_t at, int64_t n, double *v);
void tarn_real_put(tarn_tensor *t, int64_t at, int64_t n, const double *v);
/* All elements; *v is NULL when t is. */
TARN_MUST tarn_err tarn_real_load(const tarn_tensor *t, double **v);
/* n zeros. */
TARN_MUST tarn_err tarn_real_zeros(int64_t n, double **v);

/* Input i of an evaluation; NULL when absent. */
static inline const tarn_tensor *tarn_eval_in(const tarn_eval *e, int i)
{
	return i < e->node->n_in ? e->in[i] : NULL;
}
/* True when output i is wanted. */
static inline bool tarn_eval_wants(const tarn_eval *e, int i)
{
	return i < e->node->n_out && e->node->out[i];
}
/* True when input i of a node is there. */
static inline bool tarn_node_has(const tarn_node *n, int i)
{
	return i < n->n_in && n->in[i];
}

#endif
