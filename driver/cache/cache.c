/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/cache/cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"

#define PREFIX "tarn-"
#define NAME_LEN (sizeof PREFIX - 1 + 32)
/* A temporary file of a process that died while writing; no live one takes an hour. */
#define STALE_NS (3600ll * 1000000000)

struct tarn_cache {
	char *dir; /* NULL: off */
	tarn_mutex lock;
	uint64_t limit;
	tarn_cache_stats stats;
};

typedef struct header {
	char magic[8];
	uint64_t key[2];
	uint64_t size;
	uint64_t hash[2];
	uint64_t zero[2];
} header;
_Static_assert(sizeof(header) == 64, "the blob stays aligned to a cache line");

static const char magic[8] = {'T', 'A', 'R', 'N', 'N', 'P', 'U', '1'};

tarn_err tarn_cache_new(const char *dir, uint64_t limit, tarn_cache **cache)
{
	tarn_cache *c = tarn_mem_zalloc(1, sizeof *c);
	if (!c)
		return tarn_err_nomem(sizeof *c);
	tarn_mutex_init(&c->lock);
	c->limit = limit;
	if (dir && *dir) {
		if (tarn_file_mkdirs(dir) != TARN_OK) {
			tarn_log(TARN_LOG_WARN, "the NPU driver's cache is off: %s", tarn_err_text());
		} else if (!(c->dir = tarn_mem_strdup(dir))) {
			tarn_cache_free(c);
			return tarn_err_nomem(strlen(dir));
		}
	}
	*cache = c;
	return TARN_OK;
}

void tarn_cache_free(tarn_cache *c)
{
	if (!c)
		return;
	tarn_mutex_fini(&c->lock);
	tarn_mem_free(c->dir);
	tarn_mem_free(c);
}

tarn_err tarn_cache_new_from_env(tarn_cache **cache)
{
	tarn_str dir = {0};
	const char *v;
	if ((v = getenv("ZE_INTEL_NPU_CACHE_DIR")))
		tarn_str_add(&dir, v);
	else if ((v = getenv("XDG_CACHE_HOME")) && *v)
		tarn_str_addf(&dir, "%s/ze_intel_npu_cache", v);
	else if ((v = getenv("HOME")) && *v)
		tarn_str_addf(&dir, "%s/.cache/ze_intel_npu_cache", v);
	else
		tarn_str_add(&dir, ".cache/ze_intel_npu_cache");
	int64_t limit = (int64_t)TARN_CACHE_DEFAULT_LIMIT;
	if ((v = getenv("ZE_INTEL_NPU_CACHE_SIZE")) && (!tarn_str_to_i64(v, &limit) || limit < 0)) {
		tarn_log(TARN_LOG_WARN,
			 "the NPU driver's cache is off: ZE_INTEL_NPU_CACHE_SIZE cannot be '%s'; give a number of bytes", v);
		limit = 0;
	}
	tarn_err err = tarn_str_done(&dir);
	if (err == TARN_OK)
		err = tarn_cache_new(dir.at, (uint64_t)limit, cache);
	tarn_str_fini(&dir);
	return err;
}

/* "<dir>/<name>"; heap, NULL when memory is short. */
static char *path_of(const tarn_cache *c, const char *name)
{
	tarn_str s = {0};
	tarn_str_addf(&s, "%s/%s", c->dir, name);
	if (tarn_str_done(&s) != TARN_OK) {
		tarn_str_fini(&s);
		return NULL;
	}
	return s.at;
}

static char *key_path(const tarn_cache *c, tarn_hash128 key)
{
	char name[NAME_LEN + 1];
	snprintf(name, sizeof name, PREFIX "%016llx%016llx", (unsigned long long)key.hi, (unsigned long long)key.lo);
	return path_of(c, name);
}

static bool hash_of(const void *bytes, size_t n, uint64_t hash[2])
{
	tarn_hasher *h = tarn_hasher_new();
	if (!h)
		return false;
	tarn_hasher_add(h, bytes, n);
	tarn_hash128 d = tarn_hasher_free(h);
	hash[0] = d.lo;
	hash[1] = d.hi;
	return true;
}

static bool is_entry(const char *name)
{
	return strlen(name) == NAME_LEN && !strncmp(name, PREFIX, sizeof PREFIX - 1) &&
	       strspn(name + sizeof PREFIX - 1, "0123456789abcdef") == 32;
}

static bool is_temporary(const char *name)
{
	return strlen(name) > NAME_LEN && !strncmp(name, PREFIX, sizeof PREFIX - 1) && tarn_str_ends_with(name, ".tmp");
}

/* Every byte of a sound entry is determined by the key and the blob. */
static bool sound(const tarn_file_map *m, tarn_hash128 key)
{
	header h;
	uint64_t hash[2];
	if (m->size < sizeof h)
		return false;
	memcpy(&h, m->at, sizeof h);
	return !memcmp(h.magic, magic, sizeof magic) && h.key[0] == key.lo && h.key[1] == key.hi &&
	       h.size == m->size - sizeof h && !h.zero[0] && !h.zero[1] && hash_of(m->at + sizeof h, h.size, hash) &&
	       hash[0] == h.hash[0] && hash[1] == h.hash[1];
}

static void count(tarn_cache *c, uint64_t *which)
{
	tarn_mutex_lock(&c->lock);
	++*which;
	tarn_mutex_unlock(&c->lock);
}

static void drop(tarn_cache *c, const char *path)
{
	count(c, &c->stats.damaged);
	tarn_log(TARN_LOG_WARN, "%s: damaged entry of the NPU driver's cache, dropped", path);
	if (tarn_file_remove(path) != TARN_OK)
		tarn_log(TARN_LOG_WARN, "%s", tarn_err_text());
}

bool tarn_cache_get(tarn_cache *c, tarn_hash128 key, uint8_t **bytes, size_t *size)
{
	if (!c->dir)
		return false;
	char *path = key_path(c, key);
	tarn_file_map map = {0};
	uint8_t *copy = NULL;
	tarn_file_info info;
	if (path && tarn_file_get_info(path, &info) && info.regular && tarn_file_map_open(path, &map) == TARN_OK) {
		/* Copied before it is checked: what another process does to the file later cannot reach the program. */
		size_t n = map.size;
		copy = tarn_mem_alloc_aligned(n);
		if (copy) {
			memcpy(copy, map.at, n);
			if (sound(&(tarn_file_map){copy, n}, key)) {
				*size = n - sizeof(header);
				memmove(copy, copy + sizeof(header), *size);
			} else {
				tarn_mem_free_aligned(copy);
				copy = NULL;
				drop(c, path);
			}
		}
		tarn_file_map_close(&map);
	}
	if (copy)
		tarn_file_touch(path);
	count(c, copy ? &c->stats.hits : &c->stats.misses);
	tarn_mem_free(path);
	*bytes = copy;
	return copy;
}

typedef struct entry {
	char *path;
	uint64_t size;
	int64_t used_ns;
} entry;

static int by_use(const void *a, const void *b)
{
	const entry *x = a, *y = b;
	return x->used_ns < y->used_ns ? -1 : x->used_ns > y->used_ns;
}

static void entries_free(entry *e, size_t n)
{
	for (size_t i = 0; i < n; i++)
		tarn_mem_free(e[i].path);
	tarn_mem_free(e);
}

/* All entries, the least recently used first; removes stale temporaries on the way. */
static bool list_entries(const tarn_cache *c, entry **list, size_t *n)
{
	char **names;
	size_t all;
	if (tarn_file_list(c->dir, &names, &all) != TARN_OK)
		return false;
	entry *e = tarn_mem_zalloc(all + 1, sizeof *e);
	size_t k = 0;
	int64_t now = (int64_t)time(NULL) * 1000000000;
	for (size_t i = 0; e && i < all; i++) {
		bool temporary = is_temporary(names[i]);
		if (!temporary && !is_entry(names[i]))
			continue;
		char *path = path_of(c, names[i]);
		tarn_file_info info;
		if (!path || !tarn_file_get_info(path, &info) || !info.regular) {
			tarn_mem_free(path);
			continue;
		}
		if (temporary) {
			if (now - info.modified_ns > STALE_NS && tarn_file_remove(path) != TARN_OK)
				tarn_log(TARN_LOG_DEBUG, "%s", tarn_err_text());
			tarn_mem_free(path);
			continue;
		}
		e[k++] = (entry){path, info.size, info.accessed_ns};
	}
	tarn_mem_free(names);
	if (!e)
		return false;
	qsort(e, k, sizeof *e, by_use);
	*list = e;
	*n = k;
	return true;
}

/* Removes old entries until `room` more bytes fit. The folder's lock is held. */
static bool make_room(tarn_cache *c, uint64_t room, uint64_t limit, const char *keep)
{
	entry *e;
	size_t n;
	if (!list_entries(c, &e, &n))
		return false;
	uint64_t total = 0;
	for (size_t i = 0; i < n; i++)
		total += strcmp(e[i].path, keep) ? e[i].size : 0; /* will be replaced */
	for (size_t i = 0; i < n && total + room > limit; i++) {
		if (!strcmp(e[i].path, keep) || tarn_file_remove(e[i].path) != TARN_OK)
			continue;
		total -= e[i].size;
		count(c, &c->stats.evicted);
	}
	entries_free(e, n);
	return total + room <= limit;
}

bool tarn_cache_put(tarn_cache *c, tarn_hash128 key, const void *bytes, size_t size)
{
	uint64_t limit = tarn_cache_limit(c);
	if (!c->dir || size > limit || sizeof(header) > limit - size) {
		tarn_log(TARN_LOG_INFO, "compiled model of %zu bytes not stored: the cache's limit is %llu", size,
			 (unsigned long long)limit);
		return false;
	}
	header h = {.key = {key.lo, key.hi}, .size = size};
	memcpy(h.magic, magic, sizeof magic);
	char *path = key_path(c, key);
	int lock;
	bool stored = false;
	if (path && hash_of(bytes, size, h.hash) && tarn_file_lock(c->dir, &lock) == TARN_OK) {
		tarn_file_piece piece[] = {{&h, sizeof h}, {bytes, size}};
		if (make_room(c, sizeof h + size, limit, path)) {
			stored = tarn_file_write_pieces(path, piece, 2) == TARN_OK;
			if (!stored)
				tarn_log(TARN_LOG_WARN, "compiled model not stored: %s", tarn_err_text());
		}
		tarn_file_unlock(lock);
	}
	if (stored)
		count(c, &c->stats.stored);
	tarn_mem_free(path);
	return stored;
}

void tarn_cache_drop(tarn_cache *c, tarn_hash128 key)
{
	char *path = c->dir ? key_path(c, key) : NULL;
	if (path)
		drop(c, path);
	tarn_mem_free(path);
}

const char *tarn_cache_dir(const tarn_cache *c)
{
	return c->dir ? c->dir : "";
}

uint64_t tarn_cache_limit(tarn_cache *c)
{
	if (!c->dir)
		return 0;
	tarn_mutex_lock(&c->lock);
	uint64_t limit = c->limit;
	tarn_mutex_unlock(&c->lock);
	return limit;
}

void tarn_cache_set_limit(tarn_cache *c, uint64_t limit)
{
	tarn_mutex_lock(&c->lock);
	c->limit = limit;
	tarn_mutex_unlock(&c->lock);
}

uint64_t tarn_cache_used(tarn_cache *c)
{
	entry *e;
	size_t n;
	if (!c->dir || !list_entries(c, &e, &n))
		return 0;
	uint64_t total = 0;
	for (size_t i = 0; i < n; i++)
		total += e[i].size;
	entries_free(e, n);
	return total;
}

void tarn_cache_get_stats(tarn_cache *c, tarn_cache_stats *stats)
{
	tarn_mutex_lock(&c->lock);
	*stats = c->stats;
	tarn_mutex_unlock(&c->lock);
}
