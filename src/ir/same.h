/* SPDX-License-Identifier: Apache-2.0 */
/* Do two graphs compute the same in the same way? For finding a rewrite again in a file: names inside, order of nodes, and what
 * nobody uses do not count. */
#ifndef TARN_IR_SAME_H
#define TARN_IR_SAME_H

#include "ir/graph.h"

/* Inputs of the same names, types and sizes in the same order; outputs of the same names, made of them by the same operators
 * with equal attributes and constants. Graphs with control flow are never the same: false is no proof of a difference. */
TARN_MUST tarn_err tarn_graph_same(const tarn_graph *a, const tarn_graph *b, bool *same);

#endif
