/* SPDX-License-Identifier: Apache-2.0 */
/* Dynamically quantized products as the kernels take them: MatMulIntegerToFloat of a DynamicQuantizeLinear's codes. Files say
 * it as one operator that does both, or as MatMulInteger, Cast, Mul by both scales, and Add of a bias. */
#include <string.h>

#include "base/mem.h"
#include "dev/cpu/cpu.h"
#include "ops/ops.h"

enum { A, B, A_SCALE, B_SCALE, A_ZERO, B_ZERO, BIAS, OPERANDS };

static bool is(const tarn_node *n, const char *op)
{
	return n && n->op == tarn_op_find(NULL, op);
}

/* In place of `last`, behind it. */
static tarn_err product(tarn_graph *g, const tarn_node *last, tarn_value *const in[OPERANDS])
{
	tarn_node *n;
	TRY(tarn_node_new(g, tarn_op_find("com.microsoft", "MatMulIntegerToFloat"), last->name, OPERANDS, 1, last->index + 1,
			  &n));
	memcpy(n->in, in, OPERANDS * sizeof *in);
	n->out[0]->type = last->out[0]->type;
	n->out[0]->shape = last->out[0]->shape;
	tarn_graph_replace(g, last->out[0], n->out[0]);
	return tarn_graph_sort(g);
}

static tarn_value *input(const tarn_node *n, int i)
{
	return i < n->n_in ? n->in[i] : NULL;
}

/* The quantizer of x; there is one already when another product has the same data. */
static tarn_err quantizer(tarn_graph *g, const tarn_node *before, tarn_value *x, tarn_node **q)
{
	for (int i = 0; i < before->index; i++)
		if (is(g->node.at[i], "DynamicQuantizeLinear") && g->node.at[i]->in[0] == x) {
			*q = g->node.at[i];
			return TARN_OK;
		}
	TRY(tarn_node_new(g, tarn_op_find(NULL, "DynamicQuantizeLinear"), before->name, 1, 3, before->index, q));
	(*q)->in[0] = x;
	return tarn_graph_sort(g);
}

/* DynamicQuantizeMatMul: A, B, b_scale, b_zero, bias. */
static tarn_err split(tarn_graph *g, tarn_node *n)
{
	tarn_node *q;
	TRY(quantizer(g, n, n->in[0], &q));
	return product(g, n,
		       (tarn_value *[OPERANDS]){q->out[0], n->in[1], q->out[1], n->in[2], q->out[2], input(n, 3), input(n, 4)});
}

static bool one_number(const tarn_value *v)
{
	int64_t count;
	return tarn_shape_is_static(&v->shape) && tarn_shape_count(&v->shape, &count) == TARN_OK && count == 1;
}

/* The factors of a product of the scale of the data, one number, and that of the weights, constant. */
static bool two_scales(tarn_value *s, tarn_value **data, tarn_value **weights)
{
	const tarn_node *m = s->def;
	if (!is(m, "Mul"))
		return false;
	for (int i = 0; i < 2; i++)
		if (m->in[i]->konst && one_number(m->in[!i])) {
			*weights = m->in[i];
			*data = m->in[!i];
			return true;
		}
	return false;
}

/* MatMulInteger and what follows it. */
static tarn_err join(tarn_graph *g, tarn_node *n, tarn_node *const *user)
{
	const tarn_node *cast = user[n->out[0]->id], *mul = is(cast, "Cast") ? user[cast->out[0]->id] : NULL, *last = mul;
	tarn_value *in[OPERANDS] = {n->in[0], n->in[1], NULL, NULL, input(n, 2), input(n, 3)};
	if (!is(mul, "Mul") || cast->out[0]->type != TARN_F32 || mul->in[0] == mul->in[1])
		return TARN_OK;
	tarn_value *scale = mul->in[mul->in[0] == cast->out[0]];
	if (!two_scales(scale, &in[A_SCALE], &in[B_SCALE]))
		return TARN_OK;
	const tarn_node *add = user[mul->out[0]->id];
	if (is(add, "Add") && add->in[0] != add->in[1]) {
		tarn_value *bias = add->in[add->in[0] == mul->out[0]];
		if (bias->konst && bias->konst->rank <= 1 && bias->type == TARN_F32) {
			in[BIAS] = bias;
			last = add;
		}
	}
	return product(g, last, in);
}

static tarn_err raise_graph(tarn_graph *g)
{
	tarn_arena scratch = {0};
	size_t n = g->node.len;
	tarn_node **node = tarn_arena_zalloc(&scratch, n + 1, sizeof *node), **user = NULL;
	tarn_err err = node ? tarn_graph_users(g, &scratch, &user) : tarn_err_nomem(n * sizeof *node);
	if (err == TARN_OK && n)
		memcpy(node, g->node.at, n * sizeof *node);
	for (size_t i = 0; err == TARN_OK && i < n; i++) {
		if (node[i]->op == tarn_op_find("com.microsoft", "DynamicQuantizeMatMul"))
			err = split(g, node[i]);
		else if (is(node[i], "MatMulInteger"))
			err = join(g, node[i], user);
	}
	tarn_arena_fini(&scratch);
	if (err == TARN_OK && g->node.len != n) {
		tarn_graph_sweep(g);
		err = tarn_graph_sort(g);
	}
	return err;
}

tarn_err tarn_cpu_raise_dynamic(tarn_model *m)
{
	for (size_t i = 0; i < m->graph.len; i++)
		TRY(raise_graph(m->graph.at[i]));
	return tarn_graph_infer(m->main);
}
