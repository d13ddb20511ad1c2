/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "base/thread.h"
#include "fake_device.h"

static tarn_program *compile(tarn_device *d, const char *streams)
{
	tarn_model *m = fake_model(1);
	tarn_props props = {0};
	tarn_program *p = NULL;
	assert_non_null(m);
	assert_int_equal(tarn_props_set(&props, "NUM_STREAMS", streams), TARN_OK);
	assert_int_equal(tarn_program_compile(d, m, &props, &p), TARN_OK);
	tarn_model_unref(m);
	tarn_props_fini(&props);
	return p;
}

static void set_input(tarn_request *r, float v)
{
	for (int i = 0; i < 6; i++)
		((float *)r->in[0].data)[i] = v + (float)i;
}

static void check_output(const tarn_request *r, float v)
{
	for (int i = 0; i < 6; i++)
		assert_true(((const float *)r->out[0].data)[i] == v + (float)i + 1);
}

static void start(tarn_request *r)
{
	assert_int_equal(tarn_request_begin(r), TARN_OK);
	assert_int_equal(tarn_request_start(r), TARN_OK);
}

static void one_inference_and_its_times(void **state)
{
	(void)state;
	tarn_device d = {.api = &fake_api};
	tarn_program *p = compile(&d, "1");
	tarn_request *r;
	assert_int_equal(tarn_request_new(p, &r), TARN_OK);
	tarn_program_unref(p); /* the request keeps it */
	assert_int_equal(tarn_request_wait(r), TARN_NOT_READY);
	set_input(r, 5);
	assert_int_equal(tarn_request_begin(r), TARN_OK);
	assert_int_equal(tarn_request_begin(r), TARN_BUSY);
	assert_int_equal(tarn_request_infer(r), TARN_OK);
	check_output(r, 5);
	assert_true(r->t_end >= r->t_start + r->t_device && r->t_device >= 0);
	tarn_request_free(r);
	tarn_device_close(&d);
}

static void errors_travel_in_the_request(void **state)
{
	(void)state;
	tarn_device d = {.api = &fake_api};
	tarn_program *p = compile(&d, "1");
	tarn_request *r;
	assert_int_equal(tarn_request_new(p, &r), TARN_OK);
	set_input(r, -9);
	assert_int_equal(tarn_request_begin(r), TARN_OK);
	assert_int_equal(tarn_request_start(r), TARN_OK);
	assert_int_equal(tarn_request_wait(r), TARN_INTERNAL);
	assert_non_null(strstr(tarn_err_text(), "a negative number came in"));
	tarn_tensor wrong;
	assert_int_equal(tarn_tensor_new(TARN_F32, 1, (const int64_t[]){6}, &wrong), TARN_OK);
	tarn_tensor_fini(&r->in[0]);
	r->in[0] = wrong;
	assert_int_equal(tarn_request_begin(r), TARN_OK);
	assert_int_equal(tarn_request_infer(r), TARN_SHAPE);
	assert_non_null(strstr(tarn_err_text(), "[2,3]"));
	assert_int_equal(tarn_request_check_idle(r), TARN_OK);
	tarn_request_free(r);
	tarn_program_unref(p);
	tarn_device_close(&d);
}

static void a_held_request_is_busy_times_out_and_can_be_cancelled(void **state)
{
	(void)state;
	tarn_device d = {.api = &fake_api};
	tarn_program *p = compile(&d, "1");
	tarn_request *r, *queued;
	assert_int_equal(tarn_request_new(p, &r), TARN_OK);
	assert_int_equal(tarn_request_new(p, &queued), TARN_OK);
	set_input(r, 1);
	set_input(queued, 2);
	atomic_store(&fake_hold, 1);
	assert_int_equal(tarn_request_begin(r), TARN_OK);
	assert_int_equal(tarn_request_start(r), TARN_OK);
	assert_int_equal(tarn_request_begin(queued), TARN_OK);
	assert_int_equal(tarn_request_start(queued), TARN_OK);
	assert_int_equal(tarn_request_check_idle(r), TARN_BUSY);
	assert_int_equal(tarn_request_set_callback(r, NULL, NULL), TARN_BUSY);
	assert_int_equal(tarn_request_wait_until(r, tarn_clock_ns() + 1000000), TARN_NOT_READY);
	tarn_request_cancel(queued);
	assert_int_equal(tarn_request_wait(queued), TARN_CANCELLED);
	tarn_request_cancel(r);
	assert_int_equal(tarn_request_wait(r), TARN_CANCELLED);
	atomic_store(&fake_hold, 0);
	assert_int_equal(tarn_request_begin(r), TARN_OK);
	assert_int_equal(tarn_request_infer(r), TARN_OK);
	check_output(r, 1);
	tarn_request_free(r);
	tarn_request_free(queued);
	tarn_program_unref(p);
	tarn_device_close(&d);
}

typedef struct chain {
	tarn_request *r;
	atomic_int left, called;
	bool free_at_end;
} chain;

static void again(void *arg)
{
	chain *c = arg;
	atomic_fetch_add(&c->called, 1);
	if (tarn_request_wait(c->r) != TARN_OK) /* inside the callback the result is there */
		return;
	if (atomic_fetch_sub(&c->left, 1) > 1) {
		if (!tarn_request_begin(c->r) && tarn_request_start(c->r))
			return;
	} else if (c->free_at_end) {
		tarn_request_free(c->r);
	}
}

static void say_gone(void *owner)
{
	atomic_store((atomic_int *)owner, 1);
}

static void callbacks_run_once_each_and_may_restart_or_free(void **state)
{
	(void)state;
	tarn_device d = {.api = &fake_api};
	for (int own = 0; own < 2; own++) {
		tarn_program *p = compile(&d, "2");
		chain c = {.free_at_end = own == 1};
		atomic_init(&c.left, 50);
		atomic_init(&c.called, 0);
		assert_int_equal(tarn_request_new(p, &c.r), TARN_OK);
		set_input(c.r, 0);
		assert_int_equal(tarn_request_set_callback(c.r, again, &c), TARN_OK);
		atomic_int gone;
		atomic_init(&gone, 0);
		p->release = say_gone;
		p->owner = &gone;
		start(c.r);
		if (!own) {
			while (atomic_load(&c.left) > 0)
				assert_int_equal(tarn_request_wait(c.r), TARN_OK);
			assert_int_equal(tarn_request_wait(c.r), TARN_OK);
			tarn_request_free(c.r);
		}
		/* With free_at_end the last callback frees the request; either way the last reference to the program may be
		 * dropped on one of its own threads. */
		tarn_program_unref(p);
		while (!atomic_load(&gone))
			tarn_clock_sleep_until(tarn_clock_ns() + 100000);
		assert_int_equal(atomic_load(&c.called), 50);
	}
	tarn_device_close(&d);
}

enum { THREADS = 8, ROUNDS = 40 };
static tarn_program *shared;
static atomic_int wrong_results;

static void *use_requests(void *arg)
{
	int id = (int)(intptr_t)arg;
	tarn_request *r[2] = {NULL, NULL};
	if (tarn_request_new(shared, &r[0]) || tarn_request_new(shared, &r[1])) {
		atomic_fetch_add(&wrong_results, 1);
		return NULL;
	}
	for (int k = 0; k < ROUNDS; k++) {
		bool bad = false;
		for (int j = 0; j < 2; j++) {
			set_input(r[j], (float)(id * 100 + j));
			bad = bad || tarn_request_begin(r[j]);
			bad = bad || (k % 3 ? tarn_request_start(r[j]) : tarn_request_infer(r[j]));
		}
		for (int j = 0; j < 2; j++) {
			bad = bad || tarn_request_wait(r[j]);
			for (int i = 0; i < 6; i++)
				bad = bad || ((const float *)r[j]->out[0].data)[i] != (float)(id * 100 + j + i + 1);
		}
		if (bad)
			atomic_fetch_add(&wrong_results, 1);
	}
	tarn_request_free(r[0]);
	tarn_request_free(r[1]);
	return NULL;
}

static void eight_threads_share_a_program_of_two_streams(void **state)
{
	(void)state;
	tarn_device d = {.api = &fake_api};
	shared = compile(&d, "2");
	atomic_store(&fake_most, 0);
	tarn_thread t[THREADS];
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(tarn_thread_start(&t[i], "user", use_requests, (void *)(intptr_t)i), TARN_OK);
	for (int i = 0; i < THREADS; i++)
		tarn_thread_join(t[i]);
	assert_int_equal(atomic_load(&wrong_results), 0);
	assert_true(atomic_load(&fake_most) <= 2);
	atomic_int gone;
	atomic_init(&gone, 0);
	shared->release = say_gone;
	shared->owner = &gone;
	tarn_program_unref(shared);
	while (!atomic_load(&gone))
		tarn_clock_sleep_until(tarn_clock_ns() + 100000);
	tarn_device_close(&d);
}

static void lazy_devices_check_properties_when_they_open(void **state)
{
	(void)state;
	tarn_device d = {.api = &fake_api};
	tarn_str v = {0};
	assert_int_equal(tarn_device_set(&d, "INFERENCE_NUM_THREADS", "abc"), TARN_OK);
	assert_int_equal(tarn_device_get(&d, "INFERENCE_NUM_THREADS", &v), TARN_USAGE);
	assert_int_equal(tarn_device_set(&d, "INFERENCE_NUM_THREADS", "3"), TARN_OK);
	assert_int_equal(tarn_device_get(&d, "INFERENCE_NUM_THREADS", &v), TARN_OK);
	assert_string_equal(v.at, "3");
	assert_int_equal(tarn_device_set(&d, "INFERENCE_NUM_THREADS", "abc"), TARN_USAGE);
	assert_int_equal(tarn_device_get(&d, "EXECUTION_DEVICES", &v), TARN_USAGE);
	tarn_str_fini(&v);
	tarn_device_close(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_inference_and_its_times),
		cmocka_unit_test(errors_travel_in_the_request),
		cmocka_unit_test(a_held_request_is_busy_times_out_and_can_be_cancelled),
		cmocka_unit_test(callbacks_run_once_each_and_may_restart_or_free),
		cmocka_unit_test(eight_threads_share_a_program_of_two_streams),
		cmocka_unit_test(lazy_devices_check_properties_when_they_open),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
