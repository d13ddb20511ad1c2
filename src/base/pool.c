/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

enum { SPIN_NS = 50000 };

struct tarn_pool {
	int n_workers;
	tarn_thread *worker;
	tarn_mutex owner; /* held by the caller of tarn_pool_run for the length of its job */
	tarn_mutex lock;  /* guards sleeping; order: owner, then lock */
	tarn_cond wake, done;
	atomic_uint generation; /* counts jobs; workers wait for it to move */
	atomic_int next, left, n_tasks;
	atomic_int sleepers;
	atomic_bool stop;
	void (*fn)(void *, int, int);
	void *arg;
};

static void pause_cpu(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

/* Takes tasks until none is left. The job's fields are stable while a task of it is outstanding. */
static void work(tarn_pool *p)
{
	int n = atomic_load_explicit(&p->n_tasks, memory_order_acquire), task;
	while ((task = atomic_fetch_add_explicit(&p->next, 1, memory_order_acq_rel)) < n)
		p->fn(p->arg, task, n);
}

static void *worker_main(void *arg)
{
	tarn_pool *p = arg;
	unsigned seen = 0;
	for (;;) {
		int64_t until = 0;
		for (unsigned spin = 0; atomic_load_explicit(&p->generation, memory_order_acquire) == seen; spin++) {
			if (!until)
				until = tarn_clock_ns() + SPIN_NS;
			if (spin % 64 || tarn_clock_ns() < until) {
				pause_cpu();
				continue;
			}
			tarn_mutex_lock(&p->lock);
			atomic_fetch_add(&p->sleepers, 1);
			while (atomic_load(&p->generation) == seen && !atomic_load(&p->stop))
				tarn_cond_wait(&p->wake, &p->lock);
			atomic_fetch_sub(&p->sleepers, 1);
			tarn_mutex_unlock(&p->lock);
			break;
		}
		if (atomic_load(&p->stop))
			return NULL;
		seen++;
		work(p);
		if (atomic_fetch_sub_explicit(&p->left, 1, memory_order_acq_rel) == 1) {
			tarn_mutex_lock(&p->lock);
			tarn_cond_signal(&p->done);
			tarn_mutex_unlock(&p->lock);
		}
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
	atomic_fetch_add(&p->generation, 1);
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
	p->fn = fn;
	p->arg = arg;
	atomic_store_explicit(&p->next, 0, memory_order_relaxed);
	atomic_store_explicit(&p->left, p->n_workers, memory_order_relaxed);
	atomic_store_explicit(&p->n_tasks, n_tasks, memory_order_release);
	atomic_fetch_add(&p->generation, 1);
	if (atomic_load(&p->sleepers)) {
		tarn_mutex_lock(&p->lock);
		tarn_cond_broadcast(&p->wake);
		tarn_mutex_unlock(&p->lock);
	}
	work(p);
	int64_t until = 0;
	for (unsigned spin = 0; atomic_load_explicit(&p->left, memory_order_acquire); spin++) {
		if (!until)
			until = tarn_clock_ns() + SPIN_NS;
		if (spin % 64 || tarn_clock_ns() < until) {
			pause_cpu();
			continue;
		}
		tarn_mutex_lock(&p->lock);
		while (atomic_load(&p->left))
			tarn_cond_wait(&p->done, &p->lock);
		tarn_mutex_unlock(&p->lock);
	}
	tarn_mutex_unlock(&p->owner);
}
