# SPDX-License-Identifier: Apache-2.0
# The runtime's cache: what is stored, which entry answers, damage, size.
"$BUILD/tests/write_model" a.onnx 2 3
"$BUILD/tests/write_model" b.onnx 2 5
"$BUILD/tests/write_model" a.npy 2 3
"$BUILD/tests/write_model" b.npy 2 5
export ZE_INTEL_NPU_CACHE_DIR=$WORK/npu
unset ZE_INTEL_NPU_CACHE_SIZE

# A device that stores nothing is never asked about entries.
expect_exit 0 "$TARN" cache explain -m a.onnx -d CPU -cache_dir c --json
stores=$(json level)
expect_exit 0 "$TARN" cache explain -m a.onnx -d CPU
expect_stdout_contains "runtime: "
expect_stdout_contains "not asked: device CPU has no driver"
expect_exit 2 "$TARN" cache
expect_exit 2 "$TARN" cache explode
expect_stderr_contains "ls, verify, explain or gc"
expect_exit 3 "$TARN" cache ls -cache_dir nowhere
expect_exit 4 "$TARN" cache explain -m a.onnx -d TPU
expect_exit 2 "$TARN" cache gc --max-size many
expect_exit 0 "$TARN" cache ls --json
expect_json caches[0].level driver
expect_json caches[0].dir "$WORK/npu"
expect_json caches[0].limit_bytes 4294967296
expect_json caches[0].entries 0

# Entries of the driver's format: a whole one, made here by hand, is impossible without its hash; a damaged one is easy.
mkdir npu
key=0123456789abcdef0123456789abcdef
printf 'TARNNPU1 and more, but no entry of sixty-four bytes at all, no, no' >npu/tarn-$key
echo foreign >npu/6f1ed002ab5595859014ebf0951522d9
expect_exit 1 "$TARN" cache verify --json
expect_json caches[0].entries 1
expect_json caches[0].damaged 1
expect_json entries[0].key $key
expect_json entries[0].whole false
expect_exit 0 "$TARN" cache ls
expect_stdout_contains DAMAGED
expect_exit 0 "$TARN" cache gc --json
expect_json caches[0].removed 1
expect_no_file npu/tarn-$key
expect_file npu/6f1ed002ab5595859014ebf0951522d9
expect_exit 0 "$TARN" cache verify
ZE_INTEL_NPU_CACHE_DIR= expect_exit 0 "$TARN" cache ls
expect_stdout_contains "driver: off"

if [ "$stores" = runtime ]; then device="-d CPU"; else device="-d NPU --sim 4000"; fi
# shellcheck disable=SC2086 # several words
run "$TARN" run -m a.onnx -i a.npy $device -cache_dir c
[ "$code" = 0 ] || skip "the rest needs a device that stores compiled models"
rm -rf c npu

for m in a b; do
	# shellcheck disable=SC2086
	expect_exit 0 "$TARN" cache explain -m $m.onnx $device -cache_dir c --json
	expect_json level runtime
	expect_json hit false
	entry=$(json entry)
	# shellcheck disable=SC2086
	expect_exit 0 "$TARN" run -m $m.onnx -i $m.npy $device -cache_dir c
	# What was foretold is what was stored, and found again.
	expect_file "$entry"
	# shellcheck disable=SC2086
	expect_exit 0 "$TARN" cache explain -m $m.onnx $device -cache_dir c --json
	expect_json hit true
	expect_json entry "$entry"
done
expect_exit 0 "$TARN" cache verify -cache_dir c --json
expect_json caches[0].entries 2
expect_json caches[0].damaged 0
expect_json entries[0].whole true
expect_json caches[1].entries 0
total=$(json caches[0].bytes)
[ "$total" = "$(cat c/*.tarnblob | wc -c)" ] || fail "bytes differ from the files'"

# Any byte that differs is found, and loading makes the entry again.
size=$(wc -c <"$entry")
printf '\377' | dd of="$entry" bs=1 seek=$((size / 2)) conv=notrunc 2>/dev/null
run "$TARN" cache verify -cache_dir c --json
# (That byte may have been the same one.)
if [ "$code" = 0 ]; then printf '\001' | dd of="$entry" bs=1 seek=$((size / 2)) conv=notrunc 2>/dev/null; fi
expect_exit 1 "$TARN" cache verify -cache_dir c --json
expect_json caches[0].damaged 1
# shellcheck disable=SC2086
expect_exit 0 "$TARN" cache explain -m b.onnx $device -cache_dir c
expect_stdout_contains "not usable"
# shellcheck disable=SC2086
expect_exit 0 "$TARN" run -m b.onnx -i b.npy $device -cache_dir c
expect_exit 0 "$TARN" cache verify -cache_dir c

expect_exit 0 "$TARN" cache gc -cache_dir c --max-size 1K --json
expect_exit 0 "$TARN" cache gc -cache_dir c --max-size 0 --json
expect_exit 0 "$TARN" cache ls -cache_dir c --json
expect_json caches[0].entries 0

# Which level, by the documented rules.
[ "$device" = "-d NPU --sim 4000" ] || exit 0
expect_exit 0 "$TARN" cache explain -m a.onnx -d NPU --sim 4000 --json
expect_json level driver
expect_json hit null
expect_exit 0 "$TARN" cache explain -m a.onnx -d NPU --sim 4000 -p NPU_BYPASS_UMD_CACHING=YES --json
expect_json level none
expect_stdout_contains "turns the driver's cache OFF"
expect_exit 0 "$TARN" cache explain -m a.onnx -d NPU --sim 4000 -cache_dir c
expect_stdout_contains "CACHE_DIR is set, which switches the driver's cache off"
expect_exit 0 "$TARN" run -m a.onnx -i a.npy -d NPU --sim 4000
expect_exit 0 "$TARN" cache verify --json
expect_json caches[0].entries 1
expect_json entries[0].device NPU
