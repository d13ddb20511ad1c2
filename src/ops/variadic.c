/* SPDX-License-Identifier: Apache-2.0 */
/* Max, Min, Sum, Mean of any number of broadcast inputs; Clip. */
#include <math.h>

#include "ops/binary.h"
#include "ops/bounds.h"
#include "ops/grad.h"
#include "ops/ops.h"

/* NaN wins, as numpy has it. */
static double f_max(double a, double b)
{
	return isnan(a) || a > b ? a : b;
}

static double f_min(double a, double b)
{
	return isnan(a) || a < b ? a : b;
}

static int64_t i_max(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t i_min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static uint64_t u_max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t u_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static double f_add(double a, double b)
{
	return a + b;
}

static double f_div(double a, double b)
{
	return a / b;
}

static tarn_err infer_all(tarn_infer *c, unsigned set)
{
	tarn_shape out = {.rank = 0};
	tarn_dtype type = TARN_DTYPE_NONE;
	for (int i = 0; i < c->node->n_in; i++) {
		TRY(tarn_infer_rank(c, i, 0, -1));
		TRY(tarn_infer_class(c, i, set));
		TRY(tarn_infer_same_type(c, 0, i));
		if (type == TARN_DTYPE_NONE)
			type = tarn_infer_type(c, i);
		const tarn_shape *s = tarn_infer_shape(c, i);
		tarn_shape so_far = out;
		if (s == NULL)
			out.rank = -1;
		else if (so_far.rank >= 0)
			TRY(tarn_shape_broadcast(c->syms, &so_far, s, &out));
	}
	tarn_infer_out(c, 0, type, out.rank >= 0 ? &out : NULL);
	return TARN_OK;
}

static tarn_err infer_number(tarn_infer *c)
{
	return infer_all(c, TARN_CLS_NUM);
}

static tarn_err infer_float(tarn_infer *c)
{
	return infer_all(c, TARN_CLS_F);
}

/* Folds the inputs from the left; sums accumulate in double, so that the order of rounding does not show. */
static tarn_err fold(tarn_eval *e, const tarn_binary_fn *fn, bool in_double, bool mean)
{
	tarn_tensor acc = {0}, next = {0}, zero = {0}, divisor = {0};
	tarn_tensor *y = &e->out[0];
	tarn_dtype type = in_double ? TARN_F64 : y->type;
	tarn_err err = TARN_OK;
	static const tarn_binary_fn first = {f_add, NULL, NULL, false}, div = {f_div, NULL, NULL, false};
	TRY(tarn_tensor_new(type, y->rank, y->dim, &acc));
	if (in_double) { /* broadcast of input 0 by adding zero */
		TRY_GOTO(out, tarn_tensor_new(TARN_F64, 0, NULL, &zero));
		TRY_GOTO(out, tarn_binary_run(e->in[0], &zero, &acc, &first));
	} else { /* and of a comparison's by meeting itself */
		TRY_GOTO(out, tarn_binary_run(e->in[0], e->in[0], &acc, fn));
	}
	for (int i = 1; i < e->node->n_in; i++) {
		TRY_GOTO(out, tarn_tensor_new(type, y->rank, y->dim, &next));
		TRY_GOTO(out, tarn_binary_run(&acc, e->in[i], &next, fn));
		tarn_tensor_fini(&acc);
		acc = next;
		next = (tarn_tensor){0};
	}
	if (in_double) {
		TRY_GOTO(out, tarn_tensor_new(TARN_F64, 0, NULL, &divisor));
		tarn_tensor_set_f64(&divisor, 0, mean ? e->node->n_in : 1);
		TRY_GOTO(out, tarn_binary_run(&acc, &divisor, y, &div));
	} else {
		tarn_elem_copy_all(&acc, y);
	}
out:
	tarn_tensor_fini(&acc);
	tarn_tensor_fini(&next);
	tarn_tensor_fini(&zero);
	tarn_tensor_fini(&divisor);
	return err;
}

static const tarn_binary_fn fn_max = {f_max, i_max, u_max, false}, fn_min = {f_min, i_min, u_min, false},
			    fn_add = {f_add, NULL, NULL, false};

static tarn_err eval_max(tarn_eval *e)
{
	return fold(e, &fn_max, false, false);
}

static tarn_err eval_min(tarn_eval *e)
{
	return fold(e, &fn_min, false, false);
}

static tarn_err eval_sum(tarn_eval *e)
{
	return fold(e, &fn_add, true, false);
}

static tarn_err eval_mean(tarn_eval *e)
{
	return fold(e, &fn_add, true, true);
}

/* dy goes to every input, divided by `n`. */
static tarn_err grad_each(tarn_grad *g, double n)
{
	double *dy;
	TRY(tarn_grad_load(g, &g->dout[0], &dy));
	for (int64_t i = 0, count = tarn_tensor_count(&g->out[0]); i < count; i++)
		dy[i] /= n;
	for (int k = 0; k < g->node->n_in; k++)
		if (tarn_grad_wants(g, k))
			TRY(tarn_grad_reduce(g, &g->din[k], &g->out[0], dy));
	return TARN_OK;
}

static tarn_err grad_sum(tarn_grad *g)
{
	return grad_each(g, 1);
}

static tarn_err grad_mean(tarn_grad *g)
{
	return grad_each(g, g->node->n_in);
}

/* dy goes to the first input that equals the result. */
static tarn_err grad_first(tarn_grad *g)
{
	int64_t n = tarn_tensor_count(&g->out[0]);
	double *y, *dy, *x, *d;
	TRY(tarn_grad_load(g, &g->out[0], &y));
	TRY(tarn_grad_load(g, &g->dout[0], &dy));
	TRY(tarn_grad_zeros(g, n, &d));
	for (int k = 0; k < g->node->n_in; k++) {
		TRY(tarn_grad_expand(g, g->in[k], &g->out[0], &x));
		for (int64_t i = 0; i < n; i++) {
			d[i] = x[i] == y[i] ? dy[i] : 0;
			dy[i] -= d[i];
		}
		if (tarn_grad_wants(g, k))
			TRY(tarn_grad_reduce(g, &g->din[k], &g->out[0], d));
	}
	return TARN_OK;
}

static tarn_err bounds(tarn_infer *c, tarn_sym_op op)
{
	tarn_dim acc[TARN_KNOWN_MAX], next[TARN_KNOWN_MAX];
	int n = 0, m = 0;
	if (!tarn_dtype_is_int(tarn_infer_type(c, 0)) || !tarn_bounds_read(c, 0, acc, &n))
		return TARN_OK;
	for (int i = 1; i < c->node->n_in; i++) {
		if (!tarn_bounds_read(c, i, next, &m) || (m != n && m != 1 && n != 1))
			return TARN_OK;
		int k = n == 1 ? m : n;
		for (int j = k - 1; j >= 0; j--)
			if (!tarn_bounds_op(c->syms, op, acc[n == 1 ? 0 : j], next[m == 1 ? 0 : j], &acc[j]))
				return TARN_OK;
		n = k;
	}
	return tarn_bounds_set(c, 0, acc, n);
}

static tarn_err bounds_max(tarn_infer *c)
{
	return bounds(c, TARN_SYM_MAX);
}

static tarn_err bounds_min(tarn_infer *c)
{
	return bounds(c, TARN_SYM_MIN);
}

static tarn_err cost_each(const tarn_node *n, tarn_cost *cost)
{
	TRY(tarn_cost_out(n, cost));
	cost->ops *= n->n_in > 1 ? n->n_in - 1 : 1;
	return TARN_OK;
}

/* act: of the first two inputs; devices take no more in INT8. */
#define ROW(word, Name, spelling, infer_slot, bounds_slot, grad_slot, quant_kind) \
	const tarn_op_def tarn_op_##word = { \
		.name = #Name, \
		.onnx_since = 1, \
		.ir = spelling, \
		.min_in = 1, \
		.max_in = -1, \
		.min_out = 1, \
		.max_out = 1, \
		.flags = TARN_OP_ELEMENTWISE, \
		.infer = infer_slot, \
		.bounds = bounds_slot, \
		.eval = eval_##word, \
		.grad = grad_slot, \
		.cost = cost_each, \
		.quant = {.kind = quant_kind, .act = quant_kind == TARN_QUANT_INPUTS ? 3 : 0, .weight = -1, .bias = -1}, \
	};

ROW(max, Max, "Maximum", infer_number, bounds_max, grad_first, TARN_QUANT_INPUTS)
ROW(min, Min, "Minimum", infer_number, bounds_min, grad_first, TARN_QUANT_INPUTS)
ROW(sum, Sum, NULL, infer_float, NULL, grad_sum, TARN_QUANT_FLOAT)
ROW(mean, Mean, NULL, infer_float, NULL, grad_mean, TARN_QUANT_FLOAT)

/* ---- Clip ---- */

/* Opset 6 has min and max as attributes. */
static tarn_err import_clip(const tarn_import *s)
{
	static const char *const name[2] = {"min", "max"};
	if (!s->onnx || s->opset >= 11)
		return TARN_OK;
	TRY(tarn_node_resize_inputs(s->graph, s->node, 3));
	for (int i = 0; i < 2; i++) {
		double v = 0;
		if (!s->find_f(s, name[i], &v))
			continue;
		tarn_tensor t = {0};
		tarn_dtype type = s->node->in[0] != NULL ? s->node->in[0]->type : TARN_DTYPE_NONE;
		TRY(tarn_tensor_new(tarn_dtype_is_float(type) ? type : TARN_F32, 0, NULL, &t));
		tarn_tensor_set_f64(&t, 0, v);
		tarn_err err = tarn_value_const(s->graph, NULL, &t, &s->node->in[1 + i]);
		tarn_tensor_fini(&t);
		TRY(err);
	}
	return TARN_OK;
}

static tarn_err infer_clip(tarn_infer *c)
{
	TRY(tarn_infer_rank(c, 0, 0, -1));
	TRY(tarn_infer_class(c, 0, TARN_CLS_NUM));
	for (int i = 1; i < c->node->n_in; i++) {
		const tarn_shape *s = tarn_infer_shape(c, i);
		if (c->node->in[i] == NULL)
			continue;
		/* Limits that were attributes are f32 whatever the data is. */
		if (!tarn_dtype_is_float(tarn_infer_type(c, 0)) || !tarn_dtype_is_float(tarn_infer_type(c, i)))
			TRY(tarn_infer_same_type(c, 0, i));
		CHECK(s == NULL || s->rank == 0 || (s->rank == 1 && s->dim[0] == 1), TARN_SHAPE,
		      "the limits of Clip must be scalars");
	}
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), tarn_infer_shape(c, 0));
	return TARN_OK;
}

/* min(max(x, lo), hi): the upper limit wins when they cross. */
static tarn_err eval_clip(tarn_eval *e)
{
	const tarn_tensor *lo = e->node->n_in > 1 ? e->in[1] : NULL, *hi = e->node->n_in > 2 ? e->in[2] : NULL;
	tarn_tensor *y = &e->out[0];
	tarn_tensor mid = {0}, lo0 = {0}, hi0 = {0};
	tarn_err err = TARN_OK;
	/* One-element limits of rank 1 are read as scalars. */
	if (lo != NULL) {
		lo0 = *lo;
		lo0.rank = 0;
	}
	if (hi != NULL) {
		hi0 = *hi;
		hi0.rank = 0;
	}
	if (lo == NULL && hi == NULL) {
		tarn_elem_copy_all(e->in[0], y);
		return TARN_OK;
	}
	if (lo == NULL || hi == NULL)
		return tarn_binary_run(e->in[0], lo != NULL ? &lo0 : &hi0, y, lo != NULL ? &fn_max : &fn_min);
	TRY(tarn_tensor_new(y->type, y->rank, y->dim, &mid));
	TRY_GOTO(out, tarn_binary_run(e->in[0], &lo0, &mid, &fn_max));
	TRY_GOTO(out, tarn_binary_run(&mid, &hi0, y, &fn_min));
out:
	tarn_tensor_fini(&mid);
	return err;
}

/* To the input inside the limits, to a limit where it holds. */
static tarn_err grad_clip(tarn_grad *g)
{
	int64_t n = tarn_tensor_count(&g->out[0]);
	double *x, *dy, *d, *lo, *hi, sum[2] = {0};
	TRY(tarn_grad_load(g, g->in[0], &x));
	TRY(tarn_grad_load(g, g->node->n_in > 1 ? g->in[1] : NULL, &lo));
	TRY(tarn_grad_load(g, g->node->n_in > 2 ? g->in[2] : NULL, &hi));
	TRY(tarn_grad_load(g, &g->dout[0], &dy));
	TRY(tarn_grad_zeros(g, n, &d));
	for (int64_t i = 0; i < n; i++)
		if (hi && fmax(x[i], lo ? *lo : x[i]) > *hi)
			sum[1] += dy[i];
		else if (lo && x[i] < *lo)
			sum[0] += dy[i];
		else
			d[i] = dy[i];
	if (tarn_grad_wants(g, 0))
		tarn_grad_add(&g->din[0], d);
	for (int k = 0; k < 2; k++)
		if (tarn_grad_wants(g, 1 + k))
			tarn_grad_add(&g->din[1 + k], &sum[k]);
	return TARN_OK;
}

static tarn_err cost_clip(const tarn_node *n, tarn_cost *cost)
{
	TRY(tarn_cost_out(n, cost));
	cost->ops *= 2;
	return TARN_OK;
}

static tarn_err bounds_clip(tarn_infer *c)
{
	static const tarn_sym_op how[] = {TARN_SYM_ADD, TARN_SYM_MAX, TARN_SYM_MIN};
	tarn_dim at[TARN_KNOWN_MAX], limit[TARN_KNOWN_MAX];
	int n = 0, m = 0;
	if (!tarn_bounds_read(c, 0, at, &n))
		return TARN_OK;
	for (int k = 1; k < c->node->n_in; k++) {
		if (!c->node->in[k])
			continue;
		if (!tarn_bounds_read(c, k, limit, &m) || m != 1)
			return TARN_OK;
		for (int i = 0; i < n; i++)
			if (!tarn_bounds_op(c->syms, how[k], at[i], limit[0], &at[i]))
				return TARN_OK;
	}
	return tarn_bounds_set(c, 0, at, n);
}

const tarn_op_def tarn_op_clip = {
	.name = "Clip",
	.onnx_since = 1,
	.min_in = 1,
	.max_in = 3,
	.min_out = 1,
	.max_out = 1,
	.flags = TARN_OP_ELEMENTWISE,
	.import = import_clip,
	.infer = infer_clip,
	.bounds = bounds_clip,
	.eval = eval_clip,
	.grad = grad_clip,
	.cost = cost_clip,
	.quant = {.weight = -1, .bias = -1},
};
