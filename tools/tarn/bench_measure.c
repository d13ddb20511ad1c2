/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "host.h"
#include "interrupt.h"
#include "say.h"
#include "tarn/pipeline.h"
#include "tarn/sim.h"

enum { TIMELINE_EVENTS = 1 << 18 };

atomic_int bench_stop;

static bool push(double **at, size_t *n, size_t *cap, double v)
{
	if (*n == *cap) {
		size_t more = *cap ? *cap * 2 : 1024;
		double *grown = realloc(*at, more * sizeof *grown);
		if (!grown)
			return false;
		*at = grown;
		*cap = more;
	}
	(*at)[(*n)++] = v;
	return true;
}

/* Takes down what one inference took. */
static bool record(bench *b, const ov_infer_request_t *r, double ms)
{
	tarn_request_times t;
	if (!push(&b->latency, &b->n, &b->cap, ms) || tarn_get_request_times(r, &t) != OK)
		return false;
	b->copy_in += t.copy_in;
	b->copy_out += t.copy_out;
	b->device += t.device;
	b->wait += t.wait;
	b->total += ms;
	b->mac += t.mac_share;
	b->ddr += t.ddr_share;
	b->device_modelled = t.device_modelled;
	b->band = t.device_band;
	return isnan(t.device_ms) || push(&b->device_ms, &b->n_device, &b->cap_device, t.device_ms);
}

/* The callback: what was measured is taken down, and the work done that was asked for. */
static bool look_at(bench *b, const ov_infer_request_t *r, double ms)
{
	double begin = now_ms(), end = begin + fmax(b->o->callback_work, 0) * 1e-3;
	bool ok = record(b, r, ms);
	while (now_ms() < end)
		;
	b->results += now_ms() - begin;
	return ok;
}

static void progress(const bench *b, double begin, bool end)
{
	static double last;
	double now = now_ms();
	if (!end && now - last < 200) /* asking for the terminal costs as much as the rest of an inference */
		return;
	last = now;
	if (!isatty(2))
		return;
	if (end)
		fprintf(stderr, "\r\033[K");
	else if (b->o->frames && !b->niter && isinf(b->seconds))
		fprintf(stderr, "\r%zu inferences", b->n);
	else if (b->niter)
		fprintf(stderr, "\r%zu of %ld inferences", b->n, b->niter);
	else
		fprintf(stderr, "\r%.0f of %.0f s, %zu inferences", (now - begin) * 1e-3, b->seconds, b->n);
}

/* On a busy machine the time may be over before anything ran: one inference there is. */
static bool done(const bench *b, long started, double begin)
{
	if (bench_stop || !started)
		return bench_stop;
	return b->niter ? started >= b->niter : now_ms() - begin >= b->seconds * 1e3;
}

/* -max_irate: not before its turn. */
static void pace(const bench *b, long started, double begin)
{
	if (b->o->max_irate <= 0)
		return;
	double ms = begin + (double)started * 1e3 / b->o->max_irate - now_ms();
	struct timespec t = {.tv_sec = (time_t)(ms * 1e-3), .tv_nsec = (long)(fmod(ms, 1e3) * 1e6)};
	if (ms > 0)
		nanosleep(&t, NULL);
}

/* Fills the inputs unless they stay as they are; *ms and *cpu_ms are what that took. */
static int prepare(bench *b, long ticket, double *ms, double *cpu_ms)
{
	*ms = *cpu_ms = 0;
	if (tarn_begin_preparation(b->request[0], 0) != OK)
		return fail_last(b->s.command);
	if (b->inference_only)
		return 0;
	double begin = now_ms(), cpu = host_thread_cpu_ms();
	int code = b->live ? bench_live_fetch(b, 0) : 0;
	if (!code)
		code = bench_fill(b, 0, 0, ticket);
	*ms = now_ms() - begin;
	*cpu_ms = host_thread_cpu_ms() - cpu;
	return code;
}

static int measure_sync(bench *b)
{
	double begin = now_ms(), delay = host_thread_delay_ms(), ms, cpu_ms;
	int code = 0;
	for (long i = 0; !code && !done(b, i, begin); i++) {
		pace(b, i, begin);
		code = prepare(b, i, &ms, &cpu_ms);
		if (code == BENCH_NO_MORE) {
			code = 0;
			break;
		}
		b->prepare += ms;
		b->prepare_cpu += cpu_ms;
		double start = now_ms();
		if (!code && ov_infer_request_infer(b->request[0]) != OK)
			return fail_last(b->s.command);
		if (!code && !look_at(b, b->request[0], now_ms() - start))
			return fail_last(b->s.command);
		progress(b, begin, false);
	}
	b->duration_ms = now_ms() - begin;
	b->delay = b->delay_caller = host_thread_delay_ms() - delay;
	return code;
}

/* What is counted under a worker's number, whichever thread works. */
typedef struct hand {
	double prepare, prepare_cpu; /* ms */
	double delay;                /* ms it could run and did not */
	double begun, begun_cpu;     /* while it prepares */
} hand;

typedef struct crew {
	bench *b;
	hand *hand;
	double begin;
	pthread_mutex_t lock; /* of code */
	int code;
} crew;

/* Asked of the system now and then, since that costs as much as a small inference. A thread's first reading in this run is what
 * the next ones are compared with. */
static void read_delay(const crew *c, hand *h, double now)
{
	enum { EVERY_MS = 10 };
	static _Thread_local double run, read, before;
	bool known = run == c->begin;
	if (known && now - read < EVERY_MS)
		return;
	double delay = host_thread_delay_ms();
	h->delay += known ? delay - before : 0;
	run = c->begin;
	read = now;
	before = delay;
}

/* The pipeline ends with the first failure, whose message was given. */
static tarn_pipeline_answer answer(crew *c, int code)
{
	if (!code)
		return TARN_PIPELINE_GO_ON;
	if (code == BENCH_NO_MORE)
		return TARN_PIPELINE_END;
	pthread_mutex_lock(&c->lock);
	c->code = c->code ? c->code : code;
	pthread_mutex_unlock(&c->lock);
	return TARN_PIPELINE_FAIL;
}

static void begin_preparing(const bench *b, hand *h)
{
	h->begun = b->inference_only ? 0 : now_ms();
	h->begun_cpu = b->inference_only ? 0 : host_thread_cpu_ms();
}

static void end_preparing(const crew *c, hand *h)
{
	if (c->b->inference_only)
		return;
	double now = now_ms();
	h->prepare += now - h->begun;
	h->prepare_cpu += host_thread_cpu_ms() - h->begun_cpu;
	read_delay(c, h, now);
}

static tarn_pipeline_answer fetch(void *ctx, size_t worker, size_t ticket)
{
	crew *c = ctx;
	hand *h = &c->hand[worker];
	if (done(c->b, (long)ticket, c->begin))
		return TARN_PIPELINE_END;
	pace(c->b, (long)ticket, c->begin);
	begin_preparing(c->b, h);
	return answer(c, c->b->live ? bench_live_fetch(c->b, (long)worker) : 0);
}

static tarn_pipeline_answer fill(void *ctx, size_t worker, size_t ticket, ov_infer_request_t *request)
{
	crew *c = ctx;
	bench *b = c->b;
	long i = 0;
	/* With -max_irate it is not a request that was waited for. */
	if (b->o->max_irate > 0 && tarn_begin_preparation(request, 0) != OK)
		return answer(c, fail_last(b->s.command));
	if (b->inference_only)
		return TARN_PIPELINE_GO_ON;
	while (b->request[i] != request)
		i++;
	int code = bench_fill(b, i, (long)worker, (long)ticket);
	end_preparing(c, &c->hand[worker]);
	return answer(c, code);
}

static tarn_pipeline_answer result(void *ctx, size_t ticket, ov_infer_request_t *request, const tarn_pipeline_times *times)
{
	crew *c = ctx;
	(void)ticket;
	if (!look_at(c->b, request, times->inference))
		return answer(c, fail_last(c->b->s.command));
	progress(c->b, c->begin, false);
	return TARN_PIPELINE_GO_ON;
}

static int measure_async(bench *b)
{
	crew c = {.b = b, .hand = calloc((size_t)b->workers, sizeof *c.hand), .lock = PTHREAD_MUTEX_INITIALIZER};
	const tarn_pipeline_options o = {.requests = (size_t)b->nireq,
					 .workers = (size_t)b->workers,
					 .use = b->request,
					 .fetch = fetch,
					 .fill = fill,
					 .result = result,
					 .ctx = &c};
	tarn_pipeline_report report = {.seconds = 0};
	if (!c.hand)
		return fail(1, b->s.command, "out of memory");
	c.begin = now_ms();
	b->delay_caller = host_thread_delay_ms();
	ov_status_e status = tarn_run_pipeline(b->s.compiled, &o, &report);
	b->delay_caller = host_thread_delay_ms() - b->delay_caller;
	int code = c.code ? c.code : status != OK ? fail_last(b->s.command) : 0;
	b->duration_ms = report.seconds * 1e3;
	for (long i = 0; i < b->workers; i++) {
		b->prepare += c.hand[i].prepare;
		b->prepare_cpu += c.hand[i].prepare_cpu;
		b->delay += c.hand[i].delay;
	}
	free(c.hand);
	return code;
}

/* The device's own count of the time it was busy; NAN: there is none we can read. */
static double busy_counter_ms(const bench *b)
{
	tarn_simulation sim;
	return b->s.simulated && tarn_get_simulation(b->s.core, &sim) == OK ? sim.busy_ms : NAN;
}

static double peak_rss_mb(void)
{
	struct rusage u;
	return getrusage(RUSAGE_SELF, &u) ? NAN : (double)u.ru_maxrss / 1024;
}

/* The loop, and what is counted around it. */
static int run(bench *b)
{
	host_use before, after;
	double begin = now_ms(), busy = busy_counter_ms(b);
	if (tarn_start_timeline(TIMELINE_EVENTS) != OK)
		return fail_last(b->s.command);
	host_read(&before);
	int code = b->async ? measure_async(b) : measure_sync(b);
	host_read(&after);
	(void)tarn_stop_timeline();
	if (!code && b->o->html && !b->timeline.at && tarn_list_timeline(&b->timeline) != OK)
		code = fail_last(b->s.command);
	progress(b, begin, true);
	b->others = host_others(&before, &after);
	b->delay_all = after.delay_ms - before.delay_ms;
	b->own_cpu = after.own_ms - before.own_ms - (after.simulator_ms - before.simulator_ms);
	b->busy_counter = b->duration_ms > 0 ? (busy_counter_ms(b) - busy) / b->duration_ms : NAN;
	b->peak_rss_mb = peak_rss_mb();
	b->interrupted = bench_stop;
	if (!code && !b->n && !bench_stop)
		code = fail(3, b->s.command, "the input ended before any inference was measured");
	return code;
}

int bench_write_trace(const bench *b)
{
	if (tarn_write_trace(b->o->trace, b->s.compiled, b->request[0]) != OK)
		return fail_last(b->s.command);
	if (!b->quiet)
		printf("Timeline written to %s; open it at ui.perfetto.dev\n", b->o->trace);
	return 0;
}

int bench_warm(bench *b)
{
	interrupt_watch(&bench_stop);
	/* A stream is not read ahead of what runs. */
	for (long i = 0; b->live && i < (b->o->frames ? 1 : b->nireq); i++) {
		int code = bench_live_fetch(b, 0);
		if (!code)
			code = bench_fill(b, i, 0, i);
		if (code == BENCH_NO_MORE && bench_stop)
			return fail(1, b->s.command, "interrupted before any inference was measured");
		if (code == BENCH_NO_MORE)
			return fail(3, b->s.command, "standard input has no whole frame; pipe raw frames into it");
		if (code)
			return code;
	}
	double begin = now_ms();
	if (ov_infer_request_infer(b->request[0]) != OK)
		return fail_last(b->s.command);
	b->first_ms = now_ms() - begin;
	if (!b->quiet)
		printf("First inference took %.2f ms\n", b->first_ms);
	return 0;
}

int bench_measure(bench *b)
{
	int code = bench_warm(b);
	if (!code)
		code = run(b);
	if (!code && !b->n)
		code = fail(1, b->s.command, "interrupted before any inference was measured");
	return code;
}

int bench_again(bench *b, double seconds)
{
	b->n = b->n_device = 0;
	b->prepare = b->copy_in = b->device = b->copy_out = b->wait = b->total = b->results = b->prepare_cpu = b->delay = 0;
	b->mac = b->ddr = 0;
	b->niter = 0;
	b->seconds = seconds;
	return run(b);
}
