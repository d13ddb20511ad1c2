/* SPDX-License-Identifier: Apache-2.0 */
/* tarn diagnose: state shared by what is found (cmd_diagnose.c), tried (diagnose_try.c) and told (diagnose_report.c). */
#ifndef TARN_TOOL_DIAGNOSE_H
#define TARN_TOOL_DIAGNOSE_H

#include "variant.h"

/* One change, promised and tried. */
typedef struct trial {
	const char *word, *what;
	char flags[512];        /* added to the command */
	char advice[256];       /* what to do about it: the flags, or words */
	double predicted;       /* times the rate; NAN: not known */
	tarn_comparison_info c; /* measured */
	double before, after;   /* mean rates */
	char read_back[16];     /* turbo: what the property says after compiling; "" for others */
	char why_not[256];      /* it was not tried, and why; "" when it was */
} trial;

/* What this host achieves at computing and at reading memory, and what each layer takes of either; zeroed: not known. */
typedef struct roof_row {
	char *name, *type;
	double ms;
	int64_t macs, bytes;
} roof_row;
typedef struct roof {
	double tops, gbps; /* 1e12 operations, 1e9 bytes a second; measured */
	double bytes;      /* that come from memory in an inference: weights, and results larger than the caches */
	roof_row *row;
	size_t n;
} roof;

typedef struct diagnosis {
	const options *o;
	bench base;
	tarn_diag_counters counters;
	tarn_verdict verdict;
	trial *trial;
	size_t n_trial;
	roof roof;           /* of the CPU */
	char int8_model[64]; /* a file made for a trial; "" when there is none */
	double seconds;      /* of each side of a trial, at most */
	double end_ms;       /* when the time budget is spent */
	double int8_end_ms;  /* until then the model is quantized, else not */
} diagnosis;

/* What the device would take otherwise, by its model: into base.suppose_... */
void diagnose_suppose(diagnosis *d);
/* Tries what applies, each in turns with the baseline, what is advised first. 0, or an exit code after its message. */
int diagnose_try(diagnosis *d);
/* On a terminal: what is being done; NULL takes the line away. */
void diagnose_progress(const diagnosis *d, const char *what);
void diagnose_clean(diagnosis *d); /* removes the file */

/* Measures the memory and the layers, on the CPU; base.ddr becomes known. */
void roof_find(diagnosis *d);
void roof_print(diagnosis *d); /* sorts them */
void roof_json(const diagnosis *d, json *j);
void roof_clean(roof *r);

/* --peak. */
int diagnose_peak(const options *o);
/* Multiply-accumulates a second on that network, with the options' device and threads. b and v are to be closed in any case. */
int diagnose_peak_rate(const options *o, bool int8, double seconds, bench *b, variant *v, double *macs_per_second);

void diagnose_print(diagnosis *d);
int diagnose_json(diagnosis *d, json *j);

#endif
