/* SPDX-License-Identifier: Apache-2.0 */
#include "api/origin.h"

#include <string.h>

#include "base/base64.h"
#include "base/log.h"
#include "base/mem.h"
#include "dyn/bound.h"
#include "fmt/onnx/onnx.h"
#include "ir/same.h"
#include "ops/ops.h"

static const char *const key = "tarn.origin";
#define LARGEST ((size_t)8 << 20) /* bytes before base64: structure and small constants */
enum { SMALLEST_SHARED = 1024, MOST_BOUNDS = 64 };

/* ---- weights by name ---- */

static tarn_err list_weights(const tarn_model *m, tarn_map *by_name)
{
	for (size_t i = 0; i < m->main->value.len; i++) {
		tarn_value *v = m->main->value.at[i];
		if (v->konst && v->konst->type != TARN_STRING && tarn_tensor_bytes(v->konst) >= SMALLEST_SHARED)
			TRY(tarn_map_put(by_name, v->name, v));
	}
	return TARN_OK;
}

static bool is_of(const tarn_value *v, const tarn_tensor *t)
{
	if (v->type != t->type || v->shape.rank != t->rank)
		return false;
	for (int i = 0; i < t->rank; i++)
		if (v->shape.dim[i] != t->dim[i])
			return false;
	return true;
}

/* A copy whose weights, as far as `host` has them under the same names, are inputs. */
static tarn_err detach(const tarn_model *m, const tarn_model *host, tarn_model **out)
{
	tarn_map weights = {0};
	tarn_model *copy = NULL;
	tarn_err err;
	TRY_GOTO(out, list_weights(host, &weights));
	TRY_GOTO(out, tarn_model_clone(m, &copy));
	TRY_GOTO(out, tarn_model_meta_put(copy, key, NULL));
	for (size_t i = 0; i < copy->main->value.len; i++) {
		tarn_value *v = copy->main->value.at[i];
		const tarn_value *w = v->konst ? tarn_map_find(&weights, v->name) : NULL;
		if (!w || w->konst->data != v->konst->data || !is_of(v, w->konst))
			continue;
		TRY_GOTO(out, VEC_GROW(&copy->main->input));
		v->konst = NULL;
		copy->main->input.at[copy->main->input.len++] = v;
	}
	*out = copy;
	copy = NULL;
out:
	tarn_model_unref(copy);
	tarn_map_fini(&weights);
	return err;
}

static tarn_err attach_weight(tarn_model *m, tarn_value *v, const tarn_value *w)
{
	CHECK(w && is_of(v, w->konst), TARN_BAD_FILE, "it has no weight '%.100s' of that size", v->name);
	tarn_tensor *t = tarn_arena_memdup(&m->arena, w->konst, sizeof *t);
	if (!t)
		return tarn_err_nomem(sizeof *t);
	TRY(tarn_model_keep(m, t->buf));
	v->konst = t;
	return TARN_OK;
}

/* The reverse: inputs behind the first `own` become the host's weights. */
static tarn_err attach(tarn_model *m, size_t own, const tarn_model *host)
{
	tarn_map weights = {0};
	tarn_graph *g = m->main;
	CHECK(g->input.len >= own, TARN_BAD_FILE, "it has too few inputs");
	tarn_err err = list_weights(host, &weights);
	for (size_t i = own; err == TARN_OK && i < g->input.len; i++)
		err = attach_weight(m, g->input.at[i], tarn_map_find(&weights, g->input.at[i]->name));
	tarn_map_fini(&weights);
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
	TRY_GOTO(out, tarn_onnx_pack(light, &bytes));
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

/* As it is after writing and reading. */
static tarn_err as_read(const tarn_model *m, const tarn_model *host, tarn_model **out)
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
