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

/* What rounding adds on average: by hand for a convolution in two groups, whose channels see different means. */
static void shifts_by_hand(void **state)
{
	(void)state;
	tarn_model *m = network(false);
	tarn_quant_options o = options();
	quant_plan p;
	plan_of(&p, m, &o);
	const tarn_node *n = p.m->main->node.at[0];
	const quant_weight *w = &p.weight[0];
	const float *x = n->in[1]->konst->data;
	const double *mean = p.stat[n->in[0]->id].mean;
	assert_non_null(mean);
	double most = 0;
	for (int o8 = 0; o8 < 8; o8++) {
		double want = 0;
		for (int i = 0; i < 27; i++)
			want += ((double)w->code[o8 * 27 + i] * (double)w->scale[o8] - (double)x[o8 * 27 + i]) *
				mean[o8 / 4 * 3 + i / 9];
		assert_true(fabs(w->shift[o8] - want) < 1e-9);
		most = fmax(most, fabs(want));
	}
	assert_true(most > 1e-4);
	tarn_quant_plan_fini(&p);
	tarn_model_unref(m);
}

/* A product without a bias of its own: the constant that is added behind it loses the shift, which stays float. */
static tarn_err row_sample(void *ctx, size_t i, tarn_tensor *in)
{
	(void)ctx;
	seed = (uint32_t)(13 * i + 5);
	in[0] = filled(dims(3, 1, 4, 24));
	for (int k = 0; k < 4 * 24; k++)
		((float *)in[0].data)[k] = ((float *)in[0].data)[k] * 0.2f + 1;
	return TARN_OK;
}

static void constants_behind_products_lose_the_shift(void **state)
{
	(void)state;
	tarn_model *m;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	seed = 8;
	tarn_value *y = node(g, "MatMul", input(g, dims(3, 1, 4, 24)), weights(g, dims(2, 24, 10)), NULL);
	output(g, node(g, "Add", y, weights(g, dims(1, 10)), NULL));
	assert_ok(tarn_graph_infer(g));
	tarn_quant_options o = {.sample = row_sample, .n_sample = 8, .device = &cpu, .preset = TARN_QUANT_PERFORMANCE};
	quant_plan p;
	plan_of(&p, m, &o);
	for (int c = 0; c < 10; c++)
		p.weight[0].shift[c] = 0.25 * (c + 1);
	tarn_model *q;
	assert_ok(tarn_quant_write(&p, &q));
	const tarn_node *add = q->main->node.at[q->main->node.len - 1];
	assert_string_equal(add->op->name, "Add");
	const tarn_tensor *was = m->main->node.at[1]->in[1]->konst, *now = add->in[1]->konst;
	for (int c = 0; c < 10; c++)
		assert_true(fabs(tarn_tensor_f64(was, c) - 0.25 * (c + 1) - tarn_tensor_f64(now, c)) < 1e-6);
	tarn_model_unref(q);
	tarn_quant_plan_fini(&p);
	tarn_model_unref(m);
}

/* An output channel of zeros keeps a scale that can be divided by. */
static void a_dead_channel(void **state)
{
	(void)state;
	tarn_model *m = network(true);
	float *x = (float *)(uintptr_t)m->main->node.at[0]->in[1]->konst->data;
	memset(x + 2 * 27, 0, 27 * sizeof *x);
	tarn_quant_options o = options();
	quant_plan p;
	plan_of(&p, m, &o);
	assert_true(p.weight[0].scale[2] > 0 && isfinite(1 / p.weight[0].scale[2]));
	for (int i = 0; i < 27; i++)
		assert_int_equal(p.weight[0].code[2 * 27 + i], 0);
	assert_true(output_db(&p, &o) > 25);
	tarn_quant_plan_fini(&p);
	tarn_model_unref(m);
}

/* Long tails: the range that entropy picks lies inside the whole one, and diverges less from the values. */
static tarn_err tailed_sample(void *ctx, size_t i, tarn_tensor *in)
{
	TRY(sample(ctx, i, in));
	for (int k = 0; k < 6 * 63; k++)
		((float *)in[0].data)[k] = powf(((float *)in[0].data)[k], 9);
	return TARN_OK;
}

static void entropy_takes_the_least_divergence(void **state)
{
	(void)state;
	double kl[2];
	float scale[2];
	for (int k = 0; k < 2; k++) {
		tarn_model *m = network(true);
		tarn_quant_options o = options();
		quant_plan p;
		o.sample = tailed_sample;
		o.estimator = k ? TARN_QUANT_ENTROPY : TARN_QUANT_MIN_MAX;
		plan_of(&p, m, &o);
		size_t x = p.m->main->node.at[0]->in[0]->id;
		kl[k] = tarn_quant_hist_divergence(&p.stat[x].hist, &p.grid[x]);
		scale[k] = p.grid[x].scale;
		tarn_quant_plan_fini(&p);
		tarn_model_unref(m);
	}
	assert_true(kl[1] < kl[0] && scale[1] < scale[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(histograms_grow),
		cmocka_unit_test(sqnr_of_uniform_values),
		cmocka_unit_test(columns_are_what_weights_meet),
		cmocka_unit_test(rounding_by_outputs_beats_rounding_to_nearest),
		cmocka_unit_test(biases_take_the_mean_error),
		cmocka_unit_test(shifts_by_hand),
		cmocka_unit_test(constants_behind_products_lose_the_shift),
		cmocka_unit_test(a_dead_channel),
		cmocka_unit_test(entropy_takes_the_least_divergence),
	};
	return cmocka_run_group_tests(tests, NULL, close_device);
}
