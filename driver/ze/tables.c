/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a Level Zero loader asks a driver for: one exported function per table of function pointers.
 *
 * The tables grow with the version of the API, and the caller's are as long as the version it names: slots newer than that
 * must not be written. Tables of features an NPU does not have (images, kernels, most of system management) are given empty;
 * loader 1.8.12 refuses a driver that lacks any of them.
 */
#include <level_zero/zet_ddi.h>
#include <string.h>

#include "driver/ze/ze.h"

/* Every loader in use asks for API 1.4 or more. */
static ze_result_t check(ze_api_version_t version, const void *table)
{
	CHECK_POINTER(table);
	return ZE_MAJOR_VERSION(version) == 1 && ZE_MINOR_VERSION(version) >= 4 ? ZE_RESULT_SUCCESS
										: ZE_RESULT_ERROR_UNSUPPORTED_VERSION;
}

/* The slots a table has in API 1.4, whatever the headers we build with have; `last` is the name of the last of them. */
#define SLOTS(type, last, n) \
	_Static_assert(offsetof(type, last) + sizeof(void *) == (n) * sizeof(void *), "slots of " #type " in API 1.4")

SLOTS(ze_global_dditable_t, pfnInit, 1);
ze_result_t zeGetGlobalProcAddrTable(ze_api_version_t version, ze_global_dditable_t *t)
{
	ZE_TRY(check(version, t));
	t->pfnInit = tarn_ze_init;
	if ((unsigned)version >= ZE_TARN_API_1_10)
		((ze_tarn_global_dditable_t *)(void *)t)->pfnInitDrivers = tarn_ze_init_drivers;
	return ZE_RESULT_SUCCESS;
}

SLOTS(ze_command_list_dditable_t, pfnAppendImageCopyFromMemoryExt, ZE_TARN_COMMAND_LIST_SLOTS);
ze_result_t zeGetCommandListProcAddrTable(ze_api_version_t version, ze_command_list_dditable_t *t)
{
	ZE_TRY(check(version, t));
	ze_command_list_dditable_t all;
	tarn_ze_list_fill(&all);
	memcpy((void *)t, &all, ZE_TARN_COMMAND_LIST_SLOTS * sizeof(void *));
	ze_tarn_command_list_more_t *more = (ze_tarn_command_list_more_t *)((void **)(void *)t + ZE_TARN_COMMAND_LIST_SLOTS);
	if ((unsigned)version >= ZE_TARN_API_1_9)
		*more = tarn_ze_list_more_table;
	else if ((unsigned)version >= ZE_TARN_API_1_6)
		more->pfnHostSynchronize = tarn_ze_list_more_table.pfnHostSynchronize;
	return ZE_RESULT_SUCCESS;
}

/* Newer headers declare this one, with a type that those of 1.8.12 do not have. */
ZE_DLLEXPORT ze_result_t tarn_ze_list_exp_get(ze_api_version_t version, ze_tarn_command_list_exp_dditable_t *t) __asm__(
	"zeGetCommandListExpProcAddrTable");
ze_result_t tarn_ze_list_exp_get(ze_api_version_t version, ze_tarn_command_list_exp_dditable_t *t)
{
	CHECK_POINTER(t);
	if (ZE_MAJOR_VERSION(version) != 1 || (unsigned)version < ZE_TARN_API_1_9)
		return ZE_RESULT_ERROR_UNSUPPORTED_VERSION;
	t->pfnGetNextCommandIdExp = tarn_ze_list_exp_table.pfnGetNextCommandIdExp;
	t->pfnUpdateMutableCommandsExp = tarn_ze_list_exp_table.pfnUpdateMutableCommandsExp;
	return ZE_RESULT_SUCCESS;
}

#define TABLE(name, type, from, last, n) \
	SLOTS(type, last, n); \
	ze_result_t name(ze_api_version_t version, type *t) \
	{ \
		ZE_TRY(check(version, t)); \
		memcpy((void *)t, &from, (n) * sizeof(void *)); \
		return ZE_RESULT_SUCCESS; \
	}
#define EMPTY(name, type) \
	ze_result_t name(ze_api_version_t version, type *t) \
	{ \
		return check(version, t); \
	}

/* clang-format off */
TABLE(zeGetDriverProcAddrTable, ze_driver_dditable_t, tarn_ze_driver_table, pfnGetExtensionFunctionAddress, 6)
TABLE(zeGetDeviceProcAddrTable, ze_device_dditable_t, tarn_ze_device_table, pfnPciGetPropertiesExt, 18)
TABLE(zeGetContextProcAddrTable, ze_context_dditable_t, tarn_ze_context_table, pfnCreateEx, 9)
TABLE(zeGetCommandQueueProcAddrTable, ze_command_queue_dditable_t, tarn_ze_queue_table, pfnSynchronize, 4)
TABLE(zeGetFenceProcAddrTable, ze_fence_dditable_t, tarn_ze_fence_table, pfnReset, 5)
TABLE(zeGetEventPoolProcAddrTable, ze_event_pool_dditable_t, tarn_ze_pool_table, pfnCloseIpcHandle, 5)
TABLE(zeGetEventProcAddrTable, ze_event_dditable_t, tarn_ze_event_table, pfnQueryKernelTimestamp, 7)
TABLE(zeGetMemProcAddrTable, ze_mem_dditable_t, tarn_ze_mem_table, pfnFreeExt, 10)
TABLE(zesGetDeviceProcAddrTable, zes_device_dditable_t, tarn_zes_device_table, pfnSetEccState, 29)
TABLE(zesGetEngineProcAddrTable, zes_engine_dditable_t, tarn_zes_engine_table, pfnGetActivity, 2)

EMPTY(zeGetImageProcAddrTable, ze_image_dditable_t)
EMPTY(zeGetKernelProcAddrTable, ze_kernel_dditable_t)
EMPTY(zeGetModuleProcAddrTable, ze_module_dditable_t)
EMPTY(zeGetModuleBuildLogProcAddrTable, ze_module_build_log_dditable_t)
EMPTY(zeGetPhysicalMemProcAddrTable, ze_physical_mem_dditable_t)
EMPTY(zeGetSamplerProcAddrTable, ze_sampler_dditable_t)
EMPTY(zeGetVirtualMemProcAddrTable, ze_virtual_mem_dditable_t)
EMPTY(zetGetCommandListProcAddrTable, zet_command_list_dditable_t)
EMPTY(zetGetContextProcAddrTable, zet_context_dditable_t)
EMPTY(zetGetDebugProcAddrTable, zet_debug_dditable_t)
EMPTY(zetGetDeviceProcAddrTable, zet_device_dditable_t)
EMPTY(zetGetKernelProcAddrTable, zet_kernel_dditable_t)
EMPTY(zetGetMetricGroupProcAddrTable, zet_metric_group_dditable_t)
EMPTY(zetGetMetricProcAddrTable, zet_metric_dditable_t)
EMPTY(zetGetMetricQueryPoolProcAddrTable, zet_metric_query_pool_dditable_t)
EMPTY(zetGetMetricQueryProcAddrTable, zet_metric_query_dditable_t)
EMPTY(zetGetMetricStreamerProcAddrTable, zet_metric_streamer_dditable_t)
EMPTY(zetGetModuleProcAddrTable, zet_module_dditable_t)
EMPTY(zetGetTracerExpProcAddrTable, zet_tracer_exp_dditable_t)
EMPTY(zesGetDiagnosticsProcAddrTable, zes_diagnostics_dditable_t)
EMPTY(zesGetDriverProcAddrTable, zes_driver_dditable_t)
EMPTY(zesGetFabricPortProcAddrTable, zes_fabric_port_dditable_t)
EMPTY(zesGetFanProcAddrTable, zes_fan_dditable_t)
EMPTY(zesGetFirmwareProcAddrTable, zes_firmware_dditable_t)
EMPTY(zesGetFrequencyProcAddrTable, zes_frequency_dditable_t)
EMPTY(zesGetLedProcAddrTable, zes_led_dditable_t)
EMPTY(zesGetMemoryProcAddrTable, zes_memory_dditable_t)
EMPTY(zesGetPerformanceFactorProcAddrTable, zes_performance_factor_dditable_t)
EMPTY(zesGetPowerProcAddrTable, zes_power_dditable_t)
EMPTY(zesGetPsuProcAddrTable, zes_psu_dditable_t)
EMPTY(zesGetRasProcAddrTable, zes_ras_dditable_t)
EMPTY(zesGetSchedulerProcAddrTable, zes_scheduler_dditable_t)
EMPTY(zesGetStandbyProcAddrTable, zes_standby_dditable_t)
EMPTY(zesGetTemperatureProcAddrTable, zes_temperature_dditable_t)
/* clang-format on */
