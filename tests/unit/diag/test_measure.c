/* SPDX-License-Identifier: Apache-2.0 */
/* Timelines whose gaps are planted, waterfalls worked out by hand, comparisons of known spread, the pipeline's closed forms. */
#include "unit/test.h"

#include <math.h>
#include <string.h>

#include "diag/compare.h"
#include "diag/pipeline.h"
#include "diag/summary.h"
#include "diag/waterfall.h"

static void assert_near(double a, double b)
{
	if (!(fabs(a - b) < 1e-9))
		print_error("%.12g is not %.12g\n", a, b);
	assert_true(fabs(a - b) < 1e-9);
}

/* One request, in turns: prepared 30, copied 5, queued 1, on the device 40, noticed after 4, copied out 6, callback 2. */
static void gaps_of_one_request(void **state)
{
	(void)state;
	enum { N = 10 };
	tarn_event e[N];
	for (int i = 0; i < N; i++) {
		int64_t t = 1000000 + i * 100;
		e[i] = (tarn_event){.request = 1,
				    .prepare = t,
				    .start = t + 30,
				    .copy_in = 5,
				    .device_begin = t + 36,
				    .device_end = t + 76,
				    .end = t + 86,
				    .copy_out = 6,
				    .callback_end = t + 88};
	}
	tarn_summary s;
	assert_ok(tarn_summary_make(e, N, &s));
	assert_int_equal(s.n, N);
	assert_near(s.prepare, 30e-6);
	assert_near(s.copy_in, 5e-6);
	assert_near(s.queue, 1e-6);
	assert_near(s.device, 40e-6);
	assert_near(s.notice, 4e-6);
	assert_near(s.copy_out, 6e-6);
	assert_near(s.callback, 2e-6);
	/* The window ends with the last callback: 988. Nine gaps of 60. */
	assert_near(s.window_ms, 988e-6);
	assert_near(s.busy, 400 / 988.0);
	assert_near(s.gap_prepare, 9 * 30 / 988.0);
	assert_near(s.gap_copy, 9 * 11 / 988.0);
	assert_near(s.gap_host, 9 * 7 / 988.0);
	assert_near(s.busy + s.gap_prepare + s.gap_copy + s.gap_host + s.gap_input, 1);
}

/* Two requests in turn keep the device busy, whatever order they are told in; one that was asked for late leaves it idle. */
static void gaps_of_two_requests(void **state)
{
	(void)state;
	tarn_event e[4] = {{.start = 100, .device_begin = 100, .device_end = 200, .end = 200, .callback_end = 200},
			   {.start = 150, .device_begin = 200, .device_end = 300, .end = 300, .callback_end = 300},
			   {.start = 250, .device_begin = 300, .device_end = 400, .end = 400, .callback_end = 400},
			   {.start = 500, .device_begin = 500, .device_end = 600, .end = 600, .callback_end = 600}};
	tarn_event swapped = e[0];
	e[0] = e[2];
	e[2] = swapped;
	tarn_summary s;
	assert_ok(tarn_summary_make(e, 4, &s));
	assert_near(s.busy, 0.8);
	assert_near(s.gap_input, 0.2);
	assert_near(s.queue, (0 + 50 + 50 + 0) * 0.25e-6);
	/* Side by side on two streams: the union counts. */
	tarn_event both[2] = {{.start = 100, .device_begin = 100, .device_end = 200, .end = 200, .callback_end = 200},
			      {.start = 100, .device_begin = 120, .device_end = 180, .end = 200, .callback_end = 200}};
	assert_ok(tarn_summary_make(both, 2, &s));
	assert_near(s.busy, 1);
	/* No relation to the host's clock. */
	tarn_event none = {.start = 100, .end = 200, .callback_end = 200};
	assert_ok(tarn_summary_make(&none, 1, &s));
	assert_int_equal(s.n, 0);
	tarn_event bad = {.start = 100, .device_begin = 100, .device_end = 150, .end = 50};
	assert_err(TARN_USAGE, tarn_summary_make(&bad, 1, &s));
}

static int64_t sum_of(const tarn_waterfall *w)
{
	int64_t sum = w->achieved;
	for (int i = 0; i < TARN_LOSS_COUNT; i++) {
		assert_true(w->loss[i] >= 0);
		sum += w->loss[i];
	}
	return sum;
}

static void waterfalls(void **state)
{
	(void)state;
	/* 48 TOPS on 6 tiles at 2 GHz; 3 tiles at 1 GHz make 12. 6e9 MACs would take 1 ms at that rate, 2 in half the
	 * precision, 2.5 padded, 3 on the real array, 4 with stalls, 4.5 with the other engines, 5 with the fixed cost; one
	 * every 10 ms. */
	tarn_waterfall_input in = {.tops = 48,
				   .tiles = 3,
				   .device_tiles = 6,
				   .mhz = 1000,
				   .mhz_highest = 2000,
				   .macs = 6e9,
				   .int8 = 1,
				   .mixed = 2,
				   .padded = 2.5,
				   .dpu = 3,
				   .stalls = 1,
				   .other_engines = 0.5,
				   .fixed = 0.5,
				   .device = 5,
				   .interval = 10};
	static const int64_t expected[] = {24000, 12000, 6000, 1200, 800, 1000, 333, 267, 1200};
	tarn_waterfall w;
	assert_true(tarn_waterfall_make(&in, &w));
	assert_int_equal(w.advertised, 48000);
	assert_int_equal(w.achieved, 1200);
	for (int i = 0; i < TARN_LOSS_COUNT; i++) {
		assert_true(w.known[i]);
		assert_int_equal(w.loss[i], expected[i]);
	}
	assert_int_equal(sum_of(&w), w.advertised);
	/* The multipliers at half that clock: their 3 ms are 6, and all of that is the clock's loss. */
	in.total = 5;
	in.device = 8;
	assert_true(tarn_waterfall_make(&in, &w));
	assert_int_equal(w.loss[TARN_LOSS_CLOCK], 24000 - 6000);
	assert_int_equal(w.loss[TARN_LOSS_PRECISION], 3000);
	assert_int_equal(w.loss[TARN_LOSS_ARRAY], 400);
	assert_int_equal(w.loss[TARN_LOSS_STALLS], 2000 - 1714);
	assert_int_equal(sum_of(&w), w.advertised);
	/* A device that tells its peak and its time only: everything inside is one loss. */
	in = (tarn_waterfall_input){.tops = 48,
				    .macs = 6e9,
				    .dpu = NAN,
				    .device = 5,
				    .interval = 10,
				    .int8 = NAN,
				    .mixed = NAN,
				    .padded = NAN,
				    .stalls = NAN,
				    .other_engines = NAN,
				    .mhz = NAN};
	assert_true(tarn_waterfall_make(&in, &w));
	assert_int_equal(w.loss[TARN_LOSS_FIXED], 48000 - 2400);
	assert_int_equal(w.loss[TARN_LOSS_IDLE], 1200);
	assert_false(w.known[TARN_LOSS_TILES]);
	assert_int_equal(sum_of(&w), w.advertised);
	in.tops = 0;
	assert_false(tarn_waterfall_make(&in, &w));
}

static void comparisons(void **state)
{
	(void)state;
	const double a[] = {100, 110, 90, 105}, b[] = {200, 220, 180, 210};
	tarn_comparison c = tarn_compare(a, b, 4);
	assert_near(c.gain, 2);
	assert_near(c.low, 2); /* always twice: no spread */
	assert_true(c.shown);
	/* log ratios 0.1 and -0.1: mean 0, deviation 0.1 * sqrt(2), half width 12.706 * 0.1. */
	const double x[] = {1, 1}, y[] = {exp(0.1), exp(-0.1)};
	c = tarn_compare(x, y, 2);
	assert_near(c.gain, 1);
	assert_near(c.high, exp(1.2706));
	assert_near(c.low, exp(-1.2706));
	assert_false(c.shown);
	c = tarn_compare(x, y, 1);
	assert_false(c.shown);
	assert_near(c.gain, exp(0.1));
	const double none[] = {0};
	assert_true(isnan(tarn_compare(none, x, 1).gain));
}

static double gain(const tarn_counters *c, tarn_change change)
{
	return tarn_change_gain(c, change);
}

static void promises(void **state)
{
	(void)state;
	/* 60 prepare, 40 device in turns: overlapped 60; with 4 processors preparing the device's 40. */
	tarn_counters c = {.prepare = 0.6, .device = 0.4, .in_flight = 1, .workers = 1, .processors = 4};
	assert_near(gain(&c, TARN_CHANGE_REQUESTS), 1 / 0.6);
	assert_near(gain(&c, TARN_CHANGE_WORKERS), 1 / 0.4);
	/* Full-size decoding costs three times as much as the scaled one: 0.2 + 0.4. */
	assert_true(isnan(gain(&c, TARN_CHANGE_SCALED)));
	c.decodes_in_full = true;
	c.prepare_scaled = 0.2;
	assert_near(gain(&c, TARN_CHANGE_SCALED), 1 / 0.6);
	/* Half of what the threads spent preparing they waited for a processor: two processors are enough for two workers. */
	c = (tarn_counters){.prepare = 0.8, .prepare_cpu = 0.4, .device = 0.2, .in_flight = 4, .workers = 4, .processors = 2};
	assert_near(tarn_pipeline_interval(&(tarn_pipeline){.prepare = 1, .workers = 4, .requests = 2}, TARN_STAGE_WORKERS),
		    0.5);
	tarn_pipeline p = tarn_pipeline_of(&c);
	assert_int_equal(tarn_pipeline_slowest(&p), TARN_STAGE_PROCESSORS);
	/* With half the processors taken by other programs, one is left to two workers that will go on waiting. */
	c.cpu_others = 0.5;
	p = tarn_pipeline_of(&c);
	assert_near(p.prepare, 0.8);
	assert_near(tarn_pipeline_interval(&p, TARN_STAGE_PROCESSORS), 0.4);
	/* The device alone: other times of it count in full; what is not known promises nothing. */
	c = (tarn_counters){.device = 0.3, .wait = 0.7, .in_flight = 4, .device_ms = 3, .int8_ms = 1.5, .turbo_ms = 3};
	assert_near(gain(&c, TARN_CHANGE_INT8), 2); /* the requests alone would allow four times that */
	assert_near(gain(&c, TARN_CHANGE_TURBO), 1);
	assert_true(isnan(gain(&c, TARN_CHANGE_TILES)));
	assert_true(isnan(gain(&c, TARN_CHANGE_CLOCK)));
	/* At a clock that takes twice as long as the model of the device says: its times are those of the nominal clock. */
	c.clock = 0.5;
	c.free_bandwidth_ms = 1;
	c.free_compute_ms = 1;
	assert_near(gain(&c, TARN_CHANGE_CLOCK), 2);
	assert_near(gain(&c, TARN_CHANGE_INT8), 1);
	assert_near(gain(&c, TARN_CHANGE_TURBO), 1);
	assert_near(gain(&c, TARN_CHANGE_FREE_BANDWIDTH), 3 / 2.5); /* what the clock adds stays */
	assert_near(gain(&c, TARN_CHANGE_FREE_COMPUTE), 3);
}

/* What is measured besides the shares: how long it really takes, processor time, callbacks. */
static void promises_of_what_is_measured(void **state)
{
	(void)state;
	/* Copies of 0.8 by one thread, a device of 0.2 that is busy 0.2 of the time: an inference each 1, not each 0.8. Without
	 * copies the device alone is left: 5 times, not 4. */
	tarn_counters c = {.copy_in = 0.8, .device = 0.2, .in_flight = 4, .processors = 8, .busy = 0.2};
	assert_near(gain(&c, TARN_CHANGE_OWN_MEMORY), 5);
	c.busy = 0.25;
	assert_near(gain(&c, TARN_CHANGE_OWN_MEMORY), 4);
	c.busy = 0.02; /* something else it waits for: that is no stage of ours */
	assert_near(gain(&c, TARN_CHANGE_OWN_MEMORY), 6);
	/* A faster device stays as far from being busy all the time as it was. */
	c = (tarn_counters){.device = 0.5, .wait = 0.5, .in_flight = 4, .busy = 0.8, .device_ms = 2, .int8_ms = 1};
	assert_near(gain(&c, TARN_CHANGE_INT8), 2);
	/* One processor prepares (0.3) and infers (0.2 of its time, in 0.6 on the clock); decoding becomes cheaper: 0.5 ->
	 * 0.275. */
	c = (tarn_counters){.prepare = 0.4,
			    .prepare_cpu = 0.3,
			    .device = 0.6,
			    .in_flight = 4,
			    .workers = 1,
			    .processors = 1,
			    .on_cpu = true,
			    .streams = 1,
			    .decodes_in_full = true,
			    .prepare_scaled = 0.1,
			    .run_cpu = 0.2,
			    .run_wait = 0.4};
	assert_near(gain(&c, TARN_CHANGE_SCALED), 0.5 / 0.275);
	/* Callbacks of 0.6, one at a time: more requests and a faster device gain nothing. */
	c = (tarn_counters){.device = 0.4, .other = 0.6, .results = 0.6, .in_flight = 4, .device_ms = 2, .int8_ms = 1};
	tarn_pipeline p = tarn_pipeline_of(&c);
	assert_int_equal(tarn_pipeline_slowest(&p), TARN_STAGE_RESULTS);
	assert_near(gain(&c, TARN_CHANGE_INT8), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gaps_of_one_request),
		cmocka_unit_test(gaps_of_two_requests),
		cmocka_unit_test(waterfalls),
		cmocka_unit_test(comparisons),
		cmocka_unit_test(promises),
		cmocka_unit_test(promises_of_what_is_measured),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
