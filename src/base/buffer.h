/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reference-counted block of bytes: mapped files, weights, tensors, device memory. Thread-safe counting; the bytes are not
 * guarded. The last unref calls release (NULL: the bytes are borrowed).
 */
#ifndef TARN_BASE_BUFFER_H
#define TARN_BASE_BUFFER_H

#include <stdatomic.h>
#include <stddef.h>

#include "base/err.h"

typedef struct tarn_buffer {
	atomic_int refs;
	void *at;
	size_t size;
	void (*release)(void *ctx, void *at, size_t size);
	void *ctx;
} tarn_buffer;

/* `size` zeroed bytes, aligned to TARN_ALIGN, padded so that reading one vector past the end stays inside. */
TARN_MUST tarn_err tarn_buffer_new(size_t size, tarn_buffer **b);
/* Wraps foreign bytes. When this fails, release is not called. */
TARN_MUST tarn_err tarn_buffer_wrap(void *at, size_t size, void (*release)(void *, void *, size_t), void *ctx, tarn_buffer **b);
/* The whole file, mapped read-only. */
TARN_MUST tarn_err tarn_buffer_map(const char *path, tarn_buffer **b);
tarn_buffer *tarn_buffer_ref(tarn_buffer *b); /* returns b; NULL allowed */
void tarn_buffer_unref(tarn_buffer *b);       /* NULL allowed */

/* Plain reference counting for other objects. */
typedef struct tarn_ref {
	atomic_int n;
} tarn_ref;
static inline void tarn_ref_init(tarn_ref *r)
{
	atomic_init(&r->n, 1);
}
static inline void tarn_ref_take(tarn_ref *r)
{
	atomic_fetch_add_explicit(&r->n, 1, memory_order_relaxed);
}
/* True when this was the last one. */
static inline _Bool tarn_ref_drop(tarn_ref *r)
{
	return atomic_fetch_sub_explicit(&r->n, 1, memory_order_acq_rel) == 1;
}

#endif
