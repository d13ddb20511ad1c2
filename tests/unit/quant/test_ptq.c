/* SPDX-License-Identifier: Apache-2.0 */
/* Post-training quantization of small networks: grids, placement, and what comes out when the result runs. */
#include "devices/graphs.h"

#include "dev/cpu/device.h"
#include "dev/ref/ref.h"
#include "quant/plan.h"

#include "devices/fixture.h"

static tarn_quant_report report;

static int setup(void **state)
{
	(void)state;
	return fixture_start(99);
}

static int teardown(void **state)
{
	tarn_quant_report_fini(&report);
	return fixture_teardown(state);
}

/* Every range: the grid covers it but for half a step, zero is a code, and that widens it by less than half. */
static void grids_cover_their_range(void **state)
{
	(void)state;
	for (int i = 0; i < 2000; i++) {
		double a = number() * 10, b = number() * 10, lo = fmin(a, b), hi = fmax(a, b);
		quant_grid s = tarn_quant_grid(lo, hi, true), m = tarn_quant_grid(lo, hi, false);
		int first = s.type == TARN_I8 ? -128 : 0, last = s.type == TARN_I8 ? 127 : 255;
		assert_int_equal(s.zero, 0);
		assert_int_equal(s.type, lo >= 0 ? TARN_U8 : TARN_I8);
		assert_true(last * (double)s.scale >= hi * 0.999999 && (lo >= 0 || first * (double)s.scale <= lo * 0.999999));
		assert_int_equal(m.type, TARN_U8);
		assert_in_range(m.zero, 0, 255);
		double step = m.scale, from = (0 - m.zero) * step, to = (255 - m.zero) * step;
		assert_true(from <= fmin(lo, 0) + 0.51 * step && to >= fmax(hi, 0) - 0.51 * step);
		assert_true(to - from <= (fmax(hi, 0) - fmin(lo, 0)) * 1.5 + 2e-3);
	}
}

static tarn_err random_sample(void *ctx, size_t i, tarn_tensor *in)
{
	(void)ctx;
	seed = (uint32_t)(7 * i + 3);
	for (size_t k = 0; k < g->input.len; k++)
		in[k] = filled(g->input.at[k]->shape);
	return TARN_OK;
}

static tarn_value *conv(tarn_value *x, int ic, int oc, int group)
{
	tarn_value *y = node(g, "Conv", x, weights(g, dims(4, oc, ic / group, 3, 3)), weights(g, dims(1, oc)));
	set_ints(g, y, "pads", 4, 1, 1, 1, 1);
	set_int(y, "group", group);
	return y;
}

static tarn_model *quantize(tarn_quant_preset preset, const char *ignore)
{
	tarn_device d = {.api = &tarn_dev_ref};
	const char *names[] = {ignore};
	tarn_quant_options o = {.preset = preset,
				.ignore = names,
				.n_ignore = ignore != NULL,
				.sample = random_sample,
				.n_sample = 6,
				.device = &d,
				.fine = TARN_QUANT_OFF};
	tarn_model *q = NULL;
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_quant_ptq(model, &o, &q, &report));
	tarn_device_close(&d);
	return q;
}

static int count(const tarn_model *m, const char *op)
{
	int n = 0;
	for (size_t i = 0; i < m->main->node.len; i++)
		n += m->main->node.at[i]->op == tarn_op_find(NULL, op);
	return n;
}

static void convolutional_network(void **state)
{
	(void)state;
	tarn_value *x = node(g, "Relu", conv(input(g, dims(4, 1, 3, 12, 12)), 3, 16, 1), NULL, NULL);
	tarn_value *p = node(g, "MaxPool", x, NULL, NULL);
	set_ints(g, p, "kernel_shape", 2, 2, 2);
	set_ints(g, p, "strides", 2, 2, 2);
	tarn_value *r = node(g, "Relu", node(g, "Add", conv(p, 16, 16, 16), conv(p, 16, 16, 1), NULL), NULL, NULL);
	tarn_value *f = node(g, "Flatten", node(g, "GlobalAveragePool", r, NULL, NULL), NULL, NULL);
	tarn_value *y = node(g, "Gemm", f, weights(g, dims(2, 16, 10)), weights(g, dims(1, 10)));
	output(g, y);
	output(g, node(g, "Softmax", y, NULL, NULL));
	tarn_model *q = quantize(TARN_QUANT_PERFORMANCE, NULL);
	/* Conv x3, Add, GlobalAveragePool, Gemm; the softmax and the ReLUs are not: two ReLUs are fused, but count as float
	 * nodes */
	assert_int_equal(report.nodes_int8, 6);
	assert_float_equal(report.mac_share_int8, 1, 1e-9);
	assert_true(report.sqnr_db[0] > 25);
	/* input, x and its pool (one grid), both convolutions, r, the flattened average: 7 pairs or more */
	assert_true(count(q, "QuantizeLinear") >= 7);
	assert_int_equal(count(q, "DequantizeLinear"), count(q, "QuantizeLinear") + 4 * 2);
	tarn_model_unref(q);
}

static void ignored_nodes_stay_float(void **state)
{
	(void)state;
	tarn_value *a = conv(input(g, dims(4, 1, 3, 8, 8)), 3, 8, 1), *b = conv(node(g, "Relu", a, NULL, NULL), 8, 4, 1);
	output(g, b);
	const char *name = b->def->name;
	tarn_model *q = quantize(TARN_QUANT_AUTO, name);
	bool told = false;
	for (size_t i = 0; i < report.reason.len; i++)
		told |= !strcmp(report.reason.at[i].node, name) && strstr(report.reason.at[i].why, "user");
	assert_true(told);
	assert_int_equal(report.nodes_int8, 1);
	for (size_t i = 0; i < q->main->node.len; i++)
		if (!strcmp(q->main->node.at[i]->name, name))
			assert_non_null(q->main->node.at[i]->in[1]->konst);
	tarn_model_unref(q);
}

/* Positive and negative parts of a concatenation get one grid, so that its codes can be copied. */
static void concat_shares_a_grid(void **state)
{
	(void)state;
	tarn_value *x = input(g, dims(4, 1, 4, 6, 6)), *a = node(g, "Relu", conv(x, 4, 8, 1), NULL, NULL),
		   *b = conv(x, 4, 8, 1);
	tarn_value *c = node(g, "Concat", a, b, NULL);
	set_int(c, "axis", 1);
	output(g, conv(c, 16, 4, 1));
	tarn_model *q = quantize(TARN_QUANT_MIXED, NULL);
	for (size_t i = 0; i < q->main->node.len; i++) {
		const tarn_node *n = q->main->node.at[i];
		if (n->op != tarn_op_find(NULL, "Concat"))
			continue;
		float s[2];
		for (int k = 0; k < 2; k++)
			s[k] = *(const float *)n->in[k]->def->in[1]->konst->data;
		assert_true(s[0] == s[1]);
	}
	assert_true(report.sqnr_db[0] > 25);
	tarn_model_unref(q);
}

/* The quantized model on the CPU's INT8 kernels and on the reference: at most a step or two of the last grid apart. */
static void cpu_runs_what_the_reference_says(void **state)
{
	(void)state;
	tarn_value *x = node(g, "Relu", conv(input(g, dims(4, 1, 3, 9, 11)), 3, 24, 1), NULL, NULL);
	tarn_value *r = node(g, "Add", conv(x, 24, 24, 24), x, NULL);
	output(g, conv(r, 24, 5, 1));
	tarn_model *q = quantize(TARN_QUANT_MIXED, NULL);
	tarn_device cpu = {.api = &tarn_dev_cpu};
	tarn_quant_options o = {.sample = random_sample, .n_sample = 4, .device = &cpu};
	tarn_quant_report here = {0};
	assert_ok(tarn_quant_compare(model, q, &o, &here));
	assert_true(fabs(here.sqnr_db[0] - report.sqnr_db[0]) < 1);
	tarn_quant_report_fini(&here);
	tarn_device_close(&cpu);
	tarn_model_unref(q);
}

static bool reason_says(const char *node, const char *text)
{
	for (size_t i = 0; i < report.reason.len; i++)
		if (!strcmp(report.reason.at[i].node, node) && strstr(report.reason.at[i].why, text))
			return true;
	return false;
}

/* A gate of squeeze and excite, an expectation over a softmax, SiLU: float, each with its own reason. What they join stays
 * INT8. */
static void patterns_stay_float(void **state)
{
	(void)state;
	tarn_value *x = conv(input(g, dims(4, 1, 3, 8, 8)), 3, 8, 1);
	tarn_value *silu = node(g, "Mul", x, node(g, "Sigmoid", x, NULL, NULL), NULL);
	tarn_value *sum = node(g, "Add", silu, conv(silu, 8, 8, 1), NULL);
	tarn_value *gate = node(g, "GlobalAveragePool", sum, NULL, NULL);
	tarn_value *small = node(g, "Conv", gate, weights(g, dims(4, 8, 8, 1, 1)), weights(g, dims(1, 8)));
	tarn_value *gated = node(g, "Mul", sum, node(g, "Sigmoid", small, NULL, NULL), NULL);
	tarn_value *bins = node(g, "Softmax", conv(gated, 8, 16, 1), NULL, NULL);
	set_int(bins, "axis", 1);
	tarn_value *boxes = node(g, "Conv", bins, weights(g, dims(4, 1, 16, 1, 1)), NULL);
	output(g, boxes);
	tarn_model *q = quantize(TARN_QUANT_AUTO, NULL);
	assert_true(reason_says(small->def->name, "squeeze and excite"));
	assert_true(reason_says(boxes->def->name, "softmax"));
	assert_true(reason_says(silu->def->name, "SiLU"));
	for (size_t i = 0; i < q->main->node.len; i++)
		if (!strcmp(q->main->node.at[i]->name, sum->def->name))
			assert_true(q->main->node.at[i]->in[0]->def->op == tarn_op_find(NULL, "DequantizeLinear"));
	tarn_model_unref(q);
}

static float factor = 1;
static tarn_err scaled_sample(void *ctx, size_t i, tarn_tensor *in)
{
	/* Every second sample is the one before it. */
	assert_ok(random_sample(ctx, i / 2, in));
	for (int64_t k = 0; k < tarn_tensor_count(&in[0]); k++)
		((float *)in[0].data)[k] *= factor;
	return TARN_OK;
}

/* Data of another range than the first layer was made for, and equal samples, are noticed. */
static void data_is_looked_at(void **state)
{
	(void)state;
	tarn_value *c = node(g, "Clip", conv(input(g, dims(4, 1, 3, 8, 8)), 3, 8, 1), scalar(g, 0), scalar(g, 6));
	output(g, conv(c, 8, 4, 1));
	assert_ok(tarn_graph_infer(g));
	static const struct {
		float factor;
		const char *says;
	} row[] = {{1, NULL}, {255, "too wide"}, {1e-3f, "too narrow"}};
	for (int i = 0; i < 3; i++) {
		tarn_device d = {.api = &tarn_dev_cpu};
		tarn_quant_options o = {.sample = scaled_sample, .n_sample = 6, .device = &d};
		tarn_quant_report r = {0};
		tarn_model *q;
		factor = row[i].factor;
		assert_ok(tarn_quant_ptq(model, &o, &q, &r));
		assert_int_equal(r.n_data, 1);
		assert_int_equal(r.duplicates, 3);
		assert_true(fabs(r.data[0].hi / row[i].factor - 1) < 0.1 && fabs(r.data[0].mean) < 0.1 * row[i].factor);
		assert_true(row[i].says ? r.data[0].warning && strstr(r.data[0].warning, row[i].says) : !r.data[0].warning);
		tarn_model_unref(q);
		tarn_quant_report_fini(&r);
		tarn_device_close(&d);
	}
}

static void bad_requests_are_refused(void **state)
{
	(void)state;
	output(g, conv(input(g, dims(4, 1, 3, 8, 8)), 3, 8, 1));
	assert_ok(tarn_graph_infer(g));
	tarn_device d = {.api = &tarn_dev_ref};
	const char *nobody[] = {"nobody"};
	tarn_quant_options o = {.ignore = nobody, .n_ignore = 1, .sample = random_sample, .n_sample = 2, .device = &d};
	tarn_model *q;
	assert_err(TARN_USAGE, tarn_quant_ptq(model, &o, &q, &report));
	o.n_ignore = 0;
	o.n_sample = 0;
	assert_err(TARN_BAD_FILE, tarn_quant_ptq(model, &o, &q, &report));
	tarn_device_close(&d);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(grids_cover_their_range),
		T(convolutional_network),
		T(ignored_nodes_stay_float),
		T(concat_shares_a_grid),
		T(patterns_stay_float),
		T(data_is_looked_at),
		T(cpu_runs_what_the_reference_says),
		T(bad_requests_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
