/* SPDX-License-Identifier: Apache-2.0 */
/* BatchNormalization: inference, and the training form of opset 15 (current and running statistics). */
#include <inttypes.h>
#include <math.h>

#include "base/mem.h"
#include "ops/grad.h"

enum { EPSILON, MOMENTUM, TRAINING, SPATIAL };
static const tarn_attr_def attr[] = {{"epsilon", TARN_ATTR_FLOAT, TARN_ATTR_DEFAULT, 1e-5},
				     {"momentum", TARN_ATTR_FLOAT, TARN_ATTR_DEFAULT, 0.9},
				     {"training_mode", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 0},
				     {"spatial", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 1}};

/* Before opset 14 the statistics were outputs when training; at inference nobody may read them. */
static tarn_err import(const tarn_import *src)
{
	CHECK(tarn_attr_i(src->node, SPATIAL), TARN_UNSUPPORTED,
	      "BatchNormalization with spatial = 0; export it again with opset 9 or later");
	if (src->onnx && src->opset < 14)
		for (int i = 1; i < src->node->n_out; i++)
			src->node->out[i] = NULL;
	return TARN_OK;
}

static tarn_err infer(tarn_infer *c)
{
	const tarn_shape *x = tarn_infer_shape(c, 0);
	TRY(tarn_infer_class(c, 0, TARN_CLS_F));
	TRY(tarn_infer_rank(c, 0, 1, -1));
	tarn_dim channels = x ? x->rank > 1 ? x->dim[1] : 1 : -1;
	for (int i = 1; i < 5; i++) {
		TRY(tarn_infer_rank(c, i, 1, 1));
		const tarn_shape *s = tarn_infer_shape(c, i);
		CHECK(!x || !s || s->dim[0] < 0 || channels < 0 || s->dim[0] == channels, TARN_SHAPE,
		      "input %d has %" PRId64 " elements for %" PRId64 " channels", i, s->dim[0], channels);
	}
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), x);
	for (int i = 1; i < 3; i++)
		tarn_infer_out(c, i, tarn_infer_type(c, 2 + i), tarn_infer_shape(c, 2 + i));
	return TARN_OK;
}

/* Mean and population variance of one channel over batch and space. */
static void statistics(const double *x, int64_t batch, int64_t step, int64_t area, double *mean, double *var)
{
	double s = 0, q = 0, n = (double)(batch * area);
	for (int64_t b = 0; b < batch; b++)
		for (int64_t i = 0; i < area; i++)
			s += x[b * step + i];
	*mean = s / n;
	for (int64_t b = 0; b < batch; b++)
		for (int64_t i = 0; i < area; i++)
			q += (x[b * step + i] - *mean) * (x[b * step + i] - *mean);
	*var = q / n;
}

static tarn_err eval(tarn_eval *e)
{
	const tarn_tensor *x = e->in[0];
	int64_t count = tarn_tensor_count(x), channels = x->rank > 1 ? x->dim[1] : 1, batch = x->dim[0];
	int64_t area = x->rank > 2 ? tarn_elem_product(x->dim, 2, x->rank) : 1;
	double eps = tarn_attr_f(e->node, EPSILON), momentum = tarn_attr_f(e->node, MOMENTUM), *v;
	bool training = tarn_attr_i(e->node, TRAINING);
	if (!count)
		return TARN_OK;
	TRY(tarn_real_load(x, &v));
	for (int64_t c = 0; c < channels; c++) {
		double p[5], mean, var;
		for (int i = 1; i < 5; i++)
			p[i] = tarn_tensor_f64(e->in[i], c);
		mean = p[3];
		var = p[4];
		if (training)
			statistics(v + c * area, batch, channels * area, area, &mean, &var);
		if (tarn_eval_wants(e, 1))
			tarn_tensor_set_f64(&e->out[1], c, training ? p[3] * momentum + mean * (1 - momentum) : mean);
		if (tarn_eval_wants(e, 2))
			tarn_tensor_set_f64(&e->out[2], c, training ? p[4] * momentum + var * (1 - momentum) : var);
		double scale = p[1] / sqrt(var + eps);
		for (int64_t b = 0; b < batch; b++)
			for (int64_t i = 0; i < area; i++) {
				double *at = v + (b * channels + c) * area + i;
				*at = (*at - mean) * scale + p[2];
			}
	}
	tarn_real_put(&e->out[0], 0, count, v);
	tarn_mem_free(v);
	return TARN_OK;
}

/* Of the inference form: an affine function of each channel. */
static tarn_err grad(tarn_grad *g)
{
	const tarn_tensor *x = g->in[0];
	int64_t count = tarn_tensor_count(x), channels = x->rank > 1 ? x->dim[1] : 1;
	int64_t area = x->rank > 2 ? tarn_elem_product(x->dim, 2, x->rank) : 1;
	double *v, *dy, *p[5], *d[5], eps = tarn_attr_f(g->node, EPSILON);
	CHECK(!tarn_attr_i(g->node, TRAINING), TARN_UNSUPPORTED,
	      "BatchNormalization in training mode; fold it first (export the model for inference)");
	TRY(tarn_grad_load(g, x, &v));
	TRY(tarn_grad_load(g, &g->dout[0], &dy));
	for (int i = 0; i < 5; i++) {
		TRY(tarn_grad_load(g, i ? g->in[i] : NULL, &p[i]));
		TRY(tarn_grad_zeros(g, i ? channels : count, &d[i]));
	}
	for (int64_t i = 0; i < count; i++) {
		int64_t c = i / area % channels;
		double inv = 1 / sqrt(p[4][c] + eps), from_mean = v[i] - p[3][c];
		d[0][i] = dy[i] * p[1][c] * inv;
		d[1][c] += dy[i] * from_mean * inv;
		d[2][c] += dy[i];
		d[3][c] -= d[0][i];
		d[4][c] -= d[0][i] * from_mean * inv * inv / 2;
	}
	for (int i = 0; i < 5; i++)
		if (tarn_grad_wants(g, i))
			tarn_grad_add(&g->din[i], d[i]);
	return TARN_OK;
}

static void pad_batch(tarn_pad *p)
{
	bool training = tarn_attr_i(p->node, TRAINING) || (p->node->n_out > 1 && p->node->out[1]);
	p->need = p->input > 0 || p->axis == 1 || training ? TARN_PAD_UNSAFE : TARN_PAD_ANY;
	p->why = training ? "it takes statistics of the batch" : "it has parameters along the padded axis";
}

const tarn_op_def tarn_op_batch_normalization = {
	.name = "BatchNormalization",
	.onnx_since = 1,
	.ir = "BatchNormInference",
	.min_in = 5,
	.max_in = 5,
	.min_out = 1,
	.max_out = 5,
	.attr = attr,
	.n_attr = 4,
	.import = import,
	.infer = infer,
	.eval = eval,
	.grad = grad,
	.pad = pad_batch,
	.cost = tarn_cost_out,
	.quant = {.kind = TARN_QUANT_INPUTS, .act = 1, .weight = -1, .bias = -1},
};
