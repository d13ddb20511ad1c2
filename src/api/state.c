/* SPDX-License-Identifier: Apache-2.0 */
#include "tarn/state.h"

#include <string.h>

#include "api/handles.h"
#include "base/mem.h"
#include "dyn/sequence.h"

enum { DEFAULT_STEP = 16 };

struct tarn_sequence_handle {
	tarn_sequence *s;
	ov_compiled_model_t *many, *one;
	tarn_state many_state, one_state;
};

/* ---- options ---- */

/* Spec and what it points to. */
typedef struct state_request {
	tarn_state_spec spec;
	tarn_arena arena;
} state_request;

static bool has_port(const tarn_model *m, bool output, const char *name)
{
	size_t n = output ? m->main->output.len : m->main->input.len;
	for (size_t i = 0; i < n; i++)
		if (!strcmp(output ? m->main->output.at[i]->name : m->main->input.at[i]->name, name))
			return true;
	return false;
}

/* Names may hold '=' themselves: the first one that has an output before and an input behind it divides them. */
static tarn_err split_pair(const tarn_model *m, tarn_arena *a, const char *text, tarn_state_pair *pair)
{
	const char *first = strchr(text, '=');
	CHECK(first && first != text && first[1], TARN_USAGE, "state '%s' is not OUTPUT=INPUT", text);
	for (const char *at = first; at; at = strchr(at + 1, '=')) {
		*pair = (tarn_state_pair){tarn_arena_strdup(a, at + 1), tarn_arena_strndup(a, text, (size_t)(at - text)), -1};
		if (!pair->in || !pair->out)
			return tarn_err_nomem(strlen(text));
		if (has_port(m, true, pair->out) && has_port(m, false, pair->in))
			return TARN_OK;
	}
	*pair = (tarn_state_pair){tarn_arena_strdup(a, first + 1), tarn_arena_strndup(a, text, (size_t)(first - text)), -1};
	return pair->in && pair->out ? TARN_OK : tarn_err_nomem(strlen(text)); /* the rewrite says what is missing */
}

static tarn_err take_options(const tarn_model *m, const tarn_state_options *o, int64_t step, state_request *r)
{
	CHECK(o->n_states < 1 << 16 && (!o->n_states || o->states), TARN_USAGE, "%zu states without names", o->n_states);
	tarn_state_pair *pair = tarn_arena_zalloc(&r->arena, o->n_states + 1, sizeof *pair);
	if (!pair)
		return tarn_err_nomem(o->n_states * sizeof *pair);
	for (size_t i = 0; i < o->n_states; i++) {
		CHECK(o->states[i], TARN_USAGE, "state %zu has no name", i);
		TRY(split_pair(m, &r->arena, o->states[i], &pair[i]));
	}
	r->spec = (tarn_state_spec){pair, (int)o->n_states, o->window, o->step ? o->step : step, o->batch};
	if (!o->step && o->window > 0 && r->spec.step > o->window)
		r->spec.step = o->window;
	return TARN_OK;
}

/* ---- models ---- */

static tarn_err find_state(const tarn_model *m, size_t index, tarn_state_info *info)
{
	tarn_state st;
	tarn_arena a = {0};
	tarn_state_pair *pair = NULL;
	bool found;
	int n = 0;
	TRY(tarn_state_get(m, &st, &found));
	tarn_err err = found ? TARN_OK : tarn_state_find(m, &a, &pair, &n);
	if (found) {
		pair = st.pair.at;
		n = (int)st.pair.len;
	}
	if (err == TARN_OK && index >= (size_t)n)
		err = tarn_err_set(TARN_NOT_FOUND, "the model has %d states of its own; name others", n);
	if (err == TARN_OK) {
		info->axis = pair[index].axis;
		err = tarn_text_out(pair[index].in, &info->input);
	}
	if (err == TARN_OK)
		err = tarn_text_out(pair[index].out, &info->output);
	tarn_state_fini(&st);
	tarn_arena_fini(&a);
	return err;
}

ov_status_e tarn_get_state(const ov_model_t *model, size_t index, tarn_state_info *info)
{
	NEED(model && info);
	*info = (tarn_state_info){0};
	tarn_err err = find_state(model->m, index, info);
	if (err != TARN_OK)
		tarn_free_state(info);
	return tarn_status(err);
}

void tarn_free_state(tarn_state_info *info)
{
	if (!info)
		return;
	tarn_mem_free(info->input);
	tarn_mem_free(info->output);
	*info = (tarn_state_info){0};
}

ov_status_e tarn_make_stateful(const ov_model_t *model, const tarn_state_options *options)
{
	NEED(model && options);
	state_request r = {0};
	tarn_err err = take_options(model->m, options, 1, &r);
	if (err == TARN_OK)
		err = tarn_model_stateful(&((struct ov_model *)(uintptr_t)model)->m, &r.spec);
	tarn_arena_fini(&r.arena);
	return tarn_status(err);
}

static tarn_err text_or_null(const char *from, char **to)
{
	return from ? tarn_text_out(from, to) : TARN_OK;
}

static tarn_err describe(const tarn_state *st, tarn_stateful_info *info)
{
	info->window = st->total;
	info->step = st->step;
	TRY(text_or_null(st->past_input, &info->past_input));
	TRY(text_or_null(st->step_length, &info->step_length));
	TRY(text_or_null(st->total_length, &info->window_length));
	TRY(text_or_null(st->whole, &info->whole));
	return text_or_null(st->exact, &info->exact);
}

ov_status_e tarn_get_stateful(const ov_model_t *model, tarn_stateful_info *info)
{
	NEED(model && info);
	tarn_state st;
	bool found;
	*info = (tarn_stateful_info){0};
	tarn_err err = tarn_state_get(model->m, &st, &found);
	if (err == TARN_OK && !found)
		err = tarn_err_set(TARN_NOT_FOUND, "the model was not made stateful; make it so first");
	if (err == TARN_OK)
		err = describe(&st, info);
	tarn_state_fini(&st);
	if (err != TARN_OK)
		tarn_free_stateful(info);
	return tarn_status(err);
}

void tarn_free_stateful(tarn_stateful_info *info)
{
	if (!info)
		return;
	tarn_mem_free(info->past_input);
	tarn_mem_free(info->step_length);
	tarn_mem_free(info->window_length);
	tarn_mem_free(info->whole);
	tarn_mem_free(info->exact);
	*info = (tarn_stateful_info){0};
}

/* ---- sequences ---- */

/* What both programs are compiled with. */
typedef struct sequence_target {
	const ov_core_t *core;
	const char *device;
	size_t n;
	const ov_property_t *properties;
} sequence_target;

/* The model with steps of that size, compiled. */
static ov_status_e build(const sequence_target *to, const ov_model_t *model, const tarn_state_spec *spec, tarn_state *state,
			 ov_compiled_model_t **compiled)
{
	struct ov_model rewritten = {tarn_model_ref(model->m)};
	bool found = false;
	tarn_err err = tarn_model_stateful(&rewritten.m, spec);
	if (err == TARN_OK)
		err = tarn_state_get(rewritten.m, state, &found);
	ov_status_e status = tarn_status(err);
	if (status == OK)
		status = ov_core_compile_model_props(to->core, &rewritten, to->device, to->n, to->properties, compiled);
	tarn_model_unref(rewritten.m);
	return status;
}

/* A model that was rewritten before is one program, as it is. */
static ov_status_e open_rewritten(const sequence_target *to, const ov_model_t *model, tarn_sequence_t *q)
{
	ov_status_e status = ov_core_compile_model_props(to->core, model, to->device, to->n, to->properties, &q->many);
	return status != OK ? status : tarn_status(tarn_sequence_new(q->many->p, NULL, &q->many_state, NULL, &q->s));
}

static ov_status_e open_sequence(const sequence_target *to, const ov_model_t *model, tarn_state_spec *spec, tarn_sequence_t *q)
{
	bool found;
	ov_status_e status = tarn_status(tarn_state_get(model->m, &q->many_state, &found));
	if (status != OK || found)
		return status != OK ? status : open_rewritten(to, model, q);
	if (spec->step > 1)
		status = build(to, model, spec, &q->many_state, &q->many);
	if (status != OK)
		return status;
	bool positional = !q->many || q->many_state.step, pointless = q->many && q->many_state.exact && q->many_state.whole;
	spec->step = 1;
	if (positional && !pointless) {
		status = build(to, model, spec, &q->one_state, &q->one);
		if (status != OK && !q->many)
			return status;
		if (status != OK) /* calls of one position are padded, or refused when they come */
			tarn_state_fini(&q->one_state);
	}
	return tarn_status(tarn_sequence_new(q->many ? q->many->p : NULL, q->one ? q->one->p : NULL, &q->many_state,
					     &q->one_state, &q->s));
}

ov_status_e tarn_sequence_open(const ov_core_t *core, const ov_model_t *model, const char *device_name,
			       const tarn_state_options *options, size_t num_properties, const ov_property_t *properties,
			       tarn_sequence_t **sequence)
{
	NEED(core && model && device_name && options && sequence && (properties || !num_properties));
	state_request r = {0};
	sequence_target to = {core, device_name, num_properties, properties};
	tarn_sequence_t *q = tarn_mem_zalloc(1, sizeof *q);
	if (!q)
		return tarn_status(tarn_err_nomem(sizeof *q));
	ov_status_e status = tarn_status(take_options(model->m, options, DEFAULT_STEP, &r));
	if (status == OK)
		status = open_sequence(&to, model, &r.spec, q);
	tarn_arena_fini(&r.arena);
	if (status != OK)
		tarn_sequence_close(q);
	else
		*sequence = q;
	return status;
}

void tarn_sequence_close(tarn_sequence_t *sequence)
{
	if (!sequence)
		return;
	tarn_sequence_free(sequence->s);
	ov_compiled_model_free(sequence->many);
	ov_compiled_model_free(sequence->one);
	tarn_state_fini(&sequence->many_state);
	tarn_state_fini(&sequence->one_state);
	tarn_mem_free(sequence);
}

ov_status_e tarn_sequence_set_tensor(tarn_sequence_t *sequence, const char *name, const ov_tensor_t *tensor)
{
	NEED(sequence && name && tensor);
	return tarn_status(tarn_sequence_set(sequence->s, name, &tensor->box->t));
}

ov_status_e tarn_sequence_infer(tarn_sequence_t *sequence)
{
	NEED(sequence);
	return tarn_status(tarn_sequence_run(sequence->s));
}

static tarn_err get_tensor(tarn_sequence_t *q, const char *name, ov_tensor_t **tensor)
{
	const tarn_tensor *t;
	tarn_tensor copy;
	TRY(tarn_sequence_get(q->s, name, &t));
	TRY(tarn_tensor_copy(t, &copy));
	return tarn_tensor_out(&copy, tensor);
}

ov_status_e tarn_sequence_get_tensor(tarn_sequence_t *sequence, const char *name, ov_tensor_t **tensor)
{
	NEED(sequence && name && tensor);
	return tarn_status(get_tensor(sequence, name, tensor));
}

ov_status_e tarn_sequence_reset(tarn_sequence_t *sequence)
{
	NEED(sequence);
	return tarn_status(tarn_sequence_rewind(sequence->s));
}

ov_status_e tarn_sequence_get_state(tarn_sequence_t *sequence, const char *input, ov_tensor_t **tensor)
{
	NEED(sequence && input && tensor);
	tarn_tensor t;
	tarn_err err = tarn_sequence_save(sequence->s, input, &t);
	return tarn_status(err == TARN_OK ? tarn_tensor_out(&t, tensor) : err);
}

ov_status_e tarn_sequence_set_state(tarn_sequence_t *sequence, const char *input, const ov_tensor_t *tensor)
{
	NEED(sequence && input && tensor);
	return tarn_status(tarn_sequence_restore(sequence->s, input, &tensor->box->t));
}

ov_status_e tarn_sequence_get_info(const tarn_sequence_t *sequence, tarn_sequence_info *info)
{
	NEED(sequence && info);
	const tarn_state *st = sequence->many ? &sequence->many_state : &sequence->one_state;
	tarn_sequence_facts f;
	tarn_sequence_facts_get(sequence->s, &f);
	*info = (tarn_sequence_info){
		.past = f.past,
		.window = st->total,
		.step = st->step,
		.whole = st->whole,
		.exact = st->exact,
		.programs = (sequence->many != NULL) + (sequence->one != NULL),
		.compilations = (sequence->many ? sequence->many->p->compilations : 0) +
				(sequence->one ? sequence->one->p->compilations : 0),
		.steps = f.steps,
		.positions = f.positions,
		.state_bytes = f.state_bytes,
		.state_copied = f.state_copied,
		.copied = f.copied,
		.total_ms = f.total_ms,
		.run_ms = f.run_ms,
		.device_ms = f.device_ms,
		.device_modelled = f.device_modelled,
		.device_band = f.device_band,
	};
	return OK;
}
