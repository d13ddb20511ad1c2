/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that waits for the device, so that nobody else has to. A queue runs its lists in order, hence one thread that
 * waits for one fence after the other serves all requests of a program.
 */
#include "base/mem.h"
#include "dev/npu/npu.h"

struct npu_worker {
	tarn_ref refs; /* the program's, the thread's */
	tarn_mutex lock;
	tarn_cond work;
	tarn_request *first, *last; /* in flight */
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

static tarn_request *pop(struct npu_worker *w)
{
	tarn_mutex_lock(&w->lock);
	while (!w->first && !w->stop)
		tarn_cond_wait(&w->work, &w->lock);
	tarn_request *r = w->first;
	if (r) {
		w->first = ((npu_request *)r->impl)->next;
		if (!w->first)
			w->last = NULL;
	}
	tarn_mutex_unlock(&w->lock);
	return r;
}

/* After tarn_request_finish neither the request nor its program need be there any more. */
static void *serve(void *arg)
{
	struct npu_worker *w = arg;
	tarn_request *r;
	int64_t free_ns = 0;
	while ((r = pop(w)))
		tarn_request_finish(r, tarn_npu_complete(r, &free_ns));
	worker_unref(w);
	return NULL;
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
	/* Under the lock, so that the thread waits in the order of the queue. */
	tarn_mutex_lock(&w->lock);
	tarn_err err = tarn_npu_result(x->d->sys->ze.CommandQueueExecuteCommandLists(x->queue, 1, &q->list, q->fence),
				       "starting an inference");
	if (!err) {
		q->next = NULL;
		if (w->last)
			((npu_request *)w->last->impl)->next = r;
		else
			w->first = r;
		w->last = r;
		tarn_cond_signal(&w->work);
	}
	tarn_mutex_unlock(&w->lock);
	return err;
}
