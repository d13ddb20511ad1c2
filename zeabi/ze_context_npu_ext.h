/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Level Zero NPU extension "ZE_extension_context_npu", version 1.0: memory of an idle context. Binary interface only; the names
 * are the driver's, the text is ours.
 */
#ifndef ZEABI_ZE_CONTEXT_NPU_EXT_H
#define ZEABI_ZE_CONTEXT_NPU_EXT_H

#include <stdint.h>

#include <level_zero/ze_api.h>

#define ZE_CONTEXT_NPU_EXT_NAME "ZE_extension_context_npu"

typedef enum ze_context_npu_ext_version_t {
	ZE_CONTEXT_NPU_EXT_VERSION_1_0 = ZE_MAKE_VERSION(1, 0),
	ZE_CONTEXT_NPU_EXT_VERSION_CURRENT = ZE_CONTEXT_NPU_EXT_VERSION_1_0,
	ZE_CONTEXT_NPU_EXT_VERSION_FORCE_UINT32 = 0x7fffffff
} ze_context_npu_ext_version_t;

typedef enum ze_structure_type_context_npu_ext_t {
	ZE_STRUCTURE_TYPE_CONTEXT_PROPERTIES_NPU_EXT = 1,
	ZE_STRUCTURE_TYPE_CONTEXT_FORCE_UINT32 = 0x7fffffff
} ze_structure_type_context_npu_ext_t;

typedef uint32_t ze_npu_context_options_t;
typedef enum ze_npu_context_option_t {
	ZE_NPU_CONTEXT_OPTION_IDLE_OPTIMIZATIONS = 1, /* give memory back when the device goes idle (the default) */
	ZE_NPU_CONTEXT_OPTION_FORCE_UINT32 = 0x7fffffff
} ze_npu_context_option_t;

typedef struct ze_context_properties_npu_ext_t {
	ze_structure_type_context_npu_ext_t stype;
	const void *pNext;
	ze_npu_context_options_t options;
} ze_context_properties_npu_ext_t;

typedef ze_result_t(ZE_APICALL *ze_pfnContextSetProperties_ext_t)(ze_context_handle_t context,
								  ze_context_properties_npu_ext_t *properties);
typedef ze_result_t(ZE_APICALL *ze_pfnContextReleaseMemory_ext_t)(ze_context_handle_t context);

typedef struct ze_context_npu_dditable_ext_t {
	ze_pfnContextSetProperties_ext_t pfnSetProperties;
	ze_pfnContextReleaseMemory_ext_t pfnReleaseMemory;
} ze_context_npu_dditable_ext_t;

#endif
