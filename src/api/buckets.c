/* SPDX-License-Identifier: Apache-2.0 */
#include "tarn/buckets.h"

#include <string.h>

#include "api/bucket_cost.h"
#include "base/file.h"
#include "base/mem.h"
#include "dyn/bound.h"
#include "dyn/fix.h"
#include "fmt/npy/npy.h"

enum { MOST_MEASURED = 12, MOST_MODELLED = 32, MAX_LENGTHS = 1 << 26 };

struct tarn_buckets {
	tarn_bucket_plan plan;
	tarn_bucket_size_info size[TARN_BUCKET_CANDIDATES]; /* as the public header has them */
};

/* ---- planning ---- */

const char *tarn_buckets_dim_name(const tarn_model *m, const char *name)
{
	tarn_dim sym;
	if (tarn_model_find_dim(m, name, &sym) != TARN_OK) {
		tarn_err_clear(); /* who uses the name says what there is */
		return name;
	}
	const char *word = tarn_sym_get(&m->syms, sym)->name;
	return word ? word : name;
}

tarn_err tarn_buckets_fix_others(tarn_model *m, const tarn_bucket_bound *bound, size_t n, tarn_str *rest)
{
	for (size_t i = 1; i < n; i++) {
		const char *name = tarn_buckets_dim_name(m, bound[i].name);
		TRY(tarn_model_fix(m, bound[i].name, bound[i].max));
		tarn_str_addf(rest, ";%s=%lld", name, (long long)bound[i].max);
	}
	const tarn_graph *g = m->main;
	for (size_t i = 0; i < g->input.len; i++) {
		const tarn_value *v = g->input.at[i];
		const tarn_dim first = v->shape.rank > 0 ? v->shape.dim[0] : 0;
		const char *word = first < 0 ? tarn_sym_get(&m->syms, first)->name : NULL;
		char text[300];
		snprintf(text, sizeof text, "%.250s[0]", v->name);
		if (first >= 0 || !strcmp(word ? word : text, bound->name) || !strcmp(text, bound->name))
			continue;
		tarn_str_addf(rest, ";%s=1", word ? word : text);
		TRY(tarn_model_fix(m, text, 1));
	}
	return tarn_str_done(rest);
}

static tarn_err find_costs(const tarn_cost_question *q, tarn_bucket_plan *p, const tarn_length_count *length, size_t n,
			   int64_t max)
{
	int64_t size[TARN_BUCKET_CANDIDATES];
	TRY(tarn_cost_is_modelled(q, max, &p->modelled));
	tarn_buckets_candidates(length, n, max, p->modelled ? MOST_MODELLED : MOST_MEASURED, size, &p->n);
	for (int i = 0; i < p->n; i++)
		p->size[i].size = size[i];
	return tarn_cost_find(q, p->modelled, p->size, p->n, &p->band, &p->weight_bytes);
}

static tarn_err name_device(struct ov_core *core, const char *device, tarn_bucket_plan *p, bool *fixed)
{
	tarn_device *d;
	bool is_auto;
	tarn_str why = {0}, name = {0};
	tarn_err err = tarn_devices_find(core, device, &d, &is_auto, &why);
	if (!err) {
		*fixed = d->api->fixed;
		err = tarn_device_get(d, "FULL_DEVICE_NAME", &name);
	}
	if (!err) {
		p->device = tarn_arena_strdup(&p->arena, d->api->name);
		p->device_name = tarn_arena_strdup(&p->arena, name.at ? name.at : "");
		err = p->device && p->device_name ? TARN_OK : tarn_err_nomem(name.len);
	}
	tarn_str_fini(&why);
	tarn_str_fini(&name);
	return err;
}

static tarn_err name_sizes(tarn_bucket_plan *p, const char *dimension, const tarn_str *rest)
{
	tarn_str s = {0};
	tarn_str_addf(&s, "%s=", dimension);
	for (int i = 0, k = 0; i < p->n; i++)
		if (p->chosen[i])
			tarn_str_addf(&s, "%s%lld", k++ ? "," : "", (long long)p->size[i].size);
	tarn_str_add(&s, rest->at ? rest->at : "");
	tarn_err err = tarn_str_done(&s);
	if (!err) {
		p->buckets = tarn_arena_strdup(&p->arena, s.at);
		p->dimension = tarn_arena_strdup(&p->arena, dimension);
		err = p->buckets && p->dimension ? TARN_OK : tarn_err_nomem(s.len);
	}
	tarn_str_fini(&s);
	return err;
}

static tarn_err plan_counted(tarn_cost_question *q, const tarn_bucket_bound *bound, size_t n_bound,
			     const tarn_length_count *length, size_t n, const tarn_bucket_limit *limit, tarn_bucket_plan *p)
{
	tarn_model *m = NULL;
	tarn_str rest = {0};
	tarn_err err;
	CHECK(length[n - 1].length <= bound->max, TARN_SHAPE,
	      "the longest input has %lld elements along '%s', the bound is %lld; give a larger bound",
	      (long long)length[n - 1].length, bound->name, (long long)bound->max);
	TRY_GOTO(done, tarn_model_clone(q->model, &m));
	TRY_GOTO(done, tarn_buckets_fix_others(m, bound, n_bound, &rest));
	q->model = m;
	q->dimension = tarn_buckets_dim_name(m, bound->name);
	q->compile |= q->whole && limit && limit->megabytes > 0;
	TRY_GOTO(done, find_costs(q, p, length, n, bound->max));
	tarn_bucket_limits l = {limit ? (int)limit->count : 0, 0, limit ? limit->compile_ms : 0};
	if (limit && limit->megabytes > 0) {
		l.bytes = limit->megabytes * 1e6 - p->weight_bytes;
		CHECK_GOTO(done, l.bytes > 0, TARN_LIMIT, "the weights alone take %.3g MB, the limit is %.3g; give more memory",
			   p->weight_bytes * 1e-6, limit->megabytes);
	}
	TRY_GOTO(done, tarn_bucket_plan_fill(p, length, n, &l));
	for (int i = 0; i < p->n; i++)
		if (q->whole && p->chosen[i] && !(p->size[i].bytes > 0))
			TRY_GOTO(done, tarn_cost_compile(q, &p->size[i]));
	err = name_sizes(p, q->dimension, &rest);
done:
	tarn_model_unref(m);
	tarn_str_fini(&rest);
	return err;
}

static void show_sizes(tarn_buckets_t *b)
{
	for (int i = 0; i < b->plan.n; i++) {
		const tarn_bucket_size *s = &b->plan.size[i];
		b->size[i] = (tarn_bucket_size_info){s->size, b->plan.chosen[i], s->ms, s->bytes, s->compile_ms};
	}
}

static tarn_err plan(tarn_cost_question *q, const tarn_bucket_bound *bound, size_t n_bound, const int64_t *length, size_t n,
		     const tarn_bucket_limit *limit, tarn_buckets_t *b)
{
	tarn_length_count *counted;
	size_t n_counted;
	bool fixed = true;
	TRY(name_device(q->core, q->device, &b->plan, &fixed));
	q->whole = b->plan.whole = fixed;
	TRY(tarn_lengths_count(length, n, &counted, &n_counted));
	tarn_err err = plan_counted(q, bound, n_bound, counted, n_counted, limit, &b->plan);
	if (!err && !fixed)
		b->plan.free_ms = tarn_buckets_free_ms(counted, n_counted, b->plan.size, b->plan.n);
	tarn_mem_free(counted);
	show_sizes(b);
	return err;
}

ov_status_e tarn_plan_buckets(const ov_core_t *core, const ov_model_t *model, const char *device, size_t num_properties,
			      const ov_property_t *properties, const tarn_bucket_bound *bounds, size_t num_bounds,
			      const int64_t *lengths, size_t num_lengths, const tarn_bucket_limit *limit, tarn_buckets_t **out)
{
	NEED(core && model && (properties || !num_properties) && bounds && num_bounds && lengths && out);
	tarn_cost_question q = {.core = (struct ov_core *)(uintptr_t)core,
				.device = device,
				.model = model->m,
				.compile = limit && limit->compile_ms > 0};
	tarn_buckets_t *b = tarn_mem_zalloc(1, sizeof *b);
	tarn_err err = b ? TARN_OK : tarn_err_nomem(sizeof *b);
	for (size_t i = 0; i < num_properties && !err; i++)
		if (strcmp(properties[i].key, "CACHE_DIR") && strcmp(properties[i].key, "TARN_BUCKETS"))
			err = tarn_props_set(&q.props, properties[i].key, properties[i].value);
	if (!err)
		err = plan(&q, bounds, num_bounds, lengths, num_lengths, limit, b);
	tarn_props_fini(&q.props);
	if (err)
		tarn_free_buckets(b);
	else
		*out = b;
	return tarn_status(err);
}

/* ---- files ---- */

static tarn_err save(const tarn_bucket_plan *p, const char *path)
{
	tarn_str s = {0};
	tarn_bucket_plan_print(p, &s);
	tarn_err err = tarn_str_done(&s);
	if (!err)
		err = tarn_file_write(path, s.at, s.len);
	tarn_str_fini(&s);
	return err;
}

ov_status_e tarn_save_buckets(const tarn_buckets_t *plan, const char *path)
{
	NEED(plan && path);
	return tarn_status(save(&plan->plan, path));
}

static tarn_err read_plan(const char *path, tarn_buckets_t *b)
{
	tarn_file_map map;
	TRY(tarn_file_map_open(path, &map));
	tarn_err err = tarn_bucket_plan_parse((const char *)map.at, map.size, &b->plan);
	tarn_file_map_close(&map);
	return tarn_err_note(err, "in %s", path);
}

ov_status_e tarn_read_buckets(const char *path, tarn_buckets_t **plan)
{
	NEED(path && plan);
	tarn_buckets_t *b = tarn_mem_zalloc(1, sizeof *b);
	tarn_err err = b ? read_plan(path, b) : tarn_err_nomem(sizeof *b);
	if (err) {
		tarn_free_buckets(b);
		return tarn_status(err);
	}
	show_sizes(b);
	*plan = b;
	return OK;
}

void tarn_free_buckets(tarn_buckets_t *plan)
{
	if (!plan)
		return;
	tarn_bucket_plan_fini(&plan->plan);
	tarn_mem_free(plan);
}

ov_status_e tarn_get_buckets_info(const tarn_buckets_t *plan, tarn_buckets_info *info)
{
	NEED(plan && info);
	const tarn_bucket_plan *p = &plan->plan;
	*info = (tarn_buckets_info){.buckets = p->buckets,
				    .dimension = p->dimension,
				    .device = p->device,
				    .device_name = p->device_name,
				    .modelled = p->modelled,
				    .band = p->band,
				    .inputs = p->inputs,
				    .longest = p->longest,
				    .mean_length = p->mean_length,
				    .weight_bytes = p->weight_bytes,
				    .free_ms = p->free_ms,
				    .own_weights = p->whole,
				    .size = plan->size,
				    .n_size = (size_t)p->n};
	for (int i = 0; i < TARN_WAYS; i++)
		info->way[i] =
			(tarn_bucket_way_info){tarn_bucket_way_name[i], (size_t)p->way[i].sizes, p->way[i].ms, p->way[i].waste};
	return OK;
}

/* ---- lengths ---- */

typedef VEC(int64_t) lengths;

static tarn_err add_line(lengths *l, const char *at, size_t n, size_t line, const char *path)
{
	char word[32];
	int64_t v;
	while (n && (at[n - 1] == '\r' || at[n - 1] == ' ' || at[n - 1] == '\t'))
		n--;
	if (!n || *at == '#')
		return TARN_OK;
	snprintf(word, sizeof word, "%.*s", (int)(n < sizeof word ? n : sizeof word - 1), at);
	CHECK(n < sizeof word && tarn_str_to_i64(word, &v) && v >= 1, TARN_BAD_FILE,
	      "%s: line %zu: '%s' is no length; give one number a line", path, line, word);
	CHECK(l->len < MAX_LENGTHS, TARN_LIMIT, "%s has more than %d lengths", path, MAX_LENGTHS);
	TRY(VEC_GROW(l));
	l->at[l->len++] = v;
	return TARN_OK;
}

static tarn_err read_lines(const tarn_file_map *map, const char *path, lengths *l)
{
	const char *at = (const char *)map->at, *end = at + map->size;
	for (size_t line = 1; at < end; line++) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t n = (size_t)((stop ? stop : end) - at);
		TRY(add_line(l, at, n, line, path));
		at += n + 1;
	}
	return TARN_OK;
}

static tarn_err read_array(const char *path, lengths *l)
{
	tarn_tensor t;
	tarn_err err;
	TRY(tarn_npy_read(path, &t));
	int64_t n = tarn_tensor_count(&t);
	CHECK_GOTO(out, !tarn_dtype_is_float(t.type) && t.type != TARN_STRING, TARN_TYPE, "%s: lengths are integers", path);
	CHECK_GOTO(out, n <= MAX_LENGTHS, TARN_LIMIT, "%s has more than %d lengths", path, MAX_LENGTHS);
	TRY_GOTO(out, VEC_RESERVE(l, (size_t)n));
	for (int64_t i = 0; i < n; i++) {
		int64_t v = tarn_tensor_i64(&t, i);
		CHECK_GOTO(out, v >= 1, TARN_BAD_FILE, "%s: %lld is no length", path, (long long)v);
		l->at[l->len++] = v;
	}
out:
	tarn_tensor_fini(&t);
	return err;
}

static tarn_err read_lengths(const char *path, lengths *l)
{
	tarn_file_map map;
	TRY(tarn_file_map_open(path, &map));
	bool array = map.size >= 6 && !memcmp(map.at, "\x93NUMPY", 6);
	tarn_err err = array ? TARN_OK : read_lines(&map, path, l);
	tarn_file_map_close(&map);
	if (array)
		err = read_array(path, l);
	if (!err && !l->len)
		err = tarn_err_set(TARN_BAD_FILE, "%s has no lengths; give one number a line", path);
	return err;
}

ov_status_e tarn_read_lengths(const char *path, int64_t **out, size_t *n)
{
	NEED(path && out && n);
	lengths l = {0};
	tarn_err err = read_lengths(path, &l);
	if (err) {
		VEC_FINI(&l);
		return tarn_status(err);
	}
	*out = l.at;
	*n = l.len;
	return OK;
}

/* ---- learning ---- */

enum { MOST_SEEN = 65536 };

static tarn_err expand_seen(const tarn_bucket_seen_list *seen, lengths *l)
{
	double all = 0;
	for (size_t i = 0; i < seen->list.len; i++)
		all += (double)seen->list.at[i].count;
	double share = all > MOST_SEEN ? MOST_SEEN / all : 1;
	for (size_t i = 0; i < seen->list.len; i++) {
		size_t times = (size_t)((double)seen->list.at[i].count * share);
		TRY(VEC_RESERVE(l, l->len + times + 1));
		for (size_t k = 0; k < (times ? times : 1); k++)
			l->at[l->len++] = seen->list.at[i].size;
	}
	CHECK(l->len, TARN_NOT_FOUND, "no request has run yet; nothing is known of lengths in use");
	return TARN_OK;
}

ov_status_e tarn_get_seen_lengths(const ov_compiled_model_t *compiled_model, const char *dimension, int64_t **out, size_t *n)
{
	NEED(compiled_model && dimension && out && n);
	tarn_bucket_seen_list seen = {0};
	lengths l = {0};
	tarn_err err = tarn_bucket_get_seen(compiled_model->p, dimension, &seen);
	if (!err)
		err = expand_seen(&seen, &l);
	VEC_FINI(&seen.list);
	if (err) {
		VEC_FINI(&l);
		return tarn_status(err);
	}
	*out = l.at;
	*n = l.len;
	return OK;
}
