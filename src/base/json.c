/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <jansson.h>

#include "base/str.h"

enum { MAX_TEXT = 4 << 20 };

static const json_t *of(const tarn_json *j)
{
	return (const json_t *)j;
}

tarn_err tarn_json_parse(const char *text, size_t n, tarn_json **doc)
{
	json_error_t e;
	CHECK(n <= MAX_TEXT, TARN_BAD_FILE, "JSON of %zu bytes is larger than any expected here", n);
	json_t *j = json_loadb(text, n, JSON_REJECT_DUPLICATES, &e);
	CHECK(j, TARN_BAD_FILE, "no JSON: line %d: %s", e.line, e.text);
	*doc = (tarn_json *)j;
	return TARN_OK;
}

void tarn_json_free(tarn_json *doc)
{
	json_decref((json_t *)doc);
}

const tarn_json *tarn_json_get(const tarn_json *j, const char *key)
{
	return (const tarn_json *)json_object_get(of(j), key);
}

const tarn_json *tarn_json_at(const tarn_json *j, size_t i)
{
	return (const tarn_json *)json_array_get(of(j), i);
}

size_t tarn_json_len(const tarn_json *j)
{
	return json_array_size(of(j));
}

const char *tarn_json_text(const tarn_json *j)
{
	return json_string_value(of(j));
}

bool tarn_json_i64(const tarn_json *j, int64_t *v)
{
	if (!json_is_integer(of(j)))
		return false;
	*v = json_integer_value(of(j));
	return true;
}

bool tarn_json_f64(const tarn_json *j, double *v)
{
	if (!json_is_number(of(j)))
		return false;
	*v = json_number_value(of(j));
	return true;
}

bool tarn_json_bool(const tarn_json *j, bool *v)
{
	if (!json_is_boolean(of(j)))
		return false;
	*v = json_is_true(of(j));
	return true;
}

/* Bytes of the UTF-8 character at s; 0: they are none. A NUL ends it like any other byte that does not go on. */
static size_t utf8_bytes(const unsigned char *s)
{
	unsigned lead = s[0], second = s[1];
	size_t n = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* Longer than need be, halves of pairs, beyond the last character. */
	bool no = (lead == 0xe0 && second < 0xa0) || (lead == 0xed && second >= 0xa0) || (lead == 0xf0 && second < 0x90) ||
		  (lead == 0xf4 && second >= 0x90);
	return no ? 0 : n;
}

void tarn_json_quote(tarn_str *s, const char *text)
{
	tarn_str_add(s, "\"");
	while (*text) {
		unsigned char c = (unsigned char)*text;
		size_t n = utf8_bytes((const unsigned char *)text);
		if (c == '"' || c == '\\')
			tarn_str_addf(s, "\\%c", c);
		else if (c < 32)
			tarn_str_addf(s, "\\u%04x", c);
		else if (n)
			tarn_str_add_n(s, text, n);
		else
			tarn_str_add(s, "\\ufffd");
		text += n ? n : 1;
	}
	tarn_str_add(s, "\"");
}
