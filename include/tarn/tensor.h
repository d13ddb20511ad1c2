/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors beyond OpenVINO's C API. Rules as in <tarn/model.h>. */
#ifndef TARN_TENSOR_H
#define TARN_TENSOR_H

#include "openvino/c/openvino.h"

#ifdef __cplusplus
extern "C" {
#endif
#define TARN_API __attribute__((visibility("default")))

/* A copy of another element type. Integers must fit exactly, floats are rounded; PARAMETER_MISMATCH names the first element
 * that does not fit. */
TARN_API ov_status_e tarn_cast_tensor(const ov_tensor_t *tensor, ov_element_type_e type, ov_tensor_t **out);

#ifdef __cplusplus
}
#endif
#endif
