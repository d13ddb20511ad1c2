/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Softmax, LogSoftmax, Hardmax. Before opset 13 ONNX took all axes from `axis` on as one (the input read as a matrix); the
 * attribute `flatten` keeps that meaning, so that no shape need be known at import. Where rank and sizes show that both
 * meanings agree (axis is the last, or only sizes 1 follow), the decomposition is the plain operator; else Flatten, operator,
 * Reshape.
 */
#include <math.h>

#include "base/mem.h"
#include "ops/ops.h"
#include "ops/padding.h"
#include "ops/grad.h"

enum { AXIS, FLATTEN };
static const tarn_attr_def attr[] = {{"axis", TARN_ATTR_INT, TARN_ATTR_DEFAULT, -1},
				     {"flatten", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 0}};

static tarn_err import(const tarn_import *src)
{
	int64_t axis;
	bool old = src->onnx && src->opset < 13;
	if (old)
		TRY(tarn_attr_set_i(src->node, FLATTEN, 1));
	if ((old || !src->onnx) && !src->find_i(src, "axis", &axis))
		TRY(tarn_attr_set_i(src->node, AXIS, 1));
	return TARN_OK;
}

static tarn_err infer(tarn_infer *c)
{
	const tarn_shape *x = tarn_infer_shape(c, 0);
	int axis;
	TRY(tarn_infer_class(c, 0, TARN_CLS_F));
	/* The old form lets axis = rank pass as a matrix of one column. */
	if (x && !(tarn_attr_i(c->node, FLATTEN) && tarn_attr_i(c->node, AXIS) == x->rank))
		TRY(tarn_shape_axis(x->rank, tarn_attr_i(c->node, AXIS), &axis));
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), x);
	return TARN_OK;
}

enum { SOFT, LOG, HARD };

static void line(double *v, int64_t n, int64_t step, int kind)
{
	int64_t best = 0;
	double sum = 0;
	for (int64_t i = 1; i < n; i++)
		if (v[i * step] > v[best * step])
			best = i;
	double max = v[best * step];
	if (kind == HARD) {
		for (int64_t i = 0; i < n; i++)
			v[i * step] = i == best;
		return;
	}
	for (int64_t i = 0; i < n; i++)
		sum += exp(v[i * step] - max);
	for (int64_t i = 0; i < n; i++)
		v[i * step] = kind == LOG ? v[i * step] - max - log(sum) : exp(v[i * step] - max) / sum;
}

static tarn_err run(tarn_eval *e, int kind)
{
	const tarn_tensor *x = e->in[0];
	int64_t a = tarn_attr_i(e->node, AXIS), count = tarn_tensor_count(x);
	bool flatten = tarn_attr_i(e->node, FLATTEN);
	int axis = (int)(a < 0 ? a + x->rank : a);
	int64_t outer = tarn_elem_product(x->dim, 0, axis), n = axis < x->rank ? x->dim[axis] : 1;
	int64_t inner = axis < x->rank ? tarn_elem_product(x->dim, axis + 1, x->rank) : 1;
	if (flatten) {
		n *= inner;
		inner = 1;
	}
	double *v;
	TRY(tarn_real_load(x, &v));
	for (int64_t o = 0; o < outer && count; o++)
		for (int64_t i = 0; i < inner; i++)
			line(v + o * n * inner + i, n, inner, kind);
	tarn_real_put(&e->out[0], 0, count, v);
	tarn_mem_free(v);
	return TARN_OK;
}

static tarn_err eval_soft(tarn_eval *e)
{
	return run(e, SOFT);
}

static tarn_err eval_log(tarn_eval *e)
{
	return run(e, LOG);
}

static tarn_err eval_hard(tarn_eval *e)
{
	return run(e, HARD);
}

/* Soft: dx = y (dy - sum of dy y). Log: dx = dy - exp(y) (sum of dy). */
static tarn_err back(tarn_grad *g, int kind)
{
	const tarn_tensor *x = g->in[0];
	int64_t a = tarn_attr_i(g->node, AXIS), count = tarn_tensor_count(x);
	int axis = (int)(a < 0 ? a + x->rank : a);
	int64_t outer = tarn_elem_product(x->dim, 0, axis), n = axis < x->rank ? x->dim[axis] : 1;
	int64_t inner = axis < x->rank ? tarn_elem_product(x->dim, axis + 1, x->rank) : 1;
	double *y, *d;
	if (!tarn_grad_wants(g, 0) || !count)
		return TARN_OK;
	if (tarn_attr_i(g->node, FLATTEN)) {
		n *= inner;
		inner = 1;
	}
	TRY(tarn_grad_load(g, &g->out[0], &y));
	TRY(tarn_grad_load(g, &g->dout[0], &d));
	for (int64_t i = 0; i < outer * inner; i++) {
		int64_t at = i / inner * n * inner + i % inner;
		double sum = 0;
		for (int64_t k = at; k < at + n * inner; k += inner)
			sum += kind == SOFT ? d[k] * y[k] : d[k];
		for (int64_t k = at; k < at + n * inner; k += inner)
			d[k] = kind == SOFT ? y[k] * (d[k] - sum) : d[k] - exp(y[k]) * sum;
	}
	tarn_grad_add(&g->din[0], d);
	return TARN_OK;
}

static tarn_err grad_soft(tarn_grad *g)
{
	return back(g, SOFT);
}

static tarn_err grad_log(tarn_grad *g)
{
	return back(g, LOG);
}

/* Whether the axes after `axis` all have size 1, so that taking them together changes nothing. */
static bool same_as_plain(const tarn_shape *s, int axis)
{
	for (int i = axis + 1; i < s->rank; i++)
		if (s->dim[i] != 1)
			return false;
	return axis < s->rank;
}

static tarn_err decompose(tarn_graph *g, tarn_node *n)
{
	int64_t axis = tarn_attr_i(n, AXIS);
	const tarn_shape *s = &n->in[0]->shape;
	CHECK(tarn_attr_i(n, FLATTEN), TARN_UNSUPPORTED, "%s has no decomposition", n->op->name);
	tarn_node *plain, *flat, *shape, *back;
	if (s->rank >= 0 && same_as_plain(s, (int)(axis < 0 ? axis + s->rank : axis))) {
		TRY(tarn_node_new(g, n->op, n->name, 1, 1, n->index, &plain));
		plain->in[0] = n->in[0];
		TRY(tarn_attr_set_i(plain, AXIS, axis));
		tarn_graph_replace(g, n->out[0], plain->out[0]);
		return TARN_OK;
	}
	const tarn_op_def *flatten = tarn_op_find(NULL, "Flatten");
	TRY(tarn_node_new(g, flatten, NULL, 1, 1, n->index, &flat));
	flat->in[0] = n->in[0];
	TRY(tarn_attr_set_i(flat, tarn_attr_index(flatten, "axis"), axis));
	TRY(tarn_node_new(g, n->op, n->name, 1, 1, n->index + 1, &plain));
	plain->in[0] = flat->out[0];
	TRY(tarn_attr_set_i(plain, AXIS, -1));
	TRY(tarn_node_new(g, tarn_op_find(NULL, "Shape"), NULL, 1, 1, n->index + 2, &shape));
	shape->in[0] = n->in[0];
	TRY(tarn_node_new(g, tarn_op_find(NULL, "Reshape"), NULL, 2, 1, n->index + 3, &back));
	back->in[0] = plain->out[0];
	back->in[1] = shape->out[0];
	tarn_graph_replace(g, n->out[0], back->out[0]);
	return TARN_OK;
}

static void pad(tarn_pad *p)
{
	int64_t axis = tarn_attr_i(p->node, AXIS), rank = p->node->in[0]->shape.rank;
	axis = axis < 0 ? axis + rank : axis;
	bool inside = tarn_attr_i(p->node, FLATTEN) ? p->axis >= axis : p->axis == axis;
	p->need = inside ? TARN_PAD_LOWEST : TARN_PAD_ANY;
}

#define SOFTMAX(label, fn) \
	.name = label, .onnx_since = 1, .min_in = 1, .max_in = 1, .min_out = 1, .max_out = 1, .attr = attr, .n_attr = 2, \
	.import = import, .infer = infer, .eval = fn, .decompose = decompose, .cost = tarn_cost_in, .pad = pad, \
	.quant = {.kind = TARN_QUANT_FLOAT, .weight = -1, .bias = -1}

const tarn_op_def tarn_op_softmax = {SOFTMAX("Softmax", eval_soft), .grad = grad_soft, .ir = "SoftMax"};
const tarn_op_def tarn_op_log_softmax = {SOFTMAX("LogSoftmax", eval_log), .grad = grad_log, .ir = "LogSoftmax"};
const tarn_op_def tarn_op_hardmax = {SOFTMAX("Hardmax", eval_hard), .flags = TARN_OP_FLAT};
