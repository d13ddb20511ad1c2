/* SPDX-License-Identifier: Apache-2.0 */
#include "api.h"
#include "tarn/model.h"

static void expect_shape(const ov_output_const_port_t *port, int64_t a, int64_t b)
{
	ov_shape_t s;
	EXPECT_OK(ov_const_port_get_shape(port, &s));
	EXPECT(s.rank == 2 && s.dims[0] == a && s.dims[1] == b);
	ov_shape_free(&s);
}

static void ports(ov_core_t *core)
{
	const int dim[] = {2, 3};
	ov_model_t *m = read_affine(core, 2, dim);
	ov_output_const_port_t *in, *out, *other;
	ov_output_port_t *mutable_in;
	ov_element_type_e type;
	size_t n;
	char *name;
	EXPECT_OK(ov_model_inputs_size(m, &n));
	EXPECT(n == 1); /* constants are no inputs */
	EXPECT_OK(ov_model_outputs_size(m, &n));
	EXPECT(n == 1);
	EXPECT(!ov_model_is_dynamic(m));
	EXPECT_OK(ov_model_const_input(m, &in));
	EXPECT_OK(ov_model_const_output_by_name(m, "y", &out));
	EXPECT_OK(ov_model_input_by_index(m, 0, &mutable_in));
	EXPECT(ov_model_const_input_by_index(m, 1, &other) == NOT_FOUND);
	EXPECT(ov_model_const_input_by_name(m, "z", &other) == NOT_FOUND);
	EXPECT_OK(ov_port_get_any_name(in, &name));
	EXPECT(!strcmp(name, "x"));
	ov_free(name);
	EXPECT_OK(ov_port_get_element_type(out, &type));
	EXPECT(type == F32);
	expect_shape(in, 2, 3);
	/* Ports follow a reshape, and outlive the model's handle. */
	const int64_t fresh[] = {5, 4};
	ov_partial_shape_t p;
	EXPECT_OK(ov_partial_shape_create_static(2, fresh, &p));
	const ov_output_port_t *which[] = {mutable_in};
	EXPECT_OK(ov_model_reshape_by_ports(m, which, &p, 1));
	expect_shape(in, 5, 4);
	expect_shape(out, 5, 4);
	const size_t first = 0;
	const char *names[] = {"x"};
	p.dims[0] = (ov_dimension_t){-1, -1};
	EXPECT_OK(ov_model_reshape(m, names, &p, 1));
	EXPECT(ov_model_is_dynamic(m));
	ov_shape_t s;
	EXPECT(ov_const_port_get_shape(out, &s) != OK);
	ov_partial_shape_t q;
	EXPECT_OK(ov_port_get_partial_shape(out, &q));
	const char *text = ov_partial_shape_to_string(q);
	EXPECT(!strcmp(text, "{?,4}"));
	EXPECT(q.dims[0].min == 0 && q.dims[0].max == -1 && q.dims[1].min == 4 && q.dims[1].max == 4);
	ov_free(text);
	ov_partial_shape_free(&q);
	p.dims[0] = (ov_dimension_t){2, 9};
	EXPECT_OK(ov_model_reshape_by_port_indexes(m, &first, &p, 1));
	EXPECT_OK(ov_port_get_partial_shape(in, &q));
	EXPECT(q.dims[0].min == 2 && q.dims[0].max == 9);
	ov_partial_shape_free(&q);
	p.dims[0] = p.dims[1] = (ov_dimension_t){7, 7};
	EXPECT_OK(ov_model_reshape_single_input(m, p));
	EXPECT(ov_model_reshape_input_by_name(m, "nobody", p) == NOT_FOUND);
	EXPECT_OK(ov_model_get_friendly_name(m, &name));
	ov_free(name);
	ov_model_free(m);
	expect_shape(in, 7, 7);
	ov_partial_shape_free(&p);
	ov_output_const_port_free(in);
	ov_output_const_port_free(out);
	ov_output_port_free(mutable_in);
	ov_output_const_port_free(NULL);
}

static void nodes_and_names(ov_core_t *core)
{
	const int dim[] = {-1, 3};
	ov_model_t *m = read_affine(core, 2, dim);
	tarn_node_list list;
	EXPECT_OK(tarn_list_nodes(core, m, "REF", &list));
	EXPECT(list.size == 2 && !strcmp(list.at[0].type, "Mul") && !strcmp(list.at[1].name, "Add") && list.at[0].supported);
	tarn_free_nodes(&list);
	ov_output_const_port_t *in;
	char *name;
	EXPECT_OK(ov_model_const_input(m, &in));
	EXPECT_OK(tarn_get_dim_name(in, 0, &name));
	EXPECT(!strcmp(name, "n"));
	ov_free(name);
	EXPECT_OK(tarn_get_dim_name(in, 1, &name));
	EXPECT(!strcmp(name, "3"));
	ov_free(name);
	EXPECT(tarn_get_dim_name(in, 2, &name) != OK);
	EXPECT_OK(tarn_freeze_model(m));
	EXPECT(tarn_save_model(m, "model.unknown") == NOT_IMPLEMENTED);
	ov_output_const_port_free(in);
	ov_model_free(m);
}

static void types_of_ports(ov_core_t *core)
{
	const int dim[] = {2, 3};
	ov_model_t *m = read_affine(core, 2, dim);
	ov_compiled_model_t *cm;
	ov_infer_request_t *r;
	ov_tensor_t *x, *y;
	void *at;
	EXPECT_OK(tarn_set_port_type(m, false, 0, U8));
	EXPECT_OK(tarn_set_port_type(m, true, 0, I32));
	EXPECT_OK(tarn_set_port_type(m, true, 0, I32)); /* it is already */
	EXPECT(tarn_set_port_type(m, true, 1, I32) == NOT_FOUND);
	EXPECT(tarn_set_port_type(m, false, 0, STRING) == PARAMETER_MISMATCH);
	EXPECT_OK(ov_core_compile_model(core, m, "REF", 0, &cm));
	EXPECT_OK(ov_compiled_model_create_infer_request(cm, &r));
	EXPECT_OK(ov_infer_request_get_tensor(r, "x", &x)); /* names stay */
	EXPECT_OK(ov_infer_request_get_tensor(r, "y", &y));
	EXPECT_OK(ov_tensor_data(x, &at));
	for (int i = 0; i < 6; i++)
		((uint8_t *)at)[i] = (uint8_t)(250 + i);
	EXPECT_OK(ov_infer_request_infer(r));
	EXPECT_OK(ov_tensor_data(y, &at));
	for (int i = 0; i < 6; i++)
		EXPECT(((int32_t *)at)[i] == 2 * (250 + i) + 1);
	ov_tensor_free(x);
	ov_tensor_free(y);
	ov_infer_request_free(r);
	ov_compiled_model_free(cm);
	ov_model_free(m);
}

static void damaged_bytes_are_refused(ov_core_t *core)
{
	const int dim[] = {2, 3};
	bytes b = affine_model(2, dim);
	for (size_t n = 0; n < b.n; n++) {
		ov_model_t *m = NULL;
		if (ov_core_read_model_from_memory_buffer(core, (const char *)b.at, n, NULL, &m) == OK)
			ov_model_free(m);
	}
}

int main(void)
{
	ov_core_t *core;
	EXPECT_OK(ov_core_create(&core));
	ports(core);
	nodes_and_names(core);
	types_of_ports(core);
	damaged_bytes_are_refused(core);
	ov_core_free(core);
	return 0;
}
