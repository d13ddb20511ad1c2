/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/npu/device.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/module.h"
#include "dev/npu/npu.h"

/* What OpenVINO calls the platforms by PCI device; numbers of the hardware, and of what ships in it. */
static const struct platform {
	uint32_t pci;
	int number;
} platforms[] = {
	{0x7d1d, 3720}, /* Meteor Lake */
	{0xad1d, 3720}, /* Arrow Lake */
	{0x643e, 4000}, /* Lunar Lake */
	{0xb03e, 5010}, /* Panther Lake */
	{0xfd3e, 5020}, /* Wildcat Lake */
};

void tarn_npu_device_unref(npu_device *d)
{
	if (!d || !tarn_ref_drop(&d->refs))
		return;
	if (d->context)
		d->sys->ze.ContextDestroy(d->context);
	tarn_mutex_fini(&d->lock);
	tarn_mem_free(d);
}

static tarn_err find_queue_group(npu_device *d)
{
	ze_command_queue_group_properties_t group[8];
	uint32_t n = 0;
	const npu_calls *ze = &d->sys->ze;
	ZE_DO(ze->DeviceGetCommandQueueGroupProperties(d->device, &n, NULL), "listing command queues");
	n = n < 8 ? n : 8;
	memset(group, 0, sizeof group);
	for (uint32_t i = 0; i < n; i++)
		group[i].stype = ZE_STRUCTURE_TYPE_COMMAND_QUEUE_GROUP_PROPERTIES;
	ZE_DO(ze->DeviceGetCommandQueueGroupProperties(d->device, &n, group), "listing command queues");
	for (uint32_t i = 0; i < n; i++)
		if (group[i].flags & ZE_COMMAND_QUEUE_GROUP_PROPERTY_FLAG_COMPUTE) {
			d->queue_group = i;
			return TARN_OK;
		}
	return tarn_err_set(TARN_DEVICE, "the NPU's driver has no queue for computing; update it");
}

static void find_options(npu_device *d)
{
	const npu_system *s = d->sys;
	char text[sizeof d->options - 2];
	size_t n = 0;
	if (s->graph_version < (uint32_t)ZE_GRAPH_EXT_VERSION_1_11 ||
	    s->graph->pfnCompilerGetSupportedOptions(d->device, ZE_NPU_COMPILER_OPTIONS, &n, NULL) != ZE_RESULT_SUCCESS || !n ||
	    n > sizeof text ||
	    s->graph->pfnCompilerGetSupportedOptions(d->device, ZE_NPU_COMPILER_OPTIONS, &n, text) != ZE_RESULT_SUCCESS)
		return;
	text[n < sizeof text ? n : sizeof text - 1] = 0;
	for (char *c = text; *c; c++)
		*c = *c == '\n' || *c == '\t' ? ' ' : *c;
	snprintf(d->options, sizeof d->options, " %s ", text);
}

static void find_mode(npu_device *d)
{
	ze_tarn_device_state_t state = {.size = sizeof state};
	if (!d->sys->simulated)
		return;
	ze_result_t r = d->sys->simulated->pfnDeviceGetState(d->device, &state);
	snprintf(d->mode, sizeof d->mode, "%s", r == ZE_RESULT_SUCCESS && state.mode == ZE_TARN_MODE_PACED ? "paced" : "exact");
}

static tarn_err fill(npu_device *d)
{
	const npu_calls *ze = &d->sys->ze;
	uint32_t n = 1;
	ZE_DO(ze->DeviceGet(d->sys->driver, &n, &d->device), "listing devices");
	CHECK(n && d->device, TARN_DEVICE, "the NPU's driver has no device; see dmesg");
	ze_context_desc_t context = {.stype = ZE_STRUCTURE_TYPE_CONTEXT_DESC};
	ZE_DO(ze->ContextCreate(d->sys->driver, &context, &d->context), "opening the NPU");
	d->props.stype = ZE_STRUCTURE_TYPE_DEVICE_PROPERTIES_1_2; /* timer resolution in ticks per second */
	ZE_DO(ze->DeviceGetProperties(d->device, &d->props), "asking for the NPU's properties");
	for (size_t i = 0; i < sizeof platforms / sizeof *platforms; i++)
		if (platforms[i].pci == d->props.deviceId)
			d->platform = platforms[i].number;
	TRY(find_queue_group(d));
	d->compiler.stype = ZE_STRUCTURE_TYPE_DEVICE_GRAPH_PROPERTIES;
	ZE_DO(d->sys->graph->pfnDeviceGetGraphProperties(d->device, &d->compiler), "asking for the compiler's version");
	find_options(d);
	find_mode(d);
	return TARN_OK;
}

static tarn_err open_device(tarn_device *dev)
{
	const npu_system *sys;
	TRY(tarn_npu_system_get(&sys));
	npu_device *d = tarn_mem_zalloc(1, sizeof *d);
	if (!d)
		return tarn_err_nomem(sizeof *d);
	tarn_ref_init(&d->refs);
	tarn_mutex_init(&d->lock);
	d->sys = sys;
	tarn_err err = fill(d);
	if (err) {
		tarn_npu_device_unref(d);
		return err;
	}
	dev->impl = d;
	return TARN_OK;
}

static void close_device(tarn_device *dev)
{
	tarn_npu_device_unref(dev->impl);
	dev->impl = NULL;
}

static const char *full_name(const tarn_device *dev)
{
	const npu_device *d = dev->impl;
	return d ? d->props.name : "NPU";
}

/* Peak of multiply and add per second, counted as two operations, as OpenVINO works it out. */
static void put_gops(const npu_device *d, tarn_str *value)
{
	double i8 = (double)d->props.coreClockRate / 1e9 * d->props.numSlices * d->props.physicalEUSimdWidth;
	tarn_str_addf(value, "{f32:0,f16:%.6g,i8:%.6g,u8:%.6g}", i8 / 2, i8, i8);
}

static void put_uuid(const npu_device *d, tarn_str *value)
{
	for (int i = 0; i < ZE_MAX_DEVICE_UUID_SIZE; i++)
		tarn_str_addf(value, "%02x", d->props.uuid.id[i]);
}

static tarn_err put_pci(const npu_device *d, tarn_str *value)
{
	ze_pci_ext_properties_t p = {.stype = ZE_STRUCTURE_TYPE_PCI_EXT_PROPERTIES};
	ZE_DO(d->sys->ze.DevicePciGetPropertiesExt(d->device, &p), "asking for the NPU's PCI address");
	tarn_str_addf(value, "{domain: %u bus: %u device: 0x%x function: %u}", p.address.domain, p.address.bus,
		      p.address.device, p.address.function);
	return TARN_OK;
}

static tarn_err put_memory(const npu_device *d, bool total, tarn_str *value)
{
	ze_graph_memory_query_t q = {0};
	ZE_DO(d->sys->graph->pfnQueryContextMemory(d->context, ZE_GRAPH_QUERY_MEMORY_DDR, &q), "asking for the NPU's memory");
	tarn_str_addf(value, "%llu", (unsigned long long)(total ? q.total : q.allocated));
	return TARN_OK;
}

/* A compiled model fits the driver that made it. A driver that was built anew may make others of the same version. */
static void put_cache_key(const npu_device *d, tarn_str *value)
{
	const void *code;
	__typeof__(d->sys->graph->pfnCreate2) fn = d->sys->graph->pfnCreate2;
	memcpy(&code, &fn, sizeof code);
	tarn_str_addf(value, "%s %d %u tiles, driver %u %llx, compiler %u.%u", d->props.name, d->platform, d->props.numSlices,
		      d->sys->driver_version, (unsigned long long)tarn_module_hash(code), d->compiler.compilerVersion.major,
		      d->compiler.compilerVersion.minor);
}

static tarn_err get(tarn_device *dev, const char *key, tarn_str *value)
{
	const npu_device *d = dev->impl;
	if (!strcmp(key, "SIMULATED")) {
		if (!d || !*d->mode)
			return TARN_NOT_FOUND;
		tarn_str_add(value, d->mode);
	} else if (!strcmp(key, "CACHE_KEY")) {
		put_cache_key(d, value);
	} else if (!strcmp(key, "DEVICE_ARCHITECTURE") || !strcmp(key, "AVAILABLE_DEVICES")) {
		tarn_str_addf(value, "%d", d->platform);
	} else if (!strcmp(key, "OPTIMIZATION_CAPABILITIES")) {
		tarn_str_add(value, "FP16 INT8 EXPORT_IMPORT");
	} else if (!strcmp(key, "RANGE_FOR_ASYNC_INFER_REQUESTS")) {
		tarn_str_add(value, "1 10 1");
	} else if (!strcmp(key, "RANGE_FOR_STREAMS")) {
		tarn_str_add(value, "1 1");
	} else if (!strcmp(key, "DEVICE_TYPE")) {
		tarn_str_add(value, d->props.flags & ZE_DEVICE_PROPERTY_FLAG_INTEGRATED ? "integrated" : "discrete");
	} else if (!strcmp(key, "DEVICE_UUID")) {
		put_uuid(d, value);
	} else if (!strcmp(key, "DEVICE_GOPS")) {
		put_gops(d, value);
	} else if (!strcmp(key, "DEVICE_PCI_INFO")) {
		return put_pci(d, value);
	} else if (!strcmp(key, "NPU_DEVICE_ALLOC_MEM_SIZE")) {
		return put_memory(d, false, value);
	} else if (!strcmp(key, "NPU_DEVICE_TOTAL_MEM_SIZE")) {
		return put_memory(d, true, value);
	} else if (!strcmp(key, "NPU_DRIVER_VERSION")) {
		tarn_str_addf(value, "%u", d->sys->driver_version);
	} else if (!strcmp(key, "NPU_COMPILER_VERSION")) {
		tarn_str_addf(value, "%u.%u", d->compiler.compilerVersion.major, d->compiler.compilerVersion.minor);
	} else if (!strcmp(key, "NPU_MAX_TILES")) {
		tarn_str_addf(value, "%u", d->props.numSlices);
	} else {
		return TARN_NOT_FOUND;
	}
	return TARN_OK;
}

tarn_err tarn_npu_state(tarn_device *dev, tarn_npu_simulation *out)
{
	TRY(tarn_device_open(dev));
	const npu_device *d = dev->impl;
	CHECK(d->sys->simulated, TARN_DEVICE, "device NPU is hardware, not simulated; ask for its properties instead");
	ze_tarn_device_state_t s = {.size = sizeof s};
	ZE_DO(d->sys->simulated->pfnDeviceGetState(d->device, &s), "asking for the simulated NPU's state");
	*out = (tarn_npu_simulation){
		.platform = (int)s.platform,
		.tiles = (int)s.tiles,
		.paced = s.mode == ZE_TARN_MODE_PACED,
		.clock_ns = (int64_t)s.clock_ns,
		.busy_us = (int64_t)s.busy_us,
		.submitted = (int64_t)s.submitted,
		.compiled = (int64_t)s.compiled,
		.cache_hits = (int64_t)s.cache_hits,
		.cache_stored = (int64_t)s.cache_stored,
		.cache_damaged = (int64_t)s.cache_damaged,
		.cache_evicted = (int64_t)s.cache_evicted,
	};
	return TARN_OK;
}

const tarn_device_api tarn_dev_npu = {
	.name = "NPU",
	.fixed = true,
	.open = open_device,
	.close = close_device,
	.full_name = full_name,
	.get = get,
	.supports = tarn_npu_supports,
	.alloc = tarn_npu_alloc,
	.compile = tarn_npu_compile,
	.import = tarn_npu_import,
	.export_ = tarn_npu_export,
	.program_free = tarn_npu_program_free,
	.program_get = tarn_npu_program_get,
	.request_init = tarn_npu_request_init,
	.request_fini = tarn_npu_request_fini,
	.submit = tarn_npu_submit,
	.estimate = tarn_npu_estimate,
};
