/* SPDX-License-Identifier: Apache-2.0 */
/* ScatterElements (and its older name Scatter) and ScatterND: data copied, then written or reduced into at indices. */
#include <math.h>

#include "base/mem.h"
#include "ops/grad.h"
#include "ops/index.h"
#include "ops/ops.h"
#include "ops/padding.h"

enum { NONE, ADD, MUL, MAX, MIN };
#define WORDS "none|add|mul|max|min"

/* y[di] = reduce(y[di], x[si]) */
static void put(int how, const tarn_tensor *x, int64_t si, tarn_tensor *y, int64_t di)
{
	if (how == NONE) {
		tarn_elem_copy(x, si, y, di);
	} else if (tarn_dtype_is_float(x->type)) {
		double a = tarn_tensor_f64(y, di), b = tarn_tensor_f64(x, si);
		bool keep = isnan(a) || (!isnan(b) && (how == MAX ? a > b : a < b));
		tarn_tensor_set_f64(y, di, how == ADD ? a + b : how == MUL ? a * b : keep ? a : b);
	} else {
		int64_t a = 0, b = 0;
		tarn_elem_load_i64(y, di, 1, 1, &a);
		tarn_elem_load_i64(x, si, 1, 1, &b);
		bool less = x->type == TARN_U64 ? (uint64_t)a < (uint64_t)b : a < b;
		uint64_t v = how == ADD   ? (uint64_t)a + (uint64_t)b
			     : how == MUL ? (uint64_t)a * (uint64_t)b
					  : (uint64_t)((how == MAX) == less ? b : a);
		a = (int64_t)v;
		tarn_elem_store_i64(y, di, 1, &a);
	}
}

/* Where each element of the updates goes. */
typedef tarn_err (*places_fn)(const tarn_node *n, const tarn_tensor *x, const tarn_tensor *at, int64_t *to);

static int reduction_of(const tarn_node *n)
{
	return (int)tarn_attr_i(n, tarn_attr_index(n->op, "reduction"));
}

static tarn_err scatter(tarn_eval *e, places_fn places)
{
	int64_t n = tarn_tensor_count(e->in[2]), *to = tarn_mem_zalloc((size_t)n + 1, sizeof *to);
	int how = reduction_of(e->node);
	if (!to)
		return tarn_err_nomem((unsigned long long)n * sizeof *to);
	tarn_err err = places(e->node, e->in[0], e->in[1], to);
	if (err == TARN_OK)
		tarn_elem_copy_all(e->in[0], &e->out[0]);
	for (int64_t i = 0; i < n && err == TARN_OK; i++)
		put(how, e->in[2], i, &e->out[0], to[i]);
	tarn_mem_free(to);
	return err;
}

/* Backward through one write y = reduce(y, u): dy becomes that of the y before. The gradient of u. */
static double back(int how, double y, double u, double *dy)
{
	double was = *dy;
	bool kept = how == MAX ? isnan(y) || y > u : isnan(y) || y < u;
	switch (how) {
	case ADD:
		return was;
	case MUL:
		*dy = was * u;
		return was * y;
	case NONE:
		*dy = 0;
		return was;
	default:
		*dy = kept ? was : 0;
		return kept ? 0 : was;
	}
}

/* The writes are done again, remembering what each found; then they are gone through from the last to the first. */
static tarn_err scatter_back(tarn_grad *g, places_fn places)
{
	int64_t n = tarn_tensor_count(g->in[2]), *to = tarn_arena_zalloc(g->arena, (size_t)n + 1, sizeof *to);
	int how = reduction_of(g->node);
	double *y, *u, *found, *dy, *du;
	tarn_tensor now, one;
	if (!to)
		return tarn_err_nomem((unsigned long long)n * sizeof *to);
	TRY(places(g->node, g->in[0], g->in[1], to));
	TRY(tarn_grad_load(g, g->in[0], &y));
	TRY(tarn_grad_load(g, g->in[2], &u));
	TRY(tarn_grad_load(g, &g->dout[0], &dy));
	TRY(tarn_grad_zeros(g, n, &found));
	TRY(tarn_grad_zeros(g, n, &du));
	now = *g->in[0], one = *g->in[2];
	now.type = one.type = TARN_F64;
	now.data = y, one.data = u;
	for (int64_t i = 0; i < n; i++) {
		found[i] = y[to[i]];
		put(how, &one, i, &now, to[i]);
	}
	for (int64_t i = n; i-- > 0;)
		du[i] = back(how, found[i], u[i], &dy[to[i]]);
	if (tarn_grad_wants(g, 0))
		tarn_grad_add(&g->din[0], dy);
	if (tarn_grad_wants(g, 2))
		tarn_grad_add(&g->din[2], du);
	return TARN_OK;
}

static tarn_err infer_common(tarn_infer *c, int attr)
{
	TRY(tarn_infer_rank(c, 0, 1, -1));
	TRY(tarn_infer_rank(c, 1, 1, -1));
	TRY(tarn_infer_rank(c, 2, 0, -1));
	TRY(tarn_infer_class(c, 1, TARN_CLS_INT));
	TRY(tarn_infer_same_type(c, 0, 2));
	if (c->node->op->n_attr > attr && tarn_attr_i(c->node, attr) != NONE)
		TRY(tarn_infer_class(c, 0, TARN_CLS_NUM | TARN_CLS_B));
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), tarn_infer_shape(c, 0));
	return TARN_OK;
}

/* ---- ScatterElements ---- */

static tarn_err infer_scatter_elements(tarn_infer *c)
{
	int axis = 0;
	TRY(infer_common(c, 1));
	const tarn_shape *in = tarn_infer_shape(c, 0), *at = tarn_infer_shape(c, 1), *up = tarn_infer_shape(c, 2);
	if (in != NULL)
		TRY(tarn_shape_axis(in->rank, tarn_attr_i(c->node, 0), &axis));
	CHECK(in == NULL || at == NULL || in->rank == at->rank, TARN_SHAPE, "data has rank %d, indices %d", in->rank, at->rank);
	CHECK(up == NULL || at == NULL || up->rank == at->rank, TARN_SHAPE, "indices have rank %d, updates %d", at->rank,
	      up->rank);
	for (int d = 0; at != NULL && d < at->rank; d++) {
		CHECK(up == NULL || up->dim[d] < 0 || at->dim[d] < 0 || up->dim[d] == at->dim[d], TARN_SHAPE,
		      "indices have size %lld at axis %d, updates %lld", (long long)at->dim[d], d, (long long)up->dim[d]);
		CHECK(d == axis || in == NULL || in->dim[d] < 0 || at->dim[d] < 0 || at->dim[d] <= in->dim[d], TARN_SHAPE,
		      "indices have size %lld at axis %d, data %lld", (long long)at->dim[d], d, (long long)in->dim[d]);
	}
	return TARN_OK;
}

static tarn_err places_elements(const tarn_node *node, const tarn_tensor *x, const tarn_tensor *at, int64_t *to)
{
	int64_t index[TARN_MAX_RANK] = {0}, stride[TARN_MAX_RANK], n = tarn_tensor_count(at);
	int axis = 0;
	TRY(tarn_shape_axis(x->rank, tarn_attr_i(node, 0), &axis));
	tarn_tensor_strides(x, stride);
	for (int64_t i = 0; i < n; i++) {
		int64_t k = 0;
		TRY(tarn_index_at(at, i, x->dim[axis], &k));
		for (int d = 0; d < x->rank; d++)
			to[i] += (d == axis ? k : index[d]) * stride[d];
		tarn_elem_next(at->rank, at->dim, index);
	}
	return TARN_OK;
}

static tarn_err eval_elements(tarn_eval *e)
{
	return scatter(e, places_elements);
}

static tarn_err grad_elements(tarn_grad *g)
{
	return scatter_back(g, places_elements);
}

static const tarn_attr_def elements_attr[] = {
	{"axis", TARN_ATTR_INT, TARN_ATTR_DEFAULT, 0, NULL},
	{"reduction", TARN_ATTR_ENUM, TARN_ATTR_DEFAULT, NONE, WORDS},
};

static bool counted_from_front(const tarn_value *index)
{
	for (int64_t i = 0; index->konst && i < tarn_tensor_count(index->konst); i++)
		if (tarn_tensor_i64(index->konst, i) < 0)
			return false;
	return index->konst != NULL;
}

/* Padded updates must go nowhere; a negative index counts from the padded end. */
static void pad_elements(tarn_pad *p)
{
	p->need = TARN_PAD_PLACE;
	p->why = p->input ? "it would write the padding somewhere" : "its indices may count from the end";
	if (p->input == 0)
		tarn_pad_along(p, counted_from_front(p->node->in[1]) ? TARN_PAD_ANY : TARN_PAD_PLACE);
}

/* Axes that the indices do not reach are those of the data and of the updates alike. */
static void pad_nd(tarn_pad *p)
{
	const tarn_shape *at = &p->node->in[1]->shape;
	tarn_dim depth = at->rank > 0 ? at->dim[at->rank - 1] : -1;
	bool whole = depth >= 0 && (p->input == 0 ? p->axis >= depth || counted_from_front(p->node->in[1])
						  : p->input == 2 && p->axis >= at->rank - 1);
	p->need = whole ? TARN_PAD_ANY : depth < 0 ? TARN_PAD_UNSAFE : TARN_PAD_PLACE;
	p->why = p->input ? "it would write the padding somewhere" : "its indices may count from the end";
}

#define ROW(word, Name, since, until, attrs, count, import_slot, infer_slot, form) \
	const tarn_op_def tarn_op_##word = { \
		.name = Name, \
		.onnx_since = since, \
		.onnx_until = until, \
		.min_in = 3, \
		.max_in = 3, \
		.min_out = 1, \
		.max_out = 1, \
		.attr = attrs, \
		.n_attr = count, \
		.import = import_slot, \
		.infer = infer_slot, \
		.eval = eval_##form, \
		.grad = grad_##form, \
		.pad = pad_##form, \
		.cost = tarn_cost_move, \
		.quant = {.weight = -1, .bias = -1}, \
	};

/* Read as ScatterElements, which is its newer name; the schemas are one. */
static tarn_err import_scatter(const tarn_import *src)
{
	src->node->op = &tarn_op_scatter_elements;
	return TARN_OK;
}

ROW(scatter, "Scatter", 9, 10, elements_attr, 2, import_scatter, infer_scatter_elements, elements)
ROW(scatter_elements, "ScatterElements", 11, 0, elements_attr, 2, NULL, infer_scatter_elements, elements)

/* ---- ScatterND ---- */

static tarn_err infer_scatter_nd(tarn_infer *c)
{
	TRY(infer_common(c, 0));
	const tarn_shape *in = tarn_infer_shape(c, 0), *at = tarn_infer_shape(c, 1), *up = tarn_infer_shape(c, 2);
	if (in == NULL || at == NULL || at->dim[at->rank - 1] < 0)
		return TARN_OK;
	int64_t depth = at->dim[at->rank - 1];
	CHECK(depth <= in->rank, TARN_SHAPE, "indices of length %lld for rank %d", (long long)depth, in->rank);
	if (up == NULL)
		return TARN_OK;
	CHECK(up->rank == at->rank - 1 + in->rank - depth, TARN_SHAPE, "updates have rank %d, not %lld", up->rank,
	      (long long)(at->rank - 1 + in->rank - depth));
	for (int d = 0; d < up->rank; d++) {
		tarn_dim want = d < at->rank - 1 ? at->dim[d] : in->dim[depth + d - (at->rank - 1)];
		CHECK(want < 0 || up->dim[d] < 0 || want == up->dim[d], TARN_SHAPE,
		      "updates have size %lld at axis %d, not %lld", (long long)up->dim[d], d, (long long)want);
	}
	return TARN_OK;
}

static tarn_err places_nd(const tarn_node *node, const tarn_tensor *x, const tarn_tensor *at, int64_t *to)
{
	(void)node;
	int depth = (int)at->dim[at->rank - 1];
	int64_t stride[TARN_MAX_RANK], n = tarn_elem_product(at->dim, 0, at->rank - 1);
	int64_t inner = tarn_elem_product(x->dim, depth, x->rank);
	tarn_tensor_strides(x, stride);
	for (int64_t i = 0; i < n; i++) {
		int64_t first = 0;
		for (int k = 0; k < depth; k++) {
			int64_t j = 0;
			TRY(tarn_index_at(at, i * depth + k, x->dim[k], &j));
			first += j * stride[k];
		}
		for (int64_t j = 0; j < inner; j++)
			to[i * inner + j] = first + j;
	}
	return TARN_OK;
}

static tarn_err eval_nd(tarn_eval *e)
{
	return scatter(e, places_nd);
}

static tarn_err grad_nd(tarn_grad *g)
{
	return scatter_back(g, places_nd);
}

static const tarn_attr_def nd_attr[] = {{"reduction", TARN_ATTR_ENUM, TARN_ATTR_DEFAULT, NONE, WORDS}};

ROW(scatter_nd, "ScatterND", 11, 0, nd_attr, 1, NULL, infer_scatter_nd, nd)
