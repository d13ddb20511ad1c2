/* SPDX-License-Identifier: Apache-2.0 */
/* Serialized protobuf messages by hand, for tests: independent of the library under test. */
#ifndef TARN_TESTS_WIRE_MAKE_H
#define TARN_TESTS_WIRE_MAKE_H

#include <string.h>

#include "base/str.h"

static inline void wire_varint(tarn_str *s, uint64_t v)
{
	do {
		char b = (char)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
		tarn_str_add_n(s, &b, 1);
		v >>= 7;
	} while (v);
}

static inline void wire_int(tarn_str *s, unsigned field, int64_t v)
{
	wire_varint(s, (uint64_t)field << 3);
	wire_varint(s, (uint64_t)v);
}

static inline void wire_bytes(tarn_str *s, unsigned field, const void *at, size_t n)
{
	wire_varint(s, (uint64_t)field << 3 | 2);
	wire_varint(s, n);
	tarn_str_add_n(s, at, n);
}

static inline void wire_text(tarn_str *s, unsigned field, const char *text)
{
	wire_bytes(s, field, text, strlen(text));
}

/* Appends `part` as a message and empties it. */
static inline void wire_message(tarn_str *s, unsigned field, tarn_str *part)
{
	wire_bytes(s, field, part->at ? part->at : "", part->len);
	tarn_str_fini(part);
}

#endif
