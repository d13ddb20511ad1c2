/* SPDX-License-Identifier: Apache-2.0 */
/* tarn tune: its modes. Each returns 0, or an exit code after its message. */
#ifndef TARN_TOOL_TUNE_H
#define TARN_TOOL_TUNE_H

#include "session.h"
#include "tarn/buckets.h"

/* --lengths: the sizes to compile for. */
int tune_lengths(session *s);
/* --learn: the same from lengths as they come. */
int tune_learn(session *s);
/* Without either: streams, requests, workers, batch. */
int tune_pipeline(const options *o);

/* ---- what both have in common ---- */

enum { TUNE_MOST_BOUNDS = 8 };
typedef struct tune_bounds {
	char name[TUNE_MOST_BOUNDS][256];
	tarn_bucket_bound at[TUNE_MOST_BOUNDS];
	size_t n;
} tune_bounds;
/* --bound, and --max-...; the first bound is the dimension whose lengths vary. */
int tune_read_bounds(const session *s, tune_bounds *b);
tarn_bucket_limit tune_limit(const options *o);
/* Where the plan is stored: -o, or the model's name with .tarn.json behind it. */
void tune_plan_path(const session *s, char *out, size_t size);
/* What it says, and what it is compared with. As text, or as members of an object. */
void tune_show_plan(const session *s, const tarn_buckets_info *p, const char *path);
void tune_plan_json(const session *s, const tarn_buckets_info *p, const char *path, json *j);

#endif
