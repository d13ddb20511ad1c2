/* SPDX-License-Identifier: Apache-2.0 */
/* Work, precision and memory of small graphs, counted by hand. */
#include "devices/graphs.h"

#include "rt/facts.h"

/* x[4,8] . w[8,16], then Relu twice: 4 * 16 * 8 products. */
static void a_product(void **state)
{
	(void)state;
	tarn_model *m;
	tarn_facts f;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	tarn_value *y = node(g, "MatMul", input(g, dims(2, 4, 8)), weights(g, dims(2, 8, 16)), NULL);
	y = node(g, "Relu", y, NULL, NULL);
	output(g, node(g, "Relu", y, NULL, NULL));
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_facts_find(g, &f));
	assert_int_equal(f.nodes, 3);
	assert_int_equal(f.nodes_unknown, 0);
	assert_int_equal(f.macs, 4 * 16 * 8);
	assert_int_equal(f.macs_int8, 0);
	assert_int_equal(f.weight_bytes, 8 * 16 * 4);
	/* Product and first Relu live together, each 4 * 16 floats; the second Relu is the model's result. */
	assert_int_equal(f.activation_bytes, 2 * 4 * 16 * 4);
	tarn_model_unref(m);
}

/* The same with weights of 8 bits: floats they stay. */
static void a_compressed_product(void **state)
{
	(void)state;
	tarn_model *m;
	tarn_facts f;
	tarn_tensor t;
	tarn_value *w;
	tarn_shape s = dims(2, 8, 16);
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	assert_ok(tarn_tensor_new(TARN_I8, 2, s.dim, &t));
	assert_ok(tarn_value_const(g, NULL, &t, &w));
	tarn_tensor_fini(&t);
	output(g, node(g, "MatMul", input(g, dims(2, 4, 8)), node(g, "DequantizeLinear", w, scalar(g, 0.5f), NULL), NULL));
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_facts_find(g, &f));
	assert_int_equal(f.products_compressed, 1);
	assert_int_equal(f.macs_int8, 0);
	assert_int_equal(f.weight_bytes, 8 * 16 + 4);
	tarn_model_unref(m);
}

static tarn_value *zero(tarn_graph *g, tarn_dtype type)
{
	tarn_tensor t;
	tarn_value *v;
	assert_ok(tarn_tensor_new(type, 0, NULL, &t));
	memset(t.data, 0, tarn_tensor_bytes(&t));
	assert_ok(tarn_value_const(g, NULL, &t, &v));
	tarn_tensor_fini(&t);
	return v;
}

static tarn_value *coded(tarn_graph *g, tarn_value *x)
{
	tarn_value *q = node(g, "QuantizeLinear", x, scalar(g, 0.5f), zero(g, TARN_I8));
	return node(g, "DequantizeLinear", q, scalar(g, 0.5f), zero(g, TARN_I8));
}

/* Two products of the same size; the first one on codes on both sides, the second on codes on one. */
static void codes(void **state)
{
	(void)state;
	tarn_model *m;
	tarn_facts f;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	tarn_value *y = node(g, "MatMul", coded(g, input(g, dims(2, 5, 6))), coded(g, weights(g, dims(2, 6, 6))), NULL);
	y = node(g, "MatMul", coded(g, y), weights(g, dims(2, 6, 6)), NULL);
	output(g, y);
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_facts_find(g, &f));
	assert_int_equal(f.macs, 2 * 5 * 6 * 6);
	assert_int_equal(f.macs_int8, 5 * 6 * 6);
	tarn_model_unref(m);
}

static void free_sizes(void **state)
{
	(void)state;
	tarn_model *m;
	tarn_facts f;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	tarn_shape s = dims(2, 0, 8);
	assert_ok(tarn_symtab_fresh(&m->syms, 1, 100, &s.dim[0]));
	output(g, node(g, "MatMul", input(g, s), weights(g, dims(2, 8, 16)), NULL));
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_facts_find(g, &f));
	assert_int_equal(f.nodes_unknown, 1);
	assert_int_equal(f.macs, 0);
	assert_int_equal(f.activation_bytes, -1);
	assert_int_equal(f.weight_bytes, 8 * 16 * 4);
	tarn_model_unref(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_product),
		cmocka_unit_test(a_compressed_product),
		cmocka_unit_test(codes),
		cmocka_unit_test(free_sizes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
