/* SPDX-License-Identifier: Apache-2.0 */
/* Cast and CastLike. Floats to integers truncate and clamp; integers to narrower integers keep the low bits, as ONNX says. */
#include "ops/bounds.h"
#include "ops/elem.h"
#include "ops/grad.h"
#include "ops/ops.h"

static tarn_err convert(const tarn_tensor *x, tarn_tensor *y)
{
	int64_t total = tarn_tensor_count(x), w[TARN_RUN];
	double v[TARN_RUN];
	CHECK(x->type != TARN_STRING && y->type != TARN_STRING, TARN_UNSUPPORTED, "casts to or from text are not supported");
	if (x->type == y->type) {
		tarn_elem_copy_all(x, y);
		return TARN_OK;
	}
	bool whole = !tarn_dtype_is_float(x->type) && !tarn_dtype_is_float(y->type);
	for (int64_t at = 0; at < total; at += TARN_RUN) {
		int n = (int)(total - at < TARN_RUN ? total - at : TARN_RUN);
		if (whole) {
			tarn_elem_load_i64(x, at, 1, n, w);
			tarn_elem_store_i64(y, at, n, w);
		} else {
			tarn_elem_load_f64(x, at, 1, n, v);
			tarn_elem_store_f64(y, at, n, v);
		}
	}
	return TARN_OK;
}

static tarn_err eval_cast(tarn_eval *e)
{
	return convert(e->in[0], &e->out[0]);
}

/* Between floating-point types; nothing passes through integers. */
static tarn_err grad_cast(tarn_grad *g)
{
	return tarn_dtype_is_float(g->out[0].type) ? tarn_grad_view(g) : TARN_OK;
}

static tarn_err infer_cast(tarn_infer *c)
{
	TRY(tarn_infer_rank(c, 0, 0, -1));
	tarn_infer_out(c, 0, (tarn_dtype)tarn_attr_i(c->node, 0), tarn_infer_shape(c, 0));
	return TARN_OK;
}

static tarn_err infer_cast_like(tarn_infer *c)
{
	TRY(tarn_infer_rank(c, 0, 0, -1));
	TRY(tarn_infer_rank(c, 1, 0, -1));
	tarn_infer_out(c, 0, tarn_infer_type(c, 1), tarn_infer_shape(c, 0));
	return TARN_OK;
}

/* Truth of known elements: a size that is at least 1 is true whatever it will be. */
static tarn_err bounds_truth(tarn_infer *c)
{
	tarn_dim at[TARN_KNOWN_MAX];
	int n = 0;
	int64_t v;
	if (!tarn_bounds_read(c, 0, at, &n))
		return TARN_OK;
	for (int i = 0; i < n; i++) {
		if (!tarn_dim_is_int(at[i], &v)) {
			if (tarn_dim_lo(c->syms, at[i]) < 1)
				return TARN_OK;
			v = 1;
		}
		at[i] = v != 0;
	}
	return tarn_bounds_set(c, 0, at, n);
}

/* Known elements survive a cast between integer types that hold them. */
static tarn_err bounds_cast(tarn_infer *c)
{
	tarn_dtype to = c->node->out[0] != NULL ? c->node->out[0]->type : TARN_DTYPE_NONE;
	if (to == TARN_BOOL)
		return bounds_truth(c);
	return to == TARN_I64 || to == TARN_I32 ? tarn_bounds_same(c) : TARN_OK;
}

static const tarn_attr_def cast_attr[] = {{"to", TARN_ATTR_TYPE, TARN_ATTR_REQUIRED, 0, NULL}};

const tarn_op_def tarn_op_cast = {
	.name = "Cast",
	.onnx_since = 1,
	.min_in = 1,
	.max_in = 1,
	.min_out = 1,
	.max_out = 1,
	.attr = cast_attr,
	.n_attr = 1,
	.flags = TARN_OP_ELEMENTWISE,
	.infer = infer_cast,
	.bounds = bounds_cast,
	.eval = eval_cast,
	.grad = grad_cast,
	.cost = tarn_cost_out,
	.quant = {.weight = -1, .bias = -1},
};

const tarn_op_def tarn_op_cast_like = {
	.name = "CastLike",
	.onnx_since = 15,
	.min_in = 2,
	.max_in = 2,
	.min_out = 1,
	.max_out = 1,
	.flags = TARN_OP_ELEMENTWISE,
	.infer = infer_cast_like,
	.bounds = bounds_cast,
	.eval = eval_cast,
	.grad = grad_cast,
	.cost = tarn_cost_out,
	.quant = {.weight = -1, .bias = -1},
};
