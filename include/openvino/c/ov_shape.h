/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Static shapes. The struct is the caller's; its dims are the library's and go with ov_shape_free.
 */
#ifndef OPENVINO_C_OV_SHAPE_H
#define OPENVINO_C_OV_SHAPE_H

#include "openvino/c/ov_common.h"

typedef struct {
	int64_t rank;
	int64_t *dims;
} ov_shape_t;

/* A shape of rank > 0. dims NULL leaves the sizes for the caller to fill in; negative sizes are refused. */
OPENVINO_C_API(ov_status_e)
ov_shape_create(const int64_t rank, const int64_t *dims, ov_shape_t *shape);

/* Releases the dims and zeroes the struct. */
OPENVINO_C_API(ov_status_e)
ov_shape_free(ov_shape_t *shape);

#endif
