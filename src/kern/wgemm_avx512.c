/* SPDX-License-Identifier: Apache-2.0 */
/* 32 registers: up to 4 rows of A at once, 16 sums. */
#include "kern/wgemm_body.inc.h"

WROWS_NV(4, 1)
WROWS_NV(4, 2)
WROWS_NV(4, 3)
WROWS_NV(4, 4)
WROWS_NV(8, 1)
WROWS_NV(8, 2)
WROWS_NV(8, 3)
WROWS_NV(8, 4)

const tarn_wgemm_set tarn_wgemm_avx512 = {
	.isa = TARN_ISA_AVX512,
	.lanes = VL,
	.max_rows = 4,
	.rows = {{WROW(4, 1), WROW(4, 2), WROW(4, 3), WROW(4, 4)}, {WROW(8, 1), WROW(8, 2), WROW(8, 3), WROW(8, 4)}},
	.unpack = {unpack_4, unpack_8},
};
