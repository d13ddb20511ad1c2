# SPDX-License-Identifier: Apache-2.0
W=$BUILD/tests/write_model
"$W" m.onnx 2 3
"$W" free.onnx -1 3

expect_exit 0 "$TARN" bench -m m.onnx -niter 20
expect_stdout_contains "[Step 1/11]"
expect_stdout_contains "[Step 11/11]"
expect_stdout_contains "Throughput:"
expect_stderr_lines 0

for device in CPU REF; do
	for api in sync async; do
		expect_exit 0 "$TARN" bench -m m.onnx -d $device -api $api -niter 21 -nireq 2 --json -pc
		expect_json device $device
		expect_json api $api
		expect_json mode null
		json verdict.sentence | grep -q '[0-9]' || fail "the verdict cites no figure"
		expect_json batch 2
		expect_json compilations 1
		expect_json cache.level none
		expect_json cache.hit false
		expect_json latency_ms.source measured
		expect_json throughput_fps.source measured
		expect_json device_ms.min null
		expect_json layers[0].time.source measured
		expect_json_number latency_ms.min ">" 0
		expect_json_number latency_ms.max ">=" "$(json latency_ms.p99)"
		expect_json_number latency_ms.p99 ">=" "$(json latency_ms.median)"
		expect_json_number latency_ms.median ">=" "$(json latency_ms.min)"
		expect_json_number utilization.busy "<=" 1
		sum=$(for p in prepare copy_in device copy_out wait other; do json phases.$p; echo; done | awk '{s += $1} END {print s}')
		awk -v s="$sum" 'BEGIN {exit !(s > 0.999 && s < 1.001)}' || fail "phases add up to $sum"
		# Asynchronous counts are rounded up to full rounds of requests.
		[ $api = sync ] && expect_json iterations 21 || expect_json iterations 22
	done
done
expect_exit 0 "$TARN" bench -m m.onnx -hint latency -niter 3 --json
expect_json api sync
expect_json hint LATENCY
expect_json nireq 1
expect_exit 0 "$TARN" bench -m m.onnx -t 0.05 -nthreads 1 -inference_only false --json
expect_json nthreads 1
expect_json_number phases.prepare ">" 0
expect_json_number duration_ms.value ">" 5

"$W" wide.onnx 2 -1
expect_exit 2 "$TARN" bench -m wide.onnx -niter 1
expect_stderr_contains "-data_shape 'x[2,1]'"
expect_exit 0 "$TARN" bench -m free.onnx -niter 1 --json
expect_json batch 1
expect_json notes []
expect_stderr_contains "free first axis; 1 is taken"
expect_exit 0 "$TARN" bench -m free.onnx -niter 2 -data_shape 'x[5,3]' --json
expect_json batch 5
expect_exit 0 "$TARN" bench -m free.onnx -niter 2 -shape '[7,3]' --json
expect_json batch 7
expect_exit 0 "$TARN" bench -m free.onnx -niter 2 -b 4 --json
expect_json batch 4

expect_exit 0 "$TARN" bench -m m.onnx -niter 2 -ip u8 -op f16
expect_stdout_contains "input x: u8 [2,3]"
expect_exit 2 "$TARN" bench -m m.onnx -niter 2 -ip u9
expect_exit 2 "$TARN" bench -m m.onnx -t 0
expect_stderr_contains "more than 0"

# Rates are kept, and reports written.
mkdir reports
expect_exit 0 "$TARN" bench -m m.onnx -niter 5 -max_irate 50 -report_folder reports --json
expect_json_number duration_ms.value ">=" 60
expect_file reports/benchmark_report.json

# AUTO is the CPU, and never a simulated device.
expect_exit 0 "$TARN" bench -m m.onnx -d AUTO -niter 1 --json
expect_json device CPU

# The planted device: what it says of its time adds up, and to what its driver counts.
waterfall_sum()
{
	i=0
	total=$(json waterfall.achieved)
	while [ $i -lt 9 ]; do
		loss=$(json "waterfall.losses[$i].loss")
		[ "$loss" = null ] || total="$total + $loss"
		i=$((i + 1))
	done
	awk "BEGIN {printf \"%.3f\", $total}"
}
"$TARN" synth mobilenet-v2 -o net.onnx >/dev/null 2>&1
for platform in 3720 4000; do
	expect_exit 0 "$TARN" bench -m net.onnx -d NPU --sim $platform --paced -nireq 4 -niter 200 -pc --json
	awk -v a="$(json utilization.busy)" -v b="$(json utilization.busy_counter)" 'BEGIN {exit !(a - b < 0.01 && b - a < 0.01)}' ||
		fail "busy $(json utilization.busy), by the driver's counter $(json utilization.busy_counter)"
	[ "$(waterfall_sum)" = "$(awk -v a="$(json waterfall.advertised)" 'BEGIN {printf "%.3f", a}')" ] ||
		fail "the waterfall adds up to $(waterfall_sum), not $(json waterfall.advertised)"
	sed 's/"time": *{"value": *\([0-9.e-]*\)/\nlayer \1\n/g; s/"layers_total": *{"value": *\([0-9.e-]*\)/\ntotal \1\n/' stdout |
		awk '$1 == "layer" {s += $2} $1 == "total" {t = $2} END {exit !(t > 0 && s - t < 1e-4 && t - s < 1e-4)}' ||
		fail "layers do not add up to $(json layers_total.value)"
	awk -v b="$(json idle.busy)" -v p="$(json idle.prepare)" -v c="$(json idle.copies)" -v h="$(json idle.host)" -v n="$(json idle.no_input)" \
		'BEGIN {s = b + p + c + h + n; exit !(s > 0.999 && s < 1.001)}' || fail "idle shares do not add up"
done

# A device that is held back takes longer, and its driver counts that, too.
fast=$(json device_ms.median)
export TARN_NPU_CLOCK=50
expect_exit 0 "$TARN" bench -m net.onnx -d NPU --sim 4000 --paced -nireq 4 -niter 100 --json
unset TARN_NPU_CLOCK
# Of the time, what the array takes doubles.
awk -v f="$fast" -v s="$(json device_ms.median)" -v d="$(json device_time.dpu_ms)" 'BEGIN {x = s - f - d; exit !(x < 1e-3 && x > -1e-3)}' ||
	fail "at half the clock it takes $(json device_ms.median) instead of $fast ms"
