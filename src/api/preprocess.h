/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preprocessing as it was asked for (ov_prepostprocess.c records it), and written into a model as nodes (preprocess.c: inputs;
 * preprocess_steps.c: steps; preprocess_color.c: colours). Texts and lists live in the arena of the whole. Why:
 * docs/design/016.
 */
#ifndef TARN_API_PREPROCESS_H
#define TARN_API_PREPROCESS_H

#include "api/handles.h"
#include "ops/ops.h"

enum { TARN_MAX_PLANES = 3 };

typedef enum tarn_preprocess_kind {
	TARN_PREPROCESS_SCALE,
	TARN_PREPROCESS_MEAN,
	TARN_PREPROCESS_TYPE,
	TARN_PREPROCESS_LAYOUT,
	TARN_PREPROCESS_COLOR,
	TARN_PREPROCESS_RESIZE,
	TARN_PREPROCESS_CROP,
	TARN_PREPROCESS_PAD,
	TARN_PREPROCESS_REVERSE,
} tarn_preprocess_kind;

typedef struct tarn_preprocess_step {
	tarn_preprocess_kind kind;
	int n;                                            /* numbers */
	const double *number;                             /* SCALE, MEAN: one, or one a channel. PAD: the value */
	int64_t begin[TARN_MAX_RANK], end[TARN_MAX_RANK]; /* CROP, PAD: n of them */
	int mode;                                         /* RESIZE: the algorithm. PAD: the mode */
	tarn_dtype type;
	ov_color_format_e color;
	const char *layout;
} tarn_preprocess_step;

typedef struct tarn_preprocess_input {
	bool touched;          /* something was asked for */
	tarn_dtype type;       /* NONE: the model's */
	tarn_shape shape;      /* rank -1: follows from the model's */
	int64_t height, width; /* 0: the model's */
	const char *layout, *model_layout;
	ov_color_format_e color;
	const char *plane[TARN_MAX_PLANES]; /* names; NULL: the usual ones */
	VEC(tarn_preprocess_step) step;
} tarn_preprocess_input;

typedef struct tarn_preprocess {
	tarn_arena arena;
	tarn_model *m;
	size_t n_in, n_out;
	tarn_preprocess_input *in;
	tarn_dtype *out; /* element types; NONE: as they are */
	bool built;
} tarn_preprocess;

/* On failure the model is as it was. */
TARN_MUST tarn_err tarn_preprocess_build(tarn_preprocess *p);

/* ---- what an input becomes on its way to the model ---- */

typedef struct tarn_chain {
	tarn_graph *g;
	const char *name;                   /* the input's: nodes are named after it */
	tarn_value *plane[TARN_MAX_PLANES]; /* [0] unless there are several planes */
	int n;
	bool has_layout;
	tarn_layout layout; /* of plane [0] */
	ov_color_format_e color;
	const tarn_value *target; /* what the model takes */
	const char *model_layout; /* NULL: not said */
} tarn_chain;

typedef struct tarn_chain_attr {
	const char *name;
	const int64_t *at; /* n of a list, or the one number */
	int n;
} tarn_chain_attr;
/* A new node at the end of the graph, with its type and shape inferred. in[i] may be NULL for an optional input left out. */
TARN_MUST tarn_err tarn_chain_op(tarn_chain *c, const tarn_op_def *op, tarn_value *const *in, int n_in,
				 const tarn_chain_attr *attr, int n_attr, tarn_value **out);
TARN_MUST tarn_err tarn_chain_cast(tarn_chain *c, tarn_value *x, tarn_dtype to, tarn_value **out); /* x when it is that */
TARN_MUST tarn_err tarn_chain_transpose(tarn_chain *c, tarn_value *x, const int *perm, tarn_value **out);
TARN_MUST tarn_err tarn_chain_reshape(tarn_chain *c, tarn_value *x, const int64_t *to, int rank, tarn_value **out);
TARN_MUST tarn_err tarn_chain_slice(tarn_chain *c, tarn_value *x, int axis, int64_t begin, int64_t end, tarn_value **out);
/* The same on n axes at once. */
TARN_MUST tarn_err tarn_chain_slices(tarn_chain *c, tarn_value *x, const int64_t *axis, const int64_t *begin,
				     const int64_t *end, int n, tarn_value **out);
/* A constant of type `type` with n numbers along `axis` of a tensor of that rank (axis -1: one number). */
TARN_MUST tarn_err tarn_chain_const(tarn_chain *c, tarn_dtype type, const double *number, int n, int rank, int axis,
				    tarn_value **out);
/* Computed in f32 what shall be integers 0..255 or the like: rounded to nearest, then cast. */
TARN_MUST tarn_err tarn_chain_round(tarn_chain *c, tarn_value *x, tarn_dtype to, tarn_value **out);
/* TARN_USAGE, naming the step, while the image has several planes. */
TARN_MUST tarn_err tarn_chain_one_plane(const tarn_chain *c, const char *step);
/* The axis of the only plane with that name; TARN_USAGE, naming the step, when the layout has none. */
TARN_MUST tarn_err tarn_chain_axis(const tarn_chain *c, const char *axis, const char *step, int *out);
TARN_MUST tarn_err tarn_chain_step(tarn_chain *c, const tarn_preprocess_step *s);
TARN_MUST tarn_err tarn_chain_layout(tarn_chain *c, const char *layout);
TARN_MUST tarn_err tarn_chain_reverse(tarn_chain *c);

/* How many tensors an image of that format is. */
int tarn_color_planes(ov_color_format_e color);
bool tarn_color_is_yuv(ov_color_format_e color);
/* Channels of the first plane; 0: not fixed. */
int tarn_color_channels(ov_color_format_e color);
TARN_MUST tarn_err tarn_chain_color(tarn_chain *c, ov_color_format_e to);

#endif
