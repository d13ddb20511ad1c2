/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several byte strings stored as one: what occurs again, at any distance and alignment, is kept once.
 *
 * Made for compiled models that differ in their code and share their weights; it knows nothing of their format. An entry is a
 * list of pieces of one common store. Zeroed it is empty; owned by one thread.
 */
#ifndef TARN_BASE_DEDUP_H
#define TARN_BASE_DEDUP_H

#include <stdint.h>

#include "base/str.h"
#include "base/vec.h"

typedef struct tarn_dedup_piece {
	uint64_t at, size; /* in the store */
} tarn_dedup_piece;

typedef struct tarn_dedup {
	tarn_str store;
	VEC(tarn_dedup_piece) piece;
	VEC(size_t) end; /* by entry: where its pieces end */
	/* Blocks of the store by the hash of their bytes: offsets + 1, open addressing. */
	uint64_t *slot;
	size_t n_slot, n_block, indexed;
} tarn_dedup;

void tarn_dedup_fini(tarn_dedup *d);
TARN_MUST tarn_err tarn_dedup_add(tarn_dedup *d, const void *bytes, size_t n);
/* Appends all entries: u32 entries, u32 pieces, u64 size of the store; by entry u32 pieces; pieces (u64 at, u64 size); store.
 */
TARN_MUST tarn_err tarn_dedup_write(const tarn_dedup *d, tarn_str *out);

/* The other way. `at` must stay while it is used. TARN_BAD_FILE when anything reaches beyond its limits. */
typedef struct tarn_dedup_view {
	const uint8_t *count, *piece, *store;
	uint64_t store_size;
	uint32_t n_entry, n_piece;
} tarn_dedup_view;
TARN_MUST tarn_err tarn_dedup_open(const uint8_t *at, size_t size, tarn_dedup_view *v);
/* Appends entry i. */
TARN_MUST tarn_err tarn_dedup_get(const tarn_dedup_view *v, uint32_t i, tarn_str *out);

#endif
