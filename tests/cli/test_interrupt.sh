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

# While it trains, what was learned until then leaves as a whole model, and the checkpoint holds the last epoch that was done.
while_training()
{
	rm -f state
	"$TARN" "$@" --checkpoint state --epochs 100000 -nthreads 1 >stdout 2>stderr </dev/null &
	pid=$!
	last="interrupt: $*"
	for i in $(seq 100); do
		[ -s state ] && break
		sleep 0.05
	done
	kill -INT $pid 2>/dev/null || fail "it ended before it could be interrupted"
	code=0
	wait $pid || code=$?
	[ $code = 1 ] || fail "exit code $code, expected 1"
	expect_stderr_contains "interrupted after"
	[ "$(ls out)" = q.onnx ] || fail "left: $(ls out)"
	expect_exit 0 "$TARN" run -m out/q.onnx -i data.npy -o ran
	rm out/q.onnx
}
"$BUILD/tests/write_model" net small.onnx -1
"$BUILD/tests/write_model" data.npy 60 1 8 8
printf 'row,class\n' >labels.csv
for i in $(seq 0 59); do echo "$i,$((i % 2))"; done >>labels.csv
while_training quantize -m small.onnx --data data.npy --qat -o out/q.onnx
while_training quantize -m small.onnx --data data.npy --qat --weight-bits 4 --bias off --rounding nearest -o out/q.onnx
while_training train -m small.onnx --data data.npy --labels labels.csv -o out/q.onnx
# The checkpoint is whole: another run goes on from it, to an end this time.
expect_exit 0 "$TARN" train -m small.onnx --data data.npy --labels labels.csv --checkpoint state --resume --epochs 1 -nthreads 1 -o out/q.onnx --json
expect_json training.resumed true
