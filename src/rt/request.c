/* SPDX-License-Identifier: Apache-2.0 */
#include "rt/request.h"

#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "prof/metrics.h"
#include "prof/timeline.h"
#include "rt/program.h"
#include "rt/stream.h"

struct tarn_request_sync {
	tarn_ref refs; /* the user's, and the running inference's */
	tarn_mutex lock;
	tarn_cond done;
	bool busy, started, async, cancelled;
	bool dispatched; /* the running inference is on another thread and has a reference of its own */
	int n_held;      /* such references there are; freeing waits for them, so that the owner is the one who releases */
	int n_callback;  /* callbacks that run now: one may start the next inference and still be at it when that one ends */
	tarn_err err;
	char text[512]; /* sentence of err, for the thread that waits */
	void (*callback)(void *arg);
	void *callback_arg;
	void (*publish)(void *ctx, tarn_request *r);
	void *publish_ctx;
	tarn_request *next; /* in the stream's queue */
};

/* The request whose callback this thread is in, and when what belongs to that inference was over; 0: it goes on. */
static _Thread_local const tarn_request *inside;
static _Thread_local int64_t over;

static tarn_err alloc_tensor(tarn_program *p, const tarn_port *port, tarn_tensor *t)
{
	if (!tarn_port_is_static(port) || port->type == TARN_DTYPE_NONE)
		return TARN_OK;
	size_t bytes = 0;
	tarn_tensor fresh = {.type = port->type, .rank = port->rank};
	for (int i = 0; i < port->rank; i++)
		fresh.dim[i] = port->lo[i];
	tarn_shape shape = tarn_shape_of(fresh.rank, fresh.dim);
	int64_t count;
	TRY(tarn_shape_count(&shape, &count));
	CHECK(tarn_dtype_bytes(port->type, (size_t)count, &bytes), TARN_LIMIT,
	      "'%s' is too large for memory; use smaller shapes", port->name);
	if (port->type == TARN_STRING) /* which begin as "" */
		return tarn_tensor_new(port->type, fresh.rank, fresh.dim, t);
	if (p->device->api->alloc)
		TRY(p->device->api->alloc(p->device, bytes, &fresh.buf));
	else
		TRY(tarn_buffer_new(bytes, &fresh.buf));
	fresh.data = fresh.buf->at;
	*t = fresh;
	return TARN_OK;
}

static void destroy(tarn_request *r)
{
	tarn_program *p = r->program;
	if (r->impl && p->device->api->request_fini)
		p->device->api->request_fini(r);
	for (int i = 0; r->in && i < r->n_in; i++)
		tarn_tensor_fini(&r->in[i]);
	for (int i = 0; r->out && i < r->n_out; i++)
		tarn_tensor_fini(&r->out[i]);
	tarn_mem_free(r->in);
	tarn_mem_free(r->out);
	tarn_mem_free(r->in_foreign);
	tarn_mem_free(r->out_foreign);
	tarn_mem_free(r->out_room);
	VEC_FINI(&r->layer);
	if (r->sync) {
		tarn_cond_fini(&r->sync->done);
		tarn_mutex_fini(&r->sync->lock);
		tarn_mem_free(r->sync);
	}
	tarn_mem_free(r);
	tarn_program_unref(p);
}

static void release(tarn_request *r)
{
	if (!r->sync || tarn_ref_drop(&r->sync->refs))
		destroy(r);
}

static tarn_err fill(tarn_request *r)
{
	tarn_program *p = r->program;
	r->sync = tarn_mem_zalloc(1, sizeof *r->sync);
	if (!r->sync)
		return tarn_err_nomem(sizeof *r->sync);
	tarn_ref_init(&r->sync->refs);
	tarn_mutex_init(&r->sync->lock);
	tarn_cond_init(&r->sync->done);
	r->n_in = p->n_in;
	r->n_out = p->n_out;
	size_t n = (size_t)(r->n_in + r->n_out) + 1;
	r->in = tarn_mem_zalloc((size_t)r->n_in + 1, sizeof *r->in);
	r->out = tarn_mem_zalloc((size_t)r->n_out + 1, sizeof *r->out);
	r->in_foreign = tarn_mem_zalloc((size_t)r->n_in + 1, sizeof *r->in_foreign);
	r->out_foreign = tarn_mem_zalloc((size_t)r->n_out + 1, sizeof *r->out_foreign);
	r->out_room = tarn_mem_zalloc((size_t)r->n_out + 1, sizeof *r->out_room);
	if (!r->in || !r->out || !r->in_foreign || !r->out_foreign || !r->out_room)
		return tarn_err_nomem(n * sizeof *r->in);
	for (int i = 0; i < r->n_in; i++)
		TRY(alloc_tensor(p, &p->in[i], &r->in[i]));
	for (int i = 0; i < r->n_out; i++)
		TRY(alloc_tensor(p, &p->out[i], &r->out[i]));
	r->device_ms = r->device_band = r->mac_share = r->ddr_share = r->ddr_bytes = NAN;
	return p->device->api->request_init ? p->device->api->request_init(r) : TARN_OK;
}

tarn_err tarn_request_new(tarn_program *p, tarn_request **out)
{
	tarn_request *r = tarn_mem_zalloc(1, sizeof *r);
	if (!r)
		return tarn_err_nomem(sizeof *r);
	r->program = tarn_program_ref(p);
	atomic_init(&r->cancel, false);
	tarn_err err = fill(r);
	if (err) {
		release(r);
		return err;
	}
	*out = r;
	return TARN_OK;
}

/* Idle, callbacks over (or this is one). Called with the lock held; false at the deadline (< 0: none). */
static bool settle(tarn_request *r, int64_t deadline_ns)
{
	struct tarn_request_sync *s = r->sync;
	while (s->busy || (s->n_callback && inside != r)) {
		if (s->busy && r->pursue) {
			tarn_mutex_unlock(&s->lock);
			r->pursue(r, deadline_ns);
			tarn_mutex_lock(&s->lock);
			if (!s->busy)
				continue;
		}
		if (deadline_ns < 0)
			tarn_cond_wait(&s->done, &s->lock);
		else if (tarn_clock_ns() >= deadline_ns)
			return false;
		else
			(void)tarn_cond_wait_until(&s->done, &s->lock, deadline_ns);
	}
	return true;
}

void tarn_request_free(tarn_request *r)
{
	if (!r)
		return;
	struct tarn_request_sync *s = r->sync;
	tarn_mutex_lock(&s->lock);
	(void)settle(r, -1);
	while (s->n_held && inside != r)
		tarn_cond_wait(&s->done, &s->lock);
	tarn_mutex_unlock(&s->lock);
	release(r);
}

void tarn_request_set_publish(tarn_request *r, void (*publish)(void *ctx, tarn_request *r), void *ctx)
{
	tarn_mutex_lock(&r->sync->lock);
	r->sync->publish = publish;
	r->sync->publish_ctx = ctx;
	tarn_mutex_unlock(&r->sync->lock);
}

/* The lock is held. What is over and was not noticed yet, because nobody waited, is noticed now. */
static bool is_busy(tarn_request *r)
{
	if (r->sync->busy && r->pursue)
		(void)settle(r, 0);
	return r->sync->busy;
}

static tarn_err busy_error(void)
{
	return tarn_err_set(TARN_BUSY, "the request is running; wait for it first");
}

tarn_err tarn_request_set_callback(tarn_request *r, void (*fn)(void *arg), void *arg)
{
	tarn_mutex_lock(&r->sync->lock);
	bool busy = is_busy(r);
	if (!busy) {
		r->sync->callback = fn;
		r->sync->callback_arg = arg;
	}
	tarn_mutex_unlock(&r->sync->lock);
	return busy ? busy_error() : TARN_OK;
}

tarn_err tarn_request_check_idle(tarn_request *r)
{
	tarn_mutex_lock(&r->sync->lock);
	bool busy = is_busy(r);
	tarn_mutex_unlock(&r->sync->lock);
	return busy ? busy_error() : TARN_OK;
}

tarn_err tarn_request_begin(tarn_request *r)
{
	tarn_mutex_lock(&r->sync->lock);
	bool busy = is_busy(r);
	r->sync->busy = true;
	tarn_mutex_unlock(&r->sync->lock);
	return busy ? busy_error() : TARN_OK;
}

void tarn_request_abort(tarn_request *r)
{
	tarn_mutex_lock(&r->sync->lock);
	r->sync->busy = false;
	tarn_cond_broadcast(&r->sync->done);
	tarn_mutex_unlock(&r->sync->lock);
}

static tarn_err check_inputs(const tarn_request *r)
{
	for (int i = 0; i < r->n_in; i++) {
		const tarn_port *port = &r->program->in[i];
		CHECK(r->in[i].type != TARN_DTYPE_NONE, TARN_USAGE, "input '%s' has no data; set its tensor first", port->name);
		TRY(tarn_err_note(tarn_port_fits(port, &r->in[i]), "input tensor"));
	}
	return TARN_OK;
}

/* busy is set. Resets what the last run left. */
static tarn_err prepare(tarn_request *r, bool async)
{
	tarn_err err = check_inputs(r);
	if (err) {
		tarn_request_abort(r);
		return err;
	}
	tarn_metric_add(TARN_METRIC_REQUESTS, 1);
	r->t_wait = r->t_copy_in = r->t_device = r->t_copy_out = r->t_end = r->t_device_begin = r->t_device_end = 0;
	r->copies = r->copy_bytes = 0;
	r->device_ms = r->device_band = r->mac_share = r->ddr_share = r->ddr_bytes = NAN;
	r->device_modelled = false;
	r->layer.len = 0;
	atomic_store(&r->cancel, false);
	tarn_mutex_lock(&r->sync->lock);
	r->sync->started = true;
	r->sync->async = async;
	r->calls_back = async && r->sync->callback;
	r->sync->dispatched = false;
	r->sync->cancelled = false;
	tarn_mutex_unlock(&r->sync->lock);
	r->t_start = tarn_clock_ns();
	return TARN_OK;
}

tarn_err tarn_request_run_on(tarn_request *r, int slot)
{
	int64_t begin = tarn_clock_ns();
	r->slot = slot;
	r->t_wait = begin - r->t_start;
	if (atomic_load(&r->cancel))
		return tarn_err_set(TARN_CANCELLED, "the inference was cancelled");
	tarn_err err = r->program->device->api->run(r);
	int64_t end = tarn_clock_ns();
	if (!r->t_device)
		r->t_device = end - begin - r->t_copy_in - r->t_copy_out;
	r->t_device_begin = begin + r->t_copy_in;
	r->t_device_end = end - r->t_copy_out;
	return err;
}

static tarn_event event_of(const tarn_request *r)
{
	return (tarn_event){.request = (uint64_t)(uintptr_t)r,
			    .asked = r->t_asked,
			    .prepare = r->t_prepare,
			    .start = r->t_start,
			    .device_begin = r->t_device_begin,
			    .device_end = r->t_device_end,
			    .end = r->t_end,
			    .callback_end = r->t_end,
			    .copy_in = r->t_copy_in,
			    .copy_out = r->t_copy_out,
			    .bytes_copied = r->copy_bytes};
}

void tarn_request_finish(tarn_request *r, tarn_err err)
{
	struct tarn_request_sync *s = r->sync;
	bool recorded = !err && tarn_timeline_is_on();
	r->t_end = tarn_clock_ns();
	/* Taken now: the callback may start the request anew, or free it. */
	tarn_event event = recorded ? event_of(r) : (tarn_event){0};
	r->t_asked = r->t_prepare = 0;
	tarn_metric_add(TARN_METRIC_COPIES, r->copies);
	tarn_metric_add(TARN_METRIC_COPY_BYTES, r->copy_bytes);
	if (!err && s->publish)
		s->publish(s->publish_ctx, r);
	tarn_mutex_lock(&s->lock);
	if (!err && s->cancelled)
		err = tarn_err_set(TARN_CANCELLED, "the inference was cancelled");
	s->err = err;
	snprintf(s->text, sizeof s->text, "%s", err ? tarn_err_text() : "");
	void (*callback)(void *arg) = s->async ? s->callback : NULL;
	void *arg = s->callback_arg;
	bool held = s->dispatched;
	s->busy = false;
	s->n_callback += callback != NULL;
	if (recorded && !callback)
		tarn_timeline_add(&event);
	tarn_cond_broadcast(&s->done);
	tarn_mutex_unlock(&s->lock);
	if (callback) {
		const tarn_request *outer = inside;
		inside = r;
		over = 0;
		callback(arg);
		inside = outer;
		event.callback_end = over ? over : tarn_clock_ns();
		over = 0;
		if (recorded)
			tarn_timeline_add(&event);
	}
	if (!held)
		return; /* on the caller's thread: no callback, and the request may be gone once it is idle */
	tarn_mutex_lock(&s->lock);
	s->n_callback -= callback != NULL;
	s->n_held--;
	bool last = tarn_ref_drop(&s->refs); /* freed in its own callback */
	tarn_cond_broadcast(&s->done);
	tarn_mutex_unlock(&s->lock);
	if (last)
		destroy(r);
}

/* Hands the request to a stream's or the device's own threads. */
static tarn_err dispatch(tarn_request *r)
{
	tarn_ref_take(&r->sync->refs);
	tarn_mutex_lock(&r->sync->lock);
	r->sync->dispatched = true;
	r->sync->n_held++;
	tarn_mutex_unlock(&r->sync->lock);
	tarn_err err = r->program->stream ? tarn_stream_push(r->program->stream, r) : r->program->device->api->submit(r);
	if (err) {
		tarn_mutex_lock(&r->sync->lock);
		r->sync->n_held--;
		tarn_mutex_unlock(&r->sync->lock);
		(void)tarn_ref_drop(&r->sync->refs);
		tarn_request_abort(r);
	}
	return err;
}

tarn_err tarn_request_start(tarn_request *r)
{
	TRY(prepare(r, true));
	return dispatch(r);
}

tarn_err tarn_request_infer(tarn_request *r)
{
	struct tarn_stream *stream = r->program->stream;
	TRY(prepare(r, false));
	int slot = -1;
	if (stream)
		tarn_stream_try(stream, &slot);
	if (slot >= 0) {
		tarn_err err = tarn_request_run_on(r, slot);
		tarn_stream_leave(stream, slot);
		tarn_request_finish(r, err);
	} else {
		TRY(dispatch(r));
	}
	return tarn_request_wait(r);
}

tarn_err tarn_request_wait_until(tarn_request *r, int64_t deadline_ns)
{
	struct tarn_request_sync *s = r->sync;
	tarn_mutex_lock(&s->lock);
	tarn_err err;
	if (!s->started && !s->busy)
		err = tarn_err_set(TARN_NOT_READY, "no inference was started; start one first");
	else if (!settle(r, deadline_ns))
		err = tarn_err_set(TARN_NOT_READY, "the inference still runs");
	else
		err = s->err ? tarn_err_adopt(s->err, s->text) : TARN_OK;
	tarn_mutex_unlock(&s->lock);
	return err;
}

tarn_err tarn_request_wait(tarn_request *r)
{
	return tarn_request_wait_until(r, -1);
}

void tarn_request_end_callback(void)
{
	over = tarn_clock_ns();
}

void tarn_request_cancel(tarn_request *r)
{
	struct tarn_request_sync *s = r->sync;
	tarn_mutex_lock(&s->lock);
	bool busy = s->busy;
	if (busy)
		s->cancelled = true;
	tarn_mutex_unlock(&s->lock);
	if (!busy)
		return;
	atomic_store(&r->cancel, true);
	if (r->program->stream && tarn_stream_drop(r->program->stream, r))
		tarn_request_finish(r, tarn_err_set(TARN_CANCELLED, "the inference was cancelled"));
}

tarn_request *tarn_request_next(tarn_request *r, tarn_request *next)
{
	tarn_request *old = r->sync->next;
	r->sync->next = next;
	return old;
}

tarn_request *tarn_request_peek(const tarn_request *r)
{
	return r->sync->next;
}
