/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streaming convolutions. A state that is put in front of a call's positions and is then the last of both: what a convolution
 * needs of the past. Behind such a concatenation element e is position e - offset; a convolution without padding, in steps of
 * one, takes as many positions from the front as its kernel reaches, so that each result sees itself and what came before.
 */
#include <string.h>

#include "dyn/causal.h"
#include "ir/op.h"

static bool is(const tarn_node *n, const char *op)
{
	return n && !strcmp(n->op->name, op) && (!n->op->domain || !*n->op->domain);
}

/* The axis of step + offset elements, offset >= 0; -1: none. */
static int stream_axis(const causal *c, const tarn_value *v, int64_t *offset)
{
	for (int k = 0; v && k < v->shape.rank; k++) {
		state_linear x;
		if (v->shape.dim[k] >= 0 || !tarn_state_linear(c->p, v->shape.dim[k], &x) || x.at[STATE_PAST] ||
		    x.at[STATE_STEP] != 1 || x.at[STATE_ONE] < 0)
			continue;
		*offset = x.at[STATE_ONE];
		return k;
	}
	return -1;
}

static bool has_window(const causal *c, const tarn_node *n)
{
	int64_t offset;
	for (int i = 0; i < n->n_in + n->n_out; i++)
		if (stream_axis(c, i < n->n_in ? n->in[i] : n->out[i - n->n_in], &offset) >= 0 && offset > 0)
			return true;
	return false;
}

/* ---- the state ---- */

/* Are these the last `count` elements of v along the axis? */
static bool is_last(const causal *c, const tarn_value *out, const tarn_value *v, int axis, int64_t count)
{
	const tarn_node *n = out->def;
	int at = -1;
	if (!is(n, "Slice") || n->in[0] != v || n->n_in < 4 || !n->in[3] || !n->in[3]->konst ||
	    tarn_tensor_count(n->in[3]->konst) != 1 || (n->n_in > 4 && n->in[4] && !n->in[4]->konst) ||
	    (n->n_in > 4 && n->in[4] && tarn_tensor_i64(n->in[4]->konst, 0) != 1) ||
	    tarn_shape_axis(v->shape.rank, tarn_tensor_i64(n->in[3]->konst, 0), &at) != TARN_OK || at != axis)
		return false;
	causal_fact start = tarn_causal_fact_of(c, n->in[1]), end = tarn_causal_fact_of(c, n->in[2]);
	bool from_end = start.number && !start.at[CAUSAL_STEP] && start.at[CAUSAL_ONE] == -count;
	bool from_step = start.number && start.at[CAUSAL_STEP] == 1 && !start.at[CAUSAL_ONE];
	bool to_end = end.number && ((!end.at[CAUSAL_STEP] && end.at[CAUSAL_ONE] >= INT32_MAX) ||
				     (end.at[CAUSAL_STEP] == 1 && end.at[CAUSAL_ONE] == count));
	return (from_end || from_step) && to_end && !start.at[CAUSAL_PAST] && !end.at[CAUSAL_PAST];
}

/* Is v read by n alone, but for its size? */
static bool read_by(const tarn_graph *g, const tarn_value *v, const tarn_node *n)
{
	for (size_t i = 0; i < g->node.len; i++)
		for (int k = 0; k < g->node.at[i]->n_in; k++)
			if (g->node.at[i]->in[k] == v && g->node.at[i] != n && !is(g->node.at[i], "Shape"))
				return false;
	return true;
}

/* The concatenation of a state and the call's positions, whose last elements are the state again. */
static bool remembers(causal *c, const tarn_node *n)
{
	const tarn_graph *g = c->p->m->main;
	int64_t offset = 0, none = -1;
	int axis = stream_axis(c, n->out[0], &offset);
	if (!is(n, "Concat") || n->n_in != 2 || stream_axis(c, n->in[1], &none) != axis || none != 0)
		return false;
	for (size_t i = 0; i < c->p->slot.len; i++) {
		state_slot *s = &c->p->slot.at[i];
		const tarn_value *in = g->input.at[s->in];
		if (s->axis >= 0 || n->in[0] != in || in->shape.dim[axis] != offset || !read_by(g, in, n) ||
		    !is_last(c, g->output.at[s->out], n->out[0], axis, offset))
			continue;
		s->carried = true;
		return true;
	}
	return false;
}

/* Is this the slice that gives a state back, and nothing else? */
static bool gives_back(const causal *c, const tarn_node *n)
{
	const tarn_graph *g = c->p->m->main;
	for (size_t i = 0; i < c->p->slot.len; i++)
		if (c->p->slot.at[i].carried && g->output.at[c->p->slot.at[i].out] == n->out[0])
			return is(n, "Slice") && read_by(g, n->out[0], NULL);
	return false;
}

/* ---- convolutions ---- */

static int64_t list_at(const tarn_node *n, const char *name, int i, int64_t otherwise)
{
	const tarn_attr *a = &n->attr[tarn_attr_index(n->op, name)];
	return a->set && i < a->ints.n ? a->ints.at[i] : otherwise;
}

/* Along that spatial axis: steps of one, nothing padded; *reach: how many elements beyond one the kernel spans. */
static bool slides(const tarn_node *n, int spatial, int64_t *reach)
{
	const tarn_shape *w = &n->in[1]->shape;
	int n_spatial = n->in[0]->shape.rank - 2, pad = tarn_attr_index(n->op, "auto_pad");
	if (spatial < 0 || w->rank != n_spatial + 2 || w->dim[2 + spatial] < 1 || list_at(n, "strides", spatial, 1) != 1 ||
	    list_at(n, "pads", spatial, 0) || list_at(n, "pads", spatial + n_spatial, 0))
		return false;
	if (pad >= 0 && !tarn_attr_word_is(n, pad, "NOTSET") && !tarn_attr_word_is(n, pad, "VALID"))
		return false;
	*reach = (w->dim[2 + spatial] - 1) * list_at(n, "dilations", spatial, 1);
	return true;
}

static bool convolves(const causal *c, const tarn_node *n)
{
	int64_t before = 0, after = 0, reach = 0, other;
	int axis = stream_axis(c, n->in[0], &before);
	return is(n, "Conv") && axis >= 2 && stream_axis(c, n->out[0], &after) == axis &&
	       stream_axis(c, n->in[1], &other) < 0 && slides(n, axis - 2, &reach) && reach == before - after;
}

/* Element by element: where there are positions they are the same ones. */
static bool keeps(const causal *c, const tarn_node *n)
{
	int64_t offset = 0, in;
	int axis = stream_axis(c, n->out[0], &offset), rank = n->out[0]->shape.rank;
	if (!(n->op->flags & TARN_OP_ELEMENTWISE) || axis < 0)
		return false;
	for (int k = 0; k < n->n_in; k++) {
		int at = n->in[k] ? stream_axis(c, n->in[k], &in) : -1;
		if (at >= 0 && (in != offset || at + rank - n->in[k]->shape.rank != axis))
			return false;
	}
	return true;
}

tarn_stream_answer tarn_state_streams(causal *c, const tarn_node *n)
{
	int64_t offset;
	if (is(n, "Conv") && !has_window(c, n) && stream_axis(c, n->in[0], &offset) >= 2 && convolves(c, n))
		return TARN_STREAM_FITS; /* a kernel of one */
	if (!has_window(c, n) || is(n, "Shape"))
		return gives_back(c, n) ? TARN_STREAM_FITS : TARN_STREAM_NONE;
	return remembers(c, n) || gives_back(c, n) || convolves(c, n) || keeps(c, n) ? TARN_STREAM_FITS : TARN_STREAM_UNFIT;
}
