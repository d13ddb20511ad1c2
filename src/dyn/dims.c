/* SPDX-License-Identifier: Apache-2.0 */
#include "dyn/dims.h"

#include <string.h>

#include "base/str.h"
#include "dyn/bound.h"
#include "dyn/fix.h"
#include "dyn/reach.h"

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

static tarn_err keep_reason(tarn_dim_needs *needs, tarn_dim_need *d)
{
	d->why = tarn_arena_strdup(&needs->arena, tarn_err_text());
	return d->why ? TARN_OK : tarn_err_nomem(256);
}

/* A copy with the batch at 1, where that is not what is looked at. */
static tarn_err copy_of(const tarn_dim_needs *needs, const tarn_model *m, bool batch, tarn_model **out)
{
	tarn_model *copy;
	tarn_err err = TARN_OK;
	TRY(tarn_model_clone(m, &copy));
	for (size_t i = 0; i < needs->list.len && !batch && !err; i++)
		if (needs->list.at[i].batch)
			err = tarn_model_fix(copy, needs->list.at[i].name, 1);
	if (err)
		tarn_model_unref(copy);
	else
		*out = copy;
	return err;
}

/* What has no bound of its own is tried with other sizes than the usual one, too: a window may not fit into that, a table of
 * positions may have fewer. Below 0: a part of it. */
static const int scales[] = {1, 4, 16, 64, -4, -8};
enum { SCALES = sizeof scales / sizeof *scales };

static int64_t scaled(const tarn_model *m, const tarn_dim_need *d, int scale)
{
	bool given = d->batch || tarn_dim_hi(&m->syms, d->sym) < TARN_DIM_MAX;
	int64_t size = given ? d->max : scale > 0 ? d->max * scale : d->max / -scale;
	return d->limit && size > d->limit ? d->limit : size;
}

/* No table of positions is looked up behind its end. By itself: what hangs on two sizes is seen when they are bounded. */
static tarn_err limit(tarn_dim_needs *needs, tarn_dim_need *d, const tarn_model *m)
{
	tarn_model *copy;
	int64_t max = 0;
	TRY(copy_of(needs, m, false, &copy));
	tarn_err err = tarn_model_reach_limit(copy, &(tarn_bound_spec){.name = d->name, .max = d->max}, 1, 0, &max);
	tarn_model_unref(copy);
	if (max && max < d->max)
		d->max = d->limit = max;
	return err;
}

/* All dimensions in one go, the batch too or as 1, and at maxima that fit each other. */
static tarn_err try_together(tarn_dim_needs *needs, const tarn_model *m, bool batch, int scale, bool *fine, int *repairs)
{
	tarn_model *copy;
	tarn_arena scratch = {0};
	tarn_bound_cost cost = {0};
	tarn_bound_spec *spec = tarn_arena_zalloc(&scratch, needs->list.len + 1, sizeof *spec);
	int n = 0;
	*fine = false;
	tarn_err err = spec ? copy_of(needs, m, batch, &copy) : tarn_err_nomem(needs->list.len * sizeof *spec);
	if (!err) {
		for (size_t i = 0; i < needs->list.len; i++) {
			const tarn_dim_need *d = &needs->list.at[i];
			if (batch || !d->batch)
				spec[n++] = (tarn_bound_spec){d->name, scaled(m, d, scale), NULL};
		}
		err = n > 1 ? tarn_model_bound_fit(copy, spec, n) : TARN_UNSUPPORTED;
		if (!err)
			err = tarn_model_bound_all(&copy, spec, n, &cost);
		*fine = err == TARN_OK;
		*repairs = cost.repairs;
		for (size_t i = needs->list.len; i-- > 0 && *fine;)
			needs->list.at[i].fits =
				batch || !needs->list.at[i].batch ? spec[--n].max : scaled(m, &needs->list.at[i], scale);
		tarn_model_unref(copy);
	}
	tarn_arena_fini(&scratch);
	return err == TARN_NOMEM ? err : TARN_OK;
}

/* One by itself, the others as they are. */
static tarn_err try_one(tarn_dim_needs *needs, tarn_dim_need *d, const tarn_model *m, int scale, bool *fine)
{
	tarn_model *copy;
	TRY(copy_of(needs, m, d->batch, &copy));
	tarn_err err = tarn_model_bound(&copy, d->name, scaled(m, d, scale), &d->repairs);
	tarn_model_unref(copy);
	*fine = err == TARN_OK;
	if (*fine)
		d->max = scaled(m, d, scale);
	return err == TARN_NOMEM ? err : TARN_OK;
}

/* What cannot be bounded can have one size: one that inference takes. */
static tarn_err try_fixed(tarn_dim_needs *needs, tarn_dim_need *d, const tarn_model *m)
{
	bool fine = false;
	for (int i = 0; i < SCALES && !fine && !d->batch; i++) {
		tarn_model *copy;
		TRY(copy_of(needs, m, false, &copy));
		tarn_err err = tarn_model_fix(copy, d->name, scaled(m, d, scales[i]));
		tarn_model_unref(copy);
		if (err == TARN_NOMEM)
			return err;
		fine = err == TARN_OK;
		d->max = fine ? scaled(m, d, scales[i]) : d->max;
	}
	return TARN_OK;
}

static tarn_err try_sizes(tarn_dim_needs *needs, tarn_dim_need *d, const tarn_model *m, bool together)
{
	bool fine = false;
	TRY(try_one(needs, d, m, 1, &fine));
	if (fine)
		return TARN_OK;
	TRY(keep_reason(needs, d)); /* at the usual size */
	for (int i = 1; i < SCALES && !fine && !together && !d->batch; i++)
		TRY(try_one(needs, d, m, scales[i], &fine));
	d->why = fine ? NULL : d->why;
	return TARN_OK;
}

/* Where one needs the others bounded, too, and that works, it is fine. */
static tarn_err find(const tarn_model *m, tarn_dim_needs *needs)
{
	bool all = false, lengths = false;
	int repairs = 0;
	for (size_t i = 0; i < m->main->input.len; i++) {
		const tarn_value *v = m->main->input.at[i];
		for (int k = 0; k < v->shape.rank; k++)
			if (v->shape.dim[k] < 0)
				TRY(add_dim(needs, m, i, k));
	}
	for (size_t i = 0; i < needs->list.len; i++)
		if (!needs->list.at[i].batch)
			TRY(limit(needs, &needs->list.at[i], m));
	for (int k = 0; k < SCALES && needs->list.len > 1 && !all && !lengths; k++) {
		TRY(try_together(needs, m, false, scales[k], &lengths, &repairs));
		TRY(try_together(needs, m, true, scales[k], &all, &repairs));
		for (size_t i = 0; i < needs->list.len && (all || lengths); i++)
			needs->list.at[i].max = needs->list.at[i].fits;
	}
	for (size_t i = 0; i < needs->list.len; i++) {
		tarn_dim_need *d = &needs->list.at[i];
		TRY(try_sizes(needs, d, m, all || lengths));
		d->together = d->why && (all || (lengths && !d->batch));
		d->why = d->together ? NULL : d->why;
		d->repairs = d->together ? repairs : d->repairs;
		if (d->why)
			TRY(try_fixed(needs, d, m));
	}
	return TARN_OK;
}

tarn_err tarn_dim_needs_find(const tarn_model *m, tarn_dim_needs *needs)
{
	*needs = (tarn_dim_needs){0};
	tarn_err err = find(m, needs);
	if (err)
		tarn_dim_needs_fini(needs);
	return err;
}
