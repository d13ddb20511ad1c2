/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Level Zero NPU extension "ZE_extension_profiling_data", version 1.0: what ran inside a graph, and for how long.
 *
 * Binary interface only; names and layouts are the driver's, the text is ours. A graph must have been compiled with
 * PERF_COUNT="YES". Sizes in the asserts are those of the x86-64 interface.
 */
#ifndef ZEABI_ZE_PROFILING_EXT_H
#define ZEABI_ZE_PROFILING_EXT_H

#include <stdbool.h>
#include <stdint.h>

#include <level_zero/ze_api.h>

#define ZE_PROFILING_DATA_EXT_NAME "ZE_extension_profiling_data"

typedef enum ze_profiling_data_ext_version_t {
	ZE_PROFILING_DATA_EXT_VERSION_1_0 = ZE_MAKE_VERSION(1, 0),
	ZE_PROFILING_DATA_EXT_VERSION_CURRENT = ZE_PROFILING_DATA_EXT_VERSION_1_0,
	ZE_PROFILING_DATA_EXT_VERSION_FORCE_UINT32 = 0x7fffffff
} ze_profiling_data_ext_version_t;

typedef enum ze_structure_type_profiling_data_ext_t {
	ZE_STRUCTURE_TYPE_DEVICE_PROFILING_DATA_PROPERTIES = 1
} ze_structure_type_profiling_data_ext_t;

typedef enum ze_graph_profiling_type_t {
	ZE_GRAPH_PROFILING_LAYER_LEVEL = 1,
	ZE_GRAPH_PROFILING_TASK_LEVEL = 2,
	ZE_GRAPH_PROFILING_RAW = 4,
	ZE_GRAPH_PROFILING_FORCE_UINT32 = 0x7fffffff
} ze_graph_profiling_type_t;

#define ZE_MAX_GRAPH_PROFILING_LAYER_NAME 256
#define ZE_MAX_GRAPH_PROFILING_LAYER_TYPE 50

typedef enum ze_layer_status_t {
	ZE_LAYER_STATUS_NOT_RUN = 1,
	ZE_LAYER_STATUS_OPTIMIZED_OUT = 2,
	ZE_LAYER_STATUS_EXECUTED = 3
} ze_layer_status_t;

/* One operator of the model. Times in nanoseconds of the device's clock; the engine sums may exceed the duration. */
typedef struct ze_profiling_layer_info {
	char name[ZE_MAX_GRAPH_PROFILING_LAYER_NAME];
	char layer_type[ZE_MAX_GRAPH_PROFILING_LAYER_TYPE];
	ze_layer_status_t status;
	uint64_t start_time_ns;
	uint64_t duration_ns;
	uint32_t layer_id;
	uint64_t fused_layer_id;
	uint64_t dpu_ns;
	uint64_t sw_ns;
	uint64_t dma_ns;
} ze_profiling_layer_info;

typedef enum ze_task_execute_type_t {
	ZE_TASK_EXECUTE_NONE = 0,
	ZE_TASK_EXECUTE_DPU = 1,
	ZE_TASK_EXECUTE_SW = 2,
	ZE_TASK_EXECUTE_DMA = 3
} ze_task_execute_type_t;

/* One job of one engine. */
typedef struct ze_profiling_task_info {
	char name[ZE_MAX_GRAPH_PROFILING_LAYER_NAME];
	char layer_type[ZE_MAX_GRAPH_PROFILING_LAYER_TYPE];
	ze_task_execute_type_t exec_type;
	uint64_t start_time_ns;
	uint64_t duration_ns;
	uint32_t active_cycles;
	uint32_t stall_cycles;
	uint32_t task_id;
	uint32_t parent_layer_id;
} ze_profiling_task_info;

typedef struct ze_device_profiling_data_properties_t {
	ze_structure_type_profiling_data_ext_t stype;
	void *pNext;
	ze_profiling_data_ext_version_t extensionVersion;
} ze_device_profiling_data_properties_t;

typedef struct _ze_graph_handle_t *ze_graph_handle_t;
typedef struct _ze_graph_profiling_pool_handle_t *ze_graph_profiling_pool_handle_t;
typedef struct _ze_graph_profiling_query_handle_t *ze_graph_profiling_query_handle_t;

typedef ze_result_t(ZE_APICALL *ze_pfnDeviceGetProfilingDataProperties_ext_t)(
	ze_device_handle_t device, ze_device_profiling_data_properties_t *properties);
typedef ze_result_t(ZE_APICALL *ze_pfnGraphProfilingPoolCreate_ext_t)(ze_graph_handle_t graph, uint32_t count,
								      ze_graph_profiling_pool_handle_t *pool);
typedef ze_result_t(ZE_APICALL *ze_pfnGraphProfilingPoolDestroy_ext_t)(ze_graph_profiling_pool_handle_t pool);
typedef ze_result_t(ZE_APICALL *ze_pfnGraphProfilingQueryCreate_ext_t)(ze_graph_profiling_pool_handle_t pool, uint32_t index,
								       ze_graph_profiling_query_handle_t *query);
typedef ze_result_t(ZE_APICALL *ze_pfnGraphProfilingQueryDestroy_ext_t)(ze_graph_profiling_query_handle_t query);
/* data NULL, or *size 0 or too large: *size becomes the real size. */
typedef ze_result_t(ZE_APICALL *ze_pfnGraphProfilingQueryGetData_ext_t)(ze_graph_profiling_query_handle_t query,
									ze_graph_profiling_type_t type, uint32_t *size,
									uint8_t *data);
typedef ze_result_t(ZE_APICALL *ze_pfnGraphProfilingLogGetString_ext_t)(ze_graph_profiling_query_handle_t query, uint32_t *size,
									char *log);

typedef struct ze_graph_profiling_dditable_ext_t {
	ze_pfnGraphProfilingPoolCreate_ext_t pfnProfilingPoolCreate;
	ze_pfnGraphProfilingPoolDestroy_ext_t pfnProfilingPoolDestroy;
	ze_pfnGraphProfilingQueryCreate_ext_t pfnProfilingQueryCreate;
	ze_pfnGraphProfilingQueryDestroy_ext_t pfnProfilingQueryDestroy;
	ze_pfnGraphProfilingQueryGetData_ext_t pfnProfilingQueryGetData;
	ze_pfnDeviceGetProfilingDataProperties_ext_t pfnDeviceGetProfilingDataProperties;
	ze_pfnGraphProfilingLogGetString_ext_t pfnProfilingLogGetString;
} ze_graph_profiling_dditable_ext_t;

#if defined(__x86_64__)
_Static_assert(sizeof(ze_profiling_layer_info) == 368, "layout");
_Static_assert(sizeof(ze_profiling_task_info) == 344, "layout");
_Static_assert(sizeof(ze_graph_profiling_dditable_ext_t) == 56, "layout");
#endif

#endif
