/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/convolve.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"

void tarn_convolve_setup(tarn_convolve *c, const tarn_tensor *x, const tarn_tensor *y, int64_t group)
{
	c->batch = x->dim[0];
	c->group = group;
	c->ci = x->dim[1] / group;
	c->co = y->dim[1] / group;
	for (int i = 0; i < c->w.nd; i++) {
		c->in[i] = x->dim[2 + i];
		c->out[i] = y->dim[2 + i];
	}
	tarn_window_widen(&c->w, c->in, c->out);
}

static int64_t plane(const int64_t *dim)
{
	return dim[0] * dim[1] * dim[2];
}

void tarn_convolve_bias(tarn_convolve *c, const double *bias)
{
	int64_t area = plane(c->out), channels = c->group * c->co;
	for (int64_t i = 0; i < c->batch * channels; i++)
		for (int64_t j = 0; j < area; j++)
			c->y[i * area + j] = bias ? bias[i % channels] : 0;
}

/* Positions p in [0, n) with 0 <= p*step + offset < size. */
static void span(int64_t n, int64_t step, int64_t offset, int64_t size, int64_t *lo, int64_t *hi)
{
	*lo = offset >= 0 ? 0 : (-offset + step - 1) / step;
	int64_t top = size - 1 - offset;
	*hi = top < 0 ? 0 : top / step + 1;
	if (*hi > n)
		*hi = n;
}

/* One tap of the kernel over one plane: for all positions p of the strided side, strided[p*s + offset] and dense[p] meet.
 * Forward adds k*strided to dense; transposed adds k*dense to strided. */
typedef struct tap {
	const int64_t *dense, *strided, *stride;
	int64_t offset[TARN_WINDOW_MAX];
	double k;
	bool forward;
} tap;

static void tap_row(const tap *t, const double *src, double *dst, int64_t lo, int64_t hi)
{
	int64_t s = t->stride[2];
	double k = t->k;
	if (t->forward && s == 1)
		for (int64_t i = lo; i < hi; i++)
			dst[i] += k * src[i];
	else if (t->forward)
		for (int64_t i = lo; i < hi; i++)
			dst[i] += k * src[i * s];
	else
		for (int64_t i = lo; i < hi; i++)
			dst[i * s] += k * src[i];
}

static void tap_plane(const tap *t, const double *src, double *dst)
{
	int64_t lo[3], hi[3];
	for (int i = 0; i < 3; i++)
		span(t->dense[i], t->stride[i], t->offset[i], t->strided[i], &lo[i], &hi[i]);
	if (lo[2] >= hi[2])
		return;
	for (int64_t d = lo[0]; d < hi[0]; d++)
		for (int64_t h = lo[1]; h < hi[1]; h++) {
			int64_t dense = (d * t->dense[1] + h) * t->dense[2];
			int64_t sd = d * t->stride[0] + t->offset[0], sh = h * t->stride[1] + t->offset[1];
			int64_t strided = (sd * t->strided[1] + sh) * t->strided[2] + t->offset[2];
			tap_row(t, src + (t->forward ? strided : dense), dst + (t->forward ? dense : strided), lo[2], hi[2]);
		}
}

/* All taps of one input plane on one output plane. */
static void taps(const tarn_convolve *c, bool forward, const double *k, const double *src, double *dst)
{
	const tarn_window *w = &c->w;
	tap t = {.dense = forward ? c->out : c->in,
		 .strided = forward ? c->in : c->out,
		 .stride = w->stride,
		 .forward = forward};
	for (int64_t a = 0; a < w->kernel[0]; a++)
		for (int64_t b = 0; b < w->kernel[1]; b++)
			for (int64_t e = 0; e < w->kernel[2]; e++) {
				t.k = *k++;
				t.offset[0] = a * w->dilation[0] - w->begin[0];
				t.offset[1] = b * w->dilation[1] - w->begin[1];
				t.offset[2] = e * w->dilation[2] - w->begin[2];
				tap_plane(&t, src, dst);
			}
}

/* A 1x1 kernel without stride and padding sees a plane as one row. */
static bool pointwise(const tarn_window *w)
{
	for (int i = 0; i < TARN_WINDOW_MAX; i++)
		if (w->kernel[i] != 1 || w->stride[i] != 1 || w->begin[i] || w->end[i])
			return false;
	return true;
}

static void run(const tarn_convolve *given, bool forward)
{
	tarn_convolve c = *given;
	if (pointwise(&c.w) && plane(c.in) == plane(c.out)) {
		c.in[2] = c.out[2] = plane(c.in);
		c.in[0] = c.in[1] = c.out[0] = c.out[1] = 1;
	}
	int64_t in = plane(c.in), out = plane(c.out), area = plane(c.w.kernel);
	if (!in || !out)
		return;
	for (int64_t n = 0; n < c.batch; n++)
		for (int64_t g = 0; g < c.group; g++)
			for (int64_t o = 0; o < c.co; o++)
				for (int64_t i = 0; i < c.ci; i++) {
					int64_t k = forward ? (g * c.co + o) * c.ci + i : (g * c.ci + i) * c.co + o;
					const double *src = c.x + ((n * c.group + g) * c.ci + i) * in;
					double *dst = c.y + ((n * c.group + g) * c.co + o) * out;
					taps(&c, forward, c.k + k * area, src, dst);
				}
}

void tarn_convolve_forward(const tarn_convolve *c)
{
	run(c, true);
}

/* Back to x: y (read as dy) meets the weights, added to x_grad. `forward`: of a Conv, else of a transposed one. */
static void grad_x(const tarn_convolve *c, bool forward, double *x_grad)
{
	tarn_convolve back = *c;
	back.x = c->y;
	back.y = x_grad;
	back.ci = c->co;
	back.co = c->ci;
	memcpy(back.in, c->out, sizeof back.in);
	memcpy(back.out, c->in, sizeof back.out);
	run(&back, !forward);
}

/* Sum over all positions of strided * dense: what one weight multiplied. */
static double tap_dot(const tap *t, const double *strided, const double *dense)
{
	int64_t lo[3], hi[3];
	double sum = 0;
	for (int i = 0; i < 3; i++)
		span(t->dense[i], t->stride[i], t->offset[i], t->strided[i], &lo[i], &hi[i]);
	for (int64_t d = lo[0]; d < hi[0]; d++)
		for (int64_t h = lo[1]; h < hi[1]; h++) {
			const double *a = dense + (d * t->dense[1] + h) * t->dense[2];
			int64_t sd = d * t->stride[0] + t->offset[0], sh = h * t->stride[1] + t->offset[1];
			const double *b = strided + (sd * t->strided[1] + sh) * t->strided[2] + t->offset[2];
			for (int64_t i = lo[2]; i < hi[2]; i++)
				sum += a[i] * b[i * t->stride[2]];
		}
	return sum;
}

static void kernel_dots(const tarn_convolve *c, bool forward, const double *x, const double *y, double *k)
{
	const tarn_window *w = &c->w;
	tap t = {.dense = forward ? c->out : c->in, .strided = forward ? c->in : c->out, .stride = w->stride};
	for (int64_t a = 0; a < w->kernel[0]; a++)
		for (int64_t b = 0; b < w->kernel[1]; b++)
			for (int64_t e = 0; e < w->kernel[2]; e++) {
				t.offset[0] = a * w->dilation[0] - w->begin[0];
				t.offset[1] = b * w->dilation[1] - w->begin[1];
				t.offset[2] = e * w->dilation[2] - w->begin[2];
				*k++ += tap_dot(&t, forward ? x : y, forward ? y : x);
			}
}

/* To the weights: added to k_grad, in k's layout. */
static void grad_k(const tarn_convolve *c, bool forward, double *k_grad)
{
	int64_t in = plane(c->in), out = plane(c->out), area = plane(c->w.kernel);
	for (int64_t n = 0; n < c->batch; n++)
		for (int64_t g = 0; g < c->group; g++)
			for (int64_t o = 0; o < c->co; o++)
				for (int64_t i = 0; i < c->ci; i++) {
					int64_t k = forward ? (g * c->co + o) * c->ci + i : (g * c->ci + i) * c->co + o;
					kernel_dots(c, forward, c->x + ((n * c->group + g) * c->ci + i) * in,
						    c->y + ((n * c->group + g) * c->co + o) * out, k_grad + k * area);
				}
}

tarn_err tarn_convolve_eval(tarn_eval *e, tarn_convolve *c, bool forward)
{
	tarn_tensor *y = &e->out[0];
	double *x = NULL, *k = NULL, *bias = NULL, *sum = NULL;
	tarn_err err;
	TRY_GOTO(done, tarn_real_load(e->in[0], &x));
	TRY_GOTO(done, tarn_real_load(e->in[1], &k));
	TRY_GOTO(done, tarn_real_load(tarn_eval_in(e, 2), &bias));
	TRY_GOTO(done, tarn_real_zeros(tarn_tensor_count(y), &sum));
	c->x = x;
	c->k = k;
	c->y = sum;
	tarn_convolve_bias(c, bias);
	run(c, forward);
	tarn_real_put(y, 0, tarn_tensor_count(y), sum);
done:
	tarn_mem_free(x);
	tarn_mem_free(k);
	tarn_mem_free(bias);
	tarn_mem_free(sum);
	return err;
}

tarn_err tarn_convolve_grad(tarn_grad *g, tarn_convolve *c, bool forward)
{
	double *x, *k, *dy, *dx, *dk, *db;
	int64_t channels = c->group * c->co, area = plane(c->out);
	TRY(tarn_grad_load(g, g->in[0], &x));
	TRY(tarn_grad_load(g, g->in[1], &k));
	TRY(tarn_grad_load(g, &g->dout[0], &dy));
	c->x = x;
	c->k = k;
	c->y = dy;
	if (tarn_grad_wants(g, 0)) {
		TRY(tarn_grad_zeros(g, tarn_tensor_count(g->in[0]), &dx));
		grad_x(c, forward, dx);
		tarn_grad_add(&g->din[0], dx);
	}
	if (tarn_grad_wants(g, 1)) {
		TRY(tarn_grad_zeros(g, tarn_tensor_count(g->in[1]), &dk));
		grad_k(c, forward, dk);
		tarn_grad_add(&g->din[1], dk);
	}
	if (tarn_grad_wants(g, 2)) {
		TRY(tarn_grad_zeros(g, channels, &db));
		for (int64_t i = 0; i < c->batch * channels * area; i++)
			db[i / area % channels] += dy[i];
		tarn_grad_add(&g->din[2], db);
	}
	return TARN_OK;
}

/* Channels of x must be those of the weights times the groups, and the groups must divide the outputs. */
static tarn_err check_channels(const tarn_shape *x, const tarn_shape *w, int64_t group, bool grouped)
{
	tarn_dim in = w->dim[grouped ? 2 : 1];
	if (!grouped && tarn_dim_is_static(w->dim[0]))
		CHECK(w->dim[0] % group == 0, TARN_SHAPE, "%" PRId64 " output channels cannot be split into %" PRId64 " groups",
		      w->dim[0], group);
	if (tarn_dim_is_static(x->dim[1]) && tarn_dim_is_static(in))
		CHECK(x->dim[1] == in * group, TARN_SHAPE,
		      "the input has %" PRId64 " channels, the weights need %" PRId64 " (%" PRId64 " for each of %" PRId64
		      " groups)",
		      x->dim[1], in * group, in, group);
	return TARN_OK;
}

tarn_err tarn_convolve_infer(tarn_infer *c, int x, int w, int64_t group, bool grouped, tarn_shape *out)
{
	const tarn_shape *sx = tarn_infer_shape(c, x), *sw = tarn_infer_shape(c, w);
	int extra = grouped ? 1 : 0;
	out->rank = -1;
	TRY(tarn_infer_rank(c, x, 3, 2 + TARN_WINDOW_MAX));
	TRY(tarn_infer_rank(c, w, 3 + extra, 2 + extra + TARN_WINDOW_MAX));
	if (!sx && !sw)
		return TARN_OK;
	int rank = sx ? sx->rank : sw->rank - extra;
	CHECK(!sx || !sw || sx->rank + extra == sw->rank, TARN_SHAPE,
	      "the input has rank %d, the weights have rank %d; %d is needed", sx->rank, sw->rank, sx->rank + extra);
	if (grouped && sw && tarn_dim_is_static(sw->dim[0]))
		group = sw->dim[0];
	CHECK(group >= 1, TARN_SHAPE, "group is %" PRId64 ", at least 1 is needed", group);
	if (sx && sw && (!grouped || tarn_dim_is_static(sw->dim[0])))
		TRY(check_channels(sx, sw, group, grouped));
	out->rank = rank;
	for (int i = 0; i < rank; i++)
		if (i != 1 && sx && (i == 0 || sw))
			out->dim[i] = sx->dim[i];
		else
			TRY(tarn_symtab_fresh(c->syms, 0, TARN_DIM_MAX, &out->dim[i]));
	if (!sw)
		return TARN_OK;
	out->dim[1] = sw->dim[0];
	if (grouped)
		TRY(tarn_dim_op(c->syms, TARN_SYM_MUL, sw->dim[0], sw->dim[1], &out->dim[1]));
	bool fixed = sx != NULL;
	for (int i = 2 + extra; i < sw->rank; i++)
		fixed = fixed && tarn_dim_is_static(sw->dim[i]);
	tarn_window win;
	if (fixed)
		TRY(tarn_window_read(c->node, rank - 2, sw->dim + 2 + extra, &win));
	for (int i = 2; i < rank; i++)
		if (fixed)
			TRY(tarn_window_out(c->syms, &win, i - 2, sx->dim[i], TARN_ROUND_FLOOR, &out->dim[i]));
		else
			TRY(tarn_symtab_fresh(c->syms, 0, TARN_DIM_MAX, &out->dim[i]));
	return TARN_OK;
}

tarn_err tarn_convolve_cost(const tarn_node *n, int w, int first, tarn_cost *cost)
{
	int64_t count;
	TRY(tarn_shape_count(&n->out[0]->shape, &count));
	CHECK(tarn_shape_is_static(&n->in[w]->shape), TARN_SHAPE, "the weights' shape is not known");
	*cost = (tarn_cost){.macs = count};
	for (int i = first; i < n->in[w]->shape.rank; i++)
		cost->macs *= n->in[w]->shape.dim[i];
	return TARN_OK;
}
