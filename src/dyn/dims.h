/* SPDX-License-Identifier: Apache-2.0 */
/* The free dimensions of a model, and what each would need on a device of fixed shapes: found by trying, on a copy. */
#ifndef TARN_DYN_DIMS_H
#define TARN_DYN_DIMS_H

#include "base/arena.h"
#include "base/vec.h"
#include "ir/graph.h"

typedef struct tarn_dim_need {
	tarn_dim sym;
	const char *name;  /* as tarn_model_bound takes it */
	const char *where; /* "input_ids[1], attention_mask[1]" */
	bool batch;        /* the first axis of the first input: samples, one of which always does */
	int64_t max;       /* the size it was tried with: its bound, or one that is usual for such an axis */
	int64_t limit;     /* tables of positions have no more; 0: nothing known */
	int64_t fits;      /* the same, beside the sizes of the others */
	int repairs;       /* places of the graph that bounding changes */
	bool together;     /* only with the others; then `repairs` is for all of them */
	const char *why;   /* NULL: can be bounded; else node, axis and reason */
} tarn_dim_need;

typedef struct tarn_dim_needs {
	VEC(tarn_dim_need) list; /* in the order of the inputs */
	tarn_arena arena;
} tarn_dim_needs;

TARN_MUST tarn_err tarn_dim_needs_find(const tarn_model *m, tarn_dim_needs *needs);
void tarn_dim_needs_fini(tarn_dim_needs *needs);

#endif
