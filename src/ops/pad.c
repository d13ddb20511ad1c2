/* SPDX-License-Identifier: Apache-2.0 */
/* Pad: inputs data, pads (all begins, then all ends; negative ones cut), value, axes. */
#include "base/mem.h"
#include "ops/bounds.h"
#include "ops/build.h"
#include "ops/elem.h"
#include "ops/grad.h"
#include "ops/ops.h"
#include "ops/padding.h"

enum { CONSTANT, REFLECT, EDGE, WRAP };
enum { DATA, PADS, VALUE, AXES };

static tarn_err import_pad(const tarn_import *s)
{
	double v = 0;
	if (!s->onnx || s->opset >= 11)
		return TARN_OK;
	TRY(tarn_import_ints_as_input(s, "pads", PADS));
	if (!s->find_f(s, "value", &v) || v == 0)
		return TARN_OK;
	float f = (float)v;
	TRY(tarn_node_resize_inputs(s->graph, s->node, VALUE + 1));
	return tarn_value_const_f32(s->graph, NULL, &f, -1, &s->node->in[VALUE]);
}

/* Begin and end of every axis of rank; false in *known when they depend on data. */
static tarn_err pads_of(tarn_infer *c, int rank, tarn_dim *begin, tarn_dim *end, bool *known)
{
	tarn_dim at[2 * TARN_MAX_RANK];
	int64_t axes[TARN_MAX_RANK];
	int n = 0, m = rank, axis = 0;
	bool listed = c->node->n_in > AXES && c->node->in[AXES] != NULL;
	for (int d = 0; d < rank; d++)
		begin[d] = end[d] = 0;
	*known = (!listed || tarn_infer_ints(c, AXES, axes, TARN_MAX_RANK, &m)) &&
		 tarn_infer_dims(c, PADS, at, 2 * TARN_MAX_RANK, &n);
	if (!*known)
		return TARN_OK;
	CHECK(n == 2 * m, TARN_SHAPE, "%d pads for %d axes; a begin and an end are needed for each", n, m);
	for (int i = 0; i < m; i++) {
		TRY(tarn_shape_axis(rank, listed ? axes[i] : i, &axis));
		begin[axis] = at[i];
		end[axis] = at[m + i];
	}
	return TARN_OK;
}

static tarn_err infer_pad(tarn_infer *c)
{
	tarn_dim begin[TARN_MAX_RANK], end[TARN_MAX_RANK];
	bool known = false;
	TRY(tarn_infer_rank(c, DATA, 0, -1));
	TRY(tarn_infer_rank(c, PADS, 1, 2));
	TRY(tarn_infer_class(c, PADS, TARN_CLS_INT));
	const tarn_shape *in = tarn_infer_shape(c, DATA);
	if (in == NULL) {
		tarn_infer_out(c, 0, tarn_infer_type(c, DATA), NULL);
		return TARN_OK;
	}
	tarn_shape out = *in;
	TRY(pads_of(c, in->rank, begin, end, &known));
	for (int d = 0; d < in->rank; d++) {
		int64_t v = 0;
		bool ok = known && tarn_bounds_op(c->syms, TARN_SYM_ADD, in->dim[d], begin[d], &out.dim[d]) &&
			  tarn_bounds_op(c->syms, TARN_SYM_ADD, out.dim[d], end[d], &out.dim[d]);
		CHECK(!ok || !tarn_dim_is_int(out.dim[d], &v) || v >= 0, TARN_SHAPE,
		      "pads cut %lld more from axis %d than it has", (long long)-v, d);
		if (!ok)
			TRY(tarn_bounds_fresh(c, TARN_DIM_MAX, &out.dim[d]));
	}
	tarn_infer_out(c, 0, tarn_infer_type(c, DATA), &out);
	return TARN_OK;
}

/* The source index of each output index along an axis; -1: the constant. */
static tarn_err map_axis(int mode, int64_t size, int64_t begin, int64_t out, int64_t *map)
{
	CHECK(size > 0 || mode == CONSTANT || out == 0, TARN_SHAPE, "an empty axis has nothing to repeat");
	for (int64_t o = 0; o < out; o++) {
		int64_t i = o - begin, period = 2 * (size - 1);
		if (i >= 0 && i < size) {
			map[o] = i;
		} else if (mode == CONSTANT) {
			map[o] = -1;
		} else if (mode == EDGE) {
			map[o] = i < 0 ? 0 : size - 1;
		} else if (mode == WRAP) {
			map[o] = (i % size + size) % size;
		} else if (period == 0) {
			map[o] = 0;
		} else {
			i = (i % period + period) % period;
			map[o] = i < size ? i : period - i;
		}
	}
	return TARN_OK;
}

static tarn_err fill(const tarn_tensor *x, const tarn_tensor *value, tarn_tensor *y, int64_t *const *map)
{
	int64_t index[TARN_MAX_RANK] = {0}, stride[TARN_MAX_RANK], total = tarn_tensor_count(y), at = 0;
	int last = y->rank - 1;
	tarn_tensor_strides(x, stride);
	while (at < total) {
		int64_t base = 0;
		bool outside = false;
		for (int d = 0; d < last; d++) {
			outside = outside || map[d][index[d]] < 0;
			base += map[d][index[d]] * stride[d];
		}
		for (int64_t j = 0; j < y->dim[last]; j++, at++)
			if (!outside && map[last][j] >= 0)
				tarn_elem_copy(x, base + map[last][j], y, at);
			else if (value != NULL)
				tarn_elem_copy(value, 0, y, at);
		tarn_elem_next(last, y->dim, index);
	}
	return TARN_OK;
}

static tarn_err eval_pad(tarn_eval *e)
{
	const tarn_tensor *x = e->in[DATA], *pads = e->in[PADS], *axes = e->node->n_in > AXES ? e->in[AXES] : NULL;
	tarn_tensor value = {0}, *y = &e->out[0];
	int64_t begin[TARN_MAX_RANK] = {0}, *map[TARN_MAX_RANK] = {0}, sum = 0;
	int64_t m = axes != NULL ? tarn_tensor_count(axes) : x->rank;
	tarn_err err = TARN_OK;
	if (x->rank == 0) {
		tarn_elem_copy_all(x, y);
		return TARN_OK;
	}
	for (int64_t i = 0; i < m; i++) {
		int axis = 0;
		TRY(tarn_shape_axis(x->rank, axes != NULL ? tarn_tensor_i64(axes, i) : i, &axis));
		begin[axis] = tarn_tensor_i64(pads, i);
	}
	for (int d = 0; d < x->rank; d++)
		sum += y->dim[d];
	int64_t *all = tarn_mem_zalloc((size_t)sum + 1, sizeof *all);
	if (all == NULL)
		return tarn_err_nomem((unsigned long long)sum * sizeof *all);
	map[0] = all;
	for (int d = 0; d < x->rank; d++) {
		if (d > 0)
			map[d] = map[d - 1] + y->dim[d - 1];
		TRY_GOTO(out, map_axis((int)tarn_attr_i(e->node, 0), x->dim[d], begin[d], y->dim[d], map[d]));
	}
	bool given = e->node->n_in > VALUE && e->in[VALUE] != NULL && tarn_tensor_count(e->in[VALUE]) > 0;
	if (given && x->type != TARN_STRING)
		TRY_GOTO(out, tarn_tensor_convert(e->in[VALUE], x->type, &value));
	err = fill(x, given ? &value : NULL, y, map);
out:
	tarn_tensor_fini(&value);
	tarn_mem_free(all);
	return err;
}

static const tarn_attr_def pad_attr[] = {{"mode", TARN_ATTR_ENUM, TARN_ATTR_DEFAULT, CONSTANT, "constant|reflect|edge|wrap"}};

/* A constant behind the input continues padding that is the same constant; other borders repeat elements near the end. */
static void pad_pad(tarn_pad *p)
{
	const tarn_node *n = p->node;
	tarn_infer c = {.node = (tarn_node *)(uintptr_t)n};
	tarn_dim begin[TARN_MAX_RANK], end[TARN_MAX_RANK];
	const tarn_value *value = n->n_in > VALUE ? n->in[VALUE] : NULL;
	int64_t mode = tarn_attr_i(n, tarn_attr_index(n->op, "mode")), b = 0, e = 0;
	bool known = p->input == 0;
	if (known && pads_of(&c, n->in[DATA]->shape.rank, begin, end, &known) != TARN_OK) {
		tarn_err_clear();
		known = false;
	}
	p->need = TARN_PAD_UNSAFE;
	p->why = "how much it adds depends on data";
	if (!known)
		return;
	bool fixed = tarn_dim_is_int(begin[p->axis], &b) && tarn_dim_is_int(end[p->axis], &e);
	p->need = TARN_PAD_PLACE;
	/* What a border in front repeats must be there at every length. */
	bool near = mode == CONSTANT || b <= 0 || (mode != WRAP && tarn_dim_lo(p->syms, n->in[DATA]->shape.dim[p->axis]) > b);
	if (fixed && near && e <= 0) {
		p->need = TARN_PAD_ANY;
	} else if (fixed && mode == CONSTANT && (!value || value->konst)) {
		p->need = TARN_PAD_VALUE;
		p->value = value ? tarn_tensor_f64(value->konst, 0) : 0;
	}
}

const tarn_op_def tarn_op_pad = {
	.name = "Pad",
	.onnx_since = 1,
	.min_in = 2,
	.max_in = 4,
	.min_out = 1,
	.max_out = 1,
	.attr = pad_attr,
	.n_attr = 1,
	.import = import_pad,
	.infer = infer_pad,
	.eval = eval_pad,
	.grad = tarn_grad_moved,
	.pad = pad_pad,
	.cost = tarn_cost_move,
	.quant = {.kind = TARN_QUANT_PASS, .act = 1, .weight = -1, .bias = -1},
};
