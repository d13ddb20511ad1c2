#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Trains the network of digits.onnx from random weights, on images that make-digits draws, and says how it does on unseen fonts.
# The digits.onnx that is here was made so. One thread: the same bits on every machine of the same instruction set.
# usage: examples/digits/train.sh OUT.onnx [BUILD]     about ten minutes on one core
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$1
build=$(cd "${2:-$here/../../build}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
draw() { "$build/bin/examples/make-digits" "$here/glyphs.png" "$1" "$2" "$3" "$work/$1$3.npy" "$work/$1$3-labels.npy"; }
draw train 20000 11
draw train 100000 31
draw test 4000 12
# first coarse, then on more images with smaller steps
"$build/bin/tarn" train -m "$here/digits.onnx" --init --data "$work/train11.npy" --labels "$work/train11-labels.npy" \
	--epochs 10 --lr 3e-2 --holdout 0.05 -nthreads 1 -o "$work/coarse.onnx"
"$build/bin/tarn" train -m "$work/coarse.onnx" --data "$work/train31.npy" --labels "$work/train31-labels.npy" \
	--epochs 8 --lr 2e-2 --holdout 0.01 -seed 2 -nthreads 1 -o "$out"
for model in "$here/digits.onnx" "$out"; do
	"$build/bin/tarn" accuracy -m "$model" --data "$work/test12.npy" --labels "$work/test12-labels.npy"
done
