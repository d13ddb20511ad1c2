/* SPDX-License-Identifier: Apache-2.0 */
/* Where time went: of one inference, of loading a model, and counters of the process. Rules as in <tarn/model.h>. */
#ifndef TARN_PROFILE_H
#define TARN_PROFILE_H

#include "openvino/c/openvino.h"

#ifdef __cplusplus
extern "C" {
#endif
#define TARN_API __attribute__((visibility("default")))

/* The last inference of a request. Times in milliseconds of the host's clock; together at most `total`. */
typedef struct tarn_request_times {
	double total;
	double wait;    /* for a free stream */
	double copy_in; /* of tensors in memory the device cannot read */
	double device;  /* running */
	double copy_out;
	double device_ms;            /* the time the device itself reports; NAN: it does not */
	bool device_modelled;        /* that one, and the next two, come from a timing model */
	double mac_share, ddr_share; /* of the device's peaks, over device_ms; NAN: it does not report them */
	int64_t copies, copy_bytes;
	double device_band; /* a modelled device_ms: the fraction of it the truth may lie away; NAN: not known */
	double ddr_bytes;   /* read and written in memory, modelled with device_ms; NAN: it does not report them */
	int64_t start_ns, device_begin_ns, device_end_ns, end_ns; /* tarn_get_clock; the middle two 0: no relation to it */
} tarn_request_times;
/* REQUEST_BUSY while it runs. */
TARN_API ov_status_e tarn_get_request_times(const ov_infer_request_t *request, tarn_request_times *times);

/* Layers of the last inference, in execution order; empty unless it ran with PERF_COUNT. */
typedef struct tarn_layer_info {
	char *name;                         /* the node, as in the file (of a fused group: the last) */
	char *type;                         /* operator */
	char *engine;                       /* kernel or engine */
	double ms;                          /* modelled when tarn_request_times.device_modelled */
	double active_cycles, stall_cycles; /* NAN: not known */
} tarn_layer_info;
typedef struct tarn_layer_list {
	tarn_layer_info *at;
	size_t size;
} tarn_layer_list;
TARN_API ov_status_e tarn_list_layers(const ov_infer_request_t *request, tarn_layer_list *layers);
TARN_API void tarn_free_layers(tarn_layer_list *layers);

/* The timeline: one event for each finished inference of this process, all moments on one clock, the host's and the device's.
 * Off unless started here, or by TARN_TIMELINE=N in the environment for N events (a program needs no change); then less than
 * a tenth of a microsecond for each inference. Moments in nanoseconds of tarn_get_clock; 0: not told. */
typedef struct tarn_timeline_event {
	uint64_t request;                       /* which infer request: the same for all its inferences */
	int64_t asked_ns;                       /* a slot (a free request) was asked for: tarn_begin_preparation */
	int64_t prepare_ns;                     /* filling its inputs began: tarn_begin_preparation */
	int64_t start_ns;                       /* infer or start_async was called; copying in begins */
	int64_t device_begin_ns, device_end_ns; /* device at work; before it: queued. 0: a simulated device in exact mode */
	int64_t end_ns;                         /* results were there */
	int64_t callback_end_ns;                /* the callback was over; end_ns when there is none */
	int64_t copy_in_ns, copy_out_ns;        /* durations, from start_ns on and until end_ns */
	int64_t bytes_copied;
} tarn_timeline_event;
typedef struct tarn_timeline {
	tarn_timeline_event *at; /* in the order they finished */
	size_t size, dropped;    /* dropped: found no room */
} tarn_timeline;
/* Drops what was recorded before. */
TARN_API ov_status_e tarn_start_timeline(size_t capacity);
/* What was recorded stays. */
TARN_API ov_status_e tarn_stop_timeline(void);
TARN_API ov_status_e tarn_list_timeline(tarn_timeline *timeline);
TARN_API void tarn_free_timeline(tarn_timeline *timeline);
/* Writes the timeline as a trace that ui.perfetto.dev and chrome://tracing open: tracks of the host for each request, of the
 * queue and of the device; with a request that ran with PERF_COUNT, the layers of its last inference, too. The file appears
 * whole or not at all. */
TARN_API ov_status_e tarn_write_trace(const char *path, const ov_compiled_model_t *compiled_model,
				      const ov_infer_request_t *request);
/* Nanoseconds of the monotonic clock all moments are on. */
TARN_API int64_t tarn_get_clock(void);
/* The caller begins to fill this request's inputs; that lasts until it starts the request. asked_ns: since when it waited for a
 * free request; 0: it did not. Only for the timeline. */
TARN_API ov_status_e tarn_begin_preparation(ov_infer_request_t *request, int64_t asked_ns);

/* Where the device's time of one inference goes, at the clock the model runs at. Milliseconds: NAN, counts: 0 where the device
 * does not tell; NOT_IMPLEMENTED for devices that tell nothing (CPU). total_ms = fixed + dpu + shave + copy + the three stalls.
 * int8, mixed, padded: what the products alone would take of the array on the tiles in use, all on 8 bits; each in its
 * precision; with channels padded to what the array takes. */
typedef struct tarn_device_account {
	bool modelled;
	double band; /* modelled: the fraction the truth may lie away */
	double tops; /* of the whole device, 8-bit operations per second / 1e12 at its highest clock: as advertised */
	double mhz, mhz_highest; /* of its multipliers: now; with turbo */
	int tiles, device_tiles; /* in use; there */
	int layers;
	double total_ms, fixed_ms, dpu_ms, shave_ms, copy_ms, stall_weights_ms, stall_inputs_ms, stall_stores_ms;
	double int8_ms, mixed_ms, padded_ms;
	double recurrent_ms;                                            /* of dpu and shave: steps that wait for each other */
	int64_t macs, macs_int8, weight_bytes, load_bytes, store_bytes; /* bytes of DDR: constants; activations read; written */
	double free_bandwidth_ms, free_compute_ms;                      /* total if transfers, or engines, took no time */
	double turbo_ms;                                                /* total at the highest clock */
	/* Activations that the device's own memory has no room for live in DDR: the memory planned for them, which those share
	 * that do not live at the same time; and what they are together. */
	int64_t ddr_arena_bytes, spill_bytes;
} tarn_device_account;
TARN_API ov_status_e tarn_get_device_account(const ov_compiled_model_t *compiled_model, tarn_device_account *account);

typedef struct tarn_load_info {
	int compilations;        /* how often a compiler ran for this model */
	const char *cache_level; /* "none", "runtime" or "driver": where the compiled form came from; static */
	bool cache_hit;
	size_t notes;        /* things that happened on the way, such as fallbacks */
	int canaries;        /* samples stored in the model that ran on the device and on the CPU when it was compiled */
	double canary_db;    /* then: signal to difference of the worst output; INFINITY: none */
	bool canary_differs; /* by more than a tenth; a note names the first layer */
	double canary_ms;    /* what that took, as a part of compiling */
} tarn_load_info;
TARN_API ov_status_e tarn_get_load_info(const ov_compiled_model_t *compiled_model, tarn_load_info *info);
/* Text for ov_free. */
TARN_API ov_status_e tarn_get_load_note(const ov_compiled_model_t *compiled_model, size_t index, char **note);

/* A counter of this process by its word ("compilations", "cache_hits", "copies" ...). */
TARN_API ov_status_e tarn_get_counter(const char *word, int64_t *value);

#ifdef __cplusplus
}
#endif
#endif
