/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The timeline of a process: one event for each finished inference, all moments on one clock (tarn_clock_ns). Off unless
 * started, then a copy of a hundred bytes for each inference, without a lock. Thread-safe.
 */
#ifndef TARN_PROF_TIMELINE_H
#define TARN_PROF_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* In this order; 0: not told. Copying in lasts `copy_in` from `start`, copying out `copy_out` until `end`. */
typedef struct tarn_event {
	uint64_t request;              /* which one: the same for all its inferences */
	int64_t asked, prepare, start; /* a slot was asked for; filling the inputs began; it was handed over */
	int64_t device_begin, device_end;
	int64_t end, callback_end; /* results were there; the user's callback was over */
	int64_t copy_in, copy_out; /* durations */
	int64_t bytes_copied;
} tarn_event;

/* Drops what was recorded before; keeps at most `capacity` events, the first ones. */
TARN_MUST tarn_err tarn_timeline_start(size_t capacity);
void tarn_timeline_stop(void); /* what was recorded stays */
bool tarn_timeline_is_on(void);
void tarn_timeline_add(const tarn_event *e);
/* How many there are, and how many found no room. */
void tarn_timeline_count(size_t *n, size_t *dropped);
/* Copies events [first, first + n); fewer at the end, and none that is just being written. */
void tarn_timeline_read(size_t first, size_t n, tarn_event *to, size_t *copied);

/* TARN_TIMELINE=N in the environment starts one for N events; called when a program opens the library. */
TARN_MUST tarn_err tarn_timeline_from_environment(void);

#endif
