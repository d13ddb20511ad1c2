# SPDX-License-Identifier: Apache-2.0
# The model is y = 2x + 1 with three "classes"; samples count upwards, so class 2 always wins, class 1 comes second.
W=$BUILD/tests/write_model
"$W" free.onnx -1 3
"$W" two.onnx 2 3
"$W" four.onnx 1 4
"$W" x.npy 5 3
printf 'row,name,class\n0,a,2\n1,b,2\n2,c,0\n3,d,1\n4,e,2\n' >labels.csv

near()
{
	expect_json_number "$1" '>' "$2"
	expect_json_number "$1" '<' "$3"
}

for device in CPU REF; do
	for model in free.onnx two.onnx; do # five samples in batches of eight, and of two
		expect_exit 0 "$TARN" accuracy -m $model -d $device --data x.npy --labels labels.csv --label-column class --json
		expect_json n 5
		near top1 0.599 0.601
		expect_json top5 1
		# Wilson's interval for 3 of 5, from his formula with z = 1.959964
		near ci95[0] 0.230723 0.230725
		near ci95[1] 0.882378 0.882380
	done
done
expect_exit 0 "$TARN" accuracy -m free.onnx --data x.npy --labels labels.csv --label-column class --skip 1 --first 2 -nireq 3 --json
expect_json n 2
expect_json top1 0.5
expect_exit 0 "$TARN" accuracy -m free.onnx --data x.npy --reference two.onnx --json
expect_json agreement 1
expect_exit 0 "$TARN" accuracy -m free.onnx --data x.npy --labels labels.csv --label-column class
expect_stdout_contains "60.00 %  (95 % interval 23.07 to 88.24), 3 of 5, measured"

# With labels and a reference: what is lost, sample by sample. The same model loses nothing, and of five samples that proves
# little: the interval is 100 * 1.959964 * sqrt(2 / 7 / 7) = 39.597.
expect_exit 0 "$TARN" accuracy -m free.onnx --data x.npy --reference two.onnx --labels labels.csv --label-column class --json
near reference_top1 0.599 0.601
expect_json drop.points 0
expect_json drop.lost 0
expect_json drop.gained 0
near drop.ci95[0] -39.598 -39.596
near drop.ci95[1] 39.596 39.598
expect_json drop.p 1
expect_exit 0 "$TARN" accuracy -m free.onnx --data x.npy --reference two.onnx --labels labels.csv --label-column class
expect_stdout_contains "0.00 points  (95 % interval -39.60 to 39.60, paired), 0 lost, 0 gained"

bad()
{
	expect_exit "$1" "$TARN" accuracy "$3" "$4" "$5" "$6" "$7" "$8" "$9"
	expect_stderr_lines 1
	expect_stderr_contains "$2"
}
bad 2 "nothing to compare with" -m free.onnx --data x.npy -nireq 1 --skip=0
bad 2 "no data" -m free.onnx --labels labels.csv -nireq 1 --skip=0
bad 3 "labels.csv" -m free.onnx --data x.npy --labels labels.csv --skip=0
bad 3 "no column 'klass'" -m free.onnx --data x.npy --labels labels.csv --label-column=klass
bad 3 "absent.npy" -m free.onnx --data absent.npy --labels labels.csv --label-column=class
bad 3 "samples are [3], the input takes [1,4]" -m four.onnx --data x.npy --labels labels.csv --label-column=class
printf 'row,class\n0,2\n1,2\n2,0\n3,3\n4,2\n' >large.csv
bad 3 "row 3 of x.npy: class 3, but the model scores 3" -m free.onnx --data x.npy --labels large.csv --skip=0
