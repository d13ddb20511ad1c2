/* SPDX-License-Identifier: Apache-2.0 */
/* Weights as 4- and 8-bit integers with scales in blocks: written as ONNX (opset 21) and as OpenVINO IR, read back, the same.
 */
#include "devices/graphs.h"

#include <unistd.h>

#include "base/file.h"
#include "fmt/fmt.h"
#include "pass/pass.h"

#include "devices/fixture.h" /* last: its names are short */

static int setup(void **state)
{
	(void)state;
	return fixture_start(1);
}

static tarn_value *codes(tarn_dtype type, tarn_shape s)
{
	tarn_tensor t;
	tarn_value *v;
	assert_ok(tarn_tensor_new(type, s.rank, s.dim, &t));
	int half = 1 << (tarn_dtype_info(type)->bits - 1), shift = tarn_dtype_is_signed(type) ? half : 0;
	for (int64_t i = 0; i < tarn_tensor_count(&t); i++)
		tarn_tensor_set_i64(&t, i, between(0, 2 * half - 1) - shift);
	assert_ok(tarn_value_const(g, NULL, &t, &v));
	tarn_tensor_fini(&t);
	return v;
}

/* x [2][8] times weights in blocks of 4 along axis 0, and of 2 along axis 1, with what opsets 17 and 21 say differently. */
static void build(tarn_dtype type)
{
	tarn_value *x = input(g, dims(2, 2, 8));
	tarn_value *w =
		node(g, "DequantizeLinear", codes(type, dims(2, 8, 6)), weights(g, dims(2, 2, 6)), codes(type, dims(2, 2, 6)));
	set_int(w, "axis", 0);
	set_int(w, "block_size", 4);
	tarn_value *u = node(g, "DequantizeLinear", codes(type, dims(2, 3, 6)), weights(g, dims(2, 3, 3)), NULL);
	set_int(u, "axis", 1);
	set_int(u, "block_size", 2);
	tarn_value *y = node(g, "Gemm", node(g, "MatMul", x, w, NULL), u, NULL);
	set_int(y, "transB", 1);
	tarn_node *split = node_with(g, "Split", 3, y, NULL, NULL);
	set_int(split->out[0], "axis", 1);
	tarn_value *most = node(g, "ReduceMax", y, NULL, NULL);
	set_ints(g, most, "axes", 1, 1);
	output(g, most);
	output(g, node(g, "Add", split->out[0], split->out[2], NULL));
	assert_ok(tarn_graph_infer(g));
}

static void expect_same(const tarn_model *again)
{
	tarn_tensor in = filled(g->input.at[0]->shape), a[2] = {0}, b[2] = {0};
	const tarn_tensor *ptr = &in;
	assert_ok(tarn_graph_eval(g, &ptr, a, NULL, NULL));
	assert_ok(tarn_graph_eval(again->main, &ptr, b, NULL, NULL));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(tarn_tensor_bytes(&a[i]), tarn_tensor_bytes(&b[i]));
		assert_memory_equal(a[i].data, b[i].data, tarn_tensor_bytes(&a[i]));
		tarn_tensor_fini(&a[i]);
		tarn_tensor_fini(&b[i]);
	}
	tarn_tensor_fini(&in);
}

/* How many blocked dequantizations of that type the model has. */
static int blocked(const tarn_model *m, tarn_dtype type)
{
	int n = 0;
	for (size_t i = 0; i < m->main->node.len; i++) {
		const tarn_node *d = m->main->node.at[i];
		n += d->op == tarn_op_find(NULL, "DequantizeLinear") && d->in[0]->konst && d->in[0]->konst->type == type &&
		     tarn_attr_i(d, tarn_attr_index(d->op, "block_size"));
	}
	return n;
}

static void round_trip(tarn_dtype type, const char *ending)
{
	char path[64], other[64];
	tarn_model *again;
	build(type);
	snprintf(path, sizeof path, "/tmp/tarn-blocks-%ld.%s", (long)getpid(), ending);
	snprintf(other, sizeof other, "/tmp/tarn-blocks-%ld.bin", (long)getpid());
	assert_ok(tarn_model_write(model, path));
	assert_ok(tarn_model_read(path, NULL, &again));
	(void)remove(path);
	(void)remove(other);
	expect_same(again);
	assert_ok(tarn_pass_standard(again));
	assert_int_equal(blocked(again, type), 2);
	expect_same(again);
	if (!strcmp(ending, "onnx"))
		assert_int_equal(again->onnx_opset, 21);
	tarn_model_unref(again);
}

#define TRIP(name, type, ending) \
	static void name(void **state) \
	{ \
		(void)state; \
		round_trip(type, ending); \
	}
TRIP(int4_onnx, TARN_I4, "onnx")
TRIP(uint4_onnx, TARN_U4, "onnx")
TRIP(int8_onnx, TARN_I8, "onnx")
TRIP(int4_ir, TARN_I4, "xml")
TRIP(uint4_ir, TARN_U4, "xml")
TRIP(int8_ir, TARN_I8, "xml")

/* Without blocks and 4-bit constants nothing changes. */
static void otherwise_opset_17(void **state)
{
	(void)state;
	char path[64];
	tarn_model *again;
	tarn_value *most = node(g, "ReduceMax", input(g, dims(2, 2, 8)), NULL, NULL);
	set_ints(g, most, "axes", 1, 1);
	output(g, most);
	assert_ok(tarn_graph_infer(g));
	snprintf(path, sizeof path, "/tmp/tarn-blocks-%ld.onnx", (long)getpid());
	assert_ok(tarn_model_write(model, path));
	assert_ok(tarn_model_read(path, NULL, &again));
	assert_int_equal(again->onnx_opset, 17);
	tarn_model_unref(again);
	(void)remove(path);
}

/* An IR constant is cut in equal parts only. */
static void parts_must_be_equal(void **state)
{
	(void)state;
	tarn_value *w = node(g, "DequantizeLinear", codes(TARN_I4, dims(2, 7, 3)), weights(g, dims(2, 2, 3)), NULL);
	set_int(w, "axis", 0);
	set_int(w, "block_size", 4);
	output(g, node(g, "MatMul", input(g, dims(2, 1, 7)), w, NULL));
	assert_ok(tarn_graph_infer(g));
	char path[64];
	snprintf(path, sizeof path, "/tmp/tarn-blocks-%ld.xml", (long)getpid());
	assert_int_equal(tarn_model_write(model, path), TARN_UNSUPPORTED);
	assert_non_null(strstr(tarn_err_text(), "blocks of 4"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(int4_onnx, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(uint4_onnx, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(int8_onnx, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(int4_ir, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(uint4_ir, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(int8_ir, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(otherwise_opset_17, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(parts_must_be_equal, setup, fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
