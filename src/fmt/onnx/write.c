/* SPDX-License-Identifier: Apache-2.0 */
/* The ONNX writer's entry: model -> messages -> file, with large weights beside it when they do not fit into one message. */
#include <string.h>

#include "base/mem.h"
#include "fmt/onnx/onnx.h"
#include "fmt/onnx/writer.h"
#include "ops/ops.h"

/* Protobuf messages end at 2 GiB; the rest is for everything that is not weights. */
#define INLINE_LIMIT ((uint64_t)1900 << 20)
enum { MAX_DECOMPOSE = 8 };

static uint64_t weights_of(const tarn_graph *g)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < g->value.len; i++)
		if (g->value.at[i]->konst)
			sum += tarn_tensor_bytes(g->value.at[i]->konst);
	for (size_t i = 0; i < g->node.len; i++)
		for (int k = 0; k < g->node.at[i]->n_body; k++)
			sum += weights_of(g->node.at[i]->body[k]);
	return sum;
}

static bool writable(const tarn_graph *g)
{
	for (size_t i = 0; i < g->node.len; i++) {
		if (!onnx_node_has_form(g->node.at[i]))
			return false;
		for (int k = 0; k < g->node.at[i]->n_body; k++)
			if (!writable(g->node.at[i]->body[k]))
				return false;
	}
	return true;
}

static tarn_err decompose_graph(tarn_graph *g)
{
	for (size_t i = 0; i < g->node.len; i++)
		for (int k = 0; k < g->node.at[i]->n_body; k++)
			TRY(decompose_graph(g->node.at[i]->body[k]));
	tarn_arena scratch = {0};
	size_t n = g->node.len;
	tarn_node **node = tarn_arena_memdup(&scratch, g->node.at, n * sizeof *node);
	tarn_err err = node || !n ? TARN_OK : tarn_err_nomem(n * sizeof *node);
	for (size_t i = 0; err == TARN_OK && i < n; i++)
		if (!onnx_node_has_form(node[i]) && node[i]->op->decompose)
			err = tarn_err_note(node[i]->op->decompose(g, node[i]), "in node '%s' (%s)", node[i]->name,
					    node[i]->op->name);
	tarn_arena_fini(&scratch);
	if (err == TARN_OK)
		err = tarn_graph_sort(g);
	return err;
}

/* A copy in which every operator has an ONNX form, as far as decompositions go. */
static tarn_err with_forms(const tarn_model *m, tarn_model **copy)
{
	TRY(tarn_model_clone(m, copy));
	tarn_err err = TARN_OK;
	for (int i = 0; err == TARN_OK && i < MAX_DECOMPOSE && !writable((*copy)->main); i++) {
		err = decompose_graph((*copy)->main);
		tarn_graph_sweep((*copy)->main);
		if (err == TARN_OK)
			err = tarn_graph_infer((*copy)->main);
	}
	if (err != TARN_OK)
		tarn_model_unref(*copy);
	return err;
}

static tarn_err opsets_build(onnx_writer *w, Onnx__ModelProto *p)
{
	p->n_opset_import = w->domain.len + 1;
	p->opset_import = onnx_new(w, p->n_opset_import, sizeof *p->opset_import);
	Onnx__OperatorSetIdProto *o = onnx_new(w, p->n_opset_import, sizeof *o);
	if (!p->opset_import || !o)
		return tarn_err_nomem(p->n_opset_import * sizeof *o);
	for (size_t i = 0; i < p->n_opset_import; i++) {
		onnx__operator_set_id_proto__init(&o[i]);
		o[i].domain = onnx_word(i ? w->domain.at[i - 1] : "");
		o[i].has_version = 1;
		o[i].version = i ? 1 : w->opset;
		p->opset_import[i] = &o[i];
	}
	return TARN_OK;
}

static tarn_err meta_build(onnx_writer *w, Onnx__ModelProto *p)
{
	const tarn_model *m = w->model;
	p->metadata_props = onnx_new(w, m->meta.len, sizeof *p->metadata_props);
	Onnx__StringStringEntryProto *e = onnx_new(w, m->meta.len, sizeof *e);
	if (!p->metadata_props || !e)
		return tarn_err_nomem(m->meta.len * sizeof *e);
	for (size_t i = 0; i < m->meta.len; i++) {
		onnx__string_string_entry_proto__init(&e[i]);
		e[i].key = onnx_word(m->meta.at[i].key);
		e[i].value = onnx_word(m->meta.at[i].value);
		p->metadata_props[i] = &e[i];
	}
	p->n_metadata_props = m->meta.len;
	return TARN_OK;
}

static tarn_err model_build(onnx_writer *w, Onnx__ModelProto *p)
{
	onnx__model_proto__init(p);
	p->has_ir_version = 1;
	p->ir_version = w->opset == ONNX_WRITTEN_OPSET ? 8 : 10;
	p->producer_name = onnx_word(w->model->producer && *w->model->producer ? w->model->producer : "tarn");
	TRY(onnx_graph_build(w, w->model->main, &p->graph));
	TRY(opsets_build(w, p));
	return meta_build(w, p);
}

static tarn_err pack(const Onnx__ModelProto *p, uint8_t **bytes, size_t *size)
{
	*size = onnx__model_proto__get_packed_size(p);
	CHECK(*size <= INT32_MAX, TARN_UNSUPPORTED, "the model needs %zu bytes, more than an ONNX file can have", *size);
	*bytes = tarn_mem_alloc(*size ? *size : 1);
	if (!*bytes)
		return tarn_err_nomem(*size);
	onnx__model_proto__pack(p, *bytes);
	return TARN_OK;
}

static tarn_err pack_and_stage(const Onnx__ModelProto *p, const char *path, tarn_file_staged *staged)
{
	uint8_t *bytes = NULL;
	size_t size = 0;
	TRY(pack(p, &bytes, &size));
	tarn_err err = tarn_file_stage(path, &(tarn_file_piece){bytes, size}, 1, staged);
	tarn_mem_free(bytes);
	return err;
}

static tarn_err side_stage(const onnx_writer *w, const char *path, tarn_file_staged *staged)
{
	tarn_str s = {0};
	tarn_str_addf(&s, "%s.data", path);
	tarn_err err = tarn_str_done(&s);
	if (err == TARN_OK)
		err = tarn_file_stage(s.at, w->side_piece.at, w->side_piece.len, staged);
	tarn_str_fini(&s);
	return err;
}

tarn_err tarn_onnx_write_limit(const tarn_model *m, const char *path, uint64_t limit)
{
	tarn_model *copy = NULL;
	if (!writable(m->main))
		TRY(with_forms(m, &copy));
	onnx_writer w = {.model = copy ? copy : m};
	w.opset = onnx_opset_for(w.model->main);
	Onnx__ModelProto p;
	tarn_err err = TARN_OK;
	if (weights_of(w.model->main) > limit) {
		const char *slash = strrchr(path, '/');
		w.side_name = tarn_arena_printf(&w.arena, "%s.data", slash ? slash + 1 : path);
		if (!w.side_name)
			err = tarn_err_nomem(strlen(path));
	}
	if (err == TARN_OK)
		err = model_build(&w, &p);
	/* Both or none. */
	tarn_file_staged side = {0}, whole = {0};
	if (err == TARN_OK && w.side_name && w.side_piece.len)
		err = side_stage(&w, path, &side);
	if (err == TARN_OK)
		err = pack_and_stage(&p, path, &whole);
	if (err == TARN_OK && side.path)
		err = tarn_file_commit(&side);
	if (err == TARN_OK)
		err = tarn_file_commit(&whole);
	tarn_file_discard(&side);
	tarn_file_discard(&whole);
	VEC_FINI(&w.side_piece);
	VEC_FINI(&w.domain);
	tarn_arena_fini(&w.arena);
	tarn_model_unref(copy);
	return err;
}

static void release_bytes(void *ctx, void *at, size_t size)
{
	(void)ctx;
	(void)size;
	tarn_mem_free(at);
}

tarn_err tarn_onnx_pack(const tarn_model *m, tarn_buffer **out)
{
	tarn_model *copy = NULL;
	if (!writable(m->main))
		TRY(with_forms(m, &copy));
	onnx_writer w = {.model = copy ? copy : m};
	w.opset = onnx_opset_for(w.model->main);
	Onnx__ModelProto p;
	uint8_t *bytes = NULL;
	size_t size = 0;
	tarn_err err = model_build(&w, &p);
	if (err == TARN_OK)
		err = pack(&p, &bytes, &size);
	if (err == TARN_OK)
		err = tarn_buffer_wrap(bytes, size, release_bytes, NULL, out);
	if (err != TARN_OK)
		tarn_mem_free(bytes);
	VEC_FINI(&w.domain);
	tarn_arena_fini(&w.arena);
	tarn_model_unref(copy);
	return err;
}

tarn_err onnx_model_write(const tarn_model *m, const char *path)
{
	return tarn_onnx_write_limit(m, path, INLINE_LIMIT);
}
