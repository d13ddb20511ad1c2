/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Normalisations over a set of axes: MeanVarianceNormalization (ONNX), MVN and NormalizeL2 (OpenVINO; axes are an input), and
 * LpNormalization and LRN (ONNX).
 */
#include <inttypes.h>
#include <math.h>

#include "base/mem.h"
#include "ops/grad.h"
#include "ops/real.h"
#include "ops/padding.h"

#define QUANT(k) \
	{ \
		.kind = k, .act = 1, .weight = -1, .bias = -1 \
	}

static tarn_err infer_same(tarn_infer *c)
{
	TRY(tarn_infer_class(c, 0, TARN_CLS_F));
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), tarn_infer_shape(c, 0));
	return TARN_OK;
}

/* Elements grouped by their index outside the axes in `mask`: group[i] for every element; returns how many groups. */
static tarn_err groups_of(const tarn_tensor *x, unsigned mask, int64_t **group, int64_t *n)
{
	int64_t count = tarn_tensor_count(x), stride[TARN_MAX_RANK], index[TARN_MAX_RANK] = {0};
	*n = 1;
	for (int i = x->rank - 1; i >= 0; i--) {
		stride[i] = mask >> i & 1 ? 0 : *n;
		*n *= mask >> i & 1 ? 1 : x->dim[i];
	}
	*group = tarn_mem_zalloc((size_t)count + 1, sizeof **group);
	if (!*group)
		return tarn_err_nomem(((size_t)count + 1) * sizeof **group);
	for (int64_t i = 0; i < count; i++) {
		for (int a = 0; a < x->rank; a++)
			(*group)[i] += index[a] * stride[a];
		tarn_elem_next(x->rank, x->dim, index);
	}
	return TARN_OK;
}

static tarn_err mask_of(const int64_t *axes, int n, int rank, unsigned *mask)
{
	*mask = 0;
	for (int i = 0; i < n; i++) {
		int a;
		TRY(tarn_shape_axis(rank, axes[i], &a));
		*mask |= 1u << a;
	}
	return TARN_OK;
}

/* Axes from input 1 (OpenVINO). */
static tarn_err input_mask(const tarn_tensor *const *in, unsigned *mask)
{
	int64_t axes[TARN_MAX_RANK], n = tarn_tensor_count(in[1]);
	CHECK(n <= TARN_MAX_RANK, TARN_SHAPE, "%" PRId64 " axes for rank %d", n, in[0]->rank);
	for (int i = 0; i < n; i++)
		axes[i] = tarn_tensor_i64(in[1], i);
	return mask_of(axes, (int)n, in[0]->rank, mask);
}

enum { STD, STD_OUTSIDE, MEAN_ONLY, L2_ADD, L2_MAX, L1, L2 };

/* v[i] normalised by its group's statistics (s: sums, q: sums of squares about the mean or of powers). */
static tarn_err run(tarn_eval *e, unsigned mask, int kind, double eps)
{
	const tarn_tensor *x = e->in[0];
	int64_t count = tarn_tensor_count(x), n, *group = NULL;
	double *v = NULL, *s = NULL, *q = NULL;
	tarn_err err;
	TRY_GOTO(done, tarn_real_load(x, &v));
	TRY_GOTO(done, groups_of(x, mask, &group, &n));
	TRY_GOTO(done, tarn_real_zeros(n, &s));
	TRY_GOTO(done, tarn_real_zeros(n, &q));
	bool centred = kind <= MEAN_ONLY;
	double size = n ? (double)(count / n) : 1;
	for (int64_t i = 0; i < count && centred; i++)
		s[group[i]] += v[i];
	for (int64_t k = 0; k < n; k++) /* once, so that the mean of equal numbers is that number */
		s[k] /= size;
	for (int64_t i = 0; i < count; i++) {
		v[i] -= s[group[i]];
		q[group[i]] += kind == L1 ? fabs(v[i]) : v[i] * v[i];
	}
	for (int64_t i = 0; i < count; i++) {
		double t = q[group[i]];
		switch (kind) {
		case STD:
			v[i] /= sqrt(t / size + eps);
			break;
		case STD_OUTSIDE:
			v[i] /= sqrt(t / size) + eps;
			break;
		case L2_ADD:
			v[i] /= sqrt(t + eps);
			break;
		case L2_MAX:
			v[i] /= sqrt(t > eps ? t : eps);
			break;
		case L1:
			v[i] = t == 0 ? 0 : v[i] / t;
			break;
		case L2:
			v[i] = t == 0 ? 0 : v[i] / sqrt(t);
			break;
		default:
			break;
		}
	}
	tarn_real_put(&e->out[0], 0, count, v);
done:
	tarn_mem_free(v);
	tarn_mem_free(s);
	tarn_mem_free(q);
	tarn_mem_free(group);
	return err;
}

/* y = u f(t), t the group's sum: f and its derivative. */
static void factor(int kind, double t, double size, double eps, double *f, double *df)
{
	double root = kind == STD ? sqrt(t / size + eps) : kind == STD_OUTSIDE ? sqrt(t / size) : 0, floor = t > eps ? t : eps;
	switch (kind) {
	case STD:
		*f = 1 / root;
		*df = -0.5 / (root * root * root * size);
		break;
	case STD_OUTSIDE:
		*f = 1 / (root + eps);
		*df = root > 0 ? -*f * *f / (2 * root * size) : 0;
		break;
	case L2_ADD:
		*f = 1 / sqrt(t + eps);
		*df = -0.5 * *f / (t + eps);
		break;
	case L2_MAX:
		*f = 1 / sqrt(floor);
		*df = t > eps ? -0.5 * *f / t : 0;
		break;
	case L1:
		*f = t == 0 ? 0 : 1 / t;
		*df = -*f * *f;
		break;
	case L2:
		*f = t == 0 ? 0 : 1 / sqrt(t);
		*df = t == 0 ? 0 : -0.5 * *f / t;
		break;
	default:
		*f = 1;
		*df = 0;
	}
}

/* du = dy f(t) + dt/du f'(t) (sum of dy u); about the mean: less its own mean. */
static tarn_err back(tarn_grad *g, unsigned mask, int kind, double eps)
{
	const tarn_tensor *x = g->in[0];
	int64_t count = tarn_tensor_count(x), n, *group = NULL;
	bool centred = kind <= MEAN_ONLY;
	double *v, *dy, *s, *t, *dot, f, df;
	if (!tarn_grad_wants(g, 0) || !count)
		return TARN_OK;
	TRY(tarn_grad_load(g, x, &v));
	TRY(tarn_grad_load(g, &g->dout[0], &dy));
	TRY(groups_of(x, mask, &group, &n));
	tarn_err err;
	TRY_GOTO(out, tarn_grad_zeros(g, n, &s));
	TRY_GOTO(out, tarn_grad_zeros(g, n, &t));
	TRY_GOTO(out, tarn_grad_zeros(g, n, &dot));
	double size = (double)(count / n);
	for (int64_t i = 0; i < count && centred; i++)
		s[group[i]] += v[i] / size;
	for (int64_t i = 0; i < count; i++) {
		v[i] -= s[group[i]];
		t[group[i]] += kind == L1 ? fabs(v[i]) : v[i] * v[i];
		dot[group[i]] += dy[i] * v[i];
	}
	for (int64_t i = 0; i < n; i++)
		s[i] = 0;
	for (int64_t i = 0; i < count; i++) {
		int64_t k = group[i];
		factor(kind, t[k], size, eps, &f, &df);
		dy[i] = dy[i] * f + (kind == L1 ? (v[i] > 0) - (v[i] < 0) : 2 * v[i]) * df * dot[k];
		s[k] += dy[i] / size;
	}
	for (int64_t i = 0; i < count && centred; i++)
		dy[i] -= s[group[i]];
	tarn_grad_add(&g->din[0], dy);
out:
	tarn_mem_free(group);
	return err;
}

/* ---- ONNX: MeanVarianceNormalization, axes [0,2,3], 1e-9 added to the deviation ---- */

static const tarn_attr_def mean_variance_attr[] = {{"axes", TARN_ATTR_INTS}};

static tarn_err mean_variance_mask(const tarn_node *n, int rank, unsigned *mask)
{
	static const int64_t usual[] = {0, 2, 3};
	const tarn_attr *a = &n->attr[0];
	return mask_of(a->set ? a->ints.at : usual, a->set ? a->ints.n : 3, rank, mask);
}

static tarn_err eval_mean_variance(tarn_eval *e)
{
	unsigned mask;
	TRY(mean_variance_mask(e->node, e->in[0]->rank, &mask));
	return run(e, mask, STD_OUTSIDE, 1e-9);
}

static tarn_err grad_mean_variance(tarn_grad *g)
{
	unsigned mask;
	TRY(mean_variance_mask(g->node, g->in[0]->rank, &mask));
	return back(g, mask, STD_OUTSIDE, 1e-9);
}

static void pad_mean_variance(tarn_pad *p)
{
	const tarn_attr *a = &p->node->attr[0];
	tarn_pad_listed(p, 0, TARN_PAD_UNSAFE);
	if (!a->set && p->axis != 1)
		p->need = TARN_PAD_UNSAFE;
	p->why = "it normalises over the padded axis";
}

const tarn_op_def tarn_op_mean_variance_normalization = {
	.name = "MeanVarianceNormalization",
	.onnx_since = 9,
	.min_in = 1,
	.max_in = 1,
	.min_out = 1,
	.max_out = 1,
	.attr = mean_variance_attr,
	.n_attr = 1,
	.infer = infer_same,
	.eval = eval_mean_variance,
	.grad = grad_mean_variance,
	.pad = pad_mean_variance,
	.cost = tarn_cost_out,
	.quant = QUANT(TARN_QUANT_INPUTS),
};

/* ---- OpenVINO: MVN ---- */

enum { NORMALIZE_VARIANCE, EPS, EPS_MODE };
static const tarn_attr_def mvn_attr[] = {{"normalize_variance", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 1},
					 {"eps", TARN_ATTR_FLOAT, TARN_ATTR_DEFAULT, 1e-9},
					 {"eps_mode", TARN_ATTR_ENUM, TARN_ATTR_DEFAULT, 0, "inside_sqrt|outside_sqrt"}};

static int mvn_kind(const tarn_node *n)
{
	return !tarn_attr_i(n, NORMALIZE_VARIANCE) ? MEAN_ONLY : tarn_attr_i(n, EPS_MODE) ? STD_OUTSIDE : STD;
}

static tarn_err eval_mvn(tarn_eval *e)
{
	unsigned mask;
	TRY(input_mask(e->in, &mask));
	return run(e, mask, mvn_kind(e->node), tarn_attr_f(e->node, EPS));
}

static tarn_err grad_mvn(tarn_grad *g)
{
	unsigned mask;
	TRY(input_mask(g->in, &mask));
	return back(g, mask, mvn_kind(g->node), tarn_attr_f(g->node, EPS));
}

static void pad_mvn(tarn_pad *p)
{
	tarn_pad_listed(p, 1, TARN_PAD_UNSAFE);
	p->why = "it normalises over the padded axis";
}

const tarn_op_def tarn_op_mvn = {
	.name = "MVN",
	.ir = "MVN",
	.min_in = 2,
	.max_in = 2,
	.min_out = 1,
	.max_out = 1,
	.attr = mvn_attr,
	.n_attr = 3,
	.infer = infer_same,
	.eval = eval_mvn,
	.grad = grad_mvn,
	.pad = pad_mvn,
	.cost = tarn_cost_out,
	.quant = QUANT(TARN_QUANT_INPUTS),
};

/* ---- OpenVINO: NormalizeL2 ---- */

enum { L2_EPS, L2_EPS_MODE };
static const tarn_attr_def l2_attr[] = {{"eps", TARN_ATTR_FLOAT, TARN_ATTR_REQUIRED},
					{"eps_mode", TARN_ATTR_ENUM, TARN_ATTR_DEFAULT, 0, "add|max"}};

static tarn_err eval_l2(tarn_eval *e)
{
	unsigned mask;
	TRY(input_mask(e->in, &mask));
	return run(e, mask, tarn_attr_i(e->node, L2_EPS_MODE) ? L2_MAX : L2_ADD, tarn_attr_f(e->node, L2_EPS));
}

static tarn_err grad_l2(tarn_grad *g)
{
	unsigned mask;
	TRY(input_mask(g->in, &mask));
	return back(g, mask, tarn_attr_i(g->node, L2_EPS_MODE) ? L2_MAX : L2_ADD, tarn_attr_f(g->node, L2_EPS));
}

static void pad_l2(tarn_pad *p)
{
	tarn_pad_listed(p, 1, TARN_PAD_ZERO);
}

const tarn_op_def tarn_op_normalize_l2 = {
	.name = "NormalizeL2",
	.ir = "NormalizeL2",
	.min_in = 2,
	.max_in = 2,
	.min_out = 1,
	.max_out = 1,
	.attr = l2_attr,
	.n_attr = 2,
	.infer = infer_same,
	.eval = eval_l2,
	.grad = grad_l2,
	.pad = pad_l2,
	.cost = tarn_cost_out,
	.quant = QUANT(TARN_QUANT_INPUTS),
};

/* ---- ONNX: LpNormalization ---- */

enum { LP_AXIS, LP_P };
static const tarn_attr_def lp_attr[] = {{"axis", TARN_ATTR_INT, TARN_ATTR_DEFAULT, -1},
					{"p", TARN_ATTR_INT, TARN_ATTR_DEFAULT, 2}};

static tarn_err eval_lp(tarn_eval *e)
{
	int64_t axis = tarn_attr_i(e->node, LP_AXIS), p = tarn_attr_i(e->node, LP_P);
	unsigned mask;
	CHECK(p == 1 || p == 2, TARN_BAD_FILE, "p is %" PRId64 "; 1 or 2 is needed", p);
	TRY(mask_of(&axis, 1, e->in[0]->rank, &mask));
	return run(e, mask, p == 1 ? L1 : L2, 0);
}

static tarn_err grad_lp(tarn_grad *g)
{
	int64_t axis = tarn_attr_i(g->node, LP_AXIS);
	unsigned mask;
	TRY(mask_of(&axis, 1, g->in[0]->rank, &mask));
	return back(g, mask, tarn_attr_i(g->node, LP_P) == 1 ? L1 : L2, 0);
}

static void pad_lp(tarn_pad *p)
{
	tarn_pad_along(p, TARN_PAD_ZERO);
}

const tarn_op_def tarn_op_lp_normalization = {
	.name = "LpNormalization",
	.onnx_since = 1,
	.min_in = 1,
	.max_in = 1,
	.min_out = 1,
	.max_out = 1,
	.attr = lp_attr,
	.n_attr = 2,
	.infer = infer_same,
	.eval = eval_lp,
	.grad = grad_lp,
	.pad = pad_lp,
	.cost = tarn_cost_out,
	.quant = QUANT(TARN_QUANT_FLOAT),
};

/* ---- ONNX: LRN across channels: x / (bias + alpha/size * sum of squares) ^ beta ---- */

enum { ALPHA, BETA, BIAS, SIZE };
static const tarn_attr_def lrn_attr[] = {{"alpha", TARN_ATTR_FLOAT, TARN_ATTR_DEFAULT, 1e-4},
					 {"beta", TARN_ATTR_FLOAT, TARN_ATTR_DEFAULT, 0.75},
					 {"bias", TARN_ATTR_FLOAT, TARN_ATTR_DEFAULT, 1},
					 {"size", TARN_ATTR_INT, TARN_ATTR_REQUIRED}};

static tarn_err infer_lrn(tarn_infer *c)
{
	CHECK(tarn_attr_i(c->node, SIZE) >= 1, TARN_BAD_FILE, "size is %" PRId64 ", at least 1 is needed",
	      tarn_attr_i(c->node, SIZE));
	TRY(tarn_infer_rank(c, 0, 2, -1));
	return infer_same(c);
}

static tarn_err eval_lrn(tarn_eval *e)
{
	const tarn_tensor *x = e->in[0];
	int64_t count = tarn_tensor_count(x), channels = x->dim[1], size = tarn_attr_i(e->node, SIZE);
	int64_t area = count ? count / x->dim[0] / channels : 1;
	double *v, alpha = tarn_attr_f(e->node, ALPHA), beta = tarn_attr_f(e->node, BETA), bias = tarn_attr_f(e->node, BIAS);
	TRY(tarn_real_load(x, &v));
	for (int64_t i = 0; i < count; i++) {
		int64_t c = i / area % channels, lo = c - (size - 1) / 2, hi = c + size / 2;
		double sum = 0;
		for (int64_t k = lo < 0 ? 0 : lo; k <= hi && k < channels; k++)
			sum += v[i + (k - c) * area] * v[i + (k - c) * area];
		double y = v[i] / pow(bias + alpha / (double)size * sum, beta);
		tarn_real_put(&e->out[0], i, 1, &y);
	}
	tarn_mem_free(v);
	return TARN_OK;
}

/* With D the divisor before its power: dx_j = dy_j D_j^-beta - 2 alpha/size beta x_j (sum over the windows that j is in of
 * dy_i x_i D_i^(-beta-1)). */
static tarn_err grad_lrn(tarn_grad *g)
{
	const tarn_tensor *x = g->in[0];
	int64_t count = tarn_tensor_count(x), channels = x->dim[1], size = tarn_attr_i(g->node, SIZE);
	int64_t area = count ? count / x->dim[0] / channels : 1;
	double *v, *dy, *dx, beta = tarn_attr_f(g->node, BETA), scale = tarn_attr_f(g->node, ALPHA) / (double)size;
	if (!tarn_grad_wants(g, 0))
		return TARN_OK;
	TRY(tarn_grad_load(g, x, &v));
	TRY(tarn_grad_load(g, &g->dout[0], &dy));
	TRY(tarn_grad_zeros(g, count, &dx));
	for (int64_t i = 0; i < count; i++) {
		int64_t c = i / area % channels, lo = c - (size - 1) / 2, hi = c + size / 2;
		double d = tarn_attr_f(g->node, BIAS);
		lo = lo < 0 ? 0 : lo;
		hi = hi >= channels ? channels - 1 : hi;
		for (int64_t k = lo; k <= hi; k++)
			d += scale * v[i + (k - c) * area] * v[i + (k - c) * area];
		dx[i] += dy[i] * pow(d, -beta);
		for (int64_t k = lo; k <= hi; k++)
			dx[i + (k - c) * area] -= 2 * scale * beta * v[i + (k - c) * area] * dy[i] * v[i] * pow(d, -beta - 1);
	}
	tarn_grad_add(&g->din[0], dx);
	return TARN_OK;
}

static void pad_lrn(tarn_pad *p)
{
	p->need = p->axis == 1 ? TARN_PAD_ZERO : TARN_PAD_ANY;
}

const tarn_op_def tarn_op_lrn = {
	.name = "LRN",
	.onnx_since = 1,
	.min_in = 1,
	.max_in = 1,
	.min_out = 1,
	.max_out = 1,
	.attr = lrn_attr,
	.n_attr = 4,
	.infer = infer_lrn,
	.eval = eval_lrn,
	.grad = grad_lrn,
	.pad = pad_lrn,
	.cost = tarn_cost_out,
	.quant = QUANT(TARN_QUANT_FLOAT),
};
