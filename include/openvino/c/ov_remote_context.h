/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contexts of devices with memory of their own kind (OpenCL, VA). None of this library's devices has one: its tensors are host
 * memory, which the NPU reads in place. The functions are here for programs that call them; each that would make a context or a
 * tensor of one returns NOT_IMPLEMENTED, and ov_get_last_err_msg says what to use instead.
 */
#ifndef OPENVINO_C_OV_REMOTE_CONTEXT_H
#define OPENVINO_C_OV_REMOTE_CONTEXT_H

#include "openvino/c/ov_common.h"
#include "openvino/c/ov_compiled_model.h"
#include "openvino/c/ov_core.h"
#include "openvino/c/ov_shape.h"
#include "openvino/c/ov_tensor.h"

typedef struct ov_remote_context ov_remote_context_t;

OPENVINO_C_API(ov_status_e)
ov_core_create_context(const ov_core_t *core, const char *device_name, const size_t context_args_size,
		       ov_remote_context_t **context, ...);
OPENVINO_C_API(ov_status_e)
ov_core_create_context_props(const ov_core_t *core, const char *device_name, const size_t num_properties,
			     const ov_property_t *properties, ov_remote_context_t **context);
OPENVINO_C_API(ov_status_e)
ov_core_compile_model_with_context(const ov_core_t *core, const ov_model_t *model, const ov_remote_context_t *context,
				   const size_t property_args_size, ov_compiled_model_t **compiled_model, ...);
OPENVINO_C_API(ov_status_e)
ov_core_compile_model_with_context_props(const ov_core_t *core, const ov_model_t *model, const ov_remote_context_t *context,
					 const size_t num_properties, const ov_property_t *properties,
					 ov_compiled_model_t **compiled_model);
OPENVINO_C_API(ov_status_e)
ov_core_get_default_context(const ov_core_t *core, const char *device_name, ov_remote_context_t **context);
OPENVINO_C_API(ov_status_e)
ov_compiled_model_get_context(const ov_compiled_model_t *compiled_model, ov_remote_context_t **context);

OPENVINO_C_API(ov_status_e)
ov_remote_context_create_tensor(const ov_remote_context_t *context, const ov_element_type_e type, const ov_shape_t shape,
				const size_t object_args_size, ov_tensor_t **remote_tensor, ...);
OPENVINO_C_API(ov_status_e)
ov_remote_context_create_host_tensor(const ov_remote_context_t *context, const ov_element_type_e type, const ov_shape_t shape,
				     ov_tensor_t **tensor);
OPENVINO_C_API(ov_status_e)
ov_remote_context_get_device_name(const ov_remote_context_t *context, char **device_name);
OPENVINO_C_API(ov_status_e)
ov_remote_context_get_params(const ov_remote_context_t *context, size_t *size, char **params);
OPENVINO_C_API(void)
ov_remote_context_free(ov_remote_context_t *context);

/* A host tensor has neither parameters nor a device: NOT_IMPLEMENTED. */
OPENVINO_C_API(ov_status_e)
ov_remote_tensor_get_params(ov_tensor_t *tensor, size_t *size, char **params);
OPENVINO_C_API(ov_status_e)
ov_remote_tensor_get_device_name(ov_tensor_t *remote_tensor, char **device_name);

#endif
