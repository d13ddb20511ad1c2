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

# A table of 6 positions: what is proposed does not leave it, and a larger maximum is refused by name.
layer() { printf '<layer id="%s" name="%s" type="%s" version="%s">%s' "$@"; }
ports()
{
	printf '<input>'
	for port in $(seq 0 "$(($1 - 1))"); do printf '<port id="%s"/>' "$port"; done
	printf '</input>%s</layer>' "$2"
}
edge() { printf '<edge from-layer="%s" from-port="%s" to-layer="%s" to-port="%s"/>' "$@"; }
out() { printf '<output><port id="%s" precision="%s"/></output>' "$1" "${2:-I64}"; }
{
	printf '<net name="positions" version="11"><layers>'
	layer 0 x Parameter opset1 "<data shape=\"?\" element_type=\"f32\"/>$(out 0 FP32)</layer>"
	layer 1 size ShapeOf opset3 '<data output_type="i64"/>'; ports 1 "$(out 1)"
	layer 2 zero Const opset1 "<data element_type=\"i64\" shape=\"\" offset=\"0\" size=\"8\"/>$(out 0)</layer>"
	layer 3 end Gather opset8 '<data batch_dims="0"/>'; ports 3 "$(out 3)"
	layer 4 one Const opset1 "<data element_type=\"i64\" shape=\"\" offset=\"8\" size=\"8\"/>$(out 0)</layer>"
	layer 5 at Range opset4 '<data output_type="i64"/>'; ports 3 "$(out 3)"
	layer 6 table Const opset1 "<data element_type=\"f32\" shape=\"6\" offset=\"16\" size=\"24\"/>$(out 0 FP32)</layer>"
	layer 7 rows Gather opset8 '<data batch_dims="0"/>'; ports 3 "$(out 3 FP32)"
	layer 8 y Add opset1 '<data auto_broadcast="numpy"/>'; ports 2 "$(out 2 FP32)"
	layer 9 r Result opset1 ''; ports 1 ''
	printf '</layers><edges>'
	edge 0 0 1 0; edge 1 1 3 0; edge 2 0 3 1; edge 2 0 3 2; edge 2 0 5 0; edge 3 3 5 1; edge 4 0 5 2
	edge 6 0 7 0; edge 5 3 7 1; edge 2 0 7 2; edge 7 3 8 0; edge 0 0 8 1; edge 8 2 9 0
	printf '</edges></net>'
} >positions.xml
{ head -c 8 /dev/zero; printf '\1'; head -c 31 /dev/zero; } >positions.bin
expect_exit 0 "$TARN" check -m positions.xml --json
expect_json free_dimensions[0].tried 6
json helps[1] | grep -qF -- "--bound 'x[0]=6'" || fail "no bound that works: $(json helps[1])"
expect_exit 0 "$TARN" check -m positions.xml
command=$(sed -n 's/.*let the library pad.*: tarn //p' stdout)
eval "expect_exit 0 \"\$TARN\" $command --sim 4000 -niter 1"
expect_exit 3 "$TARN" convert -m positions.xml --bound 'x[0]=7' -o none.onnx
expect_stderr_contains "node 'rows' looks up row 6 of a table of 6; the largest 'x[0]' that works is 6"
