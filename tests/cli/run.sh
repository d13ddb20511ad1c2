#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs one tests/cli/test_*.sh with the helpers below; ctest calls it: run.sh BUILD_DIR TEST
#
# A test sees: $TARN the command, $WORK an empty folder of its own (its working directory), $SRC the project.
#   run CMD...                    runs a command; its output is in $WORK/stdout and $WORK/stderr, its exit code in $code
#   expect_exit N CMD...          the same, and the exit code must be N
#   expect_stdout_contains TEXT   of the last run; also expect_stderr_contains, expect_stdout_lacks, expect_stderr_lacks
#   expect_stderr_lines N         that many lines (errors are one line)
#   json PATH                     prints a value of the last run's stdout (see jsonq.c)
#   expect_json PATH VALUE        that value, as text
#   expect_json_number PATH OP X  OP is one of < <= == >= >
#   expect_file PATH              a file that is not empty; also expect_no_file
#   skip WHY                      ends the test as skipped
# The first failed expectation ends the test, showing the command and what it printed.
set -u
BUILD=$(cd "$1" && pwd)
test_file=$2
SRC=$(cd "$(dirname "$0")/../.." && pwd)
TARN=$BUILD/bin/tarn
JSONQ=$BUILD/tests/jsonq
WORK=$(mktemp -d) || exit 1
trap 'rm -rf "$WORK"' EXIT
trap 'exit 1' HUP INT TERM
# The caller's choices must not reach the tests.
unset TARN_NPU TARN_ISA CDPATH
export LC_ALL=C
cd "$WORK" || exit 1
last="(nothing ran yet)"
code=0

fail()
{
	echo "FAILED: $*"
	echo "  after: $last (exit $code)"
	for stream in stdout stderr; do
		[ ! -s "$WORK/$stream" ] || { echo "  $stream:"; head -c 4000 "$WORK/$stream" | sed 's/^/    /'; }
	done
	exit 1
}

skip()
{
	echo "skipped: $*"
	exit 77
}

run()
{
	last="$*"
	code=0
	"$@" >"$WORK/stdout" 2>"$WORK/stderr" </dev/null || code=$?
	[ "$code" -lt 126 ] || fail "ended by a signal, or not a command"
}

expect_exit()
{
	wanted=$1
	shift
	run "$@"
	[ "$code" = "$wanted" ] || fail "exit code $code, expected $wanted"
}

expect_stdout_contains() { grep -qF -- "$1" "$WORK/stdout" || fail "stdout lacks: $1"; }
expect_stderr_contains() { grep -qF -- "$1" "$WORK/stderr" || fail "stderr lacks: $1"; }
expect_stdout_lacks() { ! grep -qF -- "$1" "$WORK/stdout" || fail "stdout has: $1"; }
expect_stderr_lacks() { ! grep -qF -- "$1" "$WORK/stderr" || fail "stderr has: $1"; }

expect_stderr_lines()
{
	lines=$(wc -l <"$WORK/stderr")
	[ "$lines" -eq "$1" ] || fail "stderr has $lines lines, expected $1"
}

json() { "$JSONQ" "$WORK/stdout" "$1" 2>&1; }

expect_json()
{
	got=$(json "$1") || fail "$got"
	[ "$got" = "$2" ] || fail "$1 is $got, expected $2"
}

expect_json_number()
{
	got=$(json "$1") || fail "$got"
	awk -v a="$got" -v op="$2" -v b="$3" 'BEGIN {
		if (a !~ /^-?[0-9.]+([eE][-+]?[0-9]+)?$/) exit 1
		a += 0; b += 0
		exit !(op == "<" ? a < b : op == "<=" ? a <= b : op == "==" ? a == b : op == ">=" ? a >= b : op == ">" ? a > b : 0)
	}' || fail "$1 is $got, expected $2 $3"
}

expect_file() { [ -s "$1" ] || fail "no file $1, or an empty one"; }
expect_no_file() { [ ! -e "$1" ] || fail "there is a file $1"; }

# shellcheck disable=SC1090 # the test is an argument
. "$test_file"
