/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Models as read from a file. A model is edited by one thread at a time; compiled models are independent of later edits.
 */
#ifndef OPENVINO_C_OV_MODEL_H
#define OPENVINO_C_OV_MODEL_H

#include "openvino/c/ov_common.h"
#include "openvino/c/ov_node.h"
#include "openvino/c/ov_partial_shape.h"

typedef struct ov_model ov_model_t;

OPENVINO_C_API(void)
ov_model_free(ov_model_t *model);

/* The only input; an error when there are several. */
OPENVINO_C_API(ov_status_e)
ov_model_const_input(const ov_model_t *model, ov_output_const_port_t **input_port);

/* By any of the tensor names of the input. */
OPENVINO_C_API(ov_status_e)
ov_model_const_input_by_name(const ov_model_t *model, const char *tensor_name, ov_output_const_port_t **input_port);

OPENVINO_C_API(ov_status_e)
ov_model_const_input_by_index(const ov_model_t *model, const size_t index, ov_output_const_port_t **input_port);

OPENVINO_C_API(ov_status_e)
ov_model_input(const ov_model_t *model, ov_output_port_t **input_port);

OPENVINO_C_API(ov_status_e)
ov_model_input_by_name(const ov_model_t *model, const char *tensor_name, ov_output_port_t **input_port);

OPENVINO_C_API(ov_status_e)
ov_model_input_by_index(const ov_model_t *model, const size_t index, ov_output_port_t **input_port);

/* The only output; an error when there are several. */
OPENVINO_C_API(ov_status_e)
ov_model_const_output(const ov_model_t *model, ov_output_const_port_t **output_port);

OPENVINO_C_API(ov_status_e)
ov_model_const_output_by_index(const ov_model_t *model, const size_t index, ov_output_const_port_t **output_port);

OPENVINO_C_API(ov_status_e)
ov_model_const_output_by_name(const ov_model_t *model, const char *tensor_name, ov_output_const_port_t **output_port);

OPENVINO_C_API(ov_status_e)
ov_model_output(const ov_model_t *model, ov_output_port_t **output_port);

OPENVINO_C_API(ov_status_e)
ov_model_output_by_index(const ov_model_t *model, const size_t index, ov_output_port_t **output_port);

OPENVINO_C_API(ov_status_e)
ov_model_output_by_name(const ov_model_t *model, const char *tensor_name, ov_output_port_t **output_port);

OPENVINO_C_API(ov_status_e)
ov_model_inputs_size(const ov_model_t *model, size_t *input_size);

OPENVINO_C_API(ov_status_e)
ov_model_outputs_size(const ov_model_t *model, size_t *output_size);

/* Has any input or output a free dimension? */
OPENVINO_C_API(bool)
ov_model_is_dynamic(const ov_model_t *model);

/* New shapes of several inputs by name; shapes of the whole model follow. Nothing changes on failure. */
OPENVINO_C_API(ov_status_e)
ov_model_reshape(const ov_model_t *model, const char **tensor_names, const ov_partial_shape_t *partial_shapes, size_t size);

OPENVINO_C_API(ov_status_e)
ov_model_reshape_input_by_name(const ov_model_t *model, const char *tensor_name, const ov_partial_shape_t partial_shape);

/* The model has one input only. */
OPENVINO_C_API(ov_status_e)
ov_model_reshape_single_input(const ov_model_t *model, const ov_partial_shape_t partial_shape);

OPENVINO_C_API(ov_status_e)
ov_model_reshape_by_port_indexes(const ov_model_t *model, const size_t *port_indexes, const ov_partial_shape_t *partial_shape,
				 size_t size);

OPENVINO_C_API(ov_status_e)
ov_model_reshape_by_ports(const ov_model_t *model, const ov_output_port_t **output_ports,
			  const ov_partial_shape_t *partial_shapes, size_t size);

/* For ov_free. */
OPENVINO_C_API(ov_status_e)
ov_model_get_friendly_name(const ov_model_t *model, char **friendly_name);

#endif
