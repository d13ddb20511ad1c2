/* SPDX-License-Identifier: Apache-2.0 */
/* Operators whose output is input 0's elements in order under another shape: Reshape, Flatten, Squeeze, Unsqueeze, Identity,
 * Dropout. */
#include "ops/bounds.h"
#include "ops/build.h"
#include "ops/elem.h"
#include "ops/grad.h"
#include "ops/ops.h"
#include "ops/padding.h"

static tarn_err eval_copy(tarn_eval *e)
{
	tarn_elem_copy_all(e->in[0], &e->out[0]);
	return TARN_OK;
}

#define ROW(word, Name, since, spelling, ins, max_ins, attrs, count, import_slot) \
	const tarn_op_def tarn_op_##word = { \
		.name = Name, \
		.onnx_since = since, \
		.ir = spelling, \
		.min_in = ins, \
		.max_in = max_ins, \
		.min_out = 1, \
		.max_out = 1, \
		.attr = attrs, \
		.n_attr = count, \
		.flags = TARN_OP_VIEW, \
		.import = import_slot, \
		.infer = infer_##word, \
		.bounds = tarn_bounds_same, \
		.eval = eval_copy, \
		.grad = tarn_grad_view, \
		.pad = tarn_pad_view, \
		.cost = tarn_cost_move, \
		.quant = {.kind = TARN_QUANT_PASS, .act = 1, .weight = -1, .bias = -1}, \
	};

/* ---- Reshape ---- */

/* The size that -1 stands for: elements of the input over the other sizes of the output, equal sizes cancelled first. */
static tarn_err rest(tarn_infer *c, const tarn_shape *in, const tarn_shape *out, int hole, tarn_dim *d)
{
	bool used[TARN_MAX_RANK] = {false};
	tarn_dim above = 1, below = 1;
	for (int i = 0; i < out->rank; i++) {
		bool found = i == hole;
		for (int j = 0; j < in->rank && !found; j++)
			if (!used[j] && in->dim[j] == out->dim[i] && in->dim[j] != 0)
				used[j] = found = true;
		if (!found)
			TRY(tarn_dim_op(c->syms, TARN_SYM_MUL, below, out->dim[i], &below));
	}
	for (int j = 0; j < in->rank; j++)
		if (!used[j])
			TRY(tarn_dim_op(c->syms, TARN_SYM_MUL, above, in->dim[j], &above));
	CHECK(below != 0, TARN_SHAPE, "the size of -1 cannot be told: another size is 0");
	CHECK(above < 0 || below < 0 || above % below == 0, TARN_SHAPE, "%lld elements do not divide into groups of %lld",
	      (long long)above, (long long)below);
	return tarn_dim_op(c->syms, TARN_SYM_FLOORDIV, above, below, d);
}

static tarn_err check_count(tarn_infer *c, const tarn_shape *in, const tarn_shape *out)
{
	int64_t a = 0, b = 0;
	if (!tarn_shape_is_static(in) || !tarn_shape_is_static(out))
		return TARN_OK;
	TRY(tarn_shape_count(in, &a));
	TRY(tarn_shape_count(out, &b));
	if (a == b)
		return TARN_OK;
	tarn_str s = {0};
	tarn_shape_print(&s, c->syms, in);
	tarn_str_add(&s, " cannot become ");
	tarn_shape_print(&s, c->syms, out);
	tarn_err err = tarn_err_set(TARN_SHAPE, "%s: %lld elements against %lld", s.at != NULL ? s.at : "", (long long)a,
				    (long long)b);
	tarn_str_fini(&s);
	return err;
}

static tarn_err infer_reshape_unknown(tarn_infer *c)
{
	const tarn_shape *list = tarn_infer_shape(c, 1);
	tarn_shape out = {.rank = -1};
	if (list != NULL && list->rank == 1 && tarn_dim_is_static(list->dim[0])) {
		CHECK(list->dim[0] <= TARN_MAX_RANK, TARN_UNSUPPORTED, "rank %lld is more than %d", (long long)list->dim[0],
		      TARN_MAX_RANK);
		out.rank = (int)list->dim[0];
		for (int i = 0; i < out.rank; i++)
			TRY(tarn_bounds_fresh(c, TARN_DIM_MAX, &out.dim[i]));
	}
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), out.rank >= 0 ? &out : NULL);
	return TARN_OK;
}

/* A size that is 0 copies the input's, too, when it is computed. Where an axis before or behind it is kept and 0 as well, there
 * are as many elements as before, none, and that is what happens: wanted + copied (1 - min(1, wanted)). */
static tarn_err copied_where_zero(tarn_infer *c, const tarn_shape *in, tarn_shape *out)
{
	const tarn_shape wanted = *out;
	for (int i = 0; i < wanted.rank && i < in->rank; i++) {
		tarn_dim d = wanted.dim[i], empty;
		bool kept = false;
		for (int j = 0; j < wanted.rank && j < in->rank; j++)
			kept |= j != i && wanted.dim[j] == d && in->dim[j] == d;
		if (!kept || tarn_dim_is_static(d) || d == in->dim[i] || tarn_dim_lo(c->syms, d) > 0)
			continue;
		TRY(tarn_dim_op(c->syms, TARN_SYM_MIN, 1, d, &empty));
		TRY(tarn_dim_op(c->syms, TARN_SYM_SUB, 1, empty, &empty));
		TRY(tarn_dim_op(c->syms, TARN_SYM_MUL, in->dim[i], empty, &empty));
		TRY(tarn_dim_op(c->syms, TARN_SYM_ADD, d, empty, &out->dim[i]));
	}
	return TARN_OK;
}

static tarn_err infer_reshape(tarn_infer *c)
{
	tarn_dim want[TARN_MAX_RANK];
	tarn_shape out = {0};
	int hole = -1;
	TRY(tarn_infer_rank(c, 0, 0, -1));
	TRY(tarn_infer_rank(c, 1, 0, 1));
	TRY(tarn_infer_class(c, 1, TARN_CLS_INT));
	const tarn_shape *in = tarn_infer_shape(c, 0), *list = tarn_infer_shape(c, 1);
	CHECK(list == NULL || list->rank == 0 || list->dim[0] <= TARN_MAX_RANK, TARN_UNSUPPORTED, "rank %lld is more than %d",
	      (long long)list->dim[0], TARN_MAX_RANK);
	if (!tarn_infer_dims(c, 1, want, TARN_MAX_RANK, &out.rank))
		return infer_reshape_unknown(c);
	for (int i = 0; i < out.rank; i++) {
		int64_t v = 0;
		bool number = tarn_dim_is_int(want[i], &v);
		out.dim[i] = want[i];
		CHECK(!number || v <= TARN_DIM_MAX, TARN_SHAPE, "size %lld at axis %d of the new shape", (long long)v, i);
		if (!number || v > 0 || (v == 0 && tarn_attr_i(c->node, 0) != 0))
			continue;
		CHECK(v >= -1, TARN_SHAPE, "size %lld at axis %d of the new shape; only -1 may be negative", (long long)v, i);
		if (v == -1) {
			CHECK(hole < 0, TARN_SHAPE, "the new shape has more than one -1");
			hole = i;
			continue;
		}
		CHECK(in == NULL || i < in->rank, TARN_SHAPE,
		      "size 0 at axis %d copies a size that the input of rank %d has not", i, in->rank);
		if (in != NULL)
			out.dim[i] = in->dim[i];
		else
			TRY(tarn_bounds_fresh(c, TARN_DIM_MAX, &out.dim[i]));
	}
	if (hole >= 0 && in != NULL)
		TRY(rest(c, in, &out, hole, &out.dim[hole]));
	else if (hole >= 0)
		TRY(tarn_bounds_fresh(c, TARN_DIM_MAX, &out.dim[hole]));
	if (in != NULL && hole < 0 && !tarn_attr_i(c->node, 0))
		TRY(copied_where_zero(c, in, &out));
	if (in != NULL)
		TRY(check_count(c, in, &out));
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), &out);
	return TARN_OK;
}

static const tarn_attr_def reshape_attr[] = {{"allowzero", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 0, NULL}};
ROW(reshape, "Reshape", 5, NULL, 2, 2, reshape_attr, 1, NULL)

/* ---- Flatten ---- */

static tarn_err infer_flatten(tarn_infer *c)
{
	TRY(tarn_infer_rank(c, 0, 0, -1));
	const tarn_shape *in = tarn_infer_shape(c, 0);
	tarn_shape out = {.rank = 2};
	if (in == NULL) {
		for (int i = 0; i < 2; i++)
			TRY(tarn_bounds_fresh(c, TARN_DIM_MAX, &out.dim[i]));
	} else {
		int64_t axis = tarn_attr_i(c->node, 0);
		CHECK(axis >= -in->rank && axis <= in->rank, TARN_SHAPE, "axis %lld out of range for rank %d", (long long)axis,
		      in->rank);
		int cut = (int)(axis < 0 ? axis + in->rank : axis);
		TRY(tarn_bounds_product(c->syms, in->dim, 0, cut, &out.dim[0]));
		TRY(tarn_bounds_product(c->syms, in->dim, cut, in->rank, &out.dim[1]));
	}
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), &out);
	return TARN_OK;
}

static const tarn_attr_def flatten_attr[] = {{"axis", TARN_ATTR_INT, TARN_ATTR_DEFAULT, 1, NULL}};
ROW(flatten, "Flatten", 1, NULL, 1, 1, flatten_attr, 1, NULL)

/* ---- Squeeze, Unsqueeze ---- */

static tarn_err import_axes(const tarn_import *s)
{
	return s->onnx && s->opset < 13 ? tarn_import_ints_as_input(s, "axes", 1) : TARN_OK;
}

static bool has_axes(const tarn_infer *c)
{
	return c->node->n_in > 1 && c->node->in[1] != NULL;
}

static tarn_err infer_squeeze(tarn_infer *c)
{
	uint32_t mask = 0;
	bool known = true;
	TRY(tarn_infer_rank(c, 0, 0, -1));
	const tarn_shape *in = tarn_infer_shape(c, 0);
	tarn_shape out = {0};
	if (in == NULL) {
		tarn_infer_out(c, 0, tarn_infer_type(c, 0), NULL);
		return TARN_OK;
	}
	TRY(tarn_bounds_axes(c, 1, in->rank, &mask, &known));
	for (int d = 0; d < in->rank; d++) {
		bool one = in->dim[d] == 1, drop = has_axes(c) ? (mask & 1u << d) != 0 : one;
		if (!has_axes(c) && !tarn_dim_is_static(in->dim[d]))
			known = false; /* may turn out to be 1 */
		CHECK(!known || !drop || one || !tarn_dim_is_static(in->dim[d]), TARN_SHAPE,
		      "axis %d has size %lld; only axes of size 1 can be squeezed", d, (long long)in->dim[d]);
		if (!drop)
			out.dim[out.rank++] = in->dim[d];
	}
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), known ? &out : NULL);
	return TARN_OK;
}

static tarn_err infer_unsqueeze(tarn_infer *c)
{
	uint32_t mask = 0;
	bool known = true;
	TRY(tarn_infer_rank(c, 0, 0, -1));
	TRY(tarn_infer_rank(c, 1, 0, 1));
	const tarn_shape *in = tarn_infer_shape(c, 0), *axes = tarn_infer_shape(c, 1);
	tarn_shape out = {.rank = -1};
	if (in != NULL && axes != NULL && (axes->rank == 0 || tarn_dim_is_static(axes->dim[0]))) {
		int64_t more = axes->rank == 0 ? 1 : axes->dim[0];
		CHECK(in->rank + more <= TARN_MAX_RANK, TARN_UNSUPPORTED, "rank %lld is more than %d",
		      (long long)(in->rank + more), TARN_MAX_RANK);
		int rank = in->rank + (int)more, from = 0;
		TRY(tarn_bounds_axes(c, 1, rank, &mask, &known));
		if (more == 0)
			mask = 0;
		for (int d = 0; known && d < rank; d++)
			out.dim[d] = (mask & 1u << d) != 0 ? 1 : in->dim[from++];
		out.rank = known ? rank : -1;
	}
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), out.rank >= 0 ? &out : NULL);
	return TARN_OK;
}

ROW(squeeze, "Squeeze", 1, "Squeeze", 1, 2, NULL, 0, import_axes)
ROW(unsqueeze, "Unsqueeze", 1, "Unsqueeze", 2, 2, NULL, 0, import_axes)

/* ---- Identity, Dropout ---- */

static tarn_err infer_identity(tarn_infer *c)
{
	TRY(tarn_infer_rank(c, 0, 0, -1));
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), tarn_infer_shape(c, 0));
	return TARN_OK;
}

ROW(identity, "Identity", 1, NULL, 1, 1, NULL, 0, NULL)

/* Inference only: nothing is dropped and the mask is all true. */
static tarn_err infer_dropout(tarn_infer *c)
{
	TRY(infer_identity(c));
	const tarn_tensor *training = c->node->n_in > 2 && c->node->in[2] != NULL ? c->node->in[2]->konst : NULL;
	const tarn_tensor *ratio = c->node->n_in > 1 && c->node->in[1] != NULL ? c->node->in[1]->konst : NULL;
	CHECK(training == NULL || tarn_tensor_count(training) == 0 || tarn_tensor_i64(training, 0) == 0 ||
		      (ratio != NULL && tarn_tensor_count(ratio) == 1 && tarn_tensor_f64(ratio, 0) == 0),
	      TARN_UNSUPPORTED, "Dropout in training mode; export the model for inference");
	tarn_infer_out(c, 1, TARN_BOOL, tarn_infer_shape(c, 0));
	return TARN_OK;
}

static tarn_err eval_dropout(tarn_eval *e)
{
	tarn_elem_copy_all(e->in[0], &e->out[0]);
	if (e->node->n_out > 1 && e->out[1].type != TARN_DTYPE_NONE) {
		int64_t n = tarn_tensor_count(&e->out[1]);
		for (int64_t i = 0; i < n; i++)
			tarn_tensor_set_i64(&e->out[1], i, 1);
	}
	return TARN_OK;
}

const tarn_op_def tarn_op_dropout = {
	.name = "Dropout",
	.onnx_since = 1,
	.min_in = 1,
	.max_in = 3,
	.min_out = 1,
	.max_out = 2,
	.flags = TARN_OP_ELEMENTWISE | TARN_OP_VIEW,
	.infer = infer_dropout,
	.bounds = tarn_bounds_same,
	.eval = eval_dropout,
	.grad = tarn_grad_view,
	.cost = tarn_cost_move,
	.quant = {.kind = TARN_QUANT_PASS, .act = 1, .weight = -1, .bias = -1},
};
