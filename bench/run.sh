#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: bench/run.sh [BUILD]: builds the benchmarks and runs each once, on one thread and on all processors (bench/README.md).
set -eu
build=${1:-build}
cmake --build "$build" --target bench >/dev/null
for program in "$build"/bench/bench_*; do
	[ -x "$program" ] && [ "$program" != "$build"/bench/bench_host ] || continue # that one is part of host.sh
	echo "== $(basename "$program")"
	"$program" 1
	if [ "$(nproc)" -gt 1 ]; then "$program" "$(nproc)"; fi
done
echo "== host.sh"
bench/host.sh "$build"
