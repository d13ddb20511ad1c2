# SPDX-License-Identifier: Apache-2.0
# Ctrl-C in the middle of each kind of command: exit code 1, a line that says so, no file that is half there.
"$BUILD/tests/write_model" m.onnx 2 3
"$TARN" synth mobilenet-v2 -o net.onnx >/dev/null || fail "no model"
mkdir out

# interrupt SECONDS CMD...: what the command says when it is interrupted then
interrupt()
{
	wait_s=$1
	shift
	last="interrupt: $*"
	"$TARN" "$@" >stdout 2>stderr </dev/null &
	pid=$!
	sleep "$wait_s"
	kill -INT $pid 2>/dev/null || fail "it ended before it could be interrupted"
	code=0
	wait $pid || code=$?
	[ $code = 1 ] || fail "exit code $code, expected 1"
	expect_stderr_contains interrupted
	[ -z "$(ls out)" ] || fail "left: $(ls out)"
}

interrupt 0.4 bench -m m.onnx -t 60
interrupt 0.4 bench -m m.onnx -d NPU --sim 4000 -paced -t 60
interrupt 0.4 diagnose -m m.onnx -t 60 --json
interrupt 0.4 tune -m m.onnx -t 60 -o out/settings.json --json
expect_json error.code 1
expect_json error.where tune

# More than is calibrated on, or judged, in the time.
{
	printf '\223NUMPY\1\0v\0%-117s\n' "{'descr': '|u1', 'fortran_order': False, 'shape': (200, 3, 224, 224), }"
	head -c $((200 * 3 * 224 * 224)) /dev/zero
} >data.npy
interrupt 0.4 quantize -m net.onnx --data data.npy -o out/q.onnx --json
expect_json error.code 1
interrupt 0.3 accuracy -m net.onnx --data data.npy --reference net.onnx
