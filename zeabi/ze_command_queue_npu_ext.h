/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Level Zero NPU extension "ZE_extension_command_queue_npu", versions 1.0 and 1.1: turbo, in-order execution on the device, and
 * the workload type of a queue. Binary interface only; the names are the driver's, the text is ours.
 */
#ifndef ZEABI_ZE_COMMAND_QUEUE_NPU_EXT_H
#define ZEABI_ZE_COMMAND_QUEUE_NPU_EXT_H

#include <stdbool.h>
#include <stdint.h>

#include <level_zero/ze_api.h>

#define ZE_COMMAND_QUEUE_NPU_EXT_NAME "ZE_extension_command_queue_npu"

typedef enum ze_command_queue_npu_ext_version_t {
	ZE_COMMAND_QUEUE_NPU_EXT_VERSION_1_0 = ZE_MAKE_VERSION(1, 0),
	ZE_COMMAND_QUEUE_NPU_EXT_VERSION_1_1 = ZE_MAKE_VERSION(1, 1),
	ZE_COMMAND_QUEUE_NPU_EXT_VERSION_CURRENT = ZE_COMMAND_QUEUE_NPU_EXT_VERSION_1_1,
	ZE_COMMAND_QUEUE_NPU_EXT_VERSION_FORCE_UINT32 = 0x7fffffff
} ze_command_queue_npu_ext_version_t;

typedef enum ze_structure_type_command_queue_npu_ext_t {
	ZE_STRUCTURE_TYPE_COMMAND_QUEUE_DESC_NPU_EXT = 1,
	ZE_STRUCTURE_TYPE_COMMAND_QUEUE_DESC_NPU_EXT_2 = 2
} ze_structure_type_command_queue_npu_ext_t;

/* 1.0, in the pNext of ze_command_queue_desc_t. */
typedef struct ze_command_queue_desc_npu_ext_t {
	ze_structure_type_command_queue_npu_ext_t stype;
	const void *pNext;
	bool turbo;
} ze_command_queue_desc_npu_ext_t;

typedef uint32_t ze_npu_command_queue_options_t;
typedef enum ze_npu_command_queue_option_t {
	ZE_NPU_COMMAND_QUEUE_OPTION_TURBO = 1,
	ZE_NPU_COMMAND_QUEUE_OPTION_DEVICE_SYNC = 2, /* the device runs the queue's submissions in order */
	ZE_NPU_COMMAND_QUEUE_OPTION_FORCE_UINT32 = 0x7fffffff
} ze_npu_command_queue_option_t;

/* 1.1, in the same place. */
typedef struct ze_command_queue_desc_npu_ext_2_t {
	ze_structure_type_command_queue_npu_ext_t stype;
	const void *pNext;
	ze_npu_command_queue_options_t options;
} ze_command_queue_desc_npu_ext_2_t;

typedef enum ze_command_queue_workload_type_t {
	ZE_WORKLOAD_TYPE_DEFAULT = 0,
	ZE_WORKLOAD_TYPE_BACKGROUND = 1,
	ZE_WORKLOAD_TYPE_FORCE_UINT32 = 0x7fffffff
} ze_command_queue_workload_type_t;

typedef ze_result_t(ZE_APICALL *ze_pfnCommandQueueSetWorkloadType_ext_t)(ze_command_queue_handle_t queue,
									 ze_command_queue_workload_type_t type);

typedef struct ze_command_queue_npu_dditable_ext_t {
	ze_pfnCommandQueueSetWorkloadType_ext_t pfnSetWorkloadType;
} ze_command_queue_npu_dditable_ext_t;

#endif
