/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ir/graph.h"
#include "ir/op.h"

static tarn_err dup_attr(tarn_model *m, const tarn_attr_def *d, const tarn_attr *from, tarn_attr *to)
{
	tarn_arena *a = &m->arena;
	*to = *from;
	if (!from->set)
		return TARN_OK;
	const void *copy = to;
	switch (d->kind) {
	case TARN_ATTR_STRING:
	case TARN_ATTR_STRINGS:
		copy = to->s = tarn_arena_strdup(a, from->s);
		break;
	case TARN_ATTR_INTS:
		copy = to->ints.at = tarn_arena_memdup(a, from->ints.at, (size_t)from->ints.n * sizeof *from->ints.at);
		break;
	case TARN_ATTR_FLOATS:
		copy = to->floats.at = tarn_arena_memdup(a, from->floats.at, (size_t)from->floats.n * sizeof *from->floats.at);
		break;
	case TARN_ATTR_TENSOR:
		copy = to->t = tarn_arena_memdup(a, from->t, sizeof *from->t);
		break;
	default:
		break;
	}
	return copy ? TARN_OK : tarn_err_nomem(sizeof *from);
}

static tarn_err dup_graph(const tarn_graph *g, tarn_graph *c);

static tarn_err dup_value(const tarn_value *v, tarn_graph *c, tarn_value **out)
{
	tarn_arena *a = &c->model->arena;
	tarn_value *w;
	TRY(tarn_value_new(c, v->name, &w));
	w->type = v->type;
	w->shape = v->shape;
	if (v->aliases && !(w->aliases = tarn_arena_strdup(a, v->aliases)))
		return tarn_err_nomem(strlen(v->aliases));
	if (v->spelling && !(w->spelling = tarn_arena_strdup(a, v->spelling)))
		return tarn_err_nomem(strlen(v->spelling));
	if (v->konst && !(w->konst = tarn_arena_memdup(a, v->konst, sizeof *v->konst)))
		return tarn_err_nomem(sizeof *v->konst);
	if (v->known && !(w->known = tarn_arena_memdup(a, v->known, (size_t)v->n_known * sizeof *v->known)))
		return tarn_err_nomem((size_t)v->n_known * sizeof *v->known);
	w->n_known = v->n_known;
	*out = w;
	return TARN_OK;
}

static tarn_err dup_node(const tarn_node *n, tarn_graph *c, tarn_value **map)
{
	tarn_node *k;
	TRY(tarn_node_new(c, n->op, n->name, n->n_in, 0, -1, &k));
	for (int i = 0; i < n->n_in; i++)
		k->in[i] = n->in[i] ? map[n->in[i]->id] : NULL;
	k->n_out = n->n_out;
	k->out = tarn_arena_zalloc(&c->model->arena, (size_t)n->n_out, sizeof *k->out);
	if (!k->out)
		return tarn_err_nomem((size_t)n->n_out * sizeof *k->out);
	for (int i = 0; i < n->n_out; i++) {
		if (!n->out[i])
			continue;
		if (!map[n->out[i]->id])
			TRY(dup_value(n->out[i], c, &map[n->out[i]->id]));
		k->out[i] = map[n->out[i]->id];
		k->out[i]->def = k;
		k->out[i]->def_slot = i;
	}
	for (int i = 0; i < n->op->n_attr; i++)
		TRY(dup_attr(c->model, &n->op->attr[i], &n->attr[i], &k->attr[i]));
	k->n_capture = n->n_capture;
	if (n->origin && !(k->origin = tarn_arena_strdup(&c->model->arena, n->origin)))
		return tarn_err_nomem(strlen(n->origin));
	if (n->spelling && !(k->spelling = tarn_arena_strdup(&c->model->arena, n->spelling)))
		return tarn_err_nomem(strlen(n->spelling));
	for (int b = 0; b < n->n_body; b++) {
		tarn_graph *body;
		TRY(tarn_node_add_body(c, k, &body));
		TRY(dup_graph(n->body[b], body));
	}
	return TARN_OK;
}

static tarn_err dup_graph(const tarn_graph *g, tarn_graph *c)
{
	tarn_arena scratch = {0};
	tarn_err err = TARN_OK;
	tarn_value **map = tarn_arena_zalloc(&scratch, g->value.len + 1, sizeof *map);
	if (!map || !(c->name = tarn_arena_strdup(&c->model->arena, g->name))) {
		err = tarn_err_nomem(g->value.len * sizeof *map);
		goto out;
	}
	if (g->spelling && !(c->spelling = tarn_arena_strdup(&c->model->arena, g->spelling))) {
		err = tarn_err_nomem(strlen(g->spelling));
		goto out;
	}
	TRY_GOTO(out, VEC_RESERVE(&c->input, g->input.len));
	TRY_GOTO(out, VEC_RESERVE(&c->output, g->output.len));
	for (size_t i = 0; i < g->input.len; i++) {
		TRY_GOTO(out, dup_value(g->input.at[i], c, &map[g->input.at[i]->id]));
		c->input.at[c->input.len++] = map[g->input.at[i]->id];
	}
	for (size_t i = 0; i < g->node.len; i++) {
		const tarn_node *n = g->node.at[i];
		for (int k = 0; k < n->n_in; k++) /* constants come when first used */
			if (n->in[k] && !map[n->in[k]->id])
				TRY_GOTO(out, dup_value(n->in[k], c, &map[n->in[k]->id]));
		TRY_GOTO(out, dup_node(n, c, map));
	}
	for (size_t i = 0; i < g->output.len; i++) {
		const tarn_value *v = g->output.at[i];
		if (!map[v->id])
			TRY_GOTO(out, dup_value(v, c, &map[v->id]));
		c->output.at[c->output.len++] = map[v->id];
	}
out:
	tarn_arena_fini(&scratch);
	return err;
}

static tarn_err dup_model(const tarn_model *m, tarn_model *c)
{
	tarn_arena *a = &c->arena;
	if (!(c->name = tarn_arena_strdup(a, m->name)) || !(c->producer = tarn_arena_strdup(a, m->producer)))
		return tarn_err_nomem(strlen(m->name));
	c->onnx_opset = m->onnx_opset;
	c->serial = m->serial;
	TRY(VEC_RESERVE(&c->syms.sym, m->syms.sym.len));
	for (size_t i = 0; i < m->syms.sym.len; i++) {
		tarn_sym s = m->syms.sym.at[i];
		if (s.name && !(s.name = tarn_arena_strdup(a, s.name)))
			return tarn_err_nomem(16);
		c->syms.sym.at[c->syms.sym.len++] = s;
	}
	TRY(VEC_RESERVE(&c->buffer, m->buffer.len));
	for (size_t i = 0; i < m->buffer.len; i++)
		c->buffer.at[c->buffer.len++] = tarn_buffer_ref(m->buffer.at[i]);
	TRY(VEC_RESERVE(&c->meta, m->meta.len));
	for (size_t i = 0; i < m->meta.len; i++) {
		tarn_meta x = {tarn_arena_strdup(a, m->meta.at[i].key), tarn_arena_strdup(a, m->meta.at[i].value)};
		if (!x.key || !x.value)
			return tarn_err_nomem(16);
		c->meta.at[c->meta.len++] = x;
	}
	TRY(dup_graph(m->main, c->main));
	/* The print of the copy is its own: it must not hold where the original's does not. */
	return tarn_model_origin_holds(m) ? tarn_model_set_origin(c, &m->origin) : TARN_OK;
}

tarn_err tarn_model_clone(const tarn_model *m, tarn_model **copy)
{
	tarn_model *c;
	TRY(tarn_model_new(&c));
	tarn_err err = dup_model(m, c);
	if (err != TARN_OK) {
		tarn_model_unref(c);
		return err;
	}
	*copy = c;
	return TARN_OK;
}
