/* SPDX-License-Identifier: Apache-2.0 */
/* What an inference costs at a size: modelled where the device can tell, else measured. */
#ifndef TARN_API_BUCKET_COST_H
#define TARN_API_BUCKET_COST_H

#include "api/handles.h"
#include "dyn/bucket_plan.h"
#include "tarn/buckets.h"

typedef struct tarn_cost_question {
	struct ov_core *core;
	const char *device;
	tarn_props props;        /* for compiling; no cache */
	const tarn_model *model; /* every dimension but one is static */
	const char *dimension;
	bool compile; /* what compiling gives matters, even if the time is modelled */
	bool whole;   /* the device holds each size as a program of its own, weights included: bytes are its own */
} tarn_cost_question;

/* size[i].size, ascending, is given, the rest is filled. *modelled: the device told, without running anything, and its times
 * are good within *band. With `whole`, bytes are 0 (not known) unless it was compiled, and *weight_bytes is 0. */
TARN_MUST tarn_err tarn_cost_is_modelled(const tarn_cost_question *q, int64_t size, bool *modelled);
TARN_MUST tarn_err tarn_cost_find(const tarn_cost_question *q, bool modelled, tarn_bucket_size *size, int n, double *band,
				  double *weight_bytes);

/* Compiling measured by itself: compile_ms and, with `whole`, bytes. */
TARN_MUST tarn_err tarn_cost_compile(const tarn_cost_question *q, tarn_bucket_size *size);

/* buckets.c: the symbol of a dimension that may be called "input[axis]", as TARN_BUCKETS has it; the name itself where it has
 * none. Lives as long as model and name. */
const char *tarn_buckets_dim_name(const tarn_model *m, const char *name);
/* Free dimensions but the first bound's become static: at their bounds, or, a batch, at 1. What TARN_BUCKETS says of
 * them is appended, each with a ';' in front. */
TARN_MUST tarn_err tarn_buckets_fix_others(tarn_model *m, const tarn_bucket_bound *bound, size_t n, tarn_str *rest);

#endif
