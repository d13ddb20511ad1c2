/* SPDX-License-Identifier: Apache-2.0 */
#include "kern/layout.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Squares of TILE x TILE elements keep both sides in the first-level cache; 4-byte elements go through registers 4 x 4. */
#define TILE 32

typedef uint32_t u32x4 __attribute__((vector_size(16)));

static u32x4 load4(const uint32_t *p)
{
	u32x4 v;
	memcpy(&v, p, sizeof v);
	return v;
}

static void transpose4(u32x4 v[4])
{
	u32x4 ab0 = __builtin_shufflevector(v[0], v[1], 0, 4, 1, 5), ab1 = __builtin_shufflevector(v[0], v[1], 2, 6, 3, 7);
	u32x4 cd0 = __builtin_shufflevector(v[2], v[3], 0, 4, 1, 5), cd1 = __builtin_shufflevector(v[2], v[3], 2, 6, 3, 7);
	v[0] = __builtin_shufflevector(ab0, cd0, 0, 1, 4, 5);
	v[1] = __builtin_shufflevector(ab0, cd0, 2, 3, 6, 7);
	v[2] = __builtin_shufflevector(ab1, cd1, 0, 1, 4, 5);
	v[3] = __builtin_shufflevector(ab1, cd1, 2, 3, 6, 7);
}

static void square4(const uint32_t *src, size_t ss, uint32_t *dst, size_t ds)
{
	u32x4 v[4] = {load4(src), load4(src + ss), load4(src + 2 * ss), load4(src + 3 * ss)};
	transpose4(v);
	for (size_t i = 0; i < 4; i++)
		memcpy(dst + i * ds, &v[i], sizeof v[i]);
}

/* Two or three rows that become pixels without gaps: each store of four writes into the next pixel, which comes after it.
 * Returns the columns done; the last ones, which have no next, are left. */
static size_t interleave_few(const uint32_t *src, size_t ss, uint32_t *dst, size_t rows, size_t cols)
{
	size_t c = 0;
	for (; c + 5 <= cols; c += 4) {
		u32x4 v[4] = {load4(src + c), load4(src + ss + c), load4(src + (rows - 1) * ss + c)};
		v[3] = v[2];
		transpose4(v);
		for (size_t i = 0; i < 4; i++)
			memcpy(dst + (c + i) * rows, &v[i], sizeof v[i]);
	}
	return c;
}

/* The way back: pixels of two or three elements without gaps. */
static size_t part_few(const uint32_t *src, uint32_t *dst, size_t ds, size_t rows, size_t cols)
{
	size_t r = 0;
	for (; r + 5 <= rows; r += 4) {
		u32x4 v[4] = {load4(src + r * cols), load4(src + (r + 1) * cols), load4(src + (r + 2) * cols),
			      load4(src + (r + 3) * cols)};
		transpose4(v);
		for (size_t i = 0; i < cols; i++)
			memcpy(dst + i * ds + r, &v[i], sizeof v[i]);
	}
	return r;
}

static void tile_u32(const uint32_t *src, size_t ss, uint32_t *dst, size_t ds, size_t rows, size_t cols)
{
	size_t r = 0, c, first = 0;
	if (rows > 1 && rows < 4 && ds == rows)
		first = interleave_few(src, ss, dst, rows, cols);
	else if (cols > 1 && cols < 4 && ss == cols)
		r = part_few(src, dst, ds, rows, cols);
	for (; r + 4 <= rows; r += 4) {
		for (c = 0; c + 4 <= cols; c += 4)
			square4(src + r * ss + c, ss, dst + c * ds + r, ds);
		for (; c < cols; c++)
			for (size_t i = r; i < r + 4; i++)
				dst[c * ds + i] = src[i * ss + c];
	}
	for (; r < rows; r++)
		for (c = first; c < cols; c++)
			dst[c * ds + r] = src[r * ss + c];
}

#define TILE_FN(type) \
	static void tile_##type(const type *src, size_t ss, type *dst, size_t ds, size_t rows, size_t cols) \
	{ \
		for (size_t c = 0; c < cols; c++) \
			for (size_t r = 0; r < rows; r++) \
				dst[c * ds + r] = src[r * ss + c]; \
	}
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint64_t u64;
TILE_FN(u8)
TILE_FN(u16)
TILE_FN(u64)

void tarn_transpose_2d(size_t elem_size, const void *src, size_t src_stride, void *dst, size_t dst_stride, size_t rows,
		       size_t cols)
{
	for (size_t r = 0; r < rows; r += TILE) {
		size_t nr = rows - r < TILE ? rows - r : TILE;
		for (size_t c = 0; c < cols; c += TILE) {
			size_t nc = cols - c < TILE ? cols - c : TILE;
			const char *s = (const char *)src + (r * src_stride + c) * elem_size;
			char *d = (char *)dst + (c * dst_stride + r) * elem_size;
			switch (elem_size) {
			case 1:
				tile_u8((const void *)s, src_stride, (void *)d, dst_stride, nr, nc);
				break;
			case 2:
				tile_u16((const void *)s, src_stride, (void *)d, dst_stride, nr, nc);
				break;
			case 4:
				tile_u32((const void *)s, src_stride, (void *)d, dst_stride, nr, nc);
				break;
			default:
				tile_u64((const void *)s, src_stride, (void *)d, dst_stride, nr, nc);
			}
		}
	}
}

void tarn_layout_to_nhwc(size_t elem_size, const void *nchw, void *nhwc, size_t channels, size_t pixels, size_t nhwc_stride,
			 size_t begin, size_t end)
{
	size_t stride = nhwc_stride ? nhwc_stride : channels;
	for (size_t at = begin, count; at < end; at += count) {
		size_t image = at / pixels, first = at % pixels;
		count = end - at < pixels - first ? end - at : pixels - first;
		tarn_transpose_2d(elem_size, (const char *)nchw + (image * channels * pixels + first) * elem_size, pixels,
				  (char *)nhwc + at * stride * elem_size, stride, channels, count);
	}
}

void tarn_layout_to_nchw(size_t elem_size, const void *nhwc, void *nchw, size_t channels, size_t pixels, size_t nhwc_stride,
			 size_t begin, size_t end)
{
	size_t stride = nhwc_stride ? nhwc_stride : channels;
	for (size_t at = begin, count; at < end; at += count) {
		size_t image = at / pixels, first = at % pixels;
		count = end - at < pixels - first ? end - at : pixels - first;
		tarn_transpose_2d(elem_size, (const char *)nhwc + at * stride * elem_size, stride,
				  (char *)nchw + (image * channels * pixels + first) * elem_size, pixels, count, channels);
	}
}

/* A permutation after simplification: axes of the target in order, each with its stride in the source (elements). */
typedef struct axes {
	int rank;
	size_t dim[TARN_LAYOUT_MAX_RANK], src[TARN_LAYOUT_MAX_RANK], dst[TARN_LAYOUT_MAX_RANK];
} axes;

/* Drops axes of length 1 and joins target axes that are neighbours in the source as well. */
static axes simplify(int rank, const size_t *dims, const int *perm)
{
	axes a = {0};
	size_t stride[TARN_LAYOUT_MAX_RANK], step = 1;
	for (int i = rank; i-- > 0; step *= dims[i])
		stride[i] = step;
	for (int i = 0; i < rank; i++) {
		size_t dim = dims[perm[i]], s = stride[perm[i]];
		if (dim == 1)
			continue;
		if (a.rank && a.src[a.rank - 1] == dim * s) {
			a.dim[a.rank - 1] *= dim;
			a.src[a.rank - 1] = s;
		} else {
			a.dim[a.rank] = dim;
			a.src[a.rank++] = s;
		}
	}
	step = 1;
	for (int i = a.rank; i-- > 0; step *= a.dim[i])
		a.dst[i] = step;
	return a;
}

/* Every combination of the axes but `skip0` and `skip1`: the two are moved by `inner` as one matrix or run. */
static void walk(const axes *a, int skip0, int skip1, size_t elem_size, const char *src, char *dst)
{
	size_t at[TARN_LAYOUT_MAX_RANK] = {0}, s = 0, d = 0;
	int last = a->rank - 1;
	for (;;) {
		if (skip0 == last && skip1 == last)
			memcpy(dst + d * elem_size, src + s * elem_size, a->dim[last] * elem_size);
		else /* the source's rows run along skip1, the target's along skip0 */
			tarn_transpose_2d(elem_size, src + s * elem_size, a->src[skip0], dst + d * elem_size, a->dst[skip1],
					  a->dim[skip0], a->dim[skip1]);
		int i = last;
		for (; i >= 0; i--) {
			if (i == skip0 || i == skip1)
				continue;
			s += a->src[i];
			d += a->dst[i];
			if (++at[i] < a->dim[i])
				break;
			s -= a->src[i] * a->dim[i];
			d -= a->dst[i] * a->dim[i];
			at[i] = 0;
		}
		if (i < 0)
			return;
	}
}

tarn_err tarn_transpose(size_t elem_size, const void *src, void *dst, int rank, const size_t *dims, const int *perm)
{
	CHECK(elem_size == 1 || elem_size == 2 || elem_size == 4 || elem_size == 8, TARN_TYPE,
	      "elements of %zu bytes cannot be transposed", elem_size);
	CHECK(rank >= 0 && rank <= TARN_LAYOUT_MAX_RANK, TARN_SHAPE, "rank %d is above the limit of %d", rank,
	      TARN_LAYOUT_MAX_RANK);
	unsigned seen = 0;
	size_t count = 1;
	for (int i = 0; i < rank; i++) {
		CHECK(perm[i] >= 0 && perm[i] < rank && !(seen & 1u << perm[i]), TARN_SHAPE,
		      "the order of axes given for a transpose is no permutation of %d axes", rank);
		seen |= 1u << perm[i];
		count *= dims[i];
	}
	if (!count)
		return TARN_OK;
	axes a = simplify(rank, dims, perm);
	if (!a.rank) {
		memcpy(dst, src, elem_size);
		return TARN_OK;
	}
	int last = a.rank - 1, unit = last;
	for (int i = 0; i < a.rank; i++)
		if (a.src[i] == 1)
			unit = i;
	walk(&a, last, unit, elem_size, src, dst);
	return TARN_OK;
}
