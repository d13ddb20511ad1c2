/* SPDX-License-Identifier: Apache-2.0 */
/* One inference with OpenVINO's C API, from file to result.
 *
 *   cc hello.c $(pkg-config --cflags --libs openvino) -o hello && ./hello model.onnx CPU
 *
 * The first input is filled with ones; the five largest elements of the first output are printed. Free dimensions become 1. */
#include <openvino/c/openvino.h>
#include <stdio.h>
#include <stdlib.h>

/* Every call returns a status; the sentence behind it tells what to do. */
static void check(ov_status_e status, const char *what)
{
	if (status == OK)
		return;
	const char *why = ov_get_last_err_msg();
	fprintf(stderr, "hello: %s: %s\n", what, why ? why : ov_get_error_info(status));
	ov_free(why);
	exit(1);
}

static void fill_with_ones(ov_tensor_t *tensor)
{
	ov_element_type_e type;
	size_t n;
	void *data;
	check(ov_tensor_get_element_type(tensor, &type), "element type");
	check(ov_tensor_get_size(tensor, &n), "size");
	check(ov_tensor_data(tensor, &data), "data");
	for (size_t i = 0; i < n && type == F32; i++)
		((float *)data)[i] = 1;
}

/* Gives every free dimension of the first input the size 1. */
static void make_static(ov_model_t *model)
{
	ov_output_const_port_t *port;
	ov_partial_shape_t shape;
	char *name;
	check(ov_model_const_input_by_index(model, 0, &port), "first input");
	check(ov_port_get_any_name(port, &name), "its name");
	check(ov_port_get_partial_shape(port, &shape), "its shape");
	for (int64_t i = 0; i < shape.rank.max; i++)
		if (ov_dimension_is_dynamic(shape.dims[i]))
			shape.dims[i].min = shape.dims[i].max = 1;
	check(ov_model_reshape_input_by_name(model, name, shape), "reshape");
	ov_partial_shape_free(&shape);
	ov_free(name);
	ov_output_const_port_free(port);
}

static void show_largest(ov_tensor_t *tensor)
{
	ov_element_type_e type;
	size_t n;
	void *data;
	check(ov_tensor_get_element_type(tensor, &type), "element type");
	check(ov_tensor_get_size(tensor, &n), "size");
	check(ov_tensor_data(tensor, &data), "data");
	if (type != F32) {
		printf("%zu elements that are not f32\n", n);
		return;
	}
	const float *v = data;
	for (int k = 0; k < 5 && k < (int)n; k++) {
		size_t best = n;
		/* The largest that is smaller than all printed before. */
		static float last;
		for (size_t i = 0; i < n; i++)
			if ((!k || v[i] < last) && (best == n || v[i] > v[best]))
				best = i;
		if (best == n)
			break;
		last = v[best];
		printf("%6zu  %g\n", best, (double)last);
	}
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: hello MODEL [DEVICE]\n");
		return 2;
	}
	ov_core_t *core;
	ov_model_t *model;
	ov_compiled_model_t *compiled;
	ov_infer_request_t *request;
	ov_tensor_t *input, *output;
	check(ov_core_create(&core), "core");
	check(ov_core_read_model(core, argv[1], NULL, &model), "read");
	if (ov_model_is_dynamic(model))
		make_static(model);
	check(ov_core_compile_model(core, model, argc > 2 ? argv[2] : "CPU", 0, &compiled), "compile");
	check(ov_compiled_model_create_infer_request(compiled, &request), "request");
	check(ov_infer_request_get_input_tensor_by_index(request, 0, &input), "input");
	fill_with_ones(input);
	check(ov_infer_request_infer(request), "infer");
	check(ov_infer_request_get_output_tensor_by_index(request, 0, &output), "output");
	show_largest(output);
	ov_tensor_free(output);
	ov_tensor_free(input);
	ov_infer_request_free(request);
	ov_compiled_model_free(compiled);
	ov_model_free(model);
	ov_core_free(core);
	return 0;
}
