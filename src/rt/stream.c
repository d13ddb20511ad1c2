/* SPDX-License-Identifier: Apache-2.0 */
#include "rt/stream.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/thread.h"
#include "rt/request.h"

struct tarn_stream {
	tarn_ref refs; /* the program's, and one for each thread: a thread may be the one that frees the program */
	tarn_mutex lock;
	tarn_cond work;
	int n, n_free, n_thread;
	bool stop;
	bool *taken;
	tarn_thread *thread;
	tarn_request *first, *last; /* queue, linked through the requests */
};

static void stream_unref(struct tarn_stream *s)
{
	if (!tarn_ref_drop(&s->refs))
		return;
	tarn_cond_fini(&s->work);
	tarn_mutex_fini(&s->lock);
	tarn_mem_free(s->taken);
	tarn_mem_free(s->thread);
	tarn_mem_free(s);
}

tarn_err tarn_stream_new(int n, struct tarn_stream **out)
{
	struct tarn_stream *s = tarn_mem_zalloc(1, sizeof *s);
	bool *taken = tarn_mem_zalloc((size_t)n, sizeof *taken);
	tarn_thread *thread = tarn_mem_zalloc((size_t)n, sizeof *thread);
	if (!s || !taken || !thread) {
		tarn_mem_free(s);
		tarn_mem_free(taken);
		tarn_mem_free(thread);
		return tarn_err_nomem((unsigned long long)n * sizeof *thread);
	}
	tarn_ref_init(&s->refs);
	tarn_mutex_init(&s->lock);
	tarn_cond_init(&s->work);
	s->n = s->n_free = n;
	s->taken = taken;
	s->thread = thread;
	*out = s;
	return TARN_OK;
}

void tarn_stream_free(struct tarn_stream *s)
{
	if (!s)
		return;
	tarn_mutex_lock(&s->lock);
	s->stop = true;
	tarn_cond_broadcast(&s->work);
	tarn_mutex_unlock(&s->lock);
	for (int i = 0; i < s->n_thread; i++) {
		if (tarn_thread_is_self(s->thread[i]))
			tarn_thread_detach(s->thread[i]);
		else
			tarn_thread_join(s->thread[i]);
	}
	stream_unref(s);
}

static int take(struct tarn_stream *s)
{
	int i = 0;
	while (s->taken[i])
		i++;
	s->taken[i] = true;
	s->n_free--;
	return i;
}

static void *serve(void *arg)
{
	struct tarn_stream *s = arg;
	tarn_mutex_lock(&s->lock);
	for (;;) {
		while (!s->stop && !(s->first && s->n_free))
			tarn_cond_wait(&s->work, &s->lock);
		if (s->stop)
			break;
		tarn_request *r = s->first;
		s->first = tarn_request_next(r, NULL);
		if (!s->first)
			s->last = NULL;
		int slot = take(s);
		tarn_mutex_unlock(&s->lock);
		tarn_err err = tarn_request_run_on(r, slot);
		/* The stream is free before the callback, which may start the next request. */
		tarn_stream_leave(s, slot);
		tarn_request_finish(r, err);
		tarn_mutex_lock(&s->lock);
	}
	tarn_mutex_unlock(&s->lock);
	stream_unref(s);
	return NULL;
}

/* One thread for each request that can run at once, no more than were ever needed. Called with the lock held. */
static tarn_err add_thread(struct tarn_stream *s)
{
	char name[16];
	snprintf(name, sizeof name, "stream%d", s->n_thread & 0xffff);
	tarn_ref_take(&s->refs);
	tarn_err err = tarn_thread_start(&s->thread[s->n_thread], name, serve, s);
	if (!err)
		s->n_thread++;
	else
		(void)tarn_ref_drop(&s->refs); /* not the last: the program has one */
	return err;
}

tarn_err tarn_stream_push(struct tarn_stream *s, tarn_request *r)
{
	tarn_err err = TARN_OK;
	tarn_mutex_lock(&s->lock);
	if (s->n_thread < s->n) {
		err = add_thread(s);
		if (err && s->n_thread)
			err = TARN_OK; /* fewer threads serve as well */
	}
	if (!err) {
		if (s->last)
			(void)tarn_request_next(s->last, r);
		else
			s->first = r;
		s->last = r;
		tarn_cond_signal(&s->work);
	}
	tarn_mutex_unlock(&s->lock);
	return err;
}

void tarn_stream_try(struct tarn_stream *s, int *slot)
{
	tarn_mutex_lock(&s->lock);
	*slot = !s->first && s->n_free ? take(s) : -1;
	tarn_mutex_unlock(&s->lock);
}

void tarn_stream_leave(struct tarn_stream *s, int slot)
{
	tarn_mutex_lock(&s->lock);
	s->taken[slot] = false;
	s->n_free++;
	if (s->first)
		tarn_cond_signal(&s->work);
	tarn_mutex_unlock(&s->lock);
}

bool tarn_stream_drop(struct tarn_stream *s, tarn_request *r)
{
	bool found = false;
	tarn_mutex_lock(&s->lock);
	tarn_request *before = NULL, *q = s->first;
	while (q && q != r) {
		before = q;
		q = tarn_request_peek(q);
	}
	if (q) {
		found = true;
		tarn_request *next = tarn_request_next(r, NULL);
		if (before)
			(void)tarn_request_next(before, next);
		else
			s->first = next;
		if (s->last == r)
			s->last = before;
	}
	tarn_mutex_unlock(&s->lock);
	return found;
}
