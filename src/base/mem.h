/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The heap. Every allocation of the library goes through these, so that a test can make the n-th one fail.
 * All return NULL when memory is short; the caller turns that into TARN_NOMEM (MEM_NEW does both).
 */
#ifndef TARN_BASE_MEM_H
#define TARN_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Cache-line alignment of every buffer that kernels touch. */
#define TARN_ALIGN 64

void *tarn_mem_alloc(size_t bytes);
void *tarn_mem_zalloc(size_t count, size_t size); /* zeroed; overflow of the product is a failure */
void *tarn_mem_realloc(void *old, size_t bytes);
void tarn_mem_free(void *p);
/* Aligned to TARN_ALIGN; freed with tarn_mem_free_aligned. At least TARN_ALIGN bytes. */
void *tarn_mem_alloc_aligned(size_t bytes);
void tarn_mem_free_aligned(void *p);
char *tarn_mem_strdup(const char *s);

/* Test hook: the n-th allocation from now (1 = next) fails, and all after it; 0 switches off. Returns how many were asked for
 * since the last call. Process-wide. */
uint64_t tarn_mem_fail_after(uint64_t n);

/* Bytes of memory this machine has. */
uint64_t tarn_mem_total(void);
/* Bytes all allocations together may hold; what would exceed them fails, so that a model of absurd sizes ends in an error and
 * not with the process killed. Seven eighths of the memory this process may use (of the machine, or of its control group). */
uint64_t tarn_mem_limit(void);

#endif
