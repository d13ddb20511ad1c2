/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/test.h"

#include <string.h>

#include "base/json.h"
#include "base/str.h"

/* Any bytes make a text that is JSON: what is no UTF-8 becomes U+FFFD, byte by byte. */
static void any_bytes_are_quoted(void **state)
{
	(void)state;
	static const struct {
		const char *bytes, *quoted;
	} row[] = {
		{"", "\"\""},
		{"a\"b\\c\n", "\"a\\\"b\\\\c\\u000a\""},
		{"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\""},
		{"\xff", "\"\\ufffd\""},
		{"\xc3", "\"\\ufffd\""},
		{"\xe2\x82", "\"\\ufffd\\ufffd\""},
		{"\xc0\xaf", "\"\\ufffd\\ufffd\""},
		{"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""},
		{"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
	};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		tarn_str s = {0};
		tarn_json *doc;
		tarn_str_add(&s, "{\"x\": ");
		size_t begin = s.len;
		tarn_json_quote(&s, row[i].bytes);
		assert_ok(tarn_str_done(&s));
		assert_string_equal(s.at + begin, row[i].quoted);
		tarn_str_add(&s, "}");
		assert_ok(tarn_str_done(&s));
		assert_ok(tarn_json_parse(s.at, s.len, &doc));
		tarn_json_free(doc);
		tarn_str_fini(&s);
	}
}

static void what_is_no_json(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "{", "[1,]", "{\"a\": 1} x", "{\"a\": 1, \"a\": 2}", "\"\xff\""};
	tarn_json *doc;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_err(TARN_BAD_FILE, tarn_json_parse(bad[i], strlen(bad[i]), &doc));
}

/* A value of another kind is no value. */
static void kinds_are_not_mixed(void **state)
{
	(void)state;
	static const char text[] = "{\"i\": -7, \"f\": 0.5, \"b\": true, \"s\": \"x\", \"a\": [1, 2]}";
	tarn_json *doc;
	int64_t i = 0;
	double f = 0;
	bool b = false;
	assert_ok(tarn_json_parse(text, sizeof text - 1, &doc));
	assert_true(tarn_json_i64(tarn_json_get(doc, "i"), &i) && i == -7);
	assert_true(tarn_json_f64(tarn_json_get(doc, "i"), &f) && f == -7);
	assert_true(tarn_json_f64(tarn_json_get(doc, "f"), &f) && f == 0.5);
	assert_true(tarn_json_bool(tarn_json_get(doc, "b"), &b) && b);
	assert_false(tarn_json_i64(tarn_json_get(doc, "f"), &i));
	assert_false(tarn_json_f64(tarn_json_get(doc, "s"), &f));
	assert_false(tarn_json_bool(tarn_json_get(doc, "i"), &b));
	assert_null(tarn_json_text(tarn_json_get(doc, "i")));
	assert_null(tarn_json_get(doc, "none"));
	assert_int_equal(tarn_json_len(tarn_json_get(doc, "a")), 2);
	assert_null(tarn_json_at(tarn_json_get(doc, "a"), 2));
	tarn_json_free(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(any_bytes_are_quoted), cmocka_unit_test(what_is_no_json),
					   cmocka_unit_test(kinds_are_not_mixed)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
