/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host pipeline on a virtual clock: workers that fill requests, processors they share with other programs, a device that
 * serves requests in order, one thread that takes results out. Every event it makes is what the timeline of a real run would
 * hold. Nothing of the code under test is used: what a verdict concludes, and what it promises, can be held against it.
 */
#ifndef TARN_TESTS_HOST_SIM_H
#define TARN_TESTS_HOST_SIM_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "prof/timeline.h"

enum { SIM_WORKERS = 16, SIM_REQUESTS = 64 };
#define SIM_TINY 1e-9 /* ms */

typedef struct host_sim {
	/* Of one inference, ms: processor time of a worker; device; time until the host notices an end; processor time of the
	 * one thread that takes results out. jitter: relative spread of each. */
	double prepare, copy_in, device, notice, copy_out, jitter;
	int workers, requests, streams, processors;
	int hogs;    /* other programs that want a processor all the time */
	bool on_cpu; /* the device's work is done by the host's processors */
	double gap;  /* ms between two inputs at least: they come from outside */
	int inferences;
	uint64_t seed;
	/* results */
	double prepare_cpu_ms, delay_ms, others, wall_ms;
	double run_cpu_ms, run_wait_ms; /* processor time of all but preparing; what the device's threads waited for one */
} host_sim;

typedef struct sim_task { /* of a processor */
	double left, since, work;
	bool on;
} sim_task;

typedef struct sim_state {
	host_sim *c;
	tarn_event *event;
	int started, finished;
	double now;
	struct {
		enum { ASKING, PREPARING, COPYING } does;
		sim_task task;
		int request;
		double asked;
	} worker[SIM_WORKERS];
	struct {
		enum { FREE, FILLED, QUEUED, RUNNING, ENDED, TAKING } is;
		tarn_event e;
		double until; /* RUNNING: its end; ENDED: noticed then */
		double order, device;
		sim_task task;
	} request[SIM_REQUESTS];
	double order;
} sim_state;

static inline double sim_uniform(host_sim *c)
{
	c->seed = c->seed * 6364136223846793005u + 1442695040888963407u;
	return (double)(c->seed >> 11) * 0x1p-53;
}

/* Around 1, never below a fifth. */
static inline double sim_spread(host_sim *c, double x)
{
	double f = 1 + c->jitter * 2 * (sim_uniform(c) + sim_uniform(c) + sim_uniform(c) - 1.5);
	return x * (f < 0.2 ? 0.2 : f);
}

static inline int64_t sim_ns(double ms)
{
	return 1000000 + (int64_t)llround(ms * 1e6);
}

static inline void sim_begin(sim_state *s, sim_task *t, double work)
{
	*t = (sim_task){work, s->now, work, true};
}

/* Tasks that want a processor, those of other programs included. */
static inline int sim_wanting(const sim_state *s)
{
	int n = s->c->hogs;
	for (int i = 0; i < s->c->workers; i++)
		n += s->worker[i].task.on;
	for (int i = 0; i < s->c->requests; i++)
		n += s->request[i].task.on;
	return n;
}

static inline double sim_rate(const sim_state *s)
{
	int n = sim_wanting(s);
	return n > s->c->processors ? (double)s->c->processors / n : 1;
}

/* Workers that ask take a free request; the device takes what waits longest; the taker takes one result at a time. */
static inline bool sim_dispatch(sim_state *s)
{
	host_sim *c = s->c;
	bool changed = false;
	int running = 0, taking = 0, next = -1, noticed = -1;
	for (int i = 0; i < c->requests; i++) {
		running += s->request[i].is == RUNNING;
		taking += s->request[i].is == TAKING;
		if (s->request[i].is == QUEUED && (next < 0 || s->request[i].order < s->request[next].order))
			next = i;
		if (s->request[i].is == ENDED && s->request[i].until <= s->now + SIM_TINY &&
		    (noticed < 0 || s->request[i].until < s->request[noticed].until))
			noticed = i;
	}
	for (int w = 0; w < c->workers && s->started < c->inferences; w++)
		for (int i = 0; i < c->requests && s->worker[w].does == ASKING; i++) {
			if (s->request[i].is != FREE || s->now + SIM_TINY < s->started * c->gap)
				continue;
			double work = sim_spread(c, c->prepare);
			s->request[i].is = FILLED;
			s->request[i].e = (tarn_event){.request = (uint64_t)i + 1,
						       .asked = c->gap > 0 ? 0 : sim_ns(s->worker[w].asked),
						       .prepare = sim_ns(s->now)};
			s->worker[w].does = PREPARING;
			s->worker[w].request = i;
			sim_begin(s, &s->worker[w].task, work);
			c->prepare_cpu_ms += work;
			s->started++;
			changed = true;
		}
	if (next >= 0 && running < c->streams) {
		double work = sim_spread(c, c->device);
		s->request[next].is = RUNNING;
		s->request[next].e.device_begin = sim_ns(s->now);
		s->request[next].until = c->on_cpu ? INFINITY : s->now + work;
		if (c->on_cpu)
			sim_begin(s, &s->request[next].task, work);
		changed = true;
	}
	if (noticed >= 0 && !taking) {
		s->request[noticed].is = TAKING;
		sim_begin(s, &s->request[noticed].task, sim_spread(c, c->copy_out));
		changed = true;
	}
	return changed;
}

static inline void sim_end_device(sim_state *s, int i)
{
	const sim_task *t = &s->request[i].task;
	s->c->run_cpu_ms += t->on ? t->work : 0;
	s->c->run_wait_ms += t->on ? fmax(0, s->now - t->since - t->work) : 0;
	s->request[i].is = ENDED;
	s->request[i].task.on = false;
	s->request[i].e.device_end = sim_ns(s->now);
	s->request[i].until = s->now + sim_spread(s->c, s->c->notice);
}

static inline void sim_end_request(sim_state *s, int i)
{
	tarn_event *e = &s->request[i].e;
	e->end = e->callback_end = sim_ns(s->now);
	e->copy_out = sim_ns(s->now) - sim_ns(s->request[i].task.since);
	s->c->run_cpu_ms += s->request[i].task.work;
	s->request[i].task.on = false;
	s->request[i].is = FREE;
	s->event[s->finished++] = *e;
}

static inline void sim_end_worker(sim_state *s, int w)
{
	host_sim *c = s->c;
	sim_task *t = &s->worker[w].task;
	int i = s->worker[w].request;
	double took = s->now - t->since;
	c->delay_ms += took - t->work > 0 ? took - t->work : 0;
	t->on = false;
	if (s->worker[w].does == PREPARING) {
		s->request[i].e.start = sim_ns(s->now);
		s->worker[w].does = COPYING;
		sim_begin(s, t, sim_spread(c, c->copy_in));
		return;
	}
	c->run_cpu_ms += t->work;
	s->request[i].e.copy_in = sim_ns(s->now) - s->request[i].e.start;
	s->request[i].is = QUEUED;
	s->request[i].order = s->order++;
	s->worker[w].does = ASKING;
	s->worker[w].asked = s->now;
}

/* Time until anything happens. */
static inline double sim_next(const sim_state *s, double rate)
{
	double dt = s->started < s->c->inferences && s->started * s->c->gap > s->now + SIM_TINY
			    ? s->started * s->c->gap - s->now
			    : INFINITY;
	for (int w = 0; w < s->c->workers; w++)
		if (s->worker[w].task.on)
			dt = fmin(dt, s->worker[w].task.left / rate);
	for (int i = 0; i < s->c->requests; i++) {
		if (s->request[i].task.on)
			dt = fmin(dt, s->request[i].task.left / rate);
		if ((s->request[i].is == RUNNING || s->request[i].is == ENDED) && s->request[i].until > s->now + SIM_TINY)
			dt = fmin(dt, s->request[i].until - s->now);
	}
	return dt;
}

static inline void sim_step(sim_state *s)
{
	double rate = sim_rate(s), dt = sim_next(s, rate);
	host_sim *c = s->c;
	c->others += c->hogs * rate * dt / c->processors;
	s->now += dt;
	for (int w = 0; w < c->workers; w++)
		if (s->worker[w].task.on && (s->worker[w].task.left -= dt * rate) <= SIM_TINY)
			sim_end_worker(s, w);
	for (int i = 0; i < c->requests; i++) {
		if (s->request[i].is == RUNNING && !s->request[i].task.on && s->request[i].until <= s->now + SIM_TINY)
			sim_end_device(s, i);
		if (!s->request[i].task.on || (s->request[i].task.left -= dt * rate) > SIM_TINY)
			continue;
		if (s->request[i].is == TAKING)
			sim_end_request(s, i);
		else
			sim_end_device(s, i);
	}
}

/* Fills event[0 .. c->inferences) and the results. */
static inline void host_sim_run(host_sim *c, tarn_event *event)
{
	sim_state s = {.c = c, .event = event};
	c->prepare_cpu_ms = c->delay_ms = c->others = c->run_cpu_ms = c->run_wait_ms = 0;
	while (s.finished < c->inferences) {
		while (sim_dispatch(&s))
			;
		sim_step(&s);
	}
	c->wall_ms = s.now;
	c->others /= s.now;
}

#endif
