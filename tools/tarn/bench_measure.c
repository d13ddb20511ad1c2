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
#include "say.h"
#include "tarn/profile.h"

static volatile sig_atomic_t stop;

static void on_interrupt(int sig)
{
	(void)sig;
	stop = 1;
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
	b->device_modelled = t.device_modelled;
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
	else if (b->niter)
		fprintf(stderr, "\r%zu of %ld inferences", b->n, b->niter);
	else
		fprintf(stderr, "\r%.0f of %.0f s, %zu inferences", (now - begin) * 1e-3, b->seconds, b->n);
}

static bool done(const bench *b, long started, double begin)
{
	if (stop)
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

static int prepare(bench *b, long i)
{
	if (b->inference_only)
		return 0;
	double begin = now_ms();
	int code = bench_fill(b, i);
	b->prepare += now_ms() - begin;
	return code;
}

static int measure_sync(bench *b)
{
	double begin = now_ms();
	int code = 0;
	for (long i = 0; !code && !done(b, i, begin); i++) {
		pace(b, i, begin);
		code = prepare(b, 0);
		double start = now_ms();
		if (!code && ov_infer_request_infer(b->request[0]) != OK)
			return fail_last("bench");
		if (!code && !record(b, b->request[0], now_ms() - start))
			return fail_last("bench");
		progress(b, begin, false);
	}
	b->duration_ms = now_ms() - begin;
	return code;
}

/* Requests that are idle again, in the order they became so. */
typedef struct crew {
	pthread_mutex_t lock;
	pthread_cond_t idle;
	struct worker {
		struct crew *crew;
		long index;
		double start, end;
		bool ran;
	} * worker;
	long *queue, first, n, size;
} crew;

static void on_done(void *arg)
{
	struct worker *w = arg;
	crew *c = w->crew;
	w->end = now_ms();
	pthread_mutex_lock(&c->lock);
	c->queue[(c->first + c->n++) % c->size] = w->index;
	pthread_cond_signal(&c->idle);
	pthread_mutex_unlock(&c->lock);
}

static struct worker *next_idle(crew *c)
{
	pthread_mutex_lock(&c->lock);
	while (!c->n)
		pthread_cond_wait(&c->idle, &c->lock);
	struct worker *w = &c->worker[c->queue[c->first]];
	c->first = (c->first + 1) % c->size;
	c->n--;
	pthread_mutex_unlock(&c->lock);
	return w;
}

/* The result of a finished inference, if the request ran. */
static int collect(bench *b, struct worker *w)
{
	if (!w->ran)
		return 0;
	w->ran = false;
	if (ov_infer_request_wait(b->request[w->index]) != OK || !record(b, b->request[w->index], w->end - w->start))
		return fail_last("bench");
	return 0;
}

static int run_crew(bench *b, crew *c)
{
	double begin = now_ms(), end = begin;
	int code = 0;
	long started = 0, running = 0;
	while (!code && !done(b, started, begin)) {
		struct worker *w = next_idle(c);
		running -= w->ran;
		code = collect(b, w);
		if (!code) {
			pace(b, started, begin);
			code = prepare(b, w->index);
		}
		w->start = now_ms();
		w->ran = true;
		if (!code && ov_infer_request_start_async(b->request[w->index]) != OK) {
			w->ran = false;
			code = fail_last("bench");
		}
		running += w->ran && !code;
		started++;
		progress(b, begin, false);
	}
	while (running > 0) {
		struct worker *w = next_idle(c);
		if (!w->ran)
			continue;
		running--;
		end = w->end > end ? w->end : end;
		if (!code)
			code = collect(b, w);
	}
	b->duration_ms = end - begin;
	return code;
}

static int measure_async(bench *b)
{
	crew c = {PTHREAD_MUTEX_INITIALIZER,
		  PTHREAD_COND_INITIALIZER,
		  calloc((size_t)b->nireq, sizeof *c.worker),
		  calloc((size_t)b->nireq, sizeof *c.queue),
		  0,
		  b->nireq,
		  b->nireq};
	int code = c.worker && c.queue ? 0 : fail(1, "bench", "out of memory");
	for (long i = 0; i < b->nireq && !code; i++) {
		c.worker[i] = (struct worker){.crew = &c, .index = i};
		c.queue[i] = i;
		ov_callback_t callback = {on_done, &c.worker[i]};
		if (ov_infer_request_set_callback(b->request[i], &callback) != OK)
			code = fail_last("bench");
	}
	if (!code)
		code = run_crew(b, &c);
	/* A request's callback may still hold the lock it signalled with. */
	for (long i = 0; i < b->nireq; i++)
		(void)ov_infer_request_wait(b->request[i]);
	free(c.worker);
	free(c.queue);
	return code;
}

int bench_measure(bench *b)
{
	catch_interrupt();
	double begin = now_ms();
	if (ov_infer_request_infer(b->request[0]) != OK)
		return fail_last("bench");
	b->first_ms = now_ms() - begin;
	if (!b->o->json)
		printf("First inference took %.2f ms\n", b->first_ms);
	int code = b->async ? measure_async(b) : measure_sync(b);
	progress(b, begin, true);
	b->interrupted = stop;
	if (!code && !b->n)
		code = fail(1, "bench", "interrupted before any inference was measured");
	return code;
}
