/* SPDX-License-Identifier: Apache-2.0 */
/* Random operators; each function returns a value, or NULL when there is nothing to apply its operator to. Whether it suits
 * what it was given is for inference to say. */
#ifndef TARN_TESTS_UNIT_DYN_RANDOM_OPS_H
#define TARN_TESTS_UNIT_DYN_RANDOM_OPS_H

#include "unit/dyn/random_pick.h"

static tarn_value *elementwise(void)
{
	size_t n = 0;
	while (tarn_ops[n])
		n++;
	const tarn_op_def *op = NULL;
	while (!op || !(op->flags & TARN_OP_ELEMENTWISE) || op->min_in > 3)
		op = tarn_ops[between(0, (int)n - 1)];
	tarn_node *k;
	tarn_value *a = any(), *b = between(0, 2) ? any() : scalar(g, number() + 2);
	if (op->min_in == 3)
		a = node(g, "Less", a, b, NULL);
	if (!strcmp(op->name, "Cast"))
		return with_int(node(g, "Cast", a, NULL, NULL), "to", between(0, 1) ? TARN_I32 : TARN_F32);
	assert_ok(tarn_node_new(g, op, NULL, op->min_in, 1, -1, &k));
	tarn_value *in[] = {a, b, any()};
	for (int i = 0; i < op->min_in; i++)
		k->in[i] = in[i];
	return k->out[0];
}

static tarn_value *reduction(void)
{
	static const char *const all[] = {"ReduceMean", "ReduceSum", "ReduceMax",       "ReduceMin",       "ReduceProd",
					  "ReduceL1",   "ReduceL2",  "ReduceSumSquare", "ReduceLogSumExp", "ReduceLogSum"};
	const char *op = all[between(0, 9)];
	tarn_value *v = of_rank(1, 5), *r;
	int64_t axes[2], n = between(1, 2);
	if (!v)
		return NULL;
	axes[0] = axis_of(v);
	axes[1] = axis_of(v);
	if (axes[1] == axes[0])
		n = 1;
	if (!between(0, 5)) {
		r = node(g, op, v, NULL, NULL);
	} else if (!strcmp(op, "ReduceSum")) {
		r = node(g, op, v, list(axes, (int)n), NULL);
	} else {
		r = node(g, op, v, NULL, NULL);
		assert_ok(tarn_attr_set_ints(g, r->def, tarn_attr_index(r->def->op, "axes"), axes, (int)n));
	}
	return with_int(r, "keepdims", between(0, 1));
}

static tarn_value *along_axis(void)
{
	static const char *const all[] = {"Softmax", "LogSoftmax", "Hardmax", "ArgMax", "ArgMin", "LpNormalization"};
	tarn_value *v = of_rank(1, 5);
	return v ? with_int(node(g, all[between(0, 5)], v, NULL, NULL), "axis", axis_of(v)) : NULL;
}

static tarn_value *sorted(void)
{
	tarn_value *v = of_rank(1, 4), *k = ints(g, 1, between(1, 2));
	if (!v)
		return NULL;
	int axis = axis_of(v);
	if (between(0, 1))
		k = node(g, "Gather", node(g, "Shape", v, NULL, NULL), ints(g, 1, axis), NULL);
	tarn_node *n = node_with(g, "TopK", 2, v, k, NULL);
	set_int(n->out[0], "largest", between(0, 1));
	return with_int(n->out[between(0, 1)], "axis", axis);
}

static tarn_value *cumulative(void)
{
	tarn_value *v = of_rank(1, 4);
	if (!v)
		return NULL;
	tarn_value *c = node(g, "CumSum", v, ints(g, 1, axis_of(v)), NULL);
	return with_int(with_int(c, "reverse", between(0, 1)), "exclusive", between(0, 1));
}

static tarn_value *transposed(void)
{
	tarn_value *v = any();
	int64_t p[TARN_MAX_RANK];
	if (v->shape.rank < 2)
		return NULL;
	for (int i = 0; i < v->shape.rank; i++)
		p[i] = i;
	for (int i = 0; i < 3; i++) {
		int a = axis_of(v), b = axis_of(v);
		int64_t t = p[a];
		p[a] = p[b];
		p[b] = t;
	}
	tarn_value *y = node(g, "Transpose", v, NULL, NULL);
	if (!between(0, 5))
		return y;
	assert_ok(tarn_attr_set_ints(g, y->def, 0, p, v->shape.rank));
	return y;
}

/* Two axes made one, one made two, or everything flat. */
static tarn_value *reshaped(void)
{
	tarn_value *v = any();
	int64_t to[TARN_MAX_RANK + 1];
	int rank = v->shape.rank, n = 0, a = rank > 1 ? between(0, rank - 2) : 0;
	if (rank < 2)
		return NULL;
	if (!between(0, 3))
		return with_int(node(g, "Flatten", v, NULL, NULL), "axis", between(0, rank));
	tarn_value *shape = node(g, "Shape", v, NULL, NULL), *part[3] = {NULL};
	if (!between(0, 2)) { /* from the sizes of others: [.., a*b, ..] */
		tarn_value *x = node(g, "Gather", shape, ints(g, 1, a), NULL),
			   *y = node(g, "Gather", shape, ints(g, 1, a + 1), NULL);
		for (int i = 0; i < a && i < 1; i++)
			part[0] = node(g, "Gather", shape, ints(g, 1, 0), NULL);
		if (a > 1 || rank - a > 3)
			return NULL;
		part[1] = node(g, "Mul", x, y, NULL);
		if (a + 2 < rank)
			part[2] = node(g, "Gather", shape, ints(g, 1, a + 2), NULL);
		tarn_value *s = part[1];
		if (part[0])
			s = with_int(node(g, "Concat", part[0], s, NULL), "axis", 0);
		if (part[2])
			s = with_int(node(g, "Concat", s, part[2], NULL), "axis", 0);
		return node(g, "Reshape", v, s, NULL);
	}
	bool split = between(0, 1);
	for (int i = 0; i < rank; i++) {
		tarn_dim d = v->shape.dim[i];
		if (i == a && split && d > 1 && d % 2 == 0) {
			to[n++] = 2;
			to[n++] = d / 2;
		} else if (i == a && !split) {
			to[n++] = -1;
			i++;
		} else if (i < a) {
			to[n++] = 0;
		} else if (d >= 0) {
			to[n++] = d;
		} else {
			return NULL;
		}
	}
	return node(g, "Reshape", v, list(to, n), NULL);
}

static tarn_value *moved(void)
{
	tarn_value *v = any(), *w;
	int rank = v->shape.rank, axis = rank ? axis_of(v) : 0;
	if (rank < 1)
		return NULL;
	switch (between(0, 7)) {
	case 0:
		w = between(0, 1) ? v : any();
		return with_int(between(0, 1) ? node(g, "Concat", v, w, any()) : node(g, "Concat", v, w, NULL), "axis", axis);
	case 1: {
		tarn_node *n = node_with(g, "Split", 2, v, NULL, NULL);
		set_int(n->out[0], "axis", axis);
		return n->out[between(0, 1)];
	}
	case 2:
		return with_int(node(g, "Gather", v, ints(g, 2, between(-2, 1), between(-2, 1)), NULL), "axis", axis);
	case 3: {
		int64_t times[TARN_MAX_RANK];
		for (int i = 0; i < rank; i++)
			times[i] = i == axis ? between(1, 3) : 1;
		return node(g, "Tile", v, list(times, rank), NULL);
	}
	case 4:
		return node(g, "Unsqueeze", v, ints(g, 1, between(0, rank)), NULL);
	case 5:
		return between(0, 3) ? node(g, "Squeeze", v, ints(g, 1, axis), NULL) : node(g, "Squeeze", v, NULL, NULL);
	case 6:
		return node(g, "Expand", v, node(g, "Shape", any(), NULL, NULL), NULL);
	default:
		return node(g, "Trilu", v, NULL, NULL);
	}
}

static tarn_value *cut(void)
{
	tarn_value *v = any();
	tarn_node *n;
	if (v->shape.rank < 1)
		return NULL;
	int step = between(-2, 2), from = between(-3, 3), to = between(0, 1) ? 1 << 30 : between(-2, 4);
	step = step ? step : 1;
	if (step < 0) {
		from = between(0, 1) ? -1 : 1 << 30;
		to = -(1 << 30);
	}
	assert_ok(tarn_node_new(g, tarn_op_find(NULL, "Slice"), NULL, 5, 1, -1, &n));
	n->in[0] = v;
	n->in[1] = ints(g, 1, from);
	n->in[2] = ints(g, 1, to);
	n->in[3] = ints(g, 1, axis_of(v));
	n->in[4] = ints(g, 1, step);
	return n->out[0];
}

static tarn_value *bordered(void)
{
	tarn_value *v = of_rank(1, 4);
	int64_t pads[2 * TARN_MAX_RANK] = {0};
	if (!v)
		return NULL;
	for (int i = 0; i < 2 * v->shape.rank; i++)
		pads[i] = between(0, 2) ? 0 : between(-1, 2);
	tarn_value *p = node(g, "Pad", v, list(pads, 2 * v->shape.rank), between(0, 1) ? scalar(g, number()) : NULL);
	return with_int(p, "mode", between(0, 3));
}

static tarn_value *product(void)
{
	tarn_value *v = of_rank(2, 4);
	if (!v)
		return NULL;
	int r = v->shape.rank;
	tarn_dim last = v->shape.dim[r - 1];
	if (last > 0 && between(0, 1))
		return node(g, "MatMul", v, weights(g, dims(2, (int)last, 3)), NULL);
	if (!between(0, 3))
		return node(g, "MatMul", v, any(), NULL);
	tarn_value *t = node(g, "Transpose", v, NULL, NULL);
	int64_t p[TARN_MAX_RANK];
	for (int i = 0; i < r; i++)
		p[i] = i < r - 2 ? i : 2 * r - 3 - i;
	assert_ok(tarn_attr_set_ints(g, t->def, 0, p, r));
	return between(0, 1) ? node(g, "MatMul", v, t, NULL) : node(g, "MatMul", t, v, NULL);
}

/* Windows over the axes from 2 on. */
static tarn_value *windowed(void)
{
	static const char *const all[] = {"Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool"};
	int op = between(0, 4);
	tarn_value *v = of_rank(3, 4), *y;
	if (!v || (op < 2 && v->shape.dim[1] < 0))
		return NULL;
	int nd = v->shape.rank - 2, c = (int)v->shape.dim[1], k[2] = {between(1, 3), between(1, 3)};
	int64_t kernel[2] = {k[0], k[1]}, stride[2] = {between(1, 2), between(1, 2)}, dilation[2] = {between(1, 2), 1},
		pads[4] = {0};
	if (op < 2) {
		tarn_shape w = {.rank = nd + 2, .dim = {op ? c : 2, op ? 2 : c, k[0], k[1]}};
		y = node(g, all[op], v, weights(g, w), between(0, 1) ? weights(g, dims(1, 2)) : NULL);
	} else {
		y = node(g, all[op], v, NULL, NULL);
		assert_ok(tarn_attr_set_ints(g, y->def, tarn_attr_index(y->def->op, "kernel_shape"), kernel, nd));
		set_int(y, "ceil_mode", between(0, 1));
		if (op == 3)
			set_int(y, "count_include_pad", between(0, 1));
	}
	for (int i = 0; i < 2 * nd; i++)
		pads[i] = between(0, k[i % nd] - 1);
	assert_ok(tarn_attr_set_ints(g, y->def, tarn_attr_index(y->def->op, "strides"), stride, nd));
	if (between(0, 2))
		assert_ok(tarn_attr_set_ints(g, y->def, tarn_attr_index(y->def->op, "pads"), pads, 2 * nd));
	else
		set_int(y, "auto_pad", between(1, 3));
	if (op != 1 && !between(0, 2))
		assert_ok(tarn_attr_set_ints(g, y->def, tarn_attr_index(y->def->op, "dilations"), dilation, nd));
	return y;
}

static tarn_value *normalised(void)
{
	static const char *const one[] = {"GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", "LRN"};
	tarn_value *v = of_rank(3, 4);
	if (!v || v->shape.dim[1] < 0)
		return NULL;
	tarn_shape c = dims(1, (int)v->shape.dim[1]);
	int kind = between(0, 7);
	if (kind < 4) {
		tarn_value *y = node(g, one[kind], v, NULL, NULL);
		return kind == 3 ? with_int(y, "size", 3) : y;
	}
	if (kind == 4)
		return node(g, "InstanceNormalization", v, weights(g, c), weights(g, c));
	if (kind == 5)
		return with_int(node(g, "GroupNormalization", v, weights(g, c), weights(g, c)), "num_groups", 1);
	if (kind == 6)
		return with_int(node(g, "LayerNormalization", v, scalar(g, 2), NULL), "axis", axis_of(v));
	int64_t axes[2] = {axis_of(v), 0};
	tarn_value *y = node(g, "MeanVarianceNormalization", v, NULL, NULL);
	assert_ok(tarn_attr_set_ints(g, y->def, 0, axes, 1));
	return y;
}

static tarn_value *recurrent(void)
{
	static const char *const all[] = {"LSTM", "GRU", "RNN"};
	static const int gates[] = {4, 3, 1};
	tarn_value *v = of_rank(3, 3);
	if (!v || v->shape.dim[2] < 1)
		return NULL;
	int kind = between(0, 2), way = between(0, 2), d = way == 2 ? 2 : 1, h = 2;
	tarn_node *n = node_with(g, all[kind], 2, v, weights(g, dims(3, d, gates[kind] * h, (int)v->shape.dim[2])),
				 weights(g, dims(3, d, gates[kind] * h, h)));
	set_int(n->out[0], "direction", way);
	set_int(n->out[0], "layout", between(0, 1));
	int out = between(0, 1);
	n->out[1 - out] = NULL;
	return n->out[out];
}

static tarn_value *resized(void)
{
	tarn_value *v = of_rank(3, 4);
	tarn_node *n;
	float scales[4] = {1, 1, 1, 1};
	static const float some[] = {1, 2, 0.5f, 1.5f, 3};
	if (!v)
		return NULL;
	for (int i = 2; i < v->shape.rank; i++)
		scales[i] = some[between(0, 4)];
	assert_ok(tarn_node_new(g, tarn_op_find(NULL, "Resize"), NULL, 3, 1, -1, &n));
	n->in[0] = v;
	assert_ok(tarn_value_const_f32(g, NULL, scales, v->shape.rank, &n->in[2]));
	set_int(n->out[0], "mode", between(0, 2));
	set_int(n->out[0], "coordinate_transformation_mode", between(0, 4));
	return with_int(n->out[0], "nearest_mode", between(0, 3));
}

/* The length as a number, or as a size of something new. */
static tarn_value *counted(void)
{
	tarn_value *v = any();
	if (v->shape.rank < 1)
		return NULL;
	tarn_value *n = node(g, "Gather", node(g, "Shape", v, NULL, NULL), ints(g, 1, axis_of(v)), NULL);
	tarn_value *zero = node(g, "Squeeze", ints(g, 1, 0), NULL, NULL), *one = node(g, "Squeeze", ints(g, 1, 1), NULL, NULL);
	switch (between(0, 4)) {
	case 0:
		return with_int(node(g, "Cast", n, NULL, NULL), "to", TARN_F32);
	case 1:
		n = node(g, "Range", zero, node(g, "Squeeze", n, NULL, NULL), one);
		return with_int(node(g, "Cast", n, NULL, NULL), "to", TARN_F32);
	case 2:
		return node(g, "ConstantOfShape", node(g, "Shape", v, NULL, NULL), NULL, NULL);
	case 3:
		return with_int(node(g, "Cast", node(g, "Size", v, NULL, NULL), NULL, NULL), "to", TARN_F32);
	default:
		n = node(g, "Div", node(g, "Add", n, ints(g, 1, 1), NULL), ints(g, 1, 2), NULL);
		return node(g, "Expand", scalar(g, number()), n, NULL);
	}
}

static tarn_value *other(void)
{
	tarn_value *v = of_rank(2, 4);
	if (!v)
		return NULL;
	switch (between(0, 6)) {
	case 0:
		return with_int(node(g, "DepthToSpace", v, NULL, NULL), "blocksize", 2);
	case 1:
		return with_int(node(g, "SpaceToDepth", v, NULL, NULL), "blocksize", 2);
	case 2: {
		tarn_value *q = node_with(g, "DynamicQuantizeLinear", 3, v, NULL, NULL)->out[0];
		return with_int(node(g, "Cast", q, NULL, NULL), "to", TARN_F32);
	}
	case 3:
		return with_int(node(g, "Cast", node(g, "NonZero", v, NULL, NULL), NULL, NULL), "to", TARN_F32);
	case 4: {
		tarn_value *e = node(g, "Einsum", v, v, NULL);
		static const char *const how[] = {"ab,cb->ac", "ab,ab->b", "abc,abd->cd", "abc,dbc->abd", "abcd,abce->de"};
		assert_ok(tarn_attr_set_str(g, e->def, 0, how[between(0, 4)]));
		return e;
	}
	case 5: {
		tarn_value *i = with_int(node(g, "ArgMax", v, NULL, NULL), "axis", axis_of(v));
		return with_int(node(g, "GatherElements", v, i, NULL), "axis", axis_of(v));
	}
	default:
		return with_int(node(g, "ScatterElements", v, with_int(node(g, "ArgMin", v, NULL, NULL), "axis", 0), v), "axis",
				1);
	}
}

#endif
