/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes on: greedy generation with a language model, on any device, with static shapes where the device needs them.
 *
 * usage: generate MODEL [-d DEVICE] [--sim 3720|4000] --prompt "IDS" [-n TOKENS] [--window N] [--step N]
 *
 * The model has inputs input_ids, attention_mask and position_ids (any of the last two may be missing) and an output logits, as
 * exporters make them. One with a cache is fed the prompt once and then token by token, its cache staying on the device
 * (tarn/state.h). One without a cache sees everything again for each token, padded to the window (tarn/shape.h).
 *
 * IDS are token numbers, separated by blanks. Prints the numbers of new tokens on stdout, and how long it took on stderr.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openvino/c/openvino.h"
#include "tarn/shape.h"
#include "tarn/sim.h"
#include "tarn/state.h"

enum { MAX_TOKENS = 1 << 16 };

typedef struct options {
	const char *model, *device, *sim, *prompt;
	int n, window, step;
} options;

typedef struct generator {
	const options *o;
	ov_core_t *core;
	ov_model_t *model;
	tarn_sequence_t *sequence; /* a model with a cache */
	ov_compiled_model_t *compiled;
	ov_infer_request_t *request; /* one without */
	int64_t id[MAX_TOKENS];
	int n, fed;
} generator;

static int fail(const char *where)
{
	const char *text = ov_get_last_err_msg();
	fprintf(stderr, "generate: %s: %s\n", where, text ? text : "failed");
	ov_free(text);
	return 1;
}

/* int64 [1, n], from memory that the tensor does not own. */
static int make_row(int64_t *at, int n, ov_tensor_t **t)
{
	ov_shape_t shape;
	if (ov_shape_create(2, (const int64_t[]){1, n}, &shape) != OK)
		return fail("shape");
	ov_status_e status = ov_tensor_create_from_host_ptr(I64, shape, at, t);
	ov_shape_free(&shape);
	return status == OK ? 0 : fail("tensor");
}

/* The best of the last row of logits [1, rows, vocabulary]; `row` counts from 0. */
static int best_of(const ov_tensor_t *logits, int64_t row, int64_t *best)
{
	ov_shape_t shape;
	void *data;
	if (ov_tensor_get_shape(logits, &shape) != OK || ov_tensor_data(logits, &data) != OK)
		return fail("logits");
	const float *at = (const float *)data + row * shape.dims[2];
	*best = 0;
	for (int64_t i = 1; i < shape.dims[2]; i++)
		*best = at[i] > at[*best] ? i : *best;
	ov_shape_free(&shape);
	return 0;
}

/* ---- with a cache ---- */

static int feed(generator *g, const char *name, int64_t *at, int n)
{
	ov_tensor_t *t = NULL;
	int rc = make_row(at, n, &t);
	if (!rc && tarn_sequence_set_tensor(g->sequence, name, t) != OK)
		rc = !strcmp(name, "input_ids") ? fail(name) : 0; /* not every model has the others */
	ov_tensor_free(t);
	return rc;
}

/* Feeds what was not fed yet: the prompt first, then one token each time. */
static int next_cached(generator *g, int64_t *next)
{
	static int64_t ones[MAX_TOKENS], position[MAX_TOKENS];
	ov_tensor_t *logits = NULL;
	int count = g->n - g->fed;
	for (int i = 0; i < g->n; i++) {
		ones[i] = 1;
		position[i] = i;
	}
	int rc = feed(g, "input_ids", g->id + g->fed, count);
	rc = rc ? rc : feed(g, "attention_mask", ones, g->n);
	rc = rc ? rc : feed(g, "position_ids", position + g->fed, count);
	if (!rc && (tarn_sequence_infer(g->sequence) != OK || tarn_sequence_get_tensor(g->sequence, "logits", &logits) != OK))
		rc = fail("inference");
	rc = rc ? rc : best_of(logits, count - 1, next);
	ov_tensor_free(logits);
	g->fed = g->n;
	return rc;
}

/* What the simulated driver counted. */
static void say_driver(const generator *g)
{
	tarn_simulation s;
	if (g->o->sim && tarn_get_simulation(g->core, &s) == OK)
		fprintf(stderr,
			"the driver: %" PRId64 " models compiled, %" PRId64 " taken from its cache, %" PRId64
			" command lists run\n",
			s.compiled, s.cache_hits, s.submitted);
}

static void say_times(const generator *g)
{
	tarn_sequence_info i;
	if (tarn_sequence_get_info(g->sequence, &i) != OK || !i.steps)
		return;
	double steps = (double)i.steps;
	fprintf(stderr,
		"%" PRId64 " positions in %" PRId64 " steps of at most %" PRId64 ", window %" PRId64
		"; %d programs, %d compilations\n",
		i.positions, i.steps, i.step, i.window, i.programs, i.compilations);
	fprintf(stderr,
		"states: %" PRId64 " bytes on the device, %" PRId64 " copied through the host; other copies: %" PRId64
		" bytes\n",
		i.state_bytes, i.state_copied, i.copied);
	fprintf(stderr, "per step: host %.4f ms besides waiting for the device (measured)", (i.total_ms - i.run_ms) / steps);
	if (i.device_ms == i.device_ms)
		fprintf(stderr, ", device %.3f ms (%s)", i.device_ms / steps, i.device_modelled ? "modelled" : "measured");
	fprintf(stderr, "\n");
}

/* ---- without ---- */

static int open_bounded(generator *g)
{
	ov_partial_shape_t shape;
	const int64_t dims[] = {1, g->o->window};
	static const char *const inputs[] = {"input_ids", "attention_mask", "position_ids"};
	const char *names[3];
	ov_partial_shape_t shapes[3];
	size_t n = 0;
	if (tarn_bound_model(g->model, "input_ids[1]", g->o->window, NULL) != OK)
		return fail("bounding the length");
	if (ov_partial_shape_create_static(2, dims, &shape) != OK)
		return fail("shape");
	for (size_t i = 0; i < 3; i++) {
		ov_output_const_port_t *port = NULL;
		if (ov_model_const_input_by_name(g->model, inputs[i], &port) != OK)
			continue;
		ov_output_const_port_free(port);
		names[n] = inputs[i];
		shapes[n++] = shape;
	}
	ov_status_e status = ov_model_reshape(g->model, names, shapes, n);
	ov_partial_shape_free(&shape);
	if (status != OK || ov_core_compile_model(g->core, g->model, g->o->device, 0, &g->compiled) != OK ||
	    ov_compiled_model_create_infer_request(g->compiled, &g->request) != OK)
		return fail("compiling");
	return 0;
}

/* Everything so far, at the front of the input; what is behind it does not matter. */
static int write_input(generator *g, const char *name, const int64_t *from, int64_t start)
{
	ov_tensor_t *t = NULL;
	void *data;
	if (ov_infer_request_get_tensor(g->request, name, &t) != OK)
		return 0;
	int rc = ov_tensor_data(t, &data) == OK ? 0 : fail(name);
	for (int i = 0; !rc && i < g->n; i++)
		((int64_t *)data)[i] = from ? from[i] : start < 0 ? i : start;
	ov_tensor_free(t);
	return rc;
}

static int next_bounded(generator *g, int64_t *next)
{
	ov_tensor_t *length = NULL, *logits = NULL;
	void *data;
	int rc = g->n <= g->o->window ? 0 : (fprintf(stderr, "generate: more than --window %d tokens\n", g->o->window), 1);
	rc = rc ? rc : write_input(g, "input_ids", g->id, 0);
	rc = rc ? rc : write_input(g, "attention_mask", NULL, 1);
	rc = rc ? rc : write_input(g, "position_ids", NULL, -1);
	if (!rc &&
	    (ov_infer_request_get_tensor(g->request, "valid_length", &length) != OK || ov_tensor_data(length, &data) != OK))
		rc = fail("valid_length");
	if (!rc)
		*(int64_t *)data = g->n;
	if (!rc &&
	    (ov_infer_request_infer(g->request) != OK || ov_infer_request_get_tensor(g->request, "logits", &logits) != OK))
		rc = fail("inference");
	rc = rc ? rc : best_of(logits, g->n - 1, next);
	ov_tensor_free(length);
	ov_tensor_free(logits);
	return rc;
}

/* ---- both ---- */

static int open_generator(generator *g)
{
	const options *o = g->o;
	tarn_state_info state;
	if (o->sim && tarn_use_simulated_npu(o->sim) != OK)
		return fail("--sim");
	if (ov_core_create(&g->core) != OK || ov_core_read_model(g->core, o->model, NULL, &g->model) != OK)
		return fail(o->model);
	if (tarn_get_state(g->model, 0, &state) != OK)
		return open_bounded(g);
	tarn_free_state(&state);
	tarn_state_options s = {.window = o->window, .step = o->step};
	return tarn_sequence_open(g->core, g->model, o->device, &s, 0, NULL, &g->sequence) == OK
		       ? 0
		       : fail("making the model stateful");
}

static void close_generator(generator *g)
{
	tarn_sequence_close(g->sequence);
	ov_infer_request_free(g->request);
	ov_compiled_model_free(g->compiled);
	ov_model_free(g->model);
	ov_core_free(g->core);
}

static int take_prompt(generator *g)
{
	const char *at = g->o->prompt;
	char *end;
	for (;; at = end) {
		long long id = strtoll(at, &end, 10);
		if (end == at)
			break;
		if (g->n == MAX_TOKENS || id < 0) {
			fprintf(stderr, "generate: the prompt is too long, or %lld is no token\n", id);
			return 2;
		}
		g->id[g->n++] = id;
	}
	return g->n ? 0 : (fprintf(stderr, "generate: an empty prompt\n"), 2);
}

static int generate(generator *g)
{
	int64_t next = 0;
	int rc = take_prompt(g);
	rc = rc ? rc : open_generator(g);
	for (int i = 0; !rc && i < g->o->n && g->n < MAX_TOKENS; i++) {
		rc = g->sequence ? next_cached(g, &next) : next_bounded(g, &next);
		if (!rc)
			printf("%s%" PRId64, i ? " " : "", g->id[g->n++] = next);
		fflush(stdout);
	}
	printf("\n");
	if (g->sequence)
		say_times(g);
	say_driver(g);
	return rc;
}

static int take_options(int argc, char **argv, options *o)
{
	for (int i = 1; i < argc; i++) {
		const char *a = argv[i], *v = i + 1 < argc ? argv[i + 1] : NULL;
		const char **text = !strcmp(a, "-d")         ? &o->device
				    : !strcmp(a, "--sim")    ? &o->sim
				    : !strcmp(a, "--prompt") ? &o->prompt
							     : NULL;
		int *number = !strcmp(a, "-n")         ? &o->n
			      : !strcmp(a, "--window") ? &o->window
			      : !strcmp(a, "--step")   ? &o->step
						       : NULL;
		if (!text && !number && *a != '-' && !o->model) {
			o->model = a;
			continue;
		}
		if ((!text && !number) || !v)
			return 2;
		if (text)
			*text = v;
		else
			*number = atoi(v);
		i++;
	}
	return o->model && o->prompt && o->n > 0 && o->window > 0 && o->step > 0 ? 0 : 2;
}

int main(int argc, char **argv)
{
	options o = {.device = "CPU", .n = 32, .window = 256, .step = 16};
	static generator g;
	if (take_options(argc, argv, &o)) {
		fprintf(stderr, "usage: generate MODEL [-d DEVICE] [--sim 3720|4000] --prompt \"IDS\" [-n TOKENS] [--window N] "
				"[--step N]\n");
		return 2;
	}
	g.o = &o;
	int rc = generate(&g);
	close_generator(&g);
	return rc;
}
