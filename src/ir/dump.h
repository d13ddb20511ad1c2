/* SPDX-License-Identifier: Apache-2.0 */
/* The graph as text, one node a line, for people and golden tests:
 *   %conv1:f32[1,64,112,112] = Conv(%data, %w:const f32[64,3,7,7], -) {strides=[2,2] pads=[3,3,3,3]}  # node 'conv1' */
#ifndef TARN_IR_DUMP_H
#define TARN_IR_DUMP_H

#include "ir/graph.h"

void tarn_graph_dump(const tarn_graph *g, tarn_str *out);

#endif
