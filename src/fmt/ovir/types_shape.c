/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes, movement, reductions. */
#include <string.h>

#include "fmt/ovir/layer.h"

/* An input that is one constant integer. */
static tarn_err const_int(const ovir_build *b, int input, const char *what, int64_t *v)
{
	int n;
	TRY(ovir_const_ints(b, input, what, v, 1, &n));
	CHECK(n == 1, TARN_BAD_FILE, "%s is no single number", what);
	return TARN_OK;
}

static tarn_err need(const ovir_build *b, int lo, int hi)
{
	CHECK(b->l->n_in >= lo && b->l->n_in <= hi, TARN_BAD_FILE, "it has %d inputs; %d to %d are needed", b->l->n_in, lo, hi);
	return TARN_OK;
}

static tarn_err read_reshape(ovir_build *b)
{
	int64_t special;
	CHECK(ovir_attr(b->l, "special_zero"), TARN_BAD_FILE, "special_zero is missing");
	TRY(ovir_attr_i(b->l, "special_zero", 0, &special));
	TRY(ovir_make(b, "Reshape", b->in, b->l->n_in, -1));
	return ovir_set_i(b, "allowzero", !special);
}

static tarn_err read_transpose(ovir_build *b)
{
	int64_t order[TARN_MAX_RANK];
	int n;
	TRY(need(b, 2, 2));
	TRY(ovir_const_ints(b, 1, "the order", order, TARN_MAX_RANK, &n));
	TRY(ovir_make(b, "Transpose", b->in, 1, -1));
	return n ? ovir_set_ints(b, "perm", order, n) : TARN_OK;
}

static tarn_err cast_out(ovir_build *b, tarn_dtype type)
{
	tarn_value *v = b->node->out[0];
	TRY(ovir_make(b, "Cast", &v, 1, -1));
	return ovir_set_i(b, "to", type);
}

static tarn_err read_shape_of(ovir_build *b)
{
	tarn_dtype t;
	TRY(ovir_attr_type(b->l, "output_type", TARN_I64, &t));
	TRY(ovir_make(b, "Shape", b->in, b->l->n_in, -1));
	return t == TARN_I64 ? TARN_OK : cast_out(b, t);
}

static tarn_err read_gather(ovir_build *b)
{
	int64_t axis, batch;
	TRY(need(b, 3, 3));
	TRY(const_int(b, 2, "the axis", &axis));
	TRY(ovir_attr_i(b->l, "batch_dims", 0, &batch));
	CHECK(!batch, TARN_UNSUPPORTED, "batch_dims=\"%lld\" is not supported; 0 is", (long long)batch);
	TRY(ovir_make(b, "Gather", b->in, 2, -1));
	return ovir_set_i(b, "axis", axis);
}

static tarn_err read_split(ovir_build *b)
{
	int64_t axis, n;
	TRY(need(b, 2, 2));
	TRY(const_int(b, 1, "the axis", &axis));
	TRY(ovir_attr_i(b->l, "num_splits", b->l->n_out, &n));
	CHECK(n == b->l->n_out, TARN_BAD_FILE, "num_splits is %lld for %d outputs", (long long)n, b->l->n_out);
	TRY(ovir_make(b, "Split", b->in, 1, -1));
	return ovir_set_i(b, "axis", axis);
}

static tarn_err read_variadic_split(ovir_build *b)
{
	int64_t axis, length[1024], sum = 0;
	int n, hole = -1, a;
	TRY(need(b, 3, 3));
	TRY(const_int(b, 1, "the axis", &axis));
	tarn_value *in[2] = {b->in[0], b->in[2]};
	if (b->in[2]->konst) {
		TRY(ovir_const_ints(b, 2, "the lengths", length, 1024, &n));
		for (int i = 0; i < n; i++) {
			if (length[i] == -1)
				hole = i;
			else
				sum += length[i];
		}
		if (hole >= 0) {
			const tarn_shape *x = &b->in[0]->shape;
			CHECK(x->rank >= 0, TARN_UNSUPPORTED, "a length of -1 where the input's shape is not known");
			TRY(tarn_shape_axis(x->rank, axis, &a));
			CHECK(x->dim[a] >= sum, TARN_UNSUPPORTED, "a length of -1 where the input's size is not known");
			length[hole] = x->dim[a] - sum;
			TRY(tarn_value_const_i64(b->g, NULL, length, n, &in[1]));
		}
	}
	TRY(ovir_make(b, "Split", in, 2, -1));
	return ovir_set_i(b, "axis", axis);
}

static tarn_err read_slice(ovir_build *b)
{
	TRY(need(b, 4, 5));
	tarn_value *in[5] = {b->in[0], b->in[1], b->in[2], b->l->n_in > 4 ? b->in[4] : NULL, b->in[3]};
	return ovir_make(b, "Slice", in, 5, -1);
}

/* ---- StridedSlice: masks say which axes are not cut, which vanish, which are new ---- */

enum { BEGIN, END, NEW, SHRINK, ELLIPSIS, N_MASKS };

typedef struct strided {
	int64_t at[3][TARN_MAX_RANK * 2]; /* begin, end, stride */
	int64_t mask[N_MASKS][TARN_MAX_RANK * 2];
	int n; /* entries */
	int64_t begin[TARN_MAX_RANK], end[TARN_MAX_RANK], step[TARN_MAX_RANK], axis[TARN_MAX_RANK];
	int n_cut;
	int64_t squeeze[TARN_MAX_RANK], unsqueeze[TARN_MAX_RANK];
	int n_squeeze, n_unsqueeze;
} strided;

static tarn_err strided_read(ovir_build *b, strided *s)
{
	static const char *const what[] = {"the begin", "the end", "the stride"};
	static const char *const name[] = {"begin_mask", "end_mask", "new_axis_mask", "shrink_axis_mask", "ellipsis_mask"};
	int n;
	TRY(need(b, 3, 4));
	TRY(ovir_const_ints(b, 1, what[0], s->at[0], TARN_MAX_RANK * 2, &s->n));
	for (int i = 0; i < s->n; i++)
		s->at[2][i] = 1;
	for (int k = 1; k < b->l->n_in - 1; k++) {
		TRY(ovir_const_ints(b, 1 + k, what[k], s->at[k], TARN_MAX_RANK * 2, &n));
		CHECK(n == s->n, TARN_BAD_FILE, "%s has %d numbers, the begin %d", what[k], n, s->n);
	}
	for (int k = 0; k < N_MASKS; k++) {
		const char *text = ovir_attr(b->l, name[k]);
		CHECK(!text || ovir_ints(text, s->mask[k], TARN_MAX_RANK * 2, &n), TARN_BAD_FILE, "%s is no list of numbers",
		      name[k]);
	}
	return TARN_OK;
}

static tarn_err strided_plan(ovir_build *b, strided *s)
{
	int rank = b->in[0]->shape.rank, axis = 0, out = 0;
	int named = 0, dots = 0;
	for (int i = 0; i < s->n; i++) {
		named += !s->mask[NEW][i] && !s->mask[ELLIPSIS][i];
		dots += s->mask[ELLIPSIS][i] != 0;
	}
	CHECK(dots <= 1 && (!dots || rank >= named), TARN_UNSUPPORTED, "an ellipsis where the input's rank is not known");
	for (int i = 0; i < s->n; i++) {
		if (s->mask[ELLIPSIS][i]) {
			axis += rank - named;
			out += rank - named;
			continue;
		}
		CHECK(out < TARN_MAX_RANK && axis < TARN_MAX_RANK, TARN_BAD_FILE, "it cuts more than %d axes", TARN_MAX_RANK);
		if (s->mask[NEW][i]) {
			s->unsqueeze[s->n_unsqueeze++] = out++;
			continue;
		}
		int64_t step = s->at[2][i], begin = s->at[0][i], end = s->at[1][i];
		CHECK(step, TARN_BAD_FILE, "a stride is 0");
		if (s->mask[SHRINK][i]) {
			s->squeeze[s->n_squeeze++] = axis;
			end = begin == -1 ? INT64_MAX : begin + 1;
			step = 1;
		} else {
			if (s->mask[BEGIN][i])
				begin = step > 0 ? 0 : INT64_MAX;
			if (s->mask[END][i])
				end = step > 0 ? INT64_MAX : INT64_MIN;
			out++;
		}
		s->begin[s->n_cut] = begin;
		s->end[s->n_cut] = end;
		s->step[s->n_cut] = step;
		s->axis[s->n_cut++] = axis++;
	}
	return TARN_OK;
}

static tarn_err with_axes(ovir_build *b, const char *op, const int64_t *axis, int n)
{
	tarn_value *in[2] = {b->node ? b->node->out[0] : b->in[0], NULL};
	if (!n)
		return TARN_OK;
	TRY(tarn_value_const_i64(b->g, NULL, axis, n, &in[1]));
	return ovir_make(b, op, in, 2, -1);
}

static tarn_err read_strided_slice(ovir_build *b)
{
	strided s = {0};
	TRY(strided_read(b, &s));
	TRY(strided_plan(b, &s));
	tarn_value *in[5] = {b->in[0]};
	const int64_t *list[4] = {s.begin, s.end, s.axis, s.step};
	for (int i = 0; i < 4; i++)
		TRY(tarn_value_const_i64(b->g, NULL, list[i], s.n_cut, &in[1 + i]));
	TRY(ovir_make(b, "Slice", in, 5, -1));
	TRY(with_axes(b, "Squeeze", s.squeeze, s.n_squeeze));
	return with_axes(b, "Unsqueeze", s.unsqueeze, s.n_unsqueeze);
}

static tarn_err read_pad(ovir_build *b)
{
	int64_t pads[2 * TARN_MAX_RANK];
	int n, m;
	TRY(need(b, 3, 4));
	TRY(ovir_const_ints(b, 1, "pads_begin", pads, TARN_MAX_RANK, &n));
	TRY(ovir_const_ints(b, 2, "pads_end", pads + n, TARN_MAX_RANK, &m));
	CHECK(n == m, TARN_BAD_FILE, "pads_begin has %d numbers, pads_end %d", n, m);
	const char *mode = ovir_attr(b->l, "pad_mode");
	CHECK(mode, TARN_BAD_FILE, "pad_mode is missing");
	tarn_value *in[3] = {b->in[0]};
	TRY(tarn_value_const_i64(b->g, NULL, pads, 2 * n, &in[1]));
	if (b->l->n_in > 3)
		in[2] = b->in[3];
	TRY(ovir_make(b, "Pad", in, b->l->n_in > 3 ? 3 : 2, -1));
	int i = tarn_attr_index(b->node->op, "mode");
	int w = i < 0 ? -1 : tarn_words_find(b->node->op->attr[i].words, mode);
	CHECK(w >= 0, TARN_UNSUPPORTED, "pad_mode=\"%.40s\" is not supported", mode);
	return tarn_attr_set_i(b->node, i, w);
}

static tarn_err read_broadcast(ovir_build *b)
{
	CHECK(ovir_attr_is(b->l, "mode", "numpy") || ovir_attr_is(b->l, "mode", "bidirectional"), TARN_UNSUPPORTED,
	      "mode=\"%.40s\" is not supported", ovir_attr(b->l, "mode"));
	TRY(need(b, 2, 2));
	return ovir_make(b, "Expand", b->in, 2, -1);
}

static tarn_err read_reduce(ovir_build *b)
{
	int64_t keep;
	TRY(need(b, 2, 2));
	TRY(ovir_attr_i(b->l, "keep_dims", 0, &keep));
	const char *op = ovir_type_find(b->l->type)->op;
	if (!strcmp(op, "ReduceSum")) {
		TRY(ovir_make(b, op, b->in, 2, -1));
	} else {
		int64_t axes[TARN_MAX_RANK];
		int n;
		TRY(ovir_const_ints(b, 1, "the axes", axes, TARN_MAX_RANK, &n));
		TRY(ovir_make(b, op, b->in, 1, -1));
		TRY(ovir_set_ints(b, "axes", axes, n));
	}
	return ovir_set_i(b, "keepdims", keep != 0);
}

static tarn_err read_depth_to_space(ovir_build *b)
{
	bool first = ovir_attr_is(b->l, "mode", "blocks_first");
	int64_t size;
	CHECK(ovir_attr(b->l, "mode") && (first || ovir_attr_is(b->l, "mode", "depth_first")), TARN_BAD_FILE,
	      "mode is blocks_first or depth_first");
	TRY(ovir_attr_i(b->l, "block_size", 1, &size));
	bool back = !strcmp(b->l->type, "SpaceToDepth");
	CHECK(!back || first, TARN_UNSUPPORTED, "mode depth_first is not supported");
	/* The attribute mode has other words in ONNX: it is set here, not by name. */
	ovir_layer l = *b->l;
	static const char *const none[] = {NULL};
	const ovir_layer *own = b->l;
	l.attr = (const char **)(uintptr_t)none;
	b->l = &l;
	tarn_err err = ovir_make(b, ovir_type_find(own->type)->op, b->in, own->n_in, -1);
	b->l = own;
	TRY(err);
	TRY(ovir_set_i(b, "blocksize", size));
	if (back || first)
		return TARN_OK;
	int i = tarn_attr_index(b->node->op, "mode");
	return i < 0 ? TARN_OK : tarn_attr_set_i(b->node, i, tarn_words_find(b->node->op->attr[i].words, "CRD"));
}

static tarn_err read_scatter_elements(ovir_build *b)
{
	int64_t axis;
	TRY(need(b, 4, 4));
	TRY(const_int(b, 3, "the axis", &axis));
	CHECK(ovir_attr_is(b->l, "reduction", "none"), TARN_UNSUPPORTED, "a reduction is not supported");
	TRY(ovir_make(b, "ScatterElements", b->in, 3, -1));
	return ovir_set_i(b, "axis", axis);
}

static tarn_err read_scatter_nd(ovir_build *b)
{
	CHECK(ovir_attr_is(b->l, "reduction", "none"), TARN_UNSUPPORTED, "a reduction is not supported");
	return ovir_make(b, "ScatterND", b->in, b->l->n_in, -1);
}

static tarn_err read_range(ovir_build *b)
{
	tarn_dtype t;
	TRY(need(b, 3, 3));
	TRY(ovir_attr_type(b->l, "output_type", b->in[0]->type, &t));
	for (int i = 0; i < 3; i++)
		CHECK(b->in[i]->type == t, TARN_UNSUPPORTED, "limits of another type than the output's are not supported");
	return ovir_make(b, "Range", b->in, 3, -1);
}

/* ---- Interpolate: sizes or scales, of all axes or of those listed ---- */

static tarn_err set_word(ovir_build *b, const char *attr, const char *as, const char *word)
{
	int i = tarn_attr_index(b->node->op, as), w = i < 0 ? -1 : tarn_words_find(b->node->op->attr[i].words, word);
	CHECK(w >= 0, TARN_UNSUPPORTED, "%s=\"%.40s\" is not supported", attr, word);
	return tarn_attr_set_i(b->node, i, w);
}

static tarn_err pads_check(const ovir_build *b)
{
	static const char *const name[] = {"pads_begin", "pads_end"};
	for (int i = 0; i < 2; i++) {
		const char *text = ovir_attr(b->l, name[i]);
		int64_t pad[TARN_MAX_RANK];
		int n = 0;
		CHECK(!text || ovir_ints(text, pad, TARN_MAX_RANK, &n), TARN_BAD_FILE, "%s is no list of numbers", name[i]);
		for (int k = 0; k < n; k++)
			CHECK(!pad[k], TARN_UNSUPPORTED, "padding before resizing is not supported");
	}
	return TARN_OK;
}

/* The listed axes' numbers among those of all axes; *out stays NULL where that needs sizes nobody knows. */
static tarn_err all_axes(ovir_build *b, const tarn_value *v, const int64_t *axis, int n, bool scales, tarn_value **out)
{
	const tarn_shape *x = &b->in[0]->shape;
	float scale[TARN_MAX_RANK];
	int64_t size[TARN_MAX_RANK];
	*out = NULL;
	if (x->rank < 0 || !v->konst || tarn_tensor_count(v->konst) != n)
		return TARN_OK;
	bool listed[TARN_MAX_RANK] = {false};
	for (int i = 0; i < n; i++) {
		int a;
		TRY(tarn_shape_axis(x->rank, axis[i], &a));
		listed[a] = true;
		scale[a] = (float)tarn_tensor_f64(v->konst, i);
		size[a] = tarn_tensor_i64(v->konst, i);
	}
	for (int i = 0; i < x->rank; i++) {
		if (listed[i])
			continue;
		if (!scales && x->dim[i] < 0)
			return TARN_OK;
		scale[i] = 1;
		size[i] = x->dim[i];
	}
	return scales ? tarn_value_const_f32(b->g, NULL, scale, x->rank, out)
		      : tarn_value_const_i64(b->g, NULL, size, x->rank, out);
}

static tarn_err read_interpolate(ovir_build *b)
{
	bool four = !strcmp(b->l->version, "opset4"), scales = ovir_attr_is(b->l, "shape_calculation_mode", "scales");
	const char *mode = ovir_attr(b->l, "mode"), *coord = ovir_attr(b->l, "coordinate_transformation_mode");
	const char *nearest = ovir_attr(b->l, "nearest_mode");
	CHECK(mode && ovir_attr(b->l, "shape_calculation_mode"), TARN_BAD_FILE, "mode or shape_calculation_mode is missing");
	CHECK(scales || ovir_attr_is(b->l, "shape_calculation_mode", "sizes"), TARN_BAD_FILE,
	      "shape_calculation_mode is sizes or scales");
	TRY(need(b, four ? 3 : 2, four ? 4 : 3));
	TRY(pads_check(b));
	int64_t axis[TARN_MAX_RANK];
	int n = 0, last = four ? 3 : 2;
	tarn_value *by = b->in[four && scales ? 2 : 1], *all = by, *in[4] = {b->in[0]};
	if (b->l->n_in > last) {
		TRY(ovir_const_ints(b, last, "the axes", axis, TARN_MAX_RANK, &n));
		TRY(all_axes(b, by, axis, n, scales, &all));
	}
	in[scales ? 2 : 3] = all ? all : by;
	/* Words differ from ONNX's: attributes are set one by one. */
	static const char *const none[] = {NULL};
	const ovir_layer *own = b->l;
	ovir_layer l = *own;
	l.attr = (const char **)(uintptr_t)none;
	b->l = &l;
	tarn_err err = ovir_make(b, "Resize", in, scales ? 3 : 4, -1);
	b->l = own;
	TRY(err);
	double cube;
	int64_t anti;
	TRY(ovir_attr_f(b->l, "cube_coeff", -0.75, &cube));
	TRY(ovir_attr_i(b->l, "antialias", 0, &anti));
	TRY(ovir_set_f(b, "cubic_coeff_a", cube));
	TRY(ovir_set_i(b, "antialias", anti));
	TRY(set_word(b, "mode", "mode", !strcmp(mode, "linear_onnx") ? "linear" : !strcmp(mode, "linear") ? "" : mode));
	TRY(set_word(b, "coordinate_transformation_mode", "coordinate_transformation_mode", coord ? coord : "half_pixel"));
	TRY(set_word(b, "nearest_mode", "nearest_mode", nearest ? nearest : "round_prefer_floor"));
	return all ? TARN_OK : ovir_set_ints(b, "axes", axis, n);
}

const ovir_type ovir_types_shape[] = {
	{"Reshape", "1", "Reshape", read_reshape, 0},
	{"Squeeze", "1|15", "Squeeze", NULL, 0},
	{"Unsqueeze", "1", "Unsqueeze", NULL, 0},
	{"Transpose", "1", "Transpose", read_transpose, 0},
	{"ShapeOf", "1|3", "Shape", read_shape_of, 0},
	{"Concat", "1", "Concat", NULL, 0},
	{"Gather", "1|7|8", "Gather", read_gather, 0},
	{"GatherElements", "6", "GatherElements", NULL, 0},
	{"GatherND", "8", "GatherND", NULL, 0},
	{"Split", "1", "Split", read_split, 0},
	{"VariadicSplit", "1", "Split", read_variadic_split, 0},
	{"Slice", "8", "Slice", read_slice, 0},
	{"StridedSlice", "1", "Slice", read_strided_slice, 0},
	{"Pad", "1|12", "Pad", read_pad, 0},
	{"Broadcast", "3", "Expand", read_broadcast, 0},
	{"Tile", "1", "Tile", NULL, 0},
	{"Range", "4", "Range", read_range, 0},
	{"DepthToSpace", "1", "DepthToSpace", read_depth_to_space, 0},
	{"SpaceToDepth", "1", "SpaceToDepth", read_depth_to_space, 0},
	{"ScatterElementsUpdate", "3|12", "ScatterElements", read_scatter_elements, 0},
	{"ScatterNDUpdate", "3|15", "ScatterND", read_scatter_nd, 0},
	{"Interpolate", "4|11", "Resize", read_interpolate, 0},
	{"ReduceMean", "1", "ReduceMean", read_reduce, 0},
	{"ReduceSum", "1", "ReduceSum", read_reduce, 0},
	{"ReduceMax", "1", "ReduceMax", read_reduce, 0},
	{"ReduceMin", "1", "ReduceMin", read_reduce, 0},
	{"ReduceProd", "1", "ReduceProd", read_reduce, 0},
	{"ReduceL1", "4", "ReduceL1", read_reduce, 0},
	{"ReduceL2", "4", "ReduceL2", read_reduce, 0},
	{NULL, NULL, NULL, NULL, 0},
};
