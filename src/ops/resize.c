/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resize: attributes, shape inference, import of the older forms (Upsample 7 and 9, Resize 10). Canonical inputs: X, roi,
 * scales, sizes; an empty roi, scales or sizes counts as absent. Beyond opset 17: antialias, axes, keep_aspect_ratio_policy
 * (18), half_pixel_symmetric (19), and nearest_mode "simple" of the oldest form (up when shrinking, down when growing).
 */
#include "ops/resize.h"

#include <inttypes.h>
#include <math.h>

#include "ops/ops.h"
#include "ops/padding.h"

const tarn_attr_def tarn_resize_attr[TARN_RESIZE_ATTRS] = {
	{"antialias", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 0},
	{"axes", TARN_ATTR_INTS},
	{"coordinate_transformation_mode", TARN_ATTR_ENUM, TARN_ATTR_DEFAULT, 0,
	 "half_pixel|pytorch_half_pixel|align_corners|asymmetric|tf_half_pixel_for_nn|tf_crop_and_resize|half_pixel_symmetric"},
	{"cubic_coeff_a", TARN_ATTR_FLOAT, TARN_ATTR_DEFAULT, -0.75},
	{"exclude_outside", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 0},
	{"extrapolation_value", TARN_ATTR_FLOAT, TARN_ATTR_DEFAULT, 0},
	{"keep_aspect_ratio_policy", TARN_ATTR_ENUM, TARN_ATTR_DEFAULT, 0, "stretch|not_larger|not_smaller"},
	{"mode", TARN_ATTR_ENUM, TARN_ATTR_DEFAULT, 0, "nearest|linear|cubic"},
	{"nearest_mode", TARN_ATTR_ENUM, TARN_ATTR_DEFAULT, 0, "round_prefer_floor|round_prefer_ceil|floor|ceil|simple"},
};

tarn_err tarn_resize_axes(const tarn_node *n, int rank, int *axis, int *count)
{
	const tarn_attr *a = &n->attr[TARN_RESIZE_AXES];
	*count = a->set ? a->ints.n : rank;
	CHECK(*count <= rank, TARN_SHAPE, "%d axes for rank %d", *count, rank);
	for (int i = 0; i < *count; i++)
		if (a->set)
			TRY(tarn_shape_axis(rank, a->ints.at[i], &axis[i]));
		else
			axis[i] = i;
	return TARN_OK;
}

static const tarn_tensor *filled(const tarn_node *n, int i)
{
	return tarn_node_has(n, i) && n->in[i]->konst && tarn_tensor_count(n->in[i]->konst) ? n->in[i]->konst : NULL;
}

/* floor(in * scale) in the arithmetic of float, as the sizes are defined. */
static int64_t scaled(int64_t in, float scale)
{
	return (int64_t)floorf((float)in * scale);
}

/* Is floor(in * p / q) what the arithmetic of float makes of in * scale, up to that size? A limit that is too high says no. */
static bool same_as_fraction(float scale, int64_t p, int64_t q, int64_t hi)
{
	enum { MOST = 1 << 14 };
	bool exact = (double)scale * (double)q == (double)p;
	for (int64_t in = 1; !exact && hi <= MOST && in <= hi; in++)
		if (scaled(in, scale) != in * p / q)
			return false;
	return exact || hi <= MOST;
}

/* A free dimension times p/q for the small fractions that scales are in practice; otherwise a new symbol. */
static tarn_err scale_symbol(tarn_infer *c, tarn_dim in, float scale, tarn_dim *out)
{
	int64_t hi = tarn_dim_hi(c->syms, in);
	for (int64_t q = 1; q <= 64; q++) {
		double p = rint((double)scale * (double)q);
		if (p < 1 || p > 1 << 20 || fabs(p - (double)scale * (double)q) > 1e-4)
			continue;
		if (!same_as_fraction(scale, (int64_t)p, q, hi))
			continue;
		TRY(tarn_dim_op(c->syms, TARN_SYM_MUL, in, (int64_t)p, out));
		return tarn_dim_op(c->syms, TARN_SYM_FLOORDIV, *out, q, out);
	}
	return tarn_symtab_fresh(c->syms, 0, hi < 1 << 20 ? scaled(hi, scale) : TARN_DIM_MAX, out);
}

static tarn_err from_scales(tarn_infer *c, const tarn_shape *x, const int *axis, int count, tarn_shape *out)
{
	const tarn_tensor *s = filled(c->node, TARN_RESIZE_SCALES);
	if (s)
		CHECK(tarn_tensor_count(s) == count, TARN_SHAPE, "%" PRId64 " scales for %d axes", tarn_tensor_count(s), count);
	for (int i = 0; i < count; i++) {
		tarn_dim in = x->dim[axis[i]], *d = &out->dim[axis[i]];
		if (!s) {
			TRY(tarn_symtab_fresh(c->syms, 0, TARN_DIM_MAX, d));
			continue;
		}
		float f = (float)tarn_tensor_f64(s, i);
		CHECK(f > 0 && f < 1e9f, TARN_SHAPE, "scale %g of axis %d; a positive number is needed", (double)f, axis[i]);
		if (f == 1)
			continue;
		if (in < 0)
			TRY(scale_symbol(c, in, f, d));
		else
			*d = scaled(in, f);
	}
	return TARN_OK;
}

/* not_larger, not_smaller: one scale for all axes, sizes rounded half up. */
static tarn_err keep_ratio(tarn_infer *c, int policy, const tarn_shape *x, const int *axis, int count, tarn_shape *out)
{
	double scale = policy == 1 ? INFINITY : 0;
	bool fixed = true;
	for (int i = 0; i < count; i++) {
		fixed = fixed && x->dim[axis[i]] > 0 && out->dim[axis[i]] >= 0;
		double f = fixed ? (double)out->dim[axis[i]] / (double)x->dim[axis[i]] : 0;
		scale = policy == 1 ? fmin(scale, f) : fmax(scale, f);
	}
	for (int i = 0; i < count; i++)
		if (fixed)
			out->dim[axis[i]] = (int64_t)floor(scale * (double)x->dim[axis[i]] + 0.5);
		else
			TRY(tarn_symtab_fresh(c->syms, 0, TARN_DIM_MAX, &out->dim[axis[i]]));
	return TARN_OK;
}

static tarn_err from_sizes(tarn_infer *c, const tarn_shape *x, const int *axis, int count, tarn_shape *out)
{
	tarn_dim size[TARN_MAX_RANK];
	int n;
	int64_t unused;
	bool known = tarn_infer_dims(c, TARN_RESIZE_SIZES, size, TARN_MAX_RANK, &n);
	CHECK(!known || n == count, TARN_SHAPE, "%d sizes for %d axes", n, count);
	for (int i = 0; i < count; i++) {
		CHECK(!known || size[i] >= 0 || !tarn_dim_is_int(size[i], &unused), TARN_SHAPE, "size %" PRId64 " of axis %d",
		      unused, axis[i]);
		if (known)
			out->dim[axis[i]] = size[i];
		else
			TRY(tarn_symtab_fresh(c->syms, 0, TARN_DIM_MAX, &out->dim[axis[i]]));
	}
	int policy = (int)tarn_attr_i(c->node, TARN_RESIZE_POLICY);
	return policy ? keep_ratio(c, policy, x, axis, count, out) : TARN_OK;
}

bool tarn_resize_by_sizes(const tarn_node *n)
{
	if (!tarn_node_has(n, TARN_RESIZE_SIZES))
		return false;
	const tarn_value *v = n->in[TARN_RESIZE_SIZES];
	return !(v->shape.rank == 1 && v->shape.dim[0] == 0);
}

static tarn_err infer(tarn_infer *c)
{
	const tarn_shape *x = tarn_infer_shape(c, 0);
	TRY(tarn_infer_class(c, 0, TARN_CLS_NUM | TARN_CLS_B));
	CHECK(tarn_node_has(c->node, TARN_RESIZE_SCALES) || tarn_node_has(c->node, TARN_RESIZE_SIZES), TARN_SHAPE,
	      "neither scales nor sizes are given");
	if (!x) {
		tarn_infer_out(c, 0, tarn_infer_type(c, 0), NULL);
		return TARN_OK;
	}
	int axis[TARN_MAX_RANK], count;
	tarn_shape out = *x;
	TRY(tarn_resize_axes(c->node, x->rank, axis, &count));
	if (tarn_resize_by_sizes(c->node))
		TRY(from_sizes(c, x, axis, count, &out));
	else
		TRY(from_scales(c, x, axis, count, &out));
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), &out);
	return TARN_OK;
}

/* Every output element takes 1, 2^d or 4^d input elements over the d resized axes; counted one axis at a time. */
static tarn_err cost(const tarn_node *n, tarn_cost *out)
{
	int64_t count;
	int64_t taps[] = {1, 2, 4};
	TRY(tarn_shape_count(&n->out[0]->shape, &count));
	*out = (tarn_cost){.ops = 0};
	for (int i = 0; i < n->out[0]->shape.rank; i++)
		if (n->out[0]->shape.dim[i] != n->in[0]->shape.dim[i])
			out->ops += count * taps[tarn_attr_i(n, TARN_RESIZE_MODE)];
	return TARN_OK;
}

/* X, scales become X, (roi), scales; pixels at their upper left corners. */
static tarn_err import_old(const tarn_import *src)
{
	tarn_node *n = src->node;
	TRY(tarn_node_resize_inputs(src->graph, n, 3));
	n->in[TARN_RESIZE_SCALES] = n->in[1];
	n->in[TARN_RESIZE_ROI] = NULL;
	TRY(tarn_attr_set_i(n, TARN_RESIZE_COORDINATES, TARN_COORD_ASYMMETRIC));
	return tarn_attr_set_i(n, TARN_RESIZE_NEAREST, TARN_NEAREST_SIMPLE);
}

static tarn_err import_resize(const tarn_import *src)
{
	return src->onnx && src->opset < 11 ? import_old(src) : TARN_OK;
}

static tarn_err import_upsample(const tarn_import *src)
{
	const double *at;
	int n;
	if (src->opset < 9) {
		CHECK(src->find_floats(src, "scales", &at, &n) && n <= TARN_MAX_RANK, TARN_BAD_FILE, "scales are missing");
		float scales[TARN_MAX_RANK];
		for (int i = 0; i < n; i++)
			scales[i] = (float)at[i];
		TRY(tarn_node_resize_inputs(src->graph, src->node, 2));
		TRY(tarn_value_const_f32(src->graph, NULL, scales, n, &src->node->in[1]));
	}
	TRY(import_old(src));
	src->node->op = &tarn_op_resize; /* the schemas are one */
	return TARN_OK;
}

/* PASS holds for nearest; a quantizer asks for the mode. */
/* The scale of an axis that is the same at every length: p->axis is scaled by *scale. */
static bool fixed_scale(const tarn_pad *p, double *scale)
{
	const tarn_node *n = p->node;
	const tarn_tensor *s = filled(n, TARN_RESIZE_SCALES);
	tarn_dim in = n->in[0]->shape.dim[p->axis], out = n->out[0]->shape.dim[p->axis], k, back;
	int axis[TARN_MAX_RANK], count;
	if (tarn_resize_axes(n, n->in[0]->shape.rank, axis, &count) != TARN_OK)
		return false;
	for (int i = 0; s && !tarn_resize_by_sizes(n) && i < count; i++)
		if (axis[i] == p->axis) {
			*scale = tarn_tensor_f64(s, i);
			return true;
		}
	*scale = 1;
	if (in == out)
		return true;
	if (tarn_dim_op(p->syms, TARN_SYM_FLOORDIV, out, in, &k) != TARN_OK || k < 1 ||
	    tarn_dim_op(p->syms, TARN_SYM_MUL, in, k, &back) != TARN_OK || back != out)
		return false;
	*scale = (double)k;
	return true;
}

static bool is_listed(const tarn_pad *p)
{
	int axis[TARN_MAX_RANK], count;
	if (tarn_resize_axes(p->node, p->node->in[0]->shape.rank, axis, &count) != TARN_OK) {
		tarn_err_clear();
		return true;
	}
	while (count-- > 0)
		if (axis[count] == p->axis)
			return true;
	return false;
}

/* Can what it reads be told for each length? */
static bool by_length(const tarn_node *n)
{
	return !tarn_attr_i(n, TARN_RESIZE_POLICY) && (tarn_resize_by_sizes(n) || filled(n, TARN_RESIZE_SCALES)) &&
	       (tarn_attr_i(n, TARN_RESIZE_MODE) == TARN_MODE_NEAREST || tarn_dtype_is_float(n->in[0]->type));
}

/* Results near the end read the last element in place of those that do not exist. */
/* An axis that keeps its size. Kernels that weigh neighbours may do so along every axis, with weights of 0, which NaN survives;
 * batch and channels of images they leave alone. */
static tarn_pad_need pad_kept(const tarn_pad *p)
{
	bool weighs = tarn_attr_i(p->node, TARN_RESIZE_MODE) != 0, outer = p->node->in[0]->shape.rank > 3 && p->axis < 2;
	return weighs && !outer ? TARN_PAD_EDGE : TARN_PAD_ANY;
}

static void pad_resize(tarn_pad *p)
{
	const tarn_node *n = p->node;
	int64_t how = tarn_attr_i(n, TARN_RESIZE_COORDINATES), round = tarn_attr_i(n, TARN_RESIZE_NEAREST);
	double scale = 0;
	p->need = TARN_PAD_UNSAFE;
	p->why = "where it reads depends on the length";
	if (p->input > 0)
		return;
	if (n->in[0]->shape.dim[p->axis] == 1 && how != TARN_COORD_TF_CROP_AND_RESIZE) {
		p->need = TARN_PAD_ANY; /* the same element everywhere */
		return;
	}
	if (how == TARN_COORD_TF_CROP_AND_RESIZE && is_listed(p)) {
		p->why = "which part of it is read depends on the length";
		return;
	}
	bool fixed = fixed_scale(p, &scale);
	if (!fixed || how == TARN_COORD_ALIGN_CORNERS) {
		tarn_err_clear();
		if (fixed && scale == 1)
			p->need = pad_kept(p);
		else if (by_length(n))
			p->need = TARN_PAD_PLACE;
		return;
	}
	bool whole = scale >= 1 && scale == floor(scale), nearest = tarn_attr_i(n, TARN_RESIZE_MODE) == 0;
	if (scale == 1) {
		p->need = pad_kept(p);
		return;
	}
	if (tarn_attr_i(n, TARN_RESIZE_POLICY) || tarn_attr_i(n, TARN_RESIZE_ANTIALIAS) ||
	    tarn_attr_i(n, TARN_RESIZE_EXCLUDE) || (how == TARN_COORD_PYTORCH_HALF_PIXEL && scale < 1) ||
	    (how == TARN_COORD_HALF_PIXEL_SYMMETRIC && !whole)) {
		p->need = by_length(n) ? TARN_PAD_PLACE : TARN_PAD_UNSAFE;
		return;
	}
	bool inside =
		nearest &&
		((how == TARN_COORD_ASYMMETRIC && (round == TARN_NEAREST_FLOOR || (whole && round == TARN_NEAREST_SIMPLE))) ||
		 (how == TARN_COORD_HALF_PIXEL && whole && round <= TARN_NEAREST_PREFER_CEIL));
	p->need = inside ? TARN_PAD_ANY : TARN_PAD_EDGE;
}

const tarn_op_def tarn_op_resize = {
	.name = "Resize",
	.onnx_since = 10,
	.min_in = 1,
	.max_in = 4,
	.min_out = 1,
	.max_out = 1,
	.attr = tarn_resize_attr,
	.n_attr = TARN_RESIZE_ATTRS,
	.import = import_resize,
	.infer = infer,
	.eval = tarn_resize_eval,
	.grad = tarn_resize_grad,
	.pad = pad_resize,
	.cost = cost,
	.quant = {.kind = TARN_QUANT_PASS, .act = 1, .weight = -1, .bias = -1},
};

/* Read as Resize. */
const tarn_op_def tarn_op_upsample = {
	.name = "Upsample",
	.onnx_since = 7,
	.onnx_until = 9,
	.min_in = 1,
	.max_in = 2,
	.min_out = 1,
	.max_out = 1,
	.attr = tarn_resize_attr,
	.n_attr = TARN_RESIZE_ATTRS,
	.import = import_upsample,
	.infer = infer,
	.eval = tarn_resize_eval,
	.grad = tarn_resize_grad,
	.cost = cost,
	.quant = {.kind = TARN_QUANT_PASS, .act = 1, .weight = -1, .bias = -1},
};
