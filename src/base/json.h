/* SPDX-License-Identifier: Apache-2.0 */
/* Reading JSON. A document is bounded in size and depth; what is not as asked for is a false or NULL, never a crash. */
#ifndef TARN_BASE_JSON_H
#define TARN_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

typedef struct tarn_json tarn_json; /* a value inside a document */

/* The whole text; TARN_BAD_FILE with the line, also for repeated keys and above 4 MB. Freed with tarn_json_free. */
TARN_MUST tarn_err tarn_json_parse(const char *text, size_t n, tarn_json **doc);
void tarn_json_free(tarn_json *doc);
/* Borrowed from the document; NULL when `j` is NULL, no object (list), or has no such key (element). */
const tarn_json *tarn_json_get(const tarn_json *j, const char *key);
const tarn_json *tarn_json_at(const tarn_json *j, size_t i);
size_t tarn_json_len(const tarn_json *j); /* of a list; 0 for anything else */
/* NULL when it is no text. */
const char *tarn_json_text(const tarn_json *j);
/* False, and the number untouched, when it is none. */
bool tarn_json_i64(const tarn_json *j, int64_t *v);
bool tarn_json_f64(const tarn_json *j, double *v);
bool tarn_json_bool(const tarn_json *j, bool *v);

/* For writing: the text in quotes, with escapes. */

void tarn_json_quote(tarn_str *s, const char *text);

#endif
