/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which sizes to compile a model for, so that inputs of varying length take the least time.
 *
 * Every length is served by the smallest size that holds it. Given what an inference costs at each candidate size, the best set
 * is found exactly: the expected time splits at the sizes chosen, so the best set ending at one size extends best sets ending
 * at smaller ones. Under limits the sets that are worth extending are those that no other beats in time and in everything
 * limited (Pareto-optimal labels), as in resource-constrained shortest paths. Pure functions; nothing is allocated that stays.
 */
#ifndef TARN_DYN_BUCKETS_H
#define TARN_DYN_BUCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { TARN_BUCKET_CANDIDATES = 64 };

/* A candidate size and what it costs. */
typedef struct tarn_bucket_size {
	int64_t size;
	double ms;    /* one inference */
	double bytes; /* memory beyond the weights, which all sizes share */
	double compile_ms;
} tarn_bucket_size;

typedef struct tarn_bucket_limits {
	int count;
	double bytes, compile_ms; /* of all chosen sizes together; 0: no limit, as for count */
} tarn_bucket_limits;

/* How often inputs of a length come. */
typedef struct tarn_length_count {
	int64_t length;
	double count;
} tarn_length_count;

/* Lengths in ascending order, each once; heap (tarn_mem_free). TARN_USAGE when there are none or one is below 1. */
TARN_MUST tarn_err tarn_lengths_count(const int64_t *length, size_t n, tarn_length_count **out, size_t *n_out);
/* At most `most` sizes to look at (ascending): max, powers of two from 8 on, and lengths that occur, spread evenly over the
 * traffic when they are too many. Lengths above max are left out. */
void tarn_buckets_candidates(const tarn_length_count *length, size_t n, int64_t max, int most, int64_t *size, int *n_size);
/* chosen[i]: candidate i is one of the sizes. The last candidate always is, and must hold every length. TARN_LIMIT when no set
 * meets the limits; at most TARN_BUCKET_CANDIDATES candidates, in ascending order. */
TARN_MUST tarn_err tarn_buckets_choose(const tarn_length_count *length, size_t n, const tarn_bucket_size *size, int n_size,
				       const tarn_bucket_limits *limits, bool *chosen);
/* Mean time of an inference with these sizes, and the share of all elements that is padding. */
double tarn_buckets_ms(const tarn_length_count *length, size_t n, const tarn_bucket_size *size, int n_size, const bool *chosen);
/* What an inference costs at any size: between candidates on a straight line, below the first as that. */
double tarn_buckets_ms_at(const tarn_bucket_size *size, int n_size, int64_t at);
/* Mean time when each length runs as it is. */
double tarn_buckets_free_ms(const tarn_length_count *length, size_t n, const tarn_bucket_size *size, int n_size);
double tarn_buckets_waste(const tarn_length_count *length, size_t n, const tarn_bucket_size *size, int n_size,
			  const bool *chosen);

#endif
