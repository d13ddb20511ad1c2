/* SPDX-License-Identifier: Apache-2.0 */
/* From a graph descriptor to a program: native blobs are loaded; IR is looked up in the driver's cache or compiled. */
#include <string.h>

#include "base/mem.h"
#include "driver/ze/ze.h"

#define LOG_SIZE 4096

static _Thread_local char last_log[LOG_SIZE];

const char *tarn_ze_log_last(void)
{
	return last_log;
}

void tarn_ze_log_set(const char *text)
{
	size_t n = strnlen(text, LOG_SIZE - 1);
	memcpy(last_log, text, n);
	last_log[n] = 0;
}

ze_result_t tarn_ze_log_failure(tarn_err err)
{
	if (err != TARN_OK)
		tarn_ze_log_set(tarn_err_text());
	return tarn_ze_result(err);
}

ze_result_t tarn_ze_text_out(const char *from, uint32_t *size, char *text)
{
	CHECK_POINTER(size);
	uint32_t n = (uint32_t)strlen(from) + 1;
	if (text && *size < n) {
		if (!*size)
			return ZE_RESULT_ERROR_INVALID_SIZE;
		memcpy(text, from, *size - 1);
		text[*size - 1] = 0;
		return ZE_RESULT_SUCCESS;
	}
	if (text)
		memcpy(text, from, n);
	*size = n;
	return ZE_RESULT_SUCCESS;
}

tarn_err tarn_ze_ir_split(const uint8_t *at, size_t size, tarn_cc_ir *ir)
{
	uint16_t version[2];
	uint32_t count;
	uint64_t xml, bin;
	CHECK(size >= 24, TARN_BAD_FILE, "model buffer: %zu bytes are too few for an IR", size);
	memcpy(version, at, 4);
	memcpy(&count, at + 4, 4);
	memcpy(&xml, at + 8, 8);
	CHECK(version[0] == TARN_CC_VERSION_MAJOR && version[1] == TARN_CC_VERSION_MINOR, TARN_BAD_FILE,
	      "model buffer: made for compiler %u.%u, this is %d.%d", version[0], version[1], TARN_CC_VERSION_MAJOR,
	      TARN_CC_VERSION_MINOR);
	CHECK(count == 2, TARN_BAD_FILE, "model buffer: %u parts, expected xml and weights", count);
	CHECK(xml && xml <= size - 24, TARN_BAD_FILE, "model buffer: xml of %llu bytes in %zu", (unsigned long long)xml, size);
	memcpy(&bin, at + 16 + xml, 8);
	CHECK(bin <= size - 24 - xml, TARN_BAD_FILE, "model buffer: weights of %llu bytes in %zu", (unsigned long long)bin,
	      size);
	*ir = (tarn_cc_ir){.xml = at + 16, .xml_size = xml, .bin = at + 24 + xml, .bin_size = bin};
	return TARN_OK;
}

static void program_destroy(tarn_ref *r)
{
	tarn_ze_program *p = (tarn_ze_program *)r;
	tarn_npu_program_free(p->program);
	if (p->owned)
		tarn_mem_free_aligned(p->bytes);
	tarn_mem_free(p);
}

/* Takes the bytes when it succeeds. */
static tarn_err load(tarn_ze_device *d, uint8_t *bytes, size_t size, bool owned, tarn_ze_program **program)
{
	tarn_ze_program *p = tarn_mem_zalloc(1, sizeof *p);
	if (!p)
		return tarn_err_nomem(sizeof *p);
	tarn_err err = tarn_blob_load(bytes, size, d->platform->number, &p->program);
	if (err != TARN_OK) {
		tarn_mem_free(p);
		return err;
	}
	uint32_t n;
	const tarn_npu_arg *arg = tarn_npu_program_args(p->program, &n);
	for (uint32_t i = 0; i < n; i++)
		if (arg[i].rank > ZE_MAX_GRAPH_ARGUMENT_DIMENSIONS_SIZE) {
			err = tarn_err_set(TARN_UNSUPPORTED, "'%s' has %u dimensions; the driver's interface carries %d",
					   arg[i].name, arg[i].rank, ZE_MAX_GRAPH_ARGUMENT_DIMENSIONS_SIZE);
			tarn_npu_program_free(p->program);
			tarn_mem_free(p);
			return err;
		}
	tarn_ref_init(&p->ref, program_destroy);
	p->bytes = bytes;
	p->size = size;
	p->owned = owned;
	*program = p;
	return TARN_OK;
}

static tarn_err copy_bytes(const uint8_t *from, size_t size, uint8_t **to)
{
	*to = tarn_mem_alloc_aligned(size);
	if (!*to)
		return tarn_err_nomem(size);
	memcpy(*to, from, size);
	return TARN_OK;
}

static ze_result_t build_native(tarn_ze_device *d, const ze_graph_desc_2_t *desc, tarn_ze_built *built)
{
	uint8_t *bytes = (uint8_t *)(uintptr_t)desc->pInput;
	bool persistent = desc->flags & ZE_GRAPH_FLAG_INPUT_GRAPH_PERSISTENT && (uintptr_t)bytes % TARN_ZE_PAGE == 0;
	tarn_err err = persistent ? TARN_OK : copy_bytes(desc->pInput, desc->inputSize, &bytes);
	if (err != TARN_OK)
		return tarn_ze_log_failure(err);
	err = load(d, bytes, desc->inputSize, !persistent, &built->program);
	if (err != TARN_OK) {
		if (!persistent)
			tarn_mem_free_aligned(bytes);
		ze_result_t r = tarn_ze_log_failure(err);
		return err == TARN_BAD_FILE ? ZE_RESULT_ERROR_INVALID_NATIVE_BINARY : r;
	}
	built->flags = ZE_GRAPH_PROPERTIES_FLAG_PRE_COMPILED;
	return ZE_RESULT_SUCCESS;
}

/* Everything a blob depends on besides the model. */
static tarn_err cache_key(tarn_ze_device *d, const ze_graph_desc_2_t *desc, const char *flags, tarn_hash128 *key)
{
	uint64_t fixed[] = {d->driver_hash,
			    tarn_arch_hash(d->arch),
			    (uint64_t)d->platform->number,
			    (uint64_t)d->arch->tiles,
			    TARN_CC_VERSION_MAJOR << 16 | TARN_CC_VERSION_MINOR,
			    TARN_CC_OPSET,
			    desc->format,
			    desc->flags,
			    strlen(flags)};
	tarn_hasher *h = tarn_hasher_new();
	if (!h)
		return tarn_err_nomem(512);
	tarn_hasher_add(h, fixed, sizeof fixed);
	tarn_hasher_add(h, flags, strlen(flags));
	const ze_graph_input_hash_t *given = desc->pNext;
	if (given && given->stype == ZE_STRUCTURE_TYPE_GRAPH_INPUT_HASH) {
		tarn_hasher_add(h, "caller's hash", 13);
		tarn_hasher_add(h, &given->hash, sizeof given->hash);
	} else {
		tarn_hasher_add(h, desc->pInput, desc->inputSize);
	}
	*key = tarn_hasher_free(h);
	return TARN_OK;
}

/* A cached program, or none; an entry that does not load is dropped. */
static tarn_ze_program *from_cache(tarn_ze_device *d, tarn_hash128 key)
{
	uint8_t *bytes;
	size_t size;
	tarn_ze_program *p = NULL;
	if (!tarn_cache_get(d->cache, key, &bytes, &size))
		return NULL;
	if (load(d, bytes, size, true, &p) != TARN_OK) {
		tarn_mem_free_aligned(bytes);
		tarn_cache_drop(d->cache, key);
		return NULL;
	}
	return p;
}

static tarn_err compile(tarn_ze_device *d, const ze_graph_desc_2_t *desc, const tarn_cc_flags *flags, tarn_ze_program **program)
{
	tarn_cc_ir ir;
	tarn_cc_blob blob;
	uint8_t *bytes;
	TRY(tarn_ze_ir_split(desc->pInput, desc->inputSize, &ir));
	CHECK(!flags->platform || flags->platform == d->platform->number, TARN_UNSUPPORTED,
	      "NPU_PLATFORM=%d asked for, but the device is %d", flags->platform, d->platform->number);
	CHECK(flags->tiles <= d->arch->tiles, TARN_USAGE, "NPU_TILES=%d: the device has %d", flags->tiles, (int)d->arch->tiles);
	TRY(tarn_cc_compile(&ir, flags, d->platform->number, &blob));
	tarn_mutex_lock(&d->lock);
	d->compiled++;
	tarn_mutex_unlock(&d->lock);
	tarn_err err = copy_bytes(blob.at, blob.size, &bytes);
	tarn_mem_free(blob.at);
	TRY(err);
	err = load(d, bytes, blob.size, true, program);
	if (err != TARN_OK)
		tarn_mem_free_aligned(bytes);
	return err;
}

/* The build flags the compiler sees: the caller's, and PERF_COUNT when the descriptor asks for profiling. */
static tarn_err edit_flags(const ze_graph_desc_2_t *desc, tarn_str *s)
{
	const char *given = desc->pBuildFlags ? desc->pBuildFlags : "";
	tarn_str_add(s, given);
	if (desc->flags & ZE_GRAPH_FLAG_ENABLE_PROFILING)
		tarn_str_add(s, strstr(given, "--config") ? " PERF_COUNT=\"YES\"" : " --config PERF_COUNT=\"YES\"");
	return tarn_str_done(s);
}

static tarn_err build_ir(tarn_ze_device *d, const ze_graph_desc_2_t *desc, tarn_ze_built *built, tarn_str *log)
{
	tarn_str text = {0};
	tarn_cc_flags flags = {0};
	tarn_hash128 key;
	bool cached = !(desc->flags & ZE_GRAPH_FLAG_DISABLE_CACHING);
	tarn_err err;
	TRY_GOTO(out, edit_flags(desc, &text));
	TRY_GOTO(out, tarn_cc_flags_parse(text.at, &flags));
	if (cached) {
		TRY_GOTO(out, cache_key(d, desc, text.at ? text.at : "", &key));
		built->program = from_cache(d, key);
		if (built->program) {
			built->flags = ZE_GRAPH_PROPERTIES_FLAG_LOADED_FROM_CACHE;
			/* The words runtimes look for. */
			tarn_str_add(log, "ZE DynamicCaching cache_status_t: cache_status_t::found\n");
			goto out;
		}
	}
	TRY_GOTO(out, compile(d, desc, &flags, &built->program));
	built->flags = ZE_GRAPH_PROPERTIES_FLAG_COMPILED;
	/* Only what has just been loaded back gets into the cache. */
	if (cached && tarn_cache_put(d->cache, key, built->program->bytes, built->program->size))
		tarn_str_add(log, "ZE DynamicCaching cache_status_t: cache_status_t::stored\n");
out:
	tarn_cc_flags_fini(&flags);
	tarn_str_fini(&text);
	return err;
}

ze_result_t tarn_ze_build(tarn_ze_device *d, const ze_graph_desc_2_t *desc, tarn_ze_built *built, char **log)
{
	*built = (tarn_ze_built){0};
	*log = NULL;
	tarn_ze_log_set("");
	CHECK_POINTER(desc->pInput);
	if (!desc->inputSize)
		return ZE_RESULT_ERROR_INVALID_SIZE;
	tarn_str text = {0};
	ze_result_t r;
	if (desc->format == ZE_GRAPH_FORMAT_NATIVE)
		r = build_native(d, desc, built);
	else if (desc->format == ZE_GRAPH_FORMAT_NGRAPH_LITE)
		r = tarn_ze_log_failure(build_ir(d, desc, built, &text));
	else
		return ZE_RESULT_ERROR_UNSUPPORTED_ENUMERATION;
	if (r == ZE_RESULT_SUCCESS) {
		if (tarn_npu_program_profiled(built->program->program))
			built->flags |= ZE_GRAPH_PROPERTIES_FLAG_PROFILING_ENABLED;
		if (text.at)
			tarn_ze_log_set(text.at);
	}
	tarn_str_fini(&text);
	*log = tarn_mem_strdup(last_log);
	return r;
}
