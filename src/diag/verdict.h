/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verdict: what limits a pipeline, from counters of a measurement. A pure function; rules.def lists what it can say.
 */
#ifndef TARN_DIAG_VERDICT_H
#define TARN_DIAG_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* Shares lie between 0 and 1; NAN: not known. */
typedef struct tarn_counters {
	int64_t inferences;
	double prepare, copy_in, device, copy_out, wait, other; /* of host time; together 1 */
	double busy;                                            /* of the time measured, the device had work */
	double mac, ddr;                                        /* of the device's peaks, while it ran */
	double int8;                                            /* of the model's MACs */
	int in_flight;                                          /* requests */
	int optimal;                                            /* what the device asks for; 0: not known */
	int workers;          /* threads that prepare inputs; 0: inputs are not prepared in the loop */
	int processors;       /* of this host; 0: not known */
	bool rate_limited;    /* from outside */
	bool exact;           /* simulated without a relation to the host's clock */
	bool decodes_in_full; /* JPEGs larger than needed are decoded at full size */
} tarn_counters;

/* Appends sentence and next step; *name is one of rules.def's, static. */
TARN_MUST tarn_err tarn_verdict_find(const tarn_counters *c, const char **name, tarn_str *sentence, tarn_str *next);

#endif
