/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the Level Zero front (driver/ze) asks of the compiler, the blob loader and the executor. Nothing above this line knows
 * how a model is compiled; nothing below it knows Level Zero, except for the enumerations of zeabi/.
 *
 *   IR bytes --tarn_cc_compile--> blob --tarn_blob_load--> program --tarn_exec_run--> outputs
 *
 * Compiling is a pure function of its arguments and of driver/arch (whose hash is in the cache's key). All functions may be
 * called from several threads at once; a program is immutable after loading and may run on one thread while another reads its
 * tables. Errors: TARN_UNSUPPORTED (an operator, type or shape; name the node), TARN_BAD_FILE (IR or blob malformed),
 * TARN_USAGE (a build flag), TARN_NOMEM. The sentence reaches the user as the build log.
 */
#ifndef TARN_DRIVER_COMPILE_COMPILE_H
#define TARN_DRIVER_COMPILE_COMPILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/pool.h"
#include "base/str.h"
#include "driver/compile/flags.h"
#include "zeabi/ze_graph_ext.h"
#include "zeabi/ze_tarn_ext.h"

/* What pfnDeviceGetGraphProperties reports, and what the first four bytes of an IR buffer must equal. */
#define TARN_CC_VERSION_MAJOR 7
#define TARN_CC_VERSION_MINOR 0
/* The newest OpenVINO opset whose operators the compiler may be given. */
#define TARN_CC_OPSET 11

/* An OpenVINO IR: the text of the xml (not NUL-terminated) and the weights; borrowed for the call. */
typedef struct tarn_cc_ir {
	const uint8_t *xml, *bin;
	size_t xml_size, bin_size;
} tarn_cc_ir;

typedef struct tarn_cc_blob {
	uint8_t *at; /* heap, tarn_mem_free */
	size_t size;
} tarn_cc_blob;

/* `platform` is 3720 or 4000. The blob's bytes depend on nothing but the arguments; where FP16 is nearly too coarse also on the
 * instruction set, as its trial sums floats (trial.h). */
TARN_MUST tarn_err tarn_cc_compile(const tarn_cc_ir *ir, const tarn_cc_flags *flags, int platform, tarn_cc_blob *blob);
/* Appends "<friendly name>" of every node the compiler would take to `names`. */
TARN_MUST tarn_err tarn_cc_query(const tarn_cc_ir *ir, const tarn_cc_flags *flags, int platform, tarn_str *names);
/* Modelled times without executing. *layers is heap (tarn_mem_free); graph->size is the caller's and stays. */
TARN_MUST tarn_err tarn_cc_estimate(const tarn_cc_ir *ir, const tarn_cc_flags *flags, int platform,
				    ze_tarn_graph_estimate_t *graph, ze_tarn_layer_estimate_t **layers, uint32_t *n);

typedef struct tarn_npu_program tarn_npu_program;

/* Checks magic, version, platform and checksum. `bytes` are borrowed until tarn_npu_program_free (weights stay in place). */
TARN_MUST tarn_err tarn_blob_load(const uint8_t *bytes, size_t size, int platform, tarn_npu_program **program);
void tarn_npu_program_free(tarn_npu_program *program);

/* Inputs first, in the order of the IR's Parameters, then outputs in the order of its Results. */
typedef struct tarn_npu_arg {
	const char *name;          /* friendly name of the Parameter, or of the node a Result takes */
	const char *friendly_name; /* of the Parameter or Result itself */
	const char *const *tensor_name;
	uint32_t n_tensor_names;
	bool output;
	ze_graph_argument_precision_t precision, ir_precision; /* at the interface; in the model */
	uint32_t rank;                                         /* at most 8 */
	uint64_t dims[ZE_MAX_GRAPH_TENSOR_REF_DIMS];
	size_t bytes; /* dense, row-major in `precision` */
} tarn_npu_arg;
const tarn_npu_arg *tarn_npu_program_args(const tarn_npu_program *program, uint32_t *n);

/* Compiled with PERF_COUNT="YES"? */
bool tarn_npu_program_profiled(const tarn_npu_program *program);

/* Where the time of one inference goes: total = fixed + dpu + shave + copy + stalls. int8, mixed, padded: what the products
 * alone would take of the array on the tiles in use, all on 8 bits; each in its precision; with channels padded. */
typedef struct tarn_npu_account {
	uint64_t total_ns, fixed_ns, dpu_ns, shave_ns, copy_ns, stall_weights_ns, stall_inputs_ns, stall_stores_ns;
	uint64_t int8_ns, mixed_ns, padded_ns, recurrent_ns;
	uint64_t macs, macs_int8, weight_bytes, load_bytes, store_bytes;
	uint64_t free_bandwidth_ns, free_compute_ns;
	uint64_t tiles;                        /* in use */
	uint64_t ddr_arena_bytes, spill_bytes; /* DDR for activations without room in CMX; what they are together */
} tarn_npu_account;

/* Modelled times of one execution, the fixed cost of an inference included in the total; start_ns counts from its beginning.
 * They do not depend on data. */
typedef struct tarn_npu_layer_time {
	const char *name, *type;
	bool optimized_out;
	uint64_t start_ns, duration_ns, dpu_ns, sw_ns, dma_ns;
} tarn_npu_layer_time;
typedef struct tarn_npu_task_time {
	const char *name, *type;
	ze_task_execute_type_t engine;
	uint64_t start_ns, duration_ns;
	uint32_t active_cycles, stall_cycles, layer; /* layer: index among the layer times */
} tarn_npu_task_time;
typedef struct tarn_npu_times {
	uint64_t total_ns;
	const tarn_npu_layer_time *layer;
	const tarn_npu_task_time *task;
	uint32_t n_layers, n_tasks;
	/* What the model's multiply-accumulates and DDR transfers would take at the device's peaks; and the fraction of
	 * total_ns the truth may lie away from it. All 0: not known. */
	uint64_t mac_ns, ddr_ns;
	float band;
	const tarn_npu_account *account; /* NULL: not known */
} tarn_npu_times;
/* Borrowed from the program. `turbo`: at the clock turbo is assumed to hold. */
tarn_npu_times tarn_npu_program_times(const tarn_npu_program *program, bool turbo);

/* Appends the first node, with its operator, whose values became infinite in FP16 in any run so far; nothing when none did.
 * While a program runs on one thread another may ask. */
TARN_MUST tarn_err tarn_npu_program_overflow(const tarn_npu_program *program, tarn_str *node);

/* Computes the outputs. args[i] points to args(program)[i].bytes bytes; outputs are written whole. Called by one thread at a
 * time (the device's); `pool` is that device's, NULL = this thread only. */
TARN_MUST tarn_err tarn_exec_run(const tarn_npu_program *program, void *const *args, tarn_pool *pool);

#endif
