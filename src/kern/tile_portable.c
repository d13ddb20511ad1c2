/* SPDX-License-Identifier: Apache-2.0 */
/* 16 registers of 4 floats: 4 x 8 (8 sums, 2 weights, a broadcast and a product) and 8 x 4. */
#include "kern/tile_body.inc.h"

TILES_8(1)
TILES_4(2)

const tarn_tile_set tarn_tiles_portable = {
	.isa = TARN_ISA_PORTABLE,
	.lanes = VL,
	.max_nv = 2,
	.max_rows = {8, 4},
	.fn = {{ROW_8(1)}, {ROW_4(2)}},
};
