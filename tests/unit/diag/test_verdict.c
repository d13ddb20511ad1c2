/* SPDX-License-Identifier: Apache-2.0 */
/* Causes are planted in a pipeline of known times; counters follow from them by the laws of queues, and the verdict must find
 * the cause. */
#include "unit/test.h"

#include <math.h>
#include <string.h>

#include "diag/verdict.h"

/* Milliseconds per inference of each stage, one device, workers that prepare, requests that go round. */
typedef struct pipeline {
	double prepare, copy_in, device, copy_out, other;
	int requests, workers; /* workers 0: the caller prepares, one at a time */
	double mac, ddr, int8;
} pipeline;

static double least(double a, double b)
{
	return a < b ? a : b;
}

/* The slowest station decides the rate; what a request spends beyond its own stages it spent waiting (Little's law). The
 * waiting for a worker is no request's time. */
static tarn_counters counters_of(const pipeline *p)
{
	int workers = p->workers ? p->workers : 1;
	double own = p->prepare + p->copy_in + p->device + p->copy_out + p->other;
	double rate = least(p->requests / own, 1 / p->device);
	if (p->prepare > 0)
		rate = least(rate, workers / p->prepare);
	bool device_limits = rate >= 1 / p->device - 1e-12;
	double wait = device_limits ? p->requests / rate - own : 0, all = own + (wait > 0 ? wait : 0);
	return (tarn_counters){
		.inferences = 1000,
		.prepare = p->prepare / all,
		.copy_in = p->copy_in / all,
		.device = p->device / all,
		.copy_out = p->copy_out / all,
		.wait = wait > 0 ? wait / all : 0,
		.other = p->other / all,
		.busy = rate * p->device,
		.mac = p->mac ? p->mac : NAN,
		.ddr = p->ddr ? p->ddr : NAN,
		.int8 = p->int8,
		.in_flight = p->requests,
		.workers = p->workers,
		.processors = 4,
	};
}

static void expect(const tarn_counters *c, const char *name, const char *figure, const char *step)
{
	tarn_finding found;
	tarn_str sentence = {0}, next = {0};
	assert_ok(tarn_verdict_find(c, &found, &sentence, &next));
	const char *got = found.name;
	if (strcmp(got, name) || !strstr(sentence.at, figure) || !strstr(next.at, step))
		print_error("got %s: %s; next: %s\n", got, sentence.at, next.at);
	assert_string_equal(got, name);
	assert_non_null(strstr(sentence.at, figure));
	assert_non_null(strstr(next.at, step));
	assert_null(strchr(sentence.at, '{'));
	assert_null(strchr(next.at, '{'));
	assert_int_not_equal(next.at[strlen(next.at) - 1], ' ');
	assert_null(strchr(sentence.at, '\n'));
	tarn_str_fini(&sentence);
	tarn_str_fini(&next);
}

static void expect_pipeline(const pipeline *p, const char *name, const char *figure, const char *step)
{
	tarn_counters c = counters_of(p);
	expect(&c, name, figure, step);
}

static void preparation(void **state)
{
	(void)state;
	/* Two workers need 40 ms each, the device 5: a quarter of its time, 5 / 20. */
	expect_pipeline(&(pipeline){.prepare = 40, .device = 5, .requests = 6, .workers = 2}, "data preparation", "25 %",
			"--workers 4");
	/* Alone and nearly everything: overlapping the rest would not help. */
	expect_pipeline(&(pipeline){.prepare = 90, .device = 10, .requests = 1, .workers = 1}, "data preparation", "90 %",
			"--workers");
	/* All processors prepare already. */
	pipeline all = {.prepare = 100, .device = 5, .requests = 6, .workers = 4};
	expect_pipeline(&all, "data preparation", "20 %", "prepare less");
	tarn_counters c = counters_of(&all);
	c.decodes_in_full = true;
	expect(&c, "data preparation", "20 %", "--scaled-decode");
}

static void parallelism(void **state)
{
	(void)state;
	/* In turns: 10 of 25 ms. With four workers side by side the device's 10 ms remain. */
	expect_pipeline(&(pipeline){.prepare = 15, .device = 10, .requests = 1, .workers = 1}, "too little parallelism", "40 %",
			"-nireq");
	expect_pipeline(&(pipeline){.prepare = 15, .device = 10, .requests = 1, .workers = 1}, "too little parallelism",
			"2.5 times", "--workers");
	/* Nothing to prepare, half the time goes to neither. */
	expect_pipeline(&(pipeline){.device = 10, .copy_in = 3, .other = 7, .requests = 1}, "too little parallelism", "50 %",
			"-nireq");
	tarn_counters c = counters_of(&(pipeline){.device = 10, .other = 15, .requests = 1});
	c.busy = NAN; /* with one request the host's share tells */
	expect(&c, "too little parallelism", "40 %", "-nireq");
	c = counters_of(&(pipeline){.device = 10, .copy_in = 2, .other = 18, .requests = 2});
	c.optimal = 4;
	expect(&c, "too little parallelism", "67 %", "-nireq 4");
}

static void transfers(void **state)
{
	(void)state;
	expect_pipeline(&(pipeline){.copy_in = 80, .copy_out = 10, .device = 10, .requests = 1}, "transfer and copies", "90 %",
			"ov_infer_request_get_input_tensor");
	expect_pipeline(&(pipeline){.prepare = 2, .copy_in = 10, .copy_out = 20, .device = 5, .requests = 2},
			"transfer and copies", "81 %", "device's own memory");
}

static void the_device(void **state)
{
	(void)state;
	pipeline p = {.prepare = 2, .device = 10, .requests = 4, .workers = 1, .mac = 0.2, .ddr = 0.9};
	expect_pipeline(&p, "memory bandwidth", "90 %", "tarn quantize");
	p.int8 = 1;
	expect_pipeline(&p, "memory bandwidth", "100 %", "-pc");
	p = (pipeline){.prepare = 2, .device = 10, .requests = 4, .workers = 1, .mac = 0.85, .ddr = 0.3};
	expect_pipeline(&p, "compute", "85 %", "tarn quantize");
	/* Busy, computing, and in the cheaper form. */
	p.int8 = 0.97;
	expect_pipeline(&p, "healthy", "97 %", "-pc");
	/* The device does not report what it is busy with. */
	p.mac = p.ddr = 0;
	expect_pipeline(&p, "healthy", "100 %", "-pc");
	/* The processors themselves, which tell no account: memory by what was measured of it. */
	p = (pipeline){.device = 10, .requests = 2, .mac = 0.2, .ddr = 0.9};
	tarn_counters cpu = counters_of(&p);
	cpu.on_cpu = true;
	expect(&cpu, "memory bandwidth", "90 %", "--weights int4");
	cpu.mac = 0.38; /* a network of both kinds of layers is no riddle */
	cpu.ddr = 0.35;
	expect(&cpu, "healthy", "38 %", "-pc");
	cpu.ddr = 0.9;
	cpu.mac = 0.95;
	expect(&cpu, "compute", "95 %", "tarn quantize");
	/* Nearly all of its time it waits; that the host could not follow it much faster does not make it healthy. */
	p = (pipeline){.prepare = 0.01, .device = 4, .other = 28, .requests = 8, .int8 = 1};
	tarn_counters stalled = counters_of(&p);
	stalled.device_ms = 4;
	stalled.free_bandwidth_ms = 0.5;
	stalled.free_compute_ms = 3.8;
	stalled.stall_activations = 0.88;
	stalled.compute = 0.06;
	stalled.fixed = 0.06;
	expect(&stalled, "memory bandwidth", "88 %", "-shape");
	p = (pipeline){.device = 10, .requests = 2, .mac = 0.95, .ddr = 0.9};
	/* Slower than its nominal clock, asked for or not. */
	tarn_counters c = counters_of(&p);
	c.clock = 0.5;
	c.device_ms = 10;
	expect(&c, "clock", "2.0 times the rate", "power-saving");
	c.efficient = true;
	expect(&c, "clock", "EFFICIENT", "-p WORKLOAD_TYPE=DEFAULT");
	/* One request, no overlap possible: the host takes nothing. */
	expect_pipeline(&(pipeline){.device = 97, .other = 3, .requests = 1}, "healthy", "97 %", "-pc");
	p.mac = 0.1;
	p.ddr = 0.15;
	expect_pipeline(&p, "uncertain", "15 %", "-pc");
}

static void what_is_missing(void **state)
{
	(void)state;
	const pipeline p = {.prepare = 40, .device = 5, .requests = 6, .workers = 2};
	tarn_counters c = counters_of(&p);
	c.inferences = 3;
	expect(&c, "uncertain", "3 inferences", "-t");
	c = counters_of(&p);
	c.busy = NAN;
	expect(&c, "uncertain", "missing", "-api sync");
	c = counters_of(&p);
	c.exact = true;
	expect(&c, "uncertain", "exact", "--paced");
	c = counters_of(&p);
	c.rate_limited = true;
	expect(&c, "uncertain", "25 %", "-max_irate");
	c = counters_of(&p);
	c.copy_out = NAN;
	expect(&c, "uncertain", "missing", "-t");
	c = counters_of(&p);
	c.prepare *= 2; /* more than there is */
	expect(&c, "uncertain", "add up", "-t");
	/* A rate limit on a device that is busy all the same limits nothing. */
	c = counters_of(&(pipeline){.device = 10, .requests = 3});
	c.rate_limited = true;
	expect(&c, "healthy", "100 %", "-pc");
}

/* Callbacks take turns, whoever calls them: 30 ms each, with a device of 10 and requests enough. */
static void callbacks(void **state)
{
	(void)state;
	tarn_counters c = counters_of(&(pipeline){.device = 10, .other = 110, .requests = 4});
	c.results = c.other * 30 / 110;
	c.gap_host = 0.6;
	expect(&c, "host scheduling", "callbacks", "thread of your own");
	/* In turns with the device's 10: what a second request hides is less than what they are. */
	c = counters_of(&(pipeline){.device = 10, .other = 90, .requests = 1});
	c.results = c.other;
	expect(&c, "host scheduling", "90 %", "do less");
	/* Hidden behind a device that takes longer: none of its business. */
	c = counters_of(&(pipeline){.device = 40, .other = 20, .requests = 4, .mac = 0.7, .int8 = 1});
	c.results = c.other;
	expect(&c, "healthy", "100 %", "");
}

/* The harder a cause presses, the verdict may change at one point only, and never back. */
static void monotone(void **state)
{
	(void)state;
	int changes = 0;
	const char *last = NULL;
	for (int k = 0; k <= 200; k++) {
		tarn_counters c = counters_of(&(pipeline){.prepare = 0.5 * k, .device = 10, .requests = 6, .workers = 1});
		tarn_finding found;
		tarn_str s = {0}, n = {0};
		assert_ok(tarn_verdict_find(&c, &found, &s, &n));
		const char *name = found.name;
		tarn_str_fini(&s);
		tarn_str_fini(&n);
		changes += last && strcmp(last, name);
		last = name;
	}
	assert_int_equal(changes, 1);
	assert_string_equal(last, "data preparation");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(preparation), cmocka_unit_test(parallelism),     cmocka_unit_test(transfers),
		cmocka_unit_test(the_device),  cmocka_unit_test(what_is_missing), cmocka_unit_test(callbacks),
		cmocka_unit_test(monotone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
