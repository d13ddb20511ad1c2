/* SPDX-License-Identifier: Apache-2.0 */
/* Slice: inputs data, starts, ends, axes (default: the first ones), steps (default 1). */
#include "ops/bounds.h"
#include "ops/build.h"
#include "ops/elem.h"
#include "ops/grad.h"
#include "ops/ops.h"
#include "ops/padding.h"

enum { DATA, STARTS, ENDS, AXES, STEPS };
/* Numbers beyond this are cut, which changes nothing: no axis is longer. */
#define FAR ((int64_t)1 << 47)
/* Exporters write "to the end" as one of several large numbers, from 10^9 on; free sizes are taken to be smaller. */
#define END 1000000000

static tarn_err import_slice(const tarn_import *s)
{
	if (!s->onnx || s->opset >= 10)
		return TARN_OK;
	TRY(tarn_import_ints_as_input(s, "starts", STARTS));
	TRY(tarn_import_ints_as_input(s, "ends", ENDS));
	return tarn_import_ints_as_input(s, "axes", AXES);
}

/* Python's rule for one axis of known size: the first index and how many. */
static void resolve(int64_t size, int64_t start, int64_t end, int64_t step, int64_t *from, int64_t *count)
{
	int64_t low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
	start = start < 0 ? start + size : start;
	end = end < 0 ? end + size : end;
	start = start < low ? low : start > high ? high : start;
	end = end < low ? low : end > high ? high : end;
	int64_t span = step > 0 ? end - start : start - end, s = step > 0 ? step : -step;
	*from = start;
	*count = span > 0 ? (span - 1) / s + 1 : 0;
	if (*count == 0)
		*from = 0;
}

/* A bound of a slice (a number, negative from the end, or a symbol) as an index in [0, size]. */
static bool place(tarn_symtab *t, tarn_dim size, tarn_dim at, tarn_dim *out)
{
	int64_t v = 0;
	tarn_dim top = 0;
	if (!tarn_dim_is_int(at, &v) && tarn_dim_most(t, at) <= 0) { /* counted from the end, unless it is 0 */
		tarn_dim back = 0, any = 0;
		return tarn_bounds_op(t, TARN_SYM_SUB, 0, at, &back) && tarn_bounds_op(t, TARN_SYM_MIN, back, 1, &any) &&
		       tarn_bounds_op(t, TARN_SYM_SUB, size, back, out) && tarn_bounds_op(t, TARN_SYM_MAX, *out, 0, out) &&
		       tarn_bounds_op(t, TARN_SYM_MUL, *out, any, out);
	}
	if (!tarn_dim_is_int(at, &v))
		return tarn_bounds_op(t, TARN_SYM_MIN, size, at, out);
	if (v == 0 || v <= -END) {
		*out = 0;
		return true;
	}
	if (v >= END) {
		*out = size;
		return true;
	}
	if (v >= 0)
		return tarn_bounds_op(t, TARN_SYM_MIN, size, v, out);
	return tarn_bounds_op(t, TARN_SYM_MAX, size, -v, &top) && tarn_bounds_op(t, TARN_SYM_SUB, top, -v, out);
}

/* The size of the slice along one axis; false when it cannot be said. */
static bool sized(tarn_symtab *t, tarn_dim size, tarn_dim start, tarn_dim end, int64_t step, tarn_dim *out)
{
	int64_t a = 0, b = 0, from = 0;
	bool na = tarn_dim_is_int(start, &a), nb = tarn_dim_is_int(end, &b);
	tarn_dim first = 0, last = 0, top = 0;
	if (na && nb && size >= 0) {
		resolve(size, a, b, step, &from, out);
		return true;
	}
	if (step < 0) /* only the whole axis backwards */
		return na && nb && (a >= END || a == -1) && b <= -END && tarn_bounds_op(t, TARN_SYM_CEILDIV, size, -step, out);
	if (nb && b >= END && na && a < 0 && a > -END) /* the last -a elements */
		return tarn_bounds_op(t, TARN_SYM_MIN, size, -a, out) && tarn_bounds_op(t, TARN_SYM_CEILDIV, *out, step, out);
	if (!place(t, size, start, &first) || !place(t, size, end, &last))
		return false;
	top = last;
	if (last != size && !tarn_bounds_op(t, TARN_SYM_MAX, first, last, &top))
		return false;
	return tarn_bounds_op(t, TARN_SYM_SUB, top, first, out) && tarn_bounds_op(t, TARN_SYM_CEILDIV, *out, step, out);
}

/* Axes and steps; *n is how many. False in *known when they depend on data. */
static tarn_err axes_steps(tarn_infer *c, int rank, int n, int *axis, int64_t *step, bool *known)
{
	int64_t at[TARN_MAX_RANK];
	int m = 0;
	uint32_t seen = 0;
	*known = true;
	for (int i = 0; i < n; i++) {
		axis[i] = i;
		step[i] = 1;
	}
	if (c->node->n_in > AXES && c->node->in[AXES] != NULL) {
		*known = tarn_infer_ints(c, AXES, at, TARN_MAX_RANK, &m);
		CHECK(!*known || m == n, TARN_SHAPE, "%d starts, but %d axes", n, m);
		for (int i = 0; *known && i < n; i++)
			TRY(tarn_shape_axis(rank, at[i], &axis[i]));
	}
	CHECK(n <= rank, TARN_SHAPE, "%d starts for rank %d", n, rank);
	for (int i = 0; *known && i < n; i++) {
		CHECK((seen & 1u << axis[i]) == 0, TARN_SHAPE, "axis %d is sliced twice", axis[i]);
		seen |= 1u << axis[i];
	}
	if (*known && c->node->n_in > STEPS && c->node->in[STEPS] != NULL) {
		*known = tarn_infer_ints(c, STEPS, at, TARN_MAX_RANK, &m);
		CHECK(!*known || m == n, TARN_SHAPE, "%d starts, but %d steps", n, m);
		for (int i = 0; *known && i < n; i++) {
			CHECK(at[i] != 0, TARN_SHAPE, "the step of axis %d is zero", axis[i]);
			step[i] = at[i];
		}
	}
	return TARN_OK;
}

/* How many axes are sliced, -1 when unknown. */
static int slices(const tarn_infer *c)
{
	for (int i = STARTS; i <= AXES; i++) {
		const tarn_shape *s = tarn_infer_shape(c, i);
		if (s != NULL && s->rank == 1 && s->dim[0] >= 0 && s->dim[0] <= TARN_MAX_RANK)
			return (int)s->dim[0];
		if (s != NULL && s->rank == 0)
			return 1;
	}
	return -1;
}

static tarn_err infer_slice(tarn_infer *c)
{
	tarn_dim start[TARN_MAX_RANK], end[TARN_MAX_RANK];
	int64_t step[TARN_MAX_RANK];
	int axis[TARN_MAX_RANK], ns = 0, ne = 0, n = slices(c);
	bool known = false;
	TRY(tarn_infer_rank(c, DATA, 1, -1));
	for (int i = STARTS; i < c->node->n_in; i++)
		if (i <= ENDS || c->node->in[i] != NULL) {
			TRY(tarn_infer_rank(c, i, 0, 1));
			TRY(tarn_infer_class(c, i, TARN_CLS_INT));
		}
	const tarn_shape *in = tarn_infer_shape(c, DATA);
	if (in == NULL) {
		tarn_infer_out(c, 0, tarn_infer_type(c, DATA), NULL);
		return TARN_OK;
	}
	tarn_shape out = *in;
	if (n >= 0)
		TRY(axes_steps(c, in->rank, n, axis, step, &known));
	if (!known) {
		for (int d = 0; d < in->rank; d++)
			TRY(tarn_bounds_fresh(c, tarn_dim_hi(c->syms, in->dim[d]), &out.dim[d]));
		tarn_infer_out(c, 0, tarn_infer_type(c, DATA), &out);
		return TARN_OK;
	}
	bool hs = tarn_infer_dims(c, STARTS, start, TARN_MAX_RANK, &ns), he = tarn_infer_dims(c, ENDS, end, TARN_MAX_RANK, &ne);
	CHECK((!hs || ns == n) && (!he || ne == n), TARN_SHAPE, "%d starts, but %d ends", ns, ne);
	for (int i = 0; i < n; i++) {
		tarn_dim *d = &out.dim[axis[i]];
		if (!hs || !he || !sized(c->syms, in->dim[axis[i]], start[i], end[i], step[i], d))
			TRY(tarn_bounds_fresh(c, tarn_dim_hi(c->syms, in->dim[axis[i]]), d));
	}
	tarn_infer_out(c, 0, tarn_infer_type(c, DATA), &out);
	return TARN_OK;
}

static tarn_err bounds_slice(tarn_infer *c)
{
	tarn_dim at[TARN_KNOWN_MAX], out[TARN_KNOWN_MAX];
	int64_t start[1], end[1], step[1], from = 0, count = 0, row = 1;
	int axis[1], n = 0, m = 0;
	bool known = false;
	const tarn_shape *in = tarn_infer_shape(c, DATA);
	if (in == NULL || in->rank < 1 || in->rank > 2 || !tarn_shape_is_static(in) || slices(c) != 1 ||
	    !tarn_bounds_read_all(c, DATA, at, &n) || !tarn_infer_ints(c, STARTS, start, 1, &m) ||
	    !tarn_infer_ints(c, ENDS, end, 1, &m))
		return TARN_OK;
	TRY(axes_steps(c, in->rank, 1, axis, step, &known));
	if (!known || axis[0] != 0) /* rows of a matrix, at most: lists of padding are turned around so */
		return TARN_OK;
	row = in->rank > 1 ? in->dim[1] : 1;
	resolve(in->dim[0], start[0], end[0], step[0], &from, &count);
	for (int64_t i = 0; i < count * row; i++)
		out[i] = at[(from + i / row * step[0]) * row + i % row];
	return tarn_bounds_set(c, 0, out, (int)(count * row));
}

static tarn_err eval_slice(tarn_eval *e)
{
	const tarn_tensor *x = e->in[DATA], *axes = e->node->n_in > AXES ? e->in[AXES] : NULL,
			  *steps = e->node->n_in > STEPS ? e->in[STEPS] : NULL;
	tarn_tensor *y = &e->out[0];
	int64_t stride[TARN_MAX_RANK], n = tarn_tensor_count(e->in[STARTS]);
	tarn_elem_box box = {.rank = x->rank};
	tarn_tensor_strides(x, stride);
	tarn_tensor_strides(y, box.dst_stride);
	for (int d = 0; d < x->rank; d++) {
		box.dim[d] = x->dim[d];
		box.src_stride[d] = stride[d];
	}
	for (int64_t i = 0; i < n; i++) {
		int axis = 0;
		int64_t from = 0, step = steps != NULL ? tarn_tensor_i64(steps, i) : 1;
		TRY(tarn_shape_axis(x->rank, axes != NULL ? tarn_tensor_i64(axes, i) : i, &axis));
		/* No axis is longer than FAR, so cutting the numbers there changes nothing and keeps sums in range. */
		int64_t a = tarn_tensor_i64(e->in[STARTS], i), b = tarn_tensor_i64(e->in[ENDS], i);
		a = a > FAR ? FAR : a < -FAR ? -FAR : a;
		b = b > FAR ? FAR : b < -FAR ? -FAR : b;
		step = step > FAR ? FAR : step < -FAR ? -FAR : step;
		resolve(x->dim[axis], a, b, step, &from, &box.dim[axis]);
		box.src_at += from * stride[axis];
		box.src_stride[axis] = stride[axis] * step;
	}
	tarn_elem_copy_box(x, y, &box);
	return TARN_OK;
}

/* From a fixed place on, forwards, what is valid stays in front. */
static void pad_slice(tarn_pad *p)
{
	tarn_infer c = {.node = (tarn_node *)(uintptr_t)p->node};
	tarn_dim start[TARN_MAX_RANK];
	int n = 0, rank = p->node->in[0]->shape.rank, axis[TARN_MAX_RANK];
	int64_t step[TARN_MAX_RANK], from = 0;
	bool known = p->input == 0 && tarn_infer_dims(&c, STARTS, start, rank, &n);
	if (known && axes_steps(&c, rank, n, axis, step, &known) != TARN_OK) {
		tarn_err_clear();
		known = false;
	}
	p->need = known ? TARN_PAD_ANY : TARN_PAD_UNSAFE;
	p->why = "where it cuts the padded axis depends on data";
	for (int i = 0; known && i < n; i++)
		if (axis[i] == p->axis && !(step[i] > 0 && tarn_dim_is_int(start[i], &from) && from >= 0)) {
			p->need = TARN_PAD_PLACE;
			p->why = "it cuts the padded axis from its end";
		}
}

const tarn_op_def tarn_op_slice = {
	.name = "Slice",
	.onnx_since = 1,
	.min_in = 3,
	.max_in = 5,
	.min_out = 1,
	.max_out = 1,
	.import = import_slice,
	.infer = infer_slice,
	.bounds = bounds_slice,
	.pad = pad_slice,
	.eval = eval_slice,
	.grad = tarn_grad_moved,
	.cost = tarn_cost_move,
	.quant = {.kind = TARN_QUANT_PASS, .act = 1, .weight = -1, .bias = -1},
};
