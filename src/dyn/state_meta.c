/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a rewritten model says of itself, in its metadata: "tarn.state", records separated by '|', fields by ':', names last.
 *
 *   past:INPUT  step:SIZE:INPUT  total:SIZE:INPUT (INPUT "" when there is none)  whole:REASON  exact:REASON
 *   pair:AXIS:LENGTH_OF_IN:IN OUT  port:KIND:AXIS:in|out:NAME
 *
 * Names may hold any byte but '|', which stands as "%7C" (and '%' as "%25").
 */
#include <stdio.h>
#include <string.h>

#include "dyn/state_plan.h"

static const char key[] = "tarn.state";

void tarn_state_fini(tarn_state *s)
{
	VEC_FINI(&s->pair);
	VEC_FINI(&s->port);
	tarn_arena_fini(&s->arena);
	*s = (tarn_state){0};
}

tarn_err tarn_state_put(tarn_model *m, const char *text)
{
	tarn_meta x = {key, tarn_arena_strdup(&m->arena, text)};
	if (!x.value)
		return tarn_err_nomem(strlen(text));
	TRY(VEC_GROW(&m->meta));
	m->meta.at[m->meta.len++] = x;
	return TARN_OK;
}

void tarn_state_put_name(tarn_str *s, const char *name)
{
	for (; *name; name++) {
		if (*name == '|' || *name == '%')
			tarn_str_addf(s, "%%%02X", (unsigned)*name);
		else
			tarn_str_add_n(s, name, 1);
	}
}

/* In place. */
static void unescape(char *at)
{
	char *to = at;
	for (; *at; at++) {
		if (!strncmp(at, "%7C", 3) || !strncmp(at, "%25", 3)) {
			*to++ = at[1] == '7' ? '|' : '%';
			at += 2;
		} else {
			*to++ = *at;
		}
	}
	*to = 0;
}

static tarn_err damaged(void)
{
	return tarn_err_set(TARN_BAD_FILE, "metadata '%s' is damaged; make the model anew", key);
}

/* The number before the next ':', which *at is moved behind. */
static bool take_number(char **at, int64_t *v)
{
	char *end = strchr(*at, ':');
	if (!end)
		return false;
	*end = 0;
	bool ok = tarn_str_to_i64(*at, v);
	*at = end + 1;
	return ok;
}

static tarn_err take_pair(tarn_state *s, char *at)
{
	int64_t axis, len;
	if (!take_number(&at, &axis) || !take_number(&at, &len) || axis < -1 || axis >= TARN_MAX_RANK || len < 1 ||
	    (size_t)len >= strlen(at))
		return damaged();
	char *out = at + len;
	*out++ = 0;
	unescape(at);
	unescape(out);
	TRY(VEC_GROW(&s->pair));
	s->pair.at[s->pair.len++] = (tarn_state_pair){at, out, (int)axis};
	return TARN_OK;
}

static tarn_err take_port(tarn_state *s, char *at)
{
	int64_t kind, axis, output;
	if (!take_number(&at, &kind) || !take_number(&at, &axis) || !take_number(&at, &output) || kind < 0 ||
	    kind > TARN_STATE_TOTAL || axis < 0 || axis >= TARN_MAX_RANK)
		return damaged();
	unescape(at);
	TRY(VEC_GROW(&s->port));
	s->port.at[s->port.len++] = (tarn_state_port){at, (int)axis, output != 0, (tarn_state_kind)kind};
	return TARN_OK;
}

static tarn_err take_axis(char *at, int64_t *size, const char **length)
{
	if (!take_number(&at, size) || *size < 0 || *size > TARN_DIM_MAX)
		return damaged();
	unescape(at);
	*length = *at ? at : NULL;
	return TARN_OK;
}

static tarn_err take_record(tarn_state *s, char *record)
{
	char *at = strchr(record, ':');
	if (!at)
		return damaged();
	*at++ = 0;
	if (!strcmp(record, "pair"))
		return take_pair(s, at);
	if (!strcmp(record, "port"))
		return take_port(s, at);
	if (!strcmp(record, "step"))
		return take_axis(at, &s->step, &s->step_length);
	if (!strcmp(record, "total"))
		return take_axis(at, &s->total, &s->total_length);
	unescape(at);
	if (!strcmp(record, "past"))
		s->past_input = at;
	else if (!strcmp(record, "whole"))
		s->whole = at;
	else if (!strcmp(record, "exact"))
		s->exact = at;
	else
		return damaged();
	return TARN_OK;
}

static tarn_err parse(const char *value, tarn_state *s)
{
	char *text = tarn_arena_strdup(&s->arena, value), *next = NULL;
	if (!text)
		return tarn_err_nomem(strlen(value));
	for (char *r = strtok_r(text, "|", &next); r; r = strtok_r(NULL, "|", &next))
		TRY(take_record(s, r));
	return s->pair.len ? TARN_OK : damaged();
}

tarn_err tarn_state_get(const tarn_model *m, tarn_state *s, bool *found)
{
	*s = (tarn_state){0};
	*found = false;
	for (size_t i = 0; i < m->meta.len; i++) {
		if (strcmp(m->meta.at[i].key, key))
			continue;
		*found = true;
		tarn_err err = parse(m->meta.at[i].value, s);
		if (err != TARN_OK)
			tarn_state_fini(s);
		return err;
	}
	return TARN_OK;
}
