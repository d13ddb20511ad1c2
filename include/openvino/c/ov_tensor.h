/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tensors: dense row-major data on the host. A tensor handle shares its memory with every other handle of the same tensor (a
 * request's, say). Memory is not locked: one writer at a time.
 */
#ifndef OPENVINO_C_OV_TENSOR_H
#define OPENVINO_C_OV_TENSOR_H

#include "openvino/c/ov_common.h"
#include "openvino/c/ov_shape.h"

typedef struct ov_tensor ov_tensor_t;

/* Borrows memory of ceil(elements * bits / 8) bytes; the caller keeps it alive and releases it. */
OPENVINO_C_API(ov_status_e)
ov_tensor_create_from_host_ptr(const ov_element_type_e type, const ov_shape_t shape, void *host_ptr, ov_tensor_t **tensor);

/* Own zeroed memory, aligned to 64 bytes. */
OPENVINO_C_API(ov_status_e)
ov_tensor_create(const ov_element_type_e type, const ov_shape_t shape, ov_tensor_t **tensor);

/* A STRING tensor of n texts, which are copied; n must be the number of elements. ov_tensor_data gives them as const char **.
 */
OPENVINO_C_API(ov_status_e)
ov_tensor_create_from_string_array(const char **strings, const size_t n, const ov_shape_t shape, ov_tensor_t **tensor);

/* Other texts for all elements of a STRING tensor; copied. */
OPENVINO_C_API(ov_status_e)
ov_tensor_set_string_data(ov_tensor_t *tensor, const char **strings, const size_t n);

/* Memory grows when it must; borrowed memory cannot. */
OPENVINO_C_API(ov_status_e)
ov_tensor_set_shape(ov_tensor_t *tensor, const ov_shape_t shape);

OPENVINO_C_API(ov_status_e)
ov_tensor_get_shape(const ov_tensor_t *tensor, ov_shape_t *shape);

OPENVINO_C_API(ov_status_e)
ov_tensor_get_element_type(const ov_tensor_t *tensor, ov_element_type_e *type);

/* Number of elements. */
OPENVINO_C_API(ov_status_e)
ov_tensor_get_size(const ov_tensor_t *tensor, size_t *elements_size);

OPENVINO_C_API(ov_status_e)
ov_tensor_get_byte_size(const ov_tensor_t *tensor, size_t *byte_size);

/* Borrowed; valid until the shape grows or the tensor goes. */
OPENVINO_C_API(ov_status_e)
ov_tensor_data(const ov_tensor_t *tensor, void **data);

OPENVINO_C_API(void)
ov_tensor_free(ov_tensor_t *tensor);

#endif
