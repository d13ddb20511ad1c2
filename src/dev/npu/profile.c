/* SPDX-License-Identifier: Apache-2.0 */
/* Times of layers from the profiling extension; cycles are the sums over a layer's tasks. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "dev/npu/npu.h"

/* Heap; *n elements of `size` bytes. */
static tarn_err read_all(const npu_program *x, const npu_request *q, ze_graph_profiling_type_t type, size_t size, void **out,
			 size_t *n)
{
	const ze_graph_profiling_dditable_ext_t *prof = x->d->sys->profiling;
	uint32_t bytes = 0;
	*out = NULL;
	*n = 0;
	ZE_DO(prof->pfnProfilingQueryGetData(q->query, type, &bytes, NULL), "reading PERF_COUNT");
	if (!bytes)
		return TARN_OK;
	void *at = tarn_mem_zalloc(bytes, 1);
	if (!at)
		return tarn_err_nomem(bytes);
	tarn_err err = tarn_npu_result(prof->pfnProfilingQueryGetData(q->query, type, &bytes, at), "reading PERF_COUNT");
	if (err) {
		tarn_mem_free(at);
		return err;
	}
	*out = at;
	*n = bytes / size;
	return TARN_OK;
}

static const char *engine_of(const ze_profiling_layer_info *l)
{
	if (l->status != ZE_LAYER_STATUS_EXECUTED)
		return "optimized out";
	if (l->dpu_ns >= l->sw_ns && l->dpu_ns >= l->dma_ns)
		return l->dpu_ns ? "DPU" : "none";
	return l->sw_ns >= l->dma_ns ? "SHAVE" : "DMA";
}

static bool name_is(const char *name, const char *field, size_t size)
{
	return strlen(name) == strnlen(field, size) && !memcmp(name, field, strlen(name));
}

/* The texts live as long as the program; every run has the same ones. */
static tarn_err keep_names(npu_program *x, const ze_profiling_layer_info *l, size_t n)
{
	bool same = x->n_layer == n;
	for (size_t i = 0; same && i < n; i++)
		same = name_is(x->layer[i].name, l[i].name, sizeof l[i].name) &&
		       name_is(x->layer[i].type, l[i].layer_type, sizeof l[i].layer_type);
	if (same)
		return TARN_OK;
	tarn_layer_profile *rows = tarn_arena_zalloc(&x->names, n + 1, sizeof *rows);
	if (!rows)
		return tarn_err_nomem(n * sizeof *rows);
	for (size_t i = 0; i < n; i++) {
		rows[i].name = tarn_arena_strndup(&x->names, l[i].name, strnlen(l[i].name, sizeof l[i].name));
		rows[i].type = tarn_arena_strndup(&x->names, l[i].layer_type, strnlen(l[i].layer_type, sizeof l[i].layer_type));
		if (!rows[i].name || !rows[i].type)
			return tarn_err_nomem(sizeof l[i].name);
	}
	x->layer = rows;
	x->n_layer = n;
	return TARN_OK;
}

static void add_cycles(tarn_request *r, const ze_profiling_layer_info *l, const ze_profiling_task_info *t, size_t n_task)
{
	for (size_t k = 0; k < n_task; k++)
		for (size_t i = 0; i < r->layer.len; i++) {
			/* Layers mostly carry their index as their id. */
			size_t at = t[k].parent_layer_id < r->layer.len && !i ? t[k].parent_layer_id : i;
			if (l[at].layer_id != t[k].parent_layer_id)
				continue;
			tarn_layer_profile *to = &r->layer.at[at];
			to->active_cycles = (isnan(to->active_cycles) ? 0 : to->active_cycles) + t[k].active_cycles;
			to->stall_cycles = (isnan(to->stall_cycles) ? 0 : to->stall_cycles) + t[k].stall_cycles;
			break;
		}
}

tarn_err tarn_npu_profile(tarn_request *r)
{
	npu_program *x = r->program->impl;
	const npu_request *q = r->impl;
	void *layers = NULL, *tasks = NULL;
	size_t n = 0, n_task = 0;
	tarn_err err;
	TRY_GOTO(done, read_all(x, q, ZE_GRAPH_PROFILING_LAYER_LEVEL, sizeof(ze_profiling_layer_info), &layers, &n));
	TRY_GOTO(done, read_all(x, q, ZE_GRAPH_PROFILING_TASK_LEVEL, sizeof(ze_profiling_task_info), &tasks, &n_task));
	TRY_GOTO(done, keep_names(x, layers, n));
	TRY_GOTO(done, VEC_RESERVE(&r->layer, n));
	r->layer.len = n;
	for (size_t i = 0; i < n; i++) {
		const ze_profiling_layer_info *l = (const ze_profiling_layer_info *)layers + i;
		r->layer.at[i] = x->layer[i];
		r->layer.at[i].engine = engine_of(l);
		r->layer.at[i].ms = l->status == ZE_LAYER_STATUS_EXECUTED ? (double)l->duration_ns * 1e-6 : 0;
		r->layer.at[i].active_cycles = r->layer.at[i].stall_cycles = NAN;
	}
	add_cycles(r, layers, tasks, n_task);
done:
	tarn_mem_free(layers);
	tarn_mem_free(tasks);
	return err;
}
