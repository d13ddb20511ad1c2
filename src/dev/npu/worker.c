/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who waits for the device. A queue runs its lists in order, hence one thread at a time that waits for one fence after the
 * other sees all requests of a program to their end: it leads. A thread that waits for a request leads itself when nobody does,
 * since waking it would cost more than the rest of a small inference. The worker's own thread leads when a callback is due
 * (which the user's threads do not run), or when somebody waits who could not lead.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "dev/npu/npu.h"

struct npu_worker {
	tarn_ref refs; /* the program's, the thread's */
	tarn_mutex lock;
	tarn_cond work;
	tarn_request *first, *last; /* in flight */
	int n_watched;              /* of these; see npu_request */
	bool led;                   /* somebody waits for the first one's fence */
	int64_t free_ns;            /* the leader's: when the device was done with the one before */
	bool stop;
	tarn_thread thread;
};

static void worker_unref(struct npu_worker *w)
{
	if (!tarn_ref_drop(&w->refs))
		return;
	tarn_cond_fini(&w->work);
	tarn_mutex_fini(&w->lock);
	tarn_mem_free(w);
}

static void pop(struct npu_worker *w)
{
	npu_request *q = w->first->impl;
	w->first = q->next;
	if (!w->first)
		w->last = NULL;
	w->n_watched -= q->watched;
	q->watched = q->in_flight = false;
}

/* Sees the first request to its end, unless that takes too long. The lock is held, and let go meanwhile. After
 * tarn_request_finish neither the request nor its program need be there any more. */
static bool lead(struct npu_worker *w, uint64_t timeout_ns)
{
	tarn_request *r = w->first;
	tarn_err err;
	w->led = true;
	tarn_mutex_unlock(&w->lock);
	bool over = tarn_npu_complete(r, timeout_ns, &w->free_ns, &err);
	tarn_mutex_lock(&w->lock);
	w->led = false;
	if (!over)
		return false;
	pop(w);
	tarn_mutex_unlock(&w->lock);
	tarn_request_finish(r, err);
	tarn_mutex_lock(&w->lock);
	return true;
}

static void *serve(void *arg)
{
	struct npu_worker *w = arg;
	tarn_mutex_lock(&w->lock);
	while (!w->stop) {
		if (w->n_watched && !w->led)
			(void)lead(w, UINT64_MAX);
		else
			tarn_cond_wait(&w->work, &w->lock);
	}
	tarn_mutex_unlock(&w->lock);
	worker_unref(w);
	return NULL;
}

static void watch(struct npu_worker *w, npu_request *q)
{
	w->n_watched += q->in_flight && !q->watched;
	q->watched = true;
}

/* Of the time until the deadline (< 0: none), what is left; nothing: 0. */
static uint64_t left_of(int64_t deadline_ns)
{
	int64_t left = deadline_ns - tarn_clock_ns();
	return deadline_ns < 0 ? UINT64_MAX : left < 0 ? 0 : (uint64_t)left;
}

void tarn_npu_pursue(tarn_request *r, int64_t deadline_ns)
{
	struct npu_worker *w = ((npu_program *)r->program->impl)->worker;
	npu_request *q = r->impl;
	tarn_mutex_lock(&w->lock);
	bool begun = q->in_flight;
	while (q->in_flight && !w->led && !w->first->calls_back)
		if (!lead(w, left_of(deadline_ns)))
			break;
	/* Too slow, another's to lead to, or another thread is about to hand it over: then it is left to the worker's. */
	if (q->in_flight || !begun)
		watch(w, q);
	if (w->n_watched && !w->led)
		tarn_cond_signal(&w->work);
	tarn_mutex_unlock(&w->lock);
}

tarn_err tarn_npu_worker_new(struct npu_worker **out)
{
	struct npu_worker *w = tarn_mem_zalloc(1, sizeof *w);
	if (!w)
		return tarn_err_nomem(sizeof *w);
	tarn_ref_init(&w->refs);
	tarn_mutex_init(&w->lock);
	tarn_cond_init(&w->work);
	tarn_ref_take(&w->refs);
	tarn_err err = tarn_thread_start(&w->thread, "npu-wait", serve, w);
	if (err) {
		(void)tarn_ref_drop(&w->refs);
		worker_unref(w);
		return err;
	}
	*out = w;
	return TARN_OK;
}

void tarn_npu_worker_free(struct npu_worker *w)
{
	if (!w)
		return;
	tarn_mutex_lock(&w->lock);
	w->stop = true;
	tarn_cond_signal(&w->work);
	tarn_mutex_unlock(&w->lock);
	if (tarn_thread_is_self(w->thread))
		tarn_thread_detach(w->thread);
	else
		tarn_thread_join(w->thread);
	worker_unref(w);
}

tarn_err tarn_npu_worker_push(struct npu_worker *w, tarn_request *r)
{
	const npu_program *x = r->program->impl;
	npu_request *q = r->impl;
	/* Under the lock, so that fences are waited for in the order of the queue. */
	tarn_mutex_lock(&w->lock);
	tarn_err err = tarn_npu_result(x->d->sys->ze.CommandQueueExecuteCommandLists(x->queue, 1, &q->list, q->fence),
				       "starting an inference");
	if (!err) {
		q->next = NULL;
		q->in_flight = true;
		q->watched = q->watched || r->calls_back;
		w->n_watched += q->watched;
		if (w->last)
			((npu_request *)w->last->impl)->next = r;
		else
			w->first = r;
		w->last = r;
		if (w->n_watched && !w->led)
			tarn_cond_signal(&w->work);
	}
	tarn_mutex_unlock(&w->lock);
	return err;
}
