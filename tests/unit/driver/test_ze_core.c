/* SPDX-License-Identifier: Apache-2.0 */
/* The core API of the driver through its own tables: return codes, memory, copies, events, fences, timestamps. */
#include "timing/timing.h"
#include "unit/driver/ze_fixture.h"

static void init_rules(void **state)
{
	(void)state;
	uint32_t n = 0;
	assert_ze(drv.pfnGet(&n, NULL), ZE_RESULT_ERROR_UNINITIALIZED);
	assert_ze(global.pfnInit(ZE_INIT_FLAG_GPU_ONLY), ZE_RESULT_ERROR_UNINITIALIZED);
	assert_ze(drv.pfnGet(&n, NULL), ZE_RESULT_ERROR_UNINITIALIZED);
	ze_result_t (*configure)(const char *, const char *);
	*(void **)(&configure) = dlsym(lib, ZE_TARN_CONFIGURE_NAME);
	assert_ze(configure("platform", "5010"), ZE_RESULT_ERROR_INVALID_ARGUMENT);
	assert_ze(configure("colour", "blue"), ZE_RESULT_ERROR_INVALID_ARGUMENT);
	assert_ze(configure("platform", "3720"), OK);
	assert_ze(configure("platform", "4000"), OK);
	start();
	assert_ze(global.pfnInit(ZE_INIT_FLAG_VPU_ONLY), OK);
	assert_ze(global.pfnInit(0), OK);
	assert_ze(configure("platform", "3720"), ZE_RESULT_ERROR_HANDLE_OBJECT_IN_USE);
	n = 0;
	assert_ze(drv.pfnGet(&n, NULL), OK);
	assert_int_equal(n, 1);
	ze_tarn_init_driver_type_desc_t type = {.stype = ZE_TARN_STYPE_INIT_DRIVER_TYPE_DESC, .flags = 1};
	assert_ze(global.pfnInitDrivers(&n, NULL, &type), OK);
	assert_int_equal(n, 0);
	type.flags = ZE_TARN_INIT_DRIVER_TYPE_NPU;
	assert_ze(global.pfnInitDrivers(&n, NULL, &type), OK);
	assert_int_equal(n, 1);
}

static void older_callers_have_shorter_tables(void **state)
{
	(void)state;
	ze_tarn_global_dditable_t g = {0};
	table("zeGetGlobalProcAddrTable", ZE_API_VERSION_1_4, &g);
	assert_non_null(g.pfnInit);
	assert_null(g.pfnInitDrivers);
	full_list_table l = {0};
	table("zeGetCommandListProcAddrTable", ZE_API_VERSION_1_4, &l);
	assert_null(l.all.more.pfnHostSynchronize);
	table("zeGetCommandListProcAddrTable", ZE_TARN_API_1_6, &l);
	assert_non_null(l.all.more.pfnHostSynchronize);
	assert_null(l.all.more.pfnIsImmediate);
	ze_result_t (*get)(ze_api_version_t, void *);
	*(void **)(&get) = dlsym(lib, "zeGetDriverProcAddrTable");
	assert_ze(get((ze_api_version_t)ZE_MAKE_VERSION(2, 0), &g), ZE_RESULT_ERROR_UNSUPPORTED_VERSION);
	assert_ze(get(ZE_API_VERSION_1_4, NULL), ZE_RESULT_ERROR_INVALID_NULL_POINTER);
}

static void the_device_says_what_it_is(void **state)
{
	(void)state;
	ze_mutable_command_list_exp_properties_t m = {.stype = ZE_TARN_STYPE_MUTABLE_LIST_PROPERTIES};
	ze_device_properties_t p = {.stype = ZE_STRUCTURE_TYPE_DEVICE_PROPERTIES, .pNext = &m};
	assert_ze(dev.pfnGetProperties(device, &p), OK);
	assert_string_equal(p.name, "Intel(R) AI Boost (simulated by Tarn)");
	assert_int_equal(p.type, ZE_DEVICE_TYPE_VPU);
	assert_int_equal(p.deviceId, 0x643e);
	assert_int_equal(p.numSlices, 6);
	assert_int_equal(m.mutableCommandFlags, 0xc0);
	assert_int_equal(p.timerResolution, 1000000000 / 19200000);
	p.stype = ZE_STRUCTURE_TYPE_DEVICE_PROPERTIES_1_2;
	assert_ze(dev.pfnGetProperties(device, &p), OK);
	assert_int_equal(p.timerResolution, 19200000);
	/* 48 TOPS: OpenVINO's formula on this device. */
	double tops = p.coreClockRate / 1e12 * p.numSlices * p.physicalEUSimdWidth;
	assert_true(tops > 47 && tops < 49);
	ze_command_queue_group_properties_t g = {0};
	uint32_t n = 0;
	assert_ze(dev.pfnGetCommandQueueGroupProperties(device, &n, NULL), OK);
	assert_int_equal(n, 1);
	assert_ze(dev.pfnGetCommandQueueGroupProperties(device, &n, &g), OK);
	assert_int_equal(g.flags, ZE_COMMAND_QUEUE_GROUP_PROPERTY_FLAG_COMPUTE | ZE_COMMAND_QUEUE_GROUP_PROPERTY_FLAG_COPY);
	assert_int_equal(g.numQueues, 1);
	assert_int_equal(g.maxMemoryFillPatternSize, 4);
	assert_ze(dev.pfnGetProperties(NULL, &p), ZE_RESULT_ERROR_INVALID_NULL_HANDLE);
	assert_ze(dev.pfnGetProperties(device, NULL), ZE_RESULT_ERROR_INVALID_NULL_POINTER);
	assert_ze(dev.pfnGetProperties((ze_device_handle_t)context, &p), ZE_RESULT_ERROR_INVALID_ARGUMENT);
}

static void extensions_are_listed_and_found(void **state)
{
	(void)state;
	uint32_t n = 0;
	assert_ze(drv.pfnGetExtensionProperties(driver, &n, NULL), OK);
	ze_driver_extension_properties_t p[32];
	assert_true(n > 8 && n <= 32);
	assert_ze(drv.pfnGetExtensionProperties(driver, &n, p), OK);
	bool graph = false, simulated = false, mutable = false;
	for (uint32_t i = 0; i < n; i++) {
		graph |= !strcmp(p[i].name, ZE_GRAPH_EXT_NAME) && p[i].version == ZE_MAKE_VERSION(1, 16);
		mutable |= !strcmp(p[i].name, ZE_MUTABLE_COMMAND_LIST_EXP_NAME) && p[i].version == ZE_MAKE_VERSION(1, 1);
		simulated |= !strcmp(p[i].name, ZE_TARN_SIMULATED_EXT_NAME);
	}
	assert_true(graph && simulated && mutable);
	void *at = NULL;
	assert_ze(drv.pfnGetExtensionFunctionAddress(driver, "ZE_extension_nothing", &at), ZE_RESULT_ERROR_INVALID_ARGUMENT);
	assert_ptr_equal(extension("ZE_extension_graph_1_5"), gra);
	for (size_t i = 0; i < sizeof *gra / sizeof(void *); i++)
		assert_non_null(((void **)gra)[i]);
}

static void memory_rules(void **state)
{
	(void)state;
	ze_host_mem_alloc_desc_t h = {.stype = ZE_STRUCTURE_TYPE_HOST_MEM_ALLOC_DESC};
	ze_device_mem_alloc_desc_t d = {.stype = ZE_STRUCTURE_TYPE_DEVICE_MEM_ALLOC_DESC};
	void *p = NULL, *q = NULL;
	assert_ze(mem.pfnAllocHost(context, &h, 0, 0, &p), ZE_RESULT_ERROR_UNSUPPORTED_SIZE);
	assert_ze(mem.pfnAllocHost(context, &h, UINT64_MAX / 2, 0, &p), ZE_RESULT_ERROR_UNSUPPORTED_SIZE);
	assert_ze(mem.pfnAllocHost(context, &h, 64, 3, &p), ZE_RESULT_ERROR_UNSUPPORTED_ALIGNMENT);
	assert_ze(mem.pfnAllocHost(context, NULL, 64, 0, &p), ZE_RESULT_ERROR_INVALID_NULL_POINTER);
	assert_ze(mem.pfnAllocHost(NULL, &h, 64, 0, &p), ZE_RESULT_ERROR_INVALID_NULL_HANDLE);
	assert_ze(mem.pfnAllocHost(context, &h, 5000, 0, &p), OK);
	assert_ze(mem.pfnAllocDevice(context, &d, 64, 1 << 16, device, &q), OK);
	assert_int_equal((uintptr_t)q % (1 << 16), 0);
	ze_memory_allocation_properties_t a = {0};
	ze_device_handle_t owner;
	assert_ze(mem.pfnGetAllocProperties(context, (char *)p + 4999, &a, &owner), OK);
	assert_int_equal(a.type, ZE_MEMORY_TYPE_HOST);
	assert_int_equal(a.pageSize, 4096);
	assert_true(a.id > 0);
	assert_null(owner);
	assert_ze(mem.pfnGetAllocProperties(context, q, &a, &owner), OK);
	assert_int_equal(a.type, ZE_MEMORY_TYPE_DEVICE);
	assert_ptr_equal(owner, device);
	assert_ze(mem.pfnGetAllocProperties(context, &a, &a, NULL), OK);
	assert_int_equal(a.type, ZE_MEMORY_TYPE_UNKNOWN);
	void *base;
	size_t size;
	assert_ze(mem.pfnGetAddressRange(context, (char *)p + 100, &base, &size), OK);
	assert_ptr_equal(base, p);
	assert_int_equal(size, 8192);
	assert_ze(mem.pfnFree(context, (char *)p + 8), ZE_RESULT_ERROR_INVALID_ARGUMENT);
	/* Another context does not know it. */
	ze_context_handle_t other;
	ze_context_desc_t desc = {.stype = ZE_STRUCTURE_TYPE_CONTEXT_DESC};
	assert_ze(ctx.pfnCreate(driver, &desc, &other), OK);
	assert_ze(mem.pfnFree(other, p), ZE_RESULT_ERROR_INVALID_ARGUMENT);
	assert_ze(ctx.pfnDestroy(other), OK);
	assert_ze(mem.pfnFree(context, p), OK);
	assert_ze(mem.pfnFree(context, p), ZE_RESULT_ERROR_INVALID_ARGUMENT);
	assert_ze(mem.pfnFree(context, q), OK);
	ze_graph_memory_query_t used;
	assert_ze(gra->pfnQueryContextMemory(context, ZE_GRAPH_QUERY_MEMORY_DDR, &used), OK);
	assert_int_equal(used.allocated, 0);
}

static void user_memory_is_imported_once(void **state)
{
	(void)state;
	void *user = aligned_alloc(4096, 8192), *p = NULL;
	ze_external_memmap_sysmem_ext_desc_t m = {.stype = ZE_TARN_STYPE_MEMMAP_SYSMEM, .pSystemMemory = user, .size = 8192};
	ze_host_mem_alloc_desc_t h = {.stype = ZE_STRUCTURE_TYPE_HOST_MEM_ALLOC_DESC, .pNext = &m};
	assert_ze(mem.pfnAllocHost(context, &h, 8192, 0, &p), OK);
	assert_ptr_equal(p, user);
	assert_ze(mem.pfnAllocHost(context, &h, 8192, 0, &p), ZE_RESULT_ERROR_INVALID_ARGUMENT);
	m.pSystemMemory = (char *)user + 64;
	assert_ze(mem.pfnAllocHost(context, &h, 8192, 0, &p), ZE_RESULT_ERROR_UNSUPPORTED_ALIGNMENT);
	assert_ze(mem.pfnFree(context, user), OK);
	((char *)user)[8191] = 1; /* still ours */
	free(user);
}

static void many_allocations_are_told_apart(void **state)
{
	(void)state;
	enum { N = 200 };
	char *p[N];
	for (int i = 0; i < N; i++)
		p[i] = alloc((size_t)(i % 7 + 1) * 4096);
	for (int i = 0; i < N; i++) {
		void *base;
		size_t size;
		assert_ze(mem.pfnGetAddressRange(context, p[i] + (i % 7) * 4096 + 4095, &base, &size), OK);
		assert_ptr_equal(base, p[i]);
		assert_int_equal(size, (i % 7 + 1) * 4096);
	}
	for (int i = 0; i < N; i += 2)
		assert_ze(mem.pfnFree(context, p[i]), OK);
	for (int i = 1; i < N; i += 2)
		assert_ze(mem.pfnFree(context, p[i]), OK);
}

static void lists_copy_and_fill(void **state)
{
	(void)state;
	ze_command_queue_handle_t q = new_queue(NULL, ZE_COMMAND_QUEUE_MODE_DEFAULT);
	ze_command_list_handle_t l = new_list(NULL);
	uint8_t *a = alloc(4096), *b = alloc(4096);
	uint32_t pattern = 0x04030201;
	int foreign = 0;
	assert_ze(lst.v14.pfnAppendMemoryFill(l, a, &pattern, 4, 1024, NULL, 0, NULL), OK);
	assert_ze(lst.v14.pfnAppendMemoryFill(l, a, &pattern, 8, 1024, NULL, 0, NULL), ZE_RESULT_ERROR_INVALID_SIZE);
	assert_ze(lst.v14.pfnAppendMemoryFill(l, a, &pattern, 4, 4100, NULL, 0, NULL), ZE_RESULT_ERROR_INVALID_ARGUMENT);
	assert_ze(lst.v14.pfnAppendMemoryCopy(l, b, a + 1, 512, NULL, 0, NULL), OK);
	assert_ze(lst.v14.pfnAppendMemoryCopy(l, b, NULL, 4, NULL, 0, NULL), ZE_RESULT_ERROR_INVALID_NULL_POINTER);
	assert_ze(lst.v14.pfnAppendMemoryCopy(l, b, a, 0, NULL, 0, NULL), ZE_RESULT_ERROR_INVALID_SIZE);
	assert_ze(lst.v14.pfnAppendMemoryCopy(l, b, &foreign, 4, NULL, 0, NULL), ZE_RESULT_ERROR_INVALID_ARGUMENT);
	assert_ze(que.pfnExecuteCommandLists(q, 1, &l, NULL), ZE_RESULT_ERROR_UNINITIALIZED);
	run(q, l);
	for (int i = 0; i < 512; i++)
		assert_int_equal(b[i], (i + 1) % 4 + 1);
	assert_int_equal(b[512], 0);
	assert_ze(lst.v14.pfnAppendBarrier(l, NULL, 0, NULL), ZE_RESULT_ERROR_NOT_AVAILABLE);
	assert_ze(que.pfnExecuteCommandLists(q, 0, &l, NULL), ZE_RESULT_ERROR_INVALID_SIZE);
	/* A closed list may run again; a reset one is empty and open. */
	memset(b, 0, 512);
	assert_ze(que.pfnExecuteCommandLists(q, 1, &l, NULL), OK);
	assert_ze(que.pfnSynchronize(q, UINT64_MAX), OK);
	assert_int_equal(b[0], 2);
	assert_ze(lst.v14.pfnReset(l), OK);
	/* A box of 3 bytes by 2 rows by 2 slices, from (1,1,0) of one buffer to (0,0,1) of another. */
	for (int i = 0; i < 256; i++)
		a[i] = (uint8_t)i;
	memset(b, 0, 4096);
	ze_copy_region_t from = {1, 1, 0, 3, 2, 2}, to = {0, 0, 1, 3, 2, 2};
	assert_ze(lst.v14.pfnAppendMemoryCopyRegion(l, b, &to, 5, 20, a, &from, 8, 40, NULL, 0, NULL), OK);
	run(q, l);
	for (int z = 0; z < 2; z++)
		for (int y = 0; y < 2; y++)
			for (int x = 0; x < 3; x++)
				assert_int_equal(b[(z + 1) * 20 + y * 5 + x], z * 40 + (y + 1) * 8 + x + 1);
	assert_ze(lst.v14.pfnDestroy(l), OK);
	assert_ze(que.pfnDestroy(q), OK);
	assert_ze(mem.pfnFree(context, a), OK);
	assert_ze(mem.pfnFree(context, b), OK);
}

static void fence_rules(void **state)
{
	(void)state;
	ze_command_queue_handle_t q = new_queue(NULL, ZE_COMMAND_QUEUE_MODE_DEFAULT), q2 = new_queue(NULL, 0);
	ze_command_list_handle_t empty = new_list(NULL), l = new_list(NULL);
	ze_fence_handle_t f = new_fence(q, 0), set = new_fence(q, ZE_FENCE_FLAG_SIGNALED);
	uint8_t *a = alloc(64);
	uint8_t one = 1;
	assert_ze(fen.pfnHostSynchronize(f, UINT64_MAX), ZE_RESULT_NOT_READY);
	assert_ze(fen.pfnQueryStatus(set), OK);
	assert_ze(fen.pfnHostSynchronize(set, 0), OK);
	assert_ze(fen.pfnReset(set), OK);
	assert_ze(fen.pfnQueryStatus(set), ZE_RESULT_NOT_READY);
	assert_ze(lst.v14.pfnClose(empty), OK);
	assert_ze(que.pfnExecuteCommandLists(q2, 1, &empty, f), ZE_RESULT_ERROR_INVALID_SYNCHRONIZATION_OBJECT);
	assert_ze(que.pfnExecuteCommandLists(q, 1, &empty, f), OK);
	assert_ze(fen.pfnQueryStatus(f), OK);
	assert_ze(fen.pfnReset(f), OK);
	assert_ze(lst.v14.pfnAppendMemoryFill(l, a, &one, 1, 64, NULL, 0, NULL), OK);
	assert_ze(lst.v14.pfnClose(l), OK);
	ze_command_list_handle_t both[] = {empty, l};
	assert_ze(que.pfnExecuteCommandLists(q, 2, both, f), OK);
	assert_ze(fen.pfnHostSynchronize(f, UINT64_MAX), OK);
	assert_int_equal(a[63], 1);
	/* Handles may go while the device works with what they stood for. */
	assert_ze(fen.pfnReset(f), OK);
	assert_ze(que.pfnExecuteCommandLists(q, 2, both, f), OK);
	assert_ze(fen.pfnDestroy(f), OK);
	assert_ze(lst.v14.pfnDestroy(l), OK);
	assert_ze(que.pfnSynchronize(q, UINT64_MAX), OK);
	assert_ze(fen.pfnDestroy(set), OK);
	assert_ze(lst.v14.pfnDestroy(empty), OK);
	assert_ze(que.pfnDestroy(q), OK);
	assert_ze(que.pfnDestroy(q2), OK);
	assert_ze(mem.pfnFree(context, a), OK);
}

static void events_order_queues(void **state)
{
	(void)state;
	ze_event_pool_desc_t pd = {.stype = ZE_STRUCTURE_TYPE_EVENT_POOL_DESC, .flags = ZE_EVENT_POOL_FLAG_HOST_VISIBLE};
	ze_event_pool_handle_t pool;
	assert_ze(pol.pfnCreate(context, &pd, 1, &device, &pool), ZE_RESULT_ERROR_INVALID_SIZE);
	pd.count = 2;
	assert_ze(pol.pfnCreate(context, NULL, 1, &device, &pool), ZE_RESULT_ERROR_INVALID_NULL_POINTER);
	assert_ze(pol.pfnCreate(context, &pd, 1, &device, &pool), OK);
	ze_event_desc_t ed = {.stype = ZE_STRUCTURE_TYPE_EVENT_DESC, .index = 2};
	ze_event_handle_t e, host;
	assert_ze(eve.pfnCreate(pool, &ed, &e), ZE_RESULT_ERROR_INVALID_ARGUMENT);
	ed.index = 0;
	assert_ze(eve.pfnCreate(pool, &ed, &e), OK);
	ed.index = 1;
	assert_ze(eve.pfnCreate(pool, &ed, &host), OK);
	assert_ze(pol.pfnDestroy(pool), ZE_RESULT_ERROR_HANDLE_OBJECT_IN_USE);
	assert_ze(eve.pfnQueryStatus(e), ZE_RESULT_NOT_READY);
	assert_ze(eve.pfnHostSynchronize(e, 1000), ZE_RESULT_NOT_READY);

	/* The first queue waits for the second, which waits for the host. */
	ze_command_queue_handle_t q1 = new_queue(NULL, 0), q2 = new_queue(NULL, 0);
	ze_command_list_handle_t l1 = new_list(NULL), l2 = new_list(NULL);
	uint32_t *a = alloc(64), five = 5;
	assert_ze(lst.v14.pfnAppendWaitOnEvents(l1, 1, &e), OK);
	assert_ze(lst.v14.pfnAppendMemoryCopy(l1, a + 1, a, 4, NULL, 0, NULL), OK);
	assert_ze(lst.v14.pfnAppendEventReset(l1, e), OK);
	assert_ze(lst.v14.pfnAppendMemoryFill(l2, a, &five, 4, 4, e, 1, &host), OK);
	assert_ze(lst.v14.pfnClose(l1), OK);
	assert_ze(lst.v14.pfnClose(l2), OK);
	for (int round = 0; round < 20; round++) {
		a[0] = a[1] = 0;
		assert_ze(que.pfnExecuteCommandLists(q1, 1, &l1, NULL), OK);
		assert_ze(que.pfnExecuteCommandLists(q2, 1, &l2, NULL), OK);
		assert_ze(que.pfnSynchronize(q1, 0), ZE_RESULT_NOT_READY);
		assert_int_equal(a[1], 0);
		assert_ze(eve.pfnHostSignal(host), OK);
		assert_ze(que.pfnSynchronize(q1, UINT64_MAX), OK);
		assert_int_equal(a[1], 5);
		assert_ze(que.pfnSynchronize(q2, UINT64_MAX), OK);
		assert_ze(eve.pfnQueryStatus(e), ZE_RESULT_NOT_READY);
		assert_ze(eve.pfnHostReset(host), OK);
	}
	assert_ze(lst.v14.pfnDestroy(l1), OK);
	assert_ze(lst.v14.pfnDestroy(l2), OK);
	assert_ze(que.pfnDestroy(q1), OK);
	assert_ze(que.pfnDestroy(q2), OK);
	assert_ze(eve.pfnDestroy(e), OK);
	assert_ze(eve.pfnDestroy(host), OK);
	assert_ze(pol.pfnDestroy(pool), OK);
	assert_ze(mem.pfnFree(context, a), OK);
}

static void timestamps_follow_the_model(void **state)
{
	(void)state;
	ze_command_queue_handle_t q = new_queue(NULL, 0);
	ze_command_list_handle_t l = new_list(NULL);
	uint64_t *t = alloc(4096);
	char *a = alloc(1 << 20), *b = alloc(1 << 20);
	assert_ze(lst.v14.pfnAppendWriteGlobalTimestamp(l, t, NULL, 0, NULL), OK);
	assert_ze(lst.v14.pfnAppendMemoryCopy(l, a, b, 1 << 20, NULL, 0, NULL), OK);
	assert_ze(lst.v14.pfnAppendWriteGlobalTimestamp(l, t + 1, NULL, 0, NULL), OK);
	assert_ze(lst.v14.pfnAppendWriteGlobalTimestamp(l, t + 2, NULL, 0, NULL), OK);
	ze_tarn_device_state_t before = state_of_device();
	run(q, l);
	ze_tarn_device_state_t after = state_of_device();
	/* What the timing model says of the transfer, in ticks of 19.2 MHz, and one tick for the reading. */
	uint64_t ns = (uint64_t)(tarn_timing_dma_us(tarn_arch_find(4000), TARN_DMA_DDR2DDR, 1 << 20) * 1000);
	uint64_t ticks = ns * 192 / 10000;
	assert_true(ns > 10000 && ns < 1000000);
	assert_true(t[1] - t[0] >= ticks && t[1] - t[0] <= ticks + 2);
	assert_true(t[2] > t[1] && t[2] <= t[1] + 2);
	assert_in_range(after.busy_us - before.busy_us, ns / 1000, ns / 1000 + 1);
	assert_int_equal(after.mode, ZE_TARN_MODE_EXACT);
	uint64_t host, device_time, last = t[2];
	for (int i = 0; i < 3; i++) {
		assert_ze(dev.pfnGetGlobalTimestamps(device, &host, &device_time), OK);
		assert_true(device_time > last);
		last = device_time;
	}
	zes_device_dditable_t zd;
	zes_engine_dditable_t ze;
	table("zesGetDeviceProcAddrTable", ZE_API_VERSION_1_4, &zd);
	table("zesGetEngineProcAddrTable", ZE_API_VERSION_1_4, &ze);
	uint32_t n = 1;
	zes_engine_handle_t engine;
	zes_engine_stats_t stats;
	assert_ze(zd.pfnEnumEngineGroups((zes_device_handle_t)device, &n, &engine), OK);
	assert_ze(ze.pfnGetActivity(engine, &stats), OK);
	assert_int_equal(stats.activeTime, after.busy_us);
	assert_ze(lst.v14.pfnDestroy(l), OK);
	assert_ze(que.pfnDestroy(q), OK);
	assert_ze(mem.pfnFree(context, t), OK);
	assert_ze(mem.pfnFree(context, a), OK);
	assert_ze(mem.pfnFree(context, b), OK);
}

static void immediate_lists_run_at_once(void **state)
{
	(void)state;
	ze_command_queue_desc_t desc = {.stype = ZE_STRUCTURE_TYPE_COMMAND_QUEUE_DESC,
					.mode = ZE_COMMAND_QUEUE_MODE_SYNCHRONOUS};
	ze_command_list_handle_t l;
	uint8_t *a = alloc(64), nine = 9;
	assert_ze(lst.v14.pfnCreateImmediate(context, device, &desc, &l), OK);
	assert_ze(lst.v14.pfnAppendMemoryFill(l, a, &nine, 1, 64, NULL, 0, NULL), OK);
	assert_int_equal(a[63], 9);
	ze_bool_t yes = 0;
	assert_ze(lst.all.more.pfnIsImmediate(l, &yes), OK);
	assert_true(yes);
	assert_ze(lst.all.more.pfnHostSynchronize(l, UINT64_MAX), OK);
	assert_ze(lst.v14.pfnDestroy(l), OK);
	assert_ze(mem.pfnFree(context, a), OK);
}

static void queue_options(void **state)
{
	(void)state;
	ze_command_queue_desc_npu_ext_2_t o = {.stype = ZE_STRUCTURE_TYPE_COMMAND_QUEUE_DESC_NPU_EXT_2,
					       .options = ZE_NPU_COMMAND_QUEUE_OPTION_DEVICE_SYNC};
	ze_command_queue_desc_t desc = {
		.stype = ZE_STRUCTURE_TYPE_COMMAND_QUEUE_DESC, .pNext = &o, .mode = ZE_COMMAND_QUEUE_MODE_SYNCHRONOUS};
	ze_command_queue_handle_t q;
	assert_ze(que.pfnCreate(context, device, &desc, &q), ZE_RESULT_ERROR_INVALID_ENUMERATION);
	desc.mode = ZE_COMMAND_QUEUE_MODE_ASYNCHRONOUS;
	assert_ze(que.pfnCreate(context, device, &desc, &q), OK);
	ze_command_queue_npu_dditable_ext_t *ext = extension(ZE_COMMAND_QUEUE_NPU_EXT_NAME);
	assert_ze(ext->pfnSetWorkloadType(q, ZE_WORKLOAD_TYPE_BACKGROUND), OK);
	assert_ze(ext->pfnSetWorkloadType(q, (ze_command_queue_workload_type_t)7), ZE_RESULT_ERROR_INVALID_ENUMERATION);
	assert_ze(ext->pfnSetWorkloadType((ze_command_queue_handle_t)context, 0), ZE_RESULT_ERROR_INVALID_ARGUMENT);
	assert_ze(que.pfnDestroy(q), OK);
	desc.ordinal = 1;
	assert_ze(que.pfnCreate(context, device, &desc, &q), ZE_RESULT_ERROR_INVALID_ARGUMENT);
}

int main(void)
{
	tables(TARN_ZE_LIB);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(init_rules),
		cmocka_unit_test(older_callers_have_shorter_tables),
		cmocka_unit_test(the_device_says_what_it_is),
		cmocka_unit_test(extensions_are_listed_and_found),
		cmocka_unit_test(memory_rules),
		cmocka_unit_test(user_memory_is_imported_once),
		cmocka_unit_test(many_allocations_are_told_apart),
		cmocka_unit_test(lists_copy_and_fill),
		cmocka_unit_test(fence_rules),
		cmocka_unit_test(events_order_queues),
		cmocka_unit_test(timestamps_follow_the_model),
		cmocka_unit_test(immediate_lists_run_at_once),
		cmocka_unit_test(queue_options),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	stop();
	return failed;
}
