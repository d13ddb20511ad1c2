/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients of operators that go along an axis, to indices or by coordinates, and of sums that are written out; and which rows
 * of the table have one. */
#include "unit/ops/grad_check.h"

static void cumulative_sums(void **state)
{
	(void)state;
	for (int t = 0; t < 4; t++) {
		probe p = probe_open("", "CumSum", 2, 1);
		probe_int(&p, "exclusive", t & 1);
		probe_int(&p, "reverse", t >> 1);
		random_in(&p, 0, DIMS(2, 4, 3), -1, 1, 0);
		probe_scalar(&p, 1, TARN_I64, t == 1 ? -1 : 1);
		check(&p);
	}
}

static void largest(void **state)
{
	(void)state;
	for (int t = 0; t < 4; t++) {
		probe p = probe_open("", "TopK", 2, 2);
		probe_int(&p, "axis", t >> 1);
		probe_int(&p, "largest", t & 1);
		random_in(&p, 0, DIMS(5, 4, 2), -1, 1, 0);
		probe_in(&p, 1, TARN_I64, DIMS(1), REALS(3));
		check(&p);
	}
}

static void einsums(void **state)
{
	(void)state;
	static const struct {
		const char *equation;
		int n_in, rank[3];
		int64_t dim[3][4];
	} list[] = {
		{"bij,bjk->bik", 2, {3, 3}, {{2, 3, 4}, {2, 4, 2}}},
		{"...ij,jk->...ki", 2, {4, 2}, {{2, 1, 3, 4}, {4, 2}}},
		{"i,j,ij->", 3, {1, 1, 2}, {{3}, {4}, {3, 4}}},
		{"ii->i", 1, {2}, {{4, 4}}},
		{"ij->j", 1, {2}, {{3, 4}}},
		{"bi,bi", 2, {2, 2}, {{1, 3}, {4, 3}}},
	};
	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		probe p = probe_open("", "Einsum", list[i].n_in, 1);
		assert_ok(tarn_attr_set_str(p.m->main, p.n, probe_attr(&p, "equation"), list[i].equation));
		for (int k = 0; k < list[i].n_in; k++)
			random_in(&p, k, list[i].rank[k], list[i].dim[k], -1, 1, 0);
		check(&p);
	}
}

/* Written to twice, from the end, and never. */
static void scatters(void **state)
{
	(void)state;
	static const char *const how[] = {"none", "add", "mul", "max", "min"};
	for (int i = 0; i < 5; i++) {
		probe p = probe_open("", "ScatterElements", 3, 1);
		probe_word(&p, "reduction", how[i]);
		probe_int(&p, "axis", 1);
		random_in(&p, 0, DIMS(2, 5), 0.5, 2, 0);
		probe_in(&p, 1, TARN_I64, DIMS(2, 4), REALS(1, 1, -1, 1, 0, 4, 0, 2));
		random_in(&p, 2, DIMS(2, 4), 0.5, 2, 0);
		check(&p);
		p = probe_open("", "ScatterND", 3, 1);
		probe_word(&p, "reduction", how[i]);
		random_in(&p, 0, DIMS(3, 2, 2), 0.5, 2, 0);
		probe_in(&p, 1, TARN_I64, DIMS(3, 1), REALS(2, -1, 0));
		random_in(&p, 2, DIMS(3, 2, 2), 0.5, 2, 0);
		check(&p);
	}
}

static void norm_pools(void **state)
{
	(void)state;
	for (int p = 1; p < 4; p++) {
		probe q = probe_open("", "LpPool", 1, 1);
		probe_ints(&q, "kernel_shape", 2, (int64_t[]){3, 2});
		probe_ints(&q, "strides", 2, (int64_t[]){2, 1});
		probe_ints(&q, "pads", 4, (int64_t[]){1, 0, 1, 1});
		probe_int(&q, "p", p);
		random_in(&q, 0, DIMS(1, 2, 6, 5), -1, 1, 1);
		check(&q);
		q = probe_open("", "GlobalLpPool", 1, 1);
		probe_int(&q, "p", p);
		random_in(&q, 0, DIMS(2, 3, 2, 4), -1, 1, 1);
		check(&q);
	}
	/* at the origin there is no direction: zeros, not NaN */
	probe q = probe_open("", "GlobalLpPool", 1, 1);
	probe_in(&q, 0, TARN_F64, DIMS(1, 1, 2), REALS(0, 0));
	const tarn_tensor *in = &q.in[0];
	tarn_tensor din, dout;
	assert_ok(probe_eval(&q));
	assert_ok(tarn_tensor_new(TARN_F64, 3, in->dim, &din));
	assert_ok(tarn_tensor_new(TARN_F64, 3, q.out[0].dim, &dout));
	tarn_tensor_set_f64(&dout, 0, 1);
	assert_ok(tarn_node_grad(q.n, &in, q.out, &dout, &din));
	assert_true(((double *)din.data)[0] == 0 && ((double *)din.data)[1] == 0);
	tarn_tensor_fini(&din);
	tarn_tensor_fini(&dout);
	probe_close(&q);
}

/* Coordinates inside and up to a whole image outside, away from the corners between two pixels. */
static void grid_sampling(void **state)
{
	(void)state;
	static const char *const mode[] = {"bilinear", "nearest", "bicubic"}, *const padding[] = {"zeros", "border",
												  "reflection"};
	for (int i = 0; i < 18; i++) {
		probe p = probe_open("", "GridSample", 2, 1);
		bool align = i >= 9;
		probe_word(&p, "mode", mode[i % 3]);
		probe_word(&p, "padding_mode", padding[i / 3 % 3]);
		probe_int(&p, "align_corners", align);
		random_in(&p, 0, DIMS(2, 2, 4, 4), -1, 1, 0);
		/* of four pixels: corners where a pixel's middle or edge is, every sixth or eighth of the way */
		random_in(&p, 1, DIMS(2, 3, 3, 2), -1.9, 1.9, align ? 1. / 3 : 0.25);
		check(&p);
	}
	probe p = probe_open("", "GridSample", 2, 1);
	random_in(&p, 0, DIMS(1, 2, 4, 4, 2), -1, 1, 0);
	random_in(&p, 1, DIMS(1, 2, 2, 1, 3), -0.9, 0.9, 0.25);
	check(&p);
}

static void more_moves(void **state)
{
	(void)state;
	probe p = probe_open("", "Compress", 2, 1);
	probe_int(&p, "axis", 1);
	random_in(&p, 0, DIMS(2, 4), -1, 1, 0);
	probe_in(&p, 1, TARN_BOOL, DIMS(4), REALS(1, 0, 0, 1));
	check(&p);
	p = probe_open("", "OneHot", 3, 1);
	probe_in(&p, 0, TARN_I64, DIMS(3), REALS(2, 0, -1));
	probe_scalar(&p, 1, TARN_I64, 4);
	random_in(&p, 2, DIMS(2), -1, 1, 0);
	check(&p);
	for (int c = 0; c < 2; c++) {
		p = probe_open("", "Mod", 2, 1);
		probe_int(&p, "fmod", c);
		random_in(&p, 0, DIMS(2, 3), 3.1, 3.4, 0);
		random_in(&p, 1, DIMS(3), 0.8, 0.95, 0);
		check(&p);
	}
}

/* What is flat gives nothing back, and no error. */
static void flat(void **state)
{
	(void)state;
	probe p = probe_open("", "Hardmax", 1, 1);
	random_in(&p, 0, DIMS(2, 3), -1, 1, 0);
	check(&p);
}

/* Rows without a gradient, each for a reason; every other row has one, and these have none. */
static void the_whole_table(void **state)
{
	(void)state;
	static const char *const none[] = {"If", "Loop", "Scan", /* bodies are not walked backward */
					   "ConvInteger", "MatMulInteger",

					   /* integer arithmetic: the float model is trained */
					   "DynamicQuantizeLinear", "DetectionOutput", "RoiAlign", "Unique"};
	size_t missing = 0;
	for (const tarn_op_def *const *op = tarn_ops; *op; op++) {
		tarn_node n = {.op = *op};
		bool listed = false;
		for (size_t i = 0; i < sizeof none / sizeof *none; i++)
			listed |= !strcmp((*op)->name, none[i]);
		if (tarn_node_has_grad(&n) == listed)
			fail_msg("%s: %s", (*op)->name, listed ? "has a gradient now" : "has no gradient");
		missing += listed;
	}
	assert_int_equal(missing, sizeof none / sizeof *none);
}

static void refused(void **state)
{
	(void)state;
	probe p = probe_open("", "RoiAlign", 3, 1);
	random_in(&p, 0, DIMS(1, 2, 4, 4), -1, 1, 0);
	probe_in(&p, 1, TARN_F64, DIMS(1, 4), REALS(0, 0, 2, 2));
	probe_in(&p, 2, TARN_I64, DIMS(1), REALS(0));
	const tarn_tensor *in[] = {&p.in[0], &p.in[1], &p.in[2]};
	tarn_tensor din[3] = {{0}}, dout;
	assert_ok(probe_eval(&p));
	assert_ok(tarn_tensor_new(TARN_F64, 4, in[0]->dim, &din[0]));
	assert_ok(tarn_tensor_new(TARN_F64, 4, p.out[0].dim, &dout));
	assert_err(TARN_UNSUPPORTED, tarn_node_grad(p.n, in, p.out, &dout, din));
	assert_non_null(strstr(tarn_err_text(), "RoiAlign has no gradient"));
	tarn_tensor_fini(&din[0]);
	tarn_tensor_fini(&dout);
	probe_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cumulative_sums), cmocka_unit_test(largest),    cmocka_unit_test(einsums),
		cmocka_unit_test(scatters),        cmocka_unit_test(norm_pools), cmocka_unit_test(grid_sampling),
		cmocka_unit_test(more_moves),      cmocka_unit_test(flat),       cmocka_unit_test(the_whole_table),
		cmocka_unit_test(refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
