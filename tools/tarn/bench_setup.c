/* SPDX-License-Identifier: Apache-2.0 */
/* tarn bench, steps 1 to 9: from options to requests with inputs. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "bench.h"
#include "bounds.h"
#include "say.h"
#include "tarn/profile.h"
#include "tarn/settings.h"
#include "tarn/version.h"

void bench_step(const bench *b, int n, const char *title)
{
	if (!b->quiet)
		printf("[Step %d/11] %s\n", n, title);
}

static const struct {
	const char *given, *hint;
} hints[] = {
	{"throughput", "THROUGHPUT"},
	{"tput", "THROUGHPUT"},
	{"latency", "LATENCY"},
	{"cumulative_throughput", "CUMULATIVE_THROUGHPUT"},
	{"ctput", "CUMULATIVE_THROUGHPUT"},
	{"none", NULL},
};

/* Which API and hint: each follows from the other where it is not given. */
static int choose(bench *b)
{
	const options *o = b->o;
	bool known = !o->hint;
	for (size_t i = 0; o->hint && i < sizeof hints / sizeof *hints; i++)
		if (!strcasecmp(o->hint, hints[i].given)) {
			b->hint = hints[i].hint;
			known = true;
		}
	if (!known)
		return fail(2, b->s.command, "-hint cannot be '%s'; give throughput, latency, cumulative_throughput or none",
			    o->hint);
	if (o->api && strcmp(o->api, "sync") && strcmp(o->api, "async"))
		return fail(2, b->s.command, "-api cannot be '%s'; give sync or async", o->api);
	b->async = o->api ? !strcmp(o->api, "async") : !(b->hint && !strcmp(b->hint, "LATENCY"));
	if (!o->hint)
		b->hint = b->async ? "THROUGHPUT" : "LATENCY";
	if (o->pcsort && strcmp(o->pcsort, "sort") && strcmp(o->pcsort, "no_sort") && strcmp(o->pcsort, "simple_sort"))
		return fail(2, b->s.command, "-pcsort cannot be '%s'; give sort, no_sort or simple_sort", o->pcsort);
	if (o->inference_only && strcmp(o->inference_only, "true") && strcmp(o->inference_only, "false"))
		return fail(2, b->s.command, "-inference_only cannot be '%s'; give true or false", o->inference_only);
	if (o->percentile == 0 || o->percentile > 100)
		return fail(2, b->s.command, "-latency_percentile cannot be %ld; give 1 to 100", o->percentile);
	if (o->seconds == 0)
		return fail(2, b->s.command, "-t must be more than 0 seconds");
	if (o->niter == 0)
		return fail(2, b->s.command, "-niter cannot be 0; give how many inferences to measure, or -t SECONDS");
	if (o->nireq == 0 || o->nireq > MAX_REQUESTS)
		return fail(2, b->s.command,
			    "-nireq cannot be %ld; give 1 to %d requests, or leave it out for the device's choice", o->nireq,
			    MAX_REQUESTS);
	if (o->workers == 0 || o->workers > MAX_WORKERS)
		return fail(2, b->s.command, "-workers cannot be %ld; give 1 to %d", o->workers, MAX_WORKERS);
	if (o->live && o->frames)
		return fail(2, b->s.command, "-live and --stdin are two sources; give one");
	b->source = o->frames ? "standard input" : o->live;
	if ((o->workers > 0 && !b->source) || (o->scaled_decode && !o->live))
		return fail(2, b->s.command, "-workers and -scaled-decode prepare live inputs; add -live DIR");
	b->inference_only = b->source ? false : !o->inference_only || !strcmp(o->inference_only, "true");
	b->niter = o->niter > 0 ? o->niter : 0;
	b->seconds = o->seconds >= 0 ? o->seconds : o->frames ? INFINITY : 10;
	b->seed = o->seed > 0 ? (uint64_t)o->seed * 0x9e3779b97f4a7c15u : 0x9e3779b97f4a7c15u;
	return 0;
}

static void show_inputs(const bench *b)
{
	for (size_t i = 0; i < input_count(&b->s) && !b->quiet; i++) {
		char *name, text[160];
		ov_element_type_e type;
		ov_partial_shape_t shape;
		if (!input_describe(&b->s, i, &name, &type, &shape)) {
			shape_text(&shape, text, sizeof text);
			printf("  input %s: %s %s\n", name, type_text(type), text);
		}
		ov_free(name);
		ov_partial_shape_free(&shape);
	}
}

/* Every free dimension needs a size from somewhere. Says which is open, with a line that is ready to be mended. */
static int refuse_free(const bench *b, const char *name, const ov_partial_shape_t *shape)
{
	char ready[512];
	size_t n = (size_t)snprintf(ready, sizeof ready, "%s[", name);
	long axis = -1;
	for (int64_t k = 0; k < shape->rank.max && n + 32 < sizeof ready; k++) {
		const ov_dimension_t *d = &shape->dims[k];
		bool fixed = d->min == d->max && d->max >= 0;
		if (!fixed && axis < 0)
			axis = (long)k;
		n += (size_t)snprintf(ready + n, sizeof ready - n, "%s%lld", k ? "," : "",
				      fixed        ? (long long)d->max
				      : d->min > 0 ? (long long)d->min
						   : 1LL);
	}
	snprintf(ready + (n < sizeof ready - 2 ? n : sizeof ready - 2), 2, "]");
	if (axis < 0)
		return fail(2, b->s.command, "input '%s' has no known number of dimensions; give data with -i %s=FILE.npy",
			    name, name);
	return fail(2, b->s.command, "input '%s' has a free dimension, axis %ld; give sizes: -%s '%s'", name, axis,
		    strstr(b->s.device, "NPU") ? "shape" : "data_shape", ready);
}

/* The shape of generated data for an input. */
static int data_shape(bench *b, const char *name, const ov_partial_shape_t *shape, const shape_arg *list, size_t n,
		      int64_t dims[16])
{
	const shape_arg *a = shapes_find(list, n, name);
	if (a && shape->rank.min == shape->rank.max && a->rank != shape->rank.max)
		return fail(2, b->s.command, "-data_shape gives input '%s' %d dimensions, it has %lld; give as many", name,
			    a->rank, (long long)shape->rank.max);
	if (!a && shape->rank.min != shape->rank.max)
		return refuse_free(b, name, &(ov_partial_shape_t){{0, 0}, NULL});
	for (int k = 0; k < (a ? a->rank : (int)shape->rank.max); k++) {
		if (a && a->lo[k] == a->hi[k])
			dims[k] = a->lo[k];
		else if (!a && shape->dims[k].min == shape->dims[k].max && shape->dims[k].max >= 0)
			dims[k] = shape->dims[k].max;
		else if (!a && k == 0 && shape->dims[k].min <= 1) {
			dims[k] = 1;
			static bool said; /* once, however many benches a command sets up */
			if (!said)
				note("input '%s' has a free first axis; 1 is taken, -b or -data_shape gives another", name);
			said = true;
		} else
			return refuse_free(b, name, shape);
	}
	return 0;
}

/* -own-memory: what -i gave, once, into the request's own tensor. */
static int copy_input(bench *b, long r, size_t i, const ov_tensor_t *from, ov_tensor_t **to)
{
	ov_shape_t shape = {0, NULL};
	void *src, *dst;
	size_t bytes, room;
	if (ov_infer_request_get_input_tensor_by_index(b->request[r], i, to) != OK || ov_tensor_get_shape(from, &shape) != OK)
		return fail_last(b->s.command);
	int code = ov_tensor_set_shape(*to, shape) == OK && ov_tensor_data(from, &src) == OK &&
				   ov_tensor_data(*to, &dst) == OK && ov_tensor_get_byte_size(from, &bytes) == OK &&
				   ov_tensor_get_byte_size(*to, &room) == OK
			   ? 0
			   : fail_last(b->s.command);
	if (!code && bytes <= room)
		memcpy(dst, src, bytes);
	ov_shape_free(&shape);
	return code;
}

/* A tensor for input i of request r: the request's own memory, shaped and filled. */
static int make_input(bench *b, long r, size_t i, const input_set *set, const shape_arg *list, size_t n)
{
	char *name;
	ov_element_type_e type;
	ov_partial_shape_t shape;
	int64_t dims[16], rank = 0;
	ov_tensor_t **t = &b->tensor[(size_t)r * b->n_in + i];
	int code = input_describe(&b->s, i, &name, &type, &shape);
	if (!code && set->tensor[i] && b->o->own_memory) {
		code = copy_input(b, r, i, set->tensor[i], t);
	} else if (!code && set->tensor[i]) {
		if (ov_infer_request_set_input_tensor_by_index(b->request[r], i, set->tensor[i]) != OK ||
		    ov_infer_request_get_input_tensor_by_index(b->request[r], i, t) != OK)
			code = fail_last(b->s.command);
	} else if (!code) {
		const shape_arg *a = shapes_find(list, n, name);
		code = data_shape(b, name, &shape, list, n, dims);
		rank = a ? a->rank : shape.rank.max;
		if (!code && ov_infer_request_get_input_tensor_by_index(b->request[r], i, t) != OK)
			code = fail_last(b->s.command);
		if (!code && ov_tensor_set_shape(*t, (ov_shape_t){rank, dims}) != OK)
			code = fail_last(b->s.command);
		if (!code && !input_fill(*t, &b->seed))
			code = fail(2, b->s.command, "input '%s' is %s, which is not made up; give data with -i %s=FILE", name,
				    type_text(type), name);
	}
	if (!code && i == 0) {
		ov_shape_t now = {0, NULL};
		if (ov_tensor_get_shape(*t, &now) == OK && now.rank > 1)
			b->batch = (long)now.dims[0];
		ov_shape_free(&now);
	}
	ov_free(name);
	ov_partial_shape_free(&shape);
	return code;
}

int bench_fill(bench *b, long r, long worker, long ticket)
{
	if (b->live)
		return bench_live_fill(b, r, worker, ticket);
	for (size_t i = 0; i < b->n_in; i++)
		if (!b->loaded[i] && !input_fill(b->tensor[(size_t)r * b->n_in + i], &b->seed))
			return fail(2, b->s.command, "inputs of this type are not made up; leave out -inference_only false");
	return 0;
}

/* With --live or --stdin: the one input that -i says nothing about takes the samples. */
static int open_live(bench *b, const input_set *set)
{
	size_t input = 0, open = 0;
	if (!b->source)
		return 0;
	for (size_t i = 0; i < set->n; i++)
		if (!set->tensor[i] && !open++)
			input = i;
	if (open != 1)
		return fail(2, b->s.command, "%s feeds one input, %zu have no data; give all others with -i NAME=FILE",
			    b->o->live ? "-live" : "--stdin", open);
	return bench_live_open(b, input);
}

static int make_requests(bench *b)
{
	shape_arg *list;
	size_t n;
	input_set set = {0};
	int code = shapes_parse(b->s.command, "-data_shape", b->o->data_shape, &list, &n);
	bounds_assume_full(b->s.bounds);
	if (!code)
		code = input_load(&b->s, &set);
	b->n_in = input_count(&b->s);
	b->request = calloc((size_t)b->nireq + 1, sizeof *b->request);
	b->tensor = calloc((size_t)b->nireq * b->n_in + 1, sizeof *b->tensor);
	b->loaded = calloc(b->n_in + 1, sizeof *b->loaded);
	if (!code && (!b->request || !b->tensor || !b->loaded))
		code = fail(1, b->s.command, "out of memory");
	for (size_t i = 0; i < b->n_in && !code; i++)
		b->loaded[i] = set.tensor[i] != NULL;
	for (long r = 0; r < b->nireq && !code; r++) {
		if (ov_compiled_model_create_infer_request(b->s.compiled, &b->request[r]) != OK)
			code = fail_last(b->s.command);
		for (size_t i = 0; i < b->n_in && !code; i++)
			code = make_input(b, r, i, &set, list, n);
	}
	if (!code)
		code = open_live(b, &set);
	bool made_up = false;
	for (size_t i = 0; i < set.n && !b->live; i++)
		made_up = made_up || !set.tensor[i];
	if (!code && made_up && !b->quiet)
		printf("Inputs without data are random: floats in [0,1), integers 0 or 1 (seed %ld)\n",
		       b->o->seed > 0 ? b->o->seed : 1);
	input_close(&set);
	free(list);
	return code;
}

static long number_property(const bench *b, const char *key, long otherwise)
{
	char *v = NULL;
	long n = otherwise;
	if (ov_compiled_model_get_property(b->s.compiled, key, &v) == OK && atol(v) > 0)
		n = atol(v);
	ov_free(v);
	return n;
}

/* Steps 2 to 8. */
/* The samples stored in an optimized model: the device computes what the CPU does, or a note said where it does not. */
static void show_canaries(const bench *b)
{
	tarn_load_info info;
	if (b->quiet || tarn_get_load_info(b->s.compiled, &info) != OK || !info.canaries || info.canary_differs)
		return;
	if (isfinite(info.canary_db))
		printf("  %d samples stored in the model: the difference to the CPU is %.1f dB below the outputs (measured)\n",
		       info.canaries, info.canary_db);
	else
		printf("  %d samples stored in the model: outputs as on the CPU (measured)\n", info.canaries);
}

static int load(bench *b)
{
	bench_step(b, 2, "Loading the runtime");
	if (!b->quiet)
		printf("  Tarn %s\n", tarn_version());
	bench_step(b, 3, "Setting device configuration");
	bench_step(b, 4, "Reading model files");
	int code = session_open(&b->s, b->s.command, b->o);
	if (!code)
		code = bounds_open(&b->s);
	if (code)
		return code;
	if (!b->quiet)
		printf("  Read model took %.2f ms\n", b->s.read_ms);
	bench_step(b, 5, "Resizing model to match image sizes and given batch");
	code = session_reshape(&b->s);
	if (code)
		return code;
	bench_step(b, 6, "Configuring input of the model");
	code = session_retype(&b->s);
	if (code)
		return code;
	show_inputs(b);
	bench_step(b, 7, "Loading the model to the device");
	code = session_compile(&b->s, b->hint);
	if (code)
		return code;
	if (!b->quiet)
		printf("  Compile model took %.2f ms\n", b->s.compile_ms);
	show_canaries(b);
	bench_step(b, 8, "Querying optimal runtime parameters");
	b->streams = number_property(b, "NUM_STREAMS", 1);
	b->nireq = !b->async ? 1 : b->o->nireq > 0 ? b->o->nireq : number_property(b, "OPTIMAL_NUMBER_OF_INFER_REQUESTS", 1);
	if (b->o->nireq <= 0 && b->niter && b->niter < b->nireq)
		b->nireq = b->niter; /* no more requests than inferences, unless asked for */
	long processors = sysconf(_SC_NPROCESSORS_ONLN), most = b->nireq < processors ? b->nireq : processors;
	b->workers = !b->source || !b->async ? 1 : b->o->workers > 0 ? b->o->workers : most > 0 ? most : 1;
	if (b->async && b->niter % b->nireq)
		b->niter += b->nireq - b->niter % b->nireq;
	if (!b->quiet)
		printf("  NUM_STREAMS %ld, OPTIMAL_NUMBER_OF_INFER_REQUESTS %ld\n", b->streams,
		       number_property(b, "OPTIMAL_NUMBER_OF_INFER_REQUESTS", 1));
	return 0;
}
/* --settings fills in what was not given. */
static int use_settings(bench *b)
{
	tarn_settings s;
	if (!b->o->settings)
		return 0;
	if (tarn_load_settings(b->o->settings, b->o->device ? b->o->device : "CPU", &s) != OK)
		return fail_last(b->s.command);
	b->set = *b->o;
	options *o = &b->set;
	snprintf(b->set_streams, sizeof b->set_streams, "%d", s.streams);
	o->hint = o->hint ? o->hint : s.requests > 1 ? "throughput" : "latency";
	o->api = o->api ? o->api : "async";
	o->nireq = o->nireq > 0 ? o->nireq : s.requests;
	o->nstreams = o->nstreams || !s.streams ? o->nstreams : b->set_streams;
	o->workers = o->workers > 0 || !o->live || !s.workers ? o->workers : s.workers;
	o->batch = o->batch > 0 || s.batch == 1 ? o->batch : s.batch;
	b->o = o;
	return 0;
}

int bench_open(bench *b)
{
	b->batch = 1;
	b->quiet = b->quiet || b->o->json;
	bench_step(b, 1, "Parsing and validating input arguments");
	int code = use_settings(b);
	if (!code)
		code = choose(b);
	if (!code)
		code = load(b);
	if (code)
		return code;
	bench_step(b, 9, "Creating infer requests and preparing input tensors");
	return make_requests(b);
}

void bench_close(bench *b)
{
	for (long r = 0; b->request && r < b->nireq; r++)
		ov_infer_request_free(b->request[r]);
	for (size_t i = 0; b->tensor && i < (size_t)b->nireq * b->n_in; i++)
		ov_tensor_free(b->tensor[i]);
	bench_live_close(b);
	tarn_free_timeline(&b->timeline);
	free(b->request);
	free(b->tensor);
	free(b->loaded);
	free(b->latency);
	free(b->device_ms);
	session_close(&b->s);
}
