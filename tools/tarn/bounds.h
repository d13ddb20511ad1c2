/* SPDX-License-Identifier: Apache-2.0 */
/* Free dimensions as a maximum with a valid length: --bound, and models that were rewritten before. */
#ifndef TARN_TOOL_BOUNDS_H
#define TARN_TOOL_BOUNDS_H

#include "input.h"
#include "tarn/shape.h"

typedef struct bounds {
	size_t n;
	tarn_bound_info *at;
	int64_t *given; /* elements of the data, and of them used: by bound; -1: no data yet */
	int64_t *valid;
	size_t truncated;           /* inputs that were cut */
	tarn_bound_repairs repairs; /* what --bound added to the graph */
} bounds;

/* Rewrites s->model for each --bound and learns what bounds it has. 0, or an exit code after its message. */
int bounds_open(session *s);
void bounds_close(bounds *b);
/* All of these do nothing for b NULL. */
bool bounds_is_length(const bounds *b, const char *input);
/* The axes of an input that data need not fill. */
void bounds_free_axes(const bounds *b, const char *input, ov_partial_shape_t *shape);
/* Where no data says a length it is the maximum: for data that is made up. */
void bounds_assume_full(bounds *b);
/* Pads what was loaded, and makes the valid lengths. */
int bounds_pad(session *s, input_set *set);
/* Replaces an output of a request that has run by its valid part. */
int bounds_slice(const session *s, const ov_infer_request_t *r, const char *output, ov_tensor_t **tensor);
/* "bounds" of a JSON object, or lines on stdout when j is NULL. */
void bounds_show(const bounds *b, json *j);

#endif
