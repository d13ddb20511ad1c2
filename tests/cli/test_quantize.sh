# SPDX-License-Identifier: Apache-2.0
W=$BUILD/tests/write_model
"$W" net net.onnx -1
"$W" net fixed.onnx 1
"$W" data.npy 40 1 8 8
"$W" flat.npy 40 64
"$W" wrong.npy 40 3

for model in net fixed; do
	for data in data.npy flat.npy x=data.npy; do
		rm -f q.onnx
		expect_exit 0 "$TARN" quantize -m $model.onnx --data $data -o q.onnx --json
		expect_json nodes_int8 3
		expect_json nodes_float 1
		expect_json reasons[0].node scores
		expect_json mac_share_int8 1
		expect_json preset performance
		expect_json_number sqnr_db.scores ">" 25
		expect_file q.onnx
	done
	# The result is a model like any other, and decides as the float one does.
	expect_exit 0 "$TARN" accuracy -m q.onnx --reference $model.onnx --data data.npy --json
	expect_json_number agreement ">=" 0.9
done
expect_exit 0 "$TARN" quantize -m net.onnx --data data.npy -o q.onnx --first 8 --skip 4 --preset mixed --json
expect_json samples 8
expect_json preset mixed
expect_exit 0 "$TARN" quantize -m net.onnx --data data.npy -o q.onnx --ignore conv --ignore average --json
expect_json nodes_int8 1
expect_stdout_contains "the user asked for it"
expect_exit 0 "$TARN" quantize -m net.onnx --data data.npy -o q.onnx
expect_stdout_contains "nodes in INT8     3 of 4"
# The note that the times of float layers are modelled.
expect_stderr_lines 1
expect_stderr_contains "simulated"
expect_stdout_contains "float layers"

# The choices, and what is said of layers and data.
for estimator in percentile entropy; do
	expect_exit 0 "$TARN" quantize -m net.onnx --data data.npy -o q2.onnx --estimator $estimator --json
	expect_json estimator $estimator
	expect_json_number sqnr_db.scores ">" 20
done
expect_exit 0 "$TARN" quantize -m net.onnx --data data.npy -o q2.onnx --bias full --rounding adaptive --equalize 0.5 --json
expect_json bias full
expect_json rounding adaptive
expect_json_number layers[0].sqnr_local_db ">" 25
expect_json_number layers[0].used_codes ">" 64
expect_json_number layers[0].clip_rate "<" 0.01
expect_json data.duplicates 0
expect_json_number reasons[0].npu_ms.value ">" 0
expect_json reasons[0].npu_ms.source modelled
expect_exit 0 "$TARN" quantize -m net.onnx --data data.npy -o q2.onnx --equalize off --bias fast --rounding nearest --json
expect_json equalized false
expect_json bias fast
expect_json rounding nearest
expect_exit 0 "$TARN" quantize -m net.onnx --data data.npy -o q2.onnx --bias off --estimator mse --json
expect_json bias off
expect_json layers[0].estimator mse
expect_exit 0 "$TARN" quantize -m net.onnx --data data.npy -o q2.onnx --estimator sqnr
expect_stdout_contains "ranges            sqnr ("
# A limit is measured on all samples, whatever the model is calibrated on.
expect_exit 0 "$TARN" quantize -m net.onnx --data data.npy -o q2.onnx --subset 16 -seed 5 --max-drop 50 --json
expect_json samples 16
expect_json met true
# A subset is drawn the same way each time.
expect_exit 0 "$TARN" quantize -m net.onnx --data data.npy -o q2.onnx --subset 16 -seed 5 --json
expect_json samples 16
expect_exit 0 "$TARN" quantize -m net.onnx --data data.npy -o q3.onnx --subset 16 -seed 5 --json
cmp -s q2.onnx q3.onnx || fail "the same seed gave another model"
expect_exit 2 "$TARN" quantize -m net.onnx --data data.npy -o bad.onnx --estimator best
expect_exit 2 "$TARN" quantize -m net.onnx --data data.npy -o bad.onnx --equalize 2
expect_exit 2 "$TARN" quantize -m net.onnx --data data.npy -o bad.onnx --subset 0

refused()
{
	expect_exit "$1" "$TARN" quantize "$3" "$4" "$5" "$6" -o bad.onnx
	expect_stderr_lines 1
	expect_stderr_contains "$2"
	expect_no_file bad.onnx
}
refused 3 "wrong.npy" -m net.onnx --data wrong.npy
refused 3 "absent.npy" -m net.onnx --data absent.npy
refused 3 "absent.onnx" -m absent.onnx --data data.npy
refused 2 "no data" -m net.onnx --first 3
refused 2 "quantized already" -m q.onnx --data data.npy
expect_exit 2 "$TARN" quantize -m net.onnx --data data.npy
expect_stderr_contains "give -o"
expect_exit 2 "$TARN" quantize -m net.onnx --data data.npy --ignore nobody -o bad.onnx
expect_stderr_contains "no node is called 'nobody'"
expect_exit 2 "$TARN" quantize -m net.onnx --data data.npy --preset best -o bad.onnx
expect_exit 2 "$TARN" quantize -m net.onnx --data data.npy --data x=flat.npy -o bad.onnx
expect_stderr_contains "two data sets"
expect_no_file bad.onnx

# Weights alone: no data needed; with data, scales by the activations. Written as ONNX and as IR, both run as the float model does.
"$W" products gemm.onnx 1
"$W" rows.npy 8 32
"$W" gemm.npy 2 32
for form in onnx xml; do
	for how in "int8" "int4" "int4 --group 16" "int4 --group 16 --data rows.npy"; do
		# shellcheck disable=SC2086 # words of an option list
		expect_exit 0 "$TARN" quantize -m gemm.onnx --weights $how -o w.$form --json
		expect_json nodes_compressed 2
		expect_json rows[0].bits "$(echo "$how" | sed 's/int\(.\).*/\1/')"
		expect_json_number rows[0].sqnr_db ">" 14
	done
	expect_json_number sqnr_db.y ">" 8
	expect_exit 0 "$TARN" run -m w.$form -i gemm.npy -o out
done
expect_exit 0 "$TARN" quantize -m gemm.onnx --weights int8 -o w.onnx
expect_stdout_contains "products          2 of 2"
refused 2 "give int8 or int4" -m gemm.onnx --weights int3
expect_exit 2 "$TARN" quantize -m net.onnx --data data.npy --group 16 -o bad.onnx
expect_stderr_contains "--group"
expect_no_file bad.onnx

# A limit on what is lost: by outputs and by labels; one out of reach is exit code 5, with the best model written.
expect_exit 0 "$TARN" quantize -m net.onnx --data data.npy --max-drop 5 -o limit.onnx --json
expect_json met true
expect_json drop_of outputs
expect_json steps[0].what float
expect_json steps[1].what int8
expect_json steps[1].chosen true
expect_json_number steps[1].drop "<=" 5
expect_json steps[1].npu_ms.source modelled
awk 'BEGIN { print "row,class"; for (i = 0; i < 40; i++) print i ",0" }' >labels.csv
expect_exit 0 "$TARN" quantize -m net.onnx --data data.npy --labels labels.csv --max-drop 100 -o limit.onnx --json
expect_json drop_of accuracy
expect_json_number steps[0].accuracy ">=" 0
expect_json_number steps[1].drop_ci95[0] "<" 0
expect_json_number steps[1].drop_ci95[1] ">" 0
rm limit.onnx
expect_exit 5 "$TARN" quantize -m net.onnx --data data.npy --max-drop 0 -o limit.onnx
expect_stderr_contains "the best one"
expect_stdout_contains "all in INT8"
expect_file limit.onnx
awk 'BEGIN { print "row,class"; for (i = 0; i < 40; i++) print i ",7" }' >labels.csv
expect_exit 2 "$TARN" quantize -m net.onnx --data data.npy --labels labels.csv --max-drop 1 -o bad.onnx
expect_stderr_contains "class 7"
expect_exit 2 "$TARN" quantize -m net.onnx --data data.npy --max-drop 1 --weights int8 -o bad.onnx
expect_no_file bad.onnx
# After training the limit is held, too.
expect_exit 0 "$TARN" quantize -m net.onnx --data data.npy --max-drop 1 --qat --epochs 1 -o limit.onnx
expect_stdout_contains "trained"
expect_stdout_contains "all in INT8"

# Samples shorter than the bound are padded, and say how long they are.
cp "$SRC/examples/text/text.onnx" text.onnx
"$BUILD/bin/examples/text-lengths" --arrays "$SRC/examples/text/samples.tsv" 40 16 data || fail "no data"
expect_exit 0 "$TARN" quantize -m text.onnx -shape 'input_ids[1,?],attention_mask[1,?],position_ids[1,?]' --bound length=64 \
	--data input_ids=data/input_ids.npy --data attention_mask=data/attention_mask.npy \
	--data position_ids=data/position_ids.npy -o bounded.onnx --json
expect_json samples 16
expect_json_number sqnr_db.scores ">" 20
expect_file bounded.onnx

# Data that cannot be right is refused by sample and input; data that tells little is said to.
cp data.npy nan.npy
at=$(($(wc -c <nan.npy) - 33 * 64 * 4)) # of 40 samples of 64 values, the eighth
printf '\000\000\300\177' | dd of=nan.npy bs=1 seek=$at conv=notrunc 2>dd.log
expect_exit 3 "$TARN" quantize -m net.onnx --data nan.npy -o q2.onnx
expect_stderr_contains "sample 7 (from 0)"
expect_exit 0 "$TARN" quantize -m net.onnx --data data.npy --first 3 -o q2.onnx
expect_stdout_contains "3 samples: too few"
printf 'row,class\n' >some.csv
for i in 0 1 2 3 4 5 6 7 8 9 10 11; do printf '%s,%s\n' $i $((i % 3 == 1 ? 2 : 0)) >>some.csv; done
expect_exit 0 "$TARN" quantize -m net.onnx --data data.npy --first 12 --labels some.csv -o q2.onnx
expect_stdout_contains "data: 2 of the model's 5 classes, 4 to 8 samples each"
expect_stdout_contains "data: no sample of class 1, 3, 4"
expect_exit 0 "$TARN" quantize -m net.onnx --data data.npy --first 12 --labels some.csv -o q2.onnx --json
expect_json data.classes_of_model 5
expect_json data.classes_missing 3
expect_json data.too_few_samples false
