/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the ONNX reader share. */
#ifndef TARN_FMT_ONNX_READER_H
#define TARN_FMT_ONNX_READER_H

#include "base/map.h"
#include "ir/op.h"
#include "onnx.pb-c.h"

/* A mapped file of external data. */
typedef struct onnx_side {
	char *name;
	tarn_buffer *buf;
} onnx_side;

typedef struct onnx_reader {
	tarn_model *model;
	const uint8_t *file; /* the bytes that raw_at counts in */
	size_t size;
	const char *path;  /* of the model, NULL when it came from memory */
	tarn_arena *arena; /* what lives as long as the model */
	VEC(onnx_side) side;
	const Onnx__ModelProto *proto;
} onnx_reader;

/* Where names of values are looked up: one graph, then the graphs around it. */
typedef struct onnx_scope onnx_scope;

/* read_tensor.c. `what` names the tensor in errors. On success the caller owns t. */
TARN_MUST tarn_err onnx_tensor_read(onnx_reader *r, const Onnx__TensorProto *p, const char *what, tarn_tensor *t);

/* A text tensor that owns its characters. */
TARN_MUST tarn_err onnx_text_tensor(const ProtobufCBinaryData *s, size_t n, const char *what, int rank, const int64_t *dim,
				    tarn_tensor *t);

/* read_attr.c: attributes of the schema; the import hook; a Constant node's value. */
TARN_MUST tarn_err onnx_attrs_read(onnx_reader *r, const Onnx__NodeProto *p, tarn_node *n);
TARN_MUST tarn_err onnx_import_call(onnx_reader *r, const Onnx__NodeProto *p, tarn_graph *g, tarn_node *n, int opset);
TARN_MUST tarn_err onnx_constant_read(onnx_reader *r, const Onnx__NodeProto *p, tarn_tensor *t);
/* NULL when the node has no attribute of that name. */
const Onnx__AttributeProto *onnx_attr_find(const Onnx__NodeProto *p, const char *name);

/* read_graph.c */
TARN_MUST tarn_err onnx_graph_read(onnx_reader *r, const Onnx__GraphProto *p, tarn_graph *g);

/* Protobuf text that may be absent. */
static inline const char *onnx_text(const char *s)
{
	return s ? s : "";
}

#endif
