/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arena: many small allocations, one release. Not thread-safe. Memory is zeroed, aligned to 16 bytes (64 for
 * tarn_arena_alloc_aligned), and lives until tarn_arena_fini or tarn_arena_reset.
 */
#ifndef TARN_BASE_ARENA_H
#define TARN_BASE_ARENA_H

#include <stddef.h>

#include "base/err.h"

typedef struct tarn_arena_block tarn_arena_block;
typedef struct tarn_arena {
	tarn_arena_block *head; /* newest block */
	size_t total;           /* bytes held in blocks */
} tarn_arena;

/* A zeroed tarn_arena is a valid empty one. */
void tarn_arena_fini(tarn_arena *a);
/* NULL when memory is short; the caller reports it (tarn_err_nomem). */
void *tarn_arena_alloc(tarn_arena *a, size_t bytes);
void *tarn_arena_zalloc(tarn_arena *a, size_t count, size_t size);
void *tarn_arena_alloc_aligned(tarn_arena *a, size_t bytes);
char *tarn_arena_strdup(tarn_arena *a, const char *s);
char *tarn_arena_strndup(tarn_arena *a, const char *s, size_t n);
void *tarn_arena_memdup(tarn_arena *a, const void *p, size_t bytes);
char *tarn_arena_printf(tarn_arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
