/* SPDX-License-Identifier: Apache-2.0 */
#include "ir/dtype.h"

#include <string.h>
#include <strings.h>

static const tarn_dtype_row rows[TARN_DTYPE_COUNT] = {
	{"NONE", 0, "dynamic", "UNSPECIFIED", 0, "", '?'},
#define DTYPE(sym, bits, word, port, onnx, npy, cls) {#sym, bits, word, port, onnx, npy, cls},
#include "ir/dtype.def"
#undef DTYPE
};

const tarn_dtype_row *tarn_dtype_info(tarn_dtype t)
{
	return &rows[(unsigned)t < TARN_DTYPE_COUNT ? t : TARN_DTYPE_NONE];
}

tarn_dtype tarn_dtype_of_word(const char *word)
{
	for (int i = 1; i < TARN_DTYPE_COUNT; i++)
		if (!strcasecmp(word, rows[i].word))
			return (tarn_dtype)i;
	return TARN_DTYPE_NONE;
}

tarn_dtype tarn_dtype_of_port(const char *precision)
{
	for (int i = 1; i < TARN_DTYPE_COUNT; i++)
		if (!strcmp(precision, rows[i].port))
			return (tarn_dtype)i;
	return TARN_DTYPE_NONE;
}

tarn_dtype tarn_dtype_of_onnx(int code)
{
	for (int i = 1; i < TARN_DTYPE_COUNT; i++)
		if (rows[i].onnx == code)
			return (tarn_dtype)i;
	return TARN_DTYPE_NONE;
}

tarn_dtype tarn_dtype_of_npy(const char *descr)
{
	for (int i = 1; i < TARN_DTYPE_COUNT; i++)
		if (*rows[i].npy && !strcmp(rows[i].npy, descr))
			return (tarn_dtype)i;
	return TARN_DTYPE_NONE;
}

bool tarn_dtype_is_float(tarn_dtype t)
{
	return tarn_dtype_info(t)->cls == 'F';
}

bool tarn_dtype_is_int(tarn_dtype t)
{
	return tarn_dtype_info(t)->cls == 'S' || tarn_dtype_info(t)->cls == 'U';
}

bool tarn_dtype_is_signed(tarn_dtype t)
{
	return tarn_dtype_info(t)->cls == 'S' || tarn_dtype_info(t)->cls == 'F';
}

bool tarn_dtype_bytes(tarn_dtype t, size_t n, size_t *bytes)
{
	size_t bits = (size_t)tarn_dtype_info(t)->bits;
	if (bits >= 8)
		return !__builtin_mul_overflow(n, bits / 8, bytes);
	*bytes = n / 2 + n % 2;
	return bits == 4;
}
