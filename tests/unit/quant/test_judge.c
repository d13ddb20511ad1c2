/* SPDX-License-Identifier: Apache-2.0 */
/* What counts as better: less noise, unless decisions change for little of it. */
#include "unit/quant/fixture.h"

#include "quant/judge.h"

static tarn_err sample(void *ctx, size_t i, tarn_tensor *in)
{
	static const float x[] = {1, 0.98f, -1, 0.5f};
	(void)ctx;
	(void)i;
	int64_t dim[] = {1, 4};
	TRY(tarn_tensor_new(TARN_F32, 2, dim, in));
	memcpy(in->data, x, sizeof x);
	return TARN_OK;
}

/* The input, its first score moved by `by`. */
static tarn_model *moved(float by)
{
	tarn_model *m;
	seed = 1;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	tarn_value *c = weights(g, dims(1, 4));
	memset(c->konst->data, 0, 4 * sizeof by);
	((float *)c->konst->data)[0] = by;
	tarn_value *y = node(g, "Add", input(g, dims(2, 1, 4)), c, NULL);
	y->name = "scores";
	output(g, y);
	assert_ok(tarn_graph_infer(g));
	return m;
}

static bool better(quant_judge *j, float by)
{
	tarn_model *q = moved(by);
	bool yes;
	assert_ok(tarn_quant_judge_better(j, q, 0.1, &yes));
	tarn_model_unref(q);
	return yes;
}

static void decisions_count(void **state)
{
	(void)state;
	tarn_quant_options o = {.sample = sample, .n_sample = 2, .device = &cpu};
	tarn_model *m = moved(0);
	quant_plan p;
	quant_judge j;
	assert_ok(tarn_quant_plan_init(&p, m, &o));
	assert_ok(tarn_quant_judge_init(&j, &p, &o));
	assert_true(better(&j, 0.05f));    /* the first one always is */
	assert_false(better(&j, -0.046f)); /* 0.7 dB less noise, but now the second score is the largest */
	assert_int_equal(j.changed, 0);
	assert_true(better(&j, 0.04f));
	assert_true(fabs(tarn_quant_judge_db(&j) - 10 * log10((1 + 0.9604 + 1 + 0.25) / 0.0016)) < 0.01);
	assert_true(better(&j, -0.025f)); /* 4 dB */
	assert_int_equal(j.changed, 2);
	assert_true(better(&j, 0.02f));
	assert_int_equal(j.changed, 0);
	tarn_quant_judge_fini(&j);
	tarn_quant_plan_fini(&p);
	tarn_model_unref(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(decisions_count)};
	return cmocka_run_group_tests(tests, NULL, close_device);
}
