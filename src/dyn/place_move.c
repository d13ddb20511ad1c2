/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that move elements along a padded axis, written as a Gather whose indices follow from the valid lengths. */
#include <string.h>

#include "dyn/dyn.h"

static int axis_of(const tarn_node *n, int rank)
{
	int64_t axis = tarn_attr_i(n, tarn_attr_index(n->op, "axis"));
	return (int)(axis < 0 ? axis + rank : axis);
}

static tarn_value *op2(tarn_dyn *d, const char *op, tarn_value *a, tarn_value *b)
{
	return tarn_dyn_op(d, op, TARN_I32, a, b, NULL);
}

/* Indices kept within an axis of `size` elements; those cut off are padding anyway. */
static tarn_value *within(tarn_dyn *d, tarn_value *index, int64_t size)
{
	return op2(d, "Min", op2(d, "Max", index, tarn_dyn_int(d, 0)), tarn_dyn_int(d, (int32_t)(size - 1)));
}

/* The elements of input i as dimensions; false when unknown or absent. */
static bool dims_of(const tarn_node *n, int i, tarn_dim *at, int *count)
{
	tarn_infer c = {.node = (tarn_node *)(uintptr_t)n};
	return i < n->n_in && n->in[i] && tarn_infer_dims(&c, i, at, 2 * TARN_MAX_RANK, count);
}

/* ---- Concat: what follows is moved to where the valid part of what precedes ends ---- */

tarn_err tarn_dyn_concat(tarn_dyn *d, tarn_node *n, uint32_t axes, bool *done)
{
	tarn_value *y = n->out[0];
	int axis = axis_of(n, y->shape.rank);
	tarn_dim total = y->shape.dim[axis], end = 0;
	tarn_value *at = tarn_dyn_positions(d, tarn_dyn_max(d, total), 0), *index = at;
	(void)axes;
	for (int i = 0; i < n->n_in - 1; i++) {
		tarn_dim size = n->in[i]->shape.dim[axis];
		TRY(tarn_dim_op(&d->m->syms, TARN_SYM_ADD, end, size, &end));
		if (!tarn_dyn_depends(d, size))
			continue;
		tarn_value *gap = op2(d, "Sub", tarn_dyn_int(d, (int32_t)tarn_dyn_max(d, size)), tarn_dyn_length(d, size));
		tarn_value *before = tarn_dyn_op(d, "Less", TARN_BOOL, at, tarn_dyn_length(d, end), NULL);
		index = op2(d, "Add", index, tarn_dyn_op(d, "Where", TARN_I32, before, tarn_dyn_int(d, 0), gap));
	}
	tarn_value *z = tarn_dyn_take(d, y, axis, within(d, index, tarn_dyn_max(d, total)), total);
	TRY(tarn_dyn_done(d));
	tarn_dyn_replace(d, y, z, z->def);
	*done = true;
	return TARN_OK;
}

/* ---- Slice ---- */

typedef struct cut {
	int axis;
	tarn_dim start, end;
	int64_t step;
} cut;

static bool read_cuts(const tarn_node *n, cut *c, int *count)
{
	tarn_dim start[2 * TARN_MAX_RANK], end[2 * TARN_MAX_RANK], axes[2 * TARN_MAX_RANK], step[2 * TARN_MAX_RANK];
	int rank = n->in[0]->shape.rank, k, has_axes = n->n_in > 3 && n->in[3], has_steps = n->n_in > 4 && n->in[4];
	if (!dims_of(n, 1, start, count) || !dims_of(n, 2, end, &k) || (has_axes && !dims_of(n, 3, axes, &k)) ||
	    (has_steps && !dims_of(n, 4, step, &k)))
		return false;
	for (int i = 0; i < *count; i++) {
		int64_t axis = i, by = 1;
		if ((has_axes && !tarn_dim_is_int(axes[i], &axis)) || (has_steps && !tarn_dim_is_int(step[i], &by)))
			return false;
		c[i] = (cut){(int)(axis < 0 ? axis + rank : axis), start[i], end[i], by};
	}
	return true;
}

/* Where a slice starts, given its size: a number may count from the end. */
static tarn_value *first_of(tarn_dyn *d, const cut *c, tarn_dim size)
{
	int64_t v = 0;
	bool number = tarn_dim_is_int(c->start, &v);
	tarn_value *length = tarn_dyn_length(d, size), *last = op2(d, "Sub", length, tarn_dyn_int(d, 1));
	if (number && v > INT32_MAX)
		v = INT32_MAX;
	if (number && v < -INT32_MAX)
		v = -INT32_MAX;
	if (number && v < 0)
		return op2(d, "Max", op2(d, "Add", length, tarn_dyn_int(d, (int32_t)v)), tarn_dyn_int(d, 0));
	tarn_value *start = number ? tarn_dyn_int(d, (int32_t)v) : tarn_dyn_length(d, c->start);
	if (!number && tarn_dim_least(&d->m->syms, c->start) < 0) {
		tarn_value *back = tarn_dyn_op(d, "Less", TARN_BOOL, start, tarn_dyn_int(d, 0), NULL);
		start = tarn_dyn_op(d, "Where", TARN_I32, back, op2(d, "Add", start, length), start);
		start = op2(d, "Max", start, tarn_dyn_int(d, 0));
	}
	return op2(d, "Min", start, c->step > 0 ? length : last);
}

/* The cuts along other axes, as they were. */
static tarn_value *other_cuts(tarn_dyn *d, tarn_node *n, tarn_value *x, const cut *c, int count, uint32_t placed)
{
	int64_t at[4][TARN_MAX_RANK], v = 0;
	int k = 0;
	for (int i = 0; i < count; i++) {
		if (placed >> c[i].axis & 1)
			continue;
		if (!tarn_dim_is_int(c[i].start, &at[0][k]) || !tarn_dim_is_int(c[i].end, &at[1][k])) {
			v = tarn_dyn_max(d, c[i].end); /* the start is a number: it would have been placed */
			if (v < 0 || !tarn_dim_is_int(c[i].start, &at[0][k])) {
				d->err = tarn_err_set(TARN_UNSUPPORTED, "where it cuts axis %d is not known", c[i].axis);
				return NULL;
			}
			at[1][k] = v;
		}
		at[2][k] = c[i].axis;
		at[3][k++] = c[i].step;
	}
	if (!k || d->err != TARN_OK)
		return x;
	tarn_node *s;
	d->err = tarn_node_new(d->g, n->op, n->name, 5, 1, -1, &s);
	if (d->err != TARN_OK)
		return NULL;
	s->in[0] = x;
	for (int i = 0; i < 4; i++)
		s->in[i + 1] = tarn_dyn_dims(d, at[i], k);
	s->out[0]->type = x->type;
	return s->out[0];
}

tarn_err tarn_dyn_slice(tarn_dyn *d, tarn_node *n, uint32_t axes, bool *done)
{
	cut c[2 * TARN_MAX_RANK];
	int count = 0;
	tarn_value *x = n->in[0], *y = n->out[0];
	if (!read_cuts(n, c, &count))
		return TARN_OK;
	for (int i = 0; i < count; i++) {
		int a = c[i].axis;
		if (!(axes >> a & 1))
			continue;
		tarn_dim in = n->in[0]->shape.dim[a], out = y->shape.dim[a];
		tarn_value *step = tarn_dyn_int(d, (int32_t)c[i].step);
		tarn_value *at = op2(d, "Mul", tarn_dyn_positions(d, tarn_dyn_max(d, out), 0), step);
		x = tarn_dyn_take(d, x, a, within(d, op2(d, "Add", at, first_of(d, &c[i], in)), tarn_dyn_max(d, in)), out);
	}
	x = other_cuts(d, n, x, c, count, axes);
	TRY(tarn_dyn_done(d));
	x->shape = y->shape;
	tarn_dyn_replace(d, y, x, NULL);
	*done = true;
	return TARN_OK;
}

/* ---- Split: parts that begin where the valid part of those before ends ---- */

tarn_err tarn_dyn_split(tarn_dyn *d, tarn_node *n, uint32_t axes, bool *done)
{
	tarn_value *x = n->in[0];
	int axis = axis_of(n, x->shape.rank);
	int64_t most = tarn_dyn_max(d, x->shape.dim[axis]);
	tarn_dim from = 0;
	(void)axes;
	for (int i = 0; i < n->n_out; i++) {
		tarn_value *y = n->out[i];
		if (!y)
			return TARN_OK;
		tarn_dim size = y->shape.dim[axis];
		tarn_value *at = op2(d, "Add", tarn_dyn_positions(d, tarn_dyn_max(d, size), 0), tarn_dyn_length(d, from));
		tarn_value *z = tarn_dyn_take(d, x, axis, within(d, at, most), size);
		TRY(tarn_dyn_done(d));
		tarn_dyn_replace(d, y, z, NULL);
		TRY(tarn_dim_op(&d->m->syms, TARN_SYM_ADD, from, size, &from));
	}
	*done = true;
	return TARN_OK;
}

/* ---- Tile: element j is element j modulo the length ---- */

tarn_err tarn_dyn_tile(tarn_dyn *d, tarn_node *n, uint32_t axes, bool *done)
{
	tarn_dim times[2 * TARN_MAX_RANK];
	int64_t left[TARN_MAX_RANK], more = 0;
	int count;
	tarn_value *x = n->in[0], *y = n->out[0];
	if (!dims_of(n, 1, times, &count))
		return TARN_OK;
	for (int a = 0; a < x->shape.rank; a++) {
		left[a] = axes >> a & 1 ? 1 : tarn_dyn_max(d, times[a]);
		more |= left[a] != 1;
		if (left[a] < 0)
			return TARN_OK;
	}
	tarn_value *z = x;
	for (int a = 0; a < x->shape.rank; a++)
		if (axes >> a & 1) {
			tarn_dim size = y->shape.dim[a];
			tarn_value *at = tarn_dyn_positions(d, tarn_dyn_max(d, size), 0);
			z = tarn_dyn_take(d, z, a, op2(d, "Mod", at, tarn_dyn_divisor(d, x->shape.dim[a])), size);
		}
	if (more)
		z = tarn_dyn_op(d, "Tile", y->type, z, tarn_dyn_dims(d, left, x->shape.rank), NULL);
	TRY(tarn_dyn_done(d));
	z->shape = y->shape;
	tarn_dyn_replace(d, y, z, NULL);
	*done = true;
	return TARN_OK;
}

/* ---- Gather: negative indices count from the end of what is valid ---- */

static tarn_value *from_end(tarn_dyn *d, tarn_value *index, tarn_value *length)
{
	tarn_value *below = tarn_dyn_op(d, "Less", TARN_BOOL, index, tarn_dyn_scalar(d, TARN_I32, 0), NULL);
	return tarn_dyn_op(d, "Where", TARN_I32, below, op2(d, "Add", index, length), index);
}

/* Samples have ends of their own: a list of indices becomes one list for each. */
static tarn_err gather_by_sample(tarn_dyn *d, tarn_node *n, int axis, tarn_value *length, bool *done)
{
	tarn_value *x = n->in[0], *y = n->out[0], *index = n->in[1];
	int rank = index->shape.rank;
	int64_t count = rank == 1 ? index->shape.dim[0] : 1, at = axis;
	if (rank > 1 || count < 0)
		return TARN_OK;
	index = tarn_dyn_op(d, "Reshape", TARN_I32, tarn_dyn_cast(d, index, TARN_I32), tarn_dyn_dims(d, &count, 1), NULL);
	tarn_value *z = tarn_dyn_take(d, x, axis, from_end(d, index, length), count);
	if (rank == 0)
		z = tarn_dyn_op(d, "Squeeze", y->type, z, tarn_dyn_dims(d, &at, 1), NULL);
	TRY(tarn_dyn_done(d));
	z->shape = y->shape;
	tarn_dyn_replace(d, y, z, NULL);
	*done = true;
	return TARN_OK;
}

tarn_err tarn_dyn_gather(tarn_dyn *d, tarn_node *n, uint32_t axes, bool *done)
{
	const tarn_value *x = n->in[0];
	int axis = axis_of(n, x->shape.rank);
	tarn_shape shape = n->in[1]->shape;
	tarn_value *length = tarn_dyn_length(d, x->shape.dim[axis]);
	(void)axes;
	if (tarn_dyn_is_per_sample(d, length) && !strcmp(n->op->name, "Gather"))
		return gather_by_sample(d, n, axis, length, done);
	length = tarn_dyn_is_per_sample(d, length) ? tarn_dyn_against(d, length, n->in[1])
						   : tarn_dyn_op(d, "Squeeze", TARN_I32, length, NULL, NULL);
	tarn_value *index = from_end(d, tarn_dyn_cast(d, n->in[1], TARN_I32), length);
	TRY(tarn_dyn_done(d));
	index->shape = shape;
	n->in[1] = index;
	d->cost.numbers++;
	*done = true;
	return TARN_OK;
}

/* ---- Range: as many elements as there may be ---- */

/* An operand as int32 [1] when it is a number or a length. */
static tarn_value *operand(tarn_dyn *d, const tarn_node *n, int i)
{
	tarn_dim at[2 * TARN_MAX_RANK];
	int k;
	if (tarn_dtype_is_float(n->in[i]->type) || !dims_of(n, i, at, &k) || k != 1)
		return NULL;
	tarn_value *v = tarn_dyn_length(d, at[0]);
	if (tarn_dyn_is_per_sample(d, v))
		d->err = tarn_err_set(TARN_UNSUPPORTED, "it starts at a length, which differs by sample");
	return v;
}

tarn_err tarn_dyn_range(tarn_dyn *d, tarn_node *n, uint32_t axes, bool *done)
{
	tarn_value *y = n->out[0];
	tarn_dtype type = TARN_I32;
	tarn_value *at = tarn_dyn_positions(d, tarn_dyn_max(d, y->shape.dim[0]), 0);
	tarn_value *start = operand(d, n, 0), *delta = operand(d, n, 2);
	(void)axes;
	if (!start || !delta) { /* computed from data: in its own type */
		type = y->type;
		start = n->in[0];
		delta = n->in[2];
		at = tarn_dyn_cast(d, at, type);
	}
	tarn_value *z = tarn_dyn_op(d, "Add", type, tarn_dyn_op(d, "Mul", type, at, delta, NULL), start, NULL);
	z = tarn_dyn_shaped(d, tarn_dyn_cast(d, z, y->type), &y->shape);
	TRY(tarn_dyn_done(d));
	tarn_dyn_replace(d, y, z, NULL);
	d->cost.numbers++;
	*done = true;
	return TARN_OK;
}

/* ---- Pad ---- */

enum { CONSTANT, REFLECT, EDGE, WRAP };

/* Begin and end of every axis; false when they are not known. */
static bool read_pads(const tarn_node *n, tarn_dim *begin, tarn_dim *end)
{
	tarn_dim at[2 * TARN_MAX_RANK], axes[2 * TARN_MAX_RANK];
	int rank = n->in[0]->shape.rank, k, m = rank;
	bool listed = n->n_in > 3 && n->in[3];
	if ((listed && !dims_of(n, 3, axes, &m)) || !dims_of(n, 1, at, &k) || k != 2 * m)
		return false;
	for (int a = 0; a < rank; a++)
		begin[a] = end[a] = 0;
	for (int i = 0; i < m; i++) {
		int64_t a = i;
		if (listed && !tarn_dim_is_int(axes[i], &a))
			return false;
		a = a < 0 ? a + rank : a;
		begin[a] = at[i];
		end[a] = at[m + i];
	}
	return true;
}

/* The source of each position, given how far it lies behind the begin of the input. */
static tarn_value *source_of(tarn_dyn *d, int mode, tarn_value *i, tarn_value *length)
{
	tarn_value *one = tarn_dyn_int(d, 1), *last = op2(d, "Sub", length, one);
	if (mode == WRAP)
		return op2(d, "Mod", i, length);
	if (mode != REFLECT)
		return op2(d, "Min", op2(d, "Max", i, tarn_dyn_int(d, 0)), last);
	tarn_value *period = op2(d, "Max", op2(d, "Add", last, last), one);
	i = op2(d, "Mod", i, period);
	return op2(d, "Min", op2(d, "Min", i, op2(d, "Sub", period, i)), last);
}

static tarn_value *pad_axis(tarn_dyn *d, const tarn_node *n, tarn_value *x, int a, tarn_dim begin, tarn_dim out)
{
	int mode = (int)tarn_attr_i(n, tarn_attr_index(n->op, "mode")), behind = x->shape.rank - 1 - a;
	tarn_value *length = tarn_dyn_divisor(d, x->shape.dim[a]), *from = tarn_dyn_length(d, begin);
	tarn_value *i = op2(d, "Sub", tarn_dyn_positions(d, tarn_dyn_max(d, out), 0), from);
	int64_t most = tarn_dyn_max(d, x->shape.dim[a]);
	tarn_value *y = tarn_dyn_take(d, x, a, within(d, source_of(d, mode, i, length), most), out);
	if (mode != CONSTANT || d->err != TARN_OK)
		return y;
	length = tarn_dyn_against(d, tarn_dyn_length(d, x->shape.dim[a]), x);
	tarn_value *at = op2(d, "Sub", tarn_dyn_positions(d, tarn_dyn_max(d, out), behind), tarn_dyn_against(d, from, x));
	tarn_value *inside = tarn_dyn_op(d, "And", TARN_BOOL, tarn_dyn_op(d, "Less", TARN_BOOL, at, length, NULL),
					 tarn_dyn_op(d, "Less", TARN_BOOL, tarn_dyn_int(d, -1), at, NULL), NULL);
	tarn_value *fill = n->n_in > 2 && n->in[2] ? n->in[2] : tarn_dyn_scalar(d, x->type, 0);
	tarn_value *z = tarn_dyn_op(d, "Where", x->type, inside, y, fill);
	if (d->err != TARN_OK)
		return NULL;
	z->shape = y->shape;
	d->cost.masks++;
	tarn_dyn_charge(d, z);
	return z;
}

tarn_err tarn_dyn_pad(tarn_dyn *d, tarn_node *n, uint32_t axes, bool *done)
{
	tarn_dim begin[TARN_MAX_RANK], end[TARN_MAX_RANK];
	int64_t left[2 * TARN_MAX_RANK], more = 0;
	tarn_value *x = n->in[0], *y = n->out[0];
	int rank = x->shape.rank;
	if (!read_pads(n, begin, end))
		return TARN_OK;
	for (int a = 0; a < rank; a++) {
		left[a] = left[a + rank] = 0;
		if (!(axes >> a & 1) && (!tarn_dim_is_int(begin[a], &left[a]) || !tarn_dim_is_int(end[a], &left[a + rank])))
			return TARN_OK;
		more |= left[a] | left[a + rank];
	}
	for (int a = 0; a < rank && d->err == TARN_OK; a++)
		if (axes >> a & 1)
			x = pad_axis(d, n, x, a, begin[a], y->shape.dim[a]);
	TRY(tarn_dyn_done(d));
	if (more) {
		tarn_node *p;
		TRY(tarn_node_new(d->g, n->op, n->name, n->n_in > 2 ? 3 : 2, 1, -1, &p));
		p->attr = n->attr;
		p->in[0] = x;
		p->in[1] = tarn_dyn_dims(d, left, 2 * rank);
		if (n->n_in > 2)
			p->in[2] = n->in[2];
		x = p->out[0];
		x->type = y->type;
		TRY(tarn_dyn_done(d));
	}
	x->shape = y->shape;
	tarn_dyn_replace(d, y, x, NULL);
	*done = true;
	return TARN_OK;
}
