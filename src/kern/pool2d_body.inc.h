/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling rows of one level. */
#include "kern/f32.h"
#include "kern/vmath.inc.h"

typedef struct window {
	long long from;  /* position of tap `first` */
	int first, last; /* taps [first, last) inside the image */
	int padded;      /* taps inside the padded image */
} window;

static window window_at(int o, int k, int stride, int dilation, int before, int after, int size)
{
	window w = {(long long)o * stride - before, 0, k, 0};
	while (w.first < w.last && w.from + (long long)w.first * dilation < 0)
		w.first++;
	while (w.last > w.first && w.from + (long long)(w.last - 1) * dilation >= size)
		w.last--;
	for (int i = 0; i < k; i++)
		w.padded += w.from + (long long)i * dilation < (long long)size + after;
	w.from += (long long)w.first * dilation;
	return w;
}

/* nv (a constant) vectors of channels of one output pixel. Means add rows, then their sums: fewer terms meet one rounding. */
INLINE void pool_pixel(const tarn_pool2d *p, const float *in, float *out, const window *wy, const window *wx, float scale,
		       const int nv, int tail, const bool average)
{
	vf acc[4], sum[4];
	size_t stride = p->in_stride;
	UNROLL for (int j = 0; j < nv; j++) sum[j] = v_set1(0.0f);
	UNROLL for (int j = 0; j < nv; j++) acc[j] = v_set1(average ? 0.0f : -INFINITY);
	for (int ky = wy->first; ky < wy->last; ky++) {
		long long y = wy->from + (long long)(ky - wy->first) * p->dilation_h;
		const float *x = in + ((size_t)y * (size_t)p->iw + (size_t)wx->from) * stride;
		for (int kx = wx->first; kx < wx->last; kx++, x += (size_t)p->dilation_w * stride) {
			UNROLL for (int j = 0; j < nv; j++)
			{
				vf v = v_load_n(x + j * VL, tail);
				acc[j] = v_pick(average, acc[j] + v, v_sel(v_eq(v, v), v_max(v, acc[j]), v));
			}
		}
		UNROLL for (int j = 0; j < nv && average; j++)
		{
			sum[j] += acc[j];
			acc[j] = v_set1(0.0f);
		}
	}
	vf s = v_set1(scale);
	UNROLL for (int j = 0; j < nv; j++)
	{
		vf v = v_pick(average, sum[j] * s, acc[j]);
		if (tail == VL)
			v_store(out + j * VL, v);
		else
			v_store_n(out + j * VL, v, tail);
	}
}

static void pool_channels(const tarn_pool2d *p, const float *in, float *out, const window *wy, const window *wx, float scale)
{
	int c = 0;
	for (; c + 4 * VL <= p->c; c += 4 * VL) {
		if (p->average)
			pool_pixel(p, in + c, out + c, wy, wx, scale, 4, VL, true);
		else
			pool_pixel(p, in + c, out + c, wy, wx, scale, 4, VL, false);
	}
	for (; c < p->c; c += VL) {
		if (p->average)
			pool_pixel(p, in + c, out + c, wy, wx, scale, 1, p->c - c < VL ? p->c - c : VL, true);
		else
			pool_pixel(p, in + c, out + c, wy, wx, scale, 1, p->c - c < VL ? p->c - c : VL, false);
	}
}

static void pool_row(const tarn_pool2d *p, const float *in, float *out, int n, int oy)
{
	window wy = window_at(oy, p->kh, p->stride_h, p->dilation_h, p->pad_top, p->pad_bottom, p->ih);
	in += (size_t)n * (size_t)p->ih * (size_t)p->iw * p->in_stride;
	out += ((size_t)n * (size_t)p->oh + (size_t)oy) * (size_t)p->ow * p->out_stride;
	for (int ox = 0; ox < p->ow; ox++, out += p->out_stride) {
		window wx = window_at(ox, p->kw, p->stride_w, p->dilation_w, p->pad_left, p->pad_right, p->iw);
		long long count = p->count_include_pad ? (long long)wy.padded * wx.padded
						       : (long long)(wy.last - wy.first) * (wx.last - wx.first);
		if (wy.first == wy.last || wx.first == wx.last)
			wx.from = 0, wx.last = wx.first;
		float scale = count > 0 ? 1.0f / (float)count : 0.0f;
		pool_channels(p, in, out, &wy, &wx, scale);
	}
}
