/* SPDX-License-Identifier: Apache-2.0 */
/* Where: condition ? x : y, all three broadcast. */
#include "ops/bounds.h"
#include "ops/elem.h"
#include "ops/grad.h"
#include "ops/ops.h"

static tarn_err infer(tarn_infer *c)
{
	tarn_shape xy, out = {.rank = -1};
	for (int i = 0; i < 3; i++)
		TRY(tarn_infer_rank(c, i, 0, -1));
	TRY(tarn_infer_class(c, 0, TARN_CLS_B));
	TRY(tarn_infer_same_type(c, 1, 2));
	const tarn_shape *s = tarn_infer_shape(c, 0), *x = tarn_infer_shape(c, 1), *y = tarn_infer_shape(c, 2);
	if (s != NULL && x != NULL && y != NULL) {
		TRY(tarn_shape_broadcast(c->syms, x, y, &xy));
		TRY(tarn_shape_broadcast(c->syms, s, &xy, &out));
	}
	tarn_dtype type = tarn_infer_type(c, 1);
	tarn_infer_out(c, 0, type != TARN_DTYPE_NONE ? type : tarn_infer_type(c, 2), out.rank >= 0 ? &out : NULL);
	return TARN_OK;
}

static tarn_err bounds(tarn_infer *c)
{
	tarn_dim s[TARN_KNOWN_MAX], x[TARN_KNOWN_MAX], y[TARN_KNOWN_MAX], out[TARN_KNOWN_MAX];
	int ns = 0, nx = 0, ny = 0;
	if (!tarn_bounds_read(c, 0, s, &ns) || !tarn_bounds_read(c, 1, x, &nx) || !tarn_bounds_read(c, 2, y, &ny))
		return TARN_OK;
	int n = ns != 1 ? ns : nx != 1 ? nx : ny;
	if ((nx != n && nx != 1) || (ny != n && ny != 1))
		return TARN_OK;
	for (int i = 0; i < n; i++)
		out[i] = s[ns == 1 ? 0 : i] != 0 ? x[nx == 1 ? 0 : i] : y[ny == 1 ? 0 : i];
	return tarn_bounds_set(c, 0, out, n);
}

static tarn_err run(void *ctx, int64_t at, int n, const int64_t *src, const int64_t *step)
{
	tarn_eval *e = ctx;
	int64_t s[TARN_RUN];
	tarn_elem_load_i64(e->in[0], src[0], step[0], n, s);
	for (int i = 0; i < n; i++) {
		int k = s[i] != 0 ? 1 : 2;
		tarn_elem_copy(e->in[k], src[k] + i * step[k], &e->out[0], at + i);
	}
	return TARN_OK;
}

static tarn_err eval(tarn_eval *e)
{
	return tarn_elem_runs(&e->out[0], e->in, 3, run, e);
}

const tarn_op_def tarn_op_where = {
	.name = "Where",
	.onnx_since = 9,
	.ir = "Select",
	.min_in = 3,
	.max_in = 3,
	.min_out = 1,
	.max_out = 1,
	.flags = TARN_OP_ELEMENTWISE,
	.infer = infer,
	.bounds = bounds,
	.eval = eval,
	.grad = tarn_grad_moved,
	.cost = tarn_cost_out,
	.quant = {.weight = -1, .bias = -1},
};
