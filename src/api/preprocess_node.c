/* SPDX-License-Identifier: Apache-2.0 */
/* One node after the other, each with its type and shape. */
#include "api/preprocess.h"

tarn_err tarn_chain_op(tarn_chain *c, const tarn_op_def *op, tarn_value *const *in, int n_in, const tarn_chain_attr *attr,
		       int n_attr, tarn_value **out)
{
	tarn_node *n;
	char *name = tarn_arena_printf(&c->g->model->arena, "%s/%s", c->name, op->name);
	if (!name)
		return tarn_err_nomem(1);
	TRY(tarn_node_new(c->g, op, name, n_in, 1, -1, &n));
	for (int i = 0; i < n_in; i++)
		n->in[i] = in[i];
	for (int i = 0; i < n_attr; i++) {
		int at = tarn_attr_index(op, attr[i].name);
		CHECK(at >= 0, TARN_INTERNAL, "operator %s has no attribute %s", op->name, attr[i].name);
		if (op->attr[at].kind == TARN_ATTR_INTS)
			TRY(tarn_attr_set_ints(c->g, n, at, attr[i].at, attr[i].n));
		else
			TRY(tarn_attr_set_i(n, at, *attr[i].at));
	}
	TRY(tarn_node_infer(c->g, n));
	*out = n->out[0];
	return TARN_OK;
}

static tarn_err chain_unary(tarn_chain *c, const tarn_op_def *op, tarn_value *x, tarn_value **out)
{
	return tarn_chain_op(c, op, &x, 1, NULL, 0, out);
}

tarn_err tarn_chain_cast(tarn_chain *c, tarn_value *x, tarn_dtype to, tarn_value **out)
{
	const int64_t code = to;
	*out = x;
	if (x->type == to)
		return TARN_OK;
	CHECK(x->type != TARN_STRING && to != TARN_STRING, TARN_TYPE, "%s does not become %s; convert to another element type",
	      tarn_dtype_info(x->type)->word, tarn_dtype_info(to)->word);
	return tarn_chain_op(c, &tarn_op_cast, &x, 1, &(tarn_chain_attr){"to", &code, 1}, 1, out);
}

tarn_err tarn_chain_transpose(tarn_chain *c, tarn_value *x, const int *perm, tarn_value **out)
{
	int64_t at[TARN_MAX_RANK];
	bool moves = false;
	for (int i = 0; i < x->shape.rank; i++) {
		at[i] = perm[i];
		moves = moves || perm[i] != i;
	}
	*out = x;
	return moves ? tarn_chain_op(c, &tarn_op_transpose, &x, 1, &(tarn_chain_attr){"perm", at, x->shape.rank}, 1, out)
		     : TARN_OK;
}

tarn_err tarn_chain_reshape(tarn_chain *c, tarn_value *x, const int64_t *to, int rank, tarn_value **out)
{
	tarn_value *in[2] = {x};
	TRY(tarn_value_const_i64(c->g, NULL, to, rank, &in[1]));
	return tarn_chain_op(c, &tarn_op_reshape, in, 2, NULL, 0, out);
}

tarn_err tarn_chain_slices(tarn_chain *c, tarn_value *x, const int64_t *axis, const int64_t *begin, const int64_t *end, int n,
			   tarn_value **out)
{
	tarn_value *in[4] = {x};
	TRY(tarn_value_const_i64(c->g, NULL, begin, n, &in[1]));
	TRY(tarn_value_const_i64(c->g, NULL, end, n, &in[2]));
	TRY(tarn_value_const_i64(c->g, NULL, axis, n, &in[3]));
	return tarn_chain_op(c, &tarn_op_slice, in, 4, NULL, 0, out);
}

tarn_err tarn_chain_slice(tarn_chain *c, tarn_value *x, int axis, int64_t begin, int64_t end, tarn_value **out)
{
	const int64_t a = axis;
	return tarn_chain_slices(c, x, &a, &begin, &end, 1, out);
}

tarn_err tarn_chain_const(tarn_chain *c, tarn_dtype type, const double *number, int n, int rank, int axis, tarn_value **out)
{
	tarn_tensor t = {0};
	int64_t dim[TARN_MAX_RANK];
	for (int i = 0; i < rank; i++)
		dim[i] = i == axis ? n : 1;
	TRY(tarn_tensor_new(type, axis < 0 ? 0 : rank, dim, &t));
	for (int i = 0; i < n; i++)
		tarn_tensor_set_f64(&t, i, number[i]);
	tarn_err err = tarn_value_const(c->g, NULL, &t, out);
	tarn_tensor_fini(&t);
	return err;
}

tarn_err tarn_chain_round(tarn_chain *c, tarn_value *x, tarn_dtype to, tarn_value **out)
{
	static const double half = 0.5;
	if (tarn_dtype_is_int(to)) {
		tarn_value *in[2] = {x};
		TRY(tarn_chain_const(c, x->type, &half, 1, 0, -1, &in[1]));
		TRY(tarn_chain_op(c, &tarn_op_add, in, 2, NULL, 0, &x));
		TRY(chain_unary(c, &tarn_op_floor, x, &x));
	}
	return tarn_chain_cast(c, x, to, out);
}
