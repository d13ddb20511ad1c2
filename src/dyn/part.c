/* SPDX-License-Identifier: Apache-2.0 */
#include "dyn/part.h"

#include <string.h>

static bool part_fits(const tarn_tensor *t, const int64_t *at, const int64_t *count)
{
	for (int k = 0; k < t->rank; k++)
		if (at[k] < 0 || count[k] < 0 || at[k] > t->dim[k] || count[k] > t->dim[k] - at[k])
			return false;
	return true;
}

/* Bytes of one step along each axis. */
static void strides(const tarn_tensor *t, size_t element, size_t *step)
{
	for (int k = t->rank - 1; k >= 0; k--) {
		step[k] = element;
		element *= (size_t)t->dim[k];
	}
}

tarn_err tarn_part_copy(const tarn_tensor *from, const int64_t *from_at, const tarn_tensor *to, const int64_t *to_at,
			const int64_t *count)
{
	int bits = tarn_dtype_info(from->type)->bits, last = from->rank - 1;
	size_t a[TARN_MAX_RANK], b[TARN_MAX_RANK];
	int64_t index[TARN_MAX_RANK] = {0};
	CHECK(from->type == to->type && from->rank == to->rank && bits >= 8, TARN_TYPE,
	      "parts of tensors of type %s and %s cannot be copied", tarn_dtype_info(from->type)->word,
	      tarn_dtype_info(to->type)->word);
	CHECK(part_fits(from, from_at, count) && part_fits(to, to_at, count), TARN_SHAPE, "a part does not fit its tensor");
	strides(from, (size_t)bits / 8, a);
	strides(to, (size_t)bits / 8, b);
	size_t run = last < 0 ? (size_t)bits / 8 : (size_t)count[last] * a[last];
	for (int k = 0; k <= last; k++)
		if (!count[k])
			return TARN_OK;
	for (;;) {
		size_t x = 0, y = 0;
		for (int k = 0; k <= last; k++) {
			x += (size_t)(from_at[k] + index[k]) * a[k];
			y += (size_t)(to_at[k] + index[k]) * b[k];
		}
		memcpy((char *)to->data + y, (const char *)from->data + x, run);
		int k = last - 1;
		while (k >= 0 && ++index[k] == count[k])
			index[k--] = 0;
		if (k < 0)
			return TARN_OK;
	}
}
