/* SPDX-License-Identifier: Apache-2.0 */
/* What each node of a model computes and moves: a pure function of the graph, for rooflines. */
#ifndef TARN_RT_WORK_H
#define TARN_RT_WORK_H

#include "ir/graph.h"

/* Of one node. Bytes are those of the codes where a value is quantized. */
typedef struct tarn_work {
	const tarn_node *node;
	int64_t macs;
	int64_t weight_bytes; /* constants it reads */
	int64_t moved_bytes;  /* results of other nodes and inputs that it reads, and what it writes */
	int64_t large_bytes;  /* of these, values of more than `large` bytes */
} tarn_work;

/* A row for each node of the main graph, in order; an array for tarn_mem_free. Quantizers count 0: codes count where they are
 * read and written. So do nodes whose sizes are not fixed. */
TARN_MUST tarn_err tarn_work_find(const tarn_graph *g, int64_t large, tarn_work **rows, size_t *n);

#endif
