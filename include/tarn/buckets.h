/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buckets: for which sizes to compile a model whose inputs vary in length.
 *
 * A model with free dimensions compiles for a list of sizes (property TARN_BUCKETS = "length=16,48,128;batch=1"): one static
 * program each, the weights once. Every request goes to the smallest that holds it, on devices of fixed shapes (NPU) and on the
 * CPU. tarn_plan_buckets finds the list that takes the least time for the lengths of real traffic. Rules as in <tarn/model.h>.
 */
#ifndef TARN_BUCKETS_H
#define TARN_BUCKETS_H

#include "openvino/c/openvino.h"

#ifdef __cplusplus
extern "C" {
#endif
#define TARN_API __attribute__((visibility("default")))

/* A free dimension, by its name in the file or as "input[axis]", and the largest size it may have. */
typedef struct tarn_bucket_bound {
	const char *name;
	int64_t max;
} tarn_bucket_bound;

/* Of all sizes together; 0: no limit. */
typedef struct tarn_bucket_limit {
	size_t count;      /* of sizes */
	double megabytes;  /* 1e6 bytes: weights, and what each size needs for its inputs, outputs and intermediate results */
	double compile_ms; /* to compile all sizes; then compiling is measured */
} tarn_bucket_limit;

typedef struct tarn_buckets tarn_buckets_t;

/* The first bound is the dimension whose lengths are given; the others get one size, their largest. A free first axis (a batch)
 * without a bound counts as 1. Properties as for compiling. What an inference costs at a size is asked of the device's model of
 * time (NPU_PLATFORM and so on apply), or measured where there is none: that compiles and runs the model at up to a dozen
 * sizes. limit may be NULL. PARAMETER_MISMATCH: a length beyond the bound; GENERAL_ERROR with exit code 5: no list meets the
 * limits. */
TARN_API ov_status_e tarn_plan_buckets(const ov_core_t *core, const ov_model_t *model, const char *device,
				       size_t num_properties, const ov_property_t *properties, const tarn_bucket_bound *bounds,
				       size_t num_bounds, const int64_t *lengths, size_t num_lengths,
				       const tarn_bucket_limit *limit, tarn_buckets_t **plan);
/* As JSON; the file appears whole or not at all. Reading: NETWORK_NOT_READ when it is no plan, or a damaged one. */
TARN_API ov_status_e tarn_save_buckets(const tarn_buckets_t *plan, const char *path);
TARN_API ov_status_e tarn_read_buckets(const char *path, tarn_buckets_t **plan);
TARN_API void tarn_free_buckets(tarn_buckets_t *plan);

/* One way to serve the lengths. */
typedef struct tarn_bucket_way_info {
	const char *name; /* "plan", "one maximum", "powers of two" */
	size_t sizes;
	double mean_ms; /* of an inference */
	double padding; /* share of all elements that is padding */
} tarn_bucket_way_info;
typedef struct tarn_bucket_size_info {
	int64_t size;
	bool chosen;
	double ms, memory_bytes, compile_ms; /* compile_ms 0: not measured */
} tarn_bucket_size_info;
/* Borrowed from the plan. */
typedef struct tarn_buckets_info {
	const char *buckets; /* the value for property TARN_BUCKETS */
	const char *dimension, *device, *device_name;
	bool modelled; /* times come from the device's model, within `band` (relative); else measured */
	double band;
	int64_t inputs, longest; /* lengths there were */
	double mean_length, weight_bytes;
	tarn_bucket_way_info way[3];
	const tarn_bucket_size_info *size; /* all that were looked at, ascending */
	size_t n_size;
} tarn_buckets_info;
TARN_API ov_status_e tarn_get_buckets_info(const tarn_buckets_t *plan, tarn_buckets_info *info);

/* Lengths from a file: one number a line (empty lines and lines that begin with # do not count), or an npy of integers. For
 * ov_free. NETWORK_NOT_READ: none are there, or a line is no length from 1 on; the sentence names it. */
TARN_API ov_status_e tarn_read_lengths(const char *path, int64_t **lengths, size_t *n);

/* Learning from traffic: the lengths that requests of a compiled model had along a dimension, for tarn_plan_buckets; each as
 * often as it came, or, beyond 65536 requests, in proportion. A service asks now and then, plans, compiles the model with the
 * new list on a thread of its own, and lets new requests come from that. For ov_free. NOT_FOUND: the model has no such
 * dimension or was compiled without bounds, or nothing ran yet. */
TARN_API ov_status_e tarn_get_seen_lengths(const ov_compiled_model_t *compiled_model, const char *dimension, int64_t **lengths,
					   size_t *n);

#ifdef __cplusplus
}
#endif
#endif
