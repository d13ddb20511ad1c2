/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What limits a pipeline: one verdict from the counters of a measurement. Any program can fill the counters (tarn/profile.h
 * gives most of them); `tarn bench` does. Rules as in <tarn/model.h>. Thread-safe.
 */
#ifndef TARN_DIAGNOSE_H
#define TARN_DIAGNOSE_H

#include "openvino/c/openvino.h"
#include "tarn/profile.h"

#ifdef __cplusplus
extern "C" {
#endif
#define TARN_API __attribute__((visibility("default")))

/* Shares lie between 0 and 1; NAN: not known. What stands below `decodes_in_full` may stay 0: not known. */
typedef struct tarn_diag_counters {
	int64_t inferences;
	/* Shares of host time, summed over requests; together 1. */
	double prepare, copy_in, device, copy_out, wait, other;
	double busy;     /* share of the time measured in which the device had work */
	double mac, ddr; /* shares of the device's peaks, while it ran */
	double int8;     /* share of the model's multiply-accumulates */

	int in_flight;        /* requests at once */
	int optimal;          /* OPTIMAL_NUMBER_OF_INFER_REQUESTS; 0: not known */
	int workers;          /* threads that prepare inputs in the loop; 0: inputs are not prepared there */
	int processors;       /* of this host; 0: not known */
	bool rate_limited;    /* from outside */
	bool exact;           /* the device is simulated in exact mode: no relation to the host's clock */
	bool decodes_in_full; /* JPEGs larger than needed are decoded at full size */

	bool on_cpu;           /* the device runs on the host's processors */
	int streams;           /* inferences the device runs at once */
	double prepare_cpu;    /* the processor time of `prepare`, in the same unit: less where threads wait for a processor */
	double prepare_scaled; /* what `prepare` would be with JPEGs decoded at a smaller size */
	/* Shares of the time measured in which the device was idle, by cause, as in tarn_timeline_summary. */
	double gap_prepare, gap_copy, gap_host, gap_input;
	double run_delay;  /* share of the time of preparing threads in which they could run and waited for a processor */
	double cpu_others; /* share of all processors that other programs used */

	double device_ms; /* of one inference, in milliseconds, as are all times below */
	/* Shares of device_ms, together 1: waiting for weights, for activations; products, channels padded; the array not
	 * filled; other engines; the fixed cost of an inference. `recurrent` is part of the others: steps that wait for each
	 * other. */
	double stall_weights, stall_activations, compute, array, vector, fixed, recurrent;
	int tiles, device_tiles; /* in use, there; on the CPU: threads and processors */
	double clock;            /* times the nominal clock: 1 or more is healthy; 0: not known */
	bool efficient;          /* a lower clock was asked for (WORKLOAD_TYPE=EFFICIENT) */
	/* What device_ms would be with layers on 8 bits; on all tiles; at the highest clock. */
	double int8_ms, tiles_ms, turbo_ms;
	double batch_ms; /* of one of `batch` samples that go together */
	int batch;
	double free_bandwidth_ms, free_compute_ms; /* if transfers, or engines, took no time */

	/* In the unit of host time, as the shares: looking at results, one at a time, in callbacks (part of `other`); the
	 * processor time of everything but preparing, on the CPU device mostly the model's own; what the threads of the CPU
	 * device waited for a processor. */
	double results, run_cpu, run_wait;
} tarn_diag_counters;

typedef struct tarn_verdict {
	/* Static: "data preparation", "transfer and copies", "memory bandwidth", "compute", "too little parallelism", "host
	 * scheduling", "clock", "healthy", or "uncertain" (the sentence says what is missing). */
	const char *name;
	char *sentence;     /* with the figures it rests on */
	char *next;         /* what to try: a fragment of a command line where there is one */
	const char *detail; /* static: which of its kind, such as "weights" or "tiles unused" */
	const char *change; /* static: the word of the change that is advised (tarn_list_changes); NULL: none of the list */
	double gain;        /* promised by it, times the rate; NAN: not known */
} tarn_verdict;

/* Counters from where they come from, so that three calls make a verdict of any program's own run: what a timeline adds up to
 * (the shares of host time, busy, the gaps; what comes after a device's end counts as `other`); what the device tells of a
 * compiled model (shares of its time, tiles, clock; device_ms, when it was measured, is set before; NOT_IMPLEMENTED when it
 * tells nothing). */
struct tarn_timeline_summary;
TARN_API ov_status_e tarn_count_timeline(const struct tarn_timeline_summary *summary, tarn_diag_counters *counters);
TARN_API ov_status_e tarn_count_device(const ov_compiled_model_t *compiled_model, tarn_diag_counters *counters);
TARN_API ov_status_e tarn_diagnose_counters(const tarn_diag_counters *counters, tarn_verdict *verdict);
TARN_API void tarn_free_verdict(tarn_verdict *verdict);

/* What could be changed, and what a model of the pipeline says it gains: the rate is that of the slowest of all requests on
 * their way, all workers, all processors, the copies out, the results, the device; a change replaces some of their times. */
typedef struct tarn_diag_change {
	const char *word, *what; /* static */
	char *flags;             /* for tarn bench, or what to do */
	double gain;             /* times the rate; NAN: it does not apply, or nothing is known of it */
} tarn_diag_change;
typedef struct tarn_change_list {
	tarn_diag_change *at;
	size_t size;
} tarn_change_list;
TARN_API ov_status_e tarn_list_changes(const tarn_diag_counters *counters, tarn_change_list *changes);
TARN_API void tarn_free_changes(tarn_change_list *changes);

/* What a timeline (tarn/profile.h) adds up to. GENERAL_ERROR when no event says when the device worked. */
typedef struct tarn_timeline_summary {
	size_t inferences;
	double window_ms; /* from the first moment told to the last */
	/* Of one inference, mean, ms: waiting for a free request; filling inputs; copying; queued; device; from its end to the
	 * host's notice; copying; the callback. */
	double slot, prepare, copy_in, queue, device, notice, copy_out, callback;
	/* Of the window, together 1: the device had work; it was idle while the next input was prepared; copied; while the host
	 * noticed a result or handed over the next inference; while nothing was asked of it. */
	double busy, gap_prepare, gap_copy, gap_host, gap_input;
} tarn_timeline_summary;
TARN_API ov_status_e tarn_summarize_timeline(const tarn_timeline *timeline, tarn_timeline_summary *summary);

/* From the rate a device is advertised with down to the one a measurement achieved, loss by loss, in whole thousandths of 1e12
 * operations per second: advertised = achieved + the sum of the losses, exactly. */
typedef struct tarn_waterfall_row {
	const char *word, *what; /* static: "tiles", "clock", "precision", "padding", "array", "memory stalls" ... */
	int64_t loss;
	bool known; /* false: the device does not tell, the next known row holds it */
} tarn_waterfall_row;
enum { TARN_WATERFALL_ROWS = 9 };
typedef struct tarn_waterfall_info {
	int64_t advertised, achieved;
	tarn_waterfall_row row[TARN_WATERFALL_ROWS];
} tarn_waterfall_info;
/* interval_ms: between two inferences, on the host's clock. macs: of one, when the account has none. NOT_FOUND when the
 * advertised rate or the work is not known. */
TARN_API ov_status_e tarn_make_waterfall(const tarn_device_account *account, double device_ms, double interval_ms, int64_t macs,
					 tarn_waterfall_info *waterfall);

/* Two variants measured in turns, n rounds: rates a[i] and b[i], one right after the other. */
typedef struct tarn_comparison_info {
	double gain, low, high; /* rate of b over that of a, and its 95 % confidence interval (Student's t of the logarithms) */
	bool shown;             /* the interval leaves 1 out; else no difference is shown */
} tarn_comparison_info;
TARN_API ov_status_e tarn_compare_rates(const double *a, const double *b, size_t n, tarn_comparison_info *comparison);

/* What can be said of a model without any device. tarn_freeze_model first: what is computed once does not count. */
typedef struct tarn_model_facts {
	int64_t nodes;
	int64_t nodes_unknown;       /* nodes whose work cannot be told: free dimensions */
	int64_t macs;                /* multiply-accumulates of all others */
	int64_t macs_int8;           /* of these, on 8-bit integers */
	int64_t products_compressed; /* products of floats with constant weights of 4 or 8 bits */
	int64_t weight_bytes;        /* of all constants */
	int64_t activation_bytes;    /* one block for all intermediate results, planned with reuse; -1: free dimensions */
} tarn_model_facts;
TARN_API ov_status_e tarn_get_model_facts(const ov_model_t *model, tarn_model_facts *facts);

/* What each node computes and moves, in order, for rooflines. Quantize and Dequantize count 0: codes count where they are read
 * and written. So do nodes whose sizes are not fixed. */
typedef struct tarn_node_work {
	char *name, *type;
	int64_t macs;
	int64_t weight_bytes; /* constants it reads */
	int64_t moved_bytes;  /* what it reads of inputs and other nodes' results, and writes */
	int64_t large_bytes;  /* of these, values of more than `large_bytes` each: those a cache of that size does not hold */
} tarn_node_work;
typedef struct tarn_work_list {
	tarn_node_work *at;
	size_t size;
} tarn_work_list;
TARN_API ov_status_e tarn_list_work(const ov_model_t *model, int64_t large_bytes, tarn_work_list *work);
TARN_API void tarn_free_work(tarn_work_list *work);

/* The modelled time of one inference: the truth is expected in [ms * (1 - band_low), ms * (1 + band_high)]. NOT_IMPLEMENTED
 * when nobody can tell: only the simulated NPU has a model of its time. Nothing is compiled. Properties as for compiling;
 * NPU_PLATFORM may name the other platform. */
typedef struct tarn_model_estimate {
	double ms, band_low, band_high;
	int64_t macs, ddr_bytes;
} tarn_model_estimate;
TARN_API ov_status_e tarn_estimate_model(const ov_core_t *core, const ov_model_t *model, const char *device,
					 size_t num_properties, const ov_property_t *properties, tarn_model_estimate *estimate);

/* The same layer by layer, with what the device could do at most: a layer of macs multiply-accumulates that moves ddr_bytes
 * cannot take less than 2 * macs / tops or ddr_bytes / gbps (the roofline). */
typedef struct tarn_estimated_layer {
	char *name, *type; /* the node a layer is named after, and its operator */
	double ms;         /* on the critical path: together, with the fixed cost of an inference, the model's time */
	double dpu_ms, shave_ms, dma_ms; /* of each engine; they overlap */
	int64_t macs, ddr_bytes;
} tarn_estimated_layer;
typedef struct tarn_estimated_layers {
	tarn_estimated_layer *at;
	size_t size;
	double ms, band_low, band_high;       /* of the model */
	double tops_int8, tops_fp16, gbps;    /* of the platform: 1e12 operations, 1e9 bytes a second */
	int64_t ddr_arena_bytes, spill_bytes; /* as in tarn_device_account */
} tarn_estimated_layers;
TARN_API ov_status_e tarn_estimate_layers(const ov_core_t *core, const ov_model_t *model, const char *device,
					  size_t num_properties, const ov_property_t *properties,
					  tarn_estimated_layers *layers);
TARN_API void tarn_free_estimated_layers(tarn_estimated_layers *layers);

#ifdef __cplusplus
}
#endif
#endif
