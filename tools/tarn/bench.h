/* SPDX-License-Identifier: Apache-2.0 */
/* tarn bench: state shared by set-up (cmd_bench.c), measurement (bench_measure.c) and report (bench_report.c). */
#ifndef TARN_TOOL_BENCH_H
#define TARN_TOOL_BENCH_H

#include "input.h"
#include "session.h"

typedef struct bench {
	session s;
	const options *o;
	bool async, inference_only;
	const char *hint;  /* as given to the library; NULL: none */
	long nireq, niter; /* niter 0: by time */
	double seconds;
	long batch;
	long streams;
	ov_infer_request_t **request;
	size_t n_in;
	ov_tensor_t **tensor; /* n_in for each request, for refilling */
	uint64_t seed;
	bool said_batch;
	/* results */
	double first_ms, duration_ms;
	double *latency; /* of each inference, ms */
	size_t n, cap;
	double prepare, copy_in, device, copy_out, wait, total; /* sums over inferences, ms of host time */
	double *device_ms;                                      /* what the device reported; n_device of them */
	size_t n_device, cap_device;
	bool device_modelled, interrupted;
} bench;

/* Warm-up, then the loop; 0 or an exit code after its message. */
int bench_measure(bench *b);
int bench_report_text(bench *b);
int bench_report_json(bench *b, FILE *out);
/* Fills the inputs of request i anew. */
int bench_fill(bench *b, long i);

#endif
