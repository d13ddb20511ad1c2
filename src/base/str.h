/* SPDX-License-Identifier: Apache-2.0 */
/* Text under construction. A zeroed tarn_str is empty; a failed append is remembered and reported once by tarn_str_done. */
#ifndef TARN_BASE_STR_H
#define TARN_BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef struct tarn_str {
	char *at; /* NUL-terminated once anything was appended */
	size_t len, cap;
	bool failed;
} tarn_str;

void tarn_str_fini(tarn_str *s);
void tarn_str_add(tarn_str *s, const char *text);
void tarn_str_add_n(tarn_str *s, const char *bytes, size_t n);
void tarn_str_addf(tarn_str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void tarn_str_vaddf(tarn_str *s, const char *fmt, va_list ap);
/* TARN_NOMEM when any append failed. On success the caller may take s->at (heap, tarn_mem_free). */
TARN_MUST tarn_err tarn_str_done(tarn_str *s);

/* Whole-string numbers: no white space, no trailing characters; false when malformed or out of range. */
bool tarn_str_to_i64(const char *s, int64_t *v);
bool tarn_str_to_f64(const char *s, double *v);
bool tarn_str_ends_with(const char *s, const char *end);
/* YES/NO, TRUE/FALSE, 1/0, ON/OFF, any case. */
bool tarn_str_to_bool(const char *s, bool *v);

#endif
