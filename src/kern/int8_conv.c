/* SPDX-License-Identifier: Apache-2.0 */
/* INT8 convolution in plain C: the portable level, and what the others are tested against. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "kern/int8.h"

struct tarn_qconv {
	tarn_conv_spec s;
	tarn_qconv_input in;
	int16_t *w; /* [oc][kh][kw][ic / groups], less the zero point */
};

struct tarn_qconv_plan {
	const tarn_qconv *q;
	tarn_conv_shape sh;
	tarn_qepilogue e;
	float *scale, *bias;
};

tarn_err tarn_qconv_pack(const tarn_conv_spec *spec, const void *w, tarn_code w_type, const int32_t *w_zero,
			 tarn_qconv_input input, tarn_qconv **out)
{
	CHECK(spec->groups > 0 && spec->ic > 0 && spec->oc > 0 && spec->ic % spec->groups == 0 && spec->oc % spec->groups == 0,
	      TARN_SHAPE, "%d input and %d output channels do not divide into %d groups", spec->ic, spec->oc, spec->groups);
	size_t ic = (size_t)(spec->ic / spec->groups), taps = (size_t)spec->kh * (size_t)spec->kw, k = ic * taps;
	/* |x - x_zero| and |w - w_zero| are at most 255 */
	CHECK(k <= INT32_MAX / (255 * 255), TARN_SHAPE, "%zu products for one output could overflow 32 bits", k);
	tarn_qconv *q = tarn_mem_zalloc(1, sizeof *q);
	if (q)
		q->w = tarn_mem_alloc((size_t)spec->oc * k * sizeof *q->w);
	if (!q || !q->w) {
		tarn_qconv_free(q);
		return tarn_err_nomem((size_t)spec->oc * k * 2);
	}
	q->s = *spec;
	q->in = input;
	for (size_t o = 0; o < (size_t)spec->oc; o++)
		for (size_t c = 0; c < ic; c++)
			for (size_t t = 0; t < taps; t++) {
				size_t at = (o * ic + c) * taps + t;
				int v = w_type == TARN_CODE_S8 ? ((const int8_t *)w)[at] : ((const uint8_t *)w)[at];
				q->w[(o * taps + t) * ic + c] = (int16_t)(v - (w_zero ? w_zero[o] : 0));
			}
	*out = q;
	return TARN_OK;
}

void tarn_qconv_free(tarn_qconv *q)
{
	if (!q)
		return;
	tarn_mem_free(q->w);
	tarn_mem_free(q);
}

size_t tarn_qconv_bytes(const tarn_qconv *q)
{
	return sizeof *q + (size_t)q->s.oc * (size_t)(q->s.ic / q->s.groups) * (size_t)q->s.kh * (size_t)q->s.kw * sizeof *q->w;
}

tarn_err tarn_qconv_plan_new(const tarn_qconv *q, const tarn_conv_shape *shape, const tarn_qepilogue *e, tarn_qconv_plan **out)
{
	size_t oc = (size_t)q->s.oc;
	tarn_qconv_plan *p = tarn_mem_zalloc(1, sizeof *p + 2 * oc * sizeof(float));
	if (!p)
		return tarn_err_nomem(2 * oc * sizeof(float));
	p->q = q;
	p->sh = *shape;
	p->e = *e;
	p->scale = (float *)(p + 1);
	p->bias = p->scale + oc;
	if (e->scale)
		memcpy(p->scale, e->scale, oc * sizeof(float));
	if (e->bias)
		memcpy(p->bias, e->bias, oc * sizeof(float));
	*out = p;
	return TARN_OK;
}

void tarn_qconv_plan_free(tarn_qconv_plan *p)
{
	tarn_mem_free(p);
}

int tarn_qconv_tasks(const tarn_qconv_plan *p)
{
	return p->sh.n * p->sh.oh * p->sh.ow;
}

static int32_t accumulate(const tarn_qconv_plan *p, const uint8_t *image, int o, int oy, int ox)
{
	const tarn_qconv *q = p->q;
	int ic = q->s.ic / q->s.groups, first = o / (q->s.oc / q->s.groups) * ic;
	size_t stride = p->sh.in_stride ? p->sh.in_stride : (size_t)q->s.ic;
	const int16_t *w = q->w + (size_t)o * (size_t)(q->s.kh * q->s.kw * ic);
	int32_t acc = 0;
	for (int ky = 0; ky < q->s.kh; ky++)
		for (int kx = 0; kx < q->s.kw; kx++, w += ic) {
			int y = oy * q->s.stride_h - p->sh.pad_top + ky * q->s.dilation_h;
			int x = ox * q->s.stride_w - p->sh.pad_left + kx * q->s.dilation_w;
			if (y < 0 || y >= p->sh.ih || x < 0 || x >= p->sh.iw)
				continue; /* padding is the zero point: nothing to add */
			const uint8_t *v = image + ((size_t)y * (size_t)p->sh.iw + (size_t)x) * stride + first;
			if (q->in.type == TARN_CODE_S8)
				for (int c = 0; c < ic; c++)
					acc += ((int8_t)v[c] - q->in.zero) * w[c];
			else
				for (int c = 0; c < ic; c++)
					acc += (v[c] - q->in.zero) * w[c];
		}
	return acc;
}

static void store(const tarn_qconv_plan *p, void *out, size_t at, int o, int32_t acc)
{
	const tarn_qepilogue *e = &p->e;
	if (e->type == TARN_CODE_I32) {
		((int32_t *)out)[at] = acc;
		return;
	}
	float r = (float)acc * p->scale[o] + p->bias[o];
	if (e->type == TARN_CODE_F32) {
		((float *)out)[at] = r < e->f_lo ? e->f_lo : r > e->f_hi ? e->f_hi : r;
		return;
	}
	float lo = (float)(e->lo - e->zero), hi = (float)(e->hi - e->zero);
	r = rintf(r);
	r = r < lo ? lo : r > hi ? hi : r;
	((uint8_t *)out)[at] = (uint8_t)((int)r + e->zero);
}

void tarn_qconv_run(const tarn_qconv_plan *p, const void *in, void *out, int begin, int end)
{
	size_t is = p->sh.in_stride ? p->sh.in_stride : (size_t)p->q->s.ic,
	       os = p->sh.out_stride ? p->sh.out_stride : (size_t)p->q->s.oc;
	int pixels = p->sh.oh * p->sh.ow;
	for (int t = begin; t < end; t++) {
		const uint8_t *image = (const uint8_t *)in + (size_t)(t / pixels) * (size_t)p->sh.ih * (size_t)p->sh.iw * is;
		for (int o = 0; o < p->q->s.oc; o++)
			store(p, out, (size_t)t * os + (size_t)o, o,
			      accumulate(p, image, o, t % pixels / p->sh.ow, t % p->sh.ow));
	}
}
