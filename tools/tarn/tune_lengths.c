/* SPDX-License-Identifier: Apache-2.0 */
/* tarn tune --lengths: which sizes to compile for, and what that saves. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"
#include "tarn/buckets.h"
#include "tune.h"

enum { DEFAULT_BUCKETS = 4 };

/* "NAME=MAX"; NAME may hold anything but '='. */
int tune_read_bounds(const session *s, tune_bounds *b)
{
	b->n = 0;
	if (!s->o->bound.n)
		return fail(2, s->command, "lengths need the dimension they measure; give --bound NAME=MAX");
	for (; b->n < s->o->bound.n; b->n++) {
		const char *word = s->o->bound.at[b->n], *eq = strrchr(word, '=');
		char *end = NULL;
		long long max = eq ? strtoll(eq + 1, &end, 10) : 0;
		if (b->n == TUNE_MOST_BOUNDS || !eq || eq == word || (size_t)(eq - word) >= sizeof b->name[0] ||
		    end == eq + 1 || *end || max < 1)
			return fail(2, s->command, "--bound '%s' is no bound; write NAME=MAX, as in length=128", word);
		snprintf(b->name[b->n], sizeof b->name[0], "%.*s", (int)(eq - word), word);
		b->at[b->n] = (tarn_bucket_bound){b->name[b->n], max};
	}
	return 0;
}

void tune_plan_path(const session *s, char *out, size_t size)
{
	snprintf(out, size, "%s%s", s->o->result ? s->o->result : s->o->model, s->o->result ? "" : ".tarn.json");
}

static double memory_of(const tarn_buckets_info *p)
{
	double sum = p->weight_bytes;
	for (size_t i = 0; i < p->n_size; i++)
		sum += p->size[i].chosen ? p->size[i].memory_bytes : 0;
	return sum;
}

static double compile_of(const tarn_buckets_info *p)
{
	double sum = 0;
	for (size_t i = 0; i < p->n_size; i++)
		sum += p->size[i].chosen ? p->size[i].compile_ms : 0;
	return sum;
}

/* Sizes as they are, where the device takes any: better than the plan? */
static bool free_is_best(const tarn_buckets_info *p)
{
	return p->free_ms > 0 && p->free_ms < p->way[0].mean_ms;
}

void tune_show_plan(const session *s, const tarn_buckets_info *p, const char *path)
{
	const char *source = p->modelled ? "modelled" : "measured";
	printf("%s on %s (%s): %lld inputs, '%s' %.1f long in the mean, at most %lld\n", s->o->model, p->device, p->device_name,
	       (long long)p->inputs, p->dimension, p->mean_length, (long long)p->longest);
	printf("an inference at the sizes chosen, of %zu looked at (%s):", p->n_size, source);
	for (size_t i = 0; i < p->n_size; i++)
		if (p->size[i].chosen)
			printf(" %lld: %.4g ms", (long long)p->size[i].size, p->size[i].ms);
	printf("\n");
	printf("%-14s %6s %10s %9s %8s\n", "", "sizes", "mean ms", "padding", "time");
	for (int i = 0; i < 3; i++)
		printf("%-14s %6zu %10.4g %7.1f %% %7.2fx\n", p->way[i].name, p->way[i].sizes, p->way[i].mean_ms,
		       100 * p->way[i].padding, p->way[i].mean_ms / p->way[1].mean_ms);
	if (p->free_ms > 0)
		printf("%-14s %6s %10.4g %7.1f %% %7.2fx\n", "free sizes", "any", p->free_ms, 0.0,
		       p->free_ms / p->way[1].mean_ms);
	printf("(mean time of an inference, %s", source);
	if (p->modelled)
		printf(" within %.0f %%", 100 * p->band);
	printf("; padding: share of all elements)\n");
	if (p->own_weights)
		printf("memory: %.2f MB: each size as compiled, with weights of its own, and room to run (%s)",
		       memory_of(p) * 1e-6, source);
	else
		printf("memory: %.2f MB, of which weights, once, %.2f (planned)", memory_of(p) * 1e-6, p->weight_bytes * 1e-6);
	if (compile_of(p) > 0)
		printf("; compiling: %.0f ms (measured)", compile_of(p));
	if (p->free_ms > 0)
		printf("\ndevice %s also takes free sizes as they are, without padding (interpolated); each new size costs it "
		       "planning, once%s",
		       p->device, free_is_best(p) ? ".\nThat takes less time here: leave --plan out" : "");
	printf("\n%s -> %s\nuse it: tarn bench -m %s -d %s%s%s --plan %s\n", p->buckets, path, s->o->model, p->device,
	       s->o->sim ? " --sim " : "", s->o->sim ? s->o->sim : "", path);
}

void tune_plan_json(const session *s, const tarn_buckets_info *p, const char *path, json *j)
{
	const char *source = p->modelled ? "modelled" : "measured";
	double band = p->modelled ? p->band : -1;
	json_text(j, "model", s->o->model);
	json_text(j, "device", p->device);
	json_text(j, "device_name", p->device_name);
	json_text(j, "plan", path);
	json_text(j, "buckets", p->buckets);
	json_text(j, "dimension", p->dimension);
	json_int(j, "inputs", (long long)p->inputs);
	json_num(j, "mean_length", p->mean_length);
	json_int(j, "longest", (long long)p->longest);
	json_begin(j, "ways", '[');
	for (int i = 0; i < 3; i++) {
		json_begin(j, NULL, '{');
		json_text(j, "name", p->way[i].name);
		json_int(j, "sizes", (long long)p->way[i].sizes);
		json_figure(j, "mean_ms", p->way[i].mean_ms, "ms", source, band);
		json_num(j, "padding", p->way[i].padding);
		json_end(j, '}');
	}
	json_end(j, ']');
	json_figure(j, "free_ms", p->free_ms > 0 ? p->free_ms : NAN, "ms", source, band);
	json_text(j, "best", free_is_best(p) ? "free sizes" : "plan");
	json_begin(j, "sizes", '[');
	for (size_t i = 0; i < p->n_size; i++) {
		json_begin(j, NULL, '{');
		json_int(j, "size", (long long)p->size[i].size);
		json_bool(j, "chosen", p->size[i].chosen);
		json_figure(j, "ms", p->size[i].ms, "ms", source, band);
		json_num(j, "memory_bytes", p->size[i].memory_bytes > 0 ? p->size[i].memory_bytes : NAN);
		json_figure(j, "compile_ms", p->size[i].compile_ms > 0 ? p->size[i].compile_ms : NAN, "ms", "measured", -1);
		json_end(j, '}');
	}
	json_end(j, ']');
	json_bool(j, "own_weights", p->own_weights);
	json_num(j, "weight_bytes", p->weight_bytes);
	json_num(j, "memory_bytes", memory_of(p));
}

static int deliver(const session *s, const tarn_buckets_t *plan)
{
	tarn_buckets_info info;
	char path[4200];
	tune_plan_path(s, path, sizeof path);
	if (tarn_save_buckets(plan, path) != OK || tarn_get_buckets_info(plan, &info) != OK)
		return fail_last(s->command);
	json j = {.out = stdout};
	if (!s->o->json) {
		tune_show_plan(s, &info, path);
		return 0;
	}
	json_begin(&j, NULL, '{');
	tune_plan_json(s, &info, path, &j);
	json_end(&j, '}');
	return 0;
}

tarn_bucket_limit tune_limit(const options *o)
{
	return (tarn_bucket_limit){o->max_buckets >= 0 ? (size_t)o->max_buckets : DEFAULT_BUCKETS,
				   o->max_memory > 0 ? o->max_memory : 0, o->max_compile > 0 ? o->max_compile : 0};
}

int tune_lengths(session *s)
{
	const options *o = s->o;
	tune_bounds b;
	session_properties p;
	int64_t *length;
	size_t n;
	tarn_buckets_t *plan = NULL;
	const tarn_bucket_limit limit = tune_limit(o);
	int code = tune_read_bounds(s, &b);
	if (!code)
		code = session_collect(s, "LATENCY", &p);
	if (code)
		return code;
	if (tarn_read_lengths(o->lengths, &length, &n) != OK)
		return fail_last(s->command);
	if (tarn_plan_buckets(s->core, s->model, s->device, p.n, p.at, b.at, b.n, length, n, &limit, &plan) != OK)
		code = fail_last(s->command);
	ov_free((const char *)length);
	if (!code)
		code = deliver(s, plan);
	tarn_free_buckets(plan);
	return code;
}
