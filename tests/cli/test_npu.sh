# SPDX-License-Identifier: Apache-2.0
# Device NPU: hardware unless the simulator is asked for.
W=$BUILD/tests/write_model
export ZE_INTEL_NPU_CACHE_DIR=
"$W" m.onnx 1 8
"$W" free.onnx 2 -1

# Without hardware: absent with a reason and a way out, exit code 4; AUTO takes the CPU.
if [ ! -e /dev/accel ]; then
	expect_exit 0 "$TARN" devices
	expect_stdout_contains "NPU   absent: no /dev/accel; kernel 6.3 or newer needed; or try --sim 4000"
	expect_stderr_lines 0
	expect_exit 4 "$TARN" bench -m m.onnx -d NPU -niter 1 --json
	expect_stderr_contains "try --sim 4000"
	expect_stderr_lines 1
	expect_exit 0 "$TARN" bench -m m.onnx -d AUTO:NPU,CPU -niter 1 --json
	expect_json device CPU
	expect_stderr_contains "AUTO left out NPU: no /dev/accel"
fi

for sim in 3720 4000; do
	expect_exit 0 "$TARN" devices --sim $sim --json
	expect_json devices[1].name NPU
	expect_json devices[1].full_name "Intel(R) AI Boost (simulated by Tarn)"
	expect_json devices[1].simulated true
	expect_json devices[1].mode exact
	expect_stderr_contains "simulated"
	expect_stderr_lines 1
	expect_exit 0 "$TARN" bench -m m.onnx -d NPU --sim $sim -niter 8 -nireq 3 --json -pc
	expect_stderr_lines 1
	expect_json device NPU
	expect_json device_name "Intel(R) AI Boost (simulated by Tarn)"
	expect_json platform $sim
	expect_json mode exact
	expect_json latency_ms null
	expect_json throughput_fps null
	expect_json device_ms.source modelled
	expect_json_number device_ms.min ">" 0
	expect_json layers[0].time.source modelled
	expect_json compilations 1
	expect_json cache.level none
	# Times are modelled: the same on every run.
	first=$(json device_ms.median)
	expect_exit 0 "$TARN" bench -m m.onnx -d NPU --sim $sim -niter 2 -hint throughput --json
	expect_json device_ms.median "$first"
	# By the environment, too.
	TARN_NPU=sim:$sim run "$TARN" bench -m m.onnx -d NPU -niter 1 --json
	expect_json platform $sim
	# AUTO never takes a simulated device.
	expect_exit 0 "$TARN" bench -m m.onnx -d AUTO:NPU,CPU --sim $sim -niter 1 --json
	expect_json device CPU
	expect_stderr_contains "AUTO left out NPU: it is simulated"
done
expect_exit 0 "$TARN" bench -m m.onnx -d AUTO --sim 4000 -niter 1 --json
expect_json device CPU
TARN_NPU=5000 run "$TARN" bench -m m.onnx -d NPU -niter 1
[ "$code" = 2 ] || fail "TARN_NPU=5000 is accepted"
expect_stderr_contains "use sim:3720 or sim:4000"

# Fixed sizes only: input, axis, and a line that is ready to be used.
expect_exit 3 "$TARN" bench -m free.onnx -d NPU --sim 4000 -niter 1 --json
expect_stderr_contains "input 'x' has a free dimension, axis 1"
expect_stderr_contains "-shape 'x[2,1]'"
expect_exit 0 "$TARN" bench -m free.onnx -d NPU --sim 4000 -niter 1 -shape 'x[2,1]' --json

# Results.
"$W" x.npy 1 8
expect_exit 0 "$TARN" run -m m.onnx -d NPU --sim 4000 -i x.npy -o npu
expect_exit 0 "$TARN" run -m m.onnx -d REF -i x.npy -o ref
cmp npu/y.npy ref/y.npy || fail "y = 2x + 1 of small integers is exact in f16, and differs"

# Properties: what is set counts; what is unknown is an error that lists what there is.
expect_exit 2 "$TARN" bench -m m.onnx -d NPU --sim 4000 -niter 1 -p NPU_TILE=2
expect_stderr_contains "did you mean NPU_TILES?"
expect_exit 2 "$TARN" bench -m m.onnx -d NPU --sim 4000 -niter 1 -p NPU_TURBO=maybe
expect_stderr_contains "give YES or NO"
expect_exit 2 "$TARN" bench -m m.onnx -d NPU --sim 4000 -niter 1 -p NPU_TILES=40
expect_stderr_contains "NPU_TILES=40"
expect_exit 3 "$TARN" bench -m m.onnx -d NPU --sim 4000 -niter 1 -p NPU_PLATFORM=3720
expect_stderr_contains "the device is 4000"
"$TARN" synth mobilenet-v2 -o net.onnx >/dev/null 2>&1 || fail "synth"
expect_exit 0 "$TARN" bench -m net.onnx -b 1 -d NPU --sim 4000 -niter 1 --json
plain=$(json device_ms.median)
# Modelled figures have a band; the device tells its shares.
expect_json_number device_ms.band ">" 0
expect_json_number utilization.mac ">" 0
expect_json_number utilization.mac "<" 1
expect_json_number utilization.ddr ">" 0
expect_json_number utilization.ddr "<" 1
mac=$(json utilization.mac)
expect_exit 0 "$TARN" bench -m net.onnx -b 1 -d NPU --sim 4000 -niter 1 -p NPU_TURBO=YES --json
expect_json_number device_ms.median "<" "$plain"
expect_exit 0 "$TARN" bench -m net.onnx -b 1 -d NPU --sim 4000 -niter 1 -p NPU_TILES=1 --json
expect_json_number device_ms.median ">" "$plain"
expect_json_number utilization.mac "<" "$mac"
# A compiled model of one device is not another's.
expect_exit 0 "$TARN" bench -m m.onnx -d NPU --sim 4000 -niter 1 -p NPU_BYPASS_UMD_CACHING=YES --json
expect_stderr_contains "turns the driver's cache of compiled models OFF"

# Paced, in a child process: the wall clock counts, the same modelled device, no results.
expect_exit 0 "$TARN" bench -m net.onnx -b 1 -d NPU --sim 4000 --paced -niter 20 -hint latency --json
expect_json mode paced
expect_json iterations 20
expect_json_number latency_ms.min ">=" "$(json device_ms.min)"
expect_json latency_ms.source measured
expect_json device_ms.source modelled
expect_json_number utilization.busy "<=" 1
expect_exit 2 "$TARN" bench -m m.onnx -d NPU --paced -niter 1
expect_stderr_contains "--sim"
expect_exit 2 "$TARN" bench -m m.onnx --paced -niter 1
expect_exit 2 env TARN_NPU_MODE=paced "$TARN" run -m m.onnx -d NPU --sim 4000 -i x.npy -o no
expect_stderr_contains "computes no results"
# Not paced: what the wall clock says of a simulation is not shown.
expect_exit 0 "$TARN" bench -m m.onnx -d NPU --sim 4000 -niter 1 --json
expect_json utilization.busy null

# Through the system's loader, as hardware is: the same driver, found where the loader is told to look.
if ldconfig -p 2>/dev/null | grep -q libze_loader.so.1 && ! nm -D "$BUILD/lib/libtarn.so" | grep -q __asan_init; then
	export ZE_ENABLE_ALT_DRIVERS="$BUILD/lib/libze_tarn_npu.so"
	for intercept in 0 1; do
		expect_exit 0 env ZE_ENABLE_LOADER_INTERCEPT=$intercept "$TARN" run -m m.onnx -d NPU -i x.npy -o loader
		cmp loader/y.npy ref/y.npy || fail "another result through the loader"
		expect_exit 0 env ZE_ENABLE_LOADER_INTERCEPT=$intercept "$TARN" bench -m m.onnx -d NPU -niter 4 -nireq 2 -pc --json
		expect_json layers[0].time.source modelled
		expect_stderr_contains "simulated"
	done
fi

# 2 x + 1 for x = 60000 leaves FP16's range: one line says so, naming the node; with -strict it is an error.
for i in 1 2 3 4 5 6 7 8; do printf '\000\140\152\107'; done >large.raw
expect_exit 0 "$TARN" run -m m.onnx -d NPU --sim 4000 -i large.raw -o large
expect_stderr_contains "node 'Mul' (Mul): values beyond 65504, the largest FP16, became infinite"
expect_stderr_lines 2
expect_exit 5 "$TARN" run -m m.onnx -d NPU --sim 4000 -i large.raw -o strict -strict
expect_stderr_contains "run: node 'Mul' (Mul): values beyond 65504, the largest FP16, became infinite; leave out -strict"
[ ! -e strict ] || fail "results that are not to be trusted were written"
expect_exit 5 "$TARN" bench -m m.onnx -d NPU --sim 4000 -i large.raw -niter 2 -strict
expect_exit 0 "$TARN" bench -m m.onnx -d NPU --sim 4000 -niter 2 -strict
