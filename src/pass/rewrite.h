/* SPDX-License-Identifier: Apache-2.0 */
/* What passes share: walking every graph of a model, and replacing values without losing an output's name. */
#ifndef TARN_PASS_REWRITE_H
#define TARN_PASS_REWRITE_H

#include <string.h>

#include "ir/op.h"
#include "pass/pass.h"

static inline bool tarn_is(const tarn_node *n, const char *op)
{
	return n && strcmp(n->op->name, op) == 0;
}

/* Calls fn on the graph and, first, on the bodies of its nodes. `changed` counts what fn did. */
typedef tarn_err (*tarn_rewrite_fn)(tarn_graph *g, int *changed);

/* Replacements of one round, made when it ends: replacing in place walks the whole graph each time. A round goes through the
 * nodes in their order and resolves each one's inputs first, so that it sees what was replaced before. Outputs of the graph are
 * replaced at once, because of their names. */
typedef struct tarn_swaps {
	tarn_graph *g;
	tarn_value **to; /* by value id */
	size_t n;        /* values there were when the round began */
} tarn_swaps;
TARN_MUST tarn_err tarn_swaps_begin(tarn_graph *g, tarn_arena *a, tarn_swaps *s);
void tarn_swaps_resolve(const tarn_swaps *s, tarn_node *n);
/* `from` is an output of a node that was there when the round began. */
TARN_MUST tarn_err tarn_swaps_put(tarn_swaps *s, tarn_value *from, tarn_value *to);
void tarn_swaps_end(tarn_swaps *s);

/* Every use of `from` becomes `to`; a graph output keeps its name, if need be through an Identity. */
TARN_MUST tarn_err tarn_rewrite_value(tarn_graph *g, tarn_value *from, tarn_value *to);
bool tarn_rewrite_is_output(const tarn_graph *g, const tarn_value *v);

/* One round of each pass over one graph. */
TARN_MUST tarn_err tarn_inline_round(tarn_graph *g, int *changed);
TARN_MUST tarn_err tarn_fold_round(tarn_graph *g, int *changed);
TARN_MUST tarn_err tarn_simplify_round(tarn_graph *g, int *changed);
TARN_MUST tarn_err tarn_affine_round(tarn_graph *g, int *changed);

/* Runs the rounds on every graph until nothing changes, with dead nodes removed, order restored and types inferred anew. */
TARN_MUST tarn_err tarn_rewrite_run(tarn_model *m, const tarn_rewrite_fn *fn, int n);

#endif
