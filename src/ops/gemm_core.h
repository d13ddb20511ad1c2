/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products in double for the reference code; exact for integers below 2^53. Pure functions. */
#ifndef TARN_OPS_GEMM_CORE_H
#define TARN_OPS_GEMM_CORE_H

#include "ops/grad.h"

/* How MatMul reads two shapes (numpy's rules, optional transposition of the last two axes). */
typedef struct tarn_matmul_dims {
	tarn_dim m, n, k, kb;
	bool a_vector, b_vector; /* 1-D operand: the axis it lacks is left out of the result */
} tarn_matmul_dims;
TARN_MUST tarn_err tarn_matmul_shape(tarn_symtab *t, const tarn_shape *a, const tarn_shape *b, bool ta, bool tb,
				     tarn_shape *out, tarn_matmul_dims *d);
/* infer for inputs a and b; output 0 gets the type. */
TARN_MUST tarn_err tarn_matmul_infer(tarn_infer *c, int a, int b, bool ta, bool tb, tarn_dtype type);
/* All batches into sum[count of y]; zero points: one, or one per row of a, per column of b (NULL: none). */
TARN_MUST tarn_err tarn_matmul_sums(const tarn_tensor *a, const tarn_tensor *b, bool ta, bool tb, const tarn_tensor *za,
				    const tarn_tensor *zb, const tarn_tensor *y, double *sum);
/* The grad slot for inputs 0 and 1 of y = alpha op(a) op(b). */
TARN_MUST tarn_err tarn_matmul_back(tarn_grad *g, bool ta, bool tb, double alpha);
/* Cost slot for inputs a and b: output elements times the inner size. */
TARN_MUST tarn_err tarn_matmul_cost(const tarn_node *n, int a, bool ta, tarn_cost *cost);

#endif
