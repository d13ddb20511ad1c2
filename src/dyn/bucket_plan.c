/* SPDX-License-Identifier: Apache-2.0 */
#include "dyn/bucket_plan.h"

#include <math.h>
#include <string.h>

#include "base/json.h"

enum { VERSION = 1, MAX_TEXT = 4096 };

const char *const tarn_bucket_way_name[TARN_WAYS] = {"plan", "one maximum", "powers of two"};

void tarn_bucket_plan_fini(tarn_bucket_plan *p)
{
	tarn_arena_fini(&p->arena);
	*p = (tarn_bucket_plan){0};
}

/* ---- comparing ---- */

static void judge(tarn_bucket_plan *p, int way, const tarn_length_count *length, size_t n, const bool *chosen)
{
	tarn_bucket_way *w = &p->way[way];
	w->sizes = 0;
	for (int i = 0; i < p->n; i++)
		w->sizes += chosen[i];
	w->ms = tarn_buckets_ms(length, n, p->size, p->n, chosen);
	w->waste = tarn_buckets_waste(length, n, p->size, p->n, chosen);
}

tarn_err tarn_bucket_plan_fill(tarn_bucket_plan *p, const tarn_length_count *length, size_t n, const tarn_bucket_limits *limits)
{
	bool one[TARN_BUCKET_CANDIDATES] = {0}, powers[TARN_BUCKET_CANDIDATES] = {0};
	TRY(tarn_buckets_choose(length, n, p->size, p->n, limits, p->chosen));
	one[p->n - 1] = powers[p->n - 1] = true;
	for (int i = 0; i < p->n; i++)
		powers[i] = powers[i] || (p->size[i].size >= 8 && !(p->size[i].size & (p->size[i].size - 1)));
	judge(p, TARN_WAY_PLAN, length, n, p->chosen);
	judge(p, TARN_WAY_ONE, length, n, one);
	judge(p, TARN_WAY_POWERS, length, n, powers);
	double sum = 0, count = 0;
	for (size_t i = 0; i < n; i++) {
		sum += length[i].count * (double)length[i].length;
		count += length[i].count;
	}
	p->inputs = (int64_t)count;
	p->mean_length = sum / count;
	p->longest = length[n - 1].length;
	return TARN_OK;
}

/* ---- the file ---- */

static void put_text(tarn_str *s, const char *key, const char *value)
{
	tarn_str_addf(s, "\t\"%s\": ", key);
	tarn_json_quote(s, value);
	tarn_str_add(s, ",\n");
}

static void put_ms(tarn_str *s, const tarn_bucket_plan *p, double ms)
{
	tarn_str_addf(s, "{\"value\": %.6g, \"unit\": \"ms\", \"source\": \"%s\"", ms, p->modelled ? "modelled" : "measured");
	if (p->modelled)
		tarn_str_addf(s, ", \"band\": %.3g", p->band);
	tarn_str_add(s, "}");
}

void tarn_bucket_plan_print(const tarn_bucket_plan *p, tarn_str *s)
{
	tarn_str_addf(s, "{\n\t\"format\": \"tarn buckets\",\n\t\"version\": %d,\n", VERSION);
	put_text(s, "buckets", p->buckets);
	put_text(s, "dimension", p->dimension);
	put_text(s, "device", p->device);
	put_text(s, "device_name", p->device_name);
	tarn_str_addf(s, "\t\"inputs\": %lld,\n\t\"longest\": %lld,\n\t\"mean_length\": %.6g,\n\t\"weight_bytes\": %.0f,\n",
		      (long long)p->inputs, (long long)p->longest, p->mean_length, p->weight_bytes);
	tarn_str_addf(s, "\t\"own_weights\": %s,\n", p->whole ? "true" : "false");
	tarn_str_add(s, "\t\"ways\": {");
	for (int i = 0; i < TARN_WAYS; i++) {
		tarn_str_addf(s, "%s\n\t\t\"%s\": {\"sizes\": %d, \"mean_ms\": ", i ? "," : "", tarn_bucket_way_name[i],
			      p->way[i].sizes);
		put_ms(s, p, p->way[i].ms);
		tarn_str_addf(s, ", \"padding\": %.6g}", p->way[i].waste);
	}
	tarn_str_add(s, "\n\t},\n\t\"sizes\": [");
	for (int i = 0; i < p->n; i++) {
		const tarn_bucket_size *z = &p->size[i];
		tarn_str_addf(s, "%s\n\t\t{\"size\": %lld, \"chosen\": %s, \"ms\": ", i ? "," : "", (long long)z->size,
			      p->chosen[i] ? "true" : "false");
		put_ms(s, p, z->ms);
		tarn_str_addf(s, ", \"memory_bytes\": %.0f, \"compile_ms\": %.6g}", z->bytes, z->compile_ms);
	}
	tarn_str_add(s, "\n\t]\n}\n");
}

static tarn_err damaged(const char *what)
{
	return tarn_err_set(TARN_BAD_FILE, "the plan has no proper '%s'; make it again with tarn tune", what);
}

static tarn_err get_text(tarn_bucket_plan *p, const tarn_json *j, const char *key, const char **out)
{
	const char *text = tarn_json_text(tarn_json_get(j, key));
	if (!text || strlen(text) > MAX_TEXT)
		return damaged(key);
	*out = tarn_arena_strdup(&p->arena, text);
	return *out ? TARN_OK : tarn_err_nomem(strlen(text));
}

static tarn_err get_num(const tarn_json *j, const char *key, double *v)
{
	return tarn_json_f64(tarn_json_get(j, key), v) && isfinite(*v) && *v >= 0 ? TARN_OK : damaged(key);
}

static tarn_err get_int(const tarn_json *j, const char *key, int64_t *v)
{
	return tarn_json_i64(tarn_json_get(j, key), v) && *v >= 0 ? TARN_OK : damaged(key);
}

static tarn_err get_ms(tarn_bucket_plan *p, const tarn_json *j, const char *key, double *ms)
{
	const tarn_json *figure = tarn_json_get(j, key);
	const char *source = tarn_json_text(tarn_json_get(figure, "source"));
	if (!source)
		return damaged(key);
	p->modelled = !strcmp(source, "modelled");
	if (p->modelled)
		TRY(get_num(figure, "band", &p->band));
	return get_num(figure, "value", ms);
}

static tarn_err get_ways(tarn_bucket_plan *p, const tarn_json *ways)
{
	for (int i = 0; i < TARN_WAYS; i++) {
		const tarn_json *w = tarn_json_get(ways, tarn_bucket_way_name[i]);
		int64_t sizes;
		TRY(get_int(w, "sizes", &sizes));
		p->way[i].sizes = (int)(sizes & 0xffff);
		TRY(get_ms(p, w, "mean_ms", &p->way[i].ms));
		TRY(get_num(w, "padding", &p->way[i].waste));
	}
	return TARN_OK;
}

static tarn_err get_sizes(tarn_bucket_plan *p, const tarn_json *list)
{
	size_t n = tarn_json_len(list);
	if (!n || n > TARN_BUCKET_CANDIDATES)
		return damaged("sizes");
	for (size_t i = 0; i < n; i++) {
		const tarn_json *j = tarn_json_at(list, i);
		tarn_bucket_size *z = &p->size[i];
		TRY(get_int(j, "size", &z->size));
		TRY(get_ms(p, j, "ms", &z->ms));
		TRY(get_num(j, "memory_bytes", &z->bytes));
		TRY(get_num(j, "compile_ms", &z->compile_ms));
		if (!tarn_json_bool(tarn_json_get(j, "chosen"), &p->chosen[i]))
			return damaged("chosen");
	}
	p->n = (int)n;
	return TARN_OK;
}

static tarn_err read_all(tarn_bucket_plan *p, const tarn_json *j)
{
	const char *format = tarn_json_text(tarn_json_get(j, "format"));
	int64_t version = 0;
	CHECK(format && !strcmp(format, "tarn buckets"), TARN_BAD_FILE, "not a plan of bucket sizes; make one with tarn tune");
	TRY(get_int(j, "version", &version));
	CHECK(version == VERSION, TARN_BAD_FILE, "the plan has version %lld, this library reads %d; make it again",
	      (long long)version, VERSION);
	TRY(get_text(p, j, "buckets", &p->buckets));
	TRY(get_text(p, j, "dimension", &p->dimension));
	TRY(get_text(p, j, "device", &p->device));
	TRY(get_text(p, j, "device_name", &p->device_name));
	TRY(get_int(j, "inputs", &p->inputs));
	TRY(get_int(j, "longest", &p->longest));
	TRY(get_num(j, "mean_length", &p->mean_length));
	TRY(get_num(j, "weight_bytes", &p->weight_bytes));
	const tarn_json *own = tarn_json_get(j, "own_weights"); /* plans of before do not say */
	if (own && !tarn_json_bool(own, &p->whole))
		return damaged("own_weights");
	TRY(get_ways(p, tarn_json_get(j, "ways")));
	return get_sizes(p, tarn_json_get(j, "sizes"));
}

tarn_err tarn_bucket_plan_parse(const char *text, size_t n, tarn_bucket_plan *p)
{
	tarn_json *doc;
	*p = (tarn_bucket_plan){0};
	TRY(tarn_json_parse(text, n, &doc));
	tarn_err err = read_all(p, doc);
	tarn_json_free(doc);
	if (err)
		tarn_bucket_plan_fini(p);
	return err;
}
