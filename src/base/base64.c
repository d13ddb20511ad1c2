/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

#include <stdint.h>
#include <string.h>

#include "base/mem.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *tarn_base64_text(tarn_arena *a, const void *from, size_t n)
{
	const unsigned char *at = from;
	char *out = tarn_arena_zalloc(a, (n + 2) / 3 * 4 + 1, 1), *to = out;
	for (size_t i = 0; out && i < n; i += 3) {
		uint32_t v = (uint32_t)at[i] << 16 | (i + 1 < n ? (uint32_t)at[i + 1] << 8 : 0) | (i + 2 < n ? at[i + 2] : 0);
		*to++ = letters[v >> 18];
		*to++ = letters[v >> 12 & 63];
		*to++ = i + 1 < n ? letters[v >> 6 & 63] : '=';
		*to++ = i + 2 < n ? letters[v & 63] : '=';
	}
	return out;
}

/* The six bits of a letter; -1: none. */
static int code_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

unsigned char *tarn_base64_bytes(const char *text, size_t most, size_t *n)
{
	size_t len = strlen(text), pad = 0;
	while (pad < 2 && pad < len && text[len - 1 - pad] == '=')
		pad++;
	if (len % 4 || len / 4 * 3 - pad > most)
		return NULL;
	*n = len / 4 * 3 - pad;
	unsigned char *out = tarn_mem_alloc(len / 4 * 3 + 1);
	uint32_t v = 0;
	for (size_t i = 0; out && i < len; i++) {
		int code = i >= len - pad ? 0 : code_of(text[i]);
		if (code < 0) {
			tarn_mem_free(out);
			return NULL;
		}
		v = v << 6 | (uint32_t)code;
		if (i % 4 == 3) {
			out[i / 4 * 3] = (unsigned char)(v >> 16);
			out[i / 4 * 3 + 1] = (unsigned char)(v >> 8);
			out[i / 4 * 3 + 2] = (unsigned char)v;
		}
	}
	return out;
}
