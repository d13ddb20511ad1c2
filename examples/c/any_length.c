/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs of any length on a device of fixed shapes, with OpenVINO's C API and nothing else.
 *
 *   cc any_length.c $(pkg-config --cflags --libs openvino) -o any_length
 *   TARN_NPU=sim:4000 ./any_length model.onnx NPU 128
 *
 * Every free dimension gets the bounds 1..MAX; then the model compiles like any other, and a request takes any size inside the
 * bounds: it is padded on the way in, and what comes out has its true size. More than one size to pad to: give the compile call
 * the property TARN_BUCKETS, "16,48,128" or "length=16,48,128;batch=1" (`tarn tune --lengths` finds the best). */
#include <openvino/c/openvino.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every call returns a status; the sentence behind it tells what to do. */
static void check(ov_status_e status, const char *what)
{
	if (status == OK)
		return;
	const char *why = ov_get_last_err_msg();
	fprintf(stderr, "any_length: %s: %s\n", what, why ? why : ov_get_error_info(status));
	ov_free(why);
	exit(1);
}

/* 1..max where the file leaves a size open. */
static void set_bounds(const ov_model_t *model, int64_t max)
{
	size_t n;
	check(ov_model_inputs_size(model, &n), "inputs");
	size_t *index = calloc(n, sizeof *index);
	ov_partial_shape_t *shape = calloc(n, sizeof *shape);
	for (size_t i = 0; i < n; i++) {
		ov_output_const_port_t *port;
		check(ov_model_const_input_by_index(model, i, &port), "input");
		check(ov_port_get_partial_shape(port, &shape[i]), "shape");
		for (int64_t k = 0; k < shape[i].rank.max; k++)
			if (shape[i].dims[k].max < 0)
				shape[i].dims[k] = (ov_dimension_t){1, max};
		index[i] = i;
		ov_output_const_port_free(port);
	}
	check(ov_model_reshape_by_port_indexes(model, index, shape, n), "reshape");
	for (size_t i = 0; i < n; i++)
		ov_partial_shape_free(&shape[i]);
	free(index);
	free(shape);
}

/* Input i, all zeros, `size` long where its size is free. */
static void set_input(ov_infer_request_t *request, const ov_compiled_model_t *compiled, size_t i, int64_t size)
{
	ov_output_const_port_t *port;
	ov_partial_shape_t bounds;
	ov_element_type_e type;
	ov_shape_t shape;
	ov_tensor_t *tensor;
	void *data;
	size_t bytes;
	int64_t dims[8];
	check(ov_compiled_model_input_by_index(compiled, i, &port), "input");
	check(ov_port_get_partial_shape(port, &bounds), "shape");
	check(ov_port_get_element_type(port, &type), "type");
	for (int64_t k = 0; k < bounds.rank.max && k < 8; k++)
		dims[k] = bounds.dims[k].min == bounds.dims[k].max ? bounds.dims[k].max : size;
	check(ov_shape_create(bounds.rank.max, dims, &shape), "shape");
	check(ov_tensor_create(type, shape, &tensor), "tensor");
	check(ov_tensor_data(tensor, &data), "data");
	check(ov_tensor_get_byte_size(tensor, &bytes), "size");
	memset(data, 0, bytes);
	check(ov_infer_request_set_input_tensor_by_index(request, i, tensor), "set input");
	ov_tensor_free(tensor);
	ov_shape_free(&shape);
	ov_partial_shape_free(&bounds);
	ov_output_const_port_free(port);
}

static void run(ov_infer_request_t *request, const ov_compiled_model_t *compiled, int64_t size)
{
	size_t inputs, outputs;
	check(ov_compiled_model_inputs_size(compiled, &inputs), "inputs");
	check(ov_compiled_model_outputs_size(compiled, &outputs), "outputs");
	for (size_t i = 0; i < inputs; i++)
		set_input(request, compiled, i, size);
	check(ov_infer_request_infer(request), "inference");
	printf("%lld in:", (long long)size);
	for (size_t i = 0; i < outputs; i++) {
		ov_tensor_t *tensor;
		ov_shape_t shape;
		check(ov_infer_request_get_output_tensor_by_index(request, i, &tensor), "output");
		check(ov_tensor_get_shape(tensor, &shape), "shape");
		for (int64_t k = 0; k < shape.rank; k++)
			printf("%s%lld", k ? "x" : " ", (long long)shape.dims[k]);
		ov_shape_free(&shape);
		ov_tensor_free(tensor);
	}
	printf(" out\n");
}

int main(int argc, char **argv)
{
	ov_core_t *core;
	ov_model_t *model;
	ov_compiled_model_t *compiled;
	ov_infer_request_t *request;
	int64_t max = argc > 3 ? atoll(argv[3]) : 0;
	if (argc != 4 || max < 1) {
		fprintf(stderr, "usage: any_length MODEL DEVICE MAX\n");
		return 2;
	}
	check(ov_core_create(&core), "start");
	check(ov_core_read_model(core, argv[1], NULL, &model), "read");
	set_bounds(model, max);
	check(ov_core_compile_model(core, model, argv[2], 0, &compiled), "compile");
	check(ov_compiled_model_create_infer_request(compiled, &request), "request");
	for (int64_t size = 1; size < max; size = 3 * size + 1)
		run(request, compiled, size);
	run(request, compiled, max);
	ov_infer_request_free(request);
	ov_compiled_model_free(compiled);
	ov_model_free(model);
	ov_core_free(core);
	return 0;
}
