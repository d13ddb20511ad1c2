/* SPDX-License-Identifier: Apache-2.0 */
#include "ir/tensor.h"

#include <math.h>
#include <string.h>

#include "base/f16.h"

tarn_err tarn_tensor_new(tarn_dtype type, int rank, const int64_t *dim, tarn_tensor *t)
{
	CHECK(rank >= 0 && rank <= TARN_MAX_RANK, TARN_SHAPE, "rank %d is above %d", rank, TARN_MAX_RANK);
	CHECK(type > TARN_DTYPE_NONE && type < TARN_DTYPE_COUNT, TARN_TYPE, "a tensor needs an element type");
	tarn_shape s = tarn_shape_of(rank, dim);
	int64_t n;
	size_t bytes;
	TRY(tarn_shape_count(&s, &n));
	CHECK(tarn_dtype_bytes(type, (size_t)n, &bytes), TARN_SHAPE, "the tensor is too large");
	tarn_tensor r = {.type = type, .rank = rank};
	memcpy(r.dim, s.dim, sizeof r.dim);
	TRY(tarn_buffer_new(bytes, &r.buf));
	r.data = r.buf->at;
	for (int64_t i = 0; type == TARN_STRING && i < n; i++)
		((const char **)r.data)[i] = "";
	*t = r;
	return TARN_OK;
}

void tarn_tensor_fini(tarn_tensor *t)
{
	tarn_buffer_unref(t->buf);
	*t = (tarn_tensor){0};
}

tarn_tensor tarn_tensor_share(const tarn_tensor *t)
{
	tarn_buffer_ref(t->buf);
	return *t;
}

tarn_err tarn_tensor_copy(const tarn_tensor *t, tarn_tensor *out)
{
	tarn_tensor r;
	TRY(tarn_tensor_new(t->type, t->rank, t->dim, &r));
	size_t n = tarn_tensor_bytes(t);
	if (n)
		memcpy(r.data, t->data, n);
	*out = r;
	return TARN_OK;
}

int64_t tarn_tensor_count(const tarn_tensor *t)
{
	int64_t n = 1;
	for (int i = 0; i < t->rank; i++)
		n *= t->dim[i];
	return n;
}

size_t tarn_tensor_bytes(const tarn_tensor *t)
{
	size_t bytes = 0;
	(void)tarn_dtype_bytes(t->type, (size_t)tarn_tensor_count(t), &bytes);
	return bytes;
}

tarn_shape tarn_tensor_shape(const tarn_tensor *t)
{
	return tarn_shape_of(t->rank, t->dim);
}

static int nibble(const tarn_tensor *t, int64_t i)
{
	return ((const uint8_t *)t->data)[i / 2] >> (i % 2 ? 4 : 0) & 15;
}

double tarn_tensor_f64(const tarn_tensor *t, int64_t i)
{
	switch (t->type) {
	case TARN_F32:
		return ((const float *)t->data)[i];
	case TARN_F64:
		return ((const double *)t->data)[i];
	case TARN_F16:
		return tarn_f16_to_f32(((const uint16_t *)t->data)[i]);
	case TARN_BF16:
		return tarn_bf16_to_f32(((const uint16_t *)t->data)[i]);
	case TARN_U64:
		return (double)((const uint64_t *)t->data)[i];
	default:
		return (double)tarn_tensor_i64(t, i);
	}
}

int64_t tarn_tensor_i64(const tarn_tensor *t, int64_t i)
{
	switch (t->type) {
	case TARN_I8:
		return ((const int8_t *)t->data)[i];
	case TARN_I16:
		return ((const int16_t *)t->data)[i];
	case TARN_I32:
		return ((const int32_t *)t->data)[i];
	case TARN_I64:
	case TARN_U64:
		return ((const int64_t *)t->data)[i];
	case TARN_U8:
	case TARN_BOOL:
		return ((const uint8_t *)t->data)[i];
	case TARN_U16:
		return ((const uint16_t *)t->data)[i];
	case TARN_U32:
		return ((const uint32_t *)t->data)[i];
	case TARN_U4:
		return nibble(t, i);
	case TARN_I4:
		return nibble(t, i) - (nibble(t, i) & 8 ? 16 : 0);
	case TARN_F32:
	case TARN_F64:
	case TARN_F16:
	case TARN_BF16: {
		double v = tarn_tensor_f64(t, i);
		return isnan(v) ? 0 : v >= 0x1p63 ? INT64_MAX : v < -0x1p63 ? INT64_MIN : (int64_t)v;
	}
	default:
		return 0;
	}
}

void tarn_tensor_set_f64(tarn_tensor *t, int64_t i, double v)
{
	switch (t->type) {
	case TARN_F32:
		((float *)t->data)[i] = (float)v;
		return;
	case TARN_F64:
		((double *)t->data)[i] = v;
		return;
	case TARN_F16:
		((uint16_t *)t->data)[i] = tarn_f32_to_f16((float)v);
		return;
	case TARN_BF16:
		((uint16_t *)t->data)[i] = tarn_f32_to_bf16((float)v);
		return;
	case TARN_U64:
		((uint64_t *)t->data)[i] = !(v > 0) ? 0 : v >= 0x1p64 ? UINT64_MAX : (uint64_t)v;
		return;
	case TARN_BOOL:
		((uint8_t *)t->data)[i] = v != 0;
		return;
	default:
		tarn_tensor_set_i64(t, i, isnan(v) ? 0 : v >= 0x1p63 ? INT64_MAX : v < -0x1p63 ? INT64_MIN : (int64_t)v);
	}
}

static int64_t clamp(int64_t v, int64_t lo, int64_t hi)
{
	return v < lo ? lo : v > hi ? hi : v;
}

void tarn_tensor_set_i64(tarn_tensor *t, int64_t i, int64_t v)
{
	switch (t->type) {
	case TARN_I8:
		((int8_t *)t->data)[i] = (int8_t)clamp(v, INT8_MIN, INT8_MAX);
		return;
	case TARN_I16:
		((int16_t *)t->data)[i] = (int16_t)clamp(v, INT16_MIN, INT16_MAX);
		return;
	case TARN_I32:
		((int32_t *)t->data)[i] = (int32_t)clamp(v, INT32_MIN, INT32_MAX);
		return;
	case TARN_I64:
		((int64_t *)t->data)[i] = v;
		return;
	case TARN_U8:
		((uint8_t *)t->data)[i] = (uint8_t)clamp(v, 0, UINT8_MAX);
		return;
	case TARN_U16:
		((uint16_t *)t->data)[i] = (uint16_t)clamp(v, 0, UINT16_MAX);
		return;
	case TARN_U32:
		((uint32_t *)t->data)[i] = (uint32_t)clamp(v, 0, UINT32_MAX);
		return;
	case TARN_U64:
		((uint64_t *)t->data)[i] = v < 0 ? 0 : (uint64_t)v;
		return;
	case TARN_BOOL:
		((uint8_t *)t->data)[i] = v != 0;
		return;
	case TARN_U4:
	case TARN_I4: {
		uint8_t *b = &((uint8_t *)t->data)[i / 2];
		int n = (int)(t->type == TARN_U4 ? clamp(v, 0, 15) : clamp(v, -8, 7)) & 15;
		*b = (uint8_t)(i % 2 ? (*b & 15) | n << 4 : (*b & 0xf0) | n);
		return;
	}
	case TARN_DTYPE_NONE:
	case TARN_STRING: /* not a number */
		return;
	default:
		tarn_tensor_set_f64(t, i, (double)v);
	}
}

tarn_err tarn_tensor_convert(const tarn_tensor *t, tarn_dtype type, tarn_tensor *out)
{
	CHECK(t->type != TARN_STRING && type != TARN_STRING, TARN_TYPE, "text is not converted to or from numbers");
	tarn_tensor r;
	TRY(tarn_tensor_new(type, t->rank, t->dim, &r));
	int64_t n = tarn_tensor_count(t);
	if (t->type == type)
		memcpy(r.data, t->data, tarn_tensor_bytes(t));
	else if (tarn_dtype_is_float(t->type) || t->type == TARN_U64)
		for (int64_t i = 0; i < n; i++)
			tarn_tensor_set_f64(&r, i, tarn_tensor_f64(t, i));
	else
		for (int64_t i = 0; i < n; i++)
			tarn_tensor_set_i64(&r, i, tarn_tensor_i64(t, i));
	*out = r;
	return TARN_OK;
}

void tarn_tensor_strides(const tarn_tensor *t, int64_t stride[TARN_MAX_RANK])
{
	int64_t s = 1;
	for (int i = t->rank - 1; i >= 0; i--) {
		stride[i] = s;
		s *= t->dim[i];
	}
}
