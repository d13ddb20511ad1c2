/* SPDX-License-Identifier: Apache-2.0 */
#include "diag/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

/* Numbers of the processes that tracks belong to in the trace; they stand for nothing else. */
enum { HOST = 1, QUEUE = 2, DEVICE = 3, LAYERS = 4 };

typedef struct writer {
	tarn_str *out;
	int64_t zero; /* the trace's moment 0 */
	bool more;
} writer;

static void next(writer *w)
{
	tarn_str_add(w->out, w->more ? ",\n" : "\n");
	w->more = true;
}

/* thread 0: the process itself. */
static void name_track(writer *w, int process, uint64_t thread, const char *name)
{
	next(w);
	tarn_str_addf(w->out, "{\"ph\":\"M\",\"pid\":%d,\"tid\":%llu,\"name\":\"%s\",\"args\":{\"name\":", process,
		      (unsigned long long)thread, thread ? "thread_name" : "process_name");
	tarn_json_quote(w->out, name);
	tarn_str_add(w->out, "}}");
}

/* Nothing for what took no time or was not told. Times are in microseconds, to the nanosecond. */
static void slice(writer *w, int process, uint64_t thread, const char *name, int64_t begin, int64_t end)
{
	if (begin <= 0 || end <= begin)
		return;
	next(w);
	tarn_str_addf(w->out, "{\"ph\":\"X\",\"pid\":%d,\"tid\":%llu,\"ts\":%.3f,\"dur\":%.3f,\"name\":", process,
		      (unsigned long long)thread, (double)(begin - w->zero) * 1e-3, (double)(end - begin) * 1e-3);
	tarn_json_quote(w->out, name);
	tarn_str_add(w->out, "}");
}

/* ---- one inference ---- */

static int64_t first_moment(const tarn_event *e)
{
	return e->asked > 0 ? e->asked : e->prepare > 0 ? e->prepare : e->start;
}

/* On the request's track, one after the other. */
static void host_slices(writer *w, uint64_t track, const tarn_event *e)
{
	int64_t handed = e->start + e->copy_in, back = e->end - e->copy_out;
	slice(w, HOST, track, "wait for a slot", e->asked, e->prepare > 0 ? e->prepare : e->start);
	slice(w, HOST, track, "prepare", e->prepare, e->start);
	slice(w, HOST, track, "copy in", e->start, handed);
	slice(w, HOST, track, "in flight", handed, back);
	slice(w, HOST, track, "copy out", back, e->end);
	slice(w, HOST, track, "callback", e->end, e->callback_end);
}

/* ---- tracks ---- */

static int by_start(const void *a, const void *b)
{
	const tarn_event *x = a, *y = b;
	return x->start < y->start ? -1 : x->start > y->start;
}

static int by_device(const void *a, const void *b)
{
	const tarn_event *x = a, *y = b;
	return x->device_begin < y->device_begin ? -1 : x->device_begin > y->device_begin;
}

/* Requests by the order of their first inference, so that tracks are numbered from 1. */
static uint64_t track_of(uint64_t *request, size_t *n, uint64_t r)
{
	for (size_t i = 0; i < *n; i++)
		if (request[i] == r)
			return i + 1;
	request[*n] = r;
	return ++*n;
}

/* The first lane that is free at `begin`; lanes are numbered from 1. */
static uint64_t lane_of(int64_t *busy_until, size_t *n, int64_t begin, int64_t end)
{
	size_t i = 0;
	while (i < *n && busy_until[i] > begin)
		i++;
	*n += i == *n;
	busy_until[i] = end;
	return i + 1;
}

static void name_lanes(writer *w, int process, size_t n, const char *word)
{
	char name[64];
	for (size_t i = 1; i <= n; i++) {
		snprintf(name, sizeof name, n > 1 ? "%s %zu" : "%s", word, i);
		name_track(w, process, i, name);
	}
}

/* ---- the whole ---- */

static void write_host(writer *w, const tarn_event *e, size_t n, uint64_t *request)
{
	size_t tracks = 0;
	name_track(w, HOST, 0, "host");
	for (size_t i = 0; i < n; i++)
		host_slices(w, track_of(request, &tracks, e[i].request), &e[i]);
	name_lanes(w, HOST, tracks, "request");
}

static int64_t write_device(writer *w, const tarn_trace *t, const tarn_event *e, int64_t *busy_until)
{
	char name[512];
	size_t lanes = 0;
	int64_t last = 0;
	snprintf(name, sizeof name, "%s%s", t->device, t->modelled ? " (times modelled)" : "");
	name_track(w, DEVICE, 0, name);
	for (size_t i = 0; i < t->n; i++) {
		if (e[i].device_begin <= 0)
			continue;
		slice(w, DEVICE, lane_of(busy_until, &lanes, e[i].device_begin, e[i].device_end), "inference",
		      e[i].device_begin, e[i].device_end);
		last = e[i].device_begin > last ? e[i].device_begin : last;
	}
	name_lanes(w, DEVICE, lanes, "running");
	return last;
}

/* From the end of copying in until the device begins. */
static void write_queue(writer *w, const tarn_event *e, size_t n, int64_t *busy_until)
{
	size_t lanes = 0;
	name_track(w, QUEUE, 0, "queue");
	for (size_t i = 0; i < n; i++) {
		int64_t begin = e[i].start + e[i].copy_in;
		if (e[i].device_begin > begin)
			slice(w, QUEUE, lane_of(busy_until, &lanes, begin, e[i].device_begin), "queued", begin,
			      e[i].device_begin);
	}
	name_lanes(w, QUEUE, lanes, "waiting");
}

static void write_layers(writer *w, const tarn_trace *t, int64_t begin)
{
	double at = (double)begin;
	name_track(w, LAYERS, 0,
		   t->modelled ? "layers of the last inference (times modelled)" : "layers of the last inference");
	name_track(w, LAYERS, 1, "layers");
	for (size_t i = 0; i < t->n_layer; i++) {
		char name[512];
		double end = at + t->layer[i].ms * 1e6;
		snprintf(name, sizeof name, "%s (%s, %s)", t->layer[i].name, t->layer[i].type, t->layer[i].engine);
		slice(w, LAYERS, 1, name, (int64_t)at, (int64_t)end);
		at = end;
	}
}

tarn_err tarn_trace_write(const tarn_trace *t, tarn_str *json)
{
	size_t n = t->n ? t->n : 1;
	tarn_event *e = tarn_mem_alloc(n * sizeof *e);
	uint64_t *request = tarn_mem_zalloc(n, sizeof *request);
	int64_t *busy_until = tarn_mem_zalloc(n, sizeof *busy_until);
	if (!e || !request || !busy_until) {
		tarn_mem_free(e);
		tarn_mem_free(request);
		tarn_mem_free(busy_until);
		return tarn_err_nomem(n * (sizeof *e + sizeof *request));
	}
	if (t->n)
		memcpy(e, t->event, t->n * sizeof *e);
	writer w = {.out = json};
	for (size_t i = 0; i < t->n; i++)
		if (!i || first_moment(&e[i]) < w.zero)
			w.zero = first_moment(&e[i]);
	tarn_str_addf(json, "{\"displayTimeUnit\":\"ms\",\"otherData\":{\"inferences\":%zu,\"left_out\":%zu},\"traceEvents\":[",
		      t->n, t->dropped);
	qsort(e, t->n, sizeof *e, by_start);
	write_host(&w, e, t->n, request);
	write_queue(&w, e, t->n, busy_until);
	qsort(e, t->n, sizeof *e, by_device);
	memset(busy_until, 0, n * sizeof *busy_until);
	int64_t last = write_device(&w, t, e, busy_until);
	if (t->n_layer && last)
		write_layers(&w, t, last);
	tarn_str_add(json, "\n]}\n");
	tarn_mem_free(e);
	tarn_mem_free(request);
	tarn_mem_free(busy_until);
	return tarn_str_done(json);
}
