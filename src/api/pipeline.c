/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Source, workers, device, results: one lock, and requests that go round.
 *
 * Whoever is free does what is next: give a result that is due, else take a free request and prepare it. The source is a second
 * lock; a worker takes its number there, so numbers are in the source's order. All workers can do all of it, so one wakes for
 * each thing that is to be done; all of them only for the end.
 *
 * Waking a worker costs more than a cheap preparation. While turns are short, the thread that saw the end of an inference does
 * the whole turn itself, under the number of a worker that sleeps: gives the result, prepares the request, starts it again.
 */
#include "tarn/pipeline.h"

#include "api/handles.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "tarn/profile.h"

enum { MAX_REQUESTS = 4096, MAX_WORKERS = 1024 };
/* A turn is short below this part of the time from one inference's end to the next, when the device has threads that only wait;
 * below that time where they compute. So many in a row have to be short. */
enum { SHORT_PART = 2, SHORT_NS = 20000, SHORT_TURNS = 16 };

typedef enum turn_state { TURN_FREE, TURN_TAKEN, TURN_RUNS, TURN_DONE } turn_state;

typedef struct turn {
	struct pipeline *line;
	ov_infer_request_t *request;
	turn_state state;
	size_t ticket;
	int64_t started_ns, ended_ns;
	ov_status_e status; /* of the inference that is done */
	tarn_last_error failure;
	tarn_pipeline_times times;
} turn;

/* First in, first out; never more than there are requests. */
typedef struct line_up {
	turn **at;
	size_t first, n;
} line_up;

typedef struct pipeline {
	const tarn_pipeline_options *o;
	turn *turn;
	size_t n_turn, n_worker;
	line_up idle, done; /* in order: `done` is not looked at */
	tarn_mutex source;  /* held while fetching; taken before lock */
	tarn_mutex lock;    /* guards all that follows, and the turns' states */
	tarn_cond changed;
	size_t ticket;  /* the next to be fetched; guarded by source */
	size_t due;     /* in order: the next result to be given */
	size_t in_hand; /* turns that are not free */
	size_t *spare;  /* numbers of workers that nobody uses: n_spare of them */
	size_t n_spare;
	bool computes;      /* the device's threads do: they have better things to do than turns */
	size_t n_short;     /* turns in a row that were short */
	int64_t turn_ns;    /* what giving the last result took, to which its preparation comes */
	int64_t seen_ns;    /* when the last inference ended, and */
	int64_t between_ns; /* the mean time between two ends */
	bool ended;         /* nothing more is fetched */
	bool giving;        /* a worker is in the result callback */
	ov_status_e status;
	tarn_last_error failure; /* the sentence for it */
	tarn_pipeline_report report;
	int64_t last_ns; /* when the last result had been given */
} pipeline;

static double ms_between(int64_t from_ns, int64_t to_ns)
{
	return (double)(to_ns - from_ns) * 1e-6;
}

/* The first failure counts. The lock is held; the sentence is this thread's. */
static void end(pipeline *p, ov_status_e status)
{
	p->ended = true;
	if (p->status == OK && status != OK) {
		p->status = status;
		tarn_last_error_get(&p->failure);
	}
	tarn_cond_broadcast(&p->changed);
}

static void answer(pipeline *p, tarn_pipeline_answer a)
{
	if (a != TARN_PIPELINE_GO_ON)
		end(p, a == TARN_PIPELINE_END ? OK : GENERAL_ERROR);
}

static void push(const pipeline *p, line_up *l, turn *t)
{
	l->at[(l->first + l->n++) % p->n_turn] = t;
}

static turn *pop(const pipeline *p, line_up *l)
{
	turn *t = l->at[l->first];
	l->first = (l->first + 1) % p->n_turn;
	l->n--;
	return t;
}

static void wake(pipeline *p, bool ended)
{
	if (ended)
		tarn_cond_broadcast(&p->changed);
	else
		tarn_cond_signal(&p->changed);
}

/* Who releases looks for work next, so others are woken for more than one thing only. */
static void release(pipeline *p, turn *t)
{
	t->state = TURN_FREE;
	push(p, &p->idle, t);
	p->in_hand--;
	if (p->ended || p->idle.n + p->done.n > 1)
		wake(p, p->ended);
}

/* ---- results ---- */

/* One at a time; in order when that was asked for, else the one that waits longest. */
static turn *due_result(pipeline *p)
{
	if (p->giving)
		return NULL;
	if (!p->o->in_order)
		return p->done.n ? pop(p, &p->done) : NULL;
	for (size_t i = 0; i < p->n_turn; i++)
		if (p->turn[i].state == TURN_DONE && p->turn[i].ticket == p->due)
			return &p->turn[i];
	return NULL;
}

static void add_times(tarn_pipeline_times *sum, const tarn_pipeline_times *t)
{
	sum->idle += t->idle;
	sum->source += t->source;
	sum->fetch += t->fetch;
	sum->fill += t->fill;
	sum->inference += t->inference;
	sum->held += t->held;
}

/* The lock is held, and let go meanwhile. */
static void give(pipeline *p, turn *t)
{
	tarn_pipeline_answer a = TARN_PIPELINE_GO_ON;
	p->giving = true;
	tarn_mutex_unlock(&p->lock);
	int64_t begin = tarn_clock_ns();
	t->times.inference = ms_between(t->started_ns, t->ended_ns);
	t->times.held = ms_between(t->ended_ns, begin);
	if (t->status == OK && p->o->result)
		a = p->o->result(p->o->ctx, t->ticket, t->request, &t->times);
	tarn_mutex_lock(&p->lock);
	p->giving = false;
	p->due = t->ticket + 1;
	p->last_ns = tarn_clock_ns();
	p->turn_ns = p->last_ns - begin;
	if (t->status == OK) {
		p->report.inferences++;
		add_times(&p->report.total, &t->times);
		answer(p, a);
	} else {
		tarn_last_error_set(&t->failure);
		end(p, t->status);
	}
}

/* ---- inputs ---- */

/* Numbers and input in the source's order. False when there is no more. */
static bool fetch(pipeline *p, size_t worker, turn *t)
{
	int64_t begin = tarn_clock_ns();
	tarn_mutex_lock(&p->source);
	int64_t turn_ns = tarn_clock_ns();
	tarn_mutex_lock(&p->lock);
	bool ended = p->ended;
	t->ticket = p->ticket;
	tarn_mutex_unlock(&p->lock);
	tarn_pipeline_answer a = TARN_PIPELINE_GO_ON;
	if (!ended && p->o->fetch)
		a = p->o->fetch(p->o->ctx, worker, t->ticket);
	p->ticket += !ended && a == TARN_PIPELINE_GO_ON;
	if (a != TARN_PIPELINE_GO_ON) {
		tarn_mutex_lock(&p->lock);
		answer(p, a);
		tarn_mutex_unlock(&p->lock);
	}
	tarn_mutex_unlock(&p->source);
	t->times.source = ms_between(begin, turn_ns);
	t->times.fetch = ms_between(turn_ns, tarn_clock_ns());
	return !ended && a == TARN_PIPELINE_GO_ON;
}

/* One long turn among short ones, such as by another program that took the processor, changes nothing; two do. The lock is
 * held. */
static void note_turn(pipeline *p, int64_t ns)
{
	ns += p->turn_ns;
	bool is_short = p->computes ? ns < SHORT_NS : ns < p->between_ns / SHORT_PART;
	p->n_short = is_short ? p->n_short + (p->n_short < 2 * SHORT_TURNS) : p->n_short / 2;
}

/* A number that was taken and not run must not hold up those behind it: the run has ended then, and what is behind it is given
 * in whatever order. The lock is not held. */
static void start(pipeline *p, size_t worker, turn *t)
{
	bool filled = false;
	if (fetch(p, worker, t)) {
		int64_t begin = tarn_clock_ns();
		tarn_pipeline_answer a = p->o->fill(p->o->ctx, worker, t->ticket, t->request);
		t->started_ns = tarn_clock_ns();
		t->times.fill = ms_between(begin, t->started_ns);
		filled = a == TARN_PIPELINE_GO_ON;
		tarn_mutex_lock(&p->lock);
		answer(p, a);
		if (filled)
			t->state = TURN_RUNS;
		tarn_mutex_unlock(&p->lock);
	}
	ov_status_e status = filled ? ov_infer_request_start_async(t->request) : OK;
	if (filled && status == OK)
		return;
	tarn_mutex_lock(&p->lock);
	end(p, status);
	release(p, t);
	tarn_mutex_unlock(&p->lock);
}

/* Prepares and starts the turn's request, asked for at `since`, under a number that is free. The lock is held, and let go
 * meanwhile. */
static void prepare(pipeline *p, turn *t, int64_t since)
{
	size_t worker = p->spare[--p->n_spare];
	t->state = TURN_TAKEN;
	t->ticket = SIZE_MAX; /* none yet */
	tarn_mutex_unlock(&p->lock);
	int64_t begin = tarn_clock_ns();
	t->times = (tarn_pipeline_times){.idle = ms_between(since, begin)};
	(void)tarn_begin_preparation(t->request, since); /* it is idle */
	start(p, worker, t);
	int64_t ns = tarn_clock_ns() - begin; /* starting may copy */
	tarn_mutex_lock(&p->lock);
	note_turn(p, ns);
	p->spare[p->n_spare++] = worker;
}

/* ---- from threads of the device ---- */

/* A first in a long time says nothing of how often they come. */
static void note_end(pipeline *p, int64_t now)
{
	int64_t ns = now - p->seen_ns;
	if (p->seen_ns)
		p->between_ns += (ns - p->between_ns) / 8;
	p->seen_ns = now;
}

/* Nothing else waits to be done, and it will not take long. */
static bool may_turn(const pipeline *p, const turn *t)
{
	return p->n_short >= SHORT_TURNS && p->n_spare && !p->ended && !p->giving && !p->idle.n &&
	       (p->o->in_order ? t->ticket == p->due : !p->done.n);
}

/* The lock is held, and let go meanwhile. What came due meanwhile, or waited for the number, is somebody else's. */
static void turn_here(pipeline *p, turn *t)
{
	give(p, t);
	tarn_request_end_callback();
	if (p->ended) {
		release(p, t);
		return;
	}
	prepare(p, t, t->ended_ns);
	if (p->done.n || p->idle.n || (p->o->in_order && due_result(p)))
		tarn_cond_signal(&p->changed);
}

/* The status is taken here: a worker that asks for it would wait for the end of this callback. Who is woken finds the lock
 * free. */
static void on_done(void *arg)
{
	turn *t = arg;
	pipeline *p = t->line;
	t->ended_ns = tarn_clock_ns();
	t->status = ov_infer_request_wait(t->request);
	if (t->status != OK)
		tarn_last_error_get(&t->failure);
	tarn_mutex_lock(&p->lock);
	note_end(p, t->ended_ns);
	t->state = TURN_DONE;
	if (may_turn(p, t)) {
		turn_here(p, t);
		tarn_mutex_unlock(&p->lock);
		return;
	}
	if (!p->o->in_order)
		push(p, &p->done, t);
	bool ended = p->ended;
	tarn_mutex_unlock(&p->lock);
	wake(p, ended);
}

/* ---- workers ---- */

/* In order, after an early end: a number may be missing, so the lowest that is left is due. */
static void skip_gaps(pipeline *p)
{
	size_t lowest = SIZE_MAX;
	if (!p->ended || !p->o->in_order)
		return;
	for (size_t i = 0; i < p->n_turn; i++)
		if (p->turn[i].state != TURN_FREE && p->turn[i].ticket < lowest)
			lowest = p->turn[i].ticket;
	if (lowest != SIZE_MAX && lowest > p->due)
		p->due = lowest;
}

static void work(pipeline *p)
{
	int64_t since = tarn_clock_ns();
	tarn_mutex_lock(&p->lock);
	for (;;) {
		turn *t;
		skip_gaps(p);
		if ((t = due_result(p))) {
			give(p, t);
			release(p, t);
			since = tarn_clock_ns();
		} else if (!p->ended && p->idle.n && p->n_spare) {
			p->in_hand++;
			prepare(p, pop(p, &p->idle), since);
			since = tarn_clock_ns();
		} else if (p->ended && !p->in_hand) {
			break;
		} else {
			tarn_cond_wait(&p->changed, &p->lock);
		}
	}
	tarn_mutex_unlock(&p->lock);
}

static void *hand_main(void *arg)
{
	work(arg);
	return NULL;
}

/* The caller is one of the workers. */
static tarn_err run(pipeline *p)
{
	tarn_thread *h = tarn_mem_zalloc(p->n_worker, sizeof *h);
	if (!h)
		return tarn_err_nomem(p->n_worker * sizeof *h);
	size_t started = 1;
	tarn_err err = TARN_OK;
	int64_t begin = p->last_ns = tarn_clock_ns();
	for (; started < p->n_worker && !err; started += !err)
		err = tarn_thread_start(&h[started], "tarn-worker", hand_main, p);
	if (err) {
		tarn_mutex_lock(&p->lock);
		end(p, OK);
		tarn_mutex_unlock(&p->lock);
	}
	work(p);
	for (size_t i = 1; i < started; i++)
		tarn_thread_join(h[i]);
	tarn_mem_free(h);
	p->report.seconds = ms_between(begin, p->last_ns) * 1e-3;
	return err;
}

/* ---- set-up ---- */

static size_t optimal_requests(const ov_compiled_model_t *m)
{
	char *v = NULL;
	int64_t n = 1;
	if (ov_compiled_model_get_property(m, "OPTIMAL_NUMBER_OF_INFER_REQUESTS", &v) != OK || !tarn_str_to_i64(v, &n) || n < 1)
		n = 1;
	ov_free(v);
	return (size_t)n;
}

static tarn_err choose(pipeline *p, const ov_compiled_model_t *m)
{
	size_t cpus = (size_t)tarn_thread_cpus();
	p->n_turn = p->o->requests ? p->o->requests : optimal_requests(m);
	p->n_worker = p->o->workers ? p->o->workers : p->n_turn < cpus ? p->n_turn : cpus;
	CHECK(p->n_turn <= MAX_REQUESTS && p->n_worker <= MAX_WORKERS, TARN_USAGE,
	      "%zu requests and %zu workers; at most %d and %d", p->n_turn, p->n_worker, MAX_REQUESTS, MAX_WORKERS);
	p->report.requests = p->n_turn;
	p->report.workers = p->n_worker;
	p->turn = tarn_mem_zalloc(p->n_turn, sizeof *p->turn);
	p->idle.at = tarn_mem_zalloc(p->n_turn, sizeof *p->idle.at);
	p->done.at = tarn_mem_zalloc(p->n_turn, sizeof *p->done.at);
	p->spare = tarn_mem_zalloc(p->n_worker, sizeof *p->spare);
	if (!p->turn || !p->idle.at || !p->done.at || !p->spare)
		return tarn_err_nomem(p->n_turn * sizeof *p->turn);
	while (p->n_spare < p->n_worker) {
		p->spare[p->n_spare] = p->n_worker - 1 - p->n_spare; /* the lowest number is taken first */
		p->n_spare++;
	}
	p->computes = m->p->stream != NULL;
	return TARN_OK;
}

static ov_status_e make_requests(pipeline *p, const ov_compiled_model_t *m)
{
	for (size_t i = 0; i < p->n_turn; i++) {
		turn *t = &p->turn[i];
		ov_status_e status = OK;
		t->line = p;
		if (p->o->use)
			t->request = p->o->use[i];
		else
			status = ov_compiled_model_create_infer_request(m, &t->request);
		if (status != OK)
			return status;
		push(p, &p->idle, t);
		const ov_callback_t callback = {on_done, t};
		status = ov_infer_request_set_callback(t->request, &callback);
		if (status != OK)
			return status;
	}
	return OK;
}

/* A request's callback may still hold the lock it signalled with: what waits for the request waits for that, too. */
static void close_line(pipeline *p)
{
	for (size_t i = 0; p->turn && i < p->n_turn; i++) {
		ov_infer_request_t *q = p->turn[i].request;
		if (q && p->turn[i].started_ns)
			(void)ov_infer_request_wait(q);
		if (!p->o->use)
			ov_infer_request_free(q);
		else if (q && tarn_request_set_callback(q->r, NULL, NULL))
			continue; /* the caller runs it */
	}
	tarn_mem_free(p->turn);
	tarn_mem_free(p->idle.at);
	tarn_mem_free(p->done.at);
	tarn_mem_free(p->spare);
	tarn_cond_fini(&p->changed);
	tarn_mutex_fini(&p->lock);
	tarn_mutex_fini(&p->source);
}

ov_status_e tarn_run_pipeline(ov_compiled_model_t *compiled_model, const tarn_pipeline_options *options,
			      tarn_pipeline_report *report)
{
	NEED(compiled_model && options && options->fill && (!options->use || options->requests));
	pipeline p = {.o = options};
	tarn_mutex_init(&p.source);
	tarn_mutex_init(&p.lock);
	tarn_cond_init(&p.changed);
	ov_status_e status = tarn_status(choose(&p, compiled_model));
	if (status == OK)
		status = make_requests(&p, compiled_model);
	if (status == OK)
		status = tarn_status(run(&p));
	if (report)
		*report = p.report;
	close_line(&p);
	if (status == OK && p.status != OK) {
		tarn_last_error_set(&p.failure);
		status = p.status;
	}
	return status;
}
