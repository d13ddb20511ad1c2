/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/build.h"

tarn_value *tarn_build_scalar(tarn_build *b, tarn_dtype type, double v)
{
	tarn_tensor t = {0};
	tarn_value *out = NULL;
	if (b->err != TARN_OK)
		return NULL;
	b->err = tarn_tensor_new(type == TARN_DTYPE_NONE ? TARN_F32 : type, 0, NULL, &t);
	if (b->err != TARN_OK)
		return NULL;
	tarn_tensor_set_f64(&t, 0, v);
	b->err = tarn_value_const(b->g, NULL, &t, &out);
	tarn_tensor_fini(&t);
	return b->err == TARN_OK ? out : NULL;
}

static tarn_value *node(tarn_build *b, const tarn_op_def *op, int n_in, tarn_value *x, tarn_value *y)
{
	tarn_node *n = NULL;
	int at = -1;
	if (b->err != TARN_OK)
		return NULL;
	for (size_t i = 0; i < b->g->node.len; i++)
		if (b->g->node.at[i] == b->at)
			at = (int)i;
	b->err = tarn_node_new(b->g, op, b->at->name, n_in, 1, at, &n);
	if (b->err != TARN_OK)
		return NULL;
	n->in[0] = x;
	if (n_in > 1)
		n->in[1] = y;
	if (b->at->n_out > 0 && b->at->out[0] != NULL) {
		n->out[0]->type = b->at->out[0]->type;
		n->out[0]->shape = b->at->out[0]->shape;
	}
	return n->out[0];
}

tarn_value *tarn_build_1(tarn_build *b, const tarn_op_def *op, tarn_value *x)
{
	return node(b, op, 1, x, NULL);
}

tarn_value *tarn_build_2(tarn_build *b, const tarn_op_def *op, tarn_value *x, tarn_value *y)
{
	return node(b, op, 2, x, y);
}

tarn_err tarn_build_done(tarn_build *b, tarn_value *y)
{
	TRY(b->err);
	tarn_graph_replace(b->g, b->at->out[0], y);
	return TARN_OK;
}

tarn_err tarn_import_ints_as_input(const tarn_import *s, const char *attr, int input)
{
	const int64_t *at = NULL;
	int n = 0;
	if (!s->find_ints(s, attr, &at, &n))
		return TARN_OK;
	if (s->node->n_in <= input)
		TRY(tarn_node_resize_inputs(s->graph, s->node, input + 1));
	return tarn_value_const_i64(s->graph, NULL, at, n, &s->node->in[input]);
}

tarn_err tarn_import_input_as_ints(const tarn_import *s, int input, int attr)
{
	tarn_node *n = s->node;
	int64_t at[TARN_MAX_RANK];
	if (n->n_in <= input)
		return TARN_OK;
	if (n->in[input] != NULL) {
		const tarn_tensor *k = n->in[input]->konst;
		CHECK(k != NULL, TARN_UNSUPPORTED, "%s of %s is computed by the model; only a constant is supported",
		      n->op->attr[attr].name, n->op->name);
		int64_t count = tarn_tensor_count(k);
		CHECK(tarn_dtype_is_int(k->type) && count <= TARN_MAX_RANK, TARN_BAD_FILE, "%s of %s is no list of axes",
		      n->op->attr[attr].name, n->op->name);
		for (int64_t i = 0; i < count; i++)
			at[i] = tarn_tensor_i64(k, i);
		if (count > 0)
			TRY(tarn_attr_set_ints(s->graph, n, attr, at, (int)count));
	}
	n->n_in = input;
	return TARN_OK;
}
