# SPDX-License-Identifier: Apache-2.0
W=$BUILD/tests/write_model
"$W" m.onnx 2 3
"$W" free.onnx -1 3
"$W" x.npy 2 3
"$W" flat.npy 6
"$W" long.npy 4 3
"$W" wrong.npy 5

# y = 2x + 1 with x = 0..5: the bytes of y are those of an array we can write down.
little_endian_f32() { od -An -v -tf4 -j128 "$1" | tr -s ' \n' ' ' | sed 's/^ //; s/ $//'; }

for device in CPU REF; do
	for how in x=x.npy x:x.npy x.npy flat.npy; do
		rm -rf out
		expect_exit 0 "$TARN" run -m m.onnx -d $device -i $how -o out/deep
		expect_file out/deep/y.npy
		got=$(little_endian_f32 out/deep/y.npy)
		[ "$got" = "1 3 5 7 9 11" ] || fail "y is '$got'"
	done
	# Free dimensions take the data's.
	expect_exit 0 "$TARN" run -m free.onnx -d $device -i long.npy --json
	expect_json outputs[0].name y
	expect_json outputs[0].shape "[4,3]"
	expect_json outputs[0].max 23
	expect_json device $device
done

bad_data()
{
	expect_exit "$1" "$TARN" run "$3" "$4" "$5" "$6" -o bad
	expect_stderr_lines 1
	expect_stderr_contains "$2"
	expect_no_file bad
}
bad_data 3 "wrong.npy" -m m.onnx -i wrong.npy
bad_data 3 "absent.npy" -m m.onnx -i absent.npy
bad_data 3 "absent.onnx" -m absent.onnx -i x.npy
bad_data 3 "m.onnx" -m m.onnx -i m.onnx
head -c 60 m.onnx >cut.onnx
bad_data 3 "cut.onnx" -m cut.onnx -i x.npy
expect_exit 2 "$TARN" run -m m.onnx
expect_stderr_contains "input 'x' has no data; add -i x="
expect_exit 2 "$TARN" run -m m.onnx -i x.npy -i x.npy
expect_stderr_contains "given twice"
expect_exit 4 "$TARN" run -m m.onnx -d TPU -i x.npy
expect_stderr_contains "there is no device 'TPU'"
