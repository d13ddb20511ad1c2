/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking at cache folders from outside: what is stored, whether it is whole, what can go.
 *
 * Entries of the NPU driver's cache (docs/design/003): file "tarn-" and 32 hexadecimal digits of the key; a header of 64 bytes,
 * little-endian: "TARNNPU1", u64 key low, u64 key high, u64 bytes of the blob, u64 hash low, u64 hash high (XXH3-128 of the
 * blob), two zeros; then the blob.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "rt/cache.h"
#include "rt/program.h"

#define DRIVER_PREFIX "tarn-"
#define RUNTIME_END ".tarnblob"
enum { KEY_LEN = 32, DRIVER_HEAD = 64 };
static const uint64_t default_limit = 4ull << 30;

static bool is_key(const char *s)
{
	return strspn(s, "0123456789abcdef") >= KEY_LEN;
}

/* Where the key starts in an entry's name; NULL for other files. */
static const char *key_of(const char *name, bool driver)
{
	size_t prefix = driver ? strlen(DRIVER_PREFIX) : 0;
	const char *end = driver ? "" : RUNTIME_END;
	bool fits = strlen(name) == prefix + KEY_LEN + strlen(end) && !strncmp(name, DRIVER_PREFIX, prefix) &&
		    is_key(name + prefix) && !strcmp(name + prefix + KEY_LEN, end);
	return fits ? name + prefix : NULL;
}

static uint64_t u64_at(const uint8_t *b)
{
	uint64_t v = 0;
	for (int i = 8; i-- > 0;)
		v = v << 8 | b[i];
	return v;
}

static tarn_err check_driver(const tarn_buffer *b, const char *key)
{
	char want[KEY_LEN + 1];
	CHECK(b->size >= DRIVER_HEAD && !memcmp(b->at, "TARNNPU1", 8), TARN_BAD_FILE, "no entry of the driver's cache");
	const uint8_t *at = b->at;
	snprintf(want, sizeof want, "%016llx%016llx", (unsigned long long)u64_at(at + 16), (unsigned long long)u64_at(at + 8));
	CHECK(!strcmp(want, key), TARN_BAD_FILE, "it holds key %s", want);
	CHECK(u64_at(at + 24) == b->size - DRIVER_HEAD, TARN_BAD_FILE, "%zu bytes where its header says %llu", b->size,
	      (unsigned long long)u64_at(at + 24) + DRIVER_HEAD);
	CHECK(!u64_at(at + 48) && !u64_at(at + 56), TARN_BAD_FILE, "its header is damaged");
	tarn_hasher *h = tarn_hasher_new();
	if (!h)
		return tarn_err_nomem(sizeof(tarn_hash128));
	tarn_hasher_add(h, at + DRIVER_HEAD, b->size - DRIVER_HEAD);
	tarn_hash128 d = tarn_hasher_free(h);
	CHECK(d.lo == u64_at(at + 32) && d.hi == u64_at(at + 40), TARN_BAD_FILE, "its checksum is wrong");
	return TARN_OK;
}

/* Text becomes the caller's; "" stays NULL. */
static tarn_err take(tarn_str *s, char **out)
{
	TRY(tarn_str_done(s));
	if (s->len) {
		*out = s->at;
		*s = (tarn_str){0};
	}
	return TARN_OK;
}

static tarn_err check_runtime(const tarn_buffer *b, tarn_cache_file *f)
{
	tarn_blob blob;
	tarn_str version = {0}, model = {0};
	TRY(tarn_blob_open(b->at, b->size, &blob));
	tarn_err err = tarn_blob_names(&blob, &version, &model);
	if (!err)
		err = take(&version, &f->version);
	if (!err)
		err = take(&model, &f->model);
	tarn_str_fini(&version);
	tarn_str_fini(&model);
	if (!err && !(f->device = tarn_mem_strdup(blob.device)))
		err = tarn_err_nomem(sizeof blob.device);
	return err;
}

static tarn_err check_file(tarn_cache_file *f, bool driver)
{
	tarn_buffer *b = NULL;
	tarn_err err = tarn_buffer_map(f->path, &b);
	if (!err)
		err = driver ? check_driver(b, f->key) : check_runtime(b, f);
	tarn_buffer_unref(b);
	if (!err || err == TARN_NOMEM)
		return err;
	f->damage = tarn_mem_strdup(tarn_err_text());
	return f->damage ? TARN_OK : tarn_err_nomem(64);
}

static void file_fini(tarn_cache_file *f)
{
	tarn_mem_free(f->path);
	tarn_mem_free(f->key);
	tarn_mem_free(f->model);
	tarn_mem_free(f->device);
	tarn_mem_free(f->version);
	tarn_mem_free(f->damage);
}

void tarn_cache_files_fini(tarn_cache_files *files)
{
	for (size_t i = 0; i < files->list.len; i++)
		file_fini(&files->list.at[i]);
	VEC_FINI(&files->list);
}

static tarn_err add_file(const char *dir, const char *name, const char *key, bool driver, tarn_cache_files *files)
{
	tarn_cache_file f = {0};
	tarn_str path = {0};
	tarn_file_info info;
	tarn_str_addf(&path, "%s/%s", dir, name);
	tarn_err err = take(&path, &f.path);
	/* Gone since the folder was listed, or a link: not an entry. */
	if (!err && (!tarn_file_get_info(f.path, &info) || !info.regular)) {
		file_fini(&f);
		return TARN_OK;
	}
	if (!err) {
		tarn_str_add_n(&path, key, KEY_LEN);
		err = take(&path, &f.key);
	}
	if (!err) {
		f.size = info.size;
		f.written_ns = info.modified_ns;
		f.used_ns = info.accessed_ns > info.modified_ns ? info.accessed_ns : info.modified_ns;
		err = check_file(&f, driver);
	}
	if (!err)
		err = VEC_GROW(&files->list);
	tarn_str_fini(&path);
	if (err)
		file_fini(&f);
	else
		files->list.at[files->list.len++] = f;
	return err;
}

tarn_err tarn_cache_files_read(const char *dir, bool driver, tarn_cache_files *files)
{
	char **names;
	size_t n;
	*files = (tarn_cache_files){0};
	if (!tarn_file_is_dir(dir))
		return TARN_OK;
	TRY(tarn_file_list(dir, &names, &n));
	tarn_err err = TARN_OK;
	for (size_t i = 0; i < n && !err; i++) {
		const char *key = key_of(names[i], driver);
		if (key)
			err = add_file(dir, names[i], key, driver, files);
	}
	tarn_mem_free(names);
	if (err)
		tarn_cache_files_fini(files);
	return err;
}

static int damaged_then_oldest(const void *a, const void *b)
{
	const tarn_cache_file *x = a, *y = b;
	if (!x->damage != !y->damage)
		return x->damage ? -1 : 1;
	return x->used_ns < y->used_ns ? -1 : x->used_ns > y->used_ns;
}

tarn_err tarn_cache_files_collect(const char *dir, bool driver, uint64_t most, uint64_t *removed, uint64_t *freed)
{
	tarn_cache_files files;
	uint64_t total = 0;
	int lock = -1;
	*removed = *freed = 0;
	if (!tarn_file_is_dir(dir))
		return TARN_OK;
	TRY(tarn_file_lock(dir, &lock)); /* the driver holds it while it makes room */
	tarn_err err = tarn_cache_files_read(dir, driver, &files);
	if (err) {
		tarn_file_unlock(lock);
		return err;
	}
	size_t n = files.list.len;
	for (size_t i = 0; i < n; i++)
		total += files.list.at[i].size;
	if (n)
		qsort(files.list.at, n, sizeof *files.list.at, damaged_then_oldest);
	for (size_t i = 0; i < n && !err; i++) {
		const tarn_cache_file *f = &files.list.at[i];
		if (!f->damage && total <= most)
			break;
		err = tarn_file_remove(f->path);
		if (err)
			break;
		total -= f->size;
		*freed += f->size;
		++*removed;
	}
	tarn_file_unlock(lock);
	tarn_cache_files_fini(&files);
	return err;
}

tarn_err tarn_cache_driver_place(tarn_str *dir, uint64_t *limit)
{
	const char *v;
	int64_t n = (int64_t)default_limit;
	if ((v = getenv("ZE_INTEL_NPU_CACHE_DIR")))
		tarn_str_add(dir, v);
	else if ((v = getenv("XDG_CACHE_HOME")) && *v)
		tarn_str_addf(dir, "%s/ze_intel_npu_cache", v);
	else if ((v = getenv("HOME")) && *v)
		tarn_str_addf(dir, "%s/.cache/ze_intel_npu_cache", v);
	else
		tarn_str_add(dir, ".cache/ze_intel_npu_cache");
	if ((v = getenv("ZE_INTEL_NPU_CACHE_SIZE")) && (!tarn_str_to_i64(v, &n) || n < 0))
		n = 0;
	*limit = (uint64_t)n;
	return tarn_str_done(dir);
}

/* ---- what compiling would ask ---- */

void tarn_cache_question_fini(tarn_cache_question *q)
{
	tarn_str_fini(&q->dir);
	tarn_str_fini(&q->path);
	tarn_str_fini(&q->damage);
}

static tarn_err look(tarn_cache_question *q)
{
	tarn_buffer *b = NULL;
	tarn_blob blob;
	q->present = tarn_file_exists(q->path.at);
	if (!q->present)
		return TARN_OK;
	tarn_err err = tarn_buffer_map(q->path.at, &b);
	if (!err)
		err = tarn_blob_open(b->at, b->size, &blob);
	tarn_buffer_unref(b);
	q->whole = !err;
	if (err)
		tarn_str_add(&q->damage, tarn_err_text());
	return tarn_str_done(&q->damage);
}

tarn_err tarn_cache_ask(tarn_device *d, const tarn_model *m, const tarn_props *props, tarn_cache_question *q)
{
	tarn_program *p;
	tarn_str key = {0};
	*q = (tarn_cache_question){.stores = d->api->import && d->api->export_};
	TRY(tarn_program_new(d, props, &p));
	const char *dir = tarn_props_find(&p->props, "CACHE_DIR");
	tarn_err err = TARN_OK;
	q->bypass = !strcmp(d->api->name, "NPU") && tarn_props_bool(&p->props, "NPU", "NPU_BYPASS_UMD_CACHING");
	tarn_str_add(&q->dir, dir ? dir : "");
	if (dir && *dir && q->stores) {
		TRY_GOTO(done, tarn_model_clone(m, &p->model));
		TRY_GOTO(done, tarn_cache_key(p, &key));
		tarn_str_addf(&q->path, "%s/%s" RUNTIME_END, dir, key.at);
		TRY_GOTO(done, tarn_str_done(&q->path));
		TRY_GOTO(done, look(q));
	}
	err = tarn_str_done(&q->dir);
done:
	tarn_str_fini(&key);
	tarn_program_unref(p);
	if (err)
		tarn_cache_question_fini(q);
	return err;
}
