/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <string.h>
#include <xxhash.h>

uint64_t tarn_hash(const void *bytes, size_t n, uint64_t seed)
{
	return XXH3_64bits_withSeed(n ? bytes : "", n, seed);
}

uint64_t tarn_hash_str(const char *s)
{
	return tarn_hash(s, strlen(s), 0);
}

tarn_hasher *tarn_hasher_new(void)
{
	XXH3_state_t *h = XXH3_createState();
	if (h)
		XXH3_128bits_reset(h);
	return (tarn_hasher *)h;
}

void tarn_hasher_add(tarn_hasher *h, const void *bytes, size_t n)
{
	if (n)
		XXH3_128bits_update((XXH3_state_t *)h, bytes, n);
}

tarn_hash128 tarn_hasher_free(tarn_hasher *h)
{
	XXH128_hash_t d = XXH3_128bits_digest((XXH3_state_t *)h);
	XXH3_freeState((XXH3_state_t *)h);
	return (tarn_hash128){d.low64, d.high64};
}
