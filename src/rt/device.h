/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device seam: what a device offers the runtime.
 *
 * A device is a const table of functions. NULL slots have the stated default. The runtime (rt/) owns devices, programs and
 * requests; the device hangs its own state at ->impl. Fallback to slower code is an event with a reason (tarn_program_note),
 * never silent.
 */
#ifndef TARN_RT_DEVICE_H
#define TARN_RT_DEVICE_H

#include <stdatomic.h>

#include "base/str.h"
#include "base/thread.h"
#include "ir/graph.h"
#include "rt/props.h"

typedef struct tarn_device tarn_device;
typedef struct tarn_program tarn_program;
typedef struct tarn_request tarn_request;
typedef struct tarn_layer_profile tarn_layer_profile;

/* What a model of time says of one inference. The truth is expected in [ms * (1 - band_low), ms * (1 + band_high)]. */
typedef struct tarn_layer_estimate {
	char name[256], type[48];
	double ms, dpu_ms, shave_ms, dma_ms; /* on the critical path; of each engine, at the same time as others */
	int64_t macs, ddr_bytes;
} tarn_layer_estimate;
typedef struct tarn_estimate {
	bool want_layers; /* set by who asks */
	double ms, band_low, band_high;
	int64_t macs, ddr_bytes;
	double peak_tops_int8, peak_tops_fp16, peak_gbps;
	int64_t ddr_arena_bytes, spill_bytes; /* as in tarn_account */
	tarn_layer_estimate *layer;           /* heap, with want_layers; tarn_mem_free */
	size_t n_layer;
} tarn_estimate;

/* What a device tells of one inference of a program beyond its time, at the clock the program runs at. Milliseconds: NAN,
 * counts: 0 where it does not. total = fixed + dpu + shave + copy + the stalls. */
typedef struct tarn_account {
	bool modelled;
	double band;             /* modelled: relative */
	double tops;             /* of the whole device at its highest clock, on 8 bits: what is advertised */
	double mhz, mhz_highest; /* of its multipliers */
	int tiles, device_tiles; /* in use; there */
	int layers;
	double total, fixed, dpu, shave, copy, stall_weights, stall_inputs, stall_stores;
	double int8, mixed, padded; /* the products alone: all on 8 bits; each in its precision; with channels padded */
	double recurrent;           /* steps that wait for each other */
	int64_t macs, macs_int8, weight_bytes, load_bytes, store_bytes;
	int64_t ddr_arena_bytes,
		spill_bytes; /* room in DDR for activations that the device's own memory has none for; their sum */
	double free_bandwidth, free_compute; /* total if transfers, or engines, took no time */
	double turbo;                        /* total at the highest clock */
} tarn_account;

typedef struct tarn_device_api {
	const char *name; /* "CPU" */
	bool hidden;      /* not in AVAILABLE_DEVICES, never chosen by AUTO (REF) */
	bool fixed;       /* takes static shapes only: models with bounded dimensions go through dev/wrap/bucket.h */
	/* Probes and opens. TARN_DEVICE with the reason and the remedy when it is not there. NULL: always there, nothing to
	 * open. */
	tarn_err (*open)(tarn_device *d);
	void (*close)(tarn_device *d);
	/* Human name: "Intel(R) AI Boost (simulated by Tarn)". NULL: `name`. */
	const char *(*full_name)(const tarn_device *d);
	/* Device property by key, as text; asked before what the user set and before props.def's default. TARN_NOT_FOUND for
	 * keys it leaves to those. Two keys are no properties: "CACHE_KEY" names everything besides model and properties that
	 * compiled forms depend on; "SIMULATED" is "exact" or "paced" on a device whose times are modelled. NULL: none beyond
	 * the runtime's own. */
	tarn_err (*get)(tarn_device *d, const char *key, tarn_str *value);
	/* Can this node run here? When not, a reason a user can act on is appended. NULL: every node. */
	bool (*supports)(const tarn_device *d, const tarn_node *n, tarn_str *why);
	/* Host memory the device reads and writes without a copy. NULL: tarn_buffer_new. */
	tarn_err (*alloc)(tarn_device *d, size_t bytes, tarn_buffer **b);
	/* Compiles p->model (a private clone, already inferred); fills p->impl. Bad shapes and unsupported nodes are refused
	 * here, before any work, naming node and reason. */
	tarn_err (*compile)(tarn_program *p);
	/* From bytes made by export_; p->model has inputs only, p->in and p->out say what the exported program had. The blob is
	 * shared, and may start at any byte; export_ appends, at a multiple of TARN_ALIGN. NULL with export_ NULL: no caching,
	 * no export. */
	tarn_err (*import)(tarn_program *p, tarn_buffer *blob);
	tarn_err (*export_)(tarn_program *p, tarn_str *blob);
	void (*program_free)(tarn_program *p);
	/* Program property (OPTIMAL_NUMBER_OF_INFER_REQUESTS, EXECUTION_DEVICES ...); TARN_NOT_FOUND falls back to what was
	 * set. */
	tarn_err (*program_get)(tarn_program *p, const char *key, tarn_str *value);
	/* Per-request state; fills r->impl. NULL: none. */
	tarn_err (*request_init)(tarn_request *r);
	void (*request_fini)(tarn_request *r);
	/* Runs the request on the calling thread: reads r->in, fills r->out. At most p->n_stream calls of one program at a
	 * time, each with its own r->slot. Long runs look at r->cancel now and then. Exactly one of run and submit is given. */
	tarn_err (*run)(tarn_request *r);
	/* Starts the request and returns at once; the device calls tarn_request_finish(r, err) from its own thread, or from
	 * one that is in r->pursue. Never blocks. After an error of submit itself, tarn_request_finish must not be called. */
	tarn_err (*submit)(tarn_request *r);
	/* Modelled time of a program that is not compiled (and need not be); may change p->model. TARN_UNSUPPORTED, or NULL:
	 * there is no model of this device's time. */
	tarn_err (*estimate)(tarn_program *p, tarn_estimate *e);
} tarn_device_api;

struct tarn_device {
	const tarn_device_api *api;
	void *impl;
	tarn_mutex lock; /* of the two below; zeroed it is unlocked */
	bool opened;
	tarn_props props; /* set by the user on the device, defaults for compiling */
};

/* Opens unless open already. Properties set before were not checked (devices load lazily, as OpenVINO's do): they are now. */
TARN_MUST tarn_err tarn_device_open(tarn_device *d);
void tarn_device_close(tarn_device *d); /* and releases the properties */
/* Unchecked until the device is open. */
TARN_MUST tarn_err tarn_device_set(tarn_device *d, const char *key, const char *value);
/* Copies what is set over `to`. */
TARN_MUST tarn_err tarn_device_props(tarn_device *d, tarn_props *to);
/* Opens the device. TARN_USAGE for a key it does not know, listing what there is. Appends to `value`. */
TARN_MUST tarn_err tarn_device_get(tarn_device *d, const char *key, tarn_str *value);

/* An input or output as a program shows it to its users, independent of what the device makes of the graph. */
typedef struct tarn_port {
	const char *name;
	const char *aliases; /* as in tarn_value; NULL: none */
	tarn_dtype type;
	int rank;                                     /* -1: unknown */
	int64_t lo[TARN_MAX_RANK], hi[TARN_MAX_RANK]; /* bounds of each dimension; equal where it is static */
} tarn_port;
bool tarn_port_is_static(const tarn_port *p);
/* Does this tensor fit the port? TARN_TYPE or TARN_SHAPE naming the port and both sides. */
TARN_MUST tarn_err tarn_port_fits(const tarn_port *p, const tarn_tensor *t);

/* A compiled model. Reference-counted; requests hold one reference each. */
struct tarn_program {
	tarn_ref refs;
	tarn_device *device;
	tarn_model *model;   /* private clone */
	tarn_props props;    /* as compiled: device's, overlaid by the caller's */
	tarn_port *in, *out; /* taken from the model before the device compiled it */
	int n_in, n_out;
	int n_stream; /* requests that run at once on devices with `run`; decided before compile from NUM_STREAMS and the hint
		       */
	void *impl;
	struct tarn_stream *stream;   /* runs requests of devices with `run`; rt/stream.h */
	void (*release)(void *owner); /* called last, when the program goes: lets go of what keeps the device alive */
	void *owner;
	const tarn_account *account; /* the device's, kept with ->impl; NULL: it tells nothing */
	const char *cache_level;     /* "none", "runtime" or "driver": where the compiled form came from */
	bool cache_hit;
	int compilations;     /* how often a compiler ran for this program */
	tarn_mutex note_lock; /* of: */
	VEC(char *) note;     /* events: fallbacks with reasons */
	struct {
		int samples; /* that ran here and on the CPU (rt/canary.h); 0: none */
		double db;   /* signal to difference of the worst output */
		double ms;   /* what it took */
		bool differs;
	} canary;
	tarn_arena arena; /* names of the ports */
};
/* From any thread. */
TARN_MUST tarn_err tarn_program_note(tarn_program *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
size_t tarn_program_notes(tarn_program *p);
/* Lives as long as the program; NULL beyond the last. */
const char *tarn_program_note_at(tarn_program *p, size_t i);

/* One inference: tensors by position of the model's inputs and outputs. The device reads in[] and writes out[]: when
 * out[i].type is set and shape and type fit, the result goes into those bytes; otherwise the device replaces it. */
struct tarn_request {
	tarn_program *program;
	void *impl;
	tarn_tensor *in, *out;
	bool *in_foreign; /* set by the user: memory the device did not allocate */
	bool *out_foreign;
	size_t *out_room; /* bytes behind out[i].data; 0: as many as its sizes say */
	int n_in, n_out;
	bool calls_back; /* this run ends with a callback: somebody has to see to it, whoever waits */
	/* Set by request_init; NULL: the device's threads do it. A thread that waits for r may see to its end itself, which
	 * saves waking it. Returns when r is over, at the deadline (tarn_clock_ns; < 0: none), or when another thread will
	 * finish it. */
	void (*pursue)(tarn_request *r, int64_t deadline_ns);
	int slot;           /* while `run` runs: which of the program's streams, 0 .. n_stream-1 */
	atomic_bool cancel; /* the user no longer wants the result; TARN_CANCELLED may be returned early */
	/* Times of the last run in ns (tarn_clock_ns clock); what a device cannot tell stays 0. */
	int64_t t_start, t_wait, t_copy_in, t_device, t_copy_out,
		t_end;                        /* begin; durations of the phases; end. wait: for a stream.
					       * The runtime fills start, wait and end, and device when the device left 0. */
	int64_t t_device_begin, t_device_end; /* on the same clock; 0: the device's own clock has no relation to it */
	int64_t t_asked, t_prepare;           /* when a slot was asked for, when filling the inputs began; 0: not told */
	int64_t copies, copy_bytes;           /* of foreign memory, this run */
	double device_ms;                     /* time the device says it took; NAN when unknown */
	bool device_modelled;                 /* device_ms and the shares come from a timing model */
	double device_band;                   /* then: the fraction of it the truth may lie away; NAN: unknown */
	double mac_share, ddr_share;          /* of the device's peaks, over device_ms; NAN when it does not report them */
	double ddr_bytes;                     /* read and written in memory; NAN likewise */
	VEC(tarn_layer_profile) layer;        /* with PERF_COUNT; else empty */
	struct tarn_request_sync *sync;       /* rt/request.c */
};

/* Per-layer counters, in execution order. Strings live as long as the program. */
struct tarn_layer_profile {
	const char *name;                   /* the user's node name (of the last node of a fused group) */
	const char *type;                   /* operator */
	const char *engine;                 /* kernel or engine: "avx512 conv 6x64", "DPU", "SHAVE" */
	double ms;                          /* wall or modelled, as the request says */
	double active_cycles, stall_cycles; /* NAN when unknown */
};

/* Called by devices with `submit`, exactly once per successful submit; err's sentence is taken from this thread. */
void tarn_request_finish(tarn_request *r, tarn_err err);

#endif
