/* SPDX-License-Identifier: Apache-2.0 */
/* Inference over a whole graph: each operator's infer, then its bounds, in topological order. */
#include "ops/ops.h"

static tarn_err infer_graph(tarn_graph *g, tarn_symtab *syms, tarn_arena *arena);

static tarn_err infer_body(tarn_infer *c, tarn_graph *body)
{
	return infer_graph(body, c->syms, c->arena);
}

static tarn_err infer_node(tarn_node *n, tarn_symtab *syms, tarn_arena *arena)
{
	tarn_infer c = {.node = n, .syms = syms, .arena = arena, .infer_body = infer_body};
	for (int i = 0; i < n->n_out; i++)
		tarn_infer_out(&c, i, TARN_DTYPE_NONE, NULL);
	CHECK(n->op->infer, TARN_UNSUPPORTED, "operator %s has no shape inference", n->op->name);
	TRY(n->op->infer(&c));
	return n->op->bounds ? n->op->bounds(&c) : TARN_OK;
}

static tarn_err infer_named(tarn_node *n, tarn_symtab *syms, tarn_arena *arena)
{
	tarn_err err = infer_node(n, syms, arena);
	return err != TARN_OK ? tarn_err_note(err, "in node '%s' (%s)", n->name, n->op->name) : TARN_OK;
}

static tarn_err infer_graph(tarn_graph *g, tarn_symtab *syms, tarn_arena *arena)
{
	for (size_t i = 0; i < g->node.len; i++)
		TRY(infer_named(g->node.at[i], syms, arena));
	return TARN_OK;
}

tarn_err tarn_node_infer(tarn_graph *g, tarn_node *n)
{
	return infer_named(n, &g->model->syms, &g->model->arena);
}

tarn_err tarn_graph_infer(tarn_graph *g)
{
	return infer_graph(g, &g->model->syms, &g->model->arena);
}
