/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables that are looked up by position (embeddings of positions, a cosine for each): how long an input may be before what is
 * looked up lies behind the last row. Found on a copy that has the size in question, by what is constant there and, behind a
 * CumSum, by how large its result can be.
 */
#ifndef TARN_DYN_REACH_H
#define TARN_DYN_REACH_H

#include "dyn/bound.h"

/* The first lookup that leaves its table. */
typedef struct tarn_reach {
	bool found;
	bool sure;     /* whatever the data are; else when all positions count, none being masked */
	char node[96]; /* its name */
	int64_t rows;  /* of the table */
	int64_t index; /* the largest that is looked up */
} tarn_reach;

/* At spec's maxima. Any other error than TARN_NOMEM: inference does not take the model at these sizes. */
TARN_MUST tarn_err tarn_model_reach(const tarn_model *m, const tarn_bound_spec *spec, int n, tarn_reach *r);
/* spec[i].max, or the largest size below it at which inference takes the model and no table is left, the other sizes being as
 * `spec` says; 0 when there is none. */
TARN_MUST tarn_err tarn_model_reach_limit(const tarn_model *m, const tarn_bound_spec *spec, int n, int i, int64_t *max);
/* Refuses maxima at which a table is left for sure, naming node, table and the largest size that works; warns where it hangs
 * on the data. */
TARN_MUST tarn_err tarn_model_reach_check(const tarn_model *m, const tarn_bound_spec *spec, int n);

#endif
