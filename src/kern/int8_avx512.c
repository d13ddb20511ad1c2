/* SPDX-License-Identifier: Apache-2.0 */
#include "kern/int8_depthwise.inc.h"
#include "kern/int8_elem.inc.h"
#include "kern/int8_tile.inc.h"

QTILES_10(1)
QTILES_10(2)

const tarn_int8_set tarn_int8_avx512 = {
	.isa = TARN_ISA_AVX512, .lanes = VL, .wide = QWIDE, .max_rows = 10, .tile = QTILE_TABLE(10), QSET_ROWS};
