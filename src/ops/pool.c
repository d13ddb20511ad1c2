/* SPDX-License-Identifier: Apache-2.0 */
/* MaxPool, AveragePool, LpPool over 1 to 3 spatial axes. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "ops/grad.h"
#include "ops/padding.h"
#include "ops/window.h"

enum { CEIL = TARN_WINDOW_ATTRS, EXTRA };
static const tarn_attr_def max_attr[] = {TARN_WINDOW_SCHEMA,
					 {"ceil_mode", TARN_ATTR_INT, TARN_ATTR_DEFAULT, 0},
					 {"storage_order", TARN_ATTR_INT, TARN_ATTR_DEFAULT, 0}};
static const tarn_attr_def avg_attr[] = {TARN_WINDOW_SCHEMA,
					 {"ceil_mode", TARN_ATTR_INT, TARN_ATTR_DEFAULT, 0},
					 {"count_include_pad", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 0}};
static const tarn_attr_def lp_attr[] = {
	TARN_WINDOW_SCHEMA, {"ceil_mode", TARN_ATTR_INT, TARN_ATTR_DEFAULT, 0}, {"p", TARN_ATTR_INT, TARN_ATTR_DEFAULT, 2}};

static tarn_err infer(tarn_infer *c)
{
	const tarn_shape *x = tarn_infer_shape(c, 0);
	int64_t ceil_mode = tarn_attr_i(c->node, CEIL);
	TRY(tarn_infer_rank(c, 0, 3, 2 + TARN_WINDOW_MAX));
	CHECK(ceil_mode >= TARN_ROUND_FLOOR && ceil_mode <= TARN_ROUND_CEIL_ALL, TARN_BAD_FILE, "ceil_mode is %" PRId64,
	      ceil_mode);
	if (!x) {
		tarn_infer_out(c, 0, tarn_infer_type(c, 0), NULL);
		tarn_infer_out(c, 1, TARN_I64, NULL);
		return TARN_OK;
	}
	tarn_window w;
	tarn_shape out = *x;
	TRY(tarn_window_read(c->node, x->rank - 2, NULL, &w));
	for (int i = 2; i < x->rank; i++)
		TRY(tarn_window_out(c->syms, &w, i - 2, x->dim[i], (int)ceil_mode, &out.dim[i]));
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), &out);
	tarn_infer_out(c, 1, TARN_I64, &out);
	return TARN_OK;
}

static tarn_err infer_max(tarn_infer *c)
{
	TRY(tarn_infer_class(c, 0, TARN_CLS_NUM));
	return infer(c);
}

static tarn_err infer_float(tarn_infer *c)
{
	TRY(tarn_infer_class(c, 0, TARN_CLS_F));
	return infer(c);
}

/* Positions of one window along one axis: first in-range tap, step, count of in-range taps, taps within the padded input. */
typedef struct range {
	int64_t at, step, n, padded;
} range;

static range window_range(const tarn_window *w, int axis, int64_t size, int64_t o)
{
	int64_t start = o * w->stride[axis] - w->begin[axis], d = w->dilation[axis];
	range r = {.step = d};
	for (int64_t k = 0; k < w->kernel[axis]; k++) {
		int64_t p = start + k * d;
		r.padded += p < size + w->end[axis];
		if (p < 0 || p >= size)
			continue;
		if (!r.n++)
			r.at = p;
	}
	return r;
}

typedef struct pool {
	tarn_window w;
	int64_t in[TARN_WINDOW_MAX], out[TARN_WINDOW_MAX];
	enum { MAX, AVG, LP } kind;
	bool include_pad;
	double p;
} pool;

/* One window of the plane x; *best is the index of the maximum. */
static double window_value(const pool *q, const double *x, const range r[3], int64_t *best)
{
	double acc = q->kind == MAX ? -INFINITY : 0;
	*best = -1;
	for (int64_t a = 0; a < r[0].n; a++)
		for (int64_t b = 0; b < r[1].n; b++)
			for (int64_t c = 0; c < r[2].n; c++) {
				int64_t i = ((r[0].at + a * r[0].step) * q->in[1] + r[1].at + b * r[1].step) * q->in[2] +
					    r[2].at + c * r[2].step;
				double v = x[i];
				if (q->kind == MAX) {
					if (*best < 0 || v > acc || (isnan(v) && !isnan(acc))) {
						acc = v;
						*best = i;
					}
				} else {
					acc += q->kind == AVG ? v : pow(fabs(v), q->p);
				}
			}
	if (q->kind == LP)
		return pow(acc, 1 / q->p);
	if (q->kind == MAX)
		return acc;
	int64_t n = q->include_pad ? r[0].padded * r[1].padded * r[2].padded : r[0].n * r[1].n * r[2].n;
	return n ? acc / (double)n : 0;
}

/* ONNX's index of the maximum: over the whole tensor, the spatial part row or column major. */
static int64_t flat_index(const pool *q, int64_t plane, int64_t i, bool column_major)
{
	int64_t area = q->in[0] * q->in[1] * q->in[2];
	if (column_major && i >= 0) {
		int64_t w = i % q->in[2], h = i / q->in[2] % q->in[1], d = i / q->in[2] / q->in[1];
		i = d + q->in[0] * (h + q->in[1] * w);
	}
	return plane * area + i;
}

static tarn_err run(tarn_eval *e, pool *q, bool column_major)
{
	const tarn_tensor *x = e->in[0];
	tarn_tensor *y = &e->out[0], *index = tarn_eval_wants(e, 1) ? &e->out[1] : NULL;
	int nd = x->rank - 2;
	TRY(tarn_window_read(e->node, nd, NULL, &q->w));
	tarn_window_resolve(&q->w, x->dim + 2, y->dim + 2);
	memcpy(q->in, x->dim + 2, (size_t)nd * sizeof *q->in);
	memcpy(q->out, y->dim + 2, (size_t)nd * sizeof *q->out);
	tarn_window_widen(&q->w, q->in, q->out);
	int64_t area = q->in[0] * q->in[1] * q->in[2], to = q->out[0] * q->out[1] * q->out[2], at = 0;
	double *vx, *vy;
	TRY(tarn_real_load(x, &vx));
	tarn_err err = tarn_real_zeros(to, &vy);
	if (err != TARN_OK) {
		tarn_mem_free(vx);
		return err;
	}
	for (int64_t p = 0; p < x->dim[0] * x->dim[1]; p++, at += to) {
		int64_t o[3], k = 0, best;
		range r[3];
		for (o[0] = 0; o[0] < q->out[0]; o[0]++) {
			r[0] = window_range(&q->w, 0, q->in[0], o[0]);
			for (o[1] = 0; o[1] < q->out[1]; o[1]++) {
				r[1] = window_range(&q->w, 1, q->in[1], o[1]);
				for (o[2] = 0; o[2] < q->out[2]; o[2]++, k++) {
					r[2] = window_range(&q->w, 2, q->in[2], o[2]);
					vy[k] = window_value(q, vx + p * area, r, &best);
					if (index)
						((int64_t *)index->data)[at + k] = flat_index(q, p, best, column_major);
				}
			}
		}
		tarn_real_put(y, at, to, vy);
	}
	tarn_mem_free(vx);
	tarn_mem_free(vy);
	return TARN_OK;
}

static tarn_err eval_max(tarn_eval *e)
{
	pool q = {.kind = MAX};
	return run(e, &q, tarn_attr_i(e->node, EXTRA) == 1);
}

static tarn_err eval_avg(tarn_eval *e)
{
	pool q = {.kind = AVG, .include_pad = tarn_attr_i(e->node, EXTRA)};
	return run(e, &q, false);
}

static tarn_err eval_lp(tarn_eval *e)
{
	pool q = {.kind = LP, .p = (double)tarn_attr_i(e->node, EXTRA)};
	CHECK(q.p >= 1, TARN_BAD_FILE, "p is %g, at least 1 is needed", q.p);
	return run(e, &q, false);
}

/* dy of one window of the plane x, spread over its elements. */
static void window_back(const pool *q, const double *x, const range r[3], double dy, double *dx)
{
	int64_t best, n = q->include_pad ? r[0].padded * r[1].padded * r[2].padded : r[0].n * r[1].n * r[2].n;
	if (q->kind == MAX) {
		window_value(q, x, r, &best);
		if (best >= 0)
			dx[best] += dy;
		return;
	}
	double y = q->kind == LP ? window_value(q, x, r, &best) : 0;
	for (int64_t a = 0; a < r[0].n; a++)
		for (int64_t b = 0; b < r[1].n; b++)
			for (int64_t c = 0; c < r[2].n; c++) {
				int64_t i = ((r[0].at + a * r[0].step) * q->in[1] + r[1].at + b * r[1].step) * q->in[2] +
					    r[2].at + c * r[2].step;
				dx[i] += dy * (q->kind == LP ? tarn_norm_slope(x[i], y, q->p) : 1 / (double)n);
			}
}

static tarn_err back(tarn_grad *g, pool *q)
{
	const tarn_tensor *x = g->in[0], *y = &g->out[0];
	int nd = x->rank - 2;
	double *vx, *dy, *dx;
	if (!tarn_grad_wants(g, 0) || g->dout[0].type == TARN_DTYPE_NONE)
		return TARN_OK;
	TRY(tarn_window_read(g->node, nd, NULL, &q->w));
	tarn_window_resolve(&q->w, x->dim + 2, y->dim + 2);
	memcpy(q->in, x->dim + 2, (size_t)nd * sizeof *q->in);
	memcpy(q->out, y->dim + 2, (size_t)nd * sizeof *q->out);
	tarn_window_widen(&q->w, q->in, q->out);
	TRY(tarn_grad_load(g, x, &vx));
	TRY(tarn_grad_load(g, &g->dout[0], &dy));
	TRY(tarn_grad_zeros(g, tarn_tensor_count(x), &dx));
	int64_t area = q->in[0] * q->in[1] * q->in[2], at = 0, o[3];
	for (int64_t p = 0; p < x->dim[0] * x->dim[1]; p++) {
		range r[3];
		for (o[0] = 0; o[0] < q->out[0]; o[0]++) {
			r[0] = window_range(&q->w, 0, q->in[0], o[0]);
			for (o[1] = 0; o[1] < q->out[1]; o[1]++) {
				r[1] = window_range(&q->w, 1, q->in[1], o[1]);
				for (o[2] = 0; o[2] < q->out[2]; o[2]++) {
					r[2] = window_range(&q->w, 2, q->in[2], o[2]);
					window_back(q, vx + p * area, r, dy[at++], dx + p * area);
				}
			}
		}
	}
	tarn_grad_add(&g->din[0], dx);
	return TARN_OK;
}

static tarn_err grad_max(tarn_grad *g)
{
	pool q = {.kind = MAX};
	return back(g, &q);
}

static tarn_err grad_avg(tarn_grad *g)
{
	pool q = {.kind = AVG, .include_pad = tarn_attr_i(g->node, EXTRA)};
	return back(g, &q);
}

static tarn_err grad_lp(tarn_grad *g)
{
	pool q = {.kind = LP, .p = (double)tarn_attr_i(g->node, EXTRA)};
	return back(g, &q);
}

/* One operation per element of each window. */
static tarn_err cost(const tarn_node *n, tarn_cost *out)
{
	int64_t count;
	tarn_window w;
	TRY(tarn_shape_count(&n->out[0]->shape, &count));
	TRY(tarn_window_read(n, n->out[0]->shape.rank - 2, NULL, &w));
	for (int i = 0; i < w.nd; i++)
		count *= w.kernel[i];
	*out = (tarn_cost){.ops = count};
	return TARN_OK;
}

/* OpenVINO's words: rounding_type floor, ceil, ceil_torch; exclude-pad. */
static tarn_err import(const tarn_import *src)
{
	const char *word;
	TRY(tarn_window_import(src));
	if (!src->onnx && src->find_s(src, "rounding_type", &word)) {
		int at = tarn_words_find("floor|ceil_torch|ceil", word);
		CHECK(at >= 0, TARN_BAD_FILE, "rounding_type '%s'", word);
		TRY(tarn_attr_set_i(src->node, CEIL, at));
	}
	return TARN_OK;
}

static tarn_err import_avg(const tarn_import *src)
{
	const char *word;
	bool exclude;
	TRY(import(src));
	if (!src->onnx && (src->find_s(src, "exclude-pad", &word) || src->find_s(src, "exclude_pad", &word))) {
		CHECK(tarn_str_to_bool(word, &exclude), TARN_BAD_FILE, "exclude-pad '%s'", word);
		TRY(tarn_attr_set_i(src->node, EXTRA, !exclude));
	}
	return TARN_OK;
}

static void pad_max(tarn_pad *p)
{
	tarn_pad_window(p, TARN_PAD_LOWEST, -1);
	if (p->node->n_out > 1 && p->node->out[1]) {
		p->need = TARN_PAD_UNSAFE;
		p->why = "its indices count elements of the whole input";
	}
}

const tarn_op_def tarn_op_max_pool = {
	.name = "MaxPool",
	.onnx_since = 1,
	.min_in = 1,
	.max_in = 1,
	.min_out = 1,
	.max_out = 2,
	.attr = max_attr,
	.n_attr = EXTRA + 1,
	.import = import,
	.infer = infer_max,
	.eval = eval_max,
	.grad = grad_max,
	.pad = pad_max,
	.cost = cost,
	.quant = {.kind = TARN_QUANT_PASS, .act = 1, .weight = -1, .bias = -1},
};

/* Zeros do where every window counts all its elements; where some do not, fewer count in the last windows. */
static void pad_average(tarn_pad *p)
{
	bool all = tarn_attr_i(p->node, EXTRA) && !tarn_attr_i(p->node, CEIL);
	tarn_pad_window(p, all ? TARN_PAD_ZERO : TARN_PAD_PLACE, -1);
}

const tarn_op_def tarn_op_average_pool = {
	.name = "AveragePool",
	.onnx_since = 1,
	.min_in = 1,
	.max_in = 1,
	.min_out = 1,
	.max_out = 1,
	.attr = avg_attr,
	.n_attr = EXTRA + 1,
	.import = import_avg,
	.infer = infer_float,
	.eval = eval_avg,
	.grad = grad_avg,
	.pad = pad_average,
	.cost = cost,
	.quant = {.kind = TARN_QUANT_INPUTS, .act = 1, .weight = -1, .bias = -1},
};

static void pad_lp(tarn_pad *p)
{
	tarn_pad_window(p, TARN_PAD_ZERO, -1);
}

const tarn_op_def tarn_op_lp_pool = {
	.name = "LpPool",
	.onnx_since = 1,
	.min_in = 1,
	.max_in = 1,
	.min_out = 1,
	.max_out = 1,
	.attr = lp_attr,
	.n_attr = EXTRA + 1,
	.import = import,
	.infer = infer_float,
	.eval = eval_lp,
	.grad = grad_lp,
	.pad = pad_lp,
	.cost = cost,
	.quant = {.kind = TARN_QUANT_FLOAT, .weight = -1, .bias = -1},
};
