#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What 8 and 4 bits for the weights cost the two networks here, calibrated, and trained afterwards: the table of the README, as Markdown.
# usage: examples/trained.sh [BUILD]     about a minute on two quiet cores
set -eu
cd "$(dirname "$0")/.."
BUILD=${1:-build}
TARN=$BUILD/bin/tarn
EX=$BUILD/bin/examples
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
get() { "$BUILD/tests/jsonq" "$@"; }
quiet() { "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }; }

quiet "$EX/make-digits" examples/digits/glyphs.png train 300 8 "$work/digits.npy" "$work/labels300.npy"
quiet "$EX/make-digits" examples/digits/glyphs.png test 20000 7 "$work/test.npy" "$work/labels.npy"
quiet "$EX/text-lengths" --arrays examples/text/samples.tsv 64 360 "$work/texts"
digits_data=(--data "$work/digits.npy")
text_data=(--data "input_ids=$work/texts/input_ids.npy" --data "attention_mask=$work/texts/attention_mask.npy"
	--data "position_ids=$work/texts/position_ids.npy")

# quantize NAME NETWORK FLAGS...: NAME.onnx and its report
quantize() {
	local name=$1 network=$2
	local -n data=${network}_data
	shift 2
	"$TARN" quantize -m "examples/$network/$network.onnx" "${data[@]}" "$@" -o "$work/$name.onnx" --json >"$work/$name.json" 2>"$work/log" ||
		{ cat "$work/log" >&2; exit 1; }
}
db() { LC_ALL=C printf '%.1f dB' "$(get "$work/$1.json" sqnr_db.scores)"; }
percent() { LC_ALL=C awk "BEGIN { printf \"%.2f\", 100 * $1 }"; }
top1() {
	"$TARN" accuracy -m "$1" --data "$work/test.npy" --labels "$work/labels.npy" --json >"$work/accuracy.json" 2>/dev/null
	percent "$(get "$work/accuracy.json" top1)"
}
# how many of the texts kept out of training get the class that the float model gives: before or after training
agree() { LC_ALL=C awk "BEGIN { printf \"%.0f\", $(get "$work/qat.json" "training.$1.right") * $(get "$work/qat.json" training.held_out) }"; }
echo "| network | weights | signal to noise of the scores, calibrated | trained (QAT) | top-1: float, calibrated, trained |"
echo "|---|---|---|---|---|"
float=$(top1 examples/digits/digits.onnx)
for bits in 8 4; do
	quantize ptq digits --weight-bits $bits
	quantize qat digits --weight-bits $bits --qat
	echo "| digits, 300 images | $bits bits | $(db ptq) | $(db qat) | $float, $(top1 "$work/ptq.onnx"), $(top1 "$work/qat.onnx") % of 20000 |"
done
for bits in 8 4; do
	quantize ptq text --weight-bits $bits
	quantize qat text --weight-bits $bits --qat
	echo "| text, 360 texts | $bits bits | $(db ptq) | $(db qat) | same class as float: $(agree before), $(agree after) of $(get "$work/qat.json" training.held_out) kept out |"
done
