/* SPDX-License-Identifier: Apache-2.0 */
/* Indices as data. */
#ifndef TARN_OPS_INDEX_H
#define TARN_OPS_INDEX_H

#include "ir/op.h"

/* Element i of an integer tensor as an index into `size`; negative counts from the end. TARN_BAD_FILE when out of range. */
TARN_MUST tarn_err tarn_index_at(const tarn_tensor *indices, int64_t i, int64_t size, int64_t *at);

#endif
