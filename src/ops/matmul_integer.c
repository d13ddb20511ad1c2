/* SPDX-License-Identifier: Apache-2.0 */
/* MatMulInteger, QLinearMatMul, and com.microsoft MatMulIntegerToFloat and DynamicQuantizeMatMul (by decomposition). */
#include <inttypes.h>
#include <math.h>

#include "base/mem.h"
#include "ops/gemm_core.h"
#include "ops/ops.h"
#include "ops/padding.h"

static tarn_err infer_integer(tarn_infer *c)
{
	TRY(tarn_infer_class(c, 0, TARN_CLS_INT));
	TRY(tarn_infer_class(c, 1, TARN_CLS_INT));
	return tarn_matmul_infer(c, 0, 1, false, false, TARN_I32);
}

static tarn_err eval_integer(tarn_eval *e)
{
	int64_t count = tarn_tensor_count(&e->out[0]);
	double *sum;
	TRY(tarn_real_zeros(count, &sum));
	tarn_err err =
		tarn_matmul_sums(e->in[0], e->in[1], false, false, tarn_eval_in(e, 2), tarn_eval_in(e, 3), &e->out[0], sum);
	if (err == TARN_OK)
		tarn_real_put(&e->out[0], 0, count, sum);
	tarn_mem_free(sum);
	return err;
}

static tarn_err cost_integer(const tarn_node *n, tarn_cost *cost)
{
	return tarn_matmul_cost(n, 0, false, cost);
}

/* QLinearMatMul: a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero. */
static tarn_err infer_qlinear(tarn_infer *c)
{
	TRY(tarn_infer_class(c, 0, TARN_CLS_INT));
	TRY(tarn_infer_class(c, 3, TARN_CLS_INT));
	return tarn_matmul_infer(c, 0, 3, false, false, tarn_infer_type(c, 7));
}

static tarn_err eval_qlinear(tarn_eval *e)
{
	tarn_tensor *y = &e->out[0];
	const tarn_tensor *sa = e->in[1], *sb = e->in[4];
	int64_t count = tarn_tensor_count(y), na = tarn_tensor_count(sa), nb = tarn_tensor_count(sb);
	int64_t n = y->rank ? y->dim[y->rank - 1] : 1, m = y->rank > 1 ? y->dim[y->rank - 2] : 1;
	CHECK(na == 1 || na == m, TARN_SHAPE, "%" PRId64 " scales of a for %" PRId64 " rows", na, m);
	CHECK(nb == 1 || nb == n, TARN_SHAPE, "%" PRId64 " scales of b for %" PRId64 " columns", nb, n);
	float sy = (float)tarn_tensor_f64(e->in[6], 0);
	double zero = tarn_tensor_f64(e->in[7], 0), *sum;
	TRY(tarn_real_zeros(count, &sum));
	tarn_err err = tarn_matmul_sums(e->in[0], e->in[3], false, false, e->in[2], e->in[5], y, sum);
	for (int64_t i = 0; i < count && err == TARN_OK; i++) {
		float f = (float)tarn_tensor_f64(sa, na == 1 ? 0 : i / n % m) *
			  (float)tarn_tensor_f64(sb, nb == 1 ? 0 : i % n) / sy;
		sum[i] = (double)rintf((float)sum[i] * f) + zero;
	}
	if (err == TARN_OK)
		tarn_real_put(y, 0, count, sum);
	tarn_mem_free(sum);
	return err;
}

static tarn_err cost_qlinear(const tarn_node *n, tarn_cost *cost)
{
	return tarn_matmul_cost(n, 0, false, cost);
}

/* Appends a node of the standard domain; its one output. */
static tarn_err add(tarn_graph *g, const char *op, int n_in, tarn_value *const *in, tarn_value **out)
{
	tarn_node *n;
	TRY(tarn_node_new(g, tarn_op_find(NULL, op), NULL, n_in, 1, -1, &n));
	for (int i = 0; i < n_in; i++)
		n->in[i] = in[i];
	*out = n->out[0];
	return TARN_OK;
}

static tarn_err decompose_qlinear(tarn_graph *g, tarn_node *n)
{
	tarn_value *a, *b, *y;
	CHECK(n->in[1]->shape.rank == 0 || (n->in[1]->shape.rank == 1 && n->in[1]->shape.dim[0] == 1), TARN_UNSUPPORTED,
	      "scales per row of a");
	TRY(add(g, "DequantizeLinear", 3, n->in, &a));
	TRY(add(g, "DequantizeLinear", 3, n->in + 3, &b));
	TRY(tarn_attr_set_i(b->def, 0, -1));
	TRY(add(g, "MatMul", 2, (tarn_value *[]){a, b}, &y));
	TRY(add(g, "QuantizeLinear", 3, (tarn_value *[]){y, n->in[6], n->in[7]}, &y));
	tarn_graph_replace(g, n->out[0], y);
	return tarn_graph_sort(g);
}

/* Float of the integer product, times both scales, plus bias. */
static tarn_err build_to_float(tarn_graph *g, tarn_value *const mm[4], tarn_value *sa, tarn_value *sb, tarn_value *bias,
			       tarn_dtype type, tarn_value **out)
{
	tarn_value *y, *s;
	int n_in = mm[3] ? 4 : mm[2] ? 3 : 2;
	TRY(add(g, "MatMulInteger", n_in, mm, &y));
	TRY(add(g, "Cast", 1, &y, &y));
	TRY(tarn_attr_set_i(y->def, tarn_attr_index(y->def->op, "to"), type));
	TRY(add(g, "Mul", 2, (tarn_value *[]){sa, sb}, &s));
	TRY(add(g, "Mul", 2, (tarn_value *[]){y, s}, &y));
	if (bias)
		TRY(add(g, "Add", 2, (tarn_value *[]){y, bias}, &y));
	*out = y;
	return TARN_OK;
}

static tarn_value *input(const tarn_node *n, int i)
{
	return tarn_node_has(n, i) ? n->in[i] : NULL;
}

/* MatMulIntegerToFloat: A, B, a_scale, b_scale, a_zero, b_zero, bias. */
static tarn_err infer_to_float(tarn_infer *c)
{
	TRY(tarn_infer_class(c, 0, TARN_CLS_INT));
	TRY(tarn_infer_class(c, 1, TARN_CLS_INT));
	return tarn_matmul_infer(c, 0, 1, false, false, tarn_infer_type(c, 2));
}

static tarn_err decompose_to_float(tarn_graph *g, tarn_node *n)
{
	tarn_value *y, *mm[4] = {n->in[0], n->in[1], input(n, 4), input(n, 5)};
	tarn_dtype type = n->in[2]->type == TARN_DTYPE_NONE ? TARN_F32 : n->in[2]->type;
	TRY(build_to_float(g, mm, n->in[2], n->in[3], input(n, 6), type, &y));
	tarn_graph_replace(g, n->out[0], y);
	return tarn_graph_sort(g);
}

/* DynamicQuantizeMatMul: A (f32), B, b_scale, b_zero, bias. */
static tarn_err infer_dynamic(tarn_infer *c)
{
	TRY(tarn_infer_class(c, 0, TARN_CLS_F));
	TRY(tarn_infer_class(c, 1, TARN_CLS_INT));
	return tarn_matmul_infer(c, 0, 1, false, false, tarn_infer_type(c, 0));
}

static tarn_err decompose_dynamic(tarn_graph *g, tarn_node *n)
{
	tarn_node *q;
	TRY(tarn_node_new(g, tarn_op_find(NULL, "DynamicQuantizeLinear"), NULL, 1, 3, -1, &q));
	q->in[0] = n->in[0];
	tarn_value *y, *mm[4] = {q->out[0], n->in[1], q->out[2], input(n, 3)};
	TRY(build_to_float(g, mm, q->out[1], n->in[2], input(n, 4), TARN_F32, &y));
	tarn_graph_replace(g, n->out[0], y);
	return tarn_graph_sort(g);
}

#define FLOAT_QUANT \
	{ \
		.kind = TARN_QUANT_FLOAT, .weight = -1, .bias = -1 \
	}

/* What is summed over must be the zero point. */
static void pad_codes(tarn_pad *p, int second, const tarn_value *zero)
{
	p->need = TARN_PAD_UNSAFE;
	p->why = "its zero points are computed or differ";
	if (p->input != 0 && p->input != second)
		return;
	int rank = p->node->in[p->input]->shape.rank, inner = p->input == 0 || rank == 1 ? rank - 1 : rank - 2;
	p->value = 0;
	if (p->axis != inner)
		p->need = TARN_PAD_ANY;
	else if (!zero || (zero->konst && tarn_tensor_count(zero->konst) == 1))
		p->need = TARN_PAD_VALUE;
	if (zero && zero->konst && p->need == TARN_PAD_VALUE)
		p->value = (double)tarn_tensor_i64(zero->konst, 0);
}

static void pad_integer(tarn_pad *p)
{
	pad_codes(p, 1, input(p->node, p->input + 2));
}

static void pad_qlinear(tarn_pad *p)
{
	pad_codes(p, 3, input(p->node, p->input + 2));
}

const tarn_op_def tarn_op_matmul_integer = {
	.name = "MatMulInteger",
	.onnx_since = 10,
	.min_in = 2,
	.max_in = 4,
	.min_out = 1,
	.max_out = 1,
	.infer = infer_integer,
	.eval = eval_integer,
	.pad = pad_integer,
	.cost = cost_integer,
	.quant = FLOAT_QUANT,
};

const tarn_op_def tarn_op_qlinear_matmul = {
	.name = "QLinearMatMul",
	.onnx_since = 10,
	.min_in = 8,
	.max_in = 8,
	.min_out = 1,
	.max_out = 1,
	.infer = infer_qlinear,
	.eval = eval_qlinear,
	.decompose = decompose_qlinear,
	.pad = pad_qlinear,
	.cost = cost_qlinear,
	.quant = FLOAT_QUANT,
};

const tarn_op_def tarn_op_matmul_integer_to_float = {
	.name = "MatMulIntegerToFloat",
	.domain = "com.microsoft",
	.onnx_since = 1,
	.min_in = 4,
	.max_in = 7,
	.min_out = 1,
	.max_out = 1,
	.infer = infer_to_float,
	.decompose = decompose_to_float,
	.cost = cost_integer,
	.quant = FLOAT_QUANT,
};

const tarn_op_def tarn_op_dynamic_quantize_matmul = {
	.name = "DynamicQuantizeMatMul",
	.domain = "com.microsoft",
	.onnx_since = 1,
	.min_in = 3,
	.max_in = 5,
	.min_out = 1,
	.max_out = 1,
	.infer = infer_dynamic,
	.decompose = decompose_dynamic,
	.cost = cost_integer,
	.quant = FLOAT_QUANT,
};
