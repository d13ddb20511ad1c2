/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verdict: what limits a pipeline, from counters of a measurement. A pure function; rules.def lists what it can say.
 */
#ifndef TARN_DIAG_VERDICT_H
#define TARN_DIAG_VERDICT_H

#include "base/str.h"
#include "diag/pipeline.h"

typedef struct tarn_finding {
	const char *name, *detail; /* rules.def's, static */
	tarn_change change;        /* advised; TARN_CHANGE_COUNT: none of the list */
	double gain;               /* promised by it, times the rate; NAN: not known */
} tarn_finding;

/* Appends sentence and next step. */
TARN_MUST tarn_err tarn_verdict_find(const tarn_counters *c, tarn_finding *finding, tarn_str *sentence, tarn_str *next);

#endif
