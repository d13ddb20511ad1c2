/* SPDX-License-Identifier: Apache-2.0 */
/* Operators whose output size is in the data: NonZero, Compress, Unique. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ops/bounds.h"
#include "ops/grad.h"
#include "ops/ops.h"

#define ROW(word, Name, since, ins, outs, attrs, count, more, slope) \
	const tarn_op_def tarn_op_##word = { \
		.name = Name, \
		.onnx_since = since, \
		.min_in = ins, \
		.max_in = ins, \
		.min_out = 1, \
		.max_out = outs, \
		.attr = attrs, \
		.n_attr = count, \
		.flags = TARN_OP_DATA_SHAPE | (more), \
		.infer = infer_##word, \
		.eval = eval_##word, \
		.grad = slope, \
		.cost = tarn_cost_in, \
		.quant = {.weight = -1, .bias = -1}, \
	};

/* A bound on the elements of a shape. */
static int64_t most(const tarn_infer *c, const tarn_shape *s)
{
	int64_t n = 1;
	for (int d = 0; d < s->rank; d++) {
		int64_t hi = tarn_dim_hi(c->syms, s->dim[d]);
		if (hi != 0 && n > TARN_DIM_MAX / hi)
			return TARN_DIM_MAX;
		n *= hi;
	}
	return n;
}

/* ---- NonZero ---- */

static tarn_err infer_non_zero(tarn_infer *c)
{
	TRY(tarn_infer_rank(c, 0, 0, -1));
	TRY(tarn_infer_class(c, 0, TARN_CLS_NUM | TARN_CLS_B));
	const tarn_shape *in = tarn_infer_shape(c, 0);
	tarn_shape out = {.rank = 2};
	if (in != NULL) {
		out.dim[0] = in->rank;
		TRY(tarn_bounds_fresh(c, most(c, in), &out.dim[1]));
	} else {
		for (int d = 0; d < 2; d++)
			TRY(tarn_bounds_fresh(c, TARN_DIM_MAX, &out.dim[d]));
	}
	tarn_infer_out(c, 0, TARN_I64, &out);
	return TARN_OK;
}

static bool is_zero(const tarn_tensor *t, int64_t i)
{
	return tarn_dtype_is_float(t->type) ? tarn_tensor_f64(t, i) == 0 : tarn_tensor_i64(t, i) == 0;
}

static tarn_err eval_non_zero(tarn_eval *e)
{
	const tarn_tensor *x = e->in[0];
	int64_t total = tarn_tensor_count(x), n = 0, at = 0, index[TARN_MAX_RANK] = {0};
	for (int64_t i = 0; i < total; i++)
		n += !is_zero(x, i);
	TRY(tarn_eval_out(e, 0, TARN_I64, 2, (const int64_t[]){x->rank, n}));
	for (int64_t i = 0; i < total; i++) {
		if (!is_zero(x, i)) {
			for (int d = 0; d < x->rank; d++)
				tarn_tensor_set_i64(&e->out[0], d * n + at, index[d]);
			at++;
		}
		tarn_elem_next(x->rank, x->dim, index);
	}
	return TARN_OK;
}

ROW(non_zero, "NonZero", 9, 1, 1, NULL, 0, TARN_OP_FLAT, NULL)

/* ---- Compress ---- */

static tarn_err infer_compress(tarn_infer *c)
{
	int axis = 0;
	TRY(tarn_infer_rank(c, 0, 1, -1));
	TRY(tarn_infer_rank(c, 1, 1, 1));
	TRY(tarn_infer_class(c, 1, TARN_CLS_B));
	const tarn_shape *in = tarn_infer_shape(c, 0);
	tarn_shape out = {.rank = 1};
	if (in == NULL && tarn_attr_has(c->node, 0)) {
		tarn_infer_out(c, 0, tarn_infer_type(c, 0), NULL);
		return TARN_OK;
	}
	if (tarn_attr_has(c->node, 0)) {
		TRY(tarn_shape_axis(in->rank, tarn_attr_i(c->node, 0), &axis));
		out = *in;
		TRY(tarn_bounds_fresh(c, tarn_dim_hi(c->syms, in->dim[axis]), &out.dim[axis]));
	} else {
		TRY(tarn_bounds_fresh(c, in != NULL ? most(c, in) : TARN_DIM_MAX, &out.dim[0]));
	}
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), &out);
	return TARN_OK;
}

static tarn_err eval_compress(tarn_eval *e)
{
	const tarn_tensor *x = e->in[0], *keep = e->in[1];
	bool flat = !tarn_attr_has(e->node, 0);
	int axis = 0;
	int64_t dim[TARN_MAX_RANK] = {0}, n = 0, at = 0;
	if (!flat)
		TRY(tarn_shape_axis(x->rank, tarn_attr_i(e->node, 0), &axis));
	int64_t size = flat ? tarn_tensor_count(x) : x->dim[axis], outer = flat ? 1 : tarn_elem_product(x->dim, 0, axis);
	int64_t inner = flat ? 1 : tarn_elem_product(x->dim, axis + 1, x->rank), listed = tarn_tensor_count(keep);
	listed = listed < size ? listed : size;
	for (int64_t i = 0; i < listed; i++)
		n += tarn_tensor_i64(keep, i) != 0;
	for (int d = 0; d < x->rank; d++)
		dim[d] = x->dim[d];
	dim[axis] = n;
	TRY(tarn_eval_out(e, 0, x->type, flat ? 1 : x->rank, dim));
	for (int64_t i = 0; i < listed; i++) {
		if (tarn_tensor_i64(keep, i) == 0)
			continue;
		tarn_elem_box box = {.rank = 2, .dim = {outer, inner}, .src_at = i * inner, .dst_at = at++ * inner};
		box.src_stride[0] = size * inner;
		box.dst_stride[0] = n * inner;
		box.src_stride[1] = box.dst_stride[1] = 1;
		tarn_elem_copy_box(x, &e->out[0], &box);
	}
	return TARN_OK;
}

static const tarn_attr_def compress_attr[] = {{"axis", TARN_ATTR_INT, TARN_ATTR_OPTIONAL, 0, NULL}};
ROW(compress, "Compress", 9, 2, 1, compress_attr, 1, 0, tarn_grad_moved)

/* ---- Unique ---- */

enum { UNIQUE_SORTED, UNIQUE_AXIS };

static tarn_err infer_unique(tarn_infer *c)
{
	int axis = 0;
	TRY(tarn_infer_rank(c, 0, 0, -1));
	TRY(tarn_infer_class(c, 0, TARN_CLS_NUM | TARN_CLS_B));
	const tarn_shape *in = tarn_infer_shape(c, 0);
	tarn_shape out = {.rank = 1}, list = {.rank = 1};
	bool along = tarn_attr_has(c->node, UNIQUE_AXIS);
	if (along && in != NULL)
		TRY(tarn_shape_axis(in->rank, tarn_attr_i(c->node, UNIQUE_AXIS), &axis));
	int64_t hi = in == NULL ? TARN_DIM_MAX : along ? tarn_dim_hi(c->syms, in->dim[axis]) : most(c, in);
	TRY(tarn_bounds_fresh(c, hi, &list.dim[0]));
	if (along && in != NULL)
		out = *in;
	out.dim[along ? axis : 0] = list.dim[0];
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), in == NULL && along ? NULL : &out);
	tarn_infer_out(c, 1, TARN_I64, &list);
	tarn_infer_out(c, 3, TARN_I64, &list);
	tarn_shape inverse = {.rank = 1};
	TRY(tarn_bounds_fresh(c, TARN_DIM_MAX, &inverse.dim[0]));
	tarn_infer_out(c, 2, TARN_I64, &inverse);
	return TARN_OK;
}

/* Slice i of the data along the axis, for comparison. */
typedef struct slices {
	const tarn_tensor *x;
	int64_t n, outer, inner;
} slices;
typedef struct entry {
	const slices *s;
	int64_t index, group;
} entry;

static int compare(const slices *s, int64_t a, int64_t b)
{
	bool real = tarn_dtype_is_float(s->x->type), u64 = s->x->type == TARN_U64;
	for (int64_t k = 0; k < s->outer * s->inner; k++) {
		int64_t base = k / s->inner * s->n * s->inner + k % s->inner, ia = base + a * s->inner,
			ib = base + b * s->inner;
		if (real) {
			double x = tarn_tensor_f64(s->x, ia), y = tarn_tensor_f64(s->x, ib);
			if (x != y)
				return x < y ? -1 : 1;
		} else {
			int64_t x = 0, y = 0;
			tarn_elem_load_i64(s->x, ia, 1, 1, &x);
			tarn_elem_load_i64(s->x, ib, 1, 1, &y);
			if (x != y)
				return (u64 ? (uint64_t)x < (uint64_t)y : x < y) ? -1 : 1;
		}
	}
	return 0;
}

static int by_value(const void *pa, const void *pb)
{
	const entry *a = pa, *b = pb;
	int c = compare(a->s, a->index, b->index);
	return c != 0 ? c : a->index < b->index ? -1 : a->index > b->index;
}

/* Groups in order of first appearance: group heads by index. */
static int by_first(const void *pa, const void *pb)
{
	const entry *a = pa, *b = pb;
	return a->index < b->index ? -1 : a->index > b->index;
}

/* heads[0..*n): the first slice of each group, in output order; inverse[i]: the output position of slice i. */
static void group(const slices *s, entry *all, entry *heads, int64_t *n, int64_t *inverse, int64_t *place, bool sorted)
{
	*n = 0;
	qsort(all, (size_t)s->n, sizeof *all, by_value);
	for (int64_t i = 0; i < s->n; i++) {
		if (i == 0 || compare(s, all[i - 1].index, all[i].index) != 0) {
			heads[*n] = (entry){s, all[i].index, *n};
			(*n)++;
		}
		inverse[all[i].index] = *n - 1;
	}
	if (!sorted)
		qsort(heads, (size_t)*n, sizeof *heads, by_first);
	for (int64_t i = 0; i < *n; i++)
		place[heads[i].group] = i;
	for (int64_t i = 0; i < s->n; i++)
		inverse[i] = place[inverse[i]];
}

static tarn_err unique_out(tarn_eval *e, const slices *s, const entry *heads, int64_t n, const int64_t *inverse, int axis,
			   bool flat)
{
	int64_t dim[TARN_MAX_RANK] = {0};
	for (int d = 0; d < s->x->rank; d++)
		dim[d] = s->x->dim[d];
	dim[axis] = n;
	TRY(tarn_eval_out(e, 0, s->x->type, flat ? 1 : s->x->rank, dim));
	for (int i = 1; i < e->node->n_out; i++)
		if (e->node->out[i] != NULL)
			TRY(tarn_eval_out(e, i, TARN_I64, 1, i == 2 ? &s->n : &n));
	for (int64_t i = 0; i < n; i++) {
		tarn_elem_box box = {
			.rank = 2, .dim = {s->outer, s->inner}, .src_at = heads[i].index * s->inner, .dst_at = i * s->inner};
		box.src_stride[0] = s->n * s->inner;
		box.dst_stride[0] = n * s->inner;
		box.src_stride[1] = box.dst_stride[1] = 1;
		if (e->out[0].type != TARN_DTYPE_NONE)
			tarn_elem_copy_box(s->x, &e->out[0], &box);
		if (e->node->n_out > 1 && e->out[1].type != TARN_DTYPE_NONE)
			tarn_tensor_set_i64(&e->out[1], i, heads[i].index);
	}
	for (int64_t i = 0; i < s->n; i++) {
		if (e->node->n_out > 2 && e->out[2].type != TARN_DTYPE_NONE)
			tarn_tensor_set_i64(&e->out[2], i, inverse[i]);
		if (e->node->n_out > 3 && e->out[3].type != TARN_DTYPE_NONE)
			tarn_tensor_set_i64(&e->out[3], inverse[i], tarn_tensor_i64(&e->out[3], inverse[i]) + 1);
	}
	return TARN_OK;
}

static tarn_err eval_unique(tarn_eval *e)
{
	const tarn_tensor *x = e->in[0];
	bool flat = !tarn_attr_has(e->node, UNIQUE_AXIS);
	int axis = 0;
	int64_t n = 0;
	if (!flat)
		TRY(tarn_shape_axis(x->rank, tarn_attr_i(e->node, UNIQUE_AXIS), &axis));
	slices s = {x, flat ? tarn_tensor_count(x) : x->dim[axis], flat ? 1 : tarn_elem_product(x->dim, 0, axis),
		    flat ? 1 : tarn_elem_product(x->dim, axis + 1, x->rank)};
	entry *all = tarn_mem_zalloc(2 * (size_t)s.n + 1, sizeof *all);
	int64_t *inverse = tarn_mem_zalloc(2 * (size_t)s.n + 1, sizeof *inverse);
	tarn_err err = TARN_OK;
	if (all == NULL || inverse == NULL) {
		err = tarn_err_nomem((unsigned long long)s.n * 2 * sizeof *all);
		goto out;
	}
	for (int64_t i = 0; i < s.n; i++)
		all[i] = (entry){&s, i, 0};
	group(&s, all, all + s.n, &n, inverse, inverse + s.n, tarn_attr_i(e->node, UNIQUE_SORTED) != 0);
	err = unique_out(e, &s, all + s.n, n, inverse, axis, flat);
out:
	tarn_mem_free(all);
	tarn_mem_free(inverse);
	return err;
}

static const tarn_attr_def unique_attr[] = {
	{"sorted", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 1, NULL},
	{"axis", TARN_ATTR_INT, TARN_ATTR_OPTIONAL, 0, NULL},
};
ROW(unique, "Unique", 11, 1, 4, unique_attr, 2, 0, NULL)
