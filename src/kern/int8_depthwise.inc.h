/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Depthwise rows of one level. Bytes of four neighbouring pixels are interleaved, so that a step of four codes is four taps of
 * one channel; neighbouring outputs use the same interleaved pixels with shifted weights.
 */
#include "kern/int8_simd.h"

enum { DW_OUTPUTS = 4 };

INLINE void dw_interleave(qv x[4])
{
	qv a = Q(unpacklo_epi8)(x[0], x[1]), b = Q(unpackhi_epi8)(x[0], x[1]), c = Q(unpacklo_epi8)(x[2], x[3]),
	   d = Q(unpackhi_epi8)(x[2], x[3]);
	x[0] = Q(unpacklo_epi16)(a, c);
	x[1] = Q(unpackhi_epi16)(a, c);
	x[2] = Q(unpacklo_epi16)(b, d);
	x[3] = Q(unpackhi_epi16)(b, d);
}

/* What a block of channels has in common. half: at most 32 channels are left of 64, so the upper half of each vector is the
 * same channels `outputs` pixels further on. */
typedef struct dw_block {
	const tarn_qdw_row *r;
	int first, channels; /* of the block */
	const int8_t *w;
	q_out o;
	qv turn;
} dw_block;

/* Sums, and codes of results that may be huge, one by one. */
static __attribute__((noinline)) void dw_store_wide(const dw_block *k, const int32_t *acc, int ox, int half_step)
{
	const tarn_qdw_row *r = k->r;
	const float *scale = r->scale + k->first, *bias = r->bias + k->first;
	for (int i = 0; i < 4 * VL; i++) {
		int c = tarn_qdw_channel(i, VL), x = ox;
		if (half_step && c >= 32) {
			c -= 32;
			x += half_step;
		}
		if (c >= k->channels || x >= r->ow)
			continue;
		if (r->e->type != TARN_CODE_I32) {
			r->out[(size_t)x * r->out_step + (size_t)(k->first + c)] =
				(char)tarn_qconv_code((float)acc[i] * scale[i] + bias[i], r->e);
			continue;
		}
		memcpy(r->out + (size_t)x * r->out_step + (size_t)(k->first + c) * 4, &acc[i], 4);
	}
}

/* Four neighbouring channels of one pixel at a time: so they lie in the vectors. */
static __attribute__((noinline)) void dw_store_f32(const dw_block *k, float *f, int ox, int half_step)
{
	const tarn_qdw_row *r = k->r;
	const float lo = r->e->f_lo, hi = r->e->f_hi;
	for (int i = 0; i < 4 * VL; i++)
		f[i] = f[i] < lo ? lo : f[i] > hi ? hi : f[i];
	for (int i = 0; i < 4 * VL; i += 4) {
		int c = tarn_qdw_channel(i, VL), x = ox;
		if (half_step && c >= 32) {
			c -= 32;
			x += half_step;
		}
		if (c >= k->channels || x >= r->ow)
			continue;
		char *out = r->out + (size_t)x * r->out_step + (size_t)(k->first + c) * 4;
		if (c + 4 <= k->channels)
			memcpy(out, f + i, 16);
		else
			memcpy(out, f + i, (size_t)(k->channels - c) * 4);
	}
}

INLINE void dw_store(const dw_block *k, const qv acc[4], int ox, const int half_step)
{
	const tarn_qdw_row *r = k->r;
	const float *scale = r->scale + k->first, *bias = r->bias + k->first;
	if (r->e->type == TARN_CODE_F32) {
		float f[4 * VL];
		for (int v = 0; v < 4; v++)
			q_store(f + v * VL, (qv)(q_float(acc[v]) * v_load(scale + v * VL) + v_load(bias + v * VL)));
		dw_store_f32(k, f, ox, half_step);
		return;
	}
	if (!r->codes) {
		int32_t wide[4 * VL];
		UNROLL for (int v = 0; v < 4; v++) q_store(wide + v * VL, acc[v]);
		dw_store_wide(k, wide, ox, half_step);
		return;
	}
	qv p[4];
	UNROLL for (int v = 0; v < 4; v++) p[v] = (qv)q_cvt(q_float(acc[v]) * v_load(scale + v * VL) + v_load(bias + v * VL));
	qv code = q_pack(p[0], p[1], p[2], p[3], &k->o);
	char *out = r->out + (size_t)ox * r->out_step + (size_t)k->first;
#if VL == 16
	if (half_step) {
		__mmask32 m = k->channels >= 32 ? ~0u : (1u << k->channels) - 1;
		_mm256_mask_storeu_epi8(out, m, _mm512_castsi512_si256(code));
		if (ox + half_step < r->ow)
			_mm256_mask_storeu_epi8(out + (size_t)half_step * r->out_step, m, _mm512_extracti64x4_epi64(code, 1));
		return;
	}
#endif
	if (k->channels >= QBYTES)
		q_store(out, code);
	else
		q_store_n(out, code, k->channels);
}

/* One pixel's channels, or those of two pixels half_step apart. */
INLINE qv dw_load(const dw_block *k, const uint8_t *in, ptrdiff_t step, ptrdiff_t at, const ptrdiff_t half_step,
		  const bool inside)
{
	const tarn_qdw_row *r = k->r;
	(void)half_step; /* no half blocks of 256-bit vectors */
#if VL == 16
	if (half_step) {
		const uint8_t *lo = in + at * step, *hi = in + (at + half_step) * step;
		if (!inside) {
			lo = at >= 0 && at < r->iw ? lo : r->pad + k->first;
			hi = at + half_step >= 0 && at + half_step < r->iw ? hi : r->pad + k->first;
		}
		__m256i a, b;
		if (inside && k->channels >= 32) {
			a = _mm256_loadu_si256((const __m256i *)(const void *)lo);
			b = _mm256_loadu_si256((const __m256i *)(const void *)hi);
		} else {
			__mmask32 m = k->channels >= 32 ? ~0u : (1u << k->channels) - 1;
			a = _mm256_maskz_loadu_epi8(m, lo);
			b = _mm256_maskz_loadu_epi8(m, hi);
		}
		return _mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1);
	}
#endif
	if (!inside && (at < 0 || at >= r->iw))
		return q_load(r->pad + k->first);
	return k->channels >= QBYTES ? q_load(in + at * step) : q_load_n(in + at * step, k->channels);
}

/* `outputs` neighbours from ox on (twice as many in a half block). inside: no column of theirs is padding. */
INLINE void dw_outputs(const dw_block *k, int ox, const int kh, const int kw, const int stride, const int outputs,
		       const int groups, const int dilation, const bool half, const bool inside)
{
	const tarn_qdw_row *r = k->r;
	const int span = (outputs - 1) * stride + kw, half_step = half ? outputs : 0;
	const ptrdiff_t left = (ptrdiff_t)ox * stride - r->pad_left;
	const int8_t *w = k->w;
	qv acc[DW_OUTPUTS][4];
	UNROLL for (int b = 0; b < outputs; b++)
	{
		UNROLL for (int v = 0; v < 4; v++) acc[b][v] = q_load(r->start + k->first + v * VL);
	}
	for (int ky = 0; ky < kh; ky++, w += outputs * groups * 4 * QW * QBYTES) {
		const uint8_t *in = r->in[ky] + k->first;
		const ptrdiff_t step = (ptrdiff_t)r->step[ky];
		for (int g = 0; g < groups; g++) {
			qv x[4];
			UNROLL for (int j = 0; j < 4; j++)
			{
				ptrdiff_t at = left + (ptrdiff_t)(4 * g + j) * dilation;
				x[j] = 4 * g + j < span ? dw_load(k, in, step, at, half_step * stride, inside) : QSI(setzero)();
				x[j] = QSI(xor)(x[j], k->turn);
			}
			dw_interleave(x);
			UNROLL for (int b = 0; b < outputs; b++)
			{
				UNROLL for (int v = 0; v < 4; v++)
					q_dot(&acc[b][v], x[v], q_weights(w, (size_t)((b * groups + g) * 4 + v)));
			}
		}
	}
	UNROLL for (int b = 0; b < outputs; b++) if (ox + b < r->ow) dw_store(k, acc[b], ox + b, half_step);
}

/* A whole row of one block. All but the block are constants, or the row's own (any kernel, outputs 1). */
INLINE void dw_block_row(const dw_block *k, const int kh, const int kw, const int stride, const int outputs, const int groups,
			 const int dilation, const bool half)
{
	const tarn_qdw_row *r = k->r;
	const int together = half ? 2 * outputs : outputs;
	const ptrdiff_t reach = (ptrdiff_t)((together - outputs) + (outputs - 1)) * stride + (ptrdiff_t)(kw - 1) * dilation;
	for (int ox = 0; ox < r->ow; ox += together) {
		const ptrdiff_t left = (ptrdiff_t)ox * stride - r->pad_left;
		if (left >= 0 && left + reach < r->iw)
			dw_outputs(k, ox, kh, kw, stride, outputs, groups, dilation, half, true);
		else
			dw_outputs(k, ox, kh, kw, stride, outputs, groups, dilation, half, false);
	}
}

INLINE void dw_block_any(const dw_block *k, const bool half)
{
	const tarn_qdw_row *r = k->r;
	if (r->kw == 3 && r->kh == 3 && r->stride == 1 && r->outputs == 2)
		dw_block_row(k, 3, 3, 1, 2, 1, 1, half);
	else if (r->kw == 3 && r->kh == 3 && r->stride == 2 && r->dilation == 1)
		dw_block_row(k, 3, 3, 2, 1, 1, 1, half);
	else if (r->kw == 3 && r->stride == 1 && r->outputs == 2)
		dw_block_row(k, r->kh, 3, 1, 2, 1, 1, half);
	else if (r->kw == 5 && r->stride == 1 && r->outputs == 4)
		dw_block_row(k, r->kh, 5, 1, 4, 2, 1, half);
	else if (r->kw == 5 && r->stride == 2 && r->outputs == 2)
		dw_block_row(k, r->kh, 5, 2, 2, 2, 1, half);
	else
		dw_block_row(k, r->kh, r->kw, r->stride, 1, r->groups, r->dilation, half);
}

static void dw_row(const tarn_qdw_row *r)
{
	const size_t block_bytes = (size_t)r->kh * (size_t)(r->outputs * r->groups * 4) * (QW * QBYTES);
	dw_block k = {.r = r, .w = r->w};
	k.o = q_out_of(r->e->type == TARN_CODE_S8, r->e->zero, r->e->lo, r->e->hi);
	k.turn = Q(set1_epi8)((char)(r->flip ? 0x80 : 0));
	for (; k.first < r->channels; k.first += QBYTES, k.w += block_bytes) {
		k.channels = r->channels - k.first < QBYTES ? r->channels - k.first : QBYTES;
		if (tarn_qdw_half(k.channels, VL))
			dw_block_any(&k, true);
		else
			dw_block_any(&k, false);
	}
}
