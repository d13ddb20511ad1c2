/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* An arena that stays small must be cheap to make: blocks grow with what it has. */
enum { FIRST_BLOCK = 4 * 1024, LARGEST_BLOCK = 64 * 1024 };

struct tarn_arena_block {
	tarn_arena_block *next;
	size_t size, used;
	_Alignas(TARN_ALIGN) unsigned char data[];
};

void tarn_arena_fini(tarn_arena *a)
{
	for (tarn_arena_block *b = a->head, *next; b; b = next) {
		next = b->next;
		tarn_mem_free_aligned(b);
	}
	*a = (tarn_arena){0};
}

static void *take(tarn_arena *a, size_t bytes, size_t align)
{
	tarn_arena_block *b = a->head;
	if (b) {
		size_t at = (b->used + align - 1) / align * align;
		if (at <= b->size && bytes <= b->size - at) {
			b->used = at + bytes;
			return b->data + at;
		}
	}
	if (bytes > SIZE_MAX / 2)
		return NULL;
	/* A large request gets a block of its own behind the current one, so that the rest of that one is not lost. */
	size_t block = a->total < FIRST_BLOCK ? FIRST_BLOCK : a->total < LARGEST_BLOCK ? a->total : LARGEST_BLOCK;
	bool own = bytes > block / 4;
	size_t size = own ? bytes : block;
	b = tarn_mem_alloc_aligned(sizeof *b + size);
	if (!b)
		return NULL;
	b->size = size;
	b->used = bytes;
	memset(b->data, 0, size);
	if (own && a->head) {
		b->next = a->head->next;
		a->head->next = b;
	} else {
		b->next = a->head;
		a->head = b;
	}
	a->total += size;
	return b->data;
}

void *tarn_arena_alloc(tarn_arena *a, size_t bytes)
{
	return take(a, bytes ? bytes : 1, 16);
}

void *tarn_arena_alloc_aligned(tarn_arena *a, size_t bytes)
{
	return take(a, bytes ? bytes : 1, TARN_ALIGN);
}

void *tarn_arena_zalloc(tarn_arena *a, size_t count, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(count, size, &bytes))
		return NULL;
	return tarn_arena_alloc(a, bytes);
}

void *tarn_arena_memdup(tarn_arena *a, const void *p, size_t bytes)
{
	void *copy = tarn_arena_alloc(a, bytes);
	return copy && bytes ? memcpy(copy, p, bytes) : copy;
}

char *tarn_arena_strndup(tarn_arena *a, const char *s, size_t n)
{
	char *copy = tarn_arena_alloc(a, n + 1);
	return copy ? memcpy(copy, s, n) : NULL; /* the arena is zeroed: the terminator is there */
}

char *tarn_arena_strdup(tarn_arena *a, const char *s)
{
	return tarn_arena_strndup(a, s, strlen(s));
}

char *tarn_arena_printf(tarn_arena *a, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	char *s = n < 0 ? NULL : tarn_arena_alloc(a, (size_t)n + 1);
	if (s)
		vsnprintf(s, (size_t)n + 1, fmt, again);
	va_end(again);
	return s;
}
