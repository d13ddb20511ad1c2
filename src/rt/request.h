/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Infer requests: one inference at a time each, started here or on another thread.
 *
 * State: idle -> (begin) -> busy -> (finish) -> idle. Tensors belong to the user while idle and to the device while busy. Every
 * function may be called from any thread; the owner frees the request once. The callback runs once after each asynchronous
 * inference, on the thread that finished it, with the request idle again: it may read results, start the request anew, or free
 * it.
 */
#ifndef TARN_RT_REQUEST_H
#define TARN_RT_REQUEST_H

#include "rt/device.h"

/* Takes its own reference to p. Tensors of static inputs and outputs are allocated by the device; others have type NONE. */
TARN_MUST tarn_err tarn_request_new(tarn_program *p, tarn_request **r);
/* Waits for a running inference and its callback (except from that callback), then releases. */
void tarn_request_free(tarn_request *r);

/* Called after completion, before the request is idle, on the completing thread (results can be taken out of r->out). */
void tarn_request_set_publish(tarn_request *r, void (*publish)(void *ctx, tarn_request *r), void *ctx);
/* fn NULL: none. TARN_BUSY while running. */
TARN_MUST tarn_err tarn_request_set_callback(tarn_request *r, void (*fn)(void *arg), void *arg);

/* TARN_BUSY while an inference runs. */
TARN_MUST tarn_err tarn_request_check_idle(tarn_request *r);
/* idle -> busy. TARN_BUSY otherwise. The caller then binds tensors and calls exactly one of abort, infer, start. */
TARN_MUST tarn_err tarn_request_begin(tarn_request *r);
void tarn_request_abort(tarn_request *r);
/* Runs and waits; no callback. */
TARN_MUST tarn_err tarn_request_infer(tarn_request *r);
/* Returns at once; errors of the inference itself come from wait. */
TARN_MUST tarn_err tarn_request_start(tarn_request *r);
/* The result of the last inference; TARN_NOT_READY when none was ever started. From inside the callback it does not wait. */
TARN_MUST tarn_err tarn_request_wait(tarn_request *r);
/* The same, giving up with TARN_NOT_READY at the deadline (tarn_clock_ns). */
TARN_MUST tarn_err tarn_request_wait_until(tarn_request *r, int64_t deadline_ns);
/* From inside a callback: what it does from now on belongs to other inferences, on a timeline. */
void tarn_request_end_callback(void);
/* A queued inference does not run, a running one ends when its device notices; wait then says TARN_CANCELLED. Idle: nothing. */
void tarn_request_cancel(tarn_request *r);

/* For stream.c: the link of its queue (sets it, returns the old one); the device's run with times taken. */
tarn_request *tarn_request_next(tarn_request *r, tarn_request *next);
tarn_request *tarn_request_peek(const tarn_request *r);
TARN_MUST tarn_err tarn_request_run_on(tarn_request *r, int slot);

#endif
