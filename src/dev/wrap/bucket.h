/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Free dimensions with bounds on any device: one program of static size for each bucket, behind one program that looks dynamic.
 *
 * A decorator of another device. Its programs have the ports of the model as given, bounds and all; inside, the model is
 * rewritten for every bucket (a maximum with a valid length) and compiled by the inner device. A request takes any sizes inside
 * the bounds: the smallest bucket that fits is picked, inputs are copied into the inner device's own memory, and outputs come
 * back with their true sizes. What rewrites models (dyn/) comes as a pointer, so that this layer need not know it.
 *
 * Buckets are the property TARN_BUCKETS: "length=32,64,128;width=320,640", sizes alone when one dimension is free; without it
 * each dimension has one bucket, its maximum. The largest bucket is the bound of a dimension that has none.
 */
#ifndef TARN_DEV_WRAP_BUCKET_H
#define TARN_DEV_WRAP_BUCKET_H

#include "rt/device.h"

/* Makes the dimensions (by their symbols, or "input[axis]") static at these sizes. length[i]: the input, new at the end, that
 * takes dimension i's valid length; -1 where only one length is possible. */
typedef tarn_err (*tarn_bound_fn)(tarn_model **m, const char *const *name, const int64_t *max, int n, int *length);

typedef struct tarn_bucket_device {
	tarn_device_api api; /* of the decorator */
	tarn_device *inner;
	tarn_bound_fn bound;
	/* What the inner device's memory belongs to: every inner program holds one reference. */
	void *owner;
	void (*owner_ref)(void *owner), (*owner_unref)(void *owner);
} tarn_bucket_device;

/* Fills `outer`, which is then a device like any other. `d` and d->inner must live as long as it. */
void tarn_bucket_device_init(tarn_device *outer, tarn_bucket_device *d);
/* Is this model to be compiled by the decorator rather than by `inner` itself? */
bool tarn_bucket_wants(const tarn_device *inner, const tarn_model *m, const tarn_props *props);
/* How often requests of p had a size along a dimension, since it was compiled: appended to `list`, ascending. Sizes of
 * dimensions above TARN_BUCKET_SEEN are rounded up to one of that many. TARN_NOT_FOUND: no such dimension, or p is no
 * decorator's. */
enum { TARN_BUCKET_SEEN = 4096 };
typedef struct tarn_bucket_seen {
	int64_t size;
	uint64_t count;
} tarn_bucket_seen;
typedef struct tarn_bucket_seen_list {
	VEC(tarn_bucket_seen) list;
} tarn_bucket_seen_list;
TARN_MUST tarn_err tarn_bucket_get_seen(const tarn_program *p, const char *dimension, tarn_bucket_seen_list *seen);
/* Are these bytes a compiled model that a decorator exported? */
bool tarn_bucket_is_blob(const tarn_buffer *blob);

#endif
