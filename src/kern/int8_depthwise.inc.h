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

static __attribute__((noinline)) void dw_store_wide(const tarn_qdw_row *r, const int32_t *acc, int block, int ox, int n)
{
	const float *scale = r->scale + block * 4 * VL, *bias = r->bias + block * 4 * VL;
	char *out = r->out + (size_t)ox * r->out_step;
	for (int i = 0; i < 4 * VL; i++) {
		int c = tarn_qdw_channel(i, VL);
		if (c >= n)
			continue;
		float f = (float)acc[i] * scale[i] + bias[i];
		f = f < r->e->f_lo ? r->e->f_lo : f > r->e->f_hi ? r->e->f_hi : f;
		memcpy(out + (size_t)(block * 4 * VL + c) * 4, r->e->type == TARN_CODE_I32 ? (const void *)&acc[i] : &f, 4);
	}
}

INLINE void dw_store(const tarn_qdw_row *r, const q_out *o, const qv acc[4], int block, int ox, int n)
{
	if (r->e->type == TARN_CODE_F32 || r->e->type == TARN_CODE_I32) {
		int32_t wide[4 * VL];
		UNROLL for (int v = 0; v < 4; v++) q_store(wide + v * VL, acc[v]);
		dw_store_wide(r, wide, block, ox, n);
		return;
	}
	const float *scale = r->scale + block * 4 * VL, *bias = r->bias + block * 4 * VL;
	qv p[4];
	UNROLL for (int v = 0; v < 4; v++) p[v] = q_round(q_float(acc[v]) * v_load(scale + v * VL) + v_load(bias + v * VL), o);
	q_store_n(r->out + (size_t)ox * r->out_step + (size_t)(block * 4 * VL), q_pack(p[0], p[1], p[2], p[3], o), n);
}

/* Channels of one block, a whole row. kw, stride, outputs, groups are constants or the row's own (any kernel, outputs 1). */
INLINE void dw_block_row(const tarn_qdw_row *r, int block, const int kw, const int stride, const int outputs, const int groups,
			 const int dilation)
{
	const int c0 = block * QBYTES, n = r->channels - c0 < QBYTES ? r->channels - c0 : QBYTES,
		  span = (outputs - 1) * stride + kw;
	const size_t w_row = (size_t)(outputs * groups * 4);
	const int8_t *w0 = r->w + (size_t)block * (size_t)r->kh * w_row * (QW * QBYTES);
	const q_out o = q_out_of(r->e->type == TARN_CODE_S8, r->e->zero, r->e->lo, r->e->hi);
	const qv turn = Q(set1_epi8)((char)(r->flip ? 0x80 : 0));
	for (int ox = 0; ox < r->ow; ox += outputs) {
		qv acc[DW_OUTPUTS][4];
		UNROLL for (int b = 0; b < outputs; b++)
		{
			UNROLL for (int v = 0; v < 4; v++) acc[b][v] = q_load(r->start + c0 + v * VL);
		}
		const ptrdiff_t left = (ptrdiff_t)ox * stride - r->pad_left;
		const bool inside = left >= 0 && left + (ptrdiff_t)(span - 1) * dilation < r->iw && n == QBYTES;
		const int8_t *w = w0;
		for (int ky = 0; ky < r->kh; ky++) {
			const uint8_t *in = r->in[ky] + c0;
			const ptrdiff_t step = (ptrdiff_t)r->step[ky];
			UNROLL for (int g = 0; g < groups; g++)
			{
				qv x[4];
				UNROLL for (int j = 0; j < 4; j++)
				{
					ptrdiff_t at = left + (ptrdiff_t)(4 * g + j) * dilation;
					if (4 * g + j >= span)
						x[j] = QSI(setzero)();
					else if (inside)
						x[j] = q_load(in + at * step);
					else if (at >= 0 && at < r->iw)
						x[j] = q_load_n(in + at * step, n);
					else
						x[j] = q_load(r->pad + c0);
					x[j] = QSI(xor)(x[j], turn);
				}
				dw_interleave(x);
				UNROLL for (int b = 0; b < outputs; b++)
				{
					UNROLL for (int v = 0; v < 4; v++)
						q_dot(&acc[b][v], x[v], q_weights(w, (size_t)((b * groups + g) * 4 + v)));
				}
			}
			w += w_row * (QW * QBYTES);
		}
		UNROLL for (int b = 0; b < outputs; b++) if (ox + b < r->ow) dw_store(r, &o, acc[b], block, ox + b, n);
	}
}

static void dw_row(const tarn_qdw_row *r)
{
	for (int block = 0; block * QBYTES < r->channels; block++) {
		if (r->kw == 3 && r->stride == 1 && r->outputs == 2)
			dw_block_row(r, block, 3, 1, 2, 1, 1);
		else if (r->kw == 3 && r->stride == 2 && r->dilation == 1)
			dw_block_row(r, block, 3, 2, 1, 1, 1);
		else if (r->kw == 5 && r->stride == 1 && r->outputs == 4)
			dw_block_row(r, block, 5, 1, 4, 2, 1);
		else if (r->kw == 5 && r->stride == 2 && r->outputs == 2)
			dw_block_row(r, block, 5, 2, 2, 2, 1);
		else
			dw_block_row(r, block, r->kw, r->stride, 1, r->groups, r->dilation);
	}
}
