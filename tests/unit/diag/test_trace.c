/* SPDX-License-Identifier: Apache-2.0 */
/* The trace is read back as JSON: slices of a track must not overlap, and their times must be the events'. */
#include "unit/test.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "diag/trace.h"

enum { MS = 1000000 };

static json_t *written(const tarn_trace *t)
{
	tarn_str text = {0};
	json_error_t error;
	assert_ok(tarn_trace_write(t, &text));
	json_t *j = json_loadb(text.at, text.len, 0, &error);
	if (!j)
		print_error("%s at line %d\n", error.text, error.line);
	assert_non_null(j);
	tarn_str_fini(&text);
	return j;
}

/* Of all slices with that process and name, the sum in microseconds; *n counts them. */
static double sum(json_t *trace, int process, const char *name, int *n)
{
	double us = 0;
	size_t i;
	json_t *e;
	*n = 0;
	json_array_foreach(json_object_get(trace, "traceEvents"), i, e)
	{
		if (strcmp(json_string_value(json_object_get(e, "ph")), "X") ||
		    json_integer_value(json_object_get(e, "pid")) != process ||
		    strcmp(json_string_value(json_object_get(e, "name")), name))
			continue;
		us += json_number_value(json_object_get(e, "dur"));
		++*n;
	}
	return us;
}

static double at(json_t *e, const char *key)
{
	return json_number_value(json_object_get(e, key));
}

static void expect_no_overlap(json_t *trace)
{
	json_t *list = json_object_get(trace, "traceEvents"), *a, *b;
	size_t i, k;
	json_array_foreach(list, i, a) json_array_foreach(list, k, b)
	{
		if (i == k || !json_object_get(a, "dur") || !json_object_get(b, "dur") || at(a, "pid") != at(b, "pid") ||
		    at(a, "tid") != at(b, "tid"))
			continue;
		bool apart =
			at(a, "ts") + at(a, "dur") <= at(b, "ts") + 0.002 || at(b, "ts") + at(b, "dur") <= at(a, "ts") + 0.002;
		assert_true(apart);
	}
}

/* Three requests, one device: each prepares 3 ms, copies 0.5 ms, waits for the device, runs 2 ms. */
static void test_pipeline(void **state)
{
	(void)state;
	tarn_event e[6];
	int64_t free_at = 0, zero = 7000000000000;
	for (int i = 0; i < 6; i++) {
		int64_t asked = zero + i / 3 * 12 * MS, prepare = asked + MS, start = prepare + 3 * MS, ready = start + MS / 2;
		int64_t begin = ready > free_at ? ready : free_at;
		free_at = begin + 2 * MS;
		e[i] = (tarn_event){.request = (uint64_t)(90 + i % 3),
				    .asked = asked,
				    .prepare = prepare,
				    .start = start,
				    .device_begin = begin,
				    .device_end = free_at,
				    .end = free_at + MS / 4,
				    .callback_end = free_at + MS / 2,
				    .copy_in = MS / 2,
				    .copy_out = MS / 4};
	}
	const tarn_trace_layer layers[] = {{"a \"conv\"", "Conv", "DPU", 1.5}, {"b\n", "Relu", "SHAVE", 0.5}};
	json_t *j = written(&(tarn_trace){
		.event = e, .n = 6, .dropped = 2, .device = "NPU", .modelled = true, .layer = layers, .n_layer = 2});
	int n;
	assert_float_equal(sum(j, 1, "prepare", &n), 18000, 0.01);
	assert_int_equal(n, 6);
	assert_float_equal(sum(j, 1, "copy in", &n), 3000, 0.01);
	assert_float_equal(sum(j, 1, "copy out", &n), 1500, 0.01);
	assert_float_equal(sum(j, 1, "callback", &n), 1500, 0.01);
	assert_float_equal(sum(j, 1, "wait for a slot", &n), 6000, 0.01);
	assert_float_equal(sum(j, 3, "inference", &n), 12000, 0.01);
	/* The second and third of each round wait for 2 and 4 ms. */
	assert_float_equal(sum(j, 2, "queued", &n), 12000, 0.01);
	assert_int_equal(n, 4);
	assert_float_equal(sum(j, 4, "a \"conv\" (Conv, DPU)", &n), 1500, 0.01);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(j, "otherData"), "left_out")), 2);
	expect_no_overlap(j);
	json_decref(j);
}

/* Streams that run side by side, whose device tells no moments or overlapping ones. */
static void test_side_by_side(void **state)
{
	(void)state;
	tarn_event e[40];
	srand(3);
	for (int i = 0; i < 40; i++) {
		int64_t start = MS + rand() % (20 * MS);
		e[i] = (tarn_event){.request = (uint64_t)i,
				    .start = start,
				    .device_begin = i % 4 ? start + rand() % MS : 0,
				    .end = start + 6 * MS};
		e[i].device_end = e[i].device_begin ? e[i].device_begin + 1 + rand() % (4 * MS) : 0;
	}
	json_t *j = written(&(tarn_trace){.event = e, .n = 40, .device = "CPU"});
	int n;
	assert_float_equal(sum(j, 1, "in flight", &n), 40 * 6000, 1);
	sum(j, 3, "inference", &n);
	assert_int_equal(n, 30);
	expect_no_overlap(j);
	json_decref(j);
}

static void test_empty(void **state)
{
	(void)state;
	json_t *j = written(&(tarn_trace){.device = "CPU"});
	json_decref(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_pipeline), cmocka_unit_test(test_side_by_side),
					   cmocka_unit_test(test_empty)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
