/* SPDX-License-Identifier: Apache-2.0 */
/* The device: one, integrated, identified as the platform it simulates and by name as simulated. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "driver/ze/ze.h"

static ze_result_t get(ze_driver_handle_t h, uint32_t *count, ze_device_handle_t *devices)
{
	CHECK_HANDLE(h, TARN_ZE_DRIVER);
	CHECK_POINTER(count);
	if (*count == 0 || *count > 1)
		*count = 1;
	if (devices)
		devices[0] = &h->device;
	return ZE_RESULT_SUCCESS;
}

static ze_result_t get_sub_devices(ze_device_handle_t d, uint32_t *count, ze_device_handle_t *devices)
{
	(void)devices;
	CHECK_HANDLE(d, TARN_ZE_DEVICE);
	CHECK_POINTER(count);
	*count = 0;
	return ZE_RESULT_SUCCESS;
}

/* The structures a caller may chain to the properties; unknown ones are left alone. */
static void fill_chain(const tarn_ze_device *d, void *next)
{
	(void)d;
	for (int depth = 0; next && depth < 16; depth++) {
		ze_base_properties_t *base = next;
		if (base->stype == ZE_TARN_STYPE_DEVICE_IP_VERSION) {
			((ze_tarn_device_ip_version_t *)next)->ipVersion = 0;
		} else if (base->stype == ZE_TARN_STYPE_MUTABLE_LIST_PROPERTIES) {
			ze_mutable_command_list_exp_properties_t *m = next;
			m->mutableCommandListFlags = 0;
			m->mutableCommandFlags = ZE_TARN_MUTABLE_GRAPH_ARGUMENT_DEPRECATED | ZE_TARN_MUTABLE_GRAPH_ARGUMENTS;
		}
		next = base->pNext;
	}
}

static ze_result_t get_properties(ze_device_handle_t d, ze_device_properties_t *p)
{
	static const uint8_t uuid[ZE_MAX_DEVICE_UUID_SIZE] = {0x80, 0xd1, 0xd1, 0x1e, 0xb7, 0x38, 0x11, 0xea,
							      0xb3, 0xde, 0x02, 0x42, 0xac, 0x13, 0x00, 0x04};
	CHECK_HANDLE(d, TARN_ZE_DEVICE);
	CHECK_POINTER(p);
	const tarn_ze_platform *t = d->platform;
	uint64_t ticks_per_s = (uint64_t)d->arch->timer_hz;
	ze_device_properties_t out = {
		.stype = p->stype,
		.pNext = p->pNext,
		.type = ZE_DEVICE_TYPE_VPU,
		.vendorId = 0x8086,
		.deviceId = t->pci_device,
		.flags = ZE_DEVICE_PROPERTY_FLAG_INTEGRATED,
		.coreClockRate = (uint32_t)(d->arch->dpu_mhz_turbo * 1e6), /* the highest: what advertised TOPS are made of */
		.maxMemAllocSize = tarn_mem_total(),
		.maxHardwareContexts = 64,
		.maxCommandQueuePriority = ZE_COMMAND_QUEUE_PRIORITY_PRIORITY_HIGH,
		.numThreadsPerEU = 1,
		.physicalEUSimdWidth = t->simd_width,
		.numEUsPerSubslice = t->eus_per_subslice,
		.numSubslicesPerSlice = 1,
		.numSlices = (uint32_t)d->arch->tiles,
		.timerResolution =
			p->stype == ZE_STRUCTURE_TYPE_DEVICE_PROPERTIES_1_2 ? ticks_per_s : 1000000000u / ticks_per_s,
		.timestampValidBits = 64,
		.kernelTimestampValidBits = 64,
	};
	memcpy(out.uuid.id, uuid, sizeof uuid);
	snprintf(out.name, sizeof out.name, "Intel(R) AI Boost%s", d->config.hardware_name ? "" : " (simulated by Tarn)");
	*p = out;
	fill_chain(d, p->pNext);
	return ZE_RESULT_SUCCESS;
}

static ze_result_t get_queue_groups(ze_device_handle_t d, uint32_t *count, ze_command_queue_group_properties_t *p)
{
	CHECK_HANDLE(d, TARN_ZE_DEVICE);
	CHECK_POINTER(count);
	if (*count == 0 || *count > 1)
		*count = 1;
	if (p) {
		p->flags = ZE_COMMAND_QUEUE_GROUP_PROPERTY_FLAG_COMPUTE | ZE_COMMAND_QUEUE_GROUP_PROPERTY_FLAG_COPY;
		p->maxMemoryFillPatternSize = sizeof(uint32_t);
		p->numQueues = 1;
	}
	return ZE_RESULT_SUCCESS;
}

static ze_result_t get_memory(ze_device_handle_t d, uint32_t *count, ze_device_memory_properties_t *p)
{
	CHECK_HANDLE(d, TARN_ZE_DEVICE);
	CHECK_POINTER(count);
	if (*count == 0 || *count > 1)
		*count = 1;
	if (p) {
		p->flags = 0;
		p->maxClockRate = p->maxBusWidth = 0;
		p->totalSize = tarn_mem_total();
		snprintf(p->name, sizeof p->name, "DDR");
	}
	return ZE_RESULT_SUCCESS;
}

static ze_result_t get_memory_access(ze_device_handle_t d, ze_device_memory_access_properties_t *p)
{
	CHECK_HANDLE(d, TARN_ZE_DEVICE);
	CHECK_POINTER(p);
	p->hostAllocCapabilities = p->deviceAllocCapabilities = p->sharedSingleDeviceAllocCapabilities =
		ZE_MEMORY_ACCESS_CAP_FLAG_RW;
	p->sharedCrossDeviceAllocCapabilities = p->sharedSystemAllocCapabilities = 0;
	return ZE_RESULT_SUCCESS;
}

static ze_result_t get_external_memory(ze_device_handle_t d, ze_device_external_memory_properties_t *p)
{
	CHECK_HANDLE(d, TARN_ZE_DEVICE);
	CHECK_POINTER(p);
	p->memoryAllocationImportTypes = (ze_external_memory_type_flags_t)0x100; /* pages of the application's own memory */
	p->memoryAllocationExportTypes = 0;
	p->imageImportTypes = p->imageExportTypes = 0;
	return ZE_RESULT_SUCCESS;
}

static ze_result_t get_status(ze_device_handle_t d)
{
	CHECK_HANDLE(d, TARN_ZE_DEVICE);
	return ZE_RESULT_SUCCESS;
}

static ze_result_t get_timestamps(ze_device_handle_t d, uint64_t *host, uint64_t *device)
{
	CHECK_HANDLE(d, TARN_ZE_DEVICE);
	CHECK_POINTER(host);
	CHECK_POINTER(device);
	*device = tarn_sched_tick(d->sched, host);
	return ZE_RESULT_SUCCESS;
}

static ze_result_t get_pci(ze_device_handle_t d, ze_pci_ext_properties_t *p)
{
	CHECK_HANDLE(d, TARN_ZE_DEVICE);
	CHECK_POINTER(p);
	p->address = (ze_pci_address_ext_t){.domain = 0, .bus = 0, .device = 0xb, .function = 0};
	p->maxSpeed = (ze_pci_speed_ext_t){-1, -1, -1};
	return ZE_RESULT_SUCCESS;
}

const ze_device_dditable_t tarn_ze_device_table = {
	.pfnGet = get,
	.pfnGetSubDevices = get_sub_devices,
	.pfnGetProperties = get_properties,
	.pfnGetCommandQueueGroupProperties = get_queue_groups,
	.pfnGetMemoryProperties = get_memory,
	.pfnGetMemoryAccessProperties = get_memory_access,
	.pfnGetExternalMemoryProperties = get_external_memory,
	.pfnGetStatus = get_status,
	.pfnGetGlobalTimestamps = get_timestamps,
	.pfnPciGetPropertiesExt = get_pci,
};
