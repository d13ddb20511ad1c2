# SPDX-License-Identifier: Apache-2.0
W=$BUILD/tests/write_model
"$W" m.onnx 2 3
"$W" free.onnx -1 3
"$W" x.npy 2 3

# y = 2x + 1 with x = 0..5, through the IR and back.
check_y()
{
	rm -rf out
	expect_exit 0 "$TARN" run -m "$1" -d REF -i x.npy -o out
	got=$(od -An -v -tf4 -j128 out/y.npy | tr -s ' \n' ' ' | sed 's/^ //; s/ $//')
	[ "$got" = "1 3 5 7 9 11" ] || fail "y of $1 is '$got'"
}
expect_exit 0 "$TARN" convert -m m.onnx -o ir.xml
expect_file ir.xml
expect_file ir.bin
check_y ir.xml
expect_exit 0 "$TARN" convert -m ir.xml -o back.onnx --json
expect_json file back.onnx
check_y back.onnx

expect_exit 0 "$TARN" convert -m free.onnx -o free.xml
grep -q 'shape="?,3"' free.xml || fail "the free size is not in free.xml"
expect_exit 0 "$TARN" convert -m free.onnx -o static.xml -shape 'x[2,3]'
grep -q 'shape="2,3"' static.xml || fail "the size is not in static.xml"
check_y static.xml

expect_exit 2 "$TARN" convert -m m.onnx
expect_exit 3 "$TARN" convert -m m.onnx -o m.tflite
expect_stderr_lines 1
expect_no_file m.tflite
head -c 200 ir.xml >cut.xml
cp ir.bin cut.bin
expect_exit 3 "$TARN" convert -m cut.xml -o never.onnx
expect_stderr_lines 1
expect_no_file never.onnx
