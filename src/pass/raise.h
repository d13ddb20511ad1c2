/* SPDX-License-Identifier: Apache-2.0 */
/* Inside pass: the parts of raise.c that stand in files of their own. */
#ifndef TARN_PASS_RAISE_H
#define TARN_PASS_RAISE_H

#include "ir/graph.h"

/* One walk over the graph. Nodes see it as it was when the walk began; what they become takes their place when it ends. */
typedef struct tarn_raising {
	tarn_graph *g;
	tarn_node **user; /* by value id, tarn_graph_users */
	tarn_value **to;  /* by value id, tarn_graph_replace_all */
} tarn_raising;

/* raise.c: a node with the name and the place of `old`, which dies when the walk ends. */
TARN_MUST tarn_err tarn_raise_node(tarn_raising *r, const tarn_op_def *op, tarn_node *old, int n_in, tarn_node **n);
/* raise.c: n's output is to take the place of old's. */
void tarn_raise_put(tarn_raising *r, const tarn_node *old, const tarn_node *n);
/* raise.c: are all numbers of t integers of that type? */
bool tarn_raise_fits(const tarn_tensor *t, tarn_dtype type);
/* raise_blocks.c: the numbers of a zero point: a constant, or integers that become floats. NULL: computed. */
const tarn_tensor *tarn_raise_zero(const tarn_value *v);
/* raise_blocks.c: a Reshape that ends compressed weights becomes a DequantizeLinear with blocks. */
TARN_MUST tarn_err tarn_raise_blocks(tarn_raising *r, tarn_node *reshape);
/* raise_matmul.c: a FusedMatMul with constant weights becomes a MatMul. */
TARN_MUST tarn_err tarn_raise_matmul(tarn_raising *r, tarn_node *n);

#endif
