# SPDX-License-Identifier: Apache-2.0
# One page about a model, without running it. y = x * w + b over 2 x 3 numbers has no products of matrices.
"$BUILD/tests/write_model" m.onnx 2 3
"$BUILD/tests/write_model" batch.onnx -1 3
"$BUILD/tests/write_model" free.onnx 2 -1

expect_exit 0 "$TARN" check -m m.onnx --json
expect_json inputs[0].name x
expect_json inputs[0].shape "[2,3]"
expect_json inputs[0].free []
expect_json static true
expect_json looked_at_shape null
expect_json macs 0
expect_json cpu.runs true
expect_json cpu.nodes_reference 0
expect_json npu.nodes_supported "$(json npu.nodes)"
for i in 0 1; do
	expect_json predicted[$i].latency_ms.source modelled
	expect_json_number predicted[$i].latency_ms.value ">" 0
	expect_json_number predicted[$i].latency_ms.band ">" 0
done
expect_json predicted[0].platform 3720
# The band of 4000 is never narrower.
expect_json_number predicted[1].latency_ms.band ">=" "$(json predicted[0].latency_ms.band)"

# A free batch is looked at with one sample, other free sizes stay unknown and are never shown as 0.
expect_exit 0 "$TARN" check -m batch.onnx --json
expect_json static false
expect_json looked_at_shape "x[1,3]"
expect_json inputs[0].free[0].axis 0
expect_json_number predicted[1].latency_ms.value ">" 0
expect_exit 0 "$TARN" check -m free.onnx --json
expect_json looked_at_shape null
expect_json activation_bytes null
expect_json macs null
expect_json predicted[1].latency_ms null
json helps[0] | grep -qF -- "-shape 'x[2,128]'" || fail "no ready -shape: $(json helps[0])"
json helps[1] | grep -qF -- "--bound n=128" || fail "no ready --bound: $(json helps[1])"
json helps[2] | grep -qF -- "-shape 'x[2,1..128]'" || fail "no ready range: $(json helps[2])"
expect_json free_dimensions[0].name n
expect_json free_dimensions[0].where "x[1]"
expect_json free_dimensions[0].can_be_bounded true
expect_exit 0 "$TARN" check -m free.onnx -shape 'x[2,7]' --json
expect_json static true
expect_json_number predicted[1].latency_ms.value ">" 0

# MobileNetV2 at 224 x 224 has 300.8 million multiply-accumulates (its paper: 300) and 3.5 million weights.
expect_exit 0 "$TARN" synth mobilenet-v2 -o f.onnx
expect_exit 0 "$TARN" synth mobilenet-v2 --int8 -o q.onnx
expect_exit 0 "$TARN" check -m f.onnx --json
expect_json_number macs ">" 300000000
expect_json_number macs "<" 302000000
expect_json mac_share_int8 0
expect_json_number weight_bytes ">" 13900000
expect_json_number weight_bytes "<" 14100000
expect_json npu.mac_share 1
macs=$(json macs)
f=$(json predicted[0].latency_ms.value)
expect_exit 0 "$TARN" check -m q.onnx --json
expect_json macs "$macs"
expect_json mac_share_int8 1
expect_json_number weight_bytes "<" 4000000
expect_json_number predicted[0].latency_ms.value "<" "$f"
expect_exit 0 "$TARN" check -m q.onnx
expect_stdout_contains "100.0 % of them in INT8"
expect_stdout_contains "(modelled, between"

expect_exit 2 "$TARN" check
expect_exit 3 "$TARN" check -m nowhere.onnx
echo no model >bad.onnx
expect_exit 3 "$TARN" check -m bad.onnx
expect_stderr_contains bad.onnx

# Each free dimension with what it would need, and commands that work as they stand.
cp "$SRC/examples/text/text.onnx" text.onnx
expect_exit 0 "$TARN" check -m text.onnx
expect_stdout_contains "free   'length' (input_ids[1], attention_mask[1], position_ids[1]): can be bounded; at 128"
command=$(sed -n 's/.*for sizes that vary: tarn //p' stdout)
[ -n "$command" ] || fail "no ready command"
eval "expect_exit 0 \"\$TARN\" $command"
expect_file fixed.onnx
command=$(expect_exit 0 "$TARN" check -m text.onnx; sed -n 's/.*let the library pad.*: tarn //p' stdout)
eval "expect_exit 0 \"\$TARN\" $command --sim 4000 -niter 2"
expect_exit 0 "$TARN" check -m text.onnx
expect_stdout_contains "tarn tune -m text.onnx -d NPU --bound length=128 --lengths lengths.txt"
