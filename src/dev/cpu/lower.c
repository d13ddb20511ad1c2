/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that are a few elementwise ones in another order of writing: a batch normalisation that no convolution took, sums
 * and extremes of more than two values, products that turn an operand first. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "dev/cpu/cpu.h"
#include "ops/ops.h"

static bool is(const tarn_node *n, const char *op)
{
	return n->op == tarn_op_find(NULL, op);
}

/* a op b in front of `at`; what `at` gave becomes its result when last. */
static tarn_err binary(tarn_graph *g, tarn_node *at, const char *op, tarn_value *a, tarn_value *b, bool last, tarn_value **y)
{
	tarn_node *n;
	TRY(tarn_node_new(g, tarn_op_find(NULL, op), at->name, 2, 1, at->index, &n));
	n->in[0] = a;
	n->in[1] = b;
	*y = n->out[0];
	if (last) {
		n->out[0]->type = at->out[0]->type;
		n->out[0]->shape = at->out[0]->shape;
		tarn_graph_replace(g, at->out[0], n->out[0]);
	}
	return TARN_OK;
}

/* One number for each channel, to be broadcast over the pixels behind axis 1. */
static tarn_err per_channel(tarn_graph *g, const char *name, int rank, int64_t channels, const double *at, tarn_value **v)
{
	int64_t dim[TARN_MAX_RANK] = {channels};
	for (int i = 1; i < rank - 1; i++)
		dim[i] = 1;
	tarn_tensor t;
	TRY(tarn_tensor_new(TARN_F32, rank - 1, dim, &t));
	for (int64_t i = 0; i < channels; i++)
		tarn_tensor_set_f64(&t, i, at[i]);
	tarn_err err = tarn_value_const(g, name, &t, v);
	tarn_tensor_fini(&t);
	return err;
}

/* x * a + b with a = scale / sqrt(variance + epsilon), b = shift - mean * a. */
static tarn_err norm(tarn_graph *g, tarn_node *n)
{
	const tarn_value *x = n->in[0];
	int rank = x->shape.rank, training = tarn_attr_index(n->op, "training_mode");
	if (n->n_in != 5 || x->type != TARN_F32 || rank < 2 || (training >= 0 && tarn_attr_i(n, training)))
		return TARN_OK;
	const tarn_tensor *k[5] = {NULL};
	for (int i = 1; i < 5; i++)
		if (!n->in[i] || !(k[i] = n->in[i]->konst) || tarn_tensor_count(k[i]) != tarn_tensor_count(k[1]))
			return TARN_OK;
	for (int i = 1; i < n->n_out; i++)
		if (n->out[i])
			return TARN_OK;
	int64_t channels = tarn_tensor_count(k[1]);
	double eps = tarn_attr_f(n, tarn_attr_index(n->op, "epsilon"));
	double *a = tarn_mem_zalloc(2 * (size_t)channels + 1, sizeof *a), *b = a ? a + channels : NULL;
	if (!a)
		return tarn_err_nomem(2 * (size_t)channels * sizeof *a);
	for (int64_t i = 0; i < channels; i++) {
		a[i] = tarn_tensor_f64(k[1], i) / sqrt(tarn_tensor_f64(k[4], i) + eps);
		b[i] = tarn_tensor_f64(k[2], i) - tarn_tensor_f64(k[3], i) * a[i];
	}
	tarn_value *factor, *shift, *y;
	tarn_err err;
	TRY_GOTO(out, per_channel(g, n->name, rank, channels, a, &factor));
	TRY_GOTO(out, per_channel(g, n->name, rank, channels, b, &shift));
	TRY_GOTO(out, binary(g, n, "Mul", n->in[0], factor, false, &y));
	y->type = x->type;
	y->shape = x->shape;
	TRY_GOTO(out, binary(g, n, "Add", y, shift, true, &y));
out:
	tarn_mem_free(a);
	return err;
}

/* From the left, two by two. */
static tarn_err chain(tarn_graph *g, tarn_node *n, const char *op)
{
	tarn_value *y = n->in[0];
	if (n->n_in < 3 || n->out[0]->type != TARN_F32)
		return TARN_OK;
	for (int i = 1; i < n->n_in; i++)
		TRY(binary(g, n, op, y, n->in[i], i == n->n_in - 1, &y));
	return TARN_OK;
}

static tarn_err lower_graph(tarn_graph *g)
{
	tarn_arena scratch = {0};
	size_t n = g->node.len;
	tarn_node **node = n ? tarn_arena_memdup(&scratch, g->node.at, n * sizeof *node) : NULL;
	tarn_err err = node || !n ? TARN_OK : tarn_err_nomem(n * sizeof *node);
	for (size_t i = 0; err == TARN_OK && i < n; i++) {
		const char *op = is(node[i], "Sum")                         ? "Add"
				 : is(node[i], "Max") || is(node[i], "Min") ? node[i]->op->name
									    : NULL;
		if (is(node[i], "BatchNormalization"))
			err = norm(g, node[i]);
		else if (!strcmp(node[i]->op->name, "FusedMatMul") && node[i]->out[0]->type == TARN_F32)
			err = node[i]->op->decompose(g, node[i]);
		else if (op)
			err = chain(g, node[i], op);
	}
	tarn_arena_fini(&scratch);
	if (err == TARN_OK && g->node.len != n) {
		tarn_graph_sweep(g);
		err = tarn_graph_sort(g);
	}
	return err;
}

tarn_err tarn_cpu_lower(tarn_model *m)
{
	for (size_t i = 0; i < m->graph.len; i++)
		TRY(lower_graph(m->graph.at[i]));
	return tarn_graph_infer(m->main);
}
