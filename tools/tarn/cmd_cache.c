/* SPDX-License-Identifier: Apache-2.0 */
/* tarn cache ls|verify|explain|gc: both caches of compiled models. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "session.h"
#include "tarn/cache.h"

int cmd_cache(const options *o);

/* A cache there is to look at. */
typedef struct place {
	tarn_cache_level level;
	const char *word;
	char *dir;     /* "": off */
	int64_t limit; /* bytes; -1: none */
	tarn_cache_list list;
} place;
typedef struct places {
	place at[2];
	int n;
} places;

static void places_close(places *p)
{
	for (int i = 0; i < p->n; i++) {
		tarn_free_cache_list(&p->at[i].list);
		free(p->at[i].level == TARN_CACHE_RUNTIME ? p->at[i].dir : NULL);
		if (p->at[i].level == TARN_CACHE_DRIVER)
			ov_free(p->at[i].dir);
	}
}

/* The runtime's cache is where -cache_dir says, the driver's where the environment says. */
static int places_open(const options *o, places *p, bool list)
{
	struct stat st;
	*p = (places){.n = 0};
	if (o->cache_dir) {
		if (stat(o->cache_dir, &st) || !S_ISDIR(st.st_mode))
			return fail(3, "cache", "%s is no folder; give the one of CACHE_DIR", o->cache_dir);
		place *r = &p->at[p->n++];
		*r = (place){TARN_CACHE_RUNTIME, "runtime", strdup(o->cache_dir), -1, {NULL, 0}};
		if (!r->dir)
			return fail(1, "cache", "out of memory");
	}
	place *d = &p->at[p->n++];
	*d = (place){TARN_CACHE_DRIVER, "driver", NULL, 0, {NULL, 0}};
	if (tarn_get_driver_cache(&d->dir, &d->limit) != OK)
		return fail_last("cache");
	for (int i = 0; i < p->n && list; i++)
		if (*p->at[i].dir && tarn_list_cache(p->at[i].level, p->at[i].dir, &p->at[i].list) != OK)
			return fail_last("cache");
	return 0;
}

static int64_t bytes_of(const tarn_cache_list *l)
{
	int64_t sum = 0;
	for (size_t i = 0; i < l->size; i++)
		sum += l->at[i].bytes;
	return sum;
}

static size_t damaged(const tarn_cache_list *l)
{
	size_t n = 0;
	for (size_t i = 0; i < l->size; i++)
		n += l->at[i].damage != NULL;
	return n;
}

static void age_text(double seconds, char *out, size_t size)
{
	if (seconds < 120)
		snprintf(out, size, "%.0f s", seconds);
	else if (seconds < 7200)
		snprintf(out, size, "%.0f min", seconds / 60);
	else if (seconds < 172800)
		snprintf(out, size, "%.0f h", seconds / 3600);
	else
		snprintf(out, size, "%.0f days", seconds / 86400);
}

static void print_place(const place *p)
{
	if (!*p->dir) {
		printf("%s: off (ZE_INTEL_NPU_CACHE_DIR is empty)\n", p->word);
		return;
	}
	printf("%s: %s, %zu %s, %lld bytes", p->word, p->dir, p->list.size, p->list.size == 1 ? "entry" : "entries",
	       (long long)bytes_of(&p->list));
	if (p->limit >= 0)
		printf(" of at most %lld", (long long)p->limit);
	printf("\n");
	for (size_t i = 0; i < p->list.size; i++) {
		const tarn_cache_entry *e = &p->list.at[i];
		char age[32], idle[32];
		age_text(e->age, age, sizeof age);
		age_text(e->idle, idle, sizeof idle);
		printf("  %s  %-4s %12lld bytes, made %s ago, used %s ago, %s%s%s%s\n", e->key, e->device ? e->device : "?",
		       (long long)e->bytes, age, idle, e->damage ? "DAMAGED: " : "whole", e->damage ? e->damage : "",
		       e->model ? ", model " : "", e->model ? e->model : "");
	}
}

static void json_entry(json *j, const place *p, const tarn_cache_entry *e)
{
	json_begin(j, NULL, '{');
	json_text(j, "level", p->word);
	json_text(j, "key", e->key);
	json_text(j, "path", e->path);
	json_text(j, "device", e->device);
	json_text(j, "model", e->model);
	json_text(j, "version", e->version);
	json_int(j, "bytes", e->bytes);
	json_num(j, "made_s_ago", e->age);
	json_num(j, "used_s_ago", e->idle);
	json_bool(j, "whole", !e->damage);
	json_text(j, "damage", e->damage);
	json_end(j, '}');
}

static void json_places(json *j, const places *p)
{
	json_begin(j, "caches", '[');
	for (int i = 0; i < p->n; i++) {
		const place *at = &p->at[i];
		json_begin(j, NULL, '{');
		json_text(j, "level", at->word);
		json_text(j, "dir", *at->dir ? at->dir : NULL);
		if (at->limit >= 0)
			json_int(j, "limit_bytes", at->limit);
		else
			json_null(j, "limit_bytes");
		json_int(j, "entries", (long long)at->list.size);
		json_int(j, "bytes", bytes_of(&at->list));
		json_int(j, "damaged", (long long)damaged(&at->list));
		json_end(j, '}');
	}
	json_end(j, ']');
	json_begin(j, "entries", '[');
	for (int i = 0; i < p->n; i++)
		for (size_t k = 0; k < p->at[i].list.size; k++)
			json_entry(j, &p->at[i], &p->at[i].list.at[k]);
	json_end(j, ']');
}

/* ls, and verify: the same facts; verify fails when an entry is damaged. */
static int show(const options *o, bool verify)
{
	places p;
	size_t bad = 0, all = 0;
	int code = places_open(o, &p, true);
	for (int i = 0; i < p.n && !code; i++) {
		bad += damaged(&p.at[i].list);
		all += p.at[i].list.size;
	}
	if (!code && o->json) {
		json j = {.out = stdout};
		json_begin(&j, NULL, '{');
		json_places(&j, &p);
		json_end(&j, '}');
	} else if (!code) {
		for (int i = 0; i < p.n; i++)
			print_place(&p.at[i]);
		if (verify)
			printf("%zu of %zu entries are whole\n", all - bad, all);
	}
	if (!code && verify && bad)
		code = fail(1, "cache", "%zu of %zu entries are damaged; loading makes them again, tarn cache gc removes them",
			    bad, all);
	places_close(&p);
	return code;
}

/* "500M": bytes, with K, M or G for powers of 1024. -1: none of that. */
static int64_t parse_size(const char *text)
{
	char *end;
	errno = 0;
	if (*text < '0' || *text > '9')
		return -1;
	long long v = strtoll(text, &end, 10);
	static const char units[] = "KMG";
	const char *unit = *end ? strchr(units, *end) : NULL;
	if (errno || (*end && (!unit || end[1])))
		return -1;
	for (long k = unit ? unit - units + 1 : 0; k > 0; k--) {
		if (v > INT64_MAX / 1024)
			return -1;
		v *= 1024;
	}
	return v;
}

static int collect(const options *o)
{
	places p;
	int64_t most = o->max_size ? parse_size(o->max_size) : INT64_MAX, removed[2] = {0}, freed[2] = {0};
	if (most < 0)
		return fail(2, "cache", "-max-size cannot be '%s'; give bytes, or a number with K, M or G", o->max_size);
	int code = places_open(o, &p, false);
	for (int i = 0; i < p.n && !code; i++)
		if (*p.at[i].dir && tarn_collect_cache(p.at[i].level, p.at[i].dir, most, &removed[i], &freed[i]) != OK)
			code = fail_last("cache");
	json j = {.out = stdout};
	if (!code && o->json) {
		json_begin(&j, NULL, '{');
		json_begin(&j, "caches", '[');
	}
	for (int i = 0; i < p.n && !code; i++) {
		if (!o->json) {
			printf("%s: %lld entries removed, %lld bytes freed\n", p.at[i].word, (long long)removed[i],
			       (long long)freed[i]);
			continue;
		}
		json_begin(&j, NULL, '{');
		json_text(&j, "level", p.at[i].word);
		json_text(&j, "dir", *p.at[i].dir ? p.at[i].dir : NULL);
		json_int(&j, "removed", removed[i]);
		json_int(&j, "freed_bytes", freed[i]);
		json_end(&j, '}');
	}
	if (!code && o->json) {
		json_end(&j, ']');
		json_end(&j, '}');
	}
	places_close(&p);
	return code;
}

static void print_answer(const session *s, const tarn_cache_answer *a)
{
	static const char *const known[] = {"only loading the model tells", "no", "yes"};
	const char *hit = known[a->hit + 1];
	if (s->o->json) {
		json j = {.out = stdout};
		json_begin(&j, NULL, '{');
		json_text(&j, "model", s->o->model);
		json_text(&j, "device", s->device);
		json_text(&j, "level", a->level);
		if (a->hit < 0)
			json_null(&j, "hit");
		else
			json_bool(&j, "hit", a->hit);
		json_text(&j, "entry", a->path);
		json_text(&j, "runtime", a->runtime);
		json_text(&j, "driver", a->driver);
		json_end(&j, '}');
		return;
	}
	printf("runtime: %s\ndriver: %s\n", a->runtime, a->driver);
	if (a->path)
		printf("entry: %s\n", a->path);
	printf("level: %s, has the model: %s\n", a->level, hit);
}

/* As `bench` names them; other commands give none. */
static const char *hint_of(const options *o)
{
	static const char *const words[][2] = {{"throughput", "THROUGHPUT"}, {"tput", "THROUGHPUT"}, {"latency", "LATENCY"}};
	for (size_t i = 0; o->hint && i < sizeof words / sizeof *words; i++)
		if (!strcasecmp(o->hint, words[i][0]))
			return words[i][1];
	return NULL;
}

static int explain(const options *o)
{
	session s;
	tarn_cache_answer a;
	session_properties p;
	int code = session_open(&s, "cache", o);
	if (!code && s.is_blob)
		code = fail(2, "cache", "%s is compiled already; no cache is asked", o->model);
	if (!code)
		code = session_reshape(&s);
	if (!code)
		code = session_retype(&s);
	if (!code)
		code = session_collect(&s, hint_of(o), &p);
	if (!code && tarn_explain_cache(s.core, s.model, s.device, p.n, p.at, &a) != OK)
		code = fail_last("cache");
	if (!code) {
		print_answer(&s, &a);
		tarn_free_cache_answer(&a);
	}
	session_close(&s);
	return code;
}

int cmd_cache(const options *o)
{
	const char *word = o->word ? o->word : "";
	if (!strcmp(word, "ls"))
		return show(o, false);
	if (!strcmp(word, "verify"))
		return show(o, true);
	if (!strcmp(word, "gc"))
		return collect(o);
	if (!strcmp(word, "explain"))
		return explain(o);
	return fail(2, "cache", "%s%s%s; give ls, verify, explain or gc", *word ? "no action '" : "no action", word,
		    *word ? "'" : "");
}
