/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Level Zero NPU extension "ZE_extension_graph", versions 1.0 to 1.16: a whole model as one object of the driver.
 *
 * Binary interface only; names and layouts are the driver's, the text is ours. zeDriverGetExtensionFunctionAddress returns a
 * pointer to ze_graph_dditable_ext_t; the table only ever grows at its end, so a newer table serves an older caller. Sizes
 * and offsets in the asserts are those of the x86-64 interface.
 */
#ifndef ZEABI_ZE_GRAPH_EXT_H
#define ZEABI_ZE_GRAPH_EXT_H

#include <stddef.h>

#include "zeabi/ze_profiling_ext.h"

#define ZE_GRAPH_EXT_NAME "ZE_extension_graph"

typedef enum ze_graph_ext_version_t {
	ZE_GRAPH_EXT_VERSION_1_0 = ZE_MAKE_VERSION(1, 0),
	ZE_GRAPH_EXT_VERSION_1_5 = ZE_MAKE_VERSION(1, 5),
	ZE_GRAPH_EXT_VERSION_1_6 = ZE_MAKE_VERSION(1, 6),
	ZE_GRAPH_EXT_VERSION_1_7 = ZE_MAKE_VERSION(1, 7),
	ZE_GRAPH_EXT_VERSION_1_8 = ZE_MAKE_VERSION(1, 8),
	ZE_GRAPH_EXT_VERSION_1_11 = ZE_MAKE_VERSION(1, 11),
	ZE_GRAPH_EXT_VERSION_1_12 = ZE_MAKE_VERSION(1, 12),
	ZE_GRAPH_EXT_VERSION_1_15 = ZE_MAKE_VERSION(1, 15),
	ZE_GRAPH_EXT_VERSION_1_16 = ZE_MAKE_VERSION(1, 16),
	ZE_GRAPH_EXT_VERSION_CURRENT = ZE_GRAPH_EXT_VERSION_1_16,
	ZE_GRAPH_EXT_VERSION_FORCE_UINT32 = 0x7fffffff
} ze_graph_ext_version_t;

typedef enum ze_graph_format_t {
	ZE_GRAPH_FORMAT_NATIVE = 1,     /* a compiled blob */
	ZE_GRAPH_FORMAT_NGRAPH_LITE = 2 /* OpenVINO IR, xml and weights in one buffer */
} ze_graph_format_t;

typedef struct ze_graph_compiler_version_info_t {
	uint16_t major, minor;
} ze_graph_compiler_version_info_t;

typedef enum ze_structure_type_graph_ext_t {
	ZE_STRUCTURE_TYPE_DEVICE_GRAPH_PROPERTIES = 0x1,
	ZE_STRUCTURE_TYPE_GRAPH_DESC_PROPERTIES = 0x2,
	ZE_STRUCTURE_TYPE_GRAPH_PROPERTIES = 0x3,
	ZE_STRUCTURE_TYPE_GRAPH_ARGUMENT_PROPERTIES = 0x4,
	ZE_STRUCTURE_TYPE_GRAPH_ACTIVATION_KERNEL = 0x5,
	ZE_STRUCTURE_TYPE_GRAPH_ARGUMENT_METADATA = 0x6,
	ZE_STRUCTURE_TYPE_MUTABLE_GRAPH_ARGUMENT_EXP_DESC_DEPRECATED = 0x7,
	ZE_STRUCTURE_TYPE_MUTABLE_GRAPH_PROFILING_QUERY_EXP_DESC = 0x8,
	ZE_STRUCTURE_TYPE_GRAPH_INPUT_HASH = 0x9
} ze_structure_type_graph_ext_t;

typedef enum ze_graph_argument_precision_t {
	ZE_GRAPH_ARGUMENT_PRECISION_UNKNOWN = 0,
	ZE_GRAPH_ARGUMENT_PRECISION_FP32 = 1,
	ZE_GRAPH_ARGUMENT_PRECISION_FP16 = 2,
	ZE_GRAPH_ARGUMENT_PRECISION_UINT16 = 3,
	ZE_GRAPH_ARGUMENT_PRECISION_UINT8 = 4,
	ZE_GRAPH_ARGUMENT_PRECISION_INT32 = 5,
	ZE_GRAPH_ARGUMENT_PRECISION_INT16 = 6,
	ZE_GRAPH_ARGUMENT_PRECISION_INT8 = 7,
	ZE_GRAPH_ARGUMENT_PRECISION_BIN = 8,
	ZE_GRAPH_ARGUMENT_PRECISION_BF16 = 9,
	ZE_GRAPH_ARGUMENT_PRECISION_UINT32 = 10,
	ZE_GRAPH_ARGUMENT_PRECISION_UINT4 = 11,
	ZE_GRAPH_ARGUMENT_PRECISION_INT4 = 12,
	ZE_GRAPH_ARGUMENT_PRECISION_DYNAMIC = 13,
	ZE_GRAPH_ARGUMENT_PRECISION_BOOLEAN = 14,
	ZE_GRAPH_ARGUMENT_PRECISION_FP64 = 15,
	ZE_GRAPH_ARGUMENT_PRECISION_UINT64 = 16,
	ZE_GRAPH_ARGUMENT_PRECISION_INT64 = 17,
	ZE_GRAPH_ARGUMENT_PRECISION_NF4 = 18,
	ZE_GRAPH_ARGUMENT_PRECISION_FP8_E4M3 = 19,
	ZE_GRAPH_ARGUMENT_PRECISION_FP8_E5M2 = 20,
	ZE_GRAPH_ARGUMENT_PRECISION_FP8_E8M0 = 21,
	ZE_GRAPH_ARGUMENT_PRECISION_UINT2 = 22,
	ZE_GRAPH_ARGUMENT_PRECISION_INT2 = 23
} ze_graph_argument_precision_t;

typedef enum ze_graph_argument_layout_t {
	ZE_GRAPH_ARGUMENT_LAYOUT_ANY = 0,
	ZE_GRAPH_ARGUMENT_LAYOUT_NCHW = 1,
	ZE_GRAPH_ARGUMENT_LAYOUT_NHWC = 2,
	ZE_GRAPH_ARGUMENT_LAYOUT_NCDHW = 3,
	ZE_GRAPH_ARGUMENT_LAYOUT_NDHWC = 4,
	ZE_GRAPH_ARGUMENT_LAYOUT_OIHW = 0x40,
	ZE_GRAPH_ARGUMENT_LAYOUT_C = 0x60,
	ZE_GRAPH_ARGUMENT_LAYOUT_CHW = 0x80,
	ZE_GRAPH_ARGUMENT_LAYOUT_HW = 0xc0,
	ZE_GRAPH_ARGUMENT_LAYOUT_NC = 0xc1,
	ZE_GRAPH_ARGUMENT_LAYOUT_CN = 0xc2,
	ZE_GRAPH_ARGUMENT_LAYOUT_BLOCKED = 0xc8
} ze_graph_argument_layout_t;

typedef enum ze_graph_argument_type_t {
	ZE_GRAPH_ARGUMENT_TYPE_INPUT = 0,
	ZE_GRAPH_ARGUMENT_TYPE_OUTPUT = 1
} ze_graph_argument_type_t;

#define ZE_MAX_GRAPH_ARGUMENT_NAME 256
#define ZE_MAX_GRAPH_ARGUMENT_DIMENSIONS_SIZE 5
#define ZE_MAX_GRAPH_TENSOR_REF_DIMS 8
#define ZE_MAX_GRAPH_TENSOR_NAMES_SIZE 32

typedef struct ze_graph_version_info_t {
	uint32_t major, minor, patch;
} ze_graph_version_info_t;

typedef struct ze_device_graph_properties_t {
	ze_structure_type_graph_ext_t stype;
	void *pNext;
	ze_graph_ext_version_t graphExtensionVersion;
	ze_graph_compiler_version_info_t compilerVersion;
	ze_graph_format_t graphFormatsSupported;
	uint32_t maxOVOpsetVersionSupported;
} ze_device_graph_properties_t;

typedef struct ze_device_graph_properties_2_t {
	ze_structure_type_graph_ext_t stype;
	void *pNext;
	ze_graph_ext_version_t graphExtensionVersion;
	ze_graph_compiler_version_info_t compilerVersion;
	ze_graph_format_t graphFormatsSupported;
	uint32_t maxOVOpsetVersionSupported;
	ze_graph_version_info_t elfVersion;
	ze_graph_version_info_t runtimeVersion;
} ze_device_graph_properties_2_t;

/* The model to compile, or the blob to load. pBuildFlags: --inputs_precisions= --inputs_layouts= --outputs_precisions=
 * --outputs_layouts= (each optional, "<index>:<value> ...") and --config KEY="VALUE" ... */
typedef struct ze_graph_desc_t {
	ze_structure_type_graph_ext_t stype;
	void *pNext;
	ze_graph_format_t format;
	size_t inputSize;
	const uint8_t *pInput;
	const char *pBuildFlags;
} ze_graph_desc_t;

typedef enum ze_graph_flags_t {
	ZE_GRAPH_FLAG_NONE = 0,
	ZE_GRAPH_FLAG_DISABLE_CACHING = 1,       /* the driver's cache is neither read nor written */
	ZE_GRAPH_FLAG_ENABLE_PROFILING = 2,      /* as PERF_COUNT="YES" in the build flags */
	ZE_GRAPH_FLAG_INPUT_GRAPH_PERSISTENT = 4 /* pInput (page aligned) outlives the graph */
} ze_graph_flags_t;

typedef struct ze_graph_desc_2_t {
	ze_structure_type_graph_ext_t stype;
	void *pNext;
	ze_graph_format_t format;
	size_t inputSize;
	const uint8_t *pInput;
	const char *pBuildFlags;
	uint32_t flags;
} ze_graph_desc_2_t;

/* In a descriptor's pNext: the caller's own hash of the model, used for the cache key instead of the bytes. */
typedef struct ze_graph_input_hash_t {
	ze_structure_type_graph_ext_t stype;
	void *pNext;
	uint64_t hash;
} ze_graph_input_hash_t;

typedef struct ze_graph_properties_t {
	ze_structure_type_graph_ext_t stype;
	void *pNext;
	uint32_t numGraphArgs;
} ze_graph_properties_t;

typedef enum ze_graph_init_stage_t {
	ZE_GRAPH_STAGE_COMMAND_LIST_INITIALIZE = 1,
	ZE_GRAPH_STAGE_INITIALIZE = 2,
	ZE_GRAPH_STAGE_FORCE_UINT32 = 0x7fffffff
} ze_graph_init_stage_t;

typedef struct ze_graph_properties_2_t {
	ze_structure_type_graph_ext_t stype;
	void *pNext;
	uint32_t numGraphArgs;
	ze_graph_init_stage_t initStageRequired;
} ze_graph_properties_2_t;

typedef uint32_t ze_graph_properties_flags_t;
typedef enum ze_graph_properties_flag_t {
	ZE_GRAPH_PROPERTIES_FLAG_LOADED_FROM_CACHE = 1,
	ZE_GRAPH_PROPERTIES_FLAG_COMPILED = 2,
	ZE_GRAPH_PROPERTIES_FLAG_PRE_COMPILED = 4,
	ZE_GRAPH_PROPERTIES_FLAG_NO_STANDARD_ALLOCATION = 8,
	ZE_GRAPH_PROPERTIES_FLAG_PROFILING_ENABLED = 16,
	ZE_GRAPH_PROPERTIES_FLAG_FORCE_UINT32 = 0x7fffffff
} ze_graph_properties_flag_t;

typedef struct ze_graph_properties_3_t {
	ze_structure_type_graph_ext_t stype;
	void *pNext;
	uint32_t numGraphArgs;
	ze_graph_init_stage_t initStageRequired;
	ze_graph_properties_flags_t flags;
} ze_graph_properties_3_t;

typedef struct ze_graph_argument_properties_t {
	ze_structure_type_graph_ext_t stype;
	void *pNext;
	char name[ZE_MAX_GRAPH_ARGUMENT_NAME];
	ze_graph_argument_type_t type;
	uint32_t dims[ZE_MAX_GRAPH_ARGUMENT_DIMENSIONS_SIZE]; /* unused ones are 1 */
	ze_graph_argument_precision_t networkPrecision;
	ze_graph_argument_layout_t networkLayout;
	ze_graph_argument_precision_t devicePrecision;
	ze_graph_argument_layout_t deviceLayout;
} ze_graph_argument_properties_t;

typedef struct ze_graph_argument_properties_2_t {
	ze_structure_type_graph_ext_t stype;
	void *pNext;
	char name[ZE_MAX_GRAPH_ARGUMENT_NAME];
	ze_graph_argument_type_t type;
	uint32_t dims[ZE_MAX_GRAPH_ARGUMENT_DIMENSIONS_SIZE];
	ze_graph_argument_precision_t networkPrecision;
	ze_graph_argument_layout_t networkLayout;
	ze_graph_argument_precision_t devicePrecision;
	ze_graph_argument_layout_t deviceLayout;
	float quantReverseScale;
	uint8_t quantZeroPoint;
} ze_graph_argument_properties_2_t;

typedef struct ze_graph_argument_properties_3_t {
	ze_structure_type_graph_ext_t stype;
	void *pNext;
	char name[ZE_MAX_GRAPH_ARGUMENT_NAME];
	ze_graph_argument_type_t type;
	uint32_t dims[ZE_MAX_GRAPH_ARGUMENT_DIMENSIONS_SIZE];
	ze_graph_argument_precision_t networkPrecision;
	ze_graph_argument_layout_t networkLayout;
	ze_graph_argument_precision_t devicePrecision;
	ze_graph_argument_layout_t deviceLayout;
	float quantReverseScale;
	uint8_t quantZeroPoint;
	uint32_t dims_count;
	char debug_friendly_name[ZE_MAX_GRAPH_ARGUMENT_NAME];
	char associated_tensor_names[ZE_MAX_GRAPH_TENSOR_NAMES_SIZE][ZE_MAX_GRAPH_ARGUMENT_NAME];
	uint32_t associated_tensor_names_count;
} ze_graph_argument_properties_3_t;

typedef enum ze_graph_metadata_type {
	ZE_GRAPH_METADATA_TYPE_UNDEFINED = 0,
	ZE_GRAPH_METADATA_TYPE_DYNAMIC = 1,
	ZE_GRAPH_METADATA_TYPE_BOOLEAN = 2,
	ZE_GRAPH_METADATA_TYPE_BF16 = 3,
	ZE_GRAPH_METADATA_TYPE_F16 = 4,
	ZE_GRAPH_METADATA_TYPE_F32 = 5,
	ZE_GRAPH_METADATA_TYPE_F64 = 6,
	ZE_GRAPH_METADATA_TYPE_I4 = 7,
	ZE_GRAPH_METADATA_TYPE_I8 = 8,
	ZE_GRAPH_METADATA_TYPE_I16 = 9,
	ZE_GRAPH_METADATA_TYPE_I32 = 10,
	ZE_GRAPH_METADATA_TYPE_I64 = 11,
	ZE_GRAPH_METADATA_TYPE_U1 = 12,
	ZE_GRAPH_METADATA_TYPE_U4 = 13,
	ZE_GRAPH_METADATA_TYPE_U8 = 14,
	ZE_GRAPH_METADATA_TYPE_U16 = 15,
	ZE_GRAPH_METADATA_TYPE_U32 = 16,
	ZE_GRAPH_METADATA_TYPE_U64 = 17
} ze_graph_metadata_type;

typedef struct ze_graph_argument_metadata_t {
	ze_structure_type_graph_ext_t stype;
	void *pNext;
	ze_graph_argument_type_t type;
	char friendly_name[ZE_MAX_GRAPH_ARGUMENT_NAME];
	ze_graph_metadata_type data_type;
	uint64_t shape[ZE_MAX_GRAPH_TENSOR_REF_DIMS]; /* UINT64_MAX: a dynamic dimension */
	uint32_t shape_size;
	char tensor_names[ZE_MAX_GRAPH_TENSOR_NAMES_SIZE][ZE_MAX_GRAPH_ARGUMENT_NAME];
	uint32_t tensor_names_count;
	char input_name[ZE_MAX_GRAPH_ARGUMENT_NAME];
} ze_graph_argument_metadata_t;

/* Argument of pfnSetArgumentValue2: an address, and optionally strides in pNext. */
typedef struct ze_graph_argument_value_tensor_t {
	ze_structure_type_graph_ext_t stype;
	const void *pNext;
	const void *pTensor;
} ze_graph_argument_value_tensor_t;

typedef enum ze_graph_memory_query_type_t {
	ZE_GRAPH_QUERY_MEMORY_DDR = 1,
	ZE_GRAPH_QUERY_MEMORY_DRIVER_CACHE = 2,
	ZE_GRAPH_QUERY_MEMORY_PROGRAM_CACHE = 3
} ze_graph_memory_query_type_t;

/* Bytes. */
typedef struct ze_graph_memory_query_t {
	uint64_t total, allocated;
} ze_graph_memory_query_t;

typedef enum ze_npu_options_type_t {
	ZE_NPU_COMPILER_OPTIONS = 1,
	ZE_NPU_DRIVER_OPTIONS = 2,
	ZE_NPU_OPTIONS_FORCE_UINT32 = 0x7fffffff
} ze_npu_options_type_t;

typedef struct _ze_graph_query_network_handle_t *ze_graph_query_network_handle_t;
typedef struct _ze_graph_build_log_handle_t *ze_graph_build_log_handle_t;

/* Functions that return text or bytes: a NULL buffer asks for the size. */
typedef ze_result_t(ZE_APICALL *ze_pfnGraphCreate_ext_t)(ze_context_handle_t context, ze_device_handle_t device,
							 const ze_graph_desc_t *desc, ze_graph_handle_t *graph);
typedef ze_result_t(ZE_APICALL *ze_pfnGraphDestroy_ext_t)(ze_graph_handle_t graph);
typedef ze_result_t(ZE_APICALL *ze_pfnGraphGetProperties_ext_t)(ze_graph_handle_t graph, ze_graph_properties_t *properties);
typedef ze_result_t(ZE_APICALL *ze_pfnGraphGetArgumentProperties_ext_t)(ze_graph_handle_t graph, uint32_t index,
									ze_graph_argument_properties_t *properties);
typedef ze_result_t(ZE_APICALL *ze_pfnGraphSetArgumentValue_ext_t)(ze_graph_handle_t graph, uint32_t index, const void *value);
typedef ze_result_t(ZE_APICALL *ze_pfnAppendGraphInitialize_ext_t)(ze_command_list_handle_t list, ze_graph_handle_t graph,
								   ze_event_handle_t signal, uint32_t n_wait,
								   ze_event_handle_t *wait);
typedef ze_result_t(ZE_APICALL *ze_pfnAppendGraphExecute_ext_t)(ze_command_list_handle_t list, ze_graph_handle_t graph,
								ze_graph_profiling_query_handle_t query,
								ze_event_handle_t signal, uint32_t n_wait,
								ze_event_handle_t *wait);
typedef ze_result_t(ZE_APICALL *ze_pfnGraphGetNativeBinary_ext_t)(ze_graph_handle_t graph, size_t *size, uint8_t *binary);
typedef ze_result_t(ZE_APICALL *ze_pfnDeviceGetGraphProperties_ext_t)(ze_device_handle_t device,
								      ze_device_graph_properties_t *properties);
typedef ze_result_t(ZE_APICALL *ze_pfnGraphGetArgumentMetadata_ext_t)(ze_graph_handle_t graph, uint32_t index,
								      ze_graph_argument_metadata_t *metadata);
typedef ze_result_t(ZE_APICALL *ze_pfnGraphGetArgumentProperties_ext_2_t)(ze_graph_handle_t graph, uint32_t index,
									  ze_graph_argument_properties_2_t *properties);
typedef ze_result_t(ZE_APICALL *ze_pfnGraphGetArgumentProperties_ext_3_t)(ze_graph_handle_t graph, uint32_t index,
									  ze_graph_argument_properties_3_t *properties);
typedef ze_result_t(ZE_APICALL *ze_pfnGraphQueryNetworkCreate_ext_t)(ze_context_handle_t context, ze_device_handle_t device,
								     const ze_graph_desc_t *desc,
								     ze_graph_query_network_handle_t *query);
typedef ze_result_t(ZE_APICALL *ze_pfnGraphQueryNetworkDestroy_ext_t)(ze_graph_query_network_handle_t query);
/* "<name><name>..." of friendly names, not NUL-terminated. */
typedef ze_result_t(ZE_APICALL *ze_pfnGraphQueryNetworkGetSupportedLayers_ext_t)(ze_graph_query_network_handle_t query,
										 size_t *size, char *layers);
/* graph NULL: the last failure of this thread. */
typedef ze_result_t(ZE_APICALL *ze_pfnGraphBuildLogGetString_ext_t)(ze_graph_handle_t graph, uint32_t *size, char *log);
typedef ze_result_t(ZE_APICALL *ze_pfnGraphCreate_ext_2_t)(ze_context_handle_t context, ze_device_handle_t device,
							   const ze_graph_desc_2_t *desc, ze_graph_handle_t *graph);
typedef ze_result_t(ZE_APICALL *ze_pfnGraphQueryNetworkCreate_ext_2_t)(ze_context_handle_t context, ze_device_handle_t device,
								       const ze_graph_desc_2_t *desc,
								       ze_graph_query_network_handle_t *query);
typedef ze_result_t(ZE_APICALL *ze_pfnGraphQueryContextMemory_ext_t)(ze_context_handle_t context,
								     ze_graph_memory_query_type_t type,
								     ze_graph_memory_query_t *query);
typedef ze_result_t(ZE_APICALL *ze_pfnDeviceGetGraphProperties_ext_2_t)(ze_device_handle_t device,
									ze_device_graph_properties_2_t *properties);
/* *binary stays the driver's, valid as long as the graph. */
typedef ze_result_t(ZE_APICALL *ze_pfnGraphGetNativeBinary_ext_2_t)(ze_graph_handle_t graph, size_t *size,
								    const uint8_t **binary);
typedef ze_result_t(ZE_APICALL *ze_pfnGraphGetProperties_ext_2_t)(ze_graph_handle_t graph, ze_graph_properties_2_t *properties);
typedef ze_result_t(ZE_APICALL *ze_pfnGraphInitialize_ext_t)(ze_graph_handle_t graph);
/* Option names, separated by white space. */
typedef ze_result_t(ZE_APICALL *ze_pfnGetSupportedOptions_ext_t)(ze_device_handle_t device, ze_npu_options_type_t type,
								 size_t *size, char *options);
/* value NULL: the option at all. SUCCESS or UNSUPPORTED_FEATURE. */
typedef ze_result_t(ZE_APICALL *ze_pfnIsOptionSupported_ext_t)(ze_device_handle_t device, ze_npu_options_type_t type,
							       const char *option, const char *value);
typedef ze_result_t(ZE_APICALL *ze_pfnGraphCreate_ext_3_t)(ze_context_handle_t context, ze_device_handle_t device,
							   const ze_graph_desc_2_t *desc, ze_graph_handle_t *graph,
							   ze_graph_build_log_handle_t *log);
typedef ze_result_t(ZE_APICALL *ze_pfnGraphGetProperties_ext_3_t)(ze_graph_handle_t graph, ze_graph_properties_3_t *properties);
typedef ze_result_t(ZE_APICALL *ze_pfnGraphBuildLogGetString_ext_2_t)(ze_graph_build_log_handle_t log, uint32_t *size,
								      char *text);
typedef ze_result_t(ZE_APICALL *ze_pfnGraphBuildLogDestroy_ext_t)(ze_graph_build_log_handle_t log);
typedef ze_result_t(ZE_APICALL *ze_pfnGraphSetArgumentValue_ext_2_t)(ze_graph_handle_t graph, uint32_t index,
								     const void *value);
typedef ze_result_t(ZE_APICALL *ze_pfnGraphEvict_ext_t)(ze_graph_handle_t graph);

typedef struct ze_graph_dditable_ext_t {
	/* 1.0 */
	ze_pfnGraphCreate_ext_t pfnCreate;
	ze_pfnGraphDestroy_ext_t pfnDestroy;
	ze_pfnGraphGetProperties_ext_t pfnGetProperties;
	ze_pfnGraphGetArgumentProperties_ext_t pfnGetArgumentProperties;
	ze_pfnGraphSetArgumentValue_ext_t pfnSetArgumentValue;
	ze_pfnAppendGraphInitialize_ext_t pfnAppendGraphInitialize;
	ze_pfnAppendGraphExecute_ext_t pfnAppendGraphExecute;
	ze_pfnGraphGetNativeBinary_ext_t pfnGetNativeBinary;
	ze_pfnDeviceGetGraphProperties_ext_t pfnDeviceGetGraphProperties;
	/* 1.1 */
	ze_pfnGraphGetArgumentMetadata_ext_t pfnGraphGetArgumentMetadata;
	ze_pfnGraphGetArgumentProperties_ext_2_t pfnGetArgumentProperties2;
	/* 1.2 */
	ze_pfnGraphGetArgumentProperties_ext_3_t pfnGetArgumentProperties3;
	/* 1.3 */
	ze_pfnGraphQueryNetworkCreate_ext_t pfnQueryNetworkCreate;
	ze_pfnGraphQueryNetworkDestroy_ext_t pfnQueryNetworkDestroy;
	ze_pfnGraphQueryNetworkGetSupportedLayers_ext_t pfnQueryNetworkGetSupportedLayers;
	/* 1.4 */
	ze_pfnGraphBuildLogGetString_ext_t pfnBuildLogGetString;
	/* 1.5 */
	ze_pfnGraphCreate_ext_2_t pfnCreate2;
	ze_pfnGraphQueryNetworkCreate_ext_2_t pfnQueryNetworkCreate2;
	ze_pfnGraphQueryContextMemory_ext_t pfnQueryContextMemory;
	/* 1.6 */
	ze_pfnDeviceGetGraphProperties_ext_2_t pfnDeviceGetGraphProperties2;
	/* 1.7 */
	ze_pfnGraphGetNativeBinary_ext_2_t pfnGetNativeBinary2;
	/* 1.8 */
	ze_pfnGraphGetProperties_ext_2_t pfnGetProperties2;
	ze_pfnGraphInitialize_ext_t pfnGraphInitialize;
	/* 1.11 */
	ze_pfnGetSupportedOptions_ext_t pfnCompilerGetSupportedOptions;
	ze_pfnIsOptionSupported_ext_t pfnCompilerIsOptionSupported;
	/* 1.12 */
	ze_pfnGraphCreate_ext_3_t pfnCreate3;
	ze_pfnGraphGetProperties_ext_3_t pfnGetProperties3;
	ze_pfnGraphBuildLogGetString_ext_2_t pfnBuildLogGetString2;
	ze_pfnGraphBuildLogDestroy_ext_t pfnBuildLogDestroy;
	/* 1.15 */
	ze_pfnGraphSetArgumentValue_ext_2_t pfnSetArgumentValue2;
	/* 1.16 */
	ze_pfnGraphEvict_ext_t pfnEvict;
} ze_graph_dditable_ext_t;

#if defined(__x86_64__)
_Static_assert(sizeof(ze_graph_desc_2_t) == 56, "layout");
_Static_assert(offsetof(ze_graph_desc_2_t, format) == 16, "layout");
_Static_assert(offsetof(ze_graph_desc_2_t, pInput) == 32, "layout");
_Static_assert(offsetof(ze_graph_desc_2_t, flags) == 48, "layout");
_Static_assert(sizeof(ze_device_graph_properties_2_t) == 56, "layout");
_Static_assert(sizeof(ze_graph_properties_3_t) == 32, "layout");
_Static_assert(sizeof(ze_graph_argument_properties_t) == 312, "layout");
_Static_assert(sizeof(ze_graph_argument_properties_2_t) == 320, "layout");
_Static_assert(sizeof(ze_graph_argument_properties_3_t) == 8776, "layout");
_Static_assert(sizeof(ze_graph_argument_metadata_t) == 8800, "layout");
_Static_assert(sizeof(ze_graph_memory_query_t) == 16, "layout");
_Static_assert(sizeof(ze_graph_dditable_ext_t) == 31 * 8, "layout");
_Static_assert(offsetof(ze_graph_dditable_ext_t, pfnCreate2) == 128, "layout");
_Static_assert(offsetof(ze_graph_dditable_ext_t, pfnGraphInitialize) == 176, "layout");
_Static_assert(offsetof(ze_graph_dditable_ext_t, pfnCreate3) == 200, "layout");
_Static_assert(offsetof(ze_graph_dditable_ext_t, pfnSetArgumentValue2) == 232, "layout");
_Static_assert(offsetof(ze_graph_dditable_ext_t, pfnEvict) == 240, "layout");
#endif

#endif
