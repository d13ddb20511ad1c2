/* SPDX-License-Identifier: Apache-2.0 */
/* Non-cryptographic hashing (xxHash XXH3). Guards against damage, not against an adversary; but for the keyed form. */
#ifndef TARN_BASE_HASH_H
#define TARN_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t tarn_hash(const void *bytes, size_t n, uint64_t seed);
uint64_t tarn_hash_str(const char *s);

/* Streaming form of the same hash, 128 bits wide, for cache keys. */
typedef struct tarn_hash128 {
	uint64_t lo, hi;
} tarn_hash128;
typedef struct tarn_hasher tarn_hasher;
tarn_hasher *tarn_hasher_new(void); /* NULL when memory is short */
/* The same under a secret that this process draws at random, once: whoever makes bytes in advance cannot make two that collide.
 * Digests mean nothing outside the process. */
tarn_hasher *tarn_hasher_new_keyed(void);
void tarn_hasher_add(tarn_hasher *h, const void *bytes, size_t n);
tarn_hash128 tarn_hasher_free(tarn_hasher *h); /* the digest; frees h */

#endif
