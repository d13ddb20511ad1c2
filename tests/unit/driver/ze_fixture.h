/* SPDX-License-Identifier: Apache-2.0 */
/* Loads a driver library by its tables, as a Level Zero loader would; for tests of one process. */
#ifndef TARN_TESTS_ZE_FIXTURE_H
#define TARN_TESTS_ZE_FIXTURE_H

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <level_zero/ze_api.h>
#include <level_zero/ze_ddi.h>
#include <level_zero/zes_ddi.h>

#include "zeabi/ze_command_queue_npu_ext.h"
#include "zeabi/ze_context_npu_ext.h"
#include "zeabi/ze_graph_ext.h"
#include "zeabi/ze_mutable_ext.h"
#include "zeabi/ze_tarn_ext.h"

#define OK ZE_RESULT_SUCCESS
#define assert_ze(expr, want) assert_int_equal((int)(expr), (int)(want))

/* Newer headers have the later slots in the table itself. */
typedef union full_list_table {
	ze_command_list_dditable_t v14;
	struct {
		void *v14[ZE_TARN_COMMAND_LIST_SLOTS];
		ze_tarn_command_list_more_t more;
	} all;
} full_list_table;

static void *lib;
static ze_tarn_global_dditable_t global;
static ze_driver_dditable_t drv;
static ze_device_dditable_t dev;
static ze_context_dditable_t ctx;
static ze_mem_dditable_t mem;
static ze_command_queue_dditable_t que;
static full_list_table lst;
static ze_tarn_command_list_exp_dditable_t mut;
static ze_fence_dditable_t fen;
static ze_event_pool_dditable_t pol;
static ze_event_dditable_t eve;
static ze_graph_dditable_ext_t *gra;
static ze_graph_profiling_dditable_ext_t *pro;
static ze_tarn_simulated_dditable_t *sim;

static ze_driver_handle_t driver;
static ze_device_handle_t device;
static ze_context_handle_t context;
static char cache_dir[64];

static inline void table(const char *name, uint32_t version, void *t)
{
	ze_result_t (*get)(ze_api_version_t, void *);
	*(void **)(&get) = dlsym(lib, name);
	assert_non_null(get);
	assert_ze(get((ze_api_version_t)version, t), OK);
}

static inline void tables(const char *path)
{
	const uint32_t version = ZE_TARN_API_1_11;
	lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!lib)
		fail_msg("%s", dlerror());
	table("zeGetGlobalProcAddrTable", version, &global);
	table("zeGetDriverProcAddrTable", version, &drv);
	table("zeGetDeviceProcAddrTable", version, &dev);
	table("zeGetContextProcAddrTable", version, &ctx);
	table("zeGetMemProcAddrTable", version, &mem);
	table("zeGetCommandQueueProcAddrTable", version, &que);
	table("zeGetCommandListProcAddrTable", version, &lst);
	table("zeGetCommandListExpProcAddrTable", version, &mut);
	table("zeGetFenceProcAddrTable", version, &fen);
	table("zeGetEventPoolProcAddrTable", version, &pol);
	table("zeGetEventProcAddrTable", version, &eve);
}

static inline void *extension(const char *name)
{
	void *at = NULL;
	assert_ze(drv.pfnGetExtensionFunctionAddress(driver, name, &at), OK);
	assert_non_null(at);
	return at;
}

/* After tables(): a driver with a cache folder of its own, a device, a context. */
static inline void start(void)
{
	strcpy(cache_dir, "/tmp/tarn-ze-XXXXXX");
	assert_non_null(mkdtemp(cache_dir));
	setenv("ZE_INTEL_NPU_CACHE_DIR", cache_dir, 1);
	setenv("TARN_LOG", "error", 0); /* damaged entries are warned of, and tests damage many */
	assert_ze(global.pfnInit(0), OK);
	uint32_t n = 1;
	assert_ze(drv.pfnGet(&n, &driver), OK);
	assert_ze(dev.pfnGet(driver, &n, &device), OK);
	ze_context_desc_t desc = {.stype = ZE_STRUCTURE_TYPE_CONTEXT_DESC};
	assert_ze(ctx.pfnCreate(driver, &desc, &context), OK);
	gra = extension(ZE_GRAPH_EXT_NAME);
	pro = extension(ZE_PROFILING_DATA_EXT_NAME);
	sim = extension(ZE_TARN_SIMULATED_EXT_NAME);
}

static inline void stop(void)
{
	assert_ze(ctx.pfnDestroy(context), OK);
	char cmd[96];
	snprintf(cmd, sizeof cmd, "rm -rf %s", cache_dir);
	assert_int_equal(system(cmd), 0);
}

static inline void *alloc(size_t size)
{
	ze_host_mem_alloc_desc_t desc = {.stype = ZE_STRUCTURE_TYPE_HOST_MEM_ALLOC_DESC};
	void *p = NULL;
	assert_ze(mem.pfnAllocHost(context, &desc, size, 0, &p), OK);
	return p;
}

static inline ze_command_queue_handle_t new_queue(const void *next, ze_command_queue_mode_t mode)
{
	ze_command_queue_desc_t desc = {.stype = ZE_STRUCTURE_TYPE_COMMAND_QUEUE_DESC, .pNext = next, .mode = mode};
	ze_command_queue_handle_t q = NULL;
	assert_ze(que.pfnCreate(context, device, &desc, &q), OK);
	return q;
}

static inline ze_command_list_handle_t new_list(const void *next)
{
	ze_command_list_desc_t desc = {.stype = ZE_STRUCTURE_TYPE_COMMAND_LIST_DESC, .pNext = next};
	ze_command_list_handle_t l = NULL;
	assert_ze(lst.v14.pfnCreate(context, device, &desc, &l), OK);
	return l;
}

static inline ze_fence_handle_t new_fence(ze_command_queue_handle_t q, ze_fence_flags_t flags)
{
	ze_fence_desc_t desc = {.stype = ZE_STRUCTURE_TYPE_FENCE_DESC, .flags = flags};
	ze_fence_handle_t f = NULL;
	assert_ze(fen.pfnCreate(q, &desc, &f), OK);
	return f;
}

/* Closes the list, runs it and waits. */
static inline void run(ze_command_queue_handle_t q, ze_command_list_handle_t l)
{
	assert_ze(lst.v14.pfnClose(l), OK);
	assert_ze(que.pfnExecuteCommandLists(q, 1, &l, NULL), OK);
	assert_ze(que.pfnSynchronize(q, UINT64_MAX), OK);
}

static inline ze_tarn_device_state_t state_of_device(void)
{
	ze_tarn_device_state_t s = {.size = sizeof s};
	assert_ze(sim->pfnDeviceGetState(device, &s), OK);
	return s;
}

#endif
