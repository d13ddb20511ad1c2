/* SPDX-License-Identifier: Apache-2.0 */
#include "prof/metrics.h"

#include <stdatomic.h>

static atomic_int_fast64_t count[TARN_METRIC_COUNT];
static const char *const words[TARN_METRIC_COUNT] = {
#define METRIC(sym, word, meaning) word,
#include "prof/metrics.def"
#undef METRIC
};

void tarn_metric_add(tarn_metric m, int64_t n)
{
	atomic_fetch_add_explicit(&count[m], n, memory_order_relaxed);
}

int64_t tarn_metric_get(tarn_metric m)
{
	return atomic_load_explicit(&count[m], memory_order_relaxed);
}

const char *tarn_metric_word(tarn_metric m)
{
	return words[m];
}
