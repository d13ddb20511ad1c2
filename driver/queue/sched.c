/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/queue/sched.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/thread.h"
#include "driver/queue/run.h"

typedef struct job {
	struct job *next;
	tarn_cmds cmds;
	size_t at; /* next command */
	uint64_t seq;
	int64_t submit_ns;
	tarn_signal *done; /* NULL: none */
	bool more;         /* the next job belongs to the same submission */
	tarn_err err;
} job;

struct tarn_sched_queue {
	tarn_sched *sched;
	tarn_sched_queue *next;
	job *head, **tail;
	tarn_sched_priority priority;
	bool turbo, closed;
	double clock; /* 0: nominal */
	uint64_t submitted, finished;
	tarn_err err; /* of the first job that failed */
};

struct tarn_sched {
	tarn_mutex lock;
	tarn_cond work, done;
	tarn_sched_config config;
	tarn_sched_queue *queues;
	tarn_thread thread;
	bool started;
	tarn_pool *pool;
	int64_t origin_ns; /* host time of device time 0 */
	uint64_t cursor_ns, busy_ns, jobs, last_tick, last_read, seq;
};

tarn_err tarn_sched_new(const tarn_sched_config *config, tarn_sched **sched)
{
	tarn_sched *s = tarn_mem_zalloc(1, sizeof *s);
	if (!s)
		return tarn_err_nomem(sizeof *s);
	tarn_mutex_init(&s->lock);
	tarn_cond_init(&s->work);
	tarn_cond_init(&s->done);
	s->config = *config;
	s->origin_ns = tarn_clock_ns();
	*sched = s;
	return TARN_OK;
}

static void job_free(job *j)
{
	tarn_cmds_fini(&j->cmds);
	tarn_ref_put(j->done ? &j->done->ref : NULL);
	tarn_mem_free(j);
}

/* Device time now. Call with the lock held. */
static uint64_t now_ns(const tarn_sched *s)
{
	if (!s->config.paced)
		return s->cursor_ns;
	uint64_t wall = (uint64_t)(tarn_clock_ns() - s->origin_ns);
	return wall > s->cursor_ns ? wall : s->cursor_ns;
}

static uint64_t tick_hz(const tarn_sched *s)
{
	return (uint64_t)s->config.arch->timer_hz;
}

static uint64_t ns_to_ticks(const tarn_sched *s, uint64_t ns)
{
	return (uint64_t)((__uint128_t)ns * tick_hz(s) / 1000000000u);
}

/* A timestamp at device time ns, later than any before. Reading takes a tick, which keeps the virtual clock moving. */
static uint64_t take_tick(tarn_sched *s, uint64_t ns)
{
	uint64_t t = ns_to_ticks(s, ns);
	if (t <= s->last_tick)
		t = s->last_tick + 1;
	s->last_tick = t;
	if (!s->config.paced) {
		uint64_t at = (uint64_t)(((__uint128_t)t * 1000000000u + tick_hz(s) - 1) / tick_hz(s));
		if (at > s->cursor_ns)
			s->cursor_ns = at;
	}
	return t;
}

uint64_t tarn_sched_tick(tarn_sched *s, uint64_t *host_ns)
{
	tarn_mutex_lock(&s->lock);
	*host_ns = (uint64_t)tarn_clock_ns();
	uint64_t t;
	if (s->config.paced) {
		/* The device may be behind the wall clock: what it stamps next must not be pushed ahead by somebody looking. */
		t = ns_to_ticks(s, now_ns(s));
		t = s->last_read = t > s->last_read ? t : s->last_read + 1;
	} else {
		t = take_tick(s, now_ns(s));
	}
	tarn_mutex_unlock(&s->lock);
	return t;
}

void tarn_sched_get_stats(tarn_sched *s, tarn_sched_stats *stats)
{
	tarn_mutex_lock(&s->lock);
	*stats = (tarn_sched_stats){now_ns(s), s->busy_ns, s->jobs};
	tarn_mutex_unlock(&s->lock);
}

void tarn_sched_locked(tarn_sched *s, void (*fn)(void *arg), void *arg)
{
	tarn_mutex_lock(&s->lock);
	fn(arg);
	tarn_mutex_unlock(&s->lock);
}

/* ---- signals ---- */

static void signal_destroy(tarn_ref *r)
{
	tarn_mem_free((tarn_signal *)r);
}

tarn_signal *tarn_signal_new(tarn_sched *sched, bool set)
{
	tarn_signal *s = tarn_mem_zalloc(1, sizeof *s);
	if (!s)
		return NULL;
	tarn_ref_init(&s->ref, signal_destroy);
	s->sched = sched;
	s->state = set ? TARN_SIGNAL_SET : TARN_SIGNAL_IDLE;
	return s;
}

static void mark(tarn_signal *g, uint64_t start_tick, uint64_t end_tick, tarn_err err)
{
	g->state = TARN_SIGNAL_SET;
	g->start_tick = start_tick;
	g->end_tick = end_tick;
	g->err = err;
}

static void set_locked(tarn_signal *g, uint64_t start_tick, uint64_t end_tick, tarn_err err)
{
	mark(g, start_tick, end_tick, err);
	tarn_cond_broadcast(&g->sched->done);
	tarn_cond_broadcast(&g->sched->work);
}

void tarn_signal_set(tarn_signal *g, bool set)
{
	tarn_mutex_lock(&g->sched->lock);
	if (set)
		set_locked(g, 0, 0, TARN_OK);
	else
		g->state = TARN_SIGNAL_IDLE;
	tarn_mutex_unlock(&g->sched->lock);
}

tarn_signal_state tarn_signal_get(tarn_signal *g)
{
	tarn_mutex_lock(&g->sched->lock);
	tarn_signal_state st = g->state;
	tarn_mutex_unlock(&g->sched->lock);
	return st;
}

/* Waits on `done` once; false when the deadline passed. */
static bool wait_once(tarn_sched *s, uint64_t timeout_ns, int64_t deadline)
{
	if (timeout_ns == UINT64_MAX) {
		tarn_cond_wait(&s->done, &s->lock);
		return true;
	}
	return tarn_cond_wait_until(&s->done, &s->lock, deadline);
}

static int64_t deadline_of(uint64_t timeout_ns)
{
	int64_t now = tarn_clock_ns();
	return timeout_ns > (uint64_t)(INT64_MAX - now) ? INT64_MAX : now + (int64_t)timeout_ns;
}

bool tarn_signal_wait(tarn_signal *g, uint64_t timeout_ns, tarn_err *err)
{
	tarn_sched *s = g->sched;
	int64_t deadline = deadline_of(timeout_ns);
	tarn_mutex_lock(&s->lock);
	while (g->state != TARN_SIGNAL_SET)
		if (!timeout_ns || !wait_once(s, timeout_ns, deadline))
			break;
	bool set = g->state == TARN_SIGNAL_SET;
	*err = set ? g->err : TARN_OK;
	tarn_mutex_unlock(&s->lock);
	return set;
}

/* ---- the device's thread ---- */

static bool blocked(const job *j)
{
	if (j->at == j->cmds.len)
		return false;
	const tarn_cmd *c = &j->cmds.at[j->at];
	for (uint32_t i = 0; i < c->n_wait; i++)
		if (c->wait[i]->state != TARN_SIGNAL_SET)
			return true;
	return false;
}

static tarn_sched_queue *pick(tarn_sched *s)
{
	tarn_sched_queue *best = NULL;
	for (tarn_sched_queue *q = s->queues; q; q = q->next) {
		if (!q->head || blocked(q->head))
			continue;
		if (!best || q->priority > best->priority || (q->priority == best->priority && q->head->seq < best->head->seq))
			best = q;
	}
	return best;
}

/* The lower of what the whole device is held to, and what this queue asked for. */
static double clock_of(const tarn_sched *s, const tarn_sched_queue *q)
{
	double device = s->config.clock > 0 ? s->config.clock : 1;
	return q->clock > 0 && q->clock < device ? q->clock : device;
}

/* Executes the next command of the job; the lock is held on entry and exit, not while memory moves. */
static void step(tarn_sched *s, tarn_sched_queue *q, job *j)
{
	const tarn_cmd *c = &j->cmds.at[j->at++];
	uint64_t start = s->cursor_ns;
	if (s->config.paced && j->submit_ns - s->origin_ns > (int64_t)start)
		start = (uint64_t)(j->submit_ns - s->origin_ns);
	uint64_t ns = tarn_run_time_ns(c, s->config.arch, q->turbo, clock_of(s, q)), start_tick = 0;
	if (c->signal)
		start_tick = take_tick(s, start);
	if (c->kind == TARN_CMD_TIMESTAMP) {
		uint64_t t = take_tick(s, start);
		memcpy(c->dst, &t, sizeof t);
	} else if (c->kind == TARN_CMD_RESET) {
		for (uint32_t i = 0; i < c->n_targets; i++)
			c->target[i]->state = TARN_SIGNAL_IDLE;
	} else if (c->kind == TARN_CMD_TIMES) {
		tarn_run_times(c);
	} else if (c->kind != TARN_CMD_BARRIER) {
		tarn_mutex_unlock(&s->lock);
		tarn_err err = tarn_run_cmd(c, s->config.paced, s->pool);
		if (err != TARN_OK) {
			tarn_log(TARN_LOG_ERROR, "simulated NPU: %s", tarn_err_text());
			j->err = j->err ? j->err : err;
		}
		/* A device that is behind catches up: no system call for what is already due. */
		int64_t due = s->origin_ns + (int64_t)(start + ns);
		if (s->config.paced && ns && tarn_clock_ns() < due)
			tarn_clock_sleep_until(due);
		tarn_mutex_lock(&s->lock);
	}
	uint64_t end = start + ns;
	if (end > s->cursor_ns)
		s->cursor_ns = end;
	s->busy_ns += ns;
	if (c->profile) {
		c->profile->done = true;
		c->profile->turbo = q->turbo;
		c->profile->start_ns = start;
	}
	if (c->signal)
		set_locked(c->signal, start_tick, take_tick(s, end), j->err);
}

/* Takes the finished head off its queue. The lock is held; who waits is woken by the caller, to find it free. */
static void finish(tarn_sched *s, tarn_sched_queue *q, job *j)
{
	q->head = j->next;
	if (!q->head)
		q->tail = &q->head;
	q->finished++;
	s->jobs++;
	q->err = q->err ? q->err : j->err;
	if (j->more && j->err)
		j->next->err = j->err;
	if (j->done)
		mark(j->done, 0, 0, j->err);
	if (q->closed && !q->head) {
		tarn_sched_queue **at = &s->queues;
		while (*at != q)
			at = &(*at)->next;
		*at = q->next;
		tarn_mem_free(q);
	}
}

static void *thread_main(void *arg)
{
	tarn_sched *s = arg;
	tarn_mutex_lock(&s->lock);
	for (;;) {
		tarn_sched_queue *q = pick(s);
		if (!q) {
			tarn_cond_wait(&s->work, &s->lock);
			continue;
		}
		job *j = q->head;
		while (j->at < j->cmds.len && !blocked(j))
			step(s, q, j);
		if (j->at == j->cmds.len) {
			finish(s, q, j);
			/* References may be the last ones: graphs take their time to go, and hosts should not wait for it. */
			tarn_mutex_unlock(&s->lock);
			tarn_cond_broadcast(&s->done);
			job_free(j);
			tarn_mutex_lock(&s->lock);
		}
	}
	return NULL; /* not reached: a device lives as long as the process */
}

/* ---- queues ---- */

tarn_err tarn_sched_queue_new(tarn_sched *s, tarn_sched_priority priority, bool turbo, tarn_sched_queue **queue)
{
	tarn_sched_queue *q = tarn_mem_zalloc(1, sizeof *q);
	if (!q)
		return tarn_err_nomem(sizeof *q);
	q->sched = s;
	q->tail = &q->head;
	q->priority = priority;
	q->turbo = turbo;
	tarn_mutex_lock(&s->lock);
	q->next = s->queues;
	s->queues = q;
	tarn_mutex_unlock(&s->lock);
	*queue = q;
	return TARN_OK;
}

void tarn_sched_queue_free(tarn_sched_queue *q)
{
	tarn_sched *s = q->sched;
	tarn_mutex_lock(&s->lock);
	q->closed = true;
	if (!q->head) {
		tarn_sched_queue **at = &s->queues;
		while (*at != q)
			at = &(*at)->next;
		*at = q->next;
		tarn_mem_free(q);
	}
	tarn_mutex_unlock(&s->lock);
}

void tarn_sched_queue_set_priority(tarn_sched_queue *q, tarn_sched_priority priority)
{
	tarn_mutex_lock(&q->sched->lock);
	q->priority = priority;
	tarn_mutex_unlock(&q->sched->lock);
}

void tarn_sched_queue_set_clock(tarn_sched_queue *q, double part)
{
	tarn_mutex_lock(&q->sched->lock);
	q->clock = part;
	tarn_mutex_unlock(&q->sched->lock);
}

/* The pool and the thread, with the first job. The lock is held. */
static tarn_err start(tarn_sched *s)
{
	if (s->started)
		return TARN_OK;
	if (!s->pool && !s->config.paced)
		TRY(tarn_pool_new(s->config.threads, &s->pool));
	TRY(tarn_thread_start(&s->thread, "tarn-npu", thread_main, s));
	s->started = true;
	return TARN_OK;
}

tarn_err tarn_sched_submit(tarn_sched_queue *q, tarn_cmds *lists, size_t n, tarn_signal *done)
{
	tarn_sched *s = q->sched;
	job *first = NULL, **tail = &first, *last = NULL;
	tarn_err err = TARN_OK;
	for (size_t i = 0; i < n; i++) {
		if (!lists[i].len)
			continue;
		job *j = tarn_mem_zalloc(1, sizeof *j);
		if (!j) {
			err = tarn_err_nomem(sizeof *j);
			break;
		}
		*tail = last = j;
		tail = &j->next;
	}
	tarn_mutex_lock(&s->lock);
	if (err == TARN_OK && first)
		err = start(s);
	if (err != TARN_OK) {
		tarn_mutex_unlock(&s->lock);
		while (first) {
			job *next = first->next;
			tarn_mem_free(first);
			first = next;
		}
		return err;
	}
	job *j = first;
	for (size_t i = 0; i < n; i++) {
		if (!lists[i].len)
			continue;
		j->cmds = lists[i];
		lists[i] = (tarn_cmds){0};
		j->seq = ++s->seq;
		j->more = j->next;
		j->submit_ns = tarn_clock_ns();
		q->submitted++;
		j = j->next;
	}
	if (done && last) {
		tarn_ref_get(&done->ref);
		last->done = done;
		done->state = TARN_SIGNAL_PENDING;
	} else if (done) {
		set_locked(done, 0, 0, TARN_OK);
	}
	if (first) {
		*q->tail = first;
		q->tail = &last->next;
		tarn_cond_broadcast(&s->work);
	}
	tarn_mutex_unlock(&s->lock);
	return TARN_OK;
}

bool tarn_sched_queue_wait(tarn_sched_queue *q, uint64_t timeout_ns, tarn_err *err)
{
	tarn_sched *s = q->sched;
	int64_t deadline = deadline_of(timeout_ns);
	tarn_mutex_lock(&s->lock);
	uint64_t target = q->submitted;
	while (q->finished < target)
		if (!timeout_ns || !wait_once(s, timeout_ns, deadline))
			break;
	bool done = q->finished >= target;
	*err = done ? q->err : TARN_OK;
	if (done)
		q->err = TARN_OK;
	tarn_mutex_unlock(&s->lock);
	return done;
}
