/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One axis of a Resize from a table: a row for each length, and in it for each element of the result those it is made of, with
 * their weights. They are what the operator itself computes, to the last bit, on devices of any arithmetic.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dyn/dyn.h"
#include "ops/resize.h"

typedef struct table {
	int bound;           /* -2: one row for all lengths */
	int64_t first, rows; /* lengths from `first` on */
	int64_t out, taps;   /* in a row: elements of the result, and what each is made of */
	int32_t *at;
	float *w;
} table;

/* The axis at one length; false where it has no elements. */
static bool plan_at(tarn_dyn *d, tarn_node *n, const table *t, int axis, int64_t row, tarn_dim out, tarn_resize_axis *p)
{
	tarn_dim in = n->in[0]->shape.dim[axis];
	bool sizes = tarn_resize_by_sizes(n), free = t->bound >= 0;
	const tarn_tensor *s = sizes ? NULL : n->in[TARN_RESIZE_SCALES]->konst;
	int listed[TARN_MAX_RANK], count;
	*p = (tarn_resize_axis){.n = n,
				.in = free ? tarn_dyn_at(d, in, t->bound, t->first + row) : tarn_dyn_max(d, in),
				.out = free ? tarn_dyn_at(d, out, t->bound, t->first + row) : tarn_dyn_max(d, out),
				.end = 1};
	if (p->in < 1 || p->out < 1 || tarn_resize_axes(n, n->in[0]->shape.rank, listed, &count) != TARN_OK)
		return false;
	p->scale = (double)p->out / (double)p->in;
	for (int i = 0; s && i < count; i++)
		if (listed[i] == axis)
			p->scale = tarn_tensor_f64(s, i);
	return true;
}

/* How many elements one of the result is made of, at most. */
static int64_t most_taps(tarn_dyn *d, tarn_node *n, const table *t, int axis, tarn_dim out, tarn_resize_taps *x)
{
	tarn_resize_axis p;
	int64_t most = 1;
	for (int64_t r = 0; r < t->rows && tarn_attr_i(n, TARN_RESIZE_MODE) != TARN_MODE_NEAREST; r++)
		for (int64_t i = 0; plan_at(d, n, t, axis, r, out, &p) && i < p.out; i++) {
			tarn_resize_taps_of(&p, i, x);
			most = x->n > most ? x->n : most;
		}
	return most;
}

static void fill_row(const tarn_resize_axis *p, const table *t, int64_t row, tarn_resize_taps *x)
{
	for (int64_t i = 0; i < p->out && i < t->out; i++) {
		int64_t to = (row * t->out + i) * t->taps;
		tarn_resize_taps_of(p, i, x);
		if (p->in == p->out && p->scale == 1)
			x->n = 1; /* the axis keeps its size: the element itself */
		for (int64_t k = 0; k < t->taps; k++) {
			t->at[to + k] = (int32_t)(x->n ? x->at[k < x->n ? k : x->n - 1] : 0);
			t->w[to + k] = k < x->n ? (float)x->w[k] : 0;
			/* Where there are fewer, the last one takes the other places, too, each with half of the weight that is
			 * left: with none an infinity would become NaN. */
			if (k >= x->n && k)
				t->w[to + k] = t->w[to + k - 1] /= 2;
		}
	}
}

static tarn_err fill(tarn_dyn *d, tarn_node *n, table *t, int axis, tarn_dim out)
{
	enum { MOST = 1 << 22 };
	tarn_resize_axis p;
	tarn_resize_taps x = {.at = tarn_arena_alloc(&d->arena, TARN_RESIZE_MAX_TAPS * sizeof *x.at),
			      .w = tarn_arena_alloc(&d->arena, TARN_RESIZE_MAX_TAPS * sizeof *x.w)};
	char why[160];
	if (!x.at || !x.w)
		return tarn_err_nomem(TARN_RESIZE_MAX_TAPS * sizeof *x.w);
	int64_t size = t->rows * t->out;
	if (size <= MOST)
		size *= t->taps = most_taps(d, n, t, axis, out, &x);
	if (size > MOST) {
		snprintf(why, sizeof why,
			 "what it reads at each length is a table of %" PRId64
			 " elements, and %d are the limit; give a lower maximum",
			 size, MOST);
		return tarn_dyn_refuse(d, n, axis, why);
	}
	t->at = tarn_arena_zalloc(&d->arena, (size_t)size + 1, sizeof *t->at);
	t->w = tarn_arena_zalloc(&d->arena, (size_t)size + 1, sizeof *t->w);
	if (!t->at || !t->w)
		return tarn_err_nomem((size_t)size * sizeof *t->at);
	for (int64_t r = 0; r < t->rows; r++)
		if (plan_at(d, n, t, axis, r, out, &p))
			fill_row(&p, t, r, &x);
	return TARN_OK;
}

/* The row of this length: a list. */
static tarn_value *row_of(tarn_dyn *d, const table *t, tarn_value *all)
{
	int64_t size = t->out * t->taps, dim[] = {t->rows, size};
	if (t->rows == 1)
		return tarn_dyn_op(d, "Reshape", all->type, all, tarn_dyn_dims(d, &size, 1), NULL);
	tarn_value *i = tarn_dyn_op(d, "Sub", TARN_I32, d->bound[t->bound].length, tarn_dyn_int(d, (int32_t)t->first), NULL);
	i = tarn_dyn_op(d, "Max", TARN_I32, i, tarn_dyn_int(d, 0), NULL);
	all = tarn_dyn_op(d, "Reshape", all->type, all, tarn_dyn_dims(d, dim, 2), NULL);
	tarn_value *row = tarn_dyn_op_attr(d, "Gather", all->type, "axis", 0, all, i, NULL);
	return tarn_dyn_op(d, "Reshape", row->type, row, tarn_dyn_dims(d, &size, 1), NULL);
}

/* v's axis, where the elements of each sum stand one behind the other, summed by their weights. */
static tarn_value *weighed(tarn_dyn *d, const table *t, tarn_value *v, int axis)
{
	int64_t apart[TARN_MAX_RANK + 1], column[TARN_MAX_RANK], at = axis + 1;
	int rank = v->shape.rank, behind = rank - axis - 1;
	tarn_value *w = NULL;
	tarn_tensor all;
	if (rank == TARN_MAX_RANK)
		d->err = tarn_err_set(TARN_UNSUPPORTED, "a rank of %d is too much", rank);
	for (int a = 0; a < rank; a++) {
		apart[a + (a > axis)] = tarn_dyn_max(d, v->shape.dim[a]);
		if (apart[a + (a > axis)] < 0 && d->err == TARN_OK)
			d->err = tarn_err_set(TARN_UNSUPPORTED, "it has another free dimension; bound that too");
	}
	apart[axis] = column[0] = t->out;
	apart[axis + 1] = column[1] = t->taps;
	for (int i = 0; i < behind; i++)
		column[2 + i] = 1;
	if (d->err == TARN_OK)
		d->err = tarn_tensor_new(TARN_F32, 1, (int64_t[]){t->rows * t->out * t->taps}, &all);
	if (d->err != TARN_OK)
		return NULL;
	memcpy(all.data, t->w, tarn_tensor_bytes(&all));
	d->err = tarn_value_const(d->g, "weights", &all, &w);
	tarn_tensor_fini(&all);
	if (d->err != TARN_OK)
		return NULL;
	w = tarn_dyn_op(d, "Reshape", w->type, row_of(d, t, w), tarn_dyn_dims(d, column, behind + 2), NULL);
	v = tarn_dyn_op(d, "Reshape", v->type, v, tarn_dyn_dims(d, apart, rank + 1), NULL);
	v = tarn_dyn_op(d, "Mul", v ? v->type : w->type, v, tarn_dyn_cast(d, w, v ? v->type : w->type), NULL);
	return v ? tarn_dyn_op_attr(d, "ReduceSum", v->type, "keepdims", 0, v, tarn_dyn_dims(d, &at, 1), NULL) : NULL;
}

tarn_err tarn_dyn_resize_by_table(tarn_dyn *d, tarn_node *n, tarn_value *x, int axis, tarn_dim out, tarn_value **y)
{
	tarn_dim in = n->in[0]->shape.dim[axis];
	table t = {.bound = tarn_dyn_only(d, in, out), .rows = 1, .out = tarn_dyn_max(d, out), .taps = 1};
	tarn_shape shape = x->shape;
	if (t.bound == -1)
		return tarn_dyn_refuse(d, n, axis, "its scale hangs on two dimensions");
	if (t.bound >= 0) {
		t.first = tarn_dim_lo(&d->m->syms, d->bound[t.bound].sym);
		t.rows = d->bound[t.bound].max - t.first + 1;
	}
	TRY(fill(d, n, &t, axis, out));
	tarn_value *index = row_of(d, &t, tarn_dyn_list(d, t.at, t.rows * t.out * t.taps, 0));
	tarn_value *v = tarn_dyn_take(d, x, axis, index, t.taps > 1 ? t.out * t.taps : out);
	if (t.taps > 1 && d->err == TARN_OK)
		v = weighed(d, &t, v, axis);
	TRY(tarn_dyn_done(d));
	shape.dim[axis] = out;
	*y = tarn_dyn_shaped(d, v, &shape);
	tarn_dyn_charge(d, *y);
	return tarn_dyn_done(d);
}
