/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

enum { SPIN_NS = 50000 };

typedef void (*task_fn)(void *arg, int task, int n_tasks);

#define CLOSED UINT32_MAX /* a task no job has */

/* A job is known by its generation. A task is claimed by moving `ticket` from (generation, task) to (generation, task + 1):
 * that succeeds only while the job is the current one and this task of it is outstanding, so what was read of the job before is
 * right; between jobs it is closed. The job ends with its last task, whether or not every worker has noticed it. */
struct tarn_pool {
	int n_workers;
	tarn_thread *worker;
	tarn_mutex owner; /* held by the caller of tarn_pool_run for the length of its job */
	tarn_mutex lock;  /* guards sleeping; order: owner, then lock */
	tarn_cond wake, done;
	atomic_uint_fast64_t ticket; /* generation << 32 | next task */
	atomic_int unfinished, n_tasks;
	atomic_int sleepers;
	atomic_bool stop;
	_Atomic(task_fn) fn;
	_Atomic(void *) arg;
};

static void pause_cpu(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

static uint32_t generation(uint64_t ticket)
{
	return (uint32_t)(ticket >> 32);
}

static void finish(tarn_pool *p)
{
	if (atomic_fetch_sub_explicit(&p->unfinished, 1, memory_order_acq_rel) != 1)
		return;
	tarn_mutex_lock(&p->lock);
	tarn_cond_signal(&p->done);
	tarn_mutex_unlock(&p->lock);
}

/* Takes tasks of the current job until none is left; its generation. */
static uint32_t work(tarn_pool *p)
{
	uint64_t t = atomic_load_explicit(&p->ticket, memory_order_acquire);
	for (;;) {
		uint32_t task = (uint32_t)t;
		int n = atomic_load_explicit(&p->n_tasks, memory_order_acquire);
		task_fn fn = atomic_load_explicit(&p->fn, memory_order_acquire);
		void *arg = atomic_load_explicit(&p->arg, memory_order_acquire);
		if (task >= (uint32_t)n)
			return generation(t);
		if (!atomic_compare_exchange_weak_explicit(&p->ticket, &t, t + 1, memory_order_acq_rel, memory_order_acquire))
			continue;
		fn(arg, (int)task, n);
		finish(p);
		t = atomic_load_explicit(&p->ticket, memory_order_acquire);
	}
}

static void *worker_main(void *arg)
{
	tarn_pool *p = arg;
	uint32_t seen = 0;
	for (;;) {
		int64_t until = 0;
		for (unsigned spin = 0; generation(atomic_load_explicit(&p->ticket, memory_order_acquire)) == seen; spin++) {
			if (!until)
				until = tarn_clock_ns() + SPIN_NS;
			if (spin % 64 || tarn_clock_ns() < until) {
				pause_cpu();
				continue;
			}
			tarn_mutex_lock(&p->lock);
			atomic_fetch_add(&p->sleepers, 1);
			while (generation(atomic_load(&p->ticket)) == seen && !atomic_load(&p->stop))
				tarn_cond_wait(&p->wake, &p->lock);
			atomic_fetch_sub(&p->sleepers, 1);
			tarn_mutex_unlock(&p->lock);
			break;
		}
		if (atomic_load(&p->stop))
			return NULL;
		seen = work(p);
	}
}

tarn_err tarn_pool_new(int threads, tarn_pool **pool)
{
	if (threads <= 0)
		threads = tarn_thread_cpus();
	tarn_pool *p = tarn_mem_zalloc(1, sizeof *p);
	if (!p)
		return tarn_err_nomem(sizeof *p);
	tarn_mutex_init(&p->owner);
	tarn_mutex_init(&p->lock);
	tarn_cond_init(&p->wake);
	tarn_cond_init(&p->done);
	p->worker = tarn_mem_zalloc((size_t)threads, sizeof *p->worker);
	tarn_err err = p->worker ? TARN_OK : tarn_err_nomem((size_t)threads * sizeof *p->worker);
	while (err == TARN_OK && p->n_workers < threads - 1)
		if ((err = tarn_thread_start(&p->worker[p->n_workers], "tarn-pool", worker_main, p)) == TARN_OK)
			p->n_workers++;
	if (err != TARN_OK) {
		tarn_pool_free(p);
		return err;
	}
	*pool = p;
	return TARN_OK;
}

void tarn_pool_free(tarn_pool *p)
{
	if (!p)
		return;
	tarn_mutex_lock(&p->lock);
	atomic_store(&p->stop, true);
	atomic_fetch_add(&p->ticket, (uint64_t)1 << 32);
	tarn_cond_broadcast(&p->wake);
	tarn_mutex_unlock(&p->lock);
	for (int i = 0; i < p->n_workers; i++)
		tarn_thread_join(p->worker[i]);
	tarn_cond_fini(&p->wake);
	tarn_cond_fini(&p->done);
	tarn_mutex_fini(&p->lock);
	tarn_mutex_fini(&p->owner);
	tarn_mem_free(p->worker);
	tarn_mem_free(p);
}

int tarn_pool_threads(const tarn_pool *p)
{
	return p ? p->n_workers + 1 : 1;
}

void tarn_pool_run(tarn_pool *p, int n_tasks, void (*fn)(void *, int, int), void *arg)
{
	if (!p || p->n_workers == 0 || n_tasks <= 1) {
		for (int i = 0; i < n_tasks; i++)
			fn(arg, i, n_tasks);
		return;
	}
	tarn_mutex_lock(&p->owner);
	uint32_t now = generation(atomic_load_explicit(&p->ticket, memory_order_relaxed));
	atomic_store(&p->ticket, (uint64_t)now << 32 | CLOSED);
	atomic_store_explicit(&p->fn, fn, memory_order_release);
	atomic_store_explicit(&p->arg, arg, memory_order_release);
	atomic_store_explicit(&p->n_tasks, n_tasks, memory_order_release);
	atomic_store_explicit(&p->unfinished, n_tasks, memory_order_relaxed);
	atomic_store(&p->ticket, (uint64_t)(now + 1) << 32);
	if (atomic_load(&p->sleepers)) {
		tarn_mutex_lock(&p->lock);
		tarn_cond_broadcast(&p->wake);
		tarn_mutex_unlock(&p->lock);
	}
	(void)work(p);
	int64_t until = 0;
	for (unsigned spin = 0; atomic_load_explicit(&p->unfinished, memory_order_acquire); spin++) {
		if (!until)
			until = tarn_clock_ns() + SPIN_NS;
		if (spin % 64 || tarn_clock_ns() < until) {
			pause_cpu();
			continue;
		}
		tarn_mutex_lock(&p->lock);
		while (atomic_load(&p->unfinished))
			tarn_cond_wait(&p->done, &p->lock);
		tarn_mutex_unlock(&p->lock);
	}
	tarn_mutex_unlock(&p->owner);
}
