/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Can a long call be cut into several? When every position depends on itself, on earlier ones, and on where it stands in the
 * whole: not on later ones, nor on where the call began or how long it is.
 *
 * Each value is looked at along two axes: i, the positions of this call, and j, all positions so far. Integers are followed as
 * sums a i + b j + c past + d step + e; they say where a position stands only when i comes as i + past. Of values with both
 * axes it is known what they are beyond the present, at j > i + past: a mask makes them very negative, softmax then zero, and a
 * product that sums over j is causal when they are zero there. Everything else must treat positions one by one, as its `pad`
 * slot says.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "dyn/causal.h"
#include "ops/ops.h"

/* Operators that leave positions alone along an axis for which they need nothing of padding. Others may carry something along
 * (running sums, recurrences, windows). */
static const char *const pointwise[] = {
	"Cast",       "Concat",
	"Dropout",    "Einsum",
	"Expand",     "Flatten",
	"Gather",     "Gemm",
	"Identity",   "LayerNormalization",
	"LogSoftmax", "MVN",
	"MatMul",     "NormalizeL2",
	"ReduceL1",   "ReduceL2",
	"ReduceMax",  "ReduceMean",
	"ReduceMin",  "ReduceProd",
	"ReduceSum",  "ReduceSumSquare",
	"Reshape",    "Slice",
	"Softmax",    "Split",
	"Squeeze",    "Tile",
	"Transpose",  "Trilu",
	"Unsqueeze",  "Where",
};

static bool is(const tarn_node *n, const char *op)
{
	return n && !strcmp(n->op->name, op) && (!n->op->domain || !*n->op->domain);
}

static bool fails(causal *c, const tarn_node *n, const char *why)
{
	snprintf(c->p->whole, sizeof c->p->whole, "node '%s' (%s) %s", n->name, n->op->name, why);
	return false;
}

/* ---- axes ---- */

static bool is_total(const state_plan *p, tarn_dim d)
{
	state_linear x;
	if (d >= 0)
		return false;
	const tarn_sym *s = tarn_sym_get(&p->m->syms, d);
	if (s->op == TARN_SYM_MAX) /* two ways to say it, broadcast */
		return is_total(p, s->a) && is_total(p, s->b);
	return tarn_state_linear(p, d, &x) && x.at[STATE_PAST] == 1 && x.at[STATE_STEP] == 1 && !x.at[STATE_ONE];
}

/* The axis of v along the call's positions, or along all; -1: none, -2: several. */
static int axis_of(const causal *c, const tarn_value *v, bool total)
{
	int axis = -1;
	for (int k = 0; k < v->shape.rank; k++) {
		tarn_dim d = v->shape.dim[k];
		if (total ? !is_total(c->p, d) : d != c->p->step)
			continue;
		axis = axis == -1 ? k : -2;
	}
	return axis;
}

/* Sizes that depend on lengths in any other way are not followed. */
static bool axes_fit(causal *c, const tarn_node *n, const tarn_value *v)
{
	if (v->shape.rank < 0)
		return fails(c, n, "makes something of unknown shape");
	if (axis_of(c, v, false) == -2 || axis_of(c, v, true) == -2)
		return fails(c, n, "compares positions with one another");
	for (int k = 0; k < v->shape.rank; k++) {
		tarn_dim d = v->shape.dim[k];
		if (tarn_state_depends(c->p, d) && d != c->p->step && d != c->p->past && !is_total(c->p, d))
			return fails(c, n, "has a size computed from the length of a call");
	}
	return true;
}

/* ---- numbers ---- */

causal_fact tarn_causal_fact_of(const causal *c, const tarn_value *v)
{
	causal_fact f = c->fact[v->id];
	state_linear x;
	if (v->konst && tarn_tensor_count(v->konst) == 1) {
		double value = tarn_tensor_f64(v->konst, 0);
		f.side[CAUSAL_BEYOND] = f.side[CAUSAL_WITHIN] = (causal_side){true, value};
		if (tarn_dtype_is_int(v->type)) {
			f.number = true;
			f.at[CAUSAL_ONE] = tarn_tensor_i64(v->konst, 0);
		}
	} else if (v->n_known == 1 && tarn_state_linear(c->p, v->known[0], &x)) {
		f.number = true;
		f.at[CAUSAL_PAST] = x.at[STATE_PAST];
		f.at[CAUSAL_STEP] = x.at[STATE_STEP];
		f.at[CAUSAL_ONE] = x.at[STATE_ONE];
	}
	return f;
}

static bool is_absolute(const causal_fact *f)
{
	return !f->number || (f->at[CAUSAL_STEP] == 0 && f->at[CAUSAL_PAST] == f->at[CAUSAL_I]);
}

static bool is_constant(const causal_fact *f)
{
	return f->number && !f->at[CAUSAL_I] && !f->at[CAUSAL_J] && !f->at[CAUSAL_PAST] && !f->at[CAUSAL_STEP];
}

static void combine(const causal_fact *a, int64_t ka, const causal_fact *b, int64_t kb, causal_fact *out)
{
	out->number = true;
	for (int i = 0; i < CAUSAL_TERMS; i++)
		out->at[i] = ka * a->at[i] + kb * b->at[i];
}

static bool range(causal *c, const tarn_node *n, causal_fact *out)
{
	causal_fact start = tarn_causal_fact_of(c, n->in[0]), delta = tarn_causal_fact_of(c, n->in[2]);
	const tarn_value *y = n->out[0];
	if (!start.number || !is_constant(&delta))
		return fails(c, n, "counts from or in steps that are not known");
	*out = start;
	memset(out->side, 0, sizeof out->side);
	if (axis_of(c, y, false) == 0)
		out->at[CAUSAL_I] += delta.at[CAUSAL_ONE];
	else if (axis_of(c, y, true) == 0)
		out->at[CAUSAL_J] += delta.at[CAUSAL_ONE];
	else if (y->shape.dim[0] < 0)
		return fails(c, n, "counts something that is neither the positions of a call nor all");
	else
		out->number = false; /* plain data, if it begins at a plain number */
	if (!out->number && !is_constant(&start))
		return fails(c, n, "begins to count at a length");
	return true;
}

/* Sums and multiples of numbers are numbers. False when it is not such an operator. */
static bool arithmetic(const causal *c, const tarn_node *n, causal_fact *out)
{
	causal_fact a = tarn_causal_fact_of(c, n->in[0]), b = n->n_in > 1 && n->in[1] ? tarn_causal_fact_of(c, n->in[1]) : a;
	if (!a.number || !b.number)
		return false;
	if (is(n, "Add"))
		combine(&a, 1, &b, 1, out);
	else if (is(n, "Sub"))
		combine(&a, 1, &b, -1, out);
	else if (is(n, "Neg"))
		combine(&a, -1, &b, 0, out);
	else if (is(n, "Mul") && is_constant(&b))
		combine(&a, b.at[CAUSAL_ONE], &b, 0, out);
	else if (is(n, "Mul") && is_constant(&a))
		combine(&b, a.at[CAUSAL_ONE], &a, 0, out);
	else
		return false;
	return true;
}

/* Is this input only the size of something? */
static bool only_size(const tarn_node *n, int input)
{
	return tarn_state_is_size(n, input) || is(n, "Shape") || is(n, "Size");
}

/* Does a slice begin at the past, so that position i takes what stands at i + past? */
static bool begins_at_past(const causal *c, const tarn_node *n, const causal_fact *start)
{
	return is(n, "Slice") && start->at[CAUSAL_PAST] == 1 && !start->at[CAUSAL_STEP] && axis_of(c, n->out[0], false) >= 0 &&
	       (n->n_in < 5 || !n->in[4] || (n->in[4]->konst && tarn_tensor_i64(n->in[4]->konst, 0) == 1));
}

static bool absolute_inputs(causal *c, const tarn_node *n)
{
	for (int k = 0; k < n->n_in; k++) {
		causal_fact f = n->in[k] && !only_size(n, k) ? tarn_causal_fact_of(c, n->in[k]) : (causal_fact){0};
		if (!is_absolute(&f) && !(k == 1 && begins_at_past(c, n, &f)))
			return fails(c, n, "computes with where a call begins, or how long it is");
	}
	return true;
}

/* ---- either side of the present ---- */

static bool compare(causal *c, const tarn_node *n, causal_fact *out)
{
	causal_fact a = tarn_causal_fact_of(c, n->in[0]), b = tarn_causal_fact_of(c, n->in[1]), d = {0};
	combine(&a, 1, &b, -1, &d);
	*out = (causal_fact){0};
	if (!is_absolute(&d))
		return fails(c, n, "compares with where a call begins or ends");
	tarn_causal_compare(n, &d, out);
	return true;
}

static void follow(const causal *c, const tarn_node *n, causal_fact *out)
{
	causal_fact x[3] = {{0}};
	for (int i = 0; i < n->n_in && i < 3; i++)
		if (n->in[i])
			x[i] = tarn_causal_fact_of(c, n->in[i]);
	tarn_causal_follow(n, x, out);
}

/* ---- what an operator does along the positions ---- */

static tarn_pad_need need_of(const tarn_node *n, int input, int axis)
{
	tarn_pad p = {.node = n, .input = input, .axis = axis, .need = TARN_PAD_UNSAFE};
	if (n->op->pad)
		n->op->pad(&p);
	else if (n->op->flags & TARN_OP_ELEMENTWISE)
		p.need = TARN_PAD_ANY;
	return p.need;
}

static bool one_by_one(const tarn_node *n)
{
	if (n->op->flags & TARN_OP_ELEMENTWISE)
		return true;
	for (size_t i = 0; i < sizeof pointwise / sizeof *pointwise; i++)
		if (is(n, pointwise[i]))
			return true;
	return false;
}

/* Mixing over all positions is right for a softmax of what is masked, and for a product with what is zero beyond the present.
 */
static bool mixes_causally(causal *c, const tarn_node *n, causal_fact *out)
{
	causal_fact a = tarn_causal_fact_of(c, n->in[0]);
	const causal_side *x = &a.side[CAUSAL_BEYOND];
	*out = (causal_fact){0};
	if (is(n, "Softmax")) {
		if (axis_of(c, n->in[0], false) < 0 || !x->known || x->value > CAUSAL_MASK)
			return fails(c, n, "takes in positions later than each, for nothing masks them");
		out->side[CAUSAL_BEYOND] = (causal_side){true, 0};
		return true;
	}
	if (is(n, "MatMul")) {
		causal_fact b = tarn_causal_fact_of(c, n->in[1]);
		const causal_side *y = &b.side[CAUSAL_BEYOND];
		bool left = x->known && x->value == 0 && axis_of(c, n->in[0], false) >= 0 && axis_of(c, n->in[1], false) < 0;
		bool right = y->known && y->value == 0 && axis_of(c, n->in[1], false) >= 0 && axis_of(c, n->in[0], false) < 0;
		return left || right ? true : fails(c, n, "sums over all positions, later ones included");
	}
	return fails(c, n, "mixes positions");
}

static bool along(causal *c, const tarn_node *n, int input, bool total, bool *mixes)
{
	const tarn_value *v = n->in[input];
	int axis = axis_of(c, v, total);
	if (axis < 0)
		return true;
	if (need_of(n, input, axis) == TARN_PAD_ANY || (is(n, "Gather") && input == 1)) {
		if (!one_by_one(n))
			return fails(c, n, "may carry something from position to position");
		for (int i = 0; i < n->n_out; i++)
			if (n->out[i] && axis_of(c, n->out[i], total) < 0)
				return fails(c, n, "takes some positions and leaves others");
		return true;
	}
	if (!total)
		return fails(c, n, "mixes the positions of a call");
	*mixes = true;
	return true;
}

/* Lengths may enter as numbers that are followed, or as sizes. */
static bool inputs_fit(causal *c, const tarn_node *n)
{
	for (int k = 0; k < n->n_in; k++) {
		const tarn_value *v = n->in[k];
		bool mixes = false;
		if (!v || only_size(n, k))
			continue;
		for (int i = 0; i < v->n_known && !tarn_causal_fact_of(c, v).number; i++)
			if (tarn_state_depends(c->p, v->known[i]))
				return fails(c, n, "computes with lengths that are not followed");
		if (!along(c, n, k, false, &mixes) || !along(c, n, k, true, &mixes))
			return false;
		c->mixes |= mixes;
	}
	return true;
}

/* Operators through which it is followed what hangs on where a call begins. */
static bool passes_relative(const tarn_node *n)
{
	static const char *const ops[] = {"Add", "And", "Cast", "Div", "Expand",    "Identity", "Mul",
					  "Neg", "Not", "Or",   "Sub", "Transpose", "Trilu",    "Where"};
	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
		if (is(n, ops[i]))
			return true;
	return n->op->flags & TARN_OP_VIEW;
}

static bool all_absolute(causal *c, const tarn_node *n)
{
	for (int k = 0; k < n->n_in; k++)
		if (n->in[k] && tarn_causal_fact_of(c, n->in[k]).relative)
			return fails(c, n, "computes with where a call begins");
	return true;
}

/* An integer in another form. */
static bool passes_number(const causal *c, const tarn_node *n)
{
	bool form = n->op->flags & TARN_OP_VIEW || is(n, "Cast") || is(n, "Expand") || is(n, "Identity");
	return form && tarn_causal_fact_of(c, n->in[0]).number && tarn_dtype_is_int(n->out[0]->type);
}

static bool both_numbers(const causal *c, const tarn_node *n)
{
	return n->n_in == 2 && n->in[0] && n->in[1] && tarn_causal_fact_of(c, n->in[0]).number &&
	       tarn_causal_fact_of(c, n->in[1]).number;
}

static bool look_at(causal *c, const tarn_node *n)
{
	causal_fact *out = n->n_out && n->out[0] ? &c->fact[n->out[0]->id] : NULL;
	tarn_stream_answer stream = n->n_out == 1 && out && n->n_in ? tarn_state_streams(c, n) : TARN_STREAM_NONE;
	if (stream == TARN_STREAM_FITS)
		return !(n->op->flags & TARN_OP_ELEMENTWISE) || (absolute_inputs(c, n) && all_absolute(c, n));
	if (stream == TARN_STREAM_UNFIT)
		return fails(c, n, "is no part of a convolution that a state precedes");
	for (int i = 0; i < n->n_out; i++)
		if (n->out[i] && !axes_fit(c, n, n->out[i]))
			return false;
	if (is(n, "Range"))
		return range(c, n, out);
	for (size_t i = 0; i < c->p->slot.len; i++)
		if (c->p->slot.at[i].concat == n)
			return true; /* entry j is what position j left */
	if (n->n_body)
		return fails(c, n, "is control flow");
	if (tarn_state_is_recurrent(n) && axis_of(c, n->in[0], false) >= 0)
		return tarn_state_carries(c, n, axis_of(c, n->in[0], false)) ||
		       fails(c, n, "is no forward recurrence that begins with a state and gives it back");
	c->mixes = false;
	if (!inputs_fit(c, n))
		return false;
	if (!out || !n->n_in || !n->in[0])
		return absolute_inputs(c, n) && all_absolute(c, n);
	if (is(n, "Trilu") &&
	    (axis_of(c, n->in[0], false) != n->in[0]->shape.rank - 2 || axis_of(c, n->in[0], true) != n->in[0]->shape.rank - 1))
		return fails(c, n, "is a triangle of other axes than the positions of a call and all");
	if (c->mixes)
		return all_absolute(c, n) && mixes_causally(c, n, out);
	if (arithmetic(c, n, out))
		return true;
	if (passes_number(c, n)) {
		*out = tarn_causal_fact_of(c, n->in[0]);
		return true;
	}
	follow(c, n, out);
	if (is(n, "Slice"))
		tarn_causal_slice(c, n, out);
	if (both_numbers(c, n) && n->out[0]->type == TARN_BOOL)
		return compare(c, n, out);
	return absolute_inputs(c, n) && (passes_relative(n) || all_absolute(c, n));
}

/* ---- all of it ---- */

static bool is_arithmetic(const tarn_node *n)
{
	for (int i = 0; i < n->n_out; i++)
		if (n->out[i] && !n->out[i]->known)
			return false;
	return true;
}

static bool outputs_fit(causal *c)
{
	const tarn_graph *g = c->p->m->main;
	for (size_t i = 0; i < g->output.len; i++) {
		causal_fact f = tarn_causal_fact_of(c, g->output.at[i]);
		if (is_absolute(&f) && !f.relative)
			continue;
		snprintf(c->p->whole, sizeof c->p->whole, "output '%s' says where a call begins, or how long it is",
			 g->output.at[i]->name);
		return false;
	}
	return true;
}

tarn_err tarn_state_causal(state_plan *p)
{
	causal c = {.p = p};
	tarn_arena a = {0};
	const tarn_graph *g = p->m->main;
	if (!p->step)
		return TARN_OK;
	c.fact = tarn_arena_zalloc(&a, g->value.len + 1, sizeof *c.fact);
	tarn_err err = c.fact ? TARN_OK : tarn_err_nomem(g->value.len * sizeof *c.fact);
	for (size_t i = 0; err == TARN_OK && !p->whole[0] && i < g->node.len; i++)
		if (!is_arithmetic(g->node.at[i]))
			(void)look_at(&c, g->node.at[i]);
	if (err == TARN_OK && !p->whole[0])
		(void)outputs_fit(&c);
	for (size_t i = 0; err == TARN_OK && !p->whole[0] && i < p->slot.len; i++)
		if (p->slot.at[i].axis < 0 && !p->slot.at[i].carried)
			snprintf(p->whole, sizeof p->whole, "state '%s' is not known to be the same after each part of a call",
				 p->slot.at[i].in_name);
	tarn_arena_fini(&a);
	return err;
}
