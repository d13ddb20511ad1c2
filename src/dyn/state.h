/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Models with state, made static: what one call leaves behind is what the next one begins with.
 *
 * A state is a pair of an input and an output. It has one size (recurrent networks), or grows by the positions of each call: a
 * cache, the concatenation of what was there and what is new. A cache that grows becomes a window of fixed size. New entries
 * are put at `past_length`, which the model takes as one more input; its output is the whole window, so that it can be the next
 * call's input as it is, without a copy. Behind the last valid entry the window holds zeros, always: it begins so, and nothing
 * is ever written there.
 *
 * The positions of a call are a bounded dimension (dyn/bound.h), or, where padding cannot be repaired, come in one size only.
 * Lengths that the model computes with (positions, offsets of masks) are taken from the inputs that say them; sizes of tensors
 * are static.
 */
#ifndef TARN_DYN_STATE_H
#define TARN_DYN_STATE_H

#include "ir/graph.h"

typedef struct tarn_state_pair {
	const char *in, *out; /* names of the input, and of the output that becomes it */
	int axis;             /* along which it grows; -1: of one size */
} tarn_state_pair;

typedef enum tarn_state_kind {
	TARN_STATE_STEP,  /* along the positions of this call */
	TARN_STATE_TOTAL, /* along all positions so far, this call's included */
} tarn_state_kind;

/* An axis of an input or output, other than a state, that has those positions. */
typedef struct tarn_state_port {
	const char *port;
	int axis;
	bool output;
	tarn_state_kind kind;
} tarn_state_port;

typedef struct tarn_state {
	VEC(tarn_state_pair) pair;
	VEC(tarn_state_port) port;
	const char *past_input;   /* takes the number of positions before this call; NULL: nothing grows */
	int64_t step, total;      /* positions of a call and of a window; 0: there are none */
	const char *step_length;  /* input that takes the valid positions of a call; NULL: they are always as many as `step` */
	const char *total_length; /* likewise of the window, this call's included */
	const char *whole;        /* why a long call cannot be cut into several; NULL: it can */
	const char *exact;        /* why a short call cannot be padded; NULL: it can, or there is nothing to pad */
	tarn_arena arena;
} tarn_state;
void tarn_state_fini(tarn_state *s);

typedef struct tarn_state_spec {
	const tarn_state_pair *pair; /* axis is not looked at; none: caches that grow are found */
	int n_pair;
	int64_t window; /* positions a growing cache holds */
	int64_t step;   /* positions of one call */
	int64_t batch;  /* for other free dimensions of states; 0: 1 */
} tarn_state_spec;

/* Pairs that the file says (variables of an IR), and caches that grow, by the structure of the graph, whatever they are called;
 * n of them 0: none. In the caller's arena. */
TARN_MUST tarn_err tarn_state_find(const tarn_model *m, tarn_arena *a, tarn_state_pair **pair, int *n);
/* Rewrites the model, or on failure leaves it as it was. TARN_NOT_FOUND: no such input or output; TARN_UNSUPPORTED names the
 * node that stands in the way; TARN_USAGE: a size is missing or makes no sense. */
TARN_MUST tarn_err tarn_model_stateful(tarn_model **m, const tarn_state_spec *spec);
/* What a rewritten model says of itself (metadata); *found false for any other model. */
TARN_MUST tarn_err tarn_state_get(const tarn_model *m, tarn_state *s, bool *found);

#endif
