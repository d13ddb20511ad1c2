/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buffer.h"

#include <stdint.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

static void release_heap(void *ctx, void *at, size_t size)
{
	(void)ctx, (void)size;
	tarn_mem_free_aligned(at);
}

static void release_map(void *ctx, void *at, size_t size)
{
	(void)ctx;
	tarn_file_map map = {at, size};
	tarn_file_map_close(&map);
}

tarn_err tarn_buffer_wrap(void *at, size_t size, void (*release)(void *, void *, size_t), void *ctx, tarn_buffer **out)
{
	tarn_buffer *b = tarn_mem_alloc(sizeof *b);
	if (!b)
		return tarn_err_nomem(sizeof *b);
	atomic_init(&b->refs, 1);
	b->at = at;
	b->size = size;
	b->release = release;
	b->ctx = ctx;
	*out = b;
	return TARN_OK;
}

tarn_err tarn_buffer_new(size_t size, tarn_buffer **out)
{
	size_t padded;
	if (__builtin_add_overflow(size, TARN_ALIGN, &padded))
		return tarn_err_nomem(size);
	void *at = tarn_mem_alloc_aligned(padded);
	if (!at)
		return tarn_err_nomem(size);
	memset(at, 0, padded);
	tarn_err err = tarn_buffer_wrap(at, size, release_heap, NULL, out);
	if (err != TARN_OK)
		tarn_mem_free_aligned(at);
	return err;
}

tarn_err tarn_buffer_map(const char *path, tarn_buffer **out)
{
	tarn_file_map map;
	TRY(tarn_file_map_open(path, &map));
	tarn_err err = tarn_buffer_wrap((void *)(uintptr_t)map.at, map.size, release_map, NULL, out);
	if (err != TARN_OK)
		tarn_file_map_close(&map);
	return err;
}

tarn_buffer *tarn_buffer_ref(tarn_buffer *b)
{
	if (b)
		atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return b;
}

void tarn_buffer_unref(tarn_buffer *b)
{
	if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (b->release)
		b->release(b->ctx, b->at, b->size);
	tarn_mem_free(b);
}
