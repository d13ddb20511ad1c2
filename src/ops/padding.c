/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/padding.h"

#include <string.h>

#include "ops/window.h"

void tarn_pad_any(tarn_pad *p)
{
	p->need = TARN_PAD_ANY;
}

/* Are the sizes of a before (or, with `after`, behind) one axis those of b, sizes of 1 aside? Both are walked outwards. */
static bool same_side(const tarn_shape *a, int i, const tarn_shape *b, int j, bool after)
{
	int step = after ? 1 : -1;
	tarn_dim rest_a = 1, rest_b = 1;
	for (i += step, j += step;;) {
		while (i >= 0 && i < a->rank && a->dim[i] == 1)
			i += step;
		while (j >= 0 && j < b->rank && b->dim[j] == 1)
			j += step;
		bool more_a = i >= 0 && i < a->rank, more_b = j >= 0 && j < b->rank;
		if (!more_a && !more_b)
			return rest_a == rest_b;
		if (rest_a == rest_b && more_a && more_b && a->dim[i] == b->dim[j]) {
			i += step;
			j += step;
			continue;
		}
		/* products of static sizes may be cut differently */
		if (more_a && a->dim[i] >= 0 && (rest_a <= rest_b || !more_b)) {
			rest_a *= a->dim[i];
			i += step;
		} else if (more_b && b->dim[j] >= 0) {
			rest_b *= b->dim[j];
			j += step;
		} else {
			return false;
		}
	}
}

void tarn_pad_view(tarn_pad *p)
{
	const tarn_shape *x = &p->node->in[p->input]->shape, *y = &p->node->out[0]->shape;
	p->need = TARN_PAD_PLACE;
	p->why = "it folds the axis into another";
	if (p->input > 0) {
		p->need = TARN_PAD_UNSAFE;
		p->why = "its shape is computed from padded data";
	}
	for (int j = 0; p->input == 0 && j < y->rank; j++)
		if (y->dim[j] == x->dim[p->axis] && same_side(x, p->axis, y, j, false) && same_side(x, p->axis, y, j, true))
			p->need = TARN_PAD_ANY;
}

static bool is_axis(const tarn_pad *p, int64_t axis)
{
	int rank = p->node->in[p->input]->shape.rank;
	return (axis < 0 ? axis + rank : axis) == p->axis;
}

void tarn_pad_along(tarn_pad *p, tarn_pad_need need)
{
	p->need = is_axis(p, tarn_attr_i(p->node, tarn_attr_index(p->node->op, "axis"))) ? need : TARN_PAD_ANY;
}

void tarn_pad_reduced(tarn_pad *p, tarn_pad_need need)
{
	const tarn_node *n = p->node;
	int i = tarn_attr_index(n->op, "axes"), count = 0;
	p->need = TARN_PAD_ANY;
	p->why = "the axes it reduces over are computed";
	if (p->input > 0)
		return;
	if (n->n_in > 1 && n->in[1]) {
		const tarn_tensor *t = n->in[1]->konst;
		if (!t) {
			p->need = TARN_PAD_UNSAFE;
			return;
		}
		count = (int)tarn_tensor_count(t);
		for (int k = 0; k < count; k++)
			if (is_axis(p, tarn_tensor_i64(t, k)))
				p->need = need;
	} else if (i >= 0 && n->attr[i].set) {
		count = n->attr[i].ints.n;
		for (int k = 0; k < count; k++)
			if (is_axis(p, n->attr[i].ints.at[k]))
				p->need = need;
	}
	int noop = tarn_attr_index(n->op, "noop_with_empty_axes");
	if (!count && (noop < 0 || !tarn_attr_i(n, noop)))
		p->need = need;
}

void tarn_pad_listed(tarn_pad *p, int i, tarn_pad_need need)
{
	const tarn_node *n = p->node;
	const tarn_value *list = n->n_in > i && i > 0 ? n->in[i] : NULL;
	int at = tarn_attr_index(n->op, "axes");
	p->need = TARN_PAD_ANY;
	if (p->input > 0 || (list && !list->konst)) {
		p->need = TARN_PAD_UNSAFE;
		p->why = "the axes it works along are computed";
		return;
	}
	for (int k = 0; list && k < tarn_tensor_count(list->konst); k++)
		if (is_axis(p, tarn_tensor_i64(list->konst, k)))
			p->need = need;
	for (int k = 0; !list && at >= 0 && n->attr[at].set && k < n->attr[at].ints.n; k++)
		if (is_axis(p, n->attr[at].ints.at[k]))
			p->need = need;
}

void tarn_pad_spatial(tarn_pad *p, tarn_pad_need need)
{
	p->need = p->axis >= 2 ? need : TARN_PAD_ANY;
}

void tarn_pad_divisor(tarn_pad *p)
{
	bool whole = p->input == 1 && !tarn_dtype_is_float(p->node->in[1]->type);
	p->need = whole ? TARN_PAD_ONE : TARN_PAD_ANY;
}

void tarn_pad_window(tarn_pad *p, tarn_pad_need need, int weights)
{
	const tarn_node *n = p->node;
	int nd = n->in[0]->shape.rank - 2, ceil = tarn_attr_index(n->op, "ceil_mode"), i = p->axis - 2;
	bool channels = weights >= 0;
	const tarn_shape *k = channels ? &n->in[weights]->shape : NULL;
	tarn_window w;
	p->need = TARN_PAD_ANY;
	if (p->input > 0) {
		p->need = TARN_PAD_UNSAFE;
		p->why = "its weights would be padded";
	} else if (p->axis == 1 && channels) {
		p->need = TARN_PAD_ZERO;
	}
	if (p->input > 0 || i < 0)
		return;
	if (tarn_window_read(n, nd, k ? k->dim + k->rank - nd : NULL, &w) != TARN_OK) {
		tarn_err_clear();
		p->need = TARN_PAD_UNSAFE;
		p->why = "its windows are not understood";
		return;
	}
	bool same = w.auto_pad == TARN_PAD_SAME_UPPER || w.auto_pad == TARN_PAD_SAME_LOWER;
	/* A pool over less than one window takes what there is (as ONNX Runtime has it). */
	bool fits = channels || tarn_dim_lo(p->syms, n->in[0]->shape.dim[p->axis]) + w.begin[i] >= tarn_window_extent(&w, i);
	p->why = "where its first window starts depends on the length";
	if (same && w.stride[i] > 1)
		p->need = TARN_PAD_PLACE;
	else if (same ? tarn_window_extent(&w, i) > 1 : w.end[i] > 0 || !fits || (ceil >= 0 && tarn_attr_i(n, ceil)))
		p->need = need;
}
