/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Container of compiled models, little-endian:
 *   "TARNBLOB"  u32 version  u32 size of info  u64 size of payload  u64 checksum of all that follows, seeded with the sizes
 *   info: text device, text library version, text model, u32 inputs, u32 outputs, that many ports
 *   zeros, so that what follows begins at a multiple of TARN_ALIGN: a mapped file is used where it lies
 *   payload
 * text: u32 length and bytes. port: text name, text aliases, u32 type, i32 rank, rank times (i64 lo, i64 hi).
 */
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "rt/cache.h"
#include "rt/program.h"

enum { VERSION = 1, HEAD = 32, MAX_PORTS = 65536, MAX_TEXT = 1 << 20 };
static const char magic[8] = {'T', 'A', 'R', 'N', 'B', 'L', 'O', 'B'};

/* A text of this file counts its bytes, without the absent text that base/bytes.h knows. */
static void put_text(tarn_str *s, const char *text)
{
	size_t n = text ? strlen(text) : 0;
	tarn_bytes_put_u32(s, (uint32_t)n);
	tarn_bytes_put(s, text ? text : "", n);
}

static void put_port(tarn_str *s, const tarn_port *p)
{
	put_text(s, p->name);
	put_text(s, p->aliases);
	tarn_bytes_put_u32(s, (uint32_t)p->type);
	tarn_bytes_put_u32(s, (uint32_t)p->rank);
	for (int i = 0; i < p->rank; i++) {
		tarn_bytes_put_u64(s, (uint64_t)p->lo[i]);
		tarn_bytes_put_u64(s, (uint64_t)p->hi[i]);
	}
}

static uint64_t checksum(const uint8_t *info, size_t info_size, const uint8_t *payload, size_t payload_size)
{
	uint64_t seed = info_size * 0x9e3779b97f4a7c15u + payload_size;
	return tarn_hash(payload, payload_size, tarn_hash(info, info_size, seed));
}

static void put_info(const tarn_program *p, tarn_str *s)
{
	put_text(s, p->device->api->name);
	put_text(s, TARN_VERSION);
	put_text(s, p->model->name);
	tarn_bytes_put_u32(s, (uint32_t)p->n_in);
	tarn_bytes_put_u32(s, (uint32_t)p->n_out);
	for (int i = 0; i < p->n_in; i++)
		put_port(s, &p->in[i]);
	for (int i = 0; i < p->n_out; i++)
		put_port(s, &p->out[i]);
	tarn_bytes_pad(s, TARN_ALIGN);
}

/* Weights are large: everything is written where it stays, and the head last. */
tarn_err tarn_blob_pack(tarn_program *p, tarn_str *blob)
{
	CHECK(p->device->api->export_, TARN_UNSUPPORTED, "device %s cannot store compiled models; keep the model itself",
	      p->device->api->name);
	CHECK(!blob->len, TARN_INTERNAL, "a container begins its bytes");
	static const char room[HEAD];
	tarn_bytes_put(blob, room, HEAD);
	put_info(p, blob);
	size_t info = blob->len - HEAD;
	TRY(tarn_str_done(blob));
	TRY(p->device->api->export_(p, blob));
	TRY(tarn_str_done(blob));
	const uint8_t *at = (const uint8_t *)blob->at + HEAD;
	size_t payload = blob->len - HEAD - info;
	tarn_str head = {0};
	tarn_bytes_put(&head, magic, sizeof magic);
	tarn_bytes_put_u32(&head, VERSION);
	tarn_bytes_put_u32(&head, (uint32_t)info);
	tarn_bytes_put_u64(&head, payload);
	tarn_bytes_put_u64(&head, checksum(at, info, at + info, payload));
	tarn_err err = tarn_str_done(&head);
	if (err == TARN_OK)
		memcpy(blob->at, head.at, HEAD);
	tarn_str_fini(&head);
	return err;
}

/* In the arena; "" when broken. */
static const char *get_text(tarn_bytes *r, tarn_arena *a)
{
	uint32_t n = tarn_bytes_get_u32(r);
	const uint8_t *b = n <= MAX_TEXT ? tarn_bytes_get(r, n) : NULL;
	char *s = b ? tarn_arena_strndup(a, (const char *)b, n) : NULL;
	if (!s)
		r->bad = true;
	return s ? s : "";
}

static void get_port(tarn_bytes *r, tarn_arena *a, tarn_port *p)
{
	p->name = get_text(r, a);
	p->aliases = get_text(r, a);
	if (!*p->aliases)
		p->aliases = NULL;
	uint32_t type = tarn_bytes_get_u32(r);
	p->rank = (int32_t)tarn_bytes_get_u32(r);
	r->bad |= type >= TARN_DTYPE_COUNT || p->rank < -1 || p->rank > TARN_MAX_RANK;
	p->type = (tarn_dtype)type;
	for (int i = 0; !r->bad && i < p->rank; i++) {
		p->lo[i] = (int64_t)tarn_bytes_get_u64(r);
		p->hi[i] = (int64_t)tarn_bytes_get_u64(r);
		r->bad |= p->lo[i] < 0 || p->hi[i] < p->lo[i] || p->hi[i] > TARN_DIM_MAX;
	}
}

tarn_err tarn_blob_open(const uint8_t *at, size_t size, tarn_blob *blob)
{
	CHECK(size >= HEAD && !memcmp(at, magic, sizeof magic), TARN_BAD_FILE,
	      "not a compiled model of Tarn; compile the model again");
	tarn_bytes r = {at + sizeof magic, size - sizeof magic, false};
	uint32_t version = tarn_bytes_get_u32(&r), info = tarn_bytes_get_u32(&r);
	uint64_t payload = tarn_bytes_get_u64(&r), sum = tarn_bytes_get_u64(&r);
	CHECK(version == VERSION, TARN_BAD_FILE, "compiled model has format %u, this library reads %d; compile the model again",
	      version, VERSION);
	CHECK(info <= size - HEAD && payload <= size - HEAD - info, TARN_BAD_FILE,
	      "compiled model is truncated; compile the model again");
	blob->info = at + HEAD;
	blob->info_size = info;
	blob->payload = at + HEAD + info;
	blob->payload_size = (size_t)payload;
	CHECK(checksum(blob->info, info, blob->payload, (size_t)payload) == sum, TARN_BAD_FILE,
	      "compiled model is damaged; compile the model again");
	r = (tarn_bytes){blob->info, info, false};
	uint32_t n = tarn_bytes_get_u32(&r);
	const uint8_t *device = n < sizeof blob->device ? tarn_bytes_get(&r, n) : NULL;
	CHECK(device, TARN_BAD_FILE, "compiled model names no device; compile the model again");
	memcpy(blob->device, device, n);
	blob->device[n] = 0;
	return TARN_OK;
}

static void add_text(tarn_bytes *r, tarn_str *s)
{
	uint32_t n = tarn_bytes_get_u32(r);
	const uint8_t *at = n <= MAX_TEXT ? tarn_bytes_get(r, n) : NULL;
	if (at)
		tarn_str_add_n(s, (const char *)at, n);
	else
		r->bad = true;
}

tarn_err tarn_blob_names(const tarn_blob *blob, tarn_str *version, tarn_str *model)
{
	tarn_bytes r = {blob->info, blob->info_size, false};
	(void)tarn_bytes_get(&r, tarn_bytes_get_u32(&r));
	add_text(&r, version);
	add_text(&r, model);
	CHECK(!r.bad, TARN_BAD_FILE, "compiled model has unreadable names; compile it again");
	TRY(tarn_str_done(version));
	return tarn_str_done(model);
}

static void drop_whole(void *whole, void *at, size_t size)
{
	(void)at;
	(void)size;
	tarn_buffer_unref(whole);
}

tarn_err tarn_blob_payload(const tarn_blob *blob, tarn_buffer *whole, tarn_buffer **payload)
{
	TRY(tarn_buffer_wrap((void *)(uintptr_t)blob->payload, blob->payload_size, drop_whole, whole, payload));
	(void)tarn_buffer_ref(whole);
	return TARN_OK;
}

static tarn_err fill_model(const tarn_program *p, const char *name, tarn_model *m)
{
	m->name = tarn_arena_strdup(&m->arena, name);
	if (!m->name)
		return tarn_err_nomem(strlen(name));
	for (int i = 0; i < p->n_in; i++) {
		tarn_shape s = {.rank = p->in[i].rank};
		for (int k = 0; k < s.rank; k++) {
			s.dim[k] = p->in[i].lo[k];
			if (p->in[i].hi[k] != p->in[i].lo[k])
				TRY(tarn_symtab_fresh(&m->syms, p->in[i].lo[k], p->in[i].hi[k], &s.dim[k]));
		}
		tarn_value *v;
		TRY(tarn_value_input(m->main, p->in[i].name, p->in[i].type, &s, &v));
	}
	return TARN_OK;
}

tarn_err tarn_program_strip(tarn_program *p, const char *name)
{
	tarn_model *m;
	TRY(tarn_model_new(&m));
	tarn_err err = fill_model(p, name, m);
	if (err) {
		tarn_model_unref(m);
		return err;
	}
	tarn_model_unref(p->model);
	p->model = m;
	return TARN_OK;
}

tarn_err tarn_program_unpack(tarn_program *p, tarn_buffer *whole)
{
	tarn_blob blob;
	TRY(tarn_blob_open(whole->at, whole->size, &blob));
	CHECK(!strcmp(blob.device, p->device->api->name), TARN_BAD_FILE,
	      "the model was compiled for device %s, not %s; import it there", blob.device, p->device->api->name);
	tarn_bytes r = {blob.info, blob.info_size, false};
	(void)get_text(&r, &p->arena);
	const char *version = get_text(&r, &p->arena);
	CHECK(!strcmp(version, TARN_VERSION), TARN_BAD_FILE, "the model was compiled by Tarn %s, this is %s; compile it again",
	      version, TARN_VERSION);
	const char *name = get_text(&r, &p->arena);
	uint32_t n_in = tarn_bytes_get_u32(&r), n_out = tarn_bytes_get_u32(&r);
	CHECK(!r.bad && n_in <= MAX_PORTS && n_out <= MAX_PORTS, TARN_BAD_FILE,
	      "compiled model has unreadable inputs; compile it again");
	p->n_in = (int)n_in;
	p->n_out = (int)n_out;
	p->in = tarn_arena_zalloc(&p->arena, n_in + 1, sizeof *p->in);
	p->out = tarn_arena_zalloc(&p->arena, n_out + 1, sizeof *p->out);
	if (!p->in || !p->out)
		return tarn_err_nomem((n_in + n_out) * sizeof *p->in);
	for (uint32_t i = 0; i < n_in && !r.bad; i++)
		get_port(&r, &p->arena, &p->in[i]);
	for (uint32_t i = 0; i < n_out && !r.bad; i++)
		get_port(&r, &p->arena, &p->out[i]);
	CHECK(!r.bad, TARN_BAD_FILE, "compiled model has unreadable inputs; compile it again");
	TRY(tarn_program_strip(p, name));
	tarn_buffer *payload;
	TRY(tarn_blob_payload(&blob, whole, &payload));
	tarn_err err = p->device->api->import(p, payload);
	tarn_buffer_unref(payload);
	return err;
}

tarn_err tarn_program_export(tarn_program *p, tarn_str *blob)
{
	return tarn_blob_pack(p, blob);
}
