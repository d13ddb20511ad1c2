/* SPDX-License-Identifier: Apache-2.0 */
/* Command lists: their life, and the way commands get into them. */
#include "base/mem.h"
#include "driver/ze/ze.h"

static ze_result_t create(ze_context_handle_t c, ze_device_handle_t d, const ze_command_list_desc_t *desc,
			  ze_command_list_handle_t *list)
{
	CHECK_HANDLE(c, TARN_ZE_CONTEXT);
	CHECK_HANDLE(d, TARN_ZE_DEVICE);
	CHECK_POINTER(desc);
	CHECK_POINTER(list);
	if (desc->commandQueueGroupOrdinal)
		return ZE_RESULT_ERROR_INVALID_ARGUMENT;
	if (desc->flags & ~(ze_command_list_flags_t)0xf) /* bit 3: in order, of newer versions; every list is */
		return ZE_RESULT_ERROR_INVALID_ENUMERATION;
	bool mutable = false;
	const ze_base_desc_t *next = desc->pNext;
	for (int depth = 0; next && depth < 16; next = next->pNext, depth++)
		mutable |= next->stype == ZE_TARN_STYPE_MUTABLE_LIST_DESC;
	tarn_ze_list *l = tarn_mem_zalloc(1, sizeof *l);
	if (!l)
		return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
	l->magic = TARN_ZE_LIST;
	l->context = c;
	l->mutable = mutable;
	*list = l;
	return ZE_RESULT_SUCCESS;
}

static ze_result_t create_immediate(ze_context_handle_t c, ze_device_handle_t d, const ze_command_queue_desc_t *desc,
				    ze_command_list_handle_t *list)
{
	CHECK_POINTER(desc);
	tarn_ze_list *l;
	ZE_TRY(create(c, d, &(ze_command_list_desc_t){.stype = ZE_STRUCTURE_TYPE_COMMAND_LIST_DESC}, list ? &l : NULL));
	ze_result_t r = tarn_ze_queue_make(c, desc, &l->immediate);
	if (r != ZE_RESULT_SUCCESS) {
		tarn_mem_free(l);
		return r;
	}
	*list = l;
	return ZE_RESULT_SUCCESS;
}

static ze_result_t destroy(ze_command_list_handle_t l)
{
	CHECK_HANDLE(l, TARN_ZE_LIST);
	tarn_cmds_fini(&l->cmds);
	if (l->immediate)
		tarn_ze_queue_drop(l->immediate);
	l->magic = 0;
	tarn_mem_free(l);
	return ZE_RESULT_SUCCESS;
}

static ze_result_t close(ze_command_list_handle_t l)
{
	CHECK_HANDLE(l, TARN_ZE_LIST);
	if (l->immediate)
		return ZE_RESULT_ERROR_INVALID_ARGUMENT;
	l->closed = true;
	l->next_is_mutable = false;
	return ZE_RESULT_SUCCESS;
}

static ze_result_t reset(ze_command_list_handle_t l)
{
	CHECK_HANDLE(l, TARN_ZE_LIST);
	if (l->immediate)
		return ZE_RESULT_ERROR_INVALID_ARGUMENT;
	tarn_cmds_fini(&l->cmds);
	l->closed = l->next_is_mutable = false;
	return ZE_RESULT_SUCCESS;
}

static ze_result_t submit_now(tarn_ze_list *l)
{
	tarn_err err = tarn_sched_submit(l->immediate->queue, &l->cmds, 1, NULL);
	tarn_cmds_fini(&l->cmds);
	if (err == TARN_OK && l->immediate->synchronous)
		(void)tarn_sched_queue_wait(l->immediate->queue, UINT64_MAX, &err);
	return tarn_ze_result(err);
}

ze_result_t tarn_ze_list_append(tarn_ze_list *l, tarn_cmd *cmd, ze_event_handle_t signal, uint32_t n_wait,
				const ze_event_handle_t *wait)
{
	if (l->closed)
		return ZE_RESULT_ERROR_NOT_AVAILABLE;
	if (n_wait && !wait)
		return ZE_RESULT_ERROR_INVALID_SIZE;
	if (signal) {
		CHECK_HANDLE(signal, TARN_ZE_EVENT);
		cmd->signal = signal->signal;
	}
	for (uint32_t i = 0; i < n_wait; i++)
		CHECK_HANDLE(wait[i], TARN_ZE_EVENT);
	tarn_signal **signals = NULL;
	if (n_wait) {
		signals = tarn_mem_alloc(n_wait * sizeof *signals);
		if (!signals)
			return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
		for (uint32_t i = 0; i < n_wait; i++)
			signals[i] = wait[i]->signal;
	}
	cmd->wait = signals;
	cmd->n_wait = n_wait;
	cmd->id = l->next_is_mutable ? l->cmds.len + 1 : 0;
	tarn_err err = tarn_cmds_add(&l->cmds, cmd);
	tarn_mem_free(signals);
	if (err != TARN_OK)
		return tarn_ze_result(err);
	l->next_is_mutable = false;
	return l->immediate ? submit_now(l) : ZE_RESULT_SUCCESS;
}

void tarn_ze_list_fill(ze_command_list_dditable_t *t)
{
	*t = (ze_command_list_dditable_t){
		.pfnCreate = create,
		.pfnCreateImmediate = create_immediate,
		.pfnDestroy = destroy,
		.pfnClose = close,
		.pfnReset = reset,
	};
	tarn_ze_list_fill_appends(t);
}

static ze_result_t host_synchronize(ze_command_list_handle_t l, uint64_t timeout)
{
	CHECK_HANDLE(l, TARN_ZE_LIST);
	if (!l->immediate)
		return ZE_RESULT_ERROR_INVALID_ARGUMENT;
	tarn_err err;
	if (!tarn_sched_queue_wait(l->immediate->queue, timeout, &err))
		return ZE_RESULT_NOT_READY;
	return tarn_ze_result(err);
}

static ze_result_t get_device(ze_command_list_handle_t l, ze_device_handle_t *d)
{
	CHECK_HANDLE(l, TARN_ZE_LIST);
	CHECK_POINTER(d);
	*d = l->context->device;
	return ZE_RESULT_SUCCESS;
}

static ze_result_t get_context(ze_command_list_handle_t l, ze_context_handle_t *c)
{
	CHECK_HANDLE(l, TARN_ZE_LIST);
	CHECK_POINTER(c);
	*c = l->context;
	return ZE_RESULT_SUCCESS;
}

static ze_result_t get_ordinal(ze_command_list_handle_t l, uint32_t *ordinal)
{
	CHECK_HANDLE(l, TARN_ZE_LIST);
	CHECK_POINTER(ordinal);
	*ordinal = 0;
	return ZE_RESULT_SUCCESS;
}

static ze_result_t get_index(ze_command_list_handle_t l, uint32_t *index)
{
	CHECK_HANDLE(l, TARN_ZE_LIST);
	CHECK_POINTER(index);
	if (!l->immediate)
		return ZE_RESULT_ERROR_INVALID_ARGUMENT;
	*index = 0;
	return ZE_RESULT_SUCCESS;
}

static ze_result_t is_immediate(ze_command_list_handle_t l, ze_bool_t *immediate)
{
	CHECK_HANDLE(l, TARN_ZE_LIST);
	CHECK_POINTER(immediate);
	*immediate = l->immediate != NULL;
	return ZE_RESULT_SUCCESS;
}

const ze_tarn_command_list_more_t tarn_ze_list_more_table = {
	.pfnHostSynchronize = host_synchronize,
	.pfnGetDeviceHandle = get_device,
	.pfnGetContextHandle = get_context,
	.pfnGetOrdinal = get_ordinal,
	.pfnImmediateGetIndex = get_index,
	.pfnIsImmediate = is_immediate,
};
