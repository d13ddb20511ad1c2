# SPDX-License-Identifier: Apache-2.0
expect_exit 0 "$TARN" synth mobilenet-v2 -o a.onnx
expect_file a.onnx
expect_exit 0 "$TARN" synth mobilenet-v2 -o b.onnx -seed 1
cmp -s a.onnx b.onnx || fail "the same seed gave another model"
expect_exit 0 "$TARN" synth mobilenet-v2 -o b.onnx -seed 2
! cmp -s a.onnx b.onnx || fail "another seed gave the same model"
expect_exit 0 "$TARN" synth mobilenet-v2 --int8 -o q.onnx --json
expect_json int8 true
expect_json_number bytes '<' 4500000
"$BUILD/tests/write_model" x.npy 1 3 224 224
for m in a q; do
	expect_exit 0 "$TARN" run -m $m.onnx -i x.npy --json
	expect_json outputs[0].shape "[1,1000]"
	expect_json_number outputs[0].max '>' -1e30
done

bad()
{
	expect_exit "$1" "$TARN" synth $3
	expect_stderr_lines 1
	expect_stderr_contains "$2"
	expect_no_file c.onnx
}
bad 2 "no model 'vgg'; give one of resnet-50" "vgg -o c.onnx"
bad 2 "no name" "-o c.onnx"
bad 2 "no file to write" "resnet-50"
bad 2 "do not know what to do with 'twice'" "resnet-50 twice -o c.onnx"
bad 3 "c.txt" "mobilenet-v2 -o c.txt"
