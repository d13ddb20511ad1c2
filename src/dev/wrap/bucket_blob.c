/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiled models of several buckets in one file, with one copy of what they share. Little-endian:
 *   "TARNBKTS"  u32 version  u32 size of the description  description  parts (base/dedup.h): the inner programs' own files
 *   description: u32 symbols, each (u32 op, i64 a, i64 b, i64 lo, i64 hi, text name); shapes of inputs, then of outputs (i32
 *   rank, rank times i64); u32 dimensions, each (i64 symbol, text name, u32 sizes, that many i64); by bucket and dimension u32:
 *   the input of the valid length, or -1
 * text: u32 length and bytes. How many inputs and outputs there are says the container around it.
 */
#include <string.h>

#include "base/dedup.h"
#include "dev/wrap/bucket_program.h"
#include "rt/cache.h"
#include "rt/program.h"

enum { VERSION = 1, HEAD = 16, MAX_SYMBOLS = 65536, MAX_NAME = 4096, MAX_WALK = 4096 };
static const char magic[8] = {'T', 'A', 'R', 'N', 'B', 'K', 'T', 'S'};

/* ---- writing ---- */

static void put_u32(tarn_str *s, uint32_t v)
{
	tarn_str_add_n(s, (const char *)&(uint8_t[4]){(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)},
		       4);
}

static void put_i64(tarn_str *s, int64_t v)
{
	put_u32(s, (uint32_t)((uint64_t)v & 0xffffffffu));
	put_u32(s, (uint32_t)((uint64_t)v >> 32));
}

static void put_text(tarn_str *s, const char *text)
{
	size_t n = text ? strlen(text) : 0;
	put_u32(s, (uint32_t)n);
	tarn_str_add_n(s, text ? text : "", n);
}

static void put_shapes(tarn_str *s, const tarn_shape *shape, int n)
{
	for (int i = 0; i < n; i++) {
		put_u32(s, (uint32_t)shape[i].rank);
		for (int k = 0; k < shape[i].rank; k++)
			put_i64(s, shape[i].dim[k]);
	}
}

static tarn_err describe(const tarn_program *p, tarn_str *s)
{
	const bucket_program *x = p->impl;
	put_u32(s, (uint32_t)x->syms.sym.len);
	for (size_t i = 0; i < x->syms.sym.len; i++) {
		const tarn_sym *y = &x->syms.sym.at[i];
		put_u32(s, y->op);
		put_i64(s, y->a);
		put_i64(s, y->b);
		put_i64(s, y->lo);
		put_i64(s, y->hi);
		put_text(s, y->name);
	}
	put_shapes(s, x->in, p->n_in);
	put_shapes(s, x->out, p->n_out);
	put_u32(s, (uint32_t)x->n_dim);
	for (int i = 0; i < x->n_dim; i++) {
		put_i64(s, x->dim[i].sym);
		put_text(s, x->dim[i].name);
		put_u32(s, (uint32_t)x->dim[i].n);
		for (int k = 0; k < x->dim[i].n; k++)
			put_i64(s, x->dim[i].size[k]);
	}
	for (int i = 0; i < x->n; i++)
		for (int k = 0; k < x->n_dim; k++)
			put_u32(s, (uint32_t)x->at[i].length[k]);
	return tarn_str_done(s);
}

static tarn_err add_programs(const bucket_program *x, tarn_dedup *parts)
{
	tarn_err err = TARN_OK;
	for (int i = 0; i < x->n && !err; i++) {
		tarn_str one = {0};
		err = tarn_program_export(x->at[i].p, &one);
		if (!err)
			err = tarn_dedup_add(parts, one.at, one.len);
		tarn_str_fini(&one);
	}
	return err;
}

tarn_err tarn_bucket_export(tarn_program *p, tarn_str *blob)
{
	tarn_str description = {0};
	tarn_dedup parts = {0};
	tarn_err err;
	TRY_GOTO(done, describe(p, &description));
	TRY_GOTO(done, add_programs(p->impl, &parts));
	tarn_str_add_n(blob, magic, sizeof magic);
	put_u32(blob, VERSION);
	put_u32(blob, (uint32_t)description.len);
	tarn_str_add_n(blob, description.at, description.len);
	err = tarn_dedup_write(&parts, blob);
done:
	tarn_str_fini(&description);
	tarn_dedup_fini(&parts);
	return err;
}

/* ---- reading: after the first step past the end everything is 0 and `ok` false ---- */

typedef struct reader {
	const uint8_t *at, *end;
	bool ok;
} reader;

static uint32_t get_u32(reader *r)
{
	if (!r->ok || r->end - r->at < 4) {
		r->ok = false;
		return 0;
	}
	const uint8_t *b = r->at;
	r->at += 4;
	return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static int64_t get_i64(reader *r)
{
	uint64_t lo = get_u32(r);
	return (int64_t)(lo | (uint64_t)get_u32(r) << 32);
}

/* NULL when empty. */
static const char *get_text(reader *r, tarn_arena *a)
{
	uint32_t n = get_u32(r);
	if (!n || n > MAX_NAME || (size_t)(r->end - r->at) < n) {
		r->ok = r->ok && !n;
		return NULL;
	}
	const char *s = tarn_arena_strndup(a, (const char *)r->at, n);
	r->at += n;
	r->ok = r->ok && s;
	return s;
}

/* Operands stand before what is made of them, so that nothing refers to itself. */
static bool is_operand(int64_t d, size_t before)
{
	return d >= 0 ? d <= TARN_DIM_MAX : d >= -(int64_t)before;
}

/* A size is computed by walking through its operands: that must be short, and so must not go deep. */
static bool is_short_walk(const tarn_sym *s, uint32_t *walk, size_t i)
{
	walk[i] = 1;
	if (s->op == TARN_SYM_NAMED)
		return true;
	walk[i] += s->a < 0 ? walk[-(s->a + 1)] : 0;
	walk[i] += s->b < 0 ? walk[-(s->b + 1)] : 0;
	return walk[i] <= MAX_WALK;
}

static tarn_err get_symbols(reader *r, tarn_program *p, bucket_program *x)
{
	uint32_t n = get_u32(r);
	CHECK(r->ok && n <= MAX_SYMBOLS, TARN_BAD_FILE, "compiled model has damaged dimensions; compile it again");
	uint32_t *walk = tarn_arena_zalloc(&p->arena, (size_t)n + 1, sizeof *walk);
	if (!walk)
		return tarn_err_nomem((size_t)n * sizeof *walk);
	x->syms.arena = &p->arena;
	TRY(VEC_RESERVE(&x->syms.sym, (size_t)n + 1));
	for (uint32_t i = 0; i < n; i++) {
		tarn_sym s = {.op = get_u32(r)};
		s.a = get_i64(r);
		s.b = get_i64(r);
		s.lo = get_i64(r);
		s.hi = get_i64(r);
		s.name = get_text(r, &p->arena);
		CHECK(r->ok && s.op <= TARN_SYM_MAX && (s.op == TARN_SYM_NAMED || (is_operand(s.a, i) && is_operand(s.b, i))) &&
			      s.lo >= 0 && s.hi >= s.lo && s.hi <= TARN_DIM_MAX && is_short_walk(&s, walk, i),
		      TARN_BAD_FILE, "compiled model has damaged dimensions; compile it again");
		x->syms.sym.at[x->syms.sym.len++] = s;
	}
	return TARN_OK;
}

static tarn_err get_shapes(reader *r, tarn_program *p, const bucket_program *x, const tarn_port *port, int n, tarn_shape **out)
{
	tarn_shape *shape = *out = tarn_arena_zalloc(&p->arena, (size_t)n + 1, sizeof *shape);
	if (!shape)
		return tarn_err_nomem((size_t)n * sizeof *shape);
	for (int i = 0; i < n; i++) {
		shape[i].rank = (int32_t)get_u32(r);
		CHECK(r->ok && shape[i].rank == port[i].rank, TARN_BAD_FILE,
		      "compiled model has damaged shapes; compile it again");
		for (int k = 0; k < shape[i].rank; k++) {
			shape[i].dim[k] = get_i64(r);
			CHECK(is_operand(shape[i].dim[k], x->syms.sym.len), TARN_BAD_FILE,
			      "compiled model has damaged shapes; compile it again");
		}
	}
	return TARN_OK;
}

static tarn_err get_dims(reader *r, tarn_program *p, bucket_program *x)
{
	uint32_t n = get_u32(r);
	x->n = 1;
	for (uint32_t i = 0; i < n && n <= TARN_BUCKET_DIMS; i++) {
		bucket_dim *d = &x->dim[x->n_dim++];
		d->sym = get_i64(r);
		d->name = get_text(r, &p->arena);
		uint32_t sizes = get_u32(r);
		bool fits = r->ok && d->name && d->sym < 0 && is_operand(d->sym, x->syms.sym.len) &&
			    tarn_sym_get(&x->syms, d->sym)->op == TARN_SYM_NAMED && sizes && sizes <= TARN_BUCKET_SIZES;
		for (uint32_t k = 0; fits && k < sizes; k++) {
			d->size[d->n++] = get_i64(r);
			fits = d->size[k] > (k ? d->size[k - 1] : 0) && d->size[k] <= TARN_DIM_MAX;
		}
		x->n = fits ? x->n * d->n : 0;
		CHECK(x->n && x->n <= TARN_BUCKET_PROGRAMS, TARN_BAD_FILE,
		      "compiled model has damaged buckets; compile it again");
	}
	CHECK(r->ok && n == (uint32_t)x->n_dim, TARN_BAD_FILE, "compiled model has damaged buckets; compile it again");
	return TARN_OK;
}

static tarn_err get_lengths(reader *r, tarn_program *p, bucket_program *x)
{
	x->at = tarn_arena_zalloc(&p->arena, (size_t)x->n, sizeof *x->at);
	if (!x->at)
		return tarn_err_nomem((size_t)x->n * sizeof *x->at);
	for (int i = 0; i < x->n; i++)
		for (int k = 0; k < x->n_dim; k++)
			x->at[i].length[k] = (int32_t)get_u32(r);
	CHECK(r->ok, TARN_BAD_FILE, "compiled model is truncated; compile it again");
	return TARN_OK;
}

/* Each inner input has the type of the outer one and the size its bucket promises, and the lengths are inputs of their own. */
static tarn_err check_inner(const tarn_program *p, const bucket_program *x, int i)
{
	const bucket_inner *b = &x->at[i];
	int64_t size[TARN_BUCKET_DIMS] = {0};
	tarn_bucket_sizes(x, i, size);
	bool fits = true;
	for (int in = 0; in < p->n_in; in++)
		fits = fits && b->p->in[b->in[in]].type == p->in[in].type;
	for (int k = 0; k < x->n_dim; k++) {
		int length = b->length[k];
		fits = fits && length >= -1 && length < b->p->n_in &&
		       (length < 0 || (b->p->in[length].type == TARN_I64 && tarn_port_is_static(&b->p->in[length])));
		for (int in = 0; fits && in < p->n_in; in++) {
			fits = b->in[in] != length;
			for (int a = 0; fits && a < x->in[in].rank; a++)
				fits = x->in[in].dim[a] != x->dim[k].sym || b->p->in[b->in[in]].lo[a] == size[k];
		}
	}
	CHECK(fits, TARN_BAD_FILE, "compiled model has damaged buckets; compile it again");
	return TARN_OK;
}

static tarn_err get_program(tarn_program *p, bucket_program *x, const tarn_dedup_view *parts, int i)
{
	tarn_str bytes = {0};
	tarn_buffer *b = NULL;
	tarn_err err;
	TRY_GOTO(done, tarn_dedup_get(parts, (uint32_t)i, &bytes));
	TRY_GOTO(done, tarn_buffer_new(bytes.len, &b));
	memcpy(b->at, bytes.at, bytes.len);
	TRY_GOTO(done, tarn_program_import(x->d->inner, b, &p->props, &x->at[i].p));
	tarn_bucket_hold(x, x->at[i].p);
	TRY_GOTO(done, tarn_bucket_map_ports(p, &x->at[i]));
	err = check_inner(p, x, i);
done:
	tarn_str_fini(&bytes);
	tarn_buffer_unref(b);
	return err;
}

static tarn_err import(tarn_program *p, const tarn_buffer *blob)
{
	bucket_program *x;
	tarn_dedup_view parts;
	const uint8_t *at = blob->at;
	TRY(tarn_bucket_begin(p, &x));
	CHECK(tarn_bucket_is_blob(blob), TARN_BAD_FILE, "not a compiled model of several buckets; compile the model again");
	reader r = {at + sizeof magic, at + HEAD, true};
	uint32_t version = get_u32(&r), size = get_u32(&r);
	CHECK(version == VERSION && size <= blob->size - HEAD, TARN_BAD_FILE,
	      "compiled model has another format of buckets; compile it again");
	r = (reader){at + HEAD, at + HEAD + size, true};
	TRY(get_symbols(&r, p, x));
	TRY(get_shapes(&r, p, x, p->in, p->n_in, &x->in));
	TRY(get_shapes(&r, p, x, p->out, p->n_out, &x->out));
	TRY(get_dims(&r, p, x));
	TRY(tarn_bucket_begin_seen(p, x));
	TRY(get_lengths(&r, p, x));
	TRY(tarn_dedup_open(at + HEAD + size, blob->size - HEAD - size, &parts));
	for (int i = 0; i < x->n; i++)
		TRY(get_program(p, x, &parts, i));
	return TARN_OK;
}

tarn_err tarn_bucket_import(tarn_program *p, tarn_buffer *blob)
{
	tarn_err err = import(p, blob);
	if (err)
		tarn_bucket_program_free(p);
	return err;
}

bool tarn_bucket_is_blob(const tarn_buffer *whole)
{
	tarn_blob blob;
	const uint8_t *at = whole->at;
	size_t n = whole->size;
	if (n >= sizeof magic && memcmp(at, magic, sizeof magic) != 0 && !tarn_blob_open(at, n, &blob)) {
		at = blob.payload;
		n = blob.payload_size;
	}
	return n >= HEAD && !memcmp(at, magic, sizeof magic);
}
