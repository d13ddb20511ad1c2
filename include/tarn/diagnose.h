/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What limits a pipeline: one verdict from the counters of a measurement. Any program can fill the counters (tarn/profile.h
 * gives most of them); `tarn bench` does. Rules as in <tarn/model.h>. Thread-safe.
 */
#ifndef TARN_DIAGNOSE_H
#define TARN_DIAGNOSE_H

#include "openvino/c/openvino.h"

#ifdef __cplusplus
extern "C" {
#endif
#define TARN_API __attribute__((visibility("default")))

/* Shares lie between 0 and 1; NAN: not known. */
typedef struct tarn_diag_counters {
	int64_t inferences;
	double prepare, copy_in, device, copy_out, wait, other; /* of host time, summed over requests; together 1 */
	double busy;                                            /* of the time measured, how long the device had work */
	double mac, ddr;                                        /* of the device's peaks, while it ran */
	double int8;                                            /* of the model's multiply-accumulates */
	int in_flight;                                          /* requests at once */
	int optimal;                                            /* OPTIMAL_NUMBER_OF_INFER_REQUESTS; 0: not known */
	int workers;          /* threads that prepare inputs in the loop; 0: inputs are not prepared there */
	int processors;       /* of this host; 0: not known */
	bool rate_limited;    /* from outside */
	bool exact;           /* the device is simulated in exact mode: no relation to the host's clock */
	bool decodes_in_full; /* JPEGs larger than needed are decoded at full size */
} tarn_diag_counters;

typedef struct tarn_verdict {
	const char *name; /* static: "data preparation", "transfer and copies", "memory bandwidth", "compute", "too little
			   * parallelism", "healthy", or "uncertain" (the sentence says what is missing) */
	char *sentence;   /* with the figures it rests on */
	char *next;       /* what to try: a fragment of a command line where there is one */
} tarn_verdict;

TARN_API ov_status_e tarn_diagnose_counters(const tarn_diag_counters *counters, tarn_verdict *verdict);
TARN_API void tarn_free_verdict(tarn_verdict *verdict);

/* What can be said of a model without any device. tarn_freeze_model first: what is computed once does not count. */
typedef struct tarn_model_facts {
	int64_t nodes;
	int64_t nodes_unknown;    /* nodes whose work cannot be told: free dimensions */
	int64_t macs;             /* multiply-accumulates of all others */
	int64_t macs_int8;        /* of these, on 8-bit integers */
	int64_t weight_bytes;     /* of all constants */
	int64_t activation_bytes; /* one block for all intermediate results, planned with reuse; -1: free dimensions */
} tarn_model_facts;
TARN_API ov_status_e tarn_get_model_facts(const ov_model_t *model, tarn_model_facts *facts);

/* The modelled time of one inference: the truth is expected in [ms * (1 - band_low), ms * (1 + band_high)]. NOT_IMPLEMENTED
 * when nobody can tell: only the simulated NPU has a model of its time. Nothing is compiled. Properties as for compiling;
 * NPU_PLATFORM may name the other platform. */
typedef struct tarn_model_estimate {
	double ms, band_low, band_high;
	int64_t macs, ddr_bytes;
} tarn_model_estimate;
TARN_API ov_status_e tarn_estimate_model(const ov_core_t *core, const ov_model_t *model, const char *device,
					 size_t num_properties, const ov_property_t *properties, tarn_model_estimate *estimate);

#ifdef __cplusplus
}
#endif
#endif
