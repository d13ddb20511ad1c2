# SPDX-License-Identifier: Apache-2.0
# The harness itself: expectations hold when they should, and fail when they should.
# shellcheck shell=sh
expect_exit 0 printf 'one\ntwo words\n'
expect_stdout_contains 'two words'
expect_stdout_lacks three
expect_stderr_lines 0
expect_exit 3 sh -c 'echo complaint >&2; exit 3'
expect_stderr_contains complaint
expect_stderr_lines 1

must_fail()
{
	if ("$@") >"$WORK/inner" 2>&1; then
		echo "FAILED: this expectation passed and should not have: $*"
		exit 1
	fi
}
must_fail expect_exit 0 false
must_fail expect_exit 137 sh -c 'kill -9 $$'
expect_exit 0 echo present
must_fail expect_stdout_contains absent
must_fail expect_stdout_lacks present
must_fail expect_stderr_contains present
must_fail expect_stderr_lines 1
must_fail expect_file nowhere
must_fail expect_no_file "$WORK/stdout"

expect_exit 0 echo '{"a": {"b": [1, 2.5, {"name": "x", "v": null}]}, "t": "text", "yes": true, "small": -1e-3}'
expect_json t text
expect_json 'a.b[1]' 2.5
expect_json 'a.b[name=x].v' null
expect_json 'a.b.#' 3
expect_json 'a.b[2]' '{"name":"x","v":null}'
expect_json yes true
expect_json_number 'a.b[0]' '==' 1
expect_json_number small '<' 0
must_fail expect_json t other
must_fail expect_json nothing null
must_fail expect_json 'a.b[3]' null
must_fail expect_json 'a.b[name=y]' null
must_fail expect_json_number 'a.b[0]' '>' 1
must_fail expect_json_number t '>' 0
expect_exit 3 "$JSONQ" "$0" .
expect_exit 2 "$JSONQ"
