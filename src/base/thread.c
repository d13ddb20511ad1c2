/* SPDX-License-Identifier: Apache-2.0 */
#include "base/thread.h"

#include <sched.h>
#include <string.h>
#include <time.h>

void tarn_mutex_init(tarn_mutex *m)
{
	pthread_mutex_init(m, NULL);
}

void tarn_mutex_fini(tarn_mutex *m)
{
	pthread_mutex_destroy(m);
}

void tarn_mutex_lock(tarn_mutex *m)
{
	pthread_mutex_lock(m);
}

void tarn_mutex_unlock(tarn_mutex *m)
{
	pthread_mutex_unlock(m);
}

void tarn_cond_init(tarn_cond *c)
{
	pthread_condattr_t a;
	pthread_condattr_init(&a);
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	pthread_cond_init(c, &a);
	pthread_condattr_destroy(&a);
}

void tarn_cond_fini(tarn_cond *c)
{
	pthread_cond_destroy(c);
}

void tarn_cond_wait(tarn_cond *c, tarn_mutex *m)
{
	pthread_cond_wait(c, m);
}

bool tarn_cond_wait_until(tarn_cond *c, tarn_mutex *m, int64_t deadline_ns)
{
	struct timespec t = {.tv_sec = deadline_ns / 1000000000, .tv_nsec = deadline_ns % 1000000000};
	return pthread_cond_timedwait(c, m, &t) == 0;
}

void tarn_cond_signal(tarn_cond *c)
{
	pthread_cond_signal(c);
}

void tarn_cond_broadcast(tarn_cond *c)
{
	pthread_cond_broadcast(c);
}

tarn_err tarn_thread_start(tarn_thread *t, const char *name, void *(*run)(void *), void *arg)
{
	int rc = pthread_create(t, NULL, run, arg);
	if (rc)
		return tarn_err_set(TARN_INTERNAL, "thread '%s' could not be started: %s", name, strerror(rc));
	pthread_setname_np(*t, name);
	return TARN_OK;
}

void tarn_thread_detach(tarn_thread t)
{
	pthread_detach(t);
}

bool tarn_thread_is_self(tarn_thread t)
{
	return pthread_equal(t, pthread_self());
}

void tarn_thread_join(tarn_thread t)
{
	pthread_join(t, NULL);
}

void tarn_thread_yield(void)
{
	sched_yield();
}

int tarn_thread_cpus(void)
{
	cpu_set_t set;
	if (sched_getaffinity(0, sizeof set, &set))
		return 1;
	int n = CPU_COUNT(&set);
	return n < 1 ? 1 : n;
}
