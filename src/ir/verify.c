/* SPDX-License-Identifier: Apache-2.0 */
#include "ir/verify.h"

#include "ir/op.h"

static tarn_err verify_node(const tarn_graph *g, const tarn_node *n, size_t at, const unsigned char *defined)
{
	const tarn_op_def *op = n->op;
	CHECK(n->index == (int)at, TARN_INTERNAL, "node '%s': index %d stands at %zu", n->name, n->index, at);
	int fixed = n->n_in - n->n_capture;
	CHECK(fixed >= op->min_in && (op->max_in < 0 || fixed <= op->max_in), TARN_BAD_FILE,
	      "node '%s' (%s) has %d inputs; it takes %d to %d", n->name, op->name, fixed, op->min_in,
	      op->max_in < 0 ? 1 << 20 : op->max_in);
	CHECK(n->n_out >= op->min_out && (op->max_out < 0 || n->n_out <= op->max_out), TARN_BAD_FILE,
	      "node '%s' (%s) has %d outputs; it gives %d to %d", n->name, op->name, n->n_out, op->min_out,
	      op->max_out < 0 ? 1 << 20 : op->max_out);
	for (int i = 0; i < n->n_in; i++) {
		const tarn_value *v = n->in[i];
		CHECK(v || i >= op->min_in, TARN_BAD_FILE, "node '%s' (%s): input %d is missing", n->name, op->name, i);
		if (!v)
			continue;
		CHECK(v->id < g->value.len && g->value.at[v->id] == v, TARN_BAD_FILE,
		      "node '%s' (%s): input '%s' is of another graph", n->name, op->name, v->name);
		CHECK(v->konst || defined[v->id], TARN_BAD_FILE, "node '%s' (%s): input '%s' is used before it is computed",
		      n->name, op->name, v->name);
	}
	for (int i = 0; i < n->n_out; i++)
		CHECK(!n->out[i] || (n->out[i]->def == n && n->out[i]->def_slot == i && !n->out[i]->konst), TARN_INTERNAL,
		      "node '%s' (%s): output %d does not point back", n->name, op->name, i);
	for (int i = 0; i < op->n_attr; i++)
		CHECK(n->attr[i].set || op->attr[i].presence != TARN_ATTR_REQUIRED, TARN_BAD_FILE,
		      "node '%s' (%s): attribute '%s' is missing", n->name, op->name, op->attr[i].name);
	for (int b = 0; b < n->n_body; b++) {
		CHECK((int)n->body[b]->input.len >= n->n_capture, TARN_INTERNAL, "node '%s' (%s): body %d lacks captures",
		      n->name, op->name, b);
		tarn_err err = tarn_graph_verify(n->body[b]);
		if (err != TARN_OK)
			return tarn_err_note(err, "in a body of node '%s' (%s)", n->name, op->name);
	}
	return TARN_OK;
}

tarn_err tarn_graph_verify(const tarn_graph *g)
{
	tarn_arena scratch = {0};
	tarn_err err = TARN_OK;
	tarn_map names = {0};
	unsigned char *defined = tarn_arena_zalloc(&scratch, g->value.len + 1, 1);
	if (!defined) {
		err = tarn_err_nomem(g->value.len);
		goto out;
	}
	for (size_t i = 0; i < g->input.len; i++) {
		CHECK_GOTO(out, !g->input.at[i]->konst && !g->input.at[i]->def, TARN_INTERNAL, "input '%s' is computed",
			   g->input.at[i]->name);
		defined[g->input.at[i]->id] = 1;
	}
	for (size_t i = 0; i < g->node.len; i++) {
		const tarn_node *n = g->node.at[i];
		CHECK_GOTO(out, !tarn_map_find(&names, n->name), TARN_BAD_FILE, "two nodes are called '%s'", n->name);
		TRY_GOTO(out, tarn_map_put(&names, n->name, (void *)(uintptr_t)n));
		TRY_GOTO(out, verify_node(g, n, i, defined));
		for (int k = 0; k < n->n_out; k++)
			if (n->out[k])
				defined[n->out[k]->id] = 1;
	}
	for (size_t i = 0; i < g->output.len; i++)
		CHECK_GOTO(out, g->output.at[i]->konst || defined[g->output.at[i]->id], TARN_BAD_FILE,
			   "output '%s' is never computed", g->output.at[i]->name);
out:
	tarn_map_fini(&names);
	tarn_arena_fini(&scratch);
	return err;
}
