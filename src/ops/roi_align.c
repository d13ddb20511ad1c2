/* SPDX-License-Identifier: Apache-2.0 */
/* RoiAlign: X [N,C,H,W], rois [R,4] (x1,y1,x2,y2), batch_indices [R] -> [R,C,output_height,output_width]. */
#include <inttypes.h>
#include <math.h>

#include "base/mem.h"
#include "ops/real.h"

enum { COORDINATES, MODE, HEIGHT, WIDTH, RATIO, SCALE, N_ATTR };
static const tarn_attr_def attr[] = {
	{"coordinate_transformation_mode", TARN_ATTR_ENUM, TARN_ATTR_DEFAULT, 0, "half_pixel|output_half_pixel"},
	{"mode", TARN_ATTR_ENUM, TARN_ATTR_DEFAULT, 0, "avg|max"},
	{"output_height", TARN_ATTR_INT, TARN_ATTR_DEFAULT, 1},
	{"output_width", TARN_ATTR_INT, TARN_ATTR_DEFAULT, 1},
	{"sampling_ratio", TARN_ATTR_INT, TARN_ATTR_DEFAULT, 0},
	{"spatial_scale", TARN_ATTR_FLOAT, TARN_ATTR_DEFAULT, 1},
};

static tarn_err import(const tarn_import *src)
{
	return src->onnx && src->opset < 16 ? tarn_attr_set_i(src->node, COORDINATES, 1) : TARN_OK;
}

static tarn_err infer(tarn_infer *c)
{
	const tarn_shape *x = tarn_infer_shape(c, 0), *r = tarn_infer_shape(c, 1);
	int64_t h = tarn_attr_i(c->node, HEIGHT), w = tarn_attr_i(c->node, WIDTH);
	TRY(tarn_infer_rank(c, 0, 4, 4));
	TRY(tarn_infer_rank(c, 1, 2, 2));
	TRY(tarn_infer_rank(c, 2, 1, 1));
	TRY(tarn_infer_class(c, 0, TARN_CLS_F));
	CHECK(!r || r->dim[1] < 0 || r->dim[1] == 4, TARN_SHAPE, "a region has %" PRId64 " numbers; 4 are needed", r->dim[1]);
	CHECK(h > 0 && w > 0 && h < 1 << 20 && w < 1 << 20, TARN_SHAPE, "output of %" PRId64 " x %" PRId64, h, w);
	tarn_shape out = {.rank = 4, .dim = {0, 0, h, w}};
	for (int i = 0; i < 2; i++) {
		const tarn_shape *s = i ? x : r;
		if (s)
			out.dim[i] = s->dim[i];
		else
			TRY(tarn_symtab_fresh(c->syms, 0, TARN_DIM_MAX, &out.dim[i]));
	}
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), &out);
	return TARN_OK;
}

/* Bilinear value at (y, x); 0 beyond one pixel outside. */
static double bilinear(const double *p, int64_t h, int64_t w, double y, double x)
{
	if (!(y >= -1 && y <= (double)h && x >= -1 && x <= (double)w))
		return 0;
	y = fmin(fmax(y, 0), (double)(h - 1));
	x = fmin(fmax(x, 0), (double)(w - 1));
	int64_t y0 = (int64_t)y, x0 = (int64_t)x, y1 = y0 + 1 < h ? y0 + 1 : y0, x1 = x0 + 1 < w ? x0 + 1 : x0;
	double fy = y - (double)y0, fx = x - (double)x0;
	return (1 - fy) * ((1 - fx) * p[y0 * w + x0] + fx * p[y0 * w + x1]) +
	       fy * ((1 - fx) * p[y1 * w + x0] + fx * p[y1 * w + x1]);
}

typedef struct region {
	double x, y, bin_w, bin_h;
	int64_t grid_w, grid_h;
} region;

static tarn_err region_of(const tarn_node *n, const double *roi, region *r)
{
	double scale = tarn_attr_f(n, SCALE), shift = tarn_attr_i(n, COORDINATES) ? 0 : 0.5;
	int64_t ratio = tarn_attr_i(n, RATIO);
	CHECK(ratio <= 4096, TARN_SHAPE, "sampling_ratio %" PRId64 " is too large", ratio);
	r->x = roi[0] * scale - shift;
	r->y = roi[1] * scale - shift;
	double w = roi[2] * scale - shift - r->x, h = roi[3] * scale - shift - r->y;
	if (shift == 0) { /* the older rule: at least one pixel */
		w = fmax(w, 1);
		h = fmax(h, 1);
	}
	r->bin_w = w / (double)tarn_attr_i(n, WIDTH);
	r->bin_h = h / (double)tarn_attr_i(n, HEIGHT);
	CHECK(fabs(r->bin_w) < 1e4 && fabs(r->bin_h) < 1e4, TARN_SHAPE, "a region of %g x %g pixels is too large", w, h);
	r->grid_w = ratio > 0 ? ratio : (int64_t)ceil(r->bin_w);
	r->grid_h = ratio > 0 ? ratio : (int64_t)ceil(r->bin_h);
	return TARN_OK;
}

static double bin(const double *plane, int64_t h, int64_t w, const region *r, int64_t by, int64_t bx, bool max)
{
	double acc = max ? -INFINITY : 0;
	for (int64_t i = 0; i < r->grid_h; i++)
		for (int64_t j = 0; j < r->grid_w; j++) {
			double y = r->y + ((double)by + ((double)i + 0.5) / (double)r->grid_h) * r->bin_h;
			double x = r->x + ((double)bx + ((double)j + 0.5) / (double)r->grid_w) * r->bin_w;
			double v = bilinear(plane, h, w, y, x);
			acc = max ? fmax(acc, v) : acc + v;
		}
	double n = (double)(r->grid_h * r->grid_w);
	return r->grid_h <= 0 || r->grid_w <= 0 ? 0 : max ? acc : acc / n;
}

static tarn_err eval(tarn_eval *e)
{
	const tarn_tensor *x = e->in[0], *rois = e->in[1];
	tarn_tensor *out = &e->out[0];
	int64_t channels = x->dim[1], h = x->dim[2], w = x->dim[3], oh = out->dim[2], ow = out->dim[3], at = 0;
	double *vx = NULL, *vr = NULL;
	tarn_err err;
	CHECK(h > 0 && w > 0, TARN_SHAPE, "the input has no elements to sample");
	CHECK(tarn_tensor_count(e->in[2]) == rois->dim[0], TARN_SHAPE, "%" PRId64 " batch indices for %" PRId64 " regions",
	      tarn_tensor_count(e->in[2]), rois->dim[0]);
	TRY_GOTO(done, tarn_real_load(x, &vx));
	TRY_GOTO(done, tarn_real_load(rois, &vr));
	for (int64_t r = 0; r < rois->dim[0]; r++) {
		int64_t b = tarn_tensor_i64(e->in[2], r);
		region g = {0};
		CHECK_GOTO(done, b >= 0 && b < x->dim[0], TARN_SHAPE, "batch index %" PRId64 " of %" PRId64, b, x->dim[0]);
		TRY_GOTO(done, region_of(e->node, vr + 4 * r, &g));
		for (int64_t c = 0; c < channels; c++)
			for (int64_t i = 0; i < oh * ow; i++) {
				double v = bin(vx + (b * channels + c) * h * w, h, w, &g, i / ow, i % ow,
					       tarn_attr_i(e->node, MODE));
				tarn_real_put(out, at++, 1, &v);
			}
	}
done:
	tarn_mem_free(vx);
	tarn_mem_free(vr);
	return err;
}

const tarn_op_def tarn_op_roi_align = {
	.name = "RoiAlign",
	.onnx_since = 10,
	.min_in = 3,
	.max_in = 3,
	.min_out = 1,
	.max_out = 1,
	.attr = attr,
	.n_attr = N_ATTR,
	.import = import,
	.infer = infer,
	.eval = eval,
	.cost = tarn_cost_out,
	.quant = {.kind = TARN_QUANT_FLOAT, .weight = -1, .bias = -1},
};
