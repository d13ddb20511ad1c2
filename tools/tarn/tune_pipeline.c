/* SPDX-License-Identifier: Apache-2.0 */
/* tarn tune without --lengths: how many streams, requests, workers and samples at once a model runs best with. One setting at a
 * time, each from small to large; the smallest that is as fast as the fastest is kept, since more only costs latency and
 * memory. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "page.h"
#include "paced.h"
#include "say.h"
#include "tarn/settings.h"
#include "tune.h"

enum { MAX_POINTS = 64, MAX_VALUES = 12, PASSES = 2 };
/* Below this share of the best rate a setting counts as slower. */
static const double as_fast = 0.97;

typedef struct point {
	const char *sweep; /* which setting was changed */
	long value;
	tarn_settings set;
	double rate, latency_ms; /* inferences (samples) a second; median */
	bool kept, failed;
	char why[256];
} point;

typedef struct tuner {
	const options *o;
	point at[MAX_POINTS];
	size_t n;
	tarn_settings best;
	double best_rate, first_rate;
	long processors, optimal;
	bool cpu, interrupted;
	char device_name[128];
} tuner;

/* The options of one point. The texts must live as long. */
typedef struct trial {
	options o;
	char streams[16];
} trial;

static void trial_options(const tuner *t, const tarn_settings *s, trial *x)
{
	x->o = *t->o;
	snprintf(x->streams, sizeof x->streams, "%d", s->streams);
	x->o.api = "async";
	x->o.hint = s->requests > 1 ? "throughput" : "latency";
	x->o.nireq = s->requests;
	x->o.nstreams = s->streams > 0 ? x->streams : NULL;
	x->o.workers = t->o->live && s->workers > 0 ? s->workers : -1;
	x->o.batch = s->batch > 1 ? s->batch : t->o->batch;
	x->o.niter = -1;
	x->o.seconds = t->o->seconds > 0 ? t->o->seconds : 1;
	x->o.html = NULL;
	x->o.json = false;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void take_result(tuner *t, bench *b, point *p)
{
	double rate = (double)b->batch * (double)b->n * 1e3 / b->duration_ms;
	qsort(b->latency, b->n, sizeof *b->latency, by_value);
	if (rate > p->rate) {
		p->rate = rate;
		p->latency_ms = b->latency[b->n / 2];
	}
	t->interrupted = t->interrupted || b->interrupted;
	snprintf(t->device_name, sizeof t->device_name, "%s", b->s.device_name);
}

/* A batch the model does not take is a finding, all else ends the tuning. */
static int measure(tuner *t, point *p)
{
	trial x;
	trial_options(t, &p->set, &x);
	bench b = {.s.command = "tune", .o = &x.o, .quiet = true};
	int code = bench_open(&b);
	if (!code)
		code = bench_measure(&b);
	if (!code)
		take_result(t, &b, p);
	bench_close(&b);
	if (code && p->set.batch > 1) {
		p->failed = true;
		snprintf(p->why, sizeof p->why, "the model does not run with batch %d", p->set.batch);
		code = 0;
	}
	return code;
}

static void progress(const point *p)
{
	if (isatty(2))
		fprintf(stderr, "\r\033[K%s %ld ...", p->sweep, p->value);
}

/* There and back again, so that a machine that slows down or wakes up meets all values alike. */
static int measure_sweep(tuner *t, point *p, size_t n)
{
	int code = 0;
	for (int pass = 0; pass < PASSES && !code && !t->interrupted; pass++)
		for (size_t i = 0; i < n && !code && !t->interrupted; i++) {
			point *x = &p[pass % 2 ? n - 1 - i : i];
			progress(x);
			code = x->failed ? 0 : measure(t, x);
		}
	if (isatty(2))
		fprintf(stderr, "\r\033[K");
	return code;
}

static void keep_best(tuner *t, point *p, size_t n)
{
	double best = 0;
	for (size_t i = 0; i < n; i++)
		best = p[i].rate > best ? p[i].rate : best;
	for (size_t i = 0; i < n; i++)
		if (p[i].rate >= as_fast * best && best > 0) {
			p[i].kept = true;
			t->best = p[i].set;
			t->best_rate = p[i].rate;
			return;
		}
}

/* What was measured of these settings before counts again: noise must not make another value look better than it. */
static void recall(const tuner *t, point *p)
{
	for (size_t i = 0; i < t->n; i++) {
		const tarn_settings *a = &t->at[i].set, *b = &p->set;
		bool same = a->requests == b->requests && a->streams == b->streams && a->workers == b->workers &&
			    a->batch == b->batch;
		if (same && !t->at[i].failed && t->at[i].rate > p->rate) {
			p->rate = t->at[i].rate;
			p->latency_ms = t->at[i].latency_ms;
		}
	}
}

static int sweep(tuner *t, const char *name, int *setting, const long *value, size_t n)
{
	point *first = &t->at[t->n];
	if (n < 2 || t->n + n > MAX_POINTS)
		return 0;
	for (size_t i = 0; i < n; i++) {
		*setting = (int)value[i];
		first[i] = (point){.sweep = name, .value = value[i], .set = t->best};
		recall(t, &first[i]);
	}
	int code = measure_sweep(t, first, n);
	t->n += n;
	if (t->first_rate <= 0)
		t->first_rate = first[0].rate;
	if (!code)
		keep_best(t, first, n);
	return code;
}

/* 1, 2, 4 ... and `most` itself. */
static size_t doubling(long most, long value[MAX_VALUES])
{
	size_t n = 0;
	for (long v = 1; v < most && n < MAX_VALUES - 1; v *= 2)
		value[n++] = v;
	value[n++] = most;
	return n;
}

static long optimal_requests(const ov_compiled_model_t *m)
{
	char *text = NULL;
	long n = 1;
	if (ov_compiled_model_get_property(m, "OPTIMAL_NUMBER_OF_INFER_REQUESTS", &text) == OK && atol(text) > 0)
		n = atol(text);
	ov_free(text);
	return n;
}

/* What there is to choose from, and whether the model runs at all. */
static int look(tuner *t)
{
	trial x;
	t->best = (tarn_settings){.requests = 1, .streams = 0, .workers = 0, .batch = 1};
	trial_options(t, &t->best, &x);
	x.o.hint = "throughput";
	bench b = {.s.command = "tune", .o = &x.o, .quiet = true};
	int code = bench_open(&b);
	if (!code) {
		t->optimal = optimal_requests(b.s.compiled);
		t->cpu = !strcmp(b.s.runs_on, "CPU");
	}
	bench_close(&b);
	if (code == 2)
		note("to find sizes for a free dimension: tarn tune --lengths FILE --bound NAME=MAX");
	t->processors = sysconf(_SC_NPROCESSORS_ONLN);
	return code;
}

static int tune_all(tuner *t)
{
	long value[MAX_VALUES];
	int code = 0;
	t->best.workers = t->o->live ? 1 : 0;
	if (t->cpu && t->processors > 1) {
		/* As many requests as streams, or streams would idle. */
		point *first = &t->at[t->n];
		size_t n = doubling(t->processors, value);
		for (size_t i = 0; i < n; i++) {
			first[i] = (point){.sweep = "streams", .value = value[i], .set = t->best};
			first[i].set.streams = first[i].set.requests = (int)value[i];
		}
		code = measure_sweep(t, first, n);
		t->n += n;
		t->first_rate = first[0].rate;
		if (!code)
			keep_best(t, first, n);
	}
	if (!code && !t->interrupted) {
		size_t n = doubling(2 * (t->optimal > t->best.requests ? t->optimal : t->best.requests), value);
		code = sweep(t, "requests", &t->best.requests, value, n);
	}
	if (!code && !t->interrupted && t->o->live)
		code = sweep(t, "workers", &t->best.workers, value, doubling(t->processors, value));
	if (!code && !t->interrupted && t->o->batch < 0 && !t->o->live)
		code = sweep(t, "batch", &t->best.batch, (const long[]){1, 2, 4, 8}, 4);
	return code;
}

static const char *hint_of(const tarn_settings *s)
{
	return s->requests > 1 ? "THROUGHPUT" : "LATENCY";
}

static void show(const tuner *t, const char *path)
{
	const char *sweep = "";
	printf("%s on %s\n", t->o->model, t->device_name);
	for (size_t i = 0; i < t->n; i++) {
		const point *p = &t->at[i];
		if (strcmp(sweep, p->sweep))
			printf("%-10s %10s %12s\n", p->sweep, "1/s", "latency ms");
		sweep = p->sweep;
		if (p->failed)
			printf("  %-8ld %s\n", p->value, p->why);
		else
			printf("  %-8ld %10.1f %12.3f%s\n", p->value, p->rate, p->latency_ms, p->kept ? "  <- kept" : "");
	}
	printf("(measured%s, the better of %d passes; kept: the smallest within %.0f %% of the fastest)\n",
	       t->o->sim ? " against a device of modelled times" : "", PASSES, 100 * (1 - as_fast));
	printf("choice: %s, %d request%s in flight", hint_of(&t->best), t->best.requests, t->best.requests > 1 ? "s" : "");
	if (t->best.streams > 0)
		printf(", %d stream%s", t->best.streams, t->best.streams > 1 ? "s" : "");
	if (t->best.workers > 0)
		printf(", %d worker%s", t->best.workers, t->best.workers > 1 ? "s" : "");
	if (t->best.batch > 1)
		printf(", batch %d", t->best.batch);
	printf(": %.1f 1/s, %.2f times the rate of one request\n%s -> %s\nuse it: tarn bench -m %s -d %s%s%s%s --settings %s\n",
	       t->best_rate, t->best_rate / t->first_rate, "settings", path, t->o->model, t->o->device ? t->o->device : "CPU",
	       t->o->sim ? " --sim " : "", t->o->sim ? t->o->sim : "", t->o->sim ? " -paced" : "", path);
}

static void json_settings(json *j, const char *key, const tarn_settings *s)
{
	json_begin(j, key, '{');
	json_text(j, "hint", hint_of(s));
	json_int(j, "nireq", s->requests);
	json_int(j, "nstreams", s->streams);
	json_int(j, "workers", s->workers);
	json_int(j, "batch", s->batch);
	json_end(j, '}');
}

static void report(const tuner *t, const char *path, json *j)
{
	json_begin(j, NULL, '{');
	json_text(j, "model", t->o->model);
	json_text(j, "device_name", t->device_name);
	json_text(j, "settings", path);
	json_settings(j, "choice", &t->best);
	json_figure(j, "throughput_fps", t->best_rate, "1/s", "measured", -1);
	json_num(j, "gain", t->best_rate / t->first_rate);
	json_begin(j, "points", '[');
	for (size_t i = 0; i < t->n; i++) {
		const point *p = &t->at[i];
		json_begin(j, NULL, '{');
		json_text(j, "sweep", p->sweep);
		json_int(j, "value", p->value);
		json_figure(j, "throughput_fps", p->failed ? NAN : p->rate, "1/s", "measured", -1);
		json_figure(j, "latency_ms", p->failed ? NAN : p->latency_ms, "ms", "measured", -1);
		json_bool(j, "kept", p->kept);
		json_text(j, "why", p->failed ? p->why : NULL);
		json_end(j, '}');
	}
	json_end(j, ']');
	json_end(j, '}');
}

static int deliver(const tuner *t)
{
	char path[4200];
	json out = {.out = stdout};
	page p;
	snprintf(path, sizeof path, "%s%s", t->o->result ? t->o->result : t->o->model, t->o->result ? "" : ".settings.json");
	const char *device = t->o->device ? t->o->device : "CPU";
	if (tarn_save_settings(path, device, &t->best) != OK)
		return fail_last("tune");
	if (t->o->json)
		report(t, path, &out);
	else
		show(t, path);
	if (!t->o->html)
		return 0;
	int code = page_begin("tune", &p);
	if (code)
		return code;
	report(t, path, &p.j);
	return page_write("tune", &p, "tune", "tarn tune", t->o->html);
}

/* Times of a simulated device mean something on the wall clock only when it is paced. */
static bool wants_paced(const options *o)
{
	const char *env = getenv("TARN_NPU");
	bool simulated = o->sim || (env && !strncmp(env, "sim:", 4));
	return o->device && !strncmp(o->device, "NPU", 3) && simulated && !paced_here();
}

int tune_pipeline(const options *o)
{
	if (wants_paced(o))
		return paced_run("tune", o->argc, o->argv);
	tuner t = {.o = o};
	int code = look(&t);
	if (!code)
		code = tune_all(&t);
	if (!code && t.interrupted)
		code = fail(1, "tune", "interrupted; nothing was stored");
	return code ? code : deliver(&t);
}
