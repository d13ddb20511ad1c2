/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reshape and Flatten that fold a padded axis into another, or cut it up: the valid elements are moved to where they stand in
 * the result without padding. Axes are taken in the smallest groups of equal product; a group in which only the first axis is
 * padded, on both sides, keeps its order and needs nothing.
 *
 * Products may be equal at some lengths only: n and 4 floor(n/4). A Reshape runs at no others, if all groups err on the same
 * side: then the whole has as many elements only where each group has.
 */
#include "dyn/dyn.h"

typedef struct group {
	int in, n_in, out, n_out; /* first axes and how many */
	bool move;
} group;

static bool only_first(tarn_dyn *d, const tarn_dim *dim, int n)
{
	bool seen = false;
	for (int i = 0; i < n; i++) {
		if (seen && tarn_dyn_depends(d, dim[i]))
			return false;
		seen |= dim[i] != 1;
	}
	return true;
}

/* Equal at the maxima, and at other lengths not more on one side (in *sides: 1 for x, 2 for y). */
static bool equal_where_it_runs(tarn_dyn *d, tarn_dim a, tarn_dim b, int *sides)
{
	if (a == b)
		return true;
	if (tarn_dyn_max(d, a) != tarn_dyn_max(d, b) || (!tarn_dyn_depends(d, a) && !tarn_dyn_depends(d, b)))
		return false;
	int side = tarn_dyn_never_above(d, b, a) ? 1 : tarn_dyn_never_above(d, a, b) ? 2 : 0;
	if (side)
		*sides |= side;
	return side;
}

static tarn_err group_end(tarn_dyn *d, const tarn_shape *x, const tarn_shape *y, group *g, int *sides, bool *ok)
{
	tarn_dim a = 1, b = 1;
	*ok = true;
	do {
		int64_t most_a = tarn_dyn_max(d, a), most_b = tarn_dyn_max(d, b);
		bool left = g->in + g->n_in < x->rank, right = g->out + g->n_out < y->rank;
		*ok = most_a >= 0 && most_b >= 0 && (left || right);
		if (!*ok)
			return TARN_OK;
		if (left && (most_a <= most_b || !right))
			TRY(tarn_dim_op(&d->m->syms, TARN_SYM_MUL, a, x->dim[g->in + g->n_in++], &a));
		else
			TRY(tarn_dim_op(&d->m->syms, TARN_SYM_MUL, b, y->dim[g->out + g->n_out++], &b));
	} while (!equal_where_it_runs(d, a, b, sides));
	return TARN_OK;
}

static tarn_err groups_of(tarn_dyn *d, const tarn_shape *x, const tarn_shape *y, group *g, int *n, bool *ok)
{
	int sides = 0;
	*ok = true;
	*n = 0;
	for (int i = 0, j = 0; *ok && (i < x->rank || j < y->rank); (*n)++) {
		group *k = &g[*n];
		*k = (group){.in = i, .out = j};
		TRY(group_end(d, x, y, k, &sides, ok));
		i += k->n_in;
		j += k->n_out;
		bool same = k->n_in == k->n_out;
		for (int a = 0; same && a < k->n_in; a++)
			same = x->dim[k->in + a] == y->dim[k->out + a];
		k->move = !same && (!only_first(d, x->dim + k->in, k->n_in) || !only_first(d, y->dim + k->out, k->n_out));
	}
	*ok = *ok && sides != 3;
	return TARN_OK;
}

static int64_t product(const tarn_dyn *d, const tarn_dim *dim, int n)
{
	int64_t p = 1;
	for (int i = 0; i < n; i++)
		p *= tarn_dyn_max(d, dim[i]);
	return p;
}

/* For each element of the padded group of y: its number among the valid ones. */
static tarn_value *number_of(tarn_dyn *d, const tarn_dim *y, int n)
{
	int64_t count = product(d, y, n), inner = count;
	int32_t *at = tarn_arena_alloc(&d->arena, (size_t)(count + 1) * sizeof *at);
	tarn_value *sum = NULL, *size;
	if (!at) {
		d->err = tarn_err_nomem((size_t)count * sizeof *at);
		return NULL;
	}
	for (int k = 0; k < n; k++) {
		int64_t most = tarn_dyn_max(d, y[k]);
		inner /= most;
		if (most == 1)
			continue;
		for (int64_t i = 0; i < count; i++)
			at[i] = (int32_t)(i / inner % most);
		tarn_value *term = tarn_dyn_list(d, at, count, 0);
		for (int l = k + 1; l < n; l++) {
			size = tarn_dyn_length(d, y[l]);
			term = tarn_dyn_op(d, "Mul", TARN_I32, term, size, NULL);
		}
		sum = sum ? tarn_dyn_op(d, "Add", TARN_I32, sum, term, NULL) : term;
	}
	return sum;
}

/* Where the valid element of that number stands in the padded group of x. */
static tarn_value *place_of(tarn_dyn *d, tarn_value *number, const tarn_dim *x, int n)
{
	int64_t stride = 1;
	tarn_value *sum = NULL;
	for (int k = n - 1; k >= 0; k--) {
		tarn_value *size = tarn_dyn_divisor(d, x[k]), *at = number;
		if (k) {
			at = tarn_dyn_op(d, "Mod", TARN_I32, number, size, NULL);
			number = tarn_dyn_op(d, "Div", TARN_I32, number, size, NULL);
		}
		at = tarn_dyn_op(d, "Mul", TARN_I32, at, tarn_dyn_int(d, (int32_t)stride), NULL);
		sum = sum ? tarn_dyn_op(d, "Add", TARN_I32, sum, at, NULL) : at;
		stride *= tarn_dyn_max(d, x[k]);
	}
	return tarn_dyn_op(d, "Min", TARN_I32, sum, tarn_dyn_int(d, (int32_t)(stride - 1)), NULL);
}

static tarn_value *reshaped(tarn_dyn *d, tarn_value *x, const tarn_shape *s)
{
	tarn_value *y = tarn_dyn_op(d, "Reshape", x->type, x, tarn_dyn_dims(d, s->dim, s->rank), NULL);
	if (y)
		y->shape = *s;
	return y;
}

tarn_err tarn_dyn_view(tarn_dyn *d, tarn_node *n, uint32_t axes, bool *done)
{
	group g[2 * TARN_MAX_RANK];
	int count;
	tarn_value *x = n->in[0], *y = n->out[0];
	tarn_shape flat = {.rank = 0}, full = {.rank = y->shape.rank};
	bool ok, any = false;
	(void)axes;
	TRY(groups_of(d, &x->shape, &y->shape, g, &count, &ok));
	for (int i = 0; i < count && ok; i++)
		any |= g[i].move;
	ok = ok && product(d, x->shape.dim, x->shape.rank) > 0;
	*done = ok;
	if (!ok || !any)
		return TARN_OK;
	for (int i = 0; i < y->shape.rank; i++)
		full.dim[i] = tarn_dyn_max(d, y->shape.dim[i]);
	tarn_shape named = {.rank = 0}; /* the same, with the expressions that were */
	for (int i = 0; i < count; i++) {
		CHECK(flat.rank + (g[i].move ? 1 : g[i].n_in) <= TARN_MAX_RANK, TARN_UNSUPPORTED, "too many axes");
		if (g[i].move)
			flat.dim[flat.rank++] = product(d, x->shape.dim + g[i].in, g[i].n_in);
		if (g[i].move)
			named.dim[named.rank++] = flat.dim[flat.rank - 1];
		for (int a = 0; a < g[i].n_in && !g[i].move; a++) {
			named.dim[named.rank++] = x->shape.dim[g[i].in + a];
			flat.dim[flat.rank++] = tarn_dyn_max(d, x->shape.dim[g[i].in + a]);
		}
	}
	tarn_value *z = reshaped(d, x, &flat);
	if (z)
		z->shape = named;
	for (int i = 0, a = 0; i < count; a += g[i].move ? 1 : g[i].n_in, i++)
		if (g[i].move) {
			const tarn_dim *from = x->shape.dim + g[i].in, *to = y->shape.dim + g[i].out;
			tarn_value *index = place_of(d, number_of(d, to, g[i].n_out), from, g[i].n_in);
			z = tarn_dyn_take(d, z, a, index, product(d, to, g[i].n_out));
		}
	z = z ? reshaped(d, z, &full) : NULL;
	TRY(tarn_dyn_done(d));
	z->shape = y->shape;
	tarn_dyn_replace(d, y, z, NULL);
	return TARN_OK;
}
