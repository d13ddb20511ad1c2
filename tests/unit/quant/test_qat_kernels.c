/* SPDX-License-Identifier: Apache-2.0 */
/* The f32 kernels of training against the operators' reference, forward and back. */
#include "devices/graphs.h"

#include "ops/grad.h"
#include "quant/qat/kernel.h"

#include "devices/fixture.h" /* last: its names are short */

enum { MOST = 4 };

static int setup(void **state)
{
	(void)state;
	return fixture_start(5);
}

static void close_to(const tarn_tensor *a, const tarn_tensor *b, double tol, const char *what)
{
	double e = relative_error(a, b);
	if (!(e <= tol))
		fail_msg("%s: relative error %.3g", what, e);
}

/* Node of v: kernel and reference on the same random inputs (constants keep their data). */
static void same(tarn_value *v)
{
	const tarn_node *n = v->def;
	const tarn_tensor *in[MOST] = {NULL};
	tarn_tensor own[MOST] = {{0}}, din[2][MOST] = {{{0}}}, out[2][2] = {{{0}}}, dout = {0};
	bool done = false;
	for (int i = 0; i < n->n_in; i++) {
		if (!n->in[i]->konst)
			own[i] = filled(n->in[i]->shape);
		in[i] = n->in[i]->konst ? n->in[i]->konst : &own[i];
	}
	assert_ok(tarn_node_eval(n, in, out[1]));
	assert_ok(qat_forward(n, in, out[0], &done));
	if (!done) /* moves */
		assert_ok(tarn_node_eval(n, in, out[0]));
	close_to(&out[0][0], &out[1][0], 1e-5, n->op->name);
	tarn_shape s = tarn_tensor_shape(&out[0][0]);
	dout = filled(s);
	for (int k = 0; k < 2; k++)
		for (int i = 0; i < n->n_in; i++)
			if (in[i]->type != TARN_I64 && !(i && !strcmp(n->op->name, "Pow")))
				assert_ok(tarn_tensor_new(TARN_F32, in[i]->rank, in[i]->dim, &din[k][i]));
	assert_ok(qat_backward(n, in, out[0], &dout, din[0], &done));
	assert_true(done);
	assert_ok(tarn_node_grad(n, in, out[1], &dout, din[1]));
	for (int i = 0; i < n->n_in; i++)
		if (din[0][i].type != TARN_DTYPE_NONE)
			close_to(&din[0][i], &din[1][i], 2e-5, n->op->name);
	for (int i = 0; i < n->n_in; i++) {
		tarn_tensor_fini(&own[i]);
		tarn_tensor_fini(&din[0][i]);
		tarn_tensor_fini(&din[1][i]);
	}
	tarn_tensor_fini(&out[0][0]);
	tarn_tensor_fini(&out[1][0]);
	tarn_tensor_fini(&dout);
}

static void convolutions(void **state)
{
	(void)state;
	/* batch, in, out, group, kernel, stride, dilation, padding */
	static const int list[][8] = {{1, 3, 16, 1, 3, 1, 1, 1},   {2, 16, 24, 1, 3, 2, 1, 1},  {1, 16, 32, 1, 1, 1, 1, 0},
				      {1, 16, 8, 1, 1, 2, 1, 0},   {2, 12, 12, 12, 3, 1, 1, 1}, {1, 12, 24, 12, 5, 2, 1, 2},
				      {1, 12, 12, 12, 3, 1, 2, 2}, {2, 8, 12, 4, 3, 1, 1, 0},   {1, 4, 6, 1, 3, 2, 3, 4},
				      {1, 300, 5, 1, 5, 1, 1, 2} /* in several pieces */};
	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		const int *c = list[i];
		tarn_value *y =
			node(g, "Conv", input(g, dims(4, c[0], c[1], 11, 9)),
			     input(g, dims(4, c[2], c[1] / c[3], c[4], c[4] > 1 ? c[4] - 1 : 1)), input(g, dims(1, c[2])));
		set_ints(g, y, "strides", 2, c[5], c[5]);
		set_ints(g, y, "dilations", 2, c[6], c[6]);
		set_ints(g, y, "pads", 4, c[7], c[7], c[7], c[7]);
		set_int(y, "group", c[3]);
		same(y);
	}
	tarn_value *y = node(g, "Conv", input(g, dims(3, 2, 4, 20)), input(g, dims(3, 6, 4, 5)), NULL);
	set_int(y, "auto_pad", 1); /* SAME_UPPER */
	set_ints(g, y, "strides", 1, 2);
	same(y);
}

static void products(void **state)
{
	(void)state;
	for (int t = 0; t < 4; t++) {
		tarn_value *a = input(g, t & 1 ? dims(2, 7, 5) : dims(2, 5, 7)),
			   *b = input(g, t & 2 ? dims(2, 9, 7) : dims(2, 7, 9));
		tarn_value *y = node(g, "Gemm", a, b, input(g, dims(1, 9)));
		set_int(y, "transA", t & 1);
		set_int(y, "transB", t >> 1);
		assert_ok(tarn_attr_set_f(y->def, 0, 0.5));
		assert_ok(tarn_attr_set_f(y->def, 1, 2));
		same(y);
	}
	same(node(g, "MatMul", input(g, dims(3, 2, 5, 7)), input(g, dims(2, 7, 9)), NULL));
	same(node(g, "MatMul", input(g, dims(4, 2, 3, 5, 7)), input(g, dims(4, 2, 3, 7, 4)), NULL));
}

static void quantizers(void **state)
{
	(void)state;
	for (int t = 0; t < 2; t++) {
		tarn_tensor z;
		tarn_value *zero;
		assert_ok(tarn_tensor_new(t ? TARN_U8 : TARN_I8, 0, NULL, &z));
		tarn_tensor_set_i64(&z, 0, t ? 100 : 0);
		assert_ok(tarn_value_const(g, NULL, &z, &zero));
		tarn_tensor_fini(&z);
		tarn_value *q = node(g, "QuantizeLinear", input(g, dims(2, 40, 50)), scalar(g, 0.007f), zero);
		same(q);
		/* Dequantize reads codes: those of a constant. */
		tarn_tensor codes;
		tarn_value *vc;
		assert_ok(tarn_tensor_new(t ? TARN_U8 : TARN_I8, 1, (int64_t[]){256}, &codes));
		for (int i = 0; i < 256; i++)
			((uint8_t *)codes.data)[i] = (uint8_t)i;
		assert_ok(tarn_value_const(g, NULL, &codes, &vc));
		tarn_tensor_fini(&codes);
		same(node(g, "DequantizeLinear", vc, scalar(g, 0.013f), zero));
	}
}

/* Inputs shifted and scaled to where the operator is smooth. */
static tarn_value *ranged(tarn_shape s, float lo, float hi)
{
	tarn_tensor t = filled(s);
	tarn_value *v;
	for (int64_t i = 0; i < tarn_tensor_count(&t); i++)
		((float *)t.data)[i] = lo + (hi - lo) * fabsf(((float *)t.data)[i]);
	assert_ok(tarn_value_const(g, NULL, &t, &v));
	tarn_tensor_fini(&t);
	return v;
}

static void elementwise(void **state)
{
	(void)state;
	static const struct {
		const char *op;
		float lo, hi;
	} list[] = {{"Relu", -3, 3},         {"LeakyRelu", -3, 3}, {"Elu", -3, 3},     {"Selu", -3, 3},
		    {"Abs", -3, 3},          {"Exp", -3, 3},       {"Log", 0.2f, 3},   {"Sqrt", 0.2f, 3},
		    {"Reciprocal", 0.2f, 3}, {"Erf", -3, 3},       {"Sigmoid", -5, 5}, {"Tanh", -3, 3},
		    {"Softplus", -5, 5},     {"Softsign", -3, 3},  {"Mish", -5, 5},    {"HardSwish", -5, 5},
		    {"HardSigmoid", -5, 5},  {"Gelu", -4, 4},      {"Neg", -3, 3},     {"Swish", -5, 5}};
	for (size_t i = 0; i < sizeof list / sizeof *list; i++)
		same(node(g, list[i].op, ranged(dims(3, 2, 30, 41), list[i].lo, list[i].hi), NULL, NULL));
	tarn_value *y = node(g, "Gelu", ranged(dims(2, 30, 41), -4, 4), NULL, NULL);
	set_int(y, "approximate", 1);
	same(y);
	y = node(g, "Swish", ranged(dims(2, 30, 41), -4, 4), NULL, NULL);
	assert_ok(tarn_attr_set_f(y->def, 0, 1.5));
	same(y);
}

static void squares(void **state)
{
	(void)state;
	same(node(g, "Pow", input(g, dims(2, 30, 41)), scalar(g, 2), NULL));
}

static void broadcasts(void **state)
{
	(void)state;
	static const char *const ops[] = {"Add", "Sub", "Mul", "Div", "Max", "Min", "PRelu"};
	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
		same(node(g, ops[i], input(g, dims(3, 2, 30, 41)), ranged(dims(3, 2, 30, 41), 0.5f, 2), NULL));
		same(node(g, ops[i], input(g, dims(3, 2, 300, 3)), ranged(dims(1, 3), 0.5f, 2), NULL));
		same(node(g, ops[i], input(g, dims(3, 2, 4, 300)), ranged(dims(2, 4, 1), 0.5f, 2), NULL));
		same(node(g, ops[i], input(g, dims(2, 5, 7)), ranged(dims(0), 0.5f, 2), NULL));
		if (strcmp(ops[i], "PRelu")) /* whose slope spreads, not its input */
			same(node(g, ops[i], input(g, dims(2, 5, 1)), ranged(dims(3, 2, 1, 7), 0.5f, 2), NULL));
	}
}

static void rows(void **state)
{
	(void)state;
	static const char *const softmax[] = {"Softmax", "LogSoftmax"}, *const reduce[] = {"ReduceMean", "ReduceSum"};
	for (int k = 0; k < 2; k++)
		for (int axis = 0; axis < 3; axis++) {
			tarn_value *y = node(g, softmax[k], ranged(dims(3, 4, 5, 9), -3, 3), NULL, NULL);
			set_int(y, "axis", axis);
			set_int(y, "flatten", axis == 1);
			same(y);
		}
	for (int axis = 1; axis < 3; axis++) {
		tarn_shape s = axis == 1 ? dims(2, 5, 9) : dims(1, 9);
		tarn_value *y = node(g, "LayerNormalization", input(g, dims(3, 4, 5, 9)), ranged(s, 0.5f, 2), input(g, s));
		set_int(y, "axis", axis);
		same(y);
	}
	for (int keep = 0; keep < 2; keep++) {
		tarn_value *y = node(g, "ReduceMean", input(g, dims(4, 2, 3, 30, 20)), NULL, NULL);
		set_ints(g, y, "axes", 2, 0, -2);
		set_int(y, "keepdims", keep);
		same(y);
		y = node(g, reduce[keep], input(g, dims(2, 7, 300)), NULL, NULL);
		set_int(y, "keepdims", keep);
		same(y);
	}
}

static void pools(void **state)
{
	(void)state;
	for (int t = 0; t < 3; t++) {
		tarn_value *y = node(g, t ? "AveragePool" : "MaxPool", input(g, dims(4, 2, 3, 11, 8)), NULL, NULL);
		set_ints(g, y, "kernel_shape", 2, 3, 2);
		set_ints(g, y, "strides", 2, 2, 1);
		set_ints(g, y, "pads", 4, 1, 0, 1, 1);
		if (t)
			set_int(y, "count_include_pad", t == 2);
		same(y);
	}
	same(node(g, "GlobalAveragePool", input(g, dims(4, 2, 3, 7, 5)), NULL, NULL));
}

/* Backwards only: forward is the reference's own. */
static void moves(void **state)
{
	(void)state;
	tarn_value *y = node(g, "Transpose", input(g, dims(3, 4, 5, 6)), NULL, NULL);
	set_ints(g, y, "perm", 3, 2, 0, 1);
	same(y);
	same(node(g, "Transpose", input(g, dims(2, 4, 5)), NULL, NULL));
	same(node(g, "Flatten", input(g, dims(3, 4, 5, 6)), NULL, NULL));
	y = node(g, "Concat", input(g, dims(3, 2, 5, 3)), input(g, dims(3, 2, 1, 3)), input(g, dims(3, 2, 4, 3)));
	set_int(y, "axis", 1);
	same(y);
	tarn_tensor at;
	tarn_value *rows_of;
	assert_ok(tarn_tensor_new(TARN_I64, 2, (int64_t[]){2, 3}, &at));
	for (int i = 0; i < 6; i++)
		tarn_tensor_set_i64(&at, i, i == 5 ? -1 : i % 3);
	assert_ok(tarn_value_const(g, NULL, &at, &rows_of));
	tarn_tensor_fini(&at);
	same(node(g, "Gather", input(g, dims(2, 7, 4)), rows_of, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(convolutions, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(products, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(quantizers, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(elementwise, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(squares, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(broadcasts, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(rows, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(pools, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(moves, setup, fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
