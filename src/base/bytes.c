/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

#include <string.h>

void tarn_bytes_put(tarn_str *s, const void *at, size_t n)
{
	tarn_str_add_n(s, at, n);
}

void tarn_bytes_put_u32(tarn_str *s, uint32_t v)
{
	uint8_t b[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};
	tarn_bytes_put(s, b, sizeof b);
}

void tarn_bytes_put_u64(tarn_str *s, uint64_t v)
{
	tarn_bytes_put_u32(s, (uint32_t)v);
	tarn_bytes_put_u32(s, (uint32_t)(v >> 32));
}

void tarn_bytes_put_text(tarn_str *s, const char *text)
{
	size_t n = text ? strlen(text) : 0;
	tarn_bytes_put_u32(s, text ? (uint32_t)n + 1 : 0);
	tarn_bytes_put(s, text ? text : "", n);
}

void tarn_bytes_pad(tarn_str *s, size_t align)
{
	while (s->len % align && !s->failed)
		tarn_str_add_n(s, "", 1);
}

const void *tarn_bytes_get(tarn_bytes *b, size_t n)
{
	if (b->bad || n > b->left) {
		b->bad = true;
		return NULL;
	}
	const void *p = b->at;
	b->at += n;
	b->left -= n;
	return p;
}

uint32_t tarn_bytes_get_u32(tarn_bytes *b)
{
	const uint8_t *p = tarn_bytes_get(b, 4);
	return p ? p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24 : 0;
}

uint64_t tarn_bytes_get_u64(tarn_bytes *b)
{
	uint64_t low = tarn_bytes_get_u32(b);
	return low | (uint64_t)tarn_bytes_get_u32(b) << 32;
}

const char *tarn_bytes_get_text(tarn_bytes *b, tarn_arena *a)
{
	uint32_t n = tarn_bytes_get_u32(b);
	const char *p = n ? tarn_bytes_get(b, n - 1) : NULL;
	if (!p || memchr(p, 0, n - 1)) {
		b->bad |= p != NULL;
		return NULL;
	}
	char *s = tarn_arena_strndup(a, p, n - 1);
	b->bad |= !s;
	return s;
}
