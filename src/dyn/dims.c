/* SPDX-License-Identifier: Apache-2.0 */
#include "dyn/dims.h"

#include <string.h>

#include "base/str.h"
#include "dyn/bound.h"
#include "dyn/fix.h"

enum { USUAL_LENGTH = 128, USUAL_SIDE = 256, USUAL_BATCH = 8 };

void tarn_dim_needs_fini(tarn_dim_needs *needs)
{
	VEC_FINI(&needs->list);
	tarn_arena_fini(&needs->arena);
}

/* "a[1], b[1]": every axis of an input that has this size. */
static tarn_err list_places(tarn_dim_needs *needs, const tarn_model *m, tarn_dim sym, const char **out)
{
	tarn_str s = {0};
	for (size_t i = 0; i < m->main->input.len; i++) {
		const tarn_value *v = m->main->input.at[i];
		for (int k = 0; k < v->shape.rank; k++)
			if (v->shape.dim[k] == sym)
				tarn_str_addf(&s, "%s%s[%d]", s.len ? ", " : "", v->name, k);
	}
	tarn_err err = tarn_str_done(&s);
	if (!err && !(*out = tarn_arena_strdup(&needs->arena, s.at)))
		err = tarn_err_nomem(s.len);
	tarn_str_fini(&s);
	return err;
}

static tarn_err add_dim(tarn_dim_needs *needs, const tarn_model *m, size_t input, int axis)
{
	const tarn_value *v = m->main->input.at[input];
	tarn_dim sym = v->shape.dim[axis];
	const tarn_sym *s = tarn_sym_get(&m->syms, sym);
	for (size_t i = 0; i < needs->list.len; i++)
		if (needs->list.at[i].sym == sym)
			return TARN_OK;
	tarn_dim_need d = {.sym = sym, .batch = input == 0 && axis == 0 && v->shape.rank > 1};
	d.max = s->hi < TARN_DIM_MAX ? s->hi : d.batch ? USUAL_BATCH : v->shape.rank > 3 ? USUAL_SIDE : USUAL_LENGTH;
	d.name =
		s->name ? tarn_arena_strdup(&needs->arena, s->name) : tarn_arena_printf(&needs->arena, "%s[%d]", v->name, axis);
	if (!d.name)
		return tarn_err_nomem(strlen(v->name));
	TRY(list_places(needs, m, sym, &d.where));
	TRY(VEC_GROW(&needs->list));
	needs->list.at[needs->list.len++] = d;
	return TARN_OK;
}

/* Bounds dimension d of the copy; where that is refused the reason is kept and the dimension gets the size itself. */
static tarn_err try_one(tarn_dim_needs *needs, tarn_dim_need *d, tarn_model **m)
{
	tarn_err err = tarn_model_bound(m, d->name, d->max, &d->repairs);
	if (!err)
		return TARN_OK;
	if (err == TARN_NOMEM)
		return err;
	d->why = tarn_arena_strdup(&needs->arena, tarn_err_text());
	if (!d->why)
		return tarn_err_nomem(256);
	err = tarn_model_fix(*m, d->name, d->max);
	return err == TARN_NOMEM ? err : TARN_OK; /* the sizes may not go together: the reason stands */
}

/* One after the other, as a command with all of them would. The batch is 1 then, and tried by itself. */
static tarn_err try_all(tarn_dim_needs *needs, const tarn_model *m, bool batch)
{
	tarn_model *copy;
	tarn_err err = TARN_OK;
	TRY(tarn_model_clone(m, &copy));
	for (size_t i = 0; i < needs->list.len && !batch && !err; i++)
		if (needs->list.at[i].batch)
			err = tarn_model_fix(copy, needs->list.at[i].name, 1);
	for (size_t i = 0; i < needs->list.len && !err; i++)
		if (needs->list.at[i].batch == batch)
			err = try_one(needs, &needs->list.at[i], &copy);
	tarn_model_unref(copy);
	return err;
}

static tarn_err find(const tarn_model *m, tarn_dim_needs *needs)
{
	bool batch = false;
	for (size_t i = 0; i < m->main->input.len; i++) {
		const tarn_value *v = m->main->input.at[i];
		for (int k = 0; k < v->shape.rank; k++)
			if (v->shape.dim[k] < 0)
				TRY(add_dim(needs, m, i, k));
	}
	for (size_t i = 0; i < needs->list.len; i++)
		batch = batch || needs->list.at[i].batch;
	if (batch)
		TRY(try_all(needs, m, true));
	return needs->list.len ? try_all(needs, m, false) : TARN_OK;
}

tarn_err tarn_dim_needs_find(const tarn_model *m, tarn_dim_needs *needs)
{
	*needs = (tarn_dim_needs){0};
	tarn_err err = find(m, needs);
	if (err)
		tarn_dim_needs_fini(needs);
	return err;
}
