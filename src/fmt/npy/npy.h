/* SPDX-License-Identifier: Apache-2.0 */
/*
 * numpy's .npy files (versions 1 to 3), idx files (MNIST's format, plain or gzip) and WAV files as tensors. Any thread.
 *
 * Files are untrusted: headers are parsed strictly, sizes are checked against the file before anything is allocated. Results
 * are row-major and of this machine's byte order whatever the file holds. A tensor that needs no conversion shares the file's
 * mapping and must not be written to.
 */
#ifndef TARN_FMT_NPY_NPY_H
#define TARN_FMT_NPY_NPY_H

#include "ir/tensor.h"

enum {
	NPY_MAX_HEADER = 1 << 16, /* bytes of the dictionary; numpy's own reader refuses more than 10000 */
	IDX_MAX_BYTES = 1 << 30   /* elements of a compressed idx file after unpacking */
};

typedef struct tarn_npy_header {
	tarn_dtype type;
	bool swap;    /* the file's byte order is not this machine's */
	bool fortran; /* first axis fastest */
	int rank;
	int64_t dim[TARN_MAX_RANK];
	size_t offset; /* of the first element */
	size_t bytes;  /* of all elements */
} tarn_npy_header;

/* Reads the header of a file of n bytes and checks that its elements are all there. */
TARN_MUST tarn_err tarn_npy_parse(const uint8_t *at, size_t n, tarn_npy_header *h);
/* The whole array. `file` is kept as long as the tensor needs it. */
TARN_MUST tarn_err tarn_npy_parse_tensor(tarn_buffer *file, tarn_tensor *t);
/* The same for a file; errors name it. */
TARN_MUST tarn_err tarn_npy_read(const char *path, tarn_tensor *t);
/* Version 1, C order. TARN_TYPE for element types numpy does not have; bf16 is written as f32, 4-bit integers as 8-bit ones. */
TARN_MUST tarn_err tarn_npy_write(const char *path, const tarn_tensor *t);

/* idx: two zero bytes, type, rank, sizes and elements, all big-endian. gzip is told by its first bytes. */
TARN_MUST tarn_err tarn_idx_parse_tensor(const uint8_t *at, size_t n, tarn_tensor *t);

/* WAV: PCM of 8 to 32 bits, or 32-bit floats, as f32 [channels, samples] from -1 to 1. */
bool tarn_wav_probe(const uint8_t *at, size_t n);
TARN_MUST tarn_err tarn_wav_parse_tensor(const uint8_t *at, size_t n, tarn_tensor *t);

#endif
