/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside quant: what the weights of a product meet. A column is the inputs that one output element multiplies with the weights
 * of its channel, in the weights' order: a row of a matrix product's left operand, a window of a convolution (one for each
 * group).
 */
#ifndef TARN_QUANT_COLUMNS_H
#define TARN_QUANT_COLUMNS_H

#include "quant/plan.h"

typedef struct quant_columns {
	const tarn_node *n;           /* of the plan's model */
	int64_t length, groups, room; /* elements of a column; columns there is room for */
	int64_t count;                /* columns so far, the same for each group */
	float *x;                     /* groups x room x length */
} quant_columns;

/* Room for so many columns, on the heap. Length 0 when the node's weights are none that can be laid out so. */
TARN_MUST tarn_err tarn_quant_columns_init(quant_columns *c, const tarn_node *n, int64_t room);
void tarn_quant_columns_fini(quant_columns *c);
/* Adds at most `most` columns of input x, spread over its positions. `y`: the output's shape for it. */
TARN_MUST tarn_err tarn_quant_columns_add(quant_columns *c, const tarn_tensor *x, const tarn_shape *y, int64_t most);
/* Where a run's request will have the tensor of v: output number n >= 0, for which v is added to the n values `which` to watch
 * unless it is there; or -1 - k, input k of the model. */
int tarn_quant_source(const tarn_graph *g, const tarn_value *v, int *which, int *n);

#endif
