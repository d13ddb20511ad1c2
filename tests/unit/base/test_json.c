/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/test.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(any_bytes_are_quoted)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
