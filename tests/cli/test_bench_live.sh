# SPDX-License-Identifier: Apache-2.0
# Images are decoded inside the loop; the host's shares add up, and the verdict names the planted cause.
DIGITS=$BUILD/bin/examples/make-digits
[ -x "$DIGITS" ] || skip "make-digits is not built"
"$BUILD/tests/write_model" m.onnx 1 3 48 64
"$BUILD/tests/write_model" four.onnx 4 1 64 64
"$DIGITS" "$SRC/examples/digits/glyphs.png" jpeg 6 1 jpgs || fail "no images"

sum_of_phases()
{
	for p in prepare copy_in device copy_out wait other; do json phases.$p; echo; done | awk '{s += $1} END {print s}'
}

for how in "-api sync" "-api async -nireq 1" "-api async -nireq 3 --workers 2" "-api async -nireq 2 --workers 3"; do
	# shellcheck disable=SC2086 # several words
	expect_exit 0 "$TARN" bench -m m.onnx --live jpgs $how -niter 12 --json
	expect_json live jpgs
	expect_json iterations 12
	expect_json batch 1
	awk -v s="$(sum_of_phases)" 'BEGIN {exit !(s > 0.99 && s < 1.01)}' || fail "phases add up to $(sum_of_phases)"
	# How large the shares are depends on what else this machine does; which verdict follows from which shares is the unit tests' matter.
	expect_json_number phases.prepare ">" 0
	expect_json utilization.mac null
	[ -n "$(json verdict.name)" ] || fail "there is no verdict"
	json verdict.sentence | grep -q '[0-9] %' || fail "the verdict cites no figure"
done
expect_exit 0 "$TARN" bench -m m.onnx --live jpgs -api async -nireq 2 --workers 64 -niter 12 --json
expect_json workers 64

# Cheaper preparation of the same images.
expect_exit 0 "$TARN" bench -m m.onnx --live jpgs -api async -nireq 2 --workers 64 --scaled-decode -niter 12 --json
[ "$(json verdict.next)" != "--scaled-decode" ] || fail "the next step was taken already"

expect_exit 0 "$TARN" bench -m m.onnx --live jpgs -niter 10 -api sync
expect_stdout_contains "Verdict: "
expect_stdout_contains "Next: "

# A batch takes as many samples; -resize, -crop and the rest apply.
expect_exit 0 "$TARN" bench -m four.onnx --live jpgs --color GRAY -resize 80 -crop 64,64 -mean_values 127 -scale_values 255 -niter 10 --json
expect_json batch 4
expect_json_number phases.prepare ">" 0

expect_exit 3 "$TARN" bench -m m.onnx --live nowhere -niter 1
expect_stderr_contains nowhere
mkdir empty
expect_exit 3 "$TARN" bench -m m.onnx --live empty -niter 1
expect_stderr_contains "no images"
head -c 2000 jpgs/000_6.jpg >empty/cut.jpg 2>/dev/null || head -c 2000 "$(ls jpgs/*.jpg | head -1)" >empty/cut.jpg
expect_exit 3 "$TARN" bench -m m.onnx --live empty -niter 1
expect_stderr_contains cut.jpg
expect_exit 2 "$TARN" bench -m m.onnx --workers 2 -niter 1
expect_stderr_contains "-live"
expect_exit 2 "$TARN" bench -m m.onnx --live jpgs --workers 0 -niter 1
"$BUILD/tests/write_model" x.npy 1 3 48 64
expect_exit 2 "$TARN" bench -m m.onnx --live jpgs -i x=x.npy -niter 1
expect_stderr_contains "feeds one input"
