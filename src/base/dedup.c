/* SPDX-License-Identifier: Apache-2.0 */
#include "base/dedup.h"

#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

/* Repetitions are found at blocks of this size, then stretched as far as they go. The rolling hash of a window is the value of
 * a polynomial in FACTOR with the window's bytes as coefficients, modulo 2^64. */
enum { BLOCK = 512, HEAD = 16, MAX_ENTRIES = 4096 };
#define FACTOR 0x9e3779b97f4a7c15u

void tarn_dedup_fini(tarn_dedup *d)
{
	tarn_str_fini(&d->store);
	VEC_FINI(&d->piece);
	VEC_FINI(&d->end);
	tarn_mem_free(d->slot);
	*d = (tarn_dedup){0};
}

static uint64_t hash_block(const uint8_t *at)
{
	uint64_t h = 0;
	for (int i = 0; i < BLOCK; i++)
		h = h * FACTOR + at[i] + 1;
	return h;
}

static size_t place(const tarn_dedup *d, uint64_t hash)
{
	return (size_t)(hash ^ hash >> 29) & (d->n_slot - 1);
}

static const uint8_t *stored(const tarn_dedup *d)
{
	return (const uint8_t *)d->store.at;
}

static void insert(tarn_dedup *d, size_t offset)
{
	size_t i = place(d, hash_block(stored(d) + offset));
	for (int tries = 0; d->slot[i]; i = (i + 1) & (d->n_slot - 1), tries++)
		if (tries == 8 || !memcmp(stored(d) + d->slot[i] - 1, stored(d) + offset, BLOCK))
			return; /* the same block again, or a crowded place: found elsewhere or not at all */
	d->slot[i] = offset + 1;
	d->n_block++;
}

/* Blocks that are new in the store become findable. */
static tarn_err index_store(tarn_dedup *d)
{
	size_t blocks = d->store.len / BLOCK + 1;
	if (blocks * 2 > d->n_slot) {
		size_t n = 1024;
		while (n < blocks * 4)
			n *= 2;
		uint64_t *slot = tarn_mem_zalloc(n, sizeof *slot);
		if (!slot)
			return tarn_err_nomem(n * sizeof *slot);
		tarn_mem_free(d->slot);
		d->slot = slot;
		d->n_slot = n;
		d->n_block = d->indexed = 0;
	}
	for (; d->indexed + BLOCK <= d->store.len; d->indexed += BLOCK)
		insert(d, d->indexed);
	return TARN_OK;
}

/* Offset of a stored block equal to these bytes; SIZE_MAX: none. */
static size_t find(const tarn_dedup *d, uint64_t hash, const uint8_t *at)
{
	if (!d->n_block)
		return SIZE_MAX;
	size_t i = place(d, hash);
	for (int tries = 0; d->slot[i] && tries <= 8; i = (i + 1) & (d->n_slot - 1), tries++)
		if (!memcmp(stored(d) + d->slot[i] - 1, at, BLOCK))
			return (size_t)d->slot[i] - 1;
	return SIZE_MAX;
}

static tarn_err add_piece(tarn_dedup *d, uint64_t at, uint64_t size)
{
	if (!size)
		return TARN_OK;
	TRY(VEC_GROW(&d->piece));
	d->piece.at[d->piece.len++] = (tarn_dedup_piece){at, size};
	return TARN_OK;
}

static tarn_err add_new(tarn_dedup *d, const uint8_t *at, size_t n)
{
	TRY(add_piece(d, d->store.len, n));
	tarn_str_add_n(&d->store, (const char *)at, n);
	return d->store.failed ? tarn_err_nomem(n) : TARN_OK;
}

/* Splits bytes into pieces of the store, which grows by what it does not have. Repetitions within the bytes are not looked for:
 * the store is indexed between entries. */
static tarn_err split(tarn_dedup *d, const uint8_t *at, size_t n)
{
	uint64_t lead = 1, hash = 0;
	size_t fresh = 0, i = 0, had = d->store.len; /* bytes from `fresh` on are new; the window begins at i */
	for (int k = 1; k < BLOCK; k++)
		lead *= FACTOR;
	bool valid = false;
	while (i + BLOCK <= n && had) {
		if (!valid)
			hash = hash_block(at + i);
		valid = true;
		size_t from = find(d, hash, at + i);
		if (from == SIZE_MAX) {
			hash = (hash - (at[i] + 1u) * lead) * FACTOR + (i + BLOCK < n ? at[i + BLOCK] + 1u : 0);
			i++;
			continue;
		}
		size_t begin = i, len = BLOCK;
		while (begin > fresh && from && at[begin - 1] == stored(d)[from - 1]) {
			begin--;
			from--;
			len++;
		}
		while (begin + len < n && from + len < had && at[begin + len] == stored(d)[from + len])
			len++;
		TRY(add_new(d, at + fresh, begin - fresh));
		TRY(add_piece(d, from, len));
		i = fresh = begin + len;
		valid = false;
	}
	return add_new(d, at + fresh, n - fresh);
}

tarn_err tarn_dedup_add(tarn_dedup *d, const void *bytes, size_t n)
{
	CHECK(d->end.len < MAX_ENTRIES, TARN_LIMIT, "more than %d parts to store as one", MAX_ENTRIES);
	TRY(VEC_GROW(&d->end));
	TRY(split(d, bytes, n));
	d->end.at[d->end.len++] = d->piece.len;
	return index_store(d);
}

static void put_u32(tarn_str *s, uint32_t v)
{
	uint8_t b[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};
	tarn_str_add_n(s, (const char *)b, sizeof b);
}

static void put_u64(tarn_str *s, uint64_t v)
{
	put_u32(s, (uint32_t)v);
	put_u32(s, (uint32_t)(v >> 32));
}

tarn_err tarn_dedup_write(const tarn_dedup *d, tarn_str *out)
{
	put_u32(out, (uint32_t)d->end.len);
	put_u32(out, (uint32_t)d->piece.len);
	put_u64(out, d->store.len);
	for (size_t i = 0; i < d->end.len; i++)
		put_u32(out, (uint32_t)(d->end.at[i] - (i ? d->end.at[i - 1] : 0)));
	for (size_t i = 0; i < d->piece.len; i++) {
		put_u64(out, d->piece.at[i].at);
		put_u64(out, d->piece.at[i].size);
	}
	if (d->store.len)
		tarn_str_add_n(out, d->store.at, d->store.len);
	return tarn_str_done(out);
}

static uint32_t get_u32(const uint8_t *b)
{
	return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static uint64_t get_u64(const uint8_t *b)
{
	return get_u32(b) | (uint64_t)get_u32(b + 4) << 32;
}

tarn_err tarn_dedup_open(const uint8_t *at, size_t size, tarn_dedup_view *v)
{
	CHECK(size >= HEAD, TARN_BAD_FILE, "compiled model is truncated; compile it again");
	*v = (tarn_dedup_view){.n_entry = get_u32(at), .n_piece = get_u32(at + 4), .store_size = get_u64(at + 8)};
	uint64_t tables = (uint64_t)v->n_entry * 4 + (uint64_t)v->n_piece * 16;
	CHECK(v->n_entry <= MAX_ENTRIES && tables <= size - HEAD && v->store_size <= size - HEAD - tables, TARN_BAD_FILE,
	      "compiled model has a damaged table of parts; compile it again");
	v->count = at + HEAD;
	v->piece = v->count + (size_t)v->n_entry * 4;
	v->store = v->piece + (size_t)v->n_piece * 16;
	return TARN_OK;
}

tarn_err tarn_dedup_get(const tarn_dedup_view *v, uint32_t i, tarn_str *out)
{
	uint64_t first = 0, total = 0;
	CHECK(i < v->n_entry, TARN_BAD_FILE, "compiled model lacks part %u; compile it again", i);
	for (uint32_t k = 0; k < i; k++)
		first += get_u32(v->count + 4 * (size_t)k);
	uint32_t n = get_u32(v->count + 4 * (size_t)i);
	CHECK(first + n <= v->n_piece, TARN_BAD_FILE, "compiled model has a damaged table of parts; compile it again");
	for (uint32_t k = 0; k < n; k++) {
		const uint8_t *p = v->piece + (size_t)(first + k) * 16;
		uint64_t at = get_u64(p), size = get_u64(p + 8);
		total += size;
		/* A part is hardly longer than all there is. */
		CHECK(at <= v->store_size && size <= v->store_size - at && total <= 4 * v->store_size, TARN_BAD_FILE,
		      "compiled model has a damaged table of parts; compile it again");
		tarn_str_add_n(out, (const char *)v->store + at, (size_t)size);
	}
	return tarn_str_done(out);
}
