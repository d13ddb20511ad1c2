/* SPDX-License-Identifier: Apache-2.0 */
/* Gemm: alpha * op(A) op(B) + beta * C, C broadcast to the result. Integers are exact below 2^53. */
#include <inttypes.h>

#include "base/mem.h"
#include "ops/gemm_core.h"
#include "ops/ops.h"
#include "ops/padding.h"

enum { ALPHA, BETA, TRANS_A, TRANS_B };
static const tarn_attr_def attr[] = {{"alpha", TARN_ATTR_FLOAT, TARN_ATTR_DEFAULT, 1},
				     {"beta", TARN_ATTR_FLOAT, TARN_ATTR_DEFAULT, 1},
				     {"transA", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 0},
				     {"transB", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 0}};

static tarn_err infer(tarn_infer *c)
{
	const tarn_node *n = c->node;
	TRY(tarn_infer_class(c, 0, TARN_CLS_NUM));
	TRY(tarn_infer_same_type(c, 0, 1));
	TRY(tarn_infer_rank(c, 0, 2, 2));
	TRY(tarn_infer_rank(c, 1, 2, 2));
	TRY(tarn_matmul_infer(c, 0, 1, tarn_attr_i(n, TRANS_A), tarn_attr_i(n, TRANS_B), tarn_infer_type(c, 0)));
	const tarn_shape *bias = tarn_infer_shape(c, 2);
	if (bias && n->out[0] && n->out[0]->shape.rank == 2) {
		const tarn_shape *y = &n->out[0]->shape;
		CHECK(bias->rank <= 2, TARN_SHAPE, "C has rank %d, at most 2 is needed", bias->rank);
		for (int i = 0; i < bias->rank; i++) {
			tarn_dim have = bias->dim[bias->rank - 1 - i], want = y->dim[1 - i];
			CHECK(have < 0 || want < 0 || have == 1 || have == want, TARN_SHAPE,
			      "C has size %" PRId64 " where the product has %" PRId64, have, want);
		}
	}
	return TARN_OK;
}

static tarn_err eval(tarn_eval *e)
{
	const tarn_node *n = e->node;
	const tarn_tensor *bias = tarn_eval_in(e, 2);
	tarn_tensor *y = &e->out[0];
	int64_t count = tarn_tensor_count(y), cols = y->dim[1];
	double *sum, alpha = tarn_attr_f(n, ALPHA), beta = tarn_attr_f(n, BETA);
	TRY(tarn_real_zeros(count, &sum));
	tarn_err err =
		tarn_matmul_sums(e->in[0], e->in[1], tarn_attr_i(n, TRANS_A), tarn_attr_i(n, TRANS_B), NULL, NULL, y, sum);
	int64_t bc = bias && bias->rank >= 1 ? bias->dim[bias->rank - 1] : 1, br = bias && bias->rank == 2 ? bias->dim[0] : 1;
	for (int64_t i = 0; i < count; i++) {
		sum[i] *= alpha;
		if (bias && beta != 0)
			sum[i] += beta * tarn_tensor_f64(bias, (br == 1 ? 0 : i / cols) * bc + (bc == 1 ? 0 : i % cols));
	}
	if (err == TARN_OK)
		tarn_real_put(y, 0, count, sum);
	tarn_mem_free(sum);
	return err;
}

static tarn_err grad(tarn_grad *g)
{
	const tarn_node *n = g->node;
	double *dy;
	TRY(tarn_matmul_back(g, tarn_attr_i(n, TRANS_A), tarn_attr_i(n, TRANS_B), tarn_attr_f(n, ALPHA)));
	if (!tarn_grad_wants(g, 2))
		return TARN_OK;
	TRY(tarn_grad_load(g, &g->dout[0], &dy));
	for (int64_t i = 0, count = tarn_tensor_count(&g->out[0]); i < count; i++)
		dy[i] *= tarn_attr_f(n, BETA);
	return tarn_grad_reduce(g, &g->din[2], &g->out[0], dy);
}

static tarn_err cost(const tarn_node *n, tarn_cost *out)
{
	return tarn_matmul_cost(n, 0, tarn_attr_i(n, TRANS_A), out);
}

/* weight_axis is that of B as stored when transB is 0; the quantizer looks at transB. */
static void pad_gemm(tarn_pad *p)
{
	bool turned = tarn_attr_i(p->node, tarn_attr_index(p->node->op, p->input ? "transB" : "transA"));
	int inner = (p->input == 0) != turned;
	p->need = p->input < 2 && p->axis == inner ? TARN_PAD_ZERO : TARN_PAD_ANY;
}

const tarn_op_def tarn_op_gemm = {
	.name = "Gemm",
	.onnx_since = 1,
	.min_in = 2,
	.max_in = 3,
	.min_out = 1,
	.max_out = 1,
	.attr = attr,
	.n_attr = 4,
	.infer = infer,
	.pad = pad_gemm,
	.eval = eval,
	.grad = grad,
	.cost = cost,
	.quant = {.kind = TARN_QUANT_INPUTS, .act = 1, .weight = 1, .weight_axis = -1, .bias = 2},
};
