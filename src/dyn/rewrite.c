/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk over the graph: what each node needs of its padded inputs (the operator's pad slot), and the repair.
 *
 * Shape arithmetic stays as it is and so gives the maximum sizes; where the length is used as a number, the number is computed
 * from the valid lengths instead.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "dyn/dyn.h"

static bool value_mentions(const tarn_dyn *d, const tarn_value *v, tarn_dim sym)
{
	for (int i = 0; v && i < v->shape.rank; i++)
		if (tarn_dyn_mentions(d, v->shape.dim[i], sym))
			return true;
	for (int i = 0; v && i < v->n_known; i++)
		if (tarn_dyn_mentions(d, v->known[i], sym))
			return true;
	return false;
}

/* The first dimension that the axis, or else the node, has to do with. */
static const char *culprit(const tarn_dyn *d, const tarn_node *n, int axis)
{
	for (int b = 0; b < d->n_bound; b++)
		for (int i = 0; i < n->n_in + n->n_out; i++) {
			const tarn_value *v = i < n->n_in ? n->in[i] : n->out[i - n->n_in];
			if (v && axis < v->shape.rank && tarn_dyn_mentions(d, v->shape.dim[axis], d->bound[b].sym))
				return d->bound[b].name;
		}
	for (int b = 0; b < d->n_bound; b++)
		for (int i = 0; i < n->n_in + n->n_out; i++)
			if (value_mentions(d, i < n->n_in ? n->in[i] : n->out[i - n->n_in], d->bound[b].sym))
				return d->bound[b].name;
	return d->bound[0].name;
}

tarn_err tarn_dyn_refuse(const tarn_dyn *d, const tarn_node *n, int axis, const char *why)
{
	return tarn_err_set(TARN_UNSUPPORTED, "'%s' cannot be padded: axis %d of node '%s' (%s): %s", culprit(d, n, axis), axis,
			    n->name, n->op->name, why);
}

/* ---- sizes of results ---- */

static bool padded(tarn_dyn *d, const tarn_node *n)
{
	for (int i = 0; i < n->n_in; i++)
		if (tarn_dyn_axes(d, n->in[i]))
			return true;
	return false;
}

static tarn_err refuse_longer(tarn_dyn *d, const tarn_node *n, int axis, int64_t length)
{
	char why[120];
	if (length < 0)
		return tarn_dyn_refuse(d, n, axis, "its result shrinks as the length grows");
	snprintf(why, sizeof why, "its result shrinks as the length grows: it is longer at %lld than at the maximum",
		 (long long)length);
	return tarn_dyn_refuse(d, n, axis, why);
}

static tarn_err check_outputs(tarn_dyn *d, const tarn_node *n)
{
	int64_t length;
	for (int i = 0; i < n->n_out; i++) {
		const tarn_value *v = n->out[i];
		if (!v)
			continue;
		if (v->shape.rank < 0)
			return tarn_dyn_refuse(d, n, 0, "the shape of its result is not known");
		for (int k = 0; k < v->shape.rank; k++) {
			tarn_dim x = v->shape.dim[k];
			if (tarn_dyn_opaque(d, x))
				return tarn_dyn_refuse(d, n, k, "the size of its result depends on data");
			if (!tarn_dyn_longest(d, x, &length))
				return refuse_longer(d, n, k, length);
			if (tarn_dyn_depends(d, x) && tarn_dyn_max(d, x) < 0)
				return tarn_dyn_refuse(d, n, k,
						       "its size also depends on another free dimension; bound that too");
		}
	}
	return TARN_OK;
}

/* ---- the length as a number ---- */

/* Inputs that say sizes, not numbers; they are meant at the maximum. */
static bool says_sizes(const tarn_node *n, int i)
{
	static const struct {
		const char *op;
		unsigned inputs;
	} table[] = {{"Reshape", 2}, {"Expand", 2},    {"ConstantOfShape", 1}, {"Tile", 2}, {"Slice", 30},
		     {"Pad", 2},     {"Resize", 14},   {"Range", 7},           {"TopK", 2}, {"Split", 2},
		     {"OneHot", 2},  {"Unsqueeze", 2}, {"Upsample", 14}};
	for (size_t k = 0; k < sizeof table / sizeof *table; k++)
		if (!strcmp(n->op->name, table[k].op))
			return table[k].inputs >> i & 1;
	return false;
}

static bool is_length(tarn_dyn *d, const tarn_value *v)
{
	for (int k = 0; v && k < v->n_known; k++)
		if (tarn_dyn_depends(d, v->known[k]))
			return true;
	return false;
}

static bool all_known(const tarn_node *n)
{
	for (int i = 0; i < n->n_out; i++)
		if (n->out[i] && !n->out[i]->known)
			return false;
	return true;
}

static tarn_err numbers(tarn_dyn *d, tarn_node *n)
{
	if (all_known(n))
		return TARN_OK; /* shape arithmetic; whoever reads it decides */
	for (int i = 0; i < n->n_in; i++) {
		if (!is_length(d, n->in[i]) || says_sizes(n, i))
			continue;
		n->in[i] = tarn_dyn_number(d, n->in[i]);
		d->cost.numbers++;
		TRY(tarn_err_note(tarn_dyn_done(d), "in node '%s' (%s)", n->name, n->op->name));
	}
	return TARN_OK;
}

/* ---- needs ---- */

tarn_pad tarn_dyn_need(tarn_symtab *syms, const tarn_node *n, int input, int axis)
{
	tarn_pad p = {.node = n,
		      .input = input,
		      .axis = axis,
		      .syms = syms,
		      .need = TARN_PAD_UNSAFE,
		      .why = "nothing is known of how it treats padding"};
	if (n->op->pad)
		n->op->pad(&p);
	else if (n->op->flags & TARN_OP_ELEMENTWISE)
		p.need = TARN_PAD_ANY;
	return p;
}

static double fill_of(const tarn_pad *p)
{
	switch (p->need) {
	case TARN_PAD_ONE:
		return 1;
	case TARN_PAD_VALUE:
		return p->value;
	case TARN_PAD_LOWEST:
		return -INFINITY;
	case TARN_PAD_HIGHEST:
		return INFINITY;
	default:
		return 0;
	}
}

/* What one input needs along all its padded axes. */
typedef struct needs {
	uint32_t fill, edge, place, mean;
	double value;
	const char *why;
} needs;

/* The axes of an input to ask about: those that are padded; and where elements are cut out or moved along an axis of fixed
 * size, those of the result, which may begin at a length. */
static uint32_t axes_of(tarn_dyn *d, const tarn_node *n, int input)
{
	static const char *const cuts[] = {"Resize", "Slice", "Pad", "Split"};
	uint32_t axes = tarn_dyn_axes(d, n->in[input]);
	for (size_t i = 0; i < sizeof cuts / sizeof *cuts && !input; i++)
		for (int k = 0; k < n->n_out && !strcmp(n->op->name, cuts[i]); k++)
			axes |= tarn_dyn_axes(d, n->out[k]);
	return axes;
}

static tarn_err ask(tarn_dyn *d, const tarn_node *n, int input, needs *x)
{
	uint32_t axes = axes_of(d, n, input);
	*x = (needs){0};
	for (int a = 0; a < TARN_MAX_RANK; a++) {
		if (!(axes >> a & 1))
			continue;
		tarn_pad p = tarn_dyn_need(&d->m->syms, n, input, a);
		switch (p.need) {
		case TARN_PAD_ANY:
			break;
		case TARN_PAD_UNSAFE:
			return tarn_dyn_refuse(d, n, a, p.why);
		case TARN_PAD_EDGE:
			x->edge |= 1u << a;
			break;
		case TARN_PAD_PLACE:
			x->place |= 1u << a;
			x->why = p.why;
			break;
		default:
			if (x->fill && x->value != fill_of(&p))
				return tarn_dyn_refuse(d, n, a, "two of its padded axes need different padding");
			x->fill |= 1u << a;
			x->value = fill_of(&p);
			x->mean |= (uint32_t)(p.need == TARN_PAD_MEAN) << a;
		}
	}
	return TARN_OK;
}

/* The axes a ReduceMean runs over; 0 when they are not an attribute. */
static uint32_t mean_axes(const tarn_node *n)
{
	const tarn_attr *a = &n->attr[tarn_attr_index(n->op, "axes")];
	int rank = n->in[0]->shape.rank;
	uint32_t axes = 0;
	if (n->n_in > 1 && n->in[1])
		return 0;
	for (int i = 0; a->set && i < a->ints.n; i++)
		axes |= 1u << (a->ints.at[i] < 0 ? a->ints.at[i] + rank : a->ints.at[i]);
	return axes ? axes : (1u << rank) - 1;
}

/* Few elements: their sum, divided by how many there are, as a mean is computed. NULL when there are many, whose sum may leave
 * the range of f16. */
static tarn_value *mean_by_sum(tarn_dyn *d, const tarn_node *n)
{
	enum { FEW = 512 };
	int64_t list[TARN_MAX_RANK], most = 1;
	int count = 0;
	if (strcmp(n->op->name, "ReduceMean") || !mean_axes(n))
		return NULL;
	for (int a = 0; a < n->in[0]->shape.rank; a++)
		if (mean_axes(n) >> a & 1) {
			int64_t size = tarn_dyn_max(d, n->in[0]->shape.dim[a]);
			list[count++] = a;
			most = size < 1 || size > FEW ? FEW + 1 : most * size;
			most = most > FEW ? FEW + 1 : most;
		}
	if (most > FEW)
		return NULL;
	int keep = tarn_attr_index(n->op, "keepdims");
	tarn_value *sum = tarn_dyn_op_attr(d, "ReduceSum", n->out[0]->type, "keepdims", tarn_attr_i(n, keep), n->in[0],
					   tarn_dyn_dims(d, list, count), NULL);
	return tarn_dyn_op(d, "Div", n->out[0]->type, sum, tarn_dyn_count(d, &n->in[0]->shape, mean_axes(n), n->out[0]), NULL);
}

/* A mean over everything, made one over what is valid. */
static tarn_err rescale(tarn_dyn *d, tarn_node *n, uint32_t axes)
{
	tarn_value *y = n->out[0];
	if (!tarn_dtype_is_float(y->type))
		return tarn_dyn_refuse(d, n, 0, "a mean of integers is rounded before it can be corrected");
	tarn_value *z = mean_by_sum(d, n);
	if (!z)
		z = tarn_dyn_op(d, "Mul", y->type, y, tarn_dyn_excess(d, &n->in[0]->shape, axes, y), NULL);
	TRY(tarn_dyn_done(d));
	z->shape = y->shape;
	tarn_dyn_replace(d, y, z, z->def);
	d->cost.scales++;
	tarn_dyn_charge(d, z);
	return TARN_OK;
}

static tarn_dyn_place place_of(const tarn_node *n);

static tarn_err place(tarn_dyn *d, tarn_node *n, const needs *x)
{
	tarn_dyn_place fn = place_of(n);
	bool done = false;
	int axis = 0;
	while (!(x->place >> axis & 1))
		axis++;
	if (fn)
		TRY(tarn_err_note(fn(d, n, x->place, &done), "in node '%s' (%s)", n->name, n->op->name));
	return done ? TARN_OK : tarn_dyn_refuse(d, n, axis, x->why);
}

static tarn_err repair(tarn_dyn *d, tarn_node *n)
{
	needs first = {0};
	for (int i = 0; i < n->n_in; i++) {
		needs x;
		if (!n->in[i] || n->in[i]->shape.rank < 0)
			continue;
		TRY(ask(d, n, i, &x));
		if (x.fill)
			n->in[i] = tarn_dyn_masked(d, n->in[i], x.fill, x.value);
		for (int a = 0; a < TARN_MAX_RANK; a++)
			if (x.edge >> a & 1)
				n->in[i] = tarn_dyn_edge(d, n->in[i], a);
		TRY(tarn_err_note(tarn_dyn_done(d), "in node '%s' (%s)", n->name, n->op->name));
		if (!i || (!first.place && x.place))
			first = x;
	}
	if (first.place)
		return place(d, n, &first);
	return first.mean ? rescale(d, n, first.mean) : TARN_OK;
}

/* Which inputs broadcast, and how many of their last axes do not. */
static uint32_t broadcasts(const tarn_node *n, int *behind)
{
	static const struct {
		const char *op;
		uint32_t inputs;
		int behind;
	} table[] = {{"Expand", 1, 0},      {"Gemm", 4, 0},          {"MatMul", 3, 2},
		     {"FusedMatMul", 3, 2}, {"MatMulInteger", 3, 2}, {"QLinearMatMul", 1 | 1 << 3, 2}};
	*behind = 0;
	if (n->op->flags & TARN_OP_ELEMENTWISE)
		return UINT32_MAX;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (!strcmp(n->op->name, table[i].op)) {
			*behind = table[i].behind;
			return table[i].inputs;
		}
	return 0;
}

/* Where two sizes meet that are not the same expression, one may be 1 at some lengths and then is repeated. */
static tarn_err stretch_input(tarn_dyn *d, tarn_node *n, int i, int behind, int before)
{
	const tarn_value *y = n->out[0];
	for (int a = 0; a < n->in[i]->shape.rank - behind; a++) {
		tarn_dim x = n->in[i]->shape.dim[a];
		int at = before - (n->in[i]->shape.rank - behind) + a;
		if (at < 0 || x >= 0 || !tarn_dyn_depends(d, x) || x == y->shape.dim[at])
			continue;
		if (tarn_dyn_may_empty(d, x, y->shape.dim[at]))
			return tarn_dyn_refuse(d, n, at, "what it stretches may have no elements");
		if (!tarn_dyn_may_stretch(d, x, y->shape.dim[at]))
			continue;
		n->in[i] = tarn_dyn_edge(d, n->in[i], a);
		TRY(tarn_err_note(tarn_dyn_done(d), "in node '%s' (%s)", n->name, n->op->name));
	}
	return TARN_OK;
}

/* Integers that nothing is divided by, as the result is empty at that length, may be 0 in the model: they are 1 then. */
static tarn_err divide_by_used(tarn_dyn *d, tarn_node *n)
{
	const tarn_value *y = n->out[0], *by = n->in[1];
	bool divides = !strcmp(n->op->name, "Div") || !strcmp(n->op->name, "Mod");
	if (!divides || tarn_dtype_is_float(by->type) || by->konst || all_known(n))
		return TARN_OK;
	tarn_shape shape = by->shape.rank ? by->shape : (tarn_shape){.rank = 1, .dim = {1}};
	int before = y->shape.rank - by->shape.rank;
	for (int a = 0; a < y->shape.rank; a++) {
		tarn_dim size = y->shape.dim[a];
		if (!tarn_dyn_depends(d, size) || (a >= before && by->shape.dim[a - before] == size) ||
		    !tarn_dyn_may_empty(d, size, 1))
			continue;
		tarn_value *length = tarn_dyn_length(d, size);
		if (tarn_dyn_is_per_sample(d, length))
			return tarn_dyn_refuse(d, n, a, "samples of no elements divide by nothing");
		tarn_value *used = tarn_dyn_op(d, "Less", TARN_BOOL, tarn_dyn_int(d, 0), length, NULL);
		n->in[1] = tarn_dyn_op(d, "Where", by->type, used, n->in[1], tarn_dyn_scalar(d, by->type, 1));
		TRY(tarn_err_note(tarn_dyn_done(d), "in node '%s' (%s)", n->name, n->op->name));
		n->in[1] = tarn_dyn_shaped(d, n->in[1], &shape);
		d->cost.masks++;
		tarn_dyn_charge(d, n->in[1]);
	}
	return tarn_dyn_done(d);
}

static tarn_err stretch(tarn_dyn *d, tarn_node *n)
{
	const tarn_value *y = n->out[0];
	int behind, before = 0;
	uint32_t inputs = broadcasts(n, &behind);
	if (!inputs || !y)
		return TARN_OK;
	for (int a = 0; a < y->shape.rank; a++)
		if (tarn_dyn_may_empty(d, y->shape.dim[a], y->shape.dim[a]))
			return tarn_dyn_refuse(d, n, a, "what it stretches may have no elements");
	for (int i = 0; i < n->n_in; i++) /* axes that broadcast: of the result, or before the matrices of a product */
		if (behind && inputs >> (i < 32 ? i : 31) & 1 && n->in[i] && n->in[i]->shape.rank - behind > before)
			before = n->in[i]->shape.rank - behind;
	for (int i = 0; i < n->n_in; i++)
		if (inputs >> (i < 32 ? i : 31) & 1 && n->in[i])
			TRY(stretch_input(d, n, i, behind, behind ? before : y->shape.rank));
	return TARN_OK;
}

/* Operators whose result's size alone hangs on a length. */
static tarn_err made_of_sizes(tarn_dyn *d, tarn_node *n)
{
	bool done = false;
	if (strcmp(n->op->name, "Range") || all_known(n))
		return TARN_OK;
	return tarn_err_note(tarn_dyn_range(d, n, 0, &done), "in node '%s' (%s)", n->name, n->op->name);
}

/* The size that a branch compares with a number; false when it does something else. */
static bool compared(const tarn_value *v, tarn_dim *size, int64_t *number)
{
	while (v->def && v->def->n_in && v->def->in[0] && v->def->op->flags & (TARN_OP_ELEMENTWISE | TARN_OP_VIEW) &&
	       strcmp(v->def->op->name, "Equal"))
		v = v->def->in[0];
	if (!v->def || strcmp(v->def->op->name, "Equal"))
		return false;
	for (int i = 0; i < 2; i++) {
		const tarn_value *a = v->def->in[i], *b = v->def->in[1 - i];
		if (a->n_known != 1 || a->konst || !b->konst || tarn_tensor_count(b->konst) != 1)
			continue;
		*size = a->known[0];
		*number = tarn_tensor_i64(b->konst, 0);
		return true;
	}
	return false;
}

static tarn_err refuse_control(tarn_dyn *d, const tarn_node *n)
{
	tarn_dim size, sym;
	int64_t number, last = 0;
	char why[160];
	if (strcmp(n->op->name, "If") || !compared(n->in[0], &size, &number) ||
	    !tarn_dyn_same_until(d, size, number, &sym, &last))
		return tarn_dyn_refuse(d, n, 0, "control flow is not analysed");
	snprintf(why, sizeof why,
		 "which branch it takes changes with the length; up to %lld it is the same one: give that as the maximum",
		 (long long)last);
	return tarn_dyn_refuse(d, n, 0, why);
}

static bool touched(tarn_dyn *d, const tarn_node *n)
{
	bool yes = padded(d, n);
	for (int i = 0; i < n->n_in && !yes; i++)
		yes = is_length(d, n->in[i]);
	for (int i = 0; i < n->n_out && !yes; i++)
		yes = tarn_dyn_axes(d, n->out[i]);
	return yes;
}

static tarn_err visit(tarn_dyn *d, tarn_node *n)
{
	if (!touched(d, n))
		return TARN_OK;
	if (n->op->flags & TARN_OP_CONTROL || n->n_body)
		return refuse_control(d, n);
	if (n->op->flags & TARN_OP_DATA_SHAPE && padded(d, n))
		return tarn_dyn_refuse(d, n, 0, "the size of its result depends on data");
	TRY(check_outputs(d, n));
	TRY(tarn_dyn_check_samples(d, n));
	TRY(numbers(d, n));
	TRY(repair(d, n));
	TRY(made_of_sizes(d, n));
	TRY(divide_by_used(d, n));
	TRY(stretch(d, n));
	return tarn_dyn_flow(d, n);
}

tarn_err tarn_dyn_rewrite(tarn_dyn *d)
{
	tarn_graph *g = d->g;
	size_t count = g->node.len;
	tarn_node **node = tarn_arena_zalloc(&d->arena, count + 1, sizeof *node);
	if (!node)
		return tarn_err_nomem(count * sizeof *node);
	memcpy(node, g->node.at, count * sizeof *node);
	for (size_t i = 0; i < count; i++) /* while their conditions are still arithmetic on sizes */
		if ((node[i]->op->flags & TARN_OP_CONTROL || node[i]->n_body) && touched(d, node[i]))
			return refuse_control(d, node[i]);
	for (size_t i = 0; i < count; i++)
		TRY(visit(d, node[i]));
	for (size_t i = 0; i < g->output.len; i++)
		if (is_length(d, g->output.at[i])) {
			tarn_value *v = g->output.at[i], *x = tarn_dyn_number(d, v);
			TRY(tarn_dyn_done(d));
			g->output.at[i] = x;
			const char *name = v->name;
			TRY(tarn_value_rename(g, v, "sizes"));
			TRY(tarn_value_rename(g, x, name));
			d->cost.numbers++;
		}
	return tarn_dyn_done(d);
}

/* ---- which operators are written anew by whom ---- */

static tarn_dyn_place place_of(const tarn_node *n)
{
	static const struct {
		const char *op;
		tarn_dyn_place fn;
	} table[] = {
		{"Concat", tarn_dyn_concat},      {"Slice", tarn_dyn_slice},
		{"Split", tarn_dyn_split},        {"Pad", tarn_dyn_pad},
		{"Tile", tarn_dyn_tile},          {"Gather", tarn_dyn_gather},
		{"Reshape", tarn_dyn_view},       {"Flatten", tarn_dyn_view},
		{"Conv", tarn_dyn_window},        {"MaxPool", tarn_dyn_window},
		{"AveragePool", tarn_dyn_window}, {"LpPool", tarn_dyn_window},
		{"LSTM", tarn_dyn_recurrent},     {"GRU", tarn_dyn_recurrent},
		{"RNN", tarn_dyn_recurrent},      {"GatherElements", tarn_dyn_gather},
		{"GatherND", tarn_dyn_gather_nd}, {"ScatterElements", tarn_dyn_scatter},
		{"ScatterND", tarn_dyn_scatter},  {"GridSample", tarn_dyn_sample},
		{"Resize", tarn_dyn_resize},
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (!strcmp(n->op->name, table[i].op))
			return table[i].fn;
	return NULL;
}
