/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dynamic input on devices of static shapes: a free dimension becomes a maximum with a valid length.
 *
 * tarn_bound_model rewrites the model: static sizes, one more input (int64 [1], the valid length), and in the graph what makes
 * the padding harmless, whatever it holds. Before an inference, pad the inputs it names; afterwards, slice the outputs: what
 * remains equals the result of the model as it was, at that length. The rewritten model is a standard one and can be saved and
 * run anywhere. Compiled for the CPU before anything else is changed in it, it does the work of the valid length only; so does
 * an ONNX file of it that was read again. Rules as in <tarn/model.h>.
 */
#ifndef TARN_SHAPE_H
#define TARN_SHAPE_H

#include "openvino/c/openvino.h"

#ifdef __cplusplus
extern "C" {
#endif
#define TARN_API __attribute__((visibility("default")))

/* name: the dimension's name in the file ("length"), or "input[axis]"; its size becomes max. Places in the graph that had to be
 * changed are counted in *repairs (may be NULL). NOT_FOUND lists the free dimensions there are; PARAMETER_MISMATCH names a node
 * that looks up positions in a table with fewer than max, and the largest max that works; NOT_IMPLEMENTED names a node that
 * padding would corrupt, its axis and the reason. The model is then as before. */
TARN_API ov_status_e tarn_bound_model(const ov_model_t *model, const char *name, int64_t max, int *repairs);

typedef struct tarn_bound_dim {
	const char *name; /* as above */
	int64_t max;
	const char *per; /* NULL: one length for all. Else another dimension of the list, a batch: each of its samples has a
			    length of its own, valid_length.NAME is int64 [max of that], and what mixes samples is refused */
} tarn_bound_dim;
/* What a rewrite added to the graph. */
typedef struct tarn_bound_repairs {
	int places;       /* that were changed: the sum of the next five */
	int masks;        /* padding replaced by a value that is neutral for the operator behind it */
	int gathers;      /* elements moved by valid length: concatenations, slices from the end, folded axes */
	int scales;       /* means that count valid elements only */
	int lengths;      /* recurrences that are told the valid length */
	int numbers;      /* places where the length is used as a number */
	int64_t elements; /* written by all of these together in one inference; -1 while other dimensions are free */
} tarn_bound_repairs;
/* Several dimensions at once, as an image's height and width: inputs valid_length.NAME, one for each. repairs may be NULL. */
TARN_API ov_status_e tarn_bound_model_dims(const ov_model_t *model, const tarn_bound_dim *dim, size_t n,
					   tarn_bound_repairs *repairs);

/* What may vary is fixed. name: a free dimension, as above: value becomes its size wherever inputs have it. Or an input: all
 * its elements are value, and the model has one input less. NOT_FOUND lists the free dimensions there are; PARAMETER_MISMATCH:
 * it is another size already, or its bounds exclude that. On failure the model is as before. */
TARN_API ov_status_e tarn_fix_input(const ov_model_t *model, const char *name, double value);

typedef struct tarn_bound_axis {
	char *port;  /* name of an input or output */
	size_t axis; /* which is as long as the maximum makes it, and valid only in front */
	bool output;
	char *size_output; /* outputs: name of the output (int64 [1]) that says how many elements are valid; NULL: the length */
} tarn_bound_axis;
typedef struct tarn_bound_info {
	char *name; /* of the dimension, as it was given */
	int64_t max;
	char *length_input; /* name of the input that takes the valid length */
	int64_t samples;    /* how many lengths it takes: 1, or one for each sample of a batch */
	tarn_bound_axis *axis;
	size_t n_axis;
} tarn_bound_info;
/* Bound `index` of a rewritten model, also after it was saved as ONNX and read again. NOT_FOUND: there are fewer. */
TARN_API ov_status_e tarn_get_bound(const ov_model_t *model, size_t index, tarn_bound_info *bound);
TARN_API void tarn_free_bound(tarn_bound_info *bound);

/* A free dimension of a model's inputs, and what it would need on a device of fixed shapes: found by trying, on a copy. */
typedef struct tarn_free_dim {
	char *name;    /* as tarn_bound_model takes it */
	char *where;   /* the axes that have it: "input_ids[1], attention_mask[1]" */
	bool batch;    /* the first axis of the first input; it is tried with the others as they are, these with a batch of 1 */
	int64_t max;   /* the size it was tried with: its bound, or one that is usual for such an axis */
	int repairs;   /* places of the graph that bounding changes */
	char *why;     /* NULL: can be bounded; else node, axis and reason */
	bool together; /* only when the others are bounded, too; `repairs` is for all of them then */
} tarn_free_dim;
typedef struct tarn_free_dim_list {
	tarn_free_dim *at;
	size_t size;
} tarn_free_dim_list;
TARN_API ov_status_e tarn_list_free_dims(const ov_model_t *model, tarn_free_dim_list *dims);
TARN_API void tarn_release_free_dims(tarn_free_dim_list *dims);

typedef enum tarn_pad_fill {
	TARN_PAD_WITH_ZERO,
	TARN_PAD_WITH_NAN,    /* to prove that padding is not read; integers: the largest of the type */
	TARN_PAD_WITH_RANDOM, /* likewise: any bits, the same in each run */
} tarn_pad_fill;
/* A copy with `size` elements along the axis. PARAMETER_MISMATCH, with both numbers, when there are more already. */
TARN_API ov_status_e tarn_pad_tensor(const ov_tensor_t *tensor, size_t axis, int64_t size, tarn_pad_fill fill,
				     ov_tensor_t **padded);
/* A copy of the first `size` elements along the axis. */
TARN_API ov_status_e tarn_slice_tensor(const ov_tensor_t *tensor, size_t axis, int64_t size, ov_tensor_t **slice);

#ifdef __cplusplus
}
#endif
#endif
