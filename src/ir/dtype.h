/* SPDX-License-Identifier: Apache-2.0 */
/* Element types. Everything one can ask about a type stands in its row of dtype.def. */
#ifndef TARN_IR_DTYPE_H
#define TARN_IR_DTYPE_H

#include <stdbool.h>
#include <stddef.h>

typedef enum tarn_dtype {
	TARN_DTYPE_NONE, /* unknown */
#define DTYPE(sym, bits, word, port, onnx, npy, cls) TARN_##sym,
#include "ir/dtype.def"
#undef DTYPE
	TARN_DTYPE_COUNT
} tarn_dtype;

typedef struct tarn_dtype_row {
	const char *sym;  /* "F32" */
	int bits;         /* per element; 4-bit types are packed, low nibble first */
	const char *word; /* "f32", as in OpenVINO's element_type */
	const char *port; /* "FP32", as in an IR port's precision */
	int onnx;         /* TensorProto.DataType */
	const char *npy;  /* "<f4"; "" when numpy has none */
	char cls;         /* F S U B T; '?' for NONE */
} tarn_dtype_row;

const tarn_dtype_row *tarn_dtype_info(tarn_dtype t); /* never NULL */
tarn_dtype tarn_dtype_of_word(const char *word);     /* case-insensitive; NONE when unknown */
tarn_dtype tarn_dtype_of_port(const char *precision);
tarn_dtype tarn_dtype_of_onnx(int code);
tarn_dtype tarn_dtype_of_npy(const char *descr);
bool tarn_dtype_is_float(tarn_dtype t);
bool tarn_dtype_is_int(tarn_dtype t); /* signed or unsigned, not bool */
bool tarn_dtype_is_signed(tarn_dtype t);
/* Bytes of n elements, rounded up to whole bytes; false on overflow. */
bool tarn_dtype_bytes(tarn_dtype t, size_t n, size_t *bytes);

#endif
