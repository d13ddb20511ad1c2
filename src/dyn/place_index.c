/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operators whose indices or coordinates say where: Scatter, whose padded updates must go nowhere, GatherND, and GridSample,
 * whose coordinates are fractions of the true size.
 */
#include <string.h>

#include "dyn/dyn.h"

static tarn_value *op2(tarn_dyn *d, const char *op, tarn_value *a, tarn_value *b)
{
	return tarn_dyn_op(d, op, TARN_I32, a, b, NULL);
}

/* ---- Scatter: the data gets one row more, which padded updates are written to and which is cut off again ---- */

/* Indices from the front, along the axes [first, first + n) of the data. */
static tarn_value *counted_from_front(tarn_dyn *d, tarn_value *index, const tarn_shape *data, int first, int n)
{
	tarn_value *size = NULL;
	for (int k = 0; k < n; k++) {
		tarn_value *x = tarn_dyn_length(d, data->dim[first + k]);
		if (tarn_dyn_is_per_sample(d, x) && n > 1)
			d->err = tarn_err_set(TARN_UNSUPPORTED,
					      "one of the sizes that its indices count from differs by sample");
		else if (tarn_dyn_is_per_sample(d, x))
			x = tarn_dyn_against(d, x, index);
		size = size ? tarn_dyn_op_attr(d, "Concat", TARN_I32, "axis", 0, size, x, NULL) : x;
	}
	tarn_value *below = tarn_dyn_op(d, "Less", TARN_BOOL, index, tarn_dyn_scalar(d, TARN_I32, 0), NULL);
	return tarn_dyn_op(d, "Where", TARN_I32, below, op2(d, "Add", index, size), index);
}

/* Indices of padded updates say `row`: all of an index, or (depth > 1) the first of its numbers, the others being 0. */
static tarn_value *sent_away(tarn_dyn *d, tarn_value *index, uint32_t axes, int64_t depth, int64_t row)
{
	enum { MOST = 64 };
	int32_t first[MOST] = {1};
	if (!axes)
		return index;
	if (depth == 1)
		return tarn_dyn_masked(d, index, axes, (double)row);
	if (depth > MOST) {
		d->err = tarn_err_set(TARN_UNSUPPORTED, "its indices are too deep");
		return NULL;
	}
	tarn_value *none = op2(d, "Mul", index, tarn_dyn_scalar(d, TARN_I32, 0));
	if (none)
		none->shape = index->shape;
	tarn_value *away = tarn_dyn_masked(d, none, axes, (double)row);
	away = op2(d, "Mul", away, tarn_dyn_list(d, first, depth, 0));
	return op2(d, "Add", tarn_dyn_masked(d, index, axes, 0), away);
}

tarn_err tarn_dyn_scatter(tarn_dyn *d, tarn_node *n, uint32_t axes, bool *done)
{
	tarn_value *x = n->in[0], *index = n->in[1], *y = n->out[0];
	const tarn_shape data = x->shape, at = index->shape;
	bool nd = !strcmp(n->op->name, "ScatterND");
	int axis = nd ? 0 : (int)tarn_attr_i(n, tarn_attr_index(n->op, "axis"));
	axis += axis < 0 ? data.rank : 0;
	int64_t row = tarn_dyn_max(d, data.dim[axis]), depth = nd ? at.dim[at.rank - 1] : 1;
	uint32_t padded = tarn_dyn_axes(d, index);
	tarn_dim size = data.dim[axis];
	(void)axes;
	if (row < 1 || row >= INT32_MAX || depth < 1 || depth > data.rank)
		return TARN_OK;
	tarn_value *i = tarn_dyn_cast(d, index, TARN_I32);
	TRY(tarn_dyn_done(d));
	i->shape = at;
	i = counted_from_front(d, i, &data, axis, (int)depth);
	TRY(tarn_dyn_done(d));
	i->shape = at;
	n->in[1] = tarn_dyn_cast(d, sent_away(d, i, padded, depth, row), index->type);
	*done = true;
	d->cost.numbers++;
	if (!padded)
		return tarn_dyn_done(d);
	tarn_value *more = tarn_dyn_take(d, x, axis, tarn_dyn_int(d, 0), 1);
	more = tarn_dyn_op_attr(d, "Concat", x->type, "axis", axis, x, more, NULL);
	TRY(tarn_dyn_done(d));
	more->shape = y->shape = data;
	more->shape.dim[axis] = y->shape.dim[axis] = row + 1;
	n->in[0] = more;
	tarn_value *z = tarn_dyn_take(d, y, axis, tarn_dyn_positions(d, row, 0), size);
	TRY(tarn_dyn_done(d));
	tarn_dyn_replace(d, y, z, z->def);
	return TARN_OK;
}

/* ---- GatherND: indices from the end count from the valid one ---- */

tarn_err tarn_dyn_gather_nd(tarn_dyn *d, tarn_node *n, uint32_t axes, bool *done)
{
	const tarn_shape *data = &n->in[0]->shape, at = n->in[1]->shape;
	int batch = (int)tarn_attr_i(n, tarn_attr_index(n->op, "batch_dims"));
	int64_t depth = at.rank > 0 ? at.dim[at.rank - 1] : 0;
	(void)axes;
	if (depth < 1 || batch + depth > data->rank)
		return TARN_OK;
	for (int k = 0; k < depth && d->err == TARN_OK; k++)
		if (tarn_dyn_is_per_sample(d, tarn_dyn_length(d, data->dim[batch + k])))
			return tarn_dyn_done(d);
	tarn_value *i = counted_from_front(d, tarn_dyn_cast(d, n->in[1], TARN_I32), data, batch, (int)depth);
	TRY(tarn_dyn_done(d));
	i->shape = at;
	n->in[1] = tarn_dyn_cast(d, i, n->in[1]->type);
	d->cost.numbers++;
	*done = true;
	return tarn_dyn_done(d);
}

/* ---- GridSample: where a coordinate lies is said anew, as a fraction of the maximum ---- */

/* Size by maximum, of corners (less one) or of borders. */
static tarn_value *part_of(tarn_dyn *d, tarn_dim x, int64_t less, tarn_dtype type)
{
	int64_t most = tarn_dyn_max(d, x) - less;
	tarn_value *length = op2(d, "Sub", tarn_dyn_length(d, x), tarn_dyn_int(d, (int32_t)less));
	return tarn_dyn_op(d, "Div", type, tarn_dyn_cast(d, length, type),
			   tarn_dyn_scalar(d, type, most > 0 ? (double)most : 1), NULL);
}

/* c in [-1, 1] of n elements lies at (c + 1) n / m - 1 of m. */
static tarn_value *rescaled(tarn_dyn *d, tarn_value *grid, tarn_value *part)
{
	tarn_value *shift = tarn_dyn_op(d, "Sub", grid->type, part, tarn_dyn_scalar(d, grid->type, 1), NULL);
	tarn_value *z = tarn_dyn_op(d, "Mul", grid->type, grid, part, NULL);
	return tarn_dyn_op(d, "Add", grid->type, z, shift, NULL);
}

/* What lies behind the border is 0, or the last element: padding is made that, and reading beyond the maximum gives it again.
 */
tarn_err tarn_dyn_sample(tarn_dyn *d, tarn_node *n, uint32_t axes, bool *done)
{
	enum { ZEROS };
	tarn_value *x = n->in[0], *grid = n->in[1], *part = NULL;
	int64_t less = tarn_attr_i(n, tarn_attr_index(n->op, "align_corners")) != 0;
	for (int a = x->shape.rank - 1; a > 1; a--) { /* the last axis has the first coordinate */
		tarn_value *p = part_of(d, x->shape.dim[a], less, grid->type);
		if (tarn_dyn_max(d, x->shape.dim[a]) < 1 || (d->err == TARN_OK && tarn_dyn_is_per_sample(d, p)))
			return tarn_dyn_done(d);
		part = part ? tarn_dyn_op_attr(d, "Concat", grid->type, "axis", 0, part, p, NULL) : p;
	}
	bool zeros = tarn_attr_i(n, tarn_attr_index(n->op, "padding_mode")) == ZEROS;
	if (zeros)
		n->in[0] = tarn_dyn_masked(d, x, axes, 0); /* x itself where it holds 0 already */
	for (int a = 2; a < x->shape.rank && !zeros; a++)
		if (axes >> a & 1)
			x = n->in[0] = tarn_dyn_edge(d, x, a);
	tarn_value *g = tarn_dyn_masked(d, grid, tarn_dyn_axes(d, grid), 0);
	TRY(tarn_dyn_done(d));
	const tarn_shape shape = grid->shape;
	g = rescaled(d, g, part);
	TRY(tarn_dyn_done(d));
	g->shape = shape;
	n->in[1] = g;
	d->cost.numbers++;
	tarn_dyn_charge(d, g);
	*done = true;
	return TARN_OK;
}
