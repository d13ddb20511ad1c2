/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of tensors: `count` elements from `at`, along each axis. */
#ifndef TARN_DYN_PART_H
#define TARN_DYN_PART_H

#include "ir/tensor.h"

/* Tensors of the same type and rank; TARN_SHAPE when the part is not inside one of them. */
TARN_MUST tarn_err tarn_part_copy(const tarn_tensor *from, const int64_t *from_at, const tarn_tensor *to, const int64_t *to_at,
				  const int64_t *count);

#endif
