/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What newer Level Zero headers have and those of 1.8.12 lack: mutable command lists (1.9, graph arguments 1.11), zeInitDrivers
 * (1.10), functions of immediate lists (1.6, 1.9), the IP version of a device, mapping of system memory. Binary interface only.
 * The guards let the same source build against newer headers, which define these themselves.
 */
#ifndef ZEABI_ZE_MUTABLE_EXT_H
#define ZEABI_ZE_MUTABLE_EXT_H

#include <stddef.h>
#include <stdint.h>

#include <level_zero/ze_api.h>

#define ZE_TARN_STYPE_DEVICE_IP_VERSION ((ze_structure_type_t)0x1000f)
#define ZE_TARN_STYPE_MUTABLE_LIST_PROPERTIES ((ze_structure_type_t)0x00020015)
#define ZE_TARN_STYPE_MUTABLE_LIST_DESC ((ze_structure_type_t)0x00020016)
#define ZE_TARN_STYPE_MUTABLE_ID_DESC ((ze_structure_type_t)0x00020017)
#define ZE_TARN_STYPE_MUTABLE_COMMANDS_DESC ((ze_structure_type_t)0x00020018)
#define ZE_TARN_STYPE_MUTABLE_GRAPH_ARGUMENT ((ze_structure_type_t)0x00020020)
#define ZE_TARN_STYPE_INIT_DRIVER_TYPE_DESC ((ze_structure_type_t)0x00020021)
#define ZE_TARN_STYPE_MEMMAP_SYSMEM ((ze_structure_type_t)0x00020037)

/* The API versions that add slots to the tables (a caller of an older version has shorter tables). */
#define ZE_TARN_API_1_6 ZE_MAKE_VERSION(1, 6)
#define ZE_TARN_API_1_9 ZE_MAKE_VERSION(1, 9)
#define ZE_TARN_API_1_10 ZE_MAKE_VERSION(1, 10)
#define ZE_TARN_API_1_11 ZE_MAKE_VERSION(1, 11)

#ifndef ZE_MUTABLE_COMMAND_LIST_EXP_NAME
#define ZE_MUTABLE_COMMAND_LIST_EXP_NAME "ZE_experimental_mutable_command_list"

typedef uint32_t ze_mutable_command_exp_flags_t;
typedef uint32_t ze_mutable_command_list_exp_flags_t;

/* pNext of ze_device_properties_t: what can be changed in a list that was closed. */
typedef struct ze_mutable_command_list_exp_properties_t {
	ze_structure_type_t stype;
	void *pNext;
	ze_mutable_command_list_exp_flags_t mutableCommandListFlags;
	ze_mutable_command_exp_flags_t mutableCommandFlags;
} ze_mutable_command_list_exp_properties_t;

/* pNext of ze_command_list_desc_t: makes the list mutable. */
typedef struct ze_mutable_command_list_exp_desc_t {
	ze_structure_type_t stype;
	const void *pNext;
	ze_mutable_command_list_exp_flags_t flags;
} ze_mutable_command_list_exp_desc_t;

typedef struct ze_mutable_command_id_exp_desc_t {
	ze_structure_type_t stype;
	const void *pNext;
	ze_mutable_command_exp_flags_t flags;
} ze_mutable_command_id_exp_desc_t;

typedef struct ze_mutable_commands_exp_desc_t {
	ze_structure_type_t stype;
	const void *pNext;
	uint32_t flags;
} ze_mutable_commands_exp_desc_t;
#endif

/* Newer headers name bit 7; bit 6 came before it and drivers take both. */
#define ZE_TARN_MUTABLE_GRAPH_ARGUMENT_DEPRECATED ((ze_mutable_command_exp_flags_t)(1 << 6))
#define ZE_TARN_MUTABLE_GRAPH_ARGUMENTS ((ze_mutable_command_exp_flags_t)(1 << 7))

#ifndef ZE_EXTERNAL_MEMORY_MAPPING_EXT_NAME
#define ZE_EXTERNAL_MEMORY_MAPPING_EXT_NAME "ZE_extension_external_memmap_sysmem"

/* pNext of ze_host_mem_alloc_desc_t: the allocation is this memory of the caller. Address and size page aligned. */
typedef struct ze_external_memmap_sysmem_ext_desc_t {
	ze_structure_type_t stype;
	const void *pNext;
	void *pSystemMemory;
	uint64_t size;
} ze_external_memmap_sysmem_ext_desc_t;
#endif

/* In the pNext of ze_mutable_commands_exp_desc_t, one per argument to change. */
typedef struct ze_tarn_mutable_graph_argument_t {
	ze_structure_type_t stype;
	const void *pNext;
	uint64_t commandId;
	uint32_t argIndex;
	const void *pArgValue;
} ze_tarn_mutable_graph_argument_t;

typedef struct ze_tarn_device_ip_version_t {
	ze_structure_type_t stype;
	const void *pNext;
	uint32_t ipVersion;
} ze_tarn_device_ip_version_t;

typedef struct ze_tarn_init_driver_type_desc_t {
	ze_structure_type_t stype;
	const void *pNext;
	uint32_t flags; /* bit 0 GPU, bit 1 NPU */
} ze_tarn_init_driver_type_desc_t;
#define ZE_TARN_INIT_DRIVER_TYPE_NPU 2u

typedef ze_result_t(ZE_APICALL *ze_tarn_pfnInitDrivers_t)(uint32_t *count, ze_driver_handle_t *drivers,
							  ze_tarn_init_driver_type_desc_t *desc);
typedef ze_result_t(ZE_APICALL *ze_tarn_pfnCommandListGetNextCommandId_t)(ze_command_list_handle_t list,
									  const ze_mutable_command_id_exp_desc_t *desc,
									  uint64_t *id);
typedef ze_result_t(ZE_APICALL *ze_tarn_pfnCommandListUpdateMutableCommands_t)(ze_command_list_handle_t list,
									       const ze_mutable_commands_exp_desc_t *desc);

/* Table of zeGetGlobalProcAddrTable from API 1.10 on. */
typedef struct ze_tarn_global_dditable_t {
	ze_result_t(ZE_APICALL *pfnInit)(ze_init_flags_t flags);
	ze_tarn_pfnInitDrivers_t pfnInitDrivers;
} ze_tarn_global_dditable_t;

/* Table of zeGetCommandListExpProcAddrTable (API 1.9). The last two slots are not in our drivers' use. */
typedef struct ze_tarn_command_list_exp_dditable_t {
	void *pfnCreateCloneExp;
	void *pfnImmediateAppendCommandListsExp;
	ze_tarn_pfnCommandListGetNextCommandId_t pfnGetNextCommandIdExp;
	ze_tarn_pfnCommandListUpdateMutableCommands_t pfnUpdateMutableCommandsExp;
	void *pfnUpdateMutableCommandSignalEventExp;
	void *pfnUpdateMutableCommandWaitEventsExp;
} ze_tarn_command_list_exp_dditable_t;

/* What follows the slots of API 1.4 in the command list table: the first slot from API 1.6, the rest from 1.9. */
#define ZE_TARN_COMMAND_LIST_SLOTS 28
typedef struct ze_tarn_command_list_more_t {
	ze_result_t(ZE_APICALL *pfnHostSynchronize)(ze_command_list_handle_t list, uint64_t timeout);
	ze_result_t(ZE_APICALL *pfnGetDeviceHandle)(ze_command_list_handle_t list, ze_device_handle_t *device);
	ze_result_t(ZE_APICALL *pfnGetContextHandle)(ze_command_list_handle_t list, ze_context_handle_t *context);
	ze_result_t(ZE_APICALL *pfnGetOrdinal)(ze_command_list_handle_t list, uint32_t *ordinal);
	ze_result_t(ZE_APICALL *pfnImmediateGetIndex)(ze_command_list_handle_t list, uint32_t *index);
	ze_result_t(ZE_APICALL *pfnIsImmediate)(ze_command_list_handle_t list, ze_bool_t *immediate);
} ze_tarn_command_list_more_t;

#endif
