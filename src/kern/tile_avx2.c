/* SPDX-License-Identifier: Apache-2.0 */
/* 16 registers: 6 x 16 (12 sums, 2 weights, 1 broadcast) and 8 x 8. */
#include "kern/tile_body.inc.h"

TILES_8(1)
TILES_6(2)

const tarn_tile_set tarn_tiles_avx2 = {
	.isa = TARN_ISA_AVX2,
	.lanes = VL,
	.max_nv = 2,
	.max_rows = {8, 6},
	.fn = {{ROW_8(1)}, {ROW_6(2)}},
};
