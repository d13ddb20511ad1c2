/* SPDX-License-Identifier: Apache-2.0 */
/* Judging class scores. */
#ifndef TARN_TOOL_ACCURACY_H
#define TARN_TOOL_ACCURACY_H

#include <stddef.h>
#include <stdint.h>

/* What one model says about every sample. */
typedef struct verdicts {
	size_t n, classes;
	int64_t *best; /* class of the highest score; -1 when no score is a number */
	int64_t *rank; /* how many scores beat the label's (an equal one of a lower class counts); NULL without labels */
	size_t broken; /* samples with scores that are not numbers */
} verdicts;

/* Looks at the scores of sample i. label < 0: none. */
void verdicts_add(verdicts *v, size_t i, const float *score, int64_t label);

/* 95 % interval of Wilson (1927) for k successes of n. */
void wilson95(size_t k, size_t n, double *lo, double *hi);

/* Judges o->model over o->data and o->labels: samples, and those whose label scores highest. 0, or an exit code after its
 * message. */
struct options;
int accuracy_count(const struct options *o, size_t *n, size_t *top1);

#endif
