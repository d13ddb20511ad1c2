/* SPDX-License-Identifier: Apache-2.0 */
/* Whole blocks moved: Transpose, Concat, Split, Expand, Tile. */
#include <string.h>

#include "ops/bounds.h"
#include "ops/build.h"
#include "ops/elem.h"
#include "ops/grad.h"
#include "ops/ops.h"
#include "ops/padding.h"

#define PASS \
	{ \
		.kind = TARN_QUANT_PASS, .act = 1, .weight = -1, .bias = -1 \
	}

/* ---- Transpose ---- */

static tarn_err perm_of(const tarn_node *n, int rank, int *perm)
{
	uint32_t seen = 0;
	if (!tarn_attr_has(n, 0)) {
		for (int d = 0; d < rank; d++)
			perm[d] = rank - 1 - d;
		return TARN_OK;
	}
	CHECK(n->attr[0].ints.n == rank, TARN_SHAPE, "perm has %d axes for rank %d", n->attr[0].ints.n, rank);
	for (int d = 0; d < rank; d++) {
		TRY(tarn_shape_axis(rank, n->attr[0].ints.at[d], &perm[d]));
		CHECK((seen & 1u << perm[d]) == 0, TARN_SHAPE, "perm lists axis %d twice", perm[d]);
		seen |= 1u << perm[d];
	}
	return TARN_OK;
}

static tarn_err infer_transpose(tarn_infer *c)
{
	int perm[TARN_MAX_RANK];
	TRY(tarn_infer_rank(c, 0, 0, -1));
	const tarn_shape *in = tarn_infer_shape(c, 0);
	tarn_shape out = {.rank = -1};
	if (in != NULL) {
		TRY(perm_of(c->node, in->rank, perm));
		out.rank = in->rank;
		for (int d = 0; d < in->rank; d++)
			out.dim[d] = in->dim[perm[d]];
	}
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), in != NULL ? &out : NULL);
	return TARN_OK;
}

static tarn_err eval_transpose(tarn_eval *e)
{
	int perm[TARN_MAX_RANK];
	int64_t stride[TARN_MAX_RANK];
	const tarn_tensor *x = e->in[0];
	tarn_elem_box box = {.rank = x->rank};
	TRY(perm_of(e->node, x->rank, perm));
	tarn_tensor_strides(x, stride);
	tarn_tensor_strides(&e->out[0], box.dst_stride);
	for (int d = 0; d < x->rank; d++) {
		box.dim[d] = x->dim[perm[d]];
		box.src_stride[d] = stride[perm[d]];
	}
	tarn_elem_copy_box(x, &e->out[0], &box);
	return TARN_OK;
}

static tarn_err bounds_transpose(tarn_infer *c)
{
	tarn_dim at[TARN_KNOWN_MAX], out[TARN_KNOWN_MAX];
	int perm[2], n = 0;
	const tarn_shape *in = tarn_infer_shape(c, 0);
	if (in == NULL || in->rank > 2 || !tarn_shape_is_static(in) || !tarn_bounds_read_all(c, 0, at, &n))
		return TARN_OK;
	TRY(perm_of(c->node, in->rank, perm));
	bool turn = in->rank == 2 && perm[0] == 1;
	for (int i = 0; i < n; i++)
		out[i] = turn ? at[i % in->dim[0] * in->dim[1] + i / in->dim[0]] : at[i];
	return tarn_bounds_set(c, 0, out, n);
}

static const tarn_attr_def transpose_attr[] = {{"perm", TARN_ATTR_INTS, TARN_ATTR_OPTIONAL, 0, NULL}};

const tarn_op_def tarn_op_transpose = {
	.name = "Transpose",
	.onnx_since = 1,
	.min_in = 1,
	.max_in = 1,
	.min_out = 1,
	.max_out = 1,
	.attr = transpose_attr,
	.n_attr = 1,
	.infer = infer_transpose,
	.bounds = bounds_transpose,
	.pad = tarn_pad_any,
	.eval = eval_transpose,
	.grad = tarn_grad_moved,
	.cost = tarn_cost_move,
	.quant = PASS,
};

/* ---- Concat ---- */

/* One dimension that two inputs must agree on: the static one wins over a symbol. */
static tarn_err agree(int axis, int i, tarn_dim d, tarn_dim *have)
{
	CHECK(!tarn_dim_is_static(d) || !tarn_dim_is_static(*have) || d == *have, TARN_SHAPE,
	      "input %d has size %lld at axis %d, the ones before it %lld", i, (long long)d, axis, (long long)*have);
	if (!tarn_dim_is_static(*have) && tarn_dim_is_static(d))
		*have = d;
	return TARN_OK;
}

static tarn_err infer_concat(tarn_infer *c)
{
	tarn_shape out = {.rank = -1};
	tarn_dtype type = TARN_DTYPE_NONE;
	bool all = true;
	int axis = 0;
	for (int i = 0; i < c->node->n_in; i++) {
		TRY(tarn_infer_rank(c, i, 1, -1));
		TRY(tarn_infer_same_type(c, 0, i));
		if (type == TARN_DTYPE_NONE)
			type = tarn_infer_type(c, i);
		const tarn_shape *s = tarn_infer_shape(c, i);
		if (s == NULL) {
			all = false;
			continue;
		}
		if (out.rank < 0) {
			TRY(tarn_shape_axis(s->rank, tarn_attr_i(c->node, 0), &axis));
			out = *s;
			continue;
		}
		CHECK(s->rank == out.rank, TARN_SHAPE, "input %d has rank %d, the ones before it %d", i, s->rank, out.rank);
		for (int d = 0; d < s->rank; d++)
			if (d == axis)
				TRY(tarn_dim_op(c->syms, TARN_SYM_ADD, out.dim[d], s->dim[d], &out.dim[d]));
			else
				TRY(agree(d, i, s->dim[d], &out.dim[d]));
	}
	if (!all && out.rank >= 0)
		TRY(tarn_bounds_fresh(c, TARN_DIM_MAX, &out.dim[axis]));
	tarn_infer_out(c, 0, type, out.rank >= 0 ? &out : NULL);
	return TARN_OK;
}

static tarn_err bounds_concat(tarn_infer *c)
{
	tarn_dim at[TARN_KNOWN_MAX], part[TARN_KNOWN_MAX];
	int n = 0, m = 0;
	for (int i = 0; i < c->node->n_in; i++) {
		const tarn_shape *s = tarn_infer_shape(c, i);
		if (s == NULL || s->rank != 1 || !tarn_bounds_read(c, i, part, &m) || n + m > TARN_KNOWN_MAX)
			return TARN_OK;
		memcpy(at + n, part, (size_t)m * sizeof *at);
		n += m;
	}
	return tarn_bounds_set(c, 0, at, n);
}

static tarn_err eval_concat(tarn_eval *e)
{
	tarn_tensor *y = &e->out[0];
	int axis = 0;
	int64_t stride[TARN_MAX_RANK], at = 0;
	TRY(tarn_shape_axis(y->rank, tarn_attr_i(e->node, 0), &axis));
	tarn_tensor_strides(y, stride);
	for (int i = 0; i < e->node->n_in; i++) {
		const tarn_tensor *x = e->in[i];
		tarn_elem_box box = {.rank = 2, .dst_at = at * stride[axis]};
		int64_t run = tarn_elem_product(x->dim, axis, x->rank);
		box.dim[0] = tarn_elem_product(x->dim, 0, axis);
		box.dim[1] = run;
		box.src_stride[0] = run;
		box.dst_stride[0] = stride[axis] * y->dim[axis];
		box.src_stride[1] = box.dst_stride[1] = 1;
		tarn_elem_copy_box(x, y, &box);
		at += x->dim[axis];
	}
	return TARN_OK;
}

static void pad_concat(tarn_pad *p)
{
	tarn_pad_along(p, p->input == p->node->n_in - 1 ? TARN_PAD_ANY : TARN_PAD_PLACE);
	p->why = "what it joins would lie behind the padding";
}

static const tarn_attr_def concat_attr[] = {{"axis", TARN_ATTR_INT, TARN_ATTR_REQUIRED, 0, NULL}};

const tarn_op_def tarn_op_concat = {
	.name = "Concat",
	.onnx_since = 1,
	.ir = "Concat",
	.min_in = 1,
	.max_in = -1,
	.min_out = 1,
	.max_out = 1,
	.attr = concat_attr,
	.n_attr = 1,
	.infer = infer_concat,
	.bounds = bounds_concat,
	.pad = pad_concat,
	.eval = eval_concat,
	.grad = tarn_grad_moved,
	.cost = tarn_cost_move,
	.quant = {.kind = TARN_QUANT_CONCAT, .act = UINT32_MAX, .weight = -1, .bias = -1},
};

/* ---- Split ---- */

enum { SPLIT_AXIS, SPLIT_NUM };

/* Opset 13 has the sizes as input; 18 adds num_outputs, which says what the number of outputs says. */
static tarn_err import_split(const tarn_import *s)
{
	return s->onnx && s->opset < 13 ? tarn_import_ints_as_input(s, "split", 1) : TARN_OK;
}

/* The sizes of the outputs along the axis. */
static tarn_err split_sizes(tarn_infer *c, tarn_dim total, tarn_dim *size)
{
	int n = 0, parts = c->node->n_out;
	int64_t at[TARN_KNOWN_MAX], sum = 0;
	tarn_dim each = 0;
	if (c->node->n_in > 1 && c->node->in[1] != NULL) {
		if (!tarn_infer_ints(c, 1, at, TARN_KNOWN_MAX, &n)) {
			for (int i = 0; i < parts; i++)
				TRY(tarn_bounds_fresh(c, TARN_DIM_MAX, &size[i]));
			return TARN_OK;
		}
		CHECK(n == parts, TARN_SHAPE, "%d sizes for %d outputs", n, parts);
		for (int i = 0; i < n; i++) {
			CHECK(at[i] >= 0, TARN_SHAPE, "size %lld of output %d is negative", (long long)at[i], i);
			size[i] = at[i];
			sum += at[i];
		}
		CHECK(!tarn_dim_is_static(total) || sum == total, TARN_SHAPE, "sizes add to %lld, the axis has %lld",
		      (long long)sum, (long long)total);
		return TARN_OK;
	}
	/* Equal parts; the last may be smaller when their number was an attribute. */
	CHECK(!tarn_dim_is_static(total) || tarn_attr_has(c->node, SPLIT_NUM) || total % parts == 0, TARN_SHAPE,
	      "size %lld does not split into %d equal parts", (long long)total, parts);
	TRY(tarn_dim_op(c->syms, TARN_SYM_CEILDIV, total, parts, &each));
	for (int i = 0; i < parts; i++)
		size[i] = each;
	if (tarn_dim_is_static(total)) {
		int64_t last = total - each * (parts - 1);
		CHECK(last >= 0, TARN_SHAPE, "size %lld does not split into %d parts", (long long)total, parts);
		size[parts - 1] = last;
	}
	return TARN_OK;
}

static tarn_err infer_split(tarn_infer *c)
{
	tarn_dim size[TARN_KNOWN_MAX];
	int axis = 0;
	TRY(tarn_infer_rank(c, 0, 1, -1));
	CHECK(c->node->n_out <= TARN_KNOWN_MAX, TARN_UNSUPPORTED, "Split into %d outputs; at most %d are supported",
	      c->node->n_out, TARN_KNOWN_MAX);
	CHECK(!tarn_attr_has(c->node, SPLIT_NUM) || tarn_attr_i(c->node, SPLIT_NUM) == c->node->n_out, TARN_BAD_FILE,
	      "num_outputs is %lld, but the node has %d", (long long)tarn_attr_i(c->node, SPLIT_NUM), c->node->n_out);
	const tarn_shape *in = tarn_infer_shape(c, 0);
	if (in == NULL) {
		for (int i = 0; i < c->node->n_out; i++)
			tarn_infer_out(c, i, tarn_infer_type(c, 0), NULL);
		return TARN_OK;
	}
	TRY(tarn_shape_axis(in->rank, tarn_attr_i(c->node, SPLIT_AXIS), &axis));
	TRY(split_sizes(c, in->dim[axis], size));
	for (int i = 0; i < c->node->n_out; i++) {
		tarn_shape out = *in;
		out.dim[axis] = size[i];
		tarn_infer_out(c, i, tarn_infer_type(c, 0), &out);
	}
	return TARN_OK;
}

static tarn_err bounds_split(tarn_infer *c)
{
	tarn_dim at[TARN_KNOWN_MAX];
	int n = 0, from = 0;
	if (!tarn_bounds_read(c, 0, at, &n))
		return TARN_OK;
	for (int i = 0; i < c->node->n_out; i++) {
		const tarn_value *v = c->node->out[i];
		if (v == NULL || v->shape.rank != 1 || !tarn_dim_is_static(v->shape.dim[0]) || from + v->shape.dim[0] > n)
			return TARN_OK;
		TRY(tarn_bounds_set(c, i, at + from, (int)v->shape.dim[0]));
		from += (int)v->shape.dim[0];
	}
	return TARN_OK;
}

static tarn_err eval_split(tarn_eval *e)
{
	const tarn_tensor *x = e->in[0];
	int axis = 0;
	int64_t at = 0, each = 0;
	TRY(tarn_shape_axis(x->rank, tarn_attr_i(e->node, SPLIT_AXIS), &axis));
	int64_t inner = tarn_elem_product(x->dim, axis + 1, x->rank);
	each = (x->dim[axis] + e->node->n_out - 1) / e->node->n_out;
	for (int i = 0; i < e->node->n_out; i++) {
		tarn_tensor *y = &e->out[i];
		int64_t size = e->node->n_in > 1 && e->in[1] != NULL ? tarn_tensor_i64(e->in[1], i) : each;
		if (y->type != TARN_DTYPE_NONE) {
			tarn_elem_box box = {.rank = 2, .src_at = at * inner};
			box.dim[0] = tarn_elem_product(x->dim, 0, axis);
			box.dim[1] = y->dim[axis] * inner;
			box.src_stride[0] = x->dim[axis] * inner;
			box.dst_stride[0] = box.dim[1];
			box.src_stride[1] = box.dst_stride[1] = 1;
			tarn_elem_copy_box(x, y, &box);
		}
		at += size;
	}
	return TARN_OK;
}

static void pad_split(tarn_pad *p)
{
	tarn_pad_along(p, TARN_PAD_PLACE);
	p->why = "it cuts the padded axis";
}

static const tarn_attr_def split_attr[] = {
	{"axis", TARN_ATTR_INT, TARN_ATTR_DEFAULT, 0, NULL},
	{"num_outputs", TARN_ATTR_INT, TARN_ATTR_OPTIONAL, 0, NULL},
};

const tarn_op_def tarn_op_split = {
	.name = "Split",
	.onnx_since = 1,
	.min_in = 1,
	.max_in = 2,
	.min_out = 1,
	.max_out = -1,
	.attr = split_attr,
	.n_attr = 2,
	.import = import_split,
	.infer = infer_split,
	.bounds = bounds_split,
	.pad = pad_split,
	.eval = eval_split,
	.grad = tarn_grad_moved,
	.cost = tarn_cost_move,
	.quant = PASS,
};

/* ---- Expand, Tile ---- */

static tarn_err infer_expand(tarn_infer *c)
{
	tarn_shape want = {0}, out = {0};
	int64_t v = 0;
	TRY(tarn_infer_rank(c, 0, 0, -1));
	TRY(tarn_infer_rank(c, 1, 0, 1));
	TRY(tarn_infer_class(c, 1, TARN_CLS_INT));
	const tarn_shape *in = tarn_infer_shape(c, 0), *list = tarn_infer_shape(c, 1);
	CHECK(list == NULL || list->rank == 0 || list->dim[0] <= TARN_MAX_RANK, TARN_UNSUPPORTED, "rank %lld is more than %d",
	      (long long)list->dim[0], TARN_MAX_RANK);
	if (!tarn_infer_dims(c, 1, want.dim, TARN_MAX_RANK, &want.rank)) {
		if (in != NULL && list != NULL && list->rank == 1 && tarn_dim_is_static(list->dim[0])) {
			out.rank = list->dim[0] > in->rank ? (int)list->dim[0] : in->rank;
			for (int d = 0; d < out.rank; d++)
				TRY(tarn_bounds_fresh(c, TARN_DIM_MAX, &out.dim[d]));
		} else {
			out.rank = -1;
		}
		tarn_infer_out(c, 0, tarn_infer_type(c, 0), out.rank >= 0 ? &out : NULL);
		return TARN_OK;
	}
	for (int d = 0; d < want.rank; d++) {
		if (!tarn_dim_is_int(want.dim[d], &v))
			continue;
		CHECK(v >= -1 && v <= TARN_DIM_MAX, TARN_SHAPE, "size %lld at axis %d to expand to", (long long)v, d);
		if (v == -1)
			want.dim[d] = 1; /* exporters' "keep" */
	}
	out.rank = -1;
	if (in != NULL)
		TRY(tarn_shape_broadcast(c->syms, in, &want, &out));
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), out.rank >= 0 ? &out : NULL);
	return TARN_OK;
}

static tarn_err bounds_expand(tarn_infer *c)
{
	tarn_dim at[TARN_KNOWN_MAX];
	int n = 0;
	const tarn_shape *out = c->node->out[0] != NULL ? &c->node->out[0]->shape : NULL;
	if (out == NULL || out->rank != 1 || out->dim[0] < 0 || out->dim[0] > TARN_KNOWN_MAX ||
	    !tarn_bounds_read(c, 0, at, &n) || (n != 1 && n != out->dim[0]))
		return TARN_OK;
	for (int i = (int)out->dim[0] - 1; i > 0; i--)
		at[i] = at[n == 1 ? 0 : i];
	return tarn_bounds_set(c, 0, at, (int)out->dim[0]);
}

static tarn_err eval_expand(tarn_eval *e)
{
	const tarn_tensor *x = e->in[0];
	tarn_tensor *y = &e->out[0];
	tarn_elem_box box = {.rank = y->rank};
	int64_t stride[TARN_MAX_RANK];
	tarn_tensor_strides(x, stride);
	tarn_tensor_strides(y, box.dst_stride);
	for (int d = 0; d < y->rank; d++) {
		int own = d - (y->rank - x->rank);
		box.dim[d] = y->dim[d];
		box.src_stride[d] = own >= 0 && x->dim[own] != 1 ? stride[own] : 0;
	}
	tarn_elem_copy_box(x, y, &box);
	return TARN_OK;
}

const tarn_op_def tarn_op_expand = {
	.name = "Expand",
	.onnx_since = 8,
	.min_in = 2,
	.max_in = 2,
	.min_out = 1,
	.max_out = 1,
	.infer = infer_expand,
	.bounds = bounds_expand,
	.pad = tarn_pad_any,
	.eval = eval_expand,
	.grad = tarn_grad_moved,
	.cost = tarn_cost_move,
	.quant = PASS,
};

static tarn_err infer_tile(tarn_infer *c)
{
	tarn_dim times[TARN_MAX_RANK];
	int n = 0;
	TRY(tarn_infer_rank(c, 0, 0, -1));
	TRY(tarn_infer_rank(c, 1, 1, 1));
	TRY(tarn_infer_class(c, 1, TARN_CLS_INT));
	const tarn_shape *in = tarn_infer_shape(c, 0);
	if (in == NULL) {
		tarn_infer_out(c, 0, tarn_infer_type(c, 0), NULL);
		return TARN_OK;
	}
	tarn_shape out = *in;
	bool known = tarn_infer_dims(c, 1, times, TARN_MAX_RANK, &n);
	CHECK(!known || n == in->rank, TARN_SHAPE, "%d repeats for rank %d", n, in->rank);
	for (int d = 0; d < in->rank; d++) {
		int64_t v = 0;
		CHECK(!known || !tarn_dim_is_int(times[d], &v) || v >= 0, TARN_SHAPE, "%lld repeats of axis %d", (long long)v,
		      d);
		if (known)
			TRY(tarn_dim_op(c->syms, TARN_SYM_MUL, in->dim[d], times[d], &out.dim[d]));
		else
			TRY(tarn_bounds_fresh(c, TARN_DIM_MAX, &out.dim[d]));
	}
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), &out);
	return TARN_OK;
}

static tarn_err eval_tile(tarn_eval *e)
{
	const tarn_tensor *x = e->in[0];
	tarn_tensor *y = &e->out[0];
	int64_t ys[TARN_MAX_RANK], index[TARN_MAX_RANK] = {0}, times[TARN_MAX_RANK];
	tarn_elem_box box = {.rank = x->rank};
	if (tarn_tensor_count(y) == 0)
		return TARN_OK;
	tarn_tensor_strides(x, box.src_stride);
	tarn_tensor_strides(y, ys);
	for (int d = 0; d < x->rank; d++) {
		box.dim[d] = x->dim[d];
		box.dst_stride[d] = ys[d];
		times[d] = y->dim[d] / x->dim[d];
	}
	do {
		box.dst_at = 0;
		for (int d = 0; d < x->rank; d++)
			box.dst_at += index[d] * x->dim[d] * ys[d];
		tarn_elem_copy_box(x, y, &box);
	} while (tarn_elem_next(x->rank, times, index));
	return TARN_OK;
}

static void pad_tile(tarn_pad *p)
{
	tarn_dim times[TARN_MAX_RANK];
	tarn_infer c = {.node = (tarn_node *)(uintptr_t)p->node};
	int n = 0;
	bool once = tarn_infer_dims(&c, 1, times, TARN_MAX_RANK, &n) && p->axis < n && times[p->axis] == 1;
	p->need = p->input > 0 ? TARN_PAD_UNSAFE : once ? TARN_PAD_ANY : TARN_PAD_PLACE;
	p->why = "it repeats the padded axis";
}

const tarn_op_def tarn_op_tile = {
	.name = "Tile",
	.onnx_since = 6,
	.ir = "Tile",
	.min_in = 2,
	.max_in = 2,
	.min_out = 1,
	.max_out = 1,
	.infer = infer_tile,
	.eval = eval_tile,
	.grad = tarn_grad_moved,
	.pad = pad_tile,
	.cost = tarn_cost_move,
	.quant = PASS,
};
