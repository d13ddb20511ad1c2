/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver behind a real Level Zero loader, in child processes; skipped where none is installed. With the loader's
 * intercept layer the application holds the loader's handles, and extension functions get those.
 */
#include <sys/wait.h>

#include "unit/driver/ze_model.h"

#define LOADER "libze_loader.so.1"

static void *loader;

static void put(const char *name, void *fn)
{
	*(void **)fn = dlsym(loader, name);
	if (!*(void **)fn) {
		fprintf(stderr, "the loader has no %s\n", name);
		_exit(20);
	}
}
#define NEED(expr, want) \
	do { \
		int r_ = (int)(expr); \
		if (r_ != (int)(want)) { \
			fprintf(stderr, "line %d: %#x\n", __LINE__, (unsigned)r_); \
			_exit(21); \
		} \
	} while (0)

static void from_loader(void)
{
	put("zeInit", &global.pfnInit);
	put("zeDriverGet", &drv.pfnGet);
	put("zeDriverGetProperties", &drv.pfnGetProperties);
	put("zeDriverGetApiVersion", &drv.pfnGetApiVersion);
	put("zeDriverGetExtensionFunctionAddress", &drv.pfnGetExtensionFunctionAddress);
	put("zeDeviceGet", &dev.pfnGet);
	put("zeDeviceGetProperties", &dev.pfnGetProperties);
	put("zeContextCreate", &ctx.pfnCreate);
	put("zeContextDestroy", &ctx.pfnDestroy);
	put("zeMemAllocHost", &mem.pfnAllocHost);
	put("zeMemFree", &mem.pfnFree);
	put("zeCommandQueueCreate", &que.pfnCreate);
	put("zeCommandQueueDestroy", &que.pfnDestroy);
	put("zeCommandQueueExecuteCommandLists", &que.pfnExecuteCommandLists);
	put("zeCommandQueueSynchronize", &que.pfnSynchronize);
	put("zeCommandListCreate", &lst.v14.pfnCreate);
	put("zeCommandListClose", &lst.v14.pfnClose);
	put("zeCommandListDestroy", &lst.v14.pfnDestroy);
	put("zeFenceCreate", &fen.pfnCreate);
	put("zeFenceHostSynchronize", &fen.pfnHostSynchronize);
	put("zeFenceDestroy", &fen.pfnDestroy);
	put("zeEventPoolCreate", &pol.pfnCreate);
	put("zeEventPoolDestroy", &pol.pfnDestroy);
	put("zeEventCreate", &eve.pfnCreate);
	put("zeEventDestroy", &eve.pfnDestroy);
	put("zeEventQueryStatus", &eve.pfnQueryStatus);
}

static void use(bool intercept)
{
	ze_device_properties_t p = {.stype = ZE_STRUCTURE_TYPE_DEVICE_PROPERTIES};
	NEED(dev.pfnGetProperties(device, &p), OK);
	if (strcmp(p.name, "Intel(R) AI Boost (simulated by Tarn)"))
		_exit(22);
	uint64_t first;
	memcpy(&first, device, sizeof first);
	if (intercept == (first >> 32 == 0x7461726e)) /* our objects begin with "tarn" */
		_exit(intercept ? 23 : 24);
	ze_graph_handle_t g;
	NEED(create("n=4", 2, NULL, ZE_GRAPH_FLAG_DISABLE_CACHING, &g), OK);
	float *x = alloc(64), *y = alloc(64);
	NEED(gra->pfnSetArgumentValue(g, 0, x), OK);
	NEED(gra->pfnSetArgumentValue(g, 1, y), OK);
	ze_event_pool_desc_t pd = {.stype = ZE_STRUCTURE_TYPE_EVENT_POOL_DESC, .count = 1};
	ze_event_desc_t ed = {.stype = ZE_STRUCTURE_TYPE_EVENT_DESC};
	ze_event_pool_handle_t pool;
	ze_event_handle_t e;
	NEED(pol.pfnCreate(context, &pd, 0, NULL, &pool), OK);
	NEED(eve.pfnCreate(pool, &ed, &e), OK);
	ze_command_queue_handle_t q = new_queue(NULL, 0);
	ze_command_list_handle_t l = new_list(NULL);
	ze_fence_handle_t f = new_fence(q, 0);
	NEED(gra->pfnAppendGraphExecute(l, g, NULL, e, 0, NULL), OK);
	NEED(lst.v14.pfnClose(l), OK);
	x[3] = 40;
	NEED(que.pfnExecuteCommandLists(q, 1, &l, f), OK);
	NEED(fen.pfnHostSynchronize(f, UINT64_MAX), OK);
	NEED(eve.pfnQueryStatus(e), OK);
	if (y[3] != 42)
		_exit(25);
	ze_command_queue_npu_dditable_ext_t *ext = extension(ZE_COMMAND_QUEUE_NPU_EXT_NAME);
	NEED(ext->pfnSetWorkloadType(q, ZE_WORKLOAD_TYPE_BACKGROUND), OK);
	ze_graph_memory_query_t m;
	NEED(gra->pfnQueryContextMemory(context, ZE_GRAPH_QUERY_MEMORY_DDR, &m), OK);
	NEED(eve.pfnDestroy(e), OK);
	NEED(pol.pfnDestroy(pool), OK);
	NEED(gra->pfnDestroy(g), OK);
	NEED(fen.pfnDestroy(f), OK);
	NEED(lst.v14.pfnDestroy(l), OK);
	NEED(que.pfnDestroy(q), OK);
	NEED(mem.pfnFree(context, x), OK);
	NEED(mem.pfnFree(context, y), OK);
}

static void in_child(bool intercept)
{
	pid_t child = fork();
	assert_true(child >= 0);
	if (!child) {
		setenv("ZE_ENABLE_ALT_DRIVERS", TARN_ZE_TEST_LIB, 1);
		if (intercept)
			setenv("ZE_ENABLE_LOADER_INTERCEPT", "1", 1);
		loader = dlopen(LOADER, RTLD_NOW | RTLD_LOCAL);
		from_loader();
		start();
		use(intercept);
		stop();
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static bool installed(void)
{
	/* In a child: the loader must not stay in this process. */
	pid_t child = fork();
	if (!child)
		_exit(dlopen(LOADER, RTLD_NOW | RTLD_LOCAL) ? 0 : 1);
	int status;
	return waitpid(child, &status, 0) == child && status == 0;
}

static void a_loader_finds_the_driver(void **state)
{
	(void)state;
	if (!installed())
		skip();
	in_child(false);
}

static void loader_handles_are_translated(void **state)
{
	(void)state;
	if (!installed())
		skip();
	in_child(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loader_finds_the_driver),
		cmocka_unit_test(loader_handles_are_translated),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
