/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A compiled model of this device: the optimised graph (ops/serial.h), its constants, and the weights as the kernels packed
 * them (kern/store.h), which stay where they are in the file. Little-endian:
 *   "TARNCPU1"  u64 hash of the library that made it  text instruction-set level  u64 sizes of the three parts
 *   u32 bounded lengths and sizes, see tarn_cpu_valid_save
 *   graph; constants; packed weights: each at a multiple of TARN_ALIGN; TARN_STORE_BEHIND zeros
 * What was packed is not there as a constant: zeros of its size stand for it while the steps are built.
 */
#include "dev/cpu/blob.h"

#include <string.h>

#include "base/mem.h"
#include "base/module.h"
#include "dev/cpu/cpu.h"
#include "dev/cpu/valid.h"
#include "kern/isa.h"
#include "ops/ops.h"
#include "ops/serial.h"

static const char magic[8] = {'T', 'A', 'R', 'N', 'C', 'P', 'U', '1'};
enum { CONSTANT_HERE, CONSTANT_PACKED };

uint64_t tarn_cpu_build_id(void)
{
	return tarn_module_hash((const void *)(uintptr_t)tarn_cpu_build_id);
}

static tarn_err put_constant(void *ctx, tarn_str *out, const tarn_value *v, const tarn_tensor *t)
{
	tarn_str *to = ctx;
	size_t bytes = tarn_tensor_bytes(t);
	bool packed = bytes && !t->data;
	CHECK(!packed || (v && t->type == TARN_F32), TARN_INTERNAL, "a constant without data");
	tarn_bytes_put_u32(out, packed ? CONSTANT_PACKED : CONSTANT_HERE);
	tarn_bytes_put_u64(out, to->len);
	if (!packed)
		tarn_store_put(to, t->data, bytes);
	return TARN_OK;
}

static tarn_err put_parts(const tarn_packs *packs, tarn_str *graph, tarn_str *constants, uint64_t size[3], tarn_str *out)
{
	tarn_bytes_pad(graph, TARN_ALIGN);
	TRY(tarn_str_done(graph));
	TRY(tarn_str_done(constants));
	tarn_bytes_pad(out, TARN_ALIGN);
	tarn_bytes_put(out, graph->at, graph->len);
	tarn_bytes_put(out, constants->at, constants->len);
	size[0] = graph->len;
	size[1] = constants->len;
	size[2] = out->len;
	tarn_packs_save(packs, out);
	size[2] = out->len - size[2];
	static const char zeros[TARN_STORE_BEHIND];
	tarn_bytes_put(out, zeros, sizeof zeros);
	return tarn_str_done(out);
}

tarn_err tarn_cpu_blob_write(const tarn_model *m, const cpu_valid *valid, const tarn_packs *packs, tarn_str *out)
{
	tarn_str graph = {0}, constants = {0}, sizes = {0};
	const tarn_serial s = {.put = put_constant, .ctx = &constants};
	uint64_t size[3] = {0};
	tarn_bytes_put(out, magic, sizeof magic);
	tarn_bytes_put_u64(out, tarn_cpu_build_id());
	tarn_bytes_put_text(out, tarn_isa_name(tarn_isa_get()));
	size_t sizes_at = out->len;
	tarn_bytes_put(out, size, sizeof size);
	tarn_cpu_valid_save(valid, out);
	tarn_err err;
	TRY_GOTO(done, tarn_serial_write(&s, m, &graph));
	TRY_GOTO(done, put_parts(packs, &graph, &constants, size, out));
	for (int i = 0; i < 3; i++)
		tarn_bytes_put_u64(&sizes, size[i]);
	TRY_GOTO(done, tarn_str_done(&sizes));
	memcpy(out->at + sizes_at, sizes.at, sizes.len);
done:
	tarn_str_fini(&graph);
	tarn_str_fini(&constants);
	tarn_str_fini(&sizes);
	return err;
}

typedef struct sections {
	tarn_bytes graph;
	const uint8_t *constants;
	uint64_t constants_size;
	tarn_store packed;
	tarn_model *model;
} sections;

static void free_zeros(void *ctx, void *at, size_t size)
{
	(void)ctx;
	(void)size;
	tarn_mem_free(at);
}

/* Pages that nobody touches. */
static tarn_err zeros(const sections *s, tarn_tensor *t)
{
	size_t bytes = tarn_tensor_bytes(t);
	CHECK(t->type == TARN_F32 && bytes <= s->packed.left, TARN_BAD_FILE,
	      "compiled model: packed weights are missing; compile it again");
	void *at = tarn_mem_zalloc(1, bytes + TARN_STORE_BEHIND);
	if (!at)
		return tarn_err_nomem(bytes);
	tarn_buffer *b;
	tarn_err err = tarn_buffer_wrap(at, bytes, free_zeros, NULL, &b);
	if (err != TARN_OK) {
		tarn_mem_free(at);
		return err;
	}
	t->data = at;
	t->buf = b;
	return TARN_OK;
}

static tarn_err get_constant(void *ctx, tarn_bytes *in, tarn_tensor *t)
{
	const sections *s = ctx;
	uint32_t where = tarn_bytes_get_u32(in);
	uint64_t at = tarn_bytes_get_u64(in);
	size_t bytes;
	if (!in->bad && where == CONSTANT_PACKED)
		return zeros(s, t);
	bool fits = !in->bad && where == CONSTANT_HERE && at % TARN_ALIGN == 0 && at <= s->constants_size &&
		    tarn_dtype_bytes(t->type, (size_t)tarn_tensor_count(t), &bytes) && bytes <= s->constants_size - at;
	CHECK(fits, TARN_BAD_FILE, "compiled model: a constant lies outside; compile it again");
	t->data = (void *)(uintptr_t)(s->constants + at);
	return TARN_OK;
}

/* Of a part: its bytes, which begin at the next multiple of TARN_ALIGN. */
static const uint8_t *section(tarn_bytes *in, uint64_t size)
{
	(void)tarn_bytes_get(in, (TARN_ALIGN - (uintptr_t)in->at % TARN_ALIGN) % TARN_ALIGN);
	return size <= in->left ? tarn_bytes_get(in, (size_t)size) : NULL;
}

static tarn_err open_sections(const tarn_buffer *b, tarn_arena *a, cpu_valid **valid, sections *s)
{
	tarn_bytes in = {b->at, b->size, false};
	const void *word = tarn_bytes_get(&in, sizeof magic);
	uint64_t build = tarn_bytes_get_u64(&in), size[3];
	const char *isa = tarn_bytes_get_text(&in, a), *mine = tarn_isa_name(tarn_isa_get());
	CHECK(word && !memcmp(word, magic, sizeof magic) && isa, TARN_BAD_FILE,
	      "these bytes are no model compiled for device CPU");
	CHECK(build == tarn_cpu_build_id(), TARN_BAD_FILE,
	      "the model was compiled by another build of this library; compile it again");
	CHECK(!strcmp(isa, mine), TARN_BAD_FILE, "the model was compiled for %s, this processor runs %s; compile it again", isa,
	      mine);
	for (int i = 0; i < 3; i++)
		size[i] = tarn_bytes_get_u64(&in);
	TRY(tarn_cpu_valid_open(&in, valid));
	s->graph.at = section(&in, size[0]);
	s->graph.left = (size_t)size[0];
	s->constants = section(&in, size[1]);
	s->constants_size = size[1];
	s->packed.at = section(&in, size[2]);
	s->packed.left = (size_t)size[2];
	CHECK(s->graph.at && s->constants && s->packed.at && in.left >= TARN_STORE_BEHIND, TARN_BAD_FILE,
	      "compiled model is cut off; compile it again");
	return TARN_OK;
}

/* The same bytes, where kernels can read them. */
static tarn_err align(tarn_buffer *blob, tarn_buffer **aligned)
{
	if ((uintptr_t)blob->at % TARN_ALIGN == 0) {
		*aligned = tarn_buffer_ref(blob);
		return TARN_OK;
	}
	TRY(tarn_buffer_new(blob->size, aligned));
	memcpy((*aligned)->at, blob->at, blob->size);
	return TARN_OK;
}

tarn_err tarn_cpu_blob_read(tarn_buffer *blob, cpu_blob *out)
{
	tarn_arena scratch = {0};
	sections s = {0};
	cpu_blob b = {0};
	tarn_err err;
	TRY_GOTO(fail, align(blob, &b.bytes));
	TRY_GOTO(fail, open_sections(b.bytes, &scratch, &b.valid, &s));
	TRY_GOTO(fail, tarn_model_new(&b.model));
	const tarn_serial serial = {.get = get_constant, .ctx = &s};
	TRY_GOTO(fail, tarn_model_keep(b.model, b.bytes));
	TRY_GOTO(fail, tarn_serial_read(&serial, &s.graph, b.model));
	TRY_GOTO(fail, tarn_graph_infer(b.model->main));
	b.packed = s.packed;
	tarn_arena_fini(&scratch);
	*out = b;
	return TARN_OK;
fail:
	tarn_arena_fini(&scratch);
	tarn_cpu_valid_free(b.valid);
	tarn_model_unref(b.model);
	tarn_buffer_unref(b.bytes);
	return err;
}
