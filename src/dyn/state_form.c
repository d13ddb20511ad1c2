/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Caches in the one form that is looked for: an input, concatenated with what is new, is an output.
 *
 * Exporters also write it with the axes in another order on the way (concatenated transposed), with several caches as one
 * tensor (keys and values stacked, taken apart, and stacked again), and with the samples of the past in another order (a
 * beam's). Each is written as the one form and what the readers see, which changes no value.
 */
#include <string.h>

#include "base/mem.h"
#include "dyn/state_plan.h"
#include "ops/ops.h"

enum { MOST_PARTS = 256 };

static bool is(const tarn_node *n, const char *op)
{
	return n && !strcmp(n->op->name, op) && (!n->op->domain || !*n->op->domain);
}

static int64_t attr_i(const tarn_node *n, const char *name)
{
	return tarn_attr_i(n, tarn_attr_index(n->op, name));
}

/* A count from the front, -1 where there is none. */
static int axis_of(int64_t axis, int rank)
{
	axis += axis < 0 ? rank : 0;
	return axis >= 0 && axis < rank ? (int)axis : -1;
}

/* The one integer of a constant. */
static bool number(const tarn_value *v, int64_t *x)
{
	if (!v || !v->konst || tarn_tensor_count(v->konst) != 1)
		return false;
	*x = tarn_tensor_i64(v->konst, 0);
	return true;
}

static bool is_input(const tarn_graph *g, const tarn_value *v)
{
	for (size_t i = 0; i < g->input.len; i++)
		if (g->input.at[i] == v)
			return true;
	return false;
}

/* ---- parts: element `index` of a value along an axis, which is gone then ---- */

typedef struct part {
	tarn_value *of;
	int axis;
	int64_t index;
} part;

/* [index, index + 1) along an axis that stays. */
static bool slice_of(const tarn_value *v, part *x)
{
	const tarn_node *n = v->def;
	int64_t end, axis = 0, step = 1;
	if (is(n, "Gather") && n->in[1]->konst && n->in[1]->konst->rank == 1 && number(n->in[1], &x->index)) {
		axis = attr_i(n, "axis");
	} else if (is(n, "Slice") && number(n->in[1], &x->index) && number(n->in[2], &end)) {
		if ((n->n_in > 3 && n->in[3] && !number(n->in[3], &axis)) ||
		    (n->n_in > 4 && n->in[4] && !number(n->in[4], &step)) || step != 1)
			return false;
	} else if (is(n, "Split")) {
		axis = attr_i(n, "axis");
		for (x->index = 0; n->out[x->index] != v; x->index++)
			if (!n->out[x->index])
				return false;
	} else {
		return false;
	}
	x->of = n->in[0];
	x->axis = axis_of(axis, x->of->shape.rank);
	if (x->axis < 0 || v->shape.rank != x->of->shape.rank || v->shape.dim[x->axis] != 1)
		return false;
	for (int i = 0; is(n, "Split") && i < n->n_out; i++) /* one element each */
		if (!n->out[i] || n->out[i]->shape.dim[x->axis] != 1)
			return false;
	return true;
}

static bool part_of(const tarn_value *v, part *x)
{
	const tarn_node *n = v->def;
	int64_t axis;
	if (is(n, "Gather") && n->in[1]->konst && n->in[1]->konst->rank == 0 && number(n->in[1], &x->index)) {
		x->of = n->in[0];
		x->axis = axis_of(attr_i(n, "axis"), x->of->shape.rank);
	} else if (is(n, "Squeeze") && n->n_in > 1 && number(n->in[1], &axis)) {
		if (!slice_of(n->in[0], x) || x->axis != axis_of(axis, x->of->shape.rank))
			return false;
	} else {
		return false;
	}
	int64_t size = x->axis >= 0 ? x->of->shape.dim[x->axis] : -1;
	x->index += x->index < 0 && size > 0 ? size : 0;
	return size > 0 && size <= MOST_PARTS && x->index >= 0 && x->index < size;
}

/* An input whose samples another input puts in order; *by: that one. */
static bool is_reordered(const tarn_graph *g, const tarn_value *v, const tarn_value **by)
{
	const tarn_node *n = v->def;
	if (!is(n, "Gather") || !is_input(g, n->in[0]))
		return false;
	*by = is(n->in[1]->def, "Cast") ? n->in[1]->def->in[0] : n->in[1];
	return is_input(g, *by) && (*by)->shape.rank == 1 && axis_of(attr_i(n, "axis"), n->in[0]->shape.rank) >= 0;
}

/* An input, in its own or another order, or a part of a part of one. */
static bool from_input(const tarn_graph *g, tarn_value *v)
{
	const tarn_value *by;
	part x;
	for (int depth = 0; depth < TARN_MAX_RANK && !is_input(g, v); depth++) {
		if (is_reordered(g, v, &by))
			return true;
		if (!part_of(v, &x))
			return false;
		v = x.of;
	}
	return is_input(g, v);
}

/* ---- who reads a value ---- */

/* Is `n` the one node that reads v, but for its size, and is v no output? */
static bool read_by(const tarn_graph *g, const tarn_value *v, const tarn_node *n)
{
	for (size_t i = 0; i < g->output.len; i++)
		if (g->output.at[i] == v)
			return false;
	for (size_t i = 0; i < g->node.len; i++)
		for (int k = 0; k < g->node.at[i]->n_in; k++)
			if (g->node.at[i]->in[k] == v && g->node.at[i] != n && !is(g->node.at[i], "Shape"))
				return false;
	return true;
}

/* ---- building ---- */

static tarn_err with_axis(tarn_graph *g, const char *op, tarn_value *a, tarn_value *b, int axis, tarn_value **out)
{
	TRY(tarn_state_node(g, op, a, b, NULL, out));
	return tarn_attr_set_i((*out)->def, tarn_attr_index((*out)->def->op, "axis"), axis);
}

static tarn_err transposed(tarn_graph *g, tarn_value *v, const int64_t *perm, int rank, tarn_value **out)
{
	TRY(tarn_state_node(g, "Transpose", v, NULL, NULL, out));
	return tarn_attr_set_ints(g, (*out)->def, tarn_attr_index((*out)->def->op, "perm"), perm, rank);
}

static tarn_err settle(tarn_graph *g)
{
	tarn_graph_sweep(g);
	TRY(tarn_graph_sort(g));
	return tarn_graph_infer(g);
}

/* ---- concatenated in another order of axes ---- */

static bool perm_of(const tarn_node *n, int64_t perm[TARN_MAX_RANK], int rank)
{
	const tarn_attr *a = is(n, "Transpose") ? &n->attr[tarn_attr_index(n->op, "perm")] : NULL;
	for (int i = 0; a && i < rank; i++)
		perm[i] = a->set && a->ints.n == rank ? a->ints.at[i] : rank - 1 - i;
	return a != NULL;
}

static bool is_inverse(const tarn_node *n, const int64_t *perm, int rank)
{
	int64_t q[TARN_MAX_RANK];
	bool inverse = perm_of(n, q, rank);
	for (int i = 0; inverse && i < rank; i++)
		inverse = q[i] >= 0 && q[i] < rank && perm[q[i]] == i;
	return inverse;
}

/* Concat(T(x), new) with T's inverse behind it: T(Concat(x, T'(new))). */
static tarn_err order_axes(tarn_graph *g, tarn_node *c, bool *changed)
{
	tarn_value *in = c->n_in == 2 ? c->in[0] : NULL, *entries, *whole, *seen;
	int64_t perm[TARN_MAX_RANK], inverse[TARN_MAX_RANK];
	int rank = in ? in->shape.rank : -1, axis = in && rank > 0 ? axis_of(attr_i(c, "axis"), rank) : -1;
	if (axis < 0 || !perm_of(in->def, perm, rank) || !from_input(g, in->def->in[0]) || !read_by(g, in, c))
		return TARN_OK;
	tarn_node *back = NULL;
	for (size_t i = 0; i < g->node.len && !back; i++)
		if (g->node.at[i]->n_in && g->node.at[i]->in[0] == c->out[0] && is_inverse(g->node.at[i], perm, rank))
			back = g->node.at[i];
	if (!back)
		return TARN_OK;
	for (int i = 0; i < rank; i++)
		inverse[perm[i]] = i;
	TRY(transposed(g, c->in[1], inverse, rank, &entries));
	TRY(with_axis(g, "Concat", in->def->in[0], entries, (int)perm[axis], &whole));
	TRY(transposed(g, whole, perm, rank, &seen));
	tarn_graph_replace(g, back->out[0], whole);
	tarn_graph_replace(g, c->out[0], seen);
	*changed = true;
	return settle(g);
}

/* ---- several caches as one ---- */

typedef struct stack {
	tarn_value *of, *result; /* the value that is taken apart, and what is made of the parts again */
	int axis, along, n;      /* parts lie along `axis`; each grows along `along`, an axis of a part */
	tarn_node *concat[MOST_PARTS];
} stack;

/* The concatenation that makes part `index` longer. */
static tarn_node *grows(const tarn_graph *g, const stack *s, int64_t index)
{
	part x;
	for (size_t i = 0; i < g->node.len; i++) {
		tarn_node *n = g->node.at[i];
		if (is(n, "Concat") && n->n_in == 2 && part_of(n->in[0], &x) && x.of == s->of && x.axis == s->axis &&
		    x.index == index)
			return n;
	}
	return NULL;
}

/* Stacked again in their order: Unsqueeze of each, and this Concat. */
static bool is_result(const stack *s, const tarn_node *all)
{
	int rank = s->of->shape.rank;
	int64_t axis;
	if (!is(all, "Concat") || all->n_in != s->n || axis_of(attr_i(all, "axis"), rank) != s->axis)
		return false;
	for (int i = 0; i < s->n; i++) {
		const tarn_node *u = all->in[i]->def;
		if (!is(u, "Unsqueeze") || u->in[0] != s->concat[i]->out[0] || !number(u->in[1], &axis) ||
		    axis_of(axis, rank) != s->axis)
			return false;
	}
	return true;
}

static bool find_result(const tarn_graph *g, stack *s)
{
	for (size_t i = 0; i < g->node.len && !s->result; i++)
		if (is_result(s, g->node.at[i]))
			s->result = g->node.at[i]->out[0];
	return s->result != NULL;
}

static bool find_stack(const tarn_graph *g, const tarn_node *c, stack *s)
{
	part x;
	if (!is(c, "Concat") || c->n_in != 2 || !part_of(c->in[0], &x) || !from_input(g, x.of))
		return false;
	*s = (stack){.of = x.of, .axis = x.axis, .n = (int)x.of->shape.dim[x.axis]};
	s->along = axis_of(attr_i(c, "axis"), s->of->shape.rank - 1);
	for (int i = 0; i < s->n; i++) {
		s->concat[i] = grows(g, s, i);
		if (!s->concat[i] || axis_of(attr_i(s->concat[i], "axis"), s->of->shape.rank - 1) != s->along ||
		    !read_by(g, s->concat[i]->in[0], s->concat[i]))
			return false;
	}
	return find_result(g, s);
}

/* Is what is new in one part computed from another part? Layers are, one from the other: all of them cannot grow at once. */
static tarn_err chained(const tarn_graph *g, const stack *s, bool *yes)
{
	bool *behind = tarn_mem_zalloc(g->value.len + 1, sizeof *behind);
	if (!behind)
		return tarn_err_nomem(g->value.len);
	for (int i = 0; i < s->n; i++)
		behind[s->concat[i]->out[0]->id] = true;
	for (size_t i = 0; i < g->node.len; i++) { /* in their order */
		const tarn_node *n = g->node.at[i];
		bool any = false;
		for (int k = 0; k < n->n_in; k++)
			any |= n->in[k] && behind[n->in[k]->id];
		for (int k = 0; k < n->n_out && any; k++)
			if (n->out[k])
				behind[n->out[k]->id] = true;
	}
	*yes = false;
	for (int i = 0; i < s->n; i++)
		*yes |= behind[s->concat[i]->in[1]->id];
	tarn_mem_free(behind);
	return TARN_OK;
}

/* Sizes of a part are sizes of the whole, but for the axis that is gone. */
static tarn_err size_by_whole(tarn_graph *g, const stack *s, const tarn_value *p)
{
	tarn_value *shape = NULL, *index, *size;
	int64_t at[TARN_MAX_RANK];
	int n = 0;
	for (int i = 0; i < s->of->shape.rank; i++)
		if (i != s->axis)
			at[n++] = i;
	for (size_t i = 0, nodes = g->node.len; i < nodes; i++) {
		tarn_node *u = g->node.at[i];
		if (!is(u, "Shape") || u->in[0] != p || u->out[0]->shape.dim[0] != n)
			continue;
		if (!shape) {
			TRY(tarn_state_node(g, "Shape", s->of, NULL, NULL, &shape));
			TRY(tarn_value_const_i64(g, NULL, at, n, &index));
			TRY(tarn_state_node(g, "Gather", shape, index, NULL, &size));
		}
		tarn_graph_replace(g, u->out[0], size);
	}
	return TARN_OK;
}

/* One concatenation of all, of which each part is taken. */
static tarn_err unite(tarn_graph *g, tarn_node *c, bool *changed)
{
	stack s;
	tarn_value *axis, *whole, *news;
	tarn_node *all;
	bool one_from_another = false;
	if (!find_stack(g, c, &s))
		return TARN_OK;
	TRY(chained(g, &s, &one_from_another));
	if (one_from_another)
		return TARN_OK;
	const int64_t a = s.axis;
	TRY(tarn_value_const_i64(g, NULL, &a, 1, &axis));
	TRY(tarn_node_new(g, tarn_op_find(NULL, "Concat"), NULL, s.n, 1, -1, &all));
	TRY(tarn_attr_set_i(all, tarn_attr_index(all->op, "axis"), a));
	for (int i = 0; i < s.n; i++)
		TRY(tarn_state_node(g, "Unsqueeze", s.concat[i]->in[1], axis, NULL, &all->in[i]));
	news = all->out[0];
	TRY(with_axis(g, "Concat", s.of, news, s.along + (s.along >= s.axis), &whole));
	for (int64_t i = 0; i < s.n; i++) {
		tarn_value *index, *p;
		TRY(size_by_whole(g, &s, s.concat[i]->in[0]));
		TRY(tarn_value_const_i64(g, NULL, &i, -1, &index));
		TRY(with_axis(g, "Gather", whole, index, s.axis, &p));
		tarn_graph_replace(g, s.concat[i]->out[0], p);
	}
	tarn_graph_replace(g, s.result, whole);
	*changed = true;
	return settle(g);
}

/* ---- samples in another order ---- */

static void set_size(tarn_graph *g, tarn_dim from, tarn_dim to)
{
	for (size_t i = 0; i < g->input.len && from < 0; i++)
		for (int k = 0; k < g->input.at[i]->shape.rank; k++)
			if (g->input.at[i]->shape.dim[k] == from)
				g->input.at[i]->shape.dim[k] = to;
}

/* Concat(Gather(input, order), new): the order is noted, and the samples stay. As many come out as go in. */
static tarn_err keep_order(tarn_graph *g, tarn_node *c, tarn_arena *a, state_orders *orders, bool *changed)
{
	const tarn_value *by;
	tarn_value *seen = c->n_in == 2 ? c->in[0] : NULL;
	if (!seen || !is_reordered(g, seen, &by) || !read_by(g, seen, c) || !read_by(g, seen->def->in[0], seen->def) ||
	    tarn_state_output(g, c->out[0]) < 0)
		return TARN_OK;
	tarn_value *past = seen->def->in[0];
	int axis = axis_of(attr_i(seen->def, "axis"), past->shape.rank);
	TRY(VEC_GROW(orders));
	state_order *o = &orders->at[orders->len++];
	*o = (state_order){tarn_arena_strdup(a, past->name), tarn_arena_strdup(a, by->name), axis};
	if (!o->in || !o->by)
		return tarn_err_nomem(256);
	set_size(g, by->shape.dim[0], past->shape.dim[axis]);
	set_size(g, past->shape.dim[axis], by->shape.dim[0]);
	tarn_graph_replace(g, seen, past);
	*changed = true;
	return settle(g);
}

/* ---- ---- */

tarn_err tarn_state_straighten(tarn_model *m, tarn_arena *a, state_orders *orders)
{
	tarn_graph *g = m->main;
	bool changed = true;
	while (changed) {
		changed = false;
		for (size_t i = 0; i < g->node.len && !changed; i++) {
			tarn_node *n = g->node.at[i];
			if (!is(n, "Concat"))
				continue;
			TRY(order_axes(g, n, &changed));
			if (!changed)
				TRY(unite(g, n, &changed));
			if (!changed)
				TRY(keep_order(g, n, a, orders, &changed));
		}
	}
	return TARN_OK;
}
