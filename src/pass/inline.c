/* SPDX-License-Identifier: Apache-2.0 */
/* If with a constant condition: the nodes of the taken branch move into the graph around it. */
#include "pass/rewrite.h"

/* A value of the body, made anew in the outer graph; `map` by id of the body. */
static tarn_err move_value(tarn_graph *g, const tarn_value *v, tarn_value **map, tarn_value **out)
{
	if (!map[v->id]) {
		tarn_value *w;
		TRY(tarn_value_new(g, v->name, &w));
		w->type = v->type;
		w->shape = v->shape;
		w->konst = v->konst;
		w->known = v->known;
		w->n_known = v->n_known;
		map[v->id] = w;
	}
	*out = map[v->id];
	return TARN_OK;
}

/* Same model, same arena: attributes and bodies are handed over. */
static tarn_err move_node(tarn_graph *g, tarn_node *n, tarn_value **map)
{
	tarn_node *k;
	TRY(tarn_node_new(g, n->op, n->name, n->n_in, 0, -1, &k));
	k->attr = n->attr;
	k->body = n->body;
	k->n_body = n->n_body;
	k->n_capture = n->n_capture;
	k->origin = n->origin;
	k->out = n->out;
	k->n_out = n->n_out;
	for (int i = 0; i < k->n_body; i++)
		k->body[i]->owner = k;
	for (int i = 0; i < n->n_in; i++)
		if (n->in[i])
			TRY(move_value(g, n->in[i], map, &k->in[i]));
	for (int i = 0; i < n->n_out; i++)
		if (n->out[i]) {
			TRY(move_value(g, n->out[i], map, &k->out[i]));
			k->out[i]->def = k;
			k->out[i]->def_slot = i;
		}
	return TARN_OK;
}

static tarn_err splice(tarn_graph *g, tarn_node *n, tarn_graph *body)
{
	tarn_arena scratch = {0};
	tarn_err err = TARN_OK;
	tarn_value **map = tarn_arena_zalloc(&scratch, body->value.len + 1, sizeof *map);
	if (!map) {
		err = tarn_err_nomem(body->value.len * sizeof *map);
		goto out;
	}
	for (size_t i = 0; i < body->input.len; i++)
		map[body->input.at[i]->id] = n->in[n->n_in - n->n_capture + (int)i];
	for (size_t i = 0; i < body->node.len; i++)
		TRY_GOTO(out, move_node(g, body->node.at[i], map));
	for (int i = 0; i < n->n_out; i++) {
		if (!n->out[i])
			continue;
		tarn_value *v;
		TRY_GOTO(out, move_value(g, body->output.at[i], map, &v));
		TRY_GOTO(out, tarn_rewrite_value(g, n->out[i], v));
	}
	n->n_body = 0;
	tarn_graph_remove(g, n);
out:
	tarn_arena_fini(&scratch);
	return err;
}

tarn_err tarn_inline_round(tarn_graph *g, int *changed)
{
	for (size_t i = 0; i < g->node.len; i++) {
		tarn_node *n = g->node.at[i];
		if (!tarn_is(n, "If") || n->n_body != 2 || !n->in[0] || !n->in[0]->konst ||
		    tarn_tensor_count(n->in[0]->konst) != 1)
			continue;
		tarn_graph *body = n->body[tarn_tensor_i64(n->in[0]->konst, 0) ? 0 : 1];
		if (body->input.len != (size_t)n->n_capture || (size_t)n->n_out > body->output.len)
			continue;
		TRY(splice(g, n, body));
		++*changed;
		i--;
	}
	return TARN_OK;
}

tarn_err tarn_pass_inline(tarn_model *m)
{
	static const tarn_rewrite_fn fn[] = {tarn_inline_round};
	return tarn_rewrite_run(m, fn, 1);
}
