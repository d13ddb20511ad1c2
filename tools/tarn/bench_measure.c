/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "host.h"
#include "say.h"
#include "tarn/sim.h"

enum { TIMELINE_EVENTS = 1 << 18 };

volatile sig_atomic_t bench_stop;

static void on_interrupt(int sig)
{
	(void)sig;
	bench_stop = 1;
}

/* A second interrupt ends the program. */
static void catch_interrupt(void)
{
	struct sigaction a = {.sa_handler = on_interrupt, .sa_flags = SA_RESETHAND};
	sigemptyset(&a.sa_mask);
	sigaction(SIGINT, &a, NULL);
}

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

static void progress(const bench *b, double begin, bool end)
{
	static double last;
	double now = now_ms();
	if (!isatty(2) || (!end && now - last < 200))
		return;
	last = now;
	if (end)
		fprintf(stderr, "\r\033[K");
	else if (b->o->frames && !b->niter && isinf(b->seconds))
		fprintf(stderr, "\r%zu inferences", b->n);
	else if (b->niter)
		fprintf(stderr, "\r%zu of %ld inferences", b->n, b->niter);
	else
		fprintf(stderr, "\r%.0f of %.0f s, %zu inferences", (now - begin) * 1e-3, b->seconds, b->n);
}

static bool done(const bench *b, long started, double begin)
{
	if (bench_stop)
		return true;
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

/* Fills the inputs unless they stay as they are; *ms and *cpu_ms are what that took. asked_ns: since when the worker waited for
 * the request.
 */
static int prepare(bench *b, long i, long worker, long ticket, int64_t asked_ns, double *ms, double *cpu_ms)
{
	*ms = *cpu_ms = 0;
	if (tarn_begin_preparation(b->request[i], asked_ns) != OK)
		return fail_last("bench");
	if (b->inference_only)
		return 0;
	double begin = now_ms(), cpu = host_thread_cpu_ms();
	int code = bench_fill(b, i, worker, ticket);
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
		code = prepare(b, 0, 0, i, 0, &ms, &cpu_ms);
		if (code == BENCH_NO_MORE) {
			code = 0;
			break;
		}
		b->prepare += ms;
		b->prepare_cpu += cpu_ms;
		double start = now_ms();
		if (!code && ov_infer_request_infer(b->request[0]) != OK)
			return fail_last("bench");
		if (!code && !record(b, b->request[0], now_ms() - start))
			return fail_last("bench");
		progress(b, begin, false);
	}
	b->duration_ms = now_ms() - begin;
	b->delay = host_thread_delay_ms() - delay;
	return code;
}

/* Requests go round: idle ones stand in a queue, in the order they became so; a worker takes one, looks at its last result,
 * gives it the next input and starts it; its callback puts it back. The lock guards everything here, and the sums in bench. */
typedef struct crew {
	bench *b;
	pthread_mutex_t lock;
	pthread_cond_t idle;
	struct turn {
		struct crew *crew;
		long index;
		double start, end;
		bool ran;
	} * turn;
	long *queue, first, n, size;
	long started, running;
	double begin;
	bool over; /* nothing more is started */
	int code;
} crew;

static void on_done(void *arg)
{
	struct turn *t = arg;
	crew *c = t->crew;
	t->end = now_ms();
	pthread_mutex_lock(&c->lock);
	c->queue[(c->first + c->n++) % c->size] = t->index;
	pthread_cond_signal(&c->idle);
	pthread_mutex_unlock(&c->lock);
}

/* The lock is held. */
static struct turn *take(crew *c)
{
	struct turn *t = &c->turn[c->queue[c->first]];
	c->first = (c->first + 1) % c->size;
	c->n--;
	return t;
}

/* The result of a finished inference, if the request ran. The lock is held. */
static int collect(crew *c, struct turn *t)
{
	if (!t->ran)
		return 0;
	t->ran = false;
	c->running--;
	const ov_infer_request_t *r = c->b->request[t->index];
	if (ov_infer_request_wait((ov_infer_request_t *)(uintptr_t)r) != OK || !record(c->b, r, t->end - t->start))
		return fail_last("bench");
	return 0;
}

static void end_crew(crew *c, int code)
{
	if (!c->code)
		c->code = code;
	c->over = true;
	pthread_cond_broadcast(&c->idle);
}

/* Next idle request and number of its inference; NULL when there is nothing more to start. */
static struct turn *next_turn(crew *c, long *ticket)
{
	struct turn *t = NULL;
	pthread_mutex_lock(&c->lock);
	for (;;) { /* while it waits, another may take the last */
		if (!c->over && done(c->b, c->started, c->begin))
			end_crew(c, 0);
		if (c->over || c->n)
			break;
		pthread_cond_wait(&c->idle, &c->lock);
	}
	if (!c->over) {
		t = take(c);
		*ticket = c->started++;
		int code = collect(c, t);
		if (code) {
			end_crew(c, code);
			t = NULL;
		}
	}
	pthread_mutex_unlock(&c->lock);
	return t;
}

static void work(crew *c, long worker)
{
	bench *b = c->b;
	long ticket;
	struct turn *t;
	double ms, cpu_ms, delay = host_thread_delay_ms();
	for (;;) {
		int64_t asked_ns = tarn_get_clock();
		t = next_turn(c, &ticket);
		if (!t)
			break;
		if (b->o->max_irate > 0) {
			pace(b, ticket, c->begin);
			asked_ns = 0; /* it is not a request that was waited for */
		}
		int code = prepare(b, t->index, worker, ticket, asked_ns, &ms, &cpu_ms);
		if (code == BENCH_NO_MORE) {
			pthread_mutex_lock(&c->lock);
			end_crew(c, 0);
			pthread_mutex_unlock(&c->lock);
			break;
		}
		pthread_mutex_lock(&c->lock);
		b->prepare += ms;
		b->prepare_cpu += cpu_ms;
		t->start = now_ms();
		t->ran = !code;
		c->running += t->ran;
		pthread_mutex_unlock(&c->lock);
		if (!code && ov_infer_request_start_async(b->request[t->index]) != OK)
			code = fail_last("bench");
		if (code) {
			pthread_mutex_lock(&c->lock);
			c->running -= t->ran;
			t->ran = false;
			end_crew(c, code);
			pthread_mutex_unlock(&c->lock);
		}
		if (worker == 0)
			progress(b, c->begin, false);
	}
	pthread_mutex_lock(&c->lock);
	b->delay += host_thread_delay_ms() - delay;
	pthread_mutex_unlock(&c->lock);
}

struct hand {
	crew *crew;
	long worker;
	pthread_t thread;
	bool started;
};

static void *hand_main(void *arg)
{
	const struct hand *h = arg;
	work(h->crew, h->worker);
	return NULL;
}

/* Results of what is still running when nothing more is started. */
static void drain(crew *c)
{
	double end = c->begin;
	pthread_mutex_lock(&c->lock);
	while (c->running > 0) {
		while (!c->n)
			pthread_cond_wait(&c->idle, &c->lock);
		struct turn *t = take(c);
		end = t->ran && t->end > end ? t->end : end;
		int code = collect(c, t);
		c->code = c->code ? c->code : code;
	}
	pthread_mutex_unlock(&c->lock);
	c->b->duration_ms = end - c->begin;
}

static int run_crew(bench *b, crew *c)
{
	struct hand *hand = calloc((size_t)b->workers, sizeof *hand);
	if (!hand)
		return fail(1, "bench", "out of memory");
	c->begin = now_ms();
	for (long i = 1; i < b->workers; i++) {
		hand[i] = (struct hand){.crew = c, .worker = i};
		hand[i].started = !pthread_create(&hand[i].thread, NULL, hand_main, &hand[i]);
		if (!hand[i].started) {
			pthread_mutex_lock(&c->lock);
			end_crew(c, fail(1, "bench", "thread %ld cannot be started; use fewer -workers", i));
			pthread_mutex_unlock(&c->lock);
		}
	}
	work(c, 0);
	for (long i = 1; i < b->workers; i++)
		if (hand[i].started)
			pthread_join(hand[i].thread, NULL);
	free(hand);
	drain(c);
	return c->code;
}

static int measure_async(bench *b)
{
	crew c = {.b = b,
		  .lock = PTHREAD_MUTEX_INITIALIZER,
		  .idle = PTHREAD_COND_INITIALIZER,
		  .turn = calloc((size_t)b->nireq, sizeof *c.turn),
		  .queue = calloc((size_t)b->nireq, sizeof *c.queue),
		  .n = b->nireq,
		  .size = b->nireq};
	int code = c.turn && c.queue ? 0 : fail(1, "bench", "out of memory");
	for (long i = 0; i < b->nireq && !code; i++) {
		c.turn[i] = (struct turn){.crew = &c, .index = i};
		c.queue[i] = i;
		ov_callback_t callback = {on_done, &c.turn[i]};
		if (ov_infer_request_set_callback(b->request[i], &callback) != OK)
			code = fail_last("bench");
	}
	if (!code)
		code = run_crew(b, &c);
	/* A request's callback may still hold the lock it signalled with. */
	for (long i = 0; i < b->nireq; i++)
		(void)ov_infer_request_wait(b->request[i]);
	free(c.turn);
	free(c.queue);
	return code;
}

/* The device's own count of the time it was busy; NAN: there is none we can read. */
static double busy_counter_ms(const bench *b)
{
	tarn_simulation sim;
	return b->s.simulated && tarn_get_simulation(b->s.core, &sim) == OK ? sim.busy_ms : NAN;
}

/* The loop, and what is counted around it. */
static int run(bench *b)
{
	host_use before, after;
	double begin = now_ms(), busy = busy_counter_ms(b);
	if (tarn_start_timeline(TIMELINE_EVENTS) != OK)
		return fail_last("bench");
	host_read(&before);
	int code = b->async ? measure_async(b) : measure_sync(b);
	host_read(&after);
	(void)tarn_stop_timeline();
	if (!code && b->o->html && !b->timeline.at && tarn_list_timeline(&b->timeline) != OK)
		code = fail_last("bench");
	progress(b, begin, true);
	b->others = host_others(&before, &after);
	b->delay_all = after.delay_ms - before.delay_ms;
	b->own_cpu = after.own_ms - before.own_ms - (after.simulator_ms - before.simulator_ms);
	b->busy_counter = b->duration_ms > 0 ? (busy_counter_ms(b) - busy) / b->duration_ms : NAN;
	b->interrupted = bench_stop;
	if (!code && !b->n)
		code = fail(1, "bench", "interrupted before any inference was measured");
	return code;
}

int bench_write_trace(const bench *b)
{
	if (tarn_write_trace(b->o->trace, b->s.compiled, b->request[0]) != OK)
		return fail_last("bench");
	if (!b->quiet)
		printf("Timeline written to %s; open it at ui.perfetto.dev\n", b->o->trace);
	return 0;
}

int bench_warm(bench *b)
{
	catch_interrupt();
	/* A stream is not read ahead of what runs. */
	for (long i = 0; b->live && i < (b->o->frames ? 1 : b->nireq); i++) {
		int code = bench_fill(b, i, 0, i);
		if (code == BENCH_NO_MORE)
			return fail(3, "bench", "standard input has no whole frame; pipe raw frames into it");
		if (code)
			return code;
	}
	double begin = now_ms();
	if (ov_infer_request_infer(b->request[0]) != OK)
		return fail_last("bench");
	b->first_ms = now_ms() - begin;
	if (!b->quiet)
		printf("First inference took %.2f ms\n", b->first_ms);
	return 0;
}

int bench_measure(bench *b)
{
	int code = bench_warm(b);
	return code ? code : run(b);
}

int bench_again(bench *b, double seconds)
{
	b->n = b->n_device = 0;
	b->prepare = b->copy_in = b->device = b->copy_out = b->wait = b->total = b->prepare_cpu = b->delay = 0;
	b->mac = b->ddr = 0;
	b->niter = 0;
	b->seconds = seconds;
	return run(b);
}
