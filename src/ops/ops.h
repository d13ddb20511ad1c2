/* SPDX-License-Identifier: Apache-2.0 */
/* The operator table. Adding an operator: one file, one word in ops.def. */
#ifndef TARN_OPS_OPS_H
#define TARN_OPS_OPS_H

#include "ir/op.h"

#define OP(word) extern const tarn_op_def tarn_op_##word;
#include "ops/ops.def"
#undef OP

/* All operators, in the order of ops.def; ends with NULL. */
extern const tarn_op_def *const tarn_ops[];
/* By canonical name and ONNX domain ("" or NULL or "ai.onnx": standard); NULL when unknown. */
const tarn_op_def *tarn_op_find(const char *domain, const char *name);

/* Reference evaluation of one node on concrete tensors: infers output shapes, allocates, runs eval (or, without eval, evaluates
 * the decomposition). Errors carry the node's name. `out` holds n->n_out zeroed structs; on success each present output owns
 * its tensor; on failure all are released. `run_body` and ctx are for control flow; NULL: bodies are evaluated by
 * tarn_graph_eval. */
TARN_MUST tarn_err tarn_node_eval(const tarn_node *n, const tarn_tensor *const *in, tarn_tensor *out);
/* The same, with two more freedoms: an out[i] that already has data (type and dims set, buf NULL) receives the result in those
 * bytes, and its shape must be the result's; run_body (NULL: tarn_graph_eval) executes the bodies of control flow, with ctx as
 * e->ctx. */
typedef tarn_err (*tarn_body_fn)(tarn_eval *e, int body, const tarn_tensor *const *in, int n_in, tarn_tensor *out, int n_out);
TARN_MUST tarn_err tarn_node_eval_into(const tarn_node *n, const tarn_tensor *const *in, tarn_tensor *out,
				       tarn_body_fn run_body, void *ctx);
/* The same for a whole graph: inputs in order of graph->input, outputs in order of graph->output. Frees intermediates when
 * their last use is past. `observe` (may be NULL) sees every value once computed, and is called without one
 * (v and t NULL) whenever a body of control flow begins, so that a loop of any length can be left. */
typedef tarn_err (*tarn_observe_fn)(void *ctx, const tarn_value *v, const tarn_tensor *t);
TARN_MUST tarn_err tarn_graph_eval(const tarn_graph *g, const tarn_tensor *const *in, tarn_tensor *out, tarn_observe_fn observe,
				   void *ctx);

/* Types and shapes of every value from the graph inputs' (bodies included). Values keep `konst`. Errors carry the node. */
TARN_MUST tarn_err tarn_graph_infer(tarn_graph *g);
/* Those of one node's outputs, from its inputs'. */
TARN_MUST tarn_err tarn_node_infer(tarn_graph *g, tarn_node *n);

#endif
