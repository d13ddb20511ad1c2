/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one can do with a model beyond OpenVINO's C API: write it, freeze it, look at its nodes and where they would run.
 * Handles, status codes and rules are those of the C API; names are tarn_<verb>_<noun>.
 */
#ifndef TARN_MODEL_H
#define TARN_MODEL_H

#include "openvino/c/openvino.h"

#ifdef __cplusplus
extern "C" {
#endif
#define TARN_API __attribute__((visibility("default")))

/* Writes the model in the format of the path's ending; on failure nothing is left behind. */
TARN_API ov_status_e tarn_save_model(const ov_model_t *model, const char *path);

/* Computes once what does not depend on inputs, and drops what has no effect: shape arithmetic of static models vanishes, batch
 * normalisation joins the convolution before it. Names of inputs and outputs stay. */
TARN_API ov_status_e tarn_freeze_model(const ov_model_t *model);

/* Another element type for an input or output; the model converts between it and its own. */
TARN_API ov_status_e tarn_set_port_type(const ov_model_t *model, bool output, size_t index, ov_element_type_e type);

/* The name a file gives to a free dimension of a port ("batch"), or "?" where it has none; the number of a static one. For
 * ov_free. */
TARN_API ov_status_e tarn_get_dim_name(const ov_output_const_port_t *port, size_t axis, char **name);

/* One node of the main graph, in execution order. */
typedef struct tarn_node_info {
	char *name;     /* as in the file */
	char *type;     /* operator: "Conv" */
	int64_t macs;   /* multiply-accumulates; -1: unknown (free dimensions, or an operator that cannot tell) */
	int64_t ops;    /* other scalar operations; -1: unknown */
	bool supported; /* by the device asked about */
	char *why;      /* the reason, when it is not; else NULL */
} tarn_node_info;
typedef struct tarn_node_list {
	tarn_node_info *at;
	size_t size;
} tarn_node_list;
/* device NULL: no device in particular, everything counts as supported. Released with tarn_free_nodes. */
TARN_API ov_status_e tarn_list_nodes(const ov_core_t *core, const ov_model_t *model, const char *device, tarn_node_list *nodes);
TARN_API void tarn_free_nodes(tarn_node_list *nodes);

#ifdef __cplusplus
}
#endif
#endif
