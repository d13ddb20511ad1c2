# SPDX-License-Identifier: Apache-2.0
# tarn tune --lengths: the plan beats one maximum and powers of two on the lengths of the text example, is stored, and serves.
cp "$SRC/examples/text/text.onnx" text.onnx
cut -f2 "$SRC/examples/text/samples.tsv" | sed 1d | awk '{ gsub(/\\./, "x"); print length($0) }' >lengths.txt

expect_exit 2 "$TARN" tune -m text.onnx
expect_stderr_contains "--lengths"
expect_exit 2 "$TARN" tune -m text.onnx --lengths lengths.txt
expect_stderr_contains "--bound NAME=MAX"
expect_exit 3 "$TARN" tune -m text.onnx --lengths none.txt --bound length=128
printf '12\n0\n' >bad.txt
expect_exit 3 "$TARN" tune -m text.onnx --lengths bad.txt --bound length=128
expect_stderr_contains "line 2"
expect_exit 3 "$TARN" tune -m text.onnx --lengths lengths.txt --bound length=32
expect_stderr_contains "the bound is 32"
expect_exit 5 "$TARN" tune -m text.onnx --lengths lengths.txt --bound length=128 --max-memory 0.001
expect_stderr_contains "weights alone"
expect_exit 5 "$TARN" tune -m text.onnx --sim 4000 -d NPU --lengths lengths.txt --bound length=128 --max-memory 0.001
expect_stderr_contains "the largest alone"

# modelled: exact, so the plan is never worse than what it is compared with
expect_exit 0 "$TARN" tune -m text.onnx --sim 4000 -d NPU --lengths lengths.txt --bound length=128 -json -o npu.json
expect_json ways[0].name plan
expect_json ways[0].mean_ms.source modelled
expect_json ways[0].sizes 4
expect_json best plan # the NPU takes fixed sizes only
plan=$(json ways[0].mean_ms.value)
pad=$(json ways[0].padding)
expect_json_number ways[1].mean_ms.value ">" "$plan"
expect_json_number ways[2].mean_ms.value ">" "$plan"
expect_json_number ways[1].padding ">" "$pad"
expect_json_number ways[2].padding ">" "$pad"
expect_exit 0 "$TARN" tune -m text.onnx --sim 4000 -d NPU --lengths lengths.txt --bound length=128 --max-buckets 2 -json -o two.json
expect_json ways[0].sizes 2

# memory on the NPU: each size is a program of its own, as large as the file it is compiled to, its inputs and outputs beside it
expect_exit 0 "$TARN" convert -m text.onnx --fix batch=1 --bound length=128 -o whole.onnx
expect_exit 0 "$TARN" compile -m whole.onnx -d NPU --sim 4000 -o whole.blob
file=$(wc -c <whole.blob)
for megabytes in 0.3 0.45 0.7 2; do
	expect_exit 0 "$TARN" tune -m text.onnx --sim 4000 -d NPU --lengths lengths.txt --bound length=128 --max-memory $megabytes --max-buckets 9 -json -o fits.json
	expect_json own_weights true
	limit=$(awk "BEGIN { print $megabytes * 1e6 }")
	expect_json_number memory_bytes "<=" "$limit"
	largest=$(tr ',' '\n' <fits.json | sed -n 's/.*"memory_bytes": *\([0-9]*\).*/\1/p' | tail -1)
	[ "$largest" -ge "$((file - 4096))" ] && [ "$largest" -le "$((file + 65536))" ] ||
		fail "the largest size takes $largest bytes; compiled, its file has $file"
	expect_json_number ways[0].sizes ">=" "${sizes:-1}"
	sizes=$(json ways[0].sizes)
done
[ "$sizes" -gt 3 ] || fail "2 MB hold more than $sizes sizes"

# lengths as an array: any integers from 1 on will do
"$BUILD/bin/examples/text-lengths" --arrays "$SRC/examples/text/samples.tsv" 4 4 small || fail "no data"
expect_exit 0 "$TARN" tune -m text.onnx --sim 4000 -d NPU --lengths small/input_ids.npy --bound length=128 -json -o array.json
expect_json inputs 16
expect_exit 3 "$TARN" tune -m text.onnx --sim 4000 -d NPU --lengths small/position_ids.npy --bound length=128
expect_stderr_contains "0 is no length"

# measured on the CPU; stored beside the model
expect_exit 0 "$TARN" tune -m text.onnx --lengths lengths.txt --bound length=128
expect_stdout_contains "powers of two"
expect_stdout_contains "measured"
expect_stdout_contains "free sizes"
expect_file text.onnx.tarn.json

# the plan serves: any length, true sizes
"$BUILD/bin/examples/text-lengths" --arrays "$SRC/examples/text/samples.tsv" 19 1 data || fail "no data"
for args in "-d CPU --plan text.onnx.tarn.json" "-d NPU --sim 4000 --plan npu.json"; do
	# shellcheck disable=SC2086
	expect_exit 0 "$TARN" run -m text.onnx $args -i input_ids=data/input_ids.npy -i attention_mask=data/attention_mask.npy -i position_ids=data/position_ids.npy -json
	expect_json outputs[0].shape "[1,6]"
done
expect_exit 0 "$TARN" run -m text.onnx -d NPU --sim 4000 -shape 'input_ids[1,1..40],attention_mask[1,1..40],position_ids[1,1..40]' -i input_ids=data/input_ids.npy -i attention_mask=data/attention_mask.npy -i position_ids=data/position_ids.npy -json
expect_stderr_lacks reshaped
expect_exit 0 "$TARN" bench -m text.onnx -d NPU --sim 4000 --plan npu.json -data_shape 'input_ids[1,30],attention_mask[1,30],position_ids[1,30]' -niter 3 -json
# all sizes are one entry of the cache
for compilations in 4 0; do
	expect_exit 0 "$TARN" bench -m text.onnx -d NPU --sim 4000 --plan npu.json -cache_dir kept -data_shape 'input_ids[1,30],attention_mask[1,30],position_ids[1,30]' -niter 2 -json
	expect_json compilations "$compilations"
done
[ "$(ls kept | wc -l)" = 1 ] || fail "$(ls kept | wc -l) files in the cache"
sed 's/"buckets": "/"buckets": "length=9,3;/' npu.json >bad.json
expect_exit 2 "$TARN" bench -m text.onnx -d NPU --sim 4000 --plan bad.json -niter 1
expect_stderr_contains "must ascend"
head -c 300 npu.json >cut.json
expect_exit 3 "$TARN" run -m text.onnx --plan cut.json -i input_ids=data/input_ids.npy

# the same from a program with OpenVINO's API alone
expect_exit 0 env TARN_NPU=sim:4000 "$BUILD/examples/any_length" text.onnx NPU 40
expect_stdout_contains "13 in: 13x6 out"
expect_stdout_contains "40 in: 40x6 out"

# lengths as they come: one maximum at first, then sizes planned from the traffic; padding as counted here
head -n 12 lengths.txt >small.txt
learn="$TARN tune -m text.onnx -d NPU --sim 4000 --every 40 --gain 0.02"
head -n 80 lengths.txt >traffic.txt
learned()
{
	expect_json traffic 80
	expect_json switches 1
	expect_json events.# 1
	expect_json plan learned.json
	n=$(json inputs)
	[ "$n" -ge 40 ] && [ "$n" -le "$(json events[0].after)" ] || fail "planned from $n inputs"
	sizes=$(json buckets | sed 's/length=//; s/;.*//')
	head -n "$n" traffic.txt | awk -v sizes="$sizes" '{ k = split(sizes, s, ","); i = 1; while (s[i] < $1) i++
		sum += $1; in_sizes += s[i]; in_one += 128 }
		END { printf "%.5f %.5f\n", 1 - sum / in_sizes, 1 - sum / in_one }' >waste.txt
	read -r plan one <waste.txt
	near "$(json events[0].padding)" "$plan"
	near "$(json events[0].padding_before)" "$one"
	near "$(json ways[1].padding)" "$one"
}
near() { awk "BEGIN { d = $1 - $2; exit !(d < 2e-5 && d > -2e-5) }" || fail "padding $1, counted $2"; }
# shellcheck disable=SC2086
expect_exit 0 $learn --learn traffic.txt --bound length=128 -o learned.json --json
learned
expect_exit 0 sh -c "$learn --learn - --bound 'input_ids[1]=128' -o learned.json --json <traffic.txt"
learned
expect_exit 0 "$TARN" bench -m text.onnx -d NPU --sim 4000 --plan learned.json -data_shape 'input_ids[1,30],attention_mask[1,30],position_ids[1,30]' -niter 2 --json
# shellcheck disable=SC2086
{
	expect_exit 0 $learn --every 10 --gain 0.9 --learn small.txt --bound length=128 -o none.json
	expect_stdout_contains "nothing stored"
	expect_no_file none.json
	expect_exit 0 $learn --every 10 --learn small.txt --bound length=128 -o learned.json
	expect_stdout_contains "against one maximum"
	expect_stdout_contains "-> learned.json"
	expect_exit 3 $learn --learn small.txt --bound length=128
	expect_stderr_contains "a plan is made after 40"
	expect_exit 3 $learn --learn lengths.txt --bound length=32
	expect_stderr_contains "is more than the bound of 'length', 32"
	expect_exit 3 $learn --learn bad.txt --bound length=64
	expect_stderr_contains "line 2"
	expect_exit 3 $learn --learn none.txt --bound length=64
	expect_exit 2 $learn --learn lengths.txt --lengths lengths.txt --bound length=128
}
