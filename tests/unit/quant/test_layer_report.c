/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of each layer: where own and gathered noise must be equal, what the outputs' comparison says, codes counted by hand.
 */
#include "devices/graphs.h"

#include "dev/cpu/device.h"
#include "quant/quant.h"

static tarn_model *model, *quantized;
static tarn_graph *g;
static tarn_device cpu;
static tarn_quant_report report;
static float spread;
static size_t watched;

static int setup(void **state)
{
	(void)state;
	seed = 8;
	spread = 1;
	watched = 0;
	cpu = (tarn_device){.api = &tarn_dev_cpu};
	report = (tarn_quant_report){0};
	assert_ok(tarn_model_new(&model));
	g = model->main;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tarn_quant_report_fini(&report);
	tarn_model_unref(quantized);
	tarn_model_unref(model);
	tarn_device_close(&cpu);
	return 0;
}

/* Sample 0 is `spread` times wider than the others. */
static tarn_err sample(void *ctx, size_t i, tarn_tensor *in)
{
	(void)ctx;
	seed = (uint32_t)(31 * i + 1);
	in[0] = filled(g->input.at[0]->shape);
	for (int64_t e = 0; i == 0 && e < tarn_tensor_count(&in[0]); e++)
		((float *)in[0].data)[e] *= spread;
	return TARN_OK;
}

static void run(tarn_quant_estimator estimator)
{
	tarn_quant_options o = {.sample = sample,
				.n_sample = 4,
				.device = &cpu,
				.layers = true,
				.watched = watched,
				.estimator = estimator,
				.fine = TARN_QUANT_OFF};
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_quant_ptq(model, &o, &quantized, &report));
}

static tarn_value *conv(tarn_value *x, int ic, int oc)
{
	return node(g, "Conv", x, weights(g, dims(4, oc, ic, 3, 3)), weights(g, dims(1, oc)));
}

static void two_layers(void **state)
{
	(void)state;
	tarn_value *y = node(g, "Relu", conv(input(g, dims(4, 1, 3, 12, 12)), 3, 8), NULL, NULL);
	output(g, conv(y, 8, 6));
	run(TARN_QUANT_MIN_MAX);
	assert_int_equal(report.layer.len, 3);
	const tarn_quant_layer *l = report.layer.at;
	assert_string_equal(l[0].state, "int8");
	assert_string_equal(l[1].op, "Relu");
	assert_string_equal(l[2].state, "int8");
	/* Nothing is rounded before the first layer: all its noise is its own. */
	assert_true(fabs(l[0].own_db - l[0].total_db) < 0.05 && l[0].own_db > 20 && l[0].own_db < 60);
	/* What reaches the output, measured by other code over the same samples. */
	assert_true(fabs(l[2].total_db - report.sqnr_db[0]) < 0.05);
	assert_true(l[2].own_db > l[2].total_db - 0.5);
	/* The range of all samples leaves nothing out, and 1728 numbers use most codes. */
	assert_true(l[0].clipped < 1e-3 && l[0].codes > 200 && l[0].codes <= 256);
	assert_true(l[0].n_from == 0 && l[1].n_from == 1 && l[1].from[0] == 0 && l[2].n_from == 1 && l[2].from[0] == 1);
}

/* Layers that are looked at one after the other have the same figures. */
static void two_layers_apart(void **state)
{
	watched = 1;
	two_layers(state);
}

/* The mean of the samples' ranges cuts the wide sample off: three quarters of its range, a share known in advance. */
static void a_wide_sample_is_clipped(void **state)
{
	(void)state;
	spread = 8;
	output(g, conv(input(g, dims(4, 1, 3, 40, 40)), 3, 4));
	run(TARN_QUANT_MEAN_MIN_MAX);
	/* limit (8 + 1 + 1 + 1) / 4 = 2.75 of 8, uniform: 65.6 % of a quarter of the elements */
	assert_true(fabs(report.layer.at[0].clipped - (1 - 2.75 / 8) / 4) < 0.02);
	assert_int_equal(report.layer.at[0].codes, 255 + (report.layer.at[0].codes == 256));
}

static void branches(void **state)
{
	(void)state;
	tarn_value *x = conv(input(g, dims(4, 1, 3, 10, 10)), 3, 4);
	tarn_value *y = node(g, "Reshape", node(g, "Add", conv(x, 4, 4), conv(x, 4, 4), NULL), ints(g, 2, 1, -1), NULL);
	output(g, y);
	run(TARN_QUANT_SEARCHED);
	size_t n = report.layer.len;
	const tarn_quant_layer *l = report.layer.at;
	assert_int_equal(n, 5);
	assert_string_equal(l[3].op, "Add");
	assert_int_equal(l[3].n_from, 2);
	assert_true(l[1].from[0] == 0 && l[2].from[0] == 0 && l[3].from[0] + l[3].from[1] == 3);
	for (size_t i = 0; i < n; i++)
		assert_true(l[i].total_db > 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(two_layers, setup, teardown),
		cmocka_unit_test_setup_teardown(two_layers_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(a_wide_sample_is_clipped, setup, teardown),
		cmocka_unit_test_setup_teardown(branches, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
