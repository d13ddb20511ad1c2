# SPDX-License-Identifier: Apache-2.0
expect_exit 0 "$TARN" devices
expect_stdout_contains "CPU"
expect_stdout_contains "REF"
expect_exit 0 "$TARN" devices --json
expect_json version "$("$TARN" --version | sed 's/tarn //')"
expect_json devices[0].name CPU
expect_json devices[0].available true
expect_json devices[0].simulated false
expect_exit 0 "$TARN" devices --all
expect_stdout_contains "Mutable:   NUM_STREAMS : AUTO"
expect_stdout_contains "Immutable: FULL_DEVICE_NAME"
