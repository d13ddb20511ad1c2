/* SPDX-License-Identifier: Apache-2.0 */
/* Resize one axis after the other: each output index of an axis is a short weighted sum of input indices. */
#include <math.h>

#include "base/mem.h"
#include "ops/grad.h"
#include "ops/resize.h"

enum { MAX_TAPS = TARN_RESIZE_MAX_TAPS };
typedef tarn_resize_axis axis_plan;
typedef tarn_resize_taps taps;

/* Which element is nearest hangs on the last bit of its place, and runtimes place in the arithmetic of float: so do we, then.
 */
static double rounded(const axis_plan *p, double v)
{
	return tarn_attr_i(p->n, TARN_RESIZE_MODE) == TARN_MODE_NEAREST ? (double)(float)v : v;
}

static double coordinate(const axis_plan *p, int64_t i)
{
	double x = (double)i, in = (double)p->in, out = (double)p->out, scale = rounded(p, p->scale);
	double centre = rounded(p, (x + 0.5) / scale);
	switch (tarn_attr_i(p->n, TARN_RESIZE_COORDINATES)) {
	case TARN_COORD_PYTORCH_HALF_PIXEL:
		return p->out > 1 ? rounded(p, centre - 0.5) : 0;
	case TARN_COORD_ALIGN_CORNERS:
		return p->out > 1 ? rounded(p, rounded(p, x * (in - 1)) / (out - 1)) : 0;
	case TARN_COORD_ASYMMETRIC:
		return rounded(p, x / scale);
	case TARN_COORD_TF_HALF_PIXEL_FOR_NN:
		return centre;
	case TARN_COORD_TF_CROP_AND_RESIZE:
		return p->out > 1 ? p->start * (in - 1) + x * (p->end - p->start) * (in - 1) / (out - 1)
				  : 0.5 * (p->start + p->end) * (in - 1);
	case TARN_COORD_HALF_PIXEL_SYMMETRIC:
		return in / 2 * (1 - out / (p->scale * in)) + centre - 0.5;
	default:
		return rounded(p, centre - 0.5);
	}
}

static int64_t clamp(double v, int64_t size)
{
	return v < 0 ? 0 : v > (double)(size - 1) ? size - 1 : (int64_t)v;
}

static double nearest(const axis_plan *p, double x)
{
	const double half = 0.5 + 1e-6; /* rounding of its place does not take an element from half-way */
	switch (tarn_attr_i(p->n, TARN_RESIZE_NEAREST)) {
	case TARN_NEAREST_PREFER_CEIL:
		return floor(x + half);
	case TARN_NEAREST_FLOOR:
		return floor(x);
	case TARN_NEAREST_CEIL:
		return ceil(x);
	case TARN_NEAREST_SIMPLE:
		return p->scale < 1 ? ceil(x) : floor(x);
	default:
		return ceil(x - half);
	}
}

/* True when nothing happens along the axis. */
static bool idle(const axis_plan *a)
{
	return a->in == a->out && a->scale == 1 && a->start == 0 && a->end == 1;
}

/* Keys' cubic convolution kernel. */
static double cubic(double d, double a)
{
	d = fabs(d);
	if (d <= 1)
		return ((a + 2) * d - (a + 3)) * d * d + 1;
	return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

void tarn_resize_taps_of(const axis_plan *p, int64_t i, taps *t)
{
	int mode = (int)tarn_attr_i(p->n, TARN_RESIZE_MODE);
	double x = coordinate(p, i), a = tarn_attr_f(p->n, TARN_RESIZE_CUBIC_A);
	t->outside = tarn_attr_i(p->n, TARN_RESIZE_COORDINATES) == TARN_COORD_TF_CROP_AND_RESIZE &&
		     (x < 0 || x > (double)(p->in - 1));
	t->n = 0;
	if (idle(p)) { /* whatever the rule of coordinates says of a scale of 1 */
		t->n = mode == TARN_MODE_LINEAR ? 2 : 1;
		t->at[0] = t->at[1] = i;
		t->w[0] = 1;
		t->w[1] = 0;
		return;
	}
	if (mode == TARN_MODE_NEAREST) {
		t->at[0] = clamp(nearest(p, x), p->in);
		t->w[t->n++] = 1;
		return;
	}
	if (fabs(x - rint(x)) < 1e-9) /* on an element: its neighbour on which side is not a matter of the last bit */
		x = rint(x);
	/* Antialiasing widens the kernel when shrinking, by 1/scale. */
	double squeeze = tarn_attr_i(p->n, TARN_RESIZE_ANTIALIAS) && p->scale < 1 ? p->scale : 1;
	double reach = (mode == TARN_MODE_LINEAR ? 1 : 2) / squeeze, sum = 0;
	bool exclude = tarn_attr_i(p->n, TARN_RESIZE_EXCLUDE);
	double base = floor(x), first = floor(-reach) + 1;
	int64_t last = (int64_t)(1 - first);
	for (int64_t k = (int64_t)first; k <= last && t->n < MAX_TAPS; k++) {
		double d = ((double)k - (x - base)) * squeeze, at = base + (double)k;
		double w = mode == TARN_MODE_LINEAR ? fmax(0, 1 - fabs(d)) : cubic(d, a);
		if (exclude && (at < 0 || at > (double)(p->in - 1)))
			continue;
		t->at[t->n] = clamp(at, p->in);
		t->w[t->n++] = w;
		sum += w;
	}
	for (int k = 0; k < t->n && sum != 0; k++)
		t->w[k] /= sum;
}

/* dst[outer][out][inner] from src[outer][in][inner]. */
static tarn_err resize_axis(const axis_plan *p, int64_t outer, int64_t inner, const double *src, double *dst, bool *outside)
{
	taps t = {.at = tarn_mem_zalloc(MAX_TAPS, sizeof *t.at), .w = tarn_mem_zalloc(MAX_TAPS, sizeof *t.w)};
	tarn_err err = t.at && t.w ? TARN_OK : tarn_err_nomem(MAX_TAPS * sizeof *t.w);
	for (int64_t i = 0; i < p->out && err == TARN_OK; i++) {
		tarn_resize_taps_of(p, i, &t);
		outside[i] = t.outside;
		for (int64_t o = 0; o < outer; o++) {
			double *to = dst + (o * p->out + i) * inner;
			for (int64_t j = 0; j < inner; j++)
				to[j] = 0;
			for (int k = 0; k < t.n; k++) {
				const double *from = src + (o * p->in + t.at[k]) * inner;
				for (int64_t j = 0; j < inner; j++)
					to[j] += t.w[k] * from[j];
			}
		}
	}
	tarn_mem_free(t.at);
	tarn_mem_free(t.w);
	return err;
}

tarn_err tarn_resize_plan(const tarn_node *n, int rank, const int64_t *in, const int64_t *out, const tarn_tensor *scales,
			  const tarn_tensor *roi, axis_plan *p)
{
	int axis[TARN_MAX_RANK], count;
	bool by_sizes = tarn_resize_by_sizes(n);
	TRY(tarn_resize_axes(n, rank, axis, &count));
	for (int i = 0; i < rank; i++)
		p[i] = (axis_plan){n, in[i], out[i], 1, 0, 1};
	if (roi && tarn_tensor_count(roi) == 0)
		roi = NULL;
	bool crop = tarn_attr_i(n, TARN_RESIZE_COORDINATES) == TARN_COORD_TF_CROP_AND_RESIZE;
	CHECK(!crop || (roi && tarn_tensor_count(roi) == 2 * count), TARN_SHAPE, "tf_crop_and_resize needs a roi of %d numbers",
	      2 * count);
	for (int i = 0; i < count; i++) {
		axis_plan *a = &p[axis[i]];
		a->scale = by_sizes ? (double)a->out / (double)a->in : tarn_tensor_f64(scales, i);
		if (crop) {
			a->start = tarn_tensor_f64(roi, i);
			a->end = tarn_tensor_f64(roi, count + i);
		}
		CHECK(a->in > 0 || a->out == 0, TARN_SHAPE, "axis %d has no elements to resize", axis[i]);
	}
	return TARN_OK;
}

/* Elements whose coordinate fell outside along any axis. */
static void extrapolate(const tarn_tensor *y, bool *const *outside, double value, double *v)
{
	int64_t index[TARN_MAX_RANK] = {0};
	for (int64_t i = 0; i < tarn_tensor_count(y); i++) {
		for (int a = 0; a < y->rank; a++)
			if (outside[a] && outside[a][index[a]])
				v[i] = value;
		tarn_elem_next(y->rank, y->dim, index);
	}
}

tarn_err tarn_resize_eval(tarn_eval *e)
{
	const tarn_tensor *x = e->in[0];
	tarn_tensor *y = &e->out[0];
	axis_plan p[TARN_MAX_RANK];
	double *v = NULL, *next = NULL;
	bool *outside[TARN_MAX_RANK] = {NULL};
	int64_t dim[TARN_MAX_RANK];
	tarn_err err;
	TRY(tarn_resize_plan(e->node, x->rank, x->dim, y->dim, tarn_eval_in(e, TARN_RESIZE_SCALES),
			     tarn_eval_in(e, TARN_RESIZE_ROI), p));
	if (!tarn_tensor_count(y))
		return TARN_OK;
	TRY_GOTO(done, tarn_real_load(x, &v));
	for (int i = 0; i < x->rank; i++)
		dim[i] = x->dim[i];
	for (int i = 0; i < x->rank; i++) {
		if (idle(&p[i]))
			continue;
		int64_t outer = tarn_elem_product(dim, 0, i), inner = tarn_elem_product(dim, i + 1, x->rank);
		outside[i] = tarn_mem_zalloc((size_t)p[i].out + 1, sizeof **outside);
		CHECK_GOTO(done, outside[i], TARN_NOMEM, "out of memory for %lld flags", (long long)p[i].out);
		TRY_GOTO(done, tarn_real_zeros(outer * p[i].out * inner, &next));
		TRY_GOTO(done, resize_axis(&p[i], outer, inner, v, next, outside[i]));
		tarn_mem_free(v);
		v = next;
		next = NULL;
		dim[i] = p[i].out;
	}
	extrapolate(y, outside, tarn_attr_f(e->node, TARN_RESIZE_EXTRAPOLATION), v);
	tarn_real_put(y, 0, tarn_tensor_count(y), v);
	err = TARN_OK;
done:
	tarn_mem_free(v);
	tarn_mem_free(next);
	for (int i = 0; i < TARN_MAX_RANK; i++)
		tarn_mem_free(outside[i]);
	return err;
}

/* The adjoint: what each output index took from the input goes back there, axis after axis. */
static tarn_err give_back(const axis_plan *p, int64_t outer, int64_t inner, const double *src, double *dst)
{
	taps t = {.at = tarn_mem_zalloc(MAX_TAPS, sizeof *t.at), .w = tarn_mem_zalloc(MAX_TAPS, sizeof *t.w)};
	tarn_err err = t.at && t.w ? TARN_OK : tarn_err_nomem(MAX_TAPS * sizeof *t.w);
	for (int64_t i = 0; i < p->out && err == TARN_OK; i++) {
		tarn_resize_taps_of(p, i, &t);
		for (int64_t o = 0; o < outer && !t.outside; o++)
			for (int k = 0; k < t.n; k++) {
				const double *from = src + (o * p->out + i) * inner;
				double *to = dst + (o * p->in + t.at[k]) * inner;
				for (int64_t j = 0; j < inner; j++)
					to[j] += t.w[k] * from[j];
			}
	}
	tarn_mem_free(t.at);
	tarn_mem_free(t.w);
	return err;
}

tarn_err tarn_resize_grad(tarn_grad *g)
{
	const tarn_tensor *x = g->in[0];
	axis_plan p[TARN_MAX_RANK];
	double *d, *next;
	int64_t dim[TARN_MAX_RANK];
	const tarn_tensor *scales = g->node->n_in > TARN_RESIZE_SCALES ? g->in[TARN_RESIZE_SCALES] : NULL;
	if (!tarn_grad_wants(g, 0) || !tarn_tensor_count(&g->out[0]))
		return TARN_OK;
	TRY(tarn_resize_plan(g->node, x->rank, x->dim, g->out[0].dim, scales,
			     g->node->n_in > TARN_RESIZE_ROI ? g->in[TARN_RESIZE_ROI] : NULL, p));
	TRY(tarn_grad_load(g, &g->dout[0], &d));
	for (int i = 0; i < x->rank; i++)
		dim[i] = g->out[0].dim[i];
	for (int i = x->rank - 1; i >= 0; i--) {
		if (idle(&p[i]))
			continue;
		int64_t outer = tarn_elem_product(dim, 0, i), inner = tarn_elem_product(dim, i + 1, x->rank);
		TRY(tarn_grad_zeros(g, outer * p[i].in * inner, &next));
		TRY(give_back(&p[i], outer, inner, d, next));
		d = next;
		dim[i] = p[i].in;
	}
	tarn_grad_add(&g->din[0], d);
	return TARN_OK;
}
