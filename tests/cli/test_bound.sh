# SPDX-License-Identifier: Apache-2.0
# Free dimensions as a maximum with a valid length: y = 2x + 1 for x of [n,3].
W=$BUILD/tests/write_model
"$W" free.onnx -1 3
"$W" x.npy 2 3
"$W" long.npy 9 3
"$W" net net.onnx -1
values() { od -An -v -tf4 -j128 "$1" | tr -s ' \n' ' ' | sed 's/^ //; s/ $//'; }

for ending in onnx xml; do
	expect_exit 0 "$TARN" convert -m free.onnx -o bounded.$ending --bound n=5 --json
	expect_json bounds[0].name n
	expect_json bounds[0].max 5
	expect_json bounds[0].length_input valid_length
	for fill in zero nan random; do
		for how in "free.onnx --bound n=5" "free.onnx --bound x[0]=5" bounded.$ending; do
			rm -rf out
			# shellcheck disable=SC2086 # several words
			expect_exit 0 "$TARN" run -m $how -i x.npy --pad-fill $fill -o out --json
			expect_json bounds[0].valid 2
			expect_json outputs[0].shape "[2,3]"
			got=$(values out/y.npy)
			[ "$got" = "1 3 5 7 9 11" ] || fail "y is '$got'"
		done
	done
done
expect_exit 0 "$TARN" run -m free.onnx --bound n=5 -i x.npy
expect_stdout_contains "60.0 % is padding"

expect_exit 3 "$TARN" run -m free.onnx --bound n=5 -i long.npy -o none
expect_stderr_lines 1
expect_stderr_contains "has 9 elements along 'n', its bound is 5"
expect_no_file none
expect_exit 0 "$TARN" run -m free.onnx --bound n=5 -i long.npy --truncate --json
expect_json truncated 1
expect_json bounds[0].cut_off 4
expect_json outputs[0].shape "[5,3]"
expect_json outputs[0].max 29

# CODE MESSAGE MODEL VALUE [OPTION]
refused()
{
	expect_exit "$1" "$TARN" convert -m "$3" "${5:---bound}" "$4" -o none.onnx
	expect_stderr_lines 1
	expect_stderr_contains "$2"
	expect_no_file none.onnx
}
refused 3 "x[0] (n)" free.onnx m=5
refused 2 "write NAME=MAX" free.onnx n
refused 2 "write NAME=MAX" free.onnx n=five
refused 2 "write NAME=MAX" free.onnx n=0
refused 2 "out of range" free.onnx n=99999999999
refused 2 "write NAME=MAX" free.onnx n=5@
refused 3 "called 'm'" free.onnx n=5@m
refused 2 "bound 'n', too" free.onnx n=5@n
expect_exit 2 "$TARN" run -m free.onnx --bound n=5 -i x.npy --pad-fill ones
expect_exit 2 "$TARN" convert -m free.onnx --bound n=5 --bound x[0]=5 -o none.onnx
expect_stderr_contains "bound it once"

# Where nothing says how much is valid, everything is: a benchmark of no images would be a short one.
expect_exit 0 "$TARN" convert -m net.onnx --bound n=4 -o measured.onnx
expect_exit 0 "$TARN" bench -m measured.onnx -d CPU -niter 2 -nireq 1 -inference_only false --json
rm measured.onnx

# Batches of images: nothing mixes along the batch, so that nothing has to be repaired.
expect_exit 0 "$TARN" convert -m net.onnx --bound n=4 -o batch.onnx --json
expect_json repairs 0
expect_json repair_cost.elements 0

# One size, or one value, instead of a bound: y = 2x + 1 as before, and nothing is padded.
for how in "n=2" "x[0]=2"; do
	expect_exit 0 "$TARN" convert -m free.onnx --fix "$how" -o two.onnx
	rm -rf out
	expect_exit 0 "$TARN" run -m two.onnx -i x.npy -o out --json
	expect_json outputs[0].shape "[2,3]"
	got=$(values out/y.npy)
	[ "$got" = "1 3 5 7 9 11" ] || fail "y is '$got'"
	expect_exit 3 "$TARN" run -m free.onnx --fix "$how" -i long.npy
done
unfixed() { refused "$@" --fix; }
unfixed 3 "there are x[0] (n)" free.onnx m=5
unfixed 2 "write NAME=VALUE" free.onnx n
unfixed 2 "write NAME=VALUE" free.onnx n=five
unfixed 2 "whole number from 1 on" free.onnx n=0
unfixed 2 "whole number from 1 on" free.onnx n=2.5
unfixed 3 "is 3 already" free.onnx "x[1]=4"
unfixed 3 "x[0] (n)" free.onnx "x[2]=4"
unfixed 3 "free dimensions; fix these first" free.onnx x=1
expect_exit 3 "$TARN" convert -m free.onnx -shape "x[1..8,3]" --fix "x[0]=9" -o none.onnx
expect_stderr_contains "at most 8"
expect_exit 3 "$TARN" convert -m free.onnx --fix n=2 --fix "x[0]=3" -o none.onnx
expect_stderr_contains "is 2 already"
expect_exit 0 "$TARN" bench -m free.onnx --fix n=4 -d CPU -niter 2 -nireq 1 --json
expect_exit 0 "$TARN" compile -m free.onnx --fix n=4 -d NPU --sim 4000 -o four.blob
rm four.blob
