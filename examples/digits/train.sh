#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Trains the network of digits.onnx from random weights, on images that make-digits draws, and says how it does on unseen fonts.
# usage: examples/digits/train.sh OUT.onnx [BUILD]     about half an hour on two cores
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$1
build=$(cd "${2:-$here/../../build}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
draw() { "$build/bin/examples/make-digits" "$here/glyphs.png" "$1" "$2" "$3" "$work/$1$3.npy" "$work/$1$3-labels.npy"; }
draw train 20000 11
draw train 40000 21
draw test 4000 12
# first coarse, then on more images with smaller steps
"$build/bin/tarn" train -m "$here/digits.onnx" --init --data "$work/train11.npy" --labels "$work/train11-labels.npy" \
	--epochs 10 --lr 3e-2 --holdout 0.05 -o "$work/coarse.onnx"
"$build/bin/tarn" train -m "$work/coarse.onnx" --data "$work/train21.npy" --labels "$work/train21-labels.npy" \
	--epochs 6 --lr 1.5e-2 --holdout 0.025 -seed 2 -o "$out"
for model in "$here/digits.onnx" "$out"; do
	"$build/bin/tarn" accuracy -m "$model" --data "$work/test12.npy" --labels "$work/test12-labels.npy"
done
