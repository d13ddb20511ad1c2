#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: bench/run.sh [BUILD]: builds the benchmarks and runs each once, on one thread and on all processors.
set -eu
build=${1:-build}
cmake --build "$build" --target bench >/dev/null
for program in "$build"/bench/bench_*; do
	[ -x "$program" ] || continue
	echo "== $(basename "$program")"
	"$program" 1
	if [ "$(nproc)" -gt 1 ]; then "$program" "$(nproc)"; fi
done
