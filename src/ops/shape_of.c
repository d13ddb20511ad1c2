/* SPDX-License-Identifier: Apache-2.0 */
/* Shape and Size: where shape arithmetic begins. */
#include "ops/bounds.h"
#include "ops/elem.h"
#include "ops/ops.h"
#include "ops/padding.h"

enum { START, END };

/* The clamped range [start, end) of axes. */
static void range_of(const tarn_node *n, int rank, int *from, int *to)
{
	int64_t a = tarn_attr_i(n, START), b = tarn_attr_has(n, END) ? tarn_attr_i(n, END) : rank;
	a = a < 0 ? a + rank : a;
	b = b < 0 ? b + rank : b;
	*from = (int)(a < 0 ? 0 : a > rank ? rank : a);
	*to = (int)(b < 0 ? 0 : b > rank ? rank : b);
	if (*to < *from)
		*to = *from;
}

static tarn_err infer_shape(tarn_infer *c)
{
	tarn_shape out = {.rank = 1};
	int from = 0, to = 0;
	TRY(tarn_infer_rank(c, 0, 0, -1));
	const tarn_shape *in = tarn_infer_shape(c, 0);
	if (in != NULL) {
		range_of(c->node, in->rank, &from, &to);
		out.dim[0] = to - from;
	} else {
		TRY(tarn_bounds_fresh(c, TARN_MAX_RANK, &out.dim[0]));
	}
	tarn_infer_out(c, 0, TARN_I64, &out);
	return TARN_OK;
}

static tarn_err bounds_shape(tarn_infer *c)
{
	const tarn_shape *in = tarn_infer_shape(c, 0);
	int from = 0, to = 0;
	if (in == NULL)
		return TARN_OK;
	range_of(c->node, in->rank, &from, &to);
	return tarn_bounds_set(c, 0, in->dim + from, to - from);
}

static tarn_err eval_shape(tarn_eval *e)
{
	int from = 0, to = 0;
	range_of(e->node, e->in[0]->rank, &from, &to);
	for (int d = from; d < to; d++)
		tarn_tensor_set_i64(&e->out[0], d - from, e->in[0]->dim[d]);
	return TARN_OK;
}

static const tarn_attr_def shape_attr[] = {
	{"start", TARN_ATTR_INT, TARN_ATTR_DEFAULT, 0, NULL},
	{"end", TARN_ATTR_INT, TARN_ATTR_OPTIONAL, 0, NULL},
};

const tarn_op_def tarn_op_shape = {
	.name = "Shape",
	.onnx_since = 1,
	.min_in = 1,
	.max_in = 1,
	.min_out = 1,
	.max_out = 1,
	.attr = shape_attr,
	.n_attr = 2,
	.flags = TARN_OP_FLAT,
	.infer = infer_shape,
	.bounds = bounds_shape,
	.pad = tarn_pad_any,
	.eval = eval_shape,
	.cost = tarn_cost_move,
	.quant = {.weight = -1, .bias = -1},
};

static tarn_err infer_size(tarn_infer *c)
{
	tarn_shape out = {.rank = 0};
	TRY(tarn_infer_rank(c, 0, 0, -1));
	tarn_infer_out(c, 0, TARN_I64, &out);
	return TARN_OK;
}

static tarn_err bounds_size(tarn_infer *c)
{
	const tarn_shape *in = tarn_infer_shape(c, 0);
	tarn_dim d = 0;
	if (in == NULL)
		return TARN_OK;
	TRY(tarn_bounds_product(c->syms, in->dim, 0, in->rank, &d));
	return tarn_bounds_set(c, 0, &d, 1);
}

static tarn_err eval_size(tarn_eval *e)
{
	tarn_tensor_set_i64(&e->out[0], 0, tarn_tensor_count(e->in[0]));
	return TARN_OK;
}

const tarn_op_def tarn_op_size = {
	.name = "Size",
	.onnx_since = 1,
	.min_in = 1,
	.max_in = 1,
	.min_out = 1,
	.max_out = 1,
	.flags = TARN_OP_FLAT,
	.infer = infer_size,
	.bounds = bounds_size,
	.pad = tarn_pad_any,
	.eval = eval_size,
	.cost = tarn_cost_move,
	.quant = {.weight = -1, .bias = -1},
};
