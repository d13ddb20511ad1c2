/* SPDX-License-Identifier: Apache-2.0 */
#include "kern/int8_depthwise.inc.h"
#include "kern/int8_elem.inc.h"
#include "kern/int8_tile.inc.h"

QTILES_6(1)
QTILES_6(2)

const tarn_int8_set tarn_int8_avx2 = {
	.isa = TARN_ISA_AVX2, .lanes = VL, .wide = QWIDE, .max_rows = 6, .tile = QTILE_TABLE(6), QSET_ROWS};
