/* SPDX-License-Identifier: Apache-2.0 */
#include "run_state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "input.h"
#include "outputs.h"
#include "tarn/sim.h"
#include "tarn/state.h"

/* --slide: an input is cut along an axis into windows of `before + fresh` elements, `fresh` farther each time. */
typedef struct slide {
	char input[256];
	long axis, fresh, before;
	const ov_tensor_t *whole; /* NULL: no --slide */
	ov_tensor_t *window;
	int64_t outer, length, inner; /* of the whole: around, along, and behind the axis */
	size_t element;
	int64_t windows;
} slide;

/* All that one output gave, one step after the other. */
typedef struct collected {
	char *name;
	bool is_state;
	ov_tensor_t *last;
	char *at;
	size_t bytes;
	int64_t steps;
} collected;

bool run_state_wanted(const options *o)
{
	return o->state.n || o->slide;
}

tarn_state_options state_options(const options *o, int64_t step)
{
	bool found = o->state.n == 1 && !strcmp(o->state.at[0], "auto");
	return (tarn_state_options){.states = found ? NULL : (const char *const *)o->state.at,
				    .n_states = found ? 0 : o->state.n,
				    .window = o->window > 0 ? o->window : 0,
				    .step = o->step > 0 ? o->step : step};
}

/* ---- windows ---- */

static int parse_slide(const options *o, slide *x)
{
	char end;
	const char *open = o->slide ? strrchr(o->slide, '[') : NULL;
	if (!o->slide)
		return 0;
	int n = open ? sscanf(open, "[%ld]=%ld+%ld%c", &x->axis, &x->fresh, &x->before, &end) : 0;
	if (n == 2 && strchr(open, '+'))
		n = 0;
	if ((n != 2 && n != 3) || open == o->slide || open - o->slide >= (long)sizeof x->input || x->axis < 0 || x->fresh < 1 ||
	    x->before < 0 || x->fresh > 1 << 24 || x->before > 1 << 24)
		return fail(2, "run", "--slide '%s' says no windows; write INPUT[AXIS]=NEW, or =NEW+BEFORE, as in x[1]=512+64",
			    o->slide);
	memcpy(x->input, o->slide, (size_t)(open - o->slide));
	return 0;
}

static size_t element_size(const ov_tensor_t *t)
{
	size_t bytes = 0, n = 0;
	ov_tensor_get_byte_size(t, &bytes);
	ov_tensor_get_size(t, &n);
	return n ? bytes / n : 0;
}

static int open_window(const input_set *set, slide *x)
{
	ov_shape_t shape = {0, NULL};
	ov_element_type_e type;
	for (size_t i = 0; *x->input && i < set->n; i++)
		if (!strcmp(set->name[i], x->input))
			x->whole = set->tensor[i];
	if (!*x->input)
		return 0;
	if (!x->whole)
		return fail(2, "run", "--slide: input '%s' has no data; add -i %s=FILE", x->input, x->input);
	if (ov_tensor_get_shape(x->whole, &shape) != OK || ov_tensor_get_element_type(x->whole, &type) != OK)
		return fail_last("run");
	if (x->axis >= shape.rank) {
		long rank = (long)shape.rank;
		ov_shape_free(&shape);
		return fail(2, "run", "--slide: input '%s' has %ld axes, and none numbered %ld", x->input, rank, x->axis);
	}
	x->outer = x->inner = 1;
	for (int64_t k = 0; k < shape.rank; k++) {
		x->outer *= k < x->axis ? shape.dims[k] : 1;
		x->inner *= k > x->axis ? shape.dims[k] : 1;
	}
	x->length = shape.dims[x->axis];
	x->element = element_size(x->whole);
	x->windows = (x->length + x->fresh - 1) / x->fresh;
	shape.dims[x->axis] = x->before + x->fresh;
	ov_status_e status = ov_tensor_create(type, shape, &x->window);
	ov_shape_free(&shape);
	if (!x->windows)
		return fail(3, "run", "--slide: input '%s' is empty", x->input);
	return status == OK ? 0 : fail_last("run");
}

/* Window w; zeros stand before the beginning and behind the end. */
static int fill_window(const slide *x, int64_t w)
{
	void *to, *from;
	int64_t size = x->before + x->fresh, first = w * x->fresh - x->before, skip = first < 0 ? -first : 0;
	int64_t count = x->length - first < size ? x->length - first : size;
	if (ov_tensor_data(x->window, &to) != OK || ov_tensor_data(x->whole, &from) != OK)
		return fail_last("run");
	size_t row = (size_t)x->inner * x->element;
	memset(to, 0, (size_t)(x->outer * size) * row);
	for (int64_t o = 0; o < x->outer && count > skip; o++)
		memcpy((char *)to + (size_t)(o * size + skip) * row,
		       (const char *)from + (size_t)(o * x->length + first + skip) * row, (size_t)(count - skip) * row);
	return 0;
}

/* ---- results ---- */

static int open_outputs(const session *s, collected **list, size_t *n)
{
	if (ov_model_outputs_size(s->model, n) != OK)
		return fail_last("run");
	*list = calloc(*n + 1, sizeof **list);
	if (!*list)
		return fail(1, "run", "out of memory");
	for (size_t i = 0; i < *n; i++) {
		ov_output_const_port_t *port = NULL;
		ov_status_e status = ov_model_const_output_by_index(s->model, i, &port);
		if (status == OK)
			status = ov_port_get_any_name(port, &(*list)[i].name);
		ov_output_const_port_free(port);
		if (status != OK)
			return fail_last("run");
	}
	return 0;
}

static void close_outputs(collected *list, size_t n)
{
	for (size_t i = 0; list && i < n; i++) {
		ov_free(list[i].name);
		ov_tensor_free(list[i].last);
		free(list[i].at);
	}
	free(list);
}

/* Takes what the last run gave; `keep`: behind what earlier ones gave. */
static int take(tarn_sequence_t *q, collected *c, bool keep)
{
	void *data;
	size_t bytes = 0;
	if (c->is_state)
		return 0;
	ov_tensor_free(c->last);
	c->last = NULL;
	ov_status_e status = tarn_sequence_get_tensor(q, c->name, &c->last);
	c->is_state = status == NOT_FOUND;
	if (status != OK)
		return c->is_state ? 0 : fail_last("run");
	if (!keep)
		return 0;
	if (ov_tensor_get_byte_size(c->last, &bytes) != OK || ov_tensor_data(c->last, &data) != OK)
		return fail_last("run");
	char *at = realloc(c->at, c->bytes + bytes + 1);
	if (!at)
		return fail(1, "run", "out of memory");
	c->at = at;
	memcpy(at + c->bytes, data, bytes);
	c->bytes += bytes;
	c->steps++;
	return 0;
}

/* [steps, ...]: the last tensor's shape with an axis in front. */
static int stack(collected *c)
{
	ov_shape_t shape = {0, NULL};
	ov_element_type_e type;
	ov_tensor_t *all = NULL;
	int64_t dims[16] = {c->steps};
	if (ov_tensor_get_shape(c->last, &shape) != OK || ov_tensor_get_element_type(c->last, &type) != OK)
		return fail_last("run");
	int64_t rank = shape.rank;
	for (int64_t k = 0; k < rank && k < 15; k++)
		dims[k + 1] = shape.dims[k];
	ov_shape_free(&shape);
	if (rank >= 8)
		return fail(3, "run", "output '%s' has too many axes to be stacked", c->name);
	if (ov_shape_create(rank + 1, dims, &shape) != OK)
		return fail_last("run");
	ov_status_e status = ov_tensor_create_from_host_ptr(type, shape, c->at, &all);
	ov_shape_free(&shape);
	if (status != OK)
		return fail_last("run");
	ov_tensor_free(c->last);
	c->last = all;
	return 0;
}

/* ---- running ---- */

static int set_inputs(tarn_sequence_t *q, const input_set *set, const slide *x)
{
	for (size_t i = 0; i < set->n; i++) {
		const ov_tensor_t *t = x->window && !strcmp(set->name[i], x->input) ? x->window : set->tensor[i];
		if (t && tarn_sequence_set_tensor(q, set->name[i], t) != OK)
			return fail_last("run");
	}
	return 0;
}

static int run_all(tarn_sequence_t *q, const slide *x, collected *list, size_t n)
{
	int64_t windows = x->window ? x->windows : 1;
	int code = 0;
	for (int64_t w = 0; w < windows && !code; w++) {
		code = x->window ? fill_window(x, w) : 0;
		if (!code && tarn_sequence_infer(q) != OK)
			code = fail_last("run");
		for (size_t i = 0; i < n && !code; i++)
			code = take(q, &list[i], x->window != NULL);
	}
	for (size_t i = 0; i < n && !code && x->window; i++)
		if (list[i].last)
			code = stack(&list[i]);
	return code;
}

static void show_facts(const tarn_sequence_info *f, json *j)
{
	double steps = f->steps ? (double)f->steps : 1, host = (f->total_ms - f->run_ms) / steps, device = f->device_ms / steps;
	const char *source = f->device_modelled ? "modelled" : "measured";
	if (j) {
		json_begin(j, "sequence", '{');
		json_int(j, "positions", f->positions);
		json_int(j, "steps", f->steps);
		json_int(j, "step", f->step);
		json_int(j, "window", f->window);
		json_int(j, "programs", f->programs);
		json_int(j, "compilations", f->compilations);
		json_int(j, "state_bytes", f->state_bytes);
		json_int(j, "state_bytes_copied", f->state_copied);
		json_int(j, "bytes_copied", f->copied);
		json_text(j, "not_cut", f->whole);
		json_text(j, "not_padded", f->exact);
		json_figure(j, "host_ms_per_step", host, "ms", "measured", -1);
		json_figure(j, "device_ms_per_step", device, "ms", source, f->device_modelled ? f->device_band : -1);
		json_end(j, '}');
		return;
	}
	printf("%lld positions in %lld steps, %d compilations; states: %lld bytes on the device, %lld copied through the "
	       "host\n",
	       (long long)f->positions, (long long)f->steps, f->compilations, (long long)f->state_bytes,
	       (long long)f->state_copied);
	printf("a step: host %.4f ms besides waiting for the device (measured)", host);
	if (isfinite(device))
		printf(", device %.4f ms (%s)", device, source);
	printf("\n");
}

static int show(const session *s, tarn_sequence_t *q, const collected *list, size_t n)
{
	const options *o = s->o;
	json j = {.out = stdout};
	tarn_sequence_info f;
	int code = o->folder ? outputs_folder(o->folder) : 0;
	if (!code && tarn_sequence_get_info(q, &f) != OK)
		code = fail_last("run");
	if (code)
		return code;
	if (o->json) {
		json_begin(&j, NULL, '{');
		json_text(&j, "model", o->model);
		json_text(&j, "device", s->device);
		json_begin(&j, "outputs", '[');
	}
	for (size_t i = 0; i < n && !code; i++)
		if (list[i].last)
			code = outputs_show(s, list[i].name, list[i].last, o->json ? &j : NULL);
	if (o->json)
		json_end(&j, ']');
	show_facts(&f, o->json ? &j : NULL);
	if (o->json)
		json_end(&j, '}');
	return code;
}

static int open_states(const session *s, const slide *x, tarn_sequence_t **q)
{
	session_properties p;
	tarn_state_options want = state_options(s->o, x->fresh + x->before);
	tarn_simulation sim;
	int code = session_collect(s, NULL, &p);
	if (!code && strstr(s->device, "NPU") && tarn_get_simulation(s->core, &sim) == OK && sim.paced)
		code = fail(2, "run", "device NPU is simulated in paced mode, which computes no results; leave that mode");
	if (!code && tarn_sequence_open(s->core, s->model, s->device, &want, p.n, p.at, q) != OK)
		code = fail_last("run");
	return code;
}

int run_state(session *s)
{
	slide x = {0};
	input_set set = {0};
	tarn_sequence_t *q = NULL;
	collected *list = NULL;
	size_t n = 0;
	if (s->is_blob)
		return fail(2, "run", "a compiled model is as it is; --state wants the model itself");
	int code = parse_slide(s->o, &x);
	if (!code && !s->o->state.n)
		code = fail(2, "run", "--slide is for models with state; add --state OUTPUT=INPUT");
	s->any_size = true;
	if (!code)
		code = input_load(s, &set);
	if (!code)
		code = open_window(&set, &x);
	if (!code) /* after loading: a long input fits free sizes only */
		code = session_reshape(s);
	if (!code)
		code = open_states(s, &x, &q);
	if (!code)
		code = set_inputs(q, &set, &x);
	if (!code)
		code = open_outputs(s, &list, &n);
	if (!code)
		code = run_all(q, &x, list, n);
	if (!code)
		code = show(s, q, list, n);
	close_outputs(list, n);
	tarn_sequence_close(q);
	ov_tensor_free(x.window);
	input_close(&set);
	return code;
}
