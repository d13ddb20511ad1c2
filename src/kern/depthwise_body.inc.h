/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise rows of one level: for each vector of channels, blocks of neighbouring outputs that share their inputs. */
#include "kern/f32.h"
#include "kern/simd.h"

typedef struct dw_lane {
	const float *in, *w, *bias, *res;
	float *out;
	int tail; /* valid channels of this vector */
} dw_lane;

INLINE vf dw_load(const float *p, const bool full, int tail)
{
	if (full)
		return v_load(p);
	return v_load_n(p, tail);
}

INLINE void dw_store(const tarn_depthwise_row *r, const dw_lane *l, int ox, vf acc, const bool full)
{
	if (l->res)
		acc += dw_load(l->res + (size_t)ox * r->res_stride, full, l->tail);
	acc = v_min(v_set1(r->hi), v_max(v_set1(r->lo), acc));
	float *out = l->out + (size_t)ox * r->out_stride;
	if (full)
		v_store(out, acc);
	else
		v_store_n(out, acc, l->tail);
}

/* `count` outputs from ox on, all taps of each row inside the image; kw, stride and count are constants, dilation is 1. */
INLINE void dw_block(const tarn_depthwise_row *r, const dw_lane *l, int ox, const int kw, const int stride, const int count,
		     const bool full)
{
	vf acc[8], w[5];
	vf bias = v_load(l->bias);
	UNROLL for (int b = 0; b < count; b++) acc[b] = bias;
	const float *in = l->in + (ptrdiff_t)((long long)ox * stride - r->pad_left) * (ptrdiff_t)r->in_stride;
	const float *wk = l->w + (size_t)r->ky0 * (size_t)kw * r->w_stride;
	for (int ky = r->ky0; ky < r->ky1; ky++, in += r->row_step, wk += (size_t)kw * r->w_stride) {
		UNROLL for (int k = 0; k < kw; k++) w[k] = v_load(wk + (size_t)k * r->w_stride);
		const float *x = in;
		UNROLL for (int i = 0; i < (count - 1) * stride + kw; i++, x += r->in_stride)
		{
			vf v = dw_load(x, full, l->tail);
			UNROLL for (int k = 0; k < kw; k++) if (i >= k && (i - k) % stride == 0 && (i - k) / stride < count)
				acc[(i - k) / stride] = v_fma(v, w[k], acc[(i - k) / stride]);
		}
	}
	UNROLL for (int b = 0; b < count; b++) dw_store(r, l, ox + b, acc[b], full);
}

/* Outputs [ox, end) of the interior. */
INLINE int dw_interior(const tarn_depthwise_row *r, const dw_lane *l, int ox, int end, const int kw, const int stride,
		       const bool full)
{
	for (; ox + 8 <= end; ox += 8)
		dw_block(r, l, ox, kw, stride, 8, full);
	if (ox + 4 <= end) {
		dw_block(r, l, ox, kw, stride, 4, full);
		ox += 4;
	}
	if (ox + 2 <= end) {
		dw_block(r, l, ox, kw, stride, 2, full);
		ox += 2;
	}
	if (ox < end)
		dw_block(r, l, ox++, kw, stride, 1, full);
	return ox;
}

/* Any kernel, any position. */
static void dw_any(const tarn_depthwise_row *r, const dw_lane *l, int ox, int end)
{
	const tarn_depthwise_spec *s = r->spec;
	for (; ox < end; ox++) {
		vf acc = v_load(l->bias);
		long long left = (long long)ox * s->stride_w - r->pad_left;
		const float *in = l->in;
		for (int ky = r->ky0; ky < r->ky1; ky++, in += r->row_step) {
			const float *w = l->w + (size_t)ky * (size_t)s->kw * r->w_stride;
			long long x = left;
			for (int kx = 0; kx < s->kw; kx++, x += s->dilation_w, w += r->w_stride)
				if (x >= 0 && x < r->iw)
					acc = v_fma(v_load_n(in + (size_t)x * r->in_stride, l->tail), v_load(w), acc);
		}
		dw_store(r, l, ox, acc, false);
	}
}

#define DW_FAST(kw, stride) \
	static int dw_fast_##kw##_##stride(const tarn_depthwise_row *r, const dw_lane *l, int ox, int end) \
	{ \
		return l->tail == VL ? dw_interior(r, l, ox, end, kw, stride, true) \
				     : dw_interior(r, l, ox, end, kw, stride, false); \
	}
DW_FAST(3, 1)
DW_FAST(3, 2)
DW_FAST(5, 1)
DW_FAST(5, 2)

static void depthwise_row(const tarn_depthwise_row *r)
{
	const tarn_depthwise_spec *s = r->spec;
	int (*fast)(const tarn_depthwise_row *, const dw_lane *, int, int) = NULL;
	if (s->dilation_w == 1 && s->stride_w <= 2 && (s->kw == 3 || s->kw == 5))
		fast = s->kw == 3 ? (s->stride_w == 1 ? dw_fast_3_1 : dw_fast_3_2)
				  : (s->stride_w == 1 ? dw_fast_5_1 : dw_fast_5_2);
	/* Outputs [lo, hi) have all their taps inside the row. */
	long long lo = r->pad_left > 0 ? (r->pad_left + s->stride_w - 1) / s->stride_w : 0;
	long long room = (long long)r->iw + r->pad_left - s->kw, hi = room < 0 ? 0 : room / s->stride_w + 1;
	hi = hi < r->ow ? hi : r->ow;
	for (int c = 0; c < s->channels; c += VL) {
		dw_lane l = {r->in + c,   r->w + c,
			     r->bias + c, r->res ? r->res + c : NULL,
			     r->out + c,  s->channels - c < VL ? s->channels - c : VL};
		int ox = 0;
		if (fast && lo < hi) {
			dw_any(r, &l, 0, (int)lo);
			ox = fast(r, &l, (int)lo, (int)hi);
		}
		dw_any(r, &l, ox, r->ow);
	}
}
