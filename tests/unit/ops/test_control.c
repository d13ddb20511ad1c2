/* SPDX-License-Identifier: Apache-2.0 */
/* If, Loop, Scan with captures, built by hand: values against plain recurrences, shapes with free dimensions. */
#include "ir/verify.h"
#include "probe.h"

static tarn_value *node(tarn_graph *g, const char *op, tarn_value *a, tarn_value *b)
{
	tarn_node *n;
	assert_ok(tarn_node_new(g, tarn_op_find(NULL, op), NULL, b ? 2 : 1, 1, -1, &n));
	n->in[0] = a;
	if (b)
		n->in[1] = b;
	return n->out[0];
}

static tarn_value *input(tarn_graph *g, tarn_dtype type)
{
	tarn_value *v;
	tarn_shape unknown = {.rank = -1};
	assert_ok(tarn_value_input(g, NULL, type, &unknown, &v));
	return v;
}

static void output(tarn_graph *g, tarn_value *v)
{
	assert_ok(VEC_GROW(&g->output));
	g->output.at[g->output.len++] = v;
}

/* cond ? x + x : x * x, x captured. */
static void test_if(void **state)
{
	(void)state;
	for (int cond = 0; cond < 2; cond++) {
		probe p = probe_open(NULL, "If", 2, 1);
		probe_scalar(&p, 0, TARN_BOOL, cond);
		probe_in(&p, 1, TARN_F32, DIMS(3), REALS(1, 2, 5));
		p.n->n_capture = 1;
		for (int b = 0; b < 2; b++) {
			tarn_graph *g;
			assert_ok(tarn_node_add_body(p.m->main, p.n, &g));
			tarn_value *x = input(g, TARN_F32);
			output(g, node(g, b ? "Mul" : "Add", x, x));
		}
		probe_infers(&p, 0, "[3]");
		if (cond)
			probe_gives(&p, 0, REAL_LIST(2, 4, 10));
		else
			probe_gives(&p, 0, REAL_LIST(1, 4, 25));
	}
}

/* A condition that is known leaves one branch: sizes are its own, and the other need not fit. */
static void test_if_known(void **state)
{
	(void)state;
	for (int cond = 0; cond < 2; cond++) {
		probe p = probe_open(NULL, "If", 2, 1);
		probe_scalar(&p, 0, TARN_BOOL, cond);
		probe_in(&p, 1, TARN_F32, DIMS(3), REALS(1, 2, 5));
		p.n->n_capture = 1;
		for (int b = 0; b < 2; b++) {
			tarn_graph *g;
			tarn_value *axes;
			assert_ok(tarn_node_add_body(p.m->main, p.n, &g));
			tarn_value *x = input(g, TARN_F32);
			assert_ok(tarn_value_const_i64(g, NULL, (const int64_t[]){0}, 1, &axes));
			/* the first branch is taken when cond is true; three elements cannot be squeezed */
			output(g, node(g, b == cond ? "Squeeze" : "Unsqueeze", x, axes));
		}
		tarn_value *c;
		tarn_tensor t;
		assert_ok(tarn_tensor_new(TARN_BOOL, 0, NULL, &t));
		*(uint8_t *)t.data = (uint8_t)cond;
		assert_ok(tarn_value_const(p.m->main, NULL, &t, &c));
		tarn_tensor_fini(&t);
		p.n->in[0] = c;
		probe_infers(&p, 0, "[1,3]");
		probe_close(&p);
	}
}

/* a = a + step (captured), gathering a; stops when a reaches 10 or after `trips`. */
static probe counting(double trips, double start)
{
	probe p = probe_open(NULL, "Loop", 4, 2);
	tarn_graph *g;
	probe_scalar(&p, 0, TARN_I64, trips);
	probe_scalar(&p, 1, TARN_BOOL, 1);
	probe_in(&p, 2, TARN_F32, DIMS(1), &start);
	probe_scalar(&p, 3, TARN_F32, 3);
	p.n->n_capture = 1;
	assert_ok(tarn_node_add_body(p.m->main, p.n, &g));
	input(g, TARN_I64);
	input(g, TARN_BOOL);
	tarn_value *a = input(g, TARN_F32), *step = input(g, TARN_F32), *ten;
	assert_ok(tarn_value_const_f32(g, NULL, (const float[]){10}, -1, &ten));
	tarn_value *sum = node(g, "Add", a, step), *less = node(g, "Less", sum, ten);
	output(g, less);
	output(g, sum);
	output(g, node(g, "Mul", sum, sum));
	return p;
}

static void test_loop(void **state)
{
	(void)state;
	probe p = counting(100, 0);
	assert_ok(probe_eval(&p));
	probe_expect(&p, 0, 0, REAL_LIST(12)); /* 3, 6, 9, 12: the condition is looked at after the step */
	probe_shape(&p, 1, DIMS(4, 1));
	probe_expect(&p, 1, 0, REAL_LIST(9, 36, 81, 144));
	probe_close(&p);
	p = counting(2, 1);
	assert_ok(probe_eval(&p));
	probe_expect(&p, 0, 0, REAL_LIST(7));
	probe_expect(&p, 1, 0, REAL_LIST(16, 49));
	probe_close(&p);
	p = counting(0, 1);
	assert_ok(probe_infer(&p));
	assert_ok(probe_eval(&p));
	probe_expect(&p, 0, 0, REAL_LIST(1));
	probe_shape(&p, 1, DIMS(0, 1));
	probe_close(&p);
	p = counting(2, 1);
	probe_infers(&p, 1, "[?,1]");
	probe_close(&p);
}

/* Either of trip count and condition may be left out. */
static void test_loop_without_count_or_condition(void **state)
{
	(void)state;
	for (int k = 0; k < 2; k++) {
		probe p = counting(k ? 2 : 100, 1);
		const tarn_tensor *in[4];
		tarn_tensor out[2] = {{0}};
		for (int i = 0; i < 4; i++)
			in[i] = i == k ? NULL : &p.in[i];
		p.n->in[k] = NULL;
		assert_ok(tarn_graph_verify(p.m->main));
		assert_ok(tarn_node_eval(p.n, in, out));
		assert_true(tarn_tensor_f64(&out[0], 0) == (k ? 7 : 10)); /* 4, 7, and 10, which is not below 10 */
		tarn_tensor_fini(&out[0]);
		tarn_tensor_fini(&out[1]);
		probe_close(&p);
	}
}

/* A state that grows each step has a free dimension, not that of its start. */
static void test_loop_growing(void **state)
{
	(void)state;
	probe p = probe_open(NULL, "Loop", 3, 1);
	tarn_graph *g;
	probe_scalar(&p, 0, TARN_I64, 3);
	probe_scalar(&p, 1, TARN_BOOL, 1);
	probe_in(&p, 2, TARN_F32, DIMS(1), REALS(5));
	assert_ok(tarn_node_add_body(p.m->main, p.n, &g));
	input(g, TARN_I64);
	tarn_value *cond = input(g, TARN_BOOL), *a = input(g, TARN_F32);
	output(g, node(g, "Identity", cond, NULL));
	tarn_node *cat;
	assert_ok(tarn_node_new(g, tarn_op_find(NULL, "Concat"), NULL, 2, 1, -1, &cat));
	cat->in[0] = cat->in[1] = a;
	assert_ok(tarn_attr_set_i(cat, tarn_attr_index(cat->op, "axis"), 0));
	output(g, cat->out[0]);
	probe_infers(&p, 0, "[?]");
	assert_ok(probe_eval(&p));
	probe_shape(&p, 0, DIMS(8));
	probe_close(&p);
}

static tarn_err bodies_until_100(void *ctx, const tarn_value *v, const tarn_tensor *t)
{
	int *bodies = ctx;
	assert_true(!v == !t);
	return !v && ++*bodies == 100 ? tarn_err_set(TARN_CANCELLED, "enough") : TARN_OK;
}

/* A loop that nobody would see the end of ends when the onlooker has seen enough of it. */
static void test_loop_left(void **state)
{
	(void)state;
	const tarn_tensor *in[4];
	tarn_tensor out[2] = {{0}};
	int bodies = 0;
	probe p = counting(0x1p60, 0);
	tarn_tensor_set_f64(&p.in[3], 0, 0); /* steps of nothing */
	for (int i = 0; i < 4; i++)
		in[i] = &p.in[i];
	output(p.m->main, p.n->out[0]);
	output(p.m->main, p.n->out[1]);
	assert_int_equal(tarn_graph_eval(p.m->main, in, out, bodies_until_100, &bodies), TARN_CANCELLED);
	assert_int_equal(bodies, 100);
	probe_close(&p);
}

/* Running sums over rows read from the last one, written back to front. */
static void test_scan(void **state)
{
	(void)state;
	probe p = probe_open(NULL, "Scan", 2, 2);
	tarn_graph *g;
	probe_in(&p, 0, TARN_F32, DIMS(2), REALS(100, 200));
	probe_in(&p, 1, TARN_F32, DIMS(3, 2), REALS(1, 2, 3, 4, 5, 6));
	probe_int(&p, "num_scan_inputs", 1);
	probe_ints(&p, "scan_input_directions", DIMS(1));
	probe_ints(&p, "scan_output_directions", DIMS(1));
	probe_ints(&p, "scan_output_axes", DIMS(-1));
	assert_ok(tarn_node_add_body(p.m->main, p.n, &g));
	tarn_value *s = input(g, TARN_F32), *x = input(g, TARN_F32), *sum = node(g, "Add", s, x);
	output(g, sum);
	output(g, node(g, "Identity", sum, NULL));
	probe_infers(&p, 1, "[2,3]");
	assert_ok(probe_eval(&p));
	probe_expect(&p, 0, 0, REAL_LIST(109, 212));
	probe_shape(&p, 1, DIMS(2, 3));
	/* Steps give 105 206, 108 210, 109 212; last first along the second axis. */
	probe_expect(&p, 1, 0, REAL_LIST(109, 108, 105, 212, 210, 206));
	probe_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_if),        cmocka_unit_test(test_if_known),
		cmocka_unit_test(test_loop),      cmocka_unit_test(test_loop_growing),
		cmocka_unit_test(test_loop_left), cmocka_unit_test(test_loop_without_count_or_condition),
		cmocka_unit_test(test_scan),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
