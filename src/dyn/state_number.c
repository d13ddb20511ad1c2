/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lengths as numbers. Shape arithmetic says of each small integer tensor how it follows from the lengths. Where such a tensor
 * is the size of something it is made of static sizes; where data is computed with it, of the inputs that hold the true
 * lengths.
 */
#include <string.h>

#include "dyn/state_plan.h"
#include "ops/ops.h"

/* Inputs that say how large a result is. All others are numbers. */
static const struct size_row {
	const char *op;
	int input;
} sizes[] = {
	{"Reshape", 1}, {"Expand", 1}, {"ConstantOfShape", 0}, {"Tile", 1}, {"Range", 1}, {"Slice", 2}, {"Split", 1},
};

/* What lengths are made of: two values int64 [1], with a factor each. */
typedef struct state_atoms {
	tarn_value *at[2];
} state_atoms;

bool tarn_state_linear(const state_plan *p, tarn_dim d, state_linear *x)
{
	int64_t v;
	*x = (state_linear){{0}};
	if (tarn_dim_is_int(d, &v)) {
		x->at[STATE_ONE] = v;
		return true;
	}
	if (d == p->past || d == p->step || d == p->total) {
		x->at[STATE_PAST] = d != p->step;
		x->at[STATE_STEP] = d != p->past;
		return true;
	}
	const tarn_sym *s = tarn_sym_get(&p->m->syms, d);
	state_linear a, b;
	if (s->op == TARN_SYM_NAMED || !tarn_state_linear(p, s->a, &a) || !tarn_state_linear(p, s->b, &b))
		return false;
	bool constant = !b.at[STATE_PAST] && !b.at[STATE_STEP];
	if (s->op != TARN_SYM_ADD && s->op != TARN_SYM_SUB && (s->op != TARN_SYM_MUL || !constant))
		return false;
	for (int i = 0; i < 3; i++)
		x->at[i] = s->op == TARN_SYM_ADD   ? a.at[i] + b.at[i]
			   : s->op == TARN_SYM_SUB ? a.at[i] - b.at[i]
						   : a.at[i] * b.at[STATE_ONE];
	return true;
}

bool tarn_state_depends(const state_plan *p, tarn_dim d)
{
	int64_t v;
	if (tarn_dim_is_int(d, &v))
		return false;
	if (d == p->past || d == p->step || d == p->total)
		return true;
	const tarn_sym *s = tarn_sym_get(&p->m->syms, d);
	return s->op != TARN_SYM_NAMED && (tarn_state_depends(p, s->a) || tarn_state_depends(p, s->b));
}

static bool known_depends(const state_plan *p, const tarn_value *v)
{
	for (int i = 0; v && i < v->n_known; i++)
		if (tarn_state_depends(p, v->known[i]))
			return true;
	return false;
}

tarn_err tarn_state_node(tarn_graph *g, const char *op, tarn_value *a, tarn_value *b, tarn_value *c, tarn_value **out)
{
	tarn_node *n;
	tarn_value *in[] = {a, b, c};
	int n_in = c ? 3 : b ? 2 : 1;
	TRY(tarn_node_new(g, tarn_op_find(NULL, op), op, n_in, 1, -1, &n));
	for (int i = 0; i < n_in; i++)
		n->in[i] = in[i];
	*out = n->out[0];
	return TARN_OK;
}

static tarn_err add_term(tarn_graph *g, int64_t factor, tarn_value *atom, tarn_value **sum)
{
	tarn_value *f, *term = atom;
	int64_t size = factor < 0 ? -factor : factor;
	if (!factor)
		return TARN_OK;
	if (!*sum && factor < 0)
		size = factor;
	if (size != 1) {
		TRY(tarn_value_const_i64(g, NULL, &size, 1, &f));
		TRY(tarn_state_node(g, "Mul", atom, f, NULL, &term));
	}
	if (*sum)
		return tarn_state_node(g, factor < 0 ? "Sub" : "Add", *sum, term, NULL, sum);
	*sum = term;
	return TARN_OK;
}

/* int64 [1] */
static tarn_err emit_element(tarn_graph *g, const state_linear *x, const state_atoms *atoms, tarn_value **out)
{
	*out = NULL;
	for (int i = 0; i < 2; i++)
		TRY(add_term(g, x->at[i], atoms->at[i], out));
	tarn_value *one;
	if (!*out)
		return tarn_value_const_i64(g, NULL, &x->at[STATE_ONE], 1, out);
	if (!x->at[STATE_ONE])
		return TARN_OK;
	TRY(tarn_value_const_i64(g, NULL, (const int64_t[]){1}, 1, &one));
	return add_term(g, x->at[STATE_ONE], one, out);
}

static tarn_err refuse(const tarn_node *n, const char *why)
{
	return tarn_err_set(TARN_UNSUPPORTED, "a cache cannot become a window: node '%s' (%s) %s", n->name, n->op->name, why);
}

/* v anew, of the same type and rank. `size`: atoms are total and step instead of past and step. */
static tarn_err emit(const state_plan *p, const tarn_node *n, const tarn_value *v, const state_atoms *atoms, bool size,
		     tarn_value **out)
{
	tarn_graph *g = p->m->main;
	tarn_value *list = NULL;
	tarn_node *concat = NULL;
	if (v->n_known > 1) {
		TRY(tarn_node_new(g, tarn_op_find(NULL, "Concat"), v->name, v->n_known, 1, -1, &concat));
		TRY(tarn_attr_set_i(concat, tarn_attr_index(concat->op, "axis"), 0));
		list = concat->out[0];
	}
	for (int i = 0; i < v->n_known; i++) {
		state_linear x;
		tarn_value *e;
		if (!tarn_state_linear(p, v->known[i], &x))
			return refuse(n, "computes with a length that is no sum of others");
		if (size)
			x.at[STATE_STEP] -= x.at[STATE_PAST];
		TRY(emit_element(g, &x, atoms, &e));
		if (concat)
			concat->in[i] = e;
		else
			list = e;
	}
	if (v->shape.rank > 1) {
		tarn_value *shape;
		TRY(tarn_value_const_i64(g, NULL, v->shape.dim, v->shape.rank, &shape));
		TRY(tarn_state_node(g, "Reshape", list, shape, NULL, &list));
	}
	if (v->shape.rank == 0) {
		tarn_value *axes;
		TRY(tarn_value_const_i64(g, NULL, (const int64_t[]){0}, 1, &axes));
		TRY(tarn_state_node(g, "Squeeze", list, axes, NULL, &list));
	}
	if (v->type != TARN_I64) {
		TRY(tarn_state_node(g, "Cast", list, NULL, NULL, &list));
		TRY(tarn_attr_set_i(list->def, tarn_attr_index(list->def->op, "to"), v->type));
	}
	*out = list;
	return TARN_OK;
}

/* ---- operators that begin somewhere ---- */

/* 0, 1, ... as many as `count` says, plus start. */
static tarn_err counted(const state_plan *p, const tarn_node *n, tarn_dim count, tarn_value *start, const state_atoms *sizes_of,
			tarn_value **out)
{
	tarn_graph *g = p->m->main;
	tarn_value *size, *zero, *one, *from;
	tarn_dim known[1] = {count};
	tarn_value like = {.type = TARN_I64, .shape = {.rank = 0}, .known = known, .n_known = 1, .name = "count"};
	TRY(emit(p, n, &like, sizes_of, true, &size));
	TRY(tarn_value_const_i64(g, NULL, (const int64_t[]){0}, -1, &zero));
	TRY(tarn_value_const_i64(g, NULL, (const int64_t[]){1}, -1, &one));
	TRY(tarn_state_node(g, "Range", zero, size, one, &from));
	return tarn_state_node(g, "Add", from, start, NULL, out);
}

static bool is_one(const tarn_value *v)
{
	return !v || (v->konst && tarn_tensor_count(v->konst) == 1 && tarn_tensor_i64(v->konst, 0) == 1);
}

static tarn_err replace_range(const state_plan *p, tarn_node *n, tarn_value *start, const state_atoms *sizes_of)
{
	tarn_value *y;
	if (!is_one(n->in[2]) || n->out[0]->type != TARN_I64)
		return refuse(n, "counts in other steps than 1");
	TRY(counted(p, n, n->out[0]->shape.dim[0], start, sizes_of, &y));
	tarn_graph_replace(p->m->main, n->out[0], y);
	return TARN_OK;
}

/* A slice that begins at a length takes rows by their numbers. */
static tarn_err replace_slice(const state_plan *p, tarn_node *n, tarn_value *start, const state_atoms *sizes_of)
{
	int axis = 0;
	tarn_value *index, *y;
	const tarn_value *axes = n->n_in > 3 ? n->in[3] : NULL;
	const tarn_shape *in = &n->in[0]->shape;
	if (n->in[1]->n_known != 1 || !is_one(n->n_in > 4 ? n->in[4] : NULL) || (axes && !axes->konst) ||
	    n->in[1]->type != TARN_I64 || in->rank < 0)
		return refuse(n, "takes a part that begins at a length, along several axes or in steps");
	TRY(tarn_shape_axis(in->rank, axes ? tarn_tensor_i64(axes->konst, 0) : 0, &axis));
	TRY(counted(p, n, n->out[0]->shape.dim[axis], start, sizes_of, &index));
	TRY(tarn_state_node(p->m->main, "Gather", n->in[0], index, NULL, &y));
	TRY(tarn_attr_set_i(y->def, tarn_attr_index(y->def->op, "axis"), axis));
	tarn_graph_replace(p->m->main, n->out[0], y);
	return TARN_OK;
}

static bool is(const tarn_node *n, const char *op)
{
	return !strcmp(n->op->name, op);
}

bool tarn_state_is_size(const tarn_node *n, int input)
{
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		if (sizes[i].input == input && is(n, sizes[i].op))
			return true;
	return false;
}

/* Everything it gives is shape arithmetic, too: what reads that decides. */
static bool is_arithmetic(const tarn_node *n)
{
	for (int i = 0; i < n->n_out; i++)
		if (n->out[i] && !n->out[i]->known)
			return false;
	return true;
}

static tarn_err replace_in(const state_plan *p, tarn_node *n, int input, const state_atoms *numbers,
			   const state_atoms *sizes_of)
{
	tarn_value *v = n->in[input], *to;
	bool size = tarn_state_is_size(n, input);
	TRY(emit(p, n, v, size ? sizes_of : numbers, size, &to));
	if (input == 0 && is(n, "Range"))
		return replace_range(p, n, to, sizes_of);
	if (input == 1 && is(n, "Slice"))
		return replace_slice(p, n, to, sizes_of);
	n->in[input] = to;
	return TARN_OK;
}

static tarn_err size_atom(tarn_graph *g, tarn_value *v, int axis, tarn_value **out)
{
	tarn_value *shape, *index;
	TRY(tarn_state_node(g, "Shape", v, NULL, NULL, &shape));
	TRY(tarn_value_const_i64(g, NULL, (const int64_t[]){axis}, 1, &index));
	return tarn_state_node(g, "Gather", shape, index, NULL, out);
}

static tarn_err size_atoms(const state_plan *p, tarn_value *size_of, int total_axis, state_atoms *x)
{
	tarn_graph *g = p->m->main;
	TRY(size_atom(g, size_of, total_axis, &x->at[0]));
	for (size_t i = 0; i < g->input.len; i++)
		for (int k = 0; k < g->input.at[i]->shape.rank; k++)
			if (g->input.at[i]->shape.dim[k] == p->step)
				return size_atom(g, g->input.at[i], k, &x->at[1]);
	return tarn_err_set(TARN_UNSUPPORTED, "a cache cannot become a window: no input has the positions of one call");
}

tarn_err tarn_state_numbers(state_plan *p, tarn_value *size_of, int total_axis)
{
	tarn_graph *g = p->m->main;
	size_t n_nodes = g->node.len;
	state_atoms numbers = {{p->past_length, p->step_length}}, sizes_of;
	for (size_t i = 0; i < g->output.len; i++)
		CHECK(!known_depends(p, g->output.at[i]), TARN_UNSUPPORTED,
		      "a cache cannot become a window: output '%s' is a length", g->output.at[i]->name);
	TRY(size_atoms(p, size_of, total_axis, &sizes_of));
	for (size_t i = 0; i < n_nodes; i++) {
		tarn_node *n = g->node.at[i];
		if (is_arithmetic(n))
			continue;
		if (n->n_body)
			return refuse(n, "is control flow that depends on data");
		for (int k = 0; k < n->n_in; k++) {
			bool begins = (k == 0 && is(n, "Range")) || (k == 1 && is(n, "Slice"));
			if (!known_depends(p, n->in[k]))
				continue;
			TRY(replace_in(p, n, k, &numbers, &sizes_of));
			if (begins)
				break; /* the node is replaced */
		}
	}
	return TARN_OK;
}
