/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bounds.h"
#include "input.h"
#include "optimize.h"
#include "paced.h"
#include "tarn/profile.h"

/* The library's sentence about its last failure. */
static void last_sentence(char *out, size_t size)
{
	const char *text = ov_get_last_err_msg();
	snprintf(out, size, "%s", text ? text : "failed");
	ov_free(text);
}

/* A request whose inputs hold seeded values; the valid length of a bounded model is its maximum. */
static int make_request(const optimize *z, const ov_compiled_model_t *c, ov_infer_request_t **r)
{
	size_t n = 0;
	uint64_t seed = 1;
	ov_status_e status = ov_compiled_model_create_infer_request(c, r);
	if (status == OK)
		status = ov_compiled_model_inputs_size(c, &n);
	for (size_t i = 0; i < n && status == OK; i++) {
		ov_output_const_port_t *port = NULL;
		ov_tensor_t *t = NULL;
		char *name = NULL;
		void *at;
		size_t count;
		status = ov_compiled_model_input_by_index(c, i, &port);
		if (status == OK)
			status = ov_port_get_any_name(port, &name);
		if (status == OK)
			status = ov_infer_request_get_input_tensor_by_index(*r, i, &t);
		if (status == OK)
			input_fill(t, &seed);
		for (size_t k = 0; status == OK && z->s.bounds && k < z->s.bounds->n; k++)
			if (!strcmp(z->s.bounds->at[k].length_input, name) && (status = ov_tensor_data(t, &at)) == OK &&
			    (status = ov_tensor_get_size(t, &count)) == OK)
				for (size_t m = 0; m < count; m++)
					((int64_t *)at)[m] = z->s.bounds->at[k].max;
		ov_free(name);
		ov_tensor_free(t);
		ov_output_const_port_free(port);
	}
	return status == OK ? 0 : 1;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Median latency of both models on the CPU, taken in turn so that both see the same machine. */
int opt_measure_cpu(optimize *z)
{
	enum { MOST = 200 };
	const ov_model_t *model[2] = {z->s.model, z->int8};
	ov_compiled_model_t *c[2] = {NULL, NULL};
	ov_infer_request_t *r[2] = {NULL, NULL};
	double ms[2][MOST];
	int n = 0, code = 0;
	for (int k = 0; k < 2 && !code; k++) {
		ov_property_t latency = {"PERFORMANCE_HINT", "LATENCY"};
		if (ov_core_compile_model_props(z->s.core, model[k], "CPU", 1, &latency, &c[k]) != OK ||
		    make_request(z, c[k], &r[k]) || ov_infer_request_infer(r[k]) != OK)
			code = fail_last(z->s.command);
	}
	double begin = now_ms();
	while (!code && n < MOST && (n < 5 || now_ms() - begin < 1000)) {
		for (int k = 0; k < 2 && !code; k++) {
			double t = now_ms();
			if (ov_infer_request_infer(r[k]) != OK)
				code = fail_last(z->s.command);
			ms[k][n] = now_ms() - t;
		}
		n++;
	}
	for (int k = 0; k < 2; k++) {
		ov_infer_request_free(r[k]);
		ov_compiled_model_free(c[k]);
		if (!code)
			qsort(ms[k], (size_t)n, sizeof **ms, ascending);
	}
	if (code)
		return code;
	opt_row *row = opt_add(z, "cpu_ms", "ms", "measured");
	row->before = ms[0][n / 2];
	row->after = ms[1][n / 2];
	return 0;
}

/* ---- device NPU ---- */

typedef struct loaded {
	double ms;
	int compilations;
	bool hit;
} loaded;

/* Compiles m with up to two properties; c may be NULL. False: see the library's sentence. */
static bool load(const optimize *z, const ov_model_t *m, const char *key, const char *value, loaded *l, ov_compiled_model_t **c)
{
	ov_property_t p[2] = {{"PERF_COUNT", "YES"}, {key, value}};
	ov_compiled_model_t *own = NULL;
	tarn_load_info info;
	double begin = now_ms();
	bool good = ov_core_compile_model_props(z->s.core, m, "NPU", key ? 2 : 1, p, &own) == OK;
	l->ms = now_ms() - begin;
	if (good && (good = tarn_get_load_info(own, &info) == OK)) {
		l->compilations = info.compilations;
		l->hit = info.cache_hit;
		l->ms -= info.canary_ms;
	}
	if (c && good)
		*c = own;
	else
		ov_compiled_model_free(own);
	return good;
}

/* What the device says one inference takes. */
static bool device_times(const optimize *z, const ov_model_t *m, const char *turbo, tarn_request_times *t, char *blob)
{
	ov_compiled_model_t *c = NULL;
	ov_infer_request_t *r = NULL;
	loaded l;
	bool good = load(z, m, turbo ? "NPU_TURBO" : NULL, turbo, &l, &c) && !make_request(z, c, &r) &&
		    ov_infer_request_infer(r) == OK && tarn_get_request_times(r, t) == OK;
	if (good && blob && *blob && ov_compiled_model_export_model(c, blob) != OK)
		*blob = 0;
	ov_infer_request_free(r);
	ov_compiled_model_free(c);
	return good;
}

/* The number behind "key": in JSON of our own, or of the figure that stands there; NAN when it is null or absent. */
static double number_of(const char *text, const char *key)
{
	char word[64];
	snprintf(word, sizeof word, "\"%s\": ", key);
	const char *at = strstr(text, word);
	if (!at)
		return NAN;
	at += strlen(word);
	if (!strncmp(at, "{\"value\": ", 10))
		at += 10;
	char *end;
	double x = strtod(at, &end);
	return end == at ? NAN : x;
}

static void sentence_of(const char *text, char *out, size_t size)
{
	const char *at = strstr(text, "\"sentence\": \"");
	size_t n = 0;
	*out = 0;
	if (!at)
		return;
	for (at += strlen("\"sentence\": \""); *at && *at != '"' && n + 1 < size; at++) {
		at += *at == '\\' && at[1];
		out[n++] = *at;
	}
	out[n] = 0;
}

/* tarn bench in a process whose device is paced; its JSON. */
static bool bench(const optimize *z, const char *model, const char *hint, char *text, size_t size)
{
	char path[4400], *words[] = {"-m",
				     (char *)(uintptr_t)model,
				     "-d",
				     "NPU",
				     "-hint",
				     (char *)(uintptr_t)hint,
				     "-niter",
				     "60",
				     "--json",
				     "--sim",
				     (char *)(uintptr_t)z->o->sim};
	snprintf(path, sizeof path, "%s/bench.json", z->stage);
	fflush(stdout);
	int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), out = dup(STDOUT_FILENO);
	bool good = file >= 0 && out >= 0 && dup2(file, STDOUT_FILENO) >= 0;
	if (good)
		good = !paced_run("bench", z->o->sim ? 11 : 9, words);
	if (out >= 0) {
		dup2(out, STDOUT_FILENO);
		close(out);
	}
	ssize_t n = good ? pread(file, text, size - 1, 0) : -1;
	if (file >= 0)
		close(file);
	unlink(path);
	text[n > 0 ? n : 0] = 0;
	return n > 0;
}

static void pipeline(optimize *z)
{
	static char text[2][1 << 16];
	if (!bench(z, z->path[0], "latency", text[0], sizeof text[0]) ||
	    !bench(z, z->path[1], "throughput", text[1], sizeof text[1])) {
		opt_add_null(z, "throughput_fps", "1/s", "tarn bench failed");
		opt_add_null(z, "busy", "", "tarn bench failed");
		return;
	}
	static const char *const what = "one synchronous request, float, against several in flight, INT8";
	static const char *const names[][2] = {{"throughput_fps", "1/s"}, {"busy", ""}};
	for (int i = 0; i < 2; i++) {
		opt_row *r = opt_add(z, names[i][0], names[i][1], z->simulated ? "modelled" : "measured");
		r->before = number_of(text[0], names[i][0]);
		r->after = number_of(text[1], names[i][0]);
		snprintf(r->why, sizeof r->why, "%s%s", what,
			 z->simulated ? "; this host with the device's modelled time" : "");
	}
	sentence_of(text[1], z->verdict, sizeof z->verdict);
}

static void loads(optimize *z)
{
	char cache[4400];
	loaded off[2] = {0}, on[2] = {0}, driver[2] = {0};
	snprintf(cache, sizeof cache, "%s/cache", z->stage);
	char why[300];
	bool good = true;
	for (int k = 0; k < 2 && good; k++)
		good = load(z, z->int8, "NPU_BYPASS_UMD_CACHING", "YES", &off[k], NULL) &&
		       load(z, z->int8, "CACHE_DIR", cache, &on[k], NULL) && load(z, z->int8, NULL, NULL, &driver[k], NULL);
	if (!good) {
		last_sentence(why, sizeof why);
		opt_add_null(z, "load_ms_cold", "ms", why);
		return;
	}
	opt_row *r = opt_add(z, "load_ms_cold", "ms", "measured");
	r->after = off[0].ms;
	snprintf(r->why, sizeof r->why, "INT8, no cache%s", z->simulated ? "; the simulated device's compiler" : "");
	r = opt_add(z, "load_ms_driver_cache", "ms", "measured");
	r->before = off[1].ms;
	r->after = driver[1].ms;
	if (!driver[1].hit)
		snprintf(r->why, sizeof r->why, "the driver's cache did not have it; it may be switched off");
	r = opt_add(z, "load_ms_cache_dir", "ms", "measured");
	r->before = off[1].ms;
	r->after = on[1].ms;
	r = opt_add(z, "compilations", "", "measured");
	r->before = off[0].compilations + off[1].compilations;
	r->after = on[0].compilations + on[1].compilations;
	snprintf(r->why, sizeof r->why, "of two loads: without a cache, and with CACHE_DIR");
}

static void no_npu(optimize *z, const char *why)
{
	static const char *const rows[][2] = {
		{"ddr_bytes", "B"},     {"device_ms_precision", "ms"},  {"device_ms_turbo", "ms"},
		{"load_ms_cold", "ms"}, {"load_ms_driver_cache", "ms"}, {"load_ms_cache_dir", "ms"},
		{"compilations", ""},   {"throughput_fps", "1/s"},      {"busy", ""}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		opt_add_null(z, rows[i][0], rows[i][1], why);
}

int opt_measure_npu(optimize *z)
{
	tarn_request_times was, plain, turbo;
	char why[384];
	if (!z->npu) {
		no_npu(z, z->no_npu);
		return 0;
	}
	if (!device_times(z, z->int8, NULL, &plain, z->blob) || !device_times(z, z->s.model, NULL, &was, NULL) ||
	    !device_times(z, z->int8, "YES", &turbo, NULL)) {
		last_sentence(why, sizeof why);
		*z->blob = 0;
		no_npu(z, why);
		return 0;
	}
	opt_row *r;
	if (isfinite(was.ddr_bytes) && isfinite(plain.ddr_bytes)) {
		r = opt_add(z, "ddr_bytes", "B", "modelled");
		r->before = was.ddr_bytes;
		r->after = plain.ddr_bytes;
		snprintf(r->why, sizeof r->why, "of one inference");
	} else {
		opt_add_null(z, "ddr_bytes", "B", "the device does not report its memory traffic");
	}
	r = opt_add(z, "device_ms_precision", "ms", z->simulated ? "modelled" : "measured");
	r->before = was.device_ms;
	r->after = plain.device_ms;
	r->band = fmax(was.device_band, plain.device_band);
	snprintf(r->why, sizeof r->why, "float layers run in FP16; then INT8");
	r = opt_add(z, "device_ms_turbo", "ms", z->simulated ? "assumed" : "measured");
	r->before = plain.device_ms;
	r->after = turbo.device_ms;
	r->band = plain.device_band;
	if (z->simulated)
		snprintf(r->why, sizeof r->why, "INT8; turbo's clock is an assumption");
	loads(z);
	pipeline(z);
	return 0;
}
