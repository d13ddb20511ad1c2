/* SPDX-License-Identifier: Apache-2.0 */
/* Placement on blocks of well-known networks, bias correction in closed form, and quantized layers on CPU against REF. */
#include "devices/graphs.h"

#include "dev/cpu/device.h"
#include "dev/ref/ref.h"
#include "quant/plan.h"
#include "rt/program.h"
#include "rt/request.h"

#include "devices/fixture.h"

static tarn_quant_report report;

static int setup(void **state)
{
	(void)state;
	return fixture_start(12);
}

static int teardown(void **state)
{
	tarn_quant_report_fini(&report);
	return fixture_teardown(state);
}

static tarn_err random_sample(void *ctx, size_t i, tarn_tensor *in)
{
	(void)ctx;
	seed = (uint32_t)(31 * i + 5);
	for (size_t k = 0; k < g->input.len; k++)
		in[k] = filled(g->input.at[k]->shape);
	return TARN_OK;
}

static tarn_err ones(void *ctx, size_t i, tarn_tensor *in)
{
	TRY(random_sample(ctx, i, in));
	for (int64_t k = 0; k < tarn_tensor_count(&in[0]); k++)
		((float *)in[0].data)[k] = 1;
	return TARN_OK;
}

static tarn_model *quantize(tarn_quant_preset preset, tarn_err (*sample)(void *, size_t, tarn_tensor *))
{
	tarn_device d = {.api = &tarn_dev_ref};
	tarn_quant_options o = {.preset = preset, .sample = sample, .n_sample = 3, .device = &d, .fine = TARN_QUANT_OFF};
	tarn_model *q = NULL;
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_quant_ptq(model, &o, &q, &report));
	tarn_device_close(&d);
	return q;
}

static tarn_value *conv(tarn_value *x, int ic, int oc, int k, int group)
{
	tarn_value *y = node(g, "Conv", x, weights(g, dims(4, oc, ic / group, k, k)), weights(g, dims(1, oc)));
	if (k == 3)
		set_ints(g, y, "pads", 4, 1, 1, 1, 1);
	set_int(y, "group", group);
	return y;
}

static tarn_value *unary(const char *op, tarn_value *x)
{
	return node(g, op, x, NULL, NULL);
}

/* Why a node stays float; NULL: it does not. */
static const char *why(const tarn_value *v)
{
	for (size_t i = 0; i < report.reason.len; i++)
		if (!strcmp(report.reason.at[i].node, v->def->name))
			return report.reason.at[i].why;
	return NULL;
}

static bool has_codes(const tarn_model *q, const char *node_name, int input)
{
	for (size_t i = 0; i < q->main->node.len; i++) {
		const tarn_node *n = q->main->node.at[i];
		if (!strcmp(n->name, node_name))
			return n->in[input]->def && n->in[input]->def->op == tarn_op_find(NULL, "DequantizeLinear");
	}
	return false;
}

/* Expand, depthwise, project, add: all of it in INT8, the activations belong to the convolutions. */
static void inverted_residual(void **state)
{
	(void)state;
	tarn_value *x = conv(input(g, dims(4, 1, 3, 8, 8)), 3, 8, 3, 1);
	tarn_value *e = node(g, "Clip", conv(x, 8, 24, 1, 1), scalar(g, 0), scalar(g, 6));
	tarn_value *d = node(g, "Clip", conv(e, 24, 24, 3, 24), scalar(g, 0), scalar(g, 6));
	tarn_value *p = conv(d, 24, 8, 1, 1), *sum = node(g, "Add", x, p, NULL), *last = conv(sum, 8, 4, 1, 1);
	output(g, last);
	const char *names[] = {x->def->name, e->def->in[0]->def->name, d->def->in[0]->def->name,
			       p->def->name, sum->def->name,           last->def->name};
	tarn_model *q = quantize(TARN_QUANT_AUTO, random_sample);
	assert_int_equal(report.nodes_int8, 6);
	assert_int_equal(report.nodes_float, 0);
	assert_int_equal(report.preset, TARN_QUANT_PERFORMANCE);
	for (int i = 0; i < 6; i++)
		assert_true(has_codes(q, names[i], 0));
	assert_true(has_codes(q, names[4], 1));
	assert_true(report.sqnr_db[0] > 20);
	tarn_model_unref(q);
}

/* Squeeze and excite: the gate stays float with its reason, the convolutions around it do not. */
static void gates_stay_float(void **state)
{
	(void)state;
	tarn_value *x = unary("HardSwish", conv(input(g, dims(4, 1, 3, 8, 8)), 3, 16, 3, 1));
	tarn_value *a = conv(unary("GlobalAveragePool", x), 16, 4, 1, 1), *b = conv(unary("Relu", a), 4, 16, 1, 1);
	tarn_value *y = node(g, "Mul", x, unary("HardSigmoid", b), NULL);
	tarn_value *last = conv(y, 16, 4, 1, 1);
	output(g, last);
	tarn_model *q = quantize(TARN_QUANT_AUTO, random_sample);
	assert_int_equal(report.preset, TARN_QUANT_MIXED);
	assert_non_null(why(a));
	assert_non_null(strstr(why(a), "gate"));
	assert_non_null(why(b));
	assert_non_null(strstr(why(b), "gate"));
	assert_null(why(last));
	assert_null(why(x->def->in[0]));
	assert_true(has_codes(q, last->def->name, 0));
	assert_false(has_codes(q, a->def->name, 1));
	tarn_model_unref(q);
}

/* Fire: two branches into a concatenation whose codes are copied on. */
static void concatenation_moves_codes(void **state)
{
	(void)state;
	tarn_value *s = unary("Relu", conv(input(g, dims(4, 1, 3, 8, 8)), 3, 8, 1, 1));
	tarn_value *c = node(g, "Concat", unary("Relu", conv(s, 8, 8, 1, 1)), unary("Relu", conv(s, 8, 8, 3, 1)), NULL);
	set_int(c, "axis", 1);
	output(g, conv(c, 16, 4, 1, 1));
	const char *name = c->def->name;
	tarn_model *q = quantize(TARN_QUANT_AUTO, random_sample);
	assert_int_equal(report.nodes_int8, 4);
	assert_int_equal(report.nodes_float, 0);
	assert_true(has_codes(q, name, 0) && has_codes(q, name, 1));
	tarn_model_unref(q);
}

/* Products of what no convolution made, as in activations and normalisations written out, stay float; residual sums do not. */
static void sums_follow_products(void **state)
{
	(void)state;
	tarn_value *x = conv(input(g, dims(4, 1, 3, 8, 8)), 3, 8, 3, 1), *t = unary("Tanh", x);
	tarn_value *square = node(g, "Mul", t, t, NULL),
		   *sum = node(g, "Add", conv(square, 8, 8, 1, 1), unary("Relu", x), NULL);
	output(g, conv(sum, 8, 4, 1, 1));
	tarn_model *q = quantize(TARN_QUANT_AUTO, random_sample);
	assert_non_null(why(square));
	assert_non_null(strstr(why(square), "no result of a convolution"));
	assert_null(why(sum));
	assert_int_equal(report.nodes_int8, 4);
	tarn_model_unref(q);
}

/* A free batch stays free, and the share of multiply-accumulates is known all the same. */
static tarn_err two_images(void *ctx, size_t i, tarn_tensor *in)
{
	(void)ctx;
	seed = (uint32_t)i + 9;
	in[0] = filled(dims(4, 2, 3, 8, 8));
	return TARN_OK;
}

static void share_with_free_sizes(void **state)
{
	(void)state;
	tarn_shape s = dims(4, 0, 3, 8, 8);
	assert_ok(tarn_symtab_named(&model->syms, "batch", &s.dim[0]));
	tarn_value *x = conv(input(g, s), 3, 8, 3, 1);
	output(g, node(g, "MatMul", node(g, "Flatten", x, NULL, NULL), weights(g, dims(2, 512, 2)), NULL));
	tarn_model *q = quantize(TARN_QUANT_AUTO, two_images);
	assert_float_equal(report.mac_share_int8, 1, 1e-9);
	assert_false(tarn_shape_is_static(&q->main->input.at[0]->shape));
	tarn_model_unref(q);
}

/* All inputs 1 (an exact code); weights of which all but one in each channel lie 0.4 steps above a code. Without a correction
 * each channel would be off by 0.4 steps times 15. */
static void rounding_of_weights_is_made_up_for(void **state)
{
	(void)state;
	enum { IC = 16, OC = 8 };
	tarn_value *w = weights(g, dims(4, OC, IC, 1, 1)), *b = weights(g, dims(1, OC));
	const float step = 0.01f;
	float *at = (float *)(uintptr_t)w->konst->data;
	for (int o = 0; o < OC; o++)
		for (int i = 0; i < IC; i++)
			at[o * IC + i] = i ? ((float)(i + o) + 0.4f) * step : 127 * step;
	output(g, node(g, "Conv", input(g, dims(4, 1, IC, 4, 4)), w, b));
	tarn_model *q = quantize(TARN_QUANT_PERFORMANCE, ones);
	assert_true(report.sqnr_db[0] > 60);
	tarn_model_unref(q);
}

static void run(const tarn_device_api *api, const tarn_model *m, tarn_tensor *out)
{
	tarn_device d = {.api = api};
	tarn_program *p;
	tarn_request *r;
	assert_ok(tarn_program_compile(&d, m, NULL, &p));
	assert_ok(tarn_request_new(p, &r));
	assert_ok(tarn_request_begin(r));
	for (int k = 0; k < r->n_in; k++)
		tarn_tensor_fini(&r->in[k]);
	assert_ok(random_sample(NULL, 77, r->in));
	assert_ok(tarn_request_infer(r));
	assert_ok(tarn_tensor_copy(&r->out[0], out));
	tarn_request_free(r);
	tarn_program_unref(p);
	tarn_device_close(&d);
}

/* Makes the codes that the last quantizer writes the only output. */
static void keep_codes(tarn_model *q)
{
	tarn_value *codes = NULL;
	for (size_t i = 0; i < q->main->node.len; i++)
		if (q->main->node.at[i]->op == tarn_op_find(NULL, "QuantizeLinear"))
			codes = q->main->node.at[i]->out[0];
	assert_non_null(codes);
	q->main->output.len = 1;
	q->main->output.at[0] = codes;
	tarn_graph_sweep(q->main);
	assert_ok(tarn_graph_sort(q->main));
}

static tarn_value *random_layer(void)
{
	static const int kernel[] = {1, 3};
	int k = kernel[between(0, 1)], ic = 4 * between(1, 6), h = between(3, 9), w = between(3, 17), group = 1,
	    oc = between(1, 40);
	if (between(0, 2) == 0)
		group = oc = ic;
	tarn_value *x = input(g, dims(4, between(1, 2), ic, h, w));
	if (between(0, 4) == 0)
		return node(g, "Add", x, input(g, g->input.at[0]->shape), NULL);
	return conv(x, ic, oc, k, group);
}

/* One layer from the same float input: its codes on the CPU's INT8 kernels and by the reference differ by one at most. */
static void layers_differ_by_one_code_at_most(void **state)
{
	for (int i = 0; i < 40; i++) {
		uint32_t own = seed = (uint32_t)(1000 + i);
		tarn_value *y = random_layer();
		seed = own + 1;
		if (between(0, 1))
			y = unary("Relu", y);
		output(g, unary("GlobalAveragePool", y)); /* wants codes */
		tarn_model *q = quantize(i % 2 ? TARN_QUANT_MIXED : TARN_QUANT_PERFORMANCE, random_sample);
		keep_codes(q);
		tarn_tensor want, got;
		run(&tarn_dev_ref, q, &want);
		run(&tarn_dev_cpu, q, &got);
		int64_t n = tarn_tensor_count(&want), apart = 0;
		assert_int_equal(n, tarn_tensor_count(&got));
		assert_int_equal(want.type, got.type);
		for (int64_t e = 0; e < n; e++) {
			int64_t d = tarn_tensor_i64(&want, e) - tarn_tensor_i64(&got, e);
			assert_in_range(d + 1, 0, 2);
			apart += d != 0;
		}
		assert_true(apart * 50 <= n);
		tarn_tensor_fini(&want);
		tarn_tensor_fini(&got);
		tarn_model_unref(q);
		teardown(state);
		setup(state);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(inverted_residual),
		T(gates_stay_float),
		T(concatenation_moves_codes),
		T(sums_follow_products),
		T(share_with_free_sizes),
		T(rounding_of_weights_is_made_up_for),
		T(layers_differ_by_one_code_at_most),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
