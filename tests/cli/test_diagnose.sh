# SPDX-License-Identifier: Apache-2.0
# Experiments stand beside what was promised. How large gains are depends on what else this machine does; which verdict follows from which
# counters, and whether promises are kept, is the unit tests' matter (unit.diag).
"$TARN" synth mobilenet-v2 --int8 -o net.onnx >/dev/null 2>&1
gain_of()
{
	sed 's/}, *{/}\n{/g' stdout | sed -n "s/.*\"change\": *\"$1\".*\"$2\": *\([0-9.e+-]*\).*/\1/p" | head -1
}
expect_exit 0 "$TARN" diagnose -m net.onnx -d NPU --sim 3720 -p NPU_TILES=1 -nireq 4 -t 0.2 --json
expect_json mode paced
[ -n "$(json verdict.sentence)" ] || fail "no verdict"
for change in requests tiles turbo; do
	[ -n "$(gain_of "$change" gain)" ] || fail "'$change' was not tried"
done
awk -v p="$(gain_of tiles predicted_gain)" 'BEGIN {exit !(p > 0.99 && p < 2)}' || fail "all tiles are promised to gain $(gain_of tiles predicted_gain)"
expect_json turbo.read_back YES
[ -n "$(json turbo.sentence)" ] || fail "no word on turbo"
expect_json_number waterfall.achieved ">" 0
# The clock as it is modelled, and what is asked for can be left out.
TARN_NPU_CLOCK=50 expect_exit 0 "$TARN" bench -m net.onnx -d NPU --sim 3720 -paced -t 0.2 --json
expect_json_number state.device_mhz ">" 640
expect_json_number state.device_mhz "<" 660
expect_json state.device_mhz_nominal 1300
# What finds no time is listed.
expect_exit 0 "$TARN" diagnose -m net.onnx -d NPU --sim 3720 -p NPU_TILES=1 -t 0.1 --time-budget 0.01
expect_stdout_contains "the time budget is spent"
expect_exit 2 "$TARN" diagnose -m net.onnx -t 0.1 --time-budget 0
# On the CPU, as text.
"$BUILD/tests/write_model" m.onnx 1 3 48 64
expect_exit 0 "$TARN" diagnose -m m.onnx -t 0.1
expect_stdout_contains "Verdict: "
expect_stdout_contains "Next: "
expect_stdout_contains "Host time: "
# Layers of the CPU under a roofline that was measured; each is named as in the model.
expect_exit 0 "$TARN" diagnose -m net.onnx -t 0.2 -api sync -time_budget 30 --json
expect_json_number roofline.bandwidth.value ">" 0
expect_json roofline.bandwidth.source measured
expect_json_number roofline.peak.value ">" 0
sed 's/}, *{/}\n{/g' stdout | sed -n 's/.*"macs": *\([0-9]*\), *"bytes".*/\1/p' | awk '{n += $1} END {exit !(n > 290e6 && n < 315e6)}' ||
	fail "the layers do not share the products of the model"
expect_json_number utilization.ddr ">" 0
expect_exit 2 "$TARN" diagnose -m m.onnx -t 0
expect_exit 2 "$TARN" diagnose
expect_exit 4 "$TARN" diagnose -m m.onnx -d NPU -t 0.1
# The network made for it: both platforms come close to their peak, and the parts add up.
for platform in 3720 4000; do
	expect_exit 0 "$TARN" diagnose --peak -d NPU --sim $platform -t 0.2 --json
	awk -v i="$(json int8.advertised)" -v p=$platform 'BEGIN {w = p == 3720 ? 11.469 : 47.923; exit !(i > w - 0.01 && i < w + 0.01)}' ||
		fail "advertised are $(json int8.advertised)"
	expect_json_number int8.waterfall.achieved ">" 0
	# At the nominal clock 87 (4000) and 93 % (3720) of the advertised are left; stalls take next to nothing of that.
	expect_json_number "int8.waterfall.losses[5].loss" "<" 1
done
[ -z "$(find "${TMPDIR:-/tmp}" -name "tarn-int8-$$-*" 2>/dev/null)" ] || fail "a file was left behind"
