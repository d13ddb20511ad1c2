/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static _Thread_local char text[4096];

static const struct {
	const char *name;
	int exit_code;
} rows[] = {
#define ERR(sym, txt, exit) {txt, exit},
#include "base/err.def"
#undef ERR
};

tarn_err tarn_err_set(tarn_err code, const char *fmt, ...)
{
	/* Formatted aside first: an argument may be the old sentence. */
	char fresh[sizeof text];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(fresh, sizeof fresh, fmt, ap);
	va_end(ap);
	memcpy(text, fresh, sizeof text);
	return code;
}

tarn_err tarn_err_note(tarn_err code, const char *fmt, ...)
{
	if (code == TARN_OK)
		return code;
	char note[256];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(note, sizeof note, fmt, ap);
	va_end(ap);
	size_t used = strlen(text), n = strlen(note);
	if (used > n && text[used - n - 1] == ' ' && !strcmp(text + used - n, note))
		return code; /* two callers that know the same */
	snprintf(text + used, sizeof text - used, "%s%s", used ? "; " : "", note);
	return code;
}

tarn_err tarn_err_adopt(tarn_err code, const char *from)
{
	return tarn_err_set(code, "%s", from);
}

tarn_err tarn_err_nomem(unsigned long long bytes)
{
	if (bytes > tarn_mem_limit())
		return tarn_err_set(TARN_NOMEM, "%llu bytes are needed at once, %llu are the most here; use smaller shapes",
				    bytes, (unsigned long long)tarn_mem_limit());
	return tarn_err_set(TARN_NOMEM, "out of memory: %llu bytes could not be had; use smaller shapes or free memory", bytes);
}

const char *tarn_err_text(void)
{
	return text;
}

void tarn_err_clear(void)
{
	text[0] = 0;
}

const char *tarn_err_name(tarn_err code)
{
	return (unsigned)code < TARN_ERR_COUNT ? rows[code].name : "unknown error";
}

int tarn_err_exit_code(tarn_err code)
{
	return (unsigned)code < TARN_ERR_COUNT ? rows[code].exit_code : 1;
}
