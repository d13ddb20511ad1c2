/* SPDX-License-Identifier: Apache-2.0 */
/* What every tests/fuzz/fuzz_<name>.c defines: feed the bytes to one reader and return 0, whatever they are. It must free all
 * it takes, keep nothing between calls, and not print. */
#ifndef TARN_TESTS_FUZZ_H
#define TARN_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
