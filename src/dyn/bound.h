/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Free dimensions become static maxima with valid lengths.
 *
 * The rewritten model is an ordinary one: static sizes, one more int64 input [1] for each bounded dimension (`valid_length`, or
 * `valid_length.NAME` where there are several; [N] where each sample of a batch has its own), and in the graph what makes the
 * padding harmless. Padded inputs may hold anything behind the valid length, NaN included. Outputs keep the maximum size; their
 * valid part equals the result of the model run at those lengths. An output whose valid size is not itself one of the lengths
 * (a strided convolution, a concatenation) comes with another output, int64 [1], that says it. What cannot be repaired is
 * refused, naming node, axis and reason.
 */
#ifndef TARN_DYN_BOUND_H
#define TARN_DYN_BOUND_H

#include "ir/graph.h"

/* Axes of inputs and outputs that are padded: metadata of the model ("tarn.bound.NAME"), so that whoever runs it can pad and
 * slice. */
typedef struct tarn_bound_port {
	const char *port;
	int axis;
	bool output;
	const char *size_output; /* outputs: the one that says how many elements are valid; NULL: as many as the length */
} tarn_bound_port;

typedef struct tarn_bound {
	const char *name;         /* of the dimension, as the user knows it */
	const char *length_input; /* the added input */
	int64_t max;
	int64_t samples; /* lengths it takes: 1, or one for each sample of a batch */
	VEC(tarn_bound_port) port;
	tarn_arena arena;
} tarn_bound;
void tarn_bound_fini(tarn_bound *b);

/* The free dimension of that name: its symbol, or "input[axis]". TARN_NOT_FOUND lists those there are. */
TARN_MUST tarn_err tarn_model_find_dim(const tarn_model *m, const char *name, tarn_dim *sym);

/* One dimension to bound. name: its symbol ("length"), or "input[axis]". per: NULL, or the name of another dimension bounded
 * together with it, a batch whose samples each have a length of their own; the length input is then [max of that]. What mixes
 * samples is refused. */
typedef struct tarn_bound_spec {
	const char *name;
	int64_t max;
	const char *per;
} tarn_bound_spec;

/* What a rewrite added. `elements`: what these nodes write at the maximum sizes, in elements; -1 when other dimensions are
 * free. */
typedef struct tarn_bound_cost {
	int repairs; /* places of the graph that were changed: the sum of the next five */
	int masks;   /* padding replaced by a value that is neutral */
	int gathers; /* elements moved by valid length: concatenations, ends, reversals, folded axes */
	int scales;  /* means that count valid elements only */
	int lengths; /* recurrences that are told the length */
	int numbers; /* places where the length is used as a number */
	int64_t elements;
} tarn_bound_cost;

/* All at once; the model is changed, or on failure left as it was. cost may be NULL. TARN_NOT_FOUND: no such free dimension,
 * listing those there are; TARN_SHAPE: a maximum at which a table of positions ends; TARN_UNSUPPORTED: an operator the padding
 * would corrupt. */
TARN_MUST tarn_err tarn_model_bound_all(tarn_model **m, const tarn_bound_spec *spec, int n, tarn_bound_cost *cost);
/* Maxima that fit each other: where two sizes in the model have to be the same, the dimension that follows from others gets
 * what they make at their maxima. A proposal; specs of which nothing is known stay as they are. */
TARN_MUST tarn_err tarn_model_bound_fit(const tarn_model *m, tarn_bound_spec *spec, int n);
/* tarn_model_bound_all for one dimension; *repairs (may be NULL) as in the cost. */
TARN_MUST tarn_err tarn_model_bound(tarn_model **m, const char *name, int64_t max, int *repairs);
/* The i-th bound of a model that was rewritten; *found false when there are fewer. Read from its metadata. */
TARN_MUST tarn_err tarn_model_bound_get(const tarn_model *m, int i, tarn_bound *b, bool *found);

#endif
