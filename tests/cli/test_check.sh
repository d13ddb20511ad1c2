# SPDX-License-Identifier: Apache-2.0
# scripts/check sees each kind of violation in a small tree made for the purpose, and nothing in a clean one.
# shellcheck shell=sh
tree=$WORK/tree
mkdir -p "$tree/scripts" "$tree/src/base" "$tree/src/ir" "$tree/src/dev/npu" "$tree/driver/ze" "$tree/tools/tarn"
cp "$SRC/scripts/check" "$tree/scripts/"
cp "$SRC/src/LAYERS" "$tree/src/"
spdx='/* SPDX-License-Identifier: Apache-2.0 */'

# file PATH LINE...: writes a file with the licence line
file()
{
	path=$tree/$1
	shift
	printf '%s\n' "$spdx" "$@" >"$path"
}

clean()
{
	file src/base/a.c '#include "base/a.h"' '#include <unistd.h>' '#include <stdatomic.h>'
	file src/base/a.h '#include <stddef.h>'
	file src/ir/b.c '#include "base/a.h"' '#include "ir/b.h"' '#include <math.h>'
	file src/dev/npu/c.c '#include "fmt/ovir/x.h"' '#include "zeabi/graph.h"' '#include "base/a.h"'
	file driver/ze/d.c '#include "driver/exec/e.h"' '#include "fmt/ovir/x.h"' '#include <level_zero/ze_api.h>'
	file tools/tarn/main.c '#include <tarn/version.h>' '#include <openvino/c/openvino.h>' '#include <unistd.h>' '#include "cmd.h"'
}

# refused RULE PATH:LINE WORDS: the tree as it is now breaks that rule there, and then is clean again
refused()
{
	expect_exit 1 "$tree/scripts/check" "$1"
	expect_stdout_contains "$2: "
	expect_stdout_contains "$3"
	clean
	rm -f "$tree/src/ir/extra.c" "$tree/src/nowhere.c"
}

# Split, so that this file does not break the rules that it tests.
unfinished="TO""DO"
elsewhere="/ho""me/someone/x"
rules="layers size functions spdx words os exports docs"

clean
# shellcheck disable=SC2086 # one word a rule
expect_exit 0 "$tree/scripts/check" $rules

file src/base/a.c '#include "ir/b.h"'
refused layers src/base/a.c:2 'layer base may not include ir/b.h'
file src/ir/b.c '#include "driver/ze/d.h"'
refused layers src/ir/b.c:2 'may not include driver/ze/d.h'
file src/dev/npu/c.c '' '#include "fmt/onnx/x.h"'
refused layers src/dev/npu/c.c:3 'may not include fmt/onnx/x.h'
file driver/ze/d.c '#include "rt/device.h"'
refused layers driver/ze/d.c:2 'may not include rt/device.h'
file tools/tarn/main.c '#include "base/err.h"'
refused layers tools/tarn/main.c:2 'may not include base/err.h'
file src/ir/b.c '#include <openvino/c/openvino.h>'
refused layers src/ir/b.c:2 'only src/api may'
file src/ir/b.c '#include <expat.h>'
refused layers src/ir/b.c:2 'only fmt/ovir may'
file src/nowhere.c ''
refused layers src/nowhere.c:1 'no row in src/LAYERS'

file src/ir/b.c '#include <pthread.h>'
refused os src/ir/b.c:2 'operating system header'
file src/ir/b.c '' '#include <sys/mman.h>'
refused os src/ir/b.c:3 'operating system header'
file src/ir/b.c 'static _Atomic int x;'
refused os src/ir/b.c:2 atomics

file src/ir/b.c "/* $unfinished: everything */"
refused words src/ir/b.c:2 'unfinished work'
file src/ir/b.c "static const char *x = \"$elsewhere\";"
refused words src/ir/b.c:2 'path of one machine'
echo 'int x;' >"$tree/src/ir/b.c"
refused spdx src/ir/b.c:1 'no SPDX'

{ echo "$spdx"; seq 600 | sed 's/.*/int x&;/'; } >"$tree/src/ir/extra.c"
refused size src/ir/extra.c:601 '601 lines; at most 600'
{ echo "$spdx"; echo '/* check: table */'; seq 600 | sed 's/.*/int x&;/'; } >"$tree/src/ir/extra.c"
expect_exit 0 "$tree/scripts/check" size
{ echo "$spdx"; echo 'void f(void)'; echo '{'; seq 101 | sed 's/.*/	g();/'; echo '}'; } >"$tree/src/ir/extra.c"
refused functions src/ir/extra.c:2 'function of 101 lines'
{ echo "$spdx"; echo 'void f(void)'; echo '{'; seq 100 | sed 's/.*/	g();/'; echo '}'; } >"$tree/src/ir/extra.c"
expect_exit 0 "$tree/scripts/check" functions

# Exported symbols, against a real library and a list that lacks one and has one too many.
if command -v nm >/dev/null && [ -f "$BUILD/lib/libtarn.so" ]; then
	mkdir -p "$tree/build/lib" "$tree/src/api"
	cp "$BUILD/lib/libtarn.so" "$tree/build/lib/"
	nm -D --defined-only "$BUILD/lib/libtarn.so" | awk '{ sub(/@.*/, "", $3); print $3 }' | sort -u >"$WORK/all"
	cp "$WORK/all" "$tree/src/api/exports.list"
	expect_exit 0 "$tree/scripts/check" exports
	first=$(head -n 1 "$WORK/all")
	{ sed 1d "$WORK/all"; echo tarn_never_was; } >"$tree/src/api/exports.list"
	expect_exit 1 "$tree/scripts/check" exports
	expect_stdout_contains "exported by libtarn.so but not listed: $first"
	expect_stdout_contains 'listed but not exported by libtarn.so: tarn_never_was'
fi
