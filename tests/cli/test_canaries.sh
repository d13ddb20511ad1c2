# SPDX-License-Identifier: Apache-2.0
W=$BUILD/tests/write_model
"$W" products gemm.onnx 1
"$W" rows.npy 8 32
"$W" gemm.npy 2 32

# Samples travel with the model; where it is compiled, they run there and on the CPU. Sums beyond the range of FP16 differ.
expect_exit 0 "$TARN" quantize -m gemm.onnx --weights int8 --data rows.npy -o good.onnx --json
expect_json canaries 2
expect_exit 0 "$TARN" bench -m good.onnx -d NPU --sim 4000 -niter 1 --strict --json
expect_json canaries.samples 2
expect_json canaries.differs false
expect_json_number canaries.sqnr_db ">" 40
expect_exit 0 "$TARN" convert -m good.onnx -o good.xml
expect_exit 0 "$TARN" run -m good.xml -d NPU --sim 3720 -i gemm.npy -o out --json
expect_json canaries.samples 2
expect_exit 0 "$TARN" run -m good.xml -d NPU --sim 3720 -i gemm.npy -o out -p TARN_CANARIES=NO --json
expect_stdout_lacks canaries
"$W" products large.onnx 1e4
expect_exit 0 "$TARN" quantize -m large.onnx --weights int8 --data rows.npy -o bad.onnx
expect_exit 0 "$TARN" run -m bad.onnx -d NPU --sim 4000 -i gemm.npy -o out
expect_stderr_contains "the first layer that differs is '"
expect_exit 5 "$TARN" run -m bad.onnx -d NPU --sim 4000 -i gemm.npy -o out --strict
expect_exit 0 "$TARN" run -m bad.onnx -d CPU -i gemm.npy -o out --strict --json
expect_json canaries.samples 2
# Forms out of CACHE_DIR, too.
for hit in false true; do
	expect_exit 0 "$TARN" bench -m good.onnx -d CPU -niter 1 -cache_dir kept --json
	expect_json cache.hit $hit
	expect_json canaries.samples 2
	expect_json canaries.differs false
	expect_exit 0 "$TARN" bench -m bad.onnx -d NPU --sim 4000 -niter 1 -cache_dir kept --json
	expect_json cache.hit $hit
	expect_json canaries.differs true
done

# Another batch than the samples', and one that is free, compare as well; damaged samples are a note.
"$W" net net.onnx -1
"$W" pixels.npy 24 1 8 8
"$W" three.npy 3 1 8 8
expect_exit 0 "$TARN" quantize -m net.onnx --data pixels.npy -o net8.onnx
expect_exit 0 "$TARN" run -m net8.onnx -i three.npy -o out --strict --json
expect_json canaries.samples 2
expect_exit 0 "$TARN" run -m net8.onnx -d NPU --sim 4000 -i three.npy -o out --json
expect_json canaries.samples 2
expect_json canaries.differs false
expect_exit 0 "$TARN" convert -m net8.onnx -o net8.xml
sed 's/VENOM/VENPM/' net8.xml >damaged.xml
cmp -s net8.xml damaged.xml && fail "no samples to damage"
cp net8.bin damaged.bin
expect_exit 0 "$TARN" run -m damaged.xml -i three.npy -o out
expect_stderr_contains "canaries in the metadata are damaged"
expect_exit 5 "$TARN" run -m damaged.xml -i three.npy -o out --strict
