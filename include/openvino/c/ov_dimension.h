/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One dimension of a shape, possibly known only within bounds. Plain values; nothing to release.
 */
#ifndef OPENVINO_C_OV_DIMENSION_H
#define OPENVINO_C_OV_DIMENSION_H

#include "openvino/c/ov_common.h"

/* min == max: that size. max -1: no upper bound. A free dimension comes back as {0, -1}; {-1, -1} means the same. */
typedef struct ov_dimension {
	int64_t min;
	int64_t max;
} ov_dimension_t;

/* True unless the dimension is one size. */
OPENVINO_C_API(bool)
ov_dimension_is_dynamic(const ov_dimension_t dim);

#endif
