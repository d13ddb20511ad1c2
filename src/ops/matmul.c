/* SPDX-License-Identifier: Apache-2.0 */
/* MatMul, and com.microsoft FusedMatMul (alpha * op(A) op(B)), which also holds OpenVINO's transpose_a and transpose_b. */
#include "base/mem.h"
#include "ops/gemm_core.h"
#include "ops/ops.h"
#include "ops/padding.h"

enum { ALPHA, TRANS_A, TRANS_B };
static const tarn_attr_def fused_attr[] = {{"alpha", TARN_ATTR_FLOAT, TARN_ATTR_DEFAULT, 1},
					   {"transA", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 0},
					   {"transB", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 0}};

static bool trans(const tarn_node *n, int a)
{
	return n->op->n_attr && tarn_attr_i(n, a);
}

static tarn_err infer(tarn_infer *c)
{
	TRY(tarn_infer_class(c, 0, TARN_CLS_NUM));
	TRY(tarn_infer_same_type(c, 0, 1));
	return tarn_matmul_infer(c, 0, 1, trans(c->node, TRANS_A), trans(c->node, TRANS_B), tarn_infer_type(c, 0));
}

/* 32- and 64-bit integers wrap, which double cannot do: plain dot products over the same views as batches of matrices. */
static tarn_err eval_wrapping(tarn_eval *e)
{
	const tarn_tensor *a = e->in[0], *b = e->in[1];
	tarn_tensor *y = &e->out[0];
	tarn_shape sa = tarn_tensor_shape(a), sb = tarn_tensor_shape(b), out;
	tarn_matmul_dims d;
	TRY(tarn_matmul_shape(NULL, &sa, &sb, false, false, &out, &d));
	int tail = !d.a_vector + !d.b_vector, rank = y->rank - tail;
	int64_t index[TARN_MAX_RANK] = {0}, at = 0;
	if (!tarn_tensor_count(y))
		return TARN_OK;
	do {
		int64_t oa = 0, ob = 0; /* matrix number of a and b for this batch index */
		for (int i = 0; i < rank; i++) {
			int ia = i - (rank - (a->rank - 2)), ib = i - (rank - (b->rank - 2));
			if (ia >= 0 && !d.a_vector)
				oa = oa * a->dim[ia] + (a->dim[ia] == 1 ? 0 : index[i]);
			if (ib >= 0 && !d.b_vector)
				ob = ob * b->dim[ib] + (b->dim[ib] == 1 ? 0 : index[i]);
		}
		oa *= d.m * d.k;
		ob *= d.k * d.n;
		for (int64_t i = 0; i < d.m; i++)
			for (int64_t j = 0; j < d.n; j++) {
				uint64_t s = 0;
				for (int64_t p = 0; p < d.k; p++)
					s += (uint64_t)tarn_tensor_i64(a, oa + i * d.k + p) *
					     (uint64_t)tarn_tensor_i64(b, ob + p * d.n + j);
				tarn_elem_store_i64(y, at++, 1, (int64_t[]){(int64_t)s});
			}
	} while (tarn_elem_next(rank, y->dim, index));
	return TARN_OK;
}

static tarn_err eval(tarn_eval *e)
{
	tarn_tensor *y = &e->out[0];
	if (!tarn_dtype_is_float(y->type) && !e->node->op->n_attr)
		return eval_wrapping(e);
	int64_t count = tarn_tensor_count(y);
	double *sum, alpha = e->node->op->n_attr ? tarn_attr_f(e->node, ALPHA) : 1;
	TRY(tarn_real_zeros(count, &sum));
	tarn_err err =
		tarn_matmul_sums(e->in[0], e->in[1], trans(e->node, TRANS_A), trans(e->node, TRANS_B), NULL, NULL, y, sum);
	for (int64_t i = 0; i < count && alpha != 1; i++)
		sum[i] *= alpha;
	if (err == TARN_OK)
		tarn_real_put(y, 0, count, sum);
	tarn_mem_free(sum);
	return err;
}

static tarn_err grad(tarn_grad *g)
{
	double alpha = g->node->op->n_attr ? tarn_attr_f(g->node, ALPHA) : 1;
	return tarn_matmul_back(g, trans(g->node, TRANS_A), trans(g->node, TRANS_B), alpha);
}

static tarn_err cost(const tarn_node *n, tarn_cost *out)
{
	return tarn_matmul_cost(n, 0, trans(n, TRANS_A), out);
}

/* The last two axes of v exchanged (v itself when a vector). */
static tarn_err transposed(tarn_graph *g, int at, tarn_value *v, tarn_value **out)
{
	CHECK(v->shape.rank >= 1, TARN_UNSUPPORTED, "the rank of '%s' is not known", v->name);
	*out = v;
	if (v->shape.rank < 2)
		return TARN_OK;
	int64_t perm[TARN_MAX_RANK];
	int r = v->shape.rank;
	for (int i = 0; i < r; i++)
		perm[i] = i < r - 2 ? i : i == r - 2 ? r - 1 : r - 2;
	tarn_node *n;
	const tarn_op_def *op = tarn_op_find(NULL, "Transpose");
	TRY(tarn_node_new(g, op, NULL, 1, 1, at, &n));
	n->in[0] = v;
	TRY(tarn_attr_set_ints(g, n, tarn_attr_index(op, "perm"), perm, r));
	*out = n->out[0];
	return TARN_OK;
}

static tarn_err decompose(tarn_graph *g, tarn_node *n)
{
	tarn_value *a = n->in[0], *b = n->in[1], *k;
	double alpha = tarn_attr_f(n, ALPHA);
	CHECK(alpha == 1 || n->out[0]->type == TARN_F32, TARN_UNSUPPORTED, "alpha %g needs f32", alpha);
	if (tarn_attr_i(n, TRANS_A))
		TRY(transposed(g, n->index, a, &a));
	if (tarn_attr_i(n, TRANS_B))
		TRY(transposed(g, n->index, b, &b));
	tarn_node *mm, *mul;
	TRY(tarn_node_new(g, &tarn_op_matmul, n->name, 2, 1, -1, &mm));
	mm->in[0] = a;
	mm->in[1] = b;
	tarn_value *out = mm->out[0];
	if (alpha != 1) {
		TRY(tarn_value_const_f32(g, NULL, (float[]){(float)alpha}, -1, &k));
		TRY(tarn_node_new(g, tarn_op_find(NULL, "Mul"), NULL, 2, 1, -1, &mul));
		mul->in[0] = out;
		mul->in[1] = k;
		out = mul->out[0];
	}
	tarn_graph_replace(g, n->out[0], out);
	return tarn_graph_sort(g);
}

static void pad_matmul(tarn_pad *p)
{
	int rank = p->node->in[p->input]->shape.rank, inner = p->input == 0 || rank == 1 ? rank - 1 : rank - 2;
	p->need = p->axis == inner ? TARN_PAD_ZERO : TARN_PAD_ANY;
}

const tarn_op_def tarn_op_matmul = {
	.name = "MatMul",
	.onnx_since = 1,
	.min_in = 2,
	.max_in = 2,
	.min_out = 1,
	.max_out = 1,
	.infer = infer,
	.pad = pad_matmul,
	.eval = eval,
	.grad = grad,
	.cost = cost,
	.quant = {.kind = TARN_QUANT_INPUTS, .act = 3, .weight = 1, .weight_axis = -1, .bias = -1},
};

/* weight_axis is that of B as stored when transB is 0; the quantizer looks at transB. */
const tarn_op_def tarn_op_fused_matmul = {
	.name = "FusedMatMul",
	.domain = "com.microsoft",
	.onnx_since = 1,
	.min_in = 2,
	.max_in = 2,
	.min_out = 1,
	.max_out = 1,
	.attr = fused_attr,
	.n_attr = 3,
	.infer = infer,
	.eval = eval,
	.grad = grad,
	.decompose = decompose,
	.cost = cost,
	.quant = {.kind = TARN_QUANT_INPUTS, .act = 3, .weight = 1, .weight_axis = -1, .bias = -1},
};
