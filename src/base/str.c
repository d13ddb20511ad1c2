/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/vec.h"

void tarn_str_fini(tarn_str *s)
{
	tarn_mem_free(s->at);
	*s = (tarn_str){0};
}

static bool room(tarn_str *s, size_t more)
{
	if (!s->failed && tarn_vec_reserve(&s->at, &s->cap, s->len + more + 1, 1) != TARN_OK)
		s->failed = true;
	return !s->failed;
}

void tarn_str_add_n(tarn_str *s, const char *bytes, size_t n)
{
	if (!room(s, n))
		return;
	if (n)
		memcpy(s->at + s->len, bytes, n);
	s->len += n;
	s->at[s->len] = 0;
}

void tarn_str_add(tarn_str *s, const char *text)
{
	tarn_str_add_n(s, text, strlen(text));
}

void tarn_str_vaddf(tarn_str *s, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	if (n < 0)
		s->failed = true;
	else if (room(s, (size_t)n)) {
		vsnprintf(s->at + s->len, (size_t)n + 1, fmt, again);
		s->len += (size_t)n;
	}
	va_end(again);
}

void tarn_str_addf(tarn_str *s, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	tarn_str_vaddf(s, fmt, ap);
	va_end(ap);
}

tarn_err tarn_str_done(tarn_str *s)
{
	if (room(s, 0) && s->len == 0)
		s->at[0] = 0;
	return s->failed ? tarn_err_nomem(s->len) : TARN_OK;
}

bool tarn_str_to_i64(const char *s, int64_t *v)
{
	if (!*s || strchr(" \t\n\r+", *s))
		return false;
	char *end;
	errno = 0;
	long long n = strtoll(s, &end, 10);
	if (errno || *end)
		return false;
	*v = n;
	return true;
}

bool tarn_str_to_f64(const char *s, double *v)
{
	if (!*s || strchr(" \t\n\r+", *s))
		return false;
	char *end;
	errno = 0;
	double n = strtod(s, &end);
	if (*end || (errno == ERANGE && (n > 1 || n < -1)))
		return false;
	*v = n;
	return true;
}

bool tarn_str_ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);
	return n >= m && !strcasecmp(s + n - m, end);
}

bool tarn_str_to_bool(const char *s, bool *v)
{
	static const char *const words[][2] = {{"NO", "YES"}, {"FALSE", "TRUE"}, {"0", "1"}, {"OFF", "ON"}};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		for (int k = 0; k < 2; k++)
			if (!strcasecmp(s, words[i][k])) {
				*v = k;
				return true;
			}
	return false;
}
