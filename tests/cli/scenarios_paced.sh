# SPDX-License-Identifier: Apache-2.0
# Planted causes on the clock: the simulated NPU paced, JPEGs decoded for real. On demand, on a machine that does nothing else
# (the verdict would rightly name the other programs): sh tests/cli/run.sh build "$PWD/tests/cli/scenarios_paced.sh"
DIGITS=$BUILD/bin/examples/make-digits
"$TARN" synth peak --int8 -o peak8.onnx >/dev/null 2>&1
"$TARN" synth peak -o peak.onnx >/dev/null 2>&1
"$TARN" synth bert-base -o bert.onnx >/dev/null 2>&1
"$TARN" synth mobilenet-v2 --int8 -o mobile8.onnx >/dev/null 2>&1
"$TARN" synth mobilenet-v2 -o mobile.onnx >/dev/null 2>&1
"$TARN" synth yolov8n -o yolo.onnx >/dev/null 2>&1
"$DIGITS" "$SRC/examples/digits/glyphs.png" jpeg 12 3 photos || fail "no images"
n=0
right=0
accused=0
# scenario CAUSE FLAGS...
scenario()
{
	cause=$1
	shift
	"$TARN" bench -d NPU --paced -t 2 "$@" --json >stdout 2>stderr || fail "tarn bench $*: $(cat stderr)"
	got=$(json verdict.name)
	n=$((n + 1))
	if [ "$got" = "$cause" ]; then
		right=$((right + 1))
		mark=
	else
		mark="   <---"
		[ "$cause" != healthy ] || [ "$got" = uncertain ] || accused=$((accused + 1))
	fi
	printf '%-24s %-24s busy %3.0f %%  %s%s\n' "$cause" "$got" "$(awk -v b="$(json utilization.busy)" 'BEGIN {print 100 * b}')" "$*" "$mark"
}
for platform in 3720 4000; do
	sim="--sim $platform"
	# shellcheck disable=SC2086 # several words
	{
		scenario healthy $sim -m peak8.onnx -nireq 4
		scenario healthy $sim -m peak8.onnx -nireq 8 -p NPU_TURBO=YES
		scenario compute $sim -m peak.onnx -nireq 4
		scenario compute $sim -m yolo.onnx -nireq 4
		scenario "too little parallelism" $sim -m peak8.onnx -nireq 4 -p NPU_TILES=1
		scenario "too little parallelism" $sim -m mobile8.onnx -nireq 8
		scenario clock $sim -m peak8.onnx -nireq 4 -p WORKLOAD_TYPE=EFFICIENT
		scenario "data preparation" $sim -m mobile.onnx --live photos -nireq 4 --workers 1
		scenario "data preparation" $sim -m mobile.onnx --live photos -nireq 4 --workers 2
		scenario "data preparation" $sim -m mobile.onnx --live photos -api sync
	}
done
scenario "memory bandwidth" --sim 4000 -m bert.onnx -nireq 4
echo "$right of $n named right, $accused healthy accused"
[ $((right * 10)) -ge $((n * 9)) ] && [ $accused = 0 ] || fail "the verdict is not to be trusted here"
