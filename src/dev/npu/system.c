/* SPDX-License-Identifier: Apache-2.0 */
/* Which driver this process uses: decided once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/lib.h"
#include "base/log.h"
#include "dev/npu/device.h"
#include "dev/npu/npu.h"

#define LOADER "libze_loader.so.1"
#define SIMULATOR "libze_tarn_npu.so"
enum { MAX_DRIVERS = 16, MAX_EXTENSIONS = 64 };

static tarn_mutex lock = TARN_MUTEX_INIT;
static npu_system the_system;
static char wanted[16];        /* platform of the simulator when it was asked for by a call */
static char wanted_path[4096]; /* where it is; "": beside this library */
static char in_use[16];        /* the simulated platform decided for; "": hardware */
static bool decided;
static tarn_err outcome;
static char reason[1024]; /* of a failure */

static bool is_platform(const char *s)
{
	return !strcmp(s, "3720") || !strcmp(s, "4000");
}

static tarn_err simulate_locked(const char *platform, const char *path)
{
	CHECK(is_platform(platform), TARN_USAGE,
	      "there is no simulated NPU '%s'; use 3720 (Meteor Lake, Arrow Lake) or 4000 (Lunar Lake)", platform);
	if (decided)
		CHECK(!strcmp(in_use, platform), TARN_USAGE,
		      "the NPU was used already (%s%s); ask for the simulated one before the first use",
		      *in_use ? "simulated " : "hardware", in_use);
	snprintf(wanted, sizeof wanted, "%s", platform);
	snprintf(wanted_path, sizeof wanted_path, "%s", path ? path : "");
	return TARN_OK;
}

tarn_err tarn_npu_simulate(const char *platform, const char *path)
{
	tarn_mutex_lock(&lock);
	tarn_err err = simulate_locked(platform, path);
	tarn_mutex_unlock(&lock);
	return err;
}

/* ---- filling the table ---- */

static tarn_err from_loader(const tarn_lib *lib, npu_calls *ze)
{
	tarn_lib_fn fn;
	TRY(tarn_lib_sym(lib, "zeInit", &fn));
	ze->Init = (__typeof__(ze->Init))fn;
	ze->InitDrivers = (ze_tarn_pfnInitDrivers_t)tarn_lib_find(lib, "zeInitDrivers");
#define CALL(group, table, name) \
	TRY(tarn_lib_sym(lib, "ze" #group #name, &fn)); \
	ze->group##name = (__typeof__(ze->group##name))fn;
#include "dev/npu/calls.def"
#undef CALL
	return TARN_OK;
}

#define TABLE(group, table_type, t) \
	table_type t; \
	memset(&t, 0, sizeof t); \
	do { \
		tarn_lib_fn get_; \
		TRY(tarn_lib_sym(lib, "zeGet" #group "ProcAddrTable", &get_)); \
		ZE_DO(((ze_pfnGet##group##ProcAddrTable_t)get_)(ZE_MAKE_VERSION(1, 4), &t), SIMULATOR); \
	} while (0)

/* As a loader would: a driver exports one function for each table. */
static tarn_err from_driver(const tarn_lib *lib, npu_calls *ze)
{
	TABLE(Global, ze_global_dditable_t, Global);
	TABLE(Driver, ze_driver_dditable_t, Driver);
	TABLE(Device, ze_device_dditable_t, Device);
	TABLE(Context, ze_context_dditable_t, Context);
	TABLE(Mem, ze_mem_dditable_t, Mem);
	TABLE(CommandQueue, ze_command_queue_dditable_t, CommandQueue);
	TABLE(CommandList, ze_command_list_dditable_t, CommandList);
	TABLE(Fence, ze_fence_dditable_t, Fence);
	ze->Init = Global.pfnInit;
#define CALL(group, table, name) \
	ze->group##name = group.pfn##name; \
	CHECK(ze->group##name, TARN_DEVICE, SIMULATOR " has no ze" #group #name "; build it again");
#include "dev/npu/calls.def"
#undef CALL
	return TARN_OK;
}

/* ---- the driver ---- */

/* An NPU's driver among others, by the identifier Intel's has. */
static tarn_err find_driver(npu_system *s, const ze_driver_handle_t *list, uint32_t n)
{
	static const uint8_t npu[ZE_MAX_DRIVER_UUID_SIZE] = {0x01, 0x7d, 0xe9, 0x31, 0x6b, 0x4d, 0x4f, 0xd4,
							     0xaa, 0x9b, 0x5b, 0xed, 0x77, 0xfc, 0x8e, 0x89};
	for (uint32_t i = 0; i < n && i < MAX_DRIVERS; i++) {
		ze_driver_properties_t p = {.stype = ZE_STRUCTURE_TYPE_DRIVER_PROPERTIES};
		if (s->ze.DriverGetProperties(list[i], &p) != ZE_RESULT_SUCCESS || memcmp(p.uuid.id, npu, sizeof npu) != 0)
			continue;
		s->driver = list[i];
		s->driver_version = p.driverVersion;
		return TARN_OK;
	}
	return tarn_err_set(TARN_DEVICE, "the Level Zero loader has %u driver%s, none of them for an NPU", n,
			    n == 1 ? "" : "s");
}

static tarn_err start(npu_system *s)
{
	ze_driver_handle_t list[MAX_DRIVERS];
	uint32_t n = 0;
	ze_tarn_init_driver_type_desc_t desc = {.stype = ZE_TARN_STYPE_INIT_DRIVER_TYPE_DESC,
						.flags = ZE_TARN_INIT_DRIVER_TYPE_NPU};
	if (s->ze.InitDrivers && s->ze.InitDrivers(&n, NULL, &desc) == ZE_RESULT_SUCCESS && n) {
		n = n < MAX_DRIVERS ? n : MAX_DRIVERS;
		if (s->ze.InitDrivers(&n, list, &desc) == ZE_RESULT_SUCCESS && n)
			return find_driver(s, list, n);
	}
	ze_result_t r = s->ze.Init(ZE_INIT_FLAG_VPU_ONLY);
	CHECK(r == ZE_RESULT_SUCCESS, TARN_DEVICE, "the Level Zero loader has no driver of an NPU (zeInit: %#x)", (unsigned)r);
	n = 0;
	ZE_DO(s->ze.DriverGet(&n, NULL), "listing drivers");
	n = n < MAX_DRIVERS ? n : MAX_DRIVERS;
	ZE_DO(s->ze.DriverGet(&n, list), "listing drivers");
	return find_driver(s, list, n);
}

/* The table of an extension, under its own name or else the newest of those that begin with it. */
static const void *extension(const npu_system *s, const ze_driver_extension_properties_t *list, uint32_t n, const char *name,
			     uint32_t *version)
{
	const ze_driver_extension_properties_t *best = NULL;
	for (uint32_t i = 0; i < n; i++) {
		if (strncmp(list[i].name, name, strlen(name)) != 0)
			continue;
		if (!best || list[i].version > best->version)
			best = &list[i];
	}
	void *at = NULL;
	*version = best ? best->version : 0;
	if (!best || s->ze.DriverGetExtensionFunctionAddress(s->driver, best->name, &at) != ZE_RESULT_SUCCESS || !at) {
		*version = 0;
		return NULL;
	}
	return at;
}

static tarn_err find_extensions(npu_system *s)
{
	static ze_driver_extension_properties_t list[MAX_EXTENSIONS];
	uint32_t n = 0, version;
	ZE_DO(s->ze.DriverGetExtensionProperties(s->driver, &n, NULL), "listing the driver's extensions");
	n = n < MAX_EXTENSIONS ? n : MAX_EXTENSIONS;
	ZE_DO(s->ze.DriverGetExtensionProperties(s->driver, &n, list), "listing the driver's extensions");
	s->graph = extension(s, list, n, ZE_GRAPH_EXT_NAME, &s->graph_version);
	s->profiling = extension(s, list, n, ZE_PROFILING_DATA_EXT_NAME, &version);
	s->queue = extension(s, list, n, ZE_COMMAND_QUEUE_NPU_EXT_NAME, &s->queue_version);
	s->context = extension(s, list, n, ZE_CONTEXT_NPU_EXT_NAME, &version);
	s->simulated = extension(s, list, n, ZE_TARN_SIMULATED_EXT_NAME, &s->simulated_version);
	s->estimate = extension(s, list, n, ZE_TARN_ESTIMATE_EXT_NAME, &version);
	CHECK(s->graph && s->graph_version >= (uint32_t)ZE_GRAPH_EXT_VERSION_1_5, TARN_DEVICE,
	      "the NPU's driver is too old (graph extension %u.%u, 1.5 is needed); update it", s->graph_version >> 16,
	      s->graph_version & 0xffff);
	return TARN_OK;
}

/* ---- the choice ---- */

static void here(void)
{
}

/* Stays open: what it started runs until the process ends. */
static tarn_lib *library;

/* Beside this library, or where a program that was linked statically has its libraries. */
static tarn_err open_simulator(const char *path, tarn_lib **lib)
{
	char folder[4096], full[sizeof folder + 64];
	if (*path)
		return tarn_lib_open(path, lib);
	TRY(tarn_lib_folder_of(here, folder, sizeof folder));
	snprintf(full, sizeof full, "%s/" SIMULATOR, folder);
	if (!tarn_file_exists(full)) {
		char other[sizeof full];
		snprintf(other, sizeof other, "%s/../lib/" SIMULATOR, folder);
		if (tarn_file_exists(other))
			memcpy(full, other, sizeof full);
	}
	return tarn_lib_open(full, lib);
}

static tarn_err use_simulator(npu_system *s, const char *platform, const char *path)
{
	tarn_lib_fn fn;
	if (!library && open_simulator(path, &library))
		return tarn_err_set(TARN_DEVICE, "the simulated NPU cannot be loaded: %s", tarn_err_text());
	TRY(from_driver(library, &s->ze));
	TRY(tarn_lib_sym(library, ZE_TARN_CONFIGURE_NAME, &fn));
	ze_tarn_pfnConfigure_t configure = (ze_tarn_pfnConfigure_t)fn;
	ZE_DO(configure("platform", platform), "choosing the simulated platform");
	TRY(start(s));
	return find_extensions(s);
}

static tarn_err use_hardware(npu_system *s)
{
	tarn_err err = library ? TARN_OK : tarn_lib_open(LOADER, &library);
	CHECK(!err, TARN_DEVICE, "the Level Zero loader " LOADER " is not installed");
	TRY(from_loader(library, &s->ze));
	TRY(start(s));
	return find_extensions(s);
}

static tarn_err explain_absence(void)
{
	char found[512];
	snprintf(found, sizeof found, "%s", tarn_err_text());
	if (!tarn_file_is_dir("/dev/accel"))
		return tarn_err_set(TARN_DEVICE, "no /dev/accel; kernel 6.3 or newer needed; or try --sim 4000 (%s)", found);
	return tarn_err_set(TARN_DEVICE, "%s, though there is /dev/accel; install Intel's NPU driver, or try --sim 4000",
			    found);
}

static tarn_err decide(npu_system *s)
{
	const char *env = getenv("TARN_NPU");
	if (!*wanted && env && *env) {
		CHECK(!strncmp(env, "sim:", 4) && is_platform(env + 4), TARN_USAGE,
		      "TARN_NPU cannot be '%s'; use sim:3720 or sim:4000, or unset it", env);
		snprintf(wanted, sizeof wanted, "%s", env + 4);
	}
	memcpy(in_use, wanted, sizeof in_use);
	if (*wanted)
		return use_simulator(s, wanted, wanted_path);
	return use_hardware(s) ? explain_absence() : TARN_OK;
}

tarn_err tarn_npu_system_get(const npu_system **system)
{
	tarn_mutex_lock(&lock);
	if (!decided) {
		outcome = decide(&the_system);
		snprintf(reason, sizeof reason, "%s", outcome ? tarn_err_text() : "");
		decided = outcome != TARN_NOMEM; /* which may pass */
		if (!outcome && the_system.simulated)
			tarn_log(TARN_LOG_WARN, "device NPU is simulated: its times are modelled, not measured, and say "
						"nothing of this machine");
	}
	tarn_err err = outcome ? tarn_err_adopt(outcome, reason) : TARN_OK;
	*system = &the_system;
	tarn_mutex_unlock(&lock);
	return err;
}
