/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Masks: what values of both axes are on either side of the present, where that is one number. Comparisons of positions say it
 * first, elementwise operators pass it on.
 */
#include <math.h>
#include <string.h>

#include "dyn/causal.h"
#include "ir/op.h"

static bool is(const tarn_node *n, const char *op)
{
	return n && !strcmp(n->op->name, op) && (!n->op->domain || !*n->op->domain);
}

/* ---- comparisons ---- */

/* Is `d op 0` the same for all d >= v (or, with at_most, d <= v)? 1 and 0: true and false for all; -1: it depends. */
static int decide(const tarn_node *n, bool at_most, int64_t v)
{
	bool above = !at_most && v > 0, below = at_most && v < 0;
	bool not_below = !at_most && v >= 0, not_above = at_most && v <= 0;
	if (is(n, "Less"))
		return below ? 1 : not_below ? 0 : -1;
	if (is(n, "LessOrEqual"))
		return not_above ? 1 : above ? 0 : -1;
	if (is(n, "Greater"))
		return above ? 1 : not_above ? 0 : -1;
	if (is(n, "GreaterOrEqual"))
		return not_below ? 1 : below ? 0 : -1;
	return is(n, "Equal") && (above || below) ? 0 : -1;
}

void tarn_causal_compare(const tarn_node *n, const causal_fact *d, causal_fact *out)
{
	/* d = slope (j - i - past) + one; beyond the present the bracket is 1 or more, within it 0 or less */
	int64_t slope = d->at[CAUSAL_J], one = d->at[CAUSAL_ONE];
	if (!slope || d->at[CAUSAL_I] != -slope)
		return;
	for (int s = 0; s < CAUSAL_SIDES; s++) {
		int truth = decide(n, s == CAUSAL_BEYOND ? slope < 0 : slope > 0, s == CAUSAL_BEYOND ? slope + one : one);
		out->side[s] = (causal_side){truth >= 0, truth};
	}
}

/* ---- elementwise operators ---- */

static causal_side known(double v)
{
	return (causal_side){true, v};
}

static bool is_known(const causal_side *x, double v)
{
	return x->known && x->value == v;
}

static bool is_mask(const causal_side *x)
{
	return x->known && x->value <= CAUSAL_MASK;
}

static causal_side sum(const causal_side *a, const causal_side *b)
{
	if (a->known && b->known)
		return known(a->value + b->value);
	if (is_mask(a) || is_mask(b)) /* whatever is added to it */
		return known(fmin(is_mask(a) ? a->value : 0, is_mask(b) ? b->value : 0));
	return (causal_side){0};
}

/* x: the operands on one side. */
static causal_side apply(const tarn_node *n, const causal_side *x)
{
	const causal_side *a = &x[0], *b = &x[1], none = {0};
	bool both = a->known && b->known;
	if (is(n, "Where"))
		return !a->known ? none : a->value != 0 ? x[1] : x[2];
	if (is(n, "And") || is(n, "Mul"))
		return is_known(a, 0) || is_known(b, 0) ? known(0) : both ? known(a->value * b->value) : none;
	if (is(n, "Or"))
		return (a->known && a->value != 0) || (b->known && b->value != 0) ? known(1) : both ? known(0) : none;
	if (is(n, "Add"))
		return sum(a, b);
	if (is(n, "Sub"))
		return both ? known(a->value - b->value) : is_mask(a) ? *a : none;
	if (is(n, "Div"))
		return both && b->value != 0 ? known(a->value / b->value) : is_known(a, 0) ? known(0) : none;
	if (is(n, "Not"))
		return a->known ? known(a->value == 0) : none;
	if (is(n, "Neg"))
		return a->known ? known(-a->value) : none;
	if (is(n, "Cast") || n->op->flags & TARN_OP_VIEW || is(n, "Transpose") || is(n, "Expand") || is(n, "Identity"))
		return *a;
	return none;
}

/* Row i of a triangle keeps what is at j >= i + k, or j <= i + k. Beyond the present, where j > i, the upper one keeps all for
 * k up to 1, the lower one nothing for k up to 0. Within, what it keeps hangs on where the call begins. */
static void triangle(const tarn_node *n, const causal_fact *x, causal_fact *out)
{
	const tarn_value *k = n->n_in > 1 ? n->in[1] : NULL;
	bool upper = tarn_attr_i(n, tarn_attr_index(n->op, "upper"));
	int64_t at = k && k->konst ? tarn_tensor_i64(k->konst, 0) : 0;
	out->relative = true;
	if (k && !k->konst)
		return;
	if (upper && at <= 1)
		out->side[CAUSAL_BEYOND] = x->side[CAUSAL_BEYOND];
	else if (!upper && at <= 0)
		out->side[CAUSAL_BEYOND] = known(0);
	if (is_known(&x->side[CAUSAL_WITHIN], 0))
		out->side[CAUSAL_WITHIN] = known(0);
}

static causal_fact filled(const tarn_node *n)
{
	const tarn_attr *v = &n->attr[tarn_attr_index(n->op, "value")];
	double value = v->set && v->t ? tarn_tensor_f64(v->t, 0) : 0;
	return (causal_fact){.side = {known(value), known(value)}};
}

void tarn_causal_follow(const tarn_node *n, const causal_fact *in, causal_fact *out)
{
	*out = (causal_fact){0};
	if (is(n, "ConstantOfShape")) {
		*out = filled(n);
		return;
	}
	if (is(n, "Trilu")) {
		triangle(n, &in[0], out);
		return;
	}
	for (int s = 0; s < CAUSAL_SIDES; s++) {
		const causal_side x[3] = {in[0].side[s], in[1].side[s], in[2].side[s]};
		out->side[s] = apply(n, x);
	}
	/* One number on each side, whatever it was made of, no longer tells where the call began. */
	bool settled = out->side[CAUSAL_BEYOND].known && out->side[CAUSAL_WITHIN].known;
	out->relative = (in[0].relative || in[1].relative || in[2].relative) && !settled;
}

/* ---- stored masks ---- */

/* One value above the diagonal of the last two axes, one on and below it? */
static bool is_triangle(const tarn_tensor *t, causal_side *side)
{
	int64_t rows = t->rank < 2 ? 0 : t->dim[t->rank - 2], cols = t->rank < 2 ? 0 : t->dim[t->rank - 1];
	int64_t total = rows && cols ? tarn_tensor_count(t) : 0;
	for (int64_t k = 0; k < total; k++) {
		double v = tarn_tensor_f64(t, k);
		causal_side *s = &side[k % cols > k / cols % rows ? CAUSAL_BEYOND : CAUSAL_WITHIN];
		if (s->known && s->value != v)
			return false;
		*s = known(v);
	}
	return side[CAUSAL_BEYOND].known && side[CAUSAL_WITHIN].known;
}

void tarn_causal_slice(const causal *c, const tarn_node *n, causal_fact *out)
{
	const tarn_value *x = n->in[0], *axes = n->n_in > 3 ? n->in[3] : NULL;
	int rank = x->shape.rank, axis = -1;
	causal_fact from = c->fact[x->id];
	if (x->konst && tarn_tensor_count(x->konst) <= CAUSAL_MASK_ELEMENTS)
		from.stored = is_triangle(x->konst, from.kept);
	if (!from.stored || !axes || !axes->konst || tarn_tensor_count(axes->konst) != 1 ||
	    tarn_shape_axis(rank, tarn_tensor_i64(axes->konst, 0), &axis) != TARN_OK)
		return;
	causal_fact start = tarn_causal_fact_of(c, n->in[1]);
	/* rows from the past on, columns from the first one on: each row is then where its position stands */
	bool rows = !from.rows && axis == rank - 2 && start.number && start.at[CAUSAL_PAST] == 1 && !start.at[CAUSAL_STEP] &&
		    !start.at[CAUSAL_ONE];
	bool cols =
		axis == rank - 1 && start.number && !start.at[CAUSAL_PAST] && !start.at[CAUSAL_STEP] && !start.at[CAUSAL_ONE];
	if (!rows && !cols)
		return;
	out->stored = true;
	out->rows = from.rows || rows;
	out->cols = from.cols || cols;
	memcpy(out->kept, from.kept, sizeof out->kept);
	if (out->rows && out->cols)
		memcpy(out->side, from.kept, sizeof out->side);
}
