/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of quantization share: the CPU that runs both models, closed once all tests of a file ran; and the signal to noise
 * of their first outputs. */
#ifndef TARN_TESTS_QUANT_FIXTURE_H
#define TARN_TESTS_QUANT_FIXTURE_H

#include "devices/graphs.h"

#include "dev/cpu/device.h"
#include "quant/plan.h"

static tarn_device cpu = {.api = &tarn_dev_cpu};

static inline int close_device(void **state)
{
	(void)state;
	tarn_device_close(&cpu);
	return 0;
}

/* In dB: the first output of `b` against that of `a`, on the samples of `o`. */
static inline double sqnr_between(const tarn_model *a, const tarn_model *b, const tarn_quant_options *o)
{
	tarn_quant_report r = {0};
	assert_ok(tarn_quant_compare(a, b, o, &r));
	double db = r.sqnr_db[0];
	tarn_quant_report_fini(&r);
	return db;
}

/* The same for what a plan writes. */
static inline double output_db(const quant_plan *p, const tarn_quant_options *o)
{
	tarn_model *q;
	assert_ok(tarn_quant_write(p, &q));
	double db = sqnr_between(p->m, q, o);
	tarn_model_unref(q);
	return db;
}

#endif
