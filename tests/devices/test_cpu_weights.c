/* SPDX-License-Identifier: Apache-2.0 */
/* Products with weights that stay 4- or 8-bit codes, on the CPU device against reference evaluation. */
#include "devices/graphs.h"

#include "dev/cpu/cpu.h"
#include "kern/isa.h"
#include "pass/pass.h"

#include "devices/fixture.h" /* last: its names are short */

static int setup(void **state)
{
	(void)state;
	return fixture_start(99);
}

/* Codes of any value the type has. */
static tarn_value *codes(tarn_dtype type, tarn_shape s)
{
	tarn_tensor t;
	tarn_value *v;
	assert_ok(tarn_tensor_new(type, s.rank, s.dim, &t));
	int bits = tarn_dtype_info(type)->bits, lo = tarn_dtype_is_signed(type) ? -(1 << (bits - 1)) : 0;
	for (int64_t i = 0; i < tarn_tensor_count(&t); i++)
		tarn_tensor_set_i64(&t, i, between(lo, lo + (1 << bits) - 1));
	assert_ok(tarn_value_const(g, NULL, &t, &v));
	tarn_tensor_fini(&t);
	return v;
}

/* k x n weights (n x k when turned), a scale for `block` of them along k (0: one for each column; -1: one for all). */
static tarn_value *coded(tarn_dtype type, int k, int n, bool turned, int block, bool zero)
{
	int groups = block > 0 ? (k + block - 1) / block : 1;
	tarn_shape s = block > 0 ? dims(2, turned ? n : groups, turned ? groups : n) : block ? dims(0) : dims(1, n);
	tarn_value *w = node(g, "DequantizeLinear", codes(type, dims(2, turned ? n : k, turned ? k : n)), weights(g, s),
			     zero ? codes(type, s) : NULL);
	set_int(w, "axis", block > 0 ? turned : !turned);
	set_int(w, "block_size", block > 0 ? block : 0);
	return w;
}

static void compare(const tarn_tensor *got, const tarn_tensor *want)
{
	double largest = 0;
	assert_int_equal(tarn_tensor_count(got), tarn_tensor_count(want));
	for (int64_t i = 0; i < tarn_tensor_count(want); i++)
		largest = fmax(largest, fabs(tarn_tensor_f64(want, i)));
	for (int64_t i = 0; i < tarn_tensor_count(want); i++)
		assert_true(fabs(tarn_tensor_f64(got, i) - tarn_tensor_f64(want, i)) <= 2e-6 * largest);
}

/* At every level; `steps` of the kernel must be there. */
static void same(int steps)
{
	tarn_isa before = tarn_isa_get();
	assert_ok(tarn_graph_infer(g));
	tarn_tensor in = filled(g->input.at[0]->shape), want = {0};
	const tarn_tensor *ptr = &in;
	assert_ok(tarn_graph_eval(g, &ptr, &want, NULL, NULL));
	for (int level = 0; level < TARN_ISA_COUNT; level++) {
		tarn_model *copy;
		cpu_program *p;
		tarn_pool *pool;
		tarn_buffer *arena = NULL;
		tarn_tensor got = {0};
		if (!tarn_isa_set((tarn_isa)level))
			continue;
		assert_ok(tarn_model_clone(model, &copy));
		assert_ok(tarn_cpu_widen(copy));
		assert_ok(tarn_pass_standard(copy));
		assert_ok(tarn_cpu_lower(copy));
		assert_ok(tarn_pass_fuse(copy));
		assert_ok(tarn_cpu_fold_weights(copy));
		assert_ok(tarn_cpu_program_new(copy->main, NULL, NULL, &p));
		assert_ok(tarn_pool_new(2, &pool));
		int used = 0;
		for (size_t i = 0; i < p->step.len; i++) {
			used += p->step.at[i].k == &tarn_cpu_k_wgemm;
			assert_true(p->step.at[i].k != &tarn_cpu_k_eval);
		}
		assert_int_equal(used, steps);
		assert_ok(tarn_cpu_graph_run(p, pool, &arena, &ptr, &got, NULL));
		compare(&got, &want);
		tarn_tensor_fini(&got);
		tarn_pool_free(pool);
		tarn_buffer_unref(arena);
		tarn_cpu_program_free(p);
		tarn_model_unref(copy);
	}
	tarn_isa_set(before);
	tarn_tensor_fini(&want);
	tarn_tensor_fini(&in);
}

static void one_row(tarn_dtype type, int block, bool zero)
{
	tarn_value *x = input(g, dims(2, 1, 70));
	output(g, node(g, "MatMul", x, coded(type, 70, 45, false, block, zero), NULL));
	same(1);
}

#define ROW(name, type, block, zero) \
	static void name(void **state) \
	{ \
		(void)state; \
		one_row(type, block, zero); \
	}
ROW(int8_by_column, TARN_I8, 0, false)
ROW(int8_of_one_scale, TARN_I8, -1, false)
ROW(uint8_with_zero_points, TARN_U8, 0, true)
ROW(uint8_without_zero_points, TARN_U8, 0, false)
ROW(int4_by_column, TARN_I4, 0, false)
ROW(int4_in_blocks, TARN_I4, 32, false)
ROW(uint4_in_blocks_with_zero_points, TARN_U4, 16, true)
ROW(int8_in_blocks_that_do_not_divide, TARN_I8, 24, true)

static void many_rows_of_a_batch(void **state)
{
	(void)state;
	tarn_value *x = input(g, dims(3, 2, 37, 96));
	output(g, node(g, "MatMul", x, coded(TARN_I4, 96, 150, false, 32, true), NULL));
	same(1);
}

/* Gemm with factors, weights as [n][k], bias, then an activation; a MatMul with bias, residual. */
static void what_stands_around(void **state)
{
	(void)state;
	tarn_value *x = input(g, dims(2, 3, 64));
	tarn_value *y = node(g, "Gemm", x, coded(TARN_U4, 64, 48, true, 16, true), weights(g, dims(1, 48)));
	set_int(y, "transB", 1);
	y->def->attr[tarn_attr_index(y->def->op, "alpha")].f = 0.5;
	y->def->attr[tarn_attr_index(y->def->op, "beta")].f = 2;
	y = node(g, "Relu", y, NULL, NULL);
	tarn_value *z = node(g, "MatMul", y, coded(TARN_I8, 48, 64, false, 0, false), NULL);
	z = node(g, "Add", z, weights(g, dims(1, 64)), NULL);
	output(g, node(g, "Add", z, x, NULL));
	same(2);
}

static tarn_value *fused(tarn_value *a, tarn_value *b)
{
	tarn_node *n;
	assert_ok(tarn_node_new(g, tarn_op_find("com.microsoft", "FusedMatMul"), NULL, 2, 1, -1, &n));
	n->in[0] = a;
	n->in[1] = b;
	set_int(n->out[0], "transB", 1);
	return n->out[0];
}

/* OpenVINO's products have their weights as [n][k]. */
static void turned_weights(void **state)
{
	(void)state;
	tarn_value *x = input(g, dims(3, 1, 5, 64));
	tarn_value *y = fused(x, coded(TARN_I4, 64, 48, true, 16, true));
	y = fused(y, coded(TARN_I8, 48, 40, true, 0, false));
	y = fused(y, coded(TARN_U8, 40, 30, true, -1, false));
	output(g, fused(y, weights(g, dims(2, 20, 30))));
	same(3);
}

static tarn_value *half(tarn_value *v)
{
	tarn_value *h = node(g, "Cast", v, NULL, NULL);
	set_int(h, "to", TARN_F16);
	return h;
}

static tarn_value *half_weights(tarn_shape s)
{
	tarn_tensor f = filled(s), h;
	tarn_value *v;
	for (int64_t i = 0; i < tarn_tensor_count(&f); i++) /* products of these and codes are exact in f16 */
		((float *)f.data)[i] = (float)between(1, 15) / 64;
	assert_ok(tarn_tensor_convert(&f, TARN_F16, &h));
	assert_ok(tarn_value_const(g, NULL, &h, &v));
	tarn_tensor_fini(&f);
	tarn_tensor_fini(&h);
	return v;
}

/* As converters write them: u4, f16 zero points and scales of groups, one Reshape, then f32. */
static void through_f16(void **state)
{
	(void)state;
	tarn_value *x = input(g, dims(3, 1, 3, 64));
	tarn_value *w = half(codes(TARN_U4, dims(3, 24, 4, 16)));
	w = node(g, "Sub", w, half(codes(TARN_U4, dims(3, 24, 4, 1))), NULL);
	w = node(g, "Mul", w, half_weights(dims(3, 24, 4, 1)), NULL);
	w = node(g, "Cast", node(g, "Reshape", w, ints(g, 2, 24, 64), NULL), NULL, NULL);
	set_int(w, "to", TARN_F32);
	tarn_value *u = node(g, "Mul", half(codes(TARN_I8, dims(2, 20, 24))), half_weights(dims(2, 20, 1)), NULL);
	u = node(g, "Cast", u, NULL, NULL);
	set_int(u, "to", TARN_F32);
	output(g, fused(fused(x, w), u));
	same(2);
}

/* Both sides computed: no reference code either. */
static void turned_right_side(void **state)
{
	(void)state;
	tarn_value *x = input(g, dims(3, 2, 7, 16));
	output(g, fused(x, node(g, "Relu", x, NULL, NULL)));
	same(0);
}

/* What is not by groups of rows is made f32 when compiled, and right. */
static void other_spreads_are_unpacked(void **state)
{
	(void)state;
	tarn_value *x = input(g, dims(2, 2, 12));
	tarn_value *w = node(g, "DequantizeLinear", codes(TARN_I8, dims(2, 12, 10)), weights(g, dims(1, 12)), NULL);
	set_int(w, "axis", 0);
	output(g, node(g, "MatMul", x, w, NULL));
	same(0);
}

/* Weights that somebody else reads, too. */
static void an_output_needs_floats(void **state)
{
	(void)state;
	tarn_value *x = input(g, dims(2, 1, 12)), *w = coded(TARN_I8, 12, 10, false, 0, false);
	output(g, node(g, "Add", node(g, "MatMul", x, w, NULL), w, NULL));
	same(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(int8_by_column, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(int8_of_one_scale, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(uint8_with_zero_points, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(uint8_without_zero_points, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(int4_by_column, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(int4_in_blocks, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(uint4_in_blocks_with_zero_points, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(int8_in_blocks_that_do_not_divide, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(many_rows_of_a_batch, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(what_stands_around, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(turned_weights, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(through_f16, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(turned_right_side, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(other_spreads_are_unpacked, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(an_output_needs_floats, setup, fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
