/* SPDX-License-Identifier: Apache-2.0 */
/* The same command with other options, and two variants measured in turns. */
#ifndef TARN_TOOL_VARIANT_H
#define TARN_TOOL_VARIANT_H

#include "bench.h"

typedef struct variant {
	options o; /* the words of the first command, then the flags: later ones win */
	char **argv;
	char *text; /* the flags, cut into words */
} variant;

/* flags: words as a shell would read them, with quotes. 0, or 2 after its message. */
int variant_parse(const char *command, const options *base, const char *flags, variant *v);
void variant_fini(variant *v);

typedef struct ab {
	double *a, *b; /* rates of each round */
	size_t n;
	tarn_comparison_info c;
} ab;
/* Measures both for that long each, in rounds whose order alternates. When until_ms is finite, that is the most: it ends after
 * the round in which the clock (now_ms) reaches that, or the interval has become narrow. Both are open and warm. 0, or an exit
 * code after its message; an interrupt ends it early, maybe before there are the two rounds a comparison needs. */
int ab_run(bench *a, bench *b, double seconds, double until_ms, ab *r);
void ab_fini(ab *r);
/* "1.52 times the rate [1.49, 1.55]", or that no difference is shown. */
void ab_text(const tarn_comparison_info *c, char *text, size_t size);

#endif
