/* SPDX-License-Identifier: Apache-2.0 */
#include "kern/int8_depthwise.inc.h"
#include "kern/int8_elem.inc.h"
#include "kern/int8_tile.inc.h"

QTILES_14(1)
QTILES_14(2)

const tarn_int8_set tarn_int8_avx512vnni = {
	.isa = TARN_ISA_AVX512VNNI, .lanes = VL, .wide = QWIDE, .max_rows = 14, .tile = QTILE_TABLE(14), QSET_ROWS};
