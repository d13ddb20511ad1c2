/* SPDX-License-Identifier: Apache-2.0 */
/* Histograms and estimators against counts made by hand; rounding and bias correction against what they promise. */
#include "unit/quant/fixture.h"

#include "quant/columns.h"
#include "quant/repair.h"

static uint32_t bins[QUANT_BINS], other_bins[QUANT_BINS];

/* The same counts whatever order and ranges values come in, and every value in its bin. */
static void histograms_grow(void **state)
{
	(void)state;
	float small[64], large[64];
	quant_hist a = {0, bins}, b = {0, other_bins};
	seed = 3;
	memset(bins, 0, sizeof bins);
	memset(other_bins, 0, sizeof other_bins);
	for (int i = 0; i < 64; i++) {
		small[i] = 0.01f * number();
		large[i] = 7 * number();
	}
	tarn_quant_hist_add(&a, small, 64, 1, 0.01);
	tarn_quant_hist_add(&a, large, 64, 1, 7);
	tarn_quant_hist_add(&b, large, 64, 1, 7);
	quant_hist c = {0, (uint32_t[QUANT_BINS]){0}};
	tarn_quant_hist_add(&c, small, 64, 1, 0.01);
	tarn_quant_hist_merge(&b, &c);
	assert_true(a.limit == 8 && b.limit == 8);
	assert_memory_equal(a.bin, b.bin, sizeof bins);
	uint32_t expect[QUANT_BINS] = {0};
	for (int i = 0; i < 64; i++) {
		expect[(int)floor(small[i] * 512.0) + QUANT_BINS / 2]++;
		expect[(int)floor(large[i] * 512.0) + QUANT_BINS / 2]++;
	}
	assert_memory_equal(a.bin, expect, sizeof expect);
}

/* Uniform values: noise is step^2 / 12, signal limit^2 / 3. */
static void sqnr_of_uniform_values(void **state)
{
	(void)state;
	quant_hist h = {1, bins};
	for (int i = 0; i < QUANT_BINS; i++)
		bins[i] = 10;
	quant_grid g = tarn_quant_grid(-1, 1, true);
	double step = 1.0 / 127, expect = 10 * log10(1.0 / 3 / (step * step / 12));
	assert_true(fabs(tarn_quant_hist_sqnr(&h, &g) - expect) < 0.1);
	double lo, hi;
	tarn_quant_hist_percentile(&h, 0.1, &lo, &hi);
	assert_true(fabs(lo + 0.8) < 1e-3 && fabs(hi - 0.8) < 1e-3);
}

static tarn_err sample(void *ctx, size_t i, tarn_tensor *in)
{
	(void)ctx;
	seed = (uint32_t)(31 * i + 7);
	in[0] = filled(dims(4, 1, 6, 9, 7));
	/* Channels that go together: what rounding the one does wrong, the other can make up for. */
	float *x = in[0].data;
	for (int k = 0; k < 63; k++)
		for (int c = 1; c < 6; c++)
			x[c * 63 + k] = 0.9f * x[k] + 0.1f * x[c * 63 + k] + 0.3f;
	return TARN_OK;
}

static tarn_quant_options options(void)
{
	return (tarn_quant_options){.preset = TARN_QUANT_MIXED, .sample = sample, .n_sample = 12, .device = &cpu};
}

static tarn_model *network(bool bias)
{
	tarn_model *m;
	assert_ok(tarn_model_new(&m));
	seed = 12;
	tarn_graph *g = m->main;
	tarn_value *x = input(g, dims(4, 1, 6, 9, 7));
	tarn_value *a = node(g, "Conv", x, weights(g, dims(4, 8, 3, 3, 3)), bias ? weights(g, dims(1, 8)) : NULL);
	set_ints(g, a, "pads", 4, 1, 1, 0, 1);
	set_ints(g, a, "strides", 2, 2, 1);
	set_int(a, "group", 2);
	tarn_value *b = node(g, "Conv", node(g, "Relu", a, NULL, NULL), weights(g, dims(4, 5, 8, 1, 1)), NULL);
	output(g, b);
	assert_ok(tarn_graph_infer(g));
	return m;
}

static void plan_of(quant_plan *p, const tarn_model *m, const tarn_quant_options *o)
{
	tarn_quant_report r = {0};
	assert_ok(tarn_quant_plan_init(p, m, o));
	assert_ok(tarn_quant_place(p, o, &r));
	assert_ok(tarn_quant_observe(p, o));
	assert_ok(tarn_quant_estimate(p));
	assert_ok(tarn_quant_weights(p));
	tarn_quant_report_fini(&r);
}

/* A column times the weights is an output element: the sum a convolution makes, written once more. */
static void columns_are_what_weights_meet(void **state)
{
	(void)state;
	tarn_model *m = network(false);
	const tarn_node *n = m->main->node.at[0];
	tarn_tensor x;
	assert_ok(sample(NULL, 3, &x));
	quant_columns c;
	assert_ok(tarn_quant_columns_init(&c, n, 1000));
	assert_int_equal(c.length, 27);
	assert_int_equal(c.groups, 2);
	assert_ok(tarn_quant_columns_add(&c, &x, &n->out[0]->shape, 1000));
	assert_int_equal(c.count, 4 * 7);
	const float *in = x.data;
	for (int p = 0; p < 28; p++)
		for (int g = 0; g < 2; g++)
			for (int k = 0; k < 27; k++) {
				int i = p / 7 * 2 - 1 + k / 3 % 3, j = p % 7 - 1 + k % 3, ch = g * 3 + k / 9;
				float expect = i < 0 || i >= 9 || j < 0 || j >= 7 ? 0 : in[(ch * 9 + i) * 7 + j];
				assert_true(c.x[((int64_t)g * c.room + p) * 27 + k] == expect);
			}
	tarn_quant_columns_fini(&c);
	tarn_tensor_fini(&x);
	tarn_model_unref(m);
}

static void rounding_by_outputs_beats_rounding_to_nearest(void **state)
{
	(void)state;
	tarn_model *m = network(true);
	tarn_quant_options o = options();
	quant_plan p;
	plan_of(&p, m, &o);
	/* Coarse weights, so that their rounding is what matters. */
	for (size_t i = 0; i < p.m->main->node.len; i++) {
		quant_weight *w = &p.weight[i];
		const tarn_tensor *t = w->scale ? p.m->main->node.at[i]->in[1]->konst : NULL;
		for (int64_t k = 0; t && k < tarn_tensor_count(t); k++) {
			int64_t c = k / (tarn_tensor_count(t) / w->channels);
			w->code[k] = (int8_t)rintf(((const float *)t->data)[k] / (16 * w->scale[c]));
		}
		for (int64_t c = 0; t && c < w->channels; c++)
			w->scale[c] *= 16;
	}
	tarn_quant_shift_weights(&p);
	double nearest = output_db(&p, &o);
	assert_ok(tarn_quant_round(&p, &o));
	double chosen = output_db(&p, &o);
	assert_true(nearest < 30);
	assert_true(chosen > nearest + 2);
	tarn_quant_plan_fini(&p);
	tarn_model_unref(m);
}

static void biases_take_the_mean_error(void **state)
{
	(void)state;
	for (int bias = 0; bias < 2; bias++) {
		tarn_model *m = network(bias);
		tarn_quant_options o = options();
		quant_plan p;
		plan_of(&p, m, &o);
		/* An error that lasts: every weight of the first product one code too large. */
		quant_weight *w = &p.weight[0];
		for (int64_t i = 0; i < tarn_tensor_count(p.m->main->node.at[0]->in[1]->konst); i++)
			w->code[i] = (int8_t)(w->code[i] < 127 ? w->code[i] + 1 : 127);
		double before = output_db(&p, &o);
		assert_ok(tarn_quant_correct_biases(&p, &o));
		double after = output_db(&p, &o);
		assert_true(after > before + 2);
		tarn_quant_plan_fini(&p);
		tarn_model_unref(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(histograms_grow),
		cmocka_unit_test(sqnr_of_uniform_values),
		cmocka_unit_test(columns_are_what_weights_meet),
		cmocka_unit_test(rounding_by_outputs_beats_rounding_to_nearest),
		cmocka_unit_test(biases_take_the_mean_error),
	};
	return cmocka_run_group_tests(tests, NULL, close_device);
}
