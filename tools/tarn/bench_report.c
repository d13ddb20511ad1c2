/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "say.h"
#include "tarn/profile.h"

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void sort_times(bench *b)
{
	qsort(b->latency, b->n, sizeof *b->latency, ascending);
	if (b->n_device)
		qsort(b->device_ms, b->n_device, sizeof *b->device_ms, ascending);
}

/* Of n sorted values; between two of them in proportion. */
static double percentile(const double *at, size_t n, double p)
{
	if (!n)
		return NAN;
	double rank = p / 100 * (double)(n - 1);
	size_t below = (size_t)rank;
	double part = rank - (double)below;
	return below + 1 < n ? at[below] * (1 - part) + at[below + 1] * part : at[n - 1];
}

static double mean(const double *at, size_t n)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += at[i];
	return n ? sum / (double)n : NAN;
}

static const char *busy_source(const bench *b)
{
	return b->s.simulated ? "modelled" : "measured";
}

/* Outputs are computed but their time on the wall says nothing about the device. */
static bool wall_clock_counts(const bench *b)
{
	return strcmp(b->s.mode, "exact") != 0;
}

/* ---- layers ---- */

static int slowest_first(const void *a, const void *b)
{
	const tarn_layer_info *x = a, *y = b;
	return (x->ms < y->ms) - (x->ms > y->ms);
}

static int get_layers(const bench *b, tarn_layer_list *list)
{
	if (tarn_list_layers(b->request[0], list) != OK)
		return fail_last(b->s.command);
	if (list->size && b->o->pcsort && strcmp(b->o->pcsort, "no_sort"))
		qsort(list->at, list->size, sizeof *list->at, slowest_first);
	return 0;
}

static bool skipped(const bench *b, const tarn_layer_info *l)
{
	return b->o->pcsort && !strcmp(b->o->pcsort, "simple_sort") && l->ms <= 0;
}

/* The time of the inference whose layers these are; what is left of it belongs to none: the fixed cost, and time between
 * layers. */
static double whole_ms(const bench *b, const tarn_layer_list *list, double *rest)
{
	tarn_request_times t;
	double sum = 0, whole;
	for (size_t i = 0; i < list->size; i++)
		sum += list->at[i].ms;
	whole = tarn_get_request_times(b->request[0], &t) != OK ? sum : isnan(t.device_ms) ? t.device : t.device_ms;
	/* Clocks of layers and of the whole are read apart. */
	whole = whole < sum ? sum : whole;
	*rest = whole - sum;
	return whole;
}

static const char rest_name[] = "(no layer)", rest_engine[] = "fixed cost, between layers";

static int print_layers(const bench *b)
{
	tarn_layer_list list;
	int code = get_layers(b, &list);
	if (code)
		return code;
	double rest, total = whole_ms(b, &list, &rest);
	printf("Layers of the last inference of the first request (%s):\n", b->device_modelled ? "modelled" : "measured");
	for (size_t i = 0; i < list.size; i++) {
		const tarn_layer_info *l = &list.at[i];
		if (!skipped(b, l))
			printf("  %10.4f ms %5.1f %%  %-22s %-30s %s\n", l->ms, total > 0 ? 100 * l->ms / total : 0.0, l->type,
			       l->engine, l->name);
	}
	printf("  %10.4f ms %5.1f %%  %-22s %-30s\n", rest, total > 0 ? 100 * rest / total : 0.0, rest_name, rest_engine);
	printf("  %10.4f ms  total of %zu layers and the rest\n", total, list.size);
	tarn_free_layers(&list);
	return 0;
}

static void json_layer(const bench *b, json *j, const tarn_layer_info *l)
{
	json_begin(j, NULL, '{');
	json_text(j, "name", l->name);
	json_text(j, "type", l->type);
	json_text(j, "engine", l->engine);
	json_figure(j, "time", l->ms, "ms", b->device_modelled ? "modelled" : "measured", -1);
	json_num(j, "active_cycles", l->active_cycles);
	json_num(j, "stall_cycles", l->stall_cycles);
	json_end(j, '}');
}

/* Together with the last row, which is no layer, they are "layers_total". */
static int json_layers(const bench *b, json *j)
{
	tarn_layer_list list;
	int code = get_layers(b, &list);
	if (code)
		return code;
	double rest, total = whole_ms(b, &list, &rest);
	json_begin(j, "layers", '[');
	for (size_t i = 0; i < list.size; i++)
		if (!skipped(b, &list.at[i]))
			json_layer(b, j, &list.at[i]);
	const tarn_layer_info last = {
		(char *)(size_t)rest_name, (char *)(size_t) "", (char *)(size_t)rest_engine, rest, NAN, NAN};
	json_layer(b, j, &last);
	json_end(j, ']');
	json_figure(j, "layers_total", total, "ms", b->device_modelled ? "modelled" : "measured", -1);
	tarn_free_layers(&list);
	return 0;
}

/* ---- text ---- */

int bench_report_text(bench *b)
{
	sort_times(b);
	long p = b->o->percentile > 0 && b->o->percentile <= 100 ? b->o->percentile : 50;
	int code = b->o->pc || b->o->pcsort ? print_layers(b) : 0;
	if (code)
		return code;
	printf("[Step 11/11] Statistics (measured on this host)\n");
	printf("Execution Devices: %s (%s)\n", b->s.runs_on, b->s.device_name);
	printf("Count:      %zu iterations\n", b->n);
	printf("Duration:   %.2f ms\n", b->duration_ms);
	if (wall_clock_counts(b)) {
		char name[32];
		snprintf(name, sizeof name, p == 50 ? "Median:" : "%ld percentile:", p);
		printf("Latency:\n");
		printf("   %-12s %.2f ms\n", name, percentile(b->latency, b->n, (double)p));
		printf("   Average:     %.2f ms\n", mean(b->latency, b->n));
		printf("   Min:         %.2f ms\n", b->latency[0]);
		printf("   Max:         %.2f ms\n", b->latency[b->n - 1]);
		printf("   p90, p99:    %.2f, %.2f ms\n", percentile(b->latency, b->n, 90), percentile(b->latency, b->n, 99));
		printf("Throughput: %.2f FPS\n", bench_rate(b));
	} else {
		printf("Latency, throughput: not known; the device is simulated, and the wall clock says nothing about it\n");
	}
	if (b->n_device) {
		printf("Device time: min %.3f, median %.3f ms (%s", b->device_ms[0], percentile(b->device_ms, b->n_device, 50),
		       b->device_modelled ? "modelled" : "measured");
		if (b->device_modelled && isfinite(b->band))
			printf(", +-%.0f %%", b->band * 100);
		printf(")\n");
	}
	bench_shares s = bench_find_shares(b);
	printf("Host time: prepare %.1f %%, copy in %.1f %%, device %.1f %%, copy out %.1f %%, wait %.1f %%, other %.1f %%\n",
	       s.prepare * 100, s.copy_in * 100, s.device * 100, s.copy_out * 100, s.wait * 100, s.other * 100);
	if (!wall_clock_counts(b))
		printf("The device's share is the simulation's own work; -paced measures the host's side\n");
	if (isnan(bench_busy(b)))
		printf("Peak memory %.0f MB (measured)\n", b->peak_rss_mb);
	else
		printf("Device busy: %.0f %%%s (%s), peak memory %.0f MB (measured)\n", bench_busy(b) * 100,
		       b->streams > 1 && !b->n_device ? " of its streams' time" : "", busy_source(b), b->peak_rss_mb);
	bench_print_idle(b);
	if (b->vs)
		bench_vs_print(b);
	return bench_print_verdict(b);
}

/* ---- JSON ---- */

static void json_head(const bench *b, json *j, const tarn_load_info *load)
{
	char *platform = NULL;
	if (!strcmp(b->s.runs_on, "NPU"))
		(void)ov_compiled_model_get_property(b->s.compiled, "NPU_PLATFORM", &platform);
	json_text(j, "model", b->o->model);
	json_text(j, "device", b->s.runs_on);
	json_text(j, "device_name", b->s.device_name);
	json_text(j, "platform", platform);
	json_text(j, "api", b->async ? "async" : "sync");
	json_text(j, "hint", b->hint ? b->hint : "none");
	json_int(j, "nireq", b->nireq);
	if (b->o->nthreads >= 0)
		json_int(j, "nthreads", b->o->nthreads);
	else
		json_null(j, "nthreads");
	json_int(j, "batch", b->batch);
	json_text(j, "live", b->source);
	if (b->live)
		json_int(j, "workers", b->workers);
	else
		json_null(j, "workers");
	json_text(j, "mode", *b->s.mode ? b->s.mode : NULL);
	json_int(j, "iterations", (long long)b->n);
	json_figure(j, "duration_ms", b->duration_ms, "ms", "measured", -1);
	json_figure(j, "read_ms", b->s.is_blob ? NAN : b->s.read_ms, "ms", "measured", -1);
	json_figure(j, "compile_ms", b->s.compile_ms, "ms", "measured", -1);
	json_figure(j, "first_inference_ms", wall_clock_counts(b) ? b->first_ms : NAN, "ms", "measured", -1);
	json_begin(j, "cache", '{');
	json_text(j, "level", load->cache_level);
	json_bool(j, "hit", load->cache_hit);
	json_end(j, '}');
	json_int(j, "compilations", load->compilations);
	ov_free(platform);
}

static void json_latency(const bench *b, json *j)
{
	if (!wall_clock_counts(b)) {
		json_null(j, "latency_ms");
		json_null(j, "throughput_fps");
		return;
	}
	json_begin(j, "latency_ms", '{');
	json_num(j, "min", b->latency[0]);
	json_num(j, "median", percentile(b->latency, b->n, 50));
	json_num(j, "avg", mean(b->latency, b->n));
	json_num(j, "p90", percentile(b->latency, b->n, 90));
	json_num(j, "p99", percentile(b->latency, b->n, 99));
	json_num(j, "max", b->latency[b->n - 1]);
	json_text(j, "source", "measured");
	json_end(j, '}');
	json_figure(j, "throughput_fps", bench_rate(b), "1/s", "measured", -1);
}

static void json_shares(const bench *b, json *j)
{
	bench_shares s = bench_find_shares(b);
	json_begin(j, "device_ms", '{');
	json_num(j, "min", b->n_device ? b->device_ms[0] : NAN);
	json_num(j, "median", percentile(b->device_ms, b->n_device, 50));
	if (b->n_device && b->device_modelled)
		json_num(j, "band", b->band);
	json_text(j, "source", !b->n_device ? NULL : b->device_modelled ? "modelled" : "measured");
	json_end(j, '}');
	json_begin(j, "phases", '{');
	json_num(j, "prepare", s.prepare);
	json_num(j, "copy_in", s.copy_in);
	json_num(j, "device", s.device);
	json_num(j, "copy_out", s.copy_out);
	json_num(j, "wait", s.wait);
	json_num(j, "other", s.other);
	json_end(j, '}');
	json_text(j, "phases_source", "measured");
	json_begin(j, "utilization", '{');
	json_num(j, "busy", bench_busy(b));
	json_num(j, "mac", bench_mac(b));
	json_num(j, "ddr", bench_ddr(b));
	json_num(j, "busy_counter", b->busy_counter);
	json_end(j, '}');
	json_text(j, "utilization_source", busy_source(b));
}

/* For the page: the last of them. */
static void json_timeline(const tarn_timeline *t, json *j)
{
	enum { SHOWN = 200 };
	json_begin(j, "timeline", '[');
	for (size_t i = t->size > SHOWN ? t->size - SHOWN : 0; i < t->size; i++) {
		const tarn_timeline_event *e = &t->at[i];
		json_begin(j, NULL, '{');
		json_int(j, "request", (long long)e->request);
		json_int(j, "prepare_ns", e->prepare_ns);
		json_int(j, "start_ns", e->start_ns);
		json_int(j, "device_begin_ns", e->device_begin_ns);
		json_int(j, "device_end_ns", e->device_end_ns);
		json_int(j, "end_ns", e->end_ns);
		json_int(j, "callback_end_ns", e->callback_end_ns);
		json_int(j, "copy_in_ns", e->copy_in_ns);
		json_int(j, "copy_out_ns", e->copy_out_ns);
		json_end(j, '}');
	}
	json_end(j, ']');
}

int bench_report_json(bench *b, json *j)
{
	json_begin(j, NULL, '{');
	int code = bench_json_body(b, j);
	json_end(j, '}');
	return code;
}

int bench_json_body(bench *b, json *j)
{
	tarn_load_info load;
	if (tarn_get_load_info(b->s.compiled, &load) != OK)
		return fail_last(b->s.command);
	sort_times(b);
	json_head(b, j, &load);
	json_latency(b, j);
	json_shares(b, j);
	bench_json_anatomy(b, j);
	if (b->vs)
		bench_vs_json(b, j);
	int code = bench_json_verdict(b, j);
	json_figure(j, "peak_rss_mb", b->peak_rss_mb, "MB", "measured", -1);
	session_notes(&b->s, j);
	if (!code)
		code = b->o->pc || b->o->pcsort ? json_layers(b, j) : 0;
	if (b->timeline.size)
		json_timeline(&b->timeline, j);
	return code;
}
