/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows whose place, or whose count of elements, depends on the length.
 *
 * SAME padding with a stride: where the first window starts depends on the length; the input is moved into an array in which it
 * starts at 0. AveragePool: the sum over a window of zeros and valid elements is right, its divisor is not; it is corrected by
 * the quotient of the window's size and the elements that count, one factor for each axis.
 */
#include <math.h>
#include <string.h>

#include "dyn/dyn.h"
#include "ops/window.h"

enum { CEIL = TARN_WINDOW_ATTRS, INCLUDE_PAD };

static tarn_value *op2(tarn_dyn *d, const char *op, tarn_value *a, tarn_value *b)
{
	return tarn_dyn_op(d, op, TARN_I32, a, b, NULL);
}

typedef struct job {
	tarn_dyn *d;
	tarn_node *n;
	tarn_window w;
	bool average;
	tarn_value *x;                      /* the input so far */
	tarn_value *begin[TARN_WINDOW_MAX]; /* int32 [1]; NULL: w.begin holds */
	tarn_value *scale;                  /* product of the factors so far */
} job;

static bool same(const tarn_window *w)
{
	return w->auto_pad == TARN_PAD_SAME_UPPER || w->auto_pad == TARN_PAD_SAME_LOWER;
}

/* How much SAME pads before the input, from the valid sizes. */
static tarn_value *same_begin(job *j, int i)
{
	tarn_dyn *d = j->d;
	tarn_value *in = tarn_dyn_length(d, j->n->in[0]->shape.dim[i + 2]),
		   *out = tarn_dyn_length(d, j->n->out[0]->shape.dim[i + 2]);
	int32_t s = (int32_t)j->w.stride[i], more = (int32_t)(tarn_window_extent(&j->w, i) - s);
	tarn_value *total = op2(d, "Sub", op2(d, "Add", op2(d, "Mul", out, tarn_dyn_int(d, s)), tarn_dyn_int(d, more)), in);
	total = op2(d, "Max", total, tarn_dyn_int(d, 0));
	tarn_value *half = op2(d, "Div", total, tarn_dyn_int(d, 2));
	return j->w.auto_pad == TARN_PAD_SAME_UPPER ? half : op2(d, "Sub", total, half);
}

/* The input moved so that the first window starts at its element 0. */
static void move(job *j, int i, double fill)
{
	tarn_dyn *d = j->d;
	int a = i + 2, behind = j->x->shape.rank - 1 - a;
	int64_t out = tarn_dyn_max(d, j->n->out[0]->shape.dim[a]), most = tarn_dyn_max(d, j->n->in[0]->shape.dim[a]);
	int64_t width = (out - 1) * j->w.stride[i] + tarn_window_extent(&j->w, i);
	tarn_value *length = tarn_dyn_length(d, j->n->in[0]->shape.dim[a]), *begin = same_begin(j, i);
	tarn_value *index = op2(d, "Sub", tarn_dyn_positions(d, width, 0), begin);
	index = op2(d, "Min", op2(d, "Max", index, tarn_dyn_int(d, 0)), tarn_dyn_int(d, (int32_t)(most - 1)));
	tarn_value *x = tarn_dyn_take(d, j->x, a, index, width);
	tarn_value *at = op2(d, "Sub", tarn_dyn_positions(d, width, behind), tarn_dyn_against(d, begin, j->n->in[0]));
	length = tarn_dyn_against(d, length, j->n->in[0]);
	tarn_value *inside = tarn_dyn_op(d, "And", TARN_BOOL, tarn_dyn_op(d, "Less", TARN_BOOL, at, length, NULL),
					 tarn_dyn_op(d, "Less", TARN_BOOL, tarn_dyn_int(d, -1), at, NULL), NULL);
	tarn_value *y = x ? tarn_dyn_op(d, "Where", x->type, inside, x, tarn_dyn_scalar(d, x->type, fill)) : NULL;
	if (!y)
		return;
	y->shape = x->shape;
	d->cost.masks++;
	tarn_dyn_charge(d, y);
	j->x = y;
	j->begin[i] = begin;
	j->w.begin[i] = j->w.end[i] = 0;
}

/* How many of a window's taps lie before `end` (counted from the start of the first window): clamped ceil((end - o*s) /
 * dilation). */
static tarn_value *taps_before(job *j, int i, tarn_value *end, int64_t out, int behind)
{
	tarn_dyn *d = j->d;
	int32_t s = (int32_t)j->w.stride[i], step = (int32_t)j->w.dilation[i];
	tarn_value *start = op2(d, "Mul", tarn_dyn_positions(d, out, behind), tarn_dyn_int(d, s));
	tarn_value *left = op2(d, "Max", op2(d, "Sub", end, start), tarn_dyn_int(d, 0));
	left = op2(d, "Div", op2(d, "Add", left, tarn_dyn_int(d, step - 1)), tarn_dyn_int(d, step));
	return op2(d, "Min", left, tarn_dyn_int(d, (int32_t)j->w.kernel[i]));
}

/* Correction of an average along one axis; `end` is the explicit padding behind the input. */
static void count(job *j, int i, bool include, int64_t end)
{
	tarn_dyn *d = j->d;
	tarn_dtype type = j->n->out[0]->type;
	int a = i + 2, behind = j->n->out[0]->shape.rank - 1 - a;
	int64_t out = tarn_dyn_max(d, j->n->out[0]->shape.dim[a]);
	tarn_value *begin = j->begin[i] ? j->begin[i] : tarn_dyn_int(d, (int32_t)j->w.begin[i]);
	tarn_value *size = op2(d, "Add", tarn_dyn_length(d, j->n->in[0]->shape.dim[a]), begin);
	begin = tarn_dyn_against(d, begin, j->n->out[0]);
	size = tarn_dyn_against(d, size, j->n->out[0]);
	if (include)
		size = op2(d, "Add", size, tarn_dyn_int(d, (int32_t)end));
	tarn_value *taps = taps_before(j, i, size, out, behind);
	if (!include)
		taps = op2(d, "Sub", taps, taps_before(j, i, begin, out, behind));
	tarn_value *kernel = tarn_dyn_scalar(d, type, (double)j->w.kernel[i]);
	tarn_value *f =
		tarn_dyn_op(d, "Div", type, kernel, tarn_dyn_cast(d, op2(d, "Max", taps, tarn_dyn_int(d, 1)), type), NULL);
	j->scale = j->scale ? tarn_dyn_op(d, "Mul", type, j->scale, f, NULL) : f;
}

/* The node over what has been prepared, with explicit borders. */
static tarn_err rebuild(job *j, tarn_value **out)
{
	tarn_dyn *d = j->d;
	tarn_node *n = j->n, *m;
	int nd = j->w.nd;
	int64_t pads[2 * TARN_WINDOW_MAX];
	TRY(tarn_node_new(d->g, n->op, n->name, n->n_in, 1, -1, &m));
	memcpy(m->in, n->in, (size_t)n->n_in * sizeof *n->in);
	m->in[0] = j->x;
	memcpy(m->attr, n->attr, (size_t)n->op->n_attr * sizeof *n->attr);
	for (int i = 0; i < nd; i++) {
		pads[i] = j->w.begin[i];
		pads[nd + i] = j->w.end[i];
	}
	TRY(tarn_attr_set_i(m, TARN_WINDOW_AUTO_PAD, TARN_PAD_NOTSET));
	TRY(tarn_attr_set_ints(d->g, m, TARN_WINDOW_PADS, pads, 2 * nd));
	if (j->average) {
		TRY(tarn_attr_set_i(m, CEIL, 0));
		TRY(tarn_attr_set_i(m, INCLUDE_PAD, 1));
	}
	m->out[0]->type = n->out[0]->type;
	m->out[0]->shape = n->out[0]->shape;
	*out = m->out[0];
	return TARN_OK;
}

static void average_axis(job *j, int i, bool include)
{
	int64_t in = tarn_dyn_max(j->d, j->n->in[0]->shape.dim[i + 2]),
		out = tarn_dyn_max(j->d, j->n->out[0]->shape.dim[i + 2]);
	int64_t end = j->w.end[i], need = (out - 1) * j->w.stride[i] + tarn_window_extent(&j->w, i) - in - j->w.begin[i];
	bool ceil = !same(&j->w) && tarn_attr_i(j->n, CEIL);
	bool all = include && !ceil; /* SAME makes room for every window, too */
	int64_t least = tarn_dim_lo(&j->d->m->syms, j->n->in[0]->shape.dim[i + 2]);
	if (!all && (j->begin[i] || ceil || j->w.begin[i] || end || least < tarn_window_extent(&j->w, i)))
		count(j, i, include, end);
	if (!j->begin[i])
		j->w.end[i] = need > 0 ? need : 0;
}

tarn_err tarn_dyn_window(tarn_dyn *d, tarn_node *n, uint32_t axes, bool *done)
{
	job j = {.d = d, .n = n, .x = n->in[0], .average = !strcmp(n->op->name, "AveragePool")};
	bool conv = !strcmp(n->op->name, "Conv"), max = !strcmp(n->op->name, "MaxPool");
	int nd = n->in[0]->shape.rank - 2;
	int64_t in[TARN_WINDOW_MAX], out[TARN_WINDOW_MAX];
	if (conv && !n->in[1]->konst)
		return TARN_OK;
	TRY(tarn_window_read(n, nd, conv ? n->in[1]->konst->dim + 2 : NULL, &j.w));
	for (int i = 0; i < nd; i++) {
		in[i] = tarn_dyn_max(d, n->in[0]->shape.dim[i + 2]);
		out[i] = tarn_dyn_max(d, n->out[0]->shape.dim[i + 2]);
		if (in[i] < 0 || out[i] < 0)
			return TARN_OK;
	}
	tarn_window_resolve(&j.w, in, out); /* right for static axes, and where the stride is 1 */
	for (int i = 0; i < nd; i++)
		if (same(&j.w) && j.w.stride[i] > 1 && tarn_dyn_depends(d, n->in[0]->shape.dim[i + 2]))
			move(&j, i, max ? -INFINITY : 0);
		else if (j.average && axes >> (i + 2) & 1)
			j.x = tarn_dyn_masked(d, j.x, 1u << (i + 2), 0);
	TRY(tarn_dyn_done(d));
	for (int i = 0; i < nd && j.average; i++)
		average_axis(&j, i, tarn_attr_i(n, INCLUDE_PAD));
	tarn_value *y = NULL;
	TRY(tarn_dyn_done(d));
	TRY(rebuild(&j, &y));
	if (j.scale) {
		tarn_value *z = tarn_dyn_op(d, "Mul", y->type, y, j.scale, NULL);
		TRY(tarn_dyn_done(d));
		z->shape = y->shape;
		d->cost.scales++;
		tarn_dyn_charge(d, z);
		y = z;
	}
	tarn_dyn_replace(d, n->out[0], y, NULL);
	*done = true;
	return TARN_OK;
}
