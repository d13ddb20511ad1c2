/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shapes with free dimensions or free rank. The struct is the caller's; its dims go with ov_partial_shape_free.
 */
#ifndef OPENVINO_C_OV_PARTIAL_SHAPE_H
#define OPENVINO_C_OV_PARTIAL_SHAPE_H

#include "openvino/c/ov_common.h"
#include "openvino/c/ov_dimension.h"
#include "openvino/c/ov_rank.h"
#include "openvino/c/ov_shape.h"

/* A dynamic rank has no dims. */
typedef struct ov_partial_shape {
	ov_rank_t rank;
	ov_dimension_t *dims;
} ov_partial_shape_t;

/* Static rank > 0; each dimension within -1 <= min <= max, or free. */
OPENVINO_C_API(ov_status_e)
ov_partial_shape_create(const int64_t rank, const ov_dimension_t *dims, ov_partial_shape_t *partial_shape_obj);

/* The rank may be dynamic, then dims is not read. */
OPENVINO_C_API(ov_status_e)
ov_partial_shape_create_dynamic(const ov_rank_t rank, const ov_dimension_t *dims, ov_partial_shape_t *partial_shape_obj);

/* All dimensions known and > 0. */
OPENVINO_C_API(ov_status_e)
ov_partial_shape_create_static(const int64_t rank, const int64_t *dims, ov_partial_shape_t *partial_shape_obj);

/* Releases the dims; the rest of the struct stays. */
OPENVINO_C_API(void)
ov_partial_shape_free(ov_partial_shape_t *partial_shape);

/* PARAMETER_MISMATCH when something is free. */
OPENVINO_C_API(ov_status_e)
ov_partial_shape_to_shape(const ov_partial_shape_t partial_shape, ov_shape_t *shape);

OPENVINO_C_API(ov_status_e)
ov_shape_to_partial_shape(const ov_shape_t shape, ov_partial_shape_t *partial_shape);

OPENVINO_C_API(bool)
ov_partial_shape_is_dynamic(const ov_partial_shape_t partial_shape);

/* "{1,20..30,?,40..100}", "?" for a dynamic rank; for ov_free. */
OPENVINO_C_API(const char *)
ov_partial_shape_to_string(const ov_partial_shape_t partial_shape);

#endif
