/* SPDX-License-Identifier: Apache-2.0 */
/* INT8 elementwise and pooling kernels: plain C, or the level's loops, which compute the same. */
#include <math.h>
#include <string.h>

#include "kern/int8_set.h"

static inline int code_at(const void *p, tarn_code t, size_t i)
{
	return t == TARN_CODE_S8 ? ((const int8_t *)p)[i] : ((const uint8_t *)p)[i];
}

static inline uint8_t clamp_code(float x, int zero, int lo, int hi)
{
	/* Clamped in float first: beyond 2^31 the conversion is undefined. NaN becomes the zero point. */
	float r = rintf(x), l = (float)(lo - zero), h = (float)(hi - zero);
	r = r != r ? 0 : r < l ? l : r > h ? h : r;
	return (uint8_t)((int)r + zero);
}

static inline void limits(tarn_code t, int *lo, int *hi)
{
	*lo = t == TARN_CODE_S8 ? -128 : 0;
	*hi = t == TARN_CODE_S8 ? 127 : 255;
}

void tarn_quantize_f32(const float *x, void *code, tarn_code type, float scale, int zero, size_t n)
{
	int lo, hi;
	limits(type, &lo, &hi);
	const tarn_int8_set *set = tarn_int8_set_get(true);
	if (set) {
		set->quantize(x, code, scale, zero, lo, hi, n);
		return;
	}
	for (size_t i = 0; i < n; i++)
		((uint8_t *)code)[i] = clamp_code(x[i] / scale, zero, lo, hi);
}

void tarn_quantize_nhwc_f32(const float *x, void *code, tarn_code type, float scale, int zero, size_t channels, size_t pixels,
			    size_t begin, size_t end)
{
	enum { CHUNK = 512 };
	uint8_t plane[TARN_QUANTIZE_NHWC_CHANNELS][CHUNK];
	const uint8_t *row[TARN_QUANTIZE_NHWC_CHANNELS];
	const tarn_int8_set *set = tarn_int8_set_get(true);
	for (size_t at = begin, n; at < end; at += n) {
		uint8_t *y = (uint8_t *)code + at * channels;
		n = end - at < CHUNK ? end - at : CHUNK;
		for (size_t c = 0; c < channels; c++) {
			tarn_quantize_f32(x + c * pixels + at, plane[c], type, scale, zero, n);
			row[c] = plane[c];
		}
		if (channels == 3 && set) {
			set->interleave_3(row, y, n);
			continue;
		}
		for (size_t i = 0; i < n; i++)
			for (size_t c = 0; c < channels; c++)
				*y++ = plane[c][i];
	}
}

void tarn_dequantize_f32(const void *code, float *x, tarn_code type, float scale, int zero, size_t n)
{
	const tarn_int8_set *set = tarn_int8_set_get(true);
	if (set) {
		set->dequantize(code, x, type == TARN_CODE_S8, scale, zero, n);
		return;
	}
	for (size_t i = 0; i < n; i++)
		x[i] = (float)(code_at(code, type, i) - zero) * scale;
}

void tarn_lut_u8(const uint8_t table[256], const uint8_t *x, uint8_t *y, size_t n)
{
	const tarn_int8_set *set = tarn_int8_set_get(true);
	if (set) {
		set->lut(table, x, y, n);
		return;
	}
	for (size_t i = 0; i < n; i++)
		y[i] = table[x[i]];
}

void tarn_qbinary_run(const tarn_qbinary *q, const void *a, const void *b, void *y, size_t n)
{
	const tarn_int8_set *set = tarn_int8_set_get(true);
	if (set) {
		set->binary(q, a, b, y, n);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		float u = (float)(code_at(a, q->a_type, i) - q->a_zero) * q->a_scale;
		float v = (float)(code_at(b, q->b_type, i) - q->b_zero) * q->b_scale;
		float r = q->op == TARN_QBINARY_ADD ? u + v : q->op == TARN_QBINARY_SUB ? u - v : u * v;
		((uint8_t *)y)[i] = clamp_code(r / q->y_scale, q->y_zero, q->lo, q->hi);
	}
}

int tarn_qpool_tasks(const tarn_pool2d *p)
{
	return p->n * p->oh;
}

#define POOL_CHUNK 512 /* channels whose sums are on the stack */
#define POOL_ROWS 64   /* pixels compared at once */

/* The same with the level's loops: pixel by pixel, a chunk of channels at a time. */
static void pool_chunk(const tarn_pool2d *p, const tarn_qpool *q, const tarn_int8_set *set, const uint8_t *image, uint8_t *out,
		       int y0, int x0, int count, size_t n)
{
	size_t stride = p->in_stride ? p->in_stride : (size_t)p->c;
	int32_t sum[POOL_CHUNK];
	const uint8_t *row[POOL_ROWS];
	int inside = 0, rows = 0;
	bool is_signed = q->type == TARN_CODE_S8;
	if (p->average)
		memset(sum, 0, n * sizeof *sum);
	else
		memset(out, is_signed ? 0x80 : 0, n);
	for (int ky = 0; ky < p->kh; ky++)
		for (int kx = 0; kx < p->kw; kx++) {
			int y = y0 + ky * p->dilation_h, x = x0 + kx * p->dilation_w;
			if (y < 0 || y >= p->ih || x < 0 || x >= p->iw)
				continue;
			const uint8_t *in = image + ((size_t)y * (size_t)p->iw + (size_t)x) * stride;
			if (p->average)
				set->sum(in, sum, is_signed, n);
			else if (rows == POOL_ROWS) {
				set->max(row, rows, out, is_signed, n);
				row[0] = out;
				rows = 1;
			}
			if (!p->average)
				row[rows++] = in;
			inside++;
		}
	if (rows)
		set->max(row, rows, out, is_signed, n);
	else if (p->average)
		set->mean(sum, inside * q->x_zero, count ? (float)count : 1, q, out, n);
}

/* One output pixel: all channels over the window's pixels inside the image. */
static void pool_pixel(const tarn_pool2d *p, const tarn_qpool *q, const uint8_t *image, uint8_t *out, int oy, int ox)
{
	size_t stride = p->in_stride ? p->in_stride : (size_t)p->c;
	int y0 = oy * p->stride_h - p->pad_top, x0 = ox * p->stride_w - p->pad_left;
	int inside = 0, padded = 0;
	for (int ky = 0; ky < p->kh; ky++)
		for (int kx = 0; kx < p->kw; kx++) {
			int y = y0 + ky * p->dilation_h, x = x0 + kx * p->dilation_w;
			inside += y >= 0 && y < p->ih && x >= 0 && x < p->iw;
			padded += y < p->ih + p->pad_bottom && x < p->iw + p->pad_right;
		}
	int count = p->count_include_pad ? padded : inside;
	const tarn_int8_set *set = tarn_int8_set_get(true);
	if (set) {
		for (int c = 0; c < p->c; c += POOL_CHUNK)
			pool_chunk(p, q, set, image + c, out + c, y0, x0, count,
				   p->c - c < POOL_CHUNK ? (size_t)(p->c - c) : POOL_CHUNK);
		return;
	}
	for (int c = 0; c < p->c; c++) {
		int sum = 0, most = q->type == TARN_CODE_S8 ? -128 : 0;
		for (int ky = 0; ky < p->kh; ky++)
			for (int kx = 0; kx < p->kw; kx++) {
				int y = y0 + ky * p->dilation_h, x = x0 + kx * p->dilation_w;
				if (y < 0 || y >= p->ih || x < 0 || x >= p->iw)
					continue;
				int v = code_at(image, q->type, ((size_t)y * (size_t)p->iw + (size_t)x) * stride + (size_t)c);
				sum += v - q->x_zero;
				most = v > most ? v : most;
			}
		if (!p->average)
			out[c] = (uint8_t)most;
		else
			out[c] = clamp_code(count ? (float)sum * q->scale / (float)count : 0, q->zero, q->lo, q->hi);
	}
}

void tarn_qpool_run(const tarn_pool2d *p, const tarn_qpool *q, const void *in, void *out, int begin, int end)
{
	size_t is = p->in_stride ? p->in_stride : (size_t)p->c, os = p->out_stride ? p->out_stride : (size_t)p->c;
	for (int t = begin; t < end; t++) {
		const uint8_t *image = (const uint8_t *)in + (size_t)(t / p->oh) * (size_t)p->ih * (size_t)p->iw * is;
		for (int ox = 0; ox < p->ow; ox++)
			pool_pixel(p, q, image, (uint8_t *)out + ((size_t)t * (size_t)p->ow + (size_t)ox) * os, t % p->oh, ox);
	}
}
