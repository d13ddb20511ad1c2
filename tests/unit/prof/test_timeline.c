/* SPDX-License-Identifier: Apache-2.0 */
/* Several threads write at once: no event is lost or half written, what finds no room is counted, and starting anew meanwhile
 * breaks nothing. */
#include "unit/test.h"

#include <stdatomic.h>

#include "base/thread.h"
#include "prof/timeline.h"

enum { WRITERS = 4, EACH = 3000, ROOM = 10000 };

typedef struct writer {
	tarn_thread thread;
	int64_t number;
	atomic_bool *until; /* NULL: EACH events */
} writer;

/* All fields follow from the first. */
static tarn_event event_of(int64_t id)
{
	return (tarn_event){(uint64_t)id, id + 1, id + 2, id + 3, id + 4, id + 5, id + 6, id + 7, id + 8, id + 9, id + 10};
}

static void *write_events(void *arg)
{
	writer *w = arg;
	for (int64_t i = 0; w->until ? !atomic_load(w->until) : i < EACH; i++) {
		const tarn_event e = event_of(1 + w->number * EACH + i % EACH);
		tarn_timeline_add(&e);
	}
	return NULL;
}

static void start_writers(writer *w, atomic_bool *until)
{
	for (int64_t i = 0; i < WRITERS; i++) {
		w[i] = (writer){.number = i, .until = until};
		assert_ok(tarn_thread_start(&w[i].thread, "writer", write_events, &w[i]));
	}
}

static void join_writers(writer *w)
{
	for (int i = 0; i < WRITERS; i++)
		tarn_thread_join(w[i].thread);
}

static size_t whole_events(void)
{
	static tarn_event got[ROOM];
	size_t n;
	tarn_timeline_read(0, ROOM, got, &n);
	for (size_t i = 0; i < n; i++) {
		const tarn_event e = event_of((int64_t)got[i].request);
		assert_memory_equal(&e, &got[i], sizeof e);
	}
	return n;
}

static void none_is_lost(void **state)
{
	(void)state;
	writer w[WRITERS];
	size_t n, dropped;
	for (int round = 0; round < 2; round++) { /* the second in the memory of the first */
		assert_ok(tarn_timeline_start(ROOM));
		start_writers(w, NULL);
		join_writers(w);
		tarn_timeline_count(&n, &dropped);
		assert_int_equal(n, ROOM);
		assert_int_equal(n + dropped, WRITERS * EACH);
		assert_int_equal(whole_events(), ROOM);
	}
	tarn_timeline_stop();
}

static void starts_meanwhile(void **state)
{
	(void)state;
	writer w[WRITERS];
	atomic_bool stop = false;
	assert_ok(tarn_timeline_start(ROOM));
	start_writers(w, &stop);
	for (size_t i = 0; i < 50; i++) {
		assert_ok(tarn_timeline_start(ROOM / (1 + i % 3)));
		(void)whole_events();
	}
	atomic_store(&stop, true);
	join_writers(w);
	tarn_timeline_stop();
	const tarn_event e = event_of(1);
	size_t n, dropped, more;
	tarn_timeline_count(&n, &dropped);
	tarn_timeline_add(&e); /* it is off */
	tarn_timeline_count(&more, &dropped);
	assert_int_equal(n, more);
	assert_err(tarn_timeline_start(0), TARN_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none_is_lost),
		cmocka_unit_test(starts_meanwhile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
