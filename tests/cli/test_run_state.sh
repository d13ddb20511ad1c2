# SPDX-License-Identifier: Apache-2.0
# Models with state: long inputs in windows, caches that grow; against closed forms, and, where they are there, real models.
W=$BUILD/tests/write_model
"$W" running running.onnx 2
"$W" running wide.onnx 3
"$W" cache cache.onnx
"$W" x.npy 6
values() { od -An -v -tf4 -j128 "$1" | tr -s ' \n' ' ' | sed 's/^ //; s/ $//'; }
equal() { [ "$1" = "$2" ] || fail "'$1' is not '$2'"; }
ZE_INTEL_NPU_CACHE_DIR=
export ZE_INTEL_NPU_CACHE_DIR

for on in "CPU" "NPU --sim 4000"; do
	# windows (0,1) (2,3) (4,5): totals (0,1) (2,4) (6,9), doubled
	# shellcheck disable=SC2086 # several words
	expect_exit 0 "$TARN" run -m running.onnx --state total=s -shape 'x[2],s[2]' -i x=x.npy --slide 'x[0]=2' -d $on -o out --json
	equal "$(values out/y.npy)" "0 2 4 8 12 18"
	expect_json sequence.steps 3
	expect_json sequence.compilations 1
	expect_json sequence.state_bytes_copied 0
	expect_json outputs.# 1
	expect_json outputs[0].shape "[3,2]"
	# the largest so far of 0..5
	# shellcheck disable=SC2086
	expect_exit 0 "$TARN" run -m cache.onnx --state auto --window 6 --step 6 -i x=x.npy -d $on -o out --json
	equal "$(values out/y.npy)" "5"
	expect_json sequence.window 6
done
# one element of what came before in front: (-,0,1) (1,2,3) (3,4,5), a zero before the beginning
expect_exit 0 "$TARN" run -m wide.onnx --state total=s -i x=x.npy --slide 'x[0]=2+1' -o out
equal "$(values out/y.npy)" "0 0 2 2 4 8 8 12 18"

# the rewritten model is an ordinary file
for ending in onnx xml; do
	expect_exit 0 "$TARN" convert -m cache.onnx --state auto --window 8 --step 7 -o static.$ending
	expect_exit 0 "$TARN" run -m static.$ending --state auto -i x=x.npy -o out --json
	equal "$(values out/y.npy)" "5"
	expect_json sequence.programs 1
	expect_json sequence.window 8
done
expect_exit 2 "$TARN" convert -m cache.onnx --state auto --window 6 --bound n=3 -o static.onnx

# and check says what there is
expect_exit 0 "$TARN" check -m cache.onnx --json
expect_json states[0].input past
expect_json states[0].output all
expect_json looked_at_window 256
expect_stdout_contains "node 'y' (ReduceMax) mixes positions"
expect_exit 0 "$TARN" check -m cache.onnx
expect_stdout_contains "states 1: input 'past' is output 'all' of the call before, longer along axis 0 by each call"
expect_exit 0 "$TARN" check -m running.onnx --json
expect_json states.# 0

expect_exit 3 "$TARN" run -m cache.onnx --state auto --window 6 --step 4 -i x=x.npy
expect_stderr_lines 1
expect_stderr_contains "6 positions are more than one step of 4, and the call cannot be cut: node 'y' (ReduceMax)"
expect_exit 3 "$TARN" run -m cache.onnx --state auto --window 5 --step 5 -i x=x.npy
expect_stderr_contains "the window holds 5 positions; 0 are there and 6 more do not fit"
expect_exit 2 "$TARN" run -m cache.onnx --state auto -i x=x.npy
expect_stderr_contains "how many positions its window holds"
expect_exit 3 "$TARN" run -m running.onnx --state auto --slide "x[0]=2" -i x=x.npy
expect_stderr_contains "no cache that grows"
expect_exit 3 "$TARN" run -m running.onnx --state total=t --slide "x[0]=2" -i x=x.npy
expect_stderr_contains "no input is called 't'"
for bad in "x" "x[0]" "x[0]=" "x[0]=0" "x[0]=2+" "x[-1]=2" "x[0]=2+1z"; do
	expect_exit 2 "$TARN" run -m running.onnx --state total=s -i x=x.npy --slide "$bad"
	expect_stderr_lines 1
done
expect_exit 2 "$TARN" run -m running.onnx -i x=x.npy --slide 'x[0]=2'

# The text of a language model, with its cache in a window and with everything fed again each time.
models=$SRC/../shared/models
[ -e "$models/nlp/stories260k_kv.onnx" ] || { echo "models of ../shared are not there: only small models were tried"; exit 0; }
prompt="1 403 407 261 378 432 383 286 261"
generate=$BUILD/bin/examples/generate
want=$("$generate" "$models/nlp/stories260k_nocache.onnx" --prompt "$prompt" -n 24 --window 40)
equal "${want%% 421*}" "376 298 315"
for on in "CPU" "NPU --sim 4000" "NPU --sim 3720"; do
	# shellcheck disable=SC2086
	expect_exit 0 "$generate" "$models/nlp/stories260k_kv.onnx" -d $on --prompt "$prompt" -n 24 --window 40 --step 4
	equal "$(cat stdout)" "$want"
	expect_stderr_contains "2 programs, 2 compilations"
	expect_stderr_contains "0 copied through the host; other copies: 0 bytes"
done

# A voice detector over a recording, window by window, its state staying where it is: CPU and NPU agree.
[ -e "$models/../data/audio/dns3_0398_clean.wav" ] || exit 0
printf '\223NUMPY\001\000\166\000%-117s\n' "{'descr': '<i8', 'fortran_order': False, 'shape': (), }" >sr.npy
printf '\200>\000\000\000\000\000\000' >>sr.npy
for on in "CPU" "NPU --sim 4000"; do
	# shellcheck disable=SC2086
	expect_exit 0 "$TARN" run -m "$models/audio/silero_vad_16k_op15.onnx" --state stateN=state -i sr=sr.npy \
		-i "input=$models/../data/audio/dns3_0398_clean.wav" --slide 'input[1]=512+64' -d $on --json
	expect_json outputs[0].shape "[157,1,1]"
	expect_json sequence.state_bytes_copied 0
	expect_json sequence.steps 157
	mean=$(json outputs[0].mean)
	[ "$on" = CPU ] && cpu=$mean
	awk "BEGIN { d = $mean - $cpu; exit !(d < 0.005 && d > -0.005 && $cpu > 0.2) }" || fail "mean $mean, on the CPU $cpu"
done
