/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/vec.h"
#include "fmt/data/files.h"

void tarn_csv_fini(tarn_csv *c)
{
	VEC_FINI(&c->field);
	tarn_str_fini(&c->text);
}

/* One field up to the comma or the line's end, appended with its NUL. */
static tarn_err read_field(tarn_csv *c)
{
	bool quoted = c->at < c->end && *c->at == '"';
	if (quoted)
		c->at++;
	for (;;) {
		if (c->at == c->end) {
			CHECK(!quoted, TARN_BAD_FILE, "line %d: a quote is not closed", c->line);
			break;
		}
		char ch = *c->at;
		CHECK(ch, TARN_BAD_FILE, "line %d holds a zero byte; not a csv file", c->line);
		if (quoted && ch == '"') {
			c->at++;
			if (c->at < c->end && *c->at == '"') {
				tarn_str_add_n(&c->text, c->at++, 1);
				continue;
			}
			CHECK(c->at == c->end || strchr(",\r\n", *c->at), TARN_BAD_FILE, "line %d: text after a closing quote",
			      c->line);
			break;
		}
		if (!quoted && (ch == ',' || ch == '\n' || (ch == '\r' && c->at + 1 < c->end && c->at[1] == '\n')))
			break;
		tarn_str_add_n(&c->text, c->at++, 1);
	}
	tarn_str_add_n(&c->text, "", 1);
	return c->text.failed ? tarn_str_done(&c->text) : TARN_OK;
}

tarn_err tarn_csv_next(tarn_csv *c, bool *more)
{
	do {
		c->field.len = 0;
		c->text.len = 0;
		*more = c->at < c->end;
		if (!*more)
			return TARN_OK;
		c->line++;
		size_t n = 1;
		TRY(read_field(c));
		while (c->at < c->end && *c->at == ',') {
			c->at++;
			TRY(read_field(c));
			n++;
		}
		if (c->at < c->end && *c->at == '\r')
			c->at++;
		if (c->at < c->end && *c->at == '\n')
			c->at++;
		TRY(VEC_RESERVE(&c->field, n));
		/* The text has stopped moving. */
		const char *p = c->text.at;
		for (size_t i = 0; i < n; i++, p += strlen(p) + 1)
			c->field.at[c->field.len++] = p;
	} while (c->field.len == 1 && !*c->field.at[0]);
	return TARN_OK;
}
