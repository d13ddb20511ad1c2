/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

void tarn_map_fini(tarn_map *m)
{
	tarn_mem_free(m->slot);
	*m = (tarn_map){0};
}

static tarn_map_slot *seek(const tarn_map *m, const char *key)
{
	size_t i = tarn_hash_str(key) & (m->cap - 1);
	while (m->slot[i].key && strcmp(m->slot[i].key, key))
		i = (i + 1) & (m->cap - 1);
	return &m->slot[i];
}

tarn_err tarn_map_put(tarn_map *m, const char *key, void *value)
{
	if (2 * (m->len + 1) > m->cap) {
		tarn_map big = {.cap = m->cap ? 2 * m->cap : 16};
		big.slot = tarn_mem_zalloc(big.cap, sizeof *big.slot);
		if (!big.slot)
			return tarn_err_nomem(big.cap * sizeof *big.slot);
		for (size_t i = 0; i < m->cap; i++)
			if (m->slot[i].key)
				*seek(&big, m->slot[i].key) = m->slot[i];
		big.len = m->len;
		tarn_mem_free(m->slot);
		*m = big;
	}
	tarn_map_slot *s = seek(m, key);
	m->len += !s->key;
	*s = (tarn_map_slot){key, value};
	return TARN_OK;
}

void *tarn_map_find(const tarn_map *m, const char *key)
{
	return m->cap ? seek(m, key)->value : NULL;
}
