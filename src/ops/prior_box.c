/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PriorBox and PriorBoxClustered (OpenVINO): inputs are the sizes [H, W] of a feature map and of the image; the output [2,
 * 4*H*W*n] has the boxes (x1, y1, x2, y2, relative to the image) and their variances.
 */
#include <inttypes.h>
#include <math.h>

#include "base/mem.h"
#include "ops/real.h"

enum {
	MIN_SIZE,
	MAX_SIZE,
	ASPECT,
	DENSITY,
	FIXED_SIZE,
	FIXED_RATIO,
	CLIP,
	FLIP,
	STEP,
	OFFSET,
	VARIANCE,
	SCALE_ALL,
	MIN_MAX_ORDER,
	N_PRIOR
};
static const tarn_attr_def prior_attr[] = {
	{"min_size", TARN_ATTR_FLOATS},
	{"max_size", TARN_ATTR_FLOATS},
	{"aspect_ratio", TARN_ATTR_FLOATS},
	{"density", TARN_ATTR_FLOATS},
	{"fixed_size", TARN_ATTR_FLOATS},
	{"fixed_ratio", TARN_ATTR_FLOATS},
	{"clip", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 0},
	{"flip", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 0},
	{"step", TARN_ATTR_FLOAT, TARN_ATTR_DEFAULT, 0},
	{"offset", TARN_ATTR_FLOAT, TARN_ATTR_DEFAULT, 0.5},
	{"variance", TARN_ATTR_FLOATS},
	{"scale_all_sizes", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 1},
	{"min_max_aspect_ratios_order", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 1},
};

enum { MAX_RATIOS = 64 };

static int length(const tarn_node *n, int a)
{
	return n->attr[a].set ? n->attr[a].floats.n : 0;
}

static double item(const tarn_node *n, int a, int i)
{
	return n->attr[a].floats.at[i];
}

/* Ratio 1, then those named (and with flip their inverses), each once. */
static tarn_err ratios_of(const tarn_node *n, double *ratio, int *count)
{
	bool flip = tarn_attr_i(n, FLIP);
	ratio[0] = 1;
	*count = 1;
	for (int i = 0; i < length(n, ASPECT); i++) {
		double r = item(n, ASPECT, i);
		bool known = false;
		CHECK(r > 0 && *count + 2 <= MAX_RATIOS, TARN_BAD_FILE, "aspect ratio %g (number %d)", r, i);
		for (int k = 0; k < *count; k++)
			known = known || fabs(ratio[k] - r) < 1e-6;
		if (known)
			continue;
		ratio[(*count)++] = r;
		if (flip)
			ratio[(*count)++] = 1 / r;
	}
	return TARN_OK;
}

static tarn_err priors(const tarn_node *n, int64_t *count)
{
	double ratio[MAX_RATIOS];
	int ratios;
	CHECK(!length(n, DENSITY) && !length(n, FIXED_SIZE) && !length(n, FIXED_RATIO), TARN_UNSUPPORTED,
	      "PriorBox with density, fixed_size or fixed_ratio");
	CHECK(length(n, MIN_SIZE) > 0, TARN_BAD_FILE, "min_size is missing");
	TRY(ratios_of(n, ratio, &ratios));
	*count = tarn_attr_i(n, SCALE_ALL) ? (int64_t)ratios * length(n, MIN_SIZE) + length(n, MAX_SIZE)
					   : (int64_t)ratios + length(n, MIN_SIZE) - 1;
	if (!tarn_attr_i(n, SCALE_ALL) && length(n, MAX_SIZE))
		*count += length(n, MAX_SIZE) < length(n, MIN_SIZE) ? length(n, MAX_SIZE) : length(n, MIN_SIZE);
	return TARN_OK;
}

static tarn_err infer_count(tarn_infer *c, int64_t count)
{
	tarn_dim size[2];
	int n;
	tarn_shape out = {.rank = 2, .dim = {2, 0}};
	for (int i = 0; i < 2; i++) {
		TRY(tarn_infer_rank(c, i, 1, 1));
		const tarn_shape *s = tarn_infer_shape(c, i);
		CHECK(!s || s->dim[0] < 0 || s->dim[0] == 2, TARN_SHAPE, "input %d has %" PRId64 " elements; 2 are needed", i,
		      s->dim[0]);
	}
	if (tarn_infer_dims(c, 0, size, 2, &n) && n == 2) {
		TRY(tarn_dim_op(c->syms, TARN_SYM_MUL, size[0], size[1], &out.dim[1]));
		TRY(tarn_dim_op(c->syms, TARN_SYM_MUL, out.dim[1], 4 * count, &out.dim[1]));
	} else {
		TRY(tarn_symtab_fresh(c->syms, 0, TARN_DIM_MAX, &out.dim[1]));
	}
	tarn_infer_out(c, 0, TARN_F32, &out);
	return TARN_OK;
}

static tarn_err infer_prior(tarn_infer *c)
{
	int64_t count;
	TRY(priors(c->node, &count));
	return infer_count(c, count);
}

typedef struct writer {
	float *at, *end;
	double x, y, w, h; /* centre, image */
} writer;

static void put(writer *o, double width, double height)
{
	if (o->at + 4 > o->end)
		return;
	*o->at++ = (float)((o->x - width / 2) / o->w);
	*o->at++ = (float)((o->y - height / 2) / o->h);
	*o->at++ = (float)((o->x + width / 2) / o->w);
	*o->at++ = (float)((o->y + height / 2) / o->h);
}

/* The boxes around one centre. */
static void prior_cell(const tarn_node *n, const double *ratio, int ratios, writer *o)
{
	bool all = tarn_attr_i(n, SCALE_ALL), max_first = tarn_attr_i(n, MIN_MAX_ORDER);
	int sizes = length(n, MIN_SIZE);
	for (int m = 0; m < sizes; m++) {
		double min = item(n, MIN_SIZE, m), base = item(n, MIN_SIZE, all ? m : 0);
		put(o, min, min);
		for (int part = 0; part < 2; part++) {
			if ((part == 0) == max_first) {
				if (m < length(n, MAX_SIZE)) {
					double side = sqrt(min * item(n, MAX_SIZE, m));
					put(o, side, side);
				}
			} else if (all || m == sizes - 1) {
				for (int r = 1; r < ratios; r++)
					put(o, base * sqrt(ratio[r]), base / sqrt(ratio[r]));
			}
		}
	}
}

/* Clipping, and the row of variances. */
static tarn_err finish(tarn_eval *e, int clip, int variance)
{
	float *v = e->out[0].data;
	int64_t count = e->out[0].dim[1];
	int n = length(e->node, variance);
	CHECK(n == 0 || n == 1 || n == 4, TARN_BAD_FILE, "%d variances; 1 or 4 are needed", n);
	for (int64_t i = 0; i < count; i++) {
		if (tarn_attr_i(e->node, clip))
			v[i] = v[i] < 0 ? 0 : v[i] > 1 ? 1 : v[i];
		v[count + i] = (float)(n ? item(e->node, variance, n == 1 ? 0 : (int)(i % 4)) : 0.1);
	}
	return TARN_OK;
}

static tarn_err eval_prior(tarn_eval *e)
{
	const tarn_node *n = e->node;
	double ratio[MAX_RATIOS], step = tarn_attr_f(n, STEP), offset = step == 0 ? 0.5 : tarn_attr_f(n, OFFSET);
	int ratios;
	TRY(ratios_of(n, ratio, &ratios));
	int64_t h = tarn_tensor_i64(e->in[0], 0), w = tarn_tensor_i64(e->in[0], 1);
	writer o = {.at = e->out[0].data, .w = tarn_tensor_f64(e->in[1], 1), .h = tarn_tensor_f64(e->in[1], 0)};
	o.end = o.at + e->out[0].dim[1];
	for (int64_t i = 0; i < h * w; i++) {
		o.x = ((double)(i % w) + offset) * (step == 0 ? o.w / (double)w : step);
		o.y = ((double)(i / w) + offset) * (step == 0 ? o.h / (double)h : step);
		prior_cell(n, ratio, ratios, &o);
	}
	CHECK(o.at == o.end, TARN_INTERNAL, "the boxes do not fill the output");
	return finish(e, CLIP, VARIANCE);
}

const tarn_op_def tarn_op_prior_box = {
	.name = "PriorBox",
	.ir = "PriorBox",
	.min_in = 2,
	.max_in = 2,
	.min_out = 1,
	.max_out = 1,
	.attr = prior_attr,
	.n_attr = N_PRIOR,
	.flags = TARN_OP_FLAT,
	.infer = infer_prior,
	.eval = eval_prior,
	.cost = tarn_cost_out,
	.quant = {.kind = TARN_QUANT_FLOAT, .weight = -1, .bias = -1},
};

/* ---- PriorBoxClustered: boxes of given widths and heights ---- */

enum { C_WIDTH, C_HEIGHT, C_CLIP, C_STEP, C_STEP_W, C_STEP_H, C_OFFSET, C_VARIANCE, N_CLUSTERED };
static const tarn_attr_def clustered_attr[] = {
	{"width", TARN_ATTR_FLOATS},
	{"height", TARN_ATTR_FLOATS},
	{"clip", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 0},
	{"step", TARN_ATTR_FLOAT, TARN_ATTR_DEFAULT, 0},
	{"step_w", TARN_ATTR_FLOAT, TARN_ATTR_DEFAULT, 0},
	{"step_h", TARN_ATTR_FLOAT, TARN_ATTR_DEFAULT, 0},
	{"offset", TARN_ATTR_FLOAT, TARN_ATTR_DEFAULT, 0},
	{"variance", TARN_ATTR_FLOATS},
};

static tarn_err infer_clustered(tarn_infer *c)
{
	int n = length(c->node, C_WIDTH);
	CHECK(n == length(c->node, C_HEIGHT), TARN_BAD_FILE, "%d widths and %d heights", n, length(c->node, C_HEIGHT));
	return infer_count(c, n);
}

static tarn_err eval_clustered(tarn_eval *e)
{
	const tarn_node *n = e->node;
	int64_t h = tarn_tensor_i64(e->in[0], 0), w = tarn_tensor_i64(e->in[0], 1);
	writer o = {.at = e->out[0].data, .w = tarn_tensor_f64(e->in[1], 1), .h = tarn_tensor_f64(e->in[1], 0)};
	o.end = o.at + e->out[0].dim[1];
	double step = tarn_attr_f(n, C_STEP), sw = tarn_attr_f(n, C_STEP_W), sh = tarn_attr_f(n, C_STEP_H);
	if (sw == 0 && sh == 0) {
		sw = step != 0 ? step : o.w / (double)w;
		sh = step != 0 ? step : o.h / (double)h;
	}
	for (int64_t i = 0; i < h * w; i++) {
		o.x = ((double)(i % w) + tarn_attr_f(n, C_OFFSET)) * sw;
		o.y = ((double)(i / w) + tarn_attr_f(n, C_OFFSET)) * sh;
		for (int k = 0; k < length(n, C_WIDTH); k++)
			put(&o, item(n, C_WIDTH, k), item(n, C_HEIGHT, k));
	}
	return finish(e, C_CLIP, C_VARIANCE);
}

const tarn_op_def tarn_op_prior_box_clustered = {
	.name = "PriorBoxClustered",
	.ir = "PriorBoxClustered",
	.min_in = 2,
	.max_in = 2,
	.min_out = 1,
	.max_out = 1,
	.attr = clustered_attr,
	.n_attr = N_CLUSTERED,
	.flags = TARN_OP_FLAT,
	.infer = infer_clustered,
	.eval = eval_clustered,
	.cost = tarn_cost_out,
	.quant = {.kind = TARN_QUANT_FLOAT, .weight = -1, .bias = -1},
};
