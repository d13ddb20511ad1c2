/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled models of the simulated NPU. The checksum is made to fit, so that what lies behind it is reached. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "driver/compile/compile.h"

enum { HEADER = 64, CHECKSUM_AT = 24, SIZE_AT = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	tarn_npu_program *p;
	if (tarn_blob_load(data, size, 4000, &p) == TARN_OK)
		tarn_npu_program_free(p);
	if (size < HEADER)
		return 0;
	uint8_t *copy = aligned_alloc(64, (size + 63) / 64 * 64);
	if (!copy)
		return 0;
	memcpy(copy, data, size);
	uint64_t n = size, sum = tarn_hash(copy + HEADER, size - HEADER, 1);
	memcpy(copy + SIZE_AT, &n, sizeof n);
	memcpy(copy + CHECKSUM_AT, &sum, sizeof sum);
	if (tarn_blob_load(copy, size, 4000, &p) == TARN_OK) {
		uint32_t args;
		(void)tarn_npu_program_args(p, &args);
		tarn_npu_program_free(p);
	}
	free(copy);
	return 0;
}
