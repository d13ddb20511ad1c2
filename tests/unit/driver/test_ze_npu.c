/* SPDX-License-Identifier: Apache-2.0 */
/* The real driver by its tables: an IR goes in, is compiled, runs, is profiled and estimated. y = (a * b) + c on 24 numbers. */
#include "zeabi/ze_profiling_ext.h"

#include "unit/driver/ze_model.h"

#define PORT(id, p) "<port id=\"" id "\" precision=\"" p "\"><dim>2</dim><dim>3</dim><dim>4</dim></port>"
#define PARAMETER(id, name, p) \
	"<layer id=\"" id "\" name=\"" name "\" type=\"Parameter\" version=\"opset1\"><data shape=\"2,3,4\" element_type=\"" p \
	"\"/><output>" PORT("0", "FP16") "</output></layer>"
#define BINARY(id, name, op) \
	"<layer id=\"" id "\" name=\"" name "\" type=\"" op \
	"\" version=\"opset1\"><data auto_broadcast=\"numpy\"/><input>" PORT("0", "FP16") \
		PORT("1", "FP16") "</input><output>" PORT("2", "FP16") "</output></layer>"

static const char xml[] = "<?xml version=\"1.0\"?><net name=\"mul_add\" version=\"11\"><layers>" PARAMETER("0", "a", "f16")
	PARAMETER("1", "b", "f16") PARAMETER("2", "c", "f16") BINARY("3", "product", "Multiply")
		BINARY("4", "sum", "Add") "<layer id=\"5\" name=\"result\" type=\"Result\" version=\"opset1\"><input>" PORT(
			"0", "FP16") "</input></layer></layers><edges>"
				     "<edge from-layer=\"0\" from-port=\"0\" to-layer=\"3\" to-port=\"0\"/><edge "
				     "from-layer=\"1\" from-port=\"0\" to-layer=\"3\" to-port=\"1\"/>"
				     "<edge from-layer=\"3\" from-port=\"2\" to-layer=\"4\" to-port=\"0\"/><edge "
				     "from-layer=\"2\" from-port=\"0\" to-layer=\"4\" to-port=\"1\"/>"
				     "<edge from-layer=\"4\" from-port=\"2\" to-layer=\"5\" to-port=\"0\"/></edges></net>";

static uint8_t bytes[8192];

static ze_graph_desc_2_t desc_of(const char *flags)
{
	assert_true(sizeof xml + 64 < sizeof bytes);
	return (ze_graph_desc_2_t){.stype = ZE_STRUCTURE_TYPE_GRAPH_DESC_PROPERTIES,
				   .format = ZE_GRAPH_FORMAT_NGRAPH_LITE,
				   .inputSize = model(bytes, xml, 0),
				   .pInput = bytes,
				   .pBuildFlags = flags};
}

static ze_graph_handle_t graph_of(const char *flags)
{
	ze_graph_desc_2_t d = desc_of(flags);
	ze_graph_handle_t g = NULL;
	ze_result_t r = gra->pfnCreate2(context, device, &d, &g);
	if (r != OK)
		fail_msg("%s", build_log(NULL));
	return g;
}

static void a_model_runs(void **state)
{
	(void)state;
	ze_graph_handle_t g = graph_of("--inputs_precisions=\"0:FP32 1:FP32 2:FP32\" --outputs_precisions=\"0:FP32\" --config "
				       "PERF_COUNT=\"YES\" NPU_PLATFORM=\"4000\"");
	static ze_graph_argument_properties_3_t p;
	assert_ze(gra->pfnGetArgumentProperties3(g, 0, &p), OK);
	assert_string_equal(p.name, "a");
	assert_int_equal(p.dims_count, 3);
	assert_int_equal(p.dims[2], 4);
	assert_int_equal(p.devicePrecision, ZE_GRAPH_ARGUMENT_PRECISION_FP32);
	assert_ze(gra->pfnGetArgumentProperties3(g, 3, &p), OK);
	assert_int_equal(p.type, ZE_GRAPH_ARGUMENT_TYPE_OUTPUT);
	float *at[4];
	for (uint32_t i = 0; i < 4; i++) {
		at[i] = alloc(24 * sizeof(float));
		assert_ze(gra->pfnSetArgumentValue(g, i, at[i]), OK);
		for (int k = 0; k < 24; k++)
			at[i][k] = (float)(k - 12) / (float)(i + 1);
	}
	ze_graph_profiling_pool_handle_t pool;
	ze_graph_profiling_query_handle_t q;
	assert_ze(pro->pfnProfilingPoolCreate(g, 1, &pool), OK);
	assert_ze(pro->pfnProfilingQueryCreate(pool, 0, &q), OK);
	ze_command_queue_handle_t queue = new_queue(NULL, 0);
	ze_command_list_handle_t list = new_list(NULL);
	assert_ze(gra->pfnAppendGraphExecute(list, g, q, NULL, 0, NULL), OK);
	assert_ze(lst.v14.pfnClose(list), OK);
	assert_ze(que.pfnExecuteCommandLists(queue, 1, &list, NULL), OK);
	assert_ze(que.pfnSynchronize(queue, UINT64_MAX), OK);
	for (int k = 0; k < 24; k++) {
		double want = (k - 12) * ((k - 12) / 2.0) + (k - 12) / 3.0;
		assert_true(at[3][k] - want < 0.05 && want - at[3][k] < 0.05);
	}
	static ze_profiling_layer_info layer[16];
	uint32_t size = 0;
	assert_ze(pro->pfnProfilingQueryGetData(q, ZE_GRAPH_PROFILING_LAYER_LEVEL, &size, NULL), OK);
	assert_int_equal(size, 2 * sizeof *layer);
	assert_ze(pro->pfnProfilingQueryGetData(q, ZE_GRAPH_PROFILING_LAYER_LEVEL, &size, (uint8_t *)layer), OK);
	assert_string_equal(layer[0].name, "product");
	assert_string_equal(layer[1].name, "sum");
	assert_int_equal(layer[0].status, ZE_LAYER_STATUS_EXECUTED);
	assert_true(layer[0].sw_ns > 0 && layer[1].dpu_ns > 0);
	assert_true(layer[1].start_time_ns >= layer[0].start_time_ns + layer[0].duration_ns);
	assert_ze(pro->pfnProfilingQueryDestroy(q), OK);
	assert_ze(pro->pfnProfilingPoolDestroy(pool), OK);
	assert_ze(gra->pfnDestroy(g), OK);
	assert_ze(lst.v14.pfnDestroy(list), OK);
	assert_ze(que.pfnDestroy(queue), OK);
	for (int i = 0; i < 4; i++)
		assert_ze(mem.pfnFree(context, at[i]), OK);
}

static void the_cache_has_it_the_second_time(void **state)
{
	(void)state;
	ze_graph_handle_t g = graph_of(NULL), h = graph_of(NULL);
	assert_int_equal(flags_of(g) & ZE_GRAPH_PROPERTIES_FLAG_COMPILED, ZE_GRAPH_PROPERTIES_FLAG_COMPILED);
	assert_int_equal(flags_of(h) & ZE_GRAPH_PROPERTIES_FLAG_LOADED_FROM_CACHE, ZE_GRAPH_PROPERTIES_FLAG_LOADED_FROM_CACHE);
	/* And as a native blob. */
	size_t size = 0;
	assert_ze(gra->pfnGetNativeBinary(g, &size, NULL), OK);
	uint8_t *blob = malloc(size);
	assert_non_null(blob);
	assert_ze(gra->pfnGetNativeBinary(g, &size, blob), OK);
	ze_graph_desc_2_t d = {.stype = ZE_STRUCTURE_TYPE_GRAPH_DESC_PROPERTIES,
			       .format = ZE_GRAPH_FORMAT_NATIVE,
			       .inputSize = size,
			       .pInput = blob};
	ze_graph_handle_t native;
	assert_ze(gra->pfnCreate2(context, device, &d, &native), OK);
	blob[size / 2] ^= 1;
	ze_graph_handle_t none;
	assert_ze(gra->pfnCreate2(context, device, &d, &none), ZE_RESULT_ERROR_INVALID_NATIVE_BINARY);
	free(blob);
	assert_ze(gra->pfnDestroy(g), OK);
	assert_ze(gra->pfnDestroy(h), OK);
	assert_ze(gra->pfnDestroy(native), OK);
}

static void estimates_and_queries(void **state)
{
	(void)state;
	ze_tarn_estimate_dditable_t *est = extension(ZE_TARN_ESTIMATE_EXT_NAME);
	ze_graph_desc_2_t d = desc_of(NULL);
	ze_tarn_graph_estimate_t graph = {.size = sizeof graph};
	uint32_t n = 0;
	assert_ze(est->pfnGraphEstimate(device, d.inputSize, d.pInput, NULL, &graph, &n, NULL), OK);
	assert_int_equal(n, 2);
	static ze_tarn_layer_estimate_t layer[4];
	n = 4;
	assert_ze(est->pfnGraphEstimate(device, d.inputSize, d.pInput, "--config NPU_TURBO=\"YES\"", &graph, &n, layer), OK);
	assert_int_equal(n, 2);
	assert_string_equal(layer[0].name, "product");
	assert_true(layer[0].total_ns > 0 && layer[0].band_high > 0 && layer[0].band_low > 0);
	assert_true(graph.total_ns > layer[0].total_ns + layer[1].total_ns);
	/* Three tensors of 48 bytes in, one out. */
	assert_int_equal(graph.ddr_bytes, 4 * 48);
	n = 0;
	assert_int_not_equal(est->pfnGraphEstimate(device, d.inputSize - 300, d.pInput, NULL, &graph, &n, NULL), OK);
	assert_true(strlen(build_log(NULL)) > 0);

	ze_graph_query_network_handle_t q;
	assert_ze(gra->pfnQueryNetworkCreate2(context, device, &d, &q), OK);
	char names[256];
	size_t size = 0;
	assert_ze(gra->pfnQueryNetworkGetSupportedLayers(q, &size, NULL), OK);
	assert_true(size <= sizeof names);
	assert_ze(gra->pfnQueryNetworkGetSupportedLayers(q, &size, names), OK);
	assert_non_null(strstr(names, "<product>"));
	assert_non_null(strstr(names, "<sum>"));
	assert_ze(gra->pfnQueryNetworkDestroy(q), OK);
}

int main(void)
{
	tables(TARN_ZE_LIB);
	start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_model_runs),
		cmocka_unit_test(the_cache_has_it_the_second_time),
		cmocka_unit_test(estimates_and_queries),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	stop();
	return failed;
}
