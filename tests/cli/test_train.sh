# SPDX-License-Identifier: Apache-2.0
# Training on labels: what it reports, that it repeats itself, and what it refuses.
W=$BUILD/tests/write_model
"$W" net net.onnx -1
"$W" data.npy 120 1 8 8
printf 'row,class\n' >labels.csv
for i in $(seq 0 119); do echo "$i,$((i % 2))"; done >>labels.csv

expect_exit 0 "$TARN" train -m net.onnx --init --data data.npy --labels labels.csv --epochs 3 --train-batch 8 -nthreads 2 -o a.onnx --json
expect_json training.epochs 3
expect_json training.trained_on 96
expect_json_number training.parameters ">" 10
expect_exit 0 "$TARN" train -m net.onnx --init --data data.npy --labels labels.csv --epochs 3 --train-batch 8 -nthreads 2 -o b.onnx
cmp a.onnx b.onnx || fail "the same seed gave another model"
expect_exit 0 "$TARN" train -m net.onnx --init --data data.npy --labels labels.csv --epochs 3 --train-batch 8 -seed 2 -o c.onnx
cmp -s a.onnx c.onnx && fail "another seed gave the same model"
expect_exit 0 "$TARN" run -m a.onnx -i data.npy -o again

expect_exit 2 "$TARN" train -m net.onnx --data data.npy -o bad.onnx
expect_stderr_contains "no labels"
expect_exit 2 "$TARN" train -m net.onnx --data data.npy --labels labels.csv
expect_stderr_contains "no file to write"
expect_no_file bad.onnx
