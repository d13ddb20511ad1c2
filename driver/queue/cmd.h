/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands: what a command list records and the device executes. A tarn_cmds owns its arrays and references; copying one (for
 * a submission) gives the device its own, so that the list may be reset, changed or destroyed while it runs. Not thread-safe.
 */
#ifndef TARN_DRIVER_QUEUE_CMD_H
#define TARN_DRIVER_QUEUE_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "driver/compile/compile.h"
#include "driver/queue/ref.h"
#include "driver/queue/signal.h"

typedef enum tarn_cmd_kind {
	TARN_CMD_BARRIER,   /* everything before has ended: always so here; also carries waits and signals */
	TARN_CMD_TIMESTAMP, /* dst: uint64_t of device ticks */
	TARN_CMD_COPY,
	TARN_CMD_REGION,
	TARN_CMD_FILL,
	TARN_CMD_RESET, /* of `target` */
	TARN_CMD_GRAPH,
	TARN_CMD_TIMES /* dst: of n_targets events, start and end ticks (ze_kernel_timestamp_result_t) */
} tarn_cmd_kind;

/* A box of a pitched buffer, in bytes: row_bytes per row, rows per slice, slices. */
typedef struct tarn_cmd_region {
	size_t row_bytes, rows, slices;
	size_t dst_pitch, dst_slice, src_pitch, src_slice;
} tarn_cmd_region;

/* Where the profile of an execution goes; owned by the query object, filled under the scheduler's lock. */
typedef struct tarn_cmd_profile {
	tarn_ref ref;
	bool done, turbo;
	uint64_t start_ns; /* of the device's clock */
} tarn_cmd_profile;

typedef struct tarn_cmd {
	tarn_cmd_kind kind;
	void *dst;
	const void *src;
	size_t bytes;
	uint32_t pattern; /* FILL: pattern_bytes of it, repeated */
	uint32_t pattern_bytes;
	tarn_cmd_region region;
	tarn_ref *owner; /* GRAPH: keeps program alive */
	const tarn_npu_program *program;
	void **args;
	uint32_t n_args;
	tarn_cmd_profile *profile; /* NULL: none wanted */
	uint64_t id;               /* of mutable commands */
	tarn_signal **wait;
	uint32_t n_wait;
	tarn_signal **target;
	uint32_t n_targets;
	tarn_signal *signal; /* set when the command has ended */
} tarn_cmd;

typedef struct tarn_cmds {
	tarn_cmd *at;
	size_t len, cap;
} tarn_cmds;

/* Adds a copy of *cmd (arrays duplicated, references taken). */
TARN_MUST tarn_err tarn_cmds_add(tarn_cmds *list, const tarn_cmd *cmd);
TARN_MUST tarn_err tarn_cmds_copy(const tarn_cmds *from, tarn_cmds *to);
void tarn_cmds_fini(tarn_cmds *list);

#endif
