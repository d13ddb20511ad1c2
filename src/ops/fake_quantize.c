/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FakeQuantize (OpenVINO): x, in_low, in_high, out_low, out_high (all four broadcast to x), `levels` steps.
 *   x <= min(in_low, in_high): out_low;  x > max(in_low, in_high): out_high;
 *   else rint((x - in_low) / (in_high - in_low) * (levels - 1)) / (levels - 1) * (out_high - out_low) + out_low
 * It rounds the position between the limits; Quantize rounds x/scale and adds a zero point. The two agree when the limits lie
 * on the grid, which is when the decomposition gives Quantize and Dequantize; otherwise it gives the arithmetic.
 */
#include <inttypes.h>
#include <math.h>

#include "base/mem.h"
#include "ops/ops.h"
#include "ops/grad.h"
#include "ops/padding.h"

enum { LEVELS };
static const tarn_attr_def attr[] = {{"levels", TARN_ATTR_INT, TARN_ATTR_REQUIRED}};

static tarn_err infer(tarn_infer *c)
{
	const tarn_shape *x = tarn_infer_shape(c, 0);
	int64_t levels = tarn_attr_i(c->node, LEVELS);
	CHECK(levels >= 2 && levels <= 65536, TARN_BAD_FILE, "levels is %" PRId64 "; 2 to 65536 are possible", levels);
	TRY(tarn_infer_class(c, 0, TARN_CLS_F));
	for (int i = 1; i < 5; i++) {
		const tarn_shape *s = tarn_infer_shape(c, i);
		TRY(tarn_infer_rank(c, i, 0, x ? x->rank : -1));
		for (int k = 0; x && s && k < s->rank; k++) {
			tarn_dim have = s->dim[s->rank - 1 - k], want = x->dim[x->rank - 1 - k];
			CHECK(have == 1 || have < 0 || want < 0 || have == want, TARN_SHAPE,
			      "limit %d has size %" PRId64 " where the input has %" PRId64, i, have, want);
		}
	}
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), x);
	return TARN_OK;
}

static double quantized(double x, double il, double ih, double ol, double oh, double steps)
{
	if (isnan(x))
		return x;
	if (x <= fmin(il, ih))
		return ol;
	if (x > fmax(il, ih))
		return oh;
	return rint((x - il) / (ih - il) * steps) / steps * (oh - ol) + ol;
}

/* Offset in a limit for an element of x. */
static void limit_strides(const tarn_tensor *t, int rank, int64_t stride[TARN_MAX_RANK])
{
	int64_t step = 1;
	for (int i = rank - 1; i >= 0; i--) {
		int k = i - (rank - t->rank);
		stride[i] = k >= 0 && t->dim[k] > 1 ? step : 0;
		step *= k >= 0 ? t->dim[k] : 1;
	}
}

static tarn_err eval(tarn_eval *e)
{
	const tarn_tensor *x = e->in[0];
	int64_t count = tarn_tensor_count(x), index[TARN_MAX_RANK] = {0}, stride[4][TARN_MAX_RANK];
	double *v = NULL, *limit[4] = {NULL}, steps = (double)tarn_attr_i(e->node, LEVELS) - 1;
	tarn_err err;
	TRY_GOTO(done, tarn_real_load(x, &v));
	for (int i = 0; i < 4; i++) {
		TRY_GOTO(done, tarn_real_load(e->in[1 + i], &limit[i]));
		limit_strides(e->in[1 + i], x->rank, stride[i]);
	}
	for (int64_t i = 0; i < count; i++) {
		int64_t at[4] = {0};
		for (int k = 0; k < 4; k++)
			for (int a = 0; a < x->rank; a++)
				at[k] += index[a] * stride[k][a];
		v[i] = quantized(v[i], limit[0][at[0]], limit[1][at[1]], limit[2][at[2]], limit[3][at[3]], steps);
		tarn_elem_next(x->rank, x->dim, index);
	}
	tarn_real_put(&e->out[0], 0, count, v);
done:
	tarn_mem_free(v);
	for (int i = 0; i < 4; i++)
		tarn_mem_free(limit[i]);
	return err;
}

/* Partial derivatives of y for x, in_low, in_high, out_low, out_high, rounding let through. */
static void partials(const double v[5], double steps, double d[5])
{
	double x = v[0], il = v[1], ih = v[2], ol = v[3], oh = v[4], in = ih - il, out = oh - ol;
	for (int i = 0; i < 5; i++)
		d[i] = 0;
	if (x <= fmin(il, ih) || x > fmax(il, ih)) {
		d[x <= fmin(il, ih) ? 3 : 4] = 1;
		return;
	}
	double q = rint((x - il) / in * steps) / steps;
	d[0] = out / in;
	d[1] = out * (x - ih) / (in * in);
	d[2] = -out * (x - il) / (in * in);
	d[3] = 1 - q;
	d[4] = q;
}

static tarn_err grad(tarn_grad *g)
{
	const tarn_tensor *x = g->in[0];
	int64_t count = tarn_tensor_count(x);
	double *v[5], *d[5], *dy, steps = (double)tarn_attr_i(g->node, LEVELS) - 1;
	for (int i = 0; i < 5; i++) {
		TRY(tarn_grad_expand(g, g->in[i], x, &v[i]));
		TRY(tarn_grad_zeros(g, count, &d[i]));
	}
	TRY(tarn_grad_load(g, &g->dout[0], &dy));
	for (int64_t i = 0; i < count; i++) {
		double p[5];
		partials((double[]){v[0][i], v[1][i], v[2][i], v[3][i], v[4][i]}, steps, p);
		for (int k = 0; k < 5; k++)
			d[k][i] = dy[i] * p[k];
	}
	for (int k = 0; k < 5; k++)
		if (tarn_grad_wants(g, k))
			TRY(tarn_grad_reduce(g, &g->din[k], x, d[k]));
	return TARN_OK;
}

/* ---- decomposition ---- */

static tarn_err add(tarn_graph *g, const char *op, int n_in, tarn_value *a, tarn_value *b, tarn_value *c, tarn_value **out)
{
	tarn_node *n;
	tarn_value *const in[] = {a, b, c};
	TRY(tarn_node_new(g, tarn_op_find(NULL, op), NULL, n_in, 1, -1, &n));
	for (int i = 0; i < n_in; i++)
		n->in[i] = in[i];
	*out = n->out[0];
	return TARN_OK;
}

/* Limits as numbers per channel of at most one axis. */
typedef struct grid {
	int axis; /* -1: one for all */
	int64_t n;
	double *scale[2], *zero[2]; /* of the input side and the output side */
} grid;

/* The axis along which the limits differ; false when it is more than one, or they are not constant. */
static bool find_axis(const tarn_node *n, grid *q)
{
	*q = (grid){.axis = -1, .n = 1};
	for (int i = 1; i < 5; i++) {
		const tarn_tensor *t = n->in[i]->konst;
		if (!t)
			return false;
		for (int k = 0; k < t->rank; k++) {
			int back = t->rank - k; /* axes from the end */
			if (t->dim[k] == 1)
				continue;
			if (q->axis >= 0 && (q->axis != back || q->n != t->dim[k]))
				return false;
			q->axis = back;
			q->n = t->dim[k];
		}
	}
	if (q->axis >= 0) {
		if (n->in[0]->shape.rank < 0)
			return false;
		q->axis = n->in[0]->shape.rank - q->axis;
	}
	return true;
}

static double limit_at(const tarn_node *n, int i, int64_t c)
{
	const tarn_tensor *t = n->in[i]->konst;
	return tarn_tensor_f64(t, tarn_tensor_count(t) == 1 ? 0 : c);
}

/* Scales and zero points of both sides; false when a zero point is not a whole number of the type's range, so that the grids
 * differ. */
static bool grids(const tarn_node *n, grid *q, double lowest)
{
	double steps = (double)tarn_attr_i(n, LEVELS) - 1;
	for (int64_t c = 0; c < q->n; c++)
		for (int side = 0; side < 2; side++) {
			double lo = limit_at(n, 1 + 2 * side, c), hi = limit_at(n, 2 + 2 * side, c);
			double s = (hi - lo) / steps, z = s > 0 ? lowest - lo / s : 0.5;
			if (!(s > 0) || fabs(z - rint(z)) > 1e-4 || rint(z) < lowest || rint(z) > lowest + steps)
				return false;
			q->scale[side][c] = s;
			q->zero[side][c] = rint(z);
		}
	return true;
}

static tarn_err constant(tarn_graph *g, tarn_dtype type, const grid *q, const double *v, tarn_value **out)
{
	tarn_tensor t;
	TRY(tarn_tensor_new(type, q->axis < 0 ? 0 : 1, &q->n, &t));
	tarn_real_put(&t, 0, q->n, v);
	tarn_err err = tarn_value_const(g, NULL, &t, out);
	tarn_tensor_fini(&t);
	return err;
}

static tarn_err as_quantize(tarn_graph *g, tarn_node *n, const grid *q, bool is_signed)
{
	tarn_dtype type = is_signed ? TARN_I8 : TARN_U8;
	tarn_value *x = n->in[0], *s[2], *z[2];
	for (int side = 0; side < 2; side++) {
		TRY(constant(g, n->in[0]->type == TARN_F16 ? TARN_F16 : TARN_F32, q, q->scale[side], &s[side]));
		TRY(constant(g, type, q, q->zero[side], &z[side]));
	}
	if (is_signed) /* 255 levels: -128 is not one of them */
		TRY(add(g, "Max", 2, x, n->in[1], NULL, &x));
	TRY(add(g, "QuantizeLinear", 3, x, s[0], z[0], &x));
	TRY(tarn_attr_set_i(x->def, 0, q->axis < 0 ? 0 : q->axis));
	TRY(add(g, "DequantizeLinear", 3, x, s[1], z[1], &x));
	TRY(tarn_attr_set_i(x->def, 0, q->axis < 0 ? 0 : q->axis));
	tarn_graph_replace(g, n->out[0], x);
	return tarn_graph_sort(g);
}

/* Clip, position, round, back. */
static tarn_err as_arithmetic(tarn_graph *g, tarn_node *n)
{
	tarn_value *x = n->in[0], *steps, *in, *out;
	tarn_dtype type = x->type == TARN_DTYPE_NONE ? TARN_F32 : x->type;
	tarn_tensor t;
	TRY(tarn_tensor_new(type, 0, NULL, &t));
	tarn_tensor_set_f64(&t, 0, (double)tarn_attr_i(n, LEVELS) - 1);
	tarn_err err = tarn_value_const(g, NULL, &t, &steps);
	tarn_tensor_fini(&t);
	TRY(err);
	tarn_value *lo, *hi;
	TRY(add(g, "Min", 2, n->in[1], n->in[2], NULL, &lo));
	TRY(add(g, "Max", 2, n->in[1], n->in[2], NULL, &hi));
	TRY(add(g, "Max", 2, x, lo, NULL, &x));
	TRY(add(g, "Min", 2, x, hi, NULL, &x));
	TRY(add(g, "Sub", 2, n->in[2], n->in[1], NULL, &in));
	TRY(add(g, "Sub", 2, n->in[4], n->in[3], NULL, &out));
	TRY(add(g, "Sub", 2, x, n->in[1], NULL, &x));
	TRY(add(g, "Div", 2, x, in, NULL, &x));
	TRY(add(g, "Mul", 2, x, steps, NULL, &x));
	TRY(add(g, "Round", 1, x, NULL, NULL, &x));
	TRY(add(g, "Div", 2, x, steps, NULL, &x));
	TRY(add(g, "Mul", 2, x, out, NULL, &x));
	TRY(add(g, "Add", 2, x, n->in[3], NULL, &x));
	tarn_graph_replace(g, n->out[0], x);
	return tarn_graph_sort(g);
}

static tarn_err decompose(tarn_graph *g, tarn_node *n)
{
	int64_t levels = tarn_attr_i(n, LEVELS);
	grid q;
	if ((levels != 256 && levels != 255) || !find_axis(n, &q))
		return as_arithmetic(g, n);
	double *v;
	TRY(tarn_real_zeros(4 * q.n, &v));
	for (int i = 0; i < 2; i++) {
		q.scale[i] = v + 2 * i * q.n;
		q.zero[i] = v + (2 * i + 1) * q.n;
	}
	bool is_signed = levels == 255, exact = grids(n, &q, is_signed ? -127 : 0);
	tarn_err err = exact ? as_quantize(g, n, &q, is_signed) : as_arithmetic(g, n);
	tarn_mem_free(v);
	return err;
}

const tarn_op_def tarn_op_fake_quantize = {
	.name = "FakeQuantize",
	.ir = "FakeQuantize",
	.min_in = 5,
	.max_in = 5,
	.min_out = 1,
	.max_out = 1,
	.attr = attr,
	.n_attr = 1,
	.infer = infer,
	.eval = eval,
	.grad = grad,
	.decompose = decompose,
	.pad = tarn_pad_any,
	.cost = tarn_cost_out,
	.quant = {.kind = TARN_QUANT_FLOAT, .weight = -1, .bias = -1},
};
