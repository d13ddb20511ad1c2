/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sizes of inputs that follow from those of others: a mask over past and new tokens has as many as both together. The model
 * says so where two sizes meet that are to be the same; solved for the one dimension, that is a sum of the others. It excludes
 * that one of the two sizes is 1 and repeated, so it is assumed only where the model cannot be bounded otherwise, and where the
 * sum is of several dimensions or stands in the dimension's own name.
 */
#include <string.h>

#include "dyn/dyn.h"

/* The value of t at which both sizes are the same, at the other lengths as they stand in d->max; -1 when there is none, or more
 * than one. */
static int64_t solve(tarn_dyn *d, int t, tarn_dim x, tarn_dim y)
{
	enum { MOST = 1 << 14 };
	int64_t *value = &d->max[-d->bound[t].sym - 1], was = *value, found = -1;
	int64_t limit = 2 * d->bound[t].max + 8 < MOST ? 2 * d->bound[t].max + 8 : MOST;
	for (int64_t v = 1; v <= limit; v++) {
		*value = v;
		int64_t a = tarn_dyn_max(d, x);
		if (a < 2 || a != tarn_dyn_max(d, y))
			continue;
		if (found >= 0) {
			found = -1;
			break;
		}
		found = v;
	}
	*value = was;
	return found;
}

/* Lengths in the middle, and not 1, which would be repeated. */
static void set_middle(tarn_dyn *d, int t)
{
	for (int i = 0; i < d->n_bound; i++)
		if (i != t)
			d->max[-d->bound[i].sym - 1] = d->bound[i].max > 4 ? d->bound[i].max / 2 : 2;
}

static void set_most(tarn_dyn *d)
{
	for (int i = 0; i < d->n_bound; i++)
		d->max[-d->bound[i].sym - 1] = d->bound[i].max;
}

/* How much t grows with dimension i; -1 when it is not the same everywhere. */
static int64_t factor(tarn_dyn *d, int t, int i, tarn_dim x, tarn_dim y, int64_t at_middle)
{
	int64_t *value = &d->max[-d->bound[i].sym - 1], middle = *value, k = 0;
	for (int step = 1; step <= 2 && k >= 0; step++) {
		*value = middle + step;
		int64_t v = solve(d, t, x, y), more = v - at_middle;
		if (v < 0 || more < 0 || more % step || (step > 1 && more / step != k))
			k = -1;
		else
			k = more / step;
	}
	*value = middle;
	return k;
}

/* "past + 1" is how exporters call what is past+1. */
static bool is_its_name(const tarn_dyn *d, int t, tarn_dim sum)
{
	const char *name = tarn_sym_get(&d->m->syms, d->bound[t].sym)->name;
	tarn_str s = {0};
	tarn_dim_print(&s, &d->m->syms, sum);
	const char *a = s.at, *b = name;
	bool same = a && b && tarn_str_done(&s) == TARN_OK;
	while (same && (*a || *b)) {
		a += strspn(a, "( )");
		b += strspn(b, "( )");
		same = *a == *b;
		a += *a != 0;
		b += *b != 0;
	}
	tarn_str_fini(&s);
	return same;
}

static tarn_err sum_of_others(tarn_dyn *d, int t, tarn_dim x, tarn_dim y, tarn_dim *sum)
{
	*sum = 0;
	set_middle(d, t);
	int64_t at_middle = solve(d, t, x, y), rest = at_middle;
	tarn_dim term, all = 0;
	bool linear = at_middle >= 0;
	int terms = 0;
	for (int i = 0; i < d->n_bound && linear; i++) {
		if (i == t || !(tarn_dyn_mentions(d, x, d->bound[i].sym) || tarn_dyn_mentions(d, y, d->bound[i].sym)))
			continue;
		int64_t k = factor(d, t, i, x, y, at_middle);
		linear = k >= 0 && (!k || !d->bound[i].follows);
		if (!linear || !k)
			continue;
		terms++;
		rest -= k * d->max[-d->bound[i].sym - 1];
		TRY(tarn_dim_op(&d->m->syms, TARN_SYM_MUL, d->bound[i].sym, k, &term));
		TRY(tarn_dim_op(&d->m->syms, TARN_SYM_ADD, all, term, &all));
	}
	if (!linear || !terms)
		return TARN_OK;
	TRY(tarn_dim_op(&d->m->syms, rest < 0 ? TARN_SYM_SUB : TARN_SYM_ADD, all, rest < 0 ? -rest : rest, &all));
	*sum = d->guess || terms > 1 || is_its_name(d, t, all) ? all : 0;
	return TARN_OK;
}

/* Have these two met before? */
static bool known_pair(tarn_dyn *d, tarn_dim x, tarn_dim y)
{
	for (size_t i = 0; i + 1 < d->met.len; i += 2)
		if (d->met.at[i] == x && d->met.at[i + 1] == y)
			return true;
	if (VEC_RESERVE(&d->met, d->met.len + 2) != TARN_OK)
		d->err = TARN_NOMEM;
	else
		d->met.at[d->met.len++] = x, d->met.at[d->met.len++] = y;
	return false;
}

/* Two sizes that are to be the same. */
static tarn_err meet(tarn_dyn *d, tarn_dim x, tarn_dim y, bool *found)
{
	if (x >= 0 || y >= 0 || x == y || known_pair(d, x, y))
		return TARN_OK;
	for (int t = 0; t < d->n_bound; t++) {
		tarn_dyn_bound *b = &d->bound[t];
		if (b->follows || (!tarn_dyn_mentions(d, x, b->sym) && !tarn_dyn_mentions(d, y, b->sym)))
			continue;
		tarn_dim sum;
		tarn_err err = sum_of_others(d, t, x, y, &sum);
		set_most(d);
		TRY(err);
		if (!sum)
			continue;
		b->follows = sum;
		*found = true;
		return TARN_OK;
	}
	return TARN_OK;
}

static tarn_err look(tarn_dyn *d, const tarn_node *n, bool *found)
{
	const tarn_value *a = n->n_in > 1 ? n->in[0] : NULL, *b = a ? n->in[1] : NULL;
	if (a && b && !strcmp(n->op->name, "MatMul") && a->shape.rank > 1 && b->shape.rank > 1)
		return meet(d, a->shape.dim[a->shape.rank - 1], b->shape.dim[b->shape.rank - 2], found);
	if (!(n->op->flags & TARN_OP_ELEMENTWISE))
		return TARN_OK;
	for (int i = 1; i < n->n_in && !*found; i++)
		for (int k = 0; k < i && !*found; k++) {
			a = n->in[k];
			b = n->in[i];
			for (int r = 1; a && b && r <= a->shape.rank && r <= b->shape.rank && !*found; r++)
				TRY(meet(d, a->shape.dim[a->shape.rank - r], b->shape.dim[b->shape.rank - r], found));
		}
	return TARN_OK;
}

static void settle(tarn_dyn *d)
{
	for (size_t i = 0; i < d->g->input.len; i++)
		for (int k = 0; k < d->g->input.at[i]->shape.rank; k++)
			for (int t = 0; t < d->n_bound; t++)
				if (d->bound[t].follows && d->g->input.at[i]->shape.dim[k] == d->bound[t].sym)
					d->g->input.at[i]->shape.dim[k] = d->bound[t].follows;
}

static tarn_err find(tarn_dyn *d, bool *found)
{
	*found = false;
	d->met.len = 0;
	for (size_t i = 0; i < d->g->node.len && !d->sample && !*found; i++)
		TRY(look(d, d->g->node.at[i], found));
	return tarn_dyn_done(d);
}

tarn_err tarn_dyn_follow(tarn_dyn *d, bool *found)
{
	TRY(find(d, found));
	settle(d);
	return TARN_OK;
}

tarn_err tarn_dyn_fit_maxima(tarn_dyn *d, tarn_bound_spec *spec)
{
	bool found = true;
	d->guess = true;
	for (int round = 0; round < d->n_bound && found; round++)
		TRY(find(d, &found));
	for (int t = 0; t < d->n_bound; t++) {
		int64_t most = d->bound[t].follows ? tarn_dyn_max(d, d->bound[t].follows) : 0;
		spec[t].max = most > 0 ? most : spec[t].max;
	}
	return TARN_OK;
}

/* One axis of one input back at the size that the user gave; the graph goes on with what follows from the others. */
static tarn_err refit_axis(tarn_dyn *d, size_t input, int axis, const tarn_dyn_bound *b)
{
	tarn_value *v = d->g->input.at[input], *given;
	tarn_shape shape = v->shape;
	const char *name = v->name;
	shape.dim[axis] = b->sym;
	TRY(tarn_value_input(d->g, name, v->type, &shape, &given));
	v->name = given->name; /* a name is given once, so the two change theirs */
	given->name = name;
	given->aliases = v->aliases;
	v->aliases = NULL;
	d->g->input.len--; /* it takes the other's place */
	d->g->input.at[input] = given;
	tarn_value *index = tarn_dyn_positions(d, tarn_dyn_max(d, b->follows), 0);
	index = tarn_dyn_op(d, "Min", TARN_I32, index, tarn_dyn_int(d, (int32_t)b->max - 1), NULL);
	tarn_value *cut = tarn_dyn_take(d, given, axis, index, b->follows);
	TRY(tarn_dyn_done(d));
	tarn_dyn_replace(d, v, cut, NULL);
	return TARN_OK;
}

tarn_err tarn_dyn_refit(tarn_dyn *d)
{
	for (int t = 0; t < d->n_bound; t++)
		for (size_t i = 0; i < d->g->input.len && d->bound[t].follows; i++)
			for (int k = 0; k < d->g->input.at[i]->shape.rank; k++)
				if (tarn_dyn_max(d, d->bound[t].follows) != d->bound[t].max &&
				    d->g->input.at[i]->shape.dim[k] == d->bound[t].follows)
					TRY(refit_axis(d, i, k, &d->bound[t]));
	return TARN_OK;
}
