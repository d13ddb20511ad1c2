/* SPDX-License-Identifier: Apache-2.0 */
/* Hash map from strings (borrowed: the caller keeps them alive) to pointers. A zeroed tarn_map is empty. */
#ifndef TARN_BASE_MAP_H
#define TARN_BASE_MAP_H

#include <stddef.h>

#include "base/err.h"

typedef struct tarn_map_slot {
	const char *key;
	void *value;
} tarn_map_slot;
typedef struct tarn_map {
	tarn_map_slot *slot; /* open addressing, a power of two of them; key NULL = free */
	size_t len, cap;
} tarn_map;

void tarn_map_fini(tarn_map *m);
/* Adds or replaces. */
TARN_MUST tarn_err tarn_map_put(tarn_map *m, const char *key, void *value);
/* NULL when absent. */
void *tarn_map_find(const tarn_map *m, const char *key);

#endif
