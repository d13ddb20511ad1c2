# SPDX-License-Identifier: Apache-2.0
W=$BUILD/tests/write_model
"$W" net net.onnx -1
"$W" data.npy 40 1 8 8
"$W" wrong.npy 40 3
{ echo row,class; i=0; while [ $i -lt 40 ]; do echo "$i,$((i % 5))"; i=$((i + 1)); done; } >labels.csv
# The driver's cache of this test alone.
export XDG_CACHE_HOME="$WORK/cache" HOME="$WORK"
unset ZE_INTEL_NPU_CACHE_DIR ZE_INTEL_NPU_CACHE_SIZE

names="input_shape int8_mac_share model_bytes sqnr_db top1 cpu_ms ddr_bytes device_ms_precision device_ms_turbo load_ms_cold
load_ms_driver_cache load_ms_cache_dir compilations throughput_fps busy"


check_names()
{
	i=0
	for name in $names; do
		expect_json "rows[$i].name" "$name"
		i=$((i + 1))
	done
}

# Without a device NPU its rows are empty, with the reason.
expect_exit 0 "$TARN" optimize -m net.onnx --data data.npy --labels labels.csv --first 16 -o plain --json
check_names
expect_json rows[0].before "[?,1,8,8]"
expect_json rows[0].after "[1,1,8,8]"
expect_json rows[1].after 1
expect_json rows[4].source measured
expect_stdout_contains "24 samples"
expect_json_number rows[5].before ">" 0
for i in 6 7 8 9 10 11 12 13 14; do
	expect_json "rows[$i].after" null
	expect_json "rows[$i].source" null
done
expect_stdout_contains "--sim 4000"
expect_file plain/model.onnx
expect_file plain/report.json
expect_no_file plain/model.blob
cmp -s stdout plain/report.json || fail "report.json differs from --json"
[ "$(ls -A plain | wc -l)" = 2 ] || fail "more files than promised: $(ls -A plain)"

if [ -e "$BUILD/lib/libze_tarn_npu.so" ]; then
	expect_exit 0 "$TARN" optimize -m net.onnx --data x=data.npy --sim 4000 -o npu --json
	check_names
	expect_json rows[4].after null
	expect_json rows[6].source modelled
	expect_json_number rows[6].before ">" 0
	expect_json_number rows[7].band ">" 0
	expect_json rows[7].source modelled
	expect_json rows[8].source assumed
	expect_json_number rows[7].before ">" 0
	expect_json_number rows[7].after ">" 0
	expect_json rows[12].before 2
	expect_json rows[12].after 1
	expect_json_number rows[13].after ">" 0
	expect_file npu/model.blob
	expect_file npu/report.json
	# An earlier run's results are replaced, not mixed.
	expect_exit 0 "$TARN" optimize -m net.onnx --data data.npy -o npu
	expect_no_file npu/model.blob
	expect_no_file npu/cache
fi

refused()
{
	expect_exit "$1" "$TARN" optimize "$3" "$4" "$5" "$6" -o none
	expect_stderr_lines 1
	expect_stderr_contains "$2"
	expect_no_file none
}
refused 3 "wrong.npy" -m net.onnx --data wrong.npy
refused 3 "absent.onnx" -m absent.onnx --data data.npy
refused 2 "no data" -m net.onnx --first 5
expect_exit 2 "$TARN" optimize -m net.onnx --data data.npy
expect_stderr_contains "give -o DIR"
