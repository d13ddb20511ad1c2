/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows. While lengths are bounded the graph is cut at each cache: the window is an input, its new entries are an output.
 * Afterwards the two are joined: entry j of the window is new[j - past] where past <= j < past + step, and what it was
 * elsewhere.
 */
#include <string.h>

#include "dyn/state_plan.h"
#include "ops/ops.h"

/* The new input takes the place of the one at `index`. */
static tarn_err replace_input(tarn_graph *g, int index, const char *name, tarn_dtype type, const tarn_shape *shape,
			      tarn_value **v)
{
	TRY(tarn_value_input(g, name, type, shape, v));
	g->input.len--;
	g->input.at[index] = *v;
	return TARN_OK;
}

static void remove_input(tarn_graph *g, const tarn_value *v)
{
	size_t kept = 0;
	for (size_t i = 0; i < g->input.len; i++)
		if (g->input.at[i] != v)
			g->input.at[kept++] = g->input.at[i];
	g->input.len = kept;
}

/* Does the model choose from the window itself? */
static bool selected_already(const tarn_graph *g, const tarn_value *window)
{
	for (size_t i = 0; i < g->node.len; i++)
		if (!strcmp(g->node.at[i]->op->name, "Where") && g->node.at[i]->in[1] == window)
			return true;
	return false;
}

tarn_err tarn_state_cut(state_plan *p)
{
	tarn_graph *g = p->m->main;
	const tarn_shape one = {.rank = 1, .dim = {1}};
	for (size_t i = 0; i < p->slot.len; i++) {
		state_slot *s = &p->slot.at[i];
		if (s->axis < 0)
			continue;
		tarn_value *past = g->input.at[s->in], *window;
		tarn_shape shape = past->shape;
		shape.dim[s->axis] = p->total;
		TRY(replace_input(g, s->in, "window", past->type, &shape, &window));
		g->output.at[s->out] = s->entries;
		tarn_graph_replace(g, s->concat->out[0], window);
		s->selected = selected_already(g, window);
	}
	TRY(tarn_value_input(g, "past_length", TARN_I64, &one, &p->past_length));
	return tarn_value_input(g, "step_length", TARN_I64, &one, &p->step_length);
}

/* ---- joining ---- */

typedef struct joiner {
	state_plan *p;
	tarn_graph *g;
	tarn_value *past, *step;           /* lengths */
	tarn_value *row;                   /* int64 [window]: where in the new entries each position is; NULL: there is one */
	tarn_value *is_new[TARN_MAX_RANK]; /* bool [window,1,...], by axes behind */
} joiner;

static tarn_err positions(const joiner *j, int behind, tarn_value **out)
{
	int64_t dim[TARN_MAX_RANK];
	tarn_tensor t;
	for (int i = 0; i < TARN_MAX_RANK; i++)
		dim[i] = i ? 1 : j->p->spec->window;
	TRY(tarn_tensor_new(TARN_I64, behind + 1, dim, &t));
	for (int64_t i = 0; i < dim[0]; i++)
		((int64_t *)t.data)[i] = i;
	tarn_err err = tarn_value_const(j->g, "positions", &t, out);
	tarn_tensor_fini(&t);
	return err;
}

static tarn_err make_row(joiner *j)
{
	tarn_value *at, *from, *lo, *hi;
	int64_t last = j->p->spec->step - 1;
	TRY(positions(j, 0, &at));
	TRY(tarn_state_node(j->g, "Sub", at, j->past, NULL, &from));
	TRY(tarn_value_const_i64(j->g, NULL, (const int64_t[]){0}, -1, &lo));
	TRY(tarn_value_const_i64(j->g, NULL, &last, -1, &hi));
	return tarn_state_node(j->g, "Clip", from, lo, hi, &j->row);
}

static tarn_err make_is_new(joiner *j, int behind, tarn_value **out)
{
	tarn_value *at, *end, *after, *before;
	if (j->is_new[behind]) {
		*out = j->is_new[behind];
		return TARN_OK;
	}
	TRY(positions(j, behind, &at));
	if (j->p->spec->step == 1) {
		TRY(tarn_state_node(j->g, "Equal", at, j->past, NULL, out));
	} else {
		TRY(tarn_state_node(j->g, "Add", j->past, j->step, NULL, &end));
		TRY(tarn_state_node(j->g, "GreaterOrEqual", at, j->past, NULL, &after));
		TRY(tarn_state_node(j->g, "Less", at, end, NULL, &before));
		TRY(tarn_state_node(j->g, "And", after, before, NULL, out));
	}
	j->is_new[behind] = *out;
	return TARN_OK;
}

static bool is_zero(const tarn_value *v)
{
	if (!v || !v->konst || tarn_tensor_count(v->konst) != 1)
		return false;
	return tarn_tensor_f64(v->konst, 0) == 0;
}

/* Clearing the window behind its valid length changes nothing: it is zero there. */
static void drop_clearing(tarn_graph *g, tarn_value *window)
{
	for (size_t i = 0; i < g->node.len; i++) {
		tarn_node *n = g->node.at[i];
		if (!strcmp(n->op->name, "Where") && n->in[1] == window && is_zero(n->in[2]))
			tarn_graph_replace(g, n->out[0], window);
	}
}

/* What was there, in the order that an input says; one sample has no order. */
static tarn_err reorder(tarn_graph *g, const state_order *o, tarn_value **past)
{
	tarn_value *by = NULL, *v = *past;
	if (!o || v->shape.dim[o->axis] == 1)
		return TARN_OK;
	for (size_t i = 0; i < g->input.len; i++)
		by = strcmp(g->input.at[i]->name, o->by) ? by : g->input.at[i];
	CHECK(by, TARN_INTERNAL, "input '%s' went missing", o->by);
	TRY(tarn_state_node(g, "Gather", v, by, NULL, past));
	return tarn_attr_set_i((*past)->def, tarn_attr_index((*past)->def->op, "axis"), o->axis);
}

static tarn_err join_one(joiner *j, const state_slot *s)
{
	tarn_graph *g = j->g;
	tarn_value *window = g->input.at[s->in], *entries = g->output.at[s->out], *past, *kept, *is_new, *rows = entries, *now;
	if (!s->selected)
		drop_clearing(g, window);
	TRY(replace_input(g, s->in, s->in_name, window->type, &window->shape, &past));
	TRY(make_is_new(j, window->shape.rank - 1 - s->axis, &is_new));
	if (j->row) {
		TRY(tarn_state_node(g, "Gather", entries, j->row, NULL, &rows));
		TRY(tarn_attr_set_i(rows->def, tarn_attr_index(rows->def->op, "axis"), s->axis));
	}
	kept = past;
	TRY(reorder(g, s->order, &kept));
	TRY(tarn_state_node(g, "Where", is_new, rows, kept, &now));
	now->type = window->type;
	now->shape = window->shape;
	tarn_graph_replace(g, window, now);
	g->output.at[s->out] = now;
	TRY(tarn_value_rename(g, past, s->in_name));
	return tarn_value_rename(g, now, s->out_name);
}

tarn_err tarn_state_join(state_plan *p, tarn_value *step_length)
{
	tarn_graph *g = p->m->main;
	joiner j = {.p = p, .g = g, .past = p->past_length, .step = step_length};
	tarn_graph_replace(g, p->step_length, step_length);
	remove_input(g, p->step_length);
	if (p->spec->step > 1)
		TRY(make_row(&j));
	for (size_t i = 0; i < p->slot.len; i++)
		if (p->slot.at[i].axis >= 0)
			TRY(join_one(&j, &p->slot.at[i]));
	return TARN_OK;
}
