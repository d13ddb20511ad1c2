/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thread pool: one job at a time, split into equal numbered tasks. Workers spin for at most 50 us and only while jobs keep
 * coming, then sleep. A pool of 1 runs everything on the caller's thread. Jobs of different callers are serialised.
 */
#ifndef TARN_BASE_POOL_H
#define TARN_BASE_POOL_H

#include "base/err.h"

typedef struct tarn_pool tarn_pool;

/* `threads` counts the caller; 0 = one per processor. */
TARN_MUST tarn_err tarn_pool_new(int threads, tarn_pool **pool);
void tarn_pool_free(tarn_pool *pool);
int tarn_pool_threads(const tarn_pool *pool);
/* Runs fn(arg, task, n_tasks) for task = 0..n_tasks-1, spread over the threads; returns when all are done. Must not be called
 * from inside a task of the same pool. pool NULL = on this thread. */
void tarn_pool_run(tarn_pool *pool, int n_tasks, void (*fn)(void *arg, int task, int n_tasks), void *arg);

#endif
