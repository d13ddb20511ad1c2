/* SPDX-License-Identifier: Apache-2.0 */
/* Operators a device does not have, replaced by what they mean. */
#include "ops/ops.h"
#include "pass/rewrite.h"

/* A decomposition may use operators that decompose in turn; deeper than this is a circle. */
enum { MAX_DEPTH = 8 };

static tarn_err decompose_graph(tarn_graph *g, bool (*keep)(void *, const tarn_node *), void *ctx, int *changed)
{
	size_t n_nodes = g->node.len;
	tarn_arena scratch = {0};
	tarn_err err = TARN_OK;
	/* Decomposing inserts nodes: walk a copy of the list. */
	tarn_node **node = tarn_arena_memdup(&scratch, g->node.at, n_nodes * sizeof *node);
	if (!node && n_nodes)
		err = tarn_err_nomem(n_nodes * sizeof *node);
	for (size_t i = 0; err == TARN_OK && i < n_nodes; i++) {
		tarn_node *n = node[i];
		for (int k = 0; k < n->n_body && err == TARN_OK; k++)
			err = decompose_graph(n->body[k], keep, ctx, changed);
		if (err != TARN_OK || !n->op->decompose || (keep && keep(ctx, n)))
			continue;
		err = tarn_err_note(n->op->decompose(g, n), "in node '%s' (%s)", n->name, n->op->name);
		++*changed;
	}
	tarn_arena_fini(&scratch);
	if (err == TARN_OK)
		err = tarn_graph_sort(g);
	return err;
}

tarn_err tarn_pass_decompose(tarn_model *m, bool (*keep)(void *ctx, const tarn_node *n), void *ctx)
{
	for (int depth = 0; depth < MAX_DEPTH; depth++) {
		int changed = 0;
		TRY(decompose_graph(m->main, keep, ctx, &changed));
		if (!changed)
			return TARN_OK;
		tarn_graph_sweep(m->main);
		TRY(tarn_graph_infer(m->main));
	}
	return TARN_OK;
}
