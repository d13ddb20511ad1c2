/* SPDX-License-Identifier: Apache-2.0 */
/* tarn tune --learn: traffic by its lengths, as it comes. Each length runs; the library counts, plans and compiles meanwhile.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "input.h"
#include "interrupt.h"
#include "say.h"
#include "tarn/model.h"
#include "tune.h"

static atomic_int stopped;

enum { MOST_EVENTS = 64 };

/* Sizes that were taken into use. */
typedef struct event {
	long long inputs;
	char *buckets;
	double before, padding; /* of one maximum, and of these */
} event;

typedef struct learning {
	session *s;
	tune_bounds b;
	char *word[TUNE_MOST_BOUNDS]; /* by bound: the symbol of its dimension; NULL: it has none */
	tarn_learner_t *learner;
	ov_infer_request_t *request;
	uint64_t generation, seed;
	long long inputs;
	bool first; /* the next model is the one it begins with */
	char path[4200];
	event event[MOST_EVENTS]; /* the first of them */
	int n_event;
} learning;

/* ---- inputs of a length ---- */

/* The name of an input's axis: "x[1]", and its symbol, for ov_free, or NULL. */
static int name_axis(const learning *l, size_t i, const char *input, size_t axis, char text[300], char **word)
{
	ov_output_const_port_t *port = NULL;
	*word = NULL;
	snprintf(text, 300, "%.250s[%zu]", input, axis);
	int code = ov_model_const_input_by_index(l->s->model, i, &port) == OK && tarn_get_dim_name(port, axis, word) == OK
			   ? 0
			   : fail_last(l->s->command);
	ov_output_const_port_free(port);
	return code;
}

/* Notes the symbol of a bound that is called by an axis: other inputs have it, too. */
static int note_symbol(learning *l, size_t i, const char *input, size_t axis)
{
	char text[300], *word;
	int code = name_axis(l, i, input, axis, text, &word);
	for (size_t b = 0; !code && word && b < l->b.n; b++)
		if (!strcmp(l->b.at[b].name, text) && !l->word[b]) {
			l->word[b] = word;
			return 0;
		}
	ov_free(word);
	return code;
}

static int note_symbols(learning *l)
{
	int code = 0;
	for (size_t i = 0; !code && i < input_count(l->s); i++) {
		char *name;
		ov_element_type_e type;
		ov_partial_shape_t shape;
		code = input_describe(l->s, i, &name, &type, &shape);
		if (code)
			break;
		if (shape.rank.min != shape.rank.max || shape.rank.max > 16)
			code = fail(3, l->s->command, "input '%s' has no known number of dimensions; give it a -shape", name);
		for (int64_t k = 0; !code && k < shape.rank.max; k++)
			code = note_symbol(l, i, name, (size_t)k);
		ov_partial_shape_free(&shape);
		ov_free(name);
	}
	return code;
}

/* Of a free axis: as its bound says, or, without one, a batch of 1. */
static int size_of(const learning *l, size_t i, const char *input, size_t axis, int64_t length, int64_t *size)
{
	char text[300], *word;
	int code = name_axis(l, i, input, axis, text, &word);
	*size = 1;
	for (size_t b = 0; !code && b < l->b.n; b++) {
		const char *name = l->b.at[b].name;
		if (!strcmp(name, text) || (word && (!strcmp(name, word) || (l->word[b] && !strcmp(l->word[b], word)))))
			*size = b ? l->b.at[b].max : length;
	}
	ov_free(word);
	return code;
}

static int set_tensor(learning *l, size_t i, const char *name, ov_element_type_e type, const int64_t *dim, int64_t rank)
{
	ov_shape_t shape = {0, NULL};
	ov_tensor_t *t = NULL;
	int code = ov_shape_create(rank, dim, &shape) == OK && ov_tensor_create(type, shape, &t) == OK
			   ? 0
			   : fail_last(l->s->command);
	if (!code && !input_fill(t, &l->seed))
		code = fail(2, l->s->command, "input '%s' takes text, which cannot be made up", name);
	if (!code && ov_infer_request_set_input_tensor_by_index(l->request, i, t) != OK)
		code = fail_last(l->s->command);
	ov_tensor_free(t);
	ov_shape_free(&shape);
	return code;
}

static int set_input(learning *l, size_t i, int64_t length)
{
	char *name;
	ov_element_type_e type;
	ov_partial_shape_t shape;
	int64_t dim[16] = {0};
	int code = input_describe(l->s, i, &name, &type, &shape);
	if (code)
		return code;
	for (int64_t k = 0; !code && k < shape.rank.max; k++) {
		dim[k] = shape.dims[k].max;
		if (shape.dims[k].min != dim[k])
			code = size_of(l, i, name, (size_t)k, length, &dim[k]);
	}
	if (!code)
		code = set_tensor(l, i, name, type, dim, shape.rank.max);
	ov_partial_shape_free(&shape);
	ov_free(name);
	return code;
}

/* ---- models in use ---- */

/* Padding and time of the plan, and of the one maximum it began with, for the lengths it was made from. */
static int tell_switch(learning *l)
{
	tarn_buckets_t *plan;
	tarn_buckets_info p;
	if (tarn_save_learned(l->learner, l->path) != OK || tarn_read_buckets(l->path, &plan) != OK)
		return fail_last(l->s->command);
	int code = tarn_get_buckets_info(plan, &p) == OK ? 0 : fail_last(l->s->command);
	if (!code && !l->s->o->json) {
		printf("after %lld inputs: %s; padding %.1f %% -> %.1f %%, mean %.4g -> %.4g ms (%s, against one maximum)\n",
		       l->inputs, p.buckets, 100 * p.way[1].padding, 100 * p.way[0].padding, p.way[1].mean_ms, p.way[0].mean_ms,
		       p.modelled ? "modelled" : "measured");
		fflush(stdout);
	}
	if (!code && l->n_event < MOST_EVENTS)
		l->event[l->n_event++] = (event){l->inputs, strdup(p.buckets), p.way[1].padding, p.way[0].padding};
	tarn_free_buckets(plan);
	return code;
}

/* Requests are made of the newest model there is. */
static int take_newest(learning *l)
{
	ov_compiled_model_t *c;
	if (tarn_get_learned(l->learner, &l->generation, &c) != OK)
		return fail_last(l->s->command);
	if (!c)
		return 0;
	ov_infer_request_free(l->request);
	l->request = NULL;
	int code = ov_compiled_model_create_infer_request(c, &l->request) == OK ? 0 : fail_last(l->s->command);
	ov_compiled_model_free(c);
	if (!code && !l->first)
		code = tell_switch(l);
	l->first = false;
	return code;
}

static int run_one(learning *l, int64_t length)
{
	int code = take_newest(l);
	for (size_t i = 0; !code && i < input_count(l->s); i++)
		code = set_input(l, i, length);
	if (!code && ov_infer_request_infer(l->request) != OK)
		code = fail_last(l->s->command);
	l->inputs += !code;
	return code;
}

/* ---- the stream ---- */

static int run_line(learning *l, char *line, long number)
{
	char *end;
	line[strcspn(line, "\r\n")] = 0;
	if (!*line || *line == '#')
		return 0;
	long long length = strtoll(line, &end, 10);
	if (end == line || *end || length < 1)
		return fail(3, l->s->command, "%s: line %ld: '%.40s' is no length; give one number a line", l->s->o->learn,
			    number, line);
	if (length > l->b.at[0].max)
		return fail(3, l->s->command, "%s: line %ld: %lld is more than the bound of '%s', %lld; give a larger bound",
			    l->s->o->learn, number, length, l->b.at[0].name, (long long)l->b.at[0].max);
	return run_one(l, length);
}

static int run_stream(learning *l)
{
	const char *path = l->s->o->learn;
	FILE *f = strcmp(path, "-") ? fopen(path, "r") : stdin;
	char line[64];
	int code = f ? 0 : fail(3, l->s->command, "%s: cannot be read; check the path", path);
	interrupt_watch(&stopped);
	for (long number = 1; !code && !stopped && fgets(line, sizeof line, f); number++)
		code = run_line(l, line, number);
	interrupt_unwatch();
	if (f && f != stdin)
		fclose(f);
	return code;
}

/* What is due is planned, and what was planned is taken. */
static int settle(learning *l)
{
	int code = take_newest(l);
	if (!code && tarn_wait_learned(l->learner) != OK)
		code = fail_last(l->s->command);
	return code ? code : take_newest(l);
}

/* ---- the command ---- */

static int tell_plan(const learning *l, json *j)
{
	tarn_buckets_t *plan;
	tarn_buckets_info p;
	if (tarn_read_buckets(l->path, &plan) != OK)
		return fail_last(l->s->command);
	int code = tarn_get_buckets_info(plan, &p) == OK ? 0 : fail_last(l->s->command);
	if (!code && j)
		tune_plan_json(l->s, &p, l->path, j);
	else if (!code)
		tune_show_plan(l->s, &p, l->path);
	tarn_free_buckets(plan);
	return code;
}

static int tell_json(const learning *l, const tarn_learn_info *i)
{
	json j = {.out = stdout};
	json_begin(&j, NULL, '{');
	json_int(&j, "traffic", l->inputs);
	json_int(&j, "plans", (long long)i->plans);
	json_int(&j, "switches", (long long)i->switches);
	json_begin(&j, "events", '[');
	for (int k = 0; k < l->n_event; k++) {
		json_begin(&j, NULL, '{');
		json_int(&j, "after", l->event[k].inputs);
		json_text(&j, "buckets", l->event[k].buckets);
		json_num(&j, "padding_before", l->event[k].before);
		json_num(&j, "padding", l->event[k].padding);
		json_end(&j, '}');
	}
	json_end(&j, ']');
	int code = i->switches ? tell_plan(l, &j) : 0;
	json_end(&j, '}');
	return code;
}

static int tell(const learning *l)
{
	tarn_learn_info i;
	if (tarn_get_learn_info(l->learner, &i) != OK)
		return fail_last(l->s->command);
	int code = 0;
	if (!i.plans)
		code = fail(3, l->s->command, "%lld inputs came, a plan is made after %ld; give more, or a smaller --every",
			    l->inputs, l->s->o->every > 0 ? l->s->o->every : 1000);
	else if (i.why)
		code = fail(1, l->s->command, "no plan could be made: %s", i.why);
	else if (l->s->o->json)
		code = tell_json(l, &i);
	else if (i.switches)
		code = tell_plan(l, NULL);
	else
		printf("%s: %lld inputs, %zu plans: none takes enough less time than %s (mean %.4g -> %.4g ms); nothing "
		       "stored\n",
		       l->s->o->model, l->inputs, i.plans, i.buckets, i.ms, i.planned_ms);
	ov_free(i.buckets);
	ov_free(i.why);
	return code;
}

static int begin(learning *l)
{
	const options *o = l->s->o;
	session_properties p;
	const tarn_learn_options want = {o->every > 0 ? (size_t)o->every : 0, o->gain > 0 ? o->gain : 0, tune_limit(o)};
	int code = session_collect(l->s, "LATENCY", &p);
	if (!code &&
	    tarn_learn_buckets(l->s->core, l->s->model, l->s->device, p.n, p.at, l->b.at, l->b.n, &want, &l->learner) != OK)
		code = fail_last(l->s->command);
	return code;
}

int tune_learn(session *s)
{
	learning l = {.s = s, .seed = 1, .first = true};
	int code = tune_read_bounds(s, &l.b);
	if (!code)
		code = note_symbols(&l);
	tune_plan_path(s, l.path, sizeof l.path);
	if (!code)
		code = begin(&l);
	if (!code)
		code = run_stream(&l);
	if (!code)
		code = settle(&l);
	if (!code)
		code = tell(&l);
	ov_infer_request_free(l.request);
	tarn_free_learner(l.learner);
	for (int i = 0; i < l.n_event; i++)
		free(l.event[i].buckets);
	for (size_t i = 0; i < l.b.n; i++)
		ov_free(l.word[i]);
	return code;
}
