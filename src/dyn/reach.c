/* SPDX-License-Identifier: Apache-2.0 */
#include "dyn/reach.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "ops/ops.h"
#include "pass/rewrite.h"

/* ---- how large a number can be ---- */

typedef struct range {
	bool known;
	bool sure; /* both ends are taken, whatever the data are */
	double lo, hi;
} range;

typedef struct reach_walk {
	range *at;  /* by value id */
	bool *seen; /* also those being worked out */
	size_t n;
	int depth;
} reach_walk;

enum { DEEPEST = 200 };

static range range_of(reach_walk *w, const tarn_value *v);

static range of_const(const tarn_tensor *t)
{
	range r = {.lo = INFINITY, .hi = -INFINITY, .sure = true};
	int64_t n = tarn_dtype_is_float(t->type) || tarn_dtype_is_int(t->type) ? tarn_tensor_count(t) : 0;
	for (int64_t i = 0; i < n; i++) {
		double x = tarn_tensor_f64(t, i);
		r.lo = x < r.lo ? x : r.lo;
		r.hi = x > r.hi ? x : r.hi;
	}
	r.known = isfinite(r.lo) && isfinite(r.hi);
	return r;
}

/* Counts along an axis. */
static range of_sum(reach_walk *w, const tarn_node *n)
{
	const tarn_value *x = n->in[0];
	int64_t axis = 0;
	range r = range_of(w, x);
	if (n->in[1] && n->in[1]->konst && tarn_tensor_count(n->in[1]->konst) == 1)
		axis = (int64_t)tarn_tensor_f64(n->in[1]->konst, 0);
	else
		r.known = false;
	axis += axis < 0 ? x->shape.rank : 0;
	if (!r.known || axis < 0 || axis >= x->shape.rank || x->shape.dim[axis] < 1)
		return (range){0};
	double terms = (double)(x->shape.dim[axis] - (tarn_attr_i(n, tarn_attr_index(n->op, "exclusive")) != 0));
	return (range){.known = true,
		       .lo = r.lo < 0    ? r.lo * terms
			     : terms < 1 ? 0
					 : r.lo,
		       .hi = r.hi > 0    ? r.hi * terms
			     : terms < 1 ? 0
					 : r.hi};
}

static range of_two(const tarn_node *n, range a, range b)
{
	range r = {.known = a.known && b.known};
	bool one = n->in[0]->konst ? tarn_tensor_count(n->in[0]->konst) == 1
				   : n->in[1]->konst && tarn_tensor_count(n->in[1]->konst) == 1;
	r.sure = one && a.sure && b.sure;
	if (tarn_is(n, "Add")) {
		r.lo = a.lo + b.lo;
		r.hi = a.hi + b.hi;
	} else if (tarn_is(n, "Sub")) {
		r.lo = a.lo - b.hi;
		r.hi = a.hi - b.lo;
	} else if (tarn_is(n, "Mul")) {
		r.lo = fmin(fmin(a.lo * b.lo, a.lo * b.hi), fmin(a.hi * b.lo, a.hi * b.hi));
		r.hi = fmax(fmax(a.lo * b.lo, a.lo * b.hi), fmax(a.hi * b.lo, a.hi * b.hi));
	} else if (tarn_is(n, "Min")) {
		r.lo = fmin(a.lo, b.lo);
		r.hi = fmin(a.hi, b.hi);
	} else { /* Max */
		r.lo = fmax(a.lo, b.lo);
		r.hi = fmax(a.hi, b.hi);
	}
	return r;
}

/* Elements of `from` and no others; all of them, where sure. */
static range of_parts(reach_walk *w, const tarn_node *n, int from, int to, bool all)
{
	range r = range_of(w, n->in[from]);
	for (int i = from + 1; i < to && r.known; i++) {
		range x = range_of(w, n->in[i]);
		r = (range){x.known, r.sure && x.sure, fmin(r.lo, x.lo), fmax(r.hi, x.hi)};
	}
	r.sure = r.sure && all;
	return r;
}

static range of_clip(reach_walk *w, const tarn_node *n)
{
	range x = range_of(w, n->in[0]), lo = {0}, hi = {0};
	if (n->n_in > 1 && n->in[1])
		lo = range_of(w, n->in[1]);
	if (n->n_in > 2 && n->in[2])
		hi = range_of(w, n->in[2]);
	if (!x.known)
		return x;
	if (lo.known)
		x = (range){true, x.sure && lo.sure, fmax(x.lo, lo.lo), fmax(x.hi, lo.hi)};
	if (hi.known)
		x = (range){true, x.sure && hi.sure, fmin(x.lo, hi.lo), fmin(x.hi, hi.hi)};
	return x;
}

static range of_node(reach_walk *w, const tarn_node *n)
{
	static const char *const moves[] = {"Identity", "Unsqueeze", "Squeeze", "Reshape",
					    "Flatten",  "Expand",    "Tile",    "Transpose"};
	static const char *const parts[] = {"Slice", "Gather", "GatherElements", "GatherND", "Split"};
	static const char *const twos[] = {"Add", "Sub", "Mul", "Min", "Max"};
	for (size_t i = 0; i < sizeof moves / sizeof *moves; i++)
		if (tarn_is(n, moves[i]))
			return of_parts(w, n, 0, 1, true);
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (tarn_is(n, parts[i]))
			return of_parts(w, n, 0, 1, false);
	for (size_t i = 0; i < sizeof twos / sizeof *twos; i++)
		if (tarn_is(n, twos[i]) && n->n_in == 2)
			return of_two(n, range_of(w, n->in[0]), range_of(w, n->in[1]));
	if (tarn_is(n, "Cast"))
		return of_parts(w, n, 0, 1, n->out[0]->type != TARN_BOOL);
	if (tarn_is(n, "Concat"))
		return of_parts(w, n, 0, n->n_in, true);
	if (tarn_is(n, "Where"))
		return of_parts(w, n, 1, 3, false);
	if (tarn_is(n, "Clip"))
		return of_clip(w, n);
	return tarn_is(n, "CumSum") ? of_sum(w, n) : (range){0};
}

static range range_of(reach_walk *w, const tarn_value *v)
{
	if (!v || (size_t)v->id >= w->n || w->depth > DEEPEST)
		return (range){0};
	if (w->seen[v->id])
		return w->at[v->id];
	w->seen[v->id] = true;
	w->depth++;
	if (v->konst)
		w->at[v->id] = of_const(v->konst);
	else if (v->type == TARN_BOOL)
		w->at[v->id] = (range){.known = true, .hi = 1};
	else if (v->def)
		w->at[v->id] = of_node(w, v->def);
	w->depth--;
	return w->at[v->id];
}

/* ---- lookups ---- */

/* A constant, as it is or stored in another type. */
static bool is_table(const tarn_value *v)
{
	while (v && !v->konst && v->def &&
	       (tarn_is(v->def, "DequantizeLinear") || tarn_is(v->def, "Cast") || tarn_is(v->def, "Identity")))
		v = v->def->in[0];
	return v && v->konst;
}

static void look(reach_walk *w, const tarn_node *n, tarn_reach *r)
{
	if ((!tarn_is(n, "Gather") && !tarn_is(n, "GatherElements")) || !is_table(n->in[0]))
		return;
	int64_t axis = tarn_attr_i(n, tarn_attr_index(n->op, "axis"));
	axis += axis < 0 ? n->in[0]->shape.rank : 0;
	if (axis < 0 || axis >= n->in[0]->shape.rank || n->in[0]->shape.dim[axis] < 1)
		return;
	range x = range_of(w, n->in[1]);
	int64_t rows = n->in[0]->shape.dim[axis];
	if (!x.known || x.hi < (double)rows || x.hi > (double)INT32_MAX)
		return;
	*r = (tarn_reach){.found = true, .sure = x.sure, .rows = rows, .index = (int64_t)x.hi};
	snprintf(r->node, sizeof r->node, "%s", n->name);
}

/* An input that a CumSum counts is a mask, of zeros and ones. */
static void find_mask(reach_walk *w, const tarn_node *n)
{
	const tarn_value *v = tarn_is(n, "CumSum") ? n->in[0] : NULL;
	while (v && v->def && tarn_is(v->def, "Cast"))
		v = v->def->in[0];
	if (!v || v->def || v->konst)
		return;
	w->at[v->id] = (range){.known = true, .hi = 1};
	w->seen[v->id] = true;
}

/* One that is left for sure before one that may be. */
static tarn_err look_all(const tarn_graph *g, tarn_reach *r)
{
	tarn_arena a = {0};
	reach_walk w = {.n = g->value.len};
	w.at = tarn_arena_zalloc(&a, w.n + 1, sizeof *w.at);
	w.seen = tarn_arena_zalloc(&a, w.n + 1, sizeof *w.seen);
	for (size_t i = 0; w.at && w.seen && i < g->node.len; i++)
		find_mask(&w, g->node.at[i]);
	for (size_t i = 0; w.at && w.seen && i < g->node.len && !r->sure; i++) {
		tarn_reach x = {0};
		look(&w, g->node.at[i], &x);
		if (x.found && (!r->found || x.sure))
			*r = x;
	}
	tarn_err err = w.at && w.seen ? TARN_OK : tarn_err_nomem(w.n * sizeof *w.at);
	tarn_arena_fini(&a);
	return err;
}

static tarn_err set_sizes(tarn_model *m, const tarn_bound_spec *spec, int n)
{
	for (int k = 0; k < n; k++) {
		tarn_dim sym;
		TRY(tarn_model_find_dim(m, spec[k].name, &sym));
		for (size_t i = 0; i < m->main->input.len; i++) {
			tarn_value *v = m->main->input.at[i];
			for (int a = 0; a < v->shape.rank; a++)
				if (v->shape.dim[a] == sym)
					v->shape.dim[a] = spec[k].max;
		}
	}
	return TARN_OK;
}

tarn_err tarn_model_reach(const tarn_model *m, const tarn_bound_spec *spec, int n, tarn_reach *r)
{
	static const tarn_rewrite_fn settle[] = {tarn_inline_round, tarn_fold_round};
	tarn_model *copy;
	*r = (tarn_reach){0};
	TRY(tarn_model_clone(m, &copy));
	tarn_err err = set_sizes(copy, spec, n);
	if (!err)
		err = tarn_graph_infer(copy->main);
	if (!err)
		err = tarn_rewrite_run(copy, settle, 2);
	if (!err)
		err = look_all(copy->main, r);
	tarn_model_unref(copy);
	return err;
}

/* ---- the largest size ---- */

static tarn_err works(const tarn_model *m, tarn_bound_spec *spec, int n, int i, int64_t size, bool *fine)
{
	tarn_reach r;
	spec[i].max = size;
	tarn_err err = tarn_model_reach(m, spec, n, &r);
	*fine = !err && !r.found;
	if (err && err != TARN_NOMEM)
		tarn_err_clear();
	return err == TARN_NOMEM ? err : TARN_OK;
}

/* Halved until it works, and from there up again. */
static tarn_err search(const tarn_model *m, tarn_bound_spec *spec, int n, int i, int64_t *max)
{
	bool fine;
	int64_t good = spec[i].max, bad = good + 1;
	TRY(works(m, spec, n, i, good, &fine));
	while (!fine && good > 1) {
		bad = good;
		good /= 2;
		TRY(works(m, spec, n, i, good, &fine));
	}
	good = fine ? good : 0;
	while (fine && bad - good > 1) {
		int64_t middle = good + (bad - good) / 2;
		bool upper;
		TRY(works(m, spec, n, i, middle, &upper));
		good = upper ? middle : good;
		bad = upper ? bad : middle;
	}
	*max = good;
	return TARN_OK;
}

tarn_err tarn_model_reach_limit(const tarn_model *m, const tarn_bound_spec *spec, int n, int i, int64_t *max)
{
	tarn_bound_spec *copy = tarn_mem_zalloc((size_t)n + 1, sizeof *copy);
	if (!copy)
		return tarn_err_nomem((size_t)n * sizeof *copy);
	for (int k = 0; k < n; k++)
		copy[k] = spec[k];
	tarn_err err = search(m, copy, n, i, max);
	tarn_mem_free(copy);
	return err;
}

tarn_err tarn_model_reach_check(const tarn_model *m, const tarn_bound_spec *spec, int n)
{
	tarn_reach r;
	int64_t max = 0;
	int which = 0;
	char advice[200] = "give lower maxima";
	tarn_err err = tarn_model_reach(m, spec, n, &r);
	if (err && err != TARN_NOMEM)
		tarn_err_clear(); /* the rewrite says it */
	if (err || !r.found)
		return err == TARN_NOMEM ? err : TARN_OK;
	for (int i = 0; i < n && !max; i++) {
		TRY(tarn_model_reach_limit(m, spec, n, i, &max));
		which = i;
	}
	if (max)
		snprintf(advice, sizeof advice, "the largest '%.100s' that works is %" PRId64, spec[which].name, max);
	CHECK(!r.sure, TARN_SHAPE, "at '%s' = %" PRId64 " node '%s' looks up row %" PRId64 " of a table of %" PRId64 "; %s",
	      spec[which].name, spec[which].max, r.node, r.index, r.rows, advice);
	tarn_log(TARN_LOG_WARN,
		 "at '%s' = %" PRId64 ", with no position masked, node '%s' looks up row %" PRId64 " of a table of %" PRId64
		 "; %s",
		 spec[which].name, spec[which].max, r.node, r.index, r.rows, advice);
	return TARN_OK;
}
