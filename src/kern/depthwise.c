/* SPDX-License-Identifier: Apache-2.0 */
#include "kern/depthwise.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "kern/f32.h"
#include "kern/isa.h"

struct tarn_depthwise_f32 {
	tarn_depthwise_spec spec;
	const tarn_f32_set *set;
	size_t channels, w_stride; /* of the output */
	size_t weights;            /* rows of w: taps, for each input of a group */
	float *w, *bias;
	bool lent; /* both are in a store */
};

bool tarn_depthwise_f32_suits(int width)
{
	int lanes = tarn_isa_base() == TARN_ISA_AVX512 ? 16 : tarn_isa_base() == TARN_ISA_AVX2 ? 8 : 0;
	return (width == 2 || width == 4 || width == 8) && width < lanes;
}

tarn_err tarn_depthwise_f32_open(const tarn_depthwise_spec *s, tarn_store *from, tarn_depthwise_f32 **dw)
{
	CHECK(s->channels > 0 && s->multiplier > 0 && s->multiplier <= (1 << 30) / s->channels, TARN_SHAPE,
	      "depthwise convolution needs a positive number of channels");
	CHECK(s->kh > 0 && s->kw > 0 && s->stride_h > 0 && s->stride_w > 0 && s->dilation_h > 0 && s->dilation_w > 0 &&
		      (long long)s->kh * s->kw <= 1 << 20,
	      TARN_SHAPE, "kernel size, stride and dilation of a depthwise convolution must be positive");
	CHECK(s->width <= 1 ||
		      ((s->width == 2 || s->width == 4 || s->width == 8) && s->multiplier == 1 && s->channels % s->width == 0),
	      TARN_SHAPE, "%d channels in groups of %d", s->channels, s->width);
	tarn_depthwise_f32 *d = tarn_mem_zalloc(1, sizeof *d);
	if (!d)
		return tarn_err_nomem(sizeof *d);
	d->spec = *s;
	d->set = tarn_f32_set_get();
	d->channels = (size_t)s->channels * (size_t)s->multiplier;
	d->w_stride = (d->channels + 15) / 16 * 16;
	d->weights = (size_t)s->kh * (size_t)s->kw * (size_t)(s->width > 1 ? s->width : 1);
	d->lent = from;
	tarn_err err = tarn_store_get(from, d->weights * d->w_stride * sizeof(float), &d->w);
	if (err == TARN_OK)
		err = tarn_store_get(from, d->w_stride * sizeof(float), &d->bias);
	if (err != TARN_OK)
		tarn_depthwise_f32_free(d);
	else
		*dw = d;
	return err;
}

tarn_err tarn_depthwise_f32_pack(const tarn_depthwise_spec *s, const float *weights, const float *bias, tarn_depthwise_f32 **dw)
{
	tarn_depthwise_f32 *d;
	TRY(tarn_depthwise_f32_open(s, NULL, &d));
	size_t taps = (size_t)s->kh * (size_t)s->kw, width = d->weights / taps;
	memset(d->w, 0, d->weights * d->w_stride * sizeof(float));
	memset(d->bias, 0, d->w_stride * sizeof(float));
	for (size_t c = 0; c < d->channels; c++)
		for (size_t i = 0; i < d->weights; i++) /* [width][taps] -> [taps][width] */
			d->w[i * d->w_stride + c] = weights[c * d->weights + i % width * taps + i / width];
	if (bias)
		memcpy(d->bias, bias, d->channels * sizeof(float));
	*dw = d;
	return TARN_OK;
}

void tarn_depthwise_f32_free(tarn_depthwise_f32 *dw)
{
	if (!dw)
		return;
	if (!dw->lent) {
		tarn_mem_free_aligned(dw->w);
		tarn_mem_free_aligned(dw->bias);
	}
	tarn_mem_free(dw);
}

void tarn_depthwise_f32_save(const tarn_depthwise_f32 *dw, tarn_str *out)
{
	tarn_store_put(out, dw->w, dw->weights * dw->w_stride * sizeof *dw->w);
	tarn_store_put(out, dw->bias, dw->w_stride * sizeof *dw->bias);
}

int tarn_depthwise_f32_tasks(const tarn_conv_shape *shape)
{
	return shape->n * shape->oh;
}

/* Any multiplier and any groups, one output value at a time. */
static void row_general(const tarn_depthwise_row *r, size_t channels)
{
	const tarn_depthwise_spec *s = r->spec;
	size_t width = s->width > 1 ? (size_t)s->width : 1;
	for (int ox = 0; ox < r->ow; ox++) {
		for (size_t o = 0; o < channels; o++) {
			float acc = r->bias[o];
			const float *in = r->in + (width > 1 ? o / width * width : o / (size_t)s->multiplier);
			for (int ky = r->ky0; ky < r->ky1; ky++, in += r->row_step) {
				for (int kx = 0; kx < s->kw; kx++) {
					long long x = (long long)ox * s->stride_w - r->pad_left + (long long)kx * s->dilation_w;
					const float *w =
						r->w + ((size_t)ky * (size_t)s->kw + (size_t)kx) * width * r->w_stride + o;
					for (size_t j = 0; j < width && x >= 0 && x < r->iw; j++)
						acc += in[(size_t)x * r->in_stride + j] * w[j * r->w_stride];
				}
			}
			if (r->res)
				acc += r->res[(size_t)ox * r->res_stride + o];
			acc = r->lo > acc ? r->lo : acc;
			r->out[(size_t)ox * r->out_stride + o] = r->hi < acc ? r->hi : acc;
		}
	}
}

/* Kernel rows [*ky0, *ky1) of output row oy that lie in the image; returns the input row of *ky0. */
static size_t valid_rows(const tarn_depthwise_spec *s, const tarn_conv_shape *h, int oy, int *ky0, int *ky1)
{
	long long top = (long long)oy * s->stride_h - h->pad_top;
	int first = 0, last = s->kh;
	while (first < last && top + (long long)first * s->dilation_h < 0)
		first++;
	while (last > first && top + (long long)(last - 1) * s->dilation_h >= h->ih)
		last--;
	*ky0 = first;
	*ky1 = last;
	return first < last ? (size_t)(top + (long long)first * s->dilation_h) : 0;
}

void tarn_depthwise_f32_run(const tarn_depthwise_f32 *dw, const tarn_depthwise_f32_args *args, int begin, int end)
{
	const tarn_depthwise_spec *s = &dw->spec;
	const tarn_conv_shape *h = &args->shape;
	const tarn_epilogue *e = &args->epilogue;
	size_t in_stride = h->in_stride ? h->in_stride : (size_t)s->channels, c = dw->channels;
	bool after = args->residual && e->residual_after && e->act != TARN_UNARY_IDENTITY, relu = e->act == TARN_UNARY_RELU;
	bool simple = (e->act == TARN_UNARY_IDENTITY || relu || e->act == TARN_UNARY_CLAMP) && !after;
	tarn_depthwise_row r = {.spec = s,
				.iw = h->iw,
				.ow = h->ow,
				.pad_left = h->pad_left,
				.in_stride = in_stride,
				.w = dw->w,
				.w_stride = dw->w_stride,
				.bias = dw->bias,
				.out_stride = h->out_stride ? h->out_stride : c,
				.res_stride = h->residual_stride ? h->residual_stride : c,
				.lo = -INFINITY,
				.hi = INFINITY};
	if (simple && e->act != TARN_UNARY_IDENTITY) {
		r.lo = relu ? 0.0f : e->alpha;
		r.hi = relu ? INFINITY : e->beta;
	}
	r.row_step = (size_t)s->dilation_h * (size_t)h->iw * in_stride;
	for (int task = begin; task < end; task++) {
		int image = task / h->oh, oy = task % h->oh;
		size_t iy = valid_rows(s, h, oy, &r.ky0, &r.ky1), pixel = (size_t)task * (size_t)h->ow;
		r.in = args->in + ((size_t)image * (size_t)h->ih + iy) * (size_t)h->iw * in_stride;
		r.out = args->out + pixel * r.out_stride;
		const float *res = args->residual ? args->residual + pixel * r.res_stride : NULL;
		r.res = after ? NULL : res;
		if (s->multiplier == 1 && (s->width <= 1 || tarn_depthwise_f32_suits(s->width)))
			dw->set->depthwise_row(&r);
		else
			row_general(&r, c);
		bool dense = r.out_stride == c && (!after || r.res_stride == c);
		size_t run = dense ? c * (size_t)h->ow : c;
		for (size_t ox = 0; !simple && ox < (size_t)h->ow; ox += run / c) {
			float *out = r.out + ox * r.out_stride;
			dw->set->unary(e->act, e->alpha, e->beta, out, out, run);
			if (after)
				dw->set->binary_vv(TARN_BINARY_ADD, out, res + ox * r.res_stride, out, run);
		}
	}
}
