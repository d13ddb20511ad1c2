/* SPDX-License-Identifier: Apache-2.0 */
/* Products of two run-time operands: a piece of B (PIECE_K deep, one panel wide) is packed on the stack, then used by all rows.
 */
#include <string.h>

#include "kern/gemm.h"
#include "kern/layout.h"
#include "kern/tile.h"

#define PIECE_K 192 /* 48 KiB with the widest panel */
#define ROWS_SPLIT 64

/* Row blocks of one product: few when the batch alone gives enough tasks, for each block packs B again. */
static size_t row_blocks(const tarn_matmul_f32_args *args)
{
	size_t batch = args->batch[0] * args->batch[1], blocks = (args->m + ROWS_SPLIT - 1) / ROWS_SPLIT;
	size_t wanted = batch >= 8 ? 1 : 8 / (batch ? batch : 1);
	return blocks < wanted ? (blocks ? blocks : 1) : wanted;
}

int tarn_matmul_f32_tasks(const tarn_matmul_f32_args *args)
{
	return args->m && args->n ? (int)(args->batch[0] * args->batch[1] * row_blocks(args)) : 0;
}

/* Rows k0..k0+depth, columns j0..j0+cols of B into piece [depth][width]. */
static void pack_piece(const tarn_matmul_f32_args *args, const float *b, size_t k0, size_t depth, size_t j0, size_t cols,
		       size_t width, float *piece)
{
	float alpha = args->alpha;
	if (!args->b_transposed) {
		for (size_t k = 0; k < depth; k++) {
			const float *src = b + (k0 + k) * args->ldb + j0;
			float *dst = piece + k * width;
			for (size_t j = 0; j < cols; j++)
				dst[j] = alpha * src[j];
			memset(dst + cols, 0, (width - cols) * sizeof(float));
		}
		return;
	}
	if (cols < width)
		memset(piece, 0, depth * width * sizeof(float));
	tarn_transpose_2d(sizeof(float), b + j0 * args->ldb + k0, args->ldb, piece, width, cols, depth);
	if (alpha != 1.0f)
		tarn_unary_f32(TARN_UNARY_AFFINE, alpha, 0, piece, piece, depth * width);
}

/* Rows r0..r1 of one product. */
static void product(const tarn_matmul_f32_args *args, const float *a, const float *b, float *c, size_t r0, size_t r1)
{
	const tarn_tile_set *set = tarn_tile_set_get();
	_Alignas(64) float piece[PIECE_K * TARN_TILE_COLS];
	static const float zeros[TARN_TILE_COLS];
	size_t lanes = (size_t)set->lanes, widest = lanes * (size_t)set->max_nv;
	for (size_t j0 = 0; j0 < args->n; j0 += widest) {
		size_t cols = args->n - j0 < widest ? args->n - j0 : widest, nv = (cols + lanes - 1) / lanes, k0 = 0;
		size_t max_rows = (size_t)set->max_rows[nv - 1];
		do {
			size_t depth = args->k - k0 < PIECE_K ? args->k - k0 : PIECE_K;
			pack_piece(args, b, k0, depth, j0, cols, nv * lanes, piece);
			for (size_t r = r0; r < r1;) {
				const float *row[TARN_TILE_ROWS];
				size_t left = r1 - r, tiles = (left + max_rows - 1) / max_rows,
				       rows = (left + tiles - 1) / tiles;
				for (size_t i = 0; i < rows; i++)
					row[i] = a + (r + i) * args->lda + k0;
				tarn_tile t = {.a = row,
					       .taps = 1,
					       .depth = depth,
					       .w = piece,
					       .start = k0 ? NULL : zeros,
					       .c = c + r * args->ldc + j0,
					       .ldc = args->ldc,
					       .cols = (int)cols};
				set->fn[nv - 1][rows - 1](&t);
				r += rows;
			}
			k0 += depth;
		} while (k0 < args->k);
	}
}

void tarn_matmul_f32_run(const tarn_matmul_f32_args *args, int begin, int end)
{
	size_t blocks = row_blocks(args);
	for (int task = begin; task < end; task++) {
		size_t one = (size_t)task / blocks, block = (size_t)task % blocks, i = one / args->batch[1],
		       j = one % args->batch[1];
		product(args, args->a + i * args->a_stride[0] + j * args->a_stride[1],
			args->b + i * args->b_stride[0] + j * args->b_stride[1],
			args->c + i * args->c_stride[0] + j * args->c_stride[1], args->m * block / blocks,
			args->m * (block + 1) / blocks);
	}
}
