/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preprocessing built into a model: what the user's tensors look like, steps that turn them into what the model takes, and the
 * element types of its outputs. Everything is recorded first; ov_preprocess_prepostprocessor_build writes it into the model as
 * ordinary nodes, so that every device runs it.
 *
 * Order of what is built for an input: the user's tensor (type, layout, colour, size) -> the steps in the order of the calls ->
 * conversion to the model's element type -> conversion to the model's layout. What is not said of a tensor is as in the model.
 *
 * Infos and steps are small views into their prepostprocessor: free each one, and use none after the prepostprocessor is freed.
 * One thread at a time works with a prepostprocessor and its views.
 */
#ifndef OPENVINO_C_OV_PREPOSTPROCESS_H
#define OPENVINO_C_OV_PREPOSTPROCESS_H

#include "openvino/c/ov_common.h"
#include "openvino/c/ov_layout.h"
#include "openvino/c/ov_model.h"
#include "openvino/c/ov_tensor.h"

typedef struct ov_preprocess_prepostprocessor ov_preprocess_prepostprocessor_t;
typedef struct ov_preprocess_input_info ov_preprocess_input_info_t;
typedef struct ov_preprocess_input_tensor_info ov_preprocess_input_tensor_info_t;
typedef struct ov_preprocess_output_info ov_preprocess_output_info_t;
typedef struct ov_preprocess_output_tensor_info ov_preprocess_output_tensor_info_t;
typedef struct ov_preprocess_input_model_info ov_preprocess_input_model_info_t;
typedef struct ov_preprocess_preprocess_steps ov_preprocess_preprocess_steps_t;

/* Of an image of H rows and W columns: NV12 and I420 are [N,3H/2,W,1] in a single plane; [N,H,W,1] and [N,H/2,W/2,2] in two;
 * [N,H,W,1] and twice [N,H/2,W/2,1] in three. The X of RGBX and BGRX is a fourth channel without meaning. */
typedef enum {
	UNDEFINE = 0,
	NV12_SINGLE_PLANE,
	NV12_TWO_PLANES,
	I420_SINGLE_PLANE,
	I420_THREE_PLANES,
	RGB,
	BGR,
	GRAY,
	RGBX,
	BGRX,
} ov_color_format_e;

/* Pixel centres at half coordinates, no antialiasing; cubic with a = -0.75; nearest prefers the lower of two. */
typedef enum {
	RESIZE_LINEAR = 0,
	RESIZE_CUBIC,
	RESIZE_NEAREST,
} ov_preprocess_resize_algorithm_e;

/* What is padded: a value, the edge repeated, the image mirrored without or with its edge. */
typedef enum {
	CONSTANT = 0,
	EDGE,
	REFLECT,
	SYMMETRIC,
} ov_padding_mode_e;

/* ---- the whole ---- */

/* The model's handle may be freed at once; building edits the same model, whichever handle it is seen through. */
OPENVINO_C_API(ov_status_e)
ov_preprocess_prepostprocessor_create(const ov_model_t *model, ov_preprocess_prepostprocessor_t **preprocess);
OPENVINO_C_API(void)
ov_preprocess_prepostprocessor_free(ov_preprocess_prepostprocessor_t *preprocess);
/* A new handle for the edited model. A model that cannot be built is left as it was. Builds once: for more steps afterwards
 * make another prepostprocessor. */
OPENVINO_C_API(ov_status_e)
ov_preprocess_prepostprocessor_build(const ov_preprocess_prepostprocessor_t *preprocess, ov_model_t **model);

/* ---- inputs: without name or index the model must have one ---- */

OPENVINO_C_API(ov_status_e)
ov_preprocess_prepostprocessor_get_input_info(const ov_preprocess_prepostprocessor_t *preprocess,
					      ov_preprocess_input_info_t **preprocess_input_info);
OPENVINO_C_API(ov_status_e)
ov_preprocess_prepostprocessor_get_input_info_by_name(const ov_preprocess_prepostprocessor_t *preprocess,
						      const char *tensor_name,
						      ov_preprocess_input_info_t **preprocess_input_info);
OPENVINO_C_API(ov_status_e)
ov_preprocess_prepostprocessor_get_input_info_by_index(const ov_preprocess_prepostprocessor_t *preprocess,
						       const size_t tensor_index,
						       ov_preprocess_input_info_t **preprocess_input_info);
OPENVINO_C_API(void)
ov_preprocess_input_info_free(ov_preprocess_input_info_t *preprocess_input_info);
OPENVINO_C_API(ov_status_e)
ov_preprocess_input_info_get_tensor_info(const ov_preprocess_input_info_t *preprocess_input_info,
					 ov_preprocess_input_tensor_info_t **preprocess_input_tensor_info);
OPENVINO_C_API(void)
ov_preprocess_input_tensor_info_free(ov_preprocess_input_tensor_info_t *preprocess_input_tensor_info);
OPENVINO_C_API(ov_status_e)
ov_preprocess_input_info_get_preprocess_steps(const ov_preprocess_input_info_t *preprocess_input_info,
					      ov_preprocess_preprocess_steps_t **preprocess_input_steps);
OPENVINO_C_API(void)
ov_preprocess_preprocess_steps_free(ov_preprocess_preprocess_steps_t *preprocess_input_process_steps);
OPENVINO_C_API(ov_status_e)
ov_preprocess_input_info_get_model_info(const ov_preprocess_input_info_t *preprocess_input_info,
					ov_preprocess_input_model_info_t **preprocess_input_model_info);
OPENVINO_C_API(void)
ov_preprocess_input_model_info_free(ov_preprocess_input_model_info_t *preprocess_input_model_info);
/* The layout of the model's own input. Without it the tensor's layout after the steps is taken for the model's. */
OPENVINO_C_API(ov_status_e)
ov_preprocess_input_model_info_set_layout(ov_preprocess_input_model_info_t *preprocess_input_model_info, ov_layout_t *layout);

/* ---- the user's tensor ---- */

OPENVINO_C_API(ov_status_e)
ov_preprocess_input_tensor_info_set_element_type(ov_preprocess_input_tensor_info_t *preprocess_input_tensor_info,
						 const ov_element_type_e element_type);
OPENVINO_C_API(ov_status_e)
ov_preprocess_input_tensor_info_set_color_format(ov_preprocess_input_tensor_info_t *preprocess_input_tensor_info,
						 const ov_color_format_e colorFormat);
/* sub_names_size words (const char *) follow: the inputs of the planes are called NAME/WORD. Without words they are Y and UV,
 * or Y, U and V. */
OPENVINO_C_API(ov_status_e)
ov_preprocess_input_tensor_info_set_color_format_with_subname(ov_preprocess_input_tensor_info_t *preprocess_input_tensor_info,
							      const ov_color_format_e colorFormat, const size_t sub_names_size,
							      ...);
/* Rows and columns of the image, both above 0; the layout must have H and W. */
OPENVINO_C_API(ov_status_e)
ov_preprocess_input_tensor_info_set_spatial_static_shape(ov_preprocess_input_tensor_info_t *preprocess_input_tensor_info,
							 const size_t input_height, const size_t input_width);
/* A tag for devices with memory of their own kind; kept nowhere, since none of these devices has one. */
OPENVINO_C_API(ov_status_e)
ov_preprocess_input_tensor_info_set_memory_type(ov_preprocess_input_tensor_info_t *preprocess_input_tensor_info,
						const char *mem_type);
/* Element type and shape are those of this tensor. */
OPENVINO_C_API(ov_status_e)
ov_preprocess_input_tensor_info_set_from(ov_preprocess_input_tensor_info_t *preprocess_input_tensor_info,
					 const ov_tensor_t *tensor);
OPENVINO_C_API(ov_status_e)
ov_preprocess_input_tensor_info_set_layout(ov_preprocess_input_tensor_info_t *preprocess_input_tensor_info,
					   ov_layout_t *layout);

/* ---- steps ---- */

/* To the height and width of the model's input; integer images are rounded to nearest. */
OPENVINO_C_API(ov_status_e)
ov_preprocess_preprocess_steps_resize(ov_preprocess_preprocess_steps_t *preprocess_input_process_steps,
				      const ov_preprocess_resize_algorithm_e resize_algorithm);
/* Divide by, subtract: one number, or one a channel (the layout must have C). The element type must be floating-point by then.
 */
OPENVINO_C_API(ov_status_e)
ov_preprocess_preprocess_steps_scale(ov_preprocess_preprocess_steps_t *preprocess_input_process_steps, float value);
OPENVINO_C_API(ov_status_e)
ov_preprocess_preprocess_steps_scale_multi_channels(ov_preprocess_preprocess_steps_t *preprocess_input_process_steps,
						    const float *values, const int32_t value_size);
OPENVINO_C_API(ov_status_e)
ov_preprocess_preprocess_steps_mean(ov_preprocess_preprocess_steps_t *preprocess_input_process_steps, float value);
OPENVINO_C_API(ov_status_e)
ov_preprocess_preprocess_steps_mean_multi_channels(ov_preprocess_preprocess_steps_t *preprocess_input_process_steps,
						   const float *values, const int32_t value_size);
/* Keeps begin <= i < end, one number an axis; negative ones count from the end of the axis. */
OPENVINO_C_API(ov_status_e)
ov_preprocess_preprocess_steps_crop(ov_preprocess_preprocess_steps_t *preprocess_input_process_steps, int32_t *begin,
				    int32_t begin_size, int32_t *end, int32_t end_size);
/* One number an axis; negative ones cut. SYMMETRIC only adds. */
OPENVINO_C_API(ov_status_e)
ov_preprocess_preprocess_steps_pad(const ov_preprocess_preprocess_steps_t *preprocess_input_process_steps,
				   const int *const pads_begin, size_t pads_begin_size, const int *const pads_end,
				   size_t pads_end_size, float value, ov_padding_mode_e mode);
/* Axes are matched by name; those that the present layout lacks come in front, with size 1. */
OPENVINO_C_API(ov_status_e)
ov_preprocess_preprocess_steps_convert_layout(ov_preprocess_preprocess_steps_t *preprocess_input_process_steps,
					      ov_layout_t *layout);
OPENVINO_C_API(ov_status_e)
ov_preprocess_preprocess_steps_reverse_channels(ov_preprocess_preprocess_steps_t *preprocess_input_process_steps);
OPENVINO_C_API(ov_status_e)
ov_preprocess_preprocess_steps_convert_element_type(ov_preprocess_preprocess_steps_t *preprocess_input_process_steps,
						    const ov_element_type_e element_type);
/* NV12 and I420 (BT.601, 16..235) to RGB, BGR or GRAY; RGB, BGR, RGBX, BGRX to RGB, BGR or GRAY. Integers are rounded to
 * nearest, 0..255. */
OPENVINO_C_API(ov_status_e)
ov_preprocess_preprocess_steps_convert_color(ov_preprocess_preprocess_steps_t *preprocess_input_process_steps,
					     const ov_color_format_e colorFormat);

/* ---- outputs ---- */

OPENVINO_C_API(ov_status_e)
ov_preprocess_prepostprocessor_get_output_info(const ov_preprocess_prepostprocessor_t *preprocess,
					       ov_preprocess_output_info_t **preprocess_output_info);
OPENVINO_C_API(ov_status_e)
ov_preprocess_prepostprocessor_get_output_info_by_index(const ov_preprocess_prepostprocessor_t *preprocess,
							const size_t tensor_index,
							ov_preprocess_output_info_t **preprocess_output_info);
OPENVINO_C_API(ov_status_e)
ov_preprocess_prepostprocessor_get_output_info_by_name(const ov_preprocess_prepostprocessor_t *preprocess,
						       const char *tensor_name,
						       ov_preprocess_output_info_t **preprocess_output_info);
OPENVINO_C_API(void)
ov_preprocess_output_info_free(ov_preprocess_output_info_t *preprocess_output_info);
OPENVINO_C_API(ov_status_e)
ov_preprocess_output_info_get_tensor_info(const ov_preprocess_output_info_t *preprocess_output_info,
					  ov_preprocess_output_tensor_info_t **preprocess_output_tensor_info);
OPENVINO_C_API(void)
ov_preprocess_output_tensor_info_free(ov_preprocess_output_tensor_info_t *preprocess_output_tensor_info);
OPENVINO_C_API(ov_status_e)
ov_preprocess_output_set_element_type(ov_preprocess_output_tensor_info_t *preprocess_output_tensor_info,
				      const ov_element_type_e element_type);

#endif
