/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first look at a file's bytes, before the protobuf library sees any of them.
 *
 * Copies a serialized message to `out` without what Tarn does not read and without the tensors' raw_data: each is replaced by
 * its place in `at` (TensorProto.raw_at, raw_size). What comes out is small, has only known fields of the right wire type, no
 * field twice that may stand once, and a bounded depth; weights are never copied by the unpacker. Any thread.
 */
#ifndef TARN_FMT_ONNX_WIRE_H
#define TARN_FMT_ONNX_WIRE_H

#include "base/str.h"

enum { ONNX_MAX_BODIES = 16 }; /* graphs inside graphs */

typedef enum onnx_wire_root { ONNX_WIRE_MODEL, ONNX_WIRE_TENSOR } onnx_wire_root;

/* TARN_BAD_FILE with the byte offset when the bytes are not such a message. The caller frees `out` in any case. */
TARN_MUST tarn_err onnx_wire_skeleton(onnx_wire_root root, const uint8_t *at, size_t n, tarn_str *out);

#endif
