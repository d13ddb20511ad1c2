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

#ifdef __cplusplus
}
#endif
#endif
