/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling of training: planes in NCHW, windows over one to three axes, and over the whole plane. */
#include <math.h>

#include "ops/elem.h"
#include "ops/ops.h"
#include "ops/window.h"
#include "quant/qat/kernel.h"

typedef struct pool {
	tarn_window w; /* widened */
	int64_t in[TARN_WINDOW_MAX], out[TARN_WINDOW_MAX];
	int64_t planes, area;
	int64_t dim[TARN_MAX_RANK]; /* of the result */
	bool average, count_pad;
} pool;

static int64_t attr_or_0(const tarn_node *n, const char *name)
{
	int i = tarn_attr_index(n->op, name);
	return i < 0 ? 0 : tarn_attr_i(n, i);
}

static tarn_err read_pool(const tarn_node *n, const tarn_tensor *x, pool *p, bool *ours)
{
	int nd = x->rank - 2;
	*ours = x->type == TARN_F32 && nd >= 1 && nd <= TARN_WINDOW_MAX && !attr_or_0(n, "ceil_mode") &&
		(n->n_out < 2 || !n->out[1]);
	if (!*ours)
		return TARN_OK;
	TRY(tarn_window_read(n, nd, NULL, &p->w));
	p->dim[0] = x->dim[0];
	p->dim[1] = x->dim[1];
	for (int i = 0; i < nd; i++) {
		p->in[i] = x->dim[2 + i];
		TRY(tarn_window_out(NULL, &p->w, i, p->in[i], TARN_ROUND_FLOOR, &p->out[i]));
		p->dim[2 + i] = p->out[i];
	}
	tarn_window_resolve(&p->w, p->in, p->out);
	tarn_window_widen(&p->w, p->in, p->out);
	p->planes = x->dim[0] * x->dim[1];
	p->area = p->in[0] * p->in[1] * p->in[2];
	p->average = n->op == &tarn_op_average_pool;
	p->count_pad = attr_or_0(n, "count_include_pad");
	return TARN_OK;
}

/* Taps [lo, hi) of window o along an axis that lie inside the input; the first stands at `at`. */
typedef struct taps {
	int64_t lo, hi, at;
} taps;

static taps taps_of(const pool *p, int axis, int64_t o)
{
	int64_t d = p->w.dilation[axis], at = o * p->w.stride[axis] - p->w.begin[axis];
	taps t = {.hi = p->w.kernel[axis]};
	while (t.lo < t.hi && at + t.lo * d < 0)
		t.lo++;
	while (t.hi > t.lo && at + (t.hi - 1) * d >= p->in[axis])
		t.hi--;
	t.at = at + t.lo * d;
	return t;
}

/* One window of a plane: its value in *y, or (dx) dy given back. */
static void window(const pool *p, const taps *t, const float *x, float *y, float dy, float *dx)
{
	int64_t best = -1, n = 0;
	float sum = 0, share = 0;
	for (int i = 0; i < 3; i++)
		n = (i ? n : 1) * (p->count_pad ? p->w.kernel[i] : t[i].hi - t[i].lo);
	share = n ? 1 / (float)n : 0;
	for (int64_t a = 0; a < t[0].hi - t[0].lo; a++)
		for (int64_t b = 0; b < t[1].hi - t[1].lo; b++) {
			int64_t row = (t[0].at + a * p->w.dilation[0]) * p->in[1] + t[1].at + b * p->w.dilation[1];
			for (int64_t c = 0; c < t[2].hi - t[2].lo; c++) {
				int64_t at = row * p->in[2] + t[2].at + c * p->w.dilation[2];
				if (!p->average)
					best = best < 0 || x[at] > x[best] || isnan(x[at]) ? at : best;
				else if (dx)
					dx[at] += dy * share;
				else
					sum += x[at];
			}
		}
	if (dx && best >= 0)
		dx[best] += dy;
	if (y)
		*y = p->average ? sum * share : best >= 0 ? x[best] : -INFINITY;
}

/* All windows: y from x, or dx from dy. */
static void windows(const pool *p, const float *x, float *y, const float *dy, float *dx)
{
	taps t[3];
	for (int64_t plane = 0; plane < p->planes; plane++) {
		for (int64_t a = 0; a < p->out[0]; a++) {
			t[0] = taps_of(p, 0, a);
			for (int64_t b = 0; b < p->out[1]; b++) {
				t[1] = taps_of(p, 1, b);
				for (int64_t c = 0; c < p->out[2]; c++) {
					t[2] = taps_of(p, 2, c);
					window(p, t, x, y ? y++ : NULL, dy ? *dy++ : 0, dx);
				}
			}
		}
		x += p->area;
		dx = dx ? dx + p->area : NULL;
	}
}

tarn_err qat_pool_forward(const tarn_node *n, const tarn_tensor *const *in, tarn_tensor *out, bool *done)
{
	pool p = {0};
	TRY(read_pool(n, in[0], &p, done));
	if (!*done)
		return TARN_OK;
	TRY(tarn_tensor_new(TARN_F32, in[0]->rank, p.dim, &out[0]));
	windows(&p, in[0]->data, out[0].data, NULL, NULL);
	return TARN_OK;
}

tarn_err qat_pool_backward(const tarn_node *n, const tarn_tensor *const *in, const tarn_tensor *out, const tarn_tensor *dout,
			   tarn_tensor *din, bool *done)
{
	pool p = {0};
	(void)out;
	TRY(read_pool(n, in[0], &p, done));
	*done = *done && qat_wanted(&din[0]);
	if (*done)
		windows(&p, in[0]->data, NULL, dout[0].data, qat_wanted(&din[0]));
	return TARN_OK;
}

/* ---- GlobalAveragePool ---- */

tarn_err qat_global_pool_forward(const tarn_node *n, const tarn_tensor *const *in, tarn_tensor *out, bool *done)
{
	const tarn_tensor *x = in[0];
	int64_t dim[TARN_MAX_RANK] = {0}, area = tarn_elem_product(x->dim, 2, x->rank);
	(void)n;
	*done = x->type == TARN_F32 && x->rank > 2 && area > 0;
	if (!*done)
		return TARN_OK;
	for (int i = 0; i < x->rank; i++)
		dim[i] = i < 2 ? x->dim[i] : 1;
	TRY(tarn_tensor_new(TARN_F32, x->rank, dim, &out[0]));
	for (int64_t i = 0; i < dim[0] * dim[1]; i++) {
		double sum = 0;
		for (int64_t k = i * area; k < (i + 1) * area; k++)
			sum += (double)((const float *)x->data)[k];
		((float *)out[0].data)[i] = (float)(sum / (double)area);
	}
	return TARN_OK;
}

tarn_err qat_global_pool_backward(const tarn_node *n, const tarn_tensor *const *in, const tarn_tensor *out,
				  const tarn_tensor *dout, tarn_tensor *din, bool *done)
{
	const tarn_tensor *x = in[0];
	int64_t area = tarn_elem_product(x->dim, 2, x->rank), planes = x->dim[0] * x->dim[1];
	float *dx = qat_wanted(&din[0]);
	(void)n, (void)out;
	*done = x->type == TARN_F32 && x->rank > 2 && dx;
	for (int64_t i = 0; *done && i < planes; i++) {
		float d = ((const float *)dout[0].data)[i] / (float)area;
		for (int64_t k = i * area; k < (i + 1) * area; k++)
			dx[k] += d;
	}
	return TARN_OK;
}
