/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tensors: dense row-major data of one element type, on the host.
 *
 * A tarn_tensor is a small struct passed by pointer and copied freely; `buf` (may be NULL: borrowed bytes) is what keeps the
 * bytes alive. 4-bit types are packed, low nibble first. Strings are const char * elements.
 */
#ifndef TARN_IR_TENSOR_H
#define TARN_IR_TENSOR_H

#include "base/buffer.h"
#include "ir/dtype.h"
#include "ir/shape.h"

typedef struct tarn_tensor {
	tarn_dtype type; /* NONE: no tensor */
	int rank;
	int64_t dim[TARN_MAX_RANK];
	void *data;
	tarn_buffer *buf;
} tarn_tensor;

/* Zeroed storage (texts are "") of that type and size; dims are checked (>= 0, product below 2^48). */
TARN_MUST tarn_err tarn_tensor_new(tarn_dtype type, int rank, const int64_t *dim, tarn_tensor *t);
void tarn_tensor_fini(tarn_tensor *t);               /* drops the reference, zeroes the struct */
tarn_tensor tarn_tensor_share(const tarn_tensor *t); /* another struct on the same bytes, with its own reference */
TARN_MUST tarn_err tarn_tensor_copy(const tarn_tensor *t, tarn_tensor *out); /* own bytes */
/* Copies into `to` the elements that both have, from index 0 on along each axis: pads, or cuts. Same type and rank; TARN_TYPE
 * for others, text, and elements below a byte. */
TARN_MUST tarn_err tarn_tensor_copy_corner(const tarn_tensor *from, const tarn_tensor *to);
int64_t tarn_tensor_count(const tarn_tensor *t); /* elements */
size_t tarn_tensor_bytes(const tarn_tensor *t);
tarn_shape tarn_tensor_shape(const tarn_tensor *t);

/* One element as a number, any type but STRING; i counts in row-major order and is not checked. Integers beyond 2^53 lose
 * precision as double: use the i64 forms. Setting converts with clamping to the type's range (NaN to 0 for integers, truncation
 * towards zero); floats are rounded to nearest even. */
double tarn_tensor_f64(const tarn_tensor *t, int64_t i);
int64_t tarn_tensor_i64(const tarn_tensor *t, int64_t i);
void tarn_tensor_set_f64(tarn_tensor *t, int64_t i, double v);
void tarn_tensor_set_i64(tarn_tensor *t, int64_t i, int64_t v);

/* New tensor of another element type (float to integer truncates, out of range is clamped, to BOOL is != 0). */
TARN_MUST tarn_err tarn_tensor_convert(const tarn_tensor *t, tarn_dtype type, tarn_tensor *out);
/* Row-major strides in elements. */
void tarn_tensor_strides(const tarn_tensor *t, int64_t stride[TARN_MAX_RANK]);

#endif
