/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packed weights in a compiled model: blocks of bytes, one behind the other, each filled up to a multiple of TARN_ALIGN. Which
 * blocks an object has, and how large they are, follows from its sizes and the instruction-set level; reading takes nothing
 * else from the bytes, so that they can hold wrong numbers but nothing that leads out of them.
 *
 * An object that was opened borrows its blocks: their bytes must outlive it.
 */
#ifndef TARN_KERN_STORE_H
#define TARN_KERN_STORE_H

#include "base/bytes.h"
#include "base/mem.h"

/* Bytes that must be readable behind the last block: kernels read whole vectors. */
#define TARN_STORE_BEHIND (2 * TARN_ALIGN)

typedef struct tarn_store {
	const uint8_t *at; /* aligned to TARN_ALIGN; NULL: there is none, objects allocate */
	size_t left;       /* without those behind */
} tarn_store;

static inline void tarn_store_put(tarn_str *out, const void *block, size_t bytes)
{
	tarn_bytes_put(out, block, bytes);
	tarn_bytes_pad(out, TARN_ALIGN);
}

/* The next block, or fresh memory (tarn_mem_free_aligned) without a store. */
static inline TARN_MUST tarn_err tarn_store_get(tarn_store *s, size_t bytes, void *block)
{
	void **out = block;
	if (!s) {
		*out = tarn_mem_alloc_aligned(bytes);
		return *out ? TARN_OK : tarn_err_nomem(bytes);
	}
	size_t whole = bytes + (TARN_ALIGN - bytes % TARN_ALIGN) % TARN_ALIGN;
	CHECK(whole >= bytes && whole <= s->left, TARN_BAD_FILE,
	      "compiled model: packed weights are missing; compile it again");
	*out = (void *)(uintptr_t)s->at;
	s->at += whole;
	s->left -= whole;
	return TARN_OK;
}

#endif
