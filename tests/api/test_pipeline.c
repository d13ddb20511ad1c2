/* SPDX-License-Identifier: Apache-2.0 */
/* Frames through y = 2x + 1, each with its number as content. */
#define _POSIX_C_SOURCE 199309L /* nanosleep */
#include <stdatomic.h>
#include <time.h>

#include "api.h"
#include "tarn/pipeline.h"
#include "tarn/profile.h"
#include "tarn/system.h"

enum { FRAMES = 200 };

typedef struct stream {
	size_t length, fail_fetch, fail_fill, stop_result; /* SIZE_MAX: never */
	atomic_int fetching, giving;
	size_t fetched, given, last;
	size_t held[64];                  /* by worker: the number of the frame it holds */
	bool in_order, disordered, quick; /* quick: all are filled at once */
	bool seen[FRAMES];
} stream;

static stream stream_of(size_t length)
{
	return (stream){.length = length, .fail_fetch = SIZE_MAX, .fail_fill = SIZE_MAX, .stop_result = SIZE_MAX};
}

static void nap(long us)
{
	nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

static tarn_pipeline_answer fetch(void *ctx, size_t worker, size_t ticket)
{
	stream *s = ctx;
	EXPECT(atomic_fetch_add(&s->fetching, 1) == 0); /* one at a time */
	EXPECT(ticket == s->fetched);                   /* and without gaps */
	tarn_pipeline_answer a = ticket == s->fail_fetch ? TARN_PIPELINE_FAIL
				 : ticket == s->length   ? TARN_PIPELINE_END
							 : TARN_PIPELINE_GO_ON;
	if (a == TARN_PIPELINE_GO_ON)
		s->held[worker] = s->fetched++;
	atomic_fetch_sub(&s->fetching, 1);
	return a;
}

static tarn_pipeline_answer fill(void *ctx, size_t worker, size_t ticket, ov_infer_request_t *r)
{
	stream *s = ctx;
	ov_tensor_t *t;
	void *at;
	EXPECT(s->held[worker] == ticket);
	if (ticket == s->fail_fill)
		return TARN_PIPELINE_FAIL;
	if (ticket % 7 == 0 && !s->quick)
		nap(300); /* some take longer than those behind them */
	EXPECT_OK(ov_infer_request_get_input_tensor(r, &t));
	EXPECT_OK(ov_tensor_data(t, &at));
	*(float *)at = (float)ticket;
	ov_tensor_free(t);
	return TARN_PIPELINE_GO_ON;
}

static tarn_pipeline_answer result(void *ctx, size_t ticket, ov_infer_request_t *r, const tarn_pipeline_times *times)
{
	stream *s = ctx;
	ov_tensor_t *t;
	void *at;
	EXPECT(atomic_fetch_add(&s->giving, 1) == 0);
	EXPECT_OK(ov_infer_request_get_output_tensor(r, &t));
	EXPECT_OK(ov_tensor_data(t, &at));
	EXPECT(*(float *)at == 2 * (float)ticket + 1);
	ov_tensor_free(t);
	EXPECT(times->inference >= 0 && times->held >= 0 && times->fill >= 0);
	EXPECT(ticket < FRAMES && !s->seen[ticket]);
	s->seen[ticket] = true;
	s->disordered = s->disordered || (s->given && ticket <= s->last);
	s->last = ticket;
	s->given++;
	atomic_fetch_sub(&s->giving, 1);
	return s->given == s->stop_result ? TARN_PIPELINE_END : TARN_PIPELINE_GO_ON;
}

static tarn_pipeline_report run(ov_compiled_model_t *cm, stream *s, size_t requests, size_t workers, ov_status_e want)
{
	tarn_pipeline_report report;
	const tarn_pipeline_options o = {.requests = requests,
					 .workers = workers,
					 .in_order = s->in_order,
					 .fetch = fetch,
					 .fill = fill,
					 .result = result,
					 .ctx = s};
	EXPECT(tarn_run_pipeline(cm, &o, &report) == want);
	EXPECT(report.inferences == s->given);
	return report;
}

static void every_frame_once(ov_compiled_model_t *cm)
{
	static const size_t sizes[][2] = {{1, 1}, {4, 2}, {2, 5}, {8, 8}, {0, 0}};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		for (int in_order = 0; in_order < 2; in_order++) {
			stream s = stream_of(FRAMES);
			s.in_order = in_order;
			tarn_pipeline_report r = run(cm, &s, sizes[i][0], sizes[i][1], OK);
			EXPECT(s.given == FRAMES && (!in_order || !s.disordered));
			EXPECT(r.requests >= 1 && r.workers >= 1 && (!sizes[i][0] || r.requests == sizes[i][0]));
			EXPECT(r.seconds > 0 && r.total.fill >= 0.25 * (FRAMES / 7)); /* what was slept, in milliseconds */
		}
}

/* Turns so short that the device's threads do them: the same promises. */
static void quick_turns(ov_compiled_model_t *cm)
{
	static const size_t sizes[][2] = {{1, 1}, {4, 1}, {4, 2}, {2, 5}};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		for (int in_order = 0; in_order < 2; in_order++) {
			stream s = stream_of(FRAMES);
			s.in_order = in_order;
			s.quick = true;
			run(cm, &s, sizes[i][0], sizes[i][1], OK);
			EXPECT(s.given == FRAMES && (!in_order || !s.disordered));
			s = stream_of(FRAMES);
			s.in_order = in_order;
			s.quick = true;
			s.fail_fill = 150;
			run(cm, &s, sizes[i][0], sizes[i][1], GENERAL_ERROR);
			EXPECT(!s.seen[150] && s.given >= 150 && (!in_order || !s.disordered));
		}
}

/* Ends from each of the callbacks: what was started is finished, and nothing is given twice or out of order. */
static void early_ends(ov_compiled_model_t *cm)
{
	for (int in_order = 0; in_order < 2; in_order++) {
		stream s = stream_of(FRAMES);
		s.in_order = in_order;
		s.fail_fetch = 50;
		run(cm, &s, 6, 3, GENERAL_ERROR);
		EXPECT(s.given == 50 && (!in_order || !s.disordered));
		s = stream_of(FRAMES);
		s.in_order = in_order;
		s.fail_fill = 50;
		run(cm, &s, 6, 3, GENERAL_ERROR);
		EXPECT(s.given >= 50 && s.given < 57 && !s.seen[50] && (!in_order || !s.disordered));
		s = stream_of(FRAMES);
		s.in_order = in_order;
		s.stop_result = 20;
		run(cm, &s, 6, 3, OK);
		EXPECT(s.given >= 20 && s.given <= 26);
		s = stream_of(0);
		run(cm, &s, 6, 3, OK);
		EXPECT(s.given == 0);
	}
}

/* Requests of the caller's: the same ones in each run, without a callback afterwards, the preparation on the timeline. */
static void given_requests(ov_compiled_model_t *cm)
{
	enum { N = 3 };
	ov_infer_request_t *q[N];
	tarn_timeline t;
	for (int i = 0; i < N; i++)
		EXPECT_OK(ov_compiled_model_create_infer_request(cm, &q[i]));
	for (int round = 0; round < 2; round++) {
		stream s = stream_of(FRAMES);
		tarn_pipeline_options o = {
			.requests = N, .workers = 2, .use = q, .fetch = fetch, .fill = fill, .result = result};
		o.ctx = &s;
		EXPECT_OK(tarn_start_timeline(FRAMES));
		EXPECT_OK(tarn_run_pipeline(cm, &o, NULL));
		EXPECT_OK(tarn_stop_timeline());
		EXPECT(s.given == FRAMES);
		EXPECT_OK(tarn_list_timeline(&t));
		EXPECT(t.size == FRAMES);
		for (size_t i = 0; i < t.size; i++)
			EXPECT(t.at[i].asked_ns > 0 && t.at[i].prepare_ns >= t.at[i].asked_ns &&
			       t.at[i].start_ns >= t.at[i].prepare_ns);
		tarn_free_timeline(&t);
	}
	stream none = stream_of(0);
	EXPECT(tarn_run_pipeline(cm, &(tarn_pipeline_options){.use = q, .fill = fill, .ctx = &none}, NULL) == INVALID_C_PARAM);
	for (int i = 0; i < N; i++) {
		EXPECT_OK(ov_infer_request_start_async(q[i])); /* and nobody is called back */
		EXPECT_OK(ov_infer_request_wait(q[i]));
		ov_infer_request_free(q[i]);
	}
}

static tarn_pipeline_answer no_input(void *ctx, size_t worker, size_t ticket, ov_infer_request_t *r)
{
	(void)ctx, (void)worker, (void)ticket, (void)r;
	return TARN_PIPELINE_END;
}

static void wrong_options(ov_compiled_model_t *cm)
{
	tarn_pipeline_options o = {.fill = NULL};
	EXPECT(tarn_run_pipeline(cm, &o, NULL) == INVALID_C_PARAM);
	o.fill = no_input;
	o.requests = 1 << 20;
	EXPECT(tarn_run_pipeline(cm, &o, NULL) != OK);
	o.requests = 3;
	EXPECT_OK(tarn_run_pipeline(cm, &o, NULL));
}

/* A grey frame of the input's size: nothing but (value - mean) / scale. */
static void frames(void)
{
	int64_t dims[] = {1, 1, 4, 4};
	const tarn_data_options_t o = {.mean = {16, 0, 0}, .scale = {2, 0, 0}};
	unsigned char frame[16];
	float out[16];
	size_t n;
	tarn_preparer_t *p;
	for (int i = 0; i < 16; i++)
		frame[i] = (unsigned char)(10 * i);
	EXPECT_OK(tarn_open_preparer(F32, (ov_shape_t){4, dims}, &o, &p));
	EXPECT(tarn_get_prepared_size(p) == sizeof out);
	EXPECT_OK(tarn_get_frame_size("gray", 4, 4, &n));
	EXPECT(n == 16);
	EXPECT_OK(tarn_prepare_frame(p, "gray", 4, 4, frame, n, out));
	for (int i = 0; i < 16; i++)
		EXPECT(out[i] == (10 * (float)i - 16) / 2);
	EXPECT(tarn_prepare_frame(p, "gray", 4, 4, frame, 15, out) == PARAMETER_MISMATCH);
	EXPECT(tarn_prepare_frame(p, "nv21", 4, 4, frame, 16, out) != OK);
	EXPECT(tarn_prepare_image(p, frame, sizeof frame, out) == NETWORK_NOT_READ);
	tarn_close_preparer(p);
	dims[1] = 2;
	EXPECT(tarn_open_preparer(F32, (ov_shape_t){4, dims}, &o, &p) == PARAMETER_MISMATCH);
}

/* A plain read is some GB a second on anything, and is measured once. */
static void memory_rate(void)
{
	double first, again, rounded;
	EXPECT_OK(tarn_measure_memory(3 << 20, 1, &first));
	EXPECT(first > 0.05 && first < 5000);
	EXPECT_OK(tarn_measure_memory(3 << 20, 1, &again));
	EXPECT_OK(tarn_measure_memory(4 << 20, 1, &rounded));
	EXPECT(again == first && rounded == first);
	EXPECT(tarn_measure_memory(1, 1, NULL) == INVALID_C_PARAM);
}

int main(void)
{
	memory_rate();
	ov_core_t *core;
	ov_compiled_model_t *cm;
	EXPECT_OK(ov_core_create(&core));
	ov_model_t *m = read_affine(core, 1, (int[]){1});
	EXPECT_OK(ov_core_compile_model(core, m, "CPU", 0, &cm));
	every_frame_once(cm);
	quick_turns(cm);
	early_ends(cm);
	given_requests(cm);
	wrong_options(cm);
	frames();
	ov_compiled_model_free(cm);
	ov_model_free(m);
	ov_core_free(core);
	return 0;
}
