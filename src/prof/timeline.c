/* SPDX-License-Identifier: Apache-2.0 */
#include "prof/timeline.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"

enum { MOST_EVENTS = 1 << 24 };

static tarn_mutex lock = TARN_MUTEX_INIT;
static atomic_bool on;
static tarn_event *event;
static size_t count, room, lost;

tarn_err tarn_timeline_start(size_t capacity)
{
	CHECK(capacity && capacity <= MOST_EVENTS, TARN_USAGE, "a timeline of %zu events cannot be kept; give 1 to %d",
	      capacity, MOST_EVENTS);
	tarn_event *fresh = tarn_mem_zalloc(capacity, sizeof *fresh);
	if (!fresh)
		return tarn_err_nomem(capacity * sizeof *fresh);
	tarn_mutex_lock(&lock);
	tarn_mem_free(event);
	event = fresh;
	room = capacity;
	count = lost = 0;
	atomic_store(&on, true);
	tarn_mutex_unlock(&lock);
	return TARN_OK;
}

void tarn_timeline_stop(void)
{
	atomic_store(&on, false);
}

bool tarn_timeline_is_on(void)
{
	return atomic_load_explicit(&on, memory_order_relaxed);
}

void tarn_timeline_add(const tarn_event *e)
{
	tarn_mutex_lock(&lock);
	if (count < room)
		event[count++] = *e;
	else
		lost++;
	tarn_mutex_unlock(&lock);
}

void tarn_timeline_count(size_t *n, size_t *dropped)
{
	tarn_mutex_lock(&lock);
	*n = count;
	*dropped = lost;
	tarn_mutex_unlock(&lock);
}

void tarn_timeline_read(size_t first, size_t n, tarn_event *to, size_t *copied)
{
	tarn_mutex_lock(&lock);
	size_t there = first < count ? count - first : 0;
	*copied = n < there ? n : there;
	if (*copied)
		memcpy(to, event + first, *copied * sizeof *to);
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
