/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Number of dimensions, possibly unknown. Plain values; nothing to release.
 */
#ifndef OPENVINO_C_OV_RANK_H
#define OPENVINO_C_OV_RANK_H

#include "openvino/c/ov_common.h"
#include "openvino/c/ov_dimension.h"

typedef ov_dimension_t ov_rank_t;

/* True unless the rank is one number. */
OPENVINO_C_API(bool)
ov_rank_is_dynamic(const ov_rank_t rank);

#endif
