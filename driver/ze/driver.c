/* SPDX-License-Identifier: Apache-2.0 */
/* The driver: start-up, its properties, the extensions it has. */
#include <string.h>

#include "base/log.h"
#include "base/module.h"
#include "driver/ze/ze.h"

/* Seconds since 1970 of the driver's interface, as Intel's Linux driver counts its versions; OpenVINO asks for 1715354569. */
#define DRIVER_VERSION 1764000000u

static tarn_ze_driver driver;
static tarn_mutex init_lock = TARN_MUTEX_INIT;

tarn_ze_driver *tarn_ze_driver_get(void)
{
	return &driver;
}

static tarn_err start(tarn_ze_device *d)
{
	TRY(tarn_ze_config_get(&d->config));
	d->platform = tarn_ze_platform_find(d->config.platform);
	d->arch = tarn_arch_find(d->config.platform);
	CHECK(d->arch, TARN_INTERNAL, "platform %d is not described", d->config.platform);
	TRY(tarn_cache_new_from_env(&d->cache));
	tarn_sched_config config = {
		.paced = d->config.paced, .threads = d->config.threads, .arch = d->arch, .clock = d->config.clock};
	tarn_err err = tarn_sched_new(&config, &d->sched);
	if (err != TARN_OK) {
		tarn_cache_free(d->cache);
		return err;
	}
	d->driver_hash = tarn_module_hash((const void *)(uintptr_t)tarn_ze_init);
	tarn_mutex_init(&d->lock);
	d->magic = TARN_ZE_DEVICE;
	driver.magic = TARN_ZE_DRIVER;
	driver.ready = true;
	return TARN_OK;
}

static ze_result_t init(void)
{
	tarn_mutex_lock(&init_lock);
	tarn_err err = driver.ready ? TARN_OK : start(&driver.device);
	tarn_mutex_unlock(&init_lock);
	if (err == TARN_OK)
		return ZE_RESULT_SUCCESS;
	tarn_log(TARN_LOG_ERROR, "simulated NPU: %s", tarn_err_text());
	return err == TARN_NOMEM ? ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY : ZE_RESULT_ERROR_UNINITIALIZED;
}

static bool is_ready(void)
{
	tarn_mutex_lock(&init_lock);
	bool ready = driver.ready;
	tarn_mutex_unlock(&init_lock);
	return ready;
}

ze_result_t tarn_ze_init(ze_init_flags_t flags)
{
	if (flags && !(flags & ZE_INIT_FLAG_VPU_ONLY))
		return ZE_RESULT_ERROR_UNINITIALIZED;
	return init();
}

static ze_result_t driver_list(uint32_t *count, ze_driver_handle_t *drivers)
{
	if (!is_ready())
		return ZE_RESULT_ERROR_UNINITIALIZED;
	CHECK_POINTER(count);
	if (*count == 0 || *count > 1)
		*count = 1;
	if (drivers)
		drivers[0] = &driver;
	return ZE_RESULT_SUCCESS;
}

ze_result_t tarn_ze_init_drivers(uint32_t *count, ze_driver_handle_t *drivers, ze_tarn_init_driver_type_desc_t *desc)
{
	CHECK_POINTER(count);
	CHECK_POINTER(desc);
	if (!desc->flags)
		return ZE_RESULT_ERROR_INVALID_ENUMERATION;
	if (!(desc->flags & ZE_TARN_INIT_DRIVER_TYPE_NPU)) {
		*count = 0;
		return ZE_RESULT_SUCCESS;
	}
	ZE_TRY(init());
	return driver_list(count, drivers);
}

ZE_DLLEXPORT ze_result_t zexTarnConfigure(const char *key, const char *value);
ze_result_t zexTarnConfigure(const char *key, const char *value)
{
	CHECK_POINTER(key);
	CHECK_POINTER(value);
	tarn_mutex_lock(&init_lock);
	tarn_err err = driver.ready ? TARN_BUSY : tarn_ze_configure(key, value);
	tarn_mutex_unlock(&init_lock);
	return tarn_ze_result(err);
}

static ze_result_t get_api_version(ze_driver_handle_t h, ze_api_version_t *version)
{
	CHECK_HANDLE(h, TARN_ZE_DRIVER);
	CHECK_POINTER(version);
	*version = (ze_api_version_t)TARN_ZE_API;
	return ZE_RESULT_SUCCESS;
}

static ze_result_t get_properties(ze_driver_handle_t h, ze_driver_properties_t *p)
{
	/* The UUID by which runtimes know an NPU driver among others. */
	static const uint8_t uuid[ZE_MAX_DRIVER_UUID_SIZE] = {0x01, 0x7d, 0xe9, 0x31, 0x6b, 0x4d, 0x4f, 0xd4,
							      0xaa, 0x9b, 0x5b, 0xed, 0x77, 0xfc, 0x8e, 0x89};
	CHECK_HANDLE(h, TARN_ZE_DRIVER);
	CHECK_POINTER(p);
	memcpy(p->uuid.id, uuid, sizeof uuid);
	p->driverVersion = DRIVER_VERSION;
	return ZE_RESULT_SUCCESS;
}

static ze_result_t get_ipc_properties(ze_driver_handle_t h, ze_driver_ipc_properties_t *p)
{
	CHECK_HANDLE(h, TARN_ZE_DRIVER);
	CHECK_POINTER(p);
	p->flags = 0;
	return ZE_RESULT_SUCCESS;
}

typedef struct extension {
	const char *name;
	uint32_t version;
	const void *table; /* NULL: no table of functions */
} extension;

static const extension extensions[] = {
	{ZE_GRAPH_EXT_NAME, ZE_GRAPH_EXT_VERSION_CURRENT, &tarn_ze_graph_table},
	{ZE_PROFILING_DATA_EXT_NAME, ZE_PROFILING_DATA_EXT_VERSION_CURRENT, &tarn_ze_profiling_table},
	{ZE_MUTABLE_COMMAND_LIST_EXP_NAME, ZE_MAKE_VERSION(1, 1), NULL},
	{ZE_COMMAND_QUEUE_NPU_EXT_NAME, ZE_COMMAND_QUEUE_NPU_EXT_VERSION_CURRENT, &tarn_ze_queue_ext_table},
	{ZE_CONTEXT_NPU_EXT_NAME, ZE_CONTEXT_NPU_EXT_VERSION_CURRENT, &tarn_ze_context_ext_table},
	{ZE_EXTERNAL_MEMORY_MAPPING_EXT_NAME, ZE_MAKE_VERSION(1, 0), NULL},
	{ZE_TARN_SIMULATED_EXT_NAME, ZE_TARN_EXT_VERSION_1_3, &tarn_ze_simulated_table},
	{ZE_TARN_ESTIMATE_EXT_NAME, ZE_TARN_EXT_VERSION_1_0, &tarn_ze_estimate_table},
	/* Names of when each version of the graph extension had its own. */
	{"ZE_extension_graph_1_2", ZE_MAKE_VERSION(1, 2), &tarn_ze_graph_table},
	{"ZE_extension_graph_1_3", ZE_MAKE_VERSION(1, 3), &tarn_ze_graph_table},
	{"ZE_extension_graph_1_4", ZE_MAKE_VERSION(1, 4), &tarn_ze_graph_table},
	{"ZE_extension_graph_1_5", ZE_MAKE_VERSION(1, 5), &tarn_ze_graph_table},
	{"ZE_extension_graph_1_6", ZE_MAKE_VERSION(1, 6), &tarn_ze_graph_table},
	{"ZE_extension_graph_1_7", ZE_MAKE_VERSION(1, 7), &tarn_ze_graph_table},
	{"ZE_extension_graph_1_8", ZE_MAKE_VERSION(1, 8), &tarn_ze_graph_table},
};
#define N_EXTENSIONS (sizeof extensions / sizeof *extensions)

static ze_result_t get_extension_properties(ze_driver_handle_t h, uint32_t *count, ze_driver_extension_properties_t *p)
{
	CHECK_HANDLE(h, TARN_ZE_DRIVER);
	CHECK_POINTER(count);
	if (*count == 0 || *count > N_EXTENSIONS)
		*count = N_EXTENSIONS;
	if (!p)
		return ZE_RESULT_SUCCESS;
	for (uint32_t i = 0; i < *count; i++) {
		memset(&p[i], 0, sizeof p[i]);
		memcpy(p[i].name, extensions[i].name, strlen(extensions[i].name));
		p[i].version = extensions[i].version;
	}
	return ZE_RESULT_SUCCESS;
}

typedef struct function {
	const char *name;
	void (*at)(void);
} function;

static const function functions[] = {
	{"zeCommandListGetNextCommandIdExp", (void (*)(void))tarn_ze_list_next_id_ext},
	{"zeCommandListUpdateMutableCommandsExp", (void (*)(void))tarn_ze_list_update_ext},
	{"zexDiskCacheSetSize", (void (*)(void))zexDiskCacheSetSize},
	{"zexDiskCacheGetSize", (void (*)(void))zexDiskCacheGetSize},
	{"zexDiskCacheGetDirectory", (void (*)(void))zexDiskCacheGetDirectory},
	{"zexContextSetIdlePruningTimeout", (void (*)(void))zexContextSetIdlePruningTimeout},
};

static ze_result_t get_extension_function(ze_driver_handle_t h, const char *name, void **address)
{
	CHECK_HANDLE(h, TARN_ZE_DRIVER);
	CHECK_POINTER(name);
	CHECK_POINTER(address);
	for (size_t i = 0; i < N_EXTENSIONS; i++)
		if (extensions[i].table && !strcmp(extensions[i].name, name)) {
			memcpy(address, &extensions[i].table, sizeof *address);
			return ZE_RESULT_SUCCESS;
		}
	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
		if (!strcmp(functions[i].name, name)) {
			memcpy(address, &functions[i].at, sizeof *address);
			return ZE_RESULT_SUCCESS;
		}
	return ZE_RESULT_ERROR_INVALID_ARGUMENT;
}

const ze_driver_dditable_t tarn_ze_driver_table = {
	.pfnGet = driver_list,
	.pfnGetApiVersion = get_api_version,
	.pfnGetProperties = get_properties,
	.pfnGetIpcProperties = get_ipc_properties,
	.pfnGetExtensionProperties = get_extension_properties,
	.pfnGetExtensionFunctionAddress = get_extension_function,
};
