/* SPDX-License-Identifier: Apache-2.0 */
/* A plan: the sizes a model is to be compiled for, what they cost, and how they compare; and its file, JSON. */
#ifndef TARN_DYN_BUCKET_PLAN_H
#define TARN_DYN_BUCKET_PLAN_H

#include "base/arena.h"
#include "base/str.h"
#include "dyn/buckets.h"

/* One way to serve the lengths. */
typedef struct tarn_bucket_way {
	int sizes;
	double ms;    /* mean time of an inference */
	double waste; /* share of all elements that is padding */
} tarn_bucket_way;
enum { TARN_WAY_PLAN, TARN_WAY_ONE, TARN_WAY_POWERS, TARN_WAYS };
extern const char *const tarn_bucket_way_name[TARN_WAYS]; /* "plan", "one maximum", "powers of two" */

typedef struct tarn_bucket_plan {
	const char *buckets;   /* the property TARN_BUCKETS, all free dimensions */
	const char *dimension; /* whose lengths vary */
	const char *device, *device_name;
	bool modelled; /* times are from a model, within `band` (relative), instead of measured */
	double band;
	int64_t inputs, longest;
	double mean_length, weight_bytes;
	bool whole; /* each size is a program of its own, weights included; weight_bytes is 0 */
	tarn_bucket_way way[TARN_WAYS];
	double free_ms; /* with every size as it is, where the device takes any; 0: not known. Not in the file */
	int n;          /* candidates, ascending */
	tarn_bucket_size size[TARN_BUCKET_CANDIDATES];
	bool chosen[TARN_BUCKET_CANDIDATES];
	tarn_arena arena; /* texts */
} tarn_bucket_plan;

/* Fills `way` and `chosen` from sizes and lengths. */
TARN_MUST tarn_err tarn_bucket_plan_fill(tarn_bucket_plan *p, const tarn_length_count *length, size_t n,
					 const tarn_bucket_limits *limits);
void tarn_bucket_plan_print(const tarn_bucket_plan *p, tarn_str *out);
/* TARN_BAD_FILE for anything that is no such plan. `p` is zeroed or filled; release with tarn_bucket_plan_fini. */
TARN_MUST tarn_err tarn_bucket_plan_parse(const char *text, size_t n, tarn_bucket_plan *p);
void tarn_bucket_plan_fini(tarn_bucket_plan *p);

#endif
