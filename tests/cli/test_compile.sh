# SPDX-License-Identifier: Apache-2.0
# compile: the file runs as the model does, on each device, and is refused elsewhere.
"$BUILD/tests/write_model" m.onnx 2 3 || fail "no model"
"$BUILD/tests/write_model" x.npy 2 3
expect_exit 0 "$TARN" run -m m.onnx -i x.npy -o plain
for device in CPU "NPU --sim 3720" "NPU --sim 4000"; do
	# shellcheck disable=SC2086 # several words
	expect_exit 0 "$TARN" compile -m m.onnx -d $device -o m.blob --json
	expect_json file m.blob
	expect_json_number bytes "==" "$(wc -c <m.blob)"
	expect_json_number compile_ms.value ">" 0
	case $device in
	CPU) expect_json ddr_arena_bytes null ;;
	*) expect_json_number ddr_arena_bytes.value ">=" 0 ;;
	esac
	# shellcheck disable=SC2086
	expect_exit 0 "$TARN" run -m m.blob -d $device -i x.npy -o again
	cmp plain/y.npy again/y.npy || fail "the compiled model differs on $device" # small integers are exact in FP16, too
	# shellcheck disable=SC2086
	expect_exit 0 "$TARN" bench -m m.blob -d $device -niter 2 --json
	rm -r again
done
# A file for one platform on the other, cut short, or of another device.
expect_exit 3 "$TARN" bench -m m.blob -d NPU --sim 3720 -niter 1
expect_stderr_contains "4000"
head -c 100 m.blob >cut.blob
expect_exit 3 "$TARN" bench -m cut.blob -d NPU --sim 4000 -niter 1
expect_exit 2 "$TARN" compile -m m.blob -d CPU -o other.blob
expect_exit 2 "$TARN" compile -m m.onnx -d CPU
expect_exit 4 "$TARN" compile -m m.onnx -d XPU -o other.blob
expect_exit 1 "$TARN" compile -m m.onnx -d NPU --sim 4000 -o no/such/folder.blob
# CACHE_DIR: the CPU's form is read the second time; under a form of another level it is made anew.
for hit in false true; do
	expect_exit 0 "$TARN" bench -m m.onnx -d CPU -niter 1 -cache_dir kept --json
	expect_json cache.hit $hit
done
TARN_ISA=portable expect_exit 0 "$TARN" bench -m m.onnx -d CPU -niter 1 -cache_dir kept --json
expect_json cache.hit false
expect_exit 3 "$TARN" compile -m m.onnx -d REF -o other.blob
expect_stderr_contains "keep the model itself"
expect_no_file other.blob
