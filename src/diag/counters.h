/* SPDX-License-Identifier: Apache-2.0 */
/* What a verdict is concluded from: counters.def, described in include/tarn/diagnose.h. */
#ifndef TARN_DIAG_COUNTERS_H
#define TARN_DIAG_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct tarn_counters {
#define COUNTER(type, field) type field;
#include "diag/counters.def"
#undef COUNTER
} tarn_counters;

/* Times the nominal clock: below it counts as slowed down. */
#define TARN_NOMINAL_CLOCK 0.93

/* 0 and NAN: not known. */
static inline bool tarn_counter_known(double v)
{
	return v > 0;
}

/* Of the time measured, the device had work. With one synchronous request it has work exactly while the host waits for it. */
double tarn_counters_busy(const tarn_counters *c);

#endif
