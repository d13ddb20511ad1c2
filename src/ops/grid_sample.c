/* SPDX-License-Identifier: Apache-2.0 */
/* GridSample over 2 (or, since opset 20, 3) spatial axes: x [N,C,..], grid [N,..,d] of coordinates in [-1, 1], last axis first.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "ops/grad.h"

enum { ALIGN, MODE, PADDING };
static const tarn_attr_def attr[] = {
	{"align_corners", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 0},
	{"mode", TARN_ATTR_ENUM, TARN_ATTR_DEFAULT, 0, "bilinear|nearest|bicubic|linear|cubic"},
	{"padding_mode", TARN_ATTR_ENUM, TARN_ATTR_DEFAULT, 0, "zeros|border|reflection"},
};
enum { ZEROS, BORDER, REFLECTION };

/* The words of opset 20 to those before. */
static tarn_err import(const tarn_import *src)
{
	int64_t mode = tarn_attr_i(src->node, MODE);
	return tarn_attr_set_i(src->node, MODE, mode == 3 ? 0 : mode == 4 ? 2 : mode);
}

static tarn_err infer(tarn_infer *c)
{
	const tarn_shape *x = tarn_infer_shape(c, 0), *g = tarn_infer_shape(c, 1);
	TRY(tarn_infer_rank(c, 0, 4, 5));
	TRY(tarn_infer_rank(c, 1, 4, 5));
	TRY(tarn_infer_class(c, 0, TARN_CLS_NUM));
	TRY(tarn_infer_class(c, 1, TARN_CLS_F));
	if (!x || !g) {
		tarn_infer_out(c, 0, tarn_infer_type(c, 0), NULL);
		return TARN_OK;
	}
	tarn_dim last = g->dim[g->rank - 1];
	CHECK(x->rank == g->rank && (last < 0 || last == x->rank - 2), TARN_SHAPE,
	      "a grid of rank %d with %" PRId64 " coordinates for an input of rank %d", g->rank, last, x->rank);
	CHECK(x->dim[0] < 0 || g->dim[0] < 0 || x->dim[0] == g->dim[0], TARN_SHAPE,
	      "the input has batch %" PRId64 ", the grid %" PRId64, x->dim[0], g->dim[0]);
	CHECK(x->rank == 4 || tarn_attr_i(c->node, MODE) != 2, TARN_UNSUPPORTED, "cubic sampling over three axes");
	tarn_shape out = {.rank = x->rank, .dim = {x->dim[0], x->dim[1]}};
	for (int i = 2; i < x->rank; i++)
		out.dim[i] = g->dim[i - 1];
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), &out);
	return TARN_OK;
}

static double reflect(double x, double lo, double hi)
{
	double range = hi - lo;
	if (range <= 0)
		return lo;
	double t = fmod(fabs(x - lo), 2 * range);
	return lo + (t > range ? 2 * range - t : t);
}

/* Its derivative. */
static double reflected(double x, double lo, double hi)
{
	double range = hi - lo;
	if (range <= 0)
		return 0;
	return (fmod(fabs(x - lo), 2 * range) > range) == (x < lo) ? 1 : -1;
}

/* Weighted positions along one axis; -1: a zero from outside. slope: how each weight changes with the coordinate. */
typedef struct taps {
	int n;
	int64_t at[4];
	double w[4], slope[4];
} taps;

typedef struct rule {
	int mode, padding;
	bool align;
} rule;

static int64_t place(const rule *r, double at, int64_t size)
{
	if (at >= 0 && at <= (double)(size - 1))
		return (int64_t)at;
	if (r->padding == ZEROS || isnan(at))
		return -1;
	if (r->padding == REFLECTION)
		at = reflect(at, r->align ? 0 : -0.5, (double)size - (r->align ? 1 : 0.5));
	return at < 0 ? 0 : at > (double)(size - 1) ? size - 1 : (int64_t)at;
}

/* Keys' kernel with a = -0.75. */
static double cubic(double d)
{
	const double a = -0.75;
	d = fabs(d);
	return d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

static double cubic_slope(double d)
{
	const double a = -0.75, x = fabs(d);
	double s = x <= 1 ? (3 * (a + 2) * x - 2 * (a + 3)) * x : x < 2 ? (3 * a * x - 10 * a) * x + 8 * a : 0;
	return d < 0 ? -s : s;
}

static taps taps_of(const rule *r, double grid, int64_t size)
{
	double n = (double)size, x = r->align ? (grid + 1) / 2 * (n - 1) : ((grid + 1) * n - 1) / 2;
	double lo = r->align ? 0 : -0.5, hi = r->align ? n - 1 : n - 0.5;
	double by = r->mode == 1 ? 0 : r->align ? (n - 1) / 2 : n / 2; /* of x by the coordinate */
	taps t = {0};
	if (r->mode == 1)
		x = rint(x);
	/* A cubic is not held at the border: only the elements that it weighs are (as PyTorch and ONNX Runtime do). */
	if ((x < lo || x > hi) && !(r->mode == 2 && r->padding == BORDER)) {
		double was = x;
		if (r->padding == BORDER)
			x = fmin(fmax(x, 0), n - 1);
		else if (r->padding == REFLECTION)
			x = reflect(x, lo, hi);
		by *= r->padding == BORDER ? 0 : r->padding == REFLECTION ? reflected(was, lo, hi) : 1;
	}
	double base = r->mode == 1 ? rint(x) : floor(x);
	int first = r->mode == 2 ? -1 : 0, last = r->mode == 2 ? 2 : r->mode == 1 ? 0 : 1;
	for (int k = first; k <= last; k++) {
		double d = base + k - x;
		t.at[t.n] = place(r, base + k, size);
		t.slope[t.n] = -by * (r->mode == 2 ? cubic_slope(d) : k ? -1 : 1);
		t.w[t.n++] = r->mode == 1 ? 1 : r->mode == 2 ? cubic(d) : 1 - fabs(d);
	}
	return t;
}

static double sample(const double *plane, const int64_t size[3], const taps t[3])
{
	double sum = 0;
	for (int a = 0; a < t[0].n; a++)
		for (int b = 0; b < t[1].n; b++)
			for (int c = 0; c < t[2].n; c++)
				if (t[0].at[a] >= 0 && t[1].at[b] >= 0 && t[2].at[c] >= 0)
					sum += t[0].w[a] * t[1].w[b] * t[2].w[c] *
					       plane[(t[0].at[a] * size[1] + t[1].at[b]) * size[2] + t[2].at[c]];
	return sum;
}

/* What the loops of both directions need. */
typedef struct plan {
	rule r;
	int nd;
	int64_t size[3], channels, points, area;
} plan;

static plan plan_of(const tarn_node *n, const tarn_tensor *x, const tarn_tensor *y)
{
	plan p = {.r = {(int)tarn_attr_i(n, MODE), (int)tarn_attr_i(n, PADDING), tarn_attr_i(n, ALIGN)},
		  .nd = x->rank - 2,
		  .size = {1, 1, 1},
		  .channels = x->dim[1],
		  .points = tarn_elem_product(y->dim, 2, y->rank)};
	memcpy(p.size + 3 - p.nd, x->dim + 2, (size_t)p.nd * sizeof *p.size);
	p.area = p.size[0] * p.size[1] * p.size[2];
	return p;
}

/* at: the coordinates of one point, x before y before z. */
static void point_taps(const plan *p, const double *at, taps t[3])
{
	for (int i = 0; i < 3; i++)
		t[i] = (taps){.n = 1, .w = {1}};
	for (int i = 0; i < p->nd; i++)
		t[2 - i] = taps_of(&p->r, at[i], p->size[2 - i]);
}

static tarn_err eval(tarn_eval *e)
{
	const tarn_tensor *x = e->in[0], *grid = e->in[1];
	tarn_tensor *y = &e->out[0];
	plan q = plan_of(e->node, x, y);
	double *vx = NULL, *vg = NULL;
	tarn_err err;
	CHECK(q.area > 0 || !tarn_tensor_count(y), TARN_SHAPE, "the input has no elements to sample");
	TRY_GOTO(done, tarn_real_load(x, &vx));
	TRY_GOTO(done, tarn_real_load(grid, &vg));
	for (int64_t n = 0; n < x->dim[0]; n++)
		for (int64_t p = 0; p < q.points; p++) {
			taps t[3];
			point_taps(&q, vg + (n * q.points + p) * q.nd, t);
			for (int64_t c = 0; c < q.channels; c++) {
				double v = sample(vx + (n * q.channels + c) * q.area, q.size, t);
				tarn_real_put(y, (n * q.channels + c) * q.points + p, 1, &v);
			}
		}
done:
	tarn_mem_free(vx);
	tarn_mem_free(vg);
	return err;
}

/* dy of one point in one plane, to the plane's elements and to the three coordinates (z, y, x). */
static void sample_back(const double *plane, const int64_t size[3], const taps t[3], double dy, double *dplane, double d[3])
{
	for (int a = 0; a < t[0].n; a++)
		for (int b = 0; b < t[1].n; b++)
			for (int c = 0; c < t[2].n; c++) {
				if (t[0].at[a] < 0 || t[1].at[b] < 0 || t[2].at[c] < 0)
					continue;
				int64_t i = (t[0].at[a] * size[1] + t[1].at[b]) * size[2] + t[2].at[c];
				dplane[i] += dy * t[0].w[a] * t[1].w[b] * t[2].w[c];
				d[0] += dy * plane[i] * t[0].slope[a] * t[1].w[b] * t[2].w[c];
				d[1] += dy * plane[i] * t[0].w[a] * t[1].slope[b] * t[2].w[c];
				d[2] += dy * plane[i] * t[0].w[a] * t[1].w[b] * t[2].slope[c];
			}
}

static tarn_err grad(tarn_grad *g)
{
	const tarn_tensor *x = g->in[0];
	plan q = plan_of(g->node, x, &g->dout[0]);
	double *vx, *vg, *dy, *dx, *dg;
	TRY(tarn_grad_load(g, x, &vx));
	TRY(tarn_grad_load(g, g->in[1], &vg));
	TRY(tarn_grad_load(g, &g->dout[0], &dy));
	TRY(tarn_grad_zeros(g, tarn_tensor_count(x), &dx));
	TRY(tarn_grad_zeros(g, tarn_tensor_count(g->in[1]), &dg));
	for (int64_t n = 0; n < x->dim[0]; n++)
		for (int64_t p = 0; p < q.points; p++) {
			taps t[3];
			double d[3] = {0};
			point_taps(&q, vg + (n * q.points + p) * q.nd, t);
			for (int64_t c = 0; c < q.channels; c++) {
				int64_t plane = n * q.channels + c;
				sample_back(vx + plane * q.area, q.size, t, dy[plane * q.points + p], dx + plane * q.area, d);
			}
			for (int i = 0; i < q.nd; i++)
				dg[(n * q.points + p) * q.nd + i] = d[2 - i];
		}
	if (tarn_grad_wants(g, 0))
		tarn_grad_add(&g->din[0], dx);
	if (tarn_grad_wants(g, 1))
		tarn_grad_add(&g->din[1], dg);
	return TARN_OK;
}

/* Coordinates are fractions of the size. */
static void pad_sample(tarn_pad *p)
{
	const tarn_node *n = p->node;
	int64_t mode = tarn_attr_i(n, MODE), border = tarn_attr_i(n, PADDING);
	bool nearest = mode == 1, reflection = border == REFLECTION;
	p->need = TARN_PAD_ANY;
	if (p->input || p->axis < 2) {
		if (p->input && p->axis == n->in[1]->shape.rank - 1)
			p->need = TARN_PAD_UNSAFE;
		p->why = "how many coordinates a point has cannot vary";
		return;
	}
	p->need = nearest || reflection ? TARN_PAD_UNSAFE : TARN_PAD_PLACE;
	p->why = nearest      ? "which element is nearest may hang on the last bit of a coordinate; sample with mode linear"
		 : reflection ? "it reflects at the border of the padding; sample with padding_mode border or zeros"
			      : "its coordinates are fractions of the size";
}

const tarn_op_def tarn_op_grid_sample = {
	.name = "GridSample",
	.onnx_since = 16,
	.min_in = 2,
	.max_in = 2,
	.min_out = 1,
	.max_out = 1,
	.attr = attr,
	.n_attr = 3,
	.import = import,
	.infer = infer,
	.eval = eval,
	.grad = grad,
	.pad = pad_sample,
	.cost = tarn_cost_out,
	.quant = {.kind = TARN_QUANT_FLOAT, .weight = -1, .bias = -1},
};
