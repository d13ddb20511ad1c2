/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request: a command list that is made once and run many times on memory of the device's own. Foreign tensors are copied;
 * tensors the device allocated, the request's or another's, are used where they are (the list is made anew when they change).
 */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "dev/npu/npu.h"

/* ---- memory ---- */

static void release_memory(void *ctx, void *at, size_t size)
{
	npu_device *d = ctx;
	(void)size;
	d->sys->ze.MemFree(d->context, at);
	tarn_npu_device_unref(d);
}

static tarn_err alloc(npu_device *d, size_t bytes, tarn_buffer **b)
{
	ze_host_mem_alloc_desc_t desc = {.stype = ZE_STRUCTURE_TYPE_HOST_MEM_ALLOC_DESC};
	void *at = NULL;
	size_t n = bytes ? bytes : 1;
	ZE_DO(d->sys->ze.MemAllocHost(d->context, &desc, n, TARN_ALIGN, &at), "allocating the device's memory");
	memset(at, 0, n);
	tarn_ref_take(&d->refs);
	tarn_err err = tarn_buffer_wrap(at, bytes, release_memory, d, b);
	if (err)
		release_memory(d, at, n);
	return err;
}

tarn_err tarn_npu_alloc(tarn_device *dev, size_t bytes, tarn_buffer **b)
{
	return alloc(dev->impl, bytes, b);
}

/* ---- the list ---- */

/* Arguments are the graph's; the append takes them over. */
static tarn_err record(const npu_program *x, npu_request *q, const tarn_program *p)
{
	const npu_calls *ze = &x->d->sys->ze;
	const ze_graph_dditable_ext_t *graph = x->d->sys->graph;
	static const char doing[] = "preparing an inference";
	for (int i = 0; i < p->n_in + p->n_out; i++) {
		const npu_arg *a = i < p->n_in ? &x->in[i] : &x->out[i - p->n_in];
		ZE_DO(graph->pfnSetArgumentValue(x->graph, a->index, q->bound[i]), doing);
	}
	ZE_DO(ze->CommandListReset(q->list), doing);
	ZE_DO(ze->CommandListAppendWriteGlobalTimestamp(q->list, &q->stamp[0], NULL, 0, NULL), doing);
	ZE_DO(graph->pfnAppendGraphExecute(q->list, x->graph, q->query, NULL, 0, NULL), doing);
	ZE_DO(ze->CommandListAppendBarrier(q->list, NULL, 0, NULL), doing);
	ZE_DO(ze->CommandListAppendWriteGlobalTimestamp(q->list, &q->stamp[1], NULL, 0, NULL), doing);
	ZE_DO(ze->CommandListClose(q->list), doing);
	return TARN_OK;
}

static tarn_err make_list(npu_program *x, npu_request *q, const tarn_program *p)
{
	tarn_mutex_lock(&x->lock);
	tarn_err err = record(x, q, p);
	tarn_mutex_unlock(&x->lock);
	return err;
}

/* ---- life ---- */

/* The tensors the runtime made with tarn_npu_alloc are the request's own, whatever is set later. */
static tarn_err take_own(tarn_request *r, npu_request *q)
{
	int n = r->n_in + r->n_out;
	q->own = tarn_mem_zalloc((size_t)n + 1, sizeof *q->own);
	q->bound = tarn_mem_zalloc((size_t)n + 1, sizeof *q->bound);
	if (!q->own || !q->bound)
		return tarn_err_nomem((size_t)n * sizeof *q->own);
	for (int i = 0; i < n; i++) {
		const tarn_tensor *t = i < r->n_in ? &r->in[i] : &r->out[i - r->n_in];
		CHECK(t->buf, TARN_INTERNAL, "a tensor of the request has no memory");
		q->own[i] = tarn_buffer_ref(t->buf);
		q->bound[i] = t->buf->at;
	}
	return TARN_OK;
}

static tarn_err make_query(const npu_program *x, npu_request *q)
{
	const ze_graph_profiling_dditable_ext_t *prof = x->d->sys->profiling;
	if (!x->profiled)
		return TARN_OK;
	ZE_DO(prof->pfnProfilingPoolCreate(x->graph, 1, &q->pool), "preparing PERF_COUNT");
	ZE_DO(prof->pfnProfilingQueryCreate(q->pool, 0, &q->query), "preparing PERF_COUNT");
	return TARN_OK;
}

static tarn_err fill(tarn_request *r, npu_request *q)
{
	npu_program *x = r->program->impl;
	const npu_calls *ze = &x->d->sys->ze;
	ze_command_list_desc_t list = {.stype = ZE_STRUCTURE_TYPE_COMMAND_LIST_DESC,
				       .commandQueueGroupOrdinal = x->d->queue_group};
	ze_fence_desc_t fence = {.stype = ZE_STRUCTURE_TYPE_FENCE_DESC};
	ze_host_mem_alloc_desc_t mem = {.stype = ZE_STRUCTURE_TYPE_HOST_MEM_ALLOC_DESC};
	void *stamp = NULL;
	TRY(take_own(r, q));
	ZE_DO(ze->MemAllocHost(x->d->context, &mem, 2 * sizeof *q->stamp, TARN_ALIGN, &stamp), "preparing a request");
	q->stamp = stamp;
	ZE_DO(ze->CommandListCreate(x->d->context, x->d->device, &list, &q->list), "preparing a request");
	ZE_DO(ze->FenceCreate(x->queue, &fence, &q->fence), "preparing a request");
	TRY(make_query(x, q));
	return make_list(x, q, r->program);
}

tarn_err tarn_npu_request_init(tarn_request *r)
{
	npu_request *q = tarn_mem_zalloc(1, sizeof *q);
	if (!q)
		return tarn_err_nomem(sizeof *q);
	r->impl = q;
	r->pursue = tarn_npu_pursue;
	tarn_err err = fill(r, q);
	if (err)
		tarn_npu_request_fini(r);
	return err;
}

void tarn_npu_request_fini(tarn_request *r)
{
	npu_request *q = r->impl;
	const npu_program *x = r->program->impl;
	const npu_system *s = x->d->sys;
	if (!q)
		return;
	if (q->list)
		s->ze.CommandListDestroy(q->list);
	if (q->fence)
		s->ze.FenceDestroy(q->fence);
	if (q->query)
		s->profiling->pfnProfilingQueryDestroy(q->query);
	if (q->pool)
		s->profiling->pfnProfilingPoolDestroy(q->pool);
	if (q->stamp)
		s->ze.MemFree(x->d->context, q->stamp);
	for (int i = 0; q->own && i < r->n_in + r->n_out; i++)
		tarn_buffer_unref(q->own[i]);
	tarn_mem_free(q->own);
	tarn_mem_free(q->bound);
	tarn_mem_free(q);
	r->impl = NULL;
}

/* ---- running ---- */

static void count_copy(tarn_request *r, size_t bytes)
{
	r->copies++;
	r->copy_bytes += (int64_t)bytes;
}

/* What argument i is to be: the tensor itself, or the request's own memory in its place. */
static const void *choose(const tarn_request *r, const npu_request *q, int i)
{
	bool output = i >= r->n_in;
	const tarn_tensor *t = output ? &r->out[i - r->n_in] : &r->in[i];
	bool foreign = output ? r->out_foreign[i - r->n_in] : r->in_foreign[i];
	return foreign || !t->data ? q->own[i]->at : t->data;
}

tarn_err tarn_npu_submit(tarn_request *r)
{
	npu_request *q = r->impl;
	npu_program *x = r->program->impl;
	bool changed = false;
	int64_t begin = tarn_clock_ns();
	for (int i = 0; i < r->n_in + r->n_out; i++) {
		const void *want = choose(r, q, i);
		changed = changed || want != q->bound[i];
		q->bound[i] = want;
		if (i < r->n_in && want != r->in[i].data && x->in[i].bytes) {
			memcpy(q->own[i]->at, r->in[i].data, x->in[i].bytes);
			count_copy(r, x->in[i].bytes);
		}
	}
	if (r->copies)
		r->t_copy_in = tarn_clock_ns() - begin;
	if (changed) {
		tarn_err err = make_list(x, q, r->program);
		if (err) {
			q->bound[0] = NULL; /* the list is half made: make it again next time */
			return err;
		}
	}
	TRY(tarn_npu_load_weights(x));
	ZE_DO(x->d->sys->ze.FenceReset(q->fence), "starting an inference");
	q->submitted_ns = tarn_clock_ns();
	return tarn_npu_worker_push(x->worker, r);
}

/* Results into memory that is not the device's; a tensor that was never given is the request's own. */
static void copy_out(tarn_request *r, const npu_request *q, const npu_program *x)
{
	int64_t begin = tarn_clock_ns(), before = r->copies;
	for (int i = 0; i < r->n_out; i++) {
		tarn_tensor *t = &r->out[i];
		tarn_buffer *own = q->own[r->n_in + i];
		const tarn_port *port = &r->program->out[i];
		if (!t->data) {
			*t = (tarn_tensor){
				.type = port->type, .rank = port->rank, .data = own->at, .buf = tarn_buffer_ref(own)};
			memcpy(t->dim, port->lo, sizeof t->dim);
		} else if (q->bound[r->n_in + i] != t->data && x->out[i].bytes) {
			memcpy(t->data, own->at, x->out[i].bytes);
			count_copy(r, x->out[i].bytes);
		}
	}
	if (r->copies != before)
		r->t_copy_out = tarn_clock_ns() - begin;
}

/* Both ends of the device's work on the host's clock, where the two have a relation: then the host's own view gives way. */
static void place(tarn_request *r, const npu_request *q, const npu_program *x, int64_t now)
{
	int64_t begin = tarn_npu_host_time(x->d, q->stamp[0]), end = tarn_npu_host_time(x->d, q->stamp[1]);
	if (!begin || end <= begin || begin > now)
		return;
	r->t_device_begin = begin > q->submitted_ns ? begin : q->submitted_ns;
	r->t_device_end = end < now ? end : now;
	r->t_wait = r->t_device_begin - q->submitted_ns;
	r->t_device = r->t_device_end - r->t_device_begin;
}

static void take_times(tarn_request *r, const npu_request *q, const npu_program *x, int64_t begin, int64_t end)
{
	uint64_t per_second = x->d->props.timerResolution;
	r->t_wait = begin - q->submitted_ns;
	r->t_device = end - begin;
	if (per_second && q->stamp[1] > q->stamp[0]) {
		r->device_ms = (double)(q->stamp[1] - q->stamp[0]) * 1e3 / (double)per_second;
		place(r, q, x, end);
	}
	r->device_modelled = *x->d->mode != 0;
	if (x->band > 0)
		r->device_band = x->band;
	if (x->band > 0 && r->device_ms > 0) {
		r->mac_share = fmin(1, x->mac_ms / r->device_ms);
		r->ddr_share = fmin(1, x->ddr_ms / r->device_ms);
		r->ddr_bytes = x->ddr_bytes;
	}
}

/* A simulated device sees what hardware does not tell. Once for each program. */
static tarn_err note_overflow(tarn_program *p, npu_program *x)
{
	const npu_system *s = x->d->sys;
	char node[256] = "";
	uint32_t n = sizeof node;
	if (!s->simulated || s->simulated_version < ZE_TARN_EXT_VERSION_1_3 || x->overflow_said)
		return TARN_OK;
	ZE_DO(s->simulated->pfnGraphGetOverflow(x->graph, &n, node), "asking whether values left the range of FP16");
	if (!*node)
		return TARN_OK;
	x->overflow_said = true;
	node[sizeof node - 1] = 0;
	return tarn_program_note(p, "node %s: values beyond 65504, the largest FP16, became infinite", node);
}

/* The fence was reached. */
static tarn_err conclude(tarn_request *r, ze_result_t result, int64_t begin, int64_t end)
{
	npu_request *q = r->impl;
	npu_program *x = r->program->impl;
	ZE_DO(result, "running an inference");
	take_times(r, q, x, begin, end);
	copy_out(r, q, x);
	TRY(note_overflow(r->program, x));
	return x->profiled ? tarn_npu_profile(r) : TARN_OK;
}

bool tarn_npu_complete(tarn_request *r, uint64_t timeout_ns, int64_t *free_ns, tarn_err *err)
{
	npu_request *q = r->impl;
	npu_program *x = r->program->impl;
	/* The device began when it was free of what was submitted before. */
	int64_t begin = *free_ns > q->submitted_ns ? *free_ns : q->submitted_ns;
	ze_result_t result = x->d->sys->ze.FenceHostSynchronize(q->fence, timeout_ns);
	if (result == ZE_RESULT_NOT_READY && timeout_ns != UINT64_MAX)
		return false;
	*free_ns = tarn_clock_ns();
	*err = conclude(r, result, begin, *free_ns);
	return true;
}
