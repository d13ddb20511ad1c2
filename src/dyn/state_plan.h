/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the state rewrite share. Private to src/dyn/state*.c and causal.c. */
#ifndef TARN_DYN_STATE_PLAN_H
#define TARN_DYN_STATE_PLAN_H

#include "dyn/state.h"

/* A cache whose samples an input puts in order first, as beams do. */
typedef struct state_order {
	const char *in, *by; /* names of the cache, and of that input */
	int axis;
} state_order;
typedef VEC(state_order) state_orders;

/* A state while the model is rewritten. */
typedef struct state_slot {
	const char *in_name, *out_name;
	int in, out;              /* positions among the graph's inputs and outputs */
	int axis;                 /* -1: of one size */
	tarn_node *concat;        /* of one that grows */
	tarn_value *entries;      /* what is new */
	bool carried;             /* proven the same after each part of a call */
	bool selected;            /* the model itself chooses from the window with a Where */
	const state_order *order; /* NULL: samples stay where they are */
} state_slot;

typedef struct state_plan {
	tarn_model *m;
	const tarn_state_spec *spec;
	VEC(state_slot) slot;
	state_orders orders;
	/* Symbols; 0: there is none. total = past + step. */
	tarn_dim past, step, total;
	bool grows;
	tarn_value *past_length; /* int64 [1], an input */
	tarn_value
		*step_length; /* int64 [1]: stands for the valid positions of a call until it is known where they come from */
	char whole[400];      /* why a call cannot be cut; "": it can */
	char exact[400];      /* why a call cannot be padded; "": it can */
	tarn_arena arena;
} state_plan;

/* ---- state_form.c ---- */

/* Caches of other forms as what tarn_state_find looks for; names in the caller's arena, the list is the caller's to release. */
TARN_MUST tarn_err tarn_state_straighten(tarn_model *m, tarn_arena *a, state_orders *orders);

/* ---- state_find.c ---- */

/* Position of v, or of a copy of it, among the outputs; -1: it is none. */
int tarn_state_output(const tarn_graph *g, const tarn_value *v);
/* Is input i a cache that grows? Fills the slot. */
bool tarn_state_growing(const tarn_graph *g, int i, state_slot *s);
/* tarn_state_find for a model whose caches have the one form. */
TARN_MUST tarn_err tarn_state_find_here(const tarn_model *m, tarn_arena *a, tarn_state_pair **pair, int *n);

/* ---- state_number.c ---- */

/* A known element as a sum of lengths: past * at[0] + step * at[1] + at[2]. */
typedef struct state_linear {
	int64_t at[3];
} state_linear;
enum { STATE_PAST, STATE_STEP, STATE_ONE };
/* False when it is no such sum (a quotient, another symbol). */
bool tarn_state_linear(const state_plan *p, tarn_dim d, state_linear *x);
bool tarn_state_depends(const state_plan *p, tarn_dim d);
/* Does this input say how large the result is? */
bool tarn_state_is_size(const tarn_node *n, int input);
/* Lengths that reach arithmetic on data come from inputs, sizes of tensors from the shapes of total and step. `size_of` is an
 * input whose axis total_axis has all positions. */
TARN_MUST tarn_err tarn_state_numbers(state_plan *p, tarn_value *size_of, int total_axis);

/* ---- state_window.c ---- */

/* The concatenations become inputs of the window's size, what is new becomes an output: a graph that dyn/bound.h takes. */
TARN_MUST tarn_err tarn_state_cut(state_plan *p);
/* And back: windows are made of the past and what is new. */
TARN_MUST tarn_err tarn_state_join(state_plan *p, tarn_value *step_length);

/* ---- state_meta.c ---- */

TARN_MUST tarn_err tarn_state_put(tarn_model *m, const char *text);
/* Appends a name as a record may hold it. */
void tarn_state_put_name(tarn_str *s, const char *name);

/* ---- causal.c ---- */

/* Does no position depend on a later one, nor on how many there are in a call? When not, p->whole says why. Asked of the model
 * as it was given. */
TARN_MUST tarn_err tarn_state_causal(state_plan *p);

/* A new node at the end of the graph, with its type and shape left to inference; b, c may be NULL. */
TARN_MUST tarn_err tarn_state_node(tarn_graph *g, const char *op, tarn_value *a, tarn_value *b, tarn_value *c,
				   tarn_value **out);

#endif
