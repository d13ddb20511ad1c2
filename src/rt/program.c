/* SPDX-License-Identifier: Apache-2.0 */
#include "rt/program.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/thread.h"
#include "prof/metrics.h"
#include "rt/cache.h"
#include "rt/stream.h"

/* Requests that run at once. Every stream gets its share of the threads; with few processors one thread each serves throughput
 * best, with many the caches and memory do not feed that many, hence groups. */
static int count_streams(const tarn_program *p)
{
	const char *device = p->device->api->name;
	const char *n = tarn_props_value(&p->props, device, "NUM_STREAMS");
	const char *hint = tarn_props_value(&p->props, device, "PERFORMANCE_HINT");
	const char *limit = tarn_props_value(&p->props, device, "PERFORMANCE_HINT_NUM_REQUESTS");
	const char *threads = tarn_props_value(&p->props, device, "INFERENCE_NUM_THREADS");
	int64_t v = 0, cpus = 0;
	if (n && tarn_str_to_i64(n, &v) && v > 0)
		return (int)v;
	if (!threads || !tarn_str_to_i64(threads, &cpus) || cpus <= 0)
		cpus = tarn_thread_cpus();
	bool automatic = tarn_props_find(&p->props, "NUM_STREAMS") != NULL; /* AUTO, said explicitly */
	if (!automatic && (!hint || (strcasecmp(hint, "THROUGHPUT") && strcasecmp(hint, "CUMULATIVE_THROUGHPUT"))))
		return 1;
	int64_t streams = cpus <= 4 ? cpus : 4 + (cpus - 4) / 4;
	if (limit && tarn_str_to_i64(limit, &v) && v > 0 && v < streams)
		streams = v;
	return (int)streams;
}

tarn_err tarn_program_new(tarn_device *d, const tarn_props *props, tarn_program **out)
{
	TRY(tarn_device_open(d));
	if (props)
		TRY(tarn_props_check_all(d->api->name, props));
	tarn_program *p = tarn_mem_zalloc(1, sizeof *p);
	if (!p)
		return tarn_err_nomem(sizeof *p);
	tarn_ref_init(&p->refs);
	tarn_mutex_init(&p->note_lock);
	p->device = d;
	p->cache_level = "none";
	tarn_err err = tarn_device_props(d, &p->props);
	if (!err && props)
		err = tarn_props_overlay(&p->props, props);
	if (err) {
		tarn_program_unref(p);
		return err;
	}
	p->n_stream = count_streams(p);
	*out = p;
	return TARN_OK;
}

static tarn_err take_port(tarn_program *p, const tarn_model *m, const tarn_value *v, tarn_port *port)
{
	port->name = tarn_arena_strdup(&p->arena, v->name);
	port->aliases = v->aliases ? tarn_arena_strdup(&p->arena, v->aliases) : NULL;
	if (!port->name || (v->aliases && !port->aliases))
		return tarn_err_nomem(strlen(v->name));
	port->type = v->type;
	port->rank = v->shape.rank;
	for (int i = 0; i < port->rank; i++) {
		port->lo[i] = tarn_dim_lo(&m->syms, v->shape.dim[i]);
		port->hi[i] = tarn_dim_hi(&m->syms, v->shape.dim[i]);
	}
	return TARN_OK;
}

static tarn_err take_ports(tarn_program *p)
{
	const tarn_graph *g = p->model->main;
	p->n_in = (int)g->input.len;
	p->n_out = (int)g->output.len;
	p->in = tarn_arena_zalloc(&p->arena, g->input.len + 1, sizeof *p->in);
	p->out = tarn_arena_zalloc(&p->arena, g->output.len + 1, sizeof *p->out);
	if (!p->in || !p->out)
		return tarn_err_nomem((g->input.len + g->output.len + 2) * sizeof *p->in);
	for (int i = 0; i < p->n_in; i++)
		TRY(take_port(p, p->model, g->input.at[i], &p->in[i]));
	for (int i = 0; i < p->n_out; i++)
		TRY(take_port(p, p->model, g->output.at[i], &p->out[i]));
	return TARN_OK;
}

/* Unless the device says that a cache of its own had it, a compiler ran. */
static tarn_err compile(tarn_program *p)
{
	int before = p->compilations;
	TRY(p->device->api->compile(p));
	if (p->compilations == before && !strcmp(p->cache_level, "none"))
		p->compilations++;
	return TARN_OK;
}

tarn_err tarn_program_build(tarn_device *d, tarn_model *m, const tarn_props *props, tarn_program **out)
{
	tarn_program *p;
	tarn_err err = tarn_program_new(d, props, &p);
	if (err) {
		tarn_model_unref(m);
		return err;
	}
	p->model = m;
	TRY_GOTO(done, take_ports(p));
	TRY_GOTO(done, compile(p));
	if (d->api->run)
		TRY_GOTO(done, tarn_stream_new(p->n_stream, &p->stream));
	*out = p;
	p = NULL;
done:
	tarn_program_unref(p);
	return err;
}

tarn_err tarn_program_compile(tarn_device *d, const tarn_model *m, const tarn_props *props, tarn_program **out)
{
	tarn_program *p;
	tarn_str key = {0};
	TRY(tarn_program_new(d, props, &p));
	tarn_err err;
	const char *dir = tarn_props_find(&p->props, "CACHE_DIR");
	bool cached = dir && *dir && d->api->import && d->api->export_;
	TRY_GOTO(done, tarn_model_clone(m, &p->model));
	TRY_GOTO(done, take_ports(p));
	CHECK_GOTO(done, p->n_out, TARN_BAD_FILE, "the model has no output; nothing to compute");
	if (cached) {
		TRY_GOTO(done, tarn_cache_key(p, &key));
		TRY_GOTO(done, tarn_cache_find(p, dir, key.at));
	}
	if (!p->cache_hit) {
		TRY_GOTO(done, compile(p));
		tarn_metric_add(TARN_METRIC_COMPILATIONS, p->compilations);
		if (cached)
			TRY_GOTO(done, tarn_cache_store(p, dir, key.at));
	}
	if (d->api->run)
		TRY_GOTO(done, tarn_stream_new(p->n_stream, &p->stream));
	*out = p;
	p = NULL;
done:
	tarn_str_fini(&key);
	tarn_program_unref(p);
	return err;
}

tarn_err tarn_program_estimate(tarn_device *d, const tarn_model *m, const tarn_props *props, tarn_estimate *e)
{
	tarn_program *p;
	CHECK(d->api->estimate, TARN_UNSUPPORTED, "there is no model of device %s's time; measure it with tarn bench",
	      d->api->name);
	TRY(tarn_program_new(d, props, &p));
	tarn_err err;
	TRY_GOTO(done, tarn_model_clone(m, &p->model));
	TRY_GOTO(done, take_ports(p));
	err = d->api->estimate(p, e);
done:
	tarn_program_unref(p);
	return err;
}

tarn_err tarn_program_import(tarn_device *d, tarn_buffer *blob, const tarn_props *props, tarn_program **out)
{
	tarn_program *p;
	TRY(tarn_program_new(d, props, &p));
	tarn_err err = TARN_OK;
	CHECK_GOTO(done, d->api->import, TARN_UNSUPPORTED, "device %s stores no compiled models; compile the model itself",
		   d->api->name);
	TRY_GOTO(done, tarn_program_unpack(p, blob));
	if (d->api->run)
		TRY_GOTO(done, tarn_stream_new(p->n_stream, &p->stream));
	*out = p;
	p = NULL;
done:
	tarn_program_unref(p);
	return err;
}

tarn_program *tarn_program_ref(tarn_program *p)
{
	tarn_ref_take(&p->refs);
	return p;
}

void tarn_program_unref(tarn_program *p)
{
	if (!p || !tarn_ref_drop(&p->refs))
		return;
	tarn_stream_free(p->stream);
	if (p->impl && p->device->api->program_free)
		p->device->api->program_free(p);
	for (size_t i = 0; i < p->note.len; i++)
		tarn_mem_free(p->note.at[i]);
	VEC_FINI(&p->note);
	tarn_mutex_fini(&p->note_lock);
	tarn_model_unref(p->model);
	tarn_props_fini(&p->props);
	tarn_arena_fini(&p->arena);
	if (p->release)
		p->release(p->owner);
	tarn_mem_free(p);
}

tarn_err tarn_program_note(tarn_program *p, const char *fmt, ...)
{
	tarn_str s = {0};
	va_list ap;
	va_start(ap, fmt);
	tarn_str_vaddf(&s, fmt, ap);
	va_end(ap);
	tarn_err err = tarn_str_done(&s);
	tarn_mutex_lock(&p->note_lock);
	if (!err)
		err = VEC_GROW(&p->note);
	if (!err)
		p->note.at[p->note.len++] = s.at;
	tarn_mutex_unlock(&p->note_lock);
	if (err)
		tarn_str_fini(&s);
	return err;
}

size_t tarn_program_notes(tarn_program *p)
{
	tarn_mutex_lock(&p->note_lock);
	size_t n = p->note.len;
	tarn_mutex_unlock(&p->note_lock);
	return n;
}

const char *tarn_program_note_at(tarn_program *p, size_t i)
{
	tarn_mutex_lock(&p->note_lock);
	const char *note = i < p->note.len ? p->note.at[i] : NULL;
	tarn_mutex_unlock(&p->note_lock);
	return note;
}

static void add_all_keys(const char *device, tarn_str *value)
{
	const tarn_prop_def *row;
	for (size_t i = 0; (row = tarn_prop_at(device, i)); i++)
		tarn_str_addf(value, "%s%s", i ? " " : "", row->key);
}

tarn_err tarn_program_get(tarn_program *p, const char *key, tarn_str *value)
{
	const char *device = p->device->api->name;
	const tarn_prop_def *row = tarn_prop_find(device, key);
	if (!row)
		return tarn_prop_unknown(device, key);
	if (p->device->api->program_get) {
		tarn_err err = p->device->api->program_get(p, key, value);
		if (err != TARN_NOT_FOUND)
			return err;
	}
	if (!strcmp(key, "SUPPORTED_PROPERTIES"))
		add_all_keys(device, value);
	else if (!strcmp(key, "NETWORK_NAME"))
		tarn_str_add(value, p->model->name ? p->model->name : "");
	else if (!strcmp(key, "EXECUTION_DEVICES"))
		tarn_str_add(value, device);
	else if (!strcmp(key, "LOADED_FROM_CACHE"))
		tarn_str_add(value, p->cache_hit ? "YES" : "NO");
	else if (!strcmp(key, "NUM_STREAMS") || !strcmp(key, "OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
		tarn_str_addf(value, "%d", p->n_stream);
	else if (row->access[1] == 'O' && row->access[0] == 'R')
		return tarn_device_get(p->device, key, value);
	else
		tarn_prop_canon(row, tarn_props_value(&p->props, device, key), value);
	return value->failed ? tarn_err_nomem(value->len) : TARN_OK;
}
