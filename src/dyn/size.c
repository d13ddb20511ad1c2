/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes as expressions over the bounded dimensions. */
#include "dyn/dyn.h"

enum { NOT_ASKED, NO, YES };

static bool ask(tarn_dyn *d, tarn_dim x)
{
	for (int i = 0; i < d->n_bound; i++)
		if (d->bound[i].sym == x)
			return true;
	const tarn_sym *s = tarn_sym_get(&d->m->syms, x);
	return s->op != TARN_SYM_NAMED && (tarn_dyn_depends(d, s->a) || tarn_dyn_depends(d, s->b));
}

bool tarn_dyn_depends(tarn_dyn *d, tarn_dim x)
{
	int64_t v;
	if (tarn_dim_is_int(x, &v))
		return false;
	size_t at = (size_t)(-x - 1);
	if (VEC_RESERVE(&d->depends, at + 1) != TARN_OK) {
		d->err = TARN_NOMEM;
		return true;
	}
	while (d->depends.len <= at)
		d->depends.at[d->depends.len++] = NOT_ASKED;
	if (d->depends.at[at] == NOT_ASKED) {
		bool yes = ask(d, x);
		d->depends.at[at] = yes ? YES : NO;
	}
	return d->depends.at[at] == YES;
}

bool tarn_dyn_mentions(const tarn_dyn *d, tarn_dim x, tarn_dim sym)
{
	int64_t v;
	if (tarn_dim_is_int(x, &v))
		return false;
	const tarn_sym *s = tarn_sym_get(&d->m->syms, x);
	return x == sym || (s->op != TARN_SYM_NAMED && (tarn_dyn_mentions(d, s->a, sym) || tarn_dyn_mentions(d, s->b, sym)));
}

uint32_t tarn_dyn_axes(tarn_dyn *d, const tarn_value *v)
{
	uint32_t axes = 0;
	for (int a = 0; v && a < v->shape.rank; a++)
		axes |= (uint32_t)tarn_dyn_depends(d, v->shape.dim[a]) << a;
	return axes;
}

int64_t tarn_dyn_max(const tarn_dyn *d, tarn_dim x)
{
	return tarn_dim_value(&d->m->syms, x, d->max, d->n_max);
}

bool tarn_dyn_opaque(const tarn_dyn *d, tarn_dim x)
{
	int64_t v;
	if (tarn_dim_is_int(x, &v))
		return false;
	const tarn_sym *s = tarn_sym_get(&d->m->syms, x);
	if (s->op == TARN_SYM_NAMED)
		return (size_t)(-x - 1) >= d->n_max || !d->given[-x - 1];
	return tarn_dyn_opaque(d, s->a) || tarn_dyn_opaque(d, s->b);
}

/* The one bounded symbol that x and y hang on; -1 when there are several, or others. */
static int only_bound(tarn_dyn *d, tarn_dim x, int found)
{
	int64_t v;
	if (tarn_dim_is_int(x, &v) || found == -1)
		return found;
	const tarn_sym *s = tarn_sym_get(&d->m->syms, x);
	if (s->op != TARN_SYM_NAMED)
		return only_bound(d, s->b, only_bound(d, s->a, found));
	for (int i = 0; i < d->n_bound; i++)
		if (d->bound[i].sym == x)
			return found == -2 || found == i ? i : -1;
	return -1;
}

int tarn_dyn_only(tarn_dyn *d, tarn_dim x, tarn_dim y)
{
	return only_bound(d, y, only_bound(d, x, -2));
}

int64_t tarn_dyn_at(tarn_dyn *d, tarn_dim x, int bound, int64_t length)
{
	int64_t *at = &d->max[-d->bound[bound].sym - 1], was = *at;
	*at = length;
	int64_t v = tarn_dyn_max(d, x);
	*at = was;
	return v;
}

/* Calls fn with x and y at every value of the one bounded symbol that both hang on, until it says yes; false in *tried when
 * there is no such symbol, or it has too many values. */
static bool any_length(tarn_dyn *d, tarn_dim x, tarn_dim y, bool (*fn)(int64_t x, int64_t y, int64_t *state), bool *tried)
{
	enum { MOST = 1 << 14 };
	int only = tarn_dyn_only(d, x, y);
	*tried = only >= 0 && d->bound[only].max <= MOST;
	if (!*tried)
		return false;
	size_t at = (size_t)(-d->bound[only].sym - 1);
	int64_t state = -1;
	bool yes = false;
	for (int64_t n = tarn_dim_lo(&d->m->syms, d->bound[only].sym); n <= d->bound[only].max && !yes; n++) {
		d->max[at] = n;
		yes = fn(tarn_dyn_max(d, x), tarn_dyn_max(d, y), &state);
	}
	d->max[at] = d->bound[only].max;
	return yes;
}

static bool falls(int64_t x, int64_t y, int64_t *before)
{
	(void)y;
	bool yes = x >= 0 && x < *before;
	*before = x >= 0 ? x : *before;
	return yes;
}

static bool stretched(int64_t x, int64_t y, int64_t *state)
{
	(void)state;
	return x == 1 && y != 1;
}

static bool larger(int64_t x, int64_t y, int64_t *state)
{
	(void)state;
	return x > y;
}

static bool above(int64_t x, int64_t y, int64_t *state)
{
	(void)state;
	return x < 0 || y < 0 || x > y;
}

bool tarn_dyn_never_above(tarn_dyn *d, tarn_dim x, tarn_dim y)
{
	bool tried;
	tarn_dim gap;
	if (tarn_dim_op(&d->m->syms, TARN_SYM_SUB, y, x, &gap) == TARN_OK)
		return tarn_dim_least(&d->m->syms, gap) >= 0 || (!any_length(d, x, y, above, &tried) && tried);
	tarn_err_clear();
	return false;
}

static bool differs(int64_t x, int64_t y, int64_t *state)
{
	(void)state;
	return x >= 0 && x != y;
}

bool tarn_dyn_always(tarn_dyn *d, tarn_dim x, int64_t number)
{
	bool tried;
	return number >= 0 && !any_length(d, x, number, differs, &tried) && tried;
}

static bool grows_by_form(tarn_dyn *d, tarn_dim x)
{
	const tarn_sym *s = tarn_sym_get(&d->m->syms, x);
	tarn_dim a = s->a, b = s->b;
	switch (s->op) {
	case TARN_SYM_NAMED:
		return true;
	case TARN_SYM_SUB:
	case TARN_SYM_FLOORDIV:
	case TARN_SYM_CEILDIV:
		return tarn_dyn_grows(d, a) && !tarn_dyn_depends(d, b);
	default:
		return tarn_dyn_grows(d, a) && tarn_dyn_grows(d, b);
	}
}

bool tarn_dyn_grows(tarn_dyn *d, tarn_dim x)
{
	bool tried;
	return !tarn_dyn_depends(d, x) || grows_by_form(d, x) || (!any_length(d, x, x, falls, &tried) && tried);
}

bool tarn_dyn_longest(tarn_dyn *d, tarn_dim x, int64_t *longer)
{
	tarn_dim sym;
	bool tried;
	*longer = -1;
	if (tarn_dyn_grows(d, x))
		return true;
	int64_t most = tarn_dyn_max(d, x);
	bool any = most < 0 || any_length(d, x, most, larger, &tried);
	if (any && most >= 0)
		*longer = tarn_dyn_first(d, x, most + 1, &sym);
	return !any && tried;
}

int64_t tarn_dyn_first(tarn_dyn *d, tarn_dim x, int64_t least, tarn_dim *sym)
{
	int only = only_bound(d, x, -2);
	if (only < 0)
		return -1;
	*sym = d->bound[only].sym;
	size_t at = (size_t)(-*sym - 1);
	int64_t n = tarn_dim_lo(&d->m->syms, *sym), found = -1;
	for (; n <= d->bound[only].max && found < 0; n++) {
		d->max[at] = n;
		found = tarn_dyn_max(d, x) >= least ? n : -1;
	}
	d->max[at] = d->bound[only].max;
	return found;
}

bool tarn_dyn_same_until(tarn_dyn *d, tarn_dim x, int64_t number, tarn_dim *sym, int64_t *last)
{
	int only = only_bound(d, x, -2);
	if (only < 0)
		return false;
	*sym = d->bound[only].sym;
	size_t at = (size_t)(-*sym - 1);
	int64_t n = tarn_dim_lo(&d->m->syms, *sym), max = d->bound[only].max;
	d->max[at] = n;
	bool first = tarn_dyn_max(d, x) == number, same = true;
	for (; n < max && same; n++) {
		d->max[at] = n + 1;
		same = (tarn_dyn_max(d, x) == number) == first;
	}
	*last = n - 1;
	d->max[at] = max;
	return !same;
}

bool tarn_dyn_may_stretch(tarn_dyn *d, tarn_dim x, tarn_dim y)
{
	bool tried;
	if (x == y || tarn_dim_lo(&d->m->syms, x) > 1)
		return false;
	return any_length(d, x, y, stretched, &tried) || !tried;
}

static bool emptied(int64_t x, int64_t y, int64_t *state)
{
	(void)state;
	return x == 0 && y != 0;
}

bool tarn_dyn_may_empty(tarn_dyn *d, tarn_dim x, tarn_dim y)
{
	bool tried;
	if (x == y) {
		const tarn_sym *s = y < 0 ? tarn_sym_get(&d->m->syms, y) : NULL;
		if (!s || s->op != TARN_SYM_MAX)
			return false;
		tarn_dim a = s->a, b = s->b;
		return tarn_dyn_may_empty(d, a, a) || tarn_dyn_may_empty(d, b, b) || tarn_dyn_may_empty(d, a, y) ||
		       tarn_dyn_may_empty(d, b, y);
	}
	if (tarn_dim_lo(&d->m->syms, x) > 0 || any_length(d, x, y, emptied, &tried))
		return tarn_dim_lo(&d->m->syms, x) < 1;
	/* Two lengths: it is enough that x can be 0. */
	return !tried && (any_length(d, x, 1, emptied, &tried) || !tried);
}

int tarn_dyn_batch(const tarn_dyn *d, const tarn_value *v)
{
	int at = -1;
	for (int a = 0; d->sample && a < v->shape.rank; a++)
		if (v->shape.dim[a] == d->sample) {
			if (at >= 0)
				return -1;
			at = a;
		}
	return at;
}

void tarn_dyn_charge(tarn_dyn *d, const tarn_value *v)
{
	int64_t n = 1, size;
	for (int a = 0; v && a < v->shape.rank && n >= 0; a++) {
		size = tarn_dyn_max(d, v->shape.dim[a]);
		if (size < 0 || __builtin_mul_overflow(n, size, &n))
			n = -1;
	}
	d->cost.elements = n < 0 || !v || d->cost.elements < 0 ? -1 : d->cost.elements + n;
}
