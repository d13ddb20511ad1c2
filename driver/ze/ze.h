/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects behind the handles of Level Zero, and what the files of this folder share.
 *
 * One driver with one device per process. Every object begins with a magic number: a handle of another kind is refused, and an
 * extension function (which a loader never intercepts) can tell our handles from the loader's. Level Zero's rules on threads
 * apply: one thread per object at a time, except where it says otherwise (contexts, queues); those have their own lock.
 */
#ifndef TARN_DRIVER_ZE_ZE_H
#define TARN_DRIVER_ZE_ZE_H

#include <level_zero/ze_api.h>
#include <level_zero/ze_ddi.h>
#include <level_zero/zes_ddi.h>

#include "arch/arch.h"
#include "base/err.h"
#include "base/str.h"
#include "base/thread.h"
#include "driver/cache/cache.h"
#include "driver/compile/compile.h"
#include "driver/queue/cmd.h"
#include "driver/queue/sched.h"
#include "driver/ze/platform.h"
#include "zeabi/ze_command_queue_npu_ext.h"
#include "zeabi/ze_context_npu_ext.h"
#include "zeabi/ze_graph_ext.h"
#include "zeabi/ze_mutable_ext.h"
#include "zeabi/ze_tarn_ext.h"

#define TARN_ZE_PAGE 4096u
/* The version of the core API this driver implements: mutable lists with graph arguments came with it. */
#define TARN_ZE_API ZE_TARN_API_1_11

enum tarn_ze_magic {
	TARN_ZE_DRIVER = 0x7461726e64727601,
	TARN_ZE_DEVICE,
	TARN_ZE_CONTEXT,
	TARN_ZE_QUEUE,
	TARN_ZE_LIST,
	TARN_ZE_FENCE,
	TARN_ZE_POOL,
	TARN_ZE_EVENT,
	TARN_ZE_GRAPH,
	TARN_ZE_LOG,
	TARN_ZE_QUERY_NETWORK,
	TARN_ZE_PROFILING_POOL,
	TARN_ZE_PROFILING_QUERY
};

typedef struct _ze_device_handle_t {
	uint64_t magic;
	const tarn_ze_platform *platform;
	const tarn_arch *arch;
	tarn_ze_config config;
	tarn_sched *sched;
	tarn_cache *cache;
	uint64_t driver_hash; /* of the driver's own code, for the cache key */
	tarn_mutex lock;
	uint64_t compiled, live_bytes; /* live_bytes: of all contexts */
} tarn_ze_device;

typedef struct _ze_driver_handle_t {
	uint64_t magic;
	bool ready;
	tarn_ze_device device;
} tarn_ze_driver;

typedef struct tarn_ze_block {
	char *at;
	size_t size;
	void *heap; /* NULL: imported from the application */
	ze_memory_type_t type;
	uint64_t id;
} tarn_ze_block;

typedef struct _ze_context_handle_t {
	uint64_t magic;
	tarn_ze_device *device;
	tarn_mutex lock;
	struct {
		tarn_ze_block *at; /* sorted by address, disjoint */
		size_t len, cap;
	} block;
	uint64_t bytes, next_id;
	bool keep_idle_memory;
} tarn_ze_context;

typedef struct _ze_command_queue_handle_t {
	uint64_t magic;
	tarn_ze_context *context;
	tarn_sched_queue *queue;
	tarn_sched_priority priority; /* of workload type DEFAULT */
	bool synchronous;
} tarn_ze_queue;

typedef struct _ze_command_list_handle_t {
	uint64_t magic;
	tarn_ze_context *context;
	tarn_cmds cmds;
	bool closed, mutable, next_is_mutable;
	tarn_ze_queue *immediate; /* NULL: a regular list */
} tarn_ze_list;

typedef struct _ze_fence_handle_t {
	uint64_t magic;
	tarn_ze_queue *queue;
	tarn_signal *signal;
} tarn_ze_fence;

typedef struct _ze_event_pool_handle_t {
	uint64_t magic;
	tarn_ze_context *context;
	uint32_t count, live;
	bool timestamps;
	tarn_signal **slot;
	struct _ze_event_handle_t **event; /* NULL: slot free */
} tarn_ze_pool;

typedef struct _ze_event_handle_t {
	uint64_t magic;
	tarn_ze_pool *pool;
	uint32_t index;
	tarn_signal *signal; /* the pool's */
} tarn_ze_event;

/* What commands in flight need of a graph. */
typedef struct tarn_ze_program {
	tarn_ref ref;
	uint8_t *bytes; /* the blob */
	size_t size;
	bool owned; /* bytes are ours (tarn_mem_free_aligned) */
	tarn_npu_program *program;
} tarn_ze_program;

typedef struct _ze_graph_handle_t {
	uint64_t magic;
	tarn_ze_context *context;
	tarn_ze_program *program;
	const tarn_npu_arg *arg;
	uint32_t n_args;
	void **value; /* NULL: not set */
	ze_graph_properties_flags_t flags;
	char *log;
} tarn_ze_graph;

/* NULL handle, foreign handle: the error; used as CHECK_HANDLE(hQueue, TARN_ZE_QUEUE). */
#define CHECK_HANDLE(h, kind) \
	do { \
		if (!(h)) \
			return ZE_RESULT_ERROR_INVALID_NULL_HANDLE; \
		if ((h)->magic != (kind)) \
			return ZE_RESULT_ERROR_INVALID_ARGUMENT; \
	} while (0)
#define CHECK_POINTER(p) \
	do { \
		if (!(p)) \
			return ZE_RESULT_ERROR_INVALID_NULL_POINTER; \
	} while (0)
/* Passes a ze_result_t on. */
#define ZE_TRY(expr) \
	do { \
		ze_result_t result_ = (expr); \
		if (result_ != ZE_RESULT_SUCCESS) \
			return result_; \
	} while (0)

/* The ze_result_t of an error. */
ze_result_t tarn_ze_result(tarn_err err);
/* The driver; device.sched and the rest are there once `ready`. */
tarn_ze_driver *tarn_ze_driver_get(void);

/* Handles that came through an extension table: the loader's object to ours (types of zel_handle_type_t). */
#define TARN_ZE_TRANSLATE(type, h) ((h) = tarn_ze_translate((type), (h)))
void *tarn_ze_translate(int type, void *handle);
enum {
	TARN_ZEL_DRIVER,
	TARN_ZEL_DEVICE,
	TARN_ZEL_CONTEXT,
	TARN_ZEL_QUEUE,
	TARN_ZEL_LIST,
	TARN_ZEL_FENCE,
	TARN_ZEL_POOL,
	TARN_ZEL_EVENT
};

/* memory.c: does [p, p+size) lie in one allocation of the context? */
bool tarn_ze_context_owns(tarn_ze_context *c, const void *p, size_t size);
void tarn_ze_context_free_blocks(tarn_ze_context *c);

/* list.c: adds a command with its events (driver handles); submits it at once on an immediate list. */
ze_result_t tarn_ze_list_append(tarn_ze_list *list, tarn_cmd *cmd, ze_event_handle_t signal, uint32_t n_wait,
				const ze_event_handle_t *wait);
/* list_mutable.c: with the loader's handles, as the functions that are fetched by name get them. */
ze_result_t tarn_ze_list_next_id_ext(ze_command_list_handle_t list, const ze_mutable_command_id_exp_desc_t *desc, uint64_t *id);
ze_result_t tarn_ze_list_update_ext(ze_command_list_handle_t list, const ze_mutable_commands_exp_desc_t *desc);

/* graph_compile.c */
typedef struct tarn_ze_built {
	tarn_ze_program *program;
	ze_graph_properties_flags_t flags;
} tarn_ze_built;
/* The log is kept for the thread (tarn_ze_log_last) and, heap-allocated, in *log (may be NULL on short memory). */
ze_result_t tarn_ze_build(tarn_ze_device *device, const ze_graph_desc_2_t *desc, tarn_ze_built *built, char **log);
/* Splits the buffer of ZE_GRAPH_FORMAT_NGRAPH_LITE. */
tarn_err tarn_ze_ir_split(const uint8_t *at, size_t size, tarn_cc_ir *ir);
/* Remembers the error of this thread as its build log, and returns its code. */
ze_result_t tarn_ze_log_failure(tarn_err err);
const char *tarn_ze_log_last(void);
void tarn_ze_log_set(const char *text);
/* Text out in the usual way: *size is the capacity, becomes the length with the NUL; text NULL asks for it. */
ze_result_t tarn_ze_text_out(const char *from, uint32_t *size, char *text);

/* The tables of the extensions. */
extern const ze_graph_profiling_dditable_ext_t tarn_ze_profiling_table;
extern const ze_graph_dditable_ext_t tarn_ze_graph_table;
extern const ze_command_queue_npu_dditable_ext_t tarn_ze_queue_ext_table;
extern const ze_context_npu_dditable_ext_t tarn_ze_context_ext_table;
extern const ze_tarn_simulated_dditable_t tarn_ze_simulated_table;
extern const ze_tarn_estimate_dditable_t tarn_ze_estimate_table;

/* graph_query.c: slots of the graph table that need no graph. */
ze_result_t tarn_ze_query_create(ze_context_handle_t c, ze_device_handle_t d, const ze_graph_desc_t *desc,
				 ze_graph_query_network_handle_t *q);
ze_result_t tarn_ze_query_create2(ze_context_handle_t c, ze_device_handle_t d, const ze_graph_desc_2_t *desc,
				  ze_graph_query_network_handle_t *q);
ze_result_t tarn_ze_query_destroy(ze_graph_query_network_handle_t q);
ze_result_t tarn_ze_query_layers(ze_graph_query_network_handle_t q, size_t *size, char *layers);
ze_result_t tarn_ze_query_memory(ze_context_handle_t c, ze_graph_memory_query_type_t type, ze_graph_memory_query_t *q);
ze_result_t tarn_ze_options_get(ze_device_handle_t d, ze_npu_options_type_t type, size_t *size, char *options);
ze_result_t tarn_ze_option_supported(ze_device_handle_t d, ze_npu_options_type_t type, const char *option, const char *value);
ze_result_t tarn_ze_device_graph_properties(ze_device_handle_t d, ze_device_graph_properties_t *p);
ze_result_t tarn_ze_device_graph_properties2(ze_device_handle_t d, ze_device_graph_properties_2_t *p);
/* graph_args.c */
ze_result_t tarn_ze_graph_arg(ze_graph_handle_t g, uint32_t i, ze_graph_argument_properties_t *p);
ze_result_t tarn_ze_graph_arg2(ze_graph_handle_t g, uint32_t i, ze_graph_argument_properties_2_t *p);
ze_result_t tarn_ze_graph_arg3(ze_graph_handle_t g, uint32_t i, ze_graph_argument_properties_3_t *p);
ze_result_t tarn_ze_graph_arg_metadata(ze_graph_handle_t g, uint32_t i, ze_graph_argument_metadata_t *p);
ze_result_t tarn_ze_graph_set_arg(ze_graph_handle_t g, uint32_t i, const void *value);
ze_result_t tarn_ze_graph_set_arg2(ze_graph_handle_t g, uint32_t i, const void *value);
/* profiling.c */
tarn_cmd_profile *tarn_ze_profiling_target(ze_graph_profiling_query_handle_t q, const tarn_ze_program *program);

/* The core functions, as the tables a loader asks for (tables.c). Functions that are not there are NULL: a loader answers
 * UNSUPPORTED_FEATURE for them. */
extern const ze_driver_dditable_t tarn_ze_driver_table;
extern const ze_device_dditable_t tarn_ze_device_table;
extern const ze_context_dditable_t tarn_ze_context_table;
extern const ze_mem_dditable_t tarn_ze_mem_table;
extern const ze_command_queue_dditable_t tarn_ze_queue_table;
extern const ze_fence_dditable_t tarn_ze_fence_table;
extern const ze_event_pool_dditable_t tarn_ze_pool_table;
extern const ze_event_dditable_t tarn_ze_event_table;
void tarn_ze_list_fill(ze_command_list_dditable_t *t);
extern const ze_tarn_command_list_more_t tarn_ze_list_more_table;
extern const ze_tarn_command_list_exp_dditable_t tarn_ze_list_exp_table;
extern const zes_device_dditable_t tarn_zes_device_table;
extern const zes_engine_dditable_t tarn_zes_engine_table;
/* list_append.c: the slots of appends. */
void tarn_ze_list_fill_appends(ze_command_list_dditable_t *t);
ze_result_t tarn_ze_init(ze_init_flags_t flags);
ze_result_t tarn_ze_init_drivers(uint32_t *count, ze_driver_handle_t *drivers, ze_tarn_init_driver_type_desc_t *desc);
/* queue.c: makes and destroys a queue without its handle checks (immediate lists have one of their own). */
ze_result_t tarn_ze_queue_make(tarn_ze_context *c, const ze_command_queue_desc_t *desc, tarn_ze_queue **queue);
void tarn_ze_queue_drop(tarn_ze_queue *q);
/* The private functions of the cache, fetched by name. */
ZE_DLLEXPORT ze_result_t zexDiskCacheSetSize(size_t size);
ZE_DLLEXPORT ze_result_t zexDiskCacheGetSize(size_t *size);
ZE_DLLEXPORT ze_result_t zexDiskCacheGetDirectory(char *dir, size_t *len);
ZE_DLLEXPORT ze_result_t zexContextSetIdlePruningTimeout(ze_context_handle_t context, uint64_t ms);

#endif
