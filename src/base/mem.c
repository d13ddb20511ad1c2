/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
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

uint64_t tarn_mem_total(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
	return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : 0;
}

/* The number after `key` in a file of the system; `otherwise` when there is none. */
static uint64_t number_in(const char *path, const char *key, uint64_t otherwise)
{
	char text[1024];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return otherwise;
	text[n] = 0;
	const char *at = strstr(text, key);
	char *end;
	unsigned long long v = at ? strtoull(at + strlen(key), &end, 10) : 0;
	return at && end != at + strlen(key) ? v : otherwise;
}

uint64_t tarn_mem_limit(void)
{
	static atomic_uint_fast64_t cached;
	uint64_t limit = atomic_load_explicit(&cached, memory_order_relaxed);
	if (limit)
		return limit;
	uint64_t all = tarn_mem_total(), group = number_in("/sys/fs/cgroup/memory.max", "", UINT64_MAX);
	if (!all)
		all = UINT64_MAX;
	if (group && group < all)
		all = group;
	limit = all - all / 8;
	atomic_store_explicit(&cached, limit, memory_order_relaxed);
	return limit;
}

/* What the system could give now without swapping. */
static uint64_t mem_available(void)
{
	uint64_t kib = number_in("/proc/meminfo", "MemAvailable:", UINT64_MAX / 1024);
	return kib * 1024;
}

/* Bytes in use, as the heap rounds them. Below zero only if a block of another heap was freed here. */
static atomic_int_fast64_t held;

/* More than this is asked of the system first: other programs may have taken what the machine has. */
#define LARGE ((size_t)64 << 20)

static bool too_much(size_t bytes)
{
	uint64_t limit = tarn_mem_limit();
	int64_t now = atomic_load_explicit(&held, memory_order_relaxed);
	if (bytes > limit || (now > 0 && (uint64_t)now > limit - bytes))
		return true;
	return bytes > LARGE && bytes > mem_available();
}

static void *keep(void *p)
{
	if (p)
		atomic_fetch_add_explicit(&held, (int64_t)malloc_usable_size(p), memory_order_relaxed);
	return p;
}

void *tarn_mem_alloc(size_t bytes)
{
	return must_fail() || too_much(bytes) ? NULL : keep(malloc(bytes ? bytes : 1));
}

void *tarn_mem_zalloc(size_t count, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(count, size, &bytes) || must_fail() || too_much(bytes))
		return NULL;
	return keep(calloc(bytes ? bytes : 1, 1));
}

void *tarn_mem_realloc(void *old, size_t bytes)
{
	if (must_fail() || too_much(bytes))
		return NULL;
	int64_t before = old ? (int64_t)malloc_usable_size(old) : 0;
	void *p = realloc(old, bytes ? bytes : 1);
	if (p)
		atomic_fetch_sub_explicit(&held, before, memory_order_relaxed);
	return keep(p);
}

void tarn_mem_free(void *p)
{
	if (p)
		atomic_fetch_sub_explicit(&held, (int64_t)malloc_usable_size(p), memory_order_relaxed);
	free(p);
}

void *tarn_mem_alloc_aligned(size_t bytes)
{
	if (bytes > SIZE_MAX - TARN_ALIGN || must_fail() || too_much(bytes))
		return NULL;
	size_t whole = (bytes + TARN_ALIGN - 1) / TARN_ALIGN * TARN_ALIGN;
	return keep(aligned_alloc(TARN_ALIGN, whole ? whole : TARN_ALIGN));
}

void tarn_mem_free_aligned(void *p)
{
	tarn_mem_free(p);
}

char *tarn_mem_strdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *copy = tarn_mem_alloc(n);
	return copy ? memcpy(copy, s, n) : NULL;
}
