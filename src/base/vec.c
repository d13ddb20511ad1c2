/* SPDX-License-Identifier: Apache-2.0 */
#include "base/vec.h"

#include <string.h>

#include "base/mem.h"

tarn_err tarn_vec_reserve(void *at, size_t *cap, size_t need, size_t size)
{
	if (need <= *cap)
		return TARN_OK;
	size_t grown = *cap < 8 ? 8 : *cap + *cap / 2, bytes;
	if (grown < need)
		grown = need;
	if (__builtin_mul_overflow(grown, size, &bytes))
		return tarn_err_nomem(~0ull);
	void *old;
	memcpy(&old, at, sizeof old); /* a T ** of any T: read and written as bytes */
	void *fresh = tarn_mem_realloc(old, bytes);
	if (!fresh)
		return tarn_err_nomem(bytes);
	memcpy(at, &fresh, sizeof fresh);
	*cap = grown;
	return TARN_OK;
}

void tarn_vec_free(void *at)
{
	tarn_mem_free(at);
}
