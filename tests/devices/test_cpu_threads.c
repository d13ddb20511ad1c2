/* SPDX-License-Identifier: Apache-2.0 */
/* The CPU device from many threads: sizes that differ at once on one program, several programs, cancelling, freeing in any
 * order. What every run gives is known in closed form. */
#include "devices/graphs.h"

#include "base/clock.h"
#include "base/thread.h"
#include "dev/cpu/device.h"
#include "rt/program.h"
#include "rt/request.h"

enum { THREADS = 4, RUNS = 40, SIZES = 23 };

static tarn_program *compile(tarn_device *d, const tarn_model *m)
{
	tarn_props props = {0};
	tarn_program *p;
	assert_ok(tarn_props_set(&props, "NUM_STREAMS", "3"));
	assert_ok(tarn_props_set(&props, "INFERENCE_NUM_THREADS", "3"));
	assert_ok(tarn_program_compile(d, m, &props, &p));
	tarn_props_fini(&props);
	return p;
}

/* x [?] -> 2 * relu(x) + 1 and the places where it is above 0. */
static tarn_model *open_sizes(void)
{
	tarn_model *m;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	tarn_shape s = {.rank = 1};
	assert_ok(tarn_symtab_named(&m->syms, "n", &s.dim[0]));
	tarn_value *x = input(g, s), *r = node(g, "Relu", x, NULL, NULL);
	output(g, node(g, "Add", node(g, "Mul", r, scalar(g, 2), NULL), scalar(g, 1), NULL));
	tarn_value *where = node(g, "NonZero", r, NULL, NULL);
	output(g, node(g, "Add", where, where, NULL));
	assert_ok(tarn_graph_infer(g));
	return m;
}

/* The input: i % 3 - 1, so that every third element is above 0. */
static void run_size(tarn_request *r, int64_t n)
{
	tarn_tensor x;
	assert_ok(tarn_tensor_new(TARN_F32, 1, &n, &x));
	for (int64_t i = 0; i < n; i++)
		((float *)x.data)[i] = (float)(i % 3 - 1);
	assert_ok(tarn_request_begin(r));
	tarn_tensor_fini(&r->in[0]);
	r->in[0] = x;
	assert_ok(tarn_request_start(r));
	assert_ok(tarn_request_wait(r));
	assert_int_equal(r->out[0].dim[0], n);
	for (int64_t i = 0; i < n; i++)
		assert_true(((const float *)r->out[0].data)[i] == (i % 3 == 2 ? 3.0f : 1.0f));
	assert_int_equal(r->out[1].dim[1], n / 3);
	for (int64_t i = 0; i < n / 3; i++)
		assert_int_equal(((const int64_t *)r->out[1].data)[i], 2 * (3 * i + 2));
}

typedef struct worker {
	tarn_program *p;
	int first;
	tarn_thread thread;
} worker;

static void *work(void *arg)
{
	worker *w = arg;
	tarn_request *r;
	assert_ok(tarn_request_new(w->p, &r));
	for (int k = 0; k < RUNS; k++)
		run_size(r, 3 + 3 * ((w->first + 7 * k) % SIZES));
	tarn_program_unref(w->p); /* maybe the last but the request's own */
	tarn_request_free(r);
	return NULL;
}

static void run_all(worker *w)
{
	for (int i = 0; i < THREADS; i++)
		assert_ok(tarn_thread_start(&w[i].thread, "worker", work, &w[i]));
	for (int i = 0; i < THREADS; i++)
		tarn_thread_join(w[i].thread);
}

/* More sizes than a program keeps: plans are dropped while others run. */
static void sizes_differ_at_once(void **state)
{
	(void)state;
	tarn_device d = {.api = &tarn_dev_cpu};
	tarn_model *m = open_sizes();
	tarn_program *p = compile(&d, m);
	tarn_model_unref(m);
	worker w[THREADS];
	for (int i = 0; i < THREADS; i++)
		w[i] = (worker){.p = tarn_program_ref(p), .first = 5 * i};
	tarn_program_unref(p);
	run_all(w);
	tarn_device_close(&d);
}

static void programs_side_by_side(void **state)
{
	(void)state;
	tarn_device d = {.api = &tarn_dev_cpu};
	tarn_model *m = open_sizes();
	worker w[THREADS];
	for (int i = 0; i < THREADS; i++)
		w[i] = (worker){.p = compile(&d, m), .first = i};
	tarn_model_unref(m);
	run_all(w);
	tarn_device_close(&d);
}

/* A loop of 2^60 steps over a state. */
static tarn_model *endless(void)
{
	tarn_model *m;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main, *body;
	tarn_value *x = input(g, dims(1, 4)), *trips, *yes, *state, *iter, *cond;
	tarn_tensor t;
	assert_ok(tarn_tensor_new(TARN_I64, 0, NULL, &t));
	*(int64_t *)t.data = (int64_t)1 << 60;
	assert_ok(tarn_value_const(g, NULL, &t, &trips));
	tarn_tensor_fini(&t);
	assert_ok(tarn_tensor_new(TARN_BOOL, 0, NULL, &t));
	*(uint8_t *)t.data = 1;
	assert_ok(tarn_value_const(g, NULL, &t, &yes));
	tarn_tensor_fini(&t);
	tarn_node *n = node_with(g, "Loop", 1, trips, yes, x);
	assert_ok(tarn_node_add_body(g, n, &body));
	tarn_shape scalar_shape = {.rank = 0}, four = dims(1, 4);
	assert_ok(tarn_value_input(body, NULL, TARN_I64, &scalar_shape, &iter));
	assert_ok(tarn_value_input(body, NULL, TARN_BOOL, &scalar_shape, &cond));
	assert_ok(tarn_value_input(body, NULL, TARN_F32, &four, &state));
	output(body, node(body, "Not", node(body, "Not", cond, NULL, NULL), NULL, NULL));
	output(body, node(body, "Relu", state, NULL, NULL));
	output(g, n->out[0]);
	assert_ok(tarn_graph_infer(g));
	return m;
}

static void a_loop_without_end_is_cancelled(void **state)
{
	(void)state;
	tarn_device d = {.api = &tarn_dev_cpu};
	tarn_model *m = endless();
	tarn_program *p = compile(&d, m);
	tarn_model_unref(m);
	tarn_request *r[3];
	for (int i = 0; i < 3; i++) {
		assert_ok(tarn_request_new(p, &r[i]));
		assert_ok(tarn_request_begin(r[i]));
		assert_ok(tarn_request_start(r[i]));
	}
	tarn_program_unref(p);
	assert_int_equal(tarn_request_wait_until(r[1], tarn_clock_ns() + 5000000), TARN_NOT_READY);
	for (int i = 2; i >= 0; i--)
		tarn_request_cancel(r[i]);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(tarn_request_wait(r[i]), TARN_CANCELLED);
		tarn_request_free(r[i]);
	}
	tarn_device_close(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_differ_at_once),
		cmocka_unit_test(programs_side_by_side),
		cmocka_unit_test(a_loop_without_end_is_cancelled),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
