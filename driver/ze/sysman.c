/* SPDX-License-Identifier: Apache-2.0 */
/* The little of the system management API that tells how busy the device is: one engine group. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "driver/ze/ze.h"

/* zes handles of a device and its engine group are the device's. */
static tarn_ze_device *device_of(const void *h)
{
	tarn_ze_device *d = &tarn_ze_driver_get()->device;
	return h == d && d->magic == TARN_ZE_DEVICE ? d : NULL;
}

static ze_result_t enum_engines(zes_device_handle_t h, uint32_t *count, zes_engine_handle_t *engines)
{
	if (!h)
		return ZE_RESULT_ERROR_INVALID_NULL_HANDLE;
	if (!device_of(h))
		return ZE_RESULT_ERROR_INVALID_ARGUMENT;
	CHECK_POINTER(count);
	if (*count == 0 || *count > 1)
		*count = 1;
	if (engines)
		engines[0] = (zes_engine_handle_t)(void *)h;
	return ZE_RESULT_SUCCESS;
}

static ze_result_t device_properties(zes_device_handle_t h, zes_device_properties_t *p)
{
	if (!h)
		return ZE_RESULT_ERROR_INVALID_NULL_HANDLE;
	tarn_ze_device *d = device_of(h);
	if (!d)
		return ZE_RESULT_ERROR_INVALID_ARGUMENT;
	CHECK_POINTER(p);
	p->core.stype = ZE_STRUCTURE_TYPE_DEVICE_PROPERTIES;
	p->core.pNext = NULL;
	ZE_TRY(tarn_ze_device_table.pfnGetProperties(d, &p->core));
	p->numSubdevices = 0;
	snprintf(p->serialNumber, sizeof p->serialNumber, "unknown");
	snprintf(p->boardNumber, sizeof p->boardNumber, "unknown");
	snprintf(p->brandName, sizeof p->brandName, "NPU");
	snprintf(p->modelName, sizeof p->modelName, "%.63s", p->core.name);
	snprintf(p->vendorName, sizeof p->vendorName, "INTEL");
	/* What monitoring programs look for, and whose it is. */
	snprintf(p->driverVersion, sizeof p->driverVersion, "tarn " TARN_VERSION " (simulates npu-linux-driver)");
	return ZE_RESULT_SUCCESS;
}

static ze_result_t engine_properties(zes_engine_handle_t h, zes_engine_properties_t *p)
{
	if (!h)
		return ZE_RESULT_ERROR_INVALID_NULL_HANDLE;
	if (!device_of(h))
		return ZE_RESULT_ERROR_INVALID_ARGUMENT;
	CHECK_POINTER(p);
	p->type = ZES_ENGINE_GROUP_COMPUTE_ALL;
	p->onSubdevice = 0;
	p->subdeviceId = 0;
	return ZE_RESULT_SUCCESS;
}

static ze_result_t engine_activity(zes_engine_handle_t h, zes_engine_stats_t *p)
{
	if (!h)
		return ZE_RESULT_ERROR_INVALID_NULL_HANDLE;
	tarn_ze_device *d = device_of(h);
	if (!d)
		return ZE_RESULT_ERROR_INVALID_ARGUMENT;
	CHECK_POINTER(p);
	tarn_sched_stats s;
	tarn_sched_get_stats(d->sched, &s);
	p->activeTime = s.busy_ns / 1000;
	/* Busy time is modelled; only in paced mode does it share a scale with the wall clock. */
	p->timestamp = d->config.paced ? (uint64_t)tarn_clock_ns() / 1000 : s.clock_ns / 1000;
	return ZE_RESULT_SUCCESS;
}

const zes_device_dditable_t tarn_zes_device_table = {
	.pfnGetProperties = device_properties,
	.pfnEnumEngineGroups = enum_engines,
};

const zes_engine_dditable_t tarn_zes_engine_table = {
	.pfnGetProperties = engine_properties,
	.pfnGetActivity = engine_activity,
};
