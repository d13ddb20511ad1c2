/* SPDX-License-Identifier: Apache-2.0 */
/* The f32 kernels compiled for this level. */
#include "kern/f32_set.inc.h"

const tarn_f32_set tarn_f32_avx2 = F32_SET;
