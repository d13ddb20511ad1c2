/* SPDX-License-Identifier: Apache-2.0 */
#include "api/origin.h"

#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "dyn/bound.h"
#include "fmt/onnx/onnx.h"
#include "fmt/ovir/ovir.h"
#include "ir/same.h"
#include "ops/ops.h"

static const char *const key = "tarn.origin";
#define LARGEST ((size_t)8 << 20) /* bytes before base64: structure and small constants */
enum { SMALLEST_SHARED = 1024, MOST_BOUNDS = 64 };

/* ---- weights by content ---- */

enum { DIGEST = 16 }; /* letters */

/* Which bytes a constant holds; a file may have them under another name, and in another shape. */
static void digest(const tarn_tensor *t, char text[DIGEST + 1])
{
	snprintf(text, DIGEST + 1, "%016llx", (unsigned long long)tarn_hash(t->data, tarn_tensor_bytes(t), t->type));
}

static bool is_weight(const tarn_value *v)
{
	return v->konst && v->konst->type != TARN_STRING && tarn_tensor_bytes(v->konst) >= SMALLEST_SHARED;
}

/* By digest: one constant of each content. Keys are the arena's. */
static tarn_err list_weights(const tarn_model *m, tarn_arena *a, tarn_map *by_content)
{
	char text[DIGEST + 1];
	for (size_t i = 0; i < m->main->value.len; i++) {
		tarn_value *v = m->main->value.at[i];
		if (!is_weight(v))
			continue;
		digest(v->konst, text);
		const char *name = tarn_arena_strdup(a, text);
		if (!name)
			return tarn_err_nomem(sizeof text);
		TRY(tarn_map_put(by_content, name, v));
	}
	return TARN_OK;
}

static bool same_bytes(const tarn_tensor *a, const tarn_tensor *b)
{
	return a->type == b->type && tarn_tensor_bytes(a) == tarn_tensor_bytes(b) &&
	       (a->data == b->data || !memcmp(a->data, b->data, tarn_tensor_bytes(a)));
}

/* A copy whose weights, as far as `host` has them, too, are inputs; their names begin with the digest. */
static tarn_err detach(const tarn_model *m, const tarn_model *host, tarn_model **out)
{
	tarn_arena keys = {0};
	tarn_map weights = {0};
	tarn_model *copy = NULL;
	char text[DIGEST + 1], name[DIGEST + 24];
	tarn_err err;
	TRY_GOTO(out, list_weights(host, &keys, &weights));
	TRY_GOTO(out, tarn_model_clone(m, &copy));
	TRY_GOTO(out, tarn_model_meta_put(copy, key, NULL));
	for (size_t i = 0; i < copy->main->value.len; i++) {
		tarn_value *v = copy->main->value.at[i];
		if (!is_weight(v))
			continue;
		digest(v->konst, text);
		const tarn_value *w = tarn_map_find(&weights, text);
		if (!w || !same_bytes(w->konst, v->konst))
			continue;
		snprintf(name, sizeof name, "%s.%zu", text, i);
		TRY_GOTO(out, VEC_GROW(&copy->main->input));
		TRY_GOTO(out, tarn_value_rename(copy->main, v, name));
		v->konst = NULL;
		copy->main->input.at[copy->main->input.len++] = v;
	}
	*out = copy;
	copy = NULL;
out:
	tarn_model_unref(copy);
	tarn_map_fini(&weights);
	tarn_arena_fini(&keys);
	return err;
}

static tarn_err attach_weight(tarn_model *m, tarn_value *v, const tarn_map *weights)
{
	char text[DIGEST + 1];
	snprintf(text, sizeof text, "%s", v->name);
	const tarn_value *w = tarn_map_find(weights, text);
	CHECK(w && v->type == w->konst->type && v->shape.rank >= 0 && tarn_shape_is_static(&v->shape), TARN_BAD_FILE,
	      "the file has no weight '%s'", v->name);
	tarn_tensor *t = tarn_arena_memdup(&m->arena, w->konst, sizeof *t);
	if (!t)
		return tarn_err_nomem(sizeof *t);
	t->rank = v->shape.rank;
	memcpy(t->dim, v->shape.dim, sizeof t->dim);
	CHECK(tarn_tensor_bytes(t) == tarn_tensor_bytes(w->konst), TARN_BAD_FILE, "weight '%s' has another size", v->name);
	TRY(tarn_model_keep(m, t->buf));
	v->konst = t;
	return TARN_OK;
}

/* The reverse: inputs behind the first `own` become the host's weights. */
static tarn_err attach(tarn_model *m, size_t own, const tarn_model *host)
{
	tarn_arena keys = {0};
	tarn_map weights = {0};
	tarn_graph *g = m->main;
	CHECK(g->input.len >= own, TARN_BAD_FILE, "it has too few inputs");
	tarn_err err = list_weights(host, &keys, &weights);
	for (size_t i = own; err == TARN_OK && i < g->input.len; i++)
		err = attach_weight(m, g->input.at[i], &weights);
	tarn_map_fini(&weights);
	tarn_arena_fini(&keys);
	if (err == TARN_OK)
		g->input.len = own;
	return err;
}

/* ---- writing ---- */

bool tarn_origin_stored(const tarn_model *m)
{
	return tarn_model_meta_find(m, key) != NULL;
}

tarn_err tarn_origin_put(tarn_model *m)
{
	tarn_model *light = NULL;
	tarn_buffer *bytes = NULL;
	tarn_err err;
	TRY(tarn_model_meta_put(m, key, NULL));
	if (!tarn_model_origin_holds(m))
		return TARN_OK;
	TRY(detach(m->origin.model, m, &light));
	err = tarn_onnx_pack(light, &bytes);
	if (err == TARN_UNSUPPORTED) { /* an operator that only the IR has */
		tarn_log(TARN_LOG_INFO, "the model before bounding is left out of the file: %s", tarn_err_text());
		tarn_err_clear();
		err = TARN_OK;
		goto out;
	}
	TRY_GOTO(out, err);
	if (bytes->size > LARGEST) {
		tarn_log(TARN_LOG_INFO, "the model before bounding needs %zu bytes besides its weights: left out of the file",
			 bytes->size);
		goto out;
	}
	char *text = tarn_base64_text(&m->arena, bytes->at, bytes->size);
	err = text ? tarn_model_meta_put(m, key, text) : tarn_err_nomem(bytes->size);
out:
	tarn_buffer_unref(bytes);
	tarn_model_unref(light);
	return err;
}

/* ---- reading ---- */

static bool has_bound(const tarn_model *m, const char *name)
{
	tarn_bound b;
	bool found = true, same = false;
	for (int i = 0; found && !same; i++) {
		if (tarn_model_bound_get(m, i, &b, &found) != TARN_OK)
			return false;
		same = found && !strcmp(b.name, name);
		tarn_bound_fini(&b);
	}
	return same;
}

/* The bounds that the file has and its origin has not. */
static tarn_err new_bounds(const tarn_model *m, const tarn_model *origin, tarn_bound_spec *spec, int *n, tarn_arena *a)
{
	bool found = true;
	*n = 0;
	for (int i = 0; found; i++) {
		tarn_bound b;
		TRY(tarn_model_bound_get(m, i, &b, &found));
		if (!found)
			break;
		const char *name = tarn_arena_strdup(a, b.name);
		int64_t max = b.max;
		bool one = b.samples == 1;
		tarn_bound_fini(&b);
		if (!name)
			return tarn_err_nomem(16);
		CHECK(one && i < MOST_BOUNDS, TARN_UNSUPPORTED, "its bounds are not of that kind");
		if (!has_bound(origin, name))
			spec[(*n)++] = (tarn_bound_spec){.name = name, .max = max};
	}
	CHECK(*n, TARN_BAD_FILE, "it has no bound of its own");
	return TARN_OK;
}

static tarn_err parse(const char *text, tarn_model **m)
{
	size_t size;
	tarn_buffer *buf = NULL;
	unsigned char *bytes = tarn_base64_bytes(text, LARGEST, &size);
	CHECK(bytes, TARN_BAD_FILE, "it is damaged");
	tarn_err err = tarn_buffer_new(size, &buf); /* outlives these bytes */
	if (err == TARN_OK) {
		memcpy(buf->at, bytes, size);
		err = tarn_format_onnx.read(buf, NULL, NULL, m);
	}
	tarn_buffer_unref(buf);
	tarn_mem_free(bytes);
	return err;
}

static tarn_err through_onnx(const tarn_model *m, const tarn_model *host, tarn_model **out)
{
	tarn_model *light = NULL;
	tarn_buffer *bytes = NULL;
	tarn_err err;
	TRY(detach(m, host, &light));
	TRY_GOTO(out, tarn_onnx_pack(light, &bytes));
	TRY_GOTO(out, tarn_format_onnx.read(bytes, NULL, NULL, out));
	TRY_GOTO(out, attach(*out, m->main->input.len, host));
out:
	tarn_buffer_unref(bytes);
	tarn_model_unref(light);
	return err;
}

static tarn_err buffer_of(tarn_str *s, tarn_buffer **b)
{
	TRY(tarn_str_done(s));
	TRY(tarn_buffer_new(s->len, b));
	if (s->len)
		memcpy((*b)->at, s->at, s->len);
	return TARN_OK;
}

/* Whole: how the IR writes a layer may depend on its weights being constants. */
static tarn_err through_ir(const tarn_model *m, tarn_model **out)
{
	tarn_str xml = {0}, bin = {0};
	tarn_buffer *x = NULL, *b = NULL;
	tarn_err err;
	TRY_GOTO(out, tarn_ovir_write_memory(m, &xml, &bin));
	TRY_GOTO(out, buffer_of(&xml, &x));
	TRY_GOTO(out, buffer_of(&bin, &b));
	TRY_GOTO(out, tarn_ovir_read_memory(x, b, out));
out:
	tarn_buffer_unref(b);
	tarn_buffer_unref(x);
	tarn_str_fini(&bin);
	tarn_str_fini(&xml);
	return err;
}

/* As it is after writing and reading, in the format that the host came from. */
static tarn_err as_read(const tarn_model *m, const tarn_model *host, tarn_model **out)
{
	return host->onnx_opset ? through_onnx(m, host, out) : through_ir(m, out);
}

/* Bounding the origin must give what the file says. */
static tarn_err prove(tarn_model *m, const tarn_model *origin)
{
	tarn_arena names = {0};
	tarn_bound_spec spec[MOST_BOUNDS];
	tarn_model *bounded = NULL, *again = NULL;
	bool same = false;
	int n;
	tarn_err err;
	TRY_GOTO(out, new_bounds(m, origin, spec, &n, &names));
	TRY_GOTO(out, tarn_model_clone(origin, &bounded));
	TRY_GOTO(out, tarn_model_bound_all(&bounded, spec, n, NULL));
	TRY_GOTO(out, as_read(bounded, m, &again));
	TRY_GOTO(out, tarn_graph_same(m->main, again->main, &same));
	CHECK_GOTO(out, same && tarn_model_origin_holds(bounded), TARN_BAD_FILE, "bounding it gives another graph");
	TRY_GOTO(out, tarn_model_set_origin(m, &bounded->origin));
out:
	tarn_model_unref(again);
	tarn_model_unref(bounded);
	tarn_arena_fini(&names);
	return err;
}

/* The file's inputs that are not lengths are the origin's. */
static tarn_err read_origin(tarn_model *m, const char *text)
{
	tarn_model *origin = NULL;
	size_t own = 0;
	TRY(parse(text, &origin));
	tarn_err err = TARN_OK;
	while (own < origin->main->input.len && own < m->main->input.len &&
	       !strcmp(origin->main->input.at[own]->name, m->main->input.at[own]->name))
		own++;
	TRY_GOTO(out, attach(origin, own, m));
	TRY_GOTO(out, tarn_graph_infer(origin->main));
	TRY_GOTO(out, prove(m, origin));
out:
	tarn_model_unref(origin);
	return err;
}

tarn_err tarn_origin_get(tarn_model *m)
{
	const char *text = tarn_model_meta_find(m, key);
	if (!text)
		return TARN_OK;
	tarn_err err = read_origin(m, text);
	if (err == TARN_OK || err == TARN_NOMEM)
		return err;
	tarn_log(TARN_LOG_INFO, "padded work is masked, not skipped: the file's origin does not count, %s", tarn_err_text());
	tarn_err_clear();
	return TARN_OK;
}
