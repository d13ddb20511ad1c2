/* SPDX-License-Identifier: Apache-2.0 */
/*
 * QuantizeLinear, DequantizeLinear (per tensor, per axis, blocked), DynamicQuantizeLinear.
 * q = saturate(rint(x / s) + z), x' = (q - z) * s. As ONNX defines it the division and the product are those of the scale's
 * element type: float operands are divided in float, not in double, which decides ties.
 */
#include <float.h>
#include <inttypes.h>
#include <math.h>

#include "base/mem.h"
#include "ops/grad.h"
#include "ops/padding.h"

enum { AXIS, BLOCK, OUTPUT_DTYPE, SATURATE };
static const tarn_attr_def quantize_attr[] = {{"axis", TARN_ATTR_INT, TARN_ATTR_DEFAULT, 1},
					      {"block_size", TARN_ATTR_INT, TARN_ATTR_DEFAULT, 0},
					      {"output_dtype", TARN_ATTR_TYPE, TARN_ATTR_OPTIONAL},
					      {"saturate", TARN_ATTR_INT, TARN_ATTR_DEFAULT, 1}};
static const tarn_attr_def dequantize_attr[] = {{"axis", TARN_ATTR_INT, TARN_ATTR_DEFAULT, 1},
						{"block_size", TARN_ATTR_INT, TARN_ATTR_DEFAULT, 0}};

/* Which scale belongs to an element: scale index = outer * so + (axis index / block) * sa + inner * si. */
typedef struct layout {
	int64_t n, inner; /* size of the axis, elements after it */
	int64_t so, sa, si, block;
} layout;

static tarn_err layout_of(const tarn_node *n, const tarn_shape *x, const tarn_shape *s, layout *l)
{
	int64_t block = tarn_attr_i(n, BLOCK), scales = 1;
	*l = (layout){.n = 1, .inner = 1, .block = 1};
	for (int i = 0; i < s->rank; i++)
		scales *= s->dim[i];
	if (scales == 1 && (!block || x->rank == 0))
		return TARN_OK;
	int axis;
	TRY(tarn_shape_axis(x->rank, tarn_attr_i(n, AXIS), &axis));
	l->n = x->dim[axis];
	for (int i = axis + 1; i < x->rank; i++)
		l->inner *= x->dim[i];
	if (!block) {
		CHECK(s->rank <= 1 && scales == l->n, TARN_SHAPE, "%" PRId64 " scales (rank %d) for axis %d of size %" PRId64,
		      scales, s->rank, axis, l->n);
		l->sa = 1;
		return TARN_OK;
	}
	CHECK(block > 0 && s->rank == x->rank, TARN_SHAPE, "block_size %" PRId64 " needs scales of rank %d, not %d", block,
	      x->rank, s->rank);
	for (int i = 0; i < x->rank; i++) {
		int64_t want = i == axis ? (x->dim[i] + block - 1) / block : x->dim[i];
		CHECK(s->dim[i] == want, TARN_SHAPE, "the scales have size %" PRId64 " along axis %d; %" PRId64 " is needed",
		      s->dim[i], i, want);
	}
	l->block = block;
	l->si = 1;
	l->sa = l->inner;
	l->so = l->inner * s->dim[axis];
	return TARN_OK;
}

static int64_t scale_at(const layout *l, int64_t i)
{
	return i / l->inner / l->n * l->so + i / l->inner % l->n / l->block * l->sa + i % l->inner * l->si;
}

static tarn_err infer_checks(tarn_infer *c)
{
	const tarn_shape *x = tarn_infer_shape(c, 0), *s = tarn_infer_shape(c, 1), *z = tarn_infer_shape(c, 2);
	layout l;
	TRY(tarn_infer_class(c, 1, TARN_CLS_F));
	if (x && s && tarn_shape_is_static(s) && tarn_shape_is_static(x))
		TRY(layout_of(c->node, x, s, &l));
	int64_t ns, nz;
	if (s && z && tarn_shape_is_static(s) && tarn_shape_is_static(z)) {
		TRY(tarn_shape_count(s, &ns));
		TRY(tarn_shape_count(z, &nz));
		CHECK(ns == nz, TARN_SHAPE, "%" PRId64 " scales but %" PRId64 " zero points", ns, nz);
	}
	return TARN_OK;
}

static tarn_err infer_quantize(tarn_infer *c)
{
	tarn_dtype type = tarn_infer_type(c, 2);
	TRY(tarn_infer_class(c, 0, TARN_CLS_F | TARN_CLS_S));
	TRY(tarn_infer_class(c, 2, TARN_CLS_INT));
	TRY(infer_checks(c));
	if (!tarn_node_has(c->node, 2))
		type = tarn_attr_has(c->node, OUTPUT_DTYPE) && tarn_attr_i(c->node, OUTPUT_DTYPE) != TARN_DTYPE_NONE
			       ? (tarn_dtype)tarn_attr_i(c->node, OUTPUT_DTYPE)
			       : TARN_U8;
	CHECK(type == TARN_DTYPE_NONE || tarn_dtype_is_int(type), TARN_UNSUPPORTED,
	      "quantization to %s; integers are supported", tarn_dtype_info(type)->word);
	tarn_infer_out(c, 0, type, tarn_infer_shape(c, 0));
	return TARN_OK;
}

static tarn_err infer_dequantize(tarn_infer *c)
{
	TRY(tarn_infer_class(c, 0, TARN_CLS_INT));
	TRY(infer_checks(c));
	tarn_infer_out(c, 0, tarn_infer_type(c, 1), tarn_infer_shape(c, 0));
	return TARN_OK;
}

/* Shapes that are known late are checked late. */
static tarn_err zeros_check(const tarn_tensor *s, const tarn_tensor *z)
{
	CHECK(!z || tarn_tensor_count(z) == tarn_tensor_count(s), TARN_SHAPE, "%" PRId64 " scales but %" PRId64 " zero points",
	      tarn_tensor_count(s), tarn_tensor_count(z));
	return TARN_OK;
}

static double quotient(double x, double s, bool wide)
{
	return wide ? rint(x / s) : (double)rintf((float)x / (float)s);
}

static double product(double d, double s, bool wide)
{
	return wide ? d * s : (double)((float)d * (float)s);
}

/* Codes of reals, or (back) reals of codes. */
static tarn_err eval_codes(tarn_eval *e, bool back)
{
	const tarn_tensor *x = e->in[0], *s = e->in[1], *z = tarn_eval_in(e, 2);
	tarn_shape sx = tarn_tensor_shape(x), ss = tarn_tensor_shape(s);
	layout l;
	double *v, *vs = NULL, *vz = NULL;
	bool wide = s->type == TARN_F64;
	int64_t count = tarn_tensor_count(x);
	TRY(layout_of(e->node, &sx, &ss, &l));
	TRY(zeros_check(s, z));
	TRY(tarn_real_load(x, &v));
	tarn_err err;
	TRY_GOTO(done, tarn_real_load(s, &vs));
	TRY_GOTO(done, tarn_real_load(z, &vz));
	for (int64_t i = 0; i < count; i++) {
		int64_t at = scale_at(&l, i);
		double zero = vz ? vz[at] : 0;
		v[i] = back ? product(v[i] - zero, vs[at], wide) : quotient(v[i], vs[at], wide) + zero;
	}
	tarn_real_put(&e->out[0], 0, count, v);
done:
	tarn_mem_free(v);
	tarn_mem_free(vs);
	tarn_mem_free(vz);
	return err;
}

static tarn_err eval_quantize(tarn_eval *e)
{
	return eval_codes(e, false);
}

static tarn_err eval_dequantize(tarn_eval *e)
{
	return eval_codes(e, true);
}

/* The integers a type holds. */
static void code_range(tarn_dtype type, double *lo, double *hi)
{
	*lo = tarn_elem_lowest(type);
	*hi = tarn_elem_highest(type);
}

/* Rounding is let through: with q the code, inside the range dq/dx = 1/s, dq/ds = -x/s^2, dq/dz = 1, outside nothing. Together
 * with Dequantize on the same scale and zero point this is LSQ's and LSQ+'s gradient (arXiv 1902.08153, 2004.09576). */
static tarn_err grad_quantize(tarn_grad *g)
{
	const tarn_tensor *x = g->in[0], *s = g->in[1], *z = g->node->n_in > 2 ? g->in[2] : NULL;
	tarn_shape sx = tarn_tensor_shape(x), ss = tarn_tensor_shape(s);
	layout l;
	double *v, *vs, *vz, *dq, *dx, *ds, *dz, lo, hi;
	int64_t count = tarn_tensor_count(x), scales = tarn_tensor_count(s);
	TRY(layout_of(g->node, &sx, &ss, &l));
	TRY(tarn_grad_load(g, x, &v));
	TRY(tarn_grad_load(g, s, &vs));
	TRY(tarn_grad_load(g, z, &vz));
	TRY(tarn_grad_load(g, &g->dout[0], &dq));
	TRY(tarn_grad_zeros(g, count, &dx));
	TRY(tarn_grad_zeros(g, scales, &ds));
	TRY(tarn_grad_zeros(g, scales, &dz));
	code_range(g->out[0].type, &lo, &hi);
	for (int64_t i = 0; i < count; i++) {
		int64_t at = scale_at(&l, i);
		double q = rint(v[i] / vs[at]) + (vz ? vz[at] : 0);
		if (q < lo || q > hi)
			continue;
		dx[i] = dq[i] / vs[at];
		ds[at] -= dq[i] * v[i] / (vs[at] * vs[at]);
		dz[at] += dq[i];
	}
	double *d[3] = {dx, ds, dz};
	for (int i = 0; i < 3; i++)
		if (tarn_grad_wants(g, i))
			tarn_grad_add(&g->din[i], d[i]);
	return TARN_OK;
}

/* y = (q - z) s */
static tarn_err grad_dequantize(tarn_grad *g)
{
	const tarn_tensor *x = g->in[0], *s = g->in[1], *z = g->node->n_in > 2 ? g->in[2] : NULL;
	tarn_shape sx = tarn_tensor_shape(x), ss = tarn_tensor_shape(s);
	layout l;
	double *q, *vs, *vz, *dy, *dq, *ds, *dz;
	int64_t count = tarn_tensor_count(x), scales = tarn_tensor_count(s);
	TRY(layout_of(g->node, &sx, &ss, &l));
	TRY(tarn_grad_load(g, x, &q));
	TRY(tarn_grad_load(g, s, &vs));
	TRY(tarn_grad_load(g, z, &vz));
	TRY(tarn_grad_load(g, &g->dout[0], &dy));
	TRY(tarn_grad_zeros(g, count, &dq));
	TRY(tarn_grad_zeros(g, scales, &ds));
	TRY(tarn_grad_zeros(g, scales, &dz));
	for (int64_t i = 0; i < count; i++) {
		int64_t at = scale_at(&l, i);
		dq[i] = dy[i] * vs[at];
		ds[at] += dy[i] * (q[i] - (vz ? vz[at] : 0));
		dz[at] -= dq[i];
	}
	double *d[3] = {dq, ds, dz};
	for (int i = 0; i < 3; i++)
		if (tarn_grad_wants(g, i))
			tarn_grad_add(&g->din[i], d[i]);
	return TARN_OK;
}

const tarn_op_def tarn_op_quantize_linear = {
	.name = "QuantizeLinear",
	.onnx_since = 10,
	.min_in = 2,
	.max_in = 3,
	.min_out = 1,
	.max_out = 1,
	.attr = quantize_attr,
	.n_attr = 4,
	.infer = infer_quantize,
	.eval = eval_quantize,
	.grad = grad_quantize,
	.pad = tarn_pad_any,
	.cost = tarn_cost_out,
	.quant = {.kind = TARN_QUANT_FLOAT, .weight = -1, .bias = -1},
};

const tarn_op_def tarn_op_dequantize_linear = {
	.name = "DequantizeLinear",
	.onnx_since = 10,
	.min_in = 2,
	.max_in = 3,
	.min_out = 1,
	.max_out = 1,
	.attr = dequantize_attr,
	.n_attr = 2,
	.infer = infer_dequantize,
	.eval = eval_dequantize,
	.grad = grad_dequantize,
	.pad = tarn_pad_any,
	.cost = tarn_cost_out,
	.quant = {.kind = TARN_QUANT_FLOAT, .weight = -1, .bias = -1},
};

/* ---- DynamicQuantizeLinear: u8, range of the data widened to hold 0 ---- */

static tarn_err infer_dynamic(tarn_infer *c)
{
	tarn_shape scalar = {.rank = 0};
	TRY(tarn_infer_class(c, 0, TARN_CLS_F));
	tarn_infer_out(c, 0, TARN_U8, tarn_infer_shape(c, 0));
	tarn_infer_out(c, 1, TARN_F32, &scalar);
	tarn_infer_out(c, 2, TARN_U8, &scalar);
	return TARN_OK;
}

static tarn_err eval_dynamic(tarn_eval *e)
{
	int64_t count = tarn_tensor_count(e->in[0]);
	double *v;
	TRY(tarn_real_load(e->in[0], &v));
	float lo = 0, hi = 0;
	for (int64_t i = 0; i < count; i++) {
		lo = (float)v[i] < lo ? (float)v[i] : lo;
		hi = (float)v[i] > hi ? (float)v[i] : hi;
	}
	float scale = lo == hi ? 1 : (hi - lo) / 255;
	float zero = rintf(0 - lo / scale);
	zero = zero < 0 ? 0 : zero > 255 ? 255 : zero;
	for (int64_t i = 0; i < count; i++)
		v[i] = quotient(v[i], scale, false) + zero;
	if (tarn_eval_wants(e, 0))
		tarn_real_put(&e->out[0], 0, count, v);
	if (tarn_eval_wants(e, 1))
		tarn_tensor_set_f64(&e->out[1], 0, scale);
	if (tarn_eval_wants(e, 2))
		tarn_tensor_set_f64(&e->out[2], 0, zero);
	tarn_mem_free(v);
	return TARN_OK;
}

/* The range it measures always holds 0. */
static void pad_dynamic(tarn_pad *p)
{
	p->need = TARN_PAD_ZERO;
}

const tarn_op_def tarn_op_dynamic_quantize_linear = {
	.name = "DynamicQuantizeLinear",
	.onnx_since = 11,
	.min_in = 1,
	.max_in = 1,
	.min_out = 1,
	.max_out = 3,
	.infer = infer_dynamic,
	.eval = eval_dynamic,
	.pad = pad_dynamic,
	.cost = tarn_cost_in,
	.quant = {.kind = TARN_QUANT_FLOAT, .weight = -1, .bias = -1},
};
