/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A timeline as a trace for Perfetto (ui.perfetto.dev) and chrome://tracing: the JSON format both read. One process of tracks
 * for the host (a track for each request: prepare, copy in, in flight, copy out, callback), one for the device (queued,
 * running). Slices of a track never overlap: what runs at the same time gets tracks of its own.
 */
#ifndef TARN_DIAG_TRACE_H
#define TARN_DIAG_TRACE_H

#include "base/str.h"
#include "prof/timeline.h"

typedef struct tarn_trace_layer {
	const char *name, *type, *engine;
	double ms;
} tarn_trace_layer;

typedef struct tarn_trace {
	const tarn_event *event; /* in any order */
	size_t n, dropped;       /* dropped: of the timeline, said in the trace */
	const char *device;      /* its full name */
	bool modelled;           /* times of the device come from a model: said in the name of its tracks */
	/* Layers of one inference; drawn one after the other under the last inference of the device. May be none. */
	const tarn_trace_layer *layer;
	size_t n_layer;
} tarn_trace;

/* Appends the whole JSON text. */
TARN_MUST tarn_err tarn_trace_write(const tarn_trace *t, tarn_str *json);

#endif
