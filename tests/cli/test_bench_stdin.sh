# SPDX-License-Identifier: Apache-2.0
# bench --stdin: raw frames through a pipe, every one of them inferred, until the input ends.
"$BUILD/tests/write_model" net net.onnx 1 || fail "no model"

frames() # N: as many grey frames of 16 x 12
{
	head -c $(($1 * 192)) /dev/zero
}

# bench_stdin N ARGS...: one warm-up frame and N measured ones
bench_stdin()
{
	n=$1
	shift
	last="bench $*"
	code=0
	frames $((n + 1)) | "$TARN" bench -m net.onnx --stdin gray:16x12 --json "$@" >stdout 2>stderr || code=$?
	[ "$code" = 0 ] || fail "exit $code"
	expect_json live "standard input"
	expect_json iterations "$n"
}

bench_stdin 20 -api sync
bench_stdin 25 -api async -nireq 4 -workers 3
bench_stdin 7 -api async -nireq 16 -workers 1
bench_stdin 9 -d NPU --sim 4000 --paced -api async -nireq 2

# What is wrong with the stream is said.
last="a cut frame"
frames 3 | head -c 500 | "$TARN" bench -m net.onnx --stdin gray:16x12 -api sync --json >stdout 2>stderr || fail "exit"
expect_json iterations 1
expect_stderr_contains "116 bytes of standard input are no whole frame of 192"
expect_exit 3 "$TARN" bench -m net.onnx --stdin gray:16x12
expect_stderr_lines 1
expect_exit 2 "$TARN" bench -m net.onnx --stdin nv21:16x12
expect_exit 2 "$TARN" bench -m net.onnx --stdin gray
expect_exit 2 "$TARN" bench -m net.onnx --stdin gray:16x12 -live .
expect_stderr_lines 1

# Ctrl-C while waiting for input that does not come.
mkfifo pipe
sleep 5 >pipe &
feeder=$!
"$TARN" bench -m net.onnx --stdin gray:16x12 <pipe >stdout 2>stderr &
waiting=$!
sleep 0.5
kill -INT $waiting 2>/dev/null
wait $waiting
[ $? = 1 ] || fail "an interrupt is no failure"
kill $feeder 2>/dev/null
expect_stderr_contains "interrupted"

# A trace of it, the warm-up apart: as many preparations as inferences.
last="--trace"
frames 6 | "$TARN" bench -m net.onnx --stdin gray:16x12 -api async -nireq 2 -workers 2 -pc --trace t.json --json >stdout 2>stderr || fail "exit"
expect_file t.json
[ "$(grep -c '"name":"prepare"' t.json)" = 5 ] || fail "$(grep -c '"name":"prepare"' t.json) preparations"
[ "$(grep -c '"name":"in flight"' t.json)" = 5 ] || fail "$(grep -c '"name":"in flight"' t.json) inferences"
grep -q '"name":"layers"' t.json || fail "no layers"
expect_exit 1 "$TARN" bench -m net.onnx -niter 1 --trace no/such/folder.json
expect_stderr_lines 1
