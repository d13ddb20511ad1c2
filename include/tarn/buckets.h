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

#include <stdbool.h>
#include <stdint.h>

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
	double megabytes;  /* 1e6 bytes: weights, and what each size needs for its inputs, outputs and intermediate results; on
			    * devices that hold each size as a program of its own (NPU), those programs, which are compiled then
			    */
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
	double ms, memory_bytes, compile_ms; /* memory, compile_ms 0: not known */
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
	/* Mean time with every size as it is, on devices that take any (CPU): interpolated between the sizes looked at,
	 * planning for new sizes not counted. Where it is less than the plan's, leave the plan out. 0: fixed sizes only, or a
	 * plan from a file. */
	double free_ms;
	bool own_weights; /* the device holds each size as a program of its own: weight_bytes is 0, memory_bytes of those chosen
			   * is what they were compiled to, their room for activations, inputs and outputs */
	const tarn_bucket_size_info *size; /* all that were looked at, ascending */
	size_t n_size;
} tarn_buckets_info;
TARN_API ov_status_e tarn_get_buckets_info(const tarn_buckets_t *plan, tarn_buckets_info *info);

/* Lengths from a file: one number a line (empty lines and lines that begin with # do not count), or an npy of integers. For
 * ov_free. NETWORK_NOT_READ: none are there, or a line is no length from 1 on; the sentence names it. */
TARN_API ov_status_e tarn_read_lengths(const char *path, int64_t **lengths, size_t *n);

/* The lengths that requests of a compiled model had along a dimension, for tarn_plan_buckets; each as often as it came, or,
 * beyond 65536 requests, in proportion. For ov_free. NOT_FOUND: the model has no such dimension or was compiled without bounds,
 * or nothing ran yet. */
TARN_API ov_status_e tarn_get_seen_lengths(const ov_compiled_model_t *compiled_model, const char *dimension, int64_t **lengths,
					   size_t *n);

/*
 * Learning from traffic. A learner compiles the model for one maximum and counts the lengths of its requests; when enough have
 * come it plans and compiles on a thread of its own, and hands out the new compiled model when that is worth it. Requests made
 * of an earlier one go on as long as they live: nothing is swapped under a running inference. Then it counts anew, with twice
 * the number of requests until the next plan each time that nothing better was found. Any thread may ask; freeing waits for
 * what goes on in the background.
 */
typedef struct tarn_learner tarn_learner_t;
typedef struct tarn_learn_options {
	size_t requests;         /* before a plan is made; 0: 1000 */
	double gain;             /* switch when the plan takes at least this share less time; 0: 0.05 */
	tarn_bucket_limit limit; /* of a plan; all 0: at most four sizes */
} tarn_learn_options;
/* Arguments as of tarn_plan_buckets; a property TARN_BUCKETS is what to begin with. options may be NULL. */
TARN_API ov_status_e tarn_learn_buckets(const ov_core_t *core, const ov_model_t *model, const char *device,
					size_t num_properties, const ov_property_t *properties, const tarn_bucket_bound *bounds,
					size_t num_bounds, const tarn_learn_options *options, tarn_learner_t **learner);
/* To be asked between requests; cheap. *compiled: the model to make requests of from now on, for ov_compiled_model_free, when
 * it is another than at the last call with this *generation (begin with 0), which then counts up; else NULL. */
TARN_API ov_status_e tarn_get_learned(tarn_learner_t *learner, uint64_t *generation, ov_compiled_model_t **compiled);
/* Waits until nothing goes on in the background. */
TARN_API ov_status_e tarn_wait_learned(tarn_learner_t *learner);
typedef struct tarn_learn_info {
	uint64_t requests; /* since the model in use was compiled */
	size_t plans, switches;
	bool busy;             /* planning or compiling */
	double ms, planned_ms; /* mean of an inference for the lengths of the last plan: of what was in use, and of the plan */
	char *buckets;         /* in use, as for TARN_BUCKETS; for ov_free */
	char *why;             /* the last plan failed: why; else NULL. For ov_free */
} tarn_learn_info;
TARN_API ov_status_e tarn_get_learn_info(tarn_learner_t *learner, tarn_learn_info *info);
/* The plan that the model in use was compiled by, as tarn_save_buckets does. NOT_FOUND: it is still the first one. */
TARN_API ov_status_e tarn_save_learned(tarn_learner_t *learner, const char *path);
TARN_API void tarn_free_learner(tarn_learner_t *learner);

#ifdef __cplusplus
}
#endif
#endif
