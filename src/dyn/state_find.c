/* SPDX-License-Identifier: Apache-2.0 */
/* Which inputs are states: what a file says, and caches that grow, by the structure of the graph. */
#include <string.h>

#include "dyn/state_plan.h"
#include "ops/ops.h"

static bool is(const tarn_node *n, const char *op)
{
	return n && !strcmp(n->op->name, op) && (!n->op->domain || !*n->op->domain);
}

/* The concatenation of v with something, when v is used for that and for its size alone. */
static tarn_node *growing(const tarn_graph *g, const tarn_value *v)
{
	tarn_node *concat = NULL;
	for (size_t i = 0; i < g->node.len; i++) {
		tarn_node *n = g->node.at[i];
		for (int k = 0; k < n->n_in; k++) {
			if (n->in[k] != v || is(n, "Shape"))
				continue;
			if (concat || k != 0 || n->n_in != 2 || !is(n, "Concat"))
				return NULL;
			concat = n;
		}
	}
	return concat;
}

static int concat_axis(const tarn_node *n)
{
	int axis = -1;
	if (tarn_shape_axis(n->in[0]->shape.rank, tarn_attr_i(n, tarn_attr_index(n->op, "axis")), &axis) != TARN_OK)
		tarn_err_clear();
	return axis;
}

/* An Identity, or a Cast to the type there is, as variables of an IR are assigned. */
static bool copies(const tarn_node *n)
{
	return is(n, "Identity") || (is(n, "Cast") && n->in[0]->type == n->out[0]->type);
}

int tarn_state_output(const tarn_graph *g, const tarn_value *v)
{
	for (size_t i = 0; i < g->output.len; i++) {
		const tarn_value *o = g->output.at[i];
		while (o != v && copies(o->def))
			o = o->def->in[0];
		if (o == v)
			return (int)i;
	}
	return -1;
}

bool tarn_state_growing(const tarn_graph *g, int i, state_slot *s)
{
	tarn_value *v = g->input.at[i];
	tarn_node *n = v->shape.rank > 0 ? growing(g, v) : NULL;
	int axis = n ? concat_axis(n) : -1, out = n ? tarn_state_output(g, n->out[0]) : -1;
	if (axis < 0 || out < 0 || v->shape.dim[axis] >= 0)
		return false;
	*s = (state_slot){v->name, g->output.at[out]->name, i, out, axis, n, n->in[1], false, false, NULL};
	return true;
}

/* Pairs that the file says ("tarn.pair.0" = "LENGTH_OF_INPUT:INPUT OUTPUT"): variables of an IR. */
static tarn_err find_said(const tarn_model *m, tarn_arena *a, tarn_state_pair *pair, int *n)
{
	for (size_t i = 0; i < m->meta.len && *n < (int)m->main->input.len; i++) {
		int64_t len;
		char *text = tarn_arena_strdup(a, m->meta.at[i].value), *at = text ? strchr(text, ':') : NULL;
		if (!text)
			return tarn_err_nomem(64);
		if (strncmp(m->meta.at[i].key, "tarn.pair.", 10))
			continue;
		if (at)
			*at++ = 0;
		CHECK(at && tarn_str_to_i64(text, &len) && len > 0 && (size_t)len < strlen(at), TARN_BAD_FILE,
		      "metadata '%s' is damaged", m->meta.at[i].key);
		at[len] = 0;
		pair[(*n)++] = (tarn_state_pair){at, at + len + 1, -1};
	}
	return TARN_OK;
}

static bool is_said(const tarn_state_pair *pair, int n, const char *in)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(pair[i].in, in))
			return true;
	return false;
}

tarn_err tarn_state_find_here(const tarn_model *m, tarn_arena *a, tarn_state_pair **pair, int *n)
{
	const tarn_graph *g = m->main;
	*n = 0;
	*pair = tarn_arena_zalloc(a, 2 * g->input.len + 1, sizeof **pair);
	if (!*pair)
		return tarn_err_nomem(g->input.len * sizeof **pair);
	TRY(find_said(m, a, *pair, n)); /* in the arena */
	for (size_t i = 0, said = (size_t)*n; i < g->input.len; i++) {
		state_slot s;
		if (is_said(*pair, (int)said, g->input.at[i]->name) || !tarn_state_growing(g, (int)i, &s))
			continue;
		tarn_state_pair found = {tarn_arena_strdup(a, s.in_name), tarn_arena_strdup(a, s.out_name), s.axis};
		if (!found.in || !found.out)
			return tarn_err_nomem(256);
		(*pair)[(*n)++] = found;
	}
	return TARN_OK;
}

tarn_err tarn_state_find(const tarn_model *m, tarn_arena *a, tarn_state_pair **pair, int *n)
{
	tarn_model *copy;
	state_orders orders = {0};
	TRY(tarn_model_clone(m, &copy));
	tarn_err err = tarn_graph_infer(copy->main);
	if (!err)
		err = tarn_state_straighten(copy, a, &orders);
	if (err != TARN_NOMEM) /* what cannot be written in the one form is looked at as it is */
		err = tarn_state_find_here(err ? m : copy, a, pair, n);
	VEC_FINI(&orders);
	tarn_model_unref(copy);
	return err;
}
