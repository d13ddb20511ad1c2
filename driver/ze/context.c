/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts: what memory belongs to. */
#include "base/mem.h"
#include "driver/ze/ze.h"

static ze_result_t create_ex(ze_driver_handle_t h, const ze_context_desc_t *desc, uint32_t n, ze_device_handle_t *devices,
			     ze_context_handle_t *context)
{
	CHECK_HANDLE(h, TARN_ZE_DRIVER);
	CHECK_POINTER(desc);
	CHECK_POINTER(context);
	if (desc->flags & ~(ze_context_flags_t)ZE_CONTEXT_FLAG_TBD)
		return ZE_RESULT_ERROR_INVALID_ENUMERATION;
	for (uint32_t i = 0; devices && i < n; i++)
		CHECK_HANDLE(devices[i], TARN_ZE_DEVICE);
	tarn_ze_context *c = tarn_mem_zalloc(1, sizeof *c);
	if (!c)
		return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
	c->magic = TARN_ZE_CONTEXT;
	c->device = &h->device;
	c->next_id = 1;
	tarn_mutex_init(&c->lock);
	*context = c;
	return ZE_RESULT_SUCCESS;
}

static ze_result_t create(ze_driver_handle_t h, const ze_context_desc_t *desc, ze_context_handle_t *context)
{
	return create_ex(h, desc, 0, NULL, context);
}

static ze_result_t destroy(ze_context_handle_t c)
{
	CHECK_HANDLE(c, TARN_ZE_CONTEXT);
	tarn_ze_context_free_blocks(c);
	tarn_mutex_fini(&c->lock);
	c->magic = 0;
	tarn_mem_free(c);
	return ZE_RESULT_SUCCESS;
}

static ze_result_t get_status(ze_context_handle_t c)
{
	CHECK_HANDLE(c, TARN_ZE_CONTEXT);
	return ZE_RESULT_SUCCESS;
}

static ze_result_t system_barrier(ze_context_handle_t c, ze_device_handle_t d)
{
	CHECK_HANDLE(c, TARN_ZE_CONTEXT);
	CHECK_HANDLE(d, TARN_ZE_DEVICE);
	return ZE_RESULT_SUCCESS;
}

/* All memory is resident: there is only the host's. */
static ze_result_t resident(ze_context_handle_t c, ze_device_handle_t d, void *p, size_t size)
{
	CHECK_HANDLE(c, TARN_ZE_CONTEXT);
	CHECK_HANDLE(d, TARN_ZE_DEVICE);
	CHECK_POINTER(p);
	if (!size)
		return ZE_RESULT_ERROR_INVALID_SIZE;
	return tarn_ze_context_owns(c, p, size) ? ZE_RESULT_SUCCESS : ZE_RESULT_ERROR_INVALID_ARGUMENT;
}

const ze_context_dditable_t tarn_ze_context_table = {
	.pfnCreate = create,
	.pfnDestroy = destroy,
	.pfnGetStatus = get_status,
	.pfnSystemBarrier = system_barrier,
	.pfnMakeMemoryResident = resident,
	.pfnEvictMemory = resident,
	.pfnCreateEx = create_ex,
};

static ze_result_t set_properties(ze_context_handle_t c, ze_context_properties_npu_ext_t *p)
{
	TARN_ZE_TRANSLATE(TARN_ZEL_CONTEXT, c);
	CHECK_HANDLE(c, TARN_ZE_CONTEXT);
	CHECK_POINTER(p);
	if (p->options & ~(ze_npu_context_options_t)ZE_NPU_CONTEXT_OPTION_IDLE_OPTIMIZATIONS)
		return ZE_RESULT_ERROR_INVALID_ENUMERATION;
	c->keep_idle_memory = !(p->options & ZE_NPU_CONTEXT_OPTION_IDLE_OPTIMIZATIONS);
	return ZE_RESULT_SUCCESS;
}

/* Nothing is held that the application did not allocate. */
static ze_result_t release_memory(ze_context_handle_t c)
{
	TARN_ZE_TRANSLATE(TARN_ZEL_CONTEXT, c);
	CHECK_HANDLE(c, TARN_ZE_CONTEXT);
	return ZE_RESULT_SUCCESS;
}

ze_result_t zexContextSetIdlePruningTimeout(ze_context_handle_t c, uint64_t ms)
{
	(void)ms;
	return release_memory(c);
}

const ze_context_npu_dditable_ext_t tarn_ze_context_ext_table = {
	.pfnSetProperties = set_properties,
	.pfnReleaseMemory = release_memory,
};
