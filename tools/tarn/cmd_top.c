/* SPDX-License-Identifier: Apache-2.0 */
/* top: how busy the NPU is, whoever uses it, from the kernel's counters. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "options.h"
#include "interrupt.h"
#include "say.h"
#include "tarn/system.h"
#include "tarn/version.h"

int cmd_top(const options *o);

enum { MAX_NPUS = 4, MAX_PROCESSES = 8, BAR = 20 };

static atomic_int stopped;

typedef struct top {
	const char *root;
	tarn_npu_counters before[MAX_NPUS], now[MAX_NPUS];
	size_t n;
	double interval; /* seconds */
	bool terminal;
	int lines; /* on the screen, to be written over */
	json *j;
	int64_t began_ns;
} top;

static int read_all(top *t, tarn_npu_counters *at)
{
	for (size_t i = 0; i < t->n; i++)
		if (tarn_read_npu_counters(t->root, i, &at[i]) != OK)
			return fail_last("top");
	return 0;
}

static void count_npus(top *t)
{
	tarn_npu_counters c;
	while (t->n < MAX_NPUS && tarn_read_npu_counters(t->root, t->n, &c) == OK)
		t->n++;
}

/* A signal ends the sleep, and then the loop. */
static void nap(double seconds)
{
	struct timespec t = {.tv_sec = (time_t)seconds};
	t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
	nanosleep(&t, NULL);
}

static const char *power_of(const tarn_npu_counters *c)
{
	return *c->power ? c->power : "power state unknown";
}

static void show_line(const tarn_npu_counters *c, double busy)
{
	char bar[BAR + 1];
	int full = isfinite(busy) ? (int)lround(busy * BAR) : 0;
	for (int i = 0; i < BAR; i++)
		bar[i] = i < full ? '#' : '.';
	bar[BAR] = 0;
	printf("%s%s%s  ", c->address, *c->generation ? " " : "", c->generation);
	if (isfinite(busy))
		printf("busy %5.1f %% [%s]", busy * 100, bar);
	else
		printf("busy unknown: this kernel does not count it");
	if (c->max_clock_mhz > 0)
		printf("  clock %lld of %lld MHz", (long long)c->clock_mhz, (long long)c->max_clock_mhz);
	if (c->memory_bytes >= 0)
		printf("  memory %.1f MB", (double)c->memory_bytes * 1e-6);
	printf("  %s", power_of(c));
}

static void show_processes(const top *t, size_t npu)
{
	tarn_npu_process p[MAX_PROCESSES];
	size_t n = MAX_PROCESSES;
	int hidden = 0;
	if (tarn_list_npu_processes(t->root, npu, p, &n, &hidden) != OK || (!n && !hidden)) {
		printf("  opened by nobody");
		return;
	}
	printf("  opened by");
	for (size_t i = 0; i < n; i++)
		printf("%s %s (%d)", i ? "," : "", p[i].name, p[i].pid);
	if (!n)
		printf(" none of your processes; %d of others cannot be looked into", hidden);
}

static void show_text(top *t)
{
	const char *end = t->terminal ? "\033[K\n" : "\n";
	if (t->lines)
		printf("\033[%dA", t->lines);
	t->lines = 0;
	for (size_t i = 0; i < t->n; i++) {
		show_line(&t->now[i], tarn_npu_busy_share(&t->before[i], &t->now[i]));
		fputs(end, stdout);
		if (!t->terminal)
			continue;
		show_processes(t, i);
		fputs(end, stdout);
		t->lines += 2;
	}
	fflush(stdout);
}

/* -1 of the counters is "missing": null. */
static void figure(json *j, const char *key, double value, double scale, const char *unit)
{
	json_figure(j, key, value < 0 ? NAN : value * scale, unit, "measured", -1);
}

static void show_processes_json(const top *t, size_t npu)
{
	tarn_npu_process p[MAX_PROCESSES];
	size_t n = MAX_PROCESSES;
	int hidden = 0;
	json_begin(t->j, "processes", '[');
	if (tarn_list_npu_processes(t->root, npu, p, &n, &hidden) == OK)
		for (size_t i = 0; i < n; i++) {
			json_begin(t->j, NULL, '{');
			json_int(t->j, "pid", p[i].pid);
			json_text(t->j, "name", p[i].name);
			json_end(t->j, '}');
		}
	json_end(t->j, ']');
}

static void show_json(const top *t)
{
	for (size_t i = 0; i < t->n; i++) {
		const tarn_npu_counters *c = &t->now[i];
		json_begin(t->j, NULL, '{');
		json_text(t->j, "npu", c->address);
		json_text(t->j, "generation", *c->generation ? c->generation : NULL);
		json_figure(t->j, "time", (double)(c->time_ns - t->began_ns) * 1e-9, "s", "measured", -1);
		json_figure(t->j, "busy", tarn_npu_busy_share(&t->before[i], c), "share", "measured", -1);
		figure(t->j, "clock", (double)c->clock_mhz, 1, "MHz");
		figure(t->j, "max_clock", (double)c->max_clock_mhz, 1, "MHz");
		figure(t->j, "memory", (double)c->memory_bytes, 1e-6, "MB");
		json_text(t->j, "power", *c->power ? c->power : NULL);
		show_processes_json(t, i);
		json_end(t->j, '}');
	}
}

static int watch(top *t, long count)
{
	int code = read_all(t, t->before);
	t->began_ns = t->before[0].time_ns;
	for (long i = 0; !code && !stopped && (count < 0 || i < count); i++) {
		nap(t->interval);
		if (stopped && i)
			break;
		code = read_all(t, t->now);
		if (code)
			break;
		if (t->j)
			show_json(t);
		else
			show_text(t);
		memcpy(t->before, t->now, sizeof t->now);
	}
	return code;
}

int cmd_top(const options *o)
{
	json j = {.out = stdout};
	top t = {.root = o->root ? o->root : "", .interval = o->interval < 0 ? 1 : o->interval, .j = o->json ? &j : NULL};
	long count = o->count < 0 && o->json ? 1 : o->count;
	t.terminal = !t.j && isatty(STDOUT_FILENO);
	if (t.interval < 0.1 || t.interval > 3600)
		return fail(2, "top", "--interval %g is not between 0.1 and 3600 seconds", t.interval);
	if (count == 0)
		return fail(2, "top", "--count 0 shows nothing; leave it out to watch until Ctrl-C");
	if (getenv("TARN_NPU") && !*t.root)
		note("a simulated NPU exists only inside the process that uses it; tarn bench shows how busy it was");
	count_npus(&t);
	if (!t.n)
		return fail(4, "top",
			    "there is no Intel NPU to watch here; `tarn doctor` says what is missing, and `tarn bench -m "
			    "MODEL -d NPU --sim 4000 -paced` shows a modelled NPU at work");
	interrupt_watch(&stopped);
	if (t.j) {
		json_begin(&j, NULL, '{');
		json_text(&j, "version", tarn_version());
		json_begin(&j, "samples", '[');
	} else {
		printf("busy: share of the time with at least one job submitted (measured by the kernel); a busy NPU may still "
		       "be waiting for memory\n");
	}
	int code = watch(&t, count);
	if (t.j) {
		json_end(&j, ']');
		json_end(&j, '}');
	}
	interrupt_unwatch();
	return code;
}
