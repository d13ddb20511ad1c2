/* SPDX-License-Identifier: Apache-2.0 */
/* INT8 convolution in plain C: the portable level, and kernels no other level has a fast path for. */
#include "kern/int8_set.h"

typedef struct plain {
	const tarn_conv_spec *s;
	const tarn_conv_shape *sh;
	tarn_qconv_input in;
	const int16_t *w;
	const tarn_qepilogue *e;
} plain;

static int32_t accumulate(const plain *p, const uint8_t *image, int o, int oy, int ox)
{
	const tarn_conv_spec *s = p->s;
	int ic = s->ic / s->groups, first = o / (s->oc / s->groups) * ic;
	const int16_t *w = p->w + (size_t)o * (size_t)(s->kh * s->kw) * (size_t)ic;
	int32_t acc = 0;
	for (int ky = 0; ky < s->kh; ky++)
		for (int kx = 0; kx < s->kw; kx++, w += ic) {
			long long y = (long long)oy * s->stride_h - p->sh->pad_top + (long long)ky * s->dilation_h;
			long long x = (long long)ox * s->stride_w - p->sh->pad_left + (long long)kx * s->dilation_w;
			if (y < 0 || y >= p->sh->ih || x < 0 || x >= p->sh->iw)
				continue; /* padding is the zero point: nothing to add */
			const uint8_t *v = image + ((size_t)y * (size_t)p->sh->iw + (size_t)x) * p->sh->in_stride + first;
			if (p->in.type == TARN_CODE_S8)
				for (int c = 0; c < ic; c++)
					acc += ((int8_t)v[c] - p->in.zero) * w[c];
			else
				for (int c = 0; c < ic; c++)
					acc += (v[c] - p->in.zero) * w[c];
		}
	return acc;
}

static void store(const tarn_qepilogue *e, void *out, size_t at, int o, int32_t acc)
{
	if (e->type == TARN_CODE_I32) {
		((int32_t *)out)[at] = acc;
		return;
	}
	float r = (float)acc * e->scale[o] + e->bias[o];
	if (e->type == TARN_CODE_F32) {
		((float *)out)[at] = r < e->f_lo ? e->f_lo : r > e->f_hi ? e->f_hi : r;
		return;
	}
	((uint8_t *)out)[at] = tarn_qconv_code(r, e);
}

void tarn_qconv_plain_run(const tarn_conv_spec *s, const tarn_conv_shape *sh, tarn_qconv_input input, const int16_t *w,
			  const tarn_qepilogue *e, const void *in, void *out, int begin, int end)
{
	const plain p = {s, sh, input, w, e};
	int pixels = sh->oh * sh->ow;
	for (int t = begin; t < end; t++) {
		const uint8_t *image =
			(const uint8_t *)in + (size_t)(t / pixels) * (size_t)sh->ih * (size_t)sh->iw * sh->in_stride;
		for (int o = 0; o < s->oc; o++)
			store(e, out, (size_t)t * sh->out_stride + (size_t)o, o,
			      accumulate(&p, image, o, t % pixels / sh->ow, t % sh->ow));
	}
}
