/* SPDX-License-Identifier: Apache-2.0 */
/* Transposed convolutions rewritten as convolutions: the same numbers, for strides, borders, cuts and groups of all kinds. */
#include "unit/quant/fixture.h"

typedef struct shape_case {
	int stride, kernel, begin, end, extra, groups;
} shape_case;

static tarn_err sample(void *ctx, size_t i, tarn_tensor *in)
{
	(void)ctx;
	seed = (uint32_t)(31 * i + 7);
	in[0] = filled(dims(4, 2, 4, 5, 3));
	return TARN_OK;
}

static tarn_model *network(const shape_case *c, bool act, bool bias)
{
	tarn_model *m;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	tarn_value *x = input(g, dims(4, 2, 4, 5, 3));
	tarn_value *w = weights(g, dims(4, 4, 6 / c->groups, c->kernel, c->kernel + (c->kernel > 2)));
	tarn_value *y = node(g, "ConvTranspose", x, w, bias ? weights(g, dims(1, 6)) : NULL);
	set_ints(g, y, "strides", 2, c->stride, c->stride);
	set_ints(g, y, "pads", 4, c->begin, c->end, c->end, c->begin);
	set_ints(g, y, "output_padding", 2, c->extra, 0);
	set_int(y, "group", c->groups);
	output(g, act ? node(g, "Relu", y, NULL, NULL) : y);
	assert_ok(tarn_graph_infer(g));
	return m;
}

static int count(const tarn_model *m, const char *op)
{
	int n = 0;
	for (size_t i = 0; i < m->main->node.len; i++)
		n += tarn_quant_is(m->main->node.at[i], op);
	return n;
}

static void the_same_numbers(void **state)
{
	(void)state;
	static const shape_case cases[] = {{2, 2, 0, 0, 0, 1}, {2, 3, 1, 1, 1, 1}, {2, 4, 1, 1, 0, 2}, {3, 3, 0, 0, 0, 2},
					   {1, 3, 1, 1, 0, 1}, {1, 5, 2, 0, 0, 2}, {4, 7, 2, 3, 2, 1}, {2, 5, 0, 3, 1, 1},
					   {3, 2, 0, 0, 1, 1}, {2, 1, 0, 0, 0, 2}, {2, 6, 4, 2, 0, 1}};
	tarn_quant_options o = {.sample = sample, .n_sample = 2, .device = &cpu};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (int kind = 0; kind < 3; kind++) {
			tarn_quant_report r = {0};
			tarn_model *m = network(&cases[i], kind > 0, kind > 1), *lowered;
			assert_ok(tarn_model_clone(m, &lowered));
			assert_ok(tarn_quant_lower_transposed(lowered));
			assert_int_equal(count(lowered, "ConvTranspose"), 0);
			assert_int_equal(count(lowered, "Conv"), 1);
			assert_string_equal(lowered->main->output.at[0]->name, m->main->output.at[0]->name);
			assert_true(tarn_shape_same(&lowered->main->output.at[0]->shape, &m->main->output.at[0]->shape));
			assert_ok(tarn_quant_compare(m, lowered, &o, &r));
			assert_true(r.sqnr_db[0] > 110);
			tarn_quant_report_fini(&r);
			tarn_model_unref(lowered);
			tarn_model_unref(m);
		}
}

/* Strides that differ have no DepthToSpace, dilations no phases; strides far beyond the kernel would be mostly zeros. */
static void what_does_not_fit_stays(void **state)
{
	(void)state;
	shape_case c = {2, 3, 1, 1, 0, 1};
	for (int k = 0; k < 2; k++) {
		tarn_model *m = network(&c, false, false);
		tarn_value *y = m->main->output.at[0];
		set_ints(m->main, y, k ? "dilations" : "strides", 2, 2, 1);
		assert_ok(tarn_graph_infer(m->main));
		assert_ok(tarn_quant_lower_transposed(m));
		assert_int_equal(count(m, "ConvTranspose"), 1);
		tarn_model_unref(m);
	}
	static const shape_case sparse[] = {{3, 1, 0, 0, 0, 1}, {1 << 20, 1, 0, 0, 0, 2}};
	for (int k = 0; k < 2; k++) {
		tarn_model *m = network(&sparse[k], true, true);
		assert_ok(tarn_quant_lower_transposed(m));
		assert_int_equal(count(m, "ConvTranspose"), 1);
		tarn_model_unref(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_numbers),
		cmocka_unit_test(what_does_not_fit_stays),
	};
	return cmocka_run_group_tests(tests, NULL, close_device);
}
