/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated device's scheduler: one thread that executes submitted commands, and the device's clock.
 *
 * Each queue is a FIFO of jobs (one job per command list). The thread takes the oldest runnable job of the highest priority; a
 * job that waits for an event steps aside, so that queues can signal each other in any order of submission.
 *
 * Clock. Exact mode: a virtual clock that only executed commands move, by their modelled time, so the same submissions give the
 * same timestamps on any host. Paced mode: commands end on the wall clock when the model says so, and outputs of graphs
 * are filled with 0xA5 instead of computed. Busy time is modelled time with work in both.
 *
 * Thread-safe. The thread starts with the first job and sleeps when there is none.
 */
#ifndef TARN_DRIVER_QUEUE_SCHED_H
#define TARN_DRIVER_QUEUE_SCHED_H

#include "arch/arch.h"
#include "driver/queue/cmd.h"

typedef enum tarn_sched_priority { TARN_SCHED_LOW, TARN_SCHED_NORMAL, TARN_SCHED_HIGH } tarn_sched_priority;

typedef struct tarn_sched_config {
	bool paced;
	int threads; /* of the executor's pool; 0 = one per processor */
	const tarn_arch *arch;
	double clock; /* of the DPU, as a part of its nominal one; 0: all of it */
} tarn_sched_config;

typedef struct tarn_sched_stats {
	uint64_t clock_ns, busy_ns, jobs;
} tarn_sched_stats;

typedef struct tarn_sched_queue tarn_sched_queue;

TARN_MUST tarn_err tarn_sched_new(const tarn_sched_config *config, tarn_sched **sched);
void tarn_sched_get_stats(tarn_sched *sched, tarn_sched_stats *stats);
/* The device's clock in ticks, strictly larger at each call; *host_ns (monotonic clock) of the same moment. */
uint64_t tarn_sched_tick(tarn_sched *sched, uint64_t *host_ns);

TARN_MUST tarn_err tarn_sched_queue_new(tarn_sched *sched, tarn_sched_priority priority, bool turbo, tarn_sched_queue **queue);
/* Jobs in flight go on. */
void tarn_sched_queue_free(tarn_sched_queue *queue);
void tarn_sched_queue_set_priority(tarn_sched_queue *queue, tarn_sched_priority priority);
/* The DPU's clock for this queue's work, as a part of its nominal one; 0: all of it. */
void tarn_sched_queue_set_clock(tarn_sched_queue *queue, double part);
/* Takes the contents of lists[0..n) (leaves them empty); `done` (may be NULL) is set when all have ended, at once if
 * there is nothing to do. On failure nothing was submitted and the lists are untouched. */
TARN_MUST tarn_err tarn_sched_submit(tarn_sched_queue *queue, tarn_cmds *lists, size_t n, tarn_signal *done);
/* True when every job submitted before the call has ended; *err of the first that failed since the last call. */
bool tarn_sched_queue_wait(tarn_sched_queue *queue, uint64_t timeout_ns, tarn_err *err);
/* Runs fn(arg) under the scheduler's lock: for reading what jobs write (tarn_cmd_profile). */
void tarn_sched_locked(tarn_sched *sched, void (*fn)(void *arg), void *arg);

#endif
