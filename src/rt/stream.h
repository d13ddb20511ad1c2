/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams: how many requests of one program run at once on a device with `run`, first come first served. A synchronous request
 * runs on its caller's thread when a stream is free and nobody waits; all others run on threads of the program, started with
 * the first of them. Owned by the program.
 */
#ifndef TARN_RT_STREAM_H
#define TARN_RT_STREAM_H

#include "rt/device.h"

TARN_MUST tarn_err tarn_stream_new(int n, struct tarn_stream **s);
/* No request may be queued. May be called on one of the stream's own threads. */
void tarn_stream_free(struct tarn_stream *s);
/* Runs the request on a thread of the stream, which then calls tarn_request_finish. */
TARN_MUST tarn_err tarn_stream_push(struct tarn_stream *s, tarn_request *r);
/* Takes a free stream for the calling thread when there is one and the queue is empty; *slot < 0: there is none. */
void tarn_stream_try(struct tarn_stream *s, int *slot);
void tarn_stream_leave(struct tarn_stream *s, int slot);
/* Takes a queued request out again; false when it is running or done. */
bool tarn_stream_drop(struct tarn_stream *s, tarn_request *r);

#endif
