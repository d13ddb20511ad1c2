/* SPDX-License-Identifier: Apache-2.0 */
/* Normalisations over a padded axis, and whatever else decomposes, written in operators that can be repaired. */
#include <string.h>

#include "dyn/dyn.h"

/* ---- building ---- */

static tarn_value *with_axes(tarn_dyn *d, const char *op, tarn_value *x, const int64_t *axes, int count)
{
	tarn_node *n;
	const tarn_op_def *def = tarn_op_find(NULL, op);
	if (d->err == TARN_OK)
		d->err = tarn_node_new(d->g, def, NULL, 1, 1, -1, &n);
	if (d->err == TARN_OK)
		d->err = tarn_attr_set_ints(d->g, n, tarn_attr_index(def, "axes"), axes, count);
	if (d->err != TARN_OK)
		return NULL;
	n->in[0] = x;
	n->out[0]->type = x->type;
	return n->out[0];
}

static tarn_value *op2(tarn_dyn *d, const char *op, tarn_value *a, tarn_value *b)
{
	return d->err == TARN_OK ? tarn_dyn_op(d, op, a->type, a, b, NULL) : NULL;
}

static tarn_value *op1(tarn_dyn *d, const char *op, tarn_value *a)
{
	return d->err == TARN_OK ? tarn_dyn_op(d, op, a->type, a, NULL, NULL) : NULL;
}

/* (x - mean) and, with `variance`, divided by the deviation. Numbers that are almost equal are divided by next to nothing when
 * epsilon is tiny: then what rounding has left of the mean is taken away, too. */
static tarn_value *standard(tarn_dyn *d, tarn_value *x, const int64_t *axes, int count, bool variance, double eps, bool outside)
{
	const double tiny = 1e-4; /* as a deviation */
	tarn_value *c = op2(d, "Sub", x, with_axes(d, "ReduceMean", x, axes, count));
	if (!variance || d->err != TARN_OK)
		return c;
	if (eps < (outside ? tiny : tiny * tiny))
		c = op2(d, "Sub", c, with_axes(d, "ReduceMean", c, axes, count));
	tarn_value *v = with_axes(d, "ReduceMean", op2(d, "Mul", c, c), axes, count), *e = tarn_dyn_scalar(d, x->type, eps);
	v = outside ? op2(d, "Add", op1(d, "Sqrt", v), e) : op1(d, "Sqrt", op2(d, "Add", v, e));
	return op2(d, "Div", c, v);
}

/* One number for each channel, beside `behind` more axes. */
static tarn_value *channels(tarn_dyn *d, tarn_value *v, int behind)
{
	int64_t axes[TARN_MAX_RANK];
	for (int i = 0; i < behind; i++)
		axes[i] = i + 1;
	return behind ? tarn_dyn_op(d, "Unsqueeze", v->type, v, tarn_dyn_dims(d, axes, behind), NULL) : v;
}

/* ---- normalisations ---- */

static int64_t int_attr(const tarn_node *n, const char *name)
{
	int i = tarn_attr_index(n->op, name);
	return i < 0 ? 0 : tarn_attr_i(n, i);
}

static double float_attr(const tarn_node *n, const char *name)
{
	return tarn_attr_f(n, tarn_attr_index(n->op, name));
}

static int from(int64_t *axes, int first, int rank)
{
	for (int i = first; i < rank; i++)
		axes[i - first] = i;
	return rank - first;
}

static tarn_value *instance(tarn_dyn *d, tarn_node *n)
{
	int64_t axes[TARN_MAX_RANK];
	int rank = n->in[0]->shape.rank, count = from(axes, 2, rank);
	tarn_value *y = standard(d, n->in[0], axes, count, true, float_attr(n, "epsilon"), false);
	y = op2(d, "Mul", y, channels(d, n->in[1], rank - 2));
	return op2(d, "Add", y, channels(d, n->in[2], rank - 2));
}

static tarn_value *layer(tarn_dyn *d, tarn_node *n)
{
	int64_t axes[TARN_MAX_RANK], axis = int_attr(n, "axis");
	int rank = n->in[0]->shape.rank, count = from(axes, (int)(axis < 0 ? axis + rank : axis), rank);
	if (n->n_out > 1 && (n->out[1] || (n->n_out > 2 && n->out[2])))
		return NULL;
	tarn_value *y = standard(d, n->in[0], axes, count, true, float_attr(n, "epsilon"), false);
	y = op2(d, "Mul", y, n->in[1]);
	return n->n_in > 2 && n->in[2] ? op2(d, "Add", y, n->in[2]) : y;
}

static tarn_value *mean_variance(tarn_dyn *d, tarn_node *n)
{
	static const int64_t usual[] = {0, 2, 3};
	const tarn_attr *a = &n->attr[tarn_attr_index(n->op, "axes")];
	return standard(d, n->in[0], a->set ? a->ints.at : usual, a->set ? a->ints.n : 3, true, 1e-9, true);
}

static tarn_value *mvn(tarn_dyn *d, tarn_node *n)
{
	int64_t axes[TARN_MAX_RANK];
	const tarn_tensor *t = n->in[1]->konst;
	if (!t || tarn_tensor_count(t) > TARN_MAX_RANK)
		return NULL;
	for (int i = 0; i < tarn_tensor_count(t); i++)
		axes[i] = tarn_tensor_i64(t, i);
	return standard(d, n->in[0], axes, (int)tarn_tensor_count(t), int_attr(n, "normalize_variance"), float_attr(n, "eps"),
			tarn_attr_word_is(n, tarn_attr_index(n->op, "eps_mode"), "outside_sqrt"));
}

/* Channels in groups get an axis of their own: [N, G, C/G, ...]. */
static tarn_value *groups(tarn_dyn *d, tarn_node *n)
{
	int64_t axes[TARN_MAX_RANK], parts = int_attr(n, "num_groups"), c = n->in[0]->shape.dim[1];
	int rank = n->in[0]->shape.rank, count = from(axes, 2, rank + 1);
	if (c < 0 || rank + 1 > TARN_MAX_RANK || parts < 1 || n->in[1]->shape.rank != 1 || n->in[1]->shape.dim[0] != c)
		return NULL;
	tarn_value *x = n->in[0], *shape = tarn_dyn_op(d, "Shape", TARN_I64, x, NULL, NULL), *to;
	int64_t first = 0, split[] = {parts, c / parts}, rest[TARN_MAX_RANK];
	for (int i = 2; i < rank; i++)
		rest[i - 2] = i;
	tarn_value *part[] = {
		tarn_dyn_op_attr(d, "Gather", TARN_I64, "axis", 0, shape, tarn_dyn_dims(d, &first, 1), NULL),
		tarn_dyn_dims(d, split, 2),
		tarn_dyn_op_attr(d, "Gather", TARN_I64, "axis", 0, shape, tarn_dyn_dims(d, rest, rank - 2), NULL)};
	to = tarn_dyn_op_attr(d, "Concat", TARN_I64, "axis", 0, part[0], part[1], part[2]);
	tarn_value *y = standard(d, tarn_dyn_op(d, "Reshape", x->type, x, to, NULL), axes, count, true,
				 float_attr(n, "epsilon"), false);
	y = d->err == TARN_OK ? tarn_dyn_op(d, "Reshape", x->type, y, shape, NULL) : NULL;
	y = op2(d, "Mul", y, channels(d, n->in[1], rank - 2));
	return op2(d, "Add", y, channels(d, n->in[2], rank - 2));
}

/* ---- the pass ---- */

static tarn_err expand_node(tarn_dyn *d, tarn_node *n, bool *changed)
{
	static const struct {
		const char *op;
		tarn_value *(*fn)(tarn_dyn *, tarn_node *);
	} table[] = {
		{"InstanceNormalization", instance},
		{"LayerNormalization", layer},
		{"GroupNormalization", groups},
		{"MeanVarianceNormalization", mean_variance},
		{"MVN", mvn},
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		if (strcmp(n->op->name, table[i].op))
			continue;
		tarn_value *y = table[i].fn(d, n);
		TRY(tarn_dyn_done(d));
		if (!y)
			return TARN_OK;
		tarn_graph_replace(d->g, n->out[0], y);
		*changed = true;
		return TARN_OK;
	}
	if (!n->op->decompose)
		return TARN_OK;
	*changed = true;
	return tarn_err_note(n->op->decompose(d->g, n), "in node '%s' (%s)", n->name, n->op->name);
}

static bool unsafe(tarn_dyn *d, const tarn_node *n)
{
	for (int i = 0; i < n->n_in; i++) {
		uint32_t axes = tarn_dyn_axes(d, n->in[i]);
		for (int a = 0; axes >> a; a++)
			if (axes >> a & 1 && tarn_dyn_need(&d->m->syms, n, i, a).need == TARN_PAD_UNSAFE)
				return true;
	}
	return false;
}

tarn_err tarn_dyn_expand(tarn_dyn *d)
{
	enum { MAX_DEPTH = 4 };
	for (int depth = 0; depth < MAX_DEPTH; depth++) {
		size_t count = d->g->node.len;
		bool any = false;
		tarn_node **node = tarn_arena_zalloc(&d->arena, count + 1, sizeof *node);
		if (!node)
			return tarn_err_nomem(count * sizeof *node);
		memcpy(node, d->g->node.at, count * sizeof *node);
		for (size_t i = 0; i < count; i++)
			if (unsafe(d, node[i]))
				TRY(expand_node(d, node[i], &any));
		if (!any)
			return TARN_OK;
		d->made.len = 0; /* what is shared later carries lengths; these may be swept */
		tarn_graph_sweep(d->g);
		TRY(tarn_graph_sort(d->g));
		TRY(tarn_graph_infer(d->g));
	}
	return TARN_OK;
}
