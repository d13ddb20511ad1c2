/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs: the table of the extension, creation and execution. */
#include <string.h>

#include "base/mem.h"
#include "driver/ze/ze.h"

struct _ze_graph_build_log_handle_t {
	uint64_t magic;
	char *text;
};

static ze_result_t destroy(ze_graph_handle_t g)
{
	CHECK_HANDLE(g, TARN_ZE_GRAPH);
	tarn_ref_put(&g->program->ref);
	tarn_mem_free(g->value);
	tarn_mem_free(g->log);
	g->magic = 0;
	tarn_mem_free(g);
	return ZE_RESULT_SUCCESS;
}

static ze_result_t new_log(const char *text, ze_graph_build_log_handle_t *log)
{
	ze_graph_build_log_handle_t l = tarn_mem_zalloc(1, sizeof *l);
	char *copy = tarn_mem_strdup(text);
	if (!l || !copy) {
		tarn_mem_free(l);
		tarn_mem_free(copy);
		return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
	}
	l->magic = TARN_ZE_LOG;
	l->text = copy;
	*log = l;
	return ZE_RESULT_SUCCESS;
}

static ze_result_t create2(ze_context_handle_t c, ze_device_handle_t d, const ze_graph_desc_2_t *desc, ze_graph_handle_t *graph)
{
	TARN_ZE_TRANSLATE(TARN_ZEL_CONTEXT, c);
	TARN_ZE_TRANSLATE(TARN_ZEL_DEVICE, d);
	CHECK_HANDLE(c, TARN_ZE_CONTEXT);
	CHECK_HANDLE(d, TARN_ZE_DEVICE);
	CHECK_POINTER(desc);
	CHECK_POINTER(graph);
	tarn_ze_built built;
	char *log;
	ze_result_t r = tarn_ze_build(d, desc, &built, &log);
	if (r != ZE_RESULT_SUCCESS) {
		tarn_mem_free(log);
		return r;
	}
	tarn_ze_graph *g = tarn_mem_zalloc(1, sizeof *g);
	uint32_t n;
	const tarn_npu_arg *arg = tarn_npu_program_args(built.program->program, &n);
	void **value = tarn_mem_zalloc(n + 1u, sizeof *value);
	if (!g || !value) {
		tarn_ref_put(&built.program->ref);
		tarn_mem_free(g);
		tarn_mem_free(value);
		tarn_mem_free(log);
		return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
	}
	*g = (tarn_ze_graph){TARN_ZE_GRAPH, c, built.program, arg, n, value, built.flags, log};
	*graph = g;
	return ZE_RESULT_SUCCESS;
}

static ze_result_t create(ze_context_handle_t c, ze_device_handle_t d, const ze_graph_desc_t *desc, ze_graph_handle_t *graph)
{
	CHECK_POINTER(desc);
	ze_graph_desc_2_t d2 = {desc->stype, desc->pNext, desc->format, desc->inputSize, desc->pInput, desc->pBuildFlags, 0};
	return create2(c, d, &d2, graph);
}

static ze_result_t create3(ze_context_handle_t c, ze_device_handle_t d, const ze_graph_desc_2_t *desc, ze_graph_handle_t *graph,
			   ze_graph_build_log_handle_t *log)
{
	if (log)
		*log = NULL;
	tarn_ze_log_set("");
	ze_result_t r = create2(c, d, desc, graph);
	if (log) {
		ze_result_t lr = new_log(tarn_ze_log_last(), log);
		if (r == ZE_RESULT_SUCCESS && lr != ZE_RESULT_SUCCESS) {
			(void)destroy(*graph);
			return lr;
		}
	}
	return r;
}

static ze_result_t log_get(ze_graph_handle_t g, uint32_t *size, char *text)
{
	if (g)
		CHECK_HANDLE(g, TARN_ZE_GRAPH);
	return tarn_ze_text_out(!g ? tarn_ze_log_last() : g->log ? g->log : "", size, text);
}

static ze_result_t log_get2(ze_graph_build_log_handle_t l, uint32_t *size, char *text)
{
	CHECK_HANDLE(l, TARN_ZE_LOG);
	return tarn_ze_text_out(l->text, size, text);
}

static ze_result_t log_destroy(ze_graph_build_log_handle_t l)
{
	CHECK_HANDLE(l, TARN_ZE_LOG);
	tarn_mem_free(l->text);
	l->magic = 0;
	tarn_mem_free(l);
	return ZE_RESULT_SUCCESS;
}

static ze_result_t get_properties(ze_graph_handle_t g, ze_graph_properties_t *p)
{
	CHECK_HANDLE(g, TARN_ZE_GRAPH);
	CHECK_POINTER(p);
	p->numGraphArgs = g->n_args;
	return ZE_RESULT_SUCCESS;
}

static ze_result_t get_properties2(ze_graph_handle_t g, ze_graph_properties_2_t *p)
{
	CHECK_HANDLE(g, TARN_ZE_GRAPH);
	CHECK_POINTER(p);
	p->numGraphArgs = g->n_args;
	p->initStageRequired = ZE_GRAPH_STAGE_INITIALIZE;
	return ZE_RESULT_SUCCESS;
}

static ze_result_t get_properties3(ze_graph_handle_t g, ze_graph_properties_3_t *p)
{
	CHECK_HANDLE(g, TARN_ZE_GRAPH);
	CHECK_POINTER(p);
	p->numGraphArgs = g->n_args;
	p->initStageRequired = ZE_GRAPH_STAGE_INITIALIZE;
	p->flags = g->flags;
	return ZE_RESULT_SUCCESS;
}

static ze_result_t get_binary(ze_graph_handle_t g, size_t *size, uint8_t *binary)
{
	CHECK_HANDLE(g, TARN_ZE_GRAPH);
	CHECK_POINTER(size);
	bool enough = *size >= g->program->size;
	if (binary && *size && !enough)
		return ZE_RESULT_ERROR_INVALID_SIZE;
	if (binary && enough)
		memcpy(binary, g->program->bytes, g->program->size);
	*size = g->program->size;
	return ZE_RESULT_SUCCESS;
}

static ze_result_t get_binary2(ze_graph_handle_t g, size_t *size, const uint8_t **binary)
{
	CHECK_HANDLE(g, TARN_ZE_GRAPH);
	CHECK_POINTER(size);
	CHECK_POINTER(binary);
	*size = g->program->size;
	*binary = g->program->bytes;
	return ZE_RESULT_SUCCESS;
}

/* A loaded program is ready: weights are where the blob is. */
static ze_result_t initialize(ze_graph_handle_t g)
{
	CHECK_HANDLE(g, TARN_ZE_GRAPH);
	return ZE_RESULT_SUCCESS;
}

static ze_result_t append_initialize(ze_command_list_handle_t l, ze_graph_handle_t g, ze_event_handle_t signal, uint32_t n,
				     ze_event_handle_t *wait)
{
	TARN_ZE_TRANSLATE(TARN_ZEL_LIST, l);
	CHECK_HANDLE(l, TARN_ZE_LIST);
	if (!g)
		return ZE_RESULT_ERROR_UNINITIALIZED;
	CHECK_HANDLE(g, TARN_ZE_GRAPH);
	TARN_ZE_TRANSLATE(TARN_ZEL_EVENT, signal);
	return tarn_ze_list_append(l, &(tarn_cmd){.kind = TARN_CMD_BARRIER}, signal, n, wait);
}

static ze_result_t append_execute(ze_command_list_handle_t l, ze_graph_handle_t g, ze_graph_profiling_query_handle_t q,
				  ze_event_handle_t signal, uint32_t n, ze_event_handle_t *wait)
{
	TARN_ZE_TRANSLATE(TARN_ZEL_LIST, l);
	CHECK_HANDLE(l, TARN_ZE_LIST);
	CHECK_HANDLE(g, TARN_ZE_GRAPH);
	if (l->context != g->context)
		return ZE_RESULT_ERROR_INVALID_ARGUMENT;
	tarn_cmd_profile *profile = q ? tarn_ze_profiling_target(q, g->program) : NULL;
	if (q && !profile)
		return ZE_RESULT_ERROR_INVALID_ARGUMENT;
	for (uint32_t i = 0; i < g->n_args; i++)
		if (!g->value[i])
			return ZE_RESULT_ERROR_UNINITIALIZED;
	tarn_cmd c = {.kind = TARN_CMD_GRAPH,
		      .owner = &g->program->ref,
		      .program = g->program->program,
		      .args = g->value,
		      .n_args = g->n_args,
		      .profile = profile};
	TARN_ZE_TRANSLATE(TARN_ZEL_EVENT, signal);
	if (!n || !wait)
		return tarn_ze_list_append(l, &c, signal, n, wait);
	ze_event_handle_t *own = tarn_mem_alloc(n * sizeof *own);
	if (!own)
		return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
	for (uint32_t i = 0; i < n; i++)
		own[i] = tarn_ze_translate(TARN_ZEL_EVENT, wait[i]);
	ze_result_t r = tarn_ze_list_append(l, &c, signal, n, own);
	tarn_mem_free(own);
	return r;
}

const ze_graph_dditable_ext_t tarn_ze_graph_table = {
	.pfnCreate = create,
	.pfnDestroy = destroy,
	.pfnGetProperties = get_properties,
	.pfnGetArgumentProperties = tarn_ze_graph_arg,
	.pfnSetArgumentValue = tarn_ze_graph_set_arg,
	.pfnAppendGraphInitialize = append_initialize,
	.pfnAppendGraphExecute = append_execute,
	.pfnGetNativeBinary = get_binary,
	.pfnDeviceGetGraphProperties = tarn_ze_device_graph_properties,
	.pfnGraphGetArgumentMetadata = tarn_ze_graph_arg_metadata,
	.pfnGetArgumentProperties2 = tarn_ze_graph_arg2,
	.pfnGetArgumentProperties3 = tarn_ze_graph_arg3,
	.pfnQueryNetworkCreate = tarn_ze_query_create,
	.pfnQueryNetworkDestroy = tarn_ze_query_destroy,
	.pfnQueryNetworkGetSupportedLayers = tarn_ze_query_layers,
	.pfnBuildLogGetString = log_get,
	.pfnCreate2 = create2,
	.pfnQueryNetworkCreate2 = tarn_ze_query_create2,
	.pfnQueryContextMemory = tarn_ze_query_memory,
	.pfnDeviceGetGraphProperties2 = tarn_ze_device_graph_properties2,
	.pfnGetNativeBinary2 = get_binary2,
	.pfnGetProperties2 = get_properties2,
	.pfnGraphInitialize = initialize,
	.pfnCompilerGetSupportedOptions = tarn_ze_options_get,
	.pfnCompilerIsOptionSupported = tarn_ze_option_supported,
	.pfnCreate3 = create3,
	.pfnGetProperties3 = get_properties3,
	.pfnBuildLogGetString2 = log_get2,
	.pfnBuildLogDestroy = log_destroy,
	.pfnSetArgumentValue2 = tarn_ze_graph_set_arg2,
	.pfnEvict = initialize, /* nothing to give back, nothing to restore */
};
