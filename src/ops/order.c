/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that compare elements along an axis: ArgMax, ArgMin, TopK. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ops/bounds.h"
#include "ops/grad.h"
#include "ops/ops.h"
#include "ops/padding.h"

/* An unsigned number in the order of the elements: equal values give equal keys, NaN is above all. */
static uint64_t key_of(const tarn_tensor *t, int64_t i)
{
	if (tarn_dtype_is_float(t->type)) {
		double v = tarn_tensor_f64(t, i) + 0.0; /* -0 becomes 0 */
		uint64_t u;
		if (isnan(v))
			return UINT64_MAX;
		memcpy(&u, &v, sizeof u);
		return u >> 63 ? ~u : u | (uint64_t)1 << 63;
	}
	int64_t w = 0;
	tarn_elem_load_i64(t, i, 1, 1, &w);
	return t->type == TARN_U64 ? (uint64_t)w : (uint64_t)w ^ (uint64_t)1 << 63;
}

/* ---- ArgMax, ArgMin ---- */

enum { ARG_AXIS, ARG_KEEPDIMS, ARG_LAST };

static tarn_err infer_arg(tarn_infer *c)
{
	int axis = 0;
	TRY(tarn_infer_rank(c, 0, 1, -1));
	TRY(tarn_infer_class(c, 0, TARN_CLS_NUM));
	const tarn_shape *in = tarn_infer_shape(c, 0);
	tarn_shape out = {0};
	if (in == NULL) {
		tarn_infer_out(c, 0, TARN_I64, NULL);
		return TARN_OK;
	}
	TRY(tarn_shape_axis(in->rank, tarn_attr_i(c->node, ARG_AXIS), &axis));
	CHECK(in->dim[axis] != 0, TARN_SHAPE, "axis %d is empty", axis);
	for (int d = 0; d < in->rank; d++)
		if (d != axis)
			out.dim[out.rank++] = in->dim[d];
		else if (tarn_attr_i(c->node, ARG_KEEPDIMS) != 0)
			out.dim[out.rank++] = 1;
	tarn_infer_out(c, 0, TARN_I64, &out);
	return TARN_OK;
}

static tarn_err arg(tarn_eval *e, bool max)
{
	const tarn_tensor *x = e->in[0];
	bool last = tarn_attr_i(e->node, ARG_LAST) != 0;
	int axis = 0;
	TRY(tarn_shape_axis(x->rank, tarn_attr_i(e->node, ARG_AXIS), &axis));
	int64_t outer = tarn_elem_product(x->dim, 0, axis), inner = tarn_elem_product(x->dim, axis + 1, x->rank),
		n = x->dim[axis];
	for (int64_t o = 0; o < outer; o++)
		for (int64_t i = 0; i < inner; i++) {
			int64_t best = 0, base = o * n * inner + i;
			uint64_t top = 0;
			for (int64_t k = 0; k < n; k++) {
				uint64_t key = key_of(x, base + k * inner);
				bool nan = key == UINT64_MAX && tarn_dtype_is_float(x->type);
				key = max || nan ? key : ~key;
				if (k == 0 || key > top || (last && key == top)) {
					top = key;
					best = k;
				}
			}
			tarn_tensor_set_i64(&e->out[0], o * inner + i, best);
		}
	return TARN_OK;
}

static tarn_err eval_arg_max(tarn_eval *e)
{
	return arg(e, true);
}

static tarn_err eval_arg_min(tarn_eval *e)
{
	return arg(e, false);
}

static const tarn_attr_def arg_attr[] = {
	{"axis", TARN_ATTR_INT, TARN_ATTR_DEFAULT, 0, NULL},
	{"keepdims", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 1, NULL},
	{"select_last_index", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 0, NULL},
};

/* Padding that ties with a valid element loses, since it comes later, unless the last one is asked for. */
static void pad_arg(tarn_pad *p, tarn_pad_need need)
{
	bool last = tarn_attr_i(p->node, tarn_attr_index(p->node->op, "select_last_index"));
	tarn_pad_along(p, last && !tarn_dtype_is_float(p->node->in[0]->type) ? TARN_PAD_UNSAFE : need);
	p->why = "the last of equal elements may be padding";
}

static void pad_arg_max(tarn_pad *p)
{
	pad_arg(p, TARN_PAD_LOWEST);
}

static void pad_arg_min(tarn_pad *p)
{
	pad_arg(p, TARN_PAD_HIGHEST);
}

#define ROW(word, Name) \
	const tarn_op_def tarn_op_##word = { \
		.name = Name, \
		.onnx_since = 1, \
		.min_in = 1, \
		.max_in = 1, \
		.min_out = 1, \
		.max_out = 1, \
		.attr = arg_attr, \
		.n_attr = 3, \
		.flags = TARN_OP_FLAT, \
		.infer = infer_arg, \
		.eval = eval_##word, \
		.pad = pad_##word, \
		.cost = tarn_cost_in, \
		.quant = {.weight = -1, .bias = -1}, \
	};
ROW(arg_max, "ArgMax")
ROW(arg_min, "ArgMin")

/* ---- TopK ---- */

enum { TOP_AXIS, TOP_LARGEST, TOP_SORTED };

/* Before opset 10, k is an attribute. */
static tarn_err import_top_k(const tarn_import *s)
{
	int64_t k = 0;
	if (!s->onnx || s->opset >= 10)
		return TARN_OK;
	CHECK(s->find_i(s, "k", &k), TARN_BAD_FILE, "TopK without k");
	TRY(tarn_node_resize_inputs(s->graph, s->node, 2));
	return tarn_value_const_i64(s->graph, NULL, &k, 1, &s->node->in[1]);
}

static tarn_err infer_top_k(tarn_infer *c)
{
	int axis = 0, n = 0;
	tarn_dim k[1];
	int64_t v = 0;
	TRY(tarn_infer_rank(c, 0, 1, -1));
	TRY(tarn_infer_rank(c, 1, 0, 1));
	TRY(tarn_infer_class(c, 0, TARN_CLS_NUM));
	TRY(tarn_infer_class(c, 1, TARN_CLS_INT));
	const tarn_shape *in = tarn_infer_shape(c, 0);
	tarn_shape out;
	if (in != NULL) {
		out = *in;
		TRY(tarn_shape_axis(in->rank, tarn_attr_i(c->node, TOP_AXIS), &axis));
		if (tarn_infer_dims(c, 1, k, 1, &n) && n == 1) {
			CHECK(!tarn_dim_is_int(k[0], &v) || (v >= 0 && (in->dim[axis] < 0 || v <= in->dim[axis])), TARN_SHAPE,
			      "k is %lld, the axis has %lld elements", (long long)v, (long long)in->dim[axis]);
			out.dim[axis] = k[0];
		} else {
			TRY(tarn_bounds_fresh(c, tarn_dim_hi(c->syms, in->dim[axis]), &out.dim[axis]));
		}
	}
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), in != NULL ? &out : NULL);
	tarn_infer_out(c, 1, TARN_I64, in != NULL ? &out : NULL);
	return TARN_OK;
}

typedef struct entry {
	uint64_t key;
	int64_t index;
} entry;

/* Larger keys first, then lower indices. */
static int by_key(const void *pa, const void *pb)
{
	const entry *a = pa, *b = pb;
	if (a->key != b->key)
		return a->key > b->key ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

/* Which element of x each element of the result is: `from` has room for n->out's k along the axis. */
static tarn_err top_of(const tarn_node *n, const tarn_tensor *x, int axis, int64_t k, int64_t *from)
{
	bool largest = tarn_attr_i(n, TOP_LARGEST) != 0;
	int64_t outer = tarn_elem_product(x->dim, 0, axis), inner = tarn_elem_product(x->dim, axis + 1, x->rank),
		size = x->dim[axis];
	entry *all = tarn_mem_zalloc((size_t)size + 1, sizeof *all);
	if (all == NULL)
		return tarn_err_nomem((unsigned long long)size * sizeof *all);
	for (int64_t o = 0; o < outer * inner; o++) {
		int64_t base = o / inner * size * inner + o % inner, to = o / inner * k * inner + o % inner;
		for (int64_t j = 0; j < size; j++) {
			uint64_t key = key_of(x, base + j * inner);
			all[j] = (entry){largest ? key : ~key, j};
		}
		qsort(all, (size_t)size, sizeof *all, by_key);
		for (int64_t j = 0; j < k; j++)
			from[to + j * inner] = base + all[j].index * inner;
	}
	tarn_mem_free(all);
	return TARN_OK;
}

static tarn_err eval_top_k(tarn_eval *e)
{
	const tarn_tensor *x = e->in[0];
	int axis = 0;
	int64_t k = tarn_tensor_i64(e->in[1], 0);
	TRY(tarn_shape_axis(x->rank, tarn_attr_i(e->node, TOP_AXIS), &axis));
	int64_t inner = tarn_elem_product(x->dim, axis + 1, x->rank), size = x->dim[axis],
		count = tarn_elem_product(x->dim, 0, axis) * k * inner;
	int64_t *from = tarn_mem_zalloc((size_t)count + 1, sizeof *from);
	if (from == NULL)
		return tarn_err_nomem((unsigned long long)count * sizeof *from);
	tarn_err err = top_of(e->node, x, axis, k, from);
	for (int64_t i = 0; i < count && err == TARN_OK; i++) {
		if (e->out[0].type != TARN_DTYPE_NONE)
			tarn_elem_copy(x, from[i], &e->out[0], i);
		if (e->node->n_out > 1 && e->out[1].type != TARN_DTYPE_NONE)
			tarn_tensor_set_i64(&e->out[1], i, from[i] / inner % size);
	}
	tarn_mem_free(from);
	return err;
}

static tarn_err grad_top_k(tarn_grad *g)
{
	const tarn_tensor *x = g->in[0], *dout = &g->dout[0];
	int axis = 0;
	double *dy, *dx;
	if (!tarn_grad_wants(g, 0) || dout->type == TARN_DTYPE_NONE)
		return TARN_OK;
	TRY(tarn_shape_axis(x->rank, tarn_attr_i(g->node, TOP_AXIS), &axis));
	TRY(tarn_grad_load(g, dout, &dy));
	TRY(tarn_grad_zeros(g, tarn_tensor_count(x), &dx));
	int64_t count = tarn_tensor_count(dout), *from = tarn_arena_zalloc(g->arena, (size_t)count + 1, sizeof *from);
	if (from == NULL)
		return tarn_err_nomem((unsigned long long)count * sizeof *from);
	TRY(top_of(g->node, x, axis, dout->dim[axis], from));
	for (int64_t i = 0; i < count; i++)
		dx[from[i]] += dy[i];
	tarn_grad_add(&g->din[0], dx);
	return TARN_OK;
}

/* Results are always sorted, which `sorted` = 0 allows. */
static const tarn_attr_def top_k_attr[] = {
	{"axis", TARN_ATTR_INT, TARN_ATTR_DEFAULT, -1, NULL},
	{"largest", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 1, NULL},
	{"sorted", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 1, NULL},
};

static void pad_top_k(tarn_pad *p)
{
	tarn_pad_along(p, tarn_attr_i(p->node, TOP_LARGEST) ? TARN_PAD_LOWEST : TARN_PAD_HIGHEST);
	if (p->input > 0)
		p->need = TARN_PAD_UNSAFE;
	p->why = "how many it takes is padded";
}

const tarn_op_def tarn_op_top_k = {
	.name = "TopK",
	.onnx_since = 1,
	.min_in = 1,
	.max_in = 2,
	.min_out = 1,
	.max_out = 2,
	.attr = top_k_attr,
	.n_attr = 3,
	.import = import_top_k,
	.infer = infer_top_k,
	.eval = eval_top_k,
	.grad = grad_top_k,
	.pad = pad_top_k,
	.cost = tarn_cost_in,
	.quant = {.weight = -1, .bias = -1},
};
