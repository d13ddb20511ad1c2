/* SPDX-License-Identifier: Apache-2.0 */
/* Inside pass: the parts of raise.c that stand in files of their own. */
#ifndef TARN_PASS_RAISE_H
#define TARN_PASS_RAISE_H

#include "ir/graph.h"

/* raise.c: are all numbers of t integers of that type? */
bool tarn_raise_fits(const tarn_tensor *t, tarn_dtype type);
/* raise_blocks.c: a Reshape that ends compressed weights becomes a DequantizeLinear with blocks. */
TARN_MUST tarn_err tarn_raise_blocks(tarn_graph *g, tarn_node *reshape);

#endif
