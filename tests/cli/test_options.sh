# SPDX-License-Identifier: Apache-2.0
# Usage, and errors of the command line itself: exit code 2, one line, nothing on stdout.
expect_exit 0 "$TARN"
expect_stdout_contains "usage: tarn COMMAND"
expect_exit 0 "$TARN" help bench
expect_stdout_contains "-niter N"
expect_exit 0 "$TARN" bench --help
expect_stdout_contains "example: tarn bench"

usage_error()
{
	text=$1
	shift
	expect_exit 2 "$TARN" "$@"
	expect_stderr_lines 1
	expect_stderr_contains "$text"
	[ ! -s "$WORK/stdout" ] || case $1 in bench) ;; *) fail "stdout is not empty" ;; esac
}
usage_error "no command 'frobnicate'" frobnicate
usage_error "no command 'frobnicate'" help frobnicate
usage_error "no model; give one with -m" bench
usage_error "no option '-frob'" bench -frob
usage_error "do not know what to do with 'stray'" bench stray
usage_error "needs a value" bench -m
usage_error "-m cannot be ''; give FILE" check -m ''
usage_error "-i cannot be ''; give NAME=FILE" run -m x.onnx -i=
usage_error "-niter cannot be 'x'" bench -niter x
usage_error "-niter cannot be '-3'" bench -niter=-3
usage_error "takes no value" bench -json=yes
usage_error "-hint cannot be 'fast'" bench -hint fast
usage_error "-api cannot be 'both'" bench -api both
usage_error "no simulated NPU '5000'" bench -m x.onnx --sim 5000

usage_error "-nireq cannot be 100000000; give 1 to 4096" bench -m x.onnx -nireq 100000000

# With --json the failure is an object on stdout, too, also where the options themselves are wrong.
for wrong in "bench -niter x --json" "bench --json -frob" "run -m nowhere.onnx --json" "devices --json --sim 5000"; do
	run "$TARN" $wrong
	[ "$code" != 0 ] || fail "no failure"
	expect_stderr_lines 1
	expect_json error.code "$code"
	expect_json error.where "${wrong%% *}"
	[ "$(json error.message)" = "$(sed 's/^tarn: [a-z]*: //' stderr)" ] || fail "two different messages"
done

"$BUILD/tests/write_model" m.onnx 2 3
usage_error "did you mean NUM_STREAMS?" bench -m m.onnx -p NUM_STREAM=2
usage_error "cannot be 'many'" bench -m m.onnx -nstreams many
usage_error "is no property" bench -m m.onnx -p NUM_STREAMS
usage_error "is no shape" bench -m m.onnx -shape 'x[1'
