# SPDX-License-Identifier: Apache-2.0
# A program written for OpenVINO builds unchanged against the compat folder, and runs.
expect_file "$BUILD/lib/tarn/compat/libopenvino_c.so"
"$BUILD/tests/write_model" m.onnx -1 3
expect_exit 0 "$BUILD/examples/hello" m.onnx CPU
expect_stdout_contains "3"
expect_exit 1 "$BUILD/examples/hello" absent.onnx CPU
expect_stderr_contains "absent.onnx"

command -v cc >/dev/null && command -v pkg-config >/dev/null || skip "cc or pkg-config is missing"
! grep -qsE '^TARN_(SANITIZE:STRING=.|COVERAGE:BOOL=ON)' "$BUILD/CMakeCache.txt" || skip "instrumented build"
export PKG_CONFIG_PATH="$BUILD/lib/tarn/compat"
# shellcheck disable=SC2046 # flags are words
expect_exit 0 cc -std=c11 -Wall -Werror "$SRC/examples/c/hello.c" $(pkg-config --cflags --libs openvino) -o hello
expect_exit 0 ./hello m.onnx REF
[ "$(cat "$WORK/stdout")" = "     0  3" ] || fail "y of ones is not 3"
