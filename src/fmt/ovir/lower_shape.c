/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes, movement, reductions, resizing, sequences. */
#include <string.h>

#include "fmt/ovir/writer.h"

static void refuse(ovir_writer *w, const char *why)
{
	ovir_fail(w, tarn_err_set(TARN_UNSUPPORTED, "%s", why));
}

static void lower_reshape(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	const char *attrs[] = {"special_zero", ovir_get_i(n, "allowzero") ? "false" : "true", NULL};
	ovir_ref in[2] = {ovir_ref_of(w, n->in[0]), ovir_ref_of(w, n->in[1])};
	ovir_put_node(w, n, row->type, row->version, attrs, in, 2);
}

/* Two sizes; one of them may be free. */
static void lower_flatten(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	const tarn_shape *y = &n->out[0]->shape;
	int64_t to[2] = {y->dim[0], y->dim[1]};
	if (y->rank != 2 || (to[0] < 0 && to[1] < 0 && ovir_get_i(n, "axis") != 1)) {
		refuse(w, "flattening of several free sizes has no form in the IR; make the shape static");
		return;
	}
	bool copy = to[0] < 0 && ovir_get_i(n, "axis") == 1;
	to[0] = copy ? 0 : to[0] < 0 ? -1 : to[0];
	to[1] = to[1] < 0 || copy ? -1 : to[1];
	const char *attrs[] = {"special_zero", copy ? "true" : "false", NULL};
	ovir_ref in[2] = {ovir_ref_of(w, n->in[0]), ovir_put_ints(w, ovir_sub(w, n, "shape"), TARN_I64, to, 2)};
	ovir_put_node(w, n, row->type, row->version, attrs, in, 2);
}

static void lower_same(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	ovir_ref in[8];
	for (int i = 0; i < n->n_in && i < 8; i++)
		in[i] = ovir_ref_of(w, n->in[i]);
	ovir_put_node(w, n, row->type, row->version, NULL, in, n->n_in);
}

static void lower_transpose(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	const tarn_attr *perm = ovir_get(n, "perm");
	int64_t order[TARN_MAX_RANK];
	int rank = perm ? perm->ints.n : n->in[0]->shape.rank;
	if (rank < 0) {
		refuse(w, "the input's rank is not known");
		return;
	}
	for (int i = 0; i < rank; i++)
		order[i] = perm ? perm->ints.at[i] : rank - 1 - i;
	ovir_ref in[2] = {ovir_ref_of(w, n->in[0]), ovir_put_ints(w, ovir_sub(w, n, "order"), TARN_I64, order, rank)};
	ovir_put_node(w, n, row->type, row->version, NULL, in, 2);
}

static void lower_shape_of(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	static const char *const attrs[] = {"output_type", "i64", NULL};
	ovir_ref in = ovir_ref_of(w, n->in[0]);
	if (ovir_get_i(n, "start") || ovir_get(n, "end")) {
		refuse(w, "a part of a shape has no form in the IR writer");
		return;
	}
	ovir_put_node(w, n, row->type, row->version, attrs, &in, 1);
}

static void lower_concat(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	const char *attrs[] = {"axis", ovir_text(w, "%lld", (long long)ovir_get_i(n, "axis")), NULL};
	ovir_ref *in = tarn_arena_zalloc(&w->a, (size_t)n->n_in + 1, sizeof *in);
	if (!in) {
		ovir_fail(w, tarn_err_nomem((size_t)n->n_in * sizeof *in));
		return;
	}
	for (int i = 0; i < n->n_in; i++)
		in[i] = ovir_ref_of(w, n->in[i]);
	ovir_put_node(w, n, row->type, row->version, attrs, in, n->n_in);
}

static ovir_ref axis_const(ovir_writer *w, const tarn_node *n)
{
	int64_t axis = ovir_get_i(n, "axis");
	return ovir_put_ints(w, ovir_sub(w, n, "axis"), TARN_I64, &axis, -1);
}

static void lower_gather(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	static const char *const attrs[] = {"batch_dims", "0", NULL};
	ovir_ref in[3] = {ovir_ref_of(w, n->in[0]), ovir_ref_of(w, n->in[1]), axis_const(w, n)};
	ovir_put_node(w, n, row->type, row->version, attrs, in, 3);
}

/* One attribute of the same name and meaning. */
static void lower_named(ovir_writer *w, const tarn_node *n, const char *attr, const ovir_lower *row)
{
	const char *attrs[] = {attr, ovir_text(w, "%lld", (long long)ovir_get_i(n, attr)), NULL};
	ovir_ref in[2] = {ovir_ref_of(w, n->in[0]), ovir_ref_of(w, n->in[1])};
	ovir_put_node(w, n, row->type, row->version, attrs, in, 2);
}

static void lower_gather_elements(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	lower_named(w, n, "axis", row);
}

static void lower_gather_nd(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	lower_named(w, n, "batch_dims", row);
}

static void lower_split(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	const char *attrs[] = {"num_splits", ovir_text(w, "%d", n->n_out), NULL};
	const tarn_value *lengths = ovir_value_of(n, 1);
	ovir_ref in[3] = {ovir_ref_of(w, n->in[0]), axis_const(w, n)};
	int axis = 0;
	if (n->in[0]->shape.rank >= 0 && tarn_shape_axis(n->in[0]->shape.rank, ovir_get_i(n, "axis"), &axis) != TARN_OK)
		axis = 0;
	tarn_dim size = n->in[0]->shape.rank > 0 ? n->in[0]->shape.dim[axis] : -1;
	if (!lengths && size >= 0 && size % n->n_out) {
		refuse(w, "a split into parts of unequal size needs its lengths as an input");
		return;
	}
	if (lengths)
		in[2] = ovir_ref_of(w, lengths);
	ovir_put_node(w, n, lengths ? "VariadicSplit" : row->type, row->version, lengths ? NULL : attrs, in, lengths ? 3 : 2);
}

static void lower_slice(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	const tarn_value *axes = ovir_value_of(n, 3), *steps = ovir_value_of(n, 4);
	ovir_ref in[5] = {ovir_ref_of(w, n->in[0]), ovir_ref_of(w, n->in[1]), ovir_ref_of(w, n->in[2])};
	tarn_dim count = n->in[1]->shape.rank == 1 ? n->in[1]->shape.dim[0] : -1;
	if (!steps && (count < 0 || count > TARN_MAX_RANK)) {
		refuse(w, "the number of axes is not known");
		return;
	}
	static const int64_t ones[TARN_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
	in[3] = steps ? ovir_ref_of(w, steps) : ovir_put_ints(w, ovir_sub(w, n, "step"), n->in[1]->type, ones, (int)count);
	if (axes)
		in[4] = ovir_ref_of(w, axes);
	ovir_put_node(w, n, row->type, row->version, NULL, in, axes ? 5 : 4);
}

static void lower_pad(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	int64_t pads[2][TARN_MAX_RANK] = {{0}}, axis;
	const tarn_value *p = n->in[1], *axes = ovir_value_of(n, 3), *value = ovir_value_of(n, 2);
	int rank = n->in[0]->shape.rank, at;
	bool negative = false;
	if (!p->konst || rank < 0 || (axes && !axes->konst)) {
		refuse(w, "padding that the model computes has no form in the IR writer");
		return;
	}
	int count = (int)(tarn_tensor_count(p->konst) / 2);
	for (int i = 0; i < count; i++) {
		axis = axes ? tarn_tensor_i64(axes->konst, i) : i;
		if (tarn_shape_axis(rank, axis, &at) != TARN_OK) {
			ovir_fail(w, TARN_SHAPE);
			return;
		}
		for (int k = 0; k < 2; k++) {
			pads[k][at] = tarn_tensor_i64(p->konst, i + k * count);
			negative |= pads[k][at] < 0;
		}
	}
	const char *mode = ovir_get_word(w, n, "mode");
	if (!strcmp(mode, "wrap")) {
		refuse(w, "mode wrap has no form in the IR");
		return;
	}
	const char *attrs[] = {"pad_mode", mode, NULL};
	ovir_ref in[4] = {ovir_ref_of(w, n->in[0]), ovir_put_ints(w, ovir_sub(w, n, "begin"), TARN_I64, pads[0], rank),
			  ovir_put_ints(w, ovir_sub(w, n, "end"), TARN_I64, pads[1], rank)};
	bool constant = !strcmp(mode, "constant");
	if (constant) {
		tarn_shape scalar = {.rank = 0};
		in[3] = !value ? ovir_put_float(w, ovir_sub(w, n, "value"), n->in[0]->type, 0)
			       : ovir_put_reshaped(w, value, ovir_sub(w, n, "value"), &scalar);
	}
	ovir_put_node(w, n, row->type, negative ? "opset12" : row->version, attrs, in, constant ? 4 : 3);
}

static void lower_expand(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	static const char *const attrs[] = {"mode", "bidirectional", NULL};
	ovir_ref in[2] = {ovir_ref_of(w, n->in[0]), ovir_ref_of(w, n->in[1])};
	ovir_put_node(w, n, row->type, row->version, attrs, in, 2);
}

static void lower_constant_of_shape(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	static const char *const attrs[] = {"mode", "numpy", NULL};
	const tarn_attr *v = ovir_get(n, "value");
	tarn_dtype t = n->out[0]->type;
	ovir_ref in[2] = {ovir_put_float(w, ovir_sub(w, n, "value"), t, v && v->t ? tarn_tensor_f64(v->t, 0) : 0),
			  ovir_ref_of(w, n->in[0])};
	ovir_put_node(w, n, row->type, row->version, attrs, in, 2);
}

static void lower_range(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	const char *attrs[] = {"output_type", tarn_dtype_info(n->out[0]->type)->word, NULL};
	ovir_ref in[3];
	for (int i = 0; i < 3; i++)
		in[i] = ovir_ref_of(w, n->in[i]);
	ovir_put_node(w, n, row->type, row->version, attrs, in, 3);
}

static void lower_reduce(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	const char *attrs[] = {"keep_dims", ovir_get_i(n, "keepdims") ? "true" : "false", NULL};
	const tarn_attr *list = ovir_get(n, "axes");
	const tarn_value *axes = ovir_value_of(n, 1);
	int64_t all[TARN_MAX_RANK];
	int rank = n->in[0]->shape.rank;
	ovir_ref in[2] = {ovir_ref_of(w, n->in[0])};
	bool empty = axes ? axes->shape.rank == 1 && axes->shape.dim[0] == 0 : !list || !list->ints.n;
	if (empty && ovir_get(n, "noop_with_empty_axes") && ovir_get_i(n, "noop_with_empty_axes")) {
		ovir_alias(w, n->out[0], in[0]);
		return;
	}
	if (empty && rank < 0) {
		refuse(w, "the input's rank is not known");
		return;
	}
	for (int i = 0; i < rank; i++)
		all[i] = i;
	if (axes && !empty)
		in[1] = ovir_ref_of(w, axes);
	else
		in[1] = ovir_put_ints(w, ovir_sub(w, n, "axes"), TARN_I64, empty ? all : list->ints.at,
				      empty ? rank : list->ints.n);
	ovir_put_node(w, n, row->type, row->version, attrs, in, 2);
}

static void lower_depth(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	bool crd = tarn_attr_index(n->op, "mode") >= 0 && !strcmp(ovir_get_word(w, n, "mode"), "CRD");
	const char *attrs[] = {"block_size", ovir_text(w, "%lld", (long long)ovir_get_i(n, "blocksize")), "mode",
			       crd ? "depth_first" : "blocks_first", NULL};
	ovir_ref in = ovir_ref_of(w, n->in[0]);
	ovir_put_node(w, n, row->type, row->version, attrs, &in, 1);
}

static void lower_scatter(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	bool nd = !strcmp(n->op->name, "ScatterND");
	ovir_ref in[4];
	if (strcmp(ovir_get_word(w, n, "reduction"), "none")) {
		refuse(w, "scattering with a reduction has no form in the IR writer");
		return;
	}
	for (int i = 0; i < 3; i++)
		in[i] = ovir_ref_of(w, n->in[i]);
	if (!nd)
		in[3] = axis_const(w, n);
	ovir_put_node(w, n, row->type, row->version, NULL, in, nd ? 3 : 4);
}

/* ---- Resize: sizes or scales of every axis that changes ---- */

static void lower_resize(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	const tarn_value *scales = ovir_value_of(n, 2), *sizes = ovir_value_of(n, 3);
	const tarn_shape *x = &n->in[0]->shape;
	const char *mode = ovir_get_word(w, n, "mode"), *coord = ovir_get_word(w, n, "coordinate_transformation_mode");
	bool by_scale = scales && !(scales->shape.rank == 1 && scales->shape.dim[0] == 0);
	const tarn_attr *given = ovir_get(n, "axes");
	if (x->rank < 0 || !strcmp(coord, "tf_crop_and_resize") || ovir_get_i(n, "exclude_outside") ||
	    ovir_get_i(n, "keep_aspect_ratio_policy") || !strcmp(coord, "half_pixel_symmetric")) {
		refuse(w, "this form of resizing has no form in the IR");
		return;
	}
	const char *attrs[] = {"mode",
			       !strcmp(mode, "linear") ? "linear_onnx" : mode,
			       "shape_calculation_mode",
			       by_scale ? "scales" : "sizes",
			       "coordinate_transformation_mode",
			       coord,
			       "nearest_mode",
			       ovir_get_word(w, n, "nearest_mode"),
			       "antialias",
			       ovir_get_i(n, "antialias") ? "true" : "false",
			       "pads_begin",
			       "0",
			       "pads_end",
			       "0",
			       "cube_coeff",
			       ovir_text(w, "%.17g", ovir_get_f(n, "cubic_coeff_a")),
			       NULL};
	/* linear_onnx takes the last two or three axes; those that stay are left out where constants show it. */
	int64_t axes[TARN_MAX_RANK], size[TARN_MAX_RANK];
	float scale[TARN_MAX_RANK];
	const tarn_value *by = by_scale ? scales : sizes;
	int k = 0, count = given ? given->ints.n : x->rank;
	ovir_ref in[3] = {ovir_ref_of(w, n->in[0])};
	for (int i = 0; i < count; i++) {
		const int64_t axis = !given ? i : given->ints.at[i] < 0 ? given->ints.at[i] + x->rank : given->ints.at[i];
		if (by->konst && axis < 2 && by_scale && tarn_tensor_f64(by->konst, i) == 1)
			continue;
		if (by->konst && axis < 2 && !by_scale && tarn_tensor_i64(by->konst, i) == x->dim[axis])
			continue;
		scale[k] = by->konst && by_scale ? (float)tarn_tensor_f64(by->konst, i) : 1;
		size[k] = by->konst && !by_scale ? tarn_tensor_i64(by->konst, i) : 1;
		axes[k++] = axis;
	}
	if (!by->konst) {
		in[1] = ovir_ref_of(w, by);
	} else if (by_scale) {
		tarn_tensor t = {.type = TARN_F32, .rank = 1, .dim = {k}, .data = scale};
		in[1] = ovir_put_tensor(w, ovir_sub(w, n, "scales"), &t);
	} else {
		in[1] = ovir_put_ints(w, ovir_sub(w, n, "sizes"), TARN_I64, size, k);
	}
	in[2] = ovir_put_ints(w, ovir_sub(w, n, "axes"), TARN_I64, axes, k);
	ovir_put_node(w, n, row->type, row->version, attrs, in, 3);
}

#define SAME(op, type, version) \
	{ \
		op, type, "opset" version, lower_same, NULL \
	}
const ovir_lower ovir_lower_shape[] = {
	SAME("Squeeze", "Squeeze", "1"),
	SAME("Unsqueeze", "Unsqueeze", "1"),
	SAME("Tile", "Tile", "1"),
	{"Reshape", "Reshape", "opset1", lower_reshape, NULL},
	{"Flatten", "Reshape", "opset1", lower_flatten, NULL},
	{"Transpose", "Transpose", "opset1", lower_transpose, NULL},
	{"Shape", "ShapeOf", "opset3", lower_shape_of, NULL},
	{"Concat", "Concat", "opset1", lower_concat, NULL},
	{"Gather", "Gather", "opset8", lower_gather, NULL},
	{"GatherElements", "GatherElements", "opset6", lower_gather_elements, NULL},
	{"GatherND", "GatherND", "opset8", lower_gather_nd, NULL},
	{"Split", "Split", "opset1", lower_split, NULL},
	{"Slice", "Slice", "opset8", lower_slice, NULL},
	{"Pad", "Pad", "opset1", lower_pad, NULL},
	{"Expand", "Broadcast", "opset3", lower_expand, NULL},
	{"ConstantOfShape", "Broadcast", "opset3", lower_constant_of_shape, NULL},
	{"Range", "Range", "opset4", lower_range, NULL},
	{"ReduceMean", "ReduceMean", "opset1", lower_reduce, NULL},
	{"ReduceSum", "ReduceSum", "opset1", lower_reduce, NULL},
	{"ReduceMax", "ReduceMax", "opset1", lower_reduce, NULL},
	{"ReduceMin", "ReduceMin", "opset1", lower_reduce, NULL},
	{"ReduceProd", "ReduceProd", "opset1", lower_reduce, NULL},
	{"ReduceL1", "ReduceL1", "opset4", lower_reduce, NULL},
	{"ReduceL2", "ReduceL2", "opset4", lower_reduce, NULL},
	{"DepthToSpace", "DepthToSpace", "opset1", lower_depth, NULL},
	{"SpaceToDepth", "SpaceToDepth", "opset1", lower_depth, NULL},
	{"ScatterElements", "ScatterElementsUpdate", "opset3", lower_scatter, NULL},
	{"ScatterND", "ScatterNDUpdate", "opset3", lower_scatter, NULL},
	{"LSTM", "LSTMSequence", "opset5", ovir_lower_sequence, NULL},
	{"GRU", "GRUSequence", "opset5", ovir_lower_sequence, NULL},
	{"RNN", "RNNSequence", "opset5", ovir_lower_sequence, NULL},
	{"Resize", "Interpolate", "opset11", lower_resize, NULL},
	{NULL, NULL, NULL, NULL, NULL},
};
