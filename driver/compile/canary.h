/* SPDX-License-Identifier: Apache-2.0 */
/* Made-up inputs that stand for a model's: see canary.c. Private to driver/compile. */
#ifndef TARN_DRIVER_COMPILE_CANARY_H
#define TARN_DRIVER_COMPILE_CANARY_H

#include "driver/compile/plan.h"

/* Fills t, which is of the input's type and size, with the index-th of those made up for it: on every machine the same. */
void tarn_npu_canary(const tarn_graph *g, size_t input, int index, tarn_tensor *t);
/* Whether an input is a length: it differs from one to the next, the 0-th having the greatest. */
bool tarn_npu_canary_lengths(const tarn_graph *g);

#endif
