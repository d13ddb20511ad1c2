/* SPDX-License-Identifier: Apache-2.0 */
/* What nodes compute and move, counted by hand. */
#include "devices/graphs.h"

#include "base/mem.h"
#include "rt/work.h"

/* x[4,8] . w[8,16], then Relu: 64 floats go from one to the other. */
static void floats(void **state)
{
	(void)state;
	tarn_model *m;
	tarn_work *w;
	size_t n;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	tarn_value *y = node(g, "MatMul", input(g, dims(2, 4, 8)), weights(g, dims(2, 8, 16)), NULL);
	output(g, node(g, "Relu", y, NULL, NULL));
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_work_find(g, 200, &w, &n));
	assert_int_equal(n, 2);
	assert_string_equal(w[0].node->op->name, "MatMul");
	assert_int_equal(w[0].macs, 4 * 8 * 16);
	assert_int_equal(w[0].weight_bytes, 8 * 16 * 4);
	assert_int_equal(w[0].moved_bytes, (4 * 8 + 4 * 16) * 4);
	assert_int_equal(w[0].large_bytes, 4 * 16 * 4); /* the input's 128 bytes are not more than 200 */
	assert_int_equal(w[1].macs, 0);
	assert_int_equal(w[1].weight_bytes, 0);
	assert_int_equal(w[1].moved_bytes, 2 * 4 * 16 * 4);
	tarn_mem_free(w);
	tarn_model_unref(m);
}

static tarn_value *byte_tensor(tarn_graph *g, tarn_shape s)
{
	tarn_tensor t;
	tarn_value *v;
	assert_ok(tarn_tensor_new(TARN_I8, s.rank, s.dim, &t));
	memset(t.data, 0, tarn_tensor_bytes(&t));
	assert_ok(tarn_value_const(g, NULL, &t, &v));
	tarn_tensor_fini(&t);
	return v;
}

/* The same between quantizers: all of it is a byte each, and quantizers count nothing. */
static void codes(void **state)
{
	(void)state;
	tarn_model *m;
	tarn_work *w;
	size_t n;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	tarn_value *half = scalar(g, 0.5f), *zero = byte_tensor(g, dims(0));
	tarn_value *x = node(g, "QuantizeLinear", input(g, dims(2, 4, 8)), half, zero);
	x = node(g, "DequantizeLinear", x, half, zero);
	tarn_value *y = node(g, "MatMul", x, node(g, "DequantizeLinear", byte_tensor(g, dims(2, 8, 16)), half, zero), NULL);
	output(g, node(g, "QuantizeLinear", y, half, zero));
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_work_find(g, 1 << 20, &w, &n));
	assert_int_equal(n, 5);
	for (size_t i = 0; i < n; i++) {
		bool product = !strcmp(w[i].node->op->name, "MatMul");
		assert_int_equal(w[i].macs, product ? 4 * 8 * 16 : 0);
		assert_int_equal(w[i].weight_bytes, product ? 8 * 16 : 0);
		assert_int_equal(w[i].moved_bytes, product ? 4 * 8 + 4 * 16 : 0);
		assert_int_equal(w[i].large_bytes, 0);
	}
	tarn_mem_free(w);
	tarn_model_unref(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(floats),
		cmocka_unit_test(codes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
