/* SPDX-License-Identifier: Apache-2.0 */
/* 32 registers: 6 x 64, 8 x 48, 8 x 32, 8 x 16. */
#include "kern/tile_body.inc.h"

TILES_8(1)
TILES_8(2)
TILES_8(3)
TILES_6(4)

const tarn_tile_set tarn_tiles_avx512 = {
	.isa = TARN_ISA_AVX512,
	.lanes = VL,
	.max_nv = 4,
	.max_rows = {8, 8, 8, 6},
	.fn = {{ROW_8(1)}, {ROW_8(2)}, {ROW_8(3)}, {ROW_6(4)}},
};
