/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A free dimension becomes a static maximum with a valid length.
 *
 * The rewritten model is an ordinary one: static sizes, one more int64 input [1] (`valid_length`, or `valid_length.NAME` where
 * there are several), and in the graph what makes the padding harmless: inputs are cleared behind the valid length, and
 * wherever an operator mixes along the padded axis, the padding gets the value that is neutral there. Outputs keep the maximum
 * size; their valid part equals the result of the model run at that length. What cannot be repaired is refused, naming node,
 * axis and reason.
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
} tarn_bound_port;

typedef struct tarn_bound {
	const char *name;         /* of the dimension, as the user knows it */
	const char *length_input; /* the added input */
	int64_t max;
	VEC(tarn_bound_port) port;
	tarn_arena arena;
} tarn_bound;
void tarn_bound_fini(tarn_bound *b);

/* `name`: the dimension's symbol ("length"), or "input[axis]". The model is changed, or on failure left as it was. Repairs that
 * were needed are counted in *repairs (may be NULL). TARN_NOT_FOUND: no such free dimension, listing those there are;
 * TARN_UNSUPPORTED: an operator the padding would corrupt. */
TARN_MUST tarn_err tarn_model_bound(tarn_model **m, const char *name, int64_t max, int *repairs);
/* The i-th bound of a model that was rewritten; *found false when there are fewer. Read from its metadata. */
TARN_MUST tarn_err tarn_model_bound_get(const tarn_model *m, int i, tarn_bound *b, bool *found);

#endif
