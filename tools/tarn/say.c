/* SPDX-License-Identifier: Apache-2.0 */
#include "say.h"

#include <ctype.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "openvino/c/openvino.h"
#include "tarn/error.h"

/* Names out of files may hold anything: control characters become '?', line ends ' '. */
static void one_line(char *s)
{
	for (; *s; s++)
		if (*s == '\n' || *s == '\t')
			*s = ' ';
		else if (iscntrl((unsigned char)*s))
			*s = '?';
}

static bool silent, answered;
static _Thread_local char last[4096];
static pthread_mutex_t shown_lock = PTHREAD_MUTEX_INITIALIZER;
static char shown[sizeof last], shown_where[64]; /* the last failure that was printed, of any thread */

void say_nothing(bool on)
{
	silent = on;
}

const char *say_last(void)
{
	return last;
}

int fail(int code, const char *where, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(last, sizeof last, fmt, ap);
	va_end(ap);
	one_line(last);
	if (silent)
		return code;
	pthread_mutex_lock(&shown_lock);
	snprintf(shown, sizeof shown, "%s", last);
	snprintf(shown_where, sizeof shown_where, "%s", where);
	pthread_mutex_unlock(&shown_lock);
	fflush(stdout);
	fprintf(stderr, "tarn: %s: %s\n", where, last);
	return code;
}

void say_error_json(int code)
{
	json j = {.out = stdout};
	if (answered)
		return;
	pthread_mutex_lock(&shown_lock);
	json_begin(&j, NULL, '{');
	json_begin(&j, "error", '{');
	json_int(&j, "code", code);
	json_text(&j, "where", shown_where);
	json_text(&j, "message", shown);
	json_end(&j, '}');
	json_end(&j, '}');
	pthread_mutex_unlock(&shown_lock);
}

void say_answered(void)
{
	answered = true;
}

int fail_last(const char *where)
{
	const char *text = ov_get_last_err_msg();
	int code = tarn_last_exit_code();
	fail(0, where, "%s", text ? text : "failed");
	ov_free(text);
	return code ? code : 1;
}

void note(const char *fmt, ...)
{
	char text[2048];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	one_line(text);
	if (!silent)
		fprintf(stderr, "tarn: note: %s\n", text);
}

/* How many bytes after the lead byte of a UTF-8 character follow; -1: it is none. Names in models may hold any bytes. */
static int utf8_rest(const unsigned char *s)
{
	static const struct {
		unsigned char lead, last, from, to; /* lead bytes, and what the first byte after them may be */
		int rest;
	} row[] = {{0x01, 0x7f, 0, 0xff, 0},    {0xc2, 0xdf, 0x80, 0xbf, 1}, {0xe0, 0xe0, 0xa0, 0xbf, 2},
		   {0xe1, 0xec, 0x80, 0xbf, 2}, {0xed, 0xed, 0x80, 0x9f, 2}, {0xee, 0xef, 0x80, 0xbf, 2},
		   {0xf0, 0xf0, 0x90, 0xbf, 3}, {0xf1, 0xf3, 0x80, 0xbf, 3}, {0xf4, 0xf4, 0x80, 0x8f, 3}};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		if (*s < row[i].lead || *s > row[i].last || s[1] < row[i].from || s[1] > row[i].to)
			continue;
		for (int k = 2; k <= row[i].rest; k++)
			if ((s[k] & 0xc0) != 0x80)
				return -1;
		return row[i].rest;
	}
	return -1;
}

static void quoted(FILE *out, const char *s)
{
	fputc('"', out);
	for (int rest; *s; s++) {
		unsigned char c = (unsigned char)*s;
		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < 0x20)
			fprintf(out, "\\u%04x", c);
		else if ((rest = utf8_rest((const unsigned char *)s)) < 0)
			fputs("\\ufffd", out);
		else
			for (fputc(c, out); rest > 0; rest--)
				fputc(*++s, out);
	}
	fputc('"', out);
}

static void begin_item(json *j, const char *key)
{
	if (j->more[j->depth])
		fputs(", ", j->out);
	j->more[j->depth] = true;
	if (key) {
		quoted(j->out, key);
		fputs(": ", j->out);
	}
}

void json_begin(json *j, const char *key, char bracket)
{
	answered = answered || (!j->depth && j->out == stdout);
	begin_item(j, key);
	fputc(bracket, j->out);
	if (j->depth + 1 < (int)(sizeof j->more / sizeof *j->more))
		j->depth++;
	j->more[j->depth] = false;
}

void json_end(json *j, char bracket)
{
	fputc(bracket, j->out);
	if (--j->depth == 0)
		fputc('\n', j->out);
}

void json_text(json *j, const char *key, const char *value)
{
	if (!value) {
		json_null(j, key);
		return;
	}
	begin_item(j, key);
	quoted(j->out, value);
}

void json_int(json *j, const char *key, long long value)
{
	begin_item(j, key);
	fprintf(j->out, "%lld", value);
}

void json_num(json *j, const char *key, double value)
{
	begin_item(j, key);
	if (isfinite(value))
		fprintf(j->out, "%.6g", value);
	else
		fputs("null", j->out);
}

void json_bool(json *j, const char *key, bool value)
{
	begin_item(j, key);
	fputs(value ? "true" : "false", j->out);
}

void json_null(json *j, const char *key)
{
	begin_item(j, key);
	fputs("null", j->out);
}

void json_figure(json *j, const char *key, double value, const char *unit, const char *source, double band)
{
	if (!isfinite(value)) {
		json_null(j, key);
		return;
	}
	json_begin(j, key, '{');
	json_num(j, "value", value);
	json_text(j, "unit", unit);
	json_text(j, "source", source);
	if (band >= 0)
		json_num(j, "band", band);
	json_end(j, '}');
}
