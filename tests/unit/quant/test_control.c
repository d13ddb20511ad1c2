/* SPDX-License-Identifier: Apache-2.0 */
/* Accuracy control on a network with one layer that 8 bits break: it is restored first, and alone. */
#include "devices/graphs.h"

#include "dev/cpu/device.h"
#include "dev/ref/ref.h"
#include "quant/quant.h"

enum { SAMPLES = 24, CLASSES = 10 };

static tarn_model *model, *quantized;
static tarn_graph *g;
static tarn_device cpu;
static tarn_quant_report report;
static int64_t label[SAMPLES];

static int setup(void **state)
{
	(void)state;
	seed = 21;
	cpu = (tarn_device){.api = &tarn_dev_cpu};
	report = (tarn_quant_report){0};
	quantized = NULL;
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

/* Channel 0 of the second input is ten thousand times larger than the others and has no weight in what reads it: one grid for
 * all channels rounds the others to nothing. No factor can be moved anywhere, for it is an input of the model. */
static tarn_err sample(void *ctx, size_t i, tarn_tensor *in)
{
	(void)ctx;
	seed = (uint32_t)(7919 * i + 3);
	for (size_t k = 0; k < g->input.len; k++) {
		in[k] = filled(g->input.at[k]->shape);
		int64_t plane = in[k].dim[2] * in[k].dim[3];
		for (int64_t e = 0; k == 1 && e < plane; e++)
			((float *)in[k].data)[e] *= 1e4f;
	}
	return TARN_OK;
}

static tarn_value *conv(const char *name, tarn_value *x, int ic, int oc, bool blind)
{
	tarn_tensor w = filled(dims(4, oc, ic, 3, 3));
	for (int64_t o = 0; blind && o < oc; o++)
		for (int k = 0; k < 9; k++)
			((float *)w.data)[o * ic * 9 + k] = 0;
	tarn_value *v;
	assert_ok(tarn_value_const(g, NULL, &w, &v));
	tarn_tensor_fini(&w);
	tarn_node *n;
	assert_ok(tarn_node_new(g, tarn_op_find(NULL, "Conv"), name, 3, 1, -1, &n));
	n->in[0] = x;
	n->in[1] = v;
	n->in[2] = weights(g, dims(1, oc));
	set_ints(g, n->out[0], "pads", 4, 1, 1, 1, 1);
	return n->out[0];
}

/* Three layers on one input, a broken one on the other; their sum is classified. */
static void build(void)
{
	tarn_value *x = input(g, dims(4, 1, 3, 6, 6)), *z = input(g, dims(4, 1, 4, 6, 6));
	tarn_value *y = node(g, "Relu", conv("first", x, 3, 8, false), NULL, NULL);
	y = node(g, "Relu", conv("second", y, 8, 8, false), NULL, NULL);
	tarn_value *b = conv("broken", z, 4, 8, true);
	y = node(g, "Add", node(g, "Mul", y, scalar(g, 0.02f), NULL), b, NULL);
	y = conv("head", node(g, "Relu", y, NULL, NULL), 8, CLASSES, false);
	y = node(g, "GlobalAveragePool", y, NULL, NULL);
	output(g, node(g, "Flatten", y, NULL, NULL));
	assert_ok(tarn_graph_infer(g));
}

static int64_t best_of(const tarn_tensor *t)
{
	int64_t best = 0;
	for (int64_t c = 1; c < CLASSES; c++)
		if (tarn_tensor_f64(t, c) > tarn_tensor_f64(t, best))
			best = c;
	return best;
}

static tarn_err score(void *ctx, size_t i, const tarn_tensor *out, int n_out, double *right)
{
	(void)ctx;
	assert_int_equal(n_out, 1);
	*right = best_of(out) == label[i];
	return TARN_OK;
}

static tarn_err price(void *ctx, const tarn_model *q, tarn_estimate *e)
{
	(void)ctx;
	*e = (tarn_estimate){.ms = (double)q->main->node.len};
	return TARN_OK;
}

/* What the float model says is right. */
static void make_labels(void)
{
	for (size_t i = 0; i < SAMPLES; i++) {
		tarn_tensor in[2] = {0}, out = {0};
		const tarn_tensor *ptr[2] = {&in[0], &in[1]};
		assert_ok(sample(NULL, i, in));
		assert_ok(tarn_graph_eval(g, ptr, &out, NULL, NULL));
		label[i] = best_of(&out);
		tarn_tensor_fini(&out);
		tarn_tensor_fini(&in[0]);
		tarn_tensor_fini(&in[1]);
	}
}

static void run(double max_drop, bool metric)
{
	tarn_quant_control c = {.max_drop = max_drop, .score = metric ? score : NULL, .price = price};
	tarn_quant_options o = {.sample = sample, .n_sample = SAMPLES, .device = &cpu, .control = &c};
	assert_ok(tarn_quant_ptq(model, &o, &quantized, &report));
}

/* Does the layer read codes? */
static bool in_int8(const char *name)
{
	for (size_t i = 0; i < quantized->main->node.len; i++) {
		const tarn_node *n = quantized->main->node.at[i];
		if (!strcmp(n->name, name))
			return n->in[1]->def && n->in[1]->def->op == tarn_op_find(NULL, "DequantizeLinear");
	}
	return false;
}

static void expect_broken_first(double limit)
{
	const tarn_quant_step *s = report.control.step.at;
	assert_true(report.control.met);
	assert_true(report.control.step.len == 3);
	assert_int_equal(s[0].what, TARN_QUANT_STEP_FLOAT);
	assert_int_equal(s[1].what, TARN_QUANT_STEP_INT8);
	assert_true(s[1].drop > limit);
	assert_int_equal(s[2].what, TARN_QUANT_STEP_RESTORE);
	assert_string_equal(s[2].node, "broken");
	assert_true(s[2].drop <= limit && s[2].chosen && s[2].pareto && !s[0].chosen);
	assert_true(s[1].bytes < s[2].bytes && s[2].bytes < s[0].bytes);
	assert_true(s[2].mac_share_int8 > 0 && s[2].mac_share_int8 < s[1].mac_share_int8);
	assert_true(!in_int8("broken") && in_int8("first") && in_int8("second") && in_int8("head"));
}

static void by_labels(void **state)
{
	(void)state;
	build();
	make_labels();
	run(10, true);
	expect_broken_first(10);
	assert_true(report.control.step.at[0].score == 1);
}

static void by_outputs(void **state)
{
	(void)state;
	build();
	run(2, false);
	expect_broken_first(2);
	assert_true(isnan(report.control.step.at[0].score));
}

/* Nothing is restored when nothing is lost. */
static void within_the_limit_at_once(void **state)
{
	(void)state;
	tarn_value *y = node(g, "Relu", conv("one", input(g, dims(4, 1, 3, 6, 6)), 3, 8, false), NULL, NULL);
	output(g, conv("two", y, 8, 4, false));
	assert_ok(tarn_graph_infer(g));
	run(5, false);
	assert_true(report.control.met && report.control.step.len == 2 && report.control.step.at[1].chosen);
	assert_true(in_int8("one") && in_int8("two"));
}

/* A limit that only the float model holds: said, and the best of the others is the result. */
static void out_of_reach(void **state)
{
	(void)state;
	build();
	run(1e-9, false);
	assert_false(report.control.met);
	const tarn_quant_step *chosen = NULL, *s = report.control.step.at;
	for (size_t i = 0; i < report.control.step.len; i++)
		chosen = s[i].chosen ? &s[i] : chosen;
	assert_true(chosen && chosen != s && report.nodes_int8 > 0);
	for (size_t i = 1; i < report.control.step.len; i++)
		assert_true(chosen->drop <= s[i].drop);
	/* each layer is ranked once and restored twice at most */
	assert_true(report.control.evaluations <= 3 * 6 + 3);
}

/* ---- three layers of which each makes an output; what an output counts is the score's affair ---- */

static double worth[2]; /* of the first two outputs, when they are the float model's */
static size_t counted;  /* samples before this one are right whatever comes out */

static bool as_in_float(const tarn_tensor *want, const tarn_tensor *got)
{
	double off = 0, most = 0;
	for (int64_t i = 0, n = tarn_tensor_count(want); i < n; i++) {
		off = fmax(off, fabs(tarn_tensor_f64(want, i) - tarn_tensor_f64(got, i)));
		most = fmax(most, fabs(tarn_tensor_f64(want, i)));
	}
	return off < 1e-5 * most;
}

static tarn_err worth_of(void *ctx, size_t i, const tarn_tensor *out, int n_out, double *right)
{
	(void)ctx;
	tarn_tensor in[2] = {0}, want[3] = {0};
	const tarn_tensor *ptr[2] = {&in[0], &in[1]};
	assert_int_equal(n_out, 3);
	assert_ok(sample(NULL, i, in));
	assert_ok(tarn_graph_eval(g, ptr, want, NULL, NULL));
	*right = 1;
	for (int k = 0; k < 2 && i >= counted; k++)
		*right -= as_in_float(&want[k], &out[k]) ? 0 : worth[k];
	for (int k = 0; k < 3; k++)
		tarn_tensor_fini(&want[k]);
	tarn_tensor_fini(&in[0]);
	tarn_tensor_fini(&in[1]);
	return TARN_OK;
}

/* The first takes ten times the multiply-accumulates of the second. */
static void run_on_three(bool broken, double worth_of_first, double worth_of_second, size_t from, double max_drop)
{
	tarn_value *x = input(g, dims(4, 1, 3, 6, 6)), *z = input(g, dims(4, 1, 4, 6, 6));
	output(g, broken ? conv("large", z, 4, 8, true) : conv("large", x, 3, 10, false));
	output(g, conv("small", x, 3, 1, false));
	output(g, conv("other", x, 3, 4, false));
	assert_ok(tarn_graph_infer(g));
	worth[0] = worth_of_first;
	worth[1] = worth_of_second;
	counted = from;
	tarn_quant_control c = {.max_drop = max_drop, .score = worth_of, .price = price};
	tarn_quant_options o = {.sample = sample, .n_sample = SAMPLES, .device = &cpu, .control = &c};
	assert_ok(tarn_quant_ptq(model, &o, &quantized, &report));
}

static void expect_step(size_t i, int what, const char *name)
{
	assert_true(i < report.control.step.len);
	assert_int_equal(report.control.step.at[i].what, what);
	assert_string_equal(report.control.step.at[i].node, name);
}

/* A small layer brings as much accuracy for a tenth of the cost, but nearly all of the outputs' error is the broken one's. */
static void broken_before_cheap(void **state)
{
	(void)state;
	run_on_three(true, 0.5, 0.5, 0, 10);
	expect_step(2, TARN_QUANT_STEP_RESTORE, "large");
	expect_step(3, TARN_QUANT_STEP_RESTORE, "small");
	expect_step(4, TARN_QUANT_STEP_RETURN, "large");
	assert_true(report.control.met && !in_int8("large") && !in_int8("small") && in_int8("other"));
}

/* What was restored first and is not needed in the end goes back to INT8. */
static void not_needed_in_the_end(void **state)
{
	(void)state;
	run_on_three(true, 0.2, 0.8, 0, 30);
	expect_step(2, TARN_QUANT_STEP_RESTORE, "large");
	expect_step(3, TARN_QUANT_STEP_RESTORE, "small");
	expect_step(4, TARN_QUANT_STEP_RETURN, "large");
	assert_true(report.control.met && in_int8("large") && !in_int8("small") && in_int8("other"));
}

/* Only a few samples lose anything: layers are ranked on them. The largest error of the outputs does not matter there. */
static void ranked_on_the_worst(void **state)
{
	(void)state;
	run_on_three(true, 0, 1, SAMPLES - 4, 1);
	expect_step(2, TARN_QUANT_STEP_RESTORE, "small");
	assert_true(report.control.met && in_int8("large") && !in_int8("small"));
}

/* Of equal gains the one of less work, although it comes later. */
static void cheap_first(void **state)
{
	(void)state;
	run_on_three(false, 0.5, 0.5, 0, 60);
	expect_step(2, TARN_QUANT_STEP_RESTORE, "small");
	assert_true(report.control.met && in_int8("large") && !in_int8("small"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(by_labels, setup, teardown),
		cmocka_unit_test_setup_teardown(by_outputs, setup, teardown),
		cmocka_unit_test_setup_teardown(within_the_limit_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(out_of_reach, setup, teardown),
		cmocka_unit_test_setup_teardown(broken_before_cheap, setup, teardown),
		cmocka_unit_test_setup_teardown(not_needed_in_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(ranked_on_the_worst, setup, teardown),
		cmocka_unit_test_setup_teardown(cheap_first, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
