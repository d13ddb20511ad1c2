/* SPDX-License-Identifier: Apache-2.0 */
/* GridSample over 2 (or, since opset 20, 3) spatial axes: x [N,C,..], grid [N,..,d] of coordinates in [-1, 1], last axis first.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "ops/real.h"

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

/* Weighted positions along one axis; -1: a zero from outside. */
typedef struct taps {
	int n;
	int64_t at[4];
	double w[4];
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

static taps taps_of(const rule *r, double grid, int64_t size)
{
	double n = (double)size, x = r->align ? (grid + 1) / 2 * (n - 1) : ((grid + 1) * n - 1) / 2;
	double lo = r->align ? 0 : -0.5, hi = r->align ? n - 1 : n - 0.5;
	taps t = {0};
	if (r->mode == 1)
		x = rint(x);
	if (x < lo || x > hi) {
		if (r->padding == BORDER)
			x = fmin(fmax(x, 0), n - 1);
		else if (r->padding == REFLECTION)
			x = reflect(x, lo, hi);
	}
	double base = r->mode == 1 ? rint(x) : floor(x);
	int first = r->mode == 2 ? -1 : 0, last = r->mode == 2 ? 2 : r->mode == 1 ? 0 : 1;
	for (int k = first; k <= last; k++) {
		double d = base + k - x;
		t.at[t.n] = place(r, base + k, size);
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

static tarn_err eval(tarn_eval *e)
{
	const tarn_tensor *x = e->in[0], *grid = e->in[1];
	tarn_tensor *y = &e->out[0];
	rule r = {(int)tarn_attr_i(e->node, MODE), (int)tarn_attr_i(e->node, PADDING), tarn_attr_i(e->node, ALIGN)};
	int nd = x->rank - 2;
	int64_t size[3] = {1, 1, 1}, channels = x->dim[1], points = tarn_elem_product(y->dim, 2, y->rank);
	memcpy(size + 3 - nd, x->dim + 2, (size_t)nd * sizeof *size);
	int64_t area = size[0] * size[1] * size[2];
	double *vx = NULL, *vg = NULL;
	tarn_err err;
	CHECK(area > 0 || !tarn_tensor_count(y), TARN_SHAPE, "the input has no elements to sample");
	TRY_GOTO(done, tarn_real_load(x, &vx));
	TRY_GOTO(done, tarn_real_load(grid, &vg));
	for (int64_t n = 0; n < x->dim[0]; n++)
		for (int64_t p = 0; p < points; p++) {
			taps t[3] = {{.n = 1, .w = {1}}, {.n = 1, .w = {1}}, {.n = 1, .w = {1}}};
			const double *at = vg + (n * points + p) * nd; /* x before y before z */
			for (int i = 0; i < nd; i++)
				t[2 - i] = taps_of(&r, at[i], size[2 - i]);
			for (int64_t c = 0; c < channels; c++) {
				double v = sample(vx + (n * channels + c) * area, size, t);
				tarn_real_put(y, (n * channels + c) * points + p, 1, &v);
			}
		}
done:
	tarn_mem_free(vx);
	tarn_mem_free(vg);
	return err;
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
	.cost = tarn_cost_out,
	.quant = {.kind = TARN_QUANT_FLOAT, .weight = -1, .bias = -1},
};
