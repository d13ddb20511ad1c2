/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The core: knows devices, reads and compiles models. Any thread may use it.
 */
#ifndef OPENVINO_C_OV_CORE_H
#define OPENVINO_C_OV_CORE_H

#include "openvino/c/ov_common.h"
#include "openvino/c/ov_compiled_model.h"
#include "openvino/c/ov_model.h"
#include "openvino/c/ov_property.h"
#include "openvino/c/ov_tensor.h"

typedef struct ov_core ov_core_t;

typedef struct ov_version {
	const char *buildNumber;
	const char *description;
} ov_version_t;

typedef struct {
	const char *device_name;
	ov_version_t version;
} ov_core_version_t;

typedef struct {
	ov_core_version_t *versions;
	size_t size;
} ov_core_version_list_t;

typedef struct {
	char **devices;
	size_t size;
} ov_available_devices_t;

/* buildNumber is the API version this library follows, description names the library; for ov_version_free. */
OPENVINO_C_API(ov_status_e)
ov_get_openvino_version(ov_version_t *version);

OPENVINO_C_API(void)
ov_version_free(ov_version_t *version);

OPENVINO_C_API(ov_status_e)
ov_core_create(ov_core_t **core);

/* NULL or "" is ov_core_create. Devices are built in: a configuration file is refused. */
OPENVINO_C_API(ov_status_e)
ov_core_create_with_config(const char *xml_config_file, ov_core_t **core);

OPENVINO_C_API(ov_status_e)
ov_core_create_with_config_unicode(const wchar_t *xml_config_file_ws, ov_core_t **core);

/* Models, compiled models and requests stay usable. */
OPENVINO_C_API(void)
ov_core_free(ov_core_t *core);

/* A library of further operators. Operators are built in: NOT_IMPLEMENTED. */
OPENVINO_C_API(ov_status_e)
ov_core_add_extension(const ov_core_t *core, const char *path);

/* ONNX (.onnx) or OpenVINO IR (.xml). bin_path NULL: the .bin beside the .xml. */
OPENVINO_C_API(ov_status_e)
ov_core_read_model(const ov_core_t *core, const char *model_path, const char *bin_path, ov_model_t **model);

OPENVINO_C_API(ov_status_e)
ov_core_read_model_unicode(const ov_core_t *core, const wchar_t *model_path, const wchar_t *bin_path, ov_model_t **model);

/* weights may be NULL; their memory is shared and must outlive the model. */
OPENVINO_C_API(ov_status_e)
ov_core_read_model_from_memory_buffer(const ov_core_t *core, const char *model_str, const size_t str_len,
				      const ov_tensor_t *weights, ov_model_t **model);

/* device_name NULL is AUTO. property_args_size counts the arguments after compiled_model: keys and values in turn, all const
 * char *. */
OPENVINO_C_API(ov_status_e)
ov_core_compile_model(const ov_core_t *core, const ov_model_t *model, const char *device_name, const size_t property_args_size,
		      ov_compiled_model_t **compiled_model, ...);

OPENVINO_C_API(ov_status_e)
ov_core_compile_model_from_file(const ov_core_t *core, const char *model_path, const char *device_name,
				const size_t property_args_size, ov_compiled_model_t **compiled_model, ...);

OPENVINO_C_API(ov_status_e)
ov_core_compile_model_from_file_unicode(const ov_core_t *core, const wchar_t *model_path, const char *device_name,
					const size_t property_args_size, ov_compiled_model_t **compiled_model, ...);

/* One key and value. device_name NULL or "" sets it for every device that knows it. A device that was not used yet takes
 * anything and complains when it is first used. */
OPENVINO_C_API(ov_status_e)
ov_core_set_property(const ov_core_t *core, const char *device_name, ...);

/* Text for ov_free. */
OPENVINO_C_API(ov_status_e)
ov_core_get_property(const ov_core_t *core, const char *device_name, const char *property_key, char **property_value);

/* Devices that are really there, for ov_available_devices_free. */
OPENVINO_C_API(ov_status_e)
ov_core_get_available_devices(const ov_core_t *core, ov_available_devices_t *devices);

OPENVINO_C_API(void)
ov_available_devices_free(ov_available_devices_t *devices);

/* Bytes written by ov_compiled_model_export_model. */
OPENVINO_C_API(ov_status_e)
ov_core_import_model(const ov_core_t *core, const char *content, const size_t content_size, const char *device_name,
		     ov_compiled_model_t **compiled_model);

/* NOT_FOUND when no such device; for ov_core_versions_free. */
OPENVINO_C_API(ov_status_e)
ov_core_get_versions_by_device_name(const ov_core_t *core, const char *device_name, ov_core_version_list_t *versions);

OPENVINO_C_API(void)
ov_core_versions_free(ov_core_version_list_t *versions);

/* Nothing is held outside of handles; here for programs that call it. */
OPENVINO_C_API(void)
ov_shutdown(void);

/* The same with an array; num_properties counts pairs. */
OPENVINO_C_API(ov_status_e)
ov_core_compile_model_props(const ov_core_t *core, const ov_model_t *model, const char *device_name,
			    const size_t num_properties, const ov_property_t *properties, ov_compiled_model_t **compiled_model);

OPENVINO_C_API(ov_status_e)
ov_core_compile_model_from_file_props(const ov_core_t *core, const char *model_path, const char *device_name,
				      const size_t num_properties, const ov_property_t *properties,
				      ov_compiled_model_t **compiled_model);

OPENVINO_C_API(ov_status_e)
ov_core_compile_model_from_file_unicode_props(const ov_core_t *core, const wchar_t *model_path, const char *device_name,
					      const size_t num_properties, const ov_property_t *properties,
					      ov_compiled_model_t **compiled_model);

OPENVINO_C_API(ov_status_e)
ov_core_set_properties(const ov_core_t *core, const char *device_name, const size_t num_properties,
		       const ov_property_t *properties);

#endif
