/* SPDX-License-Identifier: Apache-2.0 */
/* What a timeline adds up to: mean phases of a request, how busy the device was, and why it was idle when it was. Pure. */
#ifndef TARN_DIAG_SUMMARY_H
#define TARN_DIAG_SUMMARY_H

#include "base/err.h"
#include "prof/timeline.h"

typedef struct tarn_summary {
	size_t n;         /* inferences whose time on the device is known */
	double window_ms; /* from the first moment told to the last */
	/* Of one inference, mean, ms: waiting for a free request; filling inputs; copying; queued; device; from its end to the
	 * host's notice; copying; the callback. */
	double slot, prepare, copy_in, queue, device, notice, copy_out, callback;
	/* Of the window, together 1: the device had work; it was idle while the next input was prepared, copied in or out;
	 * while the host noticed a result or handed over the next; while nothing was asked of it. */
	double busy, gap_prepare, gap_copy, gap_host, gap_input;
} tarn_summary;

/* Sorts the events by their start on the device. n 0 in *s: no event says when the device worked. */
TARN_MUST tarn_err tarn_summary_make(tarn_event *e, size_t n, tarn_summary *s);

#endif
