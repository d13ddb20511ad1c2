/* SPDX-License-Identifier: Apache-2.0 */
#include "prof/timeline.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"

enum { MOST_EVENTS = 1 << 24, AHEAD = 4 };
#define TOUCHED_AT_ONCE ((size_t)4 << 20) /* bytes; beyond, pages come as they are written */

/* Writers take no lock: each has a slot of its own, and tells that it is whole by writing `request` last. Who changes the
 * buffer waits until no writer is inside. */
static tarn_mutex lock = TARN_MUTEX_INIT; /* of the buffer; one reader or starter at a time */
static atomic_bool on;
static atomic_size_t inside; /* writers */
static atomic_size_t taken;  /* slots, and what found none */
static tarn_event *event;
static size_t room;

/* The lock is held; what is written from now on is not there. */
static void stop_writing(void)
{
	atomic_store(&on, false);
	while (atomic_load(&inside))
		tarn_thread_yield();
}

static size_t used(void)
{
	size_t n = atomic_load(&taken);
	return n < room ? n : room;
}

/* The old buffer when it fits: its pages are there. New pages are touched here, where nothing is measured. The lock is held. */
static tarn_err make_room(size_t capacity)
{
	if (capacity == room) {
		memset(event, 0, used() * sizeof *event);
		return TARN_OK;
	}
	tarn_event *fresh = tarn_mem_zalloc(capacity, sizeof *fresh);
	if (!fresh)
		return tarn_err_nomem(capacity * sizeof *fresh);
	size_t bytes = capacity * sizeof *fresh;
	memset(fresh, 0, bytes < TOUCHED_AT_ONCE ? bytes : TOUCHED_AT_ONCE);
	tarn_mem_free(event);
	event = fresh;
	room = capacity;
	return TARN_OK;
}

tarn_err tarn_timeline_start(size_t capacity)
{
	CHECK(capacity && capacity <= MOST_EVENTS, TARN_USAGE, "a timeline of %zu events cannot be kept; give 1 to %d",
	      capacity, MOST_EVENTS);
	tarn_mutex_lock(&lock);
	stop_writing();
	tarn_err err = make_room(capacity);
	if (!err) {
		atomic_store(&taken, 0);
		atomic_store(&on, true);
	}
	tarn_mutex_unlock(&lock);
	return err;
}

void tarn_timeline_stop(void)
{
	atomic_store(&on, false);
}

bool tarn_timeline_is_on(void)
{
	return atomic_load_explicit(&on, memory_order_relaxed);
}

static void write_event(const tarn_event *e)
{
	size_t i = atomic_fetch_add(&taken, 1);
	if (i >= room)
		return;
	tarn_event *to = &event[i];
	to->asked = e->asked;
	to->prepare = e->prepare;
	to->start = e->start;
	to->device_begin = e->device_begin;
	to->device_end = e->device_end;
	to->end = e->end;
	to->callback_end = e->callback_end;
	to->copy_in = e->copy_in;
	to->copy_out = e->copy_out;
	to->bytes_copied = e->bytes_copied;
	__atomic_store_n(&to->request, e->request, __ATOMIC_RELEASE);
	if (i + AHEAD < room)
		__builtin_prefetch(&event[i + AHEAD], 1);
}

void tarn_timeline_add(const tarn_event *e)
{
	atomic_fetch_add(&inside, 1);
	if (atomic_load(&on))
		write_event(e);
	atomic_fetch_sub(&inside, 1);
}

void tarn_timeline_count(size_t *n, size_t *dropped)
{
	tarn_mutex_lock(&lock);
	*n = used();
	*dropped = atomic_load(&taken) - *n;
	tarn_mutex_unlock(&lock);
}

void tarn_timeline_read(size_t first, size_t n, tarn_event *to, size_t *copied)
{
	*copied = 0;
	tarn_mutex_lock(&lock);
	for (size_t i = first; i < used() && i - first < n; i++)
		if (__atomic_load_n(&event[i].request, __ATOMIC_ACQUIRE)) /* else it is just being written */
			to[(*copied)++] = event[i];
	tarn_mutex_unlock(&lock);
}

tarn_err tarn_timeline_from_environment(void)
{
	const char *text = getenv("TARN_TIMELINE");
	int64_t n;
	if (!text || !*text || tarn_timeline_is_on())
		return TARN_OK;
	CHECK(tarn_str_to_i64(text, &n) && n > 0 && n <= MOST_EVENTS, TARN_USAGE,
	      "TARN_TIMELINE cannot be '%s'; give a number of events, or unset it", text);
	return tarn_timeline_start((size_t)n);
}
