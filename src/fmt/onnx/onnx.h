/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ONNX models, opset 7 to 21 read, 17 or 21 written. Reading keeps no reference to the file: weights are copied once, aligned.
 * Any thread, one model per thread at a time.
 */
#ifndef TARN_FMT_ONNX_ONNX_H
#define TARN_FMT_ONNX_ONNX_H

#include "fmt/fmt.h"

/* Written is opset 17, which every runtime of the last years reads; models with 4-bit constants or scales in blocks need 21. */
enum { ONNX_OLDEST_OPSET = 7, ONNX_NEWEST_OPSET = 21, ONNX_WRITTEN_OPSET = 17, ONNX_BLOCKS_OPSET = 21 };

extern const tarn_model_format tarn_format_onnx;

/* A serialized TensorProto, such as the files of ONNX's operator tests hold. */
TARN_MUST tarn_err tarn_onnx_read_tensor(const uint8_t *at, size_t n, tarn_tensor *t);

/* The format's `write` with a limit in bytes above which weights go to a file beside ("model.onnx.data"). */
TARN_MUST tarn_err tarn_onnx_write_limit(const tarn_model *m, const char *path, uint64_t limit);
/* The bytes of such a file, weights inside; at most 2 GiB. The caller owns the buffer. */
TARN_MUST tarn_err tarn_onnx_pack(const tarn_model *m, tarn_buffer **bytes);

#endif
