# SPDX-License-Identifier: Apache-2.0
# tune: the curve, the choice, and the file that bench reads. Which value wins is the machine's to say.
"$BUILD/tests/write_model" net net.onnx 1 || fail "no model"
expect_exit 0 "$TARN" tune -m net.onnx -t 0.01 --json --html tune.html
expect_json settings net.onnx.settings.json
expect_file tune.html
expect_json points[0].throughput_fps.source measured
expect_json_number throughput_fps.value ">" 0
requests=$(json choice.nireq)
batch=$(json choice.batch)
expect_exit 0 "$TARN" bench -m net.onnx --settings net.onnx.settings.json -niter 16 --json
expect_json nireq "$requests"
expect_json batch "$batch"
# What is given counts more.
expect_exit 0 "$TARN" bench -m net.onnx --settings net.onnx.settings.json -nireq 3 -b 2 -niter 9 --json
expect_json nireq 3
expect_json batch 2

# Another device is added, the first stays.
expect_exit 0 "$TARN" tune -m net.onnx -d NPU --sim 4000 -t 0.01 -b 1
expect_stdout_contains "requests"
expect_stdout_contains "<- kept"
grep -q '"device": "CPU"' net.onnx.settings.json || fail "the settings for CPU are gone"
grep -q '"device": "NPU"' net.onnx.settings.json || fail "no settings for NPU"
expect_exit 3 "$TARN" bench -m net.onnx -d AUTO --settings net.onnx.settings.json
expect_stderr_contains "only for: CPU NPU"
# Another kind of file is neither read nor overwritten.
echo '{"format": "other"}' >other.json
expect_exit 3 "$TARN" bench -m net.onnx --settings other.json
expect_exit 3 "$TARN" tune -m net.onnx -t 0.01 -b 1 -o other.json
expect_stderr_lines 1
grep -q other other.json || fail "the file was overwritten"

# what a note says of the model it says once, however many settings are tried
"$BUILD/tests/write_model" net free.onnx -1 || fail "no model"
expect_exit 0 "$TARN" tune -m free.onnx -t 0.01 -o free.json
expect_stderr_contains "free first axis"
[ "$(grep -c 'free first axis' "$WORK/stderr")" = 1 ] || fail "said $(grep -c 'free first axis' "$WORK/stderr") times"
