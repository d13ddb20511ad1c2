/* SPDX-License-Identifier: Apache-2.0 */
/* Threads, locks and condition variables (POSIX; C11 threads crash under TSan on Debian 12). */
#ifndef TARN_BASE_THREAD_H
#define TARN_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

typedef pthread_mutex_t tarn_mutex;
typedef pthread_cond_t tarn_cond;
typedef pthread_t tarn_thread;
#define TARN_MUTEX_INIT PTHREAD_MUTEX_INITIALIZER

void tarn_mutex_init(tarn_mutex *m);
void tarn_mutex_fini(tarn_mutex *m);
void tarn_mutex_lock(tarn_mutex *m);
void tarn_mutex_unlock(tarn_mutex *m);

/* Condition variables run on the monotonic clock. */
void tarn_cond_init(tarn_cond *c);
void tarn_cond_fini(tarn_cond *c);
void tarn_cond_wait(tarn_cond *c, tarn_mutex *m);
/* False when `deadline_ns` (tarn_clock_ns) passed first. */
bool tarn_cond_wait_until(tarn_cond *c, tarn_mutex *m, int64_t deadline_ns);
void tarn_cond_signal(tarn_cond *c);
void tarn_cond_broadcast(tarn_cond *c);

/* `name` (at most 15 characters) is what a debugger and top show. */
TARN_MUST tarn_err tarn_thread_start(tarn_thread *t, const char *name, void *(*run)(void *), void *arg);
void tarn_thread_join(tarn_thread t);
void tarn_thread_detach(tarn_thread t); /* instead of join, from the thread itself */
bool tarn_thread_is_self(tarn_thread t);
void tarn_thread_yield(void); /* lets others run */
/* Processors this process may use, at least 1. */
int tarn_thread_cpus(void);

#endif
