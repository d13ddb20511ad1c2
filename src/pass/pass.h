/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passes: transformations of a graph that keep its meaning. A pass is a function on a model; pass/pipeline.c lists the standard
 * order. After each pass the graph is sorted and (in debug builds) verified.
 */
#ifndef TARN_PASS_PASS_H
#define TARN_PASS_PASS_H

#include "ir/graph.h"

/* New shapes for inputs (by position; shape[i].rank -1 keeps input i): re-infers everything, folds what became constant. Undone
 * on failure. TARN_SHAPE with node and sizes when a node refuses. */
TARN_MUST tarn_err tarn_model_reshape(tarn_model *m, const tarn_shape *shape, int n);

/* Evaluates nodes whose inputs are all constant (or known); shape subgraphs of static shapes vanish. Bodies included. */
TARN_MUST tarn_err tarn_pass_fold(tarn_model *m);
/* If with a constant condition becomes the taken branch. */
TARN_MUST tarn_err tarn_pass_inline(tarn_model *m);
/* Replaces each node for which `keep` says no by its decomposition, where it has one. */
TARN_MUST tarn_err tarn_pass_decompose(tarn_model *m, bool (*keep)(void *ctx, const tarn_node *n), void *ctx);
/* The IR's integer form of quantization, its group convolutions and separate biases become QuantizeLinear, DequantizeLinear,
 * Conv, Gemm; scales and zero points exactly as they stand in the file. */
TARN_MUST tarn_err tarn_pass_raise(tarn_model *m);
/* Sigmoid and Mul become Swish, and so on for GELU, HardSwish, layer normalisation (fuse.def): equal in real arithmetic. For
 * devices that compute these operators as one; not in the standard order. */
TARN_MUST tarn_err tarn_pass_fuse(tarn_model *m);
/* All of the above but fusing in the standard order, until nothing changes; what every device starts from. */
TARN_MUST tarn_err tarn_pass_standard(tarn_model *m);
/* Lets go of the bytes of constants that no node reads any more. */
TARN_MUST tarn_err tarn_pass_release(tarn_model *m);

#endif
