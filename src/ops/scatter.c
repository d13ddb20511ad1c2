/* SPDX-License-Identifier: Apache-2.0 */
/* ScatterElements (and its older name Scatter) and ScatterND: data copied, then written or reduced into at indices. */
#include <math.h>

#include "ops/elem.h"
#include "ops/index.h"
#include "ops/ops.h"
#include "ops/padding.h"

enum { NONE, ADD, MUL, MAX, MIN };
#define WORDS "none|add|mul|max|min"

/* y[di] = reduce(y[di], x[si]) */
static void put(int how, const tarn_tensor *x, int64_t si, tarn_tensor *y, int64_t di)
{
	if (how == NONE) {
		tarn_elem_copy(x, si, y, di);
	} else if (tarn_dtype_is_float(x->type)) {
		double a = tarn_tensor_f64(y, di), b = tarn_tensor_f64(x, si);
		bool keep = isnan(a) || (!isnan(b) && (how == MAX ? a > b : a < b));
		tarn_tensor_set_f64(y, di, how == ADD ? a + b : how == MUL ? a * b : keep ? a : b);
	} else {
		int64_t a = 0, b = 0;
		tarn_elem_load_i64(y, di, 1, 1, &a);
		tarn_elem_load_i64(x, si, 1, 1, &b);
		bool less = x->type == TARN_U64 ? (uint64_t)a < (uint64_t)b : a < b;
		uint64_t v = how == ADD   ? (uint64_t)a + (uint64_t)b
			     : how == MUL ? (uint64_t)a * (uint64_t)b
					  : (uint64_t)((how == MAX) == less ? b : a);
		a = (int64_t)v;
		tarn_elem_store_i64(y, di, 1, &a);
	}
}

static tarn_err infer_common(tarn_infer *c, int attr)
{
	TRY(tarn_infer_rank(c, 0, 1, -1));
	TRY(tarn_infer_rank(c, 1, 1, -1));
	TRY(tarn_infer_rank(c, 2, 0, -1));
	TRY(tarn_infer_class(c, 1, TARN_CLS_INT));
	TRY(tarn_infer_same_type(c, 0, 2));
	if (c->node->op->n_attr > attr && tarn_attr_i(c->node, attr) != NONE)
		TRY(tarn_infer_class(c, 0, TARN_CLS_NUM | TARN_CLS_B));
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), tarn_infer_shape(c, 0));
	return TARN_OK;
}

/* ---- ScatterElements ---- */

static tarn_err infer_scatter_elements(tarn_infer *c)
{
	int axis = 0;
	TRY(infer_common(c, 1));
	const tarn_shape *in = tarn_infer_shape(c, 0), *at = tarn_infer_shape(c, 1), *up = tarn_infer_shape(c, 2);
	if (in != NULL)
		TRY(tarn_shape_axis(in->rank, tarn_attr_i(c->node, 0), &axis));
	CHECK(in == NULL || at == NULL || in->rank == at->rank, TARN_SHAPE, "data has rank %d, indices %d", in->rank, at->rank);
	CHECK(up == NULL || at == NULL || up->rank == at->rank, TARN_SHAPE, "indices have rank %d, updates %d", at->rank,
	      up->rank);
	for (int d = 0; at != NULL && d < at->rank; d++) {
		CHECK(up == NULL || up->dim[d] < 0 || at->dim[d] < 0 || up->dim[d] == at->dim[d], TARN_SHAPE,
		      "indices have size %lld at axis %d, updates %lld", (long long)at->dim[d], d, (long long)up->dim[d]);
		CHECK(d == axis || in == NULL || in->dim[d] < 0 || at->dim[d] < 0 || at->dim[d] <= in->dim[d], TARN_SHAPE,
		      "indices have size %lld at axis %d, data %lld", (long long)at->dim[d], d, (long long)in->dim[d]);
	}
	return TARN_OK;
}

static tarn_err eval_scatter_elements(tarn_eval *e)
{
	const tarn_tensor *x = e->in[0], *at = e->in[1];
	int64_t index[TARN_MAX_RANK] = {0}, stride[TARN_MAX_RANK], n = tarn_tensor_count(at);
	int axis = 0, how = e->node->op->n_attr > 1 ? (int)tarn_attr_i(e->node, 1) : NONE;
	TRY(tarn_shape_axis(x->rank, tarn_attr_i(e->node, 0), &axis));
	tarn_tensor_strides(x, stride);
	tarn_elem_copy_all(x, &e->out[0]);
	for (int64_t i = 0; i < n; i++) {
		int64_t k = 0, dst = 0;
		TRY(tarn_index_at(at, i, x->dim[axis], &k));
		for (int d = 0; d < x->rank; d++)
			dst += (d == axis ? k : index[d]) * stride[d];
		put(how, e->in[2], i, &e->out[0], dst);
		tarn_elem_next(at->rank, at->dim, index);
	}
	return TARN_OK;
}

static const tarn_attr_def elements_attr[] = {
	{"axis", TARN_ATTR_INT, TARN_ATTR_DEFAULT, 0, NULL},
	{"reduction", TARN_ATTR_ENUM, TARN_ATTR_DEFAULT, NONE, WORDS},
};

static bool counted_from_front(const tarn_value *index)
{
	for (int64_t i = 0; index->konst && i < tarn_tensor_count(index->konst); i++)
		if (tarn_tensor_i64(index->konst, i) < 0)
			return false;
	return index->konst != NULL;
}

/* What is written must all be valid; a negative index counts from the padded end. */
static void pad_elements(tarn_pad *p)
{
	if (p->input > 0) {
		p->need = TARN_PAD_UNSAFE;
		p->why = "it would write the padding somewhere";
		return;
	}
	tarn_pad_along(p, counted_from_front(p->node->in[1]) ? TARN_PAD_ANY : TARN_PAD_PLACE);
	p->why = "its indices may count from the end";
}

/* Axes that the indices do not reach are those of the data and of the updates alike. */
static void pad_nd(tarn_pad *p)
{
	const tarn_shape *at = &p->node->in[1]->shape;
	tarn_dim depth = at->rank > 0 ? at->dim[at->rank - 1] : -1;
	bool whole = depth >= 0 && (p->input == 0 ? p->axis >= depth || counted_from_front(p->node->in[1])
						  : p->input == 2 && p->axis >= at->rank - 1);
	p->need = whole ? TARN_PAD_ANY : TARN_PAD_UNSAFE;
	p->why = p->input ? "it would write the padding somewhere" : "its indices may count from the end";
}

#define ROW(word, Name, since, until, attrs, count, import_slot, infer_slot, pad_slot, eval_slot) \
	const tarn_op_def tarn_op_##word = { \
		.name = Name, \
		.onnx_since = since, \
		.onnx_until = until, \
		.min_in = 3, \
		.max_in = 3, \
		.min_out = 1, \
		.max_out = 1, \
		.attr = attrs, \
		.n_attr = count, \
		.import = import_slot, \
		.infer = infer_slot, \
		.eval = eval_slot, \
		.pad = pad_slot, \
		.cost = tarn_cost_move, \
		.quant = {.weight = -1, .bias = -1}, \
	};

/* Read as ScatterElements, which is its newer name; the schemas are one. */
static tarn_err import_scatter(const tarn_import *src)
{
	src->node->op = &tarn_op_scatter_elements;
	return TARN_OK;
}

ROW(scatter, "Scatter", 9, 10, elements_attr, 2, import_scatter, infer_scatter_elements, pad_elements, eval_scatter_elements)
ROW(scatter_elements, "ScatterElements", 11, 0, elements_attr, 2, NULL, infer_scatter_elements, pad_elements,
    eval_scatter_elements)

/* ---- ScatterND ---- */

static tarn_err infer_scatter_nd(tarn_infer *c)
{
	TRY(infer_common(c, 0));
	const tarn_shape *in = tarn_infer_shape(c, 0), *at = tarn_infer_shape(c, 1), *up = tarn_infer_shape(c, 2);
	if (in == NULL || at == NULL || at->dim[at->rank - 1] < 0)
		return TARN_OK;
	int64_t depth = at->dim[at->rank - 1];
	CHECK(depth <= in->rank, TARN_SHAPE, "indices of length %lld for rank %d", (long long)depth, in->rank);
	if (up == NULL)
		return TARN_OK;
	CHECK(up->rank == at->rank - 1 + in->rank - depth, TARN_SHAPE, "updates have rank %d, not %lld", up->rank,
	      (long long)(at->rank - 1 + in->rank - depth));
	for (int d = 0; d < up->rank; d++) {
		tarn_dim want = d < at->rank - 1 ? at->dim[d] : in->dim[depth + d - (at->rank - 1)];
		CHECK(want < 0 || up->dim[d] < 0 || want == up->dim[d], TARN_SHAPE,
		      "updates have size %lld at axis %d, not %lld", (long long)up->dim[d], d, (long long)want);
	}
	return TARN_OK;
}

static tarn_err eval_scatter_nd(tarn_eval *e)
{
	const tarn_tensor *x = e->in[0], *at = e->in[1];
	int depth = (int)at->dim[at->rank - 1], how = (int)tarn_attr_i(e->node, 0);
	int64_t stride[TARN_MAX_RANK], n = tarn_elem_product(at->dim, 0, at->rank - 1);
	int64_t inner = tarn_elem_product(x->dim, depth, x->rank);
	tarn_tensor_strides(x, stride);
	tarn_elem_copy_all(x, &e->out[0]);
	for (int64_t i = 0; i < n; i++) {
		int64_t dst = 0;
		for (int k = 0; k < depth; k++) {
			int64_t j = 0;
			TRY(tarn_index_at(at, i * depth + k, x->dim[k], &j));
			dst += j * stride[k];
		}
		for (int64_t j = 0; j < inner; j++)
			put(how, e->in[2], i * inner + j, &e->out[0], dst + j);
	}
	return TARN_OK;
}

static const tarn_attr_def nd_attr[] = {{"reduction", TARN_ATTR_ENUM, TARN_ATTR_DEFAULT, NONE, WORDS}};

ROW(scatter_nd, "ScatterND", 11, 0, nd_attr, 1, NULL, infer_scatter_nd, pad_nd, eval_scatter_nd)
