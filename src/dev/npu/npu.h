/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The NPU device. It speaks Level Zero and nothing else: what drives the simulated device is, line for line, what drives
 * Intel's.
 *
 * One table of function pointers serves the whole process (npu_system). It is filled once, before the first zeInit: from the
 * system's loader, or, when the simulator was asked for, straight from the simulated driver beside this library; a failure is
 * final, too, since a loader that failed once cannot be asked again. The table is read-only afterwards and never released.
 */
#ifndef TARN_DEV_NPU_NPU_H
#define TARN_DEV_NPU_NPU_H

#include <level_zero/ze_api.h>
#include <level_zero/ze_ddi.h>

#include "rt/device.h"
#include "zeabi/ze_command_queue_npu_ext.h"
#include "zeabi/ze_context_npu_ext.h"
#include "zeabi/ze_graph_ext.h"
#include "zeabi/ze_mutable_ext.h"
#include "zeabi/ze_tarn_ext.h"

typedef struct npu_calls {
	__typeof__(zeInit) *Init;
	ze_tarn_pfnInitDrivers_t InitDrivers; /* NULL before loader 1.18 */
#define CALL(group, table, fn) __typeof__(ze##group##fn) *group##fn;
#include "dev/npu/calls.def"
#undef CALL
} npu_calls;

/* Everything a driver has to offer. Versions as ZE_MAKE_VERSION, 0 when the driver lacks the extension. */
typedef struct npu_system {
	npu_calls ze;
	ze_driver_handle_t driver;
	uint32_t driver_version;
	const ze_graph_dditable_ext_t *graph;
	uint32_t graph_version;
	const ze_graph_profiling_dditable_ext_t *profiling;
	const ze_command_queue_npu_dditable_ext_t *queue;
	uint32_t queue_version;
	const ze_context_npu_dditable_ext_t *context;
	const ze_tarn_simulated_dditable_t *simulated; /* NULL: hardware */
	uint32_t simulated_version;
	const ze_tarn_estimate_dditable_t *estimate; /* NULL: nobody can tell */
} npu_system;

/* Decides at the first call. TARN_DEVICE with what was found and what helps when there is no NPU. */
TARN_MUST tarn_err tarn_npu_system_get(const npu_system **system);

/* The one translation of Level Zero's results; `doing` is the beginning of the sentence. */
TARN_MUST tarn_err tarn_npu_result(ze_result_t r, const char *doing);
#define ZE_DO(call, doing) TRY(tarn_npu_result((call), (doing)))
#define ZE_DO_GOTO(label, call, doing) TRY_GOTO(label, tarn_npu_result((call), (doing)))

/* What hangs at tarn_device->impl; buffers keep it alive beyond the device. */
typedef struct npu_device {
	tarn_ref refs;
	const npu_system *sys;
	ze_device_handle_t device;
	ze_context_handle_t context;
	ze_device_properties_t props;
	ze_device_graph_properties_t compiler;
	int platform; /* 3720, 4000 ...; 0: unknown to us */
	uint32_t queue_group;
	char options[2048]; /* names of the compiler's options, with a blank around each; "": an old driver that cannot tell */
	char mode[8];       /* "exact", "paced"; "": hardware */
	tarn_mutex lock;    /* of the pair: */
	int64_t pair_host;  /* the same moment on both clocks, in ns and ticks; 0: not read yet */
	uint64_t pair_ticks;
} npu_device;
void tarn_npu_device_unref(npu_device *d);

/* Where a port of the program is among the graph's arguments. */
typedef struct npu_arg {
	uint32_t index;
	size_t bytes;
} npu_arg;

struct npu_worker;
/* What hangs at tarn_program->impl. */
typedef struct npu_program {
	npu_device *d;
	ze_graph_handle_t graph;
	ze_command_queue_handle_t queue;
	npu_arg *in, *out; /* in the program's arena, as many as it has ports */
	bool profiled;
	tarn_mutex lock;   /* values are set on the graph, then a list takes them over; and: */
	bool weights_wait; /* NPU_DEFER_WEIGHTS_LOAD: they are loaded with the first inference */
	struct npu_worker *worker;
	/* Of one inference, when the device can tell: MACs and DDR at their peaks; the band of the modelled time. 0: unknown.
	 */
	double mac_ms, ddr_ms, band, ddr_bytes;
	bool overflow_said; /* the leader's, see worker.c */
	tarn_account account;
	/* Layers and their texts, the same for every run; filled at the first profile by the leader. */
	tarn_arena names;
	tarn_layer_profile *layer;
	size_t n_layer;
} npu_program;

/* What hangs at tarn_request->impl. */
typedef struct npu_request {
	tarn_buffer **own;  /* inputs, then outputs: memory of the device for each, the request's own tensors */
	const void **bound; /* what the list was made for */
	ze_command_list_handle_t list;
	ze_fence_handle_t fence;
	ze_graph_profiling_pool_handle_t pool;
	ze_graph_profiling_query_handle_t query;
	uint64_t *stamp; /* device time before and after */
	int64_t submitted_ns;
	tarn_request *next; /* in flight, in the order of submission */
	/* The worker's lock guards both. watched: the worker's thread has to see to its end, there is a callback or somebody
	 * sleeps until then. */
	bool in_flight, watched;
} npu_request;

/* program.c */
TARN_MUST tarn_err tarn_npu_compile(tarn_program *p);
TARN_MUST tarn_err tarn_npu_import(tarn_program *p, tarn_buffer *blob);
TARN_MUST tarn_err tarn_npu_export(tarn_program *p, tarn_str *blob);
TARN_MUST tarn_err tarn_npu_program_get(tarn_program *p, const char *key, tarn_str *value);
void tarn_npu_program_free(tarn_program *p);
/* Loads the weights that were left for the first inference. */
TARN_MUST tarn_err tarn_npu_load_weights(npu_program *x);

/* prepare.c: from a model to the bytes of ZE_GRAPH_FORMAT_NGRAPH_LITE, and the build flags. */
/* Refuses free dimensions of inputs with a line that is ready to be used. */
TARN_MUST tarn_err tarn_npu_check_inputs(const tarn_program *p);
TARN_MUST tarn_err tarn_npu_model_bytes(const npu_device *d, const tarn_model *m, tarn_str *bytes);
TARN_MUST tarn_err tarn_npu_build_flags(const npu_device *d, tarn_program *p, tarn_str *flags);
ze_graph_argument_precision_t tarn_npu_precision(tarn_dtype type);
/* The driver's account of the last failure of this thread, or `r` in words. */
TARN_MUST tarn_err tarn_npu_build_error(const npu_device *d, ze_result_t r, const char *doing);
bool tarn_npu_supports(const tarn_device *d, const tarn_node *n, tarn_str *why);

/* worker.c: one thread at a time waits for a program's fences, in the order of submission. */
TARN_MUST tarn_err tarn_npu_worker_new(struct npu_worker **w);
/* Nothing may be in flight. May be called from the worker's own thread (a callback that frees everything). */
void tarn_npu_worker_free(struct npu_worker *w);
/* Hands the list to the queue; from then on the request is in flight. */
TARN_MUST tarn_err tarn_npu_worker_push(struct npu_worker *w, tarn_request *r);
/* tarn_request.pursue. */
void tarn_npu_pursue(tarn_request *r, int64_t deadline_ns);

/* request.c */
TARN_MUST tarn_err tarn_npu_alloc(tarn_device *d, size_t bytes, tarn_buffer **b);
TARN_MUST tarn_err tarn_npu_request_init(tarn_request *r);
void tarn_npu_request_fini(tarn_request *r);
TARN_MUST tarn_err tarn_npu_submit(tarn_request *r);
/* Waits for the fence; then times, results into foreign memory, layers. *free_ns: when the request before was done, and after
 * it this one. False when the time is over first; else *err says how it ended. One thread at a time for each program. */
bool tarn_npu_complete(tarn_request *r, uint64_t timeout_ns, int64_t *free_ns, tarn_err *err);

/* stamp.c */
/* A moment of the device's clock on the host's; 0: they have no relation. */
int64_t tarn_npu_host_time(npu_device *d, uint64_t ticks);

/* account.c */
TARN_MUST tarn_err tarn_npu_take_account(tarn_program *p, npu_program *x, bool turbo);

/* estimate.c */
TARN_MUST tarn_err tarn_npu_estimate(tarn_program *p, tarn_estimate *e);

/* profile.c */
TARN_MUST tarn_err tarn_npu_profile(tarn_request *r);

#endif
