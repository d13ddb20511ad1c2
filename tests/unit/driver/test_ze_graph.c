/* SPDX-License-Identifier: Apache-2.0 */
/* The graph and profiling extensions around a stand-in compiler (fake_compiler.c): y = x + bias on n floats. */
#include "unit/driver/ze_model.h"

static void a_graph_runs(void **state)
{
	(void)state;
	ze_graph_handle_t g;
	assert_ze(create("n=16", 1.5f, "--config PERFORMANCE_HINT=\"LATENCY\"", 0, &g), OK);
	ze_graph_properties_t gp = {0};
	assert_ze(gra->pfnGetProperties(g, &gp), OK);
	assert_int_equal(gp.numGraphArgs, 2);
	static ze_graph_argument_properties_3_t p;
	assert_ze(gra->pfnGetArgumentProperties3(g, 0, &p), OK);
	assert_string_equal(p.name, "x");
	assert_int_equal(p.type, ZE_GRAPH_ARGUMENT_TYPE_INPUT);
	assert_int_equal(p.dims_count, 2);
	assert_int_equal(p.dims[1], 16);
	for (int i = 2; i < 5; i++)
		assert_int_equal(p.dims[i], 1);
	assert_int_equal(p.networkLayout, ZE_GRAPH_ARGUMENT_LAYOUT_NC);
	assert_int_equal(p.associated_tensor_names_count, 2);
	assert_string_equal(p.associated_tensor_names[1], "alias_x");
	assert_ze(gra->pfnGetArgumentProperties3(g, 2, &p), ZE_RESULT_ERROR_INVALID_ARGUMENT);
	static ze_graph_argument_metadata_t m;
	assert_ze(gra->pfnGraphGetArgumentMetadata(g, 1, &m), OK);
	assert_int_equal(m.type, ZE_GRAPH_ARGUMENT_TYPE_OUTPUT);
	assert_string_equal(m.friendly_name, "add/result");
	assert_int_equal(m.data_type, ZE_GRAPH_METADATA_TYPE_F32);
	assert_int_equal(m.shape_size, 2);
	assert_int_equal(m.shape[1], 16);

	float *x = alloc(64), *y = alloc(64);
	ze_command_queue_handle_t q = new_queue(NULL, 0);
	ze_command_list_handle_t l = new_list(NULL);
	int foreign;
	assert_ze(gra->pfnGraphInitialize(g), OK);
	assert_ze(gra->pfnSetArgumentValue(g, 0, NULL), ZE_RESULT_ERROR_INVALID_NULL_POINTER);
	assert_ze(gra->pfnSetArgumentValue(g, 2, x), ZE_RESULT_ERROR_INVALID_ARGUMENT);
	assert_ze(gra->pfnSetArgumentValue(g, 0, &foreign), ZE_RESULT_ERROR_INVALID_ARGUMENT);
	assert_ze(gra->pfnSetArgumentValue(g, 0, (char *)x + 4096 - 60), ZE_RESULT_ERROR_INVALID_ARGUMENT);
	assert_ze(gra->pfnSetArgumentValue(g, 0, x), OK);
	assert_ze(gra->pfnAppendGraphExecute(l, g, NULL, NULL, 0, NULL), ZE_RESULT_ERROR_UNINITIALIZED);
	ze_graph_argument_value_tensor_t t = {.pNext = &foreign, .pTensor = y};
	assert_ze(gra->pfnSetArgumentValue2(g, 1, &t), ZE_RESULT_ERROR_INVALID_ARGUMENT);
	t.pNext = NULL;
	assert_ze(gra->pfnSetArgumentValue2(g, 1, &t), OK);
	assert_ze(gra->pfnAppendGraphInitialize(l, NULL, NULL, 0, NULL), ZE_RESULT_ERROR_UNINITIALIZED);
	assert_ze(gra->pfnAppendGraphInitialize(l, g, NULL, 0, NULL), OK);
	assert_ze(gra->pfnAppendGraphExecute(l, g, NULL, NULL, 0, NULL), OK);
	for (int i = 0; i < 16; i++)
		x[i] = (float)i;
	uint64_t busy = state_of_device().busy_us;
	run(q, l);
	for (int i = 0; i < 16; i++)
		assert_true(y[i] == (float)i + 1.5f);
	assert_in_range(state_of_device().busy_us - busy, 10, 11);
	/* The device keeps what it works with. */
	memset(y, 0, 64);
	assert_ze(que.pfnExecuteCommandLists(q, 1, &l, NULL), OK);
	assert_ze(gra->pfnDestroy(g), OK);
	assert_ze(lst.v14.pfnDestroy(l), OK);
	assert_ze(que.pfnSynchronize(q, UINT64_MAX), OK);
	assert_true(y[15] == 16.5f);
	assert_ze(que.pfnDestroy(q), OK);
	assert_ze(mem.pfnFree(context, x), OK);
	assert_ze(mem.pfnFree(context, y), OK);
}

static void mutable_lists_take_other_tensors(void **state)
{
	(void)state;
	ze_graph_handle_t g;
	assert_ze(create("n=4", 1, NULL, 0, &g), OK);
	float *x = alloc(64), *y = alloc(64), *y2 = alloc(64);
	assert_ze(gra->pfnSetArgumentValue(g, 0, x), OK);
	assert_ze(gra->pfnSetArgumentValue(g, 1, y), OK);
	ze_command_queue_handle_t q = new_queue(NULL, 0);
	ze_command_list_handle_t fixed = new_list(NULL);
	ze_mutable_command_list_exp_desc_t md = {.stype = ZE_TARN_STYPE_MUTABLE_LIST_DESC};
	ze_command_list_handle_t l = new_list(&md);
	ze_mutable_command_id_exp_desc_t idd = {.stype = ZE_TARN_STYPE_MUTABLE_ID_DESC,
						.flags = ZE_TARN_MUTABLE_GRAPH_ARGUMENTS};
	uint64_t id;
	assert_ze(mut.pfnGetNextCommandIdExp(fixed, &idd, &id), ZE_RESULT_ERROR_INVALID_ARGUMENT);
	assert_ze(lst.v14.pfnAppendBarrier(l, NULL, 0, NULL), OK);
	idd.flags = 1;
	assert_ze(mut.pfnGetNextCommandIdExp(l, &idd, &id), ZE_RESULT_ERROR_INVALID_ENUMERATION);
	idd.flags = ZE_TARN_MUTABLE_GRAPH_ARGUMENTS;
	assert_ze(mut.pfnGetNextCommandIdExp(l, &idd, &id), OK);
	assert_ze(gra->pfnAppendGraphExecute(l, g, NULL, NULL, 0, NULL), OK);
	run(q, l);
	assert_true(y[0] == 1);
	assert_ze(mut.pfnGetNextCommandIdExp(l, &idd, &id), ZE_RESULT_ERROR_INVALID_ARGUMENT);

	ze_tarn_mutable_graph_argument_t a = {ZE_TARN_STYPE_MUTABLE_GRAPH_ARGUMENT, NULL, id, 1, y2};
	ze_mutable_commands_exp_desc_t u = {.stype = ZE_TARN_STYPE_MUTABLE_COMMANDS_DESC, .pNext = &a};
	assert_ze(mut.pfnUpdateMutableCommandsExp(fixed, &u), ZE_RESULT_ERROR_INVALID_ARGUMENT);
	u.flags = 1;
	assert_ze(mut.pfnUpdateMutableCommandsExp(l, &u), ZE_RESULT_ERROR_INVALID_ARGUMENT);
	u.flags = 0;
	a.commandId = id + 1;
	assert_ze(mut.pfnUpdateMutableCommandsExp(l, &u), ZE_RESULT_ERROR_INVALID_ARGUMENT);
	a.commandId = id - 1; /* the barrier */
	assert_ze(mut.pfnUpdateMutableCommandsExp(l, &u), ZE_RESULT_ERROR_INVALID_ARGUMENT);
	a.commandId = id;
	/* One wrong argument of two: nothing changes. */
	ze_tarn_mutable_graph_argument_t wrong = {ZE_TARN_STYPE_MUTABLE_GRAPH_ARGUMENT, NULL, id, 9, y};
	a.pNext = &wrong;
	assert_ze(mut.pfnUpdateMutableCommandsExp(l, &u), ZE_RESULT_ERROR_INVALID_ARGUMENT);
	x[0] = 5;
	run(q, l);
	assert_true(y[0] == 6 && y2[0] == 0);
	a.pNext = NULL;
	a.stype = (ze_structure_type_t)ZE_STRUCTURE_TYPE_MUTABLE_GRAPH_ARGUMENT_EXP_DESC_DEPRECATED;
	ze_tarn_pfnCommandListUpdateMutableCommands_t by_name;
	*(void **)(&by_name) = extension("zeCommandListUpdateMutableCommandsExp");
	assert_ze(by_name(l, &u), OK);
	x[0] = 7;
	run(q, l);
	assert_true(y[0] == 6 && y2[0] == 8);
	assert_ze(lst.v14.pfnDestroy(l), OK);
	assert_ze(lst.v14.pfnDestroy(fixed), OK);
	assert_ze(que.pfnDestroy(q), OK);
	assert_ze(gra->pfnDestroy(g), OK);
	assert_ze(mem.pfnFree(context, x), OK);
	assert_ze(mem.pfnFree(context, y), OK);
	assert_ze(mem.pfnFree(context, y2), OK);
}

static void failures_have_a_build_log(void **state)
{
	(void)state;
	ze_graph_handle_t g = NULL;
	assert_ze(create("fail", 0, NULL, 0, &g), ZE_RESULT_ERROR_UNSUPPORTED_FEATURE);
	assert_non_null(strstr(build_log(NULL), "node 'f'"));
	assert_ze(create("n=1", 0, "--config NPU_TILES=\"many\"", 0, &g), ZE_RESULT_ERROR_INVALID_ARGUMENT);
	assert_non_null(strstr(build_log(NULL), "NPU_TILES"));
	assert_ze(create("n=1", 0, "--config NO_SUCH_OPTION=\"1\"", 0, &g), ZE_RESULT_ERROR_INVALID_ARGUMENT);
	assert_non_null(strstr(build_log(NULL), "NO_SUCH_OPTION"));
	assert_ze(create("n=1", 0, "--config NPU_PLATFORM=\"3720\"", 0, &g), ZE_RESULT_ERROR_UNSUPPORTED_FEATURE);
	assert_non_null(strstr(build_log(NULL), "3720"));
	assert_ze(create("n=1", 0, "--config NPU_TILES=\"9\"", 0, &g), ZE_RESULT_ERROR_INVALID_ARGUMENT);
	assert_non_null(strstr(build_log(NULL), "the device has 6"));
	/* Every truncation of a model buffer is refused in words. */
	uint8_t bytes[256];
	size_t n = model(bytes, "n=1", 0);
	ze_graph_desc_2_t d = {.format = ZE_GRAPH_FORMAT_NGRAPH_LITE, .pInput = bytes};
	for (d.inputSize = 1; d.inputSize < n; d.inputSize++) {
		uint8_t *exact = malloc(d.inputSize);
		memcpy(exact, bytes, d.inputSize);
		d.pInput = exact;
		assert_ze(gra->pfnCreate2(context, device, &d, &g), ZE_RESULT_ERROR_UNSUPPORTED_FEATURE);
		assert_non_null(strstr(build_log(NULL), "model buffer"));
		free(exact);
	}
	d.pInput = bytes;
	d.inputSize = 0;
	assert_ze(gra->pfnCreate2(context, device, &d, &g), ZE_RESULT_ERROR_INVALID_SIZE);
	d.inputSize = n;
	bytes[0]++;
	assert_ze(gra->pfnCreate2(context, device, &d, &g), ZE_RESULT_ERROR_UNSUPPORTED_FEATURE);
	assert_non_null(strstr(build_log(NULL), "compiler 8.0"));
	d.format = ZE_GRAPH_FORMAT_NATIVE;
	assert_ze(gra->pfnCreate2(context, device, &d, &g), ZE_RESULT_ERROR_INVALID_NATIVE_BINARY);
	d.format = (ze_graph_format_t)9;
	assert_ze(gra->pfnCreate2(context, device, &d, &g), ZE_RESULT_ERROR_UNSUPPORTED_ENUMERATION);
	ze_graph_build_log_handle_t log = NULL;
	bytes[0]--;
	memcpy(bytes + 16, "bad", 3);
	d.format = ZE_GRAPH_FORMAT_NGRAPH_LITE;
	assert_ze(gra->pfnCreate3(context, device, &d, &g, &log), ZE_RESULT_ERROR_UNSUPPORTED_FEATURE);
	char text[128];
	uint32_t size = sizeof text;
	assert_ze(gra->pfnBuildLogGetString2(log, &size, text), OK);
	assert_string_equal(text, "no n= in the model");
	assert_int_equal(size, strlen(text) + 1);
	assert_ze(gra->pfnBuildLogDestroy(log), OK);
	assert_null(g);
}

static void native_binary_goes_round(void **state)
{
	(void)state;
	ze_graph_handle_t g, back;
	assert_ze(create("n=8", 2, "--config PERF_COUNT=\"YES\"", 0, &g), OK);
	size_t size = 0;
	assert_ze(gra->pfnGetNativeBinary(g, &size, NULL), OK);
	assert_true(size > 0);
	uint8_t *copy = malloc(size);
	size_t small = size - 1, large = size + 100;
	assert_ze(gra->pfnGetNativeBinary(g, &small, copy), ZE_RESULT_ERROR_INVALID_SIZE);
	assert_ze(gra->pfnGetNativeBinary(g, &large, copy), OK);
	assert_int_equal(large, size);
	const uint8_t *view;
	assert_ze(gra->pfnGetNativeBinary2(g, &size, &view), OK);
	assert_memory_equal(view, copy, size);
	ze_graph_desc_2_t d = {.format = ZE_GRAPH_FORMAT_NATIVE, .pInput = copy, .inputSize = size};
	assert_ze(gra->pfnCreate2(context, device, &d, &back), OK);
	assert_ze(gra->pfnDestroy(g), OK);
	memset(copy, 0, size); /* the driver has its own */
	free(copy);
	assert_int_equal(flags_of(back), ZE_GRAPH_PROPERTIES_FLAG_PRE_COMPILED | ZE_GRAPH_PROPERTIES_FLAG_PROFILING_ENABLED);
	assert_ze(gra->pfnDestroy(back), OK);
}

static void profiles_have_modelled_times(void **state)
{
	(void)state;
	ze_graph_handle_t g, plain;
	ze_graph_profiling_pool_handle_t pool;
	ze_graph_profiling_query_handle_t query, other;
	assert_ze(create("n=8", 0, NULL, 0, &plain), OK);
	assert_ze(pro->pfnProfilingPoolCreate(plain, 1, &pool), ZE_RESULT_ERROR_UNSUPPORTED_FEATURE);
	assert_ze(gra->pfnDestroy(plain), OK);
	/* The flag means the option. */
	assert_ze(create("n=8", 0, NULL, ZE_GRAPH_FLAG_ENABLE_PROFILING, &g), OK);
	assert_ze(pro->pfnProfilingPoolCreate(g, 1, &pool), OK);
	assert_ze(pro->pfnProfilingQueryCreate(pool, 1, &query), ZE_RESULT_ERROR_INVALID_ARGUMENT);
	assert_ze(pro->pfnProfilingQueryCreate(pool, 0, &query), OK);
	assert_ze(pro->pfnProfilingQueryCreate(pool, 0, &other), ZE_RESULT_ERROR_HANDLE_OBJECT_IN_USE);
	assert_ze(pro->pfnProfilingPoolDestroy(pool), ZE_RESULT_ERROR_HANDLE_OBJECT_IN_USE);
	float *x = alloc(64), *y = alloc(64);
	assert_ze(gra->pfnSetArgumentValue(g, 0, x), OK);
	assert_ze(gra->pfnSetArgumentValue(g, 1, y), OK);
	ze_profiling_layer_info layer[2];
	uint32_t size = 0;
	assert_ze(pro->pfnProfilingQueryGetData(query, ZE_GRAPH_PROFILING_LAYER_LEVEL, &size, NULL), OK);
	assert_int_equal(size, sizeof layer);
	assert_ze(pro->pfnProfilingQueryGetData(query, ZE_GRAPH_PROFILING_LAYER_LEVEL, &size, (uint8_t *)layer), OK);
	assert_int_equal(layer[1].status, ZE_LAYER_STATUS_NOT_RUN);
	for (int turbo = 0; turbo < 2; turbo++) {
		ze_command_queue_desc_npu_ext_2_t o = {.stype = ZE_STRUCTURE_TYPE_COMMAND_QUEUE_DESC_NPU_EXT_2,
						       .options = turbo ? ZE_NPU_COMMAND_QUEUE_OPTION_TURBO : 0};
		ze_command_queue_handle_t q = new_queue(&o, 0);
		ze_command_list_handle_t l = new_list(NULL);
		assert_ze(gra->pfnAppendGraphExecute(l, g, query, NULL, 0, NULL), OK);
		uint64_t clock = state_of_device().clock_ns;
		run(q, l);
		assert_ze(pro->pfnProfilingQueryGetData(query, ZE_GRAPH_PROFILING_LAYER_LEVEL, &size, (uint8_t *)layer), OK);
		assert_int_equal(layer[0].status, ZE_LAYER_STATUS_OPTIMIZED_OUT);
		assert_int_equal(layer[1].status, ZE_LAYER_STATUS_EXECUTED);
		assert_string_equal(layer[1].layer_type, "Add");
		assert_int_equal(layer[1].start_time_ns, clock + 100);
		assert_int_equal(layer[1].duration_ns, 10008 / (turbo + 1) - 100);
		assert_int_equal(state_of_device().clock_ns - clock, 10008 / (turbo + 1));
		assert_ze(lst.v14.pfnDestroy(l), OK);
		assert_ze(que.pfnDestroy(q), OK);
	}
	ze_profiling_task_info task;
	size = sizeof task;
	assert_ze(pro->pfnProfilingQueryGetData(query, ZE_GRAPH_PROFILING_TASK_LEVEL, &size, (uint8_t *)&task), OK);
	assert_int_equal(task.exec_type, ZE_TASK_EXECUTE_DPU);
	assert_int_equal(task.active_cycles, 42);
	assert_ze(gra->pfnDestroy(g), OK);
	assert_ze(pro->pfnProfilingQueryDestroy(query), OK);
	assert_ze(pro->pfnProfilingPoolDestroy(pool), OK);
	assert_ze(mem.pfnFree(context, x), OK);
	assert_ze(mem.pfnFree(context, y), OK);
}

static void queries_and_estimates(void **state)
{
	(void)state;
	uint8_t bytes[256];
	ze_graph_desc_2_t d = {.format = ZE_GRAPH_FORMAT_NGRAPH_LITE, .pInput = bytes, .inputSize = model(bytes, "n=1", 0)};
	ze_graph_query_network_handle_t q;
	assert_ze(gra->pfnQueryNetworkCreate2(context, device, &d, &q), OK);
	size_t n = 0;
	char text[16];
	assert_ze(gra->pfnQueryNetworkGetSupportedLayers(q, &n, NULL), OK);
	assert_int_equal(n, 8);
	assert_ze(gra->pfnQueryNetworkGetSupportedLayers(q, &n, text), OK);
	assert_memory_equal(text, "<x><add>", 8);
	assert_ze(gra->pfnQueryNetworkDestroy(q), OK);
	d.format = ZE_GRAPH_FORMAT_NATIVE;
	assert_ze(gra->pfnQueryNetworkCreate2(context, device, &d, &q), ZE_RESULT_ERROR_UNSUPPORTED_ENUMERATION);

	ze_tarn_estimate_dditable_t *est = extension(ZE_TARN_ESTIMATE_EXT_NAME);
	ze_tarn_graph_estimate_t graph = {.size = sizeof graph};
	ze_tarn_layer_estimate_t layer[2];
	uint32_t count = 0;
	assert_ze(est->pfnGraphEstimate(device, d.inputSize, bytes, NULL, &graph, &count, NULL), OK);
	assert_int_equal(count, 2);
	assert_int_equal(graph.total_ns, 12);
	count = 1;
	assert_ze(est->pfnGraphEstimate(device, d.inputSize, bytes, NULL, &graph, &count, layer), OK);
	assert_int_equal(count, 1);
	assert_int_equal(layer[0].total_ns, 7);

	assert_ze(gra->pfnCompilerIsOptionSupported(device, ZE_NPU_COMPILER_OPTIONS, "PERF_COUNT", NULL), OK);
	assert_ze(gra->pfnCompilerIsOptionSupported(device, ZE_NPU_COMPILER_OPTIONS, "NON_EXISTING", NULL),
		  ZE_RESULT_ERROR_UNSUPPORTED_FEATURE);
	assert_ze(gra->pfnCompilerIsOptionSupported(device, ZE_NPU_DRIVER_OPTIONS, "PERF_COUNT", NULL),
		  ZE_RESULT_ERROR_UNSUPPORTED_FEATURE);
	char names[1024];
	n = sizeof names;
	assert_ze(gra->pfnCompilerGetSupportedOptions(device, ZE_NPU_COMPILER_OPTIONS, &n, names), OK);
	for (char *save, *name = strtok_r(names, " ", &save); name; name = strtok_r(NULL, " ", &save))
		assert_ze(gra->pfnCompilerIsOptionSupported(device, ZE_NPU_COMPILER_OPTIONS, name, NULL), OK);
}

int main(void)
{
	tables(TARN_ZE_TEST_LIB);
	start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_graph_runs),
		cmocka_unit_test(mutable_lists_take_other_tensors),
		cmocka_unit_test(failures_have_a_build_log),
		cmocka_unit_test(native_binary_goes_round),
		cmocka_unit_test(profiles_have_modelled_times),
		cmocka_unit_test(queries_and_estimates),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	stop();
	return failed;
}
