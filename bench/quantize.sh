#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What choosing and repairing gains over plain calibration: a grid of the settings other quantizers offer (range estimator, zero
# points or none; per-channel symmetric weights, to nearest, biases and magnitudes as they are), then the default.
#   bench/quantize.sh MODEL CALIBRATION DATA LABELS [preparation of images, as for tarn accuracy]
# One line each: settings, right classes, agreement with the float model, signal to quantization noise of the outputs in dB.
set -eu
model=$1 calibration=$2 data=$3 labels=$4
shift 4
tarn=${TARN:-build/bin/tarn}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

field()
{
	sed -n 's/.*"'"$2"'": \([-0-9.e]*\).*/\1/p' "$1"
}

judge()
{
	name=$1
	shift
	"$tarn" quantize -m "$model" --data "$calibration" -o "$work/q.onnx" "$@" --json >"$work/q.json" 2>/dev/null
	"$tarn" accuracy -m "$work/q.onnx" --reference "$model" --data "$data" --labels "$labels" $preparation $offset --json \
		>"$work/a.json"
	sqnr=$(sed -n 's/.*"sqnr_db": {"[^"]*": \([-0-9.e]*\).*/\1/p' "$work/q.json")
	printf '%-28s top-1 %s  agreement %s  %s dB\n' "$name" "$(field "$work/a.json" top1)" "$(field "$work/a.json" agreement)" "$sqnr"
}

# --class-offset is for labels alone: calibration has none.
preparation= offset=
while [ $# -gt 0 ]; do
	case $1 in
	--class-offset) offset="$1 $2" ;;
	*) preparation="$preparation $1 $2" ;;
	esac
	shift 2
done
for estimator in min-max entropy percentile; do
	for preset in performance mixed; do
		judge "$estimator, $preset" $preparation --estimator $estimator --preset $preset --equalize off --bias off \
			--rounding nearest --fine off
	done
done
judge "default" $preparation
