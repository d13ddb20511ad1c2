/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reductions over axes. Canonical: ReduceSum has its axes as input 1, the others as attribute (opset 17); opset 18's inputs
 * become attributes. Floats accumulate in double, integers in 64 bits.
 */
#include <math.h>

#include "ops/bounds.h"
#include "ops/build.h"
#include "ops/grad.h"
#include "ops/ops.h"
#include "ops/padding.h"

enum { KEEPDIMS, AXES, NOOP = 1 /* of ReduceSum, which has no attribute axes */ };

typedef struct kind {
	double first;
	double (*f)(double acc, double x);
	int64_t i_first;
	int64_t (*i)(int64_t acc, int64_t x); /* NULL: integers go through double */
	double (*last)(double acc, double n); /* NULL: nothing more */
	bool shifted;                         /* elements minus their maximum, which is added at the end (LogSumExp) */
} kind;

/* clang-format off */
static double f_add(double a, double x) { return a + x; }
static double f_mul(double a, double x) { return a * x; }
static double f_abs(double a, double x) { return a + fabs(x); }
static double f_square(double a, double x) { return a + x * x; }
static double f_exp(double a, double x) { return a + exp(x); }
static double f_max(double a, double x) { return isnan(a) || a > x ? a : x; }
static double f_min(double a, double x) { return isnan(a) || a < x ? a : x; }
static int64_t i_add(int64_t a, int64_t x) { return (int64_t)((uint64_t)a + (uint64_t)x); }
static int64_t i_mul(int64_t a, int64_t x) { return (int64_t)((uint64_t)a * (uint64_t)x); }
static int64_t i_abs(int64_t a, int64_t x) { return (int64_t)((uint64_t)a + (x < 0 ? 0 - (uint64_t)x : (uint64_t)x)); }
static int64_t i_square(int64_t a, int64_t x) { return (int64_t)((uint64_t)a + (uint64_t)x * (uint64_t)x); }
static int64_t i_max(int64_t a, int64_t x) { return a > x ? a : x; }
static int64_t i_min(int64_t a, int64_t x) { return a < x ? a : x; }
static int64_t u_max(int64_t a, int64_t x) { return (uint64_t)a > (uint64_t)x ? a : x; }
static int64_t u_min(int64_t a, int64_t x) { return (uint64_t)a < (uint64_t)x ? a : x; }
static double last_mean(double a, double n) { return a / n; }
static double last_sqrt(double a, double n) { (void)n; return sqrt(a); }
static double last_log(double a, double n) { (void)n; return log(a); }
/* clang-format on */

/* Splits the axes of x in kept and reduced ones. */
typedef struct plan {
	int n_kept, n_gone;
	int64_t kept[TARN_MAX_RANK], kept_stride[TARN_MAX_RANK], gone[TARN_MAX_RANK], gone_stride[TARN_MAX_RANK];
} plan;

static void plan_init(plan *p, const tarn_tensor *x, uint32_t mask)
{
	int64_t stride[TARN_MAX_RANK];
	*p = (plan){0};
	tarn_tensor_strides(x, stride);
	for (int d = 0; d < x->rank; d++) {
		bool gone = (mask & 1u << d) != 0;
		int k = gone ? p->n_gone++ : p->n_kept++;
		(gone ? p->gone : p->kept)[k] = x->dim[d];
		(gone ? p->gone_stride : p->kept_stride)[k] = stride[d];
	}
	if (p->n_gone == 0) { /* one element each */
		p->gone[p->n_gone] = 1;
		p->gone_stride[p->n_gone++] = 1;
	}
}

/* Folds the reduced elements that begin at `base`; whole: in acc->i, else in acc->f after subtracting `shift`. */
typedef struct number {
	double f;
	int64_t i;
} number;

static number reduce_at(const tarn_tensor *x, const plan *p, int64_t base, const kind *k, bool whole, double shift)
{
	number acc = {k->first, k->i_first};
	int64_t index[TARN_MAX_RANK] = {0}, w[TARN_RUN];
	double v[TARN_RUN];
	int last = p->n_gone - 1;
	if (tarn_elem_product(p->gone, 0, p->n_gone) == 0)
		return acc;
	do {
		int64_t at = base;
		for (int d = 0; d < last; d++)
			at += index[d] * p->gone_stride[d];
		for (int64_t j = 0; j < p->gone[last]; j += TARN_RUN) {
			int n = (int)(p->gone[last] - j < TARN_RUN ? p->gone[last] - j : TARN_RUN);
			int64_t from = at + j * p->gone_stride[last];
			if (whole) {
				tarn_elem_load_i64(x, from, p->gone_stride[last], n, w);
				for (int i = 0; i < n; i++)
					acc.i = k->i(acc.i, w[i]);
				continue;
			}
			tarn_elem_load_f64(x, from, p->gone_stride[last], n, v);
			for (int i = 0; i < n; i++)
				acc.f = k->f(acc.f, v[i] - shift);
		}
	} while (last > 0 && tarn_elem_next(last, p->gone, index));
	return acc;
}

static tarn_err reduce(const tarn_tensor *x, tarn_tensor *y, uint32_t mask, const kind *k)
{
	static const kind max = {.first = -INFINITY, .f = f_max};
	plan p;
	bool whole = k->i != NULL && !tarn_dtype_is_float(x->type);
	int64_t index[TARN_MAX_RANK] = {0}, total = tarn_tensor_count(y);
	plan_init(&p, x, mask);
	double n = (double)tarn_elem_product(p.gone, 0, p.n_gone);
	for (int64_t o = 0; o < total; o++) {
		int64_t base = 0;
		for (int d = 0; d < p.n_kept; d++)
			base += index[d] * p.kept_stride[d];
		double top = k->shifted ? reduce_at(x, &p, base, &max, false, 0).f : 0;
		top = isfinite(top) ? top : 0;
		number acc = reduce_at(x, &p, base, k, whole, top);
		if (whole && k->last == NULL) {
			tarn_elem_store_i64(y, o, 1, &acc.i);
		} else {
			double v = whole ? (double)acc.i : acc.f;
			v = (k->last != NULL ? k->last(v, n) : v) + top;
			tarn_elem_store_f64(y, o, 1, &v);
		}
		tarn_elem_next(p.n_kept, p.kept, index);
	}
	return TARN_OK;
}

/* ---- axes and shapes ---- */

/* From attribute `axes`: all axes when absent or empty. */
static tarn_err axes_attr(const tarn_node *n, int rank, uint32_t *mask)
{
	int axis = 0;
	*mask = (1u << rank) - 1;
	if (!tarn_attr_has(n, AXES) || n->attr[AXES].ints.n == 0)
		return TARN_OK;
	*mask = 0;
	for (int i = 0; i < n->attr[AXES].ints.n; i++) {
		TRY(tarn_shape_axis(rank, n->attr[AXES].ints.at[i], &axis));
		*mask |= 1u << axis;
	}
	return TARN_OK;
}

static void shape_out(tarn_infer *c, const tarn_shape *in, uint32_t mask)
{
	tarn_shape out = {0};
	for (int d = 0; d < in->rank; d++)
		if ((mask & 1u << d) == 0)
			out.dim[out.rank++] = in->dim[d];
		else if (tarn_attr_i(c->node, KEEPDIMS) != 0)
			out.dim[out.rank++] = 1;
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), &out);
}

static tarn_err infer(tarn_infer *c)
{
	uint32_t mask = 0;
	TRY(tarn_infer_rank(c, 0, 0, -1));
	TRY(tarn_infer_class(c, 0, TARN_CLS_NUM | TARN_CLS_B));
	const tarn_shape *in = tarn_infer_shape(c, 0);
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), NULL);
	if (in == NULL)
		return TARN_OK;
	TRY(axes_attr(c->node, in->rank, &mask));
	shape_out(c, in, mask);
	return TARN_OK;
}

static bool no_axes(const tarn_node *n, int64_t count)
{
	return (n->n_in < 2 || n->in[1] == NULL || count == 0) && tarn_attr_i(n, NOOP) != 0;
}

static tarn_err infer_sum(tarn_infer *c)
{
	uint32_t mask = 0;
	bool known = false;
	TRY(tarn_infer_rank(c, 0, 0, -1));
	TRY(tarn_infer_class(c, 0, TARN_CLS_NUM));
	const tarn_shape *in = tarn_infer_shape(c, 0), *axes = tarn_infer_shape(c, 1);
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), NULL);
	if (in == NULL)
		return TARN_OK;
	TRY(tarn_bounds_axes(c, 1, in->rank, &mask, &known));
	if (known) {
		shape_out(c, in, no_axes(c->node, axes != NULL && axes->rank == 1 ? axes->dim[0] : -1) ? 0 : mask);
	} else if (tarn_attr_i(c->node, KEEPDIMS) != 0) {
		tarn_shape out = *in;
		for (int d = 0; d < in->rank; d++) { /* the old size or 1 */
			int64_t hi = tarn_dim_hi(c->syms, in->dim[d]);
			TRY(tarn_bounds_fresh(c, hi > 1 ? hi : 1, &out.dim[d]));
		}
		tarn_infer_out(c, 0, tarn_infer_type(c, 0), &out);
	}
	return TARN_OK;
}

/* Opset 18 has axes as input and noop_with_empty_axes. */
static tarn_err import(const tarn_import *s)
{
	int64_t noop = 0;
	if (!s->onnx)
		return TARN_OK;
	TRY(tarn_import_input_as_ints(s, 1, AXES));
	if (s->find_i(s, "noop_with_empty_axes", &noop) && noop != 0)
		CHECK(tarn_attr_has(s->node, AXES), TARN_UNSUPPORTED, "%s without axes that reduces nothing; remove the node",
		      s->node->op->name);
	return TARN_OK;
}

static tarn_err import_sum(const tarn_import *s)
{
	return s->onnx && s->opset < 13 ? tarn_import_ints_as_input(s, "axes", 1) : TARN_OK;
}

static tarn_err run(tarn_eval *e, const kind *k)
{
	uint32_t mask = 0;
	TRY(axes_attr(e->node, e->in[0]->rank, &mask));
	return reduce(e->in[0], &e->out[0], mask, k);
}

/* ---- bounds: of a whole list ---- */

static tarn_err bounds(tarn_infer *c, tarn_sym_op op)
{
	tarn_dim at[TARN_KNOWN_MAX];
	int n = 0;
	const tarn_shape *in = tarn_infer_shape(c, 0), *out = c->node->out[0] != NULL ? &c->node->out[0]->shape : NULL;
	if (in == NULL || in->rank != 1 || out == NULL || !tarn_bounds_read(c, 0, at, &n) || n == 0 ||
	    (out->rank != 0 && !(out->rank == 1 && out->dim[0] == 1)))
		return TARN_OK;
	for (int i = 1; i < n; i++)
		if (!tarn_bounds_op(c->syms, op, at[0], at[i], &at[0]))
			return TARN_OK;
	return tarn_bounds_set(c, 0, at, 1);
}

/* clang-format off */
static tarn_err bounds_sum(tarn_infer *c) { return bounds(c, TARN_SYM_ADD); }
static tarn_err bounds_prod(tarn_infer *c) { return bounds(c, TARN_SYM_MUL); }
static tarn_err bounds_max(tarn_infer *c) { return bounds(c, TARN_SYM_MAX); }
static tarn_err bounds_min(tarn_infer *c) { return bounds(c, TARN_SYM_MIN); }
/* clang-format on */

/* ---- gradients ---- */

/* dx = dy * slope(x, y, elements), y and dy repeated along the reduced axes. */
typedef double (*slope)(double x, double y, double n);

/* clang-format off */
static double d_one(double x, double y, double n) { (void)x, (void)y, (void)n; return 1; }
static double d_mean(double x, double y, double n) { (void)x, (void)y; return 1 / n; }
static double d_prod(double x, double y, double n) { (void)n; return y / x; }
static double d_l1(double x, double y, double n) { (void)y, (void)n; return (x > 0) - (x < 0); }
static double d_l2(double x, double y, double n) { (void)n; return y > 0 ? x / y : 0; }
static double d_square(double x, double y, double n) { (void)y, (void)n; return 2 * x; }
static double d_log_sum(double x, double y, double n) { (void)x, (void)n; return exp(-y); }
static double d_log_sum_exp(double x, double y, double n) { (void)n; return exp(x - y); }
static double d_extreme(double x, double y, double n) { (void)n; return x == y; }
/* clang-format on */

static tarn_err back(tarn_grad *g, uint32_t mask, slope f)
{
	const tarn_tensor *x = g->in[0];
	tarn_tensor y = g->out[0], dy = g->dout[0];
	double *vx, *vy, *d;
	if (!tarn_grad_wants(g, 0) || dy.type == TARN_DTYPE_NONE)
		return TARN_OK;
	y.rank = dy.rank = x->rank;
	for (int k = 0; k < x->rank; k++)
		y.dim[k] = dy.dim[k] = mask >> k & 1 ? 1 : x->dim[k];
	double n = (double)tarn_tensor_count(x) / (double)(tarn_tensor_count(&y) ? tarn_tensor_count(&y) : 1);
	TRY(tarn_grad_load(g, x, &vx));
	TRY(tarn_grad_expand(g, &y, x, &vy));
	TRY(tarn_grad_expand(g, &dy, x, &d));
	for (int64_t i = 0, count = tarn_tensor_count(x); i < count; i++)
		d[i] *= f(vx[i], vy[i], n);
	tarn_grad_add(&g->din[0], d);
	return TARN_OK;
}

static tarn_err back_attr(tarn_grad *g, slope f)
{
	uint32_t mask = 0;
	TRY(axes_attr(g->node, g->in[0]->rank, &mask));
	return back(g, mask, f);
}

/* ---- the operators ---- */

static const tarn_attr_def attrs[] = {
	{"keepdims", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 1, NULL},
	{"axes", TARN_ATTR_INTS, TARN_ATTR_OPTIONAL, 0, NULL},
};
static const tarn_attr_def sum_attrs[] = {
	{"keepdims", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 1, NULL},
	{"noop_with_empty_axes", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 0, NULL},
};

/* max_in 2: what an opset 18 file gives, until import. */
static void pad_zero(tarn_pad *p)
{
	tarn_pad_reduced(p, TARN_PAD_ZERO);
}

static void pad_mean(tarn_pad *p)
{
	tarn_pad_reduced(p, TARN_PAD_MEAN);
}

static void pad_lowest(tarn_pad *p)
{
	tarn_pad_reduced(p, TARN_PAD_LOWEST);
}

static void pad_highest(tarn_pad *p)
{
	tarn_pad_reduced(p, TARN_PAD_HIGHEST);
}

static void pad_one(tarn_pad *p)
{
	tarn_pad_reduced(p, TARN_PAD_ONE);
}

#define ROW(word, Name, bounds_slot, quant_kind, pad_slot, slope, ...) \
	static tarn_err eval_##word(tarn_eval *e) \
	{ \
		static const kind k = __VA_ARGS__; \
		return run(e, &k); \
	} \
	static tarn_err grad_##word(tarn_grad *g) \
	{ \
		return back_attr(g, slope); \
	} \
	const tarn_op_def tarn_op_##word = { \
		.name = Name, \
		.onnx_since = 1, \
		.min_in = 1, \
		.max_in = 2, \
		.min_out = 1, \
		.max_out = 1, \
		.attr = attrs, \
		.n_attr = 2, \
		.import = import, \
		.infer = infer, \
		.bounds = bounds_slot, \
		.eval = eval_##word, \
		.grad = grad_##word, \
		.pad = pad_slot, \
		.cost = tarn_cost_in, \
		.quant = {.kind = quant_kind, .act = quant_kind == TARN_QUANT_FLOAT ? 0 : 1, .weight = -1, .bias = -1}, \
	};

ROW(reduce_mean, "ReduceMean", NULL, TARN_QUANT_INPUTS, pad_mean, d_mean, {0, f_add, 0, i_add, last_mean, false})
ROW(reduce_prod, "ReduceProd", bounds_prod, TARN_QUANT_FLOAT, pad_one, d_prod, {1, f_mul, 1, i_mul, NULL, false})
ROW(reduce_l1, "ReduceL1", NULL, TARN_QUANT_FLOAT, pad_zero, d_l1, {0, f_abs, 0, i_abs, NULL, false})
ROW(reduce_l2, "ReduceL2", NULL, TARN_QUANT_INPUTS, pad_zero, d_l2, {0, f_square, 0, NULL, last_sqrt, false})
ROW(reduce_sum_square, "ReduceSumSquare", NULL, TARN_QUANT_FLOAT, pad_zero, d_square, {0, f_square, 0, i_square, NULL, false})
ROW(reduce_log_sum, "ReduceLogSum", NULL, TARN_QUANT_FLOAT, pad_zero, d_log_sum, {0, f_add, 0, NULL, last_log, false})
ROW(reduce_log_sum_exp, "ReduceLogSumExp", NULL, TARN_QUANT_FLOAT, pad_lowest, d_log_sum_exp,
    {0, f_exp, 0, NULL, last_log, true})

static tarn_err run_extreme(tarn_eval *e, bool max)
{
	tarn_dtype t = e->in[0]->type;
	kind k = {.first = max ? tarn_elem_lowest(t) : tarn_elem_highest(t), .f = max ? f_max : f_min};
	k.i = t == TARN_U64 ? (max ? u_max : u_min) : max ? i_max : i_min;
	k.i_first = t == TARN_U64 ? (max ? 0 : -1) : max ? INT64_MIN : INT64_MAX;
	if (t != TARN_U64 && t != TARN_I64 && !tarn_dtype_is_float(t))
		k.i_first = (int64_t)k.first;
	return run(e, &k);
}

static tarn_err eval_reduce_max(tarn_eval *e)
{
	return run_extreme(e, true);
}

static tarn_err eval_reduce_min(tarn_eval *e)
{
	return run_extreme(e, false);
}

/* Every element that equals the result. */
static tarn_err grad_extreme(tarn_grad *g)
{
	return back_attr(g, d_extreme);
}

#define EXTREME(word, Name, bounds_slot, pad_slot) \
	const tarn_op_def tarn_op_##word = { \
		.name = Name, \
		.onnx_since = 1, \
		.min_in = 1, \
		.max_in = 2, \
		.min_out = 1, \
		.max_out = 1, \
		.attr = attrs, \
		.n_attr = 2, \
		.import = import, \
		.infer = infer, \
		.bounds = bounds_slot, \
		.eval = eval_##word, \
		.grad = grad_extreme, \
		.pad = pad_slot, \
		.cost = tarn_cost_in, \
		.quant = {.kind = TARN_QUANT_PASS, .act = 1, .weight = -1, .bias = -1}, \
	};
EXTREME(reduce_max, "ReduceMax", bounds_max, pad_lowest)
EXTREME(reduce_min, "ReduceMin", bounds_min, pad_highest)

static tarn_err axes_input(const tarn_node *node, const tarn_tensor *const *in, uint32_t *mask)
{
	const tarn_tensor *axes = node->n_in > 1 ? in[1] : NULL;
	int rank = in[0]->rank, axis = 0;
	int64_t n = axes != NULL ? tarn_tensor_count(axes) : 0;
	*mask = no_axes(node, n) ? 0 : (1u << rank) - 1;
	for (int64_t i = 0; i < n; i++) {
		TRY(tarn_shape_axis(rank, tarn_tensor_i64(axes, i), &axis));
		*mask = (i == 0 ? 0 : *mask) | 1u << axis;
	}
	return TARN_OK;
}

static tarn_err eval_reduce_sum(tarn_eval *e)
{
	static const kind k = {0, f_add, 0, i_add, NULL, false};
	uint32_t mask = 0;
	TRY(axes_input(e->node, e->in, &mask));
	return reduce(e->in[0], &e->out[0], mask, &k);
}

static tarn_err grad_reduce_sum(tarn_grad *g)
{
	uint32_t mask = 0;
	TRY(axes_input(g->node, g->in, &mask));
	return back(g, mask, d_one);
}

const tarn_op_def tarn_op_reduce_sum = {
	.name = "ReduceSum",
	.onnx_since = 1,
	.min_in = 1,
	.max_in = 2,
	.min_out = 1,
	.max_out = 1,
	.attr = sum_attrs,
	.n_attr = 2,
	.import = import_sum,
	.infer = infer_sum,
	.bounds = bounds_sum,
	.eval = eval_reduce_sum,
	.grad = grad_reduce_sum,
	.pad = pad_zero,
	.cost = tarn_cost_in,
	.quant = {.kind = TARN_QUANT_INPUTS, .act = 1, .weight = -1, .bias = -1},
};
