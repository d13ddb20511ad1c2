# SPDX-License-Identifier: Apache-2.0
# Training after calibration: what it reports, that it repeats itself, resumes, and refuses what makes no sense.
W=$BUILD/tests/write_model
"$W" net net.onnx -1
"$W" data.npy 60 1 8 8

qat()
{
	expect_exit 0 "$TARN" quantize -m net.onnx --data data.npy --qat --epochs 4 --train-batch 8 -nthreads 2 "$@"
}

qat -o a.onnx --json
expect_json training.epochs 4
expect_json training.mixed 0
expect_json training.trained_on 48
expect_json training.held_out 12
expect_json training.threads 2
expect_json_number training.parameters ">" 10
before=$(json training.before.loss)
expect_json_number training.after.loss "<=" "$before"
expect_json_number training.memory.value ">" 0
expect_json_number training.memory_planned "<=" "$(json training.memory_budget)"
expect_json training.nodes_run_twice 0
qat -o b.onnx
expect_stdout_contains "on 12 samples kept out: loss"
cmp a.onnx b.onnx || fail "the same seed gave another model"
# It is a model like any other.
expect_exit 0 "$TARN" accuracy -m a.onnx --reference net.onnx --data data.npy --json
expect_json_number agreement ">=" 0.9

# With four bits, and nothing repaired before, training helps. What is said of layers is said of the trained model.
expect_exit 0 "$TARN" quantize -m net.onnx --data data.npy --weight-bits 4 --bias off --rounding nearest -o w4.onnx --json
expect_json layers[0].estimator min-max
ptq=$(json layers[2].sqnr_local_db)
qat -o t.onnx --weight-bits 4 --bias off --rounding nearest --epochs 20 --lr 0.05 --json
expect_json training.improved true
expect_json layers[0].state int8
expect_json layers[0].estimator null
[ "$(json layers[2].sqnr_local_db)" != "$ptq" ] || fail "the layers are those of the model before training"

# Two epochs, then the rest from the checkpoint.
qat -o c.onnx --checkpoint state --resume --json
expect_json training.resumed false
qat -o d.onnx --checkpoint state --resume --json
expect_json training.resumed true
cmp c.onnx d.onnx || fail "a finished training was not taken over"
printf 'not a checkpoint' >state
expect_exit 3 "$TARN" quantize -m net.onnx --data data.npy --qat --checkpoint state --resume -o e.onnx
expect_stderr_contains "is no checkpoint of this training"

# Labels.
printf 'row,class\n' >labels.csv
for i in $(seq 0 59); do echo "$i,$((i % 2))"; done >>labels.csv
qat -o f.onnx --labels labels.csv --json
expect_json training.after.samples 12

# Weights of four bits.
qat -o g.onnx --weight-bits 4 --mixed 40 --json
expect_json training.mixed 40
expect_json training.trained_on 48
expect_json training.epochs 4

# A limit: training first, then layers to float. What needs none is the trained model; what none can keep ends with 5 and the best.
qat -o h.onnx --weight-bits 4 --mixed 40 --max-drop 1000 --json
expect_json met true
expect_json steps[1].what int8
expect_json training.epochs 4
cmp g.onnx h.onnx || fail "within the limit the trained model should leave as it is"
expect_exit 5 "$TARN" quantize -m net.onnx --data data.npy --qat --epochs 4 --train-batch 8 -nthreads 2 --weight-bits 4 --mixed 0 --max-drop 0 -o i.onnx --json
expect_json met false
expect_stderr_contains "the best one"
expect_exit 0 "$TARN" run -m i.onnx -i data.npy -o again

refused()
{
	wanted=$1
	says=$2
	shift 2
	expect_exit "$wanted" "$TARN" quantize -m net.onnx --data data.npy -o bad.onnx "$@"
	expect_stderr_contains "$says"
	expect_no_file bad.onnx
}
refused 2 "need --qat" --epochs 3
refused 2 "8 and 4 are possible" --weight-bits 5
refused 2 "at least 1" --qat --epochs 0
refused 2 "between 0 and 1000000" --qat --mixed 2000000
refused 2 "between 0 and 1" --qat --holdout 1.5
refused 2 "--checkpoint FILE" --qat --resume
