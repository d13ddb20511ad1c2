/* SPDX-License-Identifier: Apache-2.0 */
/* Event pools and events. */
#include <string.h>

#include "base/mem.h"
#include "driver/ze/ze.h"

#define MAX_EVENTS 65536u

static void pool_free(tarn_ze_pool *p)
{
	for (uint32_t i = 0; p->slot && i < p->count; i++)
		tarn_ref_put(p->slot[i] ? &p->slot[i]->ref : NULL);
	tarn_mem_free(p->slot);
	tarn_mem_free(p->event);
	p->magic = 0;
	tarn_mem_free(p);
}

static ze_result_t pool_create(ze_context_handle_t c, const ze_event_pool_desc_t *desc, uint32_t n, ze_device_handle_t *devices,
			       ze_event_pool_handle_t *pool)
{
	CHECK_HANDLE(c, TARN_ZE_CONTEXT);
	CHECK_POINTER(desc);
	CHECK_POINTER(pool);
	for (uint32_t i = 0; devices && i < n; i++)
		CHECK_HANDLE(devices[i], TARN_ZE_DEVICE);
	if (!desc->count || desc->count > MAX_EVENTS)
		return ZE_RESULT_ERROR_INVALID_SIZE;
	if (desc->flags & ~(ze_event_pool_flags_t)0x7)
		return ZE_RESULT_ERROR_INVALID_ENUMERATION;
	if (desc->flags & ZE_EVENT_POOL_FLAG_IPC)
		return ZE_RESULT_ERROR_UNSUPPORTED_FEATURE;
	tarn_ze_pool *p = tarn_mem_zalloc(1, sizeof *p);
	if (!p)
		return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
	p->magic = TARN_ZE_POOL;
	p->context = c;
	p->count = desc->count;
	p->timestamps = desc->flags & ZE_EVENT_POOL_FLAG_KERNEL_TIMESTAMP;
	p->slot = tarn_mem_zalloc(p->count, sizeof *p->slot);
	p->event = tarn_mem_zalloc(p->count, sizeof *p->event);
	bool ok = p->slot && p->event;
	for (uint32_t i = 0; ok && i < p->count; i++)
		ok = (p->slot[i] = tarn_signal_new(c->device->sched, false));
	if (!ok) {
		pool_free(p);
		return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
	}
	*pool = p;
	return ZE_RESULT_SUCCESS;
}

static ze_result_t pool_destroy(ze_event_pool_handle_t p)
{
	CHECK_HANDLE(p, TARN_ZE_POOL);
	if (p->live)
		return ZE_RESULT_ERROR_HANDLE_OBJECT_IN_USE;
	pool_free(p);
	return ZE_RESULT_SUCCESS;
}

const ze_event_pool_dditable_t tarn_ze_pool_table = {.pfnCreate = pool_create, .pfnDestroy = pool_destroy};

static ze_result_t create(ze_event_pool_handle_t p, const ze_event_desc_t *desc, ze_event_handle_t *event)
{
	CHECK_HANDLE(p, TARN_ZE_POOL);
	CHECK_POINTER(desc);
	CHECK_POINTER(event);
	if ((desc->signal | desc->wait) & ~(ze_event_scope_flags_t)0x7)
		return ZE_RESULT_ERROR_INVALID_ENUMERATION;
	if (desc->index >= p->count || p->event[desc->index])
		return ZE_RESULT_ERROR_INVALID_ARGUMENT;
	tarn_ze_event *e = tarn_mem_zalloc(1, sizeof *e);
	if (!e)
		return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
	*e = (tarn_ze_event){TARN_ZE_EVENT, p, desc->index, p->slot[desc->index]};
	tarn_signal_set(e->signal, false);
	p->event[desc->index] = e;
	p->live++;
	*event = e;
	return ZE_RESULT_SUCCESS;
}

static ze_result_t destroy(ze_event_handle_t e)
{
	CHECK_HANDLE(e, TARN_ZE_EVENT);
	e->pool->event[e->index] = NULL;
	e->pool->live--;
	e->magic = 0;
	tarn_mem_free(e);
	return ZE_RESULT_SUCCESS;
}

static ze_result_t host_signal(ze_event_handle_t e)
{
	CHECK_HANDLE(e, TARN_ZE_EVENT);
	tarn_signal_set(e->signal, true);
	return ZE_RESULT_SUCCESS;
}

static ze_result_t host_wait(ze_event_handle_t e, uint64_t timeout)
{
	CHECK_HANDLE(e, TARN_ZE_EVENT);
	tarn_err err;
	if (!tarn_signal_wait(e->signal, timeout, &err))
		return ZE_RESULT_NOT_READY;
	return tarn_ze_result(err);
}

static ze_result_t query(ze_event_handle_t e)
{
	CHECK_HANDLE(e, TARN_ZE_EVENT);
	return tarn_signal_get(e->signal) == TARN_SIGNAL_SET ? ZE_RESULT_SUCCESS : ZE_RESULT_NOT_READY;
}

static ze_result_t host_reset(ze_event_handle_t e)
{
	CHECK_HANDLE(e, TARN_ZE_EVENT);
	tarn_signal_set(e->signal, false);
	return ZE_RESULT_SUCCESS;
}

static ze_result_t timestamps(ze_event_handle_t e, ze_kernel_timestamp_result_t *out)
{
	CHECK_HANDLE(e, TARN_ZE_EVENT);
	CHECK_POINTER(out);
	if (!e->pool->timestamps)
		return ZE_RESULT_ERROR_INVALID_ARGUMENT;
	tarn_err err;
	if (!tarn_signal_wait(e->signal, 0, &err))
		return ZE_RESULT_NOT_READY;
	out->global.kernelStart = out->context.kernelStart = e->signal->start_tick;
	out->global.kernelEnd = out->context.kernelEnd = e->signal->end_tick;
	return ZE_RESULT_SUCCESS;
}

const ze_event_dditable_t tarn_ze_event_table = {
	.pfnCreate = create,
	.pfnDestroy = destroy,
	.pfnHostSignal = host_signal,
	.pfnHostSynchronize = host_wait,
	.pfnQueryStatus = query,
	.pfnHostReset = host_reset,
	.pfnQueryKernelTimestamp = timestamps,
};
