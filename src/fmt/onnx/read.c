/* SPDX-License-Identifier: Apache-2.0 */
/* The ONNX reader's entry: bytes -> wire skeleton -> protobuf -> model. */
#include <string.h>

#include "base/mem.h"
#include "fmt/onnx/onnx.h"
#include "fmt/onnx/reader.h"
#include "fmt/onnx/wire.h"
#include "fmt/onnx/writer.h"
#include "ir/verify.h"
#include "ops/ops.h"

/* A ModelProto begins with ir_version (field 1, a small number) in every writer known; otherwise with a field of the right
 * kind. */
static bool probe(const uint8_t *at, size_t n)
{
	if (n < 2)
		return false;
	if (at[0] == 0x08)
		return at[1] > 0 && at[1] < 0x80;
	static const uint8_t begins[] = {0x12, 0x1a, 0x22, 0x3a, 0x42};
	return memchr(begins, at[0], sizeof begins) != NULL;
}

static tarn_err text(onnx_reader *r, const char *from, const char **to)
{
	*to = tarn_arena_strdup(r->arena, onnx_text(from));
	return *to ? TARN_OK : tarn_err_nomem(1);
}

static tarn_err versions_check(onnx_reader *r)
{
	const Onnx__ModelProto *p = r->proto;
	CHECK(p->graph, TARN_BAD_FILE, "it has no graph; not an ONNX model, or damaged");
	CHECK(!p->n_functions, TARN_UNSUPPORTED, "it has functions of its own ('%.100s'), which are not supported; inline them",
	      onnx_text(p->functions[0]->name));
	int64_t opset = 0;
	for (size_t i = 0; i < p->n_opset_import; i++) {
		const char *domain = onnx_text(p->opset_import[i]->domain);
		if (!*domain || strcmp(domain, "ai.onnx") == 0)
			opset = p->opset_import[i]->version;
	}
	CHECK(opset != 0 || !p->graph->n_node || p->n_opset_import, TARN_BAD_FILE,
	      "it does not say its opset; not an ONNX model, or damaged");
	CHECK(opset == 0 || opset >= ONNX_OLDEST_OPSET, TARN_UNSUPPORTED,
	      "opset %lld is not supported, oldest is %d; convert the model", (long long)opset, ONNX_OLDEST_OPSET);
	CHECK(opset <= ONNX_NEWEST_OPSET, TARN_UNSUPPORTED,
	      "opset %lld is not supported, newest is %d; export the model with opset %d", (long long)opset, ONNX_NEWEST_OPSET,
	      ONNX_WRITTEN_OPSET);
	r->model->onnx_opset = (int)opset;
	return TARN_OK;
}

static tarn_err meta_read(onnx_reader *r)
{
	const Onnx__ModelProto *p = r->proto;
	tarn_model *m = r->model;
	TRY(text(r, p->graph->name, &m->name));
	TRY(text(r, p->producer_name, &m->producer));
	m->main->name = m->name;
	for (size_t i = 0; i < p->n_metadata_props; i++) {
		TRY(VEC_GROW(&m->meta));
		tarn_meta e;
		TRY(text(r, p->metadata_props[i]->key, &e.key));
		TRY(text(r, p->metadata_props[i]->value, &e.value));
		m->meta.at[m->meta.len++] = e;
	}
	return TARN_OK;
}

static tarn_err model_read(onnx_reader *r)
{
	TRY(versions_check(r));
	TRY(meta_read(r));
	TRY(onnx_graph_read(r, r->proto->graph, r->model->main));
	for (size_t i = 0; i < r->side.len; i++)
		TRY(tarn_model_keep(r->model, r->side.at[i].buf));
	TRY(tarn_graph_verify(r->model->main));
	return tarn_graph_infer(r->model->main);
}

static tarn_err unpack(const tarn_buffer *file, Onnx__ModelProto **p)
{
	tarn_str bytes = {0};
	tarn_err err = onnx_wire_skeleton(ONNX_WIRE_MODEL, file->at, file->size, &bytes);
	if (err == TARN_OK) {
		*p = onnx__model_proto__unpack(NULL, bytes.len, (const uint8_t *)bytes.at);
		if (!*p)
			err = tarn_err_set(TARN_BAD_FILE, "not an ONNX model, or damaged; get the file again");
	}
	tarn_str_fini(&bytes);
	return err;
}

static tarn_err read_model(tarn_buffer *file, tarn_buffer *side, const char *path, tarn_model **m)
{
	(void)side;
	Onnx__ModelProto *p = NULL;
	tarn_model *made = NULL;
	tarn_err err = unpack(file, &p);
	if (err == TARN_OK)
		err = tarn_model_new(&made);
	if (err == TARN_OK) {
		onnx_reader r = {
			.model = made, .file = file->at, .size = file->size, .path = path, .arena = &made->arena, .proto = p};
		err = model_read(&r);
		for (size_t i = 0; i < r.side.len; i++) {
			tarn_mem_free(r.side.at[i].name);
			tarn_buffer_unref(r.side.at[i].buf);
		}
		VEC_FINI(&r.side);
	}
	if (p)
		onnx__model_proto__free_unpacked(p, NULL);
	if (err != TARN_OK) {
		tarn_model_unref(made);
		return err;
	}
	*m = made;
	return TARN_OK;
}

static const char *const ends[] = {".onnx", NULL};
const tarn_model_format tarn_format_onnx = {
	.name = "ONNX", .ends = ends, .probe = probe, .read = read_model, .write = onnx_model_write};
