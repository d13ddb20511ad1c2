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

/* f32 [2, 6, 9, 7], other numbers for each i. */
static inline tarn_err noise_sample(void *ctx, size_t i, tarn_tensor *in)
{
	(void)ctx;
	seed = (uint32_t)(31 * i + 7);
	in[0] = filled(dims(4, 2, 6, 9, 7));
	return TARN_OK;
}

/* Mixed, on eight of them. */
static inline tarn_quant_options noise_options(void)
{
	return (tarn_quant_options){.preset = TARN_QUANT_MIXED, .sample = noise_sample, .n_sample = 8, .device = &cpu};
}

/* A convolution in groups with a border, and a depthwise product of 20 channels behind its ReLU. */
static inline tarn_value *grouped_depthwise(tarn_graph *g)
{
	tarn_value *x = input(g, dims(4, 2, 6, 9, 7));
	tarn_value *a = node(g, "Conv", x, weights(g, dims(4, 20, 3, 3, 3)), weights(g, dims(1, 20)));
	set_ints(g, a, "pads", 4, 1, 1, 1, 1);
	set_int(a, "group", 2);
	tarn_value *b = node(g, "Conv", node(g, "Relu", a, NULL, NULL), weights(g, dims(4, 20, 1, 3, 3)), NULL);
	set_ints(g, b, "pads", 4, 1, 1, 1, 1);
	set_int(b, "group", 20);
	return b;
}

#endif
