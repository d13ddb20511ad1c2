/* SPDX-License-Identifier: Apache-2.0 */
/* Dynamically quantized products on the CPU, at every level, against the operators' reference code. */
#include "devices/levels.h"

static int setup(void **state)
{
	(void)state;
	return fixture_start(31);
}

static tarn_value *codes(tarn_dtype type, tarn_shape s)
{
	tarn_tensor t;
	tarn_value *v;
	assert_ok(tarn_tensor_new(type, s.rank, s.dim, &t));
	for (int64_t i = 0; i < tarn_tensor_count(&t); i++)
		((uint8_t *)t.data)[i] = (uint8_t)between(0, 255);
	assert_ok(tarn_value_const(g, NULL, &t, &v));
	tarn_tensor_fini(&t);
	return v;
}

static tarn_value *row(int n)
{
	tarn_tensor t = filled(dims(1, n));
	tarn_value *v;
	for (int i = 0; i < n; i++)
		((float *)t.data)[i] = 0.01f + 0.005f * fabsf(((float *)t.data)[i]);
	assert_ok(tarn_value_const(g, NULL, &t, &v));
	tarn_tensor_fini(&t);
	return v;
}

static tarn_node *foreign(const char *op, int n_in, tarn_value *const *in)
{
	tarn_node *n;
	assert_ok(tarn_node_new(g, tarn_op_find("com.microsoft", op), NULL, n_in, 1, -1, &n));
	memcpy(n->in, in, (size_t)n_in * sizeof *in);
	return n;
}

static double allowed; /* relative error */
static int expected;   /* products */

static void prepare(tarn_model *copy)
{
	assert_ok(tarn_cpu_raise_dynamic(copy));
}

static void look(const cpu_program *p)
{
	int used = 0;
	for (size_t i = 0; i < p->step.len; i++) {
		used += p->step.at[i].k == &tarn_cpu_k_dynamic_product;
		assert_ptr_not_equal(p->step.at[i].k, &tarn_cpu_k_eval);
	}
	assert_int_equal(used, expected);
}

static void compare(const tarn_tensor *got, const tarn_tensor *want, size_t i)
{
	(void)i;
	assert_true(relative_error(got, want) <= allowed);
}

/* Every output, at each level; the kernel must do all products. Relative error at most tol. */
static void same(double tol, int products)
{
	allowed = tol;
	expected = products;
	run_levels(&(level_test){prepare, look, compare});
}

/* The sums themselves: exact, for signed and unsigned codes on both sides and zero points known late. */
static void integer_sums(void **state)
{
	(void)state;
	tarn_value *x = input(g, dims(3, 2, 7, 70));
	tarn_node *q = node_with(g, "DynamicQuantizeLinear", 3, x, NULL, NULL);
	tarn_node *n;
	assert_ok(tarn_node_new(g, tarn_op_find(NULL, "MatMulInteger"), NULL, 4, 1, -1, &n));
	n->in[0] = q->out[0];
	n->in[1] = codes(TARN_U8, dims(2, 70, 37));
	n->in[2] = q->out[2];
	n->in[3] = codes(TARN_U8, dims(0));
	output(g, n->out[0]);
	tarn_value *zero = codes(TARN_I8, dims(0));
	tarn_value *s = node(g, "QuantizeLinear", x, scalar(g, 0.01f), zero);
	assert_ok(tarn_node_new(g, tarn_op_find(NULL, "MatMulInteger"), NULL, 3, 1, -1, &n));
	n->in[0] = s;
	n->in[1] = codes(TARN_I8, dims(2, 70, 16));
	n->in[2] = zero;
	output(g, n->out[0]);
	same(0, 2);
}

static void one_operator(void **state)
{
	(void)state;
	tarn_value *x = input(g, dims(2, 9, 130));
	tarn_value *a = foreign("DynamicQuantizeMatMul", 5,
				(tarn_value *[]){x, codes(TARN_I8, dims(2, 130, 33)), row(33), NULL, row(33)})
				->out[0];
	tarn_value *b =
		foreign("DynamicQuantizeMatMul", 4,
			(tarn_value *[]){x, codes(TARN_U8, dims(2, 130, 20)), scalar(g, 0.02f), codes(TARN_U8, dims(0))})
			->out[0];
	output(g, a);
	output(g, b);
	same(1e-6, 2);
}

/* As quantizers write it, scales multiplied in either order. */
static void spelled_out(void **state)
{
	(void)state;
	tarn_value *x = input(g, dims(2, 5, 64));
	tarn_node *q = node_with(g, "DynamicQuantizeLinear", 3, x, NULL, NULL), *n;
	for (int turned = 0; turned < 2; turned++) {
		assert_ok(tarn_node_new(g, tarn_op_find(NULL, "MatMulInteger"), NULL, 3, 1, -1, &n));
		n->in[0] = q->out[0];
		n->in[1] = codes(TARN_I8, dims(2, 64, 24));
		n->in[2] = q->out[2];
		tarn_value *y = node(g, "Cast", n->out[0], NULL, NULL);
		set_int(y, "to", TARN_F32);
		tarn_value *w = row(24), *s = node(g, "Mul", turned ? w : q->out[1], turned ? q->out[1] : w, NULL);
		y = node(g, "Mul", turned ? s : y, turned ? y : s, NULL);
		output(g, turned ? y : node(g, "Add", y, row(24), NULL));
	}
	same(1e-6, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(integer_sums, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(one_operator, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(spelled_out, setup, fixture_teardown),
	};
	return cmocka_run_group_tests_name("devices.cpu_dynamic", tests, NULL, NULL);
}
