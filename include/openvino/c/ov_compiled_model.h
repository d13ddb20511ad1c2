/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Models compiled for a device. Any number of threads may create requests; each request is one inference at a time.
 */
#ifndef OPENVINO_C_OV_COMPILED_MODEL_H
#define OPENVINO_C_OV_COMPILED_MODEL_H

#include "openvino/c/ov_common.h"
#include "openvino/c/ov_infer_request.h"
#include "openvino/c/ov_model.h"
#include "openvino/c/ov_node.h"
#include "openvino/c/ov_property.h"

typedef struct ov_compiled_model ov_compiled_model_t;

OPENVINO_C_API(ov_status_e)
ov_compiled_model_inputs_size(const ov_compiled_model_t *compiled_model, size_t *size);

/* The only input. */
OPENVINO_C_API(ov_status_e)
ov_compiled_model_input(const ov_compiled_model_t *compiled_model, ov_output_const_port_t **input_port);

OPENVINO_C_API(ov_status_e)
ov_compiled_model_input_by_index(const ov_compiled_model_t *compiled_model, const size_t index,
				 ov_output_const_port_t **input_port);

OPENVINO_C_API(ov_status_e)
ov_compiled_model_input_by_name(const ov_compiled_model_t *compiled_model, const char *name,
				ov_output_const_port_t **input_port);

OPENVINO_C_API(ov_status_e)
ov_compiled_model_outputs_size(const ov_compiled_model_t *compiled_model, size_t *size);

/* The only output. */
OPENVINO_C_API(ov_status_e)
ov_compiled_model_output(const ov_compiled_model_t *compiled_model, ov_output_const_port_t **output_port);

OPENVINO_C_API(ov_status_e)
ov_compiled_model_output_by_index(const ov_compiled_model_t *compiled_model, const size_t index,
				  ov_output_const_port_t **output_port);

OPENVINO_C_API(ov_status_e)
ov_compiled_model_output_by_name(const ov_compiled_model_t *compiled_model, const char *name,
				 ov_output_const_port_t **output_port);

/* What the device made of the model, as a model of its own. */
OPENVINO_C_API(ov_status_e)
ov_compiled_model_get_runtime_model(const ov_compiled_model_t *compiled_model, ov_model_t **model);

OPENVINO_C_API(ov_status_e)
ov_compiled_model_create_infer_request(const ov_compiled_model_t *compiled_model, ov_infer_request_t **infer_request);

/* One key and value; most properties are fixed once a model is compiled. */
OPENVINO_C_API(ov_status_e)
ov_compiled_model_set_property(const ov_compiled_model_t *compiled_model, ...);

/* Text for ov_free. */
OPENVINO_C_API(ov_status_e)
ov_compiled_model_get_property(const ov_compiled_model_t *compiled_model, const char *property_key, char **property_value);

/* Writes the compiled form; NOT_IMPLEMENTED for devices without capability EXPORT_IMPORT. */
OPENVINO_C_API(ov_status_e)
ov_compiled_model_export_model(const ov_compiled_model_t *compiled_model, const char *export_model_path);

OPENVINO_C_API(void)
ov_compiled_model_free(ov_compiled_model_t *compiled_model);

OPENVINO_C_API(ov_status_e)
ov_compiled_model_set_properties(const ov_compiled_model_t *compiled_model, const size_t num_properties,
				 const ov_property_t *properties);

#endif
