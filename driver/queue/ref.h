/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared ownership: commands in flight keep what they use (graphs, events, fences) alive after the application destroyed its
 * handle. The first member of the object that is shared. Thread-safe.
 */
#ifndef TARN_DRIVER_QUEUE_REF_H
#define TARN_DRIVER_QUEUE_REF_H

#include <stdatomic.h>

typedef struct tarn_ref {
	atomic_uint count;
	void (*destroy)(struct tarn_ref *r);
} tarn_ref;

static inline void tarn_ref_init(tarn_ref *r, void (*destroy)(tarn_ref *r))
{
	atomic_init(&r->count, 1);
	r->destroy = destroy;
}

/* NULL is allowed in both. */
static inline void tarn_ref_get(tarn_ref *r)
{
	if (r)
		atomic_fetch_add_explicit(&r->count, 1, memory_order_relaxed);
}

static inline void tarn_ref_put(tarn_ref *r)
{
	if (r && atomic_fetch_sub_explicit(&r->count, 1, memory_order_acq_rel) == 1)
		r->destroy(r);
}

#endif
