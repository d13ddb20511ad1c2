/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise rows of one level: for each vector of channels, blocks of neighbouring outputs that share their inputs. */
#include "kern/f32.h"
#include "kern/simd.h"

typedef struct dw_lane {
	const float *in, *w, *bias, *res;
	float *out;
	int tail; /* valid channels of this vector */
} dw_lane;

/* `count` outputs from ox on; kw, stride and count are constants, dilation is 1. With `inside` all taps of each row are in the
 * image; without, every load is looked at. With `full` the vector of channels is. The fields used are copied first: stores of
 * vectors may alias anything, so the compiler would read them again after each. */
INLINE void dw_block(const tarn_depthwise_row *r, const dw_lane *l, int ox, const int kw, const int stride, const int count,
		     const bool inside, const bool full)
{
	vf acc[8], w[5], bias = v_load(l->bias), lo = v_set1(r->lo), hi = v_set1(r->hi);
	const ptrdiff_t left = (ptrdiff_t)ox * stride - r->pad_left, iw = r->iw;
	const size_t step = r->in_stride, row_step = r->row_step, w_step = r->w_stride;
	const int tail = full ? VL : l->tail;
	UNROLL for (int b = 0; b < count; b++) acc[b] = bias;
	const float *in = l->in + left * (ptrdiff_t)step, *wk = l->w + (size_t)r->ky0 * (size_t)kw * w_step;
	for (int n = r->ky1 - r->ky0; n > 0; n--, in += row_step) {
		UNROLL for (int k = 0; k < kw; k++, wk += w_step) w[k] = v_load(wk);
		const float *x = in;
		UNROLL for (int i = 0; i < (count - 1) * stride + kw; i++, x += step)
		{
			vf v = v_zero();
			if (inside && full)
				v = v_load(x);
			else if (inside)
				v = v_load_n(x, tail);
			else if (left + i >= 0 && left + i < iw)
				v = v_load_n(x, tail);
			V_KEEP(v);
			UNROLL for (int k = 0; k < kw; k++) if (i >= k && (i - k) % stride == 0 && (i - k) / stride < count)
				acc[(i - k) / stride] = v_fma(v, w[k], acc[(i - k) / stride]);
		}
	}
	if (l->res) {
		const float *res = l->res + (size_t)ox * r->res_stride;
		UNROLL for (int b = 0; b < count; b++) acc[b] += v_load_n(res + (size_t)b * r->res_stride, tail);
	}
	float *out = l->out + (size_t)ox * r->out_stride;
	const size_t out_step = r->out_stride;
	UNROLL for (int b = 0; b < count; b++, out += out_step)
	{
		vf v = v_min(hi, v_max(lo, acc[b]));
		if (full)
			v_store(out, v);
		else
			v_store_n(out, v, tail);
	}
}

/* Outputs of a whole row; [lo, hi) have all their taps inside. */
INLINE void dw_lane_row(const tarn_depthwise_row *r, const dw_lane *l, int lo, int hi, const int kw, const int stride,
			const bool full)
{
	for (int ox = 0, count; ox < r->ow; ox += count) {
		int left = r->ow - ox;
		bool inside = ox >= lo && ox < hi;
		count = left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
		inside = inside && ox + count <= hi;
		if (inside && count == 8)
			dw_block(r, l, ox, kw, stride, 8, true, full);
		else if (count == 8)
			dw_block(r, l, ox, kw, stride, 8, false, full);
		else if (inside && count == 4)
			dw_block(r, l, ox, kw, stride, 4, true, full);
		else if (count == 4)
			dw_block(r, l, ox, kw, stride, 4, false, full);
		else if (count == 2)
			dw_block(r, l, ox, kw, stride, 2, false, full);
		else
			dw_block(r, l, ox, kw, stride, 1, false, full);
	}
}

/* In each group of `width` lanes, lane j of the group everywhere. */
INLINE vi dw_lanes(int width, int j)
{
	static const int32_t lane[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	vi v;
	memcpy(&v, lane, sizeof v);
	return (v & ~(width - 1)) | j;
}
INLINE vf dw_spread(vf x, vi lanes)
{
#if defined(__AVX512F__)
	return _mm512_permutexvar_ps((__m512i)lanes, x);
#elif defined(__AVX2__)
	return _mm256_permutevar8x32_ps(x, (__m256i)lanes);
#else
	(void)lanes; /* groups are not for this level */
	return x;
#endif
}

/* Any kernel; `count` outputs whose taps are all inside. count and width (channels of a group; 1: depthwise) are constants. */
INLINE void dw_any_inside(const tarn_depthwise_row *r, const dw_lane *l, int ox, const int count, const bool full,
			  const int width)
{
	const tarn_depthwise_spec *s = r->spec;
	const int kw = s->kw, tail = full ? VL : l->tail;
	const size_t w_step = r->w_stride, step = r->in_stride * (size_t)s->stride_w,
		     tap = r->in_stride * (size_t)s->dilation_w;
	vf acc[8], wk[8], lo = v_set1(r->lo), hi = v_set1(r->hi);
	vi lanes[8];
	UNROLL for (int j = 0; j < width; j++) lanes[j] = dw_lanes(width, j);
	UNROLL for (int b = 0; b < count; b++) acc[b] = v_load(l->bias);
	const float *w = l->w + (size_t)(r->ky0 * kw * width) * w_step;
	const float *row = l->in + ((ptrdiff_t)ox * s->stride_w - r->pad_left) * (ptrdiff_t)r->in_stride;
	for (int n = r->ky1 - r->ky0; n > 0; n--, row += r->row_step) {
		const float *x = row;
		for (int k = 0; k < kw; k++, x += tap) {
			UNROLL for (int j = 0; j < width; j++, w += w_step) wk[j] = v_load(w);
			UNROLL for (int b = 0; b < count; b++)
			{
				const float *at = x + (size_t)b * step;
				vf v = v_load_n(at, tail);
				UNROLL for (int j = 0; j < width; j++) acc[b] =
					v_fma(width > 1 ? dw_spread(v, lanes[j]) : v, wk[j], acc[b]);
			}
		}
	}
	UNROLL for (int b = 0; b < count; b++)
	{
		if (l->res)
			acc[b] += v_load_n(l->res + (size_t)(ox + b) * r->res_stride, tail);
		v_store_n(l->out + (size_t)(ox + b) * r->out_stride, v_min(hi, v_max(lo, acc[b])), tail);
	}
}

/* Any kernel, one output anywhere. */
static void dw_any_edge(const tarn_depthwise_row *r, const dw_lane *l, int ox, int width)
{
	const tarn_depthwise_spec *s = r->spec;
	vf acc = v_load(l->bias);
	long long left = (long long)ox * s->stride_w - r->pad_left;
	const float *in = l->in;
	for (int ky = r->ky0; ky < r->ky1; ky++, in += r->row_step) {
		const float *w = l->w + (size_t)(ky * s->kw * width) * r->w_stride;
		long long x = left;
		for (int kx = 0; kx < s->kw; kx++, x += s->dilation_w, w += r->w_stride * (size_t)width) {
			if (x < 0 || x >= r->iw)
				continue;
			vf v = v_load_n(in + (size_t)x * r->in_stride, l->tail);
			for (int j = 0; j < width; j++)
				acc = v_fma(width > 1 ? dw_spread(v, dw_lanes(width, j)) : v,
					    v_load(w + (size_t)j * r->w_stride), acc);
		}
	}
	if (l->res)
		acc += v_load_n(l->res + (size_t)ox * r->res_stride, l->tail);
	v_store_n(l->out + (size_t)ox * r->out_stride, v_min(v_set1(r->hi), v_max(v_set1(r->lo), acc)), l->tail);
}

INLINE void dw_any(const tarn_depthwise_row *r, const dw_lane *l, int lo, int hi, const int width)
{
	for (int ox = 0, count; ox < r->ow; ox += count) {
		int left = ox < lo ? 0 : hi - ox;
		count = left >= 8 ? 8 : left >= 4 ? 4 : 1;
		if (count == 8 && l->tail == VL)
			dw_any_inside(r, l, ox, 8, true, width);
		else if (count == 8)
			dw_any_inside(r, l, ox, 8, false, width);
		else if (count == 4)
			dw_any_inside(r, l, ox, 4, false, width);
		else
			dw_any_edge(r, l, ox, width);
	}
}

#define DW_ANY(width) \
	static void dw_any_##width(const tarn_depthwise_row *r, const dw_lane *l, int lo, int hi) \
	{ \
		dw_any(r, l, lo, hi, width); \
	}
DW_ANY(1)
#if VL > 4
DW_ANY(2)
DW_ANY(4)
#endif
#if VL > 8
DW_ANY(8)
#endif

#define DW_FAST(kw, stride) \
	static void dw_fast_##kw##_##stride(const tarn_depthwise_row *r, const dw_lane *l, int lo, int hi) \
	{ \
		if (l->tail == VL) \
			dw_lane_row(r, l, lo, hi, kw, stride, true); \
		else \
			dw_lane_row(r, l, lo, hi, kw, stride, false); \
	}
DW_FAST(3, 1)
DW_FAST(3, 2)
DW_FAST(5, 1)
DW_FAST(5, 2)

static void depthwise_row(const tarn_depthwise_row *r)
{
	const tarn_depthwise_spec *s = r->spec;
	void (*row)(const tarn_depthwise_row *, const dw_lane *, int, int) = dw_any_1;
#if VL > 4
	row = s->width == 2 ? dw_any_2 : s->width == 4 ? dw_any_4 : row;
#endif
#if VL > 8
	row = s->width == 8 ? dw_any_8 : row;
#endif
	if (s->width <= 1 && s->dilation_w == 1 && s->stride_w <= 2 && (s->kw == 3 || s->kw == 5))
		row = s->kw == 3 ? (s->stride_w == 1 ? dw_fast_3_1 : dw_fast_3_2)
				 : (s->stride_w == 1 ? dw_fast_5_1 : dw_fast_5_2);
	long long lo = r->pad_left > 0 ? (r->pad_left + s->stride_w - 1) / s->stride_w : 0;
	long long room = (long long)r->iw + r->pad_left - ((long long)s->kw - 1) * s->dilation_w - 1,
		  hi = room < 0 ? 0 : room / s->stride_w + 1;
	hi = hi < r->ow ? hi : r->ow;
	for (int c = 0; c < s->channels; c += VL) {
		dw_lane l = {r->in + c,   r->w + c,
			     r->bias + c, r->res ? r->res + c : NULL,
			     r->out + c,  s->channels - c < VL ? s->channels - c : VL};
		row(r, &l, (int)lo, (int)hi);
	}
}
