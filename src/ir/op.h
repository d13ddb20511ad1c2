/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an operator is: one const tarn_op_def, exported by one file of ops/. Every other layer asks this table and nothing else.
 *
 * Slots may be NULL; NULL is the conservative answer: bounds and cost unknown, quantization float, padding unsafe, no gradient,
 * no decomposition. Every operator has infer and eval (a pure decomposition may leave eval to what it decomposes into).
 *
 * Canonical form: each operator is kept as its newest ONNX form up to opset 17 (axes and the like are inputs, not attributes,
 * where that form says so). Older forms are normalised once, by `import`. Operators that only OpenVINO has (FakeQuantize, ...)
 * keep their own definition and say how they decompose.
 */
#ifndef TARN_IR_OP_H
#define TARN_IR_OP_H

#include "ir/graph.h"

/* ---- attributes ---- */

typedef enum tarn_attr_kind {
	TARN_ATTR_INT,
	TARN_ATTR_BOOL, /* an int 0 or 1 in ONNX */
	TARN_ATTR_FLOAT,
	TARN_ATTR_STRING,
	TARN_ATTR_STRINGS, /* kept as one text, with commas */
	TARN_ATTR_ENUM,    /* one of `words` ("a|b|c"); stored as index */
	TARN_ATTR_TYPE,    /* element type; an ONNX type code in ONNX */
	TARN_ATTR_INTS,
	TARN_ATTR_FLOATS,
	TARN_ATTR_TENSOR,
} tarn_attr_kind;

typedef struct tarn_attr_def {
	const char *name; /* ONNX's spelling where ONNX has the attribute */
	tarn_attr_kind kind;
	enum { TARN_ATTR_OPTIONAL, TARN_ATTR_REQUIRED, TARN_ATTR_DEFAULT } presence;
	double def;        /* default of INT, BOOL, FLOAT, ENUM, TYPE when presence is DEFAULT */
	const char *words; /* ENUM: the allowed words */
} tarn_attr_def;

/* By schema index; each operator file has an enum of its indices. Absent ints are empty, absent numbers 0, absent text NULL. */
static inline int64_t tarn_attr_i(const tarn_node *n, int i)
{
	return n->attr[i].set ? n->attr[i].i : 0;
}
static inline double tarn_attr_f(const tarn_node *n, int i)
{
	return n->attr[i].set ? n->attr[i].f : 0;
}
static inline bool tarn_attr_has(const tarn_node *n, int i)
{
	return n->attr[i].set;
}
/* By name, for passes and devices: index in the schema or -1. */
int tarn_attr_index(const tarn_op_def *op, const char *name);
/* The word of an ENUM attribute's index. In a static buffer per schema: compare with tarn_attr_word_is. */
bool tarn_attr_word_is(const tarn_node *n, int i, const char *word);
/* Index of `word` in a '|'-separated list, -1 when absent; and the reverse (copied to out, truncated to size). */
int tarn_words_find(const char *words, const char *word);
void tarn_words_get(const char *words, int index, char *out, size_t size);
TARN_MUST tarn_err tarn_attr_set_i(tarn_node *n, int i, int64_t v);
TARN_MUST tarn_err tarn_attr_set_f(tarn_node *n, int i, double v);
TARN_MUST tarn_err tarn_attr_set_ints(tarn_graph *g, tarn_node *n, int i, const int64_t *at, int count); /* copied */
TARN_MUST tarn_err tarn_attr_set_floats(tarn_graph *g, tarn_node *n, int i, const double *at, int count);
TARN_MUST tarn_err tarn_attr_set_str(tarn_graph *g, tarn_node *n, int i, const char *s);

/* ---- import: what a reader offers an operator ---- */

/* The reader has made the node, set its inputs, and filled the attributes whose names are in the schema. The hook mends what
 * older or other forms say differently. Lists and text are borrowed until the hook returns. */
typedef struct tarn_import {
	tarn_graph *graph;
	tarn_node *node;
	bool onnx; /* else OpenVINO IR */
	int opset; /* ONNX: opset of the node's domain. IR: the number of opsetN */
	bool (*find_i)(const struct tarn_import *, const char *name, int64_t *v);
	bool (*find_f)(const struct tarn_import *, const char *name, double *v);
	bool (*find_s)(const struct tarn_import *, const char *name, const char **v);
	bool (*find_ints)(const struct tarn_import *, const char *name, const int64_t **at, int *n);
	bool (*find_floats)(const struct tarn_import *, const char *name, const double **at, int *n);
	const void *src; /* the reader's */
} tarn_import;

/* ---- inference ---- */

/* The same slot serves symbolic inference over a model and concrete inference before evaluation: then every input has a static
 * shape and `konst` (its actual data). Reads node->in[i]; writes node->out[i] through tarn_infer_out. */
typedef struct tarn_infer {
	tarn_node *node;
	tarn_symtab *syms;
	tarn_arena *arena;                                             /* for `known` lists; lives as long as the values */
	tarn_err (*infer_body)(struct tarn_infer *, tarn_graph *body); /* its inputs' types and shapes have been set */
} tarn_infer;

/* Sets type and shape of output i; nothing happens when the output is absent. shape NULL: unknown rank. */
void tarn_infer_out(tarn_infer *c, int i, tarn_dtype type, const tarn_shape *shape);
/* TARN_SHAPE / TARN_TYPE unless input i is present and its rank (when known) lies in [lo, hi] (hi < 0: no limit). */
TARN_MUST tarn_err tarn_infer_rank(const tarn_infer *c, int i, int lo, int hi);
/* The elements of input i: from its constant or from `known`; negative numbers as literals (tarn_dim_of_int). False when not
 * known, absent, not of integer or bool type, or more than max. */
bool tarn_infer_dims(const tarn_infer *c, int i, tarn_dim *at, int max, int *n);
/* The same when all of them are numbers: plain values, negative ones as they are. */
bool tarn_infer_ints(const tarn_infer *c, int i, int64_t *at, int max, int *n);
/* Sets `known` of output i (used by the bounds slot). */
TARN_MUST tarn_err tarn_infer_known(tarn_infer *c, int i, const tarn_dim *at, int n);

/* ---- evaluation ---- */

/* One reference execution. Outputs whose shape inference gives are allocated before eval; others (and all of operators flagged
 * TARN_OP_DATA_SHAPE) are made by the operator with tarn_eval_out. */
typedef struct tarn_eval {
	const tarn_node *node;
	const tarn_tensor *const *in; /* NULL element: absent */
	tarn_tensor *out;             /* n_out of them; type NONE: not made yet */
	tarn_err (*run_body)(struct tarn_eval *, int body, const tarn_tensor *const *in, int n_in, tarn_tensor *out, int n_out);
	void *ctx; /* the runner's */
} tarn_eval;

TARN_MUST tarn_err tarn_eval_out(tarn_eval *e, int i, tarn_dtype type, int rank, const int64_t *dim);

/* ---- quantization, padding, cost ---- */

/* How an operator takes part in INT8 (docs/quantization.md). */
typedef struct tarn_op_quant {
	enum {
		TARN_QUANT_FLOAT,  /* stays float, stops propagation */
		TARN_QUANT_INPUTS, /* runs in INT8 when its activation inputs are quantized */
		TARN_QUANT_PASS,   /* value-preserving: a quantizer moves through it */
		TARN_QUANT_CONCAT, /* like PASS, but all inputs must share scale and zero point */
	} kind;
	uint32_t act;    /* bit i: input i is an activation to quantize (or to pass through) */
	int weight;      /* input that may be a constant weight, -1 none */
	int weight_axis; /* axis of that input which is the output channel; negative counts from the end */
	int bias;        /* input that is a bias (int32, scale s_x*s_w), -1 none */
} tarn_op_quant;

/* Work of one node with static shapes. */
typedef struct tarn_cost {
	int64_t macs; /* multiply-accumulates */
	int64_t ops;  /* other scalar operations (one per output element and step) */
} tarn_cost;

/* What an operator needs of the padding of an input, so that the valid part of its outputs is what it would be without padding.
 * The padding may be anything, NaN included, otherwise. Asked for each input and each of its padded axes, with the shapes as
 * they are before padding (the size of the padded axis is a symbol, that of the result along an axis says how much of it is
 * valid). */
typedef enum tarn_pad_need {
	TARN_PAD_ANY,     /* nothing: element by element, or along other axes, or it reads what lies before */
	TARN_PAD_ZERO,    /* must be 0: it is summed over; or indices, which must exist */
	TARN_PAD_ONE,     /* must be 1: it is multiplied over, or divided by */
	TARN_PAD_VALUE,   /* must be `value` */
	TARN_PAD_LOWEST,  /* must lose every comparison: -infinity */
	TARN_PAD_HIGHEST, /* +infinity */
	TARN_PAD_EDGE,    /* must repeat the last valid element */
	TARN_PAD_MEAN,    /* must be 0, and the result is a mean that must count valid elements only */
	TARN_PAD_PLACE,  /* where it reads or writes depends on the length: it has to be written anew (dyn/); `why` says so when
			    dyn/ cannot */
	TARN_PAD_UNSAFE, /* no padding gives the right result; `why` says so */
} tarn_pad_need;
typedef struct tarn_pad {
	const tarn_node *node;
	int input, axis;
	tarn_symtab *syms;  /* of the sizes */
	tarn_pad_need need; /* the answer */
	double value;       /* with VALUE */
	const char *why;    /* with UNSAFE and PLACE */
} tarn_pad;
/* One step backward through a node, for training (quant/qat asks, through tarn_node_grad of ops/grad.h). Given is how the loss
 * changes with each output; added to `din` is how it changes with each input. Floating-point tensors are F32 or F64, sums are
 * made in double. Gradients have the shape of their value and are floating-point also where the value is codes: the derivative
 * after rounding that is let through (straight-through estimation). */
typedef struct tarn_grad {
	const tarn_node *node;
	const tarn_tensor *const *in; /* as they were forward; NULL: absent */
	const tarn_tensor *out;
	const tarn_tensor *dout; /* of each output; type NONE: zero */
	tarn_tensor *din;        /* of each input; type NONE: not wanted */
	tarn_arena *arena;       /* scratch until the slot returns */
} tarn_grad;

/* ---- the definition ---- */

enum {
	TARN_OP_DATA_SHAPE = 1,  /* output shapes depend on input data beyond small integer inputs (NonZero, If, Loop) */
	TARN_OP_CONTROL = 2,     /* has bodies */
	TARN_OP_RANDOM = 4,      /* never folded */
	TARN_OP_ELEMENTWISE = 8, /* output element i depends only on (broadcast) input elements i */
	TARN_OP_VIEW = 16,       /* output bytes equal input 0's bytes in order (Reshape, Squeeze, ...) */
	TARN_OP_FLAT = 32,       /* truth values, counts, positions or fixed numbers: no gradient by nature, all slopes are 0 */
};

struct tarn_op_def {
	const char *name;   /* canonical, ONNX's word where it has one: "Conv" */
	const char *domain; /* ONNX domain; "" (NULL reads the same) is the standard one */
	int onnx_since;     /* first ONNX opset with it; 0: ONNX has no such operator */
	int onnx_until;     /* last opset with it; 0: still there */
	const char *ir; /* OpenVINO's type when it is the same operator but for spelling ("ReLU"); NULL: none, or fmt/ovir maps
			   it */
	int min_in, max_in; /* inputs; max -1: any number */
	int min_out, max_out;
	const tarn_attr_def *attr;
	int n_attr;
	unsigned flags;
	tarn_err (*import)(const tarn_import *src);
	tarn_err (*infer)(tarn_infer *c);
	tarn_err (*bounds)(tarn_infer *c); /* after infer: `known` of outputs from `known` of inputs */
	tarn_err (*eval)(tarn_eval *e);
	tarn_err (*decompose)(tarn_graph *g, tarn_node *n); /* builds the equivalent and replaces n's outputs */
	tarn_err (*grad)(tarn_grad *g);
	void (*pad)(tarn_pad *p); /* NULL: elementwise operators need nothing, all others are unsafe */
	tarn_err (*cost)(const tarn_node *n, tarn_cost *cost);
	tarn_op_quant quant;
};

#endif
