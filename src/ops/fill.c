/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors made from few numbers: ConstantOfShape, Range, EyeLike. */
#include <math.h>

#include "ops/bounds.h"
#include "ops/elem.h"
#include "ops/ops.h"
#include "ops/padding.h"

/* ---- ConstantOfShape ---- */

static tarn_err infer_constant_of_shape(tarn_infer *c)
{
	tarn_shape out = {0};
	tarn_dtype type = tarn_attr_has(c->node, 0) && c->node->attr[0].t != NULL ? c->node->attr[0].t->type : TARN_F32;
	TRY(tarn_infer_rank(c, 0, 0, 1));
	TRY(tarn_infer_class(c, 0, TARN_CLS_INT));
	CHECK(!tarn_attr_has(c->node, 0) || c->node->attr[0].t == NULL || tarn_tensor_count(c->node->attr[0].t) == 1,
	      TARN_SHAPE, "the value must be one element");
	const tarn_shape *list = tarn_infer_shape(c, 0);
	CHECK(list == NULL || list->rank == 0 || list->dim[0] <= TARN_MAX_RANK, TARN_UNSUPPORTED, "rank %lld is more than %d",
	      (long long)list->dim[0], TARN_MAX_RANK);
	if (tarn_infer_dims(c, 0, out.dim, TARN_MAX_RANK, &out.rank)) {
		int64_t v = 0;
		for (int d = 0; d < out.rank; d++)
			CHECK(!tarn_dim_is_int(out.dim[d], &v) || (v >= 0 && v <= TARN_DIM_MAX), TARN_SHAPE,
			      "size %lld at axis %d", (long long)v, d);
	} else if (list != NULL && list->rank == 1 && tarn_dim_is_static(list->dim[0])) {
		out.rank = (int)list->dim[0];
		for (int d = 0; d < out.rank; d++)
			TRY(tarn_bounds_fresh(c, TARN_DIM_MAX, &out.dim[d]));
	} else {
		out.rank = -1;
	}
	tarn_infer_out(c, 0, type, out.rank >= 0 ? &out : NULL);
	return TARN_OK;
}

static tarn_err bounds_constant_of_shape(tarn_infer *c)
{
	tarn_dim at[TARN_KNOWN_MAX];
	const tarn_value *out = c->node->out[0];
	if (out == NULL || out->shape.rank != 1 || out->shape.dim[0] < 0 || out->shape.dim[0] > TARN_KNOWN_MAX ||
	    !(tarn_dtype_is_int(out->type) || out->type == TARN_BOOL))
		return TARN_OK;
	for (int64_t i = 0; i < out->shape.dim[0]; i++)
		at[i] = tarn_dim_of_int(tarn_tensor_i64(c->node->attr[0].t, 0));
	return tarn_bounds_set(c, 0, at, (int)out->shape.dim[0]);
}

static tarn_err eval_constant_of_shape(tarn_eval *e)
{
	tarn_tensor *y = &e->out[0];
	int64_t n = tarn_tensor_count(y);
	if (!tarn_attr_has(e->node, 0) || e->node->attr[0].t == NULL)
		return TARN_OK; /* storage starts as zeros */
	for (int64_t i = 0; i < n; i++)
		tarn_elem_copy(e->node->attr[0].t, 0, y, i);
	return TARN_OK;
}

static const tarn_attr_def constant_of_shape_attr[] = {{"value", TARN_ATTR_TENSOR, TARN_ATTR_OPTIONAL, 0, NULL}};

const tarn_op_def tarn_op_constant_of_shape = {
	.name = "ConstantOfShape",
	.onnx_since = 9,
	.min_in = 1,
	.max_in = 1,
	.min_out = 1,
	.max_out = 1,
	.attr = constant_of_shape_attr,
	.n_attr = 1,
	.flags = TARN_OP_FLAT,
	.infer = infer_constant_of_shape,
	.bounds = bounds_constant_of_shape,
	.eval = eval_constant_of_shape,
	.cost = tarn_cost_move,
	.quant = {.weight = -1, .bias = -1},
};

/* ---- Range ---- */

/* ceil((limit - start) / delta), not below 0. */
static tarn_err range_count(double start, double limit, double delta, int64_t *n)
{
	CHECK(delta != 0, TARN_BAD_FILE, "the step is zero");
	double v = ceil((limit - start) / delta);
	CHECK(v <= (double)TARN_DIM_MAX, TARN_SHAPE, "%g elements are too many", v);
	*n = v > 0 ? (int64_t)v : 0;
	return TARN_OK;
}

/* The same in whole numbers: the differences of 64-bit numbers do not fit a double. */
static tarn_err range_count_i64(int64_t start, int64_t limit, int64_t delta, int64_t *n)
{
	CHECK(delta != 0, TARN_BAD_FILE, "the step is zero");
	*n = 0;
	if (delta > 0 ? start >= limit : start <= limit)
		return TARN_OK;
	uint64_t span = delta > 0 ? (uint64_t)limit - (uint64_t)start : (uint64_t)start - (uint64_t)limit;
	uint64_t step = delta > 0 ? (uint64_t)delta : 0 - (uint64_t)delta, count = (span - 1) / step + 1;
	CHECK(count <= (uint64_t)TARN_DIM_MAX, TARN_SHAPE, "%llu elements are too many", (unsigned long long)count);
	*n = (int64_t)count;
	return TARN_OK;
}

/* An operand as a whole number; also one that was cast to floating point, where exporters count. */
static bool range_operand(tarn_infer *c, int i, tarn_dim *d)
{
	const tarn_value *v = c->node->in[i];
	int k = 0;
	if (v->konst && tarn_dtype_is_float(v->konst->type)) {
		double f = tarn_tensor_f64(v->konst, 0);
		*d = tarn_dim_of_int(f == floor(f) && fabs(f) < (double)TARN_DIM_MAX ? (int64_t)f : 0);
		return f == floor(f) && fabs(f) < (double)TARN_DIM_MAX;
	}
	while (v->def && v->def->op == &tarn_op_cast && tarn_dtype_is_float(v->type))
		v = v->def->in[0];
	tarn_node behind = {.in = (tarn_value *[]){(tarn_value *)(uintptr_t)v}, .n_in = 1};
	return tarn_infer_dims(&(tarn_infer){.node = &behind}, 0, d, 1, &k) && k == 1;
}

static bool range_symbolic(tarn_infer *c, tarn_dim *n)
{
	tarn_dim start = 0, limit = 0, delta = 0;
	int64_t step = 0;
	if (!range_operand(c, 0, &start) || !range_operand(c, 1, &limit) || !range_operand(c, 2, &delta) ||
	    !tarn_dim_is_int(delta, &step) || !step)
		return false;
	return tarn_bounds_op(c->syms, TARN_SYM_SUB, step > 0 ? limit : start, step > 0 ? start : limit, n) &&
	       tarn_bounds_op(c->syms, TARN_SYM_MAX, *n, 0, n) &&
	       tarn_bounds_op(c->syms, TARN_SYM_CEILDIV, *n, step > 0 ? step : -step, n);
}

static tarn_err infer_range(tarn_infer *c)
{
	tarn_shape out = {.rank = 1};
	const tarn_tensor *k[3];
	bool all = true;
	for (int i = 0; i < 3; i++) {
		TRY(tarn_infer_rank(c, i, 0, 1));
		TRY(tarn_infer_class(c, i, TARN_CLS_NUM));
		TRY(tarn_infer_same_type(c, 0, i));
		k[i] = c->node->in[i]->konst;
		CHECK(k[i] == NULL || tarn_tensor_count(k[i]) == 1, TARN_SHAPE, "input %d must be one number", i);
		all = all && k[i] != NULL;
	}
	if (all && tarn_dtype_is_float(k[0]->type))
		TRY(range_count(tarn_tensor_f64(k[0], 0), tarn_tensor_f64(k[1], 0), tarn_tensor_f64(k[2], 0), &out.dim[0]));
	else if (all)
		TRY(range_count_i64(tarn_tensor_i64(k[0], 0), tarn_tensor_i64(k[1], 0), tarn_tensor_i64(k[2], 0), &out.dim[0]));
	else if (!range_symbolic(c, &out.dim[0]))
		TRY(tarn_bounds_fresh(c, TARN_DIM_MAX, &out.dim[0]));
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), &out);
	return TARN_OK;
}

static tarn_err bounds_range(tarn_infer *c)
{
	tarn_dim at[TARN_KNOWN_MAX], delta = 0, start = 0;
	int k = 0;
	const tarn_shape *out = c->node->out[0] != NULL ? &c->node->out[0]->shape : NULL;
	if (out == NULL || out->rank != 1 || out->dim[0] < 0 || out->dim[0] > TARN_KNOWN_MAX ||
	    !tarn_infer_dims(c, 0, &start, 1, &k) || !tarn_infer_dims(c, 2, &delta, 1, &k))
		return TARN_OK;
	for (int64_t i = 0; i < out->dim[0]; i++) {
		at[i] = start;
		if (!tarn_bounds_op(c->syms, TARN_SYM_ADD, start, delta, &start))
			return TARN_OK;
	}
	return tarn_bounds_set(c, 0, at, (int)out->dim[0]);
}

static tarn_err eval_range(tarn_eval *e)
{
	tarn_tensor *y = &e->out[0];
	int64_t n = tarn_tensor_count(y);
	for (int64_t i = 0; i < n; i++)
		if (tarn_dtype_is_float(y->type)) {
			tarn_tensor_set_f64(y, i, tarn_tensor_f64(e->in[0], 0) + (double)i * tarn_tensor_f64(e->in[2], 0));
		} else {
			uint64_t v =
				(uint64_t)tarn_tensor_i64(e->in[0], 0) + (uint64_t)i * (uint64_t)tarn_tensor_i64(e->in[2], 0);
			tarn_tensor_set_i64(y, i, (int64_t)v);
		}
	return TARN_OK;
}

const tarn_op_def tarn_op_range = {
	.name = "Range",
	.onnx_since = 11,
	.min_in = 3,
	.max_in = 3,
	.min_out = 1,
	.max_out = 1,
	.flags = TARN_OP_FLAT,
	.infer = infer_range,
	.bounds = bounds_range,
	.eval = eval_range,
	.cost = tarn_cost_out,
	.quant = {.weight = -1, .bias = -1},
};

/* ---- EyeLike ---- */

enum { EYE_DTYPE, EYE_K };

static tarn_err infer_eye_like(tarn_infer *c)
{
	TRY(tarn_infer_rank(c, 0, 2, 2));
	tarn_dtype type =
		tarn_attr_has(c->node, EYE_DTYPE) ? (tarn_dtype)tarn_attr_i(c->node, EYE_DTYPE) : tarn_infer_type(c, 0);
	CHECK(type != TARN_STRING, TARN_TYPE, "EyeLike does not make text");
	tarn_infer_out(c, 0, type, tarn_infer_shape(c, 0));
	return TARN_OK;
}

static tarn_err eval_eye_like(tarn_eval *e)
{
	tarn_tensor *y = &e->out[0];
	int64_t k = tarn_attr_i(e->node, EYE_K);
	for (int64_t r = 0; r < y->dim[0]; r++)
		for (int64_t col = 0; col < y->dim[1]; col++)
			if (col - r == k)
				tarn_tensor_set_i64(y, r * y->dim[1] + col, 1);
	return TARN_OK;
}

static const tarn_attr_def eye_like_attr[] = {
	{"dtype", TARN_ATTR_TYPE, TARN_ATTR_OPTIONAL, 0, NULL},
	{"k", TARN_ATTR_INT, TARN_ATTR_DEFAULT, 0, NULL},
};

const tarn_op_def tarn_op_eye_like = {
	.name = "EyeLike",
	.onnx_since = 9,
	.min_in = 1,
	.max_in = 1,
	.min_out = 1,
	.max_out = 1,
	.attr = eye_like_attr,
	.n_attr = 2,
	.flags = TARN_OP_FLAT,
	.infer = infer_eye_like,
	.eval = eval_eye_like,
	.pad = tarn_pad_any,
	.cost = tarn_cost_move,
	.quant = {.weight = -1, .bias = -1},
};
