# SPDX-License-Identifier: Apache-2.0
# HTML reports: whole by themselves, and in a real browser without a word of complaint, with the very figures of the JSON.
"$BUILD/tests/write_model" net net.onnx 1 || fail "no model"
mkdir '<' && mv net.onnx '</script><b>&net.onnx' # a folder named <, a file named script>...
expect_exit 0 "$TARN" bench -m '</script><b>&net.onnx' -d NPU --sim 4000 --paced -api async -nireq 2 -niter 20 -pc --html page.html --json
cp stdout report.json
expect_file page.html
grep -qE '(src|href)="?(http|//)|@import|url\(' page.html && fail "the page fetches something"
[ "$(grep -c '</script>' page.html)" = 2 ] || fail "a name of the model ended a script"
expect_exit 1 "$TARN" bench -m '</script><b>&net.onnx' -niter 1 --html no/such/page.html
expect_stderr_lines 1
expect_no_file no

browser=
for name in chromium-headless-shell chromium chromium-browser google-chrome; do
	[ -n "$browser" ] || browser=$(command -v $name || true)
done
[ -n "$browser" ] || skip "no Chromium here; the page itself was written"
show="$browser --headless --no-sandbox --disable-gpu --user-data-dir=$WORK/browser --virtual-time-budget=2000"
run timeout 60 $show --enable-logging=stderr --v=0 --dump-dom "file://$WORK/page.html"
[ "$code" = 0 ] || skip "Chromium does not start here"
grep -i 'console:\|console(\|uncaught' stderr && fail "the browser complains"
cp stdout dom.html
# Exact numbers of the JSON stand in data-value.
number() { cp report.json stdout; json "$1"; }
for path in latency_ms.median throughput_fps.value compile_ms.value layers[0].time.value peak_rss_mb.value phases.device; do
	value=$(number $path)
	grep -o 'data-value="[^"]*"' dom.html | cut -d'"' -f2 | awk -v wanted="$value" '$1 + 0 == wanted + 0 { found = 1 } END { exit !found }' ||
		fail "$path $value is not on the page"
done
grep -q 'Host and device in time' dom.html || fail "no timeline"
grep -q 'class="verdict"' dom.html || fail "no verdict"
# The page of check: the layers are the model's, and their times and bytes are the whole's.
expect_exit 0 "$TARN" check -m '</script><b>&net.onnx' --html check.html --json
cp stdout report.json
number predicted[1].ddr_bytes.value
[ "$(grep -o '"ddr_bytes": [0-9]*' report.json | awk '{ n += $2 } END { print n + 0 }')" -gt 0 ] || fail "no bytes"
run timeout 60 $show --enable-logging=stderr --v=0 --dump-dom "file://$WORK/check.html"
grep -i 'console:\|console(\|uncaught' stderr && fail "the browser complains about check"
grep -q 'Roofline' stdout || fail "no roofline"
# The page of diagnose.
expect_exit 0 "$TARN" diagnose -m '</script><b>&net.onnx' -d NPU --sim 4000 -nireq 1 -t 0.02 --html diagnose.html --trace diagnose.json --json
cp stdout report.json
expect_file diagnose.json
run timeout 60 $show --enable-logging=stderr --v=0 --dump-dom "file://$WORK/diagnose.html"
grep -i 'console:\|console(\|uncaught' stderr && fail "the browser complains about diagnose"
cp stdout dom.html
for title in Verdict Experiments 'advertised rate' 'Host and device in time' 'State of the machine'; do
	grep -q "$title" dom.html || fail "no $title"
done
value=$(number waterfall.achieved)
grep -o 'data-value="[^"]*"' dom.html | cut -d'"' -f2 | awk -v wanted="$value" '$1 + 0 == wanted + 0 { found = 1 } END { exit !found }' ||
	fail "the achieved rate is not on the page"
# On the CPU: its layers under the roofline that was measured.
expect_exit 0 "$TARN" diagnose -m '</script><b>&net.onnx' -t 0.05 -nireq 1 --html cpu.html --json
cp stdout report.json
run timeout 60 $show --enable-logging=stderr --v=0 --dump-dom "file://$WORK/cpu.html"
grep -i 'console:\|console(\|uncaught' stderr && fail "the browser complains about diagnose on the CPU"
grep -q 'Roofline of this host' stdout || fail "no roofline of the CPU"
cp stdout dom.html
value=$(number roofline.bandwidth.value)
[ -n "$value" ] || fail "no bandwidth"
grep -o 'data-value="[^"]*"' dom.html | cut -d'"' -f2 | awk -v wanted="$value" '$1 + 0 == wanted + 0 { found = 1 } END { exit !found }' ||
	fail "the bandwidth is not on the page"
# A picture of it, as wide as a phone: not blank.
run timeout 60 $show --window-size=390,844 --screenshot="$WORK/phone.png" "file://$WORK/page.html"
[ "$(wc -c <phone.png)" -gt 8000 ] || fail "the picture is empty"
