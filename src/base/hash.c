/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

#include "base/clock.h"
#include "base/thread.h"

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

enum { SECRET = 192 };
static struct {
	tarn_mutex lock;
	bool drawn;
	uint8_t at[SECRET];
} secret = {.lock = TARN_MUTEX_INIT};

/* Without a source of randomness the time and where things lie have to do. */
static const uint8_t *secret_get(void)
{
	tarn_mutex_lock(&secret.lock);
	if (!secret.drawn && getrandom(secret.at, SECRET, 0) != SECRET) {
		uint64_t seed = (uint64_t)tarn_clock_ns() ^ (uint64_t)(uintptr_t)&seed;
		for (size_t i = 0; i < SECRET; i += sizeof seed) {
			seed = tarn_hash(&seed, sizeof seed, i + 1);
			memcpy(secret.at + i, &seed, sizeof seed);
		}
	}
	secret.drawn = true;
	tarn_mutex_unlock(&secret.lock);
	return secret.at;
}

tarn_hasher *tarn_hasher_new_keyed(void)
{
	XXH3_state_t *h = XXH3_createState();
	if (h)
		XXH3_128bits_reset_withSecret(h, secret_get(), SECRET);
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
