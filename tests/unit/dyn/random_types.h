/* SPDX-License-Identifier: Apache-2.0 */
/* Random operators on other types than float, and on codes: logic, integers, indices, quantization. */
#ifndef TARN_TESTS_UNIT_DYN_RANDOM_TYPES_H
#define TARN_TESTS_UNIT_DYN_RANDOM_TYPES_H

#include "unit/dyn/random_pick.h"

/* ---- logic and integers ---- */

static tarn_value *logical(void)
{
	static const char *const two[] = {"And", "Or", "Xor", "Equal"};
	tarn_value *v = of_rank(1, 5);
	if (!v)
		return NULL;
	tarn_value *a = flags_of(v), *b = flags_of(any());
	switch (between(0, 4)) {
	case 0:
		return node(g, "Not", a, NULL, NULL);
	case 1:
		return node(g, "Where", a, v, between(0, 1) ? scalar(g, -1e9f) : any());
	case 2: {
		tarn_value *x = with_int(node(g, "IsInf",
					      MAKE("Div", scalar(g, between(0, 1) ? 1 : -1), node(g, "Relu", v, NULL, NULL)),
					      NULL, NULL),
					 "detect_negative", between(0, 1));
		return as(with_int(x, "detect_positive", between(0, 1)), TARN_F32);
	}
	default:
		a = node(g, two[between(0, 3)], a, b, NULL);
		return between(0, 1) ? as(a, TARN_F32) : a;
	}
}

/* Codes of a float: small integers of a type. */
static tarn_value *coded(tarn_value *v, tarn_dtype type)
{
	v = node(g, "Mul", v, scalar(g, 8), NULL);
	if (type == TARN_U8 || type == TARN_U32)
		v = node(g, "Abs", v, NULL, NULL);
	return as(MAKE("Clip", v, scalar(g, -100), scalar(g, 100)), type);
}

static tarn_value *integral(void)
{
	static const char *const two[] = {"Add",        "Sub",       "Mul", "Div", "Mod",       "Max",
					  "BitwiseAnd", "BitwiseOr", "Min", "Pow", "BitwiseXor"};
	static const char *const over[] = {"ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceMean", "ReduceL1"};
	static const tarn_dtype types[] = {TARN_I32, TARN_I64, TARN_U8, TARN_I8};
	tarn_value *v = of_rank(1, 4);
	if (!v)
		return NULL;
	tarn_dtype type = types[between(0, 3)];
	int64_t axis = axis_of(v);
	tarn_value *a = coded(v, type), *y;
	switch (between(0, 9)) {
	case 0:
		y = with_int(node(g, "ArgMax", a, NULL, NULL), "select_last_index", between(0, 1));
		return with_int(with_int(y, "axis", axis), "keepdims", between(0, 1));
	case 1:
		y = with_int(node(g, "ArgMin", a, NULL, NULL), "select_last_index", between(0, 1));
		return with_int(y, "axis", either_end((int)axis, v->shape.rank));
	case 2: {
		const char *op = over[between(0, 5)];
		y = strcmp(op, "ReduceSum") ? with_list(node(g, op, a, NULL, NULL), "axes", &axis, 1)
					    : node(g, op, a, list(&axis, 1), NULL);
		return as(y, TARN_F32);
	}
	case 3:
		return as(node(g, "CumSum", a, list(&axis, 1), NULL), TARN_F32);
	case 4:
		a = coded(v, TARN_U8);
		y = node(g, "BitShift", a, codes(TARN_U8, dims(0), 1, 3), NULL);
		assert_ok(tarn_attr_set_i(y->def, 0, between(0, 1)));
		return as(y, TARN_F32);
	case 5:
		return as(node(g, between(0, 1) ? "BitwiseNot" : "Abs", a, NULL, NULL), TARN_F32);
	case 6: {
		tarn_node *k = node_with(g, "TopK", 2, a, ints(g, 1, between(1, 2)), NULL);
		set_int(k->out[0], "axis", axis);
		return as(k->out[between(0, 1)], TARN_F32);
	}
	default:
		y = node(g, two[between(0, 10)], a, between(0, 1) ? coded(any(), type) : codes(type, dims(0), 1, 4), NULL);
		if (!strcmp(y->def->op->name, "Mod"))
			set_int(y, "fmod", between(0, 1));
		return between(0, 1) ? as(y, TARN_F32) : y;
	}
}

/* ---- indices ---- */

/* Integers 0 or 1 computed from data. */
static tarn_value *some_indices(tarn_value *v)
{
	return as(node(g, "Greater", v, scalar(g, 0), NULL), TARN_I64);
}

static tarn_value *many_inputs(void)
{
	static const char *const all[] = {"Max", "Min", "Sum", "Mean"};
	tarn_value *v = of_rank(1, 4);
	return v ? between(0, 1) ? MAKE(all[between(0, 3)], v, any(), any()) : MAKE(all[between(0, 3)], v, twin_of(v)) : NULL;
}

static tarn_value *looked_up(void)
{
	tarn_value *v = of_rank(1, 3);
	if (!v)
		return NULL;
	int rank = v->shape.rank, axis = axis_of(v);
	switch (between(0, 6)) {
	case 0: /* a table of vectors */
		return node(g, "Gather", weights(g, dims(2, 2, 3)), some_indices(v), NULL);
	case 1:
		return with_int(node(g, "Gather", v, some_indices(of_rank(1, 2) ? any() : v), NULL), "axis",
				either_end(axis, rank));
	case 2: {
		tarn_value *x = MAKE("OneHot", some_indices(v), ints(g, 1, between(2, 3)), weights(g, dims(1, 2)));
		return with_int(x, "axis", between(-1, rank));
	}
	case 3: {
		tarn_value *x = with_int(node(g, "GatherElements", v, some_indices(twin_of(v)), NULL), "axis", axis);
		return x;
	}
	case 4:
		return node(g, "GatherND", v, codes(TARN_I64, dims(2, 2, between(1, rank)), between(-1, 0), 1), NULL);
	case 5: {
		if (rank < 2)
			return NULL;
		tarn_value *at = with_int(node(g, "ArgMax", v, NULL, NULL), "axis", 1);
		at->def->attr[tarn_attr_index(at->def->op, "keepdims")].i = 1;
		for (int i = 2; i < rank; i++)
			return NULL;
		return with_int(node(g, "GatherND", v, at, NULL), "batch_dims", 1);
	}
	default: { /* negative indices, of several axes */
		tarn_shape s = {.rank = rank};
		for (int i = 0; i < rank; i++)
			s.dim[i] = v->shape.dim[i] > 0 && i != axis ? v->shape.dim[i] : 1;
		return with_int(node(g, "GatherElements", v, codes(TARN_I64, s, -1, 0), NULL), "axis", axis);
	}
	}
}

static tarn_value *scattered(void)
{
	tarn_value *v = of_rank(1, 3);
	if (!v)
		return NULL;
	int rank = v->shape.rank, axis = axis_of(v), how = between(0, 5);
	tarn_shape s = {.rank = rank};
	if (how == 4) { /* padded updates */
		tarn_value *y = MAKE("ScatterElements", v, some_indices(twin_of(v)), v);
		return with_int(with_int(y, "reduction", between(0, 4)), "axis", either_end(axis, rank));
	}
	if (how == 5) {
		if (rank != 2 || v->shape.dim[1] < 1)
			return NULL;
		tarn_value *first = MAKE("Slice", v, ints(g, 1, 0), ints(g, 1, 1), ints(g, 1, 1));
		tarn_value *y = MAKE("ScatterND", weights(g, dims(2, 2, (int)v->shape.dim[1])), some_indices(first), v);
		return with_int(y, "reduction", between(0, 4));
	}
	for (int i = 0; i < rank; i++)
		s.dim[i] = v->shape.dim[i] > 0 && i != axis ? v->shape.dim[i] : 1;
	if (how == 0) {
		tarn_value *y = MAKE("Scatter", v, codes(TARN_I64, s, 0, 0), weights(g, s));
		return with_int(y, "axis", axis);
	}
	if (how == 1) {
		tarn_shape u = v->shape; /* whole rows */
		u.dim[0] = 1;
		for (int i = 1; i < rank; i++)
			if (u.dim[i] < 0)
				return MAKE("ScatterND", v, codes(TARN_I64, dims(2, 1, rank), 0, 0), weights(g, dims(1, 1)));
		return with_int(MAKE("ScatterND", v, codes(TARN_I64, dims(2, 1, 1), between(-1, 0), 0), weights(g, u)),
				"reduction", between(0, 4));
	}
	if (how == 2) { /* rows of the padded size */
		tarn_value *first = MAKE("Slice", v, ints(g, 1, 0), ints(g, 1, 1), ints(g, 1, 0));
		return MAKE("ScatterND", v, ints(g, 1, 0), first);
	}
	tarn_value *y = MAKE("ScatterElements", v, codes(TARN_I64, s, between(-1, 0), 0), weights(g, s));
	return with_int(with_int(y, "reduction", between(0, 4)), "axis", either_end(axis, rank));
}

/* Points in and around an image. */
static tarn_value *sampled(void)
{
	tarn_value *v = of_rank(4, 4);
	if (!v || v->shape.dim[0] < 1)
		return NULL;
	bool points = v->shape.dim[3] == 2 && between(0, 1);
	int n = (int)v->shape.dim[0];
	tarn_value *grid = points ? v : MAKE("Mul", weights(g, dims(4, n, 2, 3, 2)), scalar(g, 1.3f));
	tarn_value *y = MAKE("GridSample", points ? weights(g, dims(4, n, 2, 3, 4)) : v, grid);
	return with_int(with_int(with_int(y, "mode", between(0, 2)), "padding_mode", between(0, 2)), "align_corners",
			between(0, 1));
}

/* ---- codes ---- */

static tarn_value *quantised(void)
{
	tarn_value *v = of_rank(1, 4);
	if (!v)
		return NULL;
	int axis = axis_of(v), d = (int)v->shape.dim[axis];
	bool by_axis = d > 0 && between(0, 1);
	tarn_shape one = {.rank = by_axis ? 1 : 0, .dim = {d}};
	tarn_dtype type = between(0, 1) ? TARN_U8 : TARN_I8;
	tarn_value *scale = node(g, "Add", node(g, "Abs", weights(g, one), NULL, NULL), scalar(g, 0.02f), NULL);
	tarn_value *zero = between(0, 2) ? codes(type, one, 0, 9) : NULL, *q, *z;
	if (!between(0, 3)) {
		q = MAKE("FakeQuantize", v, scalar(g, -1), scalar(g, 1), scalar(g, -1), scalar(g, 1));
		return with_int(q, "levels", 16);
	}
	if (d > 0 && d % 2 == 0 && !between(0, 3)) { /* a scale for each two elements */
		scale = MAKE("Slice", node(g, "Abs", v, NULL, NULL), ints(g, 1, 0), ints(g, 1, d / 2), ints(g, 1, axis));
		scale = MAKE("Add", scale, scalar(g, 0.1f));
		q = with_int(with_int(MAKE("QuantizeLinear", v, scale), "axis", axis), "block_size", 2);
		return with_int(with_int(MAKE("DequantizeLinear", q, scale), "axis", axis), "block_size", 2);
	}
	q = MAKE("QuantizeLinear", v, scale, zero);
	z = MAKE("DequantizeLinear", q, scale, zero);
	if (by_axis) {
		set_int(q, "axis", axis);
		set_int(z, "axis", axis);
	}
	return z;
}

/* Products of codes; the activation's zero point given, absent, or computed. */
static tarn_value *products_of_codes(void)
{
	tarn_value *v = of_rank(2, 4), *z = codes(TARN_U8, dims(0), 0, 200), *wz = codes(TARN_I8, dims(0), 0, 3);
	if (!v)
		return NULL;
	int last = (int)v->shape.dim[v->shape.rank - 1], how = between(0, 3);
	tarn_value *s = scalar(g, 0.01f), *q = MAKE("QuantizeLinear", v, s, z);
	if (last < 1 && how != 3)
		return NULL;
	tarn_value *w = last > 0 ? codes(TARN_I8, dims(2, last, 3), -9, 9) : NULL;
	switch (how) {
	case 0:
		return as(between(0, 1) ? MAKE("MatMulInteger", q, w, z, wz) : MAKE("MatMulInteger", q, w), TARN_F32);
	case 1:
		q = MAKE("QLinearMatMul", q, s, z, w, scalar(g, 0.02f), wz, scalar(g, 0.0517f), z);
		return MAKE("DequantizeLinear", q, scalar(g, 0.0517f), z);
	case 2:
		if (between(0, 1))
			return make("com.microsoft", "DynamicQuantizeMatMul", 1, (tarn_value *[]){v, w, scalar(g, 0.02f), wz},
				    4)
				->out[0];
		return make("com.microsoft", "MatMulIntegerToFloat", 1, (tarn_value *[]){q, w, s, scalar(g, 0.02f), z, wz}, 6)
			->out[0];
	default: { /* both factors computed: the padded axis is summed over */
		int64_t p[TARN_MAX_RANK];
		int r = v->shape.rank;
		for (int i = 0; i < r; i++)
			p[i] = i < r - 2 ? i : 2 * r - 3 - i;
		tarn_value *t = with_list(node(g, "Transpose", q, NULL, NULL), "perm", p, r);
		return as(between(0, 1) ? MAKE("MatMulInteger", q, t, z, z) : MAKE("MatMulInteger", t, q, z, z), TARN_F32);
	}
	}
}

static tarn_value *windows_of_codes(void)
{
	tarn_value *v = of_rank(3, 4), *z = codes(TARN_U8, dims(0), 0, 200), *wz = codes(TARN_I8, dims(0), 0, 0), *y;
	if (!v || v->shape.dim[1] < 1)
		return NULL;
	int groups = v->shape.dim[1] % 2 ? 1 : between(1, 2);
	tarn_shape k = {.rank = v->shape.rank, .dim = {2, v->shape.dim[1] / groups, between(1, 3), between(1, 3)}};
	tarn_value *s = scalar(g, 0.01f), *q = MAKE("QuantizeLinear", v, s, z), *w = codes(TARN_I8, k, -9, 9);
	bool integer = between(0, 1);
	if (integer)
		y = between(0, 2) ? MAKE("ConvInteger", q, w, z, wz) : MAKE("ConvInteger", q, w);
	else
		y = MAKE("QLinearConv", q, s, z, w, scalar(g, 0.02f), wz, scalar(g, 0.0517f), z,
			 between(0, 1) ? codes(TARN_I32, dims(1, 2), -50, 50) : NULL);
	set_int(y, "group", groups);
	int64_t pads[4] = {1, 1, 1, 1}, stride[2] = {between(1, 2), 1};
	int nd = v->shape.rank - 2;
	if (between(0, 1))
		with_list(y, "pads", pads, 2 * nd);
	else
		set_int(y, "auto_pad", between(0, 3));
	int64_t apart[2] = {2, 1};
	if (!between(0, 3))
		with_list(y, "dilations", apart, nd);
	with_list(y, "strides", stride, nd);
	return integer ? as(y, TARN_F32) : MAKE("DequantizeLinear", y, scalar(g, 0.0517f), z);
}

#endif
