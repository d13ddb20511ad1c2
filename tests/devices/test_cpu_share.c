/* SPDX-License-Identifier: Apache-2.0 */
/* Packed weights are there once, however many programs use them, and go with the last. */
#include "kern/share.h"

#include "dev/cpu/device.h"
#include "devices/graphs.h"
#include "kern/isa.h"
#include "rt/program.h"
#include "rt/request.h"

static void expect_count(int objects, int holders)
{
	int o, h;
	tarn_share_count(&o, &h);
	assert_int_equal(o, objects);
	assert_int_equal(h, holders);
}

static void same_content(void **state)
{
	(void)state;
	float a[12], b[12], bias[4] = {1, 2, 3, 4};
	tarn_gemm_f32 *p, *q, *r, *t;
	for (int i = 0; i < 12; i++)
		a[i] = b[i] = (float)i;
	assert_ok(tarn_share_gemm(NULL, 3, 4, a, 4, false, bias, &p));
	assert_ok(tarn_share_gemm(NULL, 3, 4, b, 4, false, bias, &q));
	assert_ptr_equal(p, q);
	expect_count(1, 2);
	assert_ok(tarn_share_gemm(NULL, 3, 4, b, 4, false, NULL, &r)); /* a bias less is another object */
	b[11] = 0;
	assert_ok(tarn_share_gemm(NULL, 3, 4, b, 4, false, bias, &t));
	assert_ptr_not_equal(r, p);
	assert_ptr_not_equal(t, p);
	expect_count(3, 4);
	/* the same numbers as another kind of weights */
	const tarn_conv_spec spec = {3, 4, 1, 1, 1, 1, 1, 1, 1};
	tarn_conv_f32 *c;
	assert_ok(tarn_share_conv(NULL, &spec, a, bias, &c));
	expect_count(4, 5);
	tarn_share_drop(NULL);
	tarn_share_drop(p);
	tarn_share_drop(t);
	tarn_share_drop(c);
	expect_count(2, 2);
	tarn_share_drop(q);
	tarn_share_drop(r);
	expect_count(0, 0);
	/* what cannot be packed is not kept */
	const tarn_conv_spec bad = {3, 4, 0, 1, 1, 1, 1, 1, 1};
	assert_int_not_equal(tarn_share_conv(NULL, &bad, a, bias, &c), TARN_OK);
	expect_count(0, 0);
}

/* Each level has a layout of its own. */
static void levels(void **state)
{
	(void)state;
	const float a[12] = {1, 2, 3};
	tarn_isa before = tarn_isa_get();
	tarn_gemm_f32 *at[TARN_ISA_COUNT] = {0}, *again;
	int count = 0;
	for (int i = 0; i < TARN_ISA_COUNT; i++)
		if (tarn_isa_set((tarn_isa)i)) {
			assert_ok(tarn_share_gemm(NULL, 3, 4, a, 4, false, NULL, &at[i]));
			count++;
			expect_count(count, count);
			assert_ok(tarn_share_gemm(NULL, 3, 4, a, 4, false, NULL, &again));
			assert_ptr_equal(again, at[i]);
			tarn_share_drop(again);
		}
	tarn_isa_set(before);
	for (int i = 0; i < TARN_ISA_COUNT; i++)
		tarn_share_drop(at[i]);
	expect_count(0, 0);
}

/* x [n, 8] -> two products. */
static tarn_model *products(int64_t n)
{
	tarn_model *m;
	tarn_value *v;
	tarn_node *node;
	seed = 5;
	assert_ok(tarn_model_new(&m));
	const tarn_shape s = {2, {n, 8}};
	assert_ok(tarn_value_input(m->main, "x", TARN_F32, &s, &v));
	for (int i = 0; i < 2; i++) {
		assert_ok(tarn_node_new(m->main, tarn_op_find(NULL, "MatMul"), "p", 2, 1, -1, &node));
		node->in[0] = v;
		node->in[1] = weights(m->main, dims(2, 8, 8));
		v = node->out[0];
	}
	assert_ok(VEC_GROW(&m->main->output));
	m->main->output.at[m->main->output.len++] = v;
	assert_ok(tarn_graph_infer(m->main));
	return m;
}

static void programs(void **state)
{
	(void)state;
	enum { N = 4 };
	tarn_device d = {.api = &tarn_dev_cpu};
	tarn_program *p[N];
	float first[16];
	tarn_mutex_init(&d.lock);
	for (int i = 0; i < N; i++) {
		tarn_model *m = products(2 + i); /* weights of its own, with the same content */
		assert_ok(tarn_program_compile(&d, m, NULL, &p[i]));
		tarn_model_unref(m);
		expect_count(2, 4 * (i + 1)); /* by its steps, and by the account of what to store */
	}
	for (int i = 0; i < N; i++) {
		tarn_request *r;
		assert_ok(tarn_request_new(p[i], &r));
		for (int k = 0; k < 16; k++)
			((float *)r->in[0].data)[k] = (float)k;
		assert_ok(tarn_request_begin(r));
		assert_ok(tarn_request_infer(r));
		if (i == 0)
			memcpy(first, r->out[0].data, sizeof first);
		assert_memory_equal(first, r->out[0].data, sizeof first);
		tarn_request_free(r);
		tarn_program_unref(p[i]);
		if (i + 1 < N)
			expect_count(2, 4 * (N - i - 1));
	}
	expect_count(0, 0);
	tarn_device_close(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(same_content), cmocka_unit_test(levels),
					   cmocka_unit_test(programs)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
