/* SPDX-License-Identifier: Apache-2.0 */
/* A compiled model: a graph of the driver, the queue its requests go to, and where their tensors belong. */
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/mem.h"
#include "dev/npu/npu.h"
#include "pass/pass.h"
#include "rt/program.h"

static bool has_flag(const tarn_program *p, const char *key)
{
	return tarn_props_bool(&p->props, "NPU", key);
}

static bool has_word(const tarn_program *p, const char *key, const char *word)
{
	const char *v = tarn_props_value(&p->props, "NPU", key);
	return v && !strcasecmp(v, word);
}

/* ---- arguments ---- */

static bool argument_is(const ze_graph_argument_properties_3_t *a, const char *name)
{
	if (!strcmp(a->name, name) || !strcmp(a->debug_friendly_name, name))
		return true;
	for (uint32_t i = 0; i < a->associated_tensor_names_count && i < ZE_MAX_GRAPH_TENSOR_NAMES_SIZE; i++)
		if (!strcmp(a->associated_tensor_names[i], name))
			return true;
	return false;
}

static tarn_err check_argument(const ze_graph_argument_properties_3_t *a, const tarn_port *port, npu_arg *arg)
{
	size_t count = 1;
	bool same = (int)a->dims_count == port->rank;
	for (int k = 0; same && k < port->rank; k++) {
		same = a->dims[k] == (uint64_t)port->lo[k];
		count *= (size_t)port->lo[k];
	}
	CHECK(same, TARN_INTERNAL, "the driver gave '%s' another shape than the model has", port->name);
	CHECK(a->devicePrecision == tarn_npu_precision(port->type), TARN_UNSUPPORTED,
	      "the driver does not take '%s' as %s; give it another element type", port->name,
	      tarn_dtype_info(port->type)->word);
	CHECK(tarn_dtype_bytes(port->type, count, &arg->bytes), TARN_LIMIT, "'%s' is too large; use smaller shapes",
	      port->name);
	return TARN_OK;
}

/* Inputs come first, then outputs, each in the order of the model. Where a driver orders otherwise the names tell. */
static tarn_err map_ports(const ze_graph_argument_properties_3_t *a, uint32_t first, int n, const tarn_port *port, npu_arg *arg)
{
	for (int i = 0; i < n; i++) {
		uint32_t at = first + (uint32_t)i;
		for (int k = 0; k < n && !argument_is(&a[at], port[i].name); k++)
			if (argument_is(&a[first + (uint32_t)k], port[i].name))
				at = first + (uint32_t)k;
		arg[i].index = at;
		TRY(check_argument(&a[at], &port[i], &arg[i]));
	}
	return TARN_OK;
}

static tarn_err find_arguments(tarn_program *p, npu_program *x)
{
	const ze_graph_dditable_ext_t *graph = x->d->sys->graph;
	ze_graph_properties_t props = {.stype = ZE_STRUCTURE_TYPE_GRAPH_PROPERTIES};
	ZE_DO(graph->pfnGetProperties(x->graph, &props), "asking for the graph's arguments");
	CHECK(props.numGraphArgs == (uint32_t)(p->n_in + p->n_out), TARN_INTERNAL,
	      "the driver made %u arguments of %d inputs and %d outputs", props.numGraphArgs, p->n_in, p->n_out);
	ze_graph_argument_properties_3_t *a = tarn_mem_zalloc(props.numGraphArgs + 1, sizeof *a);
	x->in = tarn_arena_zalloc(&p->arena, (size_t)p->n_in + 1, sizeof *x->in);
	x->out = tarn_arena_zalloc(&p->arena, (size_t)p->n_out + 1, sizeof *x->out);
	tarn_err err = a && x->in && x->out ? TARN_OK : tarn_err_nomem((props.numGraphArgs + 1) * sizeof *a);
	for (uint32_t i = 0; i < props.numGraphArgs && !err; i++) {
		a[i].stype = ZE_STRUCTURE_TYPE_GRAPH_ARGUMENT_PROPERTIES;
		err = tarn_npu_result(graph->pfnGetArgumentProperties3(x->graph, i, &a[i]), "asking for an argument");
	}
	if (!err)
		err = map_ports(a, 0, p->n_in, p->in, x->in);
	if (!err)
		err = map_ports(a, (uint32_t)p->n_in, p->n_out, p->out, x->out);
	tarn_mem_free(a);
	return err;
}

/* ---- queue ---- */

static tarn_err make_queue(tarn_program *p, npu_program *x)
{
	const npu_system *s = x->d->sys;
	bool turbo = has_flag(p, "NPU_TURBO"), in_order = has_flag(p, "NPU_RUN_INFERENCES_SEQUENTIALLY");
	ze_command_queue_desc_npu_ext_t v1 = {.stype = ZE_STRUCTURE_TYPE_COMMAND_QUEUE_DESC_NPU_EXT, .turbo = turbo};
	ze_command_queue_desc_npu_ext_2_t v2 = {.stype = ZE_STRUCTURE_TYPE_COMMAND_QUEUE_DESC_NPU_EXT_2};
	ze_command_queue_desc_t desc = {.stype = ZE_STRUCTURE_TYPE_COMMAND_QUEUE_DESC,
					.ordinal = x->d->queue_group,
					.mode = ZE_COMMAND_QUEUE_MODE_ASYNCHRONOUS,
					.priority = ZE_COMMAND_QUEUE_PRIORITY_NORMAL};
	v2.options =
		(turbo ? ZE_NPU_COMMAND_QUEUE_OPTION_TURBO : 0u) | (in_order ? ZE_NPU_COMMAND_QUEUE_OPTION_DEVICE_SYNC : 0u);
	if (s->queue && s->queue_version >= (uint32_t)ZE_COMMAND_QUEUE_NPU_EXT_VERSION_1_1 && v2.options)
		desc.pNext = &v2;
	else if (s->queue && turbo)
		desc.pNext = &v1;
	else if (turbo)
		TRY(tarn_program_note(p, "NPU_TURBO=YES has no effect: the driver has no such option; update it"));
	if (turbo && in_order)
		TRY(tarn_program_note(p, "NPU_TURBO=YES has no effect together with NPU_RUN_INFERENCES_SEQUENTIALLY=YES"));
	if (has_word(p, "MODEL_PRIORITY", "LOW"))
		desc.priority = ZE_COMMAND_QUEUE_PRIORITY_PRIORITY_LOW;
	else if (has_word(p, "MODEL_PRIORITY", "HIGH"))
		desc.priority = ZE_COMMAND_QUEUE_PRIORITY_PRIORITY_HIGH;
	ZE_DO(s->ze.CommandQueueCreate(x->d->context, x->d->device, &desc, &x->queue), "making a command queue");
	if (has_word(p, "WORKLOAD_TYPE", "EFFICIENT")) {
		if (!s->queue)
			return tarn_program_note(p, "WORKLOAD_TYPE=EFFICIENT has no effect: the driver has no such option");
		ZE_DO(s->queue->pfnSetWorkloadType(x->queue, ZE_WORKLOAD_TYPE_BACKGROUND), "WORKLOAD_TYPE");
	}
	return TARN_OK;
}

/* Older drivers put weights into place by a command. */
static tarn_err run_initialize(npu_program *x)
{
	const npu_calls *ze = &x->d->sys->ze;
	ze_command_list_desc_t list_desc = {.stype = ZE_STRUCTURE_TYPE_COMMAND_LIST_DESC,
					    .commandQueueGroupOrdinal = x->d->queue_group};
	ze_fence_desc_t fence_desc = {.stype = ZE_STRUCTURE_TYPE_FENCE_DESC};
	ze_command_list_handle_t list = NULL;
	ze_fence_handle_t fence = NULL;
	static const char doing[] = "loading weights to the NPU";
	tarn_err err;
	ZE_DO_GOTO(done, ze->CommandListCreate(x->d->context, x->d->device, &list_desc, &list), doing);
	ZE_DO_GOTO(done, ze->FenceCreate(x->queue, &fence_desc, &fence), doing);
	ZE_DO_GOTO(done, x->d->sys->graph->pfnAppendGraphInitialize(list, x->graph, NULL, 0, NULL), doing);
	ZE_DO_GOTO(done, ze->CommandListClose(list), doing);
	ZE_DO_GOTO(done, ze->CommandQueueExecuteCommandLists(x->queue, 1, &list, fence), doing);
	ZE_DO_GOTO(done, ze->FenceHostSynchronize(fence, UINT64_MAX), doing);
done:
	if (fence)
		ze->FenceDestroy(fence);
	if (list)
		ze->CommandListDestroy(list);
	return err;
}

static tarn_err initialize(npu_program *x)
{
	const npu_system *s = x->d->sys;
	if (s->graph_version < (uint32_t)ZE_GRAPH_EXT_VERSION_1_8)
		return run_initialize(x);
	ze_graph_properties_2_t props = {.stype = ZE_STRUCTURE_TYPE_GRAPH_PROPERTIES};
	ZE_DO(s->graph->pfnGetProperties2(x->graph, &props), "asking how the graph starts");
	if (props.initStageRequired & ZE_GRAPH_STAGE_INITIALIZE)
		ZE_DO(s->graph->pfnGraphInitialize(x->graph), "loading weights to the NPU");
	return props.initStageRequired & ZE_GRAPH_STAGE_COMMAND_LIST_INITIALIZE ? run_initialize(x) : TARN_OK;
}

tarn_err tarn_npu_load_weights(npu_program *x)
{
	tarn_mutex_lock(&x->lock);
	tarn_err err = x->weights_wait ? initialize(x) : TARN_OK;
	if (!err)
		x->weights_wait = false;
	tarn_mutex_unlock(&x->lock);
	return err;
}

/* ---- properties that are neither the queue's nor the compiler's ---- */

static tarn_err keep_idle_memory(tarn_program *p, const npu_program *x)
{
	ze_context_properties_npu_ext_t props = {.stype = ZE_STRUCTURE_TYPE_CONTEXT_PROPERTIES_NPU_EXT};
	if (!has_flag(p, "NPU_DISABLE_IDLE_MEMORY_PRUNING"))
		return TARN_OK;
	if (!x->d->sys->context)
		return tarn_program_note(p, "NPU_DISABLE_IDLE_MEMORY_PRUNING=YES has no effect: the driver has no such option");
	ZE_DO(x->d->sys->context->pfnSetProperties(x->d->context, &props), "NPU_DISABLE_IDLE_MEMORY_PRUNING");
	return TARN_OK;
}

/* Values the table cannot judge. */
static tarn_err check_properties(const tarn_program *p, const npu_device *d)
{
	const char *id = tarn_props_find(&p->props, "DEVICE_ID");
	int64_t n;
	CHECK(!id || !*id || (tarn_str_to_i64(id, &n) && (n == 0 || n == d->platform)), TARN_USAGE,
	      "property DEVICE_ID cannot be '%s'; there is one NPU here: 0, or %d", id, d->platform);
	CHECK(!has_word(p, "NPU_COMPILER_TYPE", "PLUGIN"), TARN_UNSUPPORTED,
	      "there is no compiler but the driver's; set NPU_COMPILER_TYPE to DRIVER or PREFER_PLUGIN");
	return TARN_OK;
}

static tarn_err note_streams(tarn_program *p)
{
	const char *streams = tarn_props_find(&p->props, "NUM_STREAMS");
	int64_t n = 0;
	if (streams && tarn_str_to_i64(streams, &n) && n > 1)
		return tarn_program_note(p, "NUM_STREAMS=%s has no effect: an NPU runs one request at a time", streams);
	return TARN_OK;
}

/* A simulated device knows what a model takes of its peaks. */
static tarn_err take_shares(tarn_program *p, npu_program *x)
{
	const npu_system *s = x->d->sys;
	ze_tarn_graph_shares_t shares = {.size = sizeof shares};
	bool turbo = has_flag(p, "NPU_TURBO") && !has_flag(p, "NPU_RUN_INFERENCES_SEQUENTIALLY");
	TRY(tarn_npu_take_account(p, x, turbo));
	if (!s->simulated || s->simulated_version < ZE_TARN_EXT_VERSION_1_1)
		return TARN_OK;
	ZE_DO(s->simulated->pfnGraphGetShares(x->graph, turbo, &shares), "asking for the model's shares");
	x->mac_ms = (double)shares.mac_ns * 1e-6;
	x->ddr_ms = (double)shares.ddr_ns * 1e-6;
	x->band = shares.band_high;
	x->ddr_bytes = (double)shares.ddr_bytes;
	return TARN_OK;
}

/* ---- life ---- */

void tarn_npu_program_free(tarn_program *p)
{
	npu_program *x = p->impl;
	if (!x)
		return;
	tarn_npu_worker_free(x->worker);
	if (x->queue)
		x->d->sys->ze.CommandQueueDestroy(x->queue);
	if (x->graph)
		x->d->sys->graph->pfnDestroy(x->graph);
	tarn_arena_fini(&x->names);
	tarn_mutex_fini(&x->lock);
	tarn_npu_device_unref(x->d);
	tarn_mem_free(x);
	p->impl = NULL;
}

static tarn_err begin(tarn_program *p, npu_program **out)
{
	npu_program *x = tarn_mem_zalloc(1, sizeof *x);
	if (!x)
		return tarn_err_nomem(sizeof *x);
	x->d = p->device->impl;
	tarn_ref_take(&x->d->refs);
	tarn_mutex_init(&x->lock);
	p->impl = x;
	*out = x;
	return TARN_OK;
}

/* What compiled and imported graphs have in common. */
static tarn_err finish(tarn_program *p, npu_program *x)
{
	TRY(find_arguments(p, x));
	TRY(take_shares(p, x));
	TRY(make_queue(p, x));
	TRY(keep_idle_memory(p, x));
	TRY(note_streams(p));
	x->weights_wait = true;
	if (!has_flag(p, "NPU_DEFER_WEIGHTS_LOAD"))
		TRY(tarn_npu_load_weights(x));
	return tarn_npu_worker_new(&x->worker);
}

/* Where the graph came from, as the driver says; one that cannot tell compiled it. */
static tarn_err take_origin(tarn_program *p, npu_program *x)
{
	const npu_system *s = x->d->sys;
	ze_graph_properties_3_t props = {.stype = ZE_STRUCTURE_TYPE_GRAPH_PROPERTIES};
	props.flags = ZE_GRAPH_PROPERTIES_FLAG_COMPILED;
	if (s->graph_version >= (uint32_t)ZE_GRAPH_EXT_VERSION_1_12)
		ZE_DO(s->graph->pfnGetProperties3(x->graph, &props), "asking where the graph came from");
	if (props.flags & ZE_GRAPH_PROPERTIES_FLAG_LOADED_FROM_CACHE) {
		p->cache_level = "driver";
		p->cache_hit = true;
	} else if (props.flags & ZE_GRAPH_PROPERTIES_FLAG_COMPILED) {
		p->compilations++;
	}
	x->profiled = s->profiling && has_flag(p, "PERF_COUNT");
	if (s->graph_version >= (uint32_t)ZE_GRAPH_EXT_VERSION_1_16)
		x->profiled = x->profiled && props.flags & ZE_GRAPH_PROPERTIES_FLAG_PROFILING_ENABLED;
	return TARN_OK;
}

static uint32_t graph_flags(const tarn_program *p)
{
	const char *dir = tarn_props_find(&p->props, "CACHE_DIR");
	bool cached = dir && *dir, bypass = has_flag(p, "NPU_BYPASS_UMD_CACHING");
	if (bypass && !cached)
		tarn_log(TARN_LOG_WARN,
			 "NPU_BYPASS_UMD_CACHING=YES turns the driver's cache of compiled models OFF, and there is no "
			 "CACHE_DIR: every load compiles; leave it out, or set CACHE_DIR");
	return (cached || bypass ? ZE_GRAPH_FLAG_DISABLE_CACHING : 0u) |
	       (has_flag(p, "PERF_COUNT") ? ZE_GRAPH_FLAG_ENABLE_PROFILING : 0u);
}

/* Sizes that only folding finds (branches that vanish, paddings computed from constants). */
static void settle_outputs(tarn_program *p)
{
	for (int i = 0; i < p->n_out; i++) {
		const tarn_value *v = p->model->main->output.at[i];
		tarn_port *port = &p->out[i];
		if (tarn_port_is_static(port) || !tarn_shape_is_static(&v->shape))
			continue;
		port->type = v->type;
		port->rank = v->shape.rank;
		memcpy(port->lo, v->shape.dim, sizeof port->lo);
		memcpy(port->hi, v->shape.dim, sizeof port->hi);
	}
}

static tarn_err build(tarn_program *p, npu_program *x)
{
	tarn_str ir = {0}, flags = {0};
	tarn_err err;
	TRY_GOTO(done, tarn_pass_standard(p->model));
	settle_outputs(p);
	TRY_GOTO(done, tarn_npu_build_flags(x->d, p, &flags));
	TRY_GOTO(done, tarn_npu_model_bytes(x->d, p->model, &ir));
	ze_graph_desc_2_t desc = {.stype = ZE_STRUCTURE_TYPE_GRAPH_DESC_PROPERTIES,
				  .format = ZE_GRAPH_FORMAT_NGRAPH_LITE,
				  .inputSize = ir.len,
				  .pInput = (const uint8_t *)ir.at,
				  .pBuildFlags = flags.at,
				  .flags = graph_flags(p)};
	tarn_log(TARN_LOG_DEBUG, "NPU: compiling %zu bytes of IR with %s", ir.len, flags.at);
	ze_result_t r = x->d->sys->graph->pfnCreate2(x->d->context, x->d->device, &desc, &x->graph);
	err = tarn_npu_build_error(x->d, r, "the NPU's compiler");
done:
	tarn_str_fini(&ir);
	tarn_str_fini(&flags);
	return err;
}

static tarn_err compile(tarn_program *p)
{
	npu_program *x = NULL;
	TRY(tarn_npu_check_inputs(p));
	TRY(check_properties(p, p->device->impl));
	TRY(begin(p, &x));
	TRY(build(p, x));
	TRY(take_origin(p, x));
	return finish(p, x);
}

tarn_err tarn_npu_compile(tarn_program *p)
{
	tarn_err err = compile(p);
	if (err)
		tarn_npu_program_free(p);
	return err;
}

static tarn_err import(tarn_program *p, tarn_buffer *blob)
{
	npu_program *x = NULL;
	TRY(begin(p, &x));
	ze_graph_desc_2_t desc = {.stype = ZE_STRUCTURE_TYPE_GRAPH_DESC_PROPERTIES,
				  .format = ZE_GRAPH_FORMAT_NATIVE,
				  .inputSize = blob->size,
				  .pInput = blob->at,
				  .pBuildFlags = ""};
	ze_result_t r = x->d->sys->graph->pfnCreate2(x->d->context, x->d->device, &desc, &x->graph);
	TRY(tarn_npu_build_error(x->d, r, "loading a compiled model"));
	TRY(take_origin(p, x));
	CHECK(x->profiled || !has_flag(p, "PERF_COUNT") || !x->d->sys->profiling, TARN_UNSUPPORTED,
	      "it was compiled without PERF_COUNT=YES and has no times of layers; compile it again with it");
	return finish(p, x);
}

tarn_err tarn_npu_import(tarn_program *p, tarn_buffer *blob)
{
	tarn_err err = import(p, blob);
	if (err)
		tarn_npu_program_free(p);
	return err;
}

tarn_err tarn_npu_export(tarn_program *p, tarn_str *blob)
{
	const npu_program *x = p->impl;
	const npu_system *s = x->d->sys;
	const char doing[] = "storing the compiled model";
	size_t n = 0;
	const uint8_t *view = NULL;
	if (s->graph_version >= (uint32_t)ZE_GRAPH_EXT_VERSION_1_7) {
		ZE_DO(s->graph->pfnGetNativeBinary2(x->graph, &n, &view), doing);
		tarn_str_add_n(blob, (const char *)view, n);
		return tarn_str_done(blob);
	}
	ZE_DO(s->graph->pfnGetNativeBinary(x->graph, &n, NULL), doing);
	uint8_t *own = tarn_mem_alloc(n + 1);
	if (!own)
		return tarn_err_nomem(n);
	tarn_err err = tarn_npu_result(s->graph->pfnGetNativeBinary(x->graph, &n, own), doing);
	if (!err)
		tarn_str_add_n(blob, (const char *)own, n);
	tarn_mem_free(own);
	return err ? err : tarn_str_done(blob);
}

/* ---- properties ---- */

/* The table OpenVINO's plugin has. */
static int optimal_requests(const tarn_program *p, const npu_device *d)
{
	const char *limit = tarn_props_value(&p->props, "NPU", "PERFORMANCE_HINT_NUM_REQUESTS");
	int64_t most = 0;
	if (!has_word(p, "PERFORMANCE_HINT", "THROUGHPUT") && !has_word(p, "PERFORMANCE_HINT", "CUMULATIVE_THROUGHPUT"))
		return 1;
	int n = d->platform == 3720 ? 4 : 8;
	if (limit && tarn_str_to_i64(limit, &most) && most > 0 && most < n)
		n = (int)most;
	return n;
}

tarn_err tarn_npu_program_get(tarn_program *p, const char *key, tarn_str *value)
{
	const npu_program *x = p->impl;
	if (!strcmp(key, "NPU_PLATFORM"))
		tarn_str_addf(value, "%d", x->d->platform);
	else if (!strcmp(key, "OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
		tarn_str_addf(value, "%d", optimal_requests(p, x->d));
	else if (!strcmp(key, "NUM_STREAMS"))
		tarn_str_add(value, "1");
	else
		return TARN_NOT_FOUND;
	return TARN_OK;
}
