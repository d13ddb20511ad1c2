/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to the compiler and the driver that need no graph: supported layers and options, versions, memory, estimates. */
#include <string.h>

#include "base/mem.h"
#include "driver/ze/ze.h"

struct _ze_graph_query_network_handle_t {
	uint64_t magic;
	tarn_str names;
};

static tarn_err query(tarn_ze_device *d, const ze_graph_desc_2_t *desc, tarn_str *names)
{
	tarn_cc_ir ir;
	tarn_cc_flags flags;
	TRY(tarn_ze_ir_split(desc->pInput, desc->inputSize, &ir));
	TRY(tarn_cc_flags_parse(desc->pBuildFlags, &flags));
	tarn_err err = tarn_cc_query(&ir, &flags, d->platform->number, names);
	tarn_cc_flags_fini(&flags);
	TRY(err);
	return tarn_str_done(names);
}

ze_result_t tarn_ze_query_create2(ze_context_handle_t c, ze_device_handle_t d, const ze_graph_desc_2_t *desc,
				  ze_graph_query_network_handle_t *out)
{
	TARN_ZE_TRANSLATE(TARN_ZEL_CONTEXT, c);
	TARN_ZE_TRANSLATE(TARN_ZEL_DEVICE, d);
	CHECK_HANDLE(c, TARN_ZE_CONTEXT);
	CHECK_HANDLE(d, TARN_ZE_DEVICE);
	CHECK_POINTER(desc);
	CHECK_POINTER(out);
	if (desc->format != ZE_GRAPH_FORMAT_NGRAPH_LITE)
		return ZE_RESULT_ERROR_UNSUPPORTED_ENUMERATION;
	CHECK_POINTER(desc->pInput);
	ze_graph_query_network_handle_t q = tarn_mem_zalloc(1, sizeof *q);
	if (!q)
		return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
	tarn_err err = query(d, desc, &q->names);
	if (err != TARN_OK) {
		ze_result_t r = tarn_ze_log_failure(err);
		tarn_str_fini(&q->names);
		tarn_mem_free(q);
		return r;
	}
	q->magic = TARN_ZE_QUERY_NETWORK;
	*out = q;
	return ZE_RESULT_SUCCESS;
}

ze_result_t tarn_ze_query_create(ze_context_handle_t c, ze_device_handle_t d, const ze_graph_desc_t *desc,
				 ze_graph_query_network_handle_t *out)
{
	CHECK_POINTER(desc);
	ze_graph_desc_2_t d2 = {desc->stype, desc->pNext, desc->format, desc->inputSize, desc->pInput, desc->pBuildFlags, 0};
	return tarn_ze_query_create2(c, d, &d2, out);
}

ze_result_t tarn_ze_query_destroy(ze_graph_query_network_handle_t q)
{
	CHECK_HANDLE(q, TARN_ZE_QUERY_NETWORK);
	tarn_str_fini(&q->names);
	q->magic = 0;
	tarn_mem_free(q);
	return ZE_RESULT_SUCCESS;
}

ze_result_t tarn_ze_query_layers(ze_graph_query_network_handle_t q, size_t *size, char *layers)
{
	CHECK_HANDLE(q, TARN_ZE_QUERY_NETWORK);
	CHECK_POINTER(size);
	if (!layers) {
		*size = q->names.len;
		return ZE_RESULT_SUCCESS;
	}
	if (*size < q->names.len)
		return ZE_RESULT_ERROR_INVALID_SIZE;
	if (q->names.len)
		memcpy(layers, q->names.at, q->names.len);
	*size = q->names.len;
	return ZE_RESULT_SUCCESS;
}

ze_result_t tarn_ze_query_memory(ze_context_handle_t c, ze_graph_memory_query_type_t type, ze_graph_memory_query_t *q)
{
	TARN_ZE_TRANSLATE(TARN_ZEL_CONTEXT, c);
	CHECK_HANDLE(c, TARN_ZE_CONTEXT);
	CHECK_POINTER(q);
	switch (type) {
	case ZE_GRAPH_QUERY_MEMORY_DDR:
		tarn_mutex_lock(&c->device->lock);
		*q = (ze_graph_memory_query_t){tarn_mem_total(), c->bytes};
		tarn_mutex_unlock(&c->device->lock);
		return ZE_RESULT_SUCCESS;
	case ZE_GRAPH_QUERY_MEMORY_DRIVER_CACHE:
	case ZE_GRAPH_QUERY_MEMORY_PROGRAM_CACHE:
		*q = (ze_graph_memory_query_t){tarn_cache_limit(c->device->cache), tarn_cache_used(c->device->cache)};
		return ZE_RESULT_SUCCESS;
	default:
		return ZE_RESULT_ERROR_INVALID_ENUMERATION;
	}
}

ze_result_t tarn_ze_options_get(ze_device_handle_t d, ze_npu_options_type_t type, size_t *size, char *options)
{
	TARN_ZE_TRANSLATE(TARN_ZEL_DEVICE, d);
	CHECK_HANDLE(d, TARN_ZE_DEVICE);
	CHECK_POINTER(size);
	if (type == ZE_NPU_DRIVER_OPTIONS) {
		*size = 0;
		return ZE_RESULT_SUCCESS;
	}
	if (type != ZE_NPU_COMPILER_OPTIONS)
		return ZE_RESULT_ERROR_INVALID_ENUMERATION;
	const char *names = tarn_cc_option_names();
	size_t n = strlen(names) + 1;
	if (options && *size < n)
		return ZE_RESULT_ERROR_INVALID_SIZE;
	if (options)
		memcpy(options, names, n);
	*size = n;
	return ZE_RESULT_SUCCESS;
}

ze_result_t tarn_ze_option_supported(ze_device_handle_t d, ze_npu_options_type_t type, const char *option, const char *value)
{
	TARN_ZE_TRANSLATE(TARN_ZEL_DEVICE, d);
	CHECK_HANDLE(d, TARN_ZE_DEVICE);
	CHECK_POINTER(option);
	if (type != ZE_NPU_COMPILER_OPTIONS && type != ZE_NPU_DRIVER_OPTIONS)
		return ZE_RESULT_ERROR_INVALID_ENUMERATION;
	return type == ZE_NPU_COMPILER_OPTIONS && tarn_cc_option_supported(option, value) ? ZE_RESULT_SUCCESS
											  : ZE_RESULT_ERROR_UNSUPPORTED_FEATURE;
}

ze_result_t tarn_ze_device_graph_properties2(ze_device_handle_t d, ze_device_graph_properties_2_t *p)
{
	TARN_ZE_TRANSLATE(TARN_ZEL_DEVICE, d);
	CHECK_HANDLE(d, TARN_ZE_DEVICE);
	CHECK_POINTER(p);
	p->graphExtensionVersion = ZE_GRAPH_EXT_VERSION_CURRENT;
	p->compilerVersion = (ze_graph_compiler_version_info_t){TARN_CC_VERSION_MAJOR, TARN_CC_VERSION_MINOR};
	p->graphFormatsSupported = (ze_graph_format_t)(ZE_GRAPH_FORMAT_NATIVE | ZE_GRAPH_FORMAT_NGRAPH_LITE);
	p->maxOVOpsetVersionSupported = TARN_CC_OPSET;
	p->elfVersion = p->runtimeVersion = (ze_graph_version_info_t){1, 0, 0};
	return ZE_RESULT_SUCCESS;
}

ze_result_t tarn_ze_device_graph_properties(ze_device_handle_t d, ze_device_graph_properties_t *p)
{
	CHECK_POINTER(p);
	ze_device_graph_properties_2_t two;
	ZE_TRY(tarn_ze_device_graph_properties2(d, &two));
	p->graphExtensionVersion = two.graphExtensionVersion;
	p->compilerVersion = two.compilerVersion;
	p->graphFormatsSupported = two.graphFormatsSupported;
	p->maxOVOpsetVersionSupported = two.maxOVOpsetVersionSupported;
	return ZE_RESULT_SUCCESS;
}

/* ---- the driver's own extensions ---- */

static ze_result_t get_state(ze_device_handle_t d, ze_tarn_device_state_t *out)
{
	TARN_ZE_TRANSLATE(TARN_ZEL_DEVICE, d);
	CHECK_HANDLE(d, TARN_ZE_DEVICE);
	CHECK_POINTER(out);
	if (out->size < sizeof out->size || out->size > 4096)
		return ZE_RESULT_ERROR_INVALID_SIZE;
	tarn_sched_stats s;
	tarn_cache_stats c;
	tarn_sched_get_stats(d->sched, &s);
	tarn_cache_get_stats(d->cache, &c);
	ze_tarn_device_state_t st = {
		.size = out->size,
		.platform = (uint32_t)d->platform->number,
		.tiles = (uint32_t)d->arch->tiles,
		.mode = d->config.paced ? ZE_TARN_MODE_PACED : ZE_TARN_MODE_EXACT,
		.threads = d->config.threads ? (uint32_t)d->config.threads : (uint32_t)tarn_thread_cpus(),
		.clock_ns = s.clock_ns,
		.busy_us = s.busy_ns / 1000,
		.submitted = s.jobs,
		.cache_hits = c.hits,
		.cache_stored = c.stored,
		.cache_damaged = c.damaged,
		.cache_evicted = c.evicted,
	};
	tarn_mutex_lock(&d->lock);
	st.compiled = d->compiled;
	tarn_mutex_unlock(&d->lock);
	memcpy(out, &st, out->size < sizeof st ? out->size : sizeof st);
	return ZE_RESULT_SUCCESS;
}

static ze_result_t get_shares(ze_graph_handle_t g, ze_bool_t turbo, ze_tarn_graph_shares_t *out)
{
	CHECK_HANDLE(g, TARN_ZE_GRAPH);
	CHECK_POINTER(out);
	if (out->size != sizeof *out)
		return ZE_RESULT_ERROR_INVALID_SIZE;
	tarn_npu_times t = tarn_npu_program_times(g->program->program, turbo);
	float low = t.band < 0.95f ? t.band : 0.95f;
	uint64_t bytes = (uint64_t)((double)t.ddr_ns * g->context->device->arch->ddr_total_gbps);
	*out = (ze_tarn_graph_shares_t){sizeof *out, t.total_ns, t.mac_ns, t.ddr_ns, low, t.band, bytes};
	return ZE_RESULT_SUCCESS;
}

static ze_result_t get_account(ze_graph_handle_t g, ze_bool_t turbo, ze_tarn_graph_account_t *out)
{
	CHECK_HANDLE(g, TARN_ZE_GRAPH);
	CHECK_POINTER(out);
	if (out->size != sizeof *out)
		return ZE_RESULT_ERROR_INVALID_SIZE;
	const tarn_arch *arch = g->context->device->arch;
	tarn_npu_times t = tarn_npu_program_times(g->program->program, turbo);
	*out = (ze_tarn_graph_account_t){.size = sizeof *out};
	const tarn_npu_account *a = t.account;
	if (!a)
		return ZE_RESULT_SUCCESS;
	*out = (ze_tarn_graph_account_t){
		.size = sizeof *out,
		.device_tiles = (uint32_t)arch->tiles,
		.tiles = (uint32_t)a->tiles,
		.layers = t.n_layers,
		.mhz = (float)(turbo ? arch->dpu_mhz_turbo : arch->dpu_mhz),
		.mhz_highest = (float)arch->dpu_mhz_turbo,
		.total_ns = a->total_ns,
		.fixed_ns = a->fixed_ns,
		.dpu_ns = a->dpu_ns,
		.shave_ns = a->shave_ns,
		.copy_ns = a->copy_ns,
		.stall_weights_ns = a->stall_weights_ns,
		.stall_inputs_ns = a->stall_inputs_ns,
		.stall_stores_ns = a->stall_stores_ns,
		.int8_ns = a->int8_ns,
		.mixed_ns = a->mixed_ns,
		.padded_ns = a->padded_ns,
		.recurrent_ns = a->recurrent_ns,
		.macs = a->macs,
		.macs_int8 = a->macs_int8,
		.weight_bytes = a->weight_bytes,
		.load_bytes = a->load_bytes,
		.store_bytes = a->store_bytes,
		.ddr_arena_bytes = a->ddr_arena_bytes,
		.spill_bytes = a->spill_bytes,
		.free_bandwidth_ns = a->free_bandwidth_ns,
		.free_compute_ns = a->free_compute_ns,
	};
	return ZE_RESULT_SUCCESS;
}

static ze_result_t get_overflow(ze_graph_handle_t g, uint32_t *size, char *text)
{
	CHECK_HANDLE(g, TARN_ZE_GRAPH);
	tarn_str node = {0};
	ze_result_t r = ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
	if (tarn_npu_program_overflow(g->program->program, &node) == TARN_OK)
		r = tarn_ze_text_out(node.at ? node.at : "", size, text);
	tarn_str_fini(&node);
	return r;
}

const ze_tarn_simulated_dditable_t tarn_ze_simulated_table = {
	.pfnDeviceGetState = get_state,
	.pfnGraphGetShares = get_shares,
	.pfnGraphGetAccount = get_account,
	.pfnGraphGetOverflow = get_overflow,
};

static tarn_err estimate_of(tarn_ze_device *d, size_t size, const uint8_t *input, const char *text,
			    ze_tarn_graph_estimate_t *graph, ze_tarn_layer_estimate_t **layers, uint32_t *n)
{
	tarn_cc_ir ir;
	tarn_cc_flags flags;
	TRY(tarn_ze_ir_split(input, size, &ir));
	TRY(tarn_cc_flags_parse(text, &flags));
	tarn_err err = tarn_cc_estimate(&ir, &flags, flags.platform ? flags.platform : d->platform->number, graph, layers, n);
	tarn_cc_flags_fini(&flags);
	return err;
}

static ze_result_t estimate(ze_device_handle_t d, size_t size, const uint8_t *input, const char *flags,
			    ze_tarn_graph_estimate_t *graph, uint32_t *count, ze_tarn_layer_estimate_t *layers)
{
	TARN_ZE_TRANSLATE(TARN_ZEL_DEVICE, d);
	CHECK_HANDLE(d, TARN_ZE_DEVICE);
	CHECK_POINTER(input);
	CHECK_POINTER(graph);
	CHECK_POINTER(count);
	if (graph->size != sizeof *graph)
		return ZE_RESULT_ERROR_INVALID_SIZE;
	ze_tarn_layer_estimate_t *all;
	uint32_t n;
	tarn_err err = estimate_of(d, size, input, flags, graph, &all, &n);
	if (err != TARN_OK)
		return tarn_ze_log_failure(err);
	if (layers && *count < n)
		n = *count;
	if (layers && n)
		memcpy(layers, all, n * sizeof *layers);
	*count = n;
	tarn_mem_free(all);
	return ZE_RESULT_SUCCESS;
}

const ze_tarn_estimate_dditable_t tarn_ze_estimate_table = {.pfnGraphEstimate = estimate};

ze_result_t zexDiskCacheSetSize(size_t size)
{
	tarn_ze_driver *d = tarn_ze_driver_get();
	if (!d->ready)
		return ZE_RESULT_ERROR_UNINITIALIZED;
	tarn_cache_set_limit(d->device.cache, size);
	return ZE_RESULT_SUCCESS;
}

ze_result_t zexDiskCacheGetSize(size_t *size)
{
	CHECK_POINTER(size);
	tarn_ze_driver *d = tarn_ze_driver_get();
	if (!d->ready)
		return ZE_RESULT_ERROR_UNINITIALIZED;
	*size = tarn_cache_limit(d->device.cache);
	return ZE_RESULT_SUCCESS;
}

ze_result_t zexDiskCacheGetDirectory(char *dir, size_t *len)
{
	CHECK_POINTER(len);
	tarn_ze_driver *d = tarn_ze_driver_get();
	if (!d->ready)
		return ZE_RESULT_ERROR_UNINITIALIZED;
	const char *at = tarn_cache_dir(d->device.cache);
	size_t n = strlen(at) + 1;
	if (dir && *len < n)
		return ZE_RESULT_ERROR_INVALID_SIZE;
	if (dir)
		memcpy(dir, at, n);
	*len = n;
	return ZE_RESULT_SUCCESS;
}
