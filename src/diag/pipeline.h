/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model of the pipeline: its rate is that of its slowest stage. From counters follows what each stage takes of one inference;
 * a change replaces some of these times, and the ratio of the slowest before and after is the gain it promises. What lies
 * between the slowest stage and the rate that was measured (stages that disturb each other) stays with the host's stages, but
 * not with a device that keeps its own time: once it limits, it is busy all the time. Pure functions.
 */
#ifndef TARN_DIAG_PIPELINE_H
#define TARN_DIAG_PIPELINE_H

#include "base/str.h"
#include "diag/counters.h"

/* Of one inference, in the unit of the counters' shares (host time of an inference = 1). */
typedef struct tarn_pipeline {
	double prepare;     /* a worker's time, and */
	double prepare_cpu; /* a processor's */
	double copy_in, copy_out, device, other;
	double results; /* of other: what one thread at a time does with them */
	double run_cpu; /* a processor's time of all but preparing */
	int workers, requests, streams;
	double processors; /* what other programs leave of them; 0: not known */
	bool on_cpu;       /* the device runs on the host's processors */
} tarn_pipeline;

typedef enum tarn_stage {
	TARN_STAGE_REQUESTS,   /* all requests are on their way: nothing overlaps more than it does */
	TARN_STAGE_WORKERS,    /* all workers prepare or copy */
	TARN_STAGE_PROCESSORS, /* all processors do */
	TARN_STAGE_COPY_OUT,   /* one thread takes results out */
	TARN_STAGE_RESULTS,    /* one callback at a time looks at them */
	TARN_STAGE_DEVICE,
	TARN_STAGE_COUNT
} tarn_stage;

tarn_pipeline tarn_pipeline_of(const tarn_counters *c);
/* Time between two inferences that stage alone allows. */
double tarn_pipeline_interval(const tarn_pipeline *p, tarn_stage s);
tarn_stage tarn_pipeline_slowest(const tarn_pipeline *p);

/* What can be changed, one row each in changes.def. */
typedef enum tarn_change {
#define CHANGE(sym, word, flags, what) TARN_CHANGE_##sym,
#include "diag/changes.def"
#undef CHANGE
	TARN_CHANGE_COUNT
} tarn_change;
const char *tarn_change_word(tarn_change change);
/* How many times the rate of now; NAN: it does not apply, or nothing is known of it. */
double tarn_change_gain(const tarn_counters *c, tarn_change change);
/* The change as a piece of a command line, or in words; appended. */
void tarn_change_flags(const tarn_counters *c, tarn_change change, tarn_str *text);
const char *tarn_change_what(tarn_change change);

/* Requests and workers to try: one request runs, one waits, and each worker fills one. */
int tarn_want_workers(const tarn_counters *c);
int tarn_want_requests(const tarn_counters *c);

#endif
