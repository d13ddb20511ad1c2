/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as text (RFC 4648, with padding, without line breaks), for metadata of models. */
#ifndef TARN_BASE_BASE64_H
#define TARN_BASE_BASE64_H

#include "base/arena.h"

/* In the arena; NULL: no memory. */
char *tarn_base64_text(tarn_arena *a, const void *at, size_t n);
/* *n bytes in a new block for tarn_mem_free; NULL: not base64, more than `most` bytes, or no memory. */
unsigned char *tarn_base64_bytes(const char *text, size_t most, size_t *n);

#endif
