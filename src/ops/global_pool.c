/* SPDX-License-Identifier: Apache-2.0 */
/* GlobalAveragePool, GlobalMaxPool, GlobalLpPool: all spatial axes reduced to size 1. */
#include <math.h>

#include "base/mem.h"
#include "ops/grad.h"
#include "ops/padding.h"

enum { P };
static const tarn_attr_def lp_attr[] = {{"p", TARN_ATTR_INT, TARN_ATTR_DEFAULT, 2}};

static tarn_err infer(tarn_infer *c)
{
	const tarn_shape *x = tarn_infer_shape(c, 0);
	TRY(tarn_infer_class(c, 0, TARN_CLS_F));
	TRY(tarn_infer_rank(c, 0, 2, -1));
	tarn_shape out = {.rank = x ? x->rank : -1};
	for (int i = 0; i < out.rank; i++)
		out.dim[i] = i < 2 ? x->dim[i] : 1;
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), &out);
	return TARN_OK;
}

/* kind: 'a' average, 'm' maximum, 'p' norm. */
static tarn_err run(tarn_eval *e, char kind, double p)
{
	const tarn_tensor *x = e->in[0];
	int64_t area = tarn_elem_product(x->dim, 2, x->rank), planes = x->dim[0] * x->dim[1];
	double *v;
	CHECK(area > 0, TARN_SHAPE, "a global pool over no elements");
	TRY(tarn_real_zeros(area, &v));
	for (int64_t i = 0; i < planes; i++) {
		tarn_real_fetch(x, i * area, area, v);
		double acc = kind == 'm' ? v[0] : 0;
		for (int64_t j = 0; j < area; j++)
			if (kind == 'm')
				acc = v[j] > acc || isnan(v[j]) ? v[j] : acc;
			else
				acc += kind == 'a' ? v[j] : pow(fabs(v[j]), p);
		acc = kind == 'a' ? acc / (double)area : kind == 'p' ? pow(acc, 1 / p) : acc;
		tarn_real_put(&e->out[0], i, 1, &acc);
	}
	tarn_mem_free(v);
	return TARN_OK;
}

static tarn_err eval_average(tarn_eval *e)
{
	return run(e, 'a', 0);
}

static tarn_err eval_max(tarn_eval *e)
{
	return run(e, 'm', 0);
}

static tarn_err eval_lp(tarn_eval *e)
{
	double p = (double)tarn_attr_i(e->node, P);
	CHECK(p >= 1, TARN_BAD_FILE, "p is %g, at least 1 is needed", p);
	return run(e, 'p', p);
}

static tarn_err back(tarn_grad *g, char kind, double p)
{
	const tarn_tensor *x = g->in[0];
	int64_t area = tarn_elem_product(x->dim, 2, x->rank), planes = x->dim[0] * x->dim[1];
	double *v, *y, *dy, *dx;
	if (!tarn_grad_wants(g, 0))
		return TARN_OK;
	TRY(tarn_grad_load(g, x, &v));
	TRY(tarn_grad_load(g, &g->out[0], &y));
	TRY(tarn_grad_load(g, &g->dout[0], &dy));
	TRY(tarn_grad_zeros(g, planes * area, &dx));
	for (int64_t i = 0; i < planes; i++)
		for (int64_t j = i * area; j < (i + 1) * area; j++) {
			if (kind == 'm' && v[j] != y[i])
				continue;
			dx[j] = dy[i] * (kind == 'm' ? 1 : kind == 'a' ? 1 / (double)area : tarn_norm_slope(v[j], y[i], p));
			if (kind == 'm')
				break;
		}
	tarn_grad_add(&g->din[0], dx);
	return TARN_OK;
}

static tarn_err grad_average(tarn_grad *g)
{
	return back(g, 'a', 0);
}

static tarn_err grad_max(tarn_grad *g)
{
	return back(g, 'm', 0);
}

static tarn_err grad_lp(tarn_grad *g)
{
	return back(g, 'p', (double)tarn_attr_i(g->node, P));
}

static void pad_average(tarn_pad *p)
{
	tarn_pad_spatial(p, TARN_PAD_MEAN);
}

static void pad_max(tarn_pad *p)
{
	tarn_pad_spatial(p, TARN_PAD_LOWEST);
}

static void pad_lp(tarn_pad *p)
{
	tarn_pad_spatial(p, TARN_PAD_ZERO);
}

#define GLOBAL(label) \
	.name = label, .onnx_since = 1, .min_in = 1, .max_in = 1, .min_out = 1, .max_out = 1, .infer = infer, \
	.cost = tarn_cost_in

const tarn_op_def tarn_op_global_average_pool = {
	GLOBAL("GlobalAveragePool"),
	.eval = eval_average,
	.grad = grad_average,
	.pad = pad_average,
	.quant = {.kind = TARN_QUANT_INPUTS, .act = 1, .weight = -1, .bias = -1},
};

const tarn_op_def tarn_op_global_max_pool = {
	GLOBAL("GlobalMaxPool"),
	.eval = eval_max,
	.grad = grad_max,
	.pad = pad_max,
	.quant = {.kind = TARN_QUANT_PASS, .act = 1, .weight = -1, .bias = -1},
};

const tarn_op_def tarn_op_global_lp_pool = {
	GLOBAL("GlobalLpPool"),
	.attr = lp_attr,
	.n_attr = 1,
	.eval = eval_lp,
	.grad = grad_lp,
	.pad = pad_lp,
	.quant = {.kind = TARN_QUANT_FLOAT, .weight = -1, .bias = -1},
};
