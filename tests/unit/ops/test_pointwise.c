/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "op_case.h"

static void unary_of(const char *op, tarn_dtype type, int n, const double *x, const double *y, double tol)
{
	case_new(op, 1, 1);
	input(0, type, 1, D(n), x);
	run();
	expect(0, type, 1, D(n), y, tol);
}

static void unary_values(void **state)
{
	(void)state;
	unary_of("Abs", TARN_F32, 3, V(-1.5, 0, 2), V(1.5, 0, 2), 0);
	unary_of("Abs", TARN_I8, 3, V(-128, -1, 7), V(-128, 1, 7), 0); /* wraps, as two's complement does */
	unary_of("Neg", TARN_I32, 2, V(5, -7), V(-5, 7), 0);
	unary_of("Round", TARN_F32, 6, V(0.5, 1.5, 2.5, -0.5, -1.5, 2.4), V(0, 2, 2, 0, -2, 2), 0);
	unary_of("Sign", TARN_F32, 3, V(-3, 0, 9), V(-1, 0, 1), 0);
	unary_of("Erf", TARN_F32, 2, V(0.5, -1), V(0.5204998778, -0.8427007929), 1e-7);
	unary_of("Sigmoid", TARN_F32, 3, V(0, 1, -100), V(0.5, 0.7310585786, 3.7e-44), 1e-7);
	unary_of("Softplus", TARN_F32, 3, V(0, 100, -100), V(0.6931471806, 100, 3.7e-44), 1e-7);
	unary_of("HardSwish", TARN_F32, 4, V(-4, -1, 1, 5), V(0, -1.0 / 3, 2.0 / 3, 5), 1e-7);
	unary_of("Tanh", TARN_F16, 1, V(0.5), V(0.4621171573), 3e-4);
	unary_of("Mish", TARN_F32, 1, V(1), V(0.8650983883), 1e-6);
	unary_of("Elu", TARN_F32, 2, V(-1, 2), V(-0.6321205588, 2), 1e-7);
	unary_of("Selu", TARN_F32, 2, V(-1, 2), V(-1.1113307, 2.1014020), 1e-6);
	unary_of("HardSigmoid", TARN_F32, 3, V(-3, 0, 1), V(0, 0.5, 0.7), 1e-6);
	unary_of("Relu", TARN_F32, 3, V(-3, NAN, 1), V(0, NAN, 1), 0);
	unary_of("BitwiseNot", TARN_U8, 2, V(0, 0xf0), V(255, 15), 0);
	case_end();
}

static void gelu_and_its_decomposition(void **state)
{
	static const char *const word[] = {"none", "tanh"};
	(void)state;
	for (int i = 0; i < 2; i++) {
		const double *y = i == 0 ? V(-0.1586552539, 0, 0.8413447461) : V(-0.1588080094, 0, 0.8411919906);
		case_new("Gelu", 1, 1);
		attr_word("approximate", word[i]);
		input(0, TARN_F32, 1, D(3), V(-1, 0, 1));
		run();
		expect(0, TARN_F32, 1, D(3), y, 1e-7);
		tarn_tensor_fini(&the.out[0]);
		/* The decomposed graph gives the same. */
		tarn_graph *g = the.m->main;
		OK(VEC_GROW(&g->output));
		g->output.at[g->output.len++] = the.n->out[0];
		OK(tarn_graph_infer(g));
		OK(the.n->op->decompose(g, the.n));
		tarn_graph_sweep(g);
		assert_true(g->node.len > 3);
		OK(tarn_graph_infer(g));
		const tarn_tensor *in = &the.in[0];
		OK(tarn_graph_eval(g, &in, the.out, NULL, NULL));
		expect(0, TARN_F32, 1, D(3), y, 1e-6);
	}
	case_end();
}

static void is_inf_by_sign(void **state)
{
	(void)state;
	case_new("IsInf", 1, 1);
	attr_i("detect_negative", 0);
	input(0, TARN_F32, 1, D(4), V(INFINITY, -INFINITY, NAN, 1));
	run();
	expect(0, TARN_BOOL, 1, D(4), V(1, 0, 0, 0), 0);
	case_end();
}

static void binary_of(const char *op, tarn_dtype type, tarn_dtype out, const double *a, const double *b, const double *y,
		      double tol)
{
	case_new(op, 2, 1);
	input(0, type, 1, D(3), a);
	input(1, type, 1, D(3), b);
	run();
	expect(0, out, 1, D(3), y, tol);
}

static void binary_values(void **state)
{
	(void)state;
	binary_of("Sub", TARN_U8, TARN_U8, V(5, 0, 9), V(3, 1, 9), V(2, 255, 0), 0);
	binary_of("Div", TARN_I32, TARN_I32, V(7, -7, 7), V(2, 2, -2), V(3, -3, -3), 0);
	binary_of("Mod", TARN_I32, TARN_I32, V(-4, 7, 5), V(2, -3, 8), V(0, -2, 5), 0);
	binary_of("Pow", TARN_I32, TARN_I32, V(2, -3, 2), V(10, 3, -1), V(1024, -27, 0), 0);
	binary_of("Pow", TARN_F32, TARN_F32, V(2, 9, 4), V(0.5, 0.5, -1), V(1.41421356, 3, 0.25), 1e-6);
	binary_of("Max", TARN_F32, TARN_F32, V(1, NAN, 3), V(2, 0, NAN), V(2, NAN, NAN), 0);
	binary_of("Less", TARN_F32, TARN_BOOL, V(1, NAN, 3), V(2, 0, 3), V(1, 0, 0), 0);
	binary_of("GreaterOrEqual", TARN_I8, TARN_BOOL, V(-1, 0, 3), V(2, 0, -3), V(0, 1, 1), 0);
	binary_of("Xor", TARN_BOOL, TARN_BOOL, V(1, 0, 1), V(1, 0, 0), V(0, 0, 1), 0);
	binary_of("BitwiseXor", TARN_I16, TARN_I16, V(-1, 12, 0), V(1, 10, 5), V(-2, 6, 5), 0);
	binary_of("PRelu", TARN_F32, TARN_F32, V(-2, 3, -1), V(0.5, 9, 0.25), V(-1, 3, -0.25), 0);
	binary_of("SquaredDifference", TARN_F32, TARN_F32, V(-2, 3, -1), V(1, 1, 1), V(9, 4, 4), 0);
	case_new("BitShift", 2, 1);
	attr_word("direction", "RIGHT");
	input(0, TARN_U8, 1, D(3), V(16, 255, 1));
	input(1, TARN_U8, 1, D(3), V(1, 7, 9));
	run();
	expect(0, TARN_U8, 1, D(3), V(8, 1, 0), 0);
	case_end();
}

/* Numbers that a double cannot hold. */
static void integers_are_exact(void **state)
{
	(void)state;
	int64_t big = ((int64_t)1 << 62) + 1;
	case_new("Add", 2, 1);
	input(0, TARN_I64, 1, D(1), V(0));
	input(1, TARN_I64, 1, D(1), V(0));
	tarn_tensor_set_i64(&the.in[0], 0, big);
	tarn_tensor_set_i64(&the.in[1], 0, 2);
	run();
	assert_true(tarn_tensor_i64(&the.out[0], 0) == big + 2);
	case_new("Max", 2, 1);
	input(0, TARN_U64, 1, D(1), V(0));
	input(1, TARN_U64, 1, D(1), V(5));
	((uint64_t *)the.in[0].data)[0] = UINT64_MAX;
	run();
	assert_true(((uint64_t *)the.out[0].data)[0] == UINT64_MAX);
	case_new("Div", 2, 1);
	input(0, TARN_I32, 1, D(2), V(1, 2));
	input(1, TARN_I32, 1, D(2), V(1, 0));
	expect_error(run_err(), TARN_BAD_FILE, "division by zero at output element 1");
	case_end();
}

static void broadcasting(void **state)
{
	(void)state;
	case_new("Add", 2, 1);
	input(0, TARN_F32, 3, D(2, 1, 3), V(0, 1, 2, 3, 4, 5));
	input(1, TARN_F32, 2, D(2, 1), V(10, 20));
	run();
	expect(0, TARN_F32, 3, D(2, 2, 3), V(10, 11, 12, 20, 21, 22, 13, 14, 15, 23, 24, 25), 0);
	case_new("Mul", 2, 1);
	input(0, TARN_F32, 0, NULL, V(3));
	input(1, TARN_F32, 2, D(0, 4), V(0));
	run();
	expect(0, TARN_F32, 2, D(0, 4), V(0), 0);
	case_new("Add", 2, 1);
	input(0, TARN_F32, 2, D(2, 3), V(0, 0, 0, 0, 0, 0));
	input(1, TARN_F32, 1, D(2), V(0, 0));
	expect_error(run_err(), TARN_SHAPE, "do not broadcast");
	case_new("Add", 2, 1);
	input(0, TARN_F32, 1, D(1), V(0));
	input(1, TARN_I32, 1, D(1), V(0));
	expect_error(run_err(), TARN_TYPE, "must be the same");
	case_new("Where", 3, 1);
	input(0, TARN_BOOL, 2, D(2, 1), V(1, 0));
	input(1, TARN_I64, 1, D(3), V(1, 2, 3));
	input(2, TARN_I64, 0, NULL, V(-1));
	run();
	expect(0, TARN_I64, 2, D(2, 3), V(1, 2, 3, -1, -1, -1), 0);
	case_end();
}

static void variadic(void **state)
{
	(void)state;
	case_new("Mean", 3, 1);
	input(0, TARN_F32, 1, D(2), V(1, 2));
	input(1, TARN_F32, 1, D(1), V(4));
	input(2, TARN_F32, 2, D(2, 1), V(1, 7));
	run();
	expect(0, TARN_F32, 2, D(2, 2), V(2, 7.0 / 3, 4, 13.0 / 3), 1e-6);
	case_new("Min", 3, 1);
	input(0, TARN_I64, 1, D(1), V(5));
	input(1, TARN_I64, 1, D(2), V(7, 3));
	input(2, TARN_I64, 1, D(2), V(6, 4));
	run();
	expect(0, TARN_I64, 1, D(2), V(5, 3), 0);
	case_new("Clip", 3, 1);
	input(0, TARN_F32, 1, D(3), V(-9, 0.5, 9));
	the.n->in[1] = NULL;
	input(2, TARN_F32, 0, NULL, V(6));
	run();
	expect(0, TARN_F32, 1, D(3), V(-9, 0.5, 6), 0);
	case_end();
}

static void casts(void **state)
{
	(void)state;
	case_new("Cast", 1, 1);
	attr_i("to", TARN_U8);
	input(0, TARN_I32, 1, D(3), V(300, -1, 7));
	run();
	expect(0, TARN_U8, 1, D(3), V(44, 255, 7), 0);
	case_new("Cast", 1, 1);
	attr_i("to", TARN_I32);
	input(0, TARN_F32, 1, D(3), V(2.9, -2.9, 1e20));
	run();
	expect(0, TARN_I32, 1, D(3), V(2, -2, 2147483647), 0);
	case_new("Cast", 1, 1);
	attr_i("to", TARN_BOOL);
	input(0, TARN_F32, 1, D(3), V(0, 0.1, -3));
	run();
	expect(0, TARN_BOOL, 1, D(3), V(0, 1, 1), 0);
	case_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unary_values),       cmocka_unit_test(gelu_and_its_decomposition),
		cmocka_unit_test(is_inf_by_sign),     cmocka_unit_test(binary_values),
		cmocka_unit_test(integers_are_exact), cmocka_unit_test(broadcasting),
		cmocka_unit_test(variadic),           cmocka_unit_test(casts),
	};
	return cmocka_run_group_tests_name("ops.pointwise", tests, NULL, NULL);
}
