/* SPDX-License-Identifier: Apache-2.0 */
/* Products of what rounding left: how much they bring, that both devices agree on them, and where they are taken. */
#include "unit/quant/fixture.h"

#include "dev/ref/ref.h"
#include "quant/judge.h"
#include "quant/precise.h"
#include "rt/program.h"

/* Groups, a border, a depthwise product behind a ReLU, a value that a sum reads too, a matrix product as output. */
static tarn_model *network(void)
{
	tarn_model *m;
	assert_ok(tarn_model_new(&m));
	seed = 12;
	tarn_graph *g = m->main;
	tarn_value *b = grouped_depthwise(g);
	tarn_value *c = node(g, "Conv", b, weights(g, dims(4, 20, 20, 1, 1)), NULL);
	tarn_value *flat = node(g, "Reshape", node(g, "Add", b, c, NULL), ints(g, 2, (int64_t)2, (int64_t)(20 * 9 * 7)), NULL);
	output(g, node(g, "MatMul", flat, weights(g, dims(2, 20 * 9 * 7, 6)), NULL));
	assert_ok(tarn_graph_infer(g));
	return m;
}

static tarn_model *model;
static quant_plan p;
static tarn_quant_report r;

static int setup(void **state)
{
	(void)state;
	tarn_quant_options o = noise_options();
	model = network();
	r = (tarn_quant_report){0};
	assert_ok(tarn_quant_plan_init(&p, model, &o));
	for (size_t i = 0; i < p.m->main->node.len; i++) /* it would round its operands to eight bits */
		if (tarn_quant_is(p.m->main->node.at[i], "Add"))
			p.keep_float[i] = true;
	assert_ok(tarn_quant_place(&p, &o, &r));
	assert_ok(tarn_quant_observe(&p, &o));
	assert_ok(tarn_quant_estimate(&p));
	assert_ok(tarn_quant_weights(&p));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tarn_quant_report_fini(&r);
	tarn_quant_plan_fini(&p);
	tarn_model_unref(model);
	return 0;
}

static double with(int rests)
{
	tarn_quant_options o = noise_options();
	for (size_t i = 0; i < p.m->main->node.len; i++)
		p.precise[i] = (uint8_t)rests;
	tarn_quant_shift_weights(&p);
	return output_db(&p, &o);
}

/* Each rest alone leaves the other noise; both leave what sixteen bits do. */
static void rests_of_both(void **state)
{
	(void)state;
	double none = with(0), input = with(TARN_QUANT_REST_OF_INPUT), weights = with(TARN_QUANT_REST_OF_WEIGHTS);
	assert_true(none < 45);
	double both = with(TARN_QUANT_REST_OF_INPUT | TARN_QUANT_REST_OF_WEIGHTS);
	assert_true(input > none + 5 && both > fmax(input, weights) + 20);
	assert_true(both > 75);
}

/* A step of the first grid would be 40 dB below the outputs; the same sums in another order are not. */
static void devices_agree(void **state)
{
	(void)state;
	tarn_device ref = {.api = &tarn_dev_ref};
	tarn_model *q;
	tarn_program *prog[2];
	tarn_tensor in, *out[2];
	with(3);
	assert_ok(tarn_quant_write(&p, &q));
	assert_ok(noise_sample(NULL, 3, &in));
	tarn_request *request[2];
	for (int i = 0; i < 2; i++) {
		assert_ok(tarn_program_compile(i ? &ref : &cpu, q, NULL, &prog[i]));
		assert_ok(tarn_request_new(prog[i], &request[i]));
		memcpy(request[i]->in[0].data, in.data, tarn_tensor_bytes(&in));
		assert_ok(tarn_request_infer(request[i]));
		out[i] = &request[i]->out[0];
	}
	double power = 0, noise = 0;
	for (int64_t k = 0; k < tarn_tensor_count(out[0]); k++) {
		double a = tarn_tensor_f64(out[0], k), b = tarn_tensor_f64(out[1], k);
		power += a * a;
		noise += (a - b) * (a - b);
	}
	assert_true(noise < power * 1e-7);
	for (int i = 0; i < 2; i++) {
		tarn_request_free(request[i]);
		tarn_program_unref(prog[i]);
	}
	tarn_tensor_fini(&in);
	tarn_model_unref(q);
	tarn_device_close(&ref);
}

static bool none_taken(void)
{
	for (size_t i = 0; i < p.m->main->node.len; i++)
		if (p.precise[i])
			return false;
	return true;
}

/* Outputs that 8 bits serve well are left alone. Where they are poor, here by grids eight times too coarse, no more is taken
 * than they need: half a dB of what all of them bring, or 50 dB. */
static void taken_where_needed(void **state)
{
	(void)state;
	tarn_quant_options o = noise_options();
	quant_judge j;
	tarn_model *q;
	double db;
	int n = 0, products = 0;
	double all = with(3);
	assert_true(with(0) > 34);
	assert_ok(tarn_quant_judge_init(&j, &p, &o));
	assert_ok(tarn_quant_search_precise(&p, &j));
	assert_true(none_taken());
	for (size_t i = 0; i < p.m->main->value.len; i++)
		p.grid[i].scale *= 8;
	assert_true(with(0) < 32);
	assert_ok(tarn_quant_search_precise(&p, &j));
	assert_ok(tarn_quant_write(&p, &q));
	assert_ok(tarn_quant_judge_measure(&j, q, &db));
	for (size_t i = 0; i < p.m->main->node.len; i++) {
		n += (p.precise[i] & 1) + (p.precise[i] >> 1);
		products += p.weight[i].scale != NULL;
	}
	assert_int_equal(products, 4);
	assert_true(n > 0 && n < 2 * products);
	assert_true(db > fmin(50, all - 1));
	tarn_model_unref(q);
	/* Weights of four bits stay so. */
	memset(p.precise, 0, p.m->main->node.len);
	p.weight_top = 7;
	assert_ok(tarn_quant_search_precise(&p, &j));
	assert_true(none_taken());
	tarn_quant_judge_fini(&j);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(rests_of_both),
		T(devices_agree),
		T(taken_where_needed),
	};
	return cmocka_run_group_tests(tests, NULL, close_device);
}
