/* SPDX-License-Identifier: Apache-2.0 */
/* What commands print: errors of one line, notes, and JSON. */
#ifndef TARN_TOOL_SAY_H
#define TARN_TOOL_SAY_H

#include <stdbool.h>
#include <stdio.h>

/* "tarn: WHERE: WHAT; WHAT TO DO" on stderr, one line whatever the text holds. Returns `code`. */
int fail(int code, const char *where, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The same with the sentence and exit code of the library's last failed call. */
int fail_last(const char *where);
/* Between true and false, failures are kept and not printed: where one is an answer. */
void say_nothing(bool on);
/* The sentence of this thread's last failure, printed or not; static. */
const char *say_last(void);
/* With --json, for main: the failure as an object on stdout, {"error": {"code", "where", "message"}}, unless one was begun
 * there. */
void say_error_json(int code);
/* Another process printed the object. */
void say_answered(void);
/* "tarn: note: ..." on stderr. */
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* JSON in order of writing. A key of NULL is for elements of lists. Numbers that are not finite become null. */
typedef struct json {
	FILE *out;
	int depth;
	bool more[16]; /* something stands before, at each depth */
} json;
void json_begin(json *j, const char *key, char bracket);     /* '{' or '[' */
void json_end(json *j, char bracket);                        /* '}' or ']'; the outermost ends the line */
void json_text(json *j, const char *key, const char *value); /* NULL: null */
void json_int(json *j, const char *key, long long value);
void json_num(json *j, const char *key, double value);
void json_bool(json *j, const char *key, bool value);
void json_null(json *j, const char *key);
/* {"value": x, "unit": "ms", "source": "measured"}; band < 0: none. A value that is not finite: null in place of all. */
void json_figure(json *j, const char *key, double value, const char *unit, const char *source, double band);

#endif
