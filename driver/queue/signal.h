/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A signal: the one bit behind a fence or an event, with the device times of the command that set it. Its state belongs to the
 * scheduler's lock; every function here takes it. Shared (tarn_ref) between the handle and the commands that use it.
 */
#ifndef TARN_DRIVER_QUEUE_SIGNAL_H
#define TARN_DRIVER_QUEUE_SIGNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "driver/queue/ref.h"

typedef struct tarn_sched tarn_sched;

typedef enum tarn_signal_state {
	TARN_SIGNAL_IDLE,    /* nothing was submitted that would set it */
	TARN_SIGNAL_PENDING, /* a submission will */
	TARN_SIGNAL_SET
} tarn_signal_state;

typedef struct tarn_signal {
	tarn_ref ref;
	tarn_sched *sched;
	tarn_signal_state state;
	uint64_t start_tick, end_tick; /* of the command that set it; 0 when the host did */
	tarn_err err;                  /* how the work before it ended */
} tarn_signal;

/* NULL when memory is short. */
tarn_signal *tarn_signal_new(tarn_sched *sched, bool set);
void tarn_signal_set(tarn_signal *s, bool set);
tarn_signal_state tarn_signal_get(tarn_signal *s);
/* Waits until set or for timeout_ns (UINT64_MAX: without limit). False when not set. *err as of the signal. */
bool tarn_signal_wait(tarn_signal *s, uint64_t timeout_ns, tarn_err *err);

#endif
