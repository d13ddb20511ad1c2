#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Trains the network of text.onnx from random weights, on snippets of this project's files, and says how it does on the texts of
# samples.tsv, which come from files that training leaves out.
# usage: examples/text/train.sh OUT.onnx [BUILD]       about ten minutes on two cores
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$1
build=$(cd "${2:-$here/../../build}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$here/../.." && git ls-files | "$build/bin/examples/text-snippets" "$here/samples.tsv" 64 16000 3 "$work/snippets")
"$build/bin/tarn" train -m "$here/text.onnx" --init --data "input_ids=$work/snippets/input_ids.npy" \
	--data "attention_mask=$work/snippets/attention_mask.npy" --data "position_ids=$work/snippets/position_ids.npy" \
	--labels "$work/snippets/labels.npy" --epochs 1 --train-batch 24 --lr 2e-2 --holdout 0.02 -o "$out"
for model in "$here/text.onnx" "$out"; do
	"$build/bin/examples/text-lengths" "$model" "$here/samples.tsv" 128 360 1
done
