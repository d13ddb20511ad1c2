/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic on 64-bit integers runs in 32 bits: positions and lengths as language models compute them, exact against loops. */
#include "unit/driver/npu_graphs.h"

#include "dyn/bound.h"

enum { ROWS = 12, COLS = 4, SEQ = 6 };

static tarn_value *int_input(tarn_graph *g, tarn_shape s)
{
	tarn_value *v;
	assert_ok(tarn_value_input(g, NULL, TARN_I64, &s, &v));
	return v;
}

static tarn_tensor int_tensor(int n, const int64_t *at)
{
	tarn_tensor t;
	int64_t dim = n;
	assert_ok(tarn_tensor_new(TARN_I64, 1, &dim, &t));
	memcpy(t.data, at, (size_t)n * sizeof *at);
	return t;
}

/* Rows of a table at 2 * (position - past) + 1, wrapped; the indices are an output, too. */
static void positions(void **state)
{
	(void)state;
	tarn_model *m;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	tarn_value *pos = int_input(g, dims(1, SEQ)), *past = int_input(g, dims(1, 1)),
		   *table = weights(g, dims(2, ROWS, COLS));
	tarn_value *twice = node(g, "Mul", node(g, "Sub", pos, past, NULL), ints(g, 1, 2), NULL);
	tarn_value *index = node(g, "Mod", node(g, "Add", twice, ints(g, 1, 1), NULL), ints(g, 1, ROWS), NULL);
	output(g, node(g, "Gather", table, index, NULL));
	output(g, index);
	output(g, node(g, "ReduceSum", pos, ints(g, 1, 0), NULL));
	assert_ok(tarn_graph_infer(g));
	const int64_t at[SEQ] = {7, 8, 9, 30, 31, 1000}, before = 5;
	tarn_tensor in[2] = {int_tensor(SEQ, at), int_tensor(1, &before)}, out[3] = {{0}};
	run_npu(m, NULL, in, out);
	int64_t sum = 0;
	for (int i = 0; i < SEQ; i++) {
		int64_t want = (2 * (at[i] - before) + 1) % ROWS;
		sum += at[i];
		assert_int_equal(out[1].type, TARN_I64);
		assert_int_equal(((int64_t *)out[1].data)[i], want);
		for (int c = 0; c < COLS; c++) {
			float got = ((float *)out[0].data)[i * COLS + c],
			      row = ((const float *)table->konst->data)[want * COLS + c];
			assert_true(fabsf(got - row) <= 1e-3f * fabsf(row));
		}
	}
	assert_int_equal(((int64_t *)out[2].data)[0], sum);
	for (int i = 0; i < 3; i++)
		tarn_tensor_fini(&out[i]);
	for (int i = 0; i < 2; i++)
		tarn_tensor_fini(&in[i]);
	tarn_model_unref(m);
}

enum { MOST = 16 };

/* A model with a length of its own, as well as the one that bounding adds: the mean of the rows in front of it, by a mask, and
 * the row before it. x f32 [n, COLS], own i64 [1]. */
static tarn_model *own_length(void)
{
	tarn_model *m;
	tarn_value *x;
	tarn_dim n;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	assert_ok(tarn_symtab_named(&m->syms, "n", &n));
	assert_ok(tarn_value_input(g, "x", TARN_F32, &(tarn_shape){.rank = 2, .dim = {n, COLS}}, &x));
	tarn_value *own = int_input(g, dims(1, 1)), *size = node(g, "Shape", x, NULL, NULL);
	size = node(g, "Squeeze", node(g, "Gather", size, ints(g, 1, 0), NULL), NULL, NULL);
	tarn_value *zero = node(g, "Squeeze", ints(g, 1, 0), NULL, NULL), *one = node(g, "Squeeze", ints(g, 1, 1), NULL, NULL);
	tarn_value *mask = node(g, "Less", node(g, "Range", zero, size, one), own, NULL);
	mask = node(g, "Cast", node(g, "Unsqueeze", mask, ints(g, 1, 1), NULL), NULL, NULL);
	set_int(mask, "to", TARN_F32);
	tarn_value *sum = node(g, "ReduceSum", node(g, "Mul", x, mask, NULL), ints(g, 1, 0), NULL);
	tarn_value *count = node(g, "Cast", own, NULL, NULL);
	set_int(count, "to", TARN_F32);
	output(g, node(g, "Div", sum, count, NULL));
	output(g, node(g, "GatherND", x, node(g, "Sub", own, ints(g, 1, 1), NULL), NULL));
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_model_bound(&m, "n", MOST, NULL));
	return m;
}

static void lengths_of_its_own(void **state)
{
	(void)state;
	tarn_model *m = own_length();
	for (int64_t n = 1; n <= MOST; n += 5)
		for (int64_t own = 1; own <= n; own += 2) {
			tarn_tensor in[3] = {filled(dims(2, MOST, COLS)), int_tensor(1, &own), int_tensor(1, &n)},
				    out[2] = {{0}};
			float *x = in[0].data;
			for (int64_t i = n * COLS; i < MOST * COLS; i++)
				x[i] = NAN;
			run_npu(m, NULL, in, out);
			for (int c = 0; c < COLS; c++) {
				double mean = 0;
				for (int64_t i = 0; i < own; i++)
					mean += (double)x[i * COLS + c] / (double)own;
				assert_true(fabs(((float *)out[0].data)[c] - mean) <= 2e-3);
				assert_true(fabs(((float *)out[1].data)[c] - (double)x[(own - 1) * COLS + c]) <= 2e-3);
			}
			for (int i = 0; i < 3; i++)
				tarn_tensor_fini(&in[i]);
			tarn_tensor_fini(&out[0]);
			tarn_tensor_fini(&out[1]);
		}
	tarn_model_unref(m);
}

/* A constant that 32 bits do not hold is refused, by name and number. */
static void too_wide(void **state)
{
	(void)state;
	tarn_model *m;
	tarn_value *big;
	assert_ok(tarn_model_new(&m));
	tarn_value *x = int_input(m->main, dims(1, SEQ));
	assert_ok(tarn_value_const_i64(m->main, NULL, (const int64_t[]){5000000000}, 1, &big));
	output(m->main, node(m->main, "Add", x, big, NULL));
	assert_ok(tarn_graph_infer(m->main));
	tarn_cc_flags flags = {0};
	tarn_cc_blob blob;
	assert_int_equal(tarn_npu_compile(m, &flags, tarn_arch_find(4000), &blob), TARN_UNSUPPORTED);
	assert_non_null(strstr(tarn_err_text(), "(Add)"));
	assert_non_null(strstr(tarn_err_text(), "5000000000"));
	tarn_model_unref(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(positions),
		cmocka_unit_test(lengths_of_its_own),
		cmocka_unit_test(too_wide),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
