/* SPDX-License-Identifier: Apache-2.0 */
/* No device here has memory of its own kind, so a context is never made and every function that needs one says so. */
#include "openvino/c/ov_remote_context.h"

#include "api/handles.h"

static ov_status_e none(void)
{
	return tarn_status(tarn_err_set(
		TARN_UNSUPPORTED, "devices have no remote contexts; use ov_tensor_create, whose memory they read in place"));
}

ov_status_e ov_core_create_context(const ov_core_t *core, const char *device_name, const size_t context_args_size,
				   ov_remote_context_t **context, ...)
{
	NEED(core && device_name && context && context_args_size % 2 == 0);
	return none();
}

ov_status_e ov_core_create_context_props(const ov_core_t *core, const char *device_name, const size_t num_properties,
					 const ov_property_t *properties, ov_remote_context_t **context)
{
	NEED(core && device_name && context && (properties || !num_properties));
	return none();
}

ov_status_e ov_core_compile_model_with_context(const ov_core_t *core, const ov_model_t *model,
					       const ov_remote_context_t *context, const size_t property_args_size,
					       ov_compiled_model_t **compiled_model, ...)
{
	NEED(core && model && context && compiled_model && property_args_size % 2 == 0);
	return none();
}

ov_status_e ov_core_compile_model_with_context_props(const ov_core_t *core, const ov_model_t *model,
						     const ov_remote_context_t *context, const size_t num_properties,
						     const ov_property_t *properties, ov_compiled_model_t **compiled_model)
{
	NEED(core && model && context && compiled_model && (properties || !num_properties));
	return none();
}

ov_status_e ov_core_get_default_context(const ov_core_t *core, const char *device_name, ov_remote_context_t **context)
{
	NEED(core && device_name && context);
	return none();
}

ov_status_e ov_compiled_model_get_context(const ov_compiled_model_t *compiled_model, ov_remote_context_t **context)
{
	NEED(compiled_model && context);
	return none();
}

ov_status_e ov_remote_context_create_tensor(const ov_remote_context_t *context, const ov_element_type_e type,
					    const ov_shape_t shape, const size_t object_args_size, ov_tensor_t **remote_tensor,
					    ...)
{
	(void)type;
	(void)shape;
	(void)object_args_size;
	NEED(context && remote_tensor);
	return none();
}

ov_status_e ov_remote_context_create_host_tensor(const ov_remote_context_t *context, const ov_element_type_e type,
						 const ov_shape_t shape, ov_tensor_t **tensor)
{
	(void)type;
	(void)shape;
	NEED(context && tensor);
	return none();
}

ov_status_e ov_remote_context_get_device_name(const ov_remote_context_t *context, char **device_name)
{
	NEED(context && device_name);
	return none();
}

ov_status_e ov_remote_context_get_params(const ov_remote_context_t *context, size_t *size, char **params)
{
	NEED(context && size && params);
	return none();
}

void ov_remote_context_free(ov_remote_context_t *context)
{
	(void)context; /* NULL, since none is ever made */
}

ov_status_e ov_remote_tensor_get_params(ov_tensor_t *tensor, size_t *size, char **params)
{
	NEED(tensor && size && params);
	return none();
}

ov_status_e ov_remote_tensor_get_device_name(ov_tensor_t *remote_tensor, char **device_name)
{
	NEED(remote_tensor && device_name);
	return none();
}
