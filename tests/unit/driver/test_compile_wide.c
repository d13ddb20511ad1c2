/* SPDX-License-Identifier: Apache-2.0 */
/* When floats have 22 bits instead of 11, what that costs, and that a compiled model remembers it. */
#include "unit/driver/npu_graphs.h"

#include "driver/compile/noise.h"

#include <string.h>

/* A chain of convolutions on pictures that ends in a sigmoid of numbers around 0 with deviation `gain`. */
static tarn_model *decisions(int depth, float gain)
{
	tarn_model *m;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	seed = 3;
	tarn_value *y = input(g, dims(4, 1, 3, 48, 48));
	int c = 3;
	for (int i = 0; i < depth; i++, c = 16)
		y = node(g, "Relu", conv(g, y, c, 16, 3, 1, 1, i % 3 == 1 ? 16 : 1), NULL, NULL);
	y = conv(g, y, c, 1, 1, 1, 0, 1);
	tarn_value *one = scalar(g, 1), *zero = scalar(g, 0);
	y = node(g, "InstanceNormalization", y, node(g, "Reshape", one, ints(g, 1, 1), NULL),
		 node(g, "Reshape", zero, ints(g, 1, 1), NULL));
	y = node(g, "Mul", y, scalar(g, gain), NULL);
	output(g, node(g, "Sigmoid", y, NULL, NULL));
	assert_ok(tarn_graph_infer(g));
	return m;
}

static double expected(tarn_model *m)
{
	npu_noise noise;
	npu_layers layers;
	tarn_arena a = {0};
	tarn_model *c = copy_of(m);
	assert_ok(tarn_npu_lower(c));
	assert_ok(tarn_npu_group(c->main, &a, &layers));
	assert_ok(tarn_npu_noise(c->main, &layers, &a, &noise));
	assert_int_equal(noise.n, 1);
	double e = noise.worst[0];
	tarn_arena_fini(&a);
	tarn_model_unref(c);
	tarn_model_unref(m);
	return e;
}

static void expectations_follow_the_formula(void **state)
{
	(void)state;
	/* y = 3 x + 4 elementwise, x of deviation 1: rms 5. Roundings: the input, the product, the sum; less than three of the
	 * last. 64 elements. */
	tarn_model *m;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	tarn_value *x = input(g, dims(4, 1, 1, 8, 8));
	tarn_value *y = node(g, "Add", node(g, "Mul", x, scalar(g, 3), NULL), scalar(g, 4), NULL);
	output(g, node(g, "Sigmoid", y, NULL, NULL));
	assert_ok(tarn_graph_infer(g));
	double want = 2e-4 * sqrt(3) * 5 * sqrt(2 * log(64));
	assert_true(fabs(expected(m) - want) < 1e-3 * want);
	/* The same behind a mask and its making good, as bounded models have them: one more rounding, of the product. */
	assert_ok(tarn_model_new(&m));
	g = m->main;
	x = input(g, dims(4, 1, 1, 8, 8));
	tarn_value *n = input(g, dims(1, 1));
	x = node(g, "Where", node(g, "Less", weights(g, dims(1, 8)), n, NULL), x, scalar(g, 0));
	x = node(g, "Mul", x, node(g, "Div", scalar(g, 8), n, NULL), NULL);
	y = node(g, "Add", node(g, "Mul", x, scalar(g, 3), NULL), scalar(g, 4), NULL);
	output(g, node(g, "Sigmoid", y, NULL, NULL));
	assert_ok(tarn_graph_infer(g));
	want = 2e-4 * sqrt(4) * 5 * sqrt(2 * log(64));
	assert_true(fabs(expected(m) - want) < 1e-3 * want);
	/* Steeper, deeper: more. */
	assert_true(expected(decisions(6, 40)) > 1.9 * expected(decisions(6, 20)));
	/* Nothing steep at the end: input, product and result are off by a rounding each. */
	assert_ok(tarn_model_new(&m));
	y = node(m->main, "Mul", input(m->main, dims(2, 1, 8)), scalar(m->main, 1e4f), NULL);
	output(m->main, node(m->main, "Neg", y, NULL, NULL));
	assert_ok(tarn_graph_infer(m->main));
	want = 2e-4 * sqrt(3);
	assert_true(fabs(expected(m) - want) < 1e-2 * want);
}

/* softmax(x W), x of deviation 1: what rounding the input, the weights and the product does, each in closed form. */
static void each_rounding_has_its_part(void **state)
{
	(void)state;
	enum { K = 24, N = 10 };
	tarn_model *m;
	npu_noise noise;
	npu_layers layers;
	tarn_arena a = {0};
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	tarn_value *x = input(g, dims(2, 3, K)), *w = weights(g, dims(2, K, N)), *y = node(g, "MatMul", x, w, NULL);
	output(g, node(g, "Softmax", y, NULL, NULL));
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_npu_group(g, &a, &layers));
	assert_ok(tarn_npu_noise(g, &layers, &a, &noise));
	double squares = 0, most = (2 + log(N)) * (2 + log(N));
	for (int i = 0; i < K * N; i++)
		squares += pow(((const float *)w->konst->data)[i], 2);
	assert_true(squares / N < most);
	const struct {
		const tarn_value *v;
		double part;
	} want[] = {{x, squares / N}, {w, squares / N}, {y, most}};
	double all = 0;
	for (int i = 0; i < 3; i++) {
		double part = noise.of[0][want[i].v->id] / 4e-8;
		all += want[i].part;
		if (!(fabs(part - want[i].part) < 1e-6 * want[i].part))
			fail_msg("part of value %d: %g, expected %g", i, part, want[i].part);
	}
	assert_true(fabs(noise.worst[0] - 3 * 2e-4 * sqrt(all)) < 1e-6);
	tarn_arena_fini(&a);
	tarn_model_unref(m);
}

/* What is left below the bound, for no more than twice the price of the best of all subsets. */
static void choices_are_few_and_cheap(void **state)
{
	(void)state;
	enum { VALUES = 5 };
	tarn_model *m;
	npu_layers layers;
	tarn_arena a = {0};
	const tarn_arch *arch = tarn_arch_find(4000);
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	const tarn_value *v[VALUES];
	tarn_value *y = input(g, dims(4, 1, 3, 64, 64));
	v[0] = y;
	for (int i = 1; i < VALUES; i++)
		v[i] = y = conv(g, y, i == 1 ? 3 : 8 << i, 8 << (i + 1), 3, 2, 1, 1);
	output(g, y);
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_npu_group(g, &a, &layers));
	double *part = tarn_arena_zalloc(&a, g->value.len + 1, sizeof *part), all = 0, best = INFINITY, us;
	for (int i = 0; i < VALUES; i++)
		all += part[v[i]->id] = 1 + i % 3;
	const npu_noise noise = {.n = 1, .of = {part}, .spread = {1}, .worst = {sqrt(all)}};
	const double limit = 4;
	for (int set = 0; set < 1 << VALUES; set++) {
		double left = 0, sum = 0;
		npu_layers l = layers;
		bool *pair = tarn_arena_zalloc(&a, g->value.len + 1, sizeof *pair);
		for (int i = 0; i < VALUES; i++) {
			pair[v[i]->id] = set >> i & 1;
			left += set >> i & 1 ? 0 : part[v[i]->id];
		}
		assert_ok(tarn_npu_widen(g, &l, pair, &a));
		for (int i = 0; i < l.n; i++) {
			assert_ok(tarn_npu_layer_us(arch, &l.at[i], 1, &us));
			sum += us;
		}
		best = left <= limit && sum < best ? sum : best;
		assert_ok(tarn_npu_group(g, &a, &layers));
	}
	bool *pair;
	double left = 0, sum = 0;
	assert_ok(tarn_npu_choose_pairs(arch, g, &layers, 1, &noise, NULL, sqrt(limit), &a, &pair));
	for (int i = 0; i < VALUES; i++)
		left += pair[v[i]->id] ? 0 : part[v[i]->id];
	assert_ok(tarn_npu_widen(g, &layers, pair, &a));
	for (int i = 0; i < layers.n; i++) {
		assert_ok(tarn_npu_layer_us(arch, &layers.at[i], 1, &us));
		sum += us;
	}
	assert_true(left <= limit && left > 0);
	assert_true(sum <= 2 * best);
	tarn_arena_fini(&a);
	tarn_model_unref(m);
}

/* The expectation is worth something only if FP16 comes out as coarse as it says: within a factor of ten, from above or below.
 */
static void expectations_are_near_the_truth(void **state)
{
	(void)state;
	tarn_model *m = decisions(12, 30);
	double truth = against_reference_with(m, "--config EXECUTION_MODE_HINT=\"PERFORMANCE\"");
	double e = expected(m);
	if (!(truth > e / 10 && truth < 10 * e))
		fail_msg("expected %g, found %g", e, truth);
}

static uint64_t planned(const tarn_model *m, const char *flags, int platform, bool *wide, uint64_t *ddr)
{
	tarn_arena a = {0};
	tarn_model *c = copy_of(m);
	tarn_cc_flags f;
	npu_plan p;
	assert_ok(tarn_cc_flags_parse(flags, &f));
	assert_ok(tarn_npu_lower(c));
	assert_ok(tarn_npu_plan_make(tarn_arch_find(platform), c->main, &f, &a, &p));
	uint64_t ns = p.time[0].total_ns;
	*wide = p.layers.pair != NULL;
	*ddr = p.ddr_bytes;
	tarn_cc_flags_fini(&f);
	tarn_arena_fini(&a);
	tarn_model_unref(c);
	return ns;
}

static void hints_decide_and_cost_is_counted(void **state)
{
	(void)state;
	static const char accuracy[] = "--config EXECUTION_MODE_HINT=\"ACCURACY\"";
	static const char *const plain[] = {"--config EXECUTION_MODE_HINT=\"PERFORMANCE\"",
					    "--config INFERENCE_PRECISION_HINT=\"f16\""};
	tarn_model *steep = decisions(12, 400), *flat = decisions(12, 0.25f);
	bool wide;
	for (int platform = 3720; platform <= 4000; platform += 280) {
		uint64_t ddr[3], ns[3];
		ns[0] = planned(steep, plain[0], platform, &wide, &ddr[0]);
		assert_false(wide);
		ns[2] = planned(steep, NULL, platform, &wide, &ddr[2]);
		assert_true(wide);
		ns[1] = planned(steep, accuracy, platform, &wide, &ddr[1]);
		if (!(wide && ns[2] > ns[0] && ns[2] <= ns[1]))
			fail_msg("FP16 %llu ns, chosen %llu, all %llu", (unsigned long long)ns[0], (unsigned long long)ns[2],
				 (unsigned long long)ns[1]);
		/* Twice the bytes of weights and of what comes in and goes out; more time on the array and on SHAVEs. */
		assert_true(ns[1] > ns[0] + ns[0] / 10);
		assert_in_range(ddr[1], ddr[0] * 3 / 2, ddr[0] * 5 / 2);
		assert_true(planned(steep, plain[1], platform, &wide, &ddr[2]) == ns[0]);
		planned(flat, NULL, platform, &wide, &ddr[0]);
		assert_false(wide);
		planned(flat, accuracy, platform, &wide, &ddr[0]);
		assert_true(wide);
	}
	tarn_model_unref(steep);
	tarn_model_unref(flat);
}

/* A compiled model remembers: the steep one agrees with the reference although no flag says so when it is loaded. */
static void compiled_models_remember(void **state)
{
	(void)state;
	tarn_model *m = decisions(12, 400);
	double fine = against_reference(m), coarse = against_reference_with(m, "--config INFERENCE_PRECISION_HINT=\"f16\"");
	if (!(fine < 1e-3 && coarse > 1e-2))
		fail_msg("relative error %g, of FP16 %g", fine, coarse);
	tarn_model_unref(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expectations_follow_the_formula),  cmocka_unit_test(each_rounding_has_its_part),
		cmocka_unit_test(choices_are_few_and_cheap),        cmocka_unit_test(expectations_are_near_the_truth),
		cmocka_unit_test(hints_decide_and_cost_is_counted), cmocka_unit_test(compiled_models_remember),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
