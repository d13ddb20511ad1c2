/* SPDX-License-Identifier: Apache-2.0 */
/* Along an axis, or by position: CumSum, ReverseSequence, OneHot, Trilu, DepthToSpace, SpaceToDepth. */
#include "ops/bounds.h"
#include "ops/elem.h"
#include "ops/grad.h"
#include "ops/ops.h"
#include "ops/padding.h"

#define FLOAT_ROW \
	{ \
		.weight = -1, .bias = -1 \
	}

/* ---- CumSum ---- */

enum { EXCLUSIVE, REVERSE };

static tarn_err infer_cum_sum(tarn_infer *c)
{
	int64_t v = 0;
	int n = 0, axis = 0;
	TRY(tarn_infer_rank(c, 0, 1, -1));
	TRY(tarn_infer_rank(c, 1, 0, 1));
	TRY(tarn_infer_class(c, 0, TARN_CLS_NUM));
	TRY(tarn_infer_class(c, 1, TARN_CLS_INT));
	const tarn_shape *in = tarn_infer_shape(c, 0);
	if (in != NULL && tarn_infer_ints(c, 1, &v, 1, &n) && n == 1)
		TRY(tarn_shape_axis(in->rank, v, &axis));
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), in);
	return TARN_OK;
}

static tarn_err eval_cum_sum(tarn_eval *e)
{
	const tarn_tensor *x = e->in[0];
	tarn_tensor *y = &e->out[0];
	bool exclusive = tarn_attr_i(e->node, EXCLUSIVE) != 0, reverse = tarn_attr_i(e->node, REVERSE) != 0;
	bool real = tarn_dtype_is_float(x->type);
	int axis = 0;
	CHECK(tarn_tensor_count(e->in[1]) == 1, TARN_SHAPE, "the axis must be one number");
	TRY(tarn_shape_axis(x->rank, tarn_tensor_i64(e->in[1], 0), &axis));
	int64_t outer = tarn_elem_product(x->dim, 0, axis), inner = tarn_elem_product(x->dim, axis + 1, x->rank),
		n = x->dim[axis];
	for (int64_t o = 0; o < outer * inner; o++) {
		int64_t base = o / inner * n * inner + o % inner, w = 0;
		double f = 0;
		uint64_t i = 0;
		for (int64_t j = 0; j < n; j++) {
			int64_t at = base + (reverse ? n - 1 - j : j) * inner;
			double was = f;
			int64_t i_was = (int64_t)i;
			if (real) {
				f += tarn_tensor_f64(x, at);
				tarn_elem_store_f64(y, at, 1, exclusive ? &was : &f);
			} else {
				tarn_elem_load_i64(x, at, 1, 1, &w);
				i += (uint64_t)w;
				w = (int64_t)i;
				tarn_elem_store_i64(y, at, 1, exclusive ? &i_was : &w);
			}
		}
	}
	return TARN_OK;
}

/* Each element goes into all sums behind it: gradients are summed the other way round. */
static tarn_err grad_cum_sum(tarn_grad *g)
{
	const tarn_tensor *x = g->in[0];
	bool exclusive = tarn_attr_i(g->node, EXCLUSIVE) != 0, reverse = tarn_attr_i(g->node, REVERSE) != 0;
	int axis = 0;
	double *dy, *dx;
	if (!tarn_grad_wants(g, 0) || g->dout[0].type == TARN_DTYPE_NONE)
		return TARN_OK;
	TRY(tarn_shape_axis(x->rank, tarn_tensor_i64(g->in[1], 0), &axis));
	TRY(tarn_grad_load(g, &g->dout[0], &dy));
	TRY(tarn_grad_zeros(g, tarn_tensor_count(x), &dx));
	int64_t inner = tarn_elem_product(x->dim, axis + 1, x->rank), n = x->dim[axis];
	for (int64_t o = 0, rows = n ? tarn_tensor_count(x) / n : 0; o < rows; o++) {
		double sum = 0;
		for (int64_t j = 0; j < n; j++) {
			int64_t at = o / inner * n * inner + o % inner + (reverse ? j : n - 1 - j) * inner;
			dx[at] = exclusive ? sum : sum + dy[at];
			sum += dy[at];
		}
	}
	tarn_grad_add(&g->din[0], dx);
	return TARN_OK;
}

static const tarn_attr_def cum_sum_attr[] = {
	{"exclusive", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 0, NULL},
	{"reverse", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 0, NULL},
};

static void pad_cum_sum(tarn_pad *p)
{
	const tarn_tensor *axis = p->node->in[1]->konst;
	int64_t a = axis ? tarn_tensor_i64(axis, 0) : 0;
	bool reverse = tarn_attr_i(p->node, 1);
	p->why = "the axis it sums along is computed";
	p->need = p->input > 0 || (reverse && !axis) ? TARN_PAD_UNSAFE : TARN_PAD_ANY;
	if (p->need == TARN_PAD_ANY && reverse && (a < 0 ? a + p->node->in[0]->shape.rank : a) == p->axis)
		p->need = TARN_PAD_ZERO;
}

const tarn_op_def tarn_op_cum_sum = {
	.name = "CumSum",
	.onnx_since = 11,
	.ir = "CumSum",
	.min_in = 2,
	.max_in = 2,
	.min_out = 1,
	.max_out = 1,
	.attr = cum_sum_attr,
	.n_attr = 2,
	.infer = infer_cum_sum,
	.eval = eval_cum_sum,
	.grad = grad_cum_sum,
	.pad = pad_cum_sum,
	.cost = tarn_cost_out,
	.quant = FLOAT_ROW,
};

/* ---- ReverseSequence ---- */

enum { TIME_AXIS, BATCH_AXIS };

static tarn_err infer_reverse_sequence(tarn_infer *c)
{
	TRY(tarn_infer_rank(c, 0, 2, -1));
	TRY(tarn_infer_rank(c, 1, 1, 1));
	TRY(tarn_infer_class(c, 1, TARN_CLS_INT));
	int64_t time = tarn_attr_i(c->node, TIME_AXIS), batch = tarn_attr_i(c->node, BATCH_AXIS);
	CHECK((time == 0 && batch == 1) || (time == 1 && batch == 0), TARN_SHAPE, "time_axis and batch_axis must be 0 and 1");
	const tarn_shape *in = tarn_infer_shape(c, 0), *len = tarn_infer_shape(c, 1);
	CHECK(in == NULL || len == NULL || in->dim[batch] < 0 || len->dim[0] < 0 || in->dim[batch] == len->dim[0], TARN_SHAPE,
	      "%lld lengths for a batch of %lld", (long long)len->dim[0], (long long)in->dim[batch]);
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), in);
	return TARN_OK;
}

static tarn_err eval_reverse_sequence(tarn_eval *e)
{
	const tarn_tensor *x = e->in[0];
	bool time_first = tarn_attr_i(e->node, TIME_AXIS) == 0;
	int64_t steps = x->dim[time_first ? 0 : 1], batch = x->dim[time_first ? 1 : 0];
	int64_t inner = tarn_elem_product(x->dim, 2, x->rank), ts = time_first ? batch * inner : inner,
		bs = time_first ? inner : steps * inner;
	for (int64_t b = 0; b < batch; b++) {
		int64_t len = tarn_tensor_i64(e->in[1], b);
		CHECK(len >= 0 && len <= steps, TARN_BAD_FILE, "length %lld of sequence %lld is not in 0..%lld", (long long)len,
		      (long long)b, (long long)steps);
		for (int64_t t = 0; t < steps; t++) {
			tarn_elem_box box = {.rank = 1, .dim = {inner}, .src_stride = {1}, .dst_stride = {1}};
			box.src_at = b * bs + (t < len ? len - 1 - t : t) * ts;
			box.dst_at = b * bs + t * ts;
			tarn_elem_copy_box(x, &e->out[0], &box);
		}
	}
	return TARN_OK;
}

static const tarn_attr_def reverse_sequence_attr[] = {
	{"time_axis", TARN_ATTR_INT, TARN_ATTR_DEFAULT, 0, NULL},
	{"batch_axis", TARN_ATTR_INT, TARN_ATTR_DEFAULT, 1, NULL},
};

/* Its own lengths say what is reversed; those of padded sequences must be possible ones. */
static void pad_reverse(tarn_pad *p)
{
	p->need = p->input == 1 ? TARN_PAD_ONE : TARN_PAD_ANY;
}

const tarn_op_def tarn_op_reverse_sequence = {
	.name = "ReverseSequence",
	.onnx_since = 10,
	.min_in = 2,
	.max_in = 2,
	.min_out = 1,
	.max_out = 1,
	.attr = reverse_sequence_attr,
	.n_attr = 2,
	.infer = infer_reverse_sequence,
	.eval = eval_reverse_sequence,
	.grad = tarn_grad_moved,
	.pad = pad_reverse,
	.cost = tarn_cost_move,
	.quant = FLOAT_ROW,
};

/* ---- OneHot ---- */

static tarn_err infer_one_hot(tarn_infer *c)
{
	tarn_shape out = {0};
	int axis = 0, n = 0, from = 0;
	TRY(tarn_infer_rank(c, 0, 0, TARN_MAX_RANK - 1));
	TRY(tarn_infer_rank(c, 1, 0, 1));
	TRY(tarn_infer_rank(c, 2, 1, 1));
	TRY(tarn_infer_class(c, 0, TARN_CLS_NUM));
	const tarn_shape *in = tarn_infer_shape(c, 0), *values = tarn_infer_shape(c, 2);
	CHECK(values == NULL || values->dim[0] < 0 || values->dim[0] == 2, TARN_SHAPE, "values must be [off, on]");
	if (in == NULL) {
		tarn_infer_out(c, 0, tarn_infer_type(c, 2), NULL);
		return TARN_OK;
	}
	TRY(tarn_shape_axis(in->rank + 1, tarn_attr_i(c->node, 0), &axis));
	out.rank = in->rank + 1;
	for (int d = 0; d < out.rank; d++)
		if (d != axis)
			out.dim[d] = in->dim[from++];
	const tarn_tensor *k = c->node->in[1]->konst;
	if (k != NULL && tarn_tensor_count(k) == 1) {
		int64_t depth = tarn_tensor_i64(k, 0);
		CHECK(depth >= 0 && depth <= TARN_DIM_MAX, TARN_SHAPE, "depth is %lld", (long long)depth);
		out.dim[axis] = depth;
	} else if (!tarn_infer_dims(c, 1, &out.dim[axis], 1, &n) || n != 1) {
		TRY(tarn_bounds_fresh(c, TARN_DIM_MAX, &out.dim[axis]));
	}
	tarn_infer_out(c, 0, tarn_infer_type(c, 2), &out);
	return TARN_OK;
}

static tarn_err eval_one_hot(tarn_eval *e)
{
	const tarn_tensor *at = e->in[0], *values = e->in[2];
	tarn_tensor *y = &e->out[0];
	int axis = 0;
	TRY(tarn_shape_axis(y->rank, tarn_attr_i(e->node, 0), &axis));
	int64_t depth = y->dim[axis], total = tarn_tensor_count(y), n = tarn_tensor_count(at);
	int64_t inner = tarn_elem_product(y->dim, axis + 1, y->rank);
	for (int64_t i = 0; i < total; i++)
		tarn_elem_copy(values, 0, y, i);
	for (int64_t i = 0; i < n; i++) {
		int64_t k = tarn_tensor_i64(at, i);
		k = k < 0 ? k + depth : k;
		if (k >= 0 && k < depth)
			tarn_elem_copy(values, 1, y, (i / inner * depth + k) * inner + i % inner);
	}
	return TARN_OK;
}

static const tarn_attr_def one_hot_attr[] = {{"axis", TARN_ATTR_INT, TARN_ATTR_DEFAULT, -1, NULL}};

static void pad_one_hot(tarn_pad *p)
{
	p->need = p->input == 0 ? TARN_PAD_ANY : TARN_PAD_UNSAFE;
	p->why = "its depth or values are padded";
}

const tarn_op_def tarn_op_one_hot = {
	.name = "OneHot",
	.onnx_since = 9,
	.min_in = 3,
	.max_in = 3,
	.min_out = 1,
	.max_out = 1,
	.attr = one_hot_attr,
	.n_attr = 1,
	.infer = infer_one_hot,
	.eval = eval_one_hot,
	.grad = tarn_grad_moved, /* of the two values it sets */
	.pad = pad_one_hot,
	.cost = tarn_cost_move,
	.quant = FLOAT_ROW,
};

/* ---- Trilu ---- */

static tarn_err infer_trilu(tarn_infer *c)
{
	TRY(tarn_infer_rank(c, 0, 2, -1));
	if (c->node->n_in > 1 && c->node->in[1] != NULL)
		TRY(tarn_infer_class(c, 1, TARN_CLS_INT));
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), tarn_infer_shape(c, 0));
	return TARN_OK;
}

static tarn_err eval_trilu(tarn_eval *e)
{
	const tarn_tensor *x = e->in[0];
	bool upper = tarn_attr_i(e->node, 0) != 0;
	int64_t k = e->node->n_in > 1 && e->in[1] != NULL ? tarn_tensor_i64(e->in[1], 0) : 0, total = tarn_tensor_count(x);
	int64_t rows = x->dim[x->rank - 2], cols = x->dim[x->rank - 1];
	/* Outside these every element is kept or dropped; cut there, sums stay in range. */
	k = k > cols ? cols : k < -rows ? -rows : k;
	for (int64_t i = 0; i < total; i++) {
		int64_t r = i / cols % rows, col = i % cols;
		if (upper ? col - r >= k : col - r <= k)
			tarn_elem_copy(x, i, &e->out[0], i);
	}
	return TARN_OK;
}

static const tarn_attr_def trilu_attr[] = {{"upper", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 1, NULL}};

const tarn_op_def tarn_op_trilu = {
	.name = "Trilu",
	.onnx_since = 14,
	.min_in = 1,
	.max_in = 2,
	.min_out = 1,
	.max_out = 1,
	.attr = trilu_attr,
	.n_attr = 1,
	.infer = infer_trilu,
	.eval = eval_trilu,
	.grad = tarn_grad_moved,
	.pad = tarn_pad_any,
	.cost = tarn_cost_move,
	.quant = FLOAT_ROW,
};

/* ---- DepthToSpace, SpaceToDepth ---- */

enum { BLOCK, MODE };
enum { DCR, CRD };

static tarn_err infer_blocks(tarn_infer *c, bool to_space)
{
	TRY(tarn_infer_rank(c, 0, 4, 4));
	const tarn_shape *in = tarn_infer_shape(c, 0);
	int64_t b = tarn_attr_i(c->node, BLOCK);
	CHECK(b >= 1 && b <= 1 << 15, TARN_SHAPE, "blocksize is %lld", (long long)b);
	if (in == NULL) {
		tarn_infer_out(c, 0, tarn_infer_type(c, 0), NULL);
		return TARN_OK;
	}
	tarn_shape out = *in;
	for (int d = 1; d < 4; d++) {
		int64_t by = d == 1 ? b * b : b;
		bool divide = (d == 1) == to_space;
		CHECK(!divide || in->dim[d] < 0 || in->dim[d] % by == 0, TARN_SHAPE,
		      "size %lld at axis %d is no multiple of %lld", (long long)in->dim[d], d, (long long)by);
		TRY(tarn_dim_op(c->syms, divide ? TARN_SYM_FLOORDIV : TARN_SYM_MUL, in->dim[d], by, &out.dim[d]));
	}
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), &out);
	return TARN_OK;
}

static tarn_err infer_depth_to_space(tarn_infer *c)
{
	return infer_blocks(c, true);
}

static tarn_err infer_space_to_depth(tarn_infer *c)
{
	return infer_blocks(c, false);
}

/* The box [n, c, by, bx, h, w] between a deep tensor [N, C*b*b, H, W] and a wide one [N, C, H*b, W*b]. */
static void blocks_box(const tarn_tensor *deep, int64_t b, bool crd, tarn_elem_box *box, int64_t *deep_stride,
		       int64_t *wide_stride)
{
	int64_t c = deep->dim[1] / (b * b), h = deep->dim[2], w = deep->dim[3], hw = h * w;
	const int64_t dim[6] = {deep->dim[0], c, b, b, h, w};
	const int64_t ds[6] = {c * b * b * hw, crd ? b * b * hw : hw, crd ? b * hw : b * c * hw, crd ? hw : c * hw, w, 1};
	const int64_t ws[6] = {c * b * b * hw, b * b * hw, b * w, 1, b * b * w, b};
	box->rank = 6;
	for (int d = 0; d < 6; d++) {
		box->dim[d] = dim[d];
		deep_stride[d] = ds[d];
		wide_stride[d] = ws[d];
	}
}

static tarn_err eval_depth_to_space(tarn_eval *e)
{
	tarn_elem_box box = {0};
	bool crd = tarn_attr_i(e->node, MODE) == CRD;
	blocks_box(e->in[0], tarn_attr_i(e->node, BLOCK), crd, &box, box.src_stride, box.dst_stride);
	tarn_elem_copy_box(e->in[0], &e->out[0], &box);
	return TARN_OK;
}

static tarn_err eval_space_to_depth(tarn_eval *e)
{
	tarn_elem_box box = {0};
	blocks_box(&e->out[0], tarn_attr_i(e->node, BLOCK), false, &box, box.dst_stride, box.src_stride);
	tarn_elem_copy_box(e->in[0], &e->out[0], &box);
	return TARN_OK;
}

static const tarn_attr_def blocks_attr[] = {
	{"blocksize", TARN_ATTR_INT, TARN_ATTR_REQUIRED, 0, NULL},
	{"mode", TARN_ATTR_ENUM, TARN_ATTR_DEFAULT, DCR, "DCR|CRD"},
};

/* Blocks are cut from the front, or put there. */
static void pad_blocks(tarn_pad *p)
{
	p->need = p->axis == 1 ? TARN_PAD_UNSAFE : TARN_PAD_ANY;
	p->why = "it mixes channels with positions";
}

#define ROW(word, Name, count) \
	const tarn_op_def tarn_op_##word = { \
		.name = Name, \
		.onnx_since = 1, \
		.min_in = 1, \
		.max_in = 1, \
		.min_out = 1, \
		.max_out = 1, \
		.attr = blocks_attr, \
		.n_attr = count, \
		.infer = infer_##word, \
		.eval = eval_##word, \
		.grad = tarn_grad_moved, \
		.pad = pad_blocks, \
		.cost = tarn_cost_move, \
		.quant = {.kind = TARN_QUANT_PASS, .act = 1, .weight = -1, .bias = -1}, \
	};
ROW(depth_to_space, "DepthToSpace", 2)
ROW(space_to_depth, "SpaceToDepth", 1)
