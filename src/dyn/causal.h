/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of values when calls are cut. Private to causal*.c and carry.c. */
#ifndef TARN_DYN_CAUSAL_H
#define TARN_DYN_CAUSAL_H

#include "dyn/state_plan.h"

/* What a mask adds at least, to be one: beyond any score, below any rounding. */
#define CAUSAL_MASK (-1e4)
/* Constants larger than this are no masks worth looking at. */
#define CAUSAL_MASK_ELEMENTS (1 << 24)

enum { CAUSAL_I, CAUSAL_J, CAUSAL_PAST, CAUSAL_STEP, CAUSAL_ONE, CAUSAL_TERMS };

/* On which side of the present: at j > i + past, or not. */
enum { CAUSAL_BEYOND, CAUSAL_WITHIN, CAUSAL_SIDES };
typedef struct causal_side {
	bool known; /* one value for all elements */
	double value;
} causal_side;

typedef struct causal_fact {
	bool number; /* an integer that is that sum */
	int64_t at[CAUSAL_TERMS];
	causal_side side[CAUSAL_SIDES];
	bool relative; /* where not known, it may hang on where the call begins */
	/* A triangle kept in the model, of which rows from the past on, columns from the first one on were taken: */
	bool stored, rows, cols;
	causal_side kept[CAUSAL_SIDES]; /* above the diagonal, and not */
} causal_fact;

typedef struct causal {
	state_plan *p;
	causal_fact *fact; /* by id of a value */
	bool mixes;        /* the node that is looked at does, along all positions */
} causal;

/* causal_mask.c: the sides of a comparison of d with zero; of what an elementwise operator makes of its operands' facts (three,
 * empty where it has fewer). */
void tarn_causal_compare(const tarn_node *n, const causal_fact *d, causal_fact *out);
void tarn_causal_follow(const tarn_node *n, const causal_fact *in, causal_fact *out);

/* Slices of a stored triangle; nothing happens to other ones. */
void tarn_causal_slice(const causal *c, const tarn_node *n, causal_fact *out);
/* causal.c: what is known of a value, constants and lengths included. */
causal_fact tarn_causal_fact_of(const causal *c, const tarn_value *v);

/* carry_conv.c: has the node to do with a state in front of a call's positions, and is it a part of a streaming convolution? */
typedef enum tarn_stream_answer { TARN_STREAM_NONE, TARN_STREAM_FITS, TARN_STREAM_UNFIT } tarn_stream_answer;
tarn_stream_answer tarn_state_streams(causal *c, const tarn_node *n);

/* carry.c: is the node a recurrence; and one along that axis that begins with a state and gives it back? Marks the states. */
bool tarn_state_is_recurrent(const tarn_node *n);
bool tarn_state_carries(causal *c, const tarn_node *n, int axis);

#endif
