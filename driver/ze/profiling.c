/* SPDX-License-Identifier: Apache-2.0 */
/* Profiling of graphs: modelled times of layers and tasks, placed on the device's clock by each execution. */
#include <string.h>

#include "base/mem.h"
#include "driver/ze/ze.h"

#define MAX_SLOTS 65536u

struct _ze_graph_profiling_pool_handle_t {
	uint64_t magic;
	tarn_ze_device *device;
	tarn_ze_program *program;
	uint32_t count, live;
	bool *taken;
};

struct _ze_graph_profiling_query_handle_t {
	uint64_t magic;
	ze_graph_profiling_pool_handle_t pool;
	uint32_t index;
	tarn_cmd_profile *profile;
};

static ze_result_t pool_create(ze_graph_handle_t g, uint32_t count, ze_graph_profiling_pool_handle_t *pool)
{
	CHECK_HANDLE(g, TARN_ZE_GRAPH);
	CHECK_POINTER(pool);
	if (!count || count > MAX_SLOTS)
		return ZE_RESULT_ERROR_INVALID_SIZE;
	if (!tarn_npu_program_profiled(g->program->program)) {
		tarn_ze_log_set("the graph was not compiled for profiling; compile it with PERF_COUNT=\"YES\"");
		return ZE_RESULT_ERROR_UNSUPPORTED_FEATURE;
	}
	ze_graph_profiling_pool_handle_t p = tarn_mem_zalloc(1, sizeof *p);
	bool *taken = tarn_mem_zalloc(count, sizeof *taken);
	if (!p || !taken) {
		tarn_mem_free(p);
		tarn_mem_free(taken);
		return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
	}
	tarn_ref_get(&g->program->ref);
	p->magic = TARN_ZE_PROFILING_POOL;
	p->device = g->context->device;
	p->program = g->program;
	p->count = count;
	p->taken = taken;
	*pool = p;
	return ZE_RESULT_SUCCESS;
}

static ze_result_t pool_destroy(ze_graph_profiling_pool_handle_t p)
{
	CHECK_HANDLE(p, TARN_ZE_PROFILING_POOL);
	if (p->live)
		return ZE_RESULT_ERROR_HANDLE_OBJECT_IN_USE;
	tarn_ref_put(&p->program->ref);
	tarn_mem_free(p->taken);
	p->magic = 0;
	tarn_mem_free(p);
	return ZE_RESULT_SUCCESS;
}

static void profile_destroy(tarn_ref *r)
{
	tarn_mem_free((tarn_cmd_profile *)r);
}

static ze_result_t query_create(ze_graph_profiling_pool_handle_t p, uint32_t index, ze_graph_profiling_query_handle_t *query)
{
	CHECK_HANDLE(p, TARN_ZE_PROFILING_POOL);
	CHECK_POINTER(query);
	if (index >= p->count)
		return ZE_RESULT_ERROR_INVALID_ARGUMENT;
	if (p->taken[index])
		return ZE_RESULT_ERROR_HANDLE_OBJECT_IN_USE;
	ze_graph_profiling_query_handle_t q = tarn_mem_zalloc(1, sizeof *q);
	tarn_cmd_profile *profile = tarn_mem_zalloc(1, sizeof *profile);
	if (!q || !profile) {
		tarn_mem_free(q);
		tarn_mem_free(profile);
		return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
	}
	tarn_ref_init(&profile->ref, profile_destroy);
	q->magic = TARN_ZE_PROFILING_QUERY;
	q->pool = p;
	q->index = index;
	q->profile = profile;
	p->taken[index] = true;
	p->live++;
	*query = q;
	return ZE_RESULT_SUCCESS;
}

static ze_result_t query_destroy(ze_graph_profiling_query_handle_t q)
{
	CHECK_HANDLE(q, TARN_ZE_PROFILING_QUERY);
	q->pool->taken[q->index] = false;
	q->pool->live--;
	tarn_ref_put(&q->profile->ref);
	q->magic = 0;
	tarn_mem_free(q);
	return ZE_RESULT_SUCCESS;
}

tarn_cmd_profile *tarn_ze_profiling_target(ze_graph_profiling_query_handle_t q, const tarn_ze_program *program)
{
	return q->magic == TARN_ZE_PROFILING_QUERY && q->pool->program == program ? q->profile : NULL;
}

static void put_text(char *to, size_t room, const char *from)
{
	size_t n = from ? strnlen(from, room - 1) : 0;
	if (n)
		memcpy(to, from, n);
	memset(to + n, 0, room - n);
}

static void put_layers(const tarn_npu_times *t, bool done, uint64_t start, ze_profiling_layer_info *out)
{
	for (uint32_t i = 0; i < t->n_layers; i++) {
		const tarn_npu_layer_time *l = &t->layer[i];
		ze_profiling_layer_info *o = &out[i];
		memset(o, 0, sizeof *o);
		put_text(o->name, sizeof o->name, l->name);
		put_text(o->layer_type, sizeof o->layer_type, l->type);
		o->layer_id = i;
		o->status = l->optimized_out ? ZE_LAYER_STATUS_OPTIMIZED_OUT : ZE_LAYER_STATUS_EXECUTED;
		if (!done) {
			o->status = ZE_LAYER_STATUS_NOT_RUN;
			continue;
		}
		o->start_time_ns = start + l->start_ns;
		o->duration_ns = l->duration_ns;
		o->dpu_ns = l->dpu_ns;
		o->sw_ns = l->sw_ns;
		o->dma_ns = l->dma_ns;
	}
}

static void put_tasks(const tarn_npu_times *t, bool done, uint64_t start, ze_profiling_task_info *out)
{
	for (uint32_t i = 0; i < t->n_tasks; i++) {
		const tarn_npu_task_time *l = &t->task[i];
		ze_profiling_task_info *o = &out[i];
		memset(o, 0, sizeof *o);
		put_text(o->name, sizeof o->name, l->name);
		put_text(o->layer_type, sizeof o->layer_type, l->type);
		o->exec_type = l->engine;
		o->task_id = i;
		o->parent_layer_id = l->layer;
		if (!done)
			continue;
		o->start_time_ns = start + l->start_ns;
		o->duration_ns = l->duration_ns;
		o->active_cycles = l->active_cycles;
		o->stall_cycles = l->stall_cycles;
	}
}

typedef struct snapshot {
	const tarn_cmd_profile *profile;
	bool done, turbo;
	uint64_t start_ns;
} snapshot;

static void take(void *arg)
{
	snapshot *s = arg;
	s->done = s->profile->done;
	s->turbo = s->profile->turbo;
	s->start_ns = s->profile->start_ns;
}

static ze_result_t query_data(ze_graph_profiling_query_handle_t q, ze_graph_profiling_type_t type, uint32_t *size,
			      uint8_t *data)
{
	CHECK_HANDLE(q, TARN_ZE_PROFILING_QUERY);
	CHECK_POINTER(size);
	if (type != ZE_GRAPH_PROFILING_LAYER_LEVEL && type != ZE_GRAPH_PROFILING_TASK_LEVEL) {
		tarn_ze_log_set("the simulated NPU has no raw profile; ask for layers or tasks");
		return type == ZE_GRAPH_PROFILING_RAW ? ZE_RESULT_ERROR_UNSUPPORTED_ENUMERATION
						      : ZE_RESULT_ERROR_INVALID_ENUMERATION;
	}
	snapshot s = {.profile = q->profile};
	tarn_sched_locked(q->pool->device->sched, take, &s);
	tarn_npu_times t = tarn_npu_program_times(q->pool->program->program, s.turbo);
	bool layers = type == ZE_GRAPH_PROFILING_LAYER_LEVEL;
	size_t n = layers ? t.n_layers * sizeof(ze_profiling_layer_info) : t.n_tasks * sizeof(ze_profiling_task_info);
	if (!data || !*size) {
		*size = (uint32_t)n;
		return ZE_RESULT_SUCCESS;
	}
	if (*size < n)
		return ZE_RESULT_ERROR_INVALID_SIZE;
	if ((uintptr_t)data % _Alignof(uint64_t))
		return ZE_RESULT_ERROR_UNSUPPORTED_ALIGNMENT;
	if (layers)
		put_layers(&t, s.done, s.start_ns, (ze_profiling_layer_info *)(void *)data);
	else
		put_tasks(&t, s.done, s.start_ns, (ze_profiling_task_info *)(void *)data);
	*size = (uint32_t)n;
	return ZE_RESULT_SUCCESS;
}

static ze_result_t device_properties(ze_device_handle_t d, ze_device_profiling_data_properties_t *p)
{
	TARN_ZE_TRANSLATE(TARN_ZEL_DEVICE, d);
	CHECK_HANDLE(d, TARN_ZE_DEVICE);
	CHECK_POINTER(p);
	p->extensionVersion = ZE_PROFILING_DATA_EXT_VERSION_CURRENT;
	return ZE_RESULT_SUCCESS;
}

static ze_result_t log_get(ze_graph_profiling_query_handle_t q, uint32_t *size, char *log)
{
	(void)q;
	return tarn_ze_text_out(tarn_ze_log_last(), size, log);
}

const ze_graph_profiling_dditable_ext_t tarn_ze_profiling_table = {
	.pfnProfilingPoolCreate = pool_create,
	.pfnProfilingPoolDestroy = pool_destroy,
	.pfnProfilingQueryCreate = query_create,
	.pfnProfilingQueryDestroy = query_destroy,
	.pfnProfilingQueryGetData = query_data,
	.pfnDeviceGetProfilingDataProperties = device_properties,
	.pfnProfilingLogGetString = log_get,
};
