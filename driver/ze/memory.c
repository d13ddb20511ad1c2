/* SPDX-License-Identifier: Apache-2.0 */
/* Memory: host, device and shared allocations are all memory of the process, found again by address. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/vec.h"
#include "driver/ze/ze.h"

/* Index of the first block that ends above p. */
static size_t find(const tarn_ze_context *c, const char *p)
{
	size_t lo = 0, hi = c->block.len;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (c->block.at[mid].at + c->block.at[mid].size > p)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

static tarn_ze_block *block_of(const tarn_ze_context *c, const void *p)
{
	size_t i = find(c, p);
	return i < c->block.len && c->block.at[i].at <= (const char *)p ? &c->block.at[i] : NULL;
}

bool tarn_ze_context_owns(tarn_ze_context *c, const void *p, size_t size)
{
	tarn_mutex_lock(&c->lock);
	const tarn_ze_block *b = block_of(c, p);
	bool owns = b && size <= b->size - (size_t)((const char *)p - b->at);
	tarn_mutex_unlock(&c->lock);
	return owns;
}

static void account(tarn_ze_context *c, uint64_t bytes, bool more)
{
	tarn_mutex_lock(&c->device->lock);
	c->bytes = more ? c->bytes + bytes : c->bytes - bytes;
	c->device->live_bytes = more ? c->device->live_bytes + bytes : c->device->live_bytes - bytes;
	tarn_mutex_unlock(&c->device->lock);
}

void tarn_ze_context_free_blocks(tarn_ze_context *c)
{
	for (size_t i = 0; i < c->block.len; i++) {
		account(c, c->block.at[i].size, false);
		tarn_mem_free(c->block.at[i].heap);
	}
	VEC_FINI(&c->block);
}

/* Adds a block; overlapping one that is there (the same memory imported twice) is refused. */
static ze_result_t add(tarn_ze_context *c, tarn_ze_block b)
{
	ze_result_t r = ZE_RESULT_SUCCESS;
	tarn_mutex_lock(&c->lock);
	size_t i = find(c, b.at);
	if (i < c->block.len && c->block.at[i].at < b.at + b.size) {
		r = ZE_RESULT_ERROR_INVALID_ARGUMENT;
	} else if (VEC_GROW(&c->block) != TARN_OK) {
		r = ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
	} else {
		for (size_t k = c->block.len++; k > i; k--)
			c->block.at[k] = c->block.at[k - 1];
		b.id = c->next_id++;
		c->block.at[i] = b;
	}
	tarn_mutex_unlock(&c->lock);
	if (r == ZE_RESULT_SUCCESS)
		account(c, b.size, true);
	return r;
}

static ze_result_t alloc(tarn_ze_context *c, size_t size, size_t alignment, ze_memory_type_t type, void **p)
{
	CHECK_HANDLE(c, TARN_ZE_CONTEXT);
	CHECK_POINTER(p);
	if (!size || size > tarn_mem_total())
		return ZE_RESULT_ERROR_UNSUPPORTED_SIZE;
	if (alignment & (alignment - 1))
		return ZE_RESULT_ERROR_UNSUPPORTED_ALIGNMENT;
	if (alignment > 1u << 30)
		return ZE_RESULT_ERROR_UNSUPPORTED_ALIGNMENT;
	if (alignment < TARN_ZE_PAGE)
		alignment = TARN_ZE_PAGE;
	size_t whole = (size + TARN_ZE_PAGE - 1) & ~(size_t)(TARN_ZE_PAGE - 1);
	char *heap = tarn_mem_zalloc(1, whole + alignment);
	if (!heap)
		return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
	char *at = heap + (alignment - (uintptr_t)heap % alignment);
	ze_result_t r = add(c, (tarn_ze_block){.at = at, .size = whole, .heap = heap, .type = type});
	if (r != ZE_RESULT_SUCCESS) {
		tarn_mem_free(heap);
		return r;
	}
	*p = at;
	return ZE_RESULT_SUCCESS;
}

static ze_result_t import(tarn_ze_context *c, const ze_external_memmap_sysmem_ext_desc_t *m, size_t size, void **p)
{
	CHECK_HANDLE(c, TARN_ZE_CONTEXT);
	CHECK_POINTER(p);
	CHECK_POINTER(m->pSystemMemory);
	if (!m->size || size > m->size)
		return ZE_RESULT_ERROR_UNSUPPORTED_SIZE;
	if ((uintptr_t)m->pSystemMemory % TARN_ZE_PAGE || m->size % TARN_ZE_PAGE)
		return ZE_RESULT_ERROR_UNSUPPORTED_ALIGNMENT;
	ZE_TRY(add(c, (tarn_ze_block){.at = m->pSystemMemory, .size = m->size, .type = ZE_MEMORY_TYPE_HOST}));
	*p = m->pSystemMemory;
	return ZE_RESULT_SUCCESS;
}

static ze_result_t alloc_host(ze_context_handle_t c, const ze_host_mem_alloc_desc_t *desc, size_t size, size_t alignment,
			      void **p)
{
	CHECK_HANDLE(c, TARN_ZE_CONTEXT);
	CHECK_POINTER(desc);
	if (desc->flags & ~(ze_host_mem_alloc_flags_t)0xf)
		return ZE_RESULT_ERROR_INVALID_ENUMERATION;
	const ze_base_desc_t *next = desc->pNext;
	if (next && next->stype == ZE_TARN_STYPE_MEMMAP_SYSMEM)
		return import(c, (const ze_external_memmap_sysmem_ext_desc_t *)next, size, p);
	if (next) /* import and export of file descriptors */
		return ZE_RESULT_ERROR_UNSUPPORTED_ENUMERATION;
	return alloc(c, size, alignment, ZE_MEMORY_TYPE_HOST, p);
}

static ze_result_t alloc_device(ze_context_handle_t c, const ze_device_mem_alloc_desc_t *desc, size_t size, size_t alignment,
				ze_device_handle_t d, void **p)
{
	CHECK_HANDLE(c, TARN_ZE_CONTEXT);
	CHECK_HANDLE(d, TARN_ZE_DEVICE);
	CHECK_POINTER(desc);
	if (desc->flags & ~(ze_device_mem_alloc_flags_t)0x7)
		return ZE_RESULT_ERROR_INVALID_ENUMERATION;
	if (desc->pNext)
		return ZE_RESULT_ERROR_UNSUPPORTED_ENUMERATION;
	return alloc(c, size, alignment, ZE_MEMORY_TYPE_DEVICE, p);
}

static ze_result_t alloc_shared(ze_context_handle_t c, const ze_device_mem_alloc_desc_t *device,
				const ze_host_mem_alloc_desc_t *host, size_t size, size_t alignment, ze_device_handle_t d,
				void **p)
{
	CHECK_HANDLE(c, TARN_ZE_CONTEXT);
	if (d)
		CHECK_HANDLE(d, TARN_ZE_DEVICE);
	CHECK_POINTER(device);
	CHECK_POINTER(host);
	if (device->flags & ~(ze_device_mem_alloc_flags_t)0x7 || host->flags & ~(ze_host_mem_alloc_flags_t)0xf)
		return ZE_RESULT_ERROR_INVALID_ENUMERATION;
	return alloc(c, size, alignment, ZE_MEMORY_TYPE_SHARED, p);
}

static ze_result_t mem_free(ze_context_handle_t c, void *p)
{
	CHECK_HANDLE(c, TARN_ZE_CONTEXT);
	CHECK_POINTER(p);
	tarn_ze_block gone = {0};
	tarn_mutex_lock(&c->lock);
	const tarn_ze_block *b = block_of(c, p);
	bool found = b && b->at == p;
	if (found) {
		gone = *b;
		c->block.len--;
		for (size_t i = (size_t)(b - c->block.at); i < c->block.len; i++)
			c->block.at[i] = c->block.at[i + 1];
	}
	tarn_mutex_unlock(&c->lock);
	if (!found)
		return ZE_RESULT_ERROR_INVALID_ARGUMENT;
	account(c, gone.size, false);
	tarn_mem_free(gone.heap);
	return ZE_RESULT_SUCCESS;
}

static ze_result_t free_ext(ze_context_handle_t c, const ze_memory_free_ext_desc_t *desc, void *p)
{
	CHECK_POINTER(desc);
	return mem_free(c, p);
}

static ze_result_t get_properties(ze_context_handle_t c, const void *p, ze_memory_allocation_properties_t *out,
				  ze_device_handle_t *d)
{
	CHECK_HANDLE(c, TARN_ZE_CONTEXT);
	CHECK_POINTER(p);
	CHECK_POINTER(out);
	tarn_mutex_lock(&c->lock);
	const tarn_ze_block *b = block_of(c, p);
	out->type = b ? b->type : ZE_MEMORY_TYPE_UNKNOWN;
	out->id = b ? b->id : 0;
	out->pageSize = b ? TARN_ZE_PAGE : 0;
	if (d)
		*d = b && b->type != ZE_MEMORY_TYPE_HOST ? c->device : NULL;
	tarn_mutex_unlock(&c->lock);
	return ZE_RESULT_SUCCESS;
}

static ze_result_t get_range(ze_context_handle_t c, const void *p, void **base, size_t *size)
{
	CHECK_HANDLE(c, TARN_ZE_CONTEXT);
	CHECK_POINTER(p);
	tarn_mutex_lock(&c->lock);
	const tarn_ze_block *b = block_of(c, p);
	if (b && base)
		*base = b->at;
	if (b && size)
		*size = b->size;
	tarn_mutex_unlock(&c->lock);
	return b ? ZE_RESULT_SUCCESS : ZE_RESULT_ERROR_INVALID_ARGUMENT;
}

const ze_mem_dditable_t tarn_ze_mem_table = {
	.pfnAllocShared = alloc_shared,
	.pfnAllocDevice = alloc_device,
	.pfnAllocHost = alloc_host,
	.pfnFree = mem_free,
	.pfnGetAllocProperties = get_properties,
	.pfnGetAddressRange = get_range,
	.pfnFreeExt = free_ext,
};
