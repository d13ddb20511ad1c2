/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the ONNX writer share. */
#ifndef TARN_FMT_ONNX_WRITER_H
#define TARN_FMT_ONNX_WRITER_H

#include "base/file.h"
#include "base/map.h"
#include "ir/op.h"
#include "onnx.pb-c.h"

enum { ONNX_SIDE_SMALLEST = 1024 }; /* bytes of a tensor worth a place in a side file */

typedef struct onnx_writer {
	const tarn_model *model;
	int opset;                       /* ONNX_WRITTEN_OPSET, or ONNX_BLOCKS_OPSET */
	tarn_arena arena;                /* the message tree */
	const char *side_name;           /* file for large tensors, in the model's folder; NULL: inside the model */
	VEC(tarn_file_piece) side_piece; /* its contents */
	uint64_t side_size;
	VEC(const char *) domain; /* other than the standard one, as used */
} onnx_writer;

TARN_MUST tarn_err onnx_model_write(const tarn_model *m, const char *path);
/* write_graph.c */
TARN_MUST tarn_err onnx_graph_build(onnx_writer *w, const tarn_graph *g, Onnx__GraphProto **out);
/* Can the written opsets say what the node means? */
bool onnx_node_has_form(const tarn_node *n);
/* Does the operator have its axes as an attribute in opset 17, and as an input in 21? */
bool onnx_axes_are_attribute(const tarn_op_def *op);
/* The opset to write the graph in. */
int onnx_opset_for(const tarn_graph *g);

/* write_attr.c */
TARN_MUST tarn_err onnx_tensor_build(onnx_writer *w, const char *name, const tarn_tensor *t, Onnx__TensorProto **out);
/* Room for the operator's attributes and `more` others; p->n_attribute counts those made. */
TARN_MUST tarn_err onnx_attrs_build(onnx_writer *w, const tarn_node *n, int more, Onnx__NodeProto *p);
TARN_MUST tarn_err onnx_attr_new(onnx_writer *w, const char *name, int type, Onnx__AttributeProto **out);

/* What is the default already need not be said. */
bool onnx_attr_is_default(const tarn_attr_def *d, const tarn_attr *a);

/* From the writer's arena, zeroed; NULL is reported by the caller. */
void *onnx_new(onnx_writer *w, size_t count, size_t size);
static inline char *onnx_word(const char *s)
{
	return (char *)(uintptr_t)s; /* protobuf-c's structs hold char *, packing only reads */
}

#endif
