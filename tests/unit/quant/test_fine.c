/* SPDX-License-Identifier: Apache-2.0 */
/* Two codes for a value: what they are worth, where they are taken, and that everything else stays. */
#include "unit/quant/fixture.h"

#include "quant/fine.h"
#include "quant/judge.h"
#include "quant/layer_report.h"

/* Groups, a border, a depthwise product behind a ReLU, a matrix product. */
static tarn_model *network(void)
{
	tarn_model *m;
	assert_ok(tarn_model_new(&m));
	seed = 12;
	tarn_graph *g = m->main;
	tarn_value *b = grouped_depthwise(g);
	tarn_value *c = node(g, "Conv", node(g, "Relu", b, NULL, NULL), weights(g, dims(4, 12, 20, 1, 1)), NULL);
	tarn_value *flat = node(g, "Reshape", c, ints(g, 2, (int64_t)2, (int64_t)(12 * 9 * 7)), NULL);
	output(g, node(g, "MatMul", flat, weights(g, dims(2, 12 * 9 * 7, 6)), NULL));
	assert_ok(tarn_graph_infer(g));
	return m;
}

static void plan_of(quant_plan *p, const tarn_model *m, const tarn_quant_options *o, tarn_quant_report *r)
{
	assert_ok(tarn_quant_plan_init(p, m, o));
	assert_ok(tarn_quant_place(p, o, r));
	assert_ok(tarn_quant_observe(p, o));
	assert_ok(tarn_quant_estimate(p));
	assert_ok(tarn_quant_weights(p));
}

/* Steps an eighth as large: 18 dB, less what an eighth of the weights' codes can say. */
static void an_eighth_of_a_step(void **state)
{
	(void)state;
	tarn_model *m = network();
	tarn_quant_options o = noise_options();
	tarn_quant_report r = {0};
	quant_plan p;
	plan_of(&p, m, &o, &r);
	const tarn_graph *g = p.m->main;
	for (size_t v = 0; v < g->value.len; v++) { /* coarse activations, so that their rounding is what matters */
		p.grid[v].scale *= 8;
		p.grid[v].zero /= 8;
	}
	double coarse = output_db(&p, &o);
	for (size_t v = 0; v < g->value.len; v++)
		p.fine[v] = p.marked[v];
	double fine = output_db(&p, &o);
	assert_true(coarse < 32);
	assert_true(fine > coarse + 12);
	tarn_quant_report_fini(&r);
	tarn_quant_plan_fini(&p);
	tarn_model_unref(m);
}

/* One value rounded far worse than the others is found; the report on layers still compares like with like. */
static void the_worst_value_is_found(void **state)
{
	(void)state;
	tarn_model *m = network(), *q;
	tarn_quant_options o = noise_options();
	tarn_quant_report r = {0};
	quant_plan p;
	quant_judge j;
	bool better;
	plan_of(&p, m, &o, &r);
	const tarn_node *worst = NULL;
	for (size_t i = 0; i < p.m->main->node.len; i++)
		if (tarn_quant_is(p.m->main->node.at[i], "Conv") && p.m->main->node.at[i]->in[1]->konst->dim[1] == 1)
			worst = p.m->main->node.at[i];
	assert_non_null(worst);
	p.grid[worst->in[0]->id].scale *= 32;
	assert_ok(tarn_quant_judge_init(&j, &p, &o));
	assert_ok(tarn_quant_write(&p, &q));
	assert_ok(tarn_quant_judge_better(&j, q, 0, &better));
	tarn_model_unref(q);
	double before = tarn_quant_judge_db(&j);
	assert_ok(tarn_quant_search_fine(&p, &j, true));
	assert_true(p.fine[worst->in[0]->id]);
	assert_true(tarn_quant_judge_db(&j) > before + 6);
	assert_ok(tarn_quant_write(&p, &q));
	assert_ok(tarn_quant_layer_report(p.m, q, &o, &r));
	assert_true(r.layer.len > 0);
	for (size_t i = 0; i < r.layer.len; i++)
		if (!strcmp(r.layer.at[i].node, worst->name)) {
			assert_string_equal(r.layer.at[i].state, "int8");
			assert_true(r.layer.at[i].own_db > 20);
		}
	tarn_model_unref(q);
	tarn_quant_judge_fini(&j);
	tarn_quant_report_fini(&r);
	tarn_quant_plan_fini(&p);
	tarn_model_unref(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_eighth_of_a_step),
		cmocka_unit_test(the_worst_value_is_found),
	};
	return cmocka_run_group_tests(tests, NULL, close_device);
}
