/* SPDX-License-Identifier: Apache-2.0 */
/* Gather, GatherElements, GatherND: elements picked by index; negative indices count from the end. */
#include "ops/bounds.h"
#include "ops/elem.h"
#include "ops/grad.h"
#include "ops/index.h"
#include "ops/ops.h"
#include "ops/padding.h"

#define PASS \
	{ \
		.kind = TARN_QUANT_PASS, .act = 1, .weight = -1, .bias = -1 \
	}

tarn_err tarn_index_at(const tarn_tensor *indices, int64_t i, int64_t size, int64_t *at)
{
	int64_t v = tarn_tensor_i64(indices, i);
	CHECK(v >= -size && v < size, TARN_BAD_FILE, "index %lld out of range for size %lld", (long long)v, (long long)size);
	*at = v < 0 ? v + size : v;
	return TARN_OK;
}

static const tarn_attr_def axis_attr[] = {{"axis", TARN_ATTR_INT, TARN_ATTR_DEFAULT, 0, NULL}};

/* ---- Gather ---- */

static tarn_err infer_gather(tarn_infer *c)
{
	tarn_shape out = {0};
	int axis = 0;
	TRY(tarn_infer_rank(c, 0, 1, -1));
	TRY(tarn_infer_rank(c, 1, 0, -1));
	TRY(tarn_infer_class(c, 1, TARN_CLS_INT));
	const tarn_shape *in = tarn_infer_shape(c, 0), *at = tarn_infer_shape(c, 1);
	if (in == NULL || at == NULL) {
		tarn_infer_out(c, 0, tarn_infer_type(c, 0), NULL);
		return TARN_OK;
	}
	TRY(tarn_shape_axis(in->rank, tarn_attr_i(c->node, 0), &axis));
	CHECK(in->rank + at->rank - 1 <= TARN_MAX_RANK, TARN_UNSUPPORTED, "rank %d is more than %d", in->rank + at->rank - 1,
	      TARN_MAX_RANK);
	for (int d = 0; d < in->rank; d++) {
		if (d != axis) {
			out.dim[out.rank++] = in->dim[d];
			continue;
		}
		for (int k = 0; k < at->rank; k++)
			out.dim[out.rank++] = at->dim[k];
	}
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), &out);
	return TARN_OK;
}

static tarn_err bounds_gather(tarn_infer *c)
{
	tarn_dim at[TARN_KNOWN_MAX], out[TARN_KNOWN_MAX];
	int64_t index[TARN_KNOWN_MAX];
	int n = 0, m = 0;
	const tarn_shape *in = tarn_infer_shape(c, 0);
	if (in == NULL || in->rank != 1 || !tarn_bounds_read(c, 0, at, &n) || !tarn_infer_ints(c, 1, index, TARN_KNOWN_MAX, &m))
		return TARN_OK;
	for (int i = 0; i < m; i++) {
		CHECK(index[i] >= -n && index[i] < n, TARN_BAD_FILE, "index %lld out of range for size %d", (long long)index[i],
		      n);
		out[i] = at[index[i] < 0 ? index[i] + n : index[i]];
	}
	return tarn_bounds_set(c, 0, out, m);
}

static tarn_err eval_gather(tarn_eval *e)
{
	const tarn_tensor *x = e->in[0], *at = e->in[1];
	int axis = 0;
	TRY(tarn_shape_axis(x->rank, tarn_attr_i(e->node, 0), &axis));
	int64_t outer = tarn_elem_product(x->dim, 0, axis), inner = tarn_elem_product(x->dim, axis + 1, x->rank);
	int64_t n = tarn_tensor_count(at);
	for (int64_t i = 0; i < n; i++) {
		int64_t k = 0;
		TRY(tarn_index_at(at, i, x->dim[axis], &k));
		tarn_elem_box box = {.rank = 2, .src_at = k * inner, .dst_at = i * inner};
		box.dim[0] = outer;
		box.dim[1] = inner;
		box.src_stride[0] = x->dim[axis] * inner;
		box.dst_stride[0] = n * inner;
		box.src_stride[1] = box.dst_stride[1] = 1;
		tarn_elem_copy_box(x, &e->out[0], &box);
	}
	return TARN_OK;
}

/* A negative index counts from the padded end. Padded indices must be ones that exist. */
static void pad_gather(tarn_pad *p)
{
	const tarn_tensor *index = p->node->in[1]->konst;
	p->need = p->input == 1 ? TARN_PAD_ZERO : TARN_PAD_ANY;
	if (p->input == 1)
		return;
	bool counted = index != NULL; /* from the front */
	for (int64_t i = 0; counted && i < tarn_tensor_count(index); i++)
		counted = tarn_tensor_i64(index, i) >= 0;
	if (!counted)
		tarn_pad_along(p, TARN_PAD_PLACE);
	p->why = "its indices may count from the end";
}

const tarn_op_def tarn_op_gather = {
	.name = "Gather",
	.onnx_since = 1,
	.min_in = 2,
	.max_in = 2,
	.min_out = 1,
	.max_out = 1,
	.attr = axis_attr,
	.n_attr = 1,
	.infer = infer_gather,
	.bounds = bounds_gather,
	.pad = pad_gather,
	.eval = eval_gather,
	.grad = tarn_grad_moved,
	.cost = tarn_cost_move,
	.quant = PASS,
};

/* ---- GatherElements ---- */

static tarn_err infer_gather_elements(tarn_infer *c)
{
	int axis = 0;
	TRY(tarn_infer_rank(c, 0, 1, -1));
	TRY(tarn_infer_rank(c, 1, 1, -1));
	TRY(tarn_infer_class(c, 1, TARN_CLS_INT));
	const tarn_shape *in = tarn_infer_shape(c, 0), *at = tarn_infer_shape(c, 1);
	if (in != NULL)
		TRY(tarn_shape_axis(in->rank, tarn_attr_i(c->node, 0), &axis));
	if (in != NULL && at != NULL) {
		CHECK(in->rank == at->rank, TARN_SHAPE, "data has rank %d, indices %d", in->rank, at->rank);
		for (int d = 0; d < in->rank; d++)
			CHECK(d == axis || in->dim[d] < 0 || at->dim[d] < 0 || at->dim[d] <= in->dim[d], TARN_SHAPE,
			      "indices have size %lld at axis %d, data %lld", (long long)at->dim[d], d, (long long)in->dim[d]);
	}
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), at);
	return TARN_OK;
}

static tarn_err eval_gather_elements(tarn_eval *e)
{
	const tarn_tensor *x = e->in[0], *at = e->in[1];
	int64_t index[TARN_MAX_RANK] = {0}, stride[TARN_MAX_RANK], n = tarn_tensor_count(at);
	int axis = 0;
	TRY(tarn_shape_axis(x->rank, tarn_attr_i(e->node, 0), &axis));
	tarn_tensor_strides(x, stride);
	for (int64_t i = 0; i < n; i++) {
		int64_t k = 0, src = 0;
		TRY(tarn_index_at(at, i, x->dim[axis], &k));
		for (int d = 0; d < x->rank; d++)
			src += (d == axis ? k : index[d]) * stride[d];
		tarn_elem_copy(x, src, &e->out[0], i);
		tarn_elem_next(at->rank, at->dim, index);
	}
	return TARN_OK;
}

const tarn_op_def tarn_op_gather_elements = {
	.name = "GatherElements",
	.onnx_since = 11,
	.ir = "GatherElements",
	.min_in = 2,
	.max_in = 2,
	.min_out = 1,
	.max_out = 1,
	.attr = axis_attr,
	.n_attr = 1,
	.infer = infer_gather_elements,
	.eval = eval_gather_elements,
	.grad = tarn_grad_moved,
	.pad = pad_gather,
	.cost = tarn_cost_move,
	.quant = PASS,
};

/* ---- GatherND ---- */

static tarn_err infer_gather_nd(tarn_infer *c)
{
	tarn_shape out = {0};
	TRY(tarn_infer_rank(c, 0, 1, -1));
	TRY(tarn_infer_rank(c, 1, 1, -1));
	TRY(tarn_infer_class(c, 1, TARN_CLS_INT));
	const tarn_shape *in = tarn_infer_shape(c, 0), *at = tarn_infer_shape(c, 1);
	if (in == NULL || at == NULL || at->dim[at->rank - 1] < 0) {
		tarn_infer_out(c, 0, tarn_infer_type(c, 0), NULL);
		return TARN_OK;
	}
	int64_t depth = at->dim[at->rank - 1], batch = tarn_attr_i(c->node, 0);
	CHECK(batch >= 0 && batch < at->rank && batch < in->rank, TARN_SHAPE, "batch_dims %lld for ranks %d and %d",
	      (long long)batch, in->rank, at->rank);
	CHECK(depth >= 1 && batch + depth <= in->rank, TARN_SHAPE, "indices of length %lld for rank %d", (long long)depth,
	      in->rank - (int)batch);
	CHECK(at->rank - 1 + in->rank - batch - depth <= TARN_MAX_RANK, TARN_UNSUPPORTED, "the output's rank is more than %d",
	      TARN_MAX_RANK);
	for (int d = 0; d < batch; d++)
		CHECK(in->dim[d] < 0 || at->dim[d] < 0 || in->dim[d] == at->dim[d], TARN_SHAPE,
		      "batch axis %d has size %lld in data, %lld in indices", d, (long long)in->dim[d], (long long)at->dim[d]);
	for (int d = 0; d < at->rank - 1; d++)
		out.dim[out.rank++] = at->dim[d];
	for (int d = (int)(batch + depth); d < in->rank; d++)
		out.dim[out.rank++] = in->dim[d];
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), &out);
	return TARN_OK;
}

static tarn_err eval_gather_nd(tarn_eval *e)
{
	const tarn_tensor *x = e->in[0], *at = e->in[1];
	int batch = (int)tarn_attr_i(e->node, 0), depth = (int)at->dim[at->rank - 1];
	int64_t stride[TARN_MAX_RANK], per = tarn_elem_product(at->dim, batch, at->rank - 1);
	int64_t groups = tarn_elem_product(at->dim, 0, batch), inner = tarn_elem_product(x->dim, batch + depth, x->rank);
	int64_t batch_size = tarn_elem_product(x->dim, batch, x->rank);
	tarn_tensor_strides(x, stride);
	for (int64_t i = 0; i < groups * per; i++) {
		int64_t src = (per > 0 ? i / per : 0) * batch_size;
		for (int k = 0; k < depth; k++) {
			int64_t j = 0;
			TRY(tarn_index_at(at, i * depth + k, x->dim[batch + k], &j));
			src += j * stride[batch + k];
		}
		tarn_elem_box box = {
			.rank = 1, .dim = {inner}, .src_at = src, .src_stride = {1}, .dst_at = i * inner, .dst_stride = {1}};
		tarn_elem_copy_box(x, &e->out[0], &box);
	}
	return TARN_OK;
}

static const tarn_attr_def gather_nd_attr[] = {{"batch_dims", TARN_ATTR_INT, TARN_ATTR_DEFAULT, 0, NULL}};

static void pad_gather_nd(tarn_pad *p)
{
	const tarn_tensor *index = p->node->in[1]->konst;
	bool counted = index != NULL || p->axis < tarn_attr_i(p->node, 0);
	for (int64_t i = 0; index && counted && i < tarn_tensor_count(index); i++)
		counted = tarn_tensor_i64(index, i) >= 0;
	const tarn_shape *s = &p->node->in[1]->shape;
	bool reached = p->axis < tarn_attr_i(p->node, 0) + (s->rank > 0 ? s->dim[s->rank - 1] : 0);
	p->need = p->input == 1 ? TARN_PAD_ZERO : counted || !reached ? TARN_PAD_ANY : TARN_PAD_PLACE;
	p->why = "its indices may count from the end";
}

const tarn_op_def tarn_op_gather_nd = {
	.name = "GatherND",
	.onnx_since = 11,
	.ir = "GatherND",
	.min_in = 2,
	.max_in = 2,
	.min_out = 1,
	.max_out = 1,
	.attr = gather_nd_attr,
	.n_attr = 1,
	.infer = infer_gather_nd,
	.eval = eval_gather_nd,
	.grad = tarn_grad_moved,
	.pad = pad_gather_nd,
	.cost = tarn_cost_move,
	.quant = PASS,
};
