/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of this process, one row each in metrics.def. Any thread may add and read. */
#ifndef TARN_PROF_METRICS_H
#define TARN_PROF_METRICS_H

#include <stdint.h>

typedef enum tarn_metric {
#define METRIC(sym, word, meaning) TARN_METRIC_##sym,
#include "prof/metrics.def"
#undef METRIC
	TARN_METRIC_COUNT
} tarn_metric;

void tarn_metric_add(tarn_metric m, int64_t n);
int64_t tarn_metric_get(tarn_metric m);
const char *tarn_metric_word(tarn_metric m);

#endif
