# SPDX-License-Identifier: Apache-2.0
# Files to be written: what cannot be is refused before any work, naming the file and what to do; the model itself is never overwritten.
"$BUILD/tests/write_model" m.onnx 2 3
mkdir folder
cp m.onnx kept.onnx
ln -s m.onnx link.onnx

refused() # EXIT TEXT COMMAND...
{
	exit_code=$1 text=$2
	shift 2
	expect_exit "$exit_code" "$TARN" "$@"
	expect_stderr_lines 1
	expect_stderr_contains "$text"
	[ ! -s stdout ] || fail "stdout is not empty"
}
# The folder is missing, the path is a folder, the path is the model: each command that writes a file.
for command in 'convert -m m.onnx -o' 'compile -m m.onnx -o' 'synth mobilenet-v2 -o' 'quantize -m m.onnx --data x.npy -o' 'tune -m m.onnx -o' \
	'train -m m.onnx --data x.npy --labels y.npy -o' 'check -m m.onnx --html' 'bench -m m.onnx --trace' 'bench -m m.onnx --html' \
	'diagnose -m m.onnx --html' 'quantize -m m.onnx --data x.npy -o q.onnx --qat --checkpoint'; do
	# shellcheck disable=SC2086 # words
	refused 1 "absent/o.onnx cannot be written: there is no folder absent; make it first" $command absent/o.onnx
	# shellcheck disable=SC2086
	refused 1 "folder cannot be written: it is a folder; give the name of a file" $command folder
	case $command in
	synth*) ;;
	*)
		for model in m.onnx link.onnx ./m.onnx; do
			# shellcheck disable=SC2086
			refused 2 "$model is the model itself, which is not overwritten; give another name" $command $model
		done ;;
	esac
done
refused 1 "absent/benchmark_report.json cannot be written" bench -m m.onnx -report_folder absent
cmp -s m.onnx kept.onnx || fail "the model was overwritten"

mkdir locked
chmod 555 locked
if [ ! -w locked ]; then # root may write everywhere
	refused 1 "locked/q.onnx cannot be written: Permission denied; write to a folder that is yours" convert -m m.onnx -o locked/q.onnx
fi

# Output that is lost is an error, also when nobody gave a stream to write to.
if [ -c /dev/full ]; then
	for command in help 'help bench' devices; do
		# shellcheck disable=SC2086
		expect_exit 1 sh -c '"$@" >/dev/full' - "$TARN" $command
		expect_stderr_contains "the output could not be written"
	done
fi
expect_exit 1 sh -c '"$@" <&- >&- 2>&-' - "$TARN" convert -m m.onnx -o closed.onnx
expect_exit 0 "$TARN" check -m closed.onnx

# What is no file gets the bytes and stays what it is.
mkfifo pipe
cat pipe >page & reader=$!
expect_exit 0 "$TARN" check -m m.onnx --html pipe
wait "$reader"
[ -p pipe ] || fail "the pipe was replaced"
grep -q '<!DOCTYPE html>' page || fail "the page did not go through the pipe"

# Files that are not what their names say, each named.
: >empty.blob
printf 'no blob at all' >bad.blob
: >empty.npy
printf 'not numpy' >bad.npy
refused 3 "empty.blob: the file is empty" run -m empty.blob
refused 3 "bad.blob: " run -m bad.blob
refused 3 "folder: a folder; give a file" check -m folder
refused 3 "empty.npy: the file is empty" run -m m.onnx -i empty.npy
refused 3 "bad.npy: no npy file" run -m m.onnx -i bad.npy
refused 3 "the file is empty; in 'empty.npy'" quantize -m m.onnx --data empty.npy -o q.onnx
refused 3 "neither npy nor idx" quantize -m m.onnx --data bad.npy -o q.onnx
refused 2 "-i 'other=bad.npy' names no input; write NAME=FILE with one of: x" run -m m.onnx -i other=bad.npy
[ -z "$(find . -name '*.tmp' -o -name '*.new')" ] || fail "temporary files are left"

# A variable that makes no sense is named.
expect_exit 0 env ZE_INTEL_NPU_CACHE_SIZE=lots "$TARN" bench -m m.onnx -d NPU --sim 4000 -niter 1
expect_stderr_contains "ZE_INTEL_NPU_CACHE_SIZE cannot be 'lots'"
