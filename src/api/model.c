/* SPDX-License-Identifier: Apache-2.0 */
#include "tarn/model.h"

#include "api/handles.h"
#include "api/origin.h"
#include "base/mem.h"
#include "ir/op.h"
#include "pass/pass.h"

static tarn_err save(const tarn_model *m, const char *path)
{
	tarn_model *copy;
	if (!m->origin.model && !tarn_origin_stored(m))
		return tarn_model_write(m, path);
	TRY(tarn_model_clone(m, &copy));
	tarn_err err = tarn_origin_put(copy);
	if (err == TARN_OK)
		err = tarn_model_write(copy, path);
	tarn_model_unref(copy);
	return err;
}

ov_status_e tarn_save_model(const ov_model_t *model, const char *path)
{
	NEED(model && path);
	return tarn_status(save(model->m, path));
}

ov_status_e tarn_freeze_model(const ov_model_t *model)
{
	NEED(model);
	return tarn_status(tarn_pass_standard(model->m));
}

static tarn_err dim_name(const ov_output_const_port_t *port, size_t axis, char **out)
{
	tarn_str s = {0};
	if (port->program) {
		const tarn_port *p = port->output ? &port->program->out[port->index] : &port->program->in[port->index];
		CHECK(p->rank < 0 || axis < (size_t)p->rank, TARN_USAGE, "axis %zu out of range for rank %d", axis, p->rank);
		if (p->rank >= 0 && p->lo[axis] == p->hi[axis])
			tarn_str_addf(&s, "%lld", (long long)p->lo[axis]);
		else
			tarn_str_add(&s, "?");
	} else {
		const tarn_graph *g = port->model->main;
		const tarn_shape *shape = port->output ? &g->output.at[port->index]->shape : &g->input.at[port->index]->shape;
		CHECK(axis < (size_t)(shape->rank < 0 ? 0 : shape->rank), TARN_USAGE, "axis %zu out of range for rank %d", axis,
		      shape->rank);
		tarn_dim_print(&s, &port->model->syms, shape->dim[axis]);
	}
	tarn_err err = tarn_str_done(&s);
	if (!err)
		err = tarn_text_out(s.at, out);
	tarn_str_fini(&s);
	return err;
}

ov_status_e tarn_get_dim_name(const ov_output_const_port_t *port, size_t axis, char **name)
{
	NEED(port && name);
	return tarn_status(dim_name(port, axis, name));
}

static tarn_err describe(const tarn_node *n, const tarn_device *d, tarn_node_info *info)
{
	tarn_cost cost;
	*info = (tarn_node_info){.macs = -1, .ops = -1, .supported = true};
	TRY(tarn_text_out(n->name, &info->name));
	TRY(tarn_text_out(n->op->name, &info->type));
	if (n->op->cost && !n->op->cost(n, &cost)) {
		info->macs = cost.macs;
		info->ops = cost.ops;
	}
	if (!d || !d->api->supports)
		return TARN_OK;
	tarn_str why = {0};
	info->supported = d->api->supports(d, n, &why);
	tarn_err err = info->supported ? TARN_OK : tarn_text_out(why.at ? why.at : "the device gives no reason", &info->why);
	tarn_str_fini(&why);
	return err;
}

static tarn_err list_nodes(const ov_core_t *core, const ov_model_t *model, const char *device, tarn_node_list *out)
{
	const tarn_graph *g = model->m->main;
	tarn_device *d = NULL;
	if (device) {
		bool is_auto;
		tarn_str why = {0};
		tarn_err err = tarn_devices_find((struct ov_core *)(uintptr_t)core, device, &d, &is_auto, &why);
		tarn_str_fini(&why);
		if (!err)
			err = tarn_device_open(d);
		if (err)
			return err;
	}
	tarn_node_list list = {tarn_mem_zalloc(g->node.len + 1, sizeof *list.at), g->node.len};
	if (!list.at)
		return tarn_err_nomem(g->node.len * sizeof *list.at);
	tarn_err err = TARN_OK;
	for (size_t i = 0; i < g->node.len && !err; i++)
		err = describe(g->node.at[i], d, &list.at[i]);
	if (err)
		tarn_free_nodes(&list);
	else
		*out = list;
	return err;
}

ov_status_e tarn_list_nodes(const ov_core_t *core, const ov_model_t *model, const char *device, tarn_node_list *nodes)
{
	NEED(core && model && nodes);
	return tarn_status(list_nodes(core, model, device, nodes));
}

void tarn_free_nodes(tarn_node_list *nodes)
{
	if (!nodes)
		return;
	for (size_t i = 0; i < nodes->size; i++) {
		tarn_mem_free(nodes->at[i].name);
		tarn_mem_free(nodes->at[i].type);
		tarn_mem_free(nodes->at[i].why);
	}
	tarn_mem_free(nodes->at);
	*nodes = (tarn_node_list){NULL, 0};
}
