/* SPDX-License-Identifier: Apache-2.0 */
/* What training computes along axes: softmax, layer normalisation, sums and means. */
#include <math.h>

#include "kern/norm.h"
#include "kern/softmax.h"
#include "ops/elem.h"
#include "ops/ops.h"
#include "quant/qat/kernel.h"

static int64_t attr_of(const tarn_node *n, const char *name)
{
	return tarn_attr_i(n, tarn_attr_index(n->op, name));
}

/* An axis as the middle of [outer][axis][inner]. */
typedef struct lines {
	int64_t outer, axis, inner;
} lines;

static lines lines_of(const tarn_tensor *x, int64_t axis)
{
	axis = axis < 0 ? axis + x->rank : axis;
	bool inside = axis < x->rank;
	return (lines){tarn_elem_product(x->dim, 0, (int)axis), inside ? x->dim[axis] : 1,
		       inside ? tarn_elem_product(x->dim, (int)axis + 1, x->rank) : 1};
}

/* ---- softmax ---- */

static lines softmax_lines(const tarn_node *n, const tarn_tensor *x)
{
	lines l = lines_of(x, attr_of(n, "axis"));
	return attr_of(n, "flatten") ? (lines){l.outer, l.axis * l.inner, 1} : l;
}

tarn_err qat_softmax_forward(const tarn_node *n, const tarn_tensor *const *in, tarn_tensor *out, bool *done)
{
	lines l = softmax_lines(n, in[0]);
	*done = in[0]->type == TARN_F32;
	if (!*done)
		return TARN_OK;
	TRY(tarn_tensor_new(TARN_F32, in[0]->rank, in[0]->dim, &out[0]));
	tarn_softmax_f32(in[0]->data, out[0].data, (size_t)l.outer, (size_t)l.axis, (size_t)l.inner, 1,
			 n->op == &tarn_op_log_softmax);
	return TARN_OK;
}

/* dx = y (dy - sum of dy y); of the logarithm: dy - exp(y) (sum of dy). */
tarn_err qat_softmax_backward(const tarn_node *n, const tarn_tensor *const *in, const tarn_tensor *out, const tarn_tensor *dout,
			      tarn_tensor *din, bool *done)
{
	lines l = softmax_lines(n, in[0]);
	bool log = n->op == &tarn_op_log_softmax;
	float *dx = qat_wanted(&din[0]);
	*done = in[0]->type == TARN_F32 && dx;
	for (int64_t i = 0; *done && i < l.outer * l.inner; i++) {
		int64_t from = i / l.inner * l.axis * l.inner + i % l.inner, to = from + l.axis * l.inner;
		const float *y = out[0].data, *dy = dout[0].data;
		double total = 0;
		for (int64_t k = from; k < to; k += l.inner)
			total += (double)(log ? dy[k] : dy[k] * y[k]);
		float sum = (float)total;
		for (int64_t k = from; k < to; k += l.inner)
			dx[k] += log ? dy[k] - expf(y[k]) * sum : y[k] * (dy[k] - sum);
	}
	return TARN_OK;
}

/* ---- layer normalisation ---- */

/* scale and bias as long as a row. */
static bool read_layer_norm(const tarn_node *n, const tarn_tensor *const *in, int64_t *rows, int64_t *cols)
{
	lines l = lines_of(in[0], attr_of(n, "axis"));
	*rows = l.outer;
	*cols = l.axis * l.inner;
	for (int i = 0; i < n->n_in; i++)
		if (in[i] && (in[i]->type != TARN_F32 || (i && tarn_tensor_count(in[i]) != *cols)))
			return false;
	for (int i = 1; i < n->n_out; i++)
		if (n->out[i])
			return false;
	return *cols > 0;
}

static double epsilon_of(const tarn_node *n)
{
	return tarn_attr_f(n, tarn_attr_index(n->op, "epsilon"));
}

tarn_err qat_layer_norm_forward(const tarn_node *n, const tarn_tensor *const *in, tarn_tensor *out, bool *done)
{
	int64_t rows, cols;
	*done = read_layer_norm(n, in, &rows, &cols);
	if (!*done)
		return TARN_OK;
	TRY(tarn_tensor_new(TARN_F32, in[0]->rank, in[0]->dim, &out[0]));
	tarn_layernorm_f32(in[0]->data, out[0].data, (size_t)rows, (size_t)cols, in[1]->data,
			   n->n_in > 2 && in[2] ? in[2]->data : NULL, (float)epsilon_of(n));
	return TARN_OK;
}

/* One row. With u = (x - mean) / sigma and e = dy scale: dx = (e - mean(e) - u mean(e u)) / sigma. */
static void layer_norm_row(const float *x, const float *scale, const float *dy, int64_t n, double eps, float *const d[3])
{
	double mean = 0, square = 0, sum = 0, dot = 0;
	for (int64_t i = 0; i < n; i++)
		mean += (double)x[i];
	mean /= (double)n;
	for (int64_t i = 0; i < n; i++)
		square += ((double)x[i] - mean) * ((double)x[i] - mean);
	float inv = (float)(1 / sqrt(square / (double)n + eps)), middle = (float)mean;
	for (int64_t i = 0; i < n; i++) {
		float u = (x[i] - middle) * inv, e = dy[i] * scale[i];
		sum += (double)e;
		dot += (double)(e * u);
		if (d[1])
			d[1][i] += dy[i] * u;
		if (d[2])
			d[2][i] += dy[i];
	}
	float s = (float)(sum / (double)n), t = (float)(dot / (double)n);
	for (int64_t i = 0; d[0] && i < n; i++)
		d[0][i] += (dy[i] * scale[i] - s - (x[i] - middle) * inv * t) * inv;
}

tarn_err qat_layer_norm_backward(const tarn_node *n, const tarn_tensor *const *in, const tarn_tensor *out,
				 const tarn_tensor *dout, tarn_tensor *din, bool *done)
{
	int64_t rows, cols;
	(void)out;
	*done = read_layer_norm(n, in, &rows, &cols);
	float *d[3] = {qat_wanted(&din[0]), qat_wanted(&din[1]), n->n_in > 2 ? qat_wanted(&din[2]) : NULL};
	for (int64_t r = 0; *done && r < rows; r++) {
		layer_norm_row((const float *)in[0]->data + r * cols, in[1]->data, (const float *)dout[0].data + r * cols, cols,
			       epsilon_of(n), d);
		if (d[0])
			d[0] += cols;
	}
	return TARN_OK;
}

/* ---- ReduceSum, ReduceMean ---- */

typedef struct reduction {
	tarn_tensor kept;           /* shape of the result with the reduced axes as 1 */
	int rank;                   /* of the result */
	int64_t dim[TARN_MAX_RANK]; /* likewise */
	float factor;               /* of a mean: 1 / elements */
	const float *wide;          /* x, dy is narrow */
	float *narrow, *dx;
} reduction;

/* Axes: an attribute, or input 1; none: all, unless noop_with_empty_axes says that none means none. */
static bool read_reduction(const tarn_node *n, const tarn_tensor *const *in, reduction *r)
{
	const tarn_tensor *x = in[0], *list = n->n_in > 1 ? in[1] : NULL;
	int at = tarn_attr_index(n->op, "axes"), noop = tarn_attr_index(n->op, "noop_with_empty_axes");
	const tarn_attr *a = at >= 0 && n->attr[at].set ? &n->attr[at] : NULL;
	int64_t count = list ? tarn_tensor_count(list) : a ? a->ints.n : 0, size = 1;
	unsigned mask = count ? 0 : ~0u;
	if (x->type != TARN_F32 || count > x->rank || (noop >= 0 && tarn_attr_i(n, noop)))
		return false;
	for (int64_t i = 0; i < count; i++) {
		int64_t axis = list ? tarn_tensor_i64(list, i) : a->ints.at[i];
		axis = axis < 0 ? axis + x->rank : axis;
		if (axis < 0 || axis >= x->rank)
			return false;
		mask |= 1u << axis;
	}
	r->kept = (tarn_tensor){.type = TARN_F32, .rank = x->rank};
	r->rank = 0;
	for (int i = 0; i < x->rank; i++) {
		bool gone = mask >> i & 1;
		r->kept.dim[i] = gone ? 1 : x->dim[i];
		size *= gone ? x->dim[i] : 1;
		if (!gone || attr_of(n, "keepdims"))
			r->dim[r->rank++] = r->kept.dim[i];
	}
	r->factor = n->op == &tarn_op_reduce_mean ? 1 / (float)size : 1;
	return size > 0;
}

static tarn_err sum_run(void *ctx, int64_t at, int n, const int64_t *src, const int64_t *step)
{
	reduction *r = ctx;
	double sum = 0;
	for (int i = 0; step[0] && i < n; i++)
		r->narrow[src[0] + i * step[0]] += r->wide[at + i];
	for (int i = 0; !step[0] && i < n; i++)
		sum += (double)r->wide[at + i];
	if (!step[0])
		r->narrow[src[0]] += (float)sum;
	return TARN_OK;
}

static tarn_err spread_run(void *ctx, int64_t at, int n, const int64_t *src, const int64_t *step)
{
	reduction *r = ctx;
	for (int i = 0; i < n; i++)
		r->dx[at + i] += r->factor * r->narrow[src[0] + i * step[0]];
	return TARN_OK;
}

tarn_err qat_reduce_forward(const tarn_node *n, const tarn_tensor *const *in, tarn_tensor *out, bool *done)
{
	reduction r = {0};
	const tarn_tensor *kept = &r.kept;
	*done = read_reduction(n, in, &r);
	if (!*done)
		return TARN_OK;
	TRY(tarn_tensor_new(TARN_F32, r.rank, r.dim, &out[0]));
	r.wide = in[0]->data;
	r.narrow = out[0].data;
	TRY(tarn_elem_runs(in[0], &kept, 1, sum_run, &r));
	for (int64_t i = 0, count = tarn_tensor_count(&out[0]); r.factor != 1 && i < count; i++)
		r.narrow[i] *= r.factor;
	return TARN_OK;
}

tarn_err qat_reduce_backward(const tarn_node *n, const tarn_tensor *const *in, const tarn_tensor *out, const tarn_tensor *dout,
			     tarn_tensor *din, bool *done)
{
	reduction r = {0};
	const tarn_tensor *kept = &r.kept;
	(void)out;
	*done = qat_wanted(&din[0]) && read_reduction(n, in, &r);
	r.dx = qat_wanted(&din[0]);
	r.narrow = dout[0].data;
	return *done ? tarn_elem_runs(in[0], &kept, 1, spread_run, &r) : TARN_OK;
}
