/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers and texts in a byte string, little-endian, and back with bounds.
 *
 * Written to a tarn_str, whose failure is reported once by tarn_str_done. Read from bytes that nobody trusts: after the first
 * step beyond the end `bad` is set and everything reads as 0.
 */
#ifndef TARN_BASE_BYTES_H
#define TARN_BASE_BYTES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

void tarn_bytes_put(tarn_str *s, const void *at, size_t n);
void tarn_bytes_put_u32(tarn_str *s, uint32_t v);
void tarn_bytes_put_u64(tarn_str *s, uint64_t v);
/* Length + 1 and the bytes; 0 for NULL. */
void tarn_bytes_put_text(tarn_str *s, const char *text);
/* Zeros, until the length is a multiple of `align`. */
void tarn_bytes_pad(tarn_str *s, size_t align);

typedef struct tarn_bytes {
	const uint8_t *at;
	size_t left;
	bool bad;
} tarn_bytes;

const void *tarn_bytes_get(tarn_bytes *b, size_t n); /* NULL beyond the end */
uint32_t tarn_bytes_get_u32(tarn_bytes *b);
uint64_t tarn_bytes_get_u64(tarn_bytes *b);
/* A copy in the arena; NULL when there was none, or with `bad`. */
const char *tarn_bytes_get_text(tarn_bytes *b, tarn_arena *a);

#endif
