/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_uint_fast64_t asked, fail_at;

static int must_fail(void)
{
	uint64_t at = atomic_load_explicit(&fail_at, memory_order_relaxed);
	uint64_t n = atomic_fetch_add_explicit(&asked, 1, memory_order_relaxed) + 1;
	return at && n >= at;
}

uint64_t tarn_mem_fail_after(uint64_t n)
{
	uint64_t before = atomic_exchange(&asked, 0);
	atomic_store(&fail_at, n);
	return before;
}

void *tarn_mem_alloc(size_t bytes)
{
	return must_fail() ? NULL : malloc(bytes ? bytes : 1);
}

void *tarn_mem_zalloc(size_t count, size_t size)
{
	return must_fail() ? NULL : calloc(count ? count : 1, size ? size : 1);
}

void *tarn_mem_realloc(void *old, size_t bytes)
{
	return must_fail() ? NULL : realloc(old, bytes ? bytes : 1);
}

void tarn_mem_free(void *p)
{
	free(p);
}

void *tarn_mem_alloc_aligned(size_t bytes)
{
	if (bytes > SIZE_MAX - TARN_ALIGN || must_fail())
		return NULL;
	size_t whole = (bytes + TARN_ALIGN - 1) / TARN_ALIGN * TARN_ALIGN;
	return aligned_alloc(TARN_ALIGN, whole ? whole : TARN_ALIGN);
}

void tarn_mem_free_aligned(void *p)
{
	free(p);
}

char *tarn_mem_strdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *copy = tarn_mem_alloc(n);
	return copy ? memcpy(copy, s, n) : NULL;
}

uint64_t tarn_mem_total(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
	return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : 0;
}
