/* SPDX-License-Identifier: Apache-2.0 */
/* Random pieces of networks: what operators with a padded axis usually stand among. */
#ifndef TARN_TESTS_UNIT_DYN_RANDOM_BLOCKS_H
#define TARN_TESTS_UNIT_DYN_RANDOM_BLOCKS_H

#include "unit/dyn/random_pick.h"

/* v on the way around what was made of it. */
static tarn_value *residual(void)
{
	tarn_value *v = of_rank(1, 5), *w = v ? twin_of(v) : NULL;
	if (!v)
		return NULL;
	switch (between(0, 3)) {
	case 0:
		return with_int(MAKE("Concat", v, w, v), "axis", axis_of(v));
	case 1:
		return MAKE("Sub", v, w);
	case 2: {
		int64_t axis = axis_of(v);
		return MAKE("Sub", v, with_list(node(g, "ReduceMean", w, NULL, NULL), "axes", &axis, 1));
	}
	default:
		return MAKE("Add", v, w);
	}
}

/* Attention within a value, or from one to another; written out, or as one operator. */
static tarn_value *attention(void)
{
	tarn_value *q = of_rank(2, 4), *k = between(0, 1) ? q : twin_of(any());
	if (!q || q->shape.dim[q->shape.rank - 1] < 1)
		return NULL;
	int r = q->shape.rank, d = (int)q->shape.dim[r - 1];
	if (k->type != TARN_F32 || k->shape.rank < 2 || k->shape.dim[k->shape.rank - 1] != d)
		k = q;
	if (!between(0, 2)) {
		tarn_value *mask = scalar(g, 0);
		if (between(0, 1)) { /* some of the keys, at least one */
			int64_t last = -1;
			one_piece = true;
			tarn_value *s = node(g, "MatMul", q, last_two_swapped(k), NULL);
			tarn_value *mean = with_list(node(g, "ReduceMean", s, NULL, NULL), "axes", &last, 1);
			mask = MAKE("LessOrEqual", s, MAKE("Add", mean, scalar(g, 0.01f)));
		}
		tarn_value *y = between(0, 1) ? MAKE("ScaledDotProductAttention", q, k, k, mask, scalar(g, 0.7f))
					      : MAKE("ScaledDotProductAttention", q, k, k);
		return with_int(y, "causal", between(0, 1));
	}
	tarn_value *scores =
		between(0, 1)
			? node(g, "MatMul", q, last_two_swapped(k), NULL)
			: with_int(make("com.microsoft", "FusedMatMul", 1, (tarn_value *[]){q, k}, 2)->out[0], "transB", 1);
	switch (between(0, 3)) {
	case 0: { /* causal */
		tarn_value *one =
			with_int(node(g, "Trilu", node(g, "ConstantOfShape", node(g, "Shape", scores, NULL, NULL), NULL, NULL),
				      NULL, NULL),
				 "upper", between(0, 1));
		scores = MAKE("Add", scores, one);
		break;
	}
	case 1:
		scores = MAKE("Where", MAKE("Equal", scores, scores), scores, scalar(g, -1e9f));
		break;
	default:
		scores = MAKE("Mul", scores, scalar(g, 0.5f));
	}
	tarn_value *p = with_int(node(g, "Softmax", scores, NULL, NULL), "axis", -1);
	return node(g, "MatMul", p, k, NULL);
}

/* Mean and deviation, or a weighted mean, along an axis. */
static tarn_value *pooled_by_statistics(void)
{
	tarn_value *v = of_rank(2, 4);
	if (!v)
		return NULL;
	int64_t axis = axis_of(v);
	if (between(0, 1)) {
		tarn_value *w = with_int(node(g, "Softmax", twin_of(v), NULL, NULL), "axis", axis);
		return node(g, "ReduceSum", MAKE("Mul", w, v), list(&axis, 1), NULL);
	}
	tarn_value *mean = with_list(node(g, "ReduceMean", v, NULL, NULL), "axes", &axis, 1), *c = MAKE("Sub", v, mean);
	tarn_value *var = with_list(node(g, "ReduceMean", MAKE("Mul", c, c), NULL, NULL), "axes", &axis, 1);
	tarn_value *dev = node(g, "Sqrt", MAKE("Add", var, scalar(g, 0.1f)), NULL, NULL);
	return between(0, 1) ? MAKE("Div", c, dev) : with_int(MAKE("Concat", mean, dev), "axis", axis ? 0 : v->shape.rank - 1);
}

/* Convolution, normalisation, activation, pooling. */
static tarn_value *stacked(void)
{
	static const char *const acts[] = {"Relu", "Sigmoid", "Tanh", "HardSwish"};
	tarn_value *v = of_rank(3, 5), *y;
	if (!v || v->shape.dim[1] < 1)
		return NULL;
	int nd = v->shape.rank - 2, c = (int)v->shape.dim[1];
	tarn_shape w = {.rank = nd + 2, .dim = {4, c, 3, 3, 1}};
	int64_t pads[6] = {1, 1, 0, 1, 1, 0}, two[3] = {2, 2, 1};
	if (nd == 1)
		pads[1] = 1;
	if (nd == 2)
		pads[2] = pads[3] = 1;
	y = with_list(MAKE("Conv", v, weights(g, w), weights(g, dims(1, 4))), "pads", pads, 2 * nd);
	switch (between(0, 3)) {
	case 0: {
		tarn_value *var = node(g, "Abs", weights(g, dims(1, 4)), NULL, NULL);
		y = MAKE("BatchNormalization", y, weights(g, dims(1, 4)), weights(g, dims(1, 4)), weights(g, dims(1, 4)), var);
		break;
	}
	case 1:
		y = MAKE("GroupNormalization", y, weights(g, dims(1, 4)), weights(g, dims(1, 4)));
		set_int(y, "num_groups", between(0, 1) ? 2 : 4);
		break;
	case 2:
		y = MAKE("InstanceNormalization", y, weights(g, dims(1, 4)), weights(g, dims(1, 4)));
		break;
	default:
		break;
	}
	y = node(g, acts[between(0, 3)], y, NULL, NULL);
	if (!between(0, 2))
		return y;
	y = node(g, between(0, 1) ? "MaxPool" : "AveragePool", y, NULL, NULL);
	with_list(with_list(y, "kernel_shape", two, nd), "strides", two, nd);
	return with_int(y, "ceil_mode", between(0, 1));
}

/* Squeeze and excite, or a pooled branch brought back to size. */
static tarn_value *excited(void)
{
	tarn_value *v = of_rank(3, 4);
	if (!v || v->shape.dim[1] < 1)
		return NULL;
	int nd = v->shape.rank - 2, c = (int)v->shape.dim[1];
	tarn_shape w = {.rank = nd + 2, .dim = {c, c, 1, 1}};
	tarn_value *s = MAKE("Conv", node(g, "GlobalAveragePool", v, NULL, NULL), weights(g, w));
	switch (between(0, 2)) {
	case 0:
		return MAKE("Add", v, node(g, "Expand", s, node(g, "Shape", v, NULL, NULL), NULL));
	case 1:
		s = MAKE("Resize", s, NULL, NULL, node(g, "Shape", v, NULL, NULL));
		return with_int(MAKE("Concat", v, s), "axis", 1);
	default:
		return MAKE("Mul", v, node(g, "Sigmoid", s, NULL, NULL));
	}
}

/* Padded to a multiple of 4, taken in blocks, and put back. */
static tarn_value *blocked(void)
{
	tarn_value *v = of_rank(2, 3);
	if (!v || v->shape.dim[1] == 0)
		return NULL;
	tarn_value *n = size_of(v, 1), *four = ints(g, 1, 4), *zero = ints(g, 1, 0), *to, *shape, *y;
	tarn_value *more = MAKE("Mod", MAKE("Sub", four, MAKE("Mod", n, four)), four);
	bool flat = v->shape.rank == 2;
	tarn_value *pads = flat ? MAKE("Concat", zero, zero, zero, more) : MAKE("Concat", zero, zero, zero, zero, more, zero);
	y = MAKE("Pad", v, with_int(pads, "axis", 0));
	shape = node(g, "Shape", y, NULL, NULL);
	to = flat ? MAKE("Concat", size_of(v, 0), ints(g, 2, -1, 4))
		  : MAKE("Concat", size_of(v, 0), ints(g, 2, -1, 4), size_of(v, 2));
	y = node(g, "Reshape", y, with_int(to, "axis", 0), NULL);
	int64_t axis = 2;
	y = MAKE("Sub", y, with_list(node(g, "ReduceMax", y, NULL, NULL), "axes", &axis, 1));
	if (between(0, 1))
		return y;
	y = node(g, "Reshape", y, shape, NULL);
	return MAKE("Slice", y, zero, n, ints(g, 1, 1));
}

/* Down by 2 and up to the size there was, beside it. */
static tarn_value *down_and_up(void)
{
	tarn_value *v = of_rank(3, 4);
	if (!v || v->shape.dim[0] < 1 || v->shape.dim[1] < 1)
		return NULL;
	int nd = v->shape.rank - 2, c = (int)v->shape.dim[1];
	int64_t two[2] = {2, 2};
	tarn_shape w = {.rank = nd + 2, .dim = {c, c, 2, 2}};
	tarn_value *y = node(g, between(0, 1) ? "MaxPool" : "AveragePool", v, NULL, NULL);
	with_list(with_list(y, "kernel_shape", two, nd), "strides", two, nd);
	set_int(y, "ceil_mode", between(0, 1));
	if (between(0, 1)) {
		y = with_int(MAKE("Resize", y, NULL, NULL, node(g, "Shape", v, NULL, NULL)), "mode", between(0, 1));
		if (between(0, 1))
			set_int(y, "coordinate_transformation_mode", between(0, 3));
		return MAKE("Add", v, y);
	}
	y = with_list(MAKE("ConvTranspose", y, weights(g, w)), "strides", two, nd);
	tarn_value *n = size_of(y, 2);
	return with_int(MAKE("Concat", MAKE("Slice", v, ints(g, 1, 0), n, ints(g, 1, 2)), y), "axis", 1);
}

/* Positions 0 .. n-1 as numbers, turned by them or added to. */
static tarn_value *positioned(void)
{
	tarn_value *v = of_rank(2, 4);
	if (!v)
		return NULL;
	int r = v->shape.rank, axis = between(0, r - 2);
	int64_t behind[TARN_MAX_RANK];
	tarn_value *zero = node(g, "Squeeze", ints(g, 1, 0), NULL, NULL), *one = node(g, "Squeeze", ints(g, 1, 1), NULL, NULL);
	tarn_value *p = as(MAKE("Range", zero, node(g, "Squeeze", size_of(v, axis), NULL, NULL), one), TARN_F32);
	for (int i = 0; i < r - 1 - axis; i++)
		behind[i] = i + 1;
	if (!between(0, 2)) { /* distances, of each to each */
		tarn_value *i = node(g, "Unsqueeze", p, ints(g, 1, 0), NULL), *k = node(g, "Unsqueeze", p, ints(g, 1, 1), NULL);
		return between(0, 1) ? MAKE("Sub", i, k) : as(MAKE("LessOrEqual", i, k), TARN_F32);
	}
	p = node(g, "Unsqueeze", p, list(behind, r - 1 - axis), NULL);
	p = MAKE("Mul", p, scalar(g, 0.3f));
	return between(0, 1) ? MAKE("Add", v, node(g, "Sin", p, NULL, NULL)) : MAKE("Mul", v, node(g, "Cos", p, NULL, NULL));
}

#endif
