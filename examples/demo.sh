#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What Tarn does, in four blocks. usage: examples/demo.sh [BUILD]
# Every figure says what it is: M measured here, S from the simulated NPU's timing model (with its band), A assumed.
set -eu
cd "$(dirname "$0")/.."
BUILD=${1:-build}
TARN=$BUILD/bin/tarn
JSONQ=$BUILD/tests/jsonq
EX=$BUILD/bin/examples
OUT=$BUILD/demo
PLATFORM=4000
rm -rf "$OUT"
mkdir -p "$OUT"
started=$SECONDS

title() { printf '\n%s\n%s\n' "$1" "$(printf '%s' "$1" | tr -c '\n' '-')"; }
row() { printf '  %-44s %-30s %s\n' "$1" "$2" "$3"; }
get() { "$JSONQ" "$@"; }
num() { LC_ALL=C printf "$1" "$2"; }
calc() { LC_ALL=C awk "BEGIN { printf \"$1\", $2 }"; }
# quiet LOG COMMAND...: what it prints is shown only when it fails
quiet() {
	local log=$OUT/$1.log
	shift
	"$@" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
}
# bench NAME FLAGS...: one JSON report, notes kept aside
bench() {
	local name=$1
	shift
	"$TARN" bench "$@" --json >"$OUT/$name.json" 2>"$OUT/$name.log" || { cat "$OUT/$name.log" >&2; exit 1; }
}
cpu_ms() {
	bench "$1" -m "$2" -d CPU -api sync -nthreads 1 -niter "$3" "${@:4}"
	get "$OUT/$1.json" latency_ms.min
}
npu_ms() {
	bench "$1" -m "$2" -d NPU --sim $PLATFORM -api sync -niter 1 "${@:3}"
	get "$OUT/$1.json" device_ms.median
}

cat <<EOF
Tarn's demo on: $("$TARN" devices 2>/dev/null | sed -n 's/^CPU *//p'); the NPU is a simulated $PLATFORM: nothing here ran on NPU hardware.
M measured on this machine    S simulated NPU: modelled, with its band    A assumed: no public data
EOF

title "1. A model whose input has no fixed length, on a device that takes only fixed ones"
text=examples/text/text.onnx
code=0
"$TARN" bench -m $text -d NPU --sim $PLATFORM -niter 1 >/dev/null 2>"$OUT/refusal.log" || code=$?
[ $code = 3 ] || { echo "demo: the free shape was to be refused with exit code 3, not $code" >&2; exit 1; }
row "shape [1,?] on the NPU" "refused (exit code $code)" "M"
printf '    %s\n' "$(sed -n 's/^tarn: bench: //p' "$OUT/refusal.log" | tail -n 1)"
quiet convert "$TARN" convert -m $text --bound length=128 -o "$OUT/text128.onnx"
"$EX/text-lengths" $text examples/text/samples.tsv 128 200 1 >"$OUT/lengths.json"
L=$OUT/lengths.json
row "rewritten: [1,128] + valid_length" "$(get "$L" repairs) repairs in the graph" "M"
row "200 texts, random bits behind each" "worst difference $(num %.1e "$(get "$L" worst_relative_error)")" "M, CPU, relative to the unpadded run"
row "texts whose class changed" "$(get "$L" changed_class) of $(get "$L" texts)" "M"
row "work wasted on padding" "$(calc '%.0f %%' "100 * $(get "$L" padding_share)")" "M, mean length $(num %.0f "$(get "$L" mean_length)") of 128"
ms=$(npu_ms text_npu "$OUT/text128.onnx" -b 1)
row "the same on the NPU" "$(num '%.3f ms' "$ms")" "S, +-$(calc '%.0f %%' "100 * $(get "$OUT/text_npu.json" device_ms.band)")"
quiet arrays "$EX/text-lengths" --arrays examples/text/samples.tsv 64 200 "$OUT/text"
quiet text_int8 "$TARN" quantize -m $text --data "input_ids=$OUT/text/input_ids.npy" --data "attention_mask=$OUT/text/attention_mask.npy" \
	--data "position_ids=$OUT/text/position_ids.npy" -o "$OUT/text_int8.onnx"
shape='input_ids[1,64],attention_mask[1,64],position_ids[1,64]'
a=$(cpu_ms text_f32 $text 100 -data_shape "$shape")
b=$(cpu_ms text_int8 "$OUT/text_int8.onnx" 100 -data_shape "$shape")
row "64 bytes of text on the CPU, f32 -> INT8" "$(num %.3f "$a") -> $(num '%.3f ms' "$b")" "M, one thread"

title "2. INT8: printed digits, trained and quantized here"
digits=examples/digits/digits.onnx
quiet test_set "$EX/make-digits" examples/digits/glyphs.png test 1500 7 "$OUT/digits.npy" "$OUT/labels.npy"
quiet train_set "$EX/make-digits" examples/digits/glyphs.png train 300 8 "$OUT/calibration.npy" "$OUT/calibration_labels.npy"
"$TARN" quantize -m $digits --data "$OUT/calibration.npy" -o "$OUT/digits_int8.onnx" --json >"$OUT/quantize.json" 2>"$OUT/quantize.log"
accuracy() {
	"$TARN" accuracy -m "$2" --data "$OUT/digits.npy" --labels "$OUT/labels.npy" --json >"$OUT/$1.json" 2>/dev/null
	calc '%.2f %%' "100 * $(get "$OUT/$1.json" top1)"
}
interval() { calc '%.2f to %.2f' "100 * $(get "$OUT/$1.json" 'ci95[0]'), 100 * $(get "$OUT/$1.json" 'ci95[1]')"; }
size() { calc '%.0f kB' "$(wc -c <"$1") / 1000"; }
row "top-1 on 1500 images of unseen fonts, f32" "$(accuracy top1_f32 $digits)" "M, 95 %: $(interval top1_f32)"
row "top-1, INT8" "$(accuracy top1_int8 "$OUT/digits_int8.onnx")" "M, 95 %: $(interval top1_int8)"
# trained: the same samples, no labels
qat() { # NAME FLAGS...: one model and its report
	local name=$1
	shift
	"$TARN" quantize -m $digits --data "$OUT/calibration.npy" "$@" -o "$OUT/$name.onnx" --json >"$OUT/$name.json" 2>"$OUT/$name.log" ||
		{ cat "$OUT/$name.log" >&2; exit 1; }
}
qat digits_qat --qat
qat digits_w4 --weight-bits 4
qat digits_w4_qat --weight-bits 4 --qat
db() { num '%.1f' "$(get "$OUT/$1.json" sqnr_db.scores)"; }
trained() { num '%.1f s' "$(get "$OUT/$1.json" training.seconds.value)"; }
row "top-1, INT8, trained on the 300 images (QAT)" "$(accuracy top1_qat "$OUT/digits_qat.onnx")" "M, no labels: the float model teaches; $(trained digits_qat)"
row "signal to noise: calibrated -> trained" "$(db quantize) -> $(db digits_qat) dB" "M"
row "the same with weights of 4 bits" "$(db digits_w4) -> $(db digits_w4_qat) dB" "M, $(trained digits_w4_qat) of training"
row "top-1, weights of 4 bits" "$(accuracy top1_w4 "$OUT/digits_w4.onnx") -> $(accuracy top1_w4 "$OUT/digits_w4_qat.onnx")" "M, 95 %: $(interval top1_w4)"
row "multiply-accumulates in INT8" "$(calc '%.1f %%' "100 * $(get "$OUT/quantize.json" mac_share_int8)")" "M"
row "model file" "$(size $digits) -> $(size "$OUT/digits_int8.onnx")" "M"
quiet optimize "$TARN" optimize -m $digits --data "$OUT/calibration.npy" -shape '[1,1,24,24]' --sim $PLATFORM -o "$OUT/digits-optimized"
R=$OUT/digits-optimized/report.json
f16=$(get "$R" 'rows[name=device_ms_precision].before')
i8=$(get "$R" 'rows[name=device_ms_precision].after')
turbo=$(get "$R" 'rows[name=device_ms_turbo].after')
band=$(calc '%.0f' "100 * $(get "$R" 'rows[name=device_ms_precision].band')")
ddr() { calc '%.0f kB' "$(get "$R" "rows[name=ddr_bytes].$1") / 1000"; }
row "memory traffic of one inference" "$(ddr before) -> $(ddr after)" "S"
row "one inference on the NPU, FP16 -> INT8" "$(num %.3f "$f16") -> $(num '%.3f ms' "$i8")" "S, +-$band %"
row "turbo off -> on" "$(num %.3f "$i8") -> $(num '%.3f ms' "$turbo")" "S, +-$band %, with an assumed clock (A)"
# the row of the 4000 is the second number: 3720, then 4000
fixed=$("$BUILD/bin/npu-timing" arch | awk '$1 == "inference_us" {n = 0; for (i = 3; i <= NF; i++) if ($i ~ /^[0-9.]+$/ && ++n == 2) print $i / 1000}')
share=$(calc '%.0f' "100 * $fixed / $i8")
if [ "$(calc '%d' "($f16 - $i8) / $f16 < 0.1")" = 1 ]; then
	printf '    INT8 is hardly faster here: %s %% of that time is the fixed cost of an inference (%s ms, A), whatever the precision\n' "$share" "$fixed"
fi
if [ "$(calc '%d' "($i8 - $turbo) / $i8 < 0.02")" = 1 ]; then
	printf '    turbo does not help: it raises the compute clock only (%s -> %s ms)\n' "$(num %.3f "$i8")" "$(num %.3f "$turbo")"
fi
a=$(cpu_ms digits_f32 $digits 200 -b 1)
b=$(cpu_ms digits_int8 "$OUT/digits_int8.onnx" 200 -b 1)
row "one inference on the CPU, f32 -> INT8" "$(num %.3f "$a") -> $(num '%.3f ms' "$b")" "M, one thread"

title "3. Loading: two caches, and the property that articles get wrong"
quiet synth "$TARN" synth mobilenet-v2 -o "$OUT/mobilenet-v2.onnx"
export ZE_INTEL_NPU_CACHE_DIR=$PWD/$OUT/driver-cache
case $OUT in /*) ZE_INTEL_NPU_CACHE_DIR=$OUT/driver-cache ;; esac
load() { # LABEL FLAGS...: two loads, each in a process of its own
	local label=$1 n
	shift
	for n in first second; do
		bench load -m "$OUT/mobilenet-v2.onnx" -d NPU --sim $PLATFORM -api sync -niter 1 "$@"
		row "$label, $n load" "$(calc '%.0f ms' "$(get "$OUT/load.json" compile_ms.value)"), $(get "$OUT/load.json" compilations) compiled" \
			"M, answered by: $(get "$OUT/load.json" cache.level)"
	done
}
load "driver cache (the default)"
load "NPU_BYPASS_UMD_CACHING=YES" -p NPU_BYPASS_UMD_CACHING=YES
recompiled=$(get "$OUT/load.json" compilations)
load "CACHE_DIR" -cache_dir "$OUT/cache-dir"
[ "$recompiled" = 1 ] || { echo "demo: with the driver cache bypassed the second load was to compile once, not $recompiled times" >&2; exit 1; }
printf '    NPU_BYPASS_UMD_CACHING=YES switches the driver cache OFF, whatever articles say: the second load compiled again.\n'

title "4. \"My NPU is 25 % busy\": JPEGs decoded live, the device taking its modelled time on the clock"
quiet photos "$EX/make-digits" examples/digits/glyphs.png jpeg 12 3 "$OUT/photos"
quiet synth_resnet "$TARN" synth resnet-50 -o "$OUT/resnet-50.onnx"
live() { # LABEL FLAGS...
	local label=$1
	shift
	bench live -m "$OUT/resnet-50.onnx" -d NPU --sim $PLATFORM --paced --live "$OUT/photos" -t 4 "$@"
	row "$label" "$(calc '%.0f' "$(get "$OUT/live.json" throughput_fps.value)") per second, device $(calc '%.0f %%' "100 * $(get "$OUT/live.json" utilization.busy)") busy" \
		"M host, S device; prepare $(calc '%.0f %%' "100 * $(get "$OUT/live.json" phases.prepare)"), device $(calc '%.0f %%' "100 * $(get "$OUT/live.json" phases.device)"), rest $(calc '%.0f %%' "100 * (1 - $(get "$OUT/live.json" phases.prepare) - $(get "$OUT/live.json" phases.device))")"
	printf '    %s\n' "$(get "$OUT/live.json" verdict.sentence)"
}
live "one synchronous request" -api sync
live "four requests, two workers" -api async -nireq 4 --workers 2
live "and JPEGs decoded at a smaller scale" -api async -nireq 4 --workers 2 --scaled-decode
roof=$(get "$OUT/live.json" host.roof_fps.value)
device_roof=$(get "$OUT/live.json" host.device_roof_fps.value)
row "the host's own roof" "$(num '%.0f per second' "$roof")" "M, $(get "$OUT/live.json" host.processors) processors, $(num %.2f "$(get "$OUT/live.json" host.prepare_cpu_ms.value)") ms of their time an image"
row "the device's roof" "$(num '%.0f per second' "$device_roof")" "S"
if [ "$(calc '%d' "$roof < $device_roof")" = 1 ]; then
	printf '    This host cannot decode more than %.0f images a second, whatever the NPU: more processors, or smaller JPEGs, raise that roof.\n' "$roof"
else
	printf '    This host could feed the device; from here on the model is what to work on: %s diagnose -m ... shows where its time goes.\n' "$TARN"
fi

printf '\nDone in %d s; reports are in %s. Now your own model:\n\n    %s check -m YOUR_MODEL.onnx\n' $((SECONDS - started)) "$OUT" "$TARN"
