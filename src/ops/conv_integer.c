/* SPDX-License-Identifier: Apache-2.0 */
/* ConvInteger and QLinearConv: exact integer accumulation of zero-point-free values. */
#include <inttypes.h>
#include <math.h>

#include "base/mem.h"
#include "ops/convolve.h"
#include "ops/ops.h"
#include "ops/padding.h"

enum { GROUP = TARN_WINDOW_ATTRS };
static const tarn_attr_def attr[] = {TARN_WINDOW_SCHEMA, {"group", TARN_ATTR_INT, TARN_ATTR_DEFAULT, 1}};

/* t[i] -= zero[i / inner] (or zero[0]). */
static tarn_err subtract(double *v, const tarn_tensor *t, const tarn_tensor *zero)
{
	int64_t count = tarn_tensor_count(t), nz = zero ? tarn_tensor_count(zero) : 0, axis = t->rank ? t->dim[0] : 1;
	if (!nz || !count)
		return TARN_OK;
	CHECK(nz == 1 || nz == axis, TARN_SHAPE, "%" PRId64 " zero points for %" PRId64 " channels", nz, axis);
	for (int64_t i = 0; i < count; i++)
		v[i] -= tarn_tensor_f64(zero, nz == 1 ? 0 : i / (count / axis));
	return TARN_OK;
}

/* The sums, with bias; the caller frees *sum. */
static tarn_err sums(tarn_eval *e, int xi, int xz, int wi, int wz, int bias, double **sum)
{
	const tarn_tensor *x = e->in[xi], *w = e->in[wi], *zx = tarn_eval_in(e, xz);
	const tarn_tensor *y = &e->out[0];
	tarn_convolve c = {0};
	double *vx = NULL, *vk = NULL, *vb = NULL, *vy = NULL;
	TRY(tarn_window_read(e->node, x->rank - 2, w->dim + 2, &c.w));
	tarn_window_resolve(&c.w, x->dim + 2, y->dim + 2);
	tarn_convolve_setup(&c, x, y, tarn_attr_i(e->node, GROUP));
	tarn_err err;
	TRY_GOTO(done, tarn_real_load(x, &vx));
	TRY_GOTO(done, tarn_real_load(w, &vk));
	TRY_GOTO(done, tarn_real_load(bias < 0 ? NULL : tarn_eval_in(e, bias), &vb));
	TRY_GOTO(done, tarn_real_zeros(tarn_tensor_count(y), &vy));
	CHECK_GOTO(done, !zx || tarn_tensor_count(zx) == 1, TARN_UNSUPPORTED,
		   "the input has %" PRId64 " zero points; 1 is supported", tarn_tensor_count(zx));
	TRY_GOTO(done, subtract(vx, x, zx));
	TRY_GOTO(done, subtract(vk, w, tarn_eval_in(e, wz)));
	c.x = vx;
	c.k = vk;
	c.y = vy;
	tarn_convolve_bias(&c, vb);
	tarn_convolve_forward(&c);
	*sum = vy;
	vy = NULL;
done:
	tarn_mem_free(vx);
	tarn_mem_free(vk);
	tarn_mem_free(vb);
	tarn_mem_free(vy);
	return err;
}

static tarn_err infer_integer(tarn_infer *c)
{
	tarn_shape out;
	TRY(tarn_infer_class(c, 0, TARN_CLS_INT));
	TRY(tarn_infer_class(c, 1, TARN_CLS_INT));
	TRY(tarn_convolve_infer(c, 0, 1, tarn_attr_i(c->node, GROUP), false, &out));
	tarn_infer_out(c, 0, TARN_I32, &out);
	return TARN_OK;
}

static tarn_err eval_integer(tarn_eval *e)
{
	double *sum;
	TRY(sums(e, 0, 2, 1, 3, -1, &sum));
	tarn_real_put(&e->out[0], 0, tarn_tensor_count(&e->out[0]), sum);
	tarn_mem_free(sum);
	return TARN_OK;
}

static tarn_err cost_integer(const tarn_node *n, tarn_cost *cost)
{
	return tarn_convolve_cost(n, 1, 1, cost);
}

/* QLinearConv: x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, bias. */
static tarn_err infer_qlinear(tarn_infer *c)
{
	tarn_shape out;
	TRY(tarn_infer_class(c, 0, TARN_CLS_INT));
	TRY(tarn_infer_class(c, 3, TARN_CLS_INT));
	TRY(tarn_convolve_infer(c, 0, 3, tarn_attr_i(c->node, GROUP), false, &out));
	tarn_infer_out(c, 0, tarn_infer_type(c, 7), &out);
	return TARN_OK;
}

static tarn_err eval_qlinear(tarn_eval *e)
{
	tarn_tensor *y = &e->out[0];
	const tarn_tensor *ws = e->in[4];
	int64_t count = tarn_tensor_count(y), channels = y->dim[1], ns = tarn_tensor_count(ws);
	CHECK(ns == 1 || ns == channels, TARN_SHAPE, "%" PRId64 " weight scales for %" PRId64 " output channels", ns, channels);
	double *sum;
	TRY(sums(e, 0, 2, 3, 5, 8, &sum));
	float sx = (float)tarn_tensor_f64(e->in[1], 0), sy = (float)tarn_tensor_f64(e->in[6], 0);
	double zero = tarn_tensor_f64(e->in[7], 0);
	int64_t area = count ? count / (y->dim[0] * channels) : 1;
	for (int64_t i = 0; i < count; i++) {
		float m = sx * (float)tarn_tensor_f64(ws, ns == 1 ? 0 : i / area % channels) / sy;
		sum[i] = (double)rintf((float)sum[i] * m) + zero;
	}
	tarn_real_put(y, 0, count, sum);
	tarn_mem_free(sum);
	return TARN_OK;
}

static tarn_err cost_qlinear(const tarn_node *n, tarn_cost *cost)
{
	return tarn_convolve_cost(n, 3, 1, cost);
}

static tarn_err add_node(tarn_graph *g, int at, const char *op, int n_in, tarn_value *const *in, tarn_node **n)
{
	TRY(tarn_node_new(g, tarn_op_find(NULL, op), NULL, n_in, 1, at, n));
	for (int i = 0; i < n_in; i++)
		(*n)->in[i] = in[i];
	return TARN_OK;
}

/* Dequantize, Conv, Quantize: the same up to rounding of the products. */
static tarn_err decompose_qlinear(tarn_graph *g, tarn_node *n)
{
	int at = n->index;
	tarn_node *x, *w, *conv, *q, *b = NULL, *s;
	TRY(add_node(g, at++, "DequantizeLinear", 3, n->in, &x));
	TRY(add_node(g, at++, "DequantizeLinear", 3, n->in + 3, &w));
	TRY(tarn_attr_set_i(w, 0, 0));
	if (tarn_node_has(n, 8)) {
		TRY(add_node(g, at++, "Mul", 2, (tarn_value *[]){n->in[1], n->in[4]}, &s));
		TRY(add_node(g, at++, "DequantizeLinear", 2, (tarn_value *[]){n->in[8], s->out[0]}, &b));
		TRY(tarn_attr_set_i(b, 0, 0));
	}
	TRY(add_node(g, at++, "Conv", b ? 3 : 2, (tarn_value *[]){x->out[0], w->out[0], b ? b->out[0] : NULL}, &conv));
	for (int i = 0; i < n->op->n_attr; i++)
		conv->attr[i] = n->attr[i];
	TRY(add_node(g, at, "QuantizeLinear", 3, (tarn_value *[]){conv->out[0], n->in[6], n->in[7]}, &q));
	tarn_graph_replace(g, n->out[0], q->out[0]);
	return TARN_OK;
}

/* What a window sums over must be the zero point. */
static void pad_codes(tarn_pad *p, int weights)
{
	const tarn_value *zero = p->node->n_in > 2 ? p->node->in[2] : NULL;
	tarn_pad_window(p, TARN_PAD_VALUE, weights);
	if (p->need == TARN_PAD_ANY || p->need == TARN_PAD_UNSAFE)
		return;
	bool known = !zero || (zero->konst && tarn_tensor_count(zero->konst) == 1);
	p->need = known && p->need != TARN_PAD_PLACE ? TARN_PAD_VALUE : TARN_PAD_UNSAFE;
	p->value = known && zero ? (double)tarn_tensor_i64(zero->konst, 0) : 0;
}

static void pad_integer(tarn_pad *p)
{
	pad_codes(p, 1);
}

static void pad_qlinear(tarn_pad *p)
{
	pad_codes(p, 3);
}

const tarn_op_def tarn_op_conv_integer = {
	.name = "ConvInteger",
	.onnx_since = 10,
	.min_in = 2,
	.max_in = 4,
	.min_out = 1,
	.max_out = 1,
	.attr = attr,
	.n_attr = GROUP + 1,
	.infer = infer_integer,
	.eval = eval_integer,
	.pad = pad_integer,
	.cost = cost_integer,
	.quant = {.kind = TARN_QUANT_FLOAT, .weight = -1, .bias = -1},
};

const tarn_op_def tarn_op_qlinear_conv = {
	.name = "QLinearConv",
	.onnx_since = 10,
	.min_in = 8,
	.max_in = 9,
	.min_out = 1,
	.max_out = 1,
	.attr = attr,
	.n_attr = GROUP + 1,
	.infer = infer_qlinear,
	.eval = eval_qlinear,
	.decompose = decompose_qlinear,
	.pad = pad_qlinear,
	.cost = cost_qlinear,
	.quant = {.kind = TARN_QUANT_FLOAT, .weight = -1, .bias = -1},
};
