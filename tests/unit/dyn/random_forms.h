/* SPDX-License-Identifier: Apache-2.0 */
/* Random operators in their rarer forms: transposed factors, groups, parameters given or left out, several results, older and
 * other spellings. */
#ifndef TARN_TESTS_UNIT_DYN_RANDOM_FORMS_H
#define TARN_TESTS_UNIT_DYN_RANDOM_FORMS_H

#include "unit/dyn/random_ops.h"

static tarn_value *linear(void)
{
	tarn_value *v = of_rank(2, 2), *y;
	if (!v)
		return NULL;
	int ta = between(0, 1), tb = between(0, 1), inner = (int)v->shape.dim[1 - ta];
	tarn_value *b = NULL, *c = between(0, 1) ? NULL : weights(g, dims(1, 3));
	if (inner > 0 && between(0, 1)) {
		b = weights(g, tb ? dims(2, 3, inner) : dims(2, inner, 3));
	} else { /* with itself: the padded axis is summed over, or stays */
		b = v;
		tb = !ta;
		c = c ? (between(0, 1) ? scalar(g, 1) : node(g, "MatMul", v, last_two_swapped(v), NULL)) : NULL;
	}
	if (between(0, 2)) {
		y = c ? MAKE("Gemm", v, b, c) : MAKE("Gemm", v, b);
		with_float(with_float(y, "alpha", 0.5), "beta", 2);
	} else {
		y = make("com.microsoft", "FusedMatMul", 1, (tarn_value *[]){v, b}, 2)->out[0];
	}
	return with_int(with_int(y, "transA", ta), "transB", tb);
}

/* Windows with groups, in one to three dimensions. */
static tarn_value *grouped(void)
{
	tarn_value *v = of_rank(3, 5), *y;
	if (!v || v->shape.dim[1] < 2 || v->shape.dim[1] % 2)
		return NULL;
	int nd = v->shape.rank - 2, c = (int)v->shape.dim[1], groups = between(0, 1) ? c : 2, how = between(0, 2);
	int64_t pads[6], stride[3], extra[3];
	tarn_shape w = {.rank = nd + 2, .dim = {c, c / groups, 3, between(1, 3), 1}};
	for (int i = 0; i < nd; i++) {
		stride[i] = between(1, 2);
		pads[i] = between(0, (int)w.dim[2 + i] - 1);
		pads[nd + i] = between(0, (int)w.dim[2 + i] - 1);
		extra[i] = stride[i] - 1;
	}
	if (how == 2) {
		tarn_shape s = {.rank = nd + 3, .dim = {groups, c / groups, c / groups, w.dim[2], w.dim[3], w.dim[4]}};
		y = MAKE("GroupConvolution", v, weights(g, s));
	} else {
		y = with_int(
			MAKE(how ? "ConvTranspose" : "Conv", v, weights(g, w), between(0, 1) ? weights(g, dims(1, c)) : NULL),
			"group", groups);
	}
	if (how == 1 && between(0, 1))
		with_list(y, "output_padding", extra, nd);
	if (how == 1 && !between(0, 4))
		with_list(y, "output_shape", (int64_t[]){4, 4, 1}, nd);
	if (!between(0, 3))
		with_list(y, "dilations", (int64_t[]){2, 1, 1}, nd);
	if (between(0, 3))
		with_list(y, "strides", stride, nd);
	return between(0, 2) ? with_list(y, "pads", pads, 2 * nd) : with_int(y, "auto_pad", between(0, 3));
}

static tarn_value *positive(tarn_shape s)
{
	return MAKE("Add", node(g, "Abs", weights(g, s), NULL, NULL), scalar(g, 0.1f));
}

static tarn_value *channelwise(void)
{
	tarn_value *v = of_rank(2, 5), *y;
	if (!v)
		return NULL;
	int rank = v->shape.rank;
	tarn_shape c = dims(1, (int)v->shape.dim[1]), tail = {.rank = 1, .dim = {v->shape.dim[rank - 1]}};
	int64_t axes[2] = {either_end(axis_of(v), rank), either_end(axis_of(v), rank)};
	int n_axes = axes[0] == axes[1] || axes[0] + rank == axes[1] || axes[1] + rank == axes[0] ? 1 : 2;
	switch (between(0, 7)) {
	case 0:
		if (c.dim[0] < 1)
			return NULL;
		return MAKE("BatchNormalization", v, weights(g, c), weights(g, c), weights(g, c), positive(c));
	case 1: {
		if (tail.dim[0] < 1)
			return NULL;
		tarn_value *in[] = {v, weights(g, tail), between(0, 1) ? weights(g, tail) : NULL};
		tarn_node *n = make(NULL, "LayerNormalization", 3, in, 3);
		int out = between(0, 2);
		for (int i = 0; i < 3; i++)
			if (i != out && between(0, 2))
				n->out[i] = i ? NULL : n->out[i];
		return n->out[out];
	}
	case 2:
		if (c.dim[0] < 2 || c.dim[0] % 2)
			return NULL;
		return with_int(MAKE("GroupNormalization", v, weights(g, c), weights(g, c)), "num_groups", between(1, 2));
	case 3:
		y = MAKE("MVN", v, list(axes, n_axes));
		y = with_float(with_int(y, "normalize_variance", between(0, 1)), "eps", 1e-3);
		return with_int(y, "eps_mode", between(0, 1));
	case 4:
		y = with_float(MAKE("NormalizeL2", v, list(axes, n_axes)), "eps", 0.01);
		return with_int(y, "eps_mode", between(0, 1));
	case 5:
		y = with_int(node(g, "LpNormalization", v, NULL, NULL), "p", between(1, 2));
		return with_int(y, "axis", axes[0]);
	case 6:
		y = node(g, "MeanVarianceNormalization", v, NULL, NULL);
		return between(0, 1) ? y : with_list(y, "axes", axes, n_axes);
	default:
		return c.dim[0] < 1 ? NULL : MAKE("PRelu", v, between(0, 1) ? scalar(g, 0.2f) : any());
	}
}

/* Windows that count: LRN, power means, pools with dilation; a Softmax as it was before opset 13. */
static tarn_value *pooled(void)
{
	static const char *const all[] = {"MaxPool", "AveragePool", "LpPool"};
	tarn_value *v = of_rank(3, 5), *y;
	if (!v)
		return NULL;
	int nd = v->shape.rank - 2, op = between(0, 4);
	if (op == 3)
		return with_int(node(g, "GlobalLpPool", v, NULL, NULL), "p", between(1, 3));
	if (op == 4) {
		y = node(g, between(0, 1) ? "Softmax" : "LogSoftmax", v, NULL, NULL);
		return with_int(with_int(y, "flatten", 1), "axis", axis_of(v));
	}
	int64_t k[3] = {between(1, 3), between(1, 2), 1}, s[3] = {between(1, 3), between(1, 2), 1}, pads[6] = {0};
	tarn_node *n = make(NULL, all[op], !op && !between(0, 5) ? 2 : 1, &v, 1);
	y = with_list(with_list(n->out[0], "kernel_shape", k, nd), "strides", s, nd);
	for (int i = 0; i < nd; i++) {
		pads[i] = between(0, (int)k[i] - 1);
		pads[nd + i] = between(0, (int)k[i] - 1);
	}
	if (between(0, 2))
		with_int(with_list(y, "pads", pads, 2 * nd), "ceil_mode", between(0, 1));
	else
		set_int(y, "ceil_mode", 2);
	if (op == 0)
		set_int(y, "storage_order", 0);
	if (op == 1)
		set_int(y, "count_include_pad", between(0, 1));
	return op == 2 ? with_int(y, "p", between(1, 2)) : y;
}

static tarn_value *windows_local(void)
{
	tarn_value *v = of_rank(3, 5);
	return v && between(0, 1) ? with_int(node(g, "LRN", v, NULL, NULL), "size", between(1, 4)) : v ? pooled() : NULL;
}

static void activated(tarn_node *n, int kind, int directions)
{
	static const char *const names[3][2] = {{"HardSigmoid,Tanh,Relu", "HardSigmoid,Tanh,Relu,Sigmoid,Tanh,Softsign"},
						{"Sigmoid,LeakyRelu", "Sigmoid,LeakyRelu,HardSigmoid,Tanh"},
						{"Elu", "Elu,ScaledTanh"}};
	static const double some[] = {0.3, 0.4, 0.5};
	assert_ok(tarn_attr_set_str(g, n, tarn_attr_index(n->op, "activations"), names[kind][directions - 1]));
	if (between(0, 1))
		assert_ok(tarn_attr_set_floats(g, n, tarn_attr_index(n->op, "activation_alpha"), some, 1));
	if (between(0, 1))
		assert_ok(tarn_attr_set_floats(g, n, tarn_attr_index(n->op, "activation_beta"), some, 1));
}

/* Recurrences with states, lengths, peepholes, other activations. */
static tarn_value *remembering(void)
{
	static const char *const all[] = {"LSTM", "GRU", "RNN"};
	static const int gates[] = {4, 3, 1};
	tarn_value *v = of_rank(3, 3);
	if (!v || v->shape.dim[2] < 1)
		return NULL;
	int kind = between(0, 2), way = between(0, 2), d = way == 2 ? 2 : 1, h = 2, layout = between(0, 1);
	tarn_dim batch = v->shape.dim[1 - layout];
	tarn_shape state = layout ? dims(3, (int)batch, d, h) : dims(3, d, (int)batch, h);
	bool states = batch > 0 && between(0, 1);
	tarn_value *in[] = {v,
			    weights(g, dims(3, d, gates[kind] * h, (int)v->shape.dim[2])),
			    weights(g, dims(3, d, gates[kind] * h, h)),
			    between(0, 1) ? weights(g, dims(2, d, 2 * gates[kind] * h)) : NULL,
			    batch > 0 && !between(0, 2) ? codes(TARN_I32, dims(1, (int)batch), 1, 2) : NULL,
			    states ? weights(g, state) : NULL,
			    states && !kind ? weights(g, state) : NULL,
			    !kind && between(0, 1) ? weights(g, dims(2, d, 3 * h)) : NULL};
	tarn_node *n = make(NULL, all[kind], kind ? 2 : 3, in, kind ? 6 : 8);
	set_int(n->out[0], "direction", way);
	set_int(n->out[0], "layout", layout);
	if (kind == 1)
		set_int(n->out[0], "linear_before_reset", between(0, 1));
	if (kind == 0)
		set_int(n->out[0], "input_forget", between(0, 1));
	if (between(0, 2))
		set_int(n->out[0], "hidden_size", h);
	if (!between(0, 2))
		activated(n, kind, d);
	if (between(0, 1))
		with_float(n->out[0], "clip", 0.8);
	return n->out[between(0, n->n_out - 1)];
}

/* Parts of several sizes, all of them used. */
static tarn_value *parted(void)
{
	tarn_value *v = of_rank(1, 4);
	if (!v)
		return NULL;
	int axis = axis_of(v), d = (int)v->shape.dim[axis], parts = between(1, 3);
	bool uneven = d > 1 && between(0, 1);
	tarn_value *in[] = {v, uneven ? ints(g, 2, 1, d - 1) : NULL};
	tarn_node *n = make(NULL, "Split", uneven ? 2 : parts, in, 2);
	set_int(n->out[0], "axis", either_end(axis, v->shape.rank));
	if (!uneven && d > 0 && between(0, 1))
		set_int(n->out[0], "num_outputs", parts);
	return n->n_out > 1 ? with_int(MAKE("Concat", n->out[1], n->out[0]), "axis", between(0, v->shape.rank - 1)) : n->out[0];
}

static tarn_value *shaped_anew(void)
{
	tarn_value *v = of_rank(1, 4);
	if (!v)
		return NULL;
	int rank = v->shape.rank, axis = axis_of(v);
	int64_t times[TARN_MAX_RANK];
	tarn_value *n = size_of(v, axis);
	switch (between(0, 10)) {
	case 9: { /* borders of one axis */
		tarn_value *p =
			MAKE("Pad", v, ints(g, 2, between(-1, 2), between(-1, 2)), NULL, ints(g, 1, either_end(axis, rank)));
		return with_int(p, "mode", between(0, 2));
	}
	case 10:
		return MAKE("Slice", v, ints(g, 1, between(-2, 2)), ints(g, 1, 1 << 30));
	case 0:
		for (int i = 0; i < rank; i++)
			times[i] = between(1, 2);
		return MAKE("Tile", v, list(times, rank));
	case 1:
		return with_int(MAKE("Trilu", v, codes(TARN_I64, dims(0), -1, 1)), "upper", between(0, 1));
	case 2: {
		tarn_value *e = with_int(node(g, "EyeLike", v, NULL, NULL), "k", between(-1, 1));
		if (between(0, 1))
			set_int(e, "dtype", TARN_F32);
		return MAKE("MatMul", e, v);
	}
	case 3:
		return with_int(MAKE("ReverseSequence", v, codes(TARN_I64, dims(1, 1), 1, 2)), "time_axis", between(0, 1));
	case 4: /* as long as the axis */
		return with_int(with_int(MAKE("ReverseSequence", v, n), "time_axis", axis), "batch_axis", axis ? 0 : 1);
	case 5: /* the last ones, of a number that is a length */
		return MAKE("Slice", v, MAKE("Div", n, ints(g, 1, 2)), ints(g, 1, 1 << 30), ints(g, 1, either_end(axis, rank)));
	case 6:
		return MAKE("Slice", v, ints(g, 1, between(-3, 3)), MAKE("Sub", n, ints(g, 1, 1)), ints(g, 1, axis),
			    ints(g, 1, between(1, 3)));
	case 7: {
		tarn_value *s = with_int(node(g, "Shape", v, NULL, NULL), "start", between(0, 1));
		if (between(0, 1))
			set_int(s, "end", between(-1, 2));
		return node(g, "Expand", scalar(g, number()), s, NULL);
	}
	default: {
		tarn_value *s = node(g, "Reshape", v, between(0, 1) ? ints(g, 2, 0, -1) : ints(g, 1, -1), NULL);
		return with_int(s, "allowzero", 0);
	}
	}
}

static tarn_value *enlarged(void)
{
	tarn_value *v = of_rank(3, 4);
	if (!v)
		return NULL;
	int rank = v->shape.rank, how = between(0, 4);
	static const float some[] = {1, 2, 0.5f, 1.5f, 3};
	float scales[4] = {1, 1, some[between(0, 4)], some[between(0, 4)]};
	tarn_value *s, *y, *size = NULL;
	assert_ok(tarn_value_const_f32(g, NULL, scales, rank, &s));
	if (how == 0)
		return with_int(MAKE("Upsample", v, s), "mode", between(0, 1));
	if (how == 1) { /* to a fixed size */
		int64_t two[2] = {between(1, 6), between(1, 6)};
		tarn_value *keep = node(g, "Slice", node(g, "Shape", v, NULL, NULL), ints(g, 1, 0), ints(g, 1, 2));
		size = with_int(MAKE("Concat", keep, list(two, rank - 2)), "axis", 0);
	}
	if (how == 2)
		size = node(g, "Shape", between(0, 1) ? twin_of(v) : any(), NULL, NULL);
	if (how == 3) { /* by length: twice, or one more than half */
		tarn_value *sh = node(g, "Shape", v, NULL, NULL);
		tarn_value *keep = MAKE("Slice", sh, ints(g, 1, 0), ints(g, 1, 2)),
			   *rest = MAKE("Slice", sh, ints(g, 1, 2), ints(g, 1, 9));
		rest = between(0, 1) ? MAKE("Mul", rest, ints(g, 1, 2))
				     : MAKE("Add", MAKE("Div", rest, ints(g, 1, 2)), ints(g, 1, 1));
		size = with_int(MAKE("Concat", keep, rest), "axis", 0);
	}
	if (how == 4 && between(0, 1)) { /* one axis, or a part of the picture */
		int64_t last = rank - 1;
		float times[] = {some[between(0, 4)]}, roi[] = {0.1f, 0.9f};
		tarn_value *r;
		assert_ok(tarn_value_const_f32(g, NULL, times, 1, &s));
		assert_ok(tarn_value_const_f32(g, NULL, roi, 2, &r));
		y = with_list(MAKE("Resize", v, r, s), "axes", &last, 1);
		set_int(y, "coordinate_transformation_mode", between(0, 1) ? 5 : 0);
		return with_int(y, "mode", between(0, 2));
	}
	y = MAKE("Resize", v, NULL, size ? NULL : s, size);
	set_int(y, "mode", between(0, 2));
	set_int(y, "coordinate_transformation_mode", between(0, 6));
	set_int(y, "nearest_mode", between(0, 4));
	if (!between(0, 3))
		set_int(y, "exclude_outside", 1);
	if (!between(0, 4))
		set_int(y, "keep_aspect_ratio_policy", between(0, 2));
	return y;
}

/* Channels and positions exchanged; products of any letters. */
static tarn_value *rearranged(void)
{
	static const char *const how[] = {"abc->cab",     "abc,abd->abcd",   "ab,ac->bc",     "abc,cd->abd",
					  "abc,adc->abd", "abcd,abed->abce", "aab->ab",       "abc,abc->a",
					  "abc,c->ab",    "a,a->",           "ab->b",         "abcd->acbd",
					  "abc,ab,ab->c", "abij,abjk->abik", "...a,...a->..."};
	tarn_value *v = of_rank(1, 4), *y;
	if (!v)
		return NULL;
	if (between(0, 1) && v->shape.rank == 4) {
		y = node(g, between(0, 1) ? "DepthToSpace" : "SpaceToDepth", v, NULL, NULL);
		with_int(y, "blocksize", 2);
		return y->def->op->n_attr > 1 && tarn_attr_index(y->def->op, "mode") >= 0 ? with_int(y, "mode", between(0, 1))
											  : y;
	}
	if (!between(0, 4)) { /* an axis that may be 1 */
		y = MAKE("Einsum", v, weights(g, dims(1, between(2, 4))));
		assert_ok(tarn_attr_set_str(g, y->def, 0, v->shape.rank == 3 ? "abc,c->bca" : "...c,c->...c"));
		return y;
	}
	const char *e = how[between(0, 14)];
	tarn_value *a = twin_of(v);
	y = strstr(e, ",ab,") ? MAKE("Einsum", v, any(), any())
	    : strchr(e, ',')  ? MAKE("Einsum", v, between(0, 1) ? a : any())
			      : MAKE("Einsum", v);
	assert_ok(tarn_attr_set_str(g, y->def, 0, e));
	return y;
}

/* Small things that pass values on. */
static tarn_value *passed(void)
{
	tarn_value *v = of_rank(1, 5), *y;
	if (!v)
		return NULL;
	switch (between(0, 8)) {
	case 0:
		return MAKE("Clip", v, scalar(g, -0.3f), between(0, 1) ? scalar(g, 0.4f) : NULL);
	case 1:
		return MAKE("Clip", v, NULL, scalar(g, 0.4f));
	case 2:
		return make(NULL, "Dropout", between(1, 2),
			    (tarn_value *[]){v, scalar(g, 0.5f), codes(TARN_BOOL, dims(0), 0, 0)}, between(1, 3))
			->out[0];
	case 6:
		return node(g, "Identity", v, NULL, NULL);
	case 7:
		return as(node(g, "IsNaN", between(0, 1) ? v : node(g, "Log", v, NULL, NULL), NULL, NULL), TARN_F32);
	case 3:
		return MAKE("CastLike", as(flags_of(v), TARN_BOOL), v);
	case 4:
		y = with_int(node(g, "Gelu", v, NULL, NULL), "approximate", between(0, 1));
		return y;
	default:
		y = MAKE("Mod", v, scalar(g, 0.7f));
		return with_int(y, "fmod", 1);
	}
}

/* Operators whose result's size depends on data: refused by name where that is padded. */
static tarn_value *sized_by_data(void)
{
	tarn_value *v = of_rank(1, 2);
	if (!v)
		return NULL;
	if (between(0, 1))
		return node(g, "Unique", v, NULL, NULL);
	return node(g, "Compress", v, flags_of(v), NULL);
}

#endif
