#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: bench/host.sh [BUILD] [SECONDS]: how busy a pipeline with cheap preparation keeps a simulated NPU, and what a request costs the
# host. The device takes its modelled time on the clock; MobileNetV2 on 8 bits, eight requests in flight; inputs that
# stay as they are, and frames of the input's size on standard input, each converted and normalised. busy: share of the time, by what the device reports of each inference and
# by its own counter; cpu: processor time of the process for each inference, the simulated device's own and preparing left out.
set -eu
build=${1:-build}
seconds=${2:-3}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
tarn=$build/bin/tarn
"$tarn" synth mobilenet-v2 --int8 -o "$folder/net.onnx" >/dev/null
figure()
{
	sed -n "s/.*\"$1\": *{*\(\"value\": *\)*\([0-9.e+-]*\).*/\2/p" "$folder/report.json"
}
row()
{
	printf 'NPU %s, %s: busy %s (counter %s), cpu %s us a request, other programs used %s of the processors (measured)\n' "$1" "$2" \
		"$(figure busy)" "$(figure busy_counter)" "$(figure cpu_us)" "$(figure other_programs)"
}
for platform in 3720 4000; do
	set -- -m "$folder/net.onnx" -d NPU --sim $platform -paced -nireq 8 -t "$seconds" --json
	"$tarn" bench "$@" >"$folder/report.json" 2>/dev/null
	row $platform "no preparation"
	"$tarn" bench "$@" --stdin rgb24:224x224 </dev/zero >"$folder/report.json" 2>/dev/null
	row $platform "raw frames"
	if [ -x "$build/bench/bench_host" ]; then
		TARN_NPU=sim:$platform TARN_NPU_MODE=paced "$build/bench/bench_host" "$folder/net.onnx" 8 "$seconds" 2>/dev/null |
			sed "s/^/NPU $platform, /"
	fi
done
