/* SPDX-License-Identifier: Apache-2.0 */
/* Command queues and fences. */
#include "base/mem.h"
#include "driver/ze/ze.h"

/* Turbo and device-side order from the structure a caller may chain. */
static ze_result_t read_options(const ze_command_queue_desc_t *desc, bool *turbo)
{
	*turbo = false;
	if (!desc->pNext)
		return ZE_RESULT_SUCCESS;
	switch ((int)((const ze_base_desc_t *)desc->pNext)->stype) {
	case ZE_STRUCTURE_TYPE_COMMAND_QUEUE_DESC_NPU_EXT:
		*turbo = ((const ze_command_queue_desc_npu_ext_t *)desc->pNext)->turbo;
		return ZE_RESULT_SUCCESS;
	case ZE_STRUCTURE_TYPE_COMMAND_QUEUE_DESC_NPU_EXT_2:
		break;
	default:
		return ZE_RESULT_ERROR_UNSUPPORTED_ENUMERATION;
	}
	ze_npu_command_queue_options_t o = ((const ze_command_queue_desc_npu_ext_2_t *)desc->pNext)->options;
	if (o & ~(ze_npu_command_queue_options_t)(ZE_NPU_COMMAND_QUEUE_OPTION_TURBO | ZE_NPU_COMMAND_QUEUE_OPTION_DEVICE_SYNC))
		return ZE_RESULT_ERROR_INVALID_ENUMERATION;
	bool sync = o & ZE_NPU_COMMAND_QUEUE_OPTION_DEVICE_SYNC;
	if (sync && desc->mode == ZE_COMMAND_QUEUE_MODE_SYNCHRONOUS)
		return ZE_RESULT_ERROR_INVALID_ENUMERATION;
	/* Every queue runs its submissions in order. Intel's driver ignores turbo on a queue that asks for it; so do we. */
	*turbo = !sync && o & ZE_NPU_COMMAND_QUEUE_OPTION_TURBO;
	return ZE_RESULT_SUCCESS;
}

ze_result_t tarn_ze_queue_make(tarn_ze_context *c, const ze_command_queue_desc_t *desc, tarn_ze_queue **queue)
{
	static const tarn_sched_priority priorities[] = {
		[ZE_COMMAND_QUEUE_PRIORITY_NORMAL] = TARN_SCHED_NORMAL,
		[ZE_COMMAND_QUEUE_PRIORITY_PRIORITY_LOW] = TARN_SCHED_LOW,
		[ZE_COMMAND_QUEUE_PRIORITY_PRIORITY_HIGH] = TARN_SCHED_HIGH,
	};
	bool turbo;
	if (desc->ordinal || desc->index)
		return ZE_RESULT_ERROR_INVALID_ARGUMENT;
	if ((unsigned)desc->priority > ZE_COMMAND_QUEUE_PRIORITY_PRIORITY_HIGH ||
	    (unsigned)desc->mode > ZE_COMMAND_QUEUE_MODE_ASYNCHRONOUS ||
	    desc->flags & ~(ze_command_queue_flags_t)ZE_COMMAND_QUEUE_FLAG_EXPLICIT_ONLY)
		return ZE_RESULT_ERROR_INVALID_ENUMERATION;
	ZE_TRY(read_options(desc, &turbo));
	tarn_ze_queue *q = tarn_mem_zalloc(1, sizeof *q);
	if (!q)
		return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
	q->magic = TARN_ZE_QUEUE;
	q->context = c;
	q->priority = priorities[desc->priority];
	q->synchronous = desc->mode == ZE_COMMAND_QUEUE_MODE_SYNCHRONOUS;
	tarn_err err = tarn_sched_queue_new(c->device->sched, q->priority, turbo, &q->queue);
	if (err != TARN_OK) {
		tarn_mem_free(q);
		return tarn_ze_result(err);
	}
	*queue = q;
	return ZE_RESULT_SUCCESS;
}

void tarn_ze_queue_drop(tarn_ze_queue *q)
{
	tarn_sched_queue_free(q->queue);
	q->magic = 0;
	tarn_mem_free(q);
}

static ze_result_t create(ze_context_handle_t c, ze_device_handle_t d, const ze_command_queue_desc_t *desc,
			  ze_command_queue_handle_t *queue)
{
	CHECK_HANDLE(c, TARN_ZE_CONTEXT);
	CHECK_HANDLE(d, TARN_ZE_DEVICE);
	CHECK_POINTER(desc);
	CHECK_POINTER(queue);
	return tarn_ze_queue_make(c, desc, queue);
}

static ze_result_t destroy(ze_command_queue_handle_t q)
{
	CHECK_HANDLE(q, TARN_ZE_QUEUE);
	tarn_ze_queue_drop(q);
	return ZE_RESULT_SUCCESS;
}

static ze_result_t synchronize(ze_command_queue_handle_t q, uint64_t timeout)
{
	CHECK_HANDLE(q, TARN_ZE_QUEUE);
	tarn_err err;
	if (!tarn_sched_queue_wait(q->queue, timeout, &err))
		return ZE_RESULT_NOT_READY;
	return tarn_ze_result(err);
}

static ze_result_t execute(ze_command_queue_handle_t q, uint32_t n, ze_command_list_handle_t *lists, ze_fence_handle_t fence)
{
	CHECK_HANDLE(q, TARN_ZE_QUEUE);
	CHECK_POINTER(lists);
	if (!n)
		return ZE_RESULT_ERROR_INVALID_SIZE;
	if (fence) {
		CHECK_HANDLE(fence, TARN_ZE_FENCE);
		if (fence->queue != q)
			return ZE_RESULT_ERROR_INVALID_SYNCHRONIZATION_OBJECT;
	}
	for (uint32_t i = 0; i < n; i++) {
		CHECK_HANDLE(lists[i], TARN_ZE_LIST);
		if (lists[i]->immediate)
			return ZE_RESULT_ERROR_INVALID_COMMAND_LIST_TYPE;
		if (lists[i]->context != q->context)
			return ZE_RESULT_ERROR_INVALID_ARGUMENT;
		if (!lists[i]->closed)
			return ZE_RESULT_ERROR_UNINITIALIZED;
	}
	/* The device gets its own copy: the lists may change while it runs. */
	tarn_cmds *copy = tarn_mem_zalloc(n, sizeof *copy);
	if (!copy)
		return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
	tarn_err err = TARN_OK;
	for (uint32_t i = 0; i < n && err == TARN_OK; i++)
		err = tarn_cmds_copy(&lists[i]->cmds, &copy[i]);
	if (err == TARN_OK)
		err = tarn_sched_submit(q->queue, copy, n, fence ? fence->signal : NULL);
	for (uint32_t i = 0; i < n; i++)
		tarn_cmds_fini(&copy[i]);
	tarn_mem_free(copy);
	if (err == TARN_OK && q->synchronous)
		return synchronize(q, UINT64_MAX);
	return tarn_ze_result(err);
}

const ze_command_queue_dditable_t tarn_ze_queue_table = {
	.pfnCreate = create,
	.pfnDestroy = destroy,
	.pfnExecuteCommandLists = execute,
	.pfnSynchronize = synchronize,
};

static ze_result_t set_workload_type(ze_command_queue_handle_t q, ze_command_queue_workload_type_t type)
{
	TARN_ZE_TRANSLATE(TARN_ZEL_QUEUE, q);
	CHECK_HANDLE(q, TARN_ZE_QUEUE);
	if (type != ZE_WORKLOAD_TYPE_DEFAULT && type != ZE_WORKLOAD_TYPE_BACKGROUND)
		return ZE_RESULT_ERROR_INVALID_ENUMERATION;
	const tarn_arch *arch = q->context->device->arch;
	bool background = type == ZE_WORKLOAD_TYPE_BACKGROUND;
	tarn_sched_queue_set_priority(q->queue, background ? TARN_SCHED_LOW : q->priority);
	/* Assumed: background work runs at the lowest point of the frequency table. */
	tarn_sched_queue_set_clock(q->queue, background ? arch->dpu_mhz_min / arch->dpu_mhz : 0);
	return ZE_RESULT_SUCCESS;
}

const ze_command_queue_npu_dditable_ext_t tarn_ze_queue_ext_table = {.pfnSetWorkloadType = set_workload_type};

/* ---- fences ---- */

static ze_result_t fence_create(ze_command_queue_handle_t q, const ze_fence_desc_t *desc, ze_fence_handle_t *fence)
{
	CHECK_HANDLE(q, TARN_ZE_QUEUE);
	CHECK_POINTER(desc);
	CHECK_POINTER(fence);
	if (desc->flags & ~(ze_fence_flags_t)ZE_FENCE_FLAG_SIGNALED)
		return ZE_RESULT_ERROR_INVALID_ENUMERATION;
	tarn_ze_fence *f = tarn_mem_zalloc(1, sizeof *f);
	tarn_signal *s = tarn_signal_new(q->context->device->sched, desc->flags & ZE_FENCE_FLAG_SIGNALED);
	if (!f || !s) {
		tarn_mem_free(f);
		tarn_ref_put(s ? &s->ref : NULL);
		return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
	}
	*f = (tarn_ze_fence){TARN_ZE_FENCE, q, s};
	*fence = f;
	return ZE_RESULT_SUCCESS;
}

static ze_result_t fence_destroy(ze_fence_handle_t f)
{
	CHECK_HANDLE(f, TARN_ZE_FENCE);
	tarn_ref_put(&f->signal->ref);
	f->magic = 0;
	tarn_mem_free(f);
	return ZE_RESULT_SUCCESS;
}

static ze_result_t fence_wait(ze_fence_handle_t f, uint64_t timeout)
{
	CHECK_HANDLE(f, TARN_ZE_FENCE);
	tarn_err err;
	/* Nothing was submitted with it: waiting would never end. */
	if (tarn_signal_get(f->signal) == TARN_SIGNAL_IDLE || !tarn_signal_wait(f->signal, timeout, &err))
		return ZE_RESULT_NOT_READY;
	return tarn_ze_result(err);
}

static ze_result_t fence_query(ze_fence_handle_t f)
{
	return fence_wait(f, 0);
}

static ze_result_t fence_reset(ze_fence_handle_t f)
{
	CHECK_HANDLE(f, TARN_ZE_FENCE);
	tarn_signal_set(f->signal, false);
	return ZE_RESULT_SUCCESS;
}

const ze_fence_dditable_t tarn_ze_fence_table = {
	.pfnCreate = fence_create,
	.pfnDestroy = fence_destroy,
	.pfnHostSynchronize = fence_wait,
	.pfnQueryStatus = fence_query,
	.pfnReset = fence_reset,
};
