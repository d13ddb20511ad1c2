/* SPDX-License-Identifier: Apache-2.0 */
/* Element types of inputs and outputs, changed by a Cast behind or before them. */
#include "api/handles.h"
#include "ops/ops.h"
#include "tarn/model.h"

static void swap_names(tarn_value *a, tarn_value *b)
{
	const char *name = a->name, *aliases = a->aliases;
	a->name = b->name;
	a->aliases = b->aliases;
	b->name = name;
	b->aliases = aliases;
}

static tarn_err make_cast(tarn_graph *g, const tarn_value *of, int at, tarn_dtype to, tarn_node **n)
{
	const tarn_op_def *cast = tarn_op_find(NULL, "Cast");
	CHECK(cast, TARN_INTERNAL, "operator Cast is missing");
	TRY(tarn_node_new(g, cast, of->name, 1, 1, at, n));
	return tarn_attr_set_i(*n, tarn_attr_index(cast, "to"), to);
}

static tarn_err set_input(tarn_graph *g, size_t i, tarn_dtype type)
{
	tarn_value *old = g->input.at[i], *fresh;
	tarn_node *n;
	for (size_t k = 0; k < g->output.len; k++)
		CHECK(g->output.at[k] != old, TARN_UNSUPPORTED, "input '%s' is an output, too; its element type stays",
		      old->name);
	TRY(tarn_value_input(g, NULL, type, &old->shape, &fresh));
	g->input.len--;
	g->input.at[i] = fresh;
	tarn_err err = make_cast(g, old, 0, old->type, &n);
	if (err) {
		g->input.at[i] = old;
		return err;
	}
	n->in[0] = fresh;
	swap_names(old, fresh);
	for (size_t k = 0; k < g->node.len; k++)
		for (int s = 0; s < g->node.at[k]->n_in; s++)
			if (g->node.at[k]->in[s] == old)
				g->node.at[k]->in[s] = n->out[0];
	return TARN_OK;
}

static tarn_err set_output(tarn_graph *g, size_t i, tarn_dtype type)
{
	tarn_value *old = g->output.at[i];
	tarn_node *n;
	/* A graph input keeps its name, so an output that is one would need two. */
	CHECK(old->def, TARN_UNSUPPORTED, "output '%s' is not computed; its element type stays", old->name);
	TRY(make_cast(g, old, -1, type, &n));
	n->in[0] = old;
	swap_names(old, n->out[0]);
	g->output.at[i] = n->out[0];
	return TARN_OK;
}

tarn_err tarn_port_retype(tarn_model *m, bool output, size_t i, tarn_dtype to)
{
	tarn_graph *g = m->main;
	size_t n = output ? g->output.len : g->input.len;
	CHECK(i < n, TARN_NOT_FOUND, "there is no %s %zu, there are %zu", output ? "output" : "input", i, n);
	const tarn_value *v = output ? g->output.at[i] : g->input.at[i];
	if (v->type == to)
		return TARN_OK;
	CHECK(v->type != TARN_STRING && to != TARN_STRING, TARN_TYPE, "'%s' is %s, which does not become %s; give another type",
	      v->name, tarn_dtype_info(v->type)->word, tarn_dtype_info(to)->word);
	TRY(output ? set_output(g, i, to) : set_input(g, i, to));
	TRY(tarn_graph_sort(g));
	return tarn_graph_infer(g);
}

ov_status_e tarn_set_port_type(const ov_model_t *model, bool output, size_t index, ov_element_type_e type)
{
	NEED(model);
	tarn_dtype to;
	tarn_err err = tarn_dtype_of_ov(type, &to);
	return tarn_status(err ? err : tarn_port_retype(model->m, output, index, to));
}
