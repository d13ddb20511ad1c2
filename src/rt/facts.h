/* SPDX-License-Identifier: Apache-2.0 */
/* What can be said of a model without running it: work, precision, memory. A pure function of the graph. */
#ifndef TARN_RT_FACTS_H
#define TARN_RT_FACTS_H

#include "ir/graph.h"

typedef struct tarn_facts {
	int64_t nodes;               /* of the main graph */
	int64_t nodes_unknown;       /* nodes whose work cannot be told: free dimensions */
	int64_t macs;                /* multiply-accumulates of all others */
	int64_t macs_int8;           /* of these, by nodes whose operands are 8-bit integers */
	int64_t products_compressed; /* products of floats with constant weights of 4 or 8 bits */
	int64_t weight_bytes;        /* of all constants, bodies included */
	int64_t activation_bytes; /* one block for all intermediate results, as rt/plan lays it out, nothing in place; -1: free
				     dimensions */
} tarn_facts;

TARN_MUST tarn_err tarn_facts_find(const tarn_graph *g, tarn_facts *f);

#endif
