/* SPDX-License-Identifier: Apache-2.0 */
/* Can this node run here? Only the driver's compiler knows: the node alone, as a model, is put to it. */
#include <string.h>

#include "base/mem.h"
#include "dev/npu/npu.h"
#include "ir/op.h"
#include "pass/pass.h"

static tarn_err take_input(tarn_graph *g, const tarn_value *v, tarn_value **out)
{
	if (v->konst)
		return tarn_value_const(g, v->name, v->konst, out);
	for (size_t i = 0; i < g->input.len; i++)
		if (!strcmp(g->input.at[i]->name, v->name)) {
			*out = g->input.at[i];
			return TARN_OK;
		}
	return tarn_value_input(g, v->name, v->type, &v->shape, out);
}

/* The node with its inputs as the model's. Attributes are borrowed: the node outlives the copy. */
static tarn_err isolate(const tarn_node *n, tarn_model **out)
{
	tarn_model *m;
	tarn_node *copy;
	tarn_err err;
	TRY(tarn_model_new(&m));
	m->name = "node";
	tarn_graph *g = m->main;
	TRY_GOTO(fail, tarn_node_new(g, n->op, n->name, n->n_in, n->n_out, -1, &copy));
	for (int i = 0; i < n->n_in; i++)
		if (n->in[i])
			TRY_GOTO(fail, take_input(g, n->in[i], &copy->in[i]));
	memcpy(copy->attr, n->attr, (size_t)n->op->n_attr * sizeof *n->attr);
	copy->origin = n->origin;
	for (int i = 0; i < n->n_out; i++) {
		if (!n->out[i])
			continue;
		copy->out[i]->type = n->out[i]->type;
		copy->out[i]->shape = n->out[i]->shape;
		TRY_GOTO(fail, VEC_GROW(&g->output));
		g->output.at[g->output.len++] = copy->out[i];
	}
	*out = m;
	return TARN_OK;
fail:
	tarn_model_unref(m);
	return err;
}

static bool listed(const char *names, size_t size, const char *name)
{
	size_t n = strlen(name);
	for (size_t i = 0; i + n + 2 <= size; i++)
		if (names[i] == '<' && !memcmp(names + i + 1, name, n) && names[i + n + 1] == '>')
			return true;
	return false;
}

static tarn_err ask(const npu_device *d, const tarn_model *m, tarn_str *ir, tarn_str *names)
{
	const ze_graph_dditable_ext_t *graph = d->sys->graph;
	ze_graph_query_network_handle_t q = NULL;
	TRY(tarn_npu_model_bytes(d, m, ir));
	ze_graph_desc_2_t desc = {.stype = ZE_STRUCTURE_TYPE_GRAPH_DESC_PROPERTIES,
				  .format = ZE_GRAPH_FORMAT_NGRAPH_LITE,
				  .inputSize = ir->len,
				  .pInput = (const uint8_t *)ir->at,
				  .pBuildFlags = "--config"};
	ze_result_t r = graph->pfnQueryNetworkCreate2(d->context, d->device, &desc, &q);
	if (r != ZE_RESULT_SUCCESS)
		return tarn_npu_build_error(d, r, "NPU");
	size_t n = 0;
	char *text = NULL;
	r = graph->pfnQueryNetworkGetSupportedLayers(q, &n, NULL);
	if (r == ZE_RESULT_SUCCESS && n && (text = tarn_mem_zalloc(n + 1, 1)))
		r = graph->pfnQueryNetworkGetSupportedLayers(q, &n, text);
	if (r == ZE_RESULT_SUCCESS && text)
		tarn_str_add_n(names, text, n);
	tarn_mem_free(text);
	graph->pfnQueryNetworkDestroy(q);
	TRY(tarn_npu_result(r, "asking the NPU's compiler"));
	return tarn_str_done(names);
}

static bool all_listed(const tarn_model *m, const tarn_str *names, tarn_str *why)
{
	for (size_t i = 0; i < m->main->node.len; i++)
		if (!listed(names->at, names->len, m->main->node.at[i]->name)) {
			tarn_str_addf(why, "the NPU's compiler does not take operator %s here", m->main->node.at[i]->op->name);
			return false;
		}
	return true;
}

bool tarn_npu_supports(const tarn_device *dev, const tarn_node *n, tarn_str *why)
{
	tarn_model *m = NULL;
	tarn_str ir = {0}, names = {0};
	bool yes = false;
	tarn_err err = TARN_OK;
	if (n->n_body) {
		tarn_str_addf(why, "control flow (%s) has no place on the NPU", n->op->name);
		return false;
	}
	for (int i = 0; i < n->n_in; i++)
		if (n->in[i] && !tarn_shape_is_static(&n->in[i]->shape)) {
			tarn_str_addf(why, "'%s' has free dimensions, the NPU takes fixed sizes", n->in[i]->name);
			return false;
		}
	err = isolate(n, &m);
	if (!err)
		err = tarn_pass_standard(m);
	/* What folds away runs nowhere. */
	if (!err && !m->main->node.len)
		yes = true;
	else if (!err)
		err = ask(dev->impl, m, &ir, &names);
	if (!err && !yes)
		yes = all_listed(m, &names, why);
	if (err)
		tarn_str_add(why, tarn_err_text());
	tarn_str_fini(&ir);
	tarn_str_fini(&names);
	tarn_model_unref(m);
	return yes;
}
