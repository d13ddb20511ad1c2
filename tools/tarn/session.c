/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "bounds.h"
#include "say.h"
#include "input.h"
#include "tarn/buckets.h"
#include "tarn/device.h"
#include "tarn/error.h"
#include "tarn/model.h"
#include "tarn/profile.h"
#include "tarn/shape.h"
#include "tarn/sim.h"

double now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);
	return n >= m && !strcmp(s + n - m, end);
}

/* The whole file, heap; NULL after a message. */
static char *read_all(const session *s, const char *path, size_t *n)
{
	struct stat st;
	FILE *f = fopen(path, "rb");
	char *at = NULL;
	if (f && !fstat(fileno(f), &st) && S_ISREG(st.st_mode) && (at = malloc((size_t)st.st_size + 1)))
		*n = fread(at, 1, (size_t)st.st_size, f);
	else
		fail(3, s->command, "%s: cannot be read; check the path", path);
	if (f)
		fclose(f);
	return at;
}

int session_use_sim(const char *command, const options *o)
{
	return !o->sim || tarn_use_simulated_npu(o->sim) == OK ? 0 : fail_last(command);
}

int session_open(session *s, const char *command, const options *o)
{
	*s = (session){.command = command, .o = o, .device = o->device ? o->device : "CPU"};
	if (!o->model)
		return fail(2, command, "no model; give one with -m FILE");
	int code = session_use_sim(command, o);
	if (code)
		return code;
	if (ov_core_create(&s->core) != OK)
		return fail_last(command);
	s->is_blob = ends_with(o->model, ".blob");
	if (s->is_blob)
		return 0;
	double begin = now_ms();
	if (ov_core_read_model(s->core, o->model, NULL, &s->model) != OK)
		return fail_last(command);
	s->read_ms = now_ms() - begin;
	return 0;
}

/* New shape of input i: what -shape says, then -b on its first axis. */
static int input_shape(const session *s, size_t i, const shape_arg *list, size_t n, ov_partial_shape_t *shape, bool *changed)
{
	ov_output_const_port_t *port = NULL;
	char *name = NULL;
	int code = 0;
	if (ov_model_const_input_by_index(s->model, i, &port) != OK || ov_port_get_any_name(port, &name) != OK ||
	    ov_port_get_partial_shape(port, shape) != OK) {
		code = fail_last(s->command);
		goto done;
	}
	const shape_arg *a = shapes_find(list, n, name);
	if (a) {
		ov_dimension_t dims[16];
		for (int k = 0; k < a->rank; k++)
			dims[k] = (ov_dimension_t){a->lo[k] == a->hi[k] || a->hi[k] >= 0 ? a->lo[k] : -1, a->hi[k]};
		ov_partial_shape_free(shape);
		*changed = true;
		if (!a->rank) {
			*shape = (ov_partial_shape_t){{0, 0}, NULL};
		} else if (ov_partial_shape_create(a->rank, dims, shape) != OK) {
			code = fail_last(s->command);
			goto done;
		}
	}
	if (s->o->batch > 0 && shape->rank.max > 1) {
		size_t axis = 0;
		shape->dims[axis] = (ov_dimension_t){s->o->batch, s->o->batch};
		*changed = true;
	}
done:
	ov_free(name);
	ov_output_const_port_free(port);
	return code;
}

static int check_names(const session *s, const shape_arg *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		ov_output_const_port_t *port = NULL;
		if (*list[i].name && ov_model_const_input_by_name(s->model, list[i].name, &port) != OK)
			return fail_last(s->command);
		ov_output_const_port_free(port);
	}
	return 0;
}

int session_retype(session *s)
{
	for (int output = 0; output < 2; output++) {
		const char *word = output ? s->o->op : s->o->ip;
		ov_element_type_e type;
		size_t n = 0;
		if (!word)
			continue;
		if (s->is_blob)
			return fail(2, s->command, "a compiled model keeps its element types; leave out -%s",
				    output ? "op" : "ip");
		if (!type_parse(word, &type))
			return fail(2, s->command, "-%s cannot be '%s'; give an element type such as f32, f16, u8, i32",
				    output ? "op" : "ip", word);
		if ((output ? ov_model_outputs_size(s->model, &n) : ov_model_inputs_size(s->model, &n)) != OK)
			return fail_last(s->command);
		for (size_t i = 0; i < n; i++)
			if (tarn_set_port_type(s->model, output, i, type) != OK)
				return fail_last(s->command);
	}
	return 0;
}

/* --fix NAME=VALUE; NAME may hold anything but '='. */
static int fix_all(session *s)
{
	for (size_t i = 0; i < s->o->fix.n; i++) {
		const char *word = s->o->fix.at[i], *eq = strrchr(word, '=');
		char name[256], *end = NULL;
		double value = eq ? strtod(eq + 1, &end) : 0;
		if (!eq || eq == word || (size_t)(eq - word) >= sizeof name || end == eq + 1 || *end)
			return fail(2, s->command, "--fix '%s' fixes nothing; write NAME=VALUE, as in length=128", word);
		snprintf(name, sizeof name, "%.*s", (int)(eq - word), word);
		if (tarn_fix_input(s->model, name, value) != OK)
			return fail_last(s->command);
	}
	return 0;
}

/* -shape and -b. */
static int reshape(session *s)
{
	const options *o = s->o;
	if (!o->shape && o->batch <= 0)
		return 0;
	shape_arg *list;
	size_t n, n_in = 0;
	int code = shapes_parse(s->command, "-shape", o->shape, &list, &n);
	if (!code)
		code = check_names(s, list, n);
	ov_model_inputs_size(s->model, &n_in);
	size_t *index = calloc(n_in + 1, sizeof *index), used = 0;
	ov_partial_shape_t *shape = calloc(n_in + 1, sizeof *shape);
	for (size_t i = 0; i < n_in && !code && index && shape; i++) {
		bool changed = false;
		code = input_shape(s, i, list, n, &shape[used], &changed);
		if (changed)
			index[used++] = i;
		else
			ov_partial_shape_free(&shape[used]);
	}
	if (!code && used && ov_model_reshape_by_port_indexes(s->model, index, shape, used) != OK)
		code = fail_last(s->command);
	for (size_t i = 0; i < used; i++)
		ov_partial_shape_free(&shape[i]);
	free(index);
	free(shape);
	free(list);
	return code;
}

int session_reshape(session *s)
{
	const options *o = s->o;
	if (s->is_blob && (o->shape || o->batch > 0 || o->fix.n))
		return fail(2, s->command, "a compiled model cannot be reshaped; leave out -shape, -b and --fix");
	if (s->is_blob)
		return 0;
	int code = reshape(s);
	return code ? code : fix_all(s);
}

static void add(session_properties *p, const char *key, const char *value)
{
	if (value && p->n < 64)
		p->at[p->n++] = (ov_property_t){key, value};
}

static int add_raw(const session *s, session_properties *p)
{
	for (size_t i = 0; i < s->o->property.n; i++) {
		const char *word = s->o->property.at[i], *eq = strchr(word, '=');
		if (!eq || eq == word || p->n >= 64 || (size_t)(eq - word) >= sizeof p->text[0])
			return fail(2, s->command, "-p '%s' is no property; write KEY=VALUE", word);
		snprintf(p->text[p->n], sizeof p->text[0], "%.*s", (int)(eq - word), word);
		add(p, p->text[p->n], eq + 1);
	}
	return 0;
}

/* --plan: the list of sizes it holds. */
static int add_plan(const session *s, session_properties *p)
{
	tarn_buckets_t *plan;
	tarn_buckets_info info;
	if (!s->o->plan)
		return 0;
	if (s->is_blob)
		return fail(2, s->command, "a compiled model has its sizes already; leave out --plan");
	if (tarn_read_buckets(s->o->plan, &plan) != OK)
		return fail_last(s->command);
	int code = tarn_get_buckets_info(plan, &info) == OK ? 0 : fail_last(s->command);
	if (!code && strlen(info.buckets) >= sizeof p->buckets)
		code = fail(3, s->command, "%s: more sizes than a model is compiled for", s->o->plan);
	if (!code) {
		snprintf(p->buckets, sizeof p->buckets, "%s", info.buckets);
		add(p, "TARN_BUCKETS", p->buckets);
	}
	tarn_free_buckets(plan);
	return code;
}

int session_collect(const session *s, const char *hint, session_properties *p)
{
	const options *o = s->o;
	p->n = 0;
	snprintf(p->threads, sizeof p->threads, "%ld", o->nthreads);
	add(p, "PERFORMANCE_HINT", hint);
	add(p, "CACHE_DIR", o->cache_dir);
	add(p, "INFERENCE_NUM_THREADS", o->nthreads >= 0 ? p->threads : NULL);
	add(p, "NUM_STREAMS", o->nstreams);
	add(p, "INFERENCE_PRECISION_HINT", o->infer_precision);
	add(p, "PERF_COUNT", o->pc || o->pcsort ? "YES" : NULL);
	int code = add_plan(s, p);
	return code ? code : add_raw(s, p);
}

/* Full name and kind of what the model runs on. */
static void find_device(session *s)
{
	char *on = NULL;
	tarn_device_list list;
	if (ov_compiled_model_get_property(s->compiled, "EXECUTION_DEVICES", &on) == OK)
		snprintf(s->runs_on, sizeof s->runs_on, "%s", on);
	ov_free(on);
	/* Only an NPU can be simulated; the others need not open one to say what they are. */
	if (strcmp(s->runs_on, "NPU")) {
		on = NULL;
		if (ov_core_get_property(s->core, s->runs_on, "FULL_DEVICE_NAME", &on) == OK)
			snprintf(s->device_name, sizeof s->device_name, "%s", on);
		ov_free(on);
		return;
	}
	if (tarn_list_devices(s->core, &list) != OK)
		return;
	for (size_t i = 0; i < list.size; i++)
		if (!strcmp(list.at[i].name, s->runs_on) && list.at[i].full_name) {
			snprintf(s->device_name, sizeof s->device_name, "%s", list.at[i].full_name);
			s->simulated = list.at[i].simulated;
			snprintf(s->mode, sizeof s->mode, "%s", list.at[i].mode ? list.at[i].mode : "");
		}
	tarn_free_devices(&list);
}

/* Fallbacks have reasons; the first few tell what kind they are. */
static int show_notes(session *s)
{
	enum { SHOWN = 3 };
	tarn_load_info info;
	char *text;
	if (tarn_get_load_info(s->compiled, &info) != OK || !info.notes)
		return 0;
	s->notes = info.notes;
	for (size_t i = 0; i < info.notes && (i < SHOWN || info.notes == SHOWN + 1); i++)
		if (tarn_get_load_note(s->compiled, i, &text) == OK) {
			note("%s", text);
			ov_free(text);
		}
	if (info.notes > SHOWN + 1)
		note("and %zu more; --json lists them", info.notes - SHOWN);
	return s->o->strict ? fail(5, s->command, "not as asked for in %zu ways; leave out -strict to accept that", info.notes)
			    : 0;
}

int session_check_computes(const session *s)
{
	if (strcmp(s->mode, "paced"))
		return 0;
	return fail(2, s->command, "device %s is simulated in paced mode, which computes no results; leave that mode",
		    s->runs_on);
}

int session_check_results(const session *s)
{
	tarn_load_info info;
	char *text;
	if (!s->o->strict || tarn_get_load_info(s->compiled, &info) != OK || info.notes <= s->notes ||
	    tarn_get_load_note(s->compiled, s->notes, &text) != OK)
		return 0;
	int code = fail(5, s->command, "%s; leave out -strict to accept that", text);
	ov_free(text);
	return code;
}

void session_notes(const session *s, json *j)
{
	tarn_load_info info;
	char *text;
	json_begin(j, "notes", '[');
	for (size_t i = 0; tarn_get_load_info(s->compiled, &info) == OK && i < info.notes; i++)
		if (tarn_get_load_note(s->compiled, i, &text) == OK) {
			json_text(j, NULL, text);
			ov_free(text);
		}
	json_end(j, ']');
	if (tarn_get_load_info(s->compiled, &info) != OK || !info.canaries)
		return;
	json_begin(j, "canaries", '{');
	json_int(j, "samples", info.canaries);
	json_num(j, "sqnr_db", info.canary_db);
	json_bool(j, "differs", info.canary_differs);
	json_figure(j, "took_ms", info.canary_ms, "ms", "measured", -1);
	json_end(j, '}');
}

static int import_blob(session *s)
{
	size_t n = 0;
	char *at = read_all(s, s->o->model, &n);
	if (!at)
		return 3;
	if (!n) {
		free(at);
		return fail(3, s->command, "%s: the file is empty; compile the model again", s->o->model);
	}
	ov_status_e status = ov_core_import_model(s->core, at, n, s->device, &s->compiled);
	free(at);
	if (status == OK)
		return 0;
	const char *text = ov_get_last_err_msg();
	int code = fail(tarn_last_exit_code(), s->command, "%s: %s", s->o->model, text ? text : "cannot be imported");
	ov_free(text);
	return code;
}

int session_compile(session *s, const char *hint)
{
	session_properties p;
	int code = session_collect(s, hint, &p);
	if (code)
		return code;
	double begin = now_ms();
	if (s->is_blob)
		code = import_blob(s);
	else if (ov_core_compile_model_props(s->core, s->model, s->device, p.n, p.at, &s->compiled) != OK)
		code = fail_last(s->command);
	s->compile_ms = now_ms() - begin;
	tarn_load_info info;
	if (!code && tarn_get_load_info(s->compiled, &info) == OK)
		s->compile_ms -= info.canary_ms;
	if (!code) {
		find_device(s);
		code = show_notes(s);
	}
	return code;
}

void session_close(session *s)
{
	bounds_close(s->bounds);
	ov_compiled_model_free(s->compiled);
	ov_model_free(s->model);
	ov_core_free(s->core);
}
