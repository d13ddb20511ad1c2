/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolution over one or two spatial axes, planes in NCHW: the taps of some rows of the output side by side (im2col), then
 * matrix products. Groups of one input channel (depthwise) go tap by tap instead.
 */
#include <string.h>

#include "ops/window.h"
#include "quant/qat/kernel.h"

enum { COLUMN_FLOATS = 1 << 16 };

typedef struct conv {
	tarn_window w; /* widened: axes 1 and 2 are used */
	int64_t in[TARN_WINDOW_MAX], out[TARN_WINDOW_MAX];
	int64_t batch, group, ci, co; /* channels of one group */
	int64_t taps, area, positions;
} conv;

static int64_t out_size(const tarn_window *w, int i, int64_t in)
{
	int64_t same = (in + w->stride[i] - 1) / w->stride[i];
	int64_t room = in + w->begin[i] + w->end[i] - tarn_window_extent(w, i);
	bool is_same = w->auto_pad == TARN_PAD_SAME_UPPER || w->auto_pad == TARN_PAD_SAME_LOWER;
	return is_same ? same : room < 0 ? 0 : room / w->stride[i] + 1;
}

static tarn_err read_conv(const tarn_node *n, const tarn_tensor *const *in, conv *c, bool *ours)
{
	const tarn_tensor *x = in[0], *k = in[1];
	int nd = x->rank - 2;
	*ours = x->type == TARN_F32 && k->type == TARN_F32 && (nd == 1 || nd == 2) && k->rank == x->rank;
	if (!*ours)
		return TARN_OK;
	TRY(tarn_window_read(n, nd, k->dim + 2, &c->w));
	for (int i = 0; i < nd; i++) {
		c->in[i] = x->dim[2 + i];
		c->out[i] = out_size(&c->w, i, c->in[i]);
	}
	tarn_window_resolve(&c->w, c->in, c->out);
	tarn_window_widen(&c->w, c->in, c->out);
	c->batch = x->dim[0];
	c->group = tarn_attr_i(n, tarn_attr_index(n->op, "group"));
	*ours = c->group >= 1 && x->dim[1] == k->dim[1] * c->group && k->dim[0] % c->group == 0;
	c->ci = k->dim[1];
	c->co = k->dim[0] / (c->group ? c->group : 1);
	c->area = c->w.kernel[1] * c->w.kernel[2];
	c->taps = c->ci * c->area;
	c->positions = c->out[1] * c->out[2];
	*ours = *ours && c->positions > 0;
	return TARN_OK;
}

static bool pointwise(const conv *c)
{
	const tarn_window *w = &c->w;
	return c->area == 1 && w->stride[1] == 1 && w->stride[2] == 1 && !w->begin[1] && !w->begin[2] &&
	       c->positions == c->in[1] * c->in[2];
}

/* Output columns [lo, hi) whose tap at `offset` lies inside the row. */
static void inside(int64_t n, int64_t stride, int64_t offset, int64_t size, int64_t *lo, int64_t *hi)
{
	*lo = offset >= 0 ? 0 : (-offset + stride - 1) / stride;
	*hi = size - 1 - offset < 0 ? 0 : (size - 1 - offset) / stride + 1;
	*hi = *hi > n ? n : *hi;
	*lo = *lo > *hi ? *hi : *lo;
}

/* Rows of the result that are worked on together, so that their taps stay in the cache. */
typedef struct rows {
	int64_t from, to;
} rows;

static rows rows_at(const conv *c, int64_t from)
{
	int64_t most = COLUMN_FLOATS / (c->taps * c->out[2]);
	most = most < 1 ? 1 : most;
	return (rows){from, from + most < c->out[1] ? from + most : c->out[1]};
}

/* One tap of one plane for some rows of positions, gathered into col, or (back) added from it. */
static void tap(const conv *c, float *plane, float *col, int64_t ky, int64_t kx, rows r, bool back)
{
	const tarn_window *w = &c->w;
	int64_t lo, hi, s = w->stride[2], offset = kx * w->dilation[2] - w->begin[2];
	inside(c->out[2], s, offset, c->in[2], &lo, &hi);
	for (int64_t y = r.from; y < r.to; y++, col += c->out[2]) {
		int64_t iy = y * w->stride[1] + ky * w->dilation[1] - w->begin[1];
		bool row = iy >= 0 && iy < c->in[1];
		float *line = row ? plane + iy * c->in[2] + offset : NULL;
		if (back) {
			for (int64_t x = lo; row && x < hi; x++)
				line[x * s] += col[x];
			continue;
		}
		memset(col, 0, (size_t)(row ? lo : c->out[2]) * sizeof *col);
		if (!row)
			continue;
		if (s == 1)
			memcpy(col + lo, line + lo, (size_t)(hi - lo) * sizeof *col);
		for (int64_t x = lo; s != 1 && x < hi; x++)
			col[x] = line[x * s];
		memset(col + hi, 0, (size_t)(c->out[2] - hi) * sizeof *col);
	}
}

static void columns(const conv *c, float *x, float *col, rows r, bool back)
{
	for (int64_t i = 0; i < c->ci; i++)
		for (int64_t ky = 0; ky < c->w.kernel[1]; ky++)
			for (int64_t kx = 0; kx < c->w.kernel[2]; kx++, col += (r.to - r.from) * c->out[2])
				tap(c, x + i * c->in[1] * c->in[2], col, ky, kx, r, back);
}

/* Depthwise: y += k * (the tap's inputs), the same backwards, and the sums of products for the weights. col: one tap. */
static void depthwise(const conv *c, float *x, const float *k, float *y, float *dx, float *dk, float *col)
{
	rows all = {0, c->out[1]};
	for (int64_t ky = 0; ky < c->w.kernel[1]; ky++)
		for (int64_t kx = 0; kx < c->w.kernel[2]; kx++) {
			int64_t at = ky * c->w.kernel[2] + kx;
			if (!dx || dk)
				tap(c, x, col, ky, kx, all, false);
			for (int64_t o = 0; o < c->co; o++) {
				float f = k[o * c->area + at], *yo = y + o * c->positions, sum = 0;
				if (!dk && !dx)
					for (int64_t p = 0; p < c->positions; p++)
						yo[p] += f * col[p];
				for (int64_t p = 0; dk && p < c->positions; p++)
					sum += yo[p] * col[p];
				if (dk)
					dk[o * c->area + at] += sum;
			}
			for (int64_t o = 0; dx && o < c->co; o++) {
				float f = k[o * c->area + at];
				const float *yo = y + o * c->positions;
				for (int64_t p = 0; p < c->positions; p++)
					col[p] = f * yo[p];
				tap(c, dx, col, ky, kx, all, true);
			}
		}
}

static tarn_err forward_group(const conv *c, float *x, const float *k, float *y, float *col)
{
	if (c->ci == 1 && c->co <= 2) {
		depthwise(c, x, k, y, NULL, NULL, col);
		return TARN_OK;
	}
	if (pointwise(c))
		return qat_multiply(
			&(qat_product){.m = c->co, .n = c->positions, .k = c->taps, .a = k, .b = x, .alpha = 1, .c = y});
	for (rows r = rows_at(c, 0); r.from < r.to; r = rows_at(c, r.to)) {
		columns(c, x, col, r, false);
		TRY(qat_multiply(&(qat_product){.m = c->co,
						.n = (r.to - r.from) * c->out[2],
						.k = c->taps,
						.a = k,
						.b = col,
						.alpha = 1,
						.c = y + r.from * c->out[2],
						.ldc = c->positions}));
	}
	return TARN_OK;
}

static size_t column_bytes(const conv *c)
{
	rows r = rows_at(c, 0);
	int64_t many = c->taps * (r.to - r.from) * c->out[2];
	return (size_t)(many > c->positions ? many : c->positions) * sizeof(float);
}

tarn_err qat_conv_forward(const tarn_node *n, const tarn_tensor *const *in, tarn_tensor *out, bool *done)
{
	conv c = {0};
	TRY(read_conv(n, in, &c, done));
	if (!*done)
		return TARN_OK;
	const tarn_tensor *x = in[0], *bias = n->n_in > 2 ? in[2] : NULL;
	int64_t dim[4] = {c.batch, c.co * c.group, x->rank == 4 ? c.out[1] : c.out[2], c.out[2]};
	int64_t plane = c.in[1] * c.in[2];
	TRY(tarn_tensor_new(TARN_F32, x->rank, dim, &out[0]));
	float *col = qat_scratch(column_bytes(&c)), *y = out[0].data;
	tarn_err err = col ? TARN_OK : tarn_err_nomem(column_bytes(&c));
	for (int64_t i = 0; i < c.batch * c.group && err == TARN_OK; i++)
		err = forward_group(&c, (float *)x->data + i * c.ci * plane,
				    (const float *)in[1]->data + i % c.group * c.co * c.taps, y + i * c.co * c.positions, col);
	for (int64_t i = 0; bias && i < c.batch * c.co * c.group; i++)
		for (int64_t p = 0; p < c.positions; p++)
			y[i * c.positions + p] += ((const float *)bias->data)[i % (c.co * c.group)];
	qat_scratch_free(col, column_bytes(&c));
	if (err != TARN_OK)
		tarn_tensor_fini(&out[0]);
	return err;
}

/* dy [co][positions] of one group back to the weights dk (NULL: not wanted) and to dx (likewise). */
static tarn_err backward_group(const conv *c, float *x, const float *k, float *dy, float *dx, float *dk, float *col)
{
	bool flat = pointwise(c);
	if (c->ci == 1 && c->co <= 2) {
		if (dk)
			depthwise(c, x, k, dy, NULL, dk, col);
		if (dx)
			depthwise(c, x, k, dy, dx, NULL, col);
		return TARN_OK;
	}
	for (rows r = flat ? (rows){0, c->out[1]} : rows_at(c, 0); r.from < r.to; r = flat ? (rows){0} : rows_at(c, r.to)) {
		int64_t n = (r.to - r.from) * c->out[2];
		if (dk && !flat)
			columns(c, x, col, r, false);
		qat_product to_k = {.m = c->co,
				    .n = c->taps,
				    .k = n,
				    .a = dy + r.from * c->out[2],
				    .lda = c->positions,
				    .b = flat ? x : col,
				    .tb = true,
				    .alpha = 1,
				    .c = dk,
				    .add = true};
		if (dk)
			TRY(qat_multiply(&to_k));
		qat_product to_x = {.m = c->taps,
				    .n = n,
				    .k = c->co,
				    .a = k,
				    .ta = true,
				    .b = dy + r.from * c->out[2],
				    .ldb = c->positions,
				    .alpha = 1,
				    .c = flat ? dx : col,
				    .add = flat};
		if (dx)
			TRY(qat_multiply(&to_x));
		if (dx && !flat)
			columns(c, dx, col, r, true);
	}
	return TARN_OK;
}

tarn_err qat_conv_backward(const tarn_node *n, const tarn_tensor *const *in, const tarn_tensor *out, const tarn_tensor *dout,
			   tarn_tensor *din, bool *done)
{
	conv c = {0};
	(void)out;
	TRY(read_conv(n, in, &c, done));
	if (!*done)
		return TARN_OK;
	int64_t plane = c.in[1] * c.in[2], channels = c.co * c.group;
	float *x = in[0]->data, *dy = dout[0].data;
	float *dx = din[0].type != TARN_DTYPE_NONE ? din[0].data : NULL,
	      *dk = din[1].type != TARN_DTYPE_NONE ? din[1].data : NULL;
	float *col = qat_scratch(column_bytes(&c));
	tarn_err err = col ? TARN_OK : tarn_err_nomem(column_bytes(&c));
	for (int64_t i = 0; i < c.batch * c.group && err == TARN_OK; i++) {
		int64_t k = i % c.group * c.co * c.taps;
		err = backward_group(&c, x + i * c.ci * plane, (const float *)in[1]->data + k, dy + i * c.co * c.positions,
				     dx ? dx + i * c.ci * plane : NULL, dk ? dk + k : NULL, col);
	}
	for (int64_t i = 0; n->n_in > 2 && din[2].type != TARN_DTYPE_NONE && i < c.batch * channels; i++) {
		float sum = 0;
		for (int64_t p = 0; p < c.positions; p++)
			sum += dy[i * c.positions + p];
		((float *)din[2].data)[i % channels] += sum;
	}
	qat_scratch_free(col, column_bytes(&c));
	return err;
}
