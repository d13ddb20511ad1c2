# SPDX-License-Identifier: Apache-2.0
# An installed tree works wherever it is, programs outside the tree build against it, and uninstalling leaves nothing.
! grep -qsE '^TARN_(SANITIZE:STRING=.|COVERAGE:BOOL=ON)' "$BUILD/CMakeCache.txt" || skip "instrumented build"
command -v cmake >/dev/null && command -v cc >/dev/null && command -v pkg-config >/dev/null || skip "cmake, cc or pkg-config is missing"
mkdir stage
# As one component, which is all there is: its manifest has a name of its own, and that of a real `make install` stays.
DESTDIR=$WORK/stage expect_exit 0 cmake --install "$BUILD" --prefix /opt/tarn --component Unspecified
mv "$BUILD/install_manifest_Unspecified.txt" install_manifest.txt
mv stage/opt/tarn moved
"$BUILD/tests/write_model" m.onnx -1 3

# The command finds its library, and that one the simulated NPU, in the tree that was moved.
expect_exit 0 ./moved/bin/tarn bench -m m.onnx -d NPU --sim 4000 -shape '[1,3]' -niter 1
[ -z "$(find moved -name 'libtarn.so*' -exec grep -l "$BUILD/lib" {} +)" ] || fail "the library knows the build folder"
expect_exit 0 ./moved/bin/tarn --version
version=$(sed 's/tarn //' stdout)
expect_file moved/share/man/man1/tarn.1
for command in $(./moved/bin/tarn help | sed -n 's/^  \([a-z]*\) .*/\1/p' | grep -v '^help$'); do
	grep -q "^.SS $command\$" moved/share/man/man1/tarn.1 || fail "the manual page lacks $command"
done

# A program of somebody's own: pkg-config, then CMake; then one written for OpenVINO.
cat >own.c <<'END'
#include <openvino/c/openvino.h>
#include <stdio.h>
#include <tarn/version.h>
int main(void)
{
	ov_core_t *core = NULL;
	int failed = ov_core_create(&core) != OK;
	ov_core_free(core);
	puts(tarn_version());
	return failed;
}
END
lib=$(dirname "$(find "$WORK/moved" -name libtarn.so)")
export PKG_CONFIG_PATH="$lib/pkgconfig:$lib/tarn/compat"
# shellcheck disable=SC2046 # flags are words
expect_exit 0 cc -std=c11 -Wall -Werror own.c $(pkg-config --cflags --libs tarn) -o own
expect_exit 0 ./own
expect_stdout_contains "$version"
[ "$(pkg-config --modversion tarn)" = "$version" ] || fail "tarn.pc has another version"
# shellcheck disable=SC2046
expect_exit 0 cc -std=c11 -Wall -Werror "$SRC/examples/c/hello.c" $(pkg-config --cflags --libs openvino) -o hello
expect_exit 0 ./hello m.onnx CPU
mkdir cmake
cat >cmake/CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.25)
project(own C)
find_package(Tarn 0.1 REQUIRED)
find_package(OpenVINO REQUIRED COMPONENTS Runtime)
add_executable(own ../own.c)
target_link_libraries(own tarn::tarn)
add_executable(hello ${HELLO})
target_link_libraries(hello openvino::runtime::c)
END
expect_exit 0 cmake -S cmake -B cmake/build -DCMAKE_PREFIX_PATH="$WORK/moved" -DOpenVINO_DIR="$lib/tarn/compat" -DHELLO="$SRC/examples/c/hello.c"
expect_exit 0 cmake --build cmake/build
expect_exit 0 ./cmake/build/own
expect_exit 0 ./cmake/build/hello m.onnx CPU

# Uninstalling removes every file and folder of ours, and nothing of anybody else's.
mkdir -p stage/opt && mv moved stage/opt/tarn && : >stage/opt/tarn/bin/neighbour
expect_exit 0 "$SRC/scripts/uninstall" "$WORK" "$WORK/stage"
left=$(cd stage/opt/tarn && find . ! -type d; find . -name tarn -o -name openvino)
[ "$left" = ./bin/neighbour ] || fail "left behind: $left"
expect_exit 1 "$SRC/scripts/uninstall" "$WORK/stage"
expect_stderr_contains "nothing was installed"
