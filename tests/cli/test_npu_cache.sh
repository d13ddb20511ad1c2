# SPDX-License-Identifier: Apache-2.0
# The two caches of compiled models, by the driver's own count of compilations: every load is a process of its own.
W=$BUILD/tests/write_model
L=$BUILD/tests/npu_load
export TARN_LOG=error
"$W" m.onnx 1 8

# load WANTED OPTIONS...: one load in a fresh process; WANTED are words of its answer.
load()
{
	wanted=$1
	shift
	run "$L" m.onnx "$@"
	[ "$code" = 0 ] || fail "the load failed"
	for word in $wanted; do
		grep -qw -- "$word" stdout || fail "expected $word"
	done
}
entries() { find "$1" -type f 2>/dev/null | wc -l; }

# Eight rows: {default, bypass, CACHE_DIR, both} x {cold, again}.
row()
{
	name=$1 first=$2 again=$3 driver=$4 runtime=$5
	shift 5
	export ZE_INTEL_NPU_CACHE_DIR="$WORK/driver-$name"
	load "$first" "$@"
	load "$again" "$@"
	[ "$(entries "$WORK/driver-$name")" = "$driver" ] || fail "$name: $(entries "$WORK/driver-$name") files in the driver's cache"
	[ "$(entries "$WORK/runtime-$name")" = "$runtime" ] || fail "$name: $(entries "$WORK/runtime-$name") files in CACHE_DIR"
}
cold="compiled=1 compilations=1 hit=0 level=none"
row default "$cold stored=1" "compiled=0 compilations=0 hit=1 level=driver hits=1" 1 0
row bypass "$cold stored=0" "$cold stored=0" 0 0 NPU_BYPASS_UMD_CACHING=YES
row dir "$cold stored=0" "compiled=0 compilations=0 hit=1 level=runtime hits=0" 0 1 CACHE_DIR="$WORK/runtime-dir"
row both "$cold stored=0" "compiled=0 compilations=0 hit=1 level=runtime hits=0" 0 1 CACHE_DIR="$WORK/runtime-both" \
	NPU_BYPASS_UMD_CACHING=YES

# The command line says the same.
export ZE_INTEL_NPU_CACHE_DIR="$WORK/driver-default"
expect_exit 0 "$TARN" bench -m m.onnx -d NPU --sim 4000 -niter 1 -hint none --json
expect_json compilations 0
expect_json cache.level driver
expect_json cache.hit true
expect_exit 0 "$TARN" bench -m m.onnx -d NPU --sim 4000 -niter 1 -hint none -cache_dir runtime-dir --json
expect_json compilations 0
expect_json cache.level runtime

# Other properties, another platform: other compiled models.
load "compiled=1" PERFORMANCE_HINT=THROUGHPUT
expect_exit 0 "$TARN" bench -m m.onnx -d NPU --sim 3720 -niter 1 -hint none --json
expect_json compilations 1
expect_exit 0 "$TARN" bench -m m.onnx -d NPU --sim 3720 -niter 1 -hint none -cache_dir runtime-dir --json
expect_json compilations 1

# PERF_COUNT needs a compiled model that was made for it.
load "level=runtime compiled=0" CACHE_DIR="$WORK/runtime-both"
load "$cold notes=1" CACHE_DIR="$WORK/runtime-both" PERF_COUNT=YES
load "level=runtime compiled=0 notes=0" CACHE_DIR="$WORK/runtime-both" PERF_COUNT=YES
load "level=runtime compiled=0 notes=0" CACHE_DIR="$WORK/runtime-both"

# Sixteen processes at once: all succeed, one entry each, nothing left beside it.
export ZE_INTEL_NPU_CACHE_DIR="$WORK/driver-many"
for options in "" "CACHE_DIR=$WORK/runtime-many"; do
	pids=
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
		# shellcheck disable=SC2086 # empty: no option
		"$L" m.onnx $options >many.$i 2>&1 &
		pids="$pids $!"
	done
	for pid in $pids; do
		wait "$pid" || fail "one of sixteen failed: $(cat many.*)"
	done
done
[ "$(entries driver-many)" = 1 ] || fail "sixteen processes left $(entries driver-many) entries in the driver's cache"
[ "$(entries runtime-many)" = 1 ] || fail "sixteen processes left $(entries runtime-many) entries in CACHE_DIR"
load "compiled=0 level=driver"

# A flipped bit anywhere: the entry is not used, the model is compiled and stored again.
flip()
{
	folder=$1 wanted=$2 good=$3
	shift 3
	file=$(find "$folder" -type f)
	size=$(wc -c <"$file")
	cp "$file" pristine
	at=0
	while [ $at -lt "$size" ]; do
		chmod u+w "$file" 2>/dev/null
		byte=$(od -An -tu1 -j $at -N1 pristine | tr -d ' ')
		cp pristine damaged
		printf "\\$(printf %03o $((byte ^ 16)))" | dd of=damaged bs=1 seek=$at conv=notrunc 2>/dev/null
		cat damaged >"$file"
		load "$wanted" "$@"
		at=$((at + size / 24 + 1))
	done
	load "$good" "$@"
	# Cut short, and empty.
	for n in $((size / 2)) 0; do
		chmod u+w "$file" 2>/dev/null
		head -c $n pristine >"$file"
		load "compiled=1" "$@"
	done
	load "$good" "$@"
	[ "$(entries "$folder")" = 1 ] || fail "$(entries "$folder") entries after damage"
}
flip driver-many "compiled=1 level=none" "compiled=0 level=driver"
flip runtime-many "compiled=1 level=none notes=1" "compiled=0 level=runtime" "CACHE_DIR=$WORK/runtime-many"

# A folder that cannot be made: compiled all the same, and said.
: >file
load "compiled=1 notes=1" CACHE_DIR="$WORK/file/x"
