# SPDX-License-Identifier: Apache-2.0
# The page of quantize: whole by itself, and in a real browser without complaint, with every layer and the JSON's figures.
"$BUILD/tests/write_model" net net.onnx 1
"$BUILD/tests/write_model" data.npy 40 1 8 8
expect_exit 0 "$TARN" quantize -m net.onnx --data data.npy --max-drop 5 -o q.onnx --html page.html --json
cp stdout report.json
expect_json layers[0].node conv
expect_json layers[0].state int8
expect_json_number layers[0].sqnr_local_db ">" 20
expect_json_number layers[0].used_codes ">" 16
expect_json layers[2].from[0] 1
expect_file page.html
grep -qE '(src|href)="?(http|//)|@import|url\(' page.html && fail "the page fetches something"
expect_exit 2 "$TARN" quantize -m net.onnx --data data.npy --weights int8 -o q.onnx --html page.html

browser=
for name in chromium-headless-shell chromium chromium-browser google-chrome; do
	[ -n "$browser" ] || browser=$(command -v $name || true)
done
[ -n "$browser" ] || skip "no Chromium here; the page itself was written"
run timeout 60 "$browser" --headless --no-sandbox --disable-gpu "--user-data-dir=$WORK/browser" --virtual-time-budget=2000 \
	--window-size=390,844 --enable-logging=stderr --v=0 --dump-dom "file://$WORK/page.html"
[ "$code" = 0 ] || skip "Chromium does not start here"
grep -i 'console:\|console(\|uncaught' stderr && fail "the browser complains"
cp stdout dom.html
for layer in conv relu conv2 average scores; do
	grep -q "data-layer=\"$layer\"" dom.html || fail "layer $layer is not drawn"
done
cp report.json stdout
for path in layers[0].sqnr_local_db layers[2].sqnr_cumulative_db layers[0].used_codes steps[1].drop mac_share_int8; do
	value=$(json "$path")
	grep -o 'data-value="[^"]*"' dom.html | cut -d'"' -f2 | awk -v wanted="$value" '$1 + 0 == wanted + 0 { found = 1 } END { exit !found }' ||
		fail "$path $value is not on the page"
done
