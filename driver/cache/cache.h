/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver's compiled-model cache: a folder of blobs, shared by all processes of a user.
 *
 * An entry is one file, "tarn-" and 32 hexadecimal digits of its key: a header with the key, the size and a checksum, then the
 * blob. It is written beside and renamed, so readers see a whole entry or none; every byte of it is checked on reading, and an
 * entry that fails is removed and counted as a miss. When a new entry would exceed the size limit, those used least recently go
 * first. Files that are not entries of ours are neither counted nor touched. Thread-safe.
 */
#ifndef TARN_DRIVER_CACHE_CACHE_H
#define TARN_DRIVER_CACHE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"

#define TARN_CACHE_DEFAULT_LIMIT (4ull << 30)

typedef struct tarn_cache tarn_cache;

typedef struct tarn_cache_stats {
	uint64_t hits, misses, stored, damaged, evicted; /* of this process */
} tarn_cache_stats;

/* dir NULL or "": off (every lookup misses, nothing is stored). A folder that cannot be made: off, with a log line. */
TARN_MUST tarn_err tarn_cache_new(const char *dir, uint64_t limit, tarn_cache **cache);
void tarn_cache_free(tarn_cache *cache);
/* Folder and limit as the environment has them: ZE_INTEL_NPU_CACHE_DIR (empty = off), XDG_CACHE_HOME, HOME, the current folder;
 * ZE_INTEL_NPU_CACHE_SIZE in bytes (not a number = 0 = nothing is stored), 4 GiB without it. */
TARN_MUST tarn_err tarn_cache_new_from_env(tarn_cache **cache);

/* The blob in a fresh buffer aligned to 64 bytes (tarn_mem_free_aligned), or false. */
bool tarn_cache_get(tarn_cache *cache, tarn_hash128 key, uint8_t **bytes, size_t *size);
/* What cannot be stored is not an error: the caller has its blob; the log says why. True when stored. */
bool tarn_cache_put(tarn_cache *cache, tarn_hash128 key, const void *bytes, size_t size);
/* An entry whose blob the driver refused: removed and counted as damaged. */
void tarn_cache_drop(tarn_cache *cache, tarn_hash128 key);

const char *tarn_cache_dir(const tarn_cache *cache); /* "" when off */
uint64_t tarn_cache_limit(tarn_cache *cache);        /* 0 when off */
void tarn_cache_set_limit(tarn_cache *cache, uint64_t limit);
uint64_t tarn_cache_used(tarn_cache *cache); /* bytes in entries now */
void tarn_cache_get_stats(tarn_cache *cache, tarn_cache_stats *stats);

#endif
