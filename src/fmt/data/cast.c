/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "fmt/data/data.h"

/* The common ways, without a call per element. */
static bool cast_fast(const tarn_tensor *t, int64_t first, int64_t n, tarn_dtype type, void *dst)
{
	size_t width = (size_t)tarn_dtype_info(type)->bits / 8;
	if (t->type == type && width) {
		if (n)
			memcpy(dst, (const uint8_t *)t->data + (size_t)first * width, (size_t)n * width);
		return true;
	}
	if (t->type == TARN_U8 && type == TARN_F32) {
		const uint8_t *from = (const uint8_t *)t->data + first;
		float *to = dst;
		for (int64_t i = 0; i < n; i++)
			to[i] = from[i];
		return true;
	}
	if (t->type == TARN_U16 && type == TARN_I32) {
		const uint16_t *from = (const uint16_t *)t->data + first;
		int32_t *to = dst;
		for (int64_t i = 0; i < n; i++)
			to[i] = from[i];
		return true;
	}
	return false;
}

tarn_err tarn_data_cast(const tarn_tensor *t, int64_t first, int64_t n, tarn_dtype type, void *dst)
{
	const char *from = tarn_dtype_info(t->type)->word, *to = tarn_dtype_info(type)->word;
	CHECK(t->type != TARN_STRING && type != TARN_STRING && type != TARN_DTYPE_NONE, TARN_TYPE,
	      "text cannot be converted to %s", to);
	CHECK(!tarn_dtype_is_float(t->type) || tarn_dtype_is_float(type), TARN_TYPE,
	      "the data are %s, the input is %s; round them yourself", from, to);
	if (cast_fast(t, first, n, type, dst))
		return TARN_OK;
	tarn_tensor out = {.type = type, .rank = 1, .dim = {n}, .data = dst};
	if (tarn_dtype_is_float(t->type)) {
		for (int64_t i = 0; i < n; i++)
			tarn_tensor_set_f64(&out, i, tarn_tensor_f64(t, first + i));
		return TARN_OK;
	}
	/* u64 values above the range of i64 come out negative. */
	for (int64_t i = 0; i < n; i++) {
		int64_t v = tarn_tensor_i64(t, first + i);
		tarn_tensor_set_i64(&out, i, v);
		bool fits = tarn_tensor_i64(&out, i) == v && (v >= 0 || (t->type != TARN_U64 && type != TARN_U64));
		CHECK(fits, TARN_TYPE, "value %lld at element %lld does not fit %s", (long long)v, (long long)i, to);
	}
	return TARN_OK;
}
