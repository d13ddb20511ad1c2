/* SPDX-License-Identifier: Apache-2.0 */
/* Structural rules every graph keeps between passes: names unique, inputs defined before use, slots consistent, arity within
 * the operator's limits, required attributes present. The message names node and rule. */
#ifndef TARN_IR_VERIFY_H
#define TARN_IR_VERIFY_H

#include "ir/graph.h"

TARN_MUST tarn_err tarn_graph_verify(const tarn_graph *g);

#endif
