/* SPDX-License-Identifier: Apache-2.0 */
/* The public f32 functions that are thin: they pick the level's kernel and walk the outer axes. */
#include "kern/f32.h"

#include "kern/isa.h"
#include "kern/norm.h"
#include "kern/softmax.h"

const tarn_f32_set *tarn_f32_set_get(void)
{
#if defined(__x86_64__)
	switch (tarn_isa_base()) {
	case TARN_ISA_AVX512:
		return &tarn_f32_avx512;
	case TARN_ISA_AVX2:
		return &tarn_f32_avx2;
	default:
		break;
	}
#endif
	return &tarn_f32_portable;
}

void tarn_unary_f32(tarn_unary fn, float alpha, float beta, const float *x, float *y, size_t n)
{
	tarn_f32_set_get()->unary(fn, alpha, beta, x, y, n);
}

void tarn_binary_f32(tarn_binary op, const float *a, const float *b, float *y, size_t n)
{
	tarn_f32_set_get()->binary_vv(op, a, b, y, n);
}

void tarn_binary_scalar_f32(tarn_binary op, const float *a, float b, bool reversed, float *y, size_t n)
{
	tarn_f32_set_get()->binary_vs(op, a, b, reversed, y, n);
}

#define PATTERN 512 /* floats of a repeated short row, on the stack */

void tarn_binary_row_f32(tarn_binary op, const float *a, const float *b, bool reversed, float *y, size_t rows, size_t cols)
{
	const tarn_f32_set *set = tarn_f32_set_get();
	float pattern[PATTERN];
	/* Rows much shorter than a few vectors: repeat b, and take many rows as one. */
	if (cols && cols <= PATTERN / 8 && rows > 8) {
		size_t times = PATTERN / cols;
		times = times < rows ? times : rows;
		for (size_t i = 0; i < times * cols; i++)
			pattern[i] = b[i % cols];
		for (size_t r = 0; r < rows; r += times, a += times * cols, y += times * cols) {
			size_t n = (rows - r < times ? rows - r : times) * cols;
			if (reversed)
				set->binary_vv(op, pattern, a, y, n);
			else
				set->binary_vv(op, a, pattern, y, n);
		}
		return;
	}
	for (size_t r = 0; r < rows; r++, a += cols, y += cols) {
		if (reversed)
			set->binary_vv(op, b, a, y, cols);
		else
			set->binary_vv(op, a, b, y, cols);
	}
}

void tarn_binary_col_f32(tarn_binary op, const float *a, const float *b, bool reversed, float *y, size_t rows, size_t cols)
{
	const tarn_f32_set *set = tarn_f32_set_get();
	for (size_t r = 0; r < rows; r++)
		set->binary_vs(op, a + r * cols, b[r], reversed, y + r * cols, cols);
}

void tarn_softmax_f32(const float *x, float *y, size_t outer, size_t axis, size_t inner, float scale, bool log)
{
	const tarn_f32_set *set = tarn_f32_set_get();
	for (size_t o = 0; axis && o < outer; o++, x += axis * inner, y += axis * inner) {
		if (inner == 1)
			set->softmax_row(x, y, axis, scale, log);
		else
			set->softmax_cols(x, y, axis, inner, scale, log);
	}
}

void tarn_layernorm_f32(const float *x, float *y, size_t rows, size_t cols, const float *gamma, const float *beta, float eps)
{
	const tarn_f32_set *set = tarn_f32_set_get();
	for (size_t r = 0; r < rows; r++)
		set->layernorm_row(x + r * cols, y + r * cols, cols, gamma, beta, eps);
}

void tarn_reduce_f32(tarn_reduce op, const float *x, float *y, size_t outer, size_t axis, size_t inner)
{
	const tarn_f32_set *set = tarn_f32_set_get();
	for (size_t o = 0; o < outer; o++) {
		if (inner == 1)
			y[o] = set->reduce_row(op, x + o * axis, axis);
		else
			set->reduce_cols(op, x + o * axis * inner, y + o * inner, axis, inner);
	}
}

static tarn_pool2d with_strides(const tarn_pool2d *p)
{
	tarn_pool2d q = *p;
	q.in_stride = q.in_stride ? q.in_stride : (size_t)q.c;
	q.out_stride = q.out_stride ? q.out_stride : (size_t)q.c;
	return q;
}

int tarn_pool2d_f32_tasks(const tarn_pool2d *p)
{
	return p->n * p->oh;
}

void tarn_pool2d_f32_run(const tarn_pool2d *p, const float *in, float *out, int begin, int end)
{
	const tarn_f32_set *set = tarn_f32_set_get();
	tarn_pool2d q = with_strides(p);
	for (int task = begin; task < end; task++)
		set->pool_row(&q, in, out, task / p->oh, task % p->oh);
}
