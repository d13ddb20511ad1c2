/* SPDX-License-Identifier: Apache-2.0 */
/* 16 registers: up to 2 rows of A at once, 8 sums. */
#include "kern/wgemm_body.inc.h"

WROWS_NV(4, 1)
WROWS_NV(4, 2)
WROWS_NV(8, 1)
WROWS_NV(8, 2)

const tarn_wgemm_set tarn_wgemm_portable = {
	.isa = TARN_ISA_PORTABLE,
	.lanes = VL,
	.max_rows = 2,
	.rows = {{WROW(4, 1), WROW(4, 2)}, {WROW(8, 1), WROW(8, 2)}},
	.unpack = {unpack_4, unpack_8},
};
