/* SPDX-License-Identifier: Apache-2.0 */
/*
 * States of recurrent networks: one that a forward recurrence begins with, and which its last step gives back, is the same
 * after two parts of a call as after the whole. Nothing else may look at it: it says where the call began, or ended.
 */
#include <string.h>

#include "dyn/causal.h"
#include "ops/ops.h"

enum { SEQUENCE_LENS = 4, INITIAL_H = 5, INITIAL_C = 6, LAST_H = 1, LAST_C = 2 };

static bool is(const tarn_node *n, const char *op)
{
	return n && !strcmp(n->op->name, op);
}

bool tarn_state_is_recurrent(const tarn_node *n)
{
	return is(n, "LSTM") || is(n, "GRU") || is(n, "RNN");
}

/* Bytes stay as they are. */
static bool is_view(const tarn_node *n)
{
	return n && (n->op->flags & TARN_OP_VIEW || is(n, "Identity"));
}

static const tarn_value *origin(const tarn_value *v)
{
	while (is_view(v->def))
		v = v->def->in[0];
	return v;
}

/* Is v read by nothing but `reader` (NULL: nothing at all), in any view of it? Being an output of the graph is no reading. */
static bool read_only_by(const tarn_graph *g, const tarn_value *v, const tarn_node *reader)
{
	for (size_t i = 0; i < g->node.len; i++) {
		const tarn_node *n = g->node.at[i];
		for (int k = 0; k < n->n_in; k++) {
			if (n->in[k] != v || n == reader || is(n, "Shape") || (k > 0 && n->op->flags & TARN_OP_VIEW))
				continue;
			if (!is_view(n) || !read_only_by(g, n->out[0], reader))
				return false;
		}
	}
	return true;
}

/* Does this initial value come from a state, and go back to it from that output? */
static bool carried(causal *c, const tarn_node *n, int initial, int last)
{
	const tarn_graph *g = c->p->m->main;
	const tarn_value *from = n->n_in > initial && n->in[initial] ? origin(n->in[initial]) : NULL;
	const tarn_value *to = n->n_out > last ? n->out[last] : NULL;
	if (!from || !to || !read_only_by(g, from, n) || !read_only_by(g, to, NULL))
		return false;
	for (size_t i = 0; i < c->p->slot.len; i++) {
		state_slot *s = &c->p->slot.at[i];
		if (s->axis >= 0 || g->input.at[s->in] != from || origin(g->output.at[s->out]) != to)
			continue;
		s->carried = true;
		return true;
	}
	return false;
}

bool tarn_state_carries(causal *c, const tarn_node *n, int axis)
{
	int direction = tarn_attr_index(n->op, "direction"), layout = tarn_attr_index(n->op, "layout");
	bool second = layout >= 0 && tarn_attr_i(n, layout);
	if (!tarn_attr_word_is(n, direction, "forward") || axis != (second ? 1 : 0) ||
	    (n->n_in > SEQUENCE_LENS && n->in[SEQUENCE_LENS]))
		return false;
	return carried(c, n, INITIAL_H, LAST_H) && (!is(n, "LSTM") || carried(c, n, INITIAL_C, LAST_C));
}
