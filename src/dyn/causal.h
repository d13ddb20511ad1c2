/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of values when calls are cut. Private to causal.c and carry.c. */
#ifndef TARN_DYN_CAUSAL_H
#define TARN_DYN_CAUSAL_H

#include "dyn/state_plan.h"

/* What a mask adds at least, to be one: beyond any score, below any rounding. */
#define CAUSAL_MASK (-1e4)

enum { CAUSAL_I, CAUSAL_J, CAUSAL_PAST, CAUSAL_STEP, CAUSAL_ONE, CAUSAL_TERMS };

typedef struct causal_fact {
	bool number; /* an integer that is that sum */
	int64_t at[CAUSAL_TERMS];
	bool beyond; /* has one value beyond the present */
	double value;
} causal_fact;

typedef struct causal {
	state_plan *p;
	causal_fact *fact; /* by id of a value */
	bool mixes;        /* the node that is looked at does, along all positions */
} causal;

/* carry.c: is the node a recurrence; and one along that axis that begins with a state and gives it back? Marks the states. */
bool tarn_state_is_recurrent(const tarn_node *n);
bool tarn_state_carries(causal *c, const tarn_node *n, int axis);

#endif
