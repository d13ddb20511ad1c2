/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenVINO's products with constant weights: transpose_b is done once, on the constant (or on the codes behind a
 * dequantization), and what is left is a MatMul, which every device and the quantizer know. Computed right sides stay as they
 * are.
 */
#include <string.h>

#include "ops/ops.h"
#include "pass/raise.h"

static int64_t attr_i(const tarn_node *n, const char *name)
{
	int i = tarn_attr_index(n->op, name);
	return i < 0 ? 0 : tarn_attr_i(n, i);
}

/* The last two axes exchanged. */
static tarn_err turned(const tarn_tensor *t, tarn_tensor *out)
{
	int64_t dim[TARN_MAX_RANK], a = t->dim[t->rank - 2], b = t->dim[t->rank - 1], outer = 1;
	size_t bits = (size_t)tarn_dtype_info(t->type)->bits, size = bits / 8;
	memcpy(dim, t->dim, sizeof dim);
	dim[t->rank - 2] = b;
	dim[t->rank - 1] = a;
	for (int i = 0; i < t->rank - 2; i++)
		outer *= t->dim[i];
	TRY(tarn_tensor_new(t->type, t->rank, dim, out));
	for (int64_t o = 0; o < outer; o++)
		for (int64_t i = 0; i < a; i++)
			for (int64_t k = 0; k < b; k++) {
				int64_t from = (o * a + i) * b + k, to = (o * b + k) * a + i;
				if (bits < 8)
					tarn_tensor_set_i64(out, to, tarn_tensor_i64(t, from));
				else
					memcpy((char *)out->data + (size_t)to * size,
					       (const char *)t->data + (size_t)from * size, size);
			}
	return TARN_OK;
}

static tarn_err put_turned(tarn_graph *g, const tarn_value *of, tarn_value **v)
{
	tarn_tensor t;
	TRY(turned(of->konst, &t));
	tarn_err err = tarn_value_const(g, of->name, &t, v);
	tarn_tensor_fini(&t);
	return err;
}

/* Weights that a dequantization gives: codes of two axes, one scale, one for each index of an axis, or blocks. */
static bool dequantized(const tarn_node *d)
{
	if (!d || strcmp(d->op->name, "DequantizeLinear") || !d->in[0]->konst || !d->in[1]->konst || d->in[0]->konst->rank != 2)
		return false;
	bool zero = d->n_in > 2 && d->in[2];
	return (!zero || d->in[2]->konst) && (!attr_i(d, "block_size") || d->in[1]->konst->rank == 2);
}

static tarn_err turn_dequantized(tarn_graph *g, int at, tarn_node *d, tarn_value **v)
{
	tarn_node *n;
	bool blocks = attr_i(d, "block_size");
	int64_t axis = attr_i(d, "axis");
	TRY(tarn_node_new(g, d->op, d->name, d->n_in, 1, at, &n));
	memcpy(n->attr, d->attr, (size_t)d->op->n_attr * sizeof *n->attr);
	TRY(put_turned(g, d->in[0], &n->in[0]));
	for (int k = 1; k < d->n_in; k++) {
		n->in[k] = d->in[k];
		if (d->in[k] && blocks)
			TRY(put_turned(g, d->in[k], &n->in[k]));
	}
	TRY(tarn_attr_set_i(n, tarn_attr_index(n->op, "axis"), 1 - (axis < 0 ? axis + 2 : axis)));
	n->out[0]->type = d->out[0]->type;
	n->out[0]->shape = d->in[0]->shape;
	n->out[0]->shape.dim[0] = d->in[0]->konst->dim[1];
	n->out[0]->shape.dim[1] = d->in[0]->konst->dim[0];
	*v = n->out[0];
	return TARN_OK;
}

tarn_err tarn_raise_matmul(tarn_raising *r, tarn_node *n)
{
	tarn_graph *g = r->g;
	tarn_value *b = n->in[1];
	int alpha = tarn_attr_index(n->op, "alpha");
	bool turn = attr_i(n, "transB");
	if (attr_i(n, "transA") || tarn_attr_f(n, alpha) != 1)
		return TARN_OK;
	if (turn && b->konst && b->konst->rank >= 2 && b->konst->type != TARN_STRING)
		TRY(put_turned(g, b, &b));
	else if (turn && dequantized(b->def))
		TRY(turn_dequantized(g, n->index, b->def, &b));
	else if (turn)
		return TARN_OK;
	tarn_node *m;
	TRY(tarn_node_new(g, tarn_op_find(NULL, "MatMul"), n->name, 2, 1, n->index, &m));
	m->in[0] = n->in[0];
	m->in[1] = b;
	m->out[0]->type = n->out[0]->type;
	m->out[0]->shape = n->out[0]->shape;
	tarn_raise_put(r, n, m);
	return TARN_OK;
}
