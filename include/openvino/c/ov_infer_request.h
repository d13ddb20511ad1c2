/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Infer requests: tensors in, one inference, tensors out. One thread at a time, but for wait, cancel and the callback.
 */
#ifndef OPENVINO_C_OV_INFER_REQUEST_H
#define OPENVINO_C_OV_INFER_REQUEST_H

#include "openvino/c/ov_common.h"
#include "openvino/c/ov_node.h"
#include "openvino/c/ov_tensor.h"

typedef struct ov_infer_request ov_infer_request_t;

typedef struct {
	void(OPENVINO_C_API_CALLBACK *callback_func)(void *args);
	void *args;
} ov_callback_t;

typedef struct {
	enum Status { NOT_RUN, OPTIMIZED_OUT, EXECUTED } status;
	int64_t real_time; /* microseconds */
	int64_t cpu_time;
	const char *node_name;
	const char *exec_type; /* kernel or engine */
	const char *node_type;
} ov_profiling_info_t;

typedef struct {
	ov_profiling_info_t *profiling_infos;
	size_t size;
} ov_profiling_info_list_t;

/* By tensor name of an input or output. The request shares the memory; the handle may be freed at once. */
OPENVINO_C_API(ov_status_e)
ov_infer_request_set_tensor(ov_infer_request_t *infer_request, const char *tensor_name, const ov_tensor_t *tensor);

/* Ports of the model or of the compiled model. */
OPENVINO_C_API(ov_status_e)
ov_infer_request_set_tensor_by_port(ov_infer_request_t *infer_request, const ov_output_port_t *port, const ov_tensor_t *tensor);

OPENVINO_C_API(ov_status_e)
ov_infer_request_set_tensor_by_const_port(ov_infer_request_t *infer_request, const ov_output_const_port_t *port,
					  const ov_tensor_t *tensor);

OPENVINO_C_API(ov_status_e)
ov_infer_request_set_input_tensor_by_index(ov_infer_request_t *infer_request, const size_t idx, const ov_tensor_t *tensor);

OPENVINO_C_API(ov_status_e)
ov_infer_request_set_input_tensor(ov_infer_request_t *infer_request, const ov_tensor_t *tensor);

OPENVINO_C_API(ov_status_e)
ov_infer_request_set_output_tensor_by_index(ov_infer_request_t *infer_request, const size_t idx, const ov_tensor_t *tensor);

OPENVINO_C_API(ov_status_e)
ov_infer_request_set_output_tensor(ov_infer_request_t *infer_request, const ov_tensor_t *tensor);

/* A new handle on the request's own memory, which the device reads and writes without a copy. REQUEST_BUSY while it runs. */
OPENVINO_C_API(ov_status_e)
ov_infer_request_get_tensor(const ov_infer_request_t *infer_request, const char *tensor_name, ov_tensor_t **tensor);

OPENVINO_C_API(ov_status_e)
ov_infer_request_get_tensor_by_const_port(const ov_infer_request_t *infer_request, const ov_output_const_port_t *port,
					  ov_tensor_t **tensor);

OPENVINO_C_API(ov_status_e)
ov_infer_request_get_tensor_by_port(const ov_infer_request_t *infer_request, const ov_output_port_t *port,
				    ov_tensor_t **tensor);

OPENVINO_C_API(ov_status_e)
ov_infer_request_get_input_tensor_by_index(const ov_infer_request_t *infer_request, const size_t idx, ov_tensor_t **tensor);

OPENVINO_C_API(ov_status_e)
ov_infer_request_get_input_tensor(const ov_infer_request_t *infer_request, ov_tensor_t **tensor);

OPENVINO_C_API(ov_status_e)
ov_infer_request_get_output_tensor_by_index(const ov_infer_request_t *infer_request, const size_t idx, ov_tensor_t **tensor);

OPENVINO_C_API(ov_status_e)
ov_infer_request_get_output_tensor(const ov_infer_request_t *infer_request, ov_tensor_t **tensor);

/* Runs and waits. */
OPENVINO_C_API(ov_status_e)
ov_infer_request_infer(ov_infer_request_t *infer_request);

/* wait then says INFER_CANCELLED, unless the inference was over. */
OPENVINO_C_API(ov_status_e)
ov_infer_request_cancel(ov_infer_request_t *infer_request);

/* Returns at once; REQUEST_BUSY while the last one runs. */
OPENVINO_C_API(ov_status_e)
ov_infer_request_start_async(ov_infer_request_t *infer_request);

/* The result of the last inference. */
OPENVINO_C_API(ov_status_e)
ov_infer_request_wait(ov_infer_request_t *infer_request);

/* timeout in milliseconds; RESULT_NOT_READY when it passed. */
OPENVINO_C_API(ov_status_e)
ov_infer_request_wait_for(ov_infer_request_t *infer_request, const int64_t timeout);

/* Both fields are copied. Called once after each start_async, on another thread, when results can be read; it may start the
 * request again. */
OPENVINO_C_API(ov_status_e)
ov_infer_request_set_callback(ov_infer_request_t *infer_request, const ov_callback_t *callback);

/* Waits for a running inference and its callback. */
OPENVINO_C_API(void)
ov_infer_request_free(ov_infer_request_t *infer_request);

/* Per layer with PERF_COUNT, else one entry for the whole; for ov_profiling_info_list_free. */
OPENVINO_C_API(ov_status_e)
ov_infer_request_get_profiling_info(const ov_infer_request_t *infer_request, ov_profiling_info_list_t *profiling_infos);

OPENVINO_C_API(void)
ov_profiling_info_list_free(ov_profiling_info_list_t *profiling_infos);

#endif
