/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include <math.h>
#include <string.h>

#include "ir/verify.h"
#include "ops/ops.h"
#include "pass/pass.h"

/* ---- small graphs ---- */

static tarn_model *m;
static tarn_graph *g;

static void ok(tarn_err err, int line)
{
	if (err != TARN_OK)
		fail_msg("line %d: %s", line, tarn_err_text());
}
#define OK(expr) ok((expr), __LINE__)

static void begin(void)
{
	OK(tarn_model_new(&m));
	g = m->main;
}

static void end(void)
{
	tarn_model_unref(m);
	m = NULL;
}

static tarn_value *input(const char *name, tarn_dtype type, int rank, const int64_t *dim)
{
	tarn_value *v;
	tarn_shape s = tarn_shape_of(rank, dim);
	OK(tarn_value_input(g, name, type, &s, &v));
	return v;
}

static tarn_value *konst(tarn_dtype type, int rank, const int64_t *dim, const double *at)
{
	tarn_tensor t;
	tarn_value *v;
	OK(tarn_tensor_new(type, rank, dim, &t));
	for (int64_t i = 0; i < tarn_tensor_count(&t); i++)
		tarn_tensor_set_f64(&t, i, at[i]);
	OK(tarn_value_const(g, "k", &t, &v));
	tarn_tensor_fini(&t);
	return v;
}

static tarn_node *node(const char *op, const char *name, int n_in, tarn_value *const *in)
{
	tarn_node *n;
	assert_non_null(tarn_op_find("", op));
	OK(tarn_node_new(g, tarn_op_find("", op), name, n_in, 1, -1, &n));
	for (int i = 0; i < n_in; i++)
		n->in[i] = in[i];
	return n;
}

static tarn_value *op1(const char *op, tarn_value *a)
{
	return node(op, op, 1, &a)->out[0];
}

static tarn_value *op2(const char *op, tarn_value *a, tarn_value *b)
{
	return node(op, op, 2, (tarn_value *[]){a, b})->out[0];
}

static void output(tarn_value *v, const char *name)
{
	OK(tarn_value_rename(g, v, name));
	OK(VEC_GROW(&g->output));
	g->output.at[g->output.len++] = v;
}

static void infer(void)
{
	OK(tarn_graph_sort(g));
	OK(tarn_graph_infer(g));
}

static int count(const char *op)
{
	int n = 0;
	for (size_t i = 0; i < g->node.len; i++)
		n += !op || !strcmp(g->node.at[i]->op->name, op);
	return n;
}

/* Runs the graph on one f32 input; compares output 0. */
static void expect(const int64_t *dim, int rank, const float *x, const double *want, int n, double tolerance)
{
	tarn_tensor in = {.type = TARN_F32, .rank = rank, .data = (void *)(uintptr_t)x}, out[4] = {0};
	memcpy(in.dim, dim, (size_t)rank * sizeof *dim);
	const tarn_tensor *p = &in;
	assert_true(g->output.len <= 4);
	OK(tarn_graph_verify(g));
	OK(tarn_graph_eval(g, &p, out, NULL, NULL));
	assert_int_equal(tarn_tensor_count(&out[0]), n);
	for (int i = 0; i < n; i++)
		if (!(fabs(tarn_tensor_f64(&out[0], i) - want[i]) <= tolerance))
			fail_msg("element %d is %.9g, expected %.9g", i, tarn_tensor_f64(&out[0], i), want[i]);
	for (int i = 0; i < 4; i++)
		tarn_tensor_fini(&out[i]);
}

#define D(...) ((const int64_t[]){__VA_ARGS__})
#define V(...) ((const double[]){__VA_ARGS__})

/* ---- affine ---- */

/* Two channels of 1x1 convolution, w = (2, -1), then norm (scale 3, 5; shift 1, 2; mean 4, 0; var 3, 8; epsilon 1), then *10,
 * +7: channel 0: ((2x - 4) * 3/2 + 1) * 10 + 7 = 30x - 43; channel 1: (-x * 5/3 + 2) * 10 + 7 = -50/3 x + 27. */
static void norm_and_arithmetic_go_into_the_convolution(void **state)
{
	(void)state;
	begin();
	tarn_value *x = input("x", TARN_F32, 4, D(1, 1, 1, 2));
	tarn_value *y = op2("Conv", x, konst(TARN_F32, 4, D(2, 1, 1, 1), V(2, -1)));
	tarn_value *k[5] = {y, konst(TARN_F32, 1, D(2), V(3, 5)), konst(TARN_F32, 1, D(2), V(1, 2)),
			    konst(TARN_F32, 1, D(2), V(4, 0)), konst(TARN_F32, 1, D(2), V(3, 8))};
	tarn_node *bn = node("BatchNormalization", "bn", 5, k);
	OK(tarn_attr_set_f(bn, tarn_attr_index(bn->op, "epsilon"), 1));
	y = op2("Mul", bn->out[0], konst(TARN_F32, 0, NULL, V(10)));
	y = op2("Add", konst(TARN_F32, 3, D(2, 1, 1), V(7, 7)), y);
	output(y, "y");
	infer();
	const float in[] = {1, 3};
	const double want[] = {-13, 47, 27 - 50.0 / 3, 27 - 50};
	expect(D(1, 1, 1, 2), 4, in, want, 4, 1e-5);
	OK(tarn_pass_standard(m));
	assert_int_equal(count(NULL), 1);
	assert_int_equal(count("Conv"), 1);
	assert_string_equal(g->output.at[0]->name, "y");
	expect(D(1, 1, 1, 2), 4, in, want, 4, 1e-5);
	end();
}

/* Groups of a transposed convolution: w[in=2][out/group=1], two groups; per channel *2 and *3. */
static void scales_go_into_grouped_transposed_convolutions(void **state)
{
	(void)state;
	begin();
	tarn_value *x = input("x", TARN_F32, 3, D(1, 2, 1));
	tarn_node *c = node("ConvTranspose", "up", 2, (tarn_value *[]){x, konst(TARN_F32, 3, D(2, 1, 1), V(5, 7))});
	OK(tarn_attr_set_i(c, tarn_attr_index(c->op, "group"), 2));
	output(op2("Mul", c->out[0], konst(TARN_F32, 2, D(2, 1), V(2, 3))), "y");
	infer();
	OK(tarn_pass_standard(m));
	assert_int_equal(count(NULL), 1);
	expect(D(1, 2, 1), 3, (const float[]){1, 10}, V(10, 210), 2, 0);
	end();
}

/* A value that something else needs too must stay as it is; so must a product with a constant that is not per channel. */
static void what_others_see_is_not_scaled(void **state)
{
	(void)state;
	begin();
	tarn_value *x = input("x", TARN_F32, 4, D(1, 1, 1, 2));
	tarn_value *y = op2("Conv", x, konst(TARN_F32, 4, D(2, 1, 1, 1), V(2, -1)));
	output(y, "conv");
	output(op2("Mul", y, konst(TARN_F32, 0, NULL, V(10))), "y");
	infer();
	OK(tarn_pass_standard(m));
	assert_int_equal(count("Mul"), 1);
	expect(D(1, 1, 1, 2), 4, (const float[]){1, 3}, V(2, 6, -1, -3), 4, 0);
	end();
	begin();
	x = input("x", TARN_F32, 4, D(1, 1, 1, 2));
	y = op2("Conv", x, konst(TARN_F32, 4, D(2, 1, 1, 1), V(2, -1)));
	output(op2("Mul", y, konst(TARN_F32, 1, D(2), V(10, 20))), "y"); /* along the width, which is 2 as well */
	infer();
	OK(tarn_pass_standard(m));
	assert_int_equal(count("Mul"), 1);
	expect(D(1, 1, 1, 2), 4, (const float[]){1, 3}, V(20, 120, -10, -60), 4, 0);
	end();
}

/* ---- folding ---- */

static void quantized_weights_stay_integers(void **state)
{
	(void)state;
	begin();
	tarn_value *x = input("x", TARN_F32, 1, D(2)), *scale = konst(TARN_F32, 0, NULL, V(0.5)),
		   *zero = konst(TARN_I8, 0, NULL, V(1));
	tarn_value *q =
		node("QuantizeLinear", "q", 3, (tarn_value *[]){konst(TARN_F32, 1, D(2), V(1.5, -2)), scale, zero})->out[0];
	tarn_value *w = node("DequantizeLinear", "dq", 3, (tarn_value *[]){q, scale, zero})->out[0];
	output(op2("Add", x, w), "y");
	infer();
	OK(tarn_pass_standard(m));
	assert_int_equal(count("QuantizeLinear"), 0); /* its result is an integer constant */
	assert_int_equal(count("DequantizeLinear"), 1);
	const tarn_node *dq = g->node.at[0];
	assert_non_null(dq->in[0]->konst);
	assert_int_equal(dq->in[0]->konst->type, TARN_I8);
	assert_int_equal(tarn_tensor_i64(dq->in[0]->konst, 0), 4);
	assert_int_equal(tarn_tensor_i64(dq->in[0]->konst, 1), -3);
	expect(D(2), 1, (const float[]){0, 0}, V(1.5, -2), 2, 0);
	end();
}

/* Reshape(x, Concat(Slice(Shape(x))...)): free while the batch is, gone once it is not; the model can be reshaped again before.
 */
static void shape_subgraphs_follow_a_reshape(void **state)
{
	(void)state;
	begin();
	tarn_dim n;
	OK(tarn_symtab_named(&m->syms, "batch", &n));
	tarn_value *x = input("x", TARN_F32, 3, D(n, 2, 3));
	tarn_value *first = op2("Gather", op1("Shape", x), konst(TARN_I64, 1, D(1), V(0)));
	tarn_node *cat = node("Concat", "sizes", 2, (tarn_value *[]){first, konst(TARN_I64, 1, D(1), V(-1))});
	OK(tarn_attr_set_i(cat, tarn_attr_index(cat->op, "axis"), 0));
	output(op2("Reshape", x, cat->out[0]), "y");
	infer();
	assert_true(g->output.at[0]->shape.dim[0] == n);
	assert_int_equal(g->output.at[0]->shape.dim[1], 6);
	for (int64_t b = 4; b > 1; b -= 2) {
		tarn_shape s = tarn_shape_of(3, D(b, 2, 3));
		OK(tarn_model_reshape(m, &s, 1));
		assert_int_equal(g->output.at[0]->shape.dim[0], b);
	}
	OK(tarn_pass_standard(m));
	assert_int_equal(count(NULL), 1);
	assert_int_equal(count("Reshape"), 1);
	end();
}

static void a_refused_reshape_changes_nothing(void **state)
{
	(void)state;
	begin();
	tarn_dim n, k;
	OK(tarn_symtab_named(&m->syms, "n", &n));
	OK(tarn_symtab_named(&m->syms, "k", &k));
	tarn_value *a = input("a", TARN_F32, 2, D(n, k)), *b = input("b", TARN_F32, 2, D(n, 3));
	output(op2("MatMul", a, konst(TARN_F32, 2, D(4, 3), (const double[12]){0})), "y");
	output(op1("Relu", b), "z");
	infer();
	tarn_shape s = tarn_shape_of(2, D(2, 5)); /* 5 does not meet the 4 rows of the constant */
	assert_int_equal(tarn_model_reshape(m, &s, 1), TARN_SHAPE);
	assert_non_null(strstr(tarn_err_text(), "MatMul"));
	assert_true(a->shape.dim[0] == n && a->shape.dim[1] == k && b->shape.dim[0] == n);
	assert_true(g->output.at[0]->shape.dim[0] == n);
	/* The same name, two sizes. */
	tarn_shape two[] = {tarn_shape_of(2, D(2, 4)), tarn_shape_of(2, D(7, 3))};
	assert_int_equal(tarn_model_reshape(m, two, 2), TARN_SHAPE);
	assert_non_null(strstr(tarn_err_text(), "'n'"));
	/* An input that is kept follows the dimensions it shares. */
	s.dim[1] = 4;
	OK(tarn_model_reshape(m, &s, 1));
	assert_int_equal(b->shape.dim[0], 2);
	assert_int_equal(g->output.at[1]->shape.dim[0], 2);
	end();
}

/* ---- simplification ---- */

static void chains_that_do_nothing_go(void **state)
{
	(void)state;
	begin();
	tarn_value *x = input("x", TARN_F32, 3, D(1, 2, 3));
	tarn_node *t1 = node("Transpose", "t1", 1, &x);
	OK(tarn_attr_set_ints(g, t1, tarn_attr_index(t1->op, "perm"), D(2, 0, 1), 3));
	tarn_node *t2 = node("Transpose", "t2", 1, &t1->out[0]);
	OK(tarn_attr_set_ints(g, t2, tarn_attr_index(t2->op, "perm"), D(1, 2, 0), 3));
	tarn_value *v = op1("Identity", t2->out[0]);
	v = op2("Reshape", v, konst(TARN_I64, 1, D(1), V(6)));
	v = op2("Reshape", v, konst(TARN_I64, 1, D(2), V(3, -1)));
	v = op2("Mul", v, konst(TARN_F32, 0, NULL, V(1)));
	output(op1("Neg", v), "y");
	infer();
	const float in[] = {1, 2, 3, 4, 5, 6};
	const double want[] = {-1, -2, -3, -4, -5, -6};
	expect(D(1, 2, 3), 3, in, want, 6, 0);
	OK(tarn_pass_standard(m));
	assert_int_equal(count(NULL), 2); /* Reshape, Neg */
	expect(D(1, 2, 3), 3, in, want, 6, 0);
	end();
}

/* Outputs keep their names, whatever they turn out to be copies of. */
static void outputs_keep_their_names(void **state)
{
	(void)state;
	begin();
	tarn_value *x = input("x", TARN_F32, 1, D(2));
	output(op1("Identity", x), "a");
	tarn_value *r = op1("Relu", x);
	output(op1("Identity", r), "b");
	output(op1("Identity", r), "c");
	output(op2("Add", konst(TARN_F32, 1, D(2), V(1, 2)), konst(TARN_F32, 1, D(2), V(3, 4))), "d");
	infer();
	OK(tarn_pass_standard(m));
	OK(tarn_graph_verify(g));
	static const char *const names[] = {"a", "b", "c", "d"};
	for (int i = 0; i < 4; i++)
		assert_string_equal(g->output.at[i]->name, names[i]);
	assert_string_equal(g->input.at[0]->name, "x");
	assert_non_null(g->output.at[3]->konst);
	assert_true(tarn_tensor_f64(g->output.at[3]->konst, 1) == 6);
	end();
}

static bool keep_others(void *ctx, const tarn_node *n)
{
	return strcmp(n->op->name, ctx) != 0;
}

static void decomposition_means_the_same(void **state)
{
	(void)state;
	begin();
	tarn_value *x = input("x", TARN_F32, 1, D(3));
	output(op2("SquaredDifference", x, konst(TARN_F32, 1, D(3), V(1, 2, 3))), "y");
	infer();
	OK(tarn_pass_decompose(m, keep_others, "SquaredDifference"));
	assert_int_equal(count("SquaredDifference"), 0);
	assert_string_equal(g->output.at[0]->name, "y");
	expect(D(3), 1, (const float[]){-4, 1, 5}, V(25, 1, 4), 3, 0);
	end();
}

/* Folding must not turn few bytes into many. */
static void large_results_are_not_folded(void **state)
{
	(void)state;
	begin();
	tarn_value *x = input("x", TARN_F32, 1, D(1));
	tarn_value *big = op2("Expand", konst(TARN_F32, 1, D(1), V(1)), konst(TARN_I64, 1, D(1), V(100000000)));
	output(op2("Add", x, big), "y");
	infer();
	OK(tarn_pass_fold(m));
	assert_int_equal(count("Expand"), 1);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(norm_and_arithmetic_go_into_the_convolution),
		cmocka_unit_test(scales_go_into_grouped_transposed_convolutions),
		cmocka_unit_test(what_others_see_is_not_scaled),
		cmocka_unit_test(quantized_weights_stay_integers),
		cmocka_unit_test(shape_subgraphs_follow_a_reshape),
		cmocka_unit_test(a_refused_reshape_changes_nothing),
		cmocka_unit_test(chains_that_do_nothing_go),
		cmocka_unit_test(outputs_keep_their_names),
		cmocka_unit_test(decomposition_means_the_same),
		cmocka_unit_test(large_results_are_not_folded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
