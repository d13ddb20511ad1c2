/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every allocation of the driver's front fails once, at every place: a call then answers OUT_OF_HOST_MEMORY (or does without
 * what it could not have, such as a cache entry), keeps nothing, and works when memory is back. Linked statically, since the
 * hook is not exported.
 */
#include "base/mem.h"
#include "driver/ze/ze.h"
#include "unit/driver/fake_compiler.c"
#include "unit/driver/ze_model.h"

#define NOMEM ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY
enum { TRIES = 400 };

static ze_graph_handle_t graph;
static float *x, *y;

static void direct_tables(void)
{
	global.pfnInit = tarn_ze_init;
	drv = tarn_ze_driver_table;
	dev = tarn_ze_device_table;
	ctx = tarn_ze_context_table;
	mem = tarn_ze_mem_table;
	que = tarn_ze_queue_table;
	tarn_ze_list_fill(&lst.v14);
	fen = tarn_ze_fence_table;
	pol = tarn_ze_pool_table;
	eve = tarn_ze_event_table;
}

/* Runs `call` with the n-th allocation failing, n = 1, 2, ... until it succeeds; at least one n must have made it fail. */
static void sweep(ze_result_t (*call)(void), bool always_fails_first)
{
	int failed = 0;
	for (uint64_t n = 1; n < TRIES; n++) {
		tarn_mem_fail_after(n);
		ze_result_t r = call();
		tarn_mem_fail_after(0);
		if (r != OK) {
			assert_ze(r, NOMEM);
			failed++;
			continue;
		}
		/* Far enough that nothing was refused any more. */
		if (n > 60)
			break;
	}
	assert_true(failed > 0 || !always_fails_first);
	assert_ze(call(), OK);
}

static ze_result_t make_graph(void)
{
	ze_graph_handle_t g;
	ze_result_t r = create("n=16", 1, "--config PERF_COUNT=\"YES\" NPU_TILES=\"2\"", 0, &g);
	return r == OK ? gra->pfnDestroy(g) : r;
}

static ze_result_t make_graph_uncached(void)
{
	ze_graph_handle_t g;
	ze_result_t r = create("n=16", 1, "--inputs_precisions=\"0:FP16\"", ZE_GRAPH_FLAG_DISABLE_CACHING, &g);
	return r == OK ? gra->pfnDestroy(g) : r;
}

static ze_result_t make_pool(void)
{
	ze_event_pool_desc_t pd = {.stype = ZE_STRUCTURE_TYPE_EVENT_POOL_DESC, .count = 3};
	ze_event_desc_t ed = {.stype = ZE_STRUCTURE_TYPE_EVENT_DESC, .index = 1};
	ze_event_pool_handle_t pool;
	ze_event_handle_t e;
	ze_result_t r = pol.pfnCreate(context, &pd, 0, NULL, &pool);
	if (r != OK)
		return r;
	r = eve.pfnCreate(pool, &ed, &e);
	if (r == OK)
		assert_ze(eve.pfnDestroy(e), OK);
	assert_ze(pol.pfnDestroy(pool), OK);
	return r;
}

static ze_result_t allocate(void)
{
	ze_host_mem_alloc_desc_t desc = {.stype = ZE_STRUCTURE_TYPE_HOST_MEM_ALLOC_DESC};
	void *p;
	ze_result_t r = mem.pfnAllocHost(context, &desc, 100, 0, &p);
	return r == OK ? mem.pfnFree(context, p) : r;
}

static ze_result_t run_graph(void)
{
	ze_command_queue_desc_t qd = {.stype = ZE_STRUCTURE_TYPE_COMMAND_QUEUE_DESC};
	ze_command_list_desc_t ld = {.stype = ZE_STRUCTURE_TYPE_COMMAND_LIST_DESC};
	ze_fence_desc_t fd = {.stype = ZE_STRUCTURE_TYPE_FENCE_DESC};
	ze_command_queue_handle_t q;
	ze_command_list_handle_t l;
	ze_fence_handle_t f = NULL;
	ze_result_t r = que.pfnCreate(context, device, &qd, &q);
	if (r != OK)
		return r;
	r = lst.v14.pfnCreate(context, device, &ld, &l);
	if (r == OK) {
		r = fen.pfnCreate(q, &fd, &f);
		if (r == OK)
			r = gra->pfnAppendGraphExecute(l, graph, NULL, NULL, 0, NULL);
		assert_ze(lst.v14.pfnClose(l), OK);
		if (r == OK)
			r = que.pfnExecuteCommandLists(q, 1, &l, f);
		if (r == OK)
			r = fen.pfnHostSynchronize(f, UINT64_MAX);
		if (f)
			assert_ze(fen.pfnDestroy(f), OK);
		assert_ze(lst.v14.pfnDestroy(l), OK);
	}
	assert_ze(que.pfnSynchronize(q, UINT64_MAX), OK);
	assert_ze(que.pfnDestroy(q), OK);
	return r;
}

static void each_call_survives(void **state)
{
	(void)state;
	sweep(make_graph, true);
	sweep(make_graph_uncached, true);
	sweep(make_pool, true);
	sweep(allocate, true);
	y[0] = 0;
	sweep(run_graph, true);
	assert_true(y[0] == 1);
}

int main(void)
{
	direct_tables();
	start();
	assert_ze(create("n=16", 1, NULL, 0, &graph), OK);
	x = alloc(64);
	y = alloc(64);
	assert_ze(gra->pfnSetArgumentValue(graph, 0, x), OK);
	assert_ze(gra->pfnSetArgumentValue(graph, 1, y), OK);
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_call_survives)};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	assert_ze(gra->pfnDestroy(graph), OK);
	assert_ze(mem.pfnFree(context, x), OK);
	assert_ze(mem.pfnFree(context, y), OK);
	stop();
	return failed;
}
