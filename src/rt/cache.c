/* SPDX-License-Identifier: Apache-2.0 */
#include "rt/cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "ir/op.h"
#include "prof/metrics.h"

/* Do not change what the compiler makes. */
static const char *const indifferent[] = {"CACHE_DIR",     "LOG_LEVEL",
					  "ENABLE_MMAP",   "PERFORMANCE_HINT_NUM_REQUESTS",
					  "PERF_COUNT",    "NPU_BYPASS_UMD_CACHING",
					  "WORKLOAD_TYPE", "MODEL_PRIORITY"};

static void add_text(tarn_hasher *h, const char *s)
{
	tarn_hasher_add(h, s ? s : "", s ? strlen(s) + 1 : 1);
}

static void add_i64(tarn_hasher *h, int64_t v)
{
	tarn_hasher_add(h, &v, sizeof v);
}

static void add_tensor(tarn_hasher *h, const tarn_tensor *t)
{
	add_i64(h, t->type);
	add_i64(h, t->rank);
	for (int i = 0; i < t->rank; i++)
		add_i64(h, t->dim[i]);
	if (t->type != TARN_STRING) {
		tarn_hasher_add(h, t->data, tarn_tensor_bytes(t));
		return;
	}
	for (int64_t i = 0, n = tarn_tensor_count(t); i < n; i++)
		add_text(h, ((const char *const *)t->data)[i]);
}

static void add_attr(tarn_hasher *h, const tarn_attr_def *def, const tarn_attr *a)
{
	add_i64(h, a->set);
	if (!a->set)
		return;
	switch (def->kind) {
	case TARN_ATTR_FLOAT:
		tarn_hasher_add(h, &a->f, sizeof a->f);
		break;
	case TARN_ATTR_STRING:
	case TARN_ATTR_STRINGS:
		add_text(h, a->s);
		break;
	case TARN_ATTR_INTS:
		add_i64(h, a->ints.n);
		tarn_hasher_add(h, a->ints.at, (size_t)a->ints.n * sizeof *a->ints.at);
		break;
	case TARN_ATTR_FLOATS:
		add_i64(h, a->floats.n);
		tarn_hasher_add(h, a->floats.at, (size_t)a->floats.n * sizeof *a->floats.at);
		break;
	case TARN_ATTR_TENSOR:
		if (a->t)
			add_tensor(h, a->t);
		break;
	default:
		add_i64(h, a->i);
	}
}

static void add_value(tarn_hasher *h, const tarn_model *m, const tarn_value *v, uint8_t *seen)
{
	if (!v) {
		add_i64(h, -1);
		return;
	}
	add_i64(h, v->id);
	if (seen[v->id])
		return;
	seen[v->id] = 1;
	add_text(h, v->name);
	add_text(h, v->aliases);
	add_i64(h, v->type);
	add_i64(h, v->shape.rank);
	for (int i = 0; i < v->shape.rank; i++) {
		add_i64(h, v->shape.dim[i]);
		add_i64(h, tarn_dim_lo(&m->syms, v->shape.dim[i]));
		add_i64(h, tarn_dim_hi(&m->syms, v->shape.dim[i]));
	}
	if (v->konst)
		add_tensor(h, v->konst);
}

static tarn_err add_graph(tarn_hasher *h, const tarn_graph *g, int depth)
{
	CHECK(depth < 64, TARN_LIMIT, "bodies nested deeper than 64; flatten the model");
	uint8_t *seen = tarn_mem_zalloc(g->value.len + 1, 1);
	if (!seen)
		return tarn_err_nomem(g->value.len);
	tarn_err err = TARN_OK;
	add_i64(h, (int64_t)g->input.len);
	for (size_t i = 0; i < g->input.len; i++)
		add_value(h, g->model, g->input.at[i], seen);
	for (size_t i = 0; i < g->node.len && !err; i++) {
		const tarn_node *n = g->node.at[i];
		add_text(h, n->op->name);
		add_text(h, n->op->domain);
		add_text(h, n->name);
		for (int k = 0; k < n->op->n_attr; k++)
			add_attr(h, &n->op->attr[k], &n->attr[k]);
		add_i64(h, n->n_in);
		for (int k = 0; k < n->n_in; k++)
			add_value(h, g->model, n->in[k], seen);
		for (int k = 0; k < n->n_out; k++)
			add_value(h, g->model, n->out[k], seen);
		for (int k = 0; k < n->n_body && !err; k++)
			err = add_graph(h, n->body[k], depth + 1);
	}
	for (size_t i = 0; i < g->output.len; i++)
		add_value(h, g->model, g->output.at[i], seen);
	tarn_mem_free(seen);
	return err;
}

static int by_key(const void *a, const void *b)
{
	return strcmp((*(const tarn_prop *const *)a)->key, (*(const tarn_prop *const *)b)->key);
}

static tarn_err add_props(tarn_hasher *h, const tarn_props *p)
{
	size_t n = 0;
	const tarn_prop **row = tarn_mem_zalloc(p->list.len + 1, sizeof *row);
	if (!row)
		return tarn_err_nomem(p->list.len * sizeof *row);
	for (size_t i = 0; i < p->list.len; i++) {
		bool skip = false;
		for (size_t k = 0; k < sizeof indifferent / sizeof *indifferent; k++)
			skip = skip || !strcmp(indifferent[k], p->list.at[i].key);
		if (!skip)
			row[n++] = &p->list.at[i];
	}
	qsort(row, n, sizeof *row, by_key);
	for (size_t i = 0; i < n; i++) {
		add_text(h, row[i]->key);
		add_text(h, row[i]->value);
	}
	tarn_mem_free(row);
	return TARN_OK;
}

tarn_err tarn_cache_key(const tarn_program *p, tarn_str *key)
{
	tarn_str extra = {0};
	tarn_err err = TARN_OK;
	const tarn_device_api *api = p->device->api;
	if (api->get)
		err = api->get(p->device, "CACHE_KEY", &extra);
	if (err == TARN_NOT_FOUND)
		err = TARN_OK;
	tarn_hasher *h = err ? NULL : tarn_hasher_new();
	if (!err && !h)
		err = tarn_err_nomem(sizeof(tarn_hash128));
	if (h) {
		add_text(h, TARN_VERSION);
		add_text(h, api->name);
		add_text(h, extra.at);
		err = add_props(h, &p->props);
		if (!err)
			err = add_graph(h, p->model->main, 0);
		tarn_hash128 d = tarn_hasher_free(h);
		tarn_str_addf(key, "%016llx%016llx", (unsigned long long)d.hi, (unsigned long long)d.lo);
		if (!err)
			err = tarn_str_done(key);
	}
	tarn_str_fini(&extra);
	return err;
}

static tarn_err entry_path(const char *dir, const char *key, tarn_str *path)
{
	tarn_str_addf(path, "%s/%s.tarnblob", dir, key);
	return tarn_str_done(path);
}

static tarn_err load(tarn_program *p, const char *path)
{
	tarn_buffer *whole = NULL, *payload = NULL;
	tarn_blob blob;
	tarn_err err;
	TRY_GOTO(done, tarn_buffer_map(path, &whole));
	TRY_GOTO(done, tarn_blob_open(whole->at, whole->size, &blob));
	CHECK_GOTO(done, !strcmp(blob.device, p->device->api->name), TARN_BAD_FILE, "made for device %s", blob.device);
	TRY_GOTO(done, tarn_blob_payload(&blob, whole, &payload));
	err = p->device->api->import(p, payload);
	if (err && p->impl) {
		if (p->device->api->program_free)
			p->device->api->program_free(p);
		p->impl = NULL;
	}
done:
	tarn_buffer_unref(payload);
	tarn_buffer_unref(whole);
	return err;
}

tarn_err tarn_cache_find(tarn_program *p, const char *dir, const char *key)
{
	tarn_str path = {0};
	tarn_err err = entry_path(dir, key, &path);
	if (!err && tarn_file_exists(path.at)) {
		err = load(p, path.at);
		if (!err) {
			p->cache_hit = true;
			p->cache_level = "runtime";
			tarn_file_touch(path.at);
			tarn_metric_add(TARN_METRIC_CACHE_HITS, 1);
		} else if (err != TARN_NOMEM) {
			tarn_metric_add(TARN_METRIC_CACHE_DAMAGED, 1);
			err = tarn_program_note(p, "stored model %s was not used and is made again: %s", path.at,
						tarn_err_text());
		}
	}
	if (!err && !p->cache_hit)
		tarn_metric_add(TARN_METRIC_CACHE_MISSES, 1);
	tarn_str_fini(&path);
	return err;
}

tarn_err tarn_cache_store(tarn_program *p, const char *dir, const char *key)
{
	tarn_str path = {0}, blob = {0};
	tarn_err err = entry_path(dir, key, &path);
	if (!err)
		err = tarn_blob_pack(p, &blob);
	if (!err) {
		tarn_err stored = tarn_file_mkdirs(dir);
		if (!stored)
			stored = tarn_file_write(path.at, blob.at, blob.len);
		if (stored) {
			tarn_log(TARN_LOG_WARN, "compiled model not stored: %s", tarn_err_text());
			err = tarn_program_note(p, "compiled model not stored: %s", tarn_err_text());
		}
	}
	tarn_str_fini(&path);
	tarn_str_fini(&blob);
	return err;
}
